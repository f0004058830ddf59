//! Secrets: a type that cannot be printed, and the set of texts that no sink may show.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, RwLock};

use zeroize::Zeroize;

use super::value::{Map, Value};

/// What is shown in place of a secret.
pub const MASK: &str = "********";

/// Shorter texts are not masked wherever they occur: they would take half of every screen with them.
const SHORTEST_MASKED: usize = 4;

/// Text that must not be shown. It has no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself: for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Knows every secret text of a run (decrypted vault text, passwords asked for, `no_log` arguments) and masks it in what is about to be
/// shown or kept. Shared: clones know the same secrets.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Arc<RwLock<Vec<Secret>>>,
}

impl Redactor {
    /// Adds a text, and each line of a text of several lines (a private key shown line by line is shown all the same).
    pub fn learn(&self, text: &str) {
        let mut known = self.known.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let lines = text.lines().map(str::trim).filter(|line| line.len() >= 8);
        for candidate in std::iter::once(text.trim()).chain(lines) {
            if candidate.len() >= SHORTEST_MASKED && !known.iter().any(|secret| secret.expose() == candidate) {
                known.push(Secret::new(candidate));
            }
        }
        // The longest first: a secret that contains another is masked whole.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
    }

    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.known.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut text = Cow::Borrowed(text);
        for secret in known.iter() {
            if text.contains(secret.expose()) {
                text = Cow::Owned(text.replace(secret.expose(), MASK));
            }
        }
        text
    }

    pub fn redact_value(&self, value: &Value) -> Value {
        match value {
            Value::Str(text) => match self.redact(text) {
                Cow::Borrowed(_) => value.clone(),
                Cow::Owned(masked) => masked.into(),
            },
            Value::List(items) => Value::list(items.iter().map(|item| self.redact_value(item))),
            Value::Map(map) => map.iter().map(|(key, item)| (key.clone(), self.redact_value(item))).collect::<Map>().into(),
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learned_secret_is_masked_wherever_it_stands() {
        let redactor = Redactor::default();
        redactor.learn("hunter22\n");
        let value = Value::map([("msg", Value::list(["password=hunter22;"]))]);
        assert_eq!(redactor.redact_value(&value).to_repr(), "{'msg': ['password=********;']}");
    }

    #[test]
    fn a_secret_does_not_show_itself_in_debug() {
        assert_eq!(format!("{:?}", Secret::new("hunter22")), MASK);
    }
}
