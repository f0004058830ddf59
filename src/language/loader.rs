//! Reads the project's YAML files, encrypted ones too, each at most once.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Diagnostic, Node, Span};
use crate::yaml;

/// How an encrypted file begins.
const VAULT: &str = "$ANSIBLE_VAULT;";

/// Turns vault text into the text it hides.
pub type Unvault = Arc<dyn Fn(&str) -> Result<String, Diagnostic> + Send + Sync>;

/// A cache of parsed files, shared by a run.
#[derive(Clone)]
pub struct Loader {
    unvault: Unvault,
    parsed: Arc<Mutex<HashMap<Arc<str>, Node>>>,
    warnings: Arc<Mutex<Vec<Diagnostic>>>,
    met_closed_vault: Arc<AtomicBool>,
    duplicate_keys: DuplicateKeys,
}

/// What a mapping with a key twice is (`DUPLICATE_YAML_DICT_KEY`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicateKeys {
    #[default]
    Warn,
    Refuse,
    Ignore,
}

impl Loader {
    pub fn new(unvault: Unvault, duplicate_keys: DuplicateKeys) -> Self {
        Loader { unvault, parsed: Arc::default(), warnings: Arc::default(), met_closed_vault: Arc::default(), duplicate_keys }
    }

    /// Whether a file is encrypted as a whole.
    pub fn is_encrypted(&self, path: &Path) -> bool {
        let mut start = [0; VAULT.len()];
        std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *VAULT.as_bytes()
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
        let (node, duplicates) = yaml::load_one(&text, &shown(path))?;
        let warnings = match self.duplicate_keys {
            DuplicateKeys::Warn => duplicates,
            DuplicateKeys::Ignore => Vec::new(),
            DuplicateKeys::Refuse => match duplicates.into_iter().next() {
                Some(duplicate) => return Err(refused(duplicate)),
                None => Vec::new(),
            },
        };
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
        match text.starts_with(VAULT) {
            true => (self.unvault)(&text).map_err(|diagnostic| {
                self.met_closed_vault.store(true, Ordering::Relaxed);
                diagnostic.at(&Span::of_file(path))
            }),
            false => Ok(text),
        }
    }

    /// Whether an encrypted file could not be opened: that is no mistake of the file's, and has an exit code of its own.
    pub fn met_closed_vault(&self) -> bool {
        self.met_closed_vault.load(Ordering::Relaxed)
    }

    /// Warnings of all files read so far; each is given once.
    pub fn take_warnings(&self) -> Vec<Diagnostic> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Node>> {
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The warning of a key that stands twice as an error, of which no value counts.
fn refused(duplicate: Diagnostic) -> Diagnostic {
    let mut error = duplicate.as_error();
    error.message = error.message.replace(" Using last defined value only.", "");
    error.labels.truncate(1);
    error.labels.iter_mut().for_each(|label| label.text.clear());
    error.help("set `DUPLICATE_YAML_DICT_KEY` to `warn` to go on with the last value")
}

/// The path as messages show it: relative to the working folder where that is shorter.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_told_refused_or_passed_over() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("twice.yml");
        std::fs::write(&file, "port: 1\nport: 2\n").expect("writes");
        let load = |duplicates| {
            let loader = Loader::new(Arc::new(|text: &str| Ok(text.to_owned())), duplicates);
            let warned = loader.load(&file, None).map(|_| ());
            (warned.map_err(|error| error.message), loader.take_warnings().len())
        };
        assert_eq!(load(DuplicateKeys::Warn), (Ok(()), 1));
        assert_eq!(load(DuplicateKeys::Ignore), (Ok(()), 0));
        assert_eq!(load(DuplicateKeys::Refuse), (Err("Found duplicate mapping key 'port'.".to_owned()), 0));
    }
}
