//! The journal: what happens in a run, as events, written down before anything shows it, and read again later.
//! No text for people is made here (that is `report`), and nothing here knows how a task runs.

pub mod event;
pub mod journal;
mod redact;
pub mod store;

pub use event::{Event, Sink, TaskId, TaskResult};
pub use journal::{Journal, Keeper};
pub use store::Store;
