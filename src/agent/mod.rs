//! The target's side of the link: obeys the messages of `wire`, runs modules through `System`. Synchronous; it opens no port, resolves no
//! names through libc, and knows nothing of plays, templates or inventories.

mod becoming;
mod blobs;
mod escalation;
mod job;
mod outbox;
mod serve;
mod session;
mod task;

pub use job::run as run_job;
pub use serve::serve;
pub use session::{attach, serve_session};
