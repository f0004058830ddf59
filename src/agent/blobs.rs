//! Content from the controller: asked for by hash when a module needs it, checked when it is here.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::system::{Blobs, Failure, Result};
use crate::wire::FromAgent;

use super::outbox::Outbox;

/// A piece as it arrived, or why it will not.
pub enum Piece {
    Bytes { sha256: String, bytes: Vec<u8>, last: bool },
    Missing { sha256: String, why: String },
}

/// What was sent unasked, by hash.
#[derive(Clone, Default)]
pub struct Offers(Arc<Mutex<HashMap<String, Arc<Vec<u8>>>>>);

/// Offers are kept as long as all of them together are no larger: what is not kept is asked for.
const MOST_OFFERED: usize = 32 * 1024 * 1024;

impl Offers {
    pub fn keep(&self, sha256: String, content: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.values().map(|content| content.len()).sum::<usize>() + content.len() <= MOST_OFFERED {
            kept.insert(sha256, Arc::new(content));
        }
    }

    fn get(&self, sha256: &str) -> Option<Arc<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(sha256).cloned()
    }
}

/// No content is larger: the host's memory holds it while it is checked.
const LARGEST_BLOB: usize = 2 * 1024 * 1024 * 1024;

/// Asks over the link, and takes the pieces that the reader hands over.
pub struct LinkBlobs {
    outbox: Outbox,
    pieces: Arc<Mutex<Receiver<Piece>>>,
    offers: Offers,
}

impl LinkBlobs {
    pub fn new(outbox: Outbox, offers: Offers) -> (Self, Sender<Piece>) {
        let (sender, receiver) = channel();
        (LinkBlobs { outbox, pieces: Arc::new(Mutex::new(receiver)), offers }, sender)
    }

    /// A second asker over the same link; only one task runs at a time.
    pub fn share(&self) -> Self {
        LinkBlobs { outbox: self.outbox.clone(), pieces: self.pieces.clone(), offers: self.offers.clone() }
    }
}

impl Blobs for LinkBlobs {
    fn fetch(&mut self, sha256: &str) -> Result<Arc<Vec<u8>>> {
        if let Some(content) = self.offers.get(sha256).filter(|content| hex::encode(Sha256::digest(content.as_slice())) == sha256) {
            return Ok(content);
        }
        self.outbox.send(&FromAgent::NeedBlob { sha256: sha256.to_owned() });
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut content = Vec::new();
        loop {
            match pieces.recv() {
                Err(_) => return Err(Failure::new("the link to the controller was lost while content was on its way")),
                Ok(Piece::Missing { sha256: hash, why }) if hash == sha256 => return Err(Failure::new(why)),
                Ok(Piece::Bytes { sha256: hash, bytes, last }) if hash == sha256 => {
                    if content.len() + bytes.len() > LARGEST_BLOB {
                        return Err(Failure::new(format!("content is larger than the {LARGEST_BLOB} bytes allowed")));
                    }
                    content.extend_from_slice(&bytes);
                    if last {
                        break;
                    }
                }
                // Left over from a fetch that was given up.
                Ok(_) => {}
            }
        }
        if hex::encode(Sha256::digest(&content)) != sha256 {
            return Err(Failure::new("content arrived damaged: its hash is not the one announced"));
        }
        Ok(Arc::new(content))
    }
}
