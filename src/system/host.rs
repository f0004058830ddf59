//! Small facts about the machine and this process that no file tells.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::System;
use super::command::{Command, run_locally};
use super::error::{Failure, Result};

/// The addresses of a name, asked from the host's own resolver: this program never asks libc. There is at least one.
pub(super) fn addresses_of(name: &str) -> Result<Vec<IpAddr>> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    if name == "localhost" {
        return Ok(vec![Ipv4Addr::LOCALHOST.into()]);
    }
    let found = run_locally(&Command::new("getent").arg("ahosts").arg("--").arg(name))?;
    let text = found.stdout_text();
    let mut addresses: Vec<IpAddr> = text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    addresses.dedup();
    match addresses.is_empty() {
        true => Err(Failure::new(format!("the host name `{name}` has no address"))),
        false => Ok(addresses),
    }
}

/// What tells this machine and its view of files from any other: the kernel's boot and the namespace of its mounts.
pub fn this_machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mounts = std::fs::read_link("/proc/self/ns/mnt").unwrap_or_default();
    format!("{} {}", boot.trim(), mounts.display())
}

/// A connection to the first address that takes one; `None`: none does.
fn connect(host: &str, port: u16, wait: Duration) -> Result<Option<TcpStream>> {
    // A name that has no address yet may get one: that is no reason to stop waiting.
    let Ok(addresses) = addresses_of(host) else { return Ok(None) };
    let wait = wait.max(Duration::from_millis(100));
    Ok(addresses.into_iter().find_map(|address| TcpStream::connect_timeout(&SocketAddr::new(address, port), wait).ok()))
}

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

    /// Whether time passes here: in check mode nothing that could be waited for happens.
    pub fn can_wait(&self) -> bool {
        !self.backend().is_dry()
    }

    /// Whether somebody takes connections at a port.
    pub fn query_port(&self, host: &str, port: u16, wait: Duration) -> Result<bool> {
        Ok(connect(host, port, wait)?.is_some())
    }

    /// Connects to a port and reads until `found` says so (true), or until it closes or the end has come (false).
    pub fn read_port(&self, host: &str, port: u16, wait: Duration, end: Instant, mut found: impl FnMut(&[u8]) -> bool) -> Result<bool> {
        let Some(mut stream) = connect(host, port, wait)? else { return Ok(false) };
        let mut text = Vec::new();
        let mut piece = [0u8; 4096];
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if stream.set_read_timeout(Some(left)).is_err() {
                return Ok(false);
            }
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return Ok(false),
                Ok(length) => text.extend_from_slice(&piece[..length]),
            }
            if found(&text) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The time zone's moment, as the host's clock and `/etc/localtime` have it.
    pub fn query_time(&self) -> jiff::Zoned {
        jiff::Zoned::now()
    }
}
