//! What stands behind the door: the real host, or an overlay over it (or over an empty machine).

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::Value;

use super::accounts::{Group, User};
use super::command::{Command, Completed};
use super::content::Stream;
use super::effect::Effect;
use super::error::Result;
use super::files::Metadata;
use super::packages::Package;
use super::services::Unit;

/// Reads of the host's state, and one way to change it. Queries answer with what is, including what an overlay has only imagined.
pub trait Backend: Send {
    /// Whether changes stay in memory.
    fn is_dry(&self) -> bool;

    /// Makes an effect true that only this backend can: file changes on the real host, everything in an overlay. Effects that a command has
    /// already brought about on the real host need nothing more there.
    fn apply(&mut self, effect: &Effect) -> Result<()>;

    /// The path itself, not what a link points to; `None`: not there.
    fn lstat(&self, path: &Path) -> io::Result<Option<Metadata>>;
    fn read(&self, path: &Path) -> io::Result<Arc<Vec<u8>>>;
    /// The content as a stream, for what is too large to hold.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Stream>>;
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;
    /// Names in a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;
    /// The path with links of every component resolved.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;

    fn user(&self, name: &str) -> Result<Option<User>>;
    fn user_by_id(&self, uid: u32) -> Result<Option<User>>;
    fn group(&self, name: &str) -> Result<Option<Group>>;
    fn group_by_id(&self, gid: u32) -> Result<Option<Group>>;
    fn groups(&self) -> Result<Vec<Group>>;
    fn users(&self) -> Result<Vec<User>>;

    fn unit(&self, name: &str) -> Result<Unit>;

    /// An installed package; `None`: not installed.
    fn package(&self, name: &str) -> Result<Option<Package>>;
    /// Every installed package.
    fn packages(&self) -> Result<Vec<Package>>;

    /// Whether anything at or below this path is only believed, not on the host.
    fn is_imagined(&self, below: &Path) -> bool;

    /// What the overlay believes of a record: `None` when it knows nothing, `Some(None)` when it was removed.
    fn known_record(&self, kind: &str, name: &str) -> Option<Option<Value>>;

    /// Whether packages are only believed to be installed: what they bring is not known yet.
    fn plans_packages(&self) -> bool;

    /// Starts a program. The caller says through `System` whether this only reads or changes something.
    fn run(&self, command: &Command) -> Result<Completed>;

    /// The uid that changes are made as.
    fn effective_uid(&self) -> u32;
}
