//! Files: what is there.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::System;
use super::error::{Failure, Result};

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
    /// The device that a device file stands for.
    pub stands_for: u64,
    /// Blocks of 512 bytes that it takes.
    pub blocks: u64,
    /// The size of a block that is good for reading and writing.
    pub block_size: u64,
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
            stands_for: found.rdev(),
            blocks: found.blocks(),
            block_size: found.blksize(),
            accessed: time(found.atime(), found.atime_nsec()),
            modified: time(found.mtime(), found.mtime_nsec()),
            changed: time(found.ctime(), found.ctime_nsec()),
        }
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
                Err(error) if leads_nowhere(&error) => Ok(None),
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
}

/// Whether following a link failed because nothing is at its end: no such path, a file in place of a folder, or links in a circle.
fn leads_nowhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Overlay;

    #[test]
    fn links_in_a_circle_lead_nowhere() {
        let folder = tempfile::tempdir().expect("folder");
        let link = folder.path().join("round");
        std::os::unix::fs::symlink(&link, &link).expect("links");
        assert_eq!(System::local().query_file(&link).expect("looks"), None);
        let sys = System::dry(Overlay::empty().with_symlink("/round", "/round"));
        assert_eq!(sys.query_file(Path::new("/round")).expect("looks"), None);
    }
}
