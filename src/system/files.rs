//! Files: what is there, and changes that happen whole or not at all.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::attributes::Attributes;
use super::command::Command;
use super::effect::{Diff, Effect, FileChange};
use super::error::{Failure, Result};
use super::{System, local};

/// Content longer than this is not shown in diffs (Ansible's MAX_FILE_SIZE_FOR_DIFF).
const LARGEST_SHOWN: usize = 104_448;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    CharDevice,
    BlockDevice,
    Fifo,
    Socket,
}

/// What `lstat` gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    pub kind: FileKind,
    /// Permission bits with setuid, setgid and sticky, without the file type.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub links: u64,
    pub inode: u64,
    pub device: u64,
    pub accessed: SystemTime,
    pub modified: SystemTime,
    pub changed: SystemTime,
}

impl Metadata {
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }

    pub fn is_directory(&self) -> bool {
        self.kind == FileKind::Directory
    }

    pub fn is_symlink(&self) -> bool {
        self.kind == FileKind::Symlink
    }

    pub fn from_std(found: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::FileTypeExt;
        let kind = found.file_type();
        let kind = match kind {
            _ if kind.is_dir() => FileKind::Directory,
            _ if kind.is_symlink() => FileKind::Symlink,
            _ if kind.is_char_device() => FileKind::CharDevice,
            _ if kind.is_block_device() => FileKind::BlockDevice,
            _ if kind.is_fifo() => FileKind::Fifo,
            _ if kind.is_socket() => FileKind::Socket,
            _ => FileKind::File,
        };
        let time = |seconds: i64, nanos: i64| UNIX_EPOCH + Duration::new(seconds.max(0) as u64, nanos as u32);
        Metadata {
            kind,
            mode: found.mode() & 0o7777,
            uid: found.uid(),
            gid: found.gid(),
            size: found.size(),
            links: found.nlink(),
            inode: found.ino(),
            device: found.dev(),
            accessed: time(found.atime(), found.atime_nsec()),
            modified: time(found.mtime(), found.mtime_nsec()),
            changed: time(found.ctime(), found.ctime_nsec()),
        }
    }
}

/// A file to be written whole: `System::write_file` compares, backs up, validates and replaces it in one step.
pub struct WriteFile {
    pub path: PathBuf,
    pub content: Arc<Vec<u8>>,
    pub attributes: Attributes,
    /// Keep the old file beside it under a dated name.
    pub backup: bool,
    /// A command that must accept the new file before it takes its place; `%s` is the new file's path.
    pub validate: Option<String>,
    /// Overwrite in place when the rename is refused (a bind-mounted file): asked for by `unsafe_writes`.
    pub in_place: bool,
    /// Keep the content out of the diff.
    pub secret: bool,
    /// Replace a link at the path by the file, instead of writing what it points to.
    pub replace_link: bool,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    pub changed: bool,
    pub backup_file: Option<PathBuf>,
}

impl WriteFile {
    pub fn new(path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        WriteFile::shared(path, Arc::new(content.into()))
    }

    pub fn shared(path: impl Into<PathBuf>, content: Arc<Vec<u8>>) -> Self {
        WriteFile {
            path: path.into(),
            content,
            attributes: Attributes::default(),
            backup: false,
            validate: None,
            in_place: false,
            secret: false,
            replace_link: false,
        }
    }

    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    pub fn backup(mut self, backup: bool) -> Self {
        self.backup = backup;
        self
    }

    pub fn validate(mut self, command: Option<String>) -> Self {
        self.validate = command;
        self
    }

    pub fn secret(mut self, secret: bool) -> Self {
        self.secret = secret;
        self
    }

    pub fn in_place(mut self, in_place: bool) -> Self {
        self.in_place = in_place;
        self
    }

    pub fn replace_link(mut self, replace_link: bool) -> Self {
        self.replace_link = replace_link;
        self
    }
}

impl System {
    /// The path made absolute: relative to the task's folder, `~` is not touched here.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        if path.is_absolute() {
            return path.to_owned();
        }
        let base = self.context.working_directory.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_else(|| PathBuf::from("/"));
        base.join(path)
    }

    /// What is at the path itself (a link is a link); `None`: nothing.
    pub fn query_link(&self, path: &Path) -> Result<Option<Metadata>> {
        let path = self.absolute(path);
        self.backend.lstat(&path).map_err(|error| Failure::io("look at", &path, &error))
    }

    /// What is there after following links; `None`: nothing, or a link that leads nowhere.
    pub fn query_file(&self, path: &Path) -> Result<Option<Metadata>> {
        let path = self.absolute(path);
        match self.backend.lstat(&path) {
            Ok(Some(found)) if found.is_symlink() => match self.backend.canonical(&path) {
                Ok(target) => self.backend.lstat(&target).map_err(|error| Failure::io("look at", &target, &error)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(Failure::io("follow", &path, &error)),
            },
            Ok(found) => Ok(found),
            Err(error) => Err(Failure::io("look at", &path, &error)),
        }
    }

    pub fn query_content(&self, path: &Path) -> Result<Arc<Vec<u8>>> {
        let path = self.absolute(path);
        self.backend.read(&path).map_err(|error| Failure::io("read", &path, &error))
    }

    /// The content as text; bytes that are no UTF-8 are replaced.
    pub fn query_text(&self, path: &Path) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.query_content(path)?).into_owned())
    }

    pub fn query_link_target(&self, path: &Path) -> Result<PathBuf> {
        let path = self.absolute(path);
        self.backend.read_link(&path).map_err(|error| Failure::io("read the link", &path, &error))
    }

    /// Names in a folder, sorted.
    pub fn query_directory(&self, path: &Path) -> Result<Vec<OsString>> {
        let path = self.absolute(path);
        self.backend.list(&path).map_err(|error| Failure::io("list", &path, &error))
    }

    /// The path with every link resolved.
    pub fn query_canonical(&self, path: &Path) -> Result<PathBuf> {
        let path = self.absolute(path);
        self.backend.canonical(&path).map_err(|error| Failure::io("resolve", &path, &error))
    }

    /// Makes a file hold exactly this content with these attributes. Follows a link at the path, as Ansible does, unless the file is to
    /// take the link's place; a link that leads nowhere is replaced.
    pub fn write_file(&mut self, file: WriteFile) -> Result<Written> {
        let path = self.absolute(&file.path);
        let link = self.query_link(&path)?.filter(Metadata::is_symlink);
        let path = match &link {
            Some(_) if !file.replace_link && self.query_file(&path)?.is_some() => self.query_canonical(&path)?,
            _ => path,
        };
        let before = self.query_link(&path)?.filter(|found| !found.is_symlink());
        if before.as_ref().is_some_and(Metadata::is_directory) {
            return Err(Failure::new(format!("`{}` is a folder, not a file", path.display())));
        }
        let old = match &before {
            Some(_) => Some(self.query_content(&path)?),
            None => None,
        };
        if old.as_ref().is_some_and(|old| old == &file.content) {
            let changed = self.set_attributes(&path, &file.attributes)?;
            return Ok(Written { changed, backup_file: None });
        }
        self.require_folder(&path)?;
        let (mode, uid, gid) = self.attributes_of_new(&path, &file, before.as_ref())?;
        if let Some(validate) = &file.validate {
            self.validate(validate, &path, &file.content, mode)?;
        }
        let backup_file = match self.query_file(&path)? {
            Some(found) if file.backup && found.is_file() => self.back_up(&path)?,
            _ => None,
        };
        self.show_content_diff(&path, old.as_deref(), &file);
        let change = FileChange::Write { path: path.clone(), content: file.content.clone(), mode, uid, gid };
        if let Err(failure) = self.note(Effect::File(change.clone())) {
            if !file.in_place || before.is_none() {
                return Err(failure);
            }
            local::write_in_place(&path, &file.content).map_err(|error| Failure::io("write", &path, &error))?;
            self.effects.push(Effect::File(change));
            self.set_attributes(&path, &file.attributes)?;
        }
        if file.attributes.flags.is_some() {
            self.set_attributes(&path, &Attributes { flags: file.attributes.flags.clone(), ..Attributes::default() })?;
        }
        Ok(Written { changed: true, backup_file })
    }

    fn require_folder(&self, path: &Path) -> Result<()> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        match self.query_file(folder)? {
            Some(found) if found.is_directory() => Ok(()),
            Some(_) => Err(Failure::new(format!("`{}` is not a folder, so `{}` cannot be written", folder.display(), path.display()))),
            None if self.packages_are_planned() => Ok(()),
            None => {
                Err(Failure::new(format!("the folder `{}` does not exist, so `{}` cannot be written", folder.display(), path.display()))
                    .at("path"))
            }
        }
    }

    fn attributes_of_new(&self, path: &Path, file: &WriteFile, before: Option<&Metadata>) -> Result<(u32, u32, u32)> {
        let (mode, uid, gid) = match before {
            Some(found) => (found.mode, found.uid, found.gid),
            None => (0o666 & !local::umask(), self.backend.effective_uid(), self.group_of_new(path)?),
        };
        self.wanted_attributes(&file.attributes, mode, uid, gid, FileKind::File)
    }

    /// The group that a new entry gets: the folder's when that has the setgid bit, else this process's.
    fn group_of_new(&self, path: &Path) -> Result<u32> {
        let folder = self.query_file(path.parent().unwrap_or(Path::new("/")))?;
        Ok(folder.filter(|found| found.mode & 0o2000 != 0).map_or_else(local::effective_gid, |found| found.gid))
    }

    /// Runs the `validate` command on the new content before it takes its place. In check mode the content is checked all the same.
    fn validate(&self, command: &str, path: &Path, content: &[u8], mode: u32) -> Result<()> {
        if !command.contains("%s") {
            return Err(Failure::new(format!("validate must contain %s: {command}")).at("validate"));
        }
        let folder = std::env::temp_dir();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let candidate = local::write_candidate(&folder, &name, content, mode).map_err(|error| Failure::io("write in", &folder, &error))?;
        let argv = split_words(&command.replace("%s", &candidate.to_string_lossy()));
        let outcome = self.query_command(Command { argv: argv.into_iter().map(Into::into).collect(), ..Command::default() });
        std::fs::remove_file(&candidate).map_err(|error| Failure::io("remove", &candidate, &error))?;
        let completed = match outcome {
            // The program that validates may come with a package that is only planned.
            Err(_) if self.packages_are_planned() => return Ok(()),
            other => other?,
        };
        if completed.ok() {
            return Ok(());
        }
        Err(Failure::new(format!("failed to validate: rc:{} error:{}", completed.rc, completed.stderr_text().trim()))
            .with("exit_status", completed.rc)
            .with("stdout", completed.stdout_text())
            .with("stderr", completed.stderr_text()))
    }

    /// Keeps a copy beside a file, named as Ansible names it: `PATH.PID.YYYY-MM-DD@HH:MM:SS~`. `None` in check mode.
    pub fn back_up(&mut self, path: &Path) -> Result<Option<PathBuf>> {
        if self.backend.is_dry() {
            return Ok(None);
        }
        let stamp = jiff::Zoned::now().strftime("%Y-%m-%d@%H:%M:%S");
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.{stamp}~", std::process::id()));
        let copy = PathBuf::from(name);
        let found = self.query_file(path)?.ok_or_else(|| Failure::new(format!("`{}` is not there to back up", path.display())))?;
        let content = self.query_content(path)?;
        let change = FileChange::Write { path: copy.clone(), content, mode: found.mode, uid: found.uid, gid: found.gid };
        self.backend.apply(&Effect::File(change))?;
        Ok(Some(copy))
    }

    fn show_content_diff(&mut self, path: &Path, old: Option<&Vec<u8>>, file: &WriteFile) {
        if !self.context.diff {
            return;
        }
        let header = path.display().to_string();
        let diff = if file.secret {
            Diff { prepared: Some(format!("{header}: content is secret and not shown\n")), ..Diff::default() }
        } else {
            match (old.map_or(Some(String::new()), |bytes| shown(bytes)), shown(&file.content)) {
                (Some(before), Some(after)) => Diff::text(header, before, after),
                _ => Diff { prepared: Some(format!("{header}: binary or too large to show\n")), ..Diff::default() },
            }
        };
        self.add_diff(diff);
    }

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
        let line = |mode: u32, uid: u32, gid: u32| format!("mode: {mode:04o}\nowner: {uid}\ngroup: {gid}\n");
        let (before, after) = (line(found.mode, found.uid, found.gid), line(mode, uid, gid));
        if before != after {
            self.add_diff(Diff::text(path.display().to_string(), before, after));
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
        self.mutate(command, Effect::File(FileChange::Flags { path: path.to_owned(), flags: wanted }))?;
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
        self.add_diff(Diff::text(path.display().to_string(), "state: absent\n", "state: directory\n"));
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
        let shown = |target: Option<&Path>| target.map_or("state: absent\n".to_owned(), |target| format!("link: {}\n", target.display()));
        self.add_diff(Diff::text(path.display().to_string(), shown(before.as_deref()), shown(Some(target))));
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
        self.note(Effect::File(FileChange::Remove { path: path.clone() }))?;
        let state = match found.kind {
            FileKind::Directory => "directory",
            FileKind::Symlink => "link",
            _ => "file",
        };
        self.add_diff(Diff::text(path.display().to_string(), format!("state: {state}\n"), "state: absent\n"));
        Ok(true)
    }

    /// Keeps a text under a fresh name in the folder for temporary files, as a copy for the user. `None` in check mode.
    pub fn keep_aside(&mut self, name: &str, text: &str) -> Result<Option<PathBuf>> {
        if self.backend.is_dry() {
            return Ok(None);
        }
        let folder = std::env::temp_dir();
        let kept = local::write_candidate(&folder, name, text.as_bytes(), 0o600);
        kept.map(Some).map_err(|error| Failure::io("write in", &folder, &error))
    }

    /// Puts a file in a place for the time that `work` takes, then puts back what was there: no change is left. In check mode only `work` runs.
    pub fn with_stand_in<T>(&mut self, path: &Path, content: &str, mode: u32, work: impl FnOnce(&mut System) -> Result<T>) -> Result<T> {
        if self.backend.is_dry() {
            return work(self);
        }
        let outcome = local::with_stand_in(path, content.as_bytes(), mode, || work(self));
        outcome.map_err(|error| Failure::io("put a file for a while at", path, &error))?
    }

    /// Moves a path to another name in the same file system.
    pub fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let (from, to) = (self.absolute(from), self.absolute(to));
        self.note(Effect::File(FileChange::Rename { from, to }))
    }

    /// Sets access and modification time; `None` leaves one as it is.
    pub fn set_times(&mut self, path: &Path, accessed: Option<SystemTime>, modified: Option<SystemTime>) -> Result<()> {
        let path = self.absolute(path);
        self.note(Effect::File(FileChange::Times { path, accessed, modified }))
    }
}

fn sorted(letters: impl Iterator<Item = char>) -> String {
    letters.collect::<std::collections::BTreeSet<char>>().into_iter().collect()
}

/// Content as text for a diff; `None` for binary and for what is too long.
fn shown(bytes: &[u8]) -> Option<String> {
    (bytes.len() <= LARGEST_SHOWN && !bytes.contains(&0)).then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// Splits a command line into words as Python's `shlex.split` does: quotes and backslashes, no expansion.
pub fn split_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(characters.by_ref().take_while(|c| *c != '\''));
            }
            '"' => {
                let word = word.get_or_insert_default();
                while let Some(c) = characters.next() {
                    match c {
                        '"' => break,
                        '\\' => match characters.next() {
                            Some(escaped @ ('"' | '\\')) => word.push(escaped),
                            Some(other) => word.extend(['\\', other]),
                            None => word.push('\\'),
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(characters.next()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
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
    fn a_file_that_is_as_it_should_be_is_left_alone() {
        let mut sys = sys();
        assert!(sys.write_file(WriteFile::new("/etc/motd", "hello\n")).expect("writes").changed);
        assert_eq!(sys.effects().len(), 1);
        sys.begin(Default::default());
        assert!(!sys.write_file(WriteFile::new("/etc/motd", "hello\n")).expect("writes").changed);
        assert!(!sys.is_changed());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let failure = sys().write_file(WriteFile::new("/nowhere/motd", "x")).expect_err("fails");
        assert!(failure.message.contains("`/nowhere` does not exist"), "{}", failure.message);
    }

    #[test]
    fn a_missing_folder_or_validator_that_a_planned_package_may_bring_is_believed() {
        let mut sys = System::dry(Overlay::empty().with_package("web", "1"));
        let file = WriteFile { validate: Some("/usr/sbin/web -t %s".into()), ..WriteFile::new("/etc/web/web.conf", "x") };
        assert!(sys.write_file(file).expect("is believed").changed);
        assert_eq!(sys.query_text(Path::new("/etc/web/web.conf")).expect("reads"), "x");
    }

    #[test]
    fn parents_are_made_and_seen_by_later_queries() {
        let mut sys = sys();
        assert!(sys.make_directory(Path::new("/etc/a/b"), &Attributes::default()).expect("makes"));
        assert!(sys.query_file(Path::new("/etc/a")).expect("looks").is_some_and(|found| found.is_directory()));
        assert!(!sys.make_directory(Path::new("/etc/a/b"), &Attributes::default()).expect("makes"));
    }

    #[test]
    fn a_link_is_followed_for_writing() {
        let mut sys = sys();
        sys.write_file(WriteFile::new("/etc/real", "1")).expect("writes");
        sys.make_symlink(Path::new("/etc/link"), Path::new("real")).expect("links");
        sys.write_file(WriteFile::new("/etc/link", "2")).expect("writes");
        assert_eq!(sys.query_text(Path::new("/etc/real")).expect("reads"), "2");
        assert!(sys.query_link(Path::new("/etc/link")).expect("looks").is_some_and(|found| found.is_symlink()));
    }

    #[test]
    fn words_are_split_as_shlex_does() {
        assert_eq!(split_words(r#"a 'b c' "d\"e" f\ g"#), ["a", "b c", "d\"e", "f g"]);
        assert_eq!(split_words("a '' b"), ["a", "", "b"]);
    }
}
