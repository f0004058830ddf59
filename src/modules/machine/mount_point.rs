//! A place where something is mounted, or may be: what is there, and the programs that change it.

use std::path::{Path, PathBuf};

use crate::base::{Map, Value};
use crate::system::{Command, Effect, Failure, Result, System};

use super::fstab::{self, Entry};

/// How a plan keeps what will be mounted, by its mount point.
const KIND: &str = "mount";

pub struct MountPoint {
    pub path: PathBuf,
}

impl MountPoint {
    pub fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// What is mounted at the path: `src` and `fstype`.
    pub fn mounted(&self, sys: &System) -> Result<Option<Map>> {
        let path = match sys.query_file(&self.path)? {
            Some(_) => sys.query_canonical(&self.path)?.to_string_lossy().into_owned(),
            None => self.name(),
        };
        let found = sys.query_record(KIND, &self.name(), || {
            Ok(mounted_at(&sys.query_text(Path::new("/proc/self/mountinfo"))?, &path).map(Value::from))
        })?;
        Ok(found.as_ref().and_then(Value::as_map).cloned())
    }

    /// Whether what is mounted there comes from the wanted source, however that is named.
    pub fn is_source(&self, mounted: &Map, wanted: &str, sys: &System) -> Result<bool> {
        let mounted = mounted.text("src").unwrap_or_default();
        if mounted == wanted {
            return Ok(true);
        }
        let device = match wanted.split_once('=') {
            Some((tag, value)) => PathBuf::from(format!("/dev/disk/by-{}/{value}", tag.to_lowercase())),
            None => PathBuf::from(wanted),
        };
        if !device.is_absolute() {
            return Ok(false);
        }
        let (Some(source), Some(here)) = (sys.query_file(&device)?, sys.query_file(&self.path)?) else { return Ok(false) };
        let is_bound = (source.device, source.inode) == (here.device, here.inode);
        Ok(is_bound || sys.query_canonical(&device)? == Path::new(mounted))
    }

    pub fn mount(&self, entry: &Entry, sys: &mut System) -> Result<()> {
        sys.mutate(self.command(entry, &[]), self.effect(entry)).map(drop).map_err(|failure| self.told("mounting", failure))
    }

    pub fn remount(&self, entry: &Entry, sys: &mut System) -> Result<()> {
        // Without `bind` the file system beneath would be mounted anew, not this view of it.
        let how = if entry.is_bound() { "remount,bind" } else { "remount" };
        let outcome = sys.mutate(self.command(entry, &["-o", how]), self.effect(entry));
        outcome.map(drop).map_err(|failure| self.told("remounting", failure))
    }

    /// Mounts anew; what cannot be changed while it is mounted is unmounted for it.
    pub fn renew(&self, entry: &Entry, sys: &mut System) -> Result<()> {
        if self.remount(entry, sys).is_ok() {
            return Ok(());
        }
        self.umount(sys)?;
        self.mount(entry, sys)
    }

    pub fn umount(&self, sys: &mut System) -> Result<()> {
        let gone = Effect::Record { kind: KIND, name: self.name(), value: None };
        let outcome = sys.mutate(Command::new("umount").arg("--").arg(&self.path), gone);
        outcome.map(drop).map_err(|failure| self.told("unmounting", failure))
    }

    /// The line goes to `mount` as a table of its own on its standard input: options may hold a password.
    fn command(&self, entry: &Entry, flags: &[&str]) -> Command {
        let command = Command::new("mount").arg("--fstab").arg("/dev/stdin").args(flags.iter().copied());
        command.arg("--").arg(&self.path).stdin(format!("{}\n", entry.line()))
    }

    fn effect(&self, entry: &Entry) -> Effect {
        Effect::Record { kind: KIND, name: entry.path.clone(), value: Some(what(&entry.source, &entry.kind).into()) }
    }

    pub fn told(&self, doing: &str, failure: Failure) -> Failure {
        let said = failure.values.text("stderr").unwrap_or(&failure.message).trim().to_owned();
        Failure { message: format!("Error {doing} {}: {said}", self.name()), ..failure }
    }
}

fn what(source: &str, kind: &str) -> Map {
    [("src", source), ("fstype", kind)].into_iter().collect()
}

/// What mountinfo says of a mount point: the last line counts, it lies on top.
fn mounted_at(mountinfo: &str, path: &str) -> Option<Map> {
    let line = mountinfo.lines().rfind(|line| line.split(' ').nth(4).map(fstab::unescape).as_deref() == Some(path))?;
    let mut after = line.split_once(" - ")?.1.split(' ');
    let kind = after.next()?;
    Some(what(&fstab::unescape(after.next()?), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_top_at_a_mount_point_counts() {
        let text = "22 27 0:21 / /proc rw - proc proc rw\n30 27 0:60 / /mnt/a\\040b rw - tmpfs first rw\n\
                    31 30 0:61 / /mnt/a\\040b rw shared:1 - ext4 /dev/b rw\n";
        assert_eq!(mounted_at(text, "/mnt/a b"), Some(what("/dev/b", "ext4")));
        assert_eq!(mounted_at(text, "/mnt"), None);
    }
}
