//! The only door to the host. Modules read and change it through `System` alone; `System` sees every change as an `Effect`, and derives
//! *changed*, the diff and check mode from that. Split by subject: files, content, attributes, accounts, services, packages, command.
//! Nothing here knows a module, a task or the link.

pub mod accounts;
pub mod attributes;
pub mod backend;
pub mod command;
pub mod content;
pub mod effect;
pub mod encoding;
pub mod error;
pub mod files;
pub mod glob;
pub mod host;
pub mod library;
pub mod local;
pub mod overlay;
mod overlay_files;
pub mod packages;
mod paths;
pub mod postgres;
pub mod python;
pub mod running;
pub mod services;
pub mod terminal;
pub mod unpack;
mod words;
mod write;

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::{Redactor, Value};

pub use accounts::{Group, User};
pub use attributes::{Attributes, Mode};
pub use backend::Backend;
pub use command::{Command, Completed, Known};
pub use content::{Access, Checksum, Stream, stream_of};
pub use effect::{Diff, Effect, FileChange};
pub use encoding::Decoded;
pub use error::{Failure, Result};
pub use files::{FileKind, Metadata};
pub use local::Local;
pub use overlay::Overlay;
pub use packages::Package;
pub use services::{Unit, UnitChange};
pub use terminal::Answer;
pub use unpack::{NewFileDefaults, UnpackedEntry, UnpackedKind, Unpacking};
pub use words::split_words;
pub use write::{WriteFile, Written};

/// Where file contents that the controller holds come from: by SHA-256, only when the host does not have them already.
pub trait Blobs: Send {
    /// The bytes with this hash (lower-case hex), verified.
    fn fetch(&mut self, sha256: &str) -> Result<Arc<Vec<u8>>>;
}

/// Where the live output of a long command goes, a line at a time.
pub type OutputSink = Arc<dyn Fn(&str) + Send + Sync>;

/// What surrounds one task: set by the agent before a module runs.
#[derive(Clone, Default)]
pub struct TaskContext {
    /// The task's `environment`, added to every command it starts.
    pub environment: Vec<(String, String)>,
    /// Where relative paths start; the agent's own folder when not set.
    pub working_directory: Option<PathBuf>,
    /// Receives live output lines.
    pub output: Option<OutputSink>,
    /// Masks secrets in diffs.
    pub redactor: Redactor,
    /// Folder for `backup`, `tempfile` and the like; the system's own default when not set.
    pub temporary_directory: Option<PathBuf>,
    /// Whether diffs are wanted: they cost reading both sides.
    pub diff: bool,
}

/// The door: a backend and the record of what one task did through it.
pub struct System {
    backend: Box<dyn Backend>,
    context: TaskContext,
    blobs: Option<Box<dyn Blobs>>,
    effects: Vec<Effect>,
    diffs: Vec<Diff>,
    warnings: Vec<String>,
}

impl System {
    /// Changes the host for real.
    pub fn local() -> Self {
        System::over(Box::new(Local))
    }

    /// Keeps every change in memory: check mode, plan and unit tests.
    pub fn dry(overlay: Overlay) -> Self {
        System::over(Box::new(overlay))
    }

    pub fn over(backend: Box<dyn Backend>) -> Self {
        System { backend, context: TaskContext::default(), blobs: None, effects: Vec::new(), diffs: Vec::new(), warnings: Vec::new() }
    }

    pub fn with_blobs(mut self, blobs: Box<dyn Blobs>) -> Self {
        self.blobs = Some(blobs);
        self
    }

    /// Begins a task: forgets the effects of the one before, keeps what the overlay knows.
    pub fn begin(&mut self, context: TaskContext) {
        self.context = context;
        self.effects.clear();
        self.diffs.clear();
        self.warnings.clear();
    }

    /// What the task changed, or in check mode would have.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    pub fn is_changed(&self) -> bool {
        !self.effects.is_empty()
    }

    pub fn diffs(&self) -> &[Diff] {
        &self.diffs
    }

    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Something the user should know though the task goes on.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    pub fn context(&self) -> &TaskContext {
        &self.context
    }

    pub fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    /// Content that the controller holds, fetched when first needed.
    pub fn blob(&mut self, sha256: &str) -> Result<Arc<Vec<u8>>> {
        match &mut self.blobs {
            Some(blobs) => blobs.fetch(sha256),
            None => Err(Failure::new(format!("content `{sha256}` was announced but there is no controller to send it"))),
        }
    }

    /// A named thing that has no query function of its own (a sysctl, a mount, a database …): what the overlay knows of it, else `read` on
    /// the host. `None` means it does not exist.
    pub fn query_record(&self, kind: &str, name: &str, read: impl FnOnce() -> Result<Option<Value>>) -> Result<Option<Value>> {
        match self.backend.known_record(kind, name) {
            Some(known) => Ok(known),
            None => read(),
        }
    }

    /// Changes such a named thing: `value` is what a query will read afterwards (`None`: gone); `change` makes it true on the host and is
    /// not called in check mode.
    pub fn mutate_record(
        &mut self,
        kind: &'static str,
        name: &str,
        value: Option<Value>,
        change: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        if !self.backend.is_dry() {
            change()?;
        }
        self.note(Effect::Record { kind, name: name.to_owned(), value })
    }

    /// The same where the change is made of several steps through `System` itself (git: fetch, check out, submodules).
    pub fn change_record(
        &mut self,
        kind: &'static str,
        name: &str,
        value: Option<Value>,
        change: impl FnOnce(&mut System) -> Result<()>,
    ) -> Result<()> {
        if !self.backend.is_dry() {
            change(self)?;
        }
        self.note(Effect::Record { kind, name: name.to_owned(), value })
    }

    /// Does something outside of this host that may change it there (a request to a web service): only for real, and not counted as a change
    /// of this host.
    pub fn outside<T>(&mut self, act: impl FnOnce(&mut System) -> T) -> Known<T> {
        match self.backend.is_dry() {
            true => Known::AfterApply,
            false => Known::Now(act(self)),
        }
    }

    /// Records an effect after it was made true on the host (real), or makes the overlay believe it (dry).
    fn note(&mut self, effect: Effect) -> Result<()> {
        self.backend.apply(&effect)?;
        self.effects.push(effect);
        Ok(())
    }

    /// Adds a difference to be shown to the user; secrets are masked here.
    pub fn add_diff(&mut self, diff: Diff) {
        if self.context.diff {
            let redactor = self.context.redactor.clone();
            let diff = diff.redacted(&redactor);
            if !self.diffs.iter_mut().any(|earlier| earlier.absorb(&diff)) {
                self.diffs.push(diff);
            }
        }
    }
}
