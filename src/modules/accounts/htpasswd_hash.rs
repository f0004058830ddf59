//! Hashes of passwords as web servers read them from a file of `htpasswd`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha_crypt::{Sha256Params, Sha512Params};
use sha1::{Digest, Sha1};

use crate::base::crypt::{md5_crypt, random_salt};

/// Rounds and cost that passlib takes.
const SHA256_ROUNDS: usize = 535_000;
const SHA512_ROUNDS: usize = 656_000;
const BCRYPT_COST: u32 = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    ApacheMd5,
    Md5,
    Bcrypt,
    Sha1,
    Sha256,
    Sha512,
    Plain,
}

impl Scheme {
    /// The error is a whole sentence.
    pub fn by_name(name: &str) -> Result<Scheme, String> {
        Ok(match name {
            "apr_md5_crypt" => Scheme::ApacheMd5,
            "md5_crypt" => Scheme::Md5,
            "bcrypt" => Scheme::Bcrypt,
            "ldap_sha1" => Scheme::Sha1,
            "sha256_crypt" => Scheme::Sha256,
            "sha512_crypt" => Scheme::Sha512,
            "plaintext" => Scheme::Plain,
            other => {
                let known = "apr_md5_crypt, bcrypt, ldap_sha1, md5_crypt, plaintext, sha256_crypt and sha512_crypt";
                return Err(format!("passwords are not hashed with `{other}` here: there are {known}"));
            }
        })
    }

    pub fn hash(self, password: &str) -> Result<String, String> {
        let bytes = password.as_bytes();
        Ok(match self {
            Scheme::ApacheMd5 => md5_crypt("$apr1$", bytes, random_salt(8).as_bytes()),
            Scheme::Md5 => md5_crypt("$1$", bytes, random_salt(8).as_bytes()),
            Scheme::Bcrypt => {
                let parts = bcrypt::hash_with_result(password, BCRYPT_COST).map_err(|error| error.to_string())?;
                parts.format_for_version(bcrypt::Version::TwoB)
            }
            Scheme::Sha1 => format!("{{SHA}}{}", BASE64_STANDARD.encode(Sha1::digest(bytes))),
            Scheme::Sha256 => {
                let params = Sha256Params::new(SHA256_ROUNDS).map_err(|error| format!("{error:?}"))?;
                sha_crypt::sha256_simple(password, &params).map_err(|error| format!("{error:?}"))?
            }
            Scheme::Sha512 => {
                let params = Sha512Params::new(SHA512_ROUNDS).map_err(|error| format!("{error:?}"))?;
                sha_crypt::sha512_simple(password, &params).map_err(|error| format!("{error:?}"))?
            }
            Scheme::Plain => password.to_owned(),
        })
    }
}

/// Whether a hash is this password's. One of a kind that is not known here is nobody's.
pub fn is_of(hash: &str, password: &str) -> bool {
    let md5 = |magic: &str| {
        let salt = hash[magic.len()..].split('$').next().unwrap_or_default();
        md5_crypt(magic, password.as_bytes(), salt.as_bytes()) == hash
    };
    match hash {
        _ if hash.starts_with("$apr1$") => md5("$apr1$"),
        _ if hash.starts_with("$1$") => md5("$1$"),
        _ if hash.starts_with("$2") => bcrypt::verify(password, hash).unwrap_or(false),
        _ if hash.starts_with("$5$") => sha_crypt::sha256_check(password, hash).is_ok(),
        _ if hash.starts_with("$6$") => sha_crypt::sha512_check(password, hash).is_ok(),
        _ if hash.starts_with("{SHA}") => Scheme::Sha1.hash(password).is_ok_and(|own| own == hash),
        _ => hash == password,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_knows_its_own_password_and_no_other() {
        for name in ["apr_md5_crypt", "bcrypt", "ldap_sha1", "md5_crypt", "plaintext", "sha256_crypt", "sha512_crypt"] {
            let hash = Scheme::by_name(name).and_then(|scheme| scheme.hash("secret")).expect("hashes");
            assert!(is_of(&hash, "secret") && !is_of(&hash, "Secret"), "{name}: {hash}");
        }
        assert!(Scheme::by_name("des_crypt").expect_err("is refused").contains("not hashed with `des_crypt`"));
    }

    /// Made by `htpasswd`, `openssl passwd` and passlib.
    #[test]
    fn hashes_of_others_are_known() {
        for hash in [
            "$apr1$jrUXixgN$OrSVaHJbV1VZdxPKIREh0/",
            "$1$Afnyyv5X$F.Lh/l.i4M9/bt1CEj.4u/",
            "$2b$12$ehK8vbZqA8FE1JP2Do.KqOjy50ZAT2l7RrTF9SdHIOW1WPWXBtvEy",
            "$5$rounds=535000$16f0QitNVTt/25dD$jBrRgTIet.8sxlLUen0CUEqTqIv0SSHxTvqMnViV4N3",
        ] {
            assert!(is_of(hash, "secret2"), "{hash}");
        }
    }
}
