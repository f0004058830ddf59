//! The real host. File changes are made here, and only here: written to a fresh name, synced, then renamed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::Value;

use super::accounts::{self, Group, User};
use super::backend::Backend;
use super::command::{Command, Completed, run_locally};
use super::content::Stream;
use super::effect::{Effect, FileChange};
use super::error::{Failure, Result};
use super::files::Metadata;
use super::packages::{self, Package};
use super::services::{self, Unit};

/// This machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local;

impl Backend for Local {
    fn is_dry(&self) -> bool {
        false
    }

    fn apply(&mut self, effect: &Effect) -> Result<()> {
        match effect {
            Effect::File(change) => apply_file(change).map_err(|error| failed(change, &error)),
            // The command that was run has brought these about.
            Effect::User { .. }
            | Effect::Group { .. }
            | Effect::Unit { .. }
            | Effect::Package { .. }
            | Effect::Record { .. }
            | Effect::Command { .. } => Ok(()),
        }
    }

    fn lstat(&self, path: &Path) -> io::Result<Option<Metadata>> {
        match fs::symlink_metadata(path) {
            Ok(found) => Ok(Some(Metadata::from_std(&found))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Arc<Vec<u8>>> {
        fs::read(path).map(Arc::new)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Stream>> {
        File::open(path).map(|file| Box::new(file) as Box<dyn Stream>)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let mut names = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn user(&self, name: &str) -> Result<Option<User>> {
        accounts::local_user(name)
    }

    fn user_by_id(&self, uid: u32) -> Result<Option<User>> {
        accounts::local_user_by_id(uid)
    }

    fn group(&self, name: &str) -> Result<Option<Group>> {
        accounts::local_group(name)
    }

    fn group_by_id(&self, gid: u32) -> Result<Option<Group>> {
        accounts::local_group_by_id(gid)
    }

    fn groups(&self) -> Result<Vec<Group>> {
        accounts::local_groups()
    }

    fn users(&self) -> Result<Vec<User>> {
        accounts::local_users()
    }

    fn unit(&self, name: &str) -> Result<Unit> {
        services::local_unit(name)
    }

    fn package(&self, name: &str) -> Result<Option<Package>> {
        packages::local_package(name)
    }

    fn packages(&self) -> Result<Vec<Package>> {
        packages::local_packages()
    }

    fn is_imagined(&self, _below: &Path) -> bool {
        false
    }

    fn plans_packages(&self) -> bool {
        false
    }

    fn known_record(&self, _kind: &str, _name: &str) -> Option<Option<Value>> {
        None
    }

    fn run(&self, command: &Command) -> Result<Completed> {
        run_locally(command)
    }

    fn effective_uid(&self) -> u32 {
        nix::unistd::geteuid().as_raw()
    }
}

/// The gid that new files get.
pub fn effective_gid() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// The process's umask, read without changing it.
pub fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(0o022)
}

fn failed(change: &FileChange, error: &io::Error) -> Failure {
    let doing = match change {
        FileChange::Write { .. } => "write",
        FileChange::Unpacked { .. } => "unpack",
        FileChange::Directory { .. } => "make the folder",
        FileChange::Symlink { .. } | FileChange::HardLink { .. } => "link",
        FileChange::Remove { .. } => "remove",
        FileChange::Rename { .. } => "rename",
        FileChange::Mode { .. } => "set the mode of",
        FileChange::Owner { .. } => "set the owner of",
        FileChange::Times { .. } => "set the times of",
        FileChange::Flags { .. } => "set the flags of",
    };
    let failure = Failure::io(doing, change.path(), error);
    match error.kind() {
        io::ErrorKind::StorageFull => failure.context("the disk is full, nothing was changed"),
        _ => failure,
    }
}

fn apply_file(change: &FileChange) -> io::Result<()> {
    match change {
        FileChange::Write { path, content, mode, uid, gid } => replace(path, content, *mode, *uid, *gid),
        FileChange::Directory { path, mode, uid, gid } => {
            fs::DirBuilder::new().mode(0o700).create(path)?;
            own(path, *uid, *gid)?;
            fs::set_permissions(path, fs::Permissions::from_mode(*mode))
        }
        FileChange::Symlink { path, target, uid, gid } => via_fresh_name(path, |fresh| {
            symlink(target, fresh)?;
            own(fresh, *uid, *gid)
        }),
        FileChange::HardLink { path, source } => via_fresh_name(path, |fresh| fs::hard_link(source, fresh)),
        FileChange::Remove { path } => match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            // The command that was run has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        },
        FileChange::Rename { from, to } => fs::rename(from, to),
        FileChange::Mode { path, mode } => fs::set_permissions(path, fs::Permissions::from_mode(*mode)),
        FileChange::Owner { path, uid, gid } => lchown(path, Some(*uid), Some(*gid)),
        FileChange::Times { path, accessed, modified } => set_times(path, *accessed, *modified),
        // Made by `chattr`, and by `unpack`.
        FileChange::Flags { .. } | FileChange::Unpacked { .. } => Ok(()),
    }
}

fn set_times(path: &Path, accessed: Option<SystemTime>, modified: Option<SystemTime>) -> io::Result<()> {
    let spec = |time: Option<SystemTime>| match time.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()) {
        Some(since) => rustix::fs::Timespec { tv_sec: since.as_secs() as i64, tv_nsec: i64::from(since.subsec_nanos()) as _ },
        None => rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT as _ },
    };
    let times = rustix::fs::Timestamps { last_access: spec(accessed), last_modification: spec(modified) };
    let set = |times: &rustix::fs::Timestamps| rustix::fs::utimensat(rustix::fs::CWD, path, times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
    let is_now = |time: Option<SystemTime>| time.and_then(|time| time.elapsed().ok()).is_some_and(|past| past.as_secs() < 5);
    match set(&times) {
        // Who may write a file but does not own it can set its times to the present, by the kernel's own clock.
        Err(rustix::io::Errno::PERM) if is_now(accessed) && is_now(modified) => {
            let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW as _ };
            Ok(set(&rustix::fs::Timestamps { last_access: now, last_modification: now })?)
        }
        other => Ok(other?),
    }
}

/// Changes the owner only where it differs: an ordinary user may not even ask for its own.
fn own(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::symlink_metadata(path)?;
    if (found.uid(), found.gid()) == (uid, gid) {
        return Ok(());
    }
    lchown(path, Some(uid), Some(gid))
}

/// Gives a file that will take another's place its owner. An owner that is only kept may be lost: the folder allows the file to be replaced
/// all the same. One that the file did not have must be had.
fn keep_owner(old: &Path, new: &Path, uid: u32, gid: u32) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let is_kept = || fs::symlink_metadata(old).is_ok_and(|found| (found.uid(), found.gid()) == (uid, gid));
    match own(new, uid, gid) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_kept() => Ok(()),
        other => other,
    }
}

fn replace(path: &Path, content: &[u8], mode: u32, uid: u32, gid: u32) -> io::Result<()> {
    via_fresh_name(path, |fresh| {
        let mut file = create_new(fresh)?;
        file.write_all(content)?;
        keep_owner(path, fresh, uid, gid)?;
        keep_extended_attributes(path, fresh)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()
    })
}

/// Gives a file that will take another's place the other's extended attributes: access lists, labels, capabilities. What the file system
/// or this account may not set is left out, as when a file is copied.
fn keep_extended_attributes(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = vec![0u8; 64 * 1024];
    let Ok(length) = rustix::fs::llistxattr(from, &mut names[..]) else { return Ok(()) };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = std::ffi::CString::new(name)?;
        let mut value = vec![0u8; 64 * 1024];
        let Ok(size) = rustix::fs::lgetxattr(from, name.as_c_str(), &mut value[..]) else { continue };
        match rustix::fs::lsetxattr(to, name.as_c_str(), &value[..size], rustix::fs::XattrFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::PERM | rustix::io::Errno::NOTSUP | rustix::io::Errno::INVAL | rustix::io::Errno::ACCESS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Builds something under a fresh name in the destination's folder, then renames it over the destination; nothing is left when it fails.
fn via_fresh_name(path: &Path, build: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let fresh = fresh_name(path);
    let outcome = build(&fresh).and_then(|()| fs::rename(&fresh, path));
    if outcome.is_err() {
        // The first error is the one to tell.
        fs::remove_file(&fresh).unwrap_or_default();
    }
    outcome
}

fn fresh_name(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String = name.chars().take(100).collect();
    folder.join(format!(".{name}.{}.hostler", uuid::Uuid::new_v4().simple()))
}

fn create_new(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(path)
}

/// Writes a candidate for `validate` in a folder for temporary files: readable as the real one will be, gone when the caller removes it.
pub fn write_candidate(folder: &Path, name: &str, content: &[u8], mode: u32) -> io::Result<PathBuf> {
    let path = fresh_name(&folder.join(name));
    let mut file = create_new(&path)?;
    file.write_all(content)?;
    file.set_permissions(fs::Permissions::from_mode(mode & 0o777))?;
    Ok(path)
}

/// Makes a folder that only this account can enter, under a fresh name.
pub fn private_folder(parent: &Path) -> io::Result<PathBuf> {
    let path = parent.join(format!("hostler-{}", uuid::Uuid::new_v4().simple()));
    fs::DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}

/// Writes a file that can be run by this account alone.
pub fn write_program(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = create_new(path)?;
    file.write_all(content)?;
    file.set_permissions(fs::Permissions::from_mode(0o700))
}

/// Puts a file in a place for the time that `work` takes; what was there comes back afterwards.
pub fn with_stand_in<T>(path: &Path, content: &[u8], mode: u32, work: impl FnOnce() -> T) -> io::Result<T> {
    let aside = fresh_name(path);
    let _turn = wait_for_turn(path)?;
    // One of the same content was left by a run that was cut off.
    let had_one = fs::symlink_metadata(path).is_ok() && fs::read(path).ok().as_deref() != Some(content);
    if had_one {
        fs::rename(path, &aside)?;
    }
    let placed = replace(path, content, mode, nix::unistd::geteuid().as_raw(), effective_gid());
    let outcome = placed.map(|()| work());
    match had_one {
        true => fs::rename(&aside, path)?,
        false if outcome.is_ok() => fs::remove_file(path)?,
        false => {}
    }
    outcome
}

/// Only one stands in at a time: an interrupted run may still be at it. Held until the file is dropped.
fn wait_for_turn(path: &Path) -> io::Result<Option<fs::File>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(format!("/run/hostler-{name}.lock"));
    // Without the right to hold a lock there is no right to what it is for either.
    let Ok(lock) = lock else { return Ok(None) };
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(Some(lock))
}

/// Overwrites a file where it stands: for files that cannot be replaced by a rename (`unsafe_writes`).
pub fn write_in_place(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{System, WriteFile};

    #[test]
    fn a_real_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("motd");
        let mut sys = System::local();
        sys.write_file(WriteFile::new(&path, "one")).expect("writes");
        sys.write_file(WriteFile::new(&path, "two")).expect("writes");
        assert_eq!(fs::read_to_string(&path).expect("reads"), "two");
        assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 1);
    }

    #[test]
    fn what_a_program_has_removed_is_not_missed() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("empty");
        fs::create_dir(&path).expect("makes");
        let gone = Effect::File(FileChange::Remove { path: path.clone() });
        System::local().mutate(Command::new("rmdir").arg(&path), gone).expect("removes");
        assert!(!path.exists());
    }

    #[test]
    fn a_failed_validation_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("conf");
        let mut sys = System::local();
        sys.write_file(WriteFile::new(&path, "good")).expect("writes");
        let failure = sys.write_file(WriteFile::new(&path, "bad").validate(Some("grep good %s".into()))).expect_err("is refused");
        assert!(failure.message.starts_with("failed to validate: rc:1"), "{}", failure.message);
        assert_eq!(fs::read_to_string(&path).expect("reads"), "good");
    }
}
