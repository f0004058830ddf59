//! The passwords of a run by vault id, and opening and closing vault text with them.

use crate::base::{Secret, Value};

use super::cipher::{self, Sealed};
use super::envelope;
use super::error::VaultError;

/// Passwords with the ids they were given for, the preferred first. An id may stand more than once.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    entries: Vec<(String, Secret)>,
    /// Whether a vault text may be opened only with the passwords of its own id (`DEFAULT_VAULT_ID_MATCH`).
    pub id_must_match: bool,
}

/// A vault text that was opened.
#[derive(Debug)]
pub struct Opened {
    pub plain: Vec<u8>,
    /// The id that the text names.
    pub id: String,
    /// The password that fitted.
    pub secret: Secret,
}

impl Secrets {
    pub fn add(&mut self, id: impl Into<String>, secret: Secret) {
        self.entries.push((id.into(), secret));
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn ids(&self) -> Vec<String> {
        self.entries.iter().map(|(id, _)| id.clone()).collect()
    }

    /// The password to encrypt with: that of the id asked for, else the only or first one.
    ///
    /// # Errors
    /// When there is none for that id.
    pub fn to_encrypt_with(&self, id: Option<&str>) -> Result<(&str, &Secret), VaultError> {
        let found = match id {
            Some(wanted) => self.entries.iter().find(|(id, _)| id == wanted),
            None => self.entries.first(),
        };
        found.map(|(id, secret)| (id.as_str(), secret)).ok_or_else(|| match id {
            Some(wanted) => VaultError::Source(format!(
                "Did not find a match for --encrypt-vault-id={wanted} in the known vault-ids {}",
                Value::list(self.ids()).to_repr()
            )),
            None => VaultError::Source("a vault password is needed to encrypt".into()),
        })
    }

    /// Opens vault text: first with the passwords of the id it names, then with all others.
    ///
    /// # Errors
    /// [`VaultError`] says what was tried.
    pub fn open(&self, text: &str) -> Result<Opened, VaultError> {
        let envelope = envelope::open(text)?;
        if self.is_empty() {
            return Err(VaultError::NoSecrets(envelope.id));
        }
        let sealed = Sealed::parse(&envelope.body)?;
        let matching = self.entries.iter().filter(|(id, _)| *id == envelope.id);
        let others = self.entries.iter().filter(|(id, _)| *id != envelope.id && !self.id_must_match);
        let mut tried = Vec::new();
        for (id, secret) in matching.chain(others) {
            if let Some(plain) = sealed.open(secret.expose().as_bytes())? {
                return Ok(Opened { plain, id: envelope.id, secret: secret.clone() });
            }
            tried.push(id.clone());
        }
        if tried.is_empty() {
            return Err(VaultError::NoMatch { wanted: envelope.id, known: self.ids() });
        }
        Err(VaultError::Wrong { wanted: envelope.id, tried })
    }

    /// The plain bytes of vault text. See [`Secrets::open`].
    ///
    /// # Errors
    /// [`VaultError`] says what was tried.
    pub fn decrypt(&self, text: &str) -> Result<Vec<u8>, VaultError> {
        self.open(text).map(|opened| opened.plain)
    }

    /// The plain text of vault text.
    ///
    /// # Errors
    /// As [`Secrets::open`], and when what comes out is no text.
    pub fn decrypt_text(&self, text: &str) -> Result<String, VaultError> {
        String::from_utf8(self.decrypt(text)?).map_err(|_| VaultError::Damaged("what it holds is not UTF-8 text"))
    }
}

/// Encrypts bytes; format 1.2 with an id, 1.1 without one or with `default`.
///
/// # Errors
/// When they are vault text already.
pub fn encrypt(plain: &[u8], secret: &Secret, id: Option<&str>) -> Result<String, VaultError> {
    refuse_vault(plain)?;
    Ok(envelope::seal(&cipher::seal(plain, secret.expose().as_bytes()), id))
}

/// Encrypts bytes with a salt of one's own: the same text each time, which tells whoever sees two of them that they are the same.
///
/// # Errors
/// When they are vault text already.
pub fn encrypt_with_salt(plain: &[u8], secret: &Secret, id: Option<&str>, salt: &[u8]) -> Result<String, VaultError> {
    refuse_vault(plain)?;
    Ok(envelope::seal(&cipher::seal_with(plain, secret.expose().as_bytes(), salt), id))
}

/// With what something is encrypted.
#[derive(Clone, Debug)]
pub struct Seal {
    pub secret: Secret,
    pub id: Option<String>,
    /// `ANSIBLE_VAULT_ENCRYPT_SALT`: what makes the text the same each time.
    pub salt: Option<String>,
}

impl Seal {
    /// Encrypts bytes; format 1.2 with an id, 1.1 without one or with `default`.
    ///
    /// # Errors
    /// When they are vault text already.
    pub fn encrypt(&self, plain: &[u8]) -> Result<String, VaultError> {
        match self.salt.as_deref().filter(|salt| !salt.is_empty()) {
            Some(salt) => encrypt_with_salt(plain, &self.secret, self.id.as_deref(), salt.as_bytes()),
            None => encrypt(plain, &self.secret, self.id.as_deref()),
        }
    }
}

fn refuse_vault(plain: &[u8]) -> Result<(), VaultError> {
    match std::str::from_utf8(plain).is_ok_and(envelope::is_vault) {
        true => Err(VaultError::AlreadyEncrypted),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by ansible-core 2.19.14 for this test: `s3cret\n`, password `hunter22`, id `prod`.
    const FROM_ANSIBLE: &str = "\
$ANSIBLE_VAULT;1.2;AES256;prod\n\
65623265346338626330373365343332393364663536653766636138323039366664643066663665\n\
6265623562383538373132383466343761613234306165630a386439356564333765303938623961\n\
34666130623266653235373264656161373030383839366463343733326530646332373933626130\n\
3132326464316264390a316133666162653338316536373537653664616439626162333661633638\n\
6435\n\
";

    #[test]
    fn with_a_salt_of_ones_own_the_text_is_ansibles_own() {
        let sealed = encrypt_with_salt(b"secret", &Secret::new("test"), Some("filter_default"), b"7").expect("encrypts");
        // Printed by ansible-core 2.19.14.
        let from_ansible = "$ANSIBLE_VAULT;1.2;AES256;filter_default\n\
            33370a34333734353636633035656232613935353432656132646533346233326431346232616261\n\
            6133383034376566366261316365633931356133633337396363370a376664386236313834326561\n\
            6338373864623763613165366636633031303739\n";
        assert_eq!(sealed, from_ansible);
    }

    fn secrets(entries: &[(&str, &str)]) -> Secrets {
        let mut secrets = Secrets::default();
        for (id, password) in entries {
            secrets.add(*id, Secret::new(*password));
        }
        secrets
    }

    #[test]
    fn what_ansible_wrote_is_read() {
        let opened = secrets(&[("dev", "wrong"), ("prod", "hunter22")]).open(FROM_ANSIBLE).expect("opens");
        assert_eq!((opened.plain.as_slice(), opened.id.as_str()), (&b"s3cret\n"[..], "prod"));
    }

    #[test]
    fn what_is_written_reads_back_with_any_id() {
        for (plain, id) in [(&b""[..], None), (b"sixteen bytes ..", Some("default")), (b"\xff\x00", Some("prod"))] {
            let text = encrypt(plain, &Secret::new("pw"), id).expect("encrypts");
            let header = if id == Some("prod") { "$ANSIBLE_VAULT;1.2;AES256;prod\n" } else { "$ANSIBLE_VAULT;1.1;AES256\n" };
            assert!(text.starts_with(header), "{text}");
            assert!(text.lines().all(|line| line.len() <= 80));
            assert_eq!(secrets(&[("other", "pw")]).decrypt(&text).expect("opens"), plain);
        }
    }

    #[test]
    fn a_wrong_password_is_told_with_the_ids_that_were_tried() {
        let error = secrets(&[("dev", "a"), ("prod", "b")]).open(FROM_ANSIBLE).expect_err("stays closed");
        assert_eq!(error, VaultError::Wrong { wanted: "prod".into(), tried: vec!["prod".into(), "dev".into()] });
        assert_eq!(
            error.to_string(),
            "Decryption failed (no vault secrets were found that could decrypt): this is encrypted with the vault id `prod`, tried were `prod`, `dev`"
        );
        assert_eq!(Secrets::default().open(FROM_ANSIBLE).expect_err("stays closed"), VaultError::NoSecrets("prod".into()));
    }

    #[test]
    fn ids_that_must_match_keep_other_passwords_out() {
        let mut strict = secrets(&[("dev", "hunter22")]);
        assert!(strict.open(FROM_ANSIBLE).is_ok());
        strict.id_must_match = true;
        assert_eq!(
            strict.open(FROM_ANSIBLE).expect_err("stays closed"),
            VaultError::NoMatch { wanted: "prod".into(), known: vec!["dev".into()] }
        );
    }

    #[test]
    fn damaged_text_is_told_from_a_wrong_password() {
        let secrets = secrets(&[("prod", "hunter22")]);
        let cut: String = FROM_ANSIBLE.lines().take(2).map(|line| format!("{line}\n")).collect();
        assert!(matches!(secrets.open(&cut), Err(VaultError::Damaged(_))));
        assert!(matches!(secrets.open(&FROM_ANSIBLE.replace("AES256", "AES")), Err(VaultError::Cipher(_))));
        assert_eq!(secrets.open("plain").expect_err("is no vault"), VaultError::NotVault);
        assert_eq!(encrypt(FROM_ANSIBLE.as_bytes(), &Secret::new("x"), None), Err(VaultError::AlreadyEncrypted));
    }
}
