//! What both ends say about the link itself, beside the frames it carries: a link that was lost goes on with the first frame that did not arrive.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Frames of this kind are for the ends of the link, and are not counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Control {
    /// By a controller that comes back: so many frames of the agent's have come.
    Attach { received: u64 },
    /// By the agent, first of all: which socket it can be found at again, and how many of the controller's frames have come.
    Attached { token: String, received: u64 },
    /// So many of your frames have come: they need not be kept.
    Received { frames: u64 },
}

/// After so many frames the other end is told that they have come.
pub const TELL_AFTER: u64 = 32;

/// The frames that one end has sent, until the other one has them.
#[derive(Default)]
pub struct SentFrames {
    kept: VecDeque<Arc<[u8]>>,
    /// How many were dropped before the first one kept.
    dropped: u64,
    bytes: usize,
}

impl SentFrames {
    pub fn push(&mut self, frame: &[u8]) {
        self.bytes += frame.len();
        self.kept.push_back(frame.into());
    }

    /// The other end has so many.
    pub fn drop_first(&mut self, received: u64) {
        while self.dropped < received
            && let Some(frame) = self.kept.pop_front()
        {
            self.bytes -= frame.len();
            self.dropped += 1;
        }
    }

    /// The frame after so many, when it is there.
    pub fn after(&self, count: u64) -> Option<Arc<[u8]>> {
        let index = count.checked_sub(self.dropped)?;
        self.kept.get(usize::try_from(index).ok()?).cloned()
    }

    /// Whether a link can go on after so many.
    pub fn can_go_on_after(&self, received: u64) -> bool {
        (self.dropped..=self.count()).contains(&received)
    }

    /// How many were sent.
    pub fn count(&self) -> u64 {
        self.dropped + self.kept.len() as u64
    }

    /// How many have not arrived, as far as is known.
    pub fn kept(&self) -> u64 {
        self.kept.len() as u64
    }

    /// The size of those that are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::SentFrames;

    #[test]
    fn frames_are_kept_until_they_have_arrived() {
        let mut sent = SentFrames::default();
        for frame in [b"one", b"two", b"six"] {
            sent.push(frame);
        }
        sent.drop_first(1);
        assert_eq!((sent.count(), sent.bytes()), (3, 6));
        assert_eq!(sent.after(1).as_deref(), Some(&b"two"[..]));
        assert_eq!((sent.after(0), sent.after(3)), (None, None));
        assert!(sent.can_go_on_after(3) && !sent.can_go_on_after(0) && !sent.can_go_on_after(4));
    }
}
