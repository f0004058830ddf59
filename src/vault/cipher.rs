//! The cipher AES256: PBKDF2-HMAC-SHA256 to two keys and a counter, AES-256 in CTR mode over padded text, HMAC-SHA256 over the result.

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::VaultError;

const ROUNDS: u32 = 10_000;
const SALT: usize = 32;
const BLOCK: usize = 16;

struct Keys(Zeroizing<[u8; 80]>);

impl Keys {
    fn derive(password: &[u8], salt: &[u8]) -> Keys {
        let mut derived = Zeroizing::new([0; 80]);
        pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, ROUNDS, derived.as_mut_slice());
        Keys(derived)
    }

    fn apply(&self, data: &mut [u8]) {
        Ctr128BE::<Aes256>::new(self.0[..32].into(), self.0[64..].into()).apply_keystream(data);
    }

    fn mac(&self, data: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0[32..64]).expect("HMAC takes keys of any length");
        mac.update(data);
        mac
    }
}

/// The parts of a vault's body.
pub(super) struct Sealed {
    salt: Vec<u8>,
    mac: Vec<u8>,
    data: Vec<u8>,
}

impl Sealed {
    pub(super) fn parse(body: &str) -> Result<Sealed, VaultError> {
        let unhex = |text: &[u8]| {
            hex::decode(text).map_err(|error| match error {
                hex::FromHexError::OddLength => VaultError::Damaged("Vault format unhexlify error: Odd-length string"),
                _ => VaultError::Damaged("Vault format unhexlify error: Non-hexadecimal digit found"),
            })
        };
        let outer = unhex(body.as_bytes())?;
        let mut parts = outer.splitn(3, |byte| *byte == b'\n');
        let (Some(salt), Some(mac), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VaultError::Damaged("lines are missing"));
        };
        Ok(Sealed { salt: unhex(salt)?, mac: unhex(mac)?, data: unhex(data)? })
    }

    /// The plain text, or nothing when the password does not fit.
    pub(super) fn open(&self, password: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        let keys = Keys::derive(password, &self.salt);
        if keys.mac(&self.data).verify_slice(&self.mac).is_err() {
            return Ok(None);
        }
        let mut data = self.data.clone();
        keys.apply(&mut data);
        let padding = usize::from(*data.last().ok_or(VaultError::Damaged("it is empty"))?);
        let is_padded = (1..=BLOCK).contains(&padding)
            && padding <= data.len()
            && data.iter().rev().take(padding).all(|byte| usize::from(*byte) == padding);
        if !is_padded {
            return Err(VaultError::Damaged("its padding is wrong"));
        }
        data.truncate(data.len() - padding);
        Ok(Some(data))
    }
}

/// Encrypts to a vault's body, with a fresh salt.
pub(super) fn seal(plain: &[u8], password: &[u8]) -> String {
    let mut salt = [0; SALT];
    rand::rng().fill_bytes(&mut salt);
    seal_with(plain, password, &salt)
}

/// Encrypts to a vault's body with this salt.
pub(super) fn seal_with(plain: &[u8], password: &[u8], salt: &[u8]) -> String {
    let keys = Keys::derive(password, salt);
    let padding = BLOCK - plain.len() % BLOCK;
    let mut data = plain.to_vec();
    data.extend(std::iter::repeat_n(padding as u8, padding));
    keys.apply(&mut data);
    let mac = keys.mac(&data).finalize().into_bytes();
    hex::encode(format!("{}\n{}\n{}", hex::encode(salt), hex::encode(mac), hex::encode(data)))
}
