//! What the command line asks the engine for: everything resolved, nothing of clap.

use std::path::PathBuf;

use crate::base::{Node, Secret};

use super::settings::Settings;

/// One call of `hostler run`, `ansible-playbook` or `ansible`.
#[derive(Debug)]
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
    pub vault: Vec<VaultSource>,
    pub connection_password: Option<Secret>,
    pub become_password: Option<Secret>,
    pub check: bool,
    pub diff: bool,
    pub start_at_task: Option<String>,
    /// Confirm each task before it runs.
    pub step: bool,
    pub flush_cache: bool,
    /// The command line as typed, for the journal. `-e` values are left out of it: they may be secret.
    pub command: Vec<String>,
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

/// One vault password, with the id it is for.
#[derive(Clone, Debug)]
pub struct VaultSource {
    pub id: String,
    pub secret: VaultSecret,
}

#[derive(Clone, Debug)]
pub enum VaultSecret {
    /// Asked for already.
    Password(Secret),
    /// A file with the password, or a script that prints it (one whose name ends in `-client` is called with `--vault-id`).
    File(PathBuf),
}
