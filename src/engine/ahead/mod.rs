//! Send-ahead: while a host works on a task, those after it are rehearsed here (`rehearsal`), as if everything went well; those whose rendering
//! reads nothing that is not known yet (`unfinished`) are sent at once, and the host runs them in order, dropping the rest when one does not go
//! well. What comes next is written down by whoever walks (`upcoming`). The walk itself is as ever: it comes to each task, renders it, and finds
//! here (`window`) that its reply is on the way.

mod certain;
mod rehearsal;
mod unfinished;
mod upcoming;
mod window;

pub use unfinished::{Unfinished, brings_facts};
pub use upcoming::{LoopItem, Step, Upcoming};
pub use window::{Claim, Window};
