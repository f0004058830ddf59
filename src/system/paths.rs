//! Changes of what is at a path: owner, group, mode and flags, folders, links, names, times, and its end.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::base::{Map, Value};

use super::attributes::Attributes;
use super::command::Command;
use super::effect::{Diff, Effect, FileChange};
use super::error::{Failure, Result};
use super::files::{FileKind, Metadata};
use super::{System, local};

impl System {
    /// Makes owner, group, mode and flags of an existing path as asked; says whether anything changed. Does not follow a link at the path
    /// for owner and group, and leaves a link's mode alone.
    pub fn set_attributes(&mut self, path: &Path, asked: &Attributes) -> Result<bool> {
        let path = self.absolute(path);
        let Some(found) = self.query_link(&path)? else {
            return Err(Failure::new(format!("`{}` does not exist", path.display())));
        };
        let (mode, uid, gid) = self.wanted_attributes(asked, found.mode, found.uid, found.gid, found.kind)?;
        let mut changed = false;
        if (uid, gid) != (found.uid, found.gid) {
            self.note(Effect::File(FileChange::Owner { path: path.clone(), uid, gid }))?;
            changed = true;
        }
        // Changing the owner clears setuid and setgid, so the mode comes after it.
        if !found.is_symlink() && (mode != found.mode || (changed && mode & 0o6000 != 0)) {
            self.note(Effect::File(FileChange::Mode { path: path.clone(), mode }))?;
            changed = true;
        }
        if let Some(flags) = &asked.flags {
            changed |= self.set_flags(&path, flags)?;
        }
        if changed {
            self.show_attribute_diff(&path, &found, (mode, uid, gid));
        }
        Ok(changed)
    }

    fn show_attribute_diff(&mut self, path: &Path, found: &Metadata, (mode, uid, gid): (u32, u32, u32)) {
        let (mut before, mut after) = (Map::new(), Map::new());
        for (name, old, new) in [("owner", found.uid, uid), ("group", found.gid, gid)] {
            if old != new {
                before.insert(name, old);
                after.insert(name, new);
            }
        }
        if found.mode != mode {
            before.insert("mode", format!("0{:03o}", found.mode));
            after.insert("mode", format!("0{mode:03o}"));
        }
        if !after.is_empty() {
            self.add_diff(Diff::state(path, before, after));
        }
    }

    fn set_flags(&mut self, path: &Path, asked: &str) -> Result<bool> {
        let current = self.query_flags(path)?;
        let (operator, letters) = match asked.chars().next() {
            Some(c @ ('+' | '-' | '=')) => (c, &asked[1..]),
            _ => ('=', asked),
        };
        let wanted: String = match operator {
            '+' => sorted(current.chars().chain(letters.chars())),
            '-' => sorted(current.chars().filter(|c| !letters.contains(*c))),
            _ => sorted(letters.chars()),
        };
        // The kernel keeps the extents flag `e` by itself.
        if wanted.replace('e', "") == sorted(current.chars()).replace('e', "") {
            return Ok(false);
        }
        let flags = format!("{operator}{letters}");
        let command = Command::new("chattr").arg(flags).arg("--").arg(path);
        self.mutate(command, Effect::File(FileChange::Flags { path: path.to_owned(), flags: wanted.clone() }))?;
        self.add_diff(Diff::state(path, named("attributes", current), named("attributes", wanted)));
        Ok(true)
    }

    /// `chattr` flags of a path, empty where the file system has none.
    pub fn query_flags(&self, path: &Path) -> Result<String> {
        let found = self.query_command(Command::new("lsattr").arg("-d").arg("--").arg(path))?;
        let text = found.stdout_text();
        Ok(text.split_whitespace().next().unwrap_or_default().replace('-', ""))
    }

    /// Makes a folder with its missing parents. New parents get the mode a new folder gets; the last one gets what is asked.
    pub fn make_directory(&mut self, path: &Path, attributes: &Attributes) -> Result<bool> {
        let path = self.absolute(path);
        if let Some(found) = self.query_file(&path)? {
            if !found.is_directory() {
                return Err(Failure::new(format!("`{}` is there and is not a folder", path.display())));
            }
            let target = self.query_canonical(&path)?;
            return self.set_attributes(&target, attributes);
        }
        let missing: Vec<PathBuf> =
            path.ancestors().take_while(|folder| !matches!(self.query_file(folder), Ok(Some(_)))).map(Path::to_owned).collect();
        for folder in missing.iter().rev() {
            let default = 0o777 & !local::umask();
            let (mode, uid, gid) =
                self.wanted_attributes(attributes, default, self.backend.effective_uid(), local::effective_gid(), FileKind::Directory)?;
            self.note(Effect::File(FileChange::Directory { path: folder.clone(), mode, uid, gid }))?;
        }
        self.add_diff(Diff::state(&path, named("state", "absent"), named("state", "directory")));
        if attributes.flags.is_some() {
            self.set_attributes(&path, &Attributes { flags: attributes.flags.clone(), ..Attributes::default() })?;
        }
        Ok(true)
    }

    /// Makes a symbolic link; whatever stands at the path must have been removed before. An existing link is replaced in one step.
    pub fn make_symlink(&mut self, path: &Path, target: &Path) -> Result<bool> {
        let path = self.absolute(path);
        let before = match self.query_link(&path)? {
            Some(found) if found.is_symlink() => Some(self.query_link_target(&path)?),
            _ => None,
        };
        if before.as_deref() == Some(target) {
            return Ok(false);
        }
        let (uid, gid) = (self.backend.effective_uid(), local::effective_gid());
        self.note(Effect::File(FileChange::Symlink { path: path.clone(), target: target.to_owned(), uid, gid }))?;
        let source = |target: &Path| target.to_string_lossy().into_owned();
        let (was, is) = match &before {
            Some(old) => (named("src", source(old)), named("src", source(target))),
            None => (named("state", "absent"), named("state", "link")),
        };
        self.add_diff(Diff::state(&path, was, is));
        Ok(true)
    }

    /// Makes `path` another name of `source`, in one step.
    pub fn make_hard_link(&mut self, path: &Path, source: &Path) -> Result<bool> {
        let (path, source) = (self.absolute(path), self.absolute(source));
        if let (Some(a), Some(b)) = (self.query_link(&path)?, self.query_link(&source)?)
            && (a.inode, a.device) == (b.inode, b.device)
        {
            return Ok(false);
        }
        self.note(Effect::File(FileChange::HardLink { path, source }))?;
        Ok(true)
    }

    /// Removes a path, and all below it when it is a folder; never follows links. Says whether there was anything.
    pub fn remove(&mut self, path: &Path) -> Result<bool> {
        let path = self.absolute(path);
        let Some(found) = self.query_link(&path)? else { return Ok(false) };
        let state = match found.kind {
            FileKind::Directory => "directory",
            FileKind::Symlink => "link",
            _ if found.links > 1 => "hard",
            _ => "file",
        };
        let mut before: Map = named("state", state);
        if found.is_directory() && self.context().diff {
            let (mut folders, mut files) = (Vec::new(), Vec::new());
            self.list_below(&path, &mut folders, &mut files)?;
            before.insert("path_content", Value::map([("directories", Value::list(folders)), ("files", Value::list(files))]));
        }
        self.note(Effect::File(FileChange::Remove { path: path.clone() }))?;
        self.add_diff(Diff::state(&path, before, named("state", "absent")));
        Ok(true)
    }

    /// Everything below a folder, for the difference that its end makes.
    fn list_below(&self, folder: &Path, folders: &mut Vec<String>, files: &mut Vec<String>) -> Result<()> {
        let mut inner = Vec::new();
        for name in self.query_directory(folder)? {
            let path = folder.join(name);
            let is_folder = self.query_file(&path)?.is_some_and(|found| found.is_directory());
            let is_link = self.query_link(&path)?.is_some_and(|found| found.is_symlink());
            if is_folder { &mut *folders } else { &mut *files }.push(path.to_string_lossy().into_owned());
            if is_folder && !is_link {
                inner.push(path);
            }
        }
        inner.iter().try_for_each(|path| self.list_below(path, folders, files))
    }

    /// Moves a path to another name in the same file system.
    pub fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let (from, to) = (self.absolute(from), self.absolute(to));
        self.note(Effect::File(FileChange::Rename { from, to }))
    }

    /// Sets access and modification time; `None` leaves one as it is.
    pub fn set_times(&mut self, path: &Path, accessed: Option<SystemTime>, modified: Option<SystemTime>) -> Result<()> {
        let path = self.absolute(path);
        let found = self.query_link(&path)?;
        self.note(Effect::File(FileChange::Times { path: path.clone(), accessed, modified }))?;
        let Some(found) = found else { return Ok(()) };
        let (mut before, mut after) = (Map::new(), Map::new());
        for (name, old, new) in [("mtime", found.modified, modified), ("atime", found.accessed, accessed)] {
            if let Some(new) = new.filter(|new| *new != old) {
                before.insert(name, seconds(old));
                after.insert(name, seconds(new));
            }
        }
        self.add_diff(Diff::state(&path, before, after));
        Ok(())
    }
}

fn named(name: &str, value: impl Into<Value>) -> Map {
    [(name, value.into())].into_iter().collect()
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn sorted(letters: impl Iterator<Item = char>) -> String {
    letters.collect::<std::collections::BTreeSet<char>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Overlay;

    fn sys() -> System {
        let mut sys = System::dry(Overlay::empty().with_directory("/etc"));
        sys.begin(crate::system::TaskContext { diff: true, ..Default::default() });
        sys
    }

    #[test]
    fn parents_are_made_and_seen_by_later_queries() {
        let mut sys = sys();
        assert!(sys.make_directory(Path::new("/etc/a/b"), &Attributes::default()).expect("makes"));
        assert!(sys.query_file(Path::new("/etc/a")).expect("looks").is_some_and(|found| found.is_directory()));
        assert!(!sys.make_directory(Path::new("/etc/a/b"), &Attributes::default()).expect("makes"));
    }

    #[test]
    fn a_removed_folder_is_told_with_all_that_was_in_it() {
        let mut sys = sys();
        sys.make_directory(Path::new("/etc/a/b"), &Attributes::default()).expect("makes");
        sys.begin(crate::system::TaskContext { diff: true, ..Default::default() });
        assert!(sys.remove(Path::new("/etc/a")).expect("removes"));
        let told = sys.diffs()[0].to_value().to_repr();
        assert!(told.contains("'path_content': {'directories': ['/etc/a/b'], 'files': []}"), "{told}");
    }
}
