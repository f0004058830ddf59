//! How the controller reaches a host: the link, its SSH master, the agent's way there. It moves messages; what they mean is the engine's.

use std::path::PathBuf;

mod blobs;
mod error;
mod link;
mod payload;
mod session;
mod ssh;

pub use blobs::BlobStore;
pub use error::LinkError;
pub use link::{Asked, Link, OutputLine};
pub use payload::Payload;
pub use ssh::{ASKPASS_SOCKET, SshOptions};

/// Where a host is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// This machine, as the user who runs Hostler, in the folder of the playbook.
    Local(PathBuf),
    Ssh(Box<SshOptions>),
}
