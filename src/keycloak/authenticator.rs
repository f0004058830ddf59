//! The configuration of a flow's step. Which of its values are secret only the server knows, which shows those as a mask: what was last applied
//! there is in the ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::compare::Change;
use super::kind::Kind;
use super::ledger::Ledger;
use super::model::{Key, Name};
use super::{Body, Json, MASK};

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Config {
    pub alias: String,
    pub config: BTreeMap<String, String>,
}

impl Config {
    /// What of it is to change, for a plan; nothing when every declared value is there. A mask stands for whatever is there.
    pub fn changes(&self, path: &str, live: Option<&Config>, ledger: &Ledger) -> Vec<Change> {
        let found = |key: &str| live.and_then(|live| live.config.get(key));
        let is_shown = |key: &str| found(key).is_none_or(|value| value != MASK);
        let mut changes = Vec::new();
        let differs = self.unmasked().any(|(key, value)| is_shown(key) && found(key).map_or("", String::as_str) != value.as_str());
        if differs || live.is_none_or(|live| live.alias != self.alias) {
            let shown = |config: &Config| Json::Object(config.shown());
            changes.push(Change { path: path.to_owned(), old: live.map(shown).unwrap_or_default(), new: shown(self), secret: false });
        }
        for (key, _) in self.unmasked().filter(|(key, value)| !is_shown(key) && !self.is_applied(key, value, ledger)) {
            changes.push(Change { path: format!("{path}.{key}"), old: Json::Null, new: Json::Null, secret: true });
        }
        changes
    }

    /// The values that may be written.
    pub fn unmasked(&self) -> impl Iterator<Item = (&String, &String)> {
        self.config.iter().filter(|(_, value)| *value != MASK)
    }

    fn is_applied(&self, key: &str, value: &str, ledger: &Ledger) -> bool {
        ledger.knows(&self.name(), &field(key), value)
    }

    /// Notes that these values are applied: those that are named like a secret, and those that the server was seen to mask. A secret of another
    /// name is written once more.
    pub fn record(&self, masked: &Body, ledger: &mut Ledger) {
        for (key, value) in self.unmasked().filter(|(key, _)| is_secret(key) || masked.get(*key).is_some_and(|found| found == MASK)) {
            ledger.record(&self.name(), &field(key), value);
        }
    }

    /// Aliases of configurations are unique in a realm.
    fn name(&self) -> Name {
        Name::new(Kind::Flow, Key::of([self.alias.as_str()]))
    }

    /// For a plan.
    fn shown(&self) -> Body {
        let value = |(key, value): (&String, &String)| (key.clone(), if is_secret(key) { MASK.into() } else { value.as_str().into() });
        self.config.iter().map(value).collect()
    }
}

fn field(key: &str) -> String {
    format!("authenticatorConfig.{key}")
}

fn is_secret(key: &str) -> bool {
    ["secret", "password", "token", "private"].iter().any(|word| key.to_lowercase().contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;

    fn config(secret: &str) -> Config {
        Config { alias: "captcha".into(), config: [("secret.key".into(), secret.into()), ("site.key".into(), "s".into())].into() }
    }

    #[test]
    fn a_value_that_is_named_like_a_secret_is_not_shown() {
        let ledger = Ledger::open(None, &Secret::new("x"), "staff");
        let shown = format!("{:?}", config("hunter22").changes("step: config", None, &ledger));
        assert!(shown.contains("site.key") && !shown.contains("hunter22"), "{shown}");
    }

    #[test]
    fn a_masked_value_is_a_change_until_it_is_the_one_that_was_applied() {
        let mut ledger = Ledger::open(None, &Secret::new("x"), "staff");
        let (want, have) = (config("hunter22"), config(MASK));
        let changes = want.changes("step: config", Some(&have), &ledger);
        assert_eq!(
            changes.iter().map(|change| (change.path.as_str(), change.secret)).collect::<Vec<_>>(),
            [("step: config.secret.key", true)]
        );
        want.record(&Body::new(), &mut ledger);
        assert!(want.changes("", Some(&have), &ledger).is_empty());
        assert_eq!(config("hunter23").changes("", Some(&have), &ledger).len(), 1);
        assert!(have.changes("", Some(&have), &ledger).is_empty(), "a declared mask is whatever is there");
    }
}
