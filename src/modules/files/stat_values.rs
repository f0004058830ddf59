//! What `stat` and `find` tell of a path, under Ansible's names.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::Map;
use crate::system::{FileKind, Metadata, System};

/// Kind, mode, owner, size and times of what was found.
pub fn stat_values(found: &Metadata, sys: &System) -> Map {
    let mut values = Map::new();
    values.insert("mode", format!("{:04o}", found.mode));
    for (name, kind) in [
        ("isdir", FileKind::Directory),
        ("ischr", FileKind::CharDevice),
        ("isblk", FileKind::BlockDevice),
        ("isreg", FileKind::File),
        ("isfifo", FileKind::Fifo),
        ("islnk", FileKind::Symlink),
        ("issock", FileKind::Socket),
    ] {
        values.insert(name, found.kind == kind);
    }
    for (name, number) in
        [("uid", u64::from(found.uid)), ("gid", u64::from(found.gid)), ("size", found.size), ("inode", found.inode), ("dev", found.device)]
    {
        values.insert(name, number);
    }
    values.insert("nlink", found.links);
    for (name, time) in [("atime", found.accessed), ("mtime", found.modified), ("ctime", found.changed)] {
        values.insert(name, seconds(time));
    }
    for (who, shift) in [("usr", 6), ("grp", 3), ("oth", 0)] {
        for (what, bit) in [("w", 2), ("r", 4), ("x", 1)] {
            values.insert(format!("{what}{who}"), (found.mode >> shift) & bit != 0);
        }
    }
    values.insert("isuid", found.mode & 0o4000 != 0);
    values.insert("isgid", found.mode & 0o2000 != 0);
    for (key, name) in [
        ("pw_name", sys.query_user_by_id(found.uid).ok().flatten().map(|user| user.name)),
        ("gr_name", sys.query_group_by_id(found.gid).ok().flatten().map(|group| group.name)),
    ] {
        if let Some(name) = name {
            values.insert(key, name);
        }
    }
    values
}

/// A time as seconds since 1970 with their fraction.
pub fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
