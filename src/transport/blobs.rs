//! Contents that tasks announce to hosts by hash: kept once, sent to whoever asks.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// Pieces of this size keep a long transfer from blocking the link.
pub const PIECE: usize = 1024 * 1024;

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

    /// The content of a hash.
    ///
    /// # Errors
    /// A sentence: nobody announced it, or its file cannot be read any more.
    pub async fn get(&self, sha256: &str) -> Result<Arc<Vec<u8>>, String> {
        let source = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(sha256).cloned();
        match source {
            Some(Source::Bytes(bytes)) => Ok(bytes),
            Some(Source::File(path)) => {
                tokio::fs::read(&path).await.map(Arc::new).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
            }
            None => Err(format!("the host asked for content `{sha256}` that no task has announced")),
        }
    }
}
