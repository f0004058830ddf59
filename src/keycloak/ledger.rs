//! The ledger of applied secrets: a keyed hash for each secret that Keycloak shows only as a mask, so that a changed one is seen as changed
//! and an unchanged one is not written again. It is kept in an attribute of the realm itself. The key comes from the service account's own
//! secret, so the hashes tell nothing to those who can only read the realm; with another account's key every entry reads as unknown, and
//! the next apply writes those secrets once more.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::model::Name;
use crate::base::Secret;

/// The realm attribute that holds it.
pub const ATTRIBUTE: &str = "hostler.applied.secrets";

pub struct Ledger {
    key: Secret,
    entries: BTreeMap<String, String>,
    changed: bool,
}

impl Ledger {
    /// From the attribute's text; a text that is not ours counts as empty.
    pub fn open(text: Option<&str>, account_secret: &Secret, realm: &str) -> Self {
        let entries = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let key = Secret::new(digest(account_secret.expose(), &["hostler ledger of applied secrets", realm]));
        Ledger { key, entries, changed: false }
    }

    /// This very value was the last one applied.
    pub fn knows(&self, name: &Name, field: &str, value: &str) -> bool {
        let place = place(name, field);
        self.entries.get(&place).is_some_and(|known| *known == digest(self.key.expose(), &[&place, value]))
    }

    /// Some value was applied there, by whatever account.
    pub fn has(&self, name: &Name, field: &str) -> bool {
        self.entries.contains_key(&place(name, field))
    }

    pub fn record(&mut self, name: &Name, field: &str, value: &str) {
        let place = place(name, field);
        let entry = digest(self.key.expose(), &[&place, value]);
        self.changed |= self.entries.insert(place, entry.clone()).as_ref() != Some(&entry);
    }

    /// The attribute's new text, when it differs from the one that was read.
    pub fn changed_text(&self) -> Option<String> {
        self.changed.then(|| serde_json::to_string(&self.entries).unwrap_or_default())
    }
}

fn place(name: &Name, field: &str) -> String {
    format!("{name}#{field}")
}

fn digest(key: &str, parts: &[&str]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    for part in parts {
        // The length before the text: no two lists of parts are the same bytes.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keycloak::kind::Kind;
    use crate::keycloak::model::Key;

    fn name() -> Name {
        Name::new(Kind::IdentityProvider, Key::of(["github"]))
    }

    #[test]
    fn an_applied_secret_is_known_again_and_another_is_not() {
        let account = Secret::new("account-secret");
        let mut ledger = Ledger::open(None, &account, "staff");
        ledger.record(&name(), "config.clientSecret", "s3cret");
        let text = ledger.changed_text().expect("it changed");
        assert!(!text.contains("s3cret"));
        let again = Ledger::open(Some(&text), &account, "staff");
        assert!(again.knows(&name(), "config.clientSecret", "s3cret"));
        assert!(!again.knows(&name(), "config.clientSecret", "other"));
        assert!(!again.knows(&name(), "config.other", "s3cret"));
        assert_eq!(again.changed_text(), None);
    }

    #[test]
    fn another_account_knows_nothing() {
        let mut ledger = Ledger::open(None, &Secret::new("one"), "staff");
        ledger.record(&name(), "config.clientSecret", "s3cret");
        let text = ledger.changed_text();
        assert!(!Ledger::open(text.as_deref(), &Secret::new("two"), "staff").knows(&name(), "config.clientSecret", "s3cret"));
    }
}
