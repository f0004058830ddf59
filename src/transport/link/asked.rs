//! A task on its way.

use tokio::sync::oneshot;

use crate::wire::{TaskReply, ToAgent};

use super::super::error::LinkError;
use super::Link;

/// A task that was sent. When nobody waits for it any more (time-out, Ctrl-C) it is ended on the host too.
pub struct Asked {
    pub(super) link: Link,
    pub(super) id: u64,
    /// `None` once it is answered, or nobody wants the answer.
    pub(super) answer: Option<oneshot::Receiver<Result<TaskReply, LinkError>>>,
}

impl Asked {
    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Waits for the reply.
    ///
    /// # Errors
    /// The link was lost.
    pub async fn answer(mut self) -> Result<TaskReply, LinkError> {
        let lost = || LinkError::Lost("the agent did not answer".into());
        let answer = match &mut self.answer {
            Some(answer) => answer.await.unwrap_or_else(|_| Err(lost())),
            None => Err(lost()),
        };
        self.answer = None;
        answer
    }

    /// Nobody wants the answer: the agent drops the task by itself.
    pub fn forget(mut self) {
        self.answer = None;
        self.link.shared.lock().waiting.remove(&(self.link.channel, self.id));
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.answer.is_some() {
            self.link.shared.lock().waiting.remove(&(self.link.channel, self.id));
            // A link that is gone has taken the task with it.
            self.link.send(&ToAgent::Cancel { id: self.id }).unwrap_or_default();
        }
    }
}
