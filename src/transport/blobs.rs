//! Contents that tasks announce to hosts by hash: kept once, sent to whoever asks.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

/// Pieces of this size keep a long transfer from blocking the link.
pub const PIECE: usize = 1024 * 1024;

/// To send so much is cheaper than to be asked for it.
const SMALL: usize = 32 * 1024;

#[derive(Clone)]
enum Source {
    Bytes(Arc<Vec<u8>>),
    File(PathBuf),
}

/// Shared by all hosts of a run.
#[derive(Clone, Default)]
pub struct BlobStore {
    known: Arc<Mutex<HashMap<String, Source>>>,
}

impl BlobStore {
    /// Keeps bytes; gives their SHA-256.
    pub fn put(&self, bytes: Vec<u8>) -> String {
        let sha256 = hex::encode(Sha256::digest(&bytes));
        self.insert(&sha256, Source::Bytes(Arc::new(bytes)));
        sha256
    }

    /// Announces a file without keeping it in memory; its hash was computed by the caller.
    pub fn put_file(&self, sha256: &str, path: PathBuf) {
        self.insert(sha256, Source::File(path));
    }

    fn insert(&self, sha256: &str, source: Source) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(sha256.to_owned()).or_insert(source);
    }

    /// Content that is small enough to be sent unasked.
    pub fn small(&self, sha256: &str) -> Option<Arc<Vec<u8>>> {
        match self.known.lock().unwrap_or_else(PoisonError::into_inner).get(sha256) {
            Some(Source::Bytes(bytes)) if bytes.len() <= SMALL => Some(bytes.clone()),
            _ => None,
        }
    }

    /// The content of a hash, piece by piece.
    ///
    /// # Errors
    /// A sentence: nobody announced it, or its file cannot be read any more.
    pub async fn open(&self, sha256: &str) -> Result<Pieces, String> {
        let source = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(sha256).cloned();
        match source {
            Some(Source::Bytes(bytes)) => Ok(Pieces::Bytes(bytes, 0)),
            Some(Source::File(path)) => match tokio::fs::File::open(&path).await {
                Ok(file) => Ok(Pieces::File(file, path)),
                Err(error) => Err(unreadable(&path, &error)),
            },
            None => Err(format!("the host asked for content `{sha256}` that no task has announced")),
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("cannot read `{}`: {error}", path.display())
}

/// Content on its way: what is in memory with how much of it is sent, or a file.
pub enum Pieces {
    Bytes(Arc<Vec<u8>>, usize),
    File(tokio::fs::File, PathBuf),
}

impl Pieces {
    /// The next piece; an empty one when there is no more.
    ///
    /// # Errors
    /// A sentence: its file cannot be read any more.
    pub async fn next(&mut self) -> Result<Vec<u8>, String> {
        match self {
            Pieces::Bytes(bytes, sent) => {
                let piece = &bytes[*sent..bytes.len().min(*sent + PIECE)];
                *sent += piece.len();
                Ok(piece.to_vec())
            }
            Pieces::File(file, path) => {
                let mut piece = Vec::with_capacity(PIECE);
                file.take(PIECE as u64).read_to_end(&mut piece).await.map_err(|error| unreadable(path, &error))?;
                Ok(piece)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all_of(store: &BlobStore, sha256: &str) -> Vec<usize> {
        let mut pieces = store.open(sha256).await.expect("is known");
        let mut lengths = Vec::new();
        loop {
            match pieces.next().await.expect("is read").len() {
                0 => return lengths,
                length => lengths.push(length),
            }
        }
    }

    #[tokio::test]
    async fn content_goes_in_pieces_from_memory_and_from_a_file_alike() {
        let store = BlobStore::default();
        let content = vec![7; 2 * PIECE + 1];
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("archive");
        std::fs::write(&path, &content).expect("writes");
        store.put_file("from a file", path.clone());
        let from_memory = store.put(content);
        assert_eq!(all_of(&store, &from_memory).await, [PIECE, PIECE, 1]);
        assert_eq!(all_of(&store, "from a file").await, [PIECE, PIECE, 1]);
        std::fs::remove_file(path).expect("removes");
        assert!(store.open("from a file").await.is_err_and(|why| why.starts_with("cannot read")));
        assert!(store.open("unknown").await.is_err_and(|why| why.contains("no task has announced")));
    }
}
