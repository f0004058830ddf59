//! Throw-away Debian hosts on this machine: real systemd, sshd, apt, a name and an address each, booted in about a second.
//!
//! A host is an overlay over a cached base image, run by `systemd-nspawn` on the lab's own bridge. Several labs run side by side, each with its
//! own bridge and /24. Everything is found again from the file system, the control groups and the links, so a crash leaves nothing that the
//! next verb does not see. Users (`hostler lab`) and the behaviour tests use the same code. It is no security boundary: a lab host has real root.
//!
//! What may not be here: printing (callers get [`Event`]s), the command line, anything about playbooks.

mod access;
mod container;
mod error;
mod home;
mod host;
mod image;
mod login;
mod machine;
mod mounts;
mod network;
mod operations;
mod process;
mod record;
mod sweep;

pub use error::LabError;
pub use host::{Host, HostState};
pub use image::Release;
pub use operations::{Event, Lab, UpOptions};

/// What every verb of the lab gives.
pub type Result<T> = std::result::Result<T, LabError>;
