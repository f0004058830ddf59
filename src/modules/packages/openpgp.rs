//! Public keys of OpenPGP as keyrings of apt hold them: taken out of their armour and told apart, by no program of the host.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

/// A public key with all that belongs to it: names, signatures, subkeys.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicKey {
    /// Fingerprints in upper-case hex: of the key itself, then of its subkeys.
    pub fingerprints: Vec<String>,
    /// Its packets as they stood.
    pub bytes: Vec<u8>,
}

impl PublicKey {
    /// Whether a short or long id or a fingerprint, in upper-case hex, means this key or a subkey of it.
    pub fn is(&self, id: &str) -> bool {
        self.fingerprints.iter().any(|fingerprint| fingerprint.ends_with(id))
    }
}

/// The keys of a keyring, armoured or not; the error completes "… is no keyring: ".
pub fn read_keys(content: &[u8]) -> Result<Vec<PublicKey>, String> {
    let binary = match content.first() {
        None => return Ok(Vec::new()),
        // The first bit of every packet is set; text has it never.
        Some(first) if first & 0x80 != 0 => content.to_vec(),
        Some(_) if content.get(8..12) == Some(b"KBXf") => return Err("it is a keybox of GnuPG, which apt does not read".to_owned()),
        Some(_) => dearmour(&String::from_utf8_lossy(content))?,
    };
    split(&binary)
}

/// Every block of armoured public keys in a text, as bytes.
fn dearmour(text: &str) -> Result<Vec<u8>, String> {
    const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
    const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (block, after) = after.split_once(END).ok_or("its armour has no end")?;
        rest = after;
        // Headers end at an empty line.
        let lines = block.lines().map(str::trim).skip(1).skip_while(|line| line.contains(':')).filter(|line| !line.is_empty());
        let (sums, data): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with('='));
        let decoded = BASE64_STANDARD.decode(data.concat()).map_err(|_| "its armour is broken")?;
        if let Some(sum) = sums.first() {
            let sum = BASE64_STANDARD.decode(&sum[1..]).map_err(|_| "its armour is broken")?;
            if sum != crc24(&decoded).to_be_bytes()[1..] {
                return Err("its checksum is wrong: it did not arrive whole".to_owned());
            }
        }
        bytes.extend(decoded);
    }
    if bytes.is_empty() { Err("there is no public key in it".to_owned()) } else { Ok(bytes) }
}

/// The checksum of armour (RFC 9580, 6.1).
fn crc24(bytes: &[u8]) -> u32 {
    let shifted = |crc: u32| if crc & 0x80_0000 != 0 { (crc << 1) ^ 0x186_4CFB } else { crc << 1 };
    let crc = bytes.iter().fold(0xB7_04CE, |crc, byte| (0..8).fold(crc ^ (u32::from(*byte) << 16), |crc, _| shifted(crc)));
    crc & 0xFF_FFFF
}

const SECRET_KEY: u8 = 5;
const PUBLIC_KEY: u8 = 6;
const PUBLIC_SUBKEY: u8 = 14;

fn split(mut rest: &[u8]) -> Result<Vec<PublicKey>, String> {
    let mut keys: Vec<PublicKey> = Vec::new();
    while !rest.is_empty() {
        let (tag, header, length) = head(rest).ok_or("a packet in it is broken")?;
        let body = rest.get(header..header + length).ok_or("it ends within a packet")?;
        match (tag, keys.last_mut()) {
            (SECRET_KEY, _) => return Err("there is a secret key in it".to_owned()),
            (PUBLIC_KEY, _) => keys.push(PublicKey { fingerprints: vec![fingerprint(body)?], bytes: Vec::new() }),
            (_, None) => return Err("it does not begin with a public key".to_owned()),
            (PUBLIC_SUBKEY, Some(key)) => key.fingerprints.push(fingerprint(body)?),
            _ => {}
        }
        if let Some(key) = keys.last_mut() {
            key.bytes.extend_from_slice(&rest[..header + length]);
        }
        rest = &rest[header + length..];
    }
    Ok(keys)
}

/// A packet's kind, the length of its header and that of its body; packets of keys have lengths that are known.
fn head(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let first = *bytes.first()?;
    let number = |range: std::ops::Range<usize>| Some(bytes.get(range)?.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)));
    match (first & 0x80 != 0, first & 0x40 != 0) {
        (false, _) => None,
        (true, true) => {
            let tag = first & 0x3F;
            let one = number(1..2)?;
            match one {
                0..=191 => Some((tag, 2, one)),
                192..=223 => Some((tag, 3, ((one - 192) << 8) + number(2..3)? + 192)),
                255 => Some((tag, 6, number(2..6)?)),
                _ => None,
            }
        }
        (true, false) => {
            let size = 1_usize << (first & 3);
            (size < 8).then_some(())?;
            Some(((first >> 2) & 0xF, 1 + size, number(1..1 + size)?))
        }
    }
}

fn fingerprint(body: &[u8]) -> Result<String, String> {
    let length = u16::try_from(body.len()).map_err(|_| "a key in it is too long")?;
    match body.first() {
        Some(4) => Ok(hex::encode_upper(Sha1::new().chain_update([0x99]).chain_update(length.to_be_bytes()).chain_update(body).finalize())),
        Some(version) => Err(format!("a key in it is of version {version}, which is not supported: only version 4 is")),
        None => Err("a key in it is empty".to_owned()),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    /// A key with a subkey.
    pub const ONE: &str = "\
-----BEGIN PGP PUBLIC KEY BLOCK-----\n\
\n\
mDMEawv3MRYJKwYBBAHaRw8BAQdANXxmf87K/qPWjAM/ypdJu7F6TPVL2Ya0mf+W\n\
bCJXrFS0GFByb2JlIE9uZSA8b25lQGxhYi50ZXN0PoiQBBMWCAA4FiEExGvyPKyi\n\
BIhudvSsE52xy/xje8cFAmsL9zECGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AA\n\
CgkQE52xy/xje8c7MAEAurhiIsWFiKwLK+9qSM3FzBlpBXoCxIjIIHxRCW8AqkoA\n\
/1al8jiBAlg1S8pio1wQchlvYtwF0sXq7VJzRdPwrlwAuDgEawv3MRIKKwYBBAGX\n\
VQEFAQEHQIo2LccedfpdXmfoVW4b0dsE7NfpdQmaXf7k/0cukO4RAwEIB4h4BBgW\n\
CAAgFiEExGvyPKyiBIhudvSsE52xy/xje8cFAmsL9zECGwwACgkQE52xy/xje8em\n\
/QEAgQ164os51rEfxbwGEp6BsGwakO5w7zdsJh5B6NLZlsoBAONoC9EMk6zVjY3O\n\
hfm2/h8u1gLMC5wonHxHCt2DngwK\n\
=wZk1\n\
-----END PGP PUBLIC KEY BLOCK-----\n\
";

    /// A key without.
    pub const TWO: &str = "\
-----BEGIN PGP PUBLIC KEY BLOCK-----\n\
\n\
mDMEawv3MRYJKwYBBAHaRw8BAQdAt8kh660+bA1ol3kvMR4Kf/VKfy3KZDcXz5Gl\n\
xr6Pro60GFByb2JlIFR3byA8dHdvQGxhYi50ZXN0PoiQBBMWCAA4FiEEx1p0AFT+\n\
FJ4OkwK9J9ii39bfZgUFAmsL9zECGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AA\n\
CgkQJ9ii39bfZgX6nwD+PDvMogLz1BTQd2bwQqKZwruQ/5TL/eLpx6VQsaKi1cEA\n\
/28FIHuGytc6qNqh3ri/VDTaiz0WP7aS4dcbG/2hJtUC\n\
=EHzh\n\
-----END PGP PUBLIC KEY BLOCK-----\n\
";

    pub const ONE_ID: &str = "C46BF23CACA204886E76F4AC139DB1CBFC637BC7";
    pub const TWO_ID: &str = "C75A740054FE149E0E9302BD27D8A2DFD6DF6605";

    #[test]
    fn keys_are_read_from_armour_with_their_fingerprints() {
        let keys = read_keys(format!("words before\n{ONE}{TWO}").as_bytes()).expect("reads");
        let fingerprints: Vec<&[String]> = keys.iter().map(|key| key.fingerprints.as_slice()).collect();
        assert_eq!(fingerprints, [&[ONE_ID, "C1D52A441A47CC1FCC5BDB9FB50C08BA52D57B21"][..], &[TWO_ID]]);
        assert!(keys[0].is("139DB1CBFC637BC7") && keys[0].is("52D57B21") && !keys[0].is(TWO_ID));
        let binary: Vec<u8> = keys.iter().flat_map(|key| key.bytes.clone()).collect();
        assert_eq!(binary.len(), 630, "as gpg exports both");
        assert_eq!(read_keys(&binary).expect("reads"), keys);
    }

    #[test]
    fn what_is_no_keyring_is_refused_with_the_reason() {
        let refused: [(&[u8], &str); 5] = [
            (b"<html>not found</html>", "no public key in it"),
            (&[0x94, 0x01, 0x04], "a secret key"),
            (&[0x98, 0x05, 0x04], "ends within a packet"),
            (b"\0\0\0\x20\x01\x01\0\x02KBXf", "a keybox"),
            (&[0x98, 0x01, 0x06], "of version 6"),
        ];
        for (content, expected) in refused {
            let said = read_keys(content).expect_err("is refused");
            assert!(said.contains(expected), "{said}");
        }
        let cut = ONE.replace("VQEFAQEHQIo2LccedfpdXmfoVW4b0dsE7NfpdQmaXf7k/0cukO4RAwEIB4h4BBgW\n", "");
        assert!(read_keys(cut.as_bytes()).expect_err("is refused").contains("did not arrive whole"));
        assert_eq!(read_keys(b""), Ok(Vec::new()));
    }
}
