//! Small facts about the machine and this process that no file tells.

use std::path::Path;

use super::System;
use super::error::{Failure, Result};

/// The size of a file system, as `statvfs` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Space {
    pub fragment: u64,
    pub block: u64,
    pub blocks: u64,
    pub free: u64,
    pub available: u64,
    pub inodes: u64,
    pub inodes_free: u64,
    pub inodes_available: u64,
}

impl System {
    /// The size of the file system that holds a path.
    pub fn query_space(&self, path: &Path) -> Result<Space> {
        let found = rustix::fs::statvfs(path).map_err(|error| Failure::io("measure", path, &error.into()))?;
        Ok(Space {
            fragment: found.f_frsize,
            block: found.f_bsize,
            blocks: found.f_blocks,
            free: found.f_bfree,
            available: found.f_bavail,
            inodes: found.f_files,
            inodes_free: found.f_ffree,
            inodes_available: found.f_favail,
        })
    }

    /// Every environment variable that the task's commands see.
    pub fn query_environment_all(&self) -> std::collections::BTreeMap<String, String> {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let mut all: std::collections::BTreeMap<String, String> =
            std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        all.extend(self.context().environment.iter().cloned());
        all
    }

    /// How many processors this process may use.
    pub fn query_processors(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    /// Waits, for a lock or a port to come free; not at all in check mode, where nothing that is waited for happens.
    pub fn pause(&self, duration: std::time::Duration) {
        if !self.backend().is_dry() {
            std::thread::sleep(duration);
        }
    }

    /// The time zone's moment, as the host's clock and `/etc/localtime` have it.
    pub fn query_time(&self) -> jiff::Zoned {
        jiff::Zoned::now()
    }
}
