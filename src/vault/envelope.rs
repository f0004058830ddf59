//! The envelope: `$ANSIBLE_VAULT;1.1;AES256` or `$ANSIBLE_VAULT;1.2;AES256;id`, and hexadecimal text in lines of 80.

use super::error::VaultError;

/// The id of a vault that names none.
pub const DEFAULT_ID: &str = "default";
/// What vault text starts with.
pub const MARK: &str = "$ANSIBLE_VAULT";
const CIPHER: &str = "AES256";
const LINE: usize = 80;

/// Whether text is vault text: pure ASCII that starts with the mark.
pub fn is_vault(text: &str) -> bool {
    text.starts_with(MARK) && text.is_ascii()
}

/// The vault id that the text names, `default` where it names none.
///
/// # Errors
/// When it is not vault text, or its header is damaged.
pub fn vault_id(text: &str) -> Result<String, VaultError> {
    Ok(open(text)?.id)
}

pub(super) struct Envelope {
    pub(super) id: String,
    /// Salt, HMAC and cipher text, still in hexadecimal.
    pub(super) body: String,
}

pub(super) fn open(text: &str) -> Result<Envelope, VaultError> {
    let text = text.trim_start();
    if !is_vault(text) {
        return Err(VaultError::NotVault);
    }
    let mut lines = text.lines();
    let mut header = lines.next().unwrap_or_default().split(';').map(str::trim).skip(1);
    let (Some(_version), Some(cipher)) = (header.next(), header.next()) else {
        return Err(VaultError::Damaged("its first line names no version and cipher"));
    };
    if cipher != CIPHER {
        return Err(VaultError::Cipher(cipher.to_owned()));
    }
    let id = header.next().filter(|id| !id.is_empty()).unwrap_or(DEFAULT_ID).to_owned();
    Ok(Envelope { id, body: lines.map(str::trim).collect() })
}

pub(super) fn seal(body: &str, id: Option<&str>) -> String {
    let mut text = match id.filter(|id| *id != DEFAULT_ID) {
        Some(id) => format!("{MARK};1.2;{CIPHER};{id}\n"),
        None => format!("{MARK};1.1;{CIPHER}\n"),
    };
    for line in body.as_bytes().chunks(LINE) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text
}
