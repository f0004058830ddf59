//! Owner, group and mode as options of a module, and what Ansible tells of a path in a result.

use std::path::{Path, PathBuf};

use crate::base::{Map, Value};
use crate::modules::coerce::truth;
use crate::modules::{Output, module_args};
use crate::system::{Attributes, Metadata, Mode, Result, System};

module_args! {
    /// Owner, group and mode of a file.
    pub struct FileAttributes {
        /// Name or number of the user that is to own it.
        owner: Option<String>,
        /// Name or number of the group that is to own it.
        group: Option<String>,
        /// Permissions: octal in quotes, symbolic, or `preserve`.
        mode: Option<Mode>,
        /// Flags as `chattr` takes them.
        attributes | "attr": Option<String>,
        /// SELinux user; has no effect on a host without SELinux.
        seuser: Option<String>,
        /// SELinux role; has no effect on a host without SELinux.
        serole: Option<String>,
        /// SELinux type; has no effect on a host without SELinux.
        setype: Option<String>,
        /// SELinux level; has no effect on a host without SELinux.
        selevel: Option<String>,
        /// Write the file where it stands when it cannot be replaced by a rename.
        unsafe_writes: Option<bool>,
    }
}

impl FileAttributes {
    /// What is asked of a path. `preserve` must have been settled before; it asks for nothing.
    pub fn wanted(&self) -> Attributes {
        let mode = self.mode.clone().filter(|mode| *mode != Mode::Preserve);
        Attributes { owner: self.owner.clone(), group: self.group.clone(), mode, flags: self.attributes.clone() }
    }
}

impl FileAttributes {
    /// Whether a file may be overwritten where it stands; the task's environment may say so for all its modules.
    pub fn may_write_in_place(&self, sys: &System) -> bool {
        let by_environment = || sys.query_environment("ANSIBLE_UNSAFE_WRITES").and_then(|text| truth(&text.into()));
        self.unsafe_writes.or_else(by_environment).unwrap_or(false)
    }
}

/// The path that options apply to: with `follow`, what a link points to.
pub fn followed(sys: &System, path: &Path, follow: bool) -> Result<PathBuf> {
    match sys.query_link(path)? {
        Some(found) if follow && found.is_symlink() && sys.query_file(path)?.is_some() => sys.query_canonical(path),
        _ => Ok(path.to_owned()),
    }
}

/// A path's state as the `file` module names it.
pub fn state_name(found: Option<&Metadata>) -> &'static str {
    match found {
        None => "absent",
        Some(found) if found.is_symlink() => "link",
        Some(found) if found.is_directory() => "directory",
        Some(found) if found.links > 1 => "hard",
        Some(_) => "file",
    }
}

/// A mode as results show it: at least four digits, octal.
pub fn mode_text(mode: u32) -> String {
    format!("0{mode:03o}")
}

/// What Ansible tells of a path that a result names: owner, group, mode, size and state of what is there now. Nothing of one that is not
/// there or cannot be looked at.
pub fn path_info(path: &Path, sys: &System) -> Map {
    let (Ok(Some(found)), Ok(Some(_))) = (sys.query_link(path), sys.query_file(path)) else { return Map::new() };
    [
        ("uid", Value::from(found.uid)),
        ("gid", found.gid.into()),
        ("owner", sys.user_name(found.uid).into()),
        ("group", sys.group_name(found.gid).into()),
        ("mode", mode_text(found.mode).into()),
        ("state", state_name(Some(&found)).into()),
        ("size", (found.size as i64).into()),
    ]
    .into_iter()
    .collect()
}

/// Adds it to a result of another path than the one it names.
pub fn with_path_info(output: Output, path: &Path, sys: &System) -> Result<Output> {
    Ok(output.with_all(&path_info(path, sys)))
}
