//! What a template can reach: the variables in scope, the folders that lookups search, and the controller it runs on.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Diagnostic, Map, Node, Redactor, Secret, Value};

use super::plugins::CallPlugin;

/// What stands behind a name.
#[derive(Clone)]
pub enum Variable {
    /// From the project's files: rendered when it is touched, in the scope it was found in.
    Source(Node),
    /// Plain data: never rendered.
    Value(Value),
    /// Names below this one, looked up one by one (`hostvars`, the variables of one host, `vars`). Their sources are rendered in that very scope.
    Scope(Arc<dyn Variables>),
}

/// A set of names. Looked up by name, never copied: a host has thousands of variables and a template reads three.
pub trait Variables: Send + Sync {
    fn get(&self, name: &str) -> Option<Variable>;

    /// How the project's own files have it; `None` for data.
    fn source(&self, name: &str) -> Option<Node> {
        match self.get(name)? {
            Variable::Source(node) => Some(node),
            Variable::Value(_) | Variable::Scope(_) => None,
        }
    }

    /// Every name, for `vars | list`, `hostvars.keys()` and "did you mean".
    fn names(&self) -> Vec<String>;
}

/// Variables that are plain data.
impl Variables for Map {
    fn get(&self, name: &str) -> Option<Variable> {
        Map::get(self, name).cloned().map(Variable::Value)
    }

    fn names(&self) -> Vec<String> {
        self.keys().map(ToString::to_string).collect()
    }
}

/// Everything a rendering needs besides its text. Clones are cheap.
#[derive(Clone)]
pub struct Context {
    pub variables: Arc<dyn Variables>,
    pub search: SearchPath,
    pub controller: Arc<Controller>,
}

impl Context {
    /// The same surroundings over other variables: a loop item or task variables on top of a host's.
    pub fn with_variables(&self, variables: Arc<dyn Variables>) -> Context {
        Context { variables, search: self.search.clone(), controller: self.controller.clone() }
    }
}

/// The folders in which relative paths of lookups and templates are searched, nearest first: the role, the including file's folder, the playbook's.
#[derive(Clone, Debug, Default)]
pub struct SearchPath {
    roots: Arc<[PathBuf]>,
}

impl SearchPath {
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        SearchPath { roots: roots.into_iter().collect() }
    }

    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Where a file could be: in each root, first in its `kind` folder (`files`, `templates`, `vars`), then in the root itself. An absolute path is itself.
    pub fn candidates(&self, kind: &str, name: &Path) -> Vec<PathBuf> {
        if name.is_absolute() {
            return vec![name.to_owned()];
        }
        let mut found = Vec::with_capacity(self.roots.len() * 2);
        for root in self.roots.iter() {
            if !kind.is_empty() {
                found.push(root.join(kind).join(name));
            }
            found.push(root.join(name));
        }
        found
    }

    /// The first candidate that exists.
    pub fn find(&self, kind: &str, name: &Path) -> Option<PathBuf> {
        self.candidates(kind, name).into_iter().find(|path| path.exists())
    }
}

pub type Decrypt = Arc<dyn Fn(&str) -> Result<Secret, Diagnostic> + Send + Sync>;
pub type ReadSetting = Arc<dyn Fn(&str) -> Option<Value> + Send + Sync>;

/// What a template does besides reading its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Looks at files of the controller.
    Files,
    /// Runs a program, asks a server, takes the time or chance: doing it twice, or earlier, is not the same.
    Once,
}

/// Whether a template may go beyond its variables now.
pub type Permit = Arc<dyn Fn(Beyond) -> bool + Send + Sync>;

/// The machine that renders: what templates may know of it, and the run's secrets.
#[derive(Clone)]
pub struct Controller {
    /// Turns vault text (`$ANSIBLE_VAULT;…`) into its plain text.
    pub decrypt: Decrypt,
    /// Whether any vault password is known.
    pub has_secrets: bool,
    /// Learns every text that was decrypted or generated as a password.
    pub redactor: Redactor,
    /// For `lookup('env', …)`, `expandvars` and the home folder.
    pub environment: BTreeMap<String, String>,
    /// The working folder, for paths and commands.
    pub directory: PathBuf,
    /// For `lookup('config', …)`.
    pub setting: ReadSetting,
    /// `ALLOW_BROKEN_CONDITIONALS`: a condition may be any value, and its truth counts.
    pub allow_broken_conditionals: bool,
    /// Filters, tests and lookups that the project brings along.
    pub call_plugin: CallPlugin,
    /// Asked before a template goes beyond its variables: a no ends the rendering.
    pub permit: Permit,
}

impl Default for Controller {
    /// A controller without vault passwords, environment or settings.
    fn default() -> Self {
        Controller {
            decrypt: Arc::new(|_| {
                Err(Diagnostic::error("a vault password is needed").help("give one with `--ask-vault-pass` or `--vault-password-file`"))
            }),
            has_secrets: false,
            redactor: Redactor::default(),
            environment: BTreeMap::new(),
            directory: PathBuf::from("/"),
            setting: Arc::new(|_| None),
            allow_broken_conditionals: false,
            call_plugin: Arc::new(|_, _| None),
            permit: Arc::new(|_| true),
        }
    }
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// How a template file is read: the parameters of the `template` module. A `#jinja2:` line at the file's start changes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileOptions {
    pub block_start: String,
    pub block_end: String,
    pub variable_start: String,
    pub variable_end: String,
    pub comment_start: String,
    pub comment_end: String,
    pub line_statement_prefix: Option<String>,
    pub line_comment_prefix: Option<String>,
    pub trim_blocks: bool,
    pub lstrip_blocks: bool,
    pub newline_sequence: String,
    pub keep_trailing_newline: bool,
}

impl Default for FileOptions {
    fn default() -> Self {
        FileOptions {
            block_start: "{%".into(),
            block_end: "%}".into(),
            variable_start: "{{".into(),
            variable_end: "}}".into(),
            comment_start: "{#".into(),
            comment_end: "#}".into(),
            line_statement_prefix: None,
            line_comment_prefix: None,
            trim_blocks: true,
            lstrip_blocks: false,
            newline_sequence: "\n".into(),
            keep_trailing_newline: false,
        }
    }
}
