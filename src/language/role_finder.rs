//! Where roles are: beside the playbook, in the configured folders, in collections, or at a path.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::base::Diagnostic;

use super::role::{Role, RoleRequest};

/// Finds roles by name: beside the playbook, in the configured folders, in collections, or by path.
#[derive(Clone, Debug, Default)]
pub struct RoleFinder {
    /// `roles` beside the playbook, the roles path, the playbook's own folder.
    pub folders: Vec<PathBuf>,
    /// Folders that hold `ansible_collections`.
    pub collections: Vec<PathBuf>,
    /// The folders of roles found so far, in the order they came: what they bring along is for the whole run.
    pub found: Arc<RwLock<Vec<PathBuf>>>,
    /// `private_role_vars`: variables of roles are not for tasks outside unless they say so.
    pub private_vars: bool,
}

impl RoleFinder {
    /// The folder of a role; `near` is the role that asks for it: its siblings are looked at first.
    pub fn find(&self, name: &str, near: Option<&Role>) -> Option<PathBuf> {
        let folder = self.look_for(name, near)?;
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        if !found.contains(&folder) {
            found.push(folder.clone());
        }
        Some(folder)
    }

    fn look_for(&self, name: &str, near: Option<&Role>) -> Option<PathBuf> {
        let path = Path::new(name);
        if name.contains('/') && path.is_dir() {
            return path.canonicalize().ok();
        }
        let mut folders = self.folders.clone();
        if let Some(siblings) = near.and_then(|role| role.path.parent()) {
            folders.insert(0, siblings.to_owned());
        }
        if let Some(found) = folders.iter().map(|folder| folder.join(name)).find(|folder| folder.is_dir()) {
            return Some(found.canonicalize().unwrap_or(found));
        }
        let mut parts = name.splitn(3, '.');
        let (Some(space), Some(collection), Some(role)) = (parts.next(), parts.next(), parts.next()) else { return None };
        let inside = |folder: &PathBuf| folder.join("ansible_collections").join(space).join(collection).join("roles").join(role);
        self.collections.iter().map(inside).find(|folder| folder.is_dir())
    }

    /// Why there is no such role, if there is none.
    pub fn missing(&self, request: &RoleRequest, near: Option<&Role>) -> Option<Diagnostic> {
        if self.find(&request.name, near).is_some() {
            return None;
        }
        let folders: Vec<String> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        let names = self.names();
        let error = Diagnostic::error(format!("the role '{}' was not found in {}", request.name, folders.join(":")));
        Some(error.at(&request.span).did_you_mean(&request.name, names.iter().map(String::as_str)))
    }

    /// Names of roles that could have been meant.
    fn names(&self) -> Vec<String> {
        let entries = self.folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}
