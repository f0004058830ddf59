//! What the command line asks the engine for: everything resolved, nothing of clap.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use crate::base::{Node, Redactor, Secret};
use crate::vault::Secrets;

use super::settings::Settings;

/// One call of `hostler run`, `ansible-playbook` or `ansible`.
pub struct RunRequest {
    /// Played one after the other, with the same inventory and variables.
    pub plays: Vec<PlaySource>,
    pub mode: Mode,
    /// Forks, connection, become, tags, roles path, …: command line over environment over ansible.cfg over default.
    pub settings: Settings,
    /// The inventories, each a path or a host list with a comma. Empty: none was named and none is set, so only the implicit localhost is there.
    pub inventory: Vec<String>,
    /// `--limit`: further patterns, each may be `@file`. All must match.
    pub limit: Option<String>,
    /// `-e`, in the order given: later ones win.
    pub extra_vars: Vec<ExtraVars>,
    /// The vault passwords, asked for and read already.
    pub vault: Secrets,
    pub connection_password: Option<Secret>,
    pub become_password: Option<Secret>,
    pub check: bool,
    /// In check mode, tasks see what earlier ones would have done. Ansible's tasks each look at the host as it is.
    pub foresees: bool,
    pub diff: bool,
    pub start_at_task: Option<String>,
    /// Confirm each task before it runs.
    pub step: bool,
    pub flush_cache: bool,
    /// Knows the passwords above; whoever learns a secret tells it.
    pub redactor: Redactor,
    pub console: Arc<dyn Console>,
}

#[derive(Clone, Debug)]
pub enum PlaySource {
    File(PathBuf),
    /// A playbook made in memory, as `ansible` does for one task: a list of plays, and the folder it stands for.
    Built {
        plays: Node,
        directory: PathBuf,
    },
}

/// What to do with the plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Run,
    SyntaxCheck,
    /// Any of the three lists; several can be asked for at once.
    List {
        hosts: bool,
        tasks: bool,
        tags: bool,
    },
}

/// One `-e`.
#[derive(Clone, Debug)]
pub enum ExtraVars {
    /// `k=v …`, YAML or JSON, read already: a mapping.
    Given(Node),
    /// `@file`: YAML or JSON, may be encrypted.
    File(PathBuf),
}

/// The terminal, for questions that a run asks: `vars_prompt`, `pause`, `--step`. Flush the journal before, so that they come last.
pub trait Console: Send + Sync + fmt::Debug {
    /// Whether somebody is there to answer.
    fn is_interactive(&self) -> bool;

    /// Asks, and waits for a line; none when the input has ended. A private answer is not shown while it is typed.
    ///
    /// # Errors
    /// The terminal cannot be read.
    fn ask(&self, question: &str, private: bool) -> io::Result<Option<String>>;

    /// Waits for keys.
    ///
    /// # Errors
    /// The terminal cannot be read.
    fn keys(&self, keys: &Keys) -> io::Result<Typed>;
}

/// What ends the waiting for keys.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Keys are shown.
    pub echo: bool,
    /// The time.
    pub limit: Option<Duration>,
    /// The key that interrupts; none: Ctrl-C.
    pub interrupt: Option<u8>,
    /// The keys that end it; none: Enter.
    pub ends: Option<Vec<u8>>,
}

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    Text(String),
    Interrupted,
}
