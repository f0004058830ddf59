//! File contents as streams: for files too large to hold in memory, and for checksums of them.

use std::io::{Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use sha2::Digest as _;

use super::System;
use super::error::{Failure, Result};

/// Something to read and move about in: a file on the host, or content in memory.
pub trait Stream: Read + Seek + Send {}

impl<T: Read + Seek + Send> Stream for T {}

/// Shared content as a stream.
pub fn stream_of(content: Arc<Vec<u8>>) -> Box<dyn Stream> {
    struct Shared(Arc<Vec<u8>>);
    impl AsRef<[u8]> for Shared {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Box::new(Cursor::new(Shared(content)))
}

/// The checksums that modules know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Checksum {
    /// By the name that playbooks use; `None`: not one of them.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "md5" => Checksum::Md5,
            "sha1" => Checksum::Sha1,
            "sha224" => Checksum::Sha224,
            "sha256" => Checksum::Sha256,
            "sha384" => Checksum::Sha384,
            "sha512" => Checksum::Sha512,
            _ => return None,
        })
    }

    /// The checksum of bytes in memory, in lower-case hex.
    pub fn of(self, bytes: &[u8]) -> String {
        match self {
            Checksum::Md5 => hex::encode(md5::Md5::digest(bytes)),
            Checksum::Sha1 => hex::encode(sha1::Sha1::digest(bytes)),
            Checksum::Sha224 => hex::encode(sha2::Sha224::digest(bytes)),
            Checksum::Sha256 => hex::encode(sha2::Sha256::digest(bytes)),
            Checksum::Sha384 => hex::encode(sha2::Sha384::digest(bytes)),
            Checksum::Sha512 => hex::encode(sha2::Sha512::digest(bytes)),
        }
    }

    /// The checksum of everything that a stream still gives.
    pub fn of_stream(self, stream: &mut dyn Read) -> std::io::Result<String> {
        match self {
            Checksum::Md5 => digest::<md5::Md5>(stream),
            Checksum::Sha1 => digest::<sha1::Sha1>(stream),
            Checksum::Sha224 => digest::<sha2::Sha224>(stream),
            Checksum::Sha256 => digest::<sha2::Sha256>(stream),
            Checksum::Sha384 => digest::<sha2::Sha384>(stream),
            Checksum::Sha512 => digest::<sha2::Sha512>(stream),
        }
    }
}

fn digest<D: sha2::Digest>(stream: &mut dyn Read) -> std::io::Result<String> {
    let mut hasher = D::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// What a process may do with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub readable: bool,
    pub writeable: bool,
    pub executable: bool,
}

impl System {
    /// A file's content as a stream; links are followed.
    pub fn query_stream(&self, path: &Path) -> Result<Box<dyn Stream>> {
        let path = self.absolute(path);
        self.backend.open(&path).map_err(|error| Failure::io("read", &path, &error))
    }

    /// The checksum of a file, read piece by piece.
    pub fn query_checksum(&self, path: &Path, checksum: Checksum) -> Result<String> {
        let mut stream = self.query_stream(path)?;
        checksum.of_stream(&mut stream).map_err(|error| Failure::io("read", path, &error))
    }

    /// What this process may do with a path that exists; links are followed.
    pub fn query_access(&self, path: &Path) -> Result<Access> {
        let path = self.absolute(path);
        if !self.backend.is_dry() {
            let may = |wanted| rustix::fs::accessat(rustix::fs::CWD, &path, wanted, rustix::fs::AtFlags::EACCESS).is_ok();
            use rustix::fs::Access as Ask;
            return Ok(Access { readable: may(Ask::READ_OK), writeable: may(Ask::WRITE_OK), executable: may(Ask::EXEC_OK) });
        }
        let Some(found) = self.query_file(&path)? else {
            return Ok(Access { readable: false, writeable: false, executable: false });
        };
        let uid = self.backend.effective_uid();
        if uid == 0 {
            return Ok(Access { readable: true, writeable: true, executable: found.is_directory() || found.mode & 0o111 != 0 });
        }
        let in_group = found.gid == super::local::effective_gid();
        let bits = match (uid == found.uid, in_group) {
            (true, _) => found.mode >> 6,
            (_, true) => found.mode >> 3,
            _ => found.mode,
        };
        Ok(Access { readable: bits & 4 != 0, writeable: bits & 2 != 0, executable: bits & 1 != 0 })
    }

    /// The permission bits that a new file or folder does not get.
    pub fn umask(&self) -> u32 {
        super::local::umask()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Overlay;

    #[test]
    fn a_checksum_is_the_same_from_memory_and_from_a_stream() {
        let sys = System::dry(Overlay::empty().with_file("/a", "abc"));
        let streamed = sys.query_checksum(Path::new("/a"), Checksum::Sha1).expect("reads");
        assert_eq!(streamed, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(Checksum::Sha1.of(b"abc"), streamed);
        assert_eq!(Checksum::named("SHA512"), Some(Checksum::Sha512));
    }

    #[test]
    fn root_may_read_everything_but_not_execute_what_nobody_may() {
        let sys = System::dry(Overlay::empty().with_file("/a", "abc"));
        let access = sys.query_access(Path::new("/a")).expect("looks");
        assert_eq!((access.readable, access.executable), (true, false));
    }
}
