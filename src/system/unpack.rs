//! Laying out the entries of an archive below a folder. Nothing is ever written outside of it: every path is opened beneath the folder by
//! the kernel (`openat2`), so neither `..` nor a link leads out.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid};

use super::effect::{Effect, FileChange};
use super::error::{Failure, Result};
use super::{System, local};

/// In check mode, content up to this size is kept for later queries.
const LARGEST_KEPT: u64 = 1 << 20;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnpackedKind {
    File {
        size: u64,
    },
    Directory,
    Symlink {
        target: PathBuf,
    },
    /// Another name of an entry; the path is relative to the folder.
    HardLink {
        source: PathBuf,
    },
}

/// An entry as it is to be on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpackedEntry {
    /// Relative to the folder, of plain names only.
    pub path: PathBuf,
    pub kind: UnpackedKind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub modified: SystemTime,
}

/// A layout under way: `put` each entry, then `finish`.
pub struct Unpacking<'s> {
    sys: &'s mut System,
    root: PathBuf,
    /// The folder, opened; `None` in check mode.
    handle: Option<OwnedFd>,
    /// Folders whose mode and time are set last, as writing into them needs the one and changes the other.
    folders: Vec<UnpackedEntry>,
}

impl System {
    /// Begins to lay out entries below a folder that exists.
    pub fn unpack_below(&mut self, root: &Path) -> Result<Unpacking<'_>> {
        let root = self.query_canonical(root)?;
        let handle = match self.backend.is_dry() {
            true => None,
            false => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let opened = rustix::fs::open(&root, flags, Mode::empty());
                Some(opened.map_err(|error| Failure::io("open", &root, &error.into()))?)
            }
        };
        Ok(Unpacking { sys: self, root, handle, folders: Vec::new() })
    }
}

impl Unpacking<'_> {
    /// Puts one entry in its place; content is read only for files.
    pub fn put(&mut self, entry: &UnpackedEntry, content: &mut dyn Read) -> Result<()> {
        let path = self.root.join(&entry.path);
        match &self.handle {
            Some(handle) => write_entry(handle, entry, content).map_err(|error| explained(&path, &error))?,
            None => self.parents_in_memory(&entry.path)?,
        }
        let (mode, uid, gid) = (entry.mode, entry.uid, entry.gid);
        let is_dry = self.handle.is_none();
        let change = match &entry.kind {
            UnpackedKind::File { size } if is_dry && *size <= LARGEST_KEPT => {
                let mut bytes = Vec::new();
                content.take(LARGEST_KEPT).read_to_end(&mut bytes).map_err(|error| Failure::io("unpack", &path, &error))?;
                FileChange::Write { path: path.clone(), content: Arc::new(bytes), mode, uid, gid }
            }
            UnpackedKind::Directory => {
                self.folders.push(entry.clone());
                match self.sys.query_file(&path)? {
                    Some(found) if is_dry && found.is_directory() => FileChange::Owner { path: path.clone(), uid, gid },
                    _ if is_dry => FileChange::Directory { path: path.clone(), mode, uid, gid },
                    _ => FileChange::Unpacked { path: path.clone(), size: 0, mode, uid, gid },
                }
            }
            UnpackedKind::Symlink { target } if is_dry => FileChange::Symlink { path: path.clone(), target: target.clone(), uid, gid },
            UnpackedKind::HardLink { source } if is_dry => FileChange::HardLink { path: path.clone(), source: self.root.join(source) },
            UnpackedKind::File { size } => FileChange::Unpacked { path: path.clone(), size: *size, mode, uid, gid },
            UnpackedKind::Symlink { .. } | UnpackedKind::HardLink { .. } => {
                FileChange::Unpacked { path: path.clone(), size: 0, mode, uid, gid }
            }
        };
        self.sys.note(Effect::File(change))?;
        if is_dry && matches!(entry.kind, UnpackedKind::File { .. }) {
            self.sys.set_times(&path, None, Some(entry.modified))?;
        }
        Ok(())
    }

    fn parents_in_memory(&mut self, relative: &Path) -> Result<()> {
        match relative.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => {
                let folder = self.root.join(parent);
                self.sys.make_directory(&folder, &super::Attributes::default()).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Sets what folders are to have, deepest first, and waits until all is on the disk.
    pub fn finish(mut self) -> Result<()> {
        let mut folders = std::mem::take(&mut self.folders);
        folders.sort_by_key(|entry| std::cmp::Reverse(entry.path.components().count()));
        for entry in &folders {
            let path = self.root.join(&entry.path);
            match &self.handle {
                Some(handle) => finish_folder(handle, entry).map_err(|error| explained(&path, &error))?,
                None => self.sys.note(Effect::File(FileChange::Mode { path, mode: entry.mode }))?,
            }
        }
        let Some(handle) = &self.handle else { return Ok(()) };
        let whole = open_below(handle, Path::new("."), OFlags::RDONLY | OFlags::DIRECTORY);
        whole.and_then(rustix::fs::syncfs).map_err(|error| Failure::io("sync", &self.root, &error.into()))
    }
}

fn explained(path: &Path, error: &io::Error) -> Failure {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::XDEV | rustix::io::Errno::LOOP) => Failure::new(format!(
            "`{}` leads out of the destination by a link that is there; remove the link or unpack elsewhere",
            path.display()
        )),
        _ => Failure::io("unpack", path, error),
    }
}

fn open_below(root: &OwnedFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)
}

/// The folder that an entry stands in, made with its parents when it is missing, and the entry's name.
fn parent_of<'p>(root: &OwnedFd, path: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let open = || open_below(root, parent, OFlags::PATH | OFlags::DIRECTORY);
    match open() {
        Err(rustix::io::Errno::NOENT) if parent != Path::new(".") => {
            let (above, folder) = parent_of(root, parent)?;
            rustix::fs::mkdirat(above, folder, Mode::from_raw_mode(0o777))?;
            Ok((open()?, name))
        }
        other => Ok((other?, name)),
    }
}

fn write_entry(root: &OwnedFd, entry: &UnpackedEntry, content: &mut dyn Read) -> io::Result<()> {
    if entry.path.as_os_str().is_empty() || entry.path == Path::new(".") {
        return Ok(());
    }
    let (parent, name) = parent_of(root, &entry.path)?;
    if entry.kind == UnpackedKind::Directory {
        return match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o700)) {
            Err(rustix::io::Errno::EXIST) => open_below(root, &entry.path, OFlags::PATH | OFlags::DIRECTORY).map(drop).map_err(Into::into),
            other => other.map_err(Into::into),
        };
    }
    let fresh = format!(".{}.hostler", uuid::Uuid::new_v4().simple());
    let built = build(root, &parent, &fresh, entry, content).and_then(|()| Ok(rustix::fs::renameat(&parent, &fresh, &parent, name)?));
    if built.is_err() {
        // The first error is the one to tell.
        rustix::fs::unlinkat(&parent, &fresh, AtFlags::empty()).unwrap_or_default();
    }
    built
}

fn build(root: &OwnedFd, parent: &OwnedFd, fresh: &str, entry: &UnpackedEntry, content: &mut dyn Read) -> io::Result<()> {
    match &entry.kind {
        UnpackedKind::File { .. } => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = std::fs::File::from(rustix::fs::openat(parent, fresh, flags, Mode::from_raw_mode(0o600))?);
            io::copy(content, &mut file)?;
            own(parent, Path::new(fresh), entry)?;
            rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode))?;
            Ok(rustix::fs::futimens(&file, &times(entry.modified))?)
        }
        UnpackedKind::Symlink { target } => {
            rustix::fs::symlinkat(target, parent, fresh)?;
            own(parent, Path::new(fresh), entry)?;
            Ok(rustix::fs::utimensat(parent, fresh, &times(entry.modified), AtFlags::SYMLINK_NOFOLLOW)?)
        }
        UnpackedKind::HardLink { source } => {
            let (folder, name) = parent_of(root, source)?;
            Ok(rustix::fs::linkat(folder, name, parent, fresh, AtFlags::empty())?)
        }
        UnpackedKind::Directory => Ok(()),
    }
}

fn finish_folder(root: &OwnedFd, entry: &UnpackedEntry) -> io::Result<()> {
    let path = if entry.path.as_os_str().is_empty() { Path::new(".") } else { entry.path.as_path() };
    let folder = open_below(root, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
    own(&folder, Path::new("."), entry)?;
    rustix::fs::fchmod(&folder, Mode::from_raw_mode(entry.mode))?;
    Ok(rustix::fs::futimens(&folder, &times(entry.modified))?)
}

/// Gives an entry to its owner, unless it is this process's own already: an ordinary user may not even ask for that.
fn own(folder: &impl AsFd, name: &Path, entry: &UnpackedEntry) -> io::Result<()> {
    let found = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if (found.st_uid, found.st_gid) == (entry.uid, entry.gid) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
    Ok(rustix::fs::chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn times(modified: SystemTime) -> Timestamps {
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let modified = Timespec { tv_sec: since.as_secs() as i64, tv_nsec: i64::from(since.subsec_nanos()) as _ };
    Timestamps { last_access: modified, last_modification: modified }
}

/// Who new files belong to, and the permissions they do not get.
pub struct NewFileDefaults {
    pub uid: u32,
    pub gid: u32,
    pub umask: u32,
}

impl System {
    pub fn new_file_defaults(&self) -> NewFileDefaults {
        NewFileDefaults { uid: self.backend.effective_uid(), gid: local::effective_gid(), umask: local::umask() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Overlay;

    fn entry(sys: &System, path: &str, kind: UnpackedKind) -> UnpackedEntry {
        let own = sys.new_file_defaults();
        UnpackedEntry {
            path: path.into(),
            kind,
            mode: 0o640,
            uid: own.uid,
            gid: own.gid,
            modified: UNIX_EPOCH + Duration::from_secs(1_600_000_000),
        }
    }

    #[test]
    fn entries_are_laid_out_with_their_times_and_nothing_is_left_over() {
        let folder = tempfile::tempdir().expect("folder");
        let mut sys = System::local();
        let file = entry(&sys, "a/b/one", UnpackedKind::File { size: 3 });
        let link = entry(&sys, "a/link", UnpackedKind::Symlink { target: "b/one".into() });
        let mut unpacking = sys.unpack_below(folder.path()).expect("opens");
        unpacking.put(&file, &mut "abc".as_bytes()).expect("writes");
        unpacking.put(&link, &mut io::empty()).expect("links");
        unpacking.finish().expect("finishes");
        assert_eq!(std::fs::read_to_string(folder.path().join("a/link")).expect("reads"), "abc");
        let found = sys.query_link(&folder.path().join("a/b/one")).expect("looks").expect("is there");
        assert_eq!((found.mode, found.modified), (0o640, file.modified));
        assert_eq!(sys.query_directory(&folder.path().join("a/b")).expect("lists"), ["one"]);
        assert!(sys.is_changed());
    }

    #[test]
    fn a_link_that_leads_out_is_not_followed() {
        let outside = tempfile::tempdir().expect("folder");
        let folder = tempfile::tempdir().expect("folder");
        std::os::unix::fs::symlink(outside.path(), folder.path().join("out")).expect("links");
        let mut sys = System::local();
        let file = entry(&sys, "out/one", UnpackedKind::File { size: 3 });
        let mut unpacking = sys.unpack_below(folder.path()).expect("opens");
        let failure = unpacking.put(&file, &mut "abc".as_bytes()).expect_err("is refused");
        assert!(failure.message.contains("leads out of the destination"), "{}", failure.message);
        assert_eq!(std::fs::read_dir(outside.path()).expect("lists").count(), 0);
    }

    #[test]
    fn in_check_mode_later_queries_see_what_would_be_there() {
        let mut sys = System::dry(Overlay::empty().with_directory("/opt"));
        let small = entry(&sys, "a/small", UnpackedKind::File { size: 3 });
        let large = entry(&sys, "a/large", UnpackedKind::File { size: 5 << 20 });
        let mut unpacking = sys.unpack_below(Path::new("/opt")).expect("opens");
        unpacking.put(&small, &mut "abc".as_bytes()).expect("writes");
        unpacking.put(&large, &mut io::empty()).expect("writes");
        unpacking.finish().expect("finishes");
        assert_eq!(sys.query_text(Path::new("/opt/a/small")).expect("reads"), "abc");
        assert_eq!(sys.query_file(Path::new("/opt/a/large")).expect("looks").map(|found| found.size), Some(5 << 20));
        assert!(sys.query_content(Path::new("/opt/a/large")).is_err());
    }
}
