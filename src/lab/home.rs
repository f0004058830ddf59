//! The folder that holds all labs of a user: paths, records, locks.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{LabError, Result};

/// The lock for choosing a network; its dot keeps it apart from any lab's.
pub const NETWORKS: &str = "networks.all";

#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// `$HOSTLER_LAB_DIR`, or `~/.cache/hostler/lab`.
    pub fn from_environment() -> Result<Home> {
        let given = std::env::var_os("HOSTLER_LAB_DIR").filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = || std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = given.unwrap_or_else(|| {
            let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
            cache().unwrap_or_else(|| home.join(".cache")).join("hostler/lab")
        });
        Home::at(&root)
    }

    /// A given folder; it is made when it is missing.
    pub fn at(root: &Path) -> Result<Home> {
        make_private_folder(root)?;
        let root = root.canonicalize().map_err(LabError::io("open", root))?;
        let text = root.to_str().ok_or_else(|| LabError::BadFolder { path: root.clone() })?;
        if text.contains([' ', ',', ':', '\\', '"', '\'', '\n']) {
            return Err(LabError::BadFolder { path: root });
        }
        let home = Home { root };
        for folder in [home.labs(), home.images(), home.locks()] {
            make_private_folder(&folder)?;
        }
        Ok(home)
    }

    pub fn labs(&self) -> PathBuf {
        self.root.join("labs")
    }

    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    pub fn lab(&self, name: &str) -> PathBuf {
        self.labs().join(name)
    }

    fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// Waits for the lock of that name. Names of labs and hosts hold no dot, so `LAB.HOST` is unique.
    pub fn lock(&self, name: &str) -> Result<Lock> {
        loop {
            let (path, file) = self.lock_file(name)?;
            file.lock().map_err(LabError::io("lock", &path))?;
            if let Some(lock) = Lock::if_current(path, file)? {
                return Ok(lock);
            }
        }
    }

    /// The lock, or nothing when another process or thread has it.
    pub fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        let (path, file) = self.lock_file(name)?;
        match file.try_lock() {
            Ok(()) => Lock::if_current(path, file),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(source)) => Err(LabError::Io { action: "lock", path, source }),
        }
    }

    /// Removes the locks of labs that are gone. A lab in the making holds its lock, so that stays.
    pub fn sweep_locks(&self) -> Result<()> {
        let folder = self.locks();
        for entry in fs::read_dir(&folder).map_err(LabError::io("read", &folder))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let lab = name.split('.').next().unwrap_or(&name);
            if name.starts_with("image.") || name == NETWORKS || self.lab(lab).exists() {
                continue;
            }
            if let Some(lock) = self.try_lock(&name)?
                && !self.lab(lab).exists()
            {
                lock.retire()?;
            }
        }
        Ok(())
    }

    fn lock_file(&self, name: &str) -> Result<(PathBuf, File)> {
        let path = self.locks().join(name);
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(LabError::io("open", &path))?;
        Ok((path, file))
    }
}

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// A lock file that was removed while we waited for it guards nothing any more.
    fn if_current(path: PathBuf, file: File) -> Result<Option<Lock>> {
        let held = file.metadata().map_err(LabError::io("read", &path))?;
        match fs::metadata(&path) {
            Ok(there) if (there.dev(), there.ino()) == (held.dev(), held.ino()) => Ok(Some(Lock { path, file })),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LabError::Io { action: "read", path, source }),
        }
    }

    /// Releases it and removes its file, when what it guarded is gone for good.
    pub fn retire(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(LabError::io("remove", &self.path))?;
        drop(self.file);
        Ok(())
    }
}

/// A folder for its owner only (keys and disks of hosts lie in it), with its parents.
pub fn make_private_folder(path: &Path) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(LabError::io("make the folder", parent))?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(LabError::Io { action: "make the folder", path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// A record, or nothing when there is none.
pub fn read_record<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LabError::Io { action: "read", path: path.to_owned(), source }),
    };
    serde_json::from_slice(&text).map(Some).map_err(|source| LabError::BadRecord { path: path.to_owned(), source })
}

pub fn write_record<T: Serialize>(path: &Path, record: &T) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(record).map_err(|source| LabError::BadRecord { path: path.to_owned(), source })?;
    text.push(b'\n');
    replace_file(path, &text)
}

/// Writes beside and renames, so that nobody reads half a file.
pub fn replace_file(path: &Path, content: &[u8]) -> Result<()> {
    let beside = path.with_added_extension("new");
    if let Err(source) = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path)) {
        // Half a file is of no use; what failed first is what matters.
        let _ = fs::remove_file(&beside);
        return Err(LabError::Io { action: "write", path: path.to_owned(), source });
    }
    Ok(())
}

/// The names of the folders in a folder, sorted; none when it is not there. Names with a leading dot are unfinished and not listed.
pub fn folders_in(path: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(LabError::Io { action: "read", path: path.to_owned(), source }),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(LabError::io("read", path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.path().is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        let held = home.lock("demo").unwrap();
        assert!(home.try_lock("demo").unwrap().is_none());
        assert!(home.try_lock("demo.idp1").unwrap().is_some());
        drop(held);
        assert!(home.try_lock("demo").unwrap().is_some());
    }

    #[test]
    fn a_retired_lock_can_be_taken_anew() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        home.lock("demo").unwrap().retire().unwrap();
        assert!(home.try_lock("demo").unwrap().is_some());
    }

    #[test]
    fn locks_of_labs_that_are_gone_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        make_private_folder(&home.lab("demo")).unwrap();
        let names = ["demo", "demo.idp1", "gone", "gone.idp1", "image.trixie-1", NETWORKS];
        for name in names {
            home.lock(name).unwrap();
        }
        let _coming = home.lock("coming").unwrap();
        home.sweep_locks().unwrap();
        let left = |name: &str| home.locks().join(name).exists();
        assert!(left("demo") && left("demo.idp1") && left("image.trixie-1") && left(NETWORKS) && left("coming"));
        assert!(!left("gone") && !left("gone.idp1"));
    }

    #[test]
    fn a_folder_that_mount_options_cannot_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Home::at(&folder.path().join("a,b")).unwrap_err();
        assert!(matches!(error, LabError::BadFolder { .. }), "{error:?}");
    }
}
