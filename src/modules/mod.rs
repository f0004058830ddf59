//! What runs on the target: one file a module, in a folder a subject. A module reads and changes the host through `System` alone, and never
//! mentions check mode, diff or timing. Nothing here knows YAML, templates, plays or the link.
//! To add one: write the file, its test, and its line in the folder's `MODULES`.

pub mod accounts;
pub mod args;
pub mod coerce;
pub mod commands;
pub mod control;
pub mod crypto;
pub mod database;
pub mod facts;
pub mod files;
pub mod keycloak;
pub mod machine;
pub mod network;
pub mod packages;
pub mod registry;
pub mod services;
#[cfg(test)]
pub mod testing;

use crate::base::{Map, Value};
use crate::system::{Result, System};

pub use args::{ArgSpec, ModuleArgs, Rule};
pub(crate) use args::{choices, module_args};
pub use coerce::{ArgKind, FromArg};
pub use registry::{Entry, all, find};

/// Something a task can ask for. See `docs/how-to-add-a-module.md`.
pub trait Module {
    /// The full name, such as `ansible.builtin.copy`; the short one is its last part.
    const NAME: &'static str;
    type Args: ModuleArgs;

    /// Makes the host as asked. *Changed* follows from what was done through `sys`.
    fn run(args: Self::Args, sys: &mut System) -> Result<Output>;
}

/// The return values of a module, under Ansible's names.
#[derive(Clone, Debug, Default)]
pub struct Output {
    pub values: Map,
    /// Facts to set on the host (`ansible_facts`).
    pub facts: Map,
    /// Set when the module did nothing because of its own condition or check mode.
    pub skipped: bool,
}

impl Output {
    pub fn new() -> Self {
        Output::default()
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(name, value);
        self
    }

    pub fn with_all(mut self, values: &Map) -> Self {
        self.values.extend(values);
        self
    }

    pub fn with_facts(mut self, facts: Map) -> Self {
        self.facts = facts;
        self
    }

    pub fn message(self, text: impl Into<String>) -> Self {
        self.with("msg", text.into())
    }

    /// Nothing was done, for this reason.
    pub fn skipped(mut self) -> Self {
        self.skipped = true;
        self
    }
}
