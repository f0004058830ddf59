//! crypt's notation of password hashes, as far as no crate has it.

use md5::{Digest, Md5};
use rand::Rng;

/// crypt's alphabet, in its order.
pub const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new salt of this many characters.
pub fn random_salt(length: usize) -> String {
    let mut random = rand::rng();
    (0..length).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

/// Poul-Henning Kamp's MD5 crypt: `$1$` is crypt's own, `$apr1$` Apache's.
pub fn md5_crypt(magic: &str, password: &[u8], salt: &[u8]) -> String {
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut outer = Md5::new().chain_update(password).chain_update(magic).chain_update(salt);
    for start in (0..password.len()).step_by(16) {
        outer.update(&inner[..(password.len() - start).min(16)]);
    }
    let mut length = password.len();
    while length > 0 {
        outer.update(if length & 1 == 1 { &[0][..] } else { &password[..1] });
        length >>= 1;
    }
    let mut digest = outer.finalize();
    for round in 0..1000 {
        let mut next = Md5::new();
        next.update(if round & 1 == 1 { password } else { &digest[..] });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if round & 1 == 1 { &digest[..] } else { password });
        digest = next.finalize();
    }
    let mut out = format!("{magic}{}$", String::from_utf8_lossy(salt));
    let mut push = |value: u32, characters: usize| {
        let mut value = value;
        for _ in 0..characters {
            out.push(char::from(ALPHABET[(value & 63) as usize]));
            value >>= 6;
        }
    };
    let three = |a: usize, b: usize, c: usize| u32::from(digest[a]) << 16 | u32::from(digest[b]) << 8 | u32::from(digest[c]);
    for [a, b, c] in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        push(three(a, b, c), 4);
    }
    push(u32::from(digest[11]), 2);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts were made by `openssl passwd`.
    #[test]
    fn hashes_are_those_of_openssl() {
        assert_eq!(md5_crypt("$1$", b"secret", b"abcdefgh"), "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1");
        assert_eq!(md5_crypt("$apr1$", b"secret", b"abcdefgh"), "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/");
        assert_eq!(random_salt(16).len(), 16);
    }
}
