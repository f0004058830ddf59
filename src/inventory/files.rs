//! `group_vars` and `host_vars`: beside an inventory source and beside a playbook, files and folders of files, whole ones encrypted or not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;

use crate::base::{Diagnostic, Node, Span};
use crate::vault::{Secrets, is_vault};
use crate::yaml;

/// Endings of files that are read as YAML or JSON. A name without an ending is tried first.
pub(super) const ENDINGS: [&str; 3] = [".yml", ".yaml", ".json"];

/// Variables by name, each with the place that defined it.
pub type Variables = IndexMap<Arc<str>, Node>;

/// The variables of one file.
#[derive(Debug)]
pub struct VarsFile {
    pub variables: Arc<Variables>,
    /// Whether the whole file is encrypted: then all that it says is a secret.
    pub is_encrypted: bool,
}

type Found = Result<Vec<Arc<VarsFile>>, Diagnostic>;

/// Reads variable files, each once.
#[derive(Debug, Default)]
pub(super) struct VarsFiles {
    /// The folders of the inventory sources, in their order.
    pub(super) beside_inventory: Vec<PathBuf>,
    pub(super) secrets: Secrets,
    known: Mutex<HashMap<PathBuf, Found>>,
    warnings: Mutex<Vec<Diagnostic>>,
}

impl VarsFiles {
    pub(super) fn new(beside_inventory: Vec<PathBuf>, secrets: Secrets) -> Self {
        VarsFiles { beside_inventory, secrets, ..VarsFiles::default() }
    }

    /// The files for a name in a folder such as `group_vars`, in the order in which they are laid over each other.
    pub(super) fn of(&self, folder: &Path, name: &str) -> Found {
        // A chroot's host is a path, and no file is looked for by it.
        if name.starts_with('/') {
            return Ok(Vec::new());
        }
        let stem = folder.join(name);
        if let Some(found) = lock(&self.known).get(&stem) {
            return found.clone();
        }
        let found = paths(&stem).and_then(|paths| paths.iter().filter_map(|path| self.read(path).transpose()).collect());
        lock(&self.known).insert(stem, found.clone());
        found
    }

    /// Forgets what was read, so that files that a play has written are seen (`meta: refresh_inventory`).
    pub(super) fn forget(&self) {
        lock(&self.known).clear();
    }

    /// What was odd about the files read since the last call.
    pub(super) fn take_warnings(&self) -> Vec<Diagnostic> {
        std::mem::take(&mut *lock(&self.warnings))
    }

    fn read(&self, path: &Path) -> Result<Option<Arc<VarsFile>>, Diagnostic> {
        let (text, is_encrypted) = read_text(path, &self.secrets)?;
        let (node, warnings) = yaml::load_one(&text, &path.to_string_lossy())?;
        lock(&self.warnings).extend(warnings);
        if node.is_null() {
            return Ok(None);
        }
        let Some(entries) = node.as_map() else {
            return Err(Diagnostic::error(format!(
                "a file of variables is a mapping of names to values, and this is {}",
                node.type_name()
            ))
            .at(&node.span)
            .help("write `name: value` lines"));
        };
        Ok(Some(Arc::new(VarsFile { variables: Arc::new(variables_of(entries)), is_encrypted })))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn variables_of(entries: &[(Node, Node)]) -> Variables {
    entries.iter().map(|(name, value)| (Arc::from(name.to_key().to_string()), value.clone())).collect()
}

/// A file as text, decrypted when the whole of it is vault text; and whether it was.
pub(super) fn read_text(path: &Path, secrets: &Secrets) -> Result<(String, bool), Diagnostic> {
    let span = Span::of_file(path);
    let unreadable = |cause: String| Diagnostic::error(format!("cannot read `{}`", path.display())).at(&span).cause(cause);
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| unreadable(format!("it is not UTF-8 text: {error}")))?;
    if !is_vault(&text) {
        return Ok((text, false));
    }
    let plain = secrets.decrypt_text(&text).map_err(|error| error.diagnostic(&span))?;
    Ok((plain, true))
}

/// The files of a name: the first that is there of the name alone, `.yml`, `.yaml` and `.json`; a folder stands for all that is in it.
fn paths(stem: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    for ending in std::iter::once("").chain(ENDINGS) {
        let mut path = stem.as_os_str().to_owned();
        path.push(ending);
        let path = PathBuf::from(path);
        if path.is_dir() {
            let mut found = Vec::new();
            walk(&path, &mut found)?;
            return Ok(found);
        }
        if path.exists() {
            return Ok(vec![path]);
        }
    }
    Ok(Vec::new())
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Diagnostic> {
    let unreadable =
        |error: std::io::Error| Diagnostic::error(format!("cannot read the folder `{}`", folder.display())).cause(error.to_string());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        names.push(entry.map_err(unreadable)?.file_name());
    }
    names.sort();
    for name in names {
        let text = name.to_string_lossy();
        if text.starts_with('.') || text.ends_with('~') {
            continue;
        }
        let ending = text.rfind('.').map(|dot| &text[dot..]);
        let path = folder.join(&name);
        if path.is_dir() {
            if ending.is_none() {
                walk(&path, found)?;
            }
        } else if path.is_file() && ending.is_none_or(|ending| ENDINGS.contains(&ending)) {
            found.push(path);
        }
    }
    Ok(())
}
