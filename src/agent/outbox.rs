//! The way to the controller.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::wire::{FromAgent, encode};

/// Where messages to the controller go; clones write to the same place, a whole frame at a time.
#[derive(Clone)]
pub struct Outbox {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
}

impl Outbox {
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Outbox { writer: Arc::new(Mutex::new(Box::new(writer))) }
    }

    /// Sends one message. A controller that is gone is noticed by the reader, which ends the agent.
    pub fn send(&self, message: &FromAgent) {
        let Ok(frame) = encode(message) else { return };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(&frame).and_then(|()| writer.flush()).unwrap_or_default();
    }
}
