//! How a module fails: one sentence, what it was doing, and the values that playbooks read from a failed result.

use std::fmt;
use std::path::Path;

use crate::base::{Map, Value};

pub type Result<T> = std::result::Result<T, Failure>;

/// A failed task, before the controller adds the place in the playbook.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// One sentence: what happened and to what.
    pub message: String,
    /// The option at fault, when it is one: the controller points its caret there.
    pub option: Option<String>,
    /// Further return values, as Ansible names them (`rc`, `stderr`, `status` …).
    pub values: Map,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), ..Failure::default() }
    }

    /// An I/O error on a path, with what was tried.
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Failure::new(format!("cannot {doing} `{}`: {}", path.display(), plain(error)))
    }

    /// Names the option that was wrong.
    pub fn at(mut self, option: impl Into<String>) -> Self {
        self.option = Some(option.into());
        self
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(name, value);
        self
    }

    /// The same failure with what was being done put before it.
    pub fn context(mut self, doing: &str) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}

/// The operating system's sentence without Rust's "(os error 2)".
pub fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
