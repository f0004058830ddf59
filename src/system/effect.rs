//! What a change is: an `Effect` is a change of state that the overlay can apply, so that later queries see it; never a sentence.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::{Map, Redactor, Value};

use super::accounts::{Group, User};
use super::services::UnitChange;

/// One change of the host's state.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    File(FileChange),
    /// A user as it is afterwards; `None`: removed.
    User {
        name: String,
        state: Option<User>,
    },
    /// A group as it is afterwards; `None`: removed.
    Group {
        name: String,
        state: Option<Group>,
    },
    Unit {
        name: String,
        change: UnitChange,
    },
    /// A package with the version installed afterwards (empty: not known before it is done); `None`: removed.
    Package {
        name: String,
        version: Option<String>,
    },
    /// A named thing of any other kind (`sysctl`, `mount`, `database` …) as the query side reads it; `None`: removed.
    Record {
        kind: &'static str,
        name: String,
        value: Option<Value>,
    },
    /// A command of the user's own, whose consequences nobody knows.
    Command {
        argv: Vec<String>,
    },
}

/// A change in the file system. Paths are absolute.
#[derive(Clone, Debug, PartialEq)]
pub enum FileChange {
    /// A regular file with this content; mode and owner are as given.
    Write {
        path: PathBuf,
        content: Arc<Vec<u8>>,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    /// Something out of an archive, already in its place; its content is not kept here.
    Unpacked {
        path: PathBuf,
        size: u64,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    Directory {
        path: PathBuf,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    Symlink {
        path: PathBuf,
        target: PathBuf,
        uid: u32,
        gid: u32,
    },
    HardLink {
        path: PathBuf,
        source: PathBuf,
    },
    /// The path and, for a folder, all below it.
    Remove {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Mode {
        path: PathBuf,
        mode: u32,
    },
    Owner {
        path: PathBuf,
        uid: u32,
        gid: u32,
    },
    Times {
        path: PathBuf,
        accessed: Option<SystemTime>,
        modified: Option<SystemTime>,
    },
    /// `chattr` flags as `lsattr` shows them.
    Flags {
        path: PathBuf,
        flags: String,
    },
}

impl FileChange {
    pub fn path(&self) -> &Path {
        match self {
            FileChange::Write { path, .. }
            | FileChange::Unpacked { path, .. }
            | FileChange::Directory { path, .. }
            | FileChange::Symlink { path, .. }
            | FileChange::HardLink { path, .. }
            | FileChange::Remove { path }
            | FileChange::Mode { path, .. }
            | FileChange::Owner { path, .. }
            | FileChange::Times { path, .. }
            | FileChange::Flags { path, .. } => path,
            FileChange::Rename { to, .. } => to,
        }
    }
}

/// A difference for people, in the shapes of Ansible's `diff` results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    pub before_header: String,
    pub after_header: String,
    pub before: String,
    pub after: String,
    /// Text that is a diff already (`prepared` in Ansible).
    pub prepared: Option<String>,
    /// What a path is and was, by attribute: in place of texts.
    pub state: Option<(Map, Map)>,
}

impl Diff {
    pub fn text(header: impl Into<String>, before: impl Into<String>, after: impl Into<String>) -> Self {
        let header = header.into();
        Diff { before_header: header.clone(), after_header: header, before: before.into(), after: after.into(), ..Diff::default() }
    }

    /// What a path is and was; each side names the path.
    pub fn state(path: &Path, before: Map, after: Map) -> Self {
        let named = |side: &Map| {
            let mut named: Map = [("path", path.to_string_lossy().into_owned())].into_iter().collect();
            named.extend(side);
            named
        };
        Diff { state: Some((named(&before), named(&after))), ..Diff::default() }
    }

    /// Takes a later difference of the same path in: what it was counts from here, what it is from there. False: it is of something else.
    pub(super) fn absorb(&mut self, later: &Diff) -> bool {
        match (&mut self.state, &later.state) {
            (Some((before, after)), Some((later_before, later_after))) if after.get("path") == later_after.get("path") => {
                let mut oldest = later_before.clone();
                oldest.extend(before);
                *before = oldest;
                after.extend(later_after);
                true
            }
            _ => false,
        }
    }

    pub fn redacted(mut self, redactor: &Redactor) -> Self {
        self.before = redactor.redact(&self.before).into_owned();
        self.after = redactor.redact(&self.after).into_owned();
        self.prepared = self.prepared.map(|text| redactor.redact(&text).into_owned());
        self
    }

    pub fn to_value(&self) -> Value {
        if let Some(prepared) = &self.prepared {
            return Value::map([("prepared", prepared.as_str())]);
        }
        if let Some((before, after)) = &self.state {
            return Value::map([("before", before.clone()), ("after", after.clone())]);
        }
        Value::map([
            ("before_header", self.before_header.as_str()),
            ("after_header", self.after_header.as_str()),
            ("before", self.before.as_str()),
            ("after", self.after.as_str()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_of_one_path_become_one() {
        let side = |name: &str, value: &str| -> Map { [(name, value)].into_iter().collect() };
        let mut made = Diff::state(Path::new("/a"), side("state", "absent"), side("state", "directory"));
        assert!(made.absorb(&Diff::state(Path::new("/a"), side("mode", "0755"), side("mode", "0700"))));
        assert!(!made.absorb(&Diff::state(Path::new("/b"), Map::new(), Map::new())));
        assert_eq!(
            made.to_value().to_repr(),
            "{'before': {'path': '/a', 'mode': '0755', 'state': 'absent'}, 'after': {'path': '/a', 'state': 'directory', 'mode': '0700'}}"
        );
    }
}
