//! The agent as it is sent: this very program, packed, with its hash. Both are kept in the user's cache, for they cost more than a run.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// What a host gets that does not have this agent yet.
#[derive(Clone, Debug)]
pub struct Payload {
    /// SHA-256 of the unpacked program.
    pub hash: Arc<str>,
    /// Size of the packed program in bytes.
    pub packed_size: u64,
    packed: PathBuf,
}

/// This program, for agents on this machine.
///
/// # Errors
/// `/proc` cannot be read.
pub fn program() -> io::Result<PathBuf> {
    fs::canonicalize("/proc/self/exe")
}

impl Payload {
    /// Finds or makes the packed program below `cache` (a folder of the user's own).
    ///
    /// # Errors
    /// The cache cannot be written, or this program cannot be read.
    pub fn prepare(cache: &Path) -> io::Result<Payload> {
        let program = program()?;
        let found = fs::metadata(&program)?;
        let folder = cache.join("agents");
        fs::DirBuilder::new().recursive(true).create(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        // Another build has another inode, time or size.
        let stamp = format!("{:x}-{:x}-{:x}-{:x}", found.dev(), found.ino(), found.size(), found.mtime_nsec() ^ (found.mtime() << 20));
        let note = folder.join(format!("{stamp}.hash"));
        if let Ok(hash) = fs::read_to_string(&note) {
            let packed = folder.join(format!("{}.gz", hash.trim()));
            if let Ok(size) = fs::metadata(&packed).map(|found| found.len()) {
                return Ok(Payload { hash: hash.trim().into(), packed_size: size, packed });
            }
        }
        let bytes = fs::read(&program)?;
        let hash = hex::encode(Sha256::digest(&bytes));
        let packed = folder.join(format!("{hash}.gz"));
        let content = pack(&program)?;
        replace(&packed, &content)?;
        replace(&note, hash.as_bytes())?;
        Ok(Payload { hash: hash.into(), packed_size: content.len() as u64, packed })
    }

    pub async fn packed(&self) -> io::Result<Vec<u8>> {
        tokio::fs::read(&self.packed).await
    }
}

/// The program as `gzip` packs it: the host unpacks it with the same.
fn pack(program: &Path) -> io::Result<Vec<u8>> {
    let packed = std::process::Command::new("gzip").args(["-1", "-c"]).arg(program).output()?;
    match packed.status.success() {
        true => Ok(packed.stdout),
        false => Err(io::Error::other(String::from_utf8_lossy(&packed.stderr).into_owned())),
    }
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(content)?;
    fs::rename(&fresh, path)
}
