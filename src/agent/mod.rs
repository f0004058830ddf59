//! The target's side of the link: obeys the messages of `wire`, runs modules through `System`. Synchronous; it opens no port, resolves no
//! names through libc, and knows nothing of plays, templates or inventories.

mod becoming;
mod blobs;
mod escalation;
mod serve;
mod task;

pub use serve::serve;
