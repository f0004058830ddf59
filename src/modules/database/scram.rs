//! PostgreSQL's stored passwords: made here, so that the password itself reaches neither the server nor its log, and compared with a given
//! password, so that a second run changes nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

const ITERATIONS: u32 = 4096;

/// Whether a text is a stored password already.
pub fn is_stored(text: &str) -> bool {
    text.starts_with("SCRAM-SHA-256$") || (text.len() == 35 && text.starts_with("md5") && text[3..].bytes().all(|b| b.is_ascii_hexdigit()))
}

/// What the server stores for a password, with a fresh salt.
pub fn stored(password: &str) -> String {
    let salt: [u8; 16] = rand::random();
    with_salt(password, &salt, ITERATIONS)
}

fn with_salt(password: &str, salt: &[u8], iterations: u32) -> String {
    let mut salted = [0u8; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, iterations, &mut salted);
    let stored_key = Sha256::digest(keyed(&salted, b"Client Key"));
    let server_key = keyed(&salted, b"Server Key");
    format!("SCRAM-SHA-256${iterations}:{}${}:{}", STANDARD.encode(salt), STANDARD.encode(stored_key), STANDARD.encode(server_key))
}

fn keyed(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length.
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// Whether what the server has stored for a role is this password (or is this stored form).
pub fn matches(stored: &str, role: &str, password: &str) -> bool {
    if is_stored(password) {
        return stored == password;
    }
    if let Some(hash) = stored.strip_prefix("md5") {
        return hash == hex::encode(md5::Md5::digest(format!("{password}{role}")));
    }
    let parts = stored.strip_prefix("SCRAM-SHA-256$").and_then(|rest| rest.split_once('$')).and_then(|(head, _)| head.split_once(':'));
    let Some((iterations, salt)) = parts else { return false };
    match (iterations.parse(), STANDARD.decode(salt)) {
        (Ok(iterations), Ok(salt)) => with_salt(password, &salt, iterations) == stored,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_password_is_known_again() {
        let kept = stored("s3cret");
        assert!(is_stored(&kept) && matches(&kept, "web", "s3cret") && matches(&kept, "web", &kept));
        assert!(!matches(&kept, "web", "other"));
    }

    #[test]
    fn the_old_form_is_known_too() {
        // As PostgreSQL says: md5 of the password followed by the role.
        let old = format!("md5{}", hex::encode(md5::Md5::digest("s3cretweb")));
        assert!(is_stored(&old) && matches(&old, "web", "s3cret") && !matches(&old, "db", "s3cret"));
    }
}
