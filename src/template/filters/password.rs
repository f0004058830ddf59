//! Password hashes in crypt's notation, as passlib writes them for ansible-core.

use rand::Rng;
use sha_crypt::{Sha256Params, Sha512Params, sha256_crypt_b64, sha512_crypt_b64};

use crate::base::crypt::{ALPHABET, md5_crypt, random_salt};

use super::super::fault::{Fault, Outcome};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Md5,
    Bcrypt,
    Sha256,
    Sha512,
}

impl Scheme {
    pub fn by_name(name: &str) -> Outcome<Scheme> {
        Ok(match name {
            "md5" | "md5_crypt" => Scheme::Md5,
            "blowfish" | "bcrypt" => Scheme::Bcrypt,
            "sha256" | "sha256_crypt" => Scheme::Sha256,
            "sha512" | "sha512_crypt" => Scheme::Sha512,
            other => {
                let known = ["md5", "blowfish", "sha256", "sha512"];
                return Err(Fault::failed(format!("there is no password hash `{other}`"))
                    .did_you_mean(other, known)
                    .help("use `sha512`, `sha256`, `bcrypt` or `md5`"));
            }
        })
    }
}

/// What is asked for. Without a salt a new one is made for every call.
pub(crate) struct Wanted {
    pub scheme: Scheme,
    pub salt: Option<String>,
    pub salt_size: Option<usize>,
    pub rounds: Option<u32>,
    pub ident: Option<String>,
}

/// bcrypt's, which is another.
const BCRYPT_ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// What ansible-core asks of passlib when no rounds are given.
const SHA256_ROUNDS: u32 = 535_000;
const SHA512_ROUNDS: u32 = 656_000;
const BCRYPT_COST: u32 = 12;
/// What crypt itself takes, and leaves out of the text.
const UNWRITTEN_ROUNDS: u32 = 5_000;

pub(crate) fn hashed(password: &str, wanted: &Wanted) -> Outcome<String> {
    if password.contains('\0') {
        return Err(Fault::failed("a password cannot hold a zero byte"));
    }
    match wanted.scheme {
        Scheme::Md5 => {
            let salt = salt(wanted, 8)?;
            Ok(md5_crypt("$1$", password.as_bytes(), salt.as_bytes()))
        }
        Scheme::Sha256 => {
            let (salt, rounds) = (salt(wanted, 16)?, rounds(wanted, SHA256_ROUNDS)?);
            let params = Sha256Params::new(rounds as usize).map_err(|error| Fault::failed(format!("{error:?}")))?;
            let digest =
                sha256_crypt_b64(password.as_bytes(), salt.as_bytes(), &params).map_err(|error| Fault::failed(format!("{error:?}")))?;
            Ok(written("5", rounds, &salt, &digest))
        }
        Scheme::Sha512 => {
            let (salt, rounds) = (salt(wanted, 16)?, rounds(wanted, SHA512_ROUNDS)?);
            let params = Sha512Params::new(rounds as usize).map_err(|error| Fault::failed(format!("{error:?}")))?;
            let digest =
                sha512_crypt_b64(password.as_bytes(), salt.as_bytes(), &params).map_err(|error| Fault::failed(format!("{error:?}")))?;
            Ok(written("6", rounds, &salt, &digest))
        }
        Scheme::Bcrypt => bcrypt(password, wanted),
    }
}

fn written(id: &str, rounds: u32, salt: &str, digest: &str) -> String {
    if rounds == UNWRITTEN_ROUNDS { format!("${id}${salt}${digest}") } else { format!("${id}$rounds={rounds}${salt}${digest}") }
}

fn salt(wanted: &Wanted, longest: usize) -> Outcome<String> {
    let Some(salt) = &wanted.salt else {
        let size = wanted.salt_size.unwrap_or(longest);
        if size > longest {
            return Err(Fault::failed(format!("a salt has at most {longest} characters, not {size}")));
        }
        return Ok(random_salt(size));
    };
    if let Some(other) = salt.bytes().find(|byte| !ALPHABET.contains(byte)) {
        return Err(Fault::failed(format!("the salt must be of letters, digits, `.` and `/`, not `{}`", char::from(other))));
    }
    if salt.len() > longest {
        return Err(Fault::failed(format!("a salt has at most {longest} characters, not {}", salt.len())));
    }
    Ok(salt.clone())
}

fn rounds(wanted: &Wanted, usual: u32) -> Outcome<u32> {
    let rounds = wanted.rounds.filter(|rounds| *rounds > 0).unwrap_or(usual);
    if (1000..=999_999_999).contains(&rounds) {
        Ok(rounds)
    } else {
        Err(Fault::failed(format!("the rounds must be from 1000 to 999999999, not {rounds}")))
    }
}

fn bcrypt(password: &str, wanted: &Wanted) -> Outcome<String> {
    let cost = wanted.rounds.filter(|rounds| *rounds > 0).unwrap_or(BCRYPT_COST);
    let version = match wanted.ident.as_deref() {
        None | Some("2b" | "$2b$") => bcrypt::Version::TwoB,
        Some("2a" | "$2a$") => bcrypt::Version::TwoA,
        Some("2y" | "$2y$") => bcrypt::Version::TwoY,
        Some(other) => return Err(Fault::failed(format!("there is no bcrypt `{other}`")).help("use `2b`, `2a` or `2y`")),
    };
    let salt = match &wanted.salt {
        None => rand::rng().random(),
        Some(salt) => bcrypt_salt(salt)?,
    };
    let parts = bcrypt::hash_with_salt(password, cost, salt).map_err(|error| Fault::failed(error.to_string()))?;
    Ok(parts.format_for_version(version))
}

/// 22 characters of bcrypt's base64; the four bits beyond 16 bytes are dropped, as passlib repairs them.
fn bcrypt_salt(text: &str) -> Outcome<[u8; 16]> {
    let refused = || Fault::failed("a salt for bcrypt has exactly 22 characters: letters, digits, `.` and `/`");
    if text.len() != 22 {
        return Err(refused());
    }
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::with_capacity(16));
    for byte in text.bytes() {
        let value = BCRYPT_ALPHABET.iter().position(|known| *known == byte).ok_or_else(refused)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes.try_into().map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(scheme: Scheme, salt: &str, rounds: Option<u32>) -> String {
        let wanted = Wanted { scheme, salt: Some(salt.into()), salt_size: None, rounds, ident: None };
        hashed("secret", &wanted).ok().expect("hashes")
    }

    /// The texts were made by `openssl passwd` and ansible-core 2.19.14.
    #[test]
    fn hashes_are_those_of_crypt() {
        assert_eq!(with(Scheme::Md5, "abcdefgh", None), "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1");
        assert_eq!(with(Scheme::Sha256, "salt", Some(5000)), "$5$salt$kpa26zwgX83BPSR8d7w93OIXbFt/d3UOTZaAu5vsTM6");
    }

    #[test]
    fn a_salt_that_crypt_cannot_read_is_refused() {
        let wanted = Wanted { scheme: Scheme::Sha512, salt: Some("with space".into()), salt_size: None, rounds: None, ident: None };
        assert!(hashed("secret", &wanted).is_err());
    }
}
