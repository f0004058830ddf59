//! Reads the project's YAML files, encrypted ones too, each at most once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Diagnostic, Node, Span};
use crate::yaml;

/// Turns vault text into the text it hides.
pub type Unvault = Arc<dyn Fn(&str) -> Result<String, Diagnostic> + Send + Sync>;

/// A cache of parsed files, shared by a run.
#[derive(Clone)]
pub struct Loader {
    unvault: Unvault,
    parsed: Arc<Mutex<HashMap<Arc<str>, Node>>>,
    warnings: Arc<Mutex<Vec<Diagnostic>>>,
}

impl Loader {
    pub fn new(unvault: Unvault) -> Self {
        Loader { unvault, parsed: Arc::default(), warnings: Arc::default() }
    }

    /// The one document of a file; an empty file is null.
    ///
    /// # Errors
    /// The file cannot be read, decrypted or parsed; the place is where it was asked for, or inside the file.
    pub fn load(&self, path: &Path, asked_at: Option<&Span>) -> Result<Node, Diagnostic> {
        let name: Arc<str> = path.to_string_lossy().into();
        if let Some(known) = self.lock().get(&name) {
            return Ok(known.clone());
        }
        let text = self.read_text(path, asked_at)?;
        let (node, warnings) = yaml::load_one(&text, &shown(path))?;
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).extend(warnings);
        self.lock().insert(name, node.clone());
        Ok(node)
    }

    /// A file's text, decrypted when it is a vault.
    ///
    /// # Errors
    /// As `load`.
    pub fn read_text(&self, path: &Path, asked_at: Option<&Span>) -> Result<String, Diagnostic> {
        let at = |diagnostic: Diagnostic| match asked_at {
            Some(span) => diagnostic.at(span),
            None => diagnostic,
        };
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => at(Diagnostic::error(format!("there is no file `{}`", path.display()))),
            _ => at(Diagnostic::error(format!("cannot read `{}`: {}", path.display(), crate::system::error::plain(&error)))),
        })?;
        let text = String::from_utf8(bytes).map_err(|_| at(Diagnostic::error(format!("`{}` is not UTF-8 text", path.display()))))?;
        match text.starts_with("$ANSIBLE_VAULT;") {
            true => (self.unvault)(&text).map_err(|diagnostic| diagnostic.at(&Span::of_file(path))),
            false => Ok(text),
        }
    }

    /// Warnings of all files read so far; each is given once.
    pub fn take_warnings(&self) -> Vec<Diagnostic> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Node>> {
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path as messages show it: relative to the working folder where that is shorter.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_string_lossy().into_owned()
}
