//! Overlay and tmpfs mounts, and their safe end.

use std::ffi::CString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags};

use super::{LabError, Result};

/// Mounts `upper` over `lower` (topmost first) at `target`. `work` must be an empty folder on the file system of `upper`.
pub fn mount_overlay(lower: &[PathBuf], upper: &Path, work: &Path, target: &Path) -> Result<()> {
    let lower: Vec<String> = lower.iter().map(|path| path.display().to_string()).collect();
    let options = format!("lowerdir={},upperdir={},workdir={}", lower.join(":"), upper.display(), work.display());
    mount("overlay", target, &options)
}

/// A file system of at most `bytes` in memory.
pub fn mount_tmpfs(bytes: u64, target: &Path) -> Result<()> {
    mount("tmpfs", target, &format!("size={bytes},mode=0755"))
}

fn mount(kind: &str, target: &Path, options: &str) -> Result<()> {
    let options = CString::new(options).map_err(|error| LabError::Io { action: "mount", path: target.to_owned(), source: error.into() })?;
    rustix::mount::mount(kind, target, kind, MountFlags::empty(), options.as_c_str()).map_err(|error| LabError::Io {
        action: "mount",
        path: target.to_owned(),
        source: error.into(),
    })
}

pub fn is_mounted(path: &Path) -> Result<bool> {
    Ok(mounted_at_or_under(path)?.iter().any(|mounted| mounted == path))
}

/// Unmounts all that is mounted at or under a path, deepest first. What another process still uses goes when that ends.
pub fn unmount_all(path: &Path) -> Result<()> {
    for mounted in mounted_at_or_under(path)?.iter().rev() {
        rustix::mount::unmount(mounted, UnmountFlags::DETACH).map_err(|error| LabError::Io {
            action: "unmount",
            path: mounted.clone(),
            source: error.into(),
        })?;
    }
    Ok(())
}

/// Removes a folder with everything in it, after unmounting; never through a mount into something else.
pub fn remove_folder(path: &Path) -> Result<()> {
    unmount_all(path)?;
    if !mounted_at_or_under(path)?.is_empty() {
        return Err(LabError::StillMounted { path: path.to_owned() });
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(LabError::Io { action: "remove", path: path.to_owned(), source: error }),
        _ => Ok(()),
    }
}

/// In the order of mounting, so parents come before what is in them.
fn mounted_at_or_under(path: &Path) -> Result<Vec<PathBuf>> {
    Ok(mount_points(&kernel_table()?).filter(|mounted| mounted.starts_with(path)).collect())
}

fn kernel_table() -> Result<String> {
    let table = Path::new("/proc/self/mounts");
    fs::read_to_string(table).map_err(LabError::io("read", table))
}

fn mount_points(table: &str) -> impl Iterator<Item = PathBuf> + '_ {
    // The lab's own paths hold no space, so the escapes of other mount points need no decoding.
    table.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from)
}

/// Where the unified hierarchy is mounted on this machine.
pub fn cgroup2() -> Result<PathBuf> {
    let table = kernel_table()?;
    let found = table.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    found.and_then(|line| line.split(' ').nth(1)).map(PathBuf::from).ok_or(LabError::NoCgroup2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_from_the_kernels_table() {
        let table = "overlay /lab/a/root overlay rw 0 0\ntmpfs /lab/ab tmpfs rw 0 0\n";
        let points: Vec<PathBuf> = mount_points(table).collect();
        assert_eq!(points, [PathBuf::from("/lab/a/root"), PathBuf::from("/lab/ab")]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_removed_already() {
        let folder = tempfile::tempdir().unwrap();
        remove_folder(&folder.path().join("none")).unwrap();
    }
}
