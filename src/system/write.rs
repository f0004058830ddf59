//! Files written whole: compared, kept, validated and replaced in one step.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attributes::Attributes;
use super::command::Command;
use super::effect::{Diff, Effect, FileChange};
use super::error::{Failure, Result};
use super::files::{FileKind, Metadata};
use super::words::split_words;
use super::{System, local};

/// Content longer than this is not shown in diffs (Ansible's MAX_FILE_SIZE_FOR_DIFF).
const LARGEST_SHOWN: usize = 104_448;

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
        // An owner that was asked for, and not only kept, must be had.
        let Attributes { owner, group, flags, .. } = file.attributes;
        if flags.is_some() || owner.is_some() || group.is_some() {
            self.set_attributes(&path, &Attributes { owner, group, flags, ..Attributes::default() })?;
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
}

/// Content as text for a diff; `None` for binary and for what is too long.
fn shown(bytes: &[u8]) -> Option<String> {
    (bytes.len() <= LARGEST_SHOWN && !bytes.contains(&0)).then(|| String::from_utf8_lossy(bytes).into_owned())
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
    fn a_link_is_followed_for_writing() {
        let mut sys = sys();
        sys.write_file(WriteFile::new("/etc/real", "1")).expect("writes");
        sys.make_symlink(Path::new("/etc/link"), Path::new("real")).expect("links");
        sys.write_file(WriteFile::new("/etc/link", "2")).expect("writes");
        assert_eq!(sys.query_text(Path::new("/etc/real")).expect("reads"), "2");
        assert!(sys.query_link(Path::new("/etc/link")).expect("looks").is_some_and(|found| found.is_symlink()));
    }
}
