//! What an event is about: its host, its task.

use std::sync::Arc;

use super::{Event, TaskId};

impl Event {
    /// The host that the event is about, when it is about one.
    pub fn host(&self) -> Option<&Arc<str>> {
        match self {
            Event::HostTaskStarted { host, .. }
            | Event::Output { host, .. }
            | Event::Retry { host, .. }
            | Event::Async { host, .. }
            | Event::HandlerNotified { host, .. }
            | Event::Link { host, .. } => Some(host),
            Event::ItemResult(result) | Event::HostResult(result) => Some(&result.host),
            Event::RunStarted(_)
            | Event::PlaybookStarted { .. }
            | Event::PlayStarted(_)
            | Event::NoHostsMatched
            | Event::NoHostsRemaining
            | Event::TaskStarted(_)
            | Event::Included { .. }
            | Event::Notice(_)
            | Event::Finding { .. }
            | Event::Refused { .. }
            | Event::Message { .. }
            | Event::Recap(_)
            | Event::RunFinished { .. } => None,
        }
    }

    /// The task that the event is about, when it is about one.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Event::TaskStarted(started) => Some(started.id),
            Event::HostTaskStarted { task, .. }
            | Event::Output { task, .. }
            | Event::Retry { task, .. }
            | Event::Async { task, .. }
            | Event::Included { task, .. } => Some(*task),
            Event::ItemResult(result) | Event::HostResult(result) => Some(result.task),
            Event::RunStarted(_)
            | Event::PlaybookStarted { .. }
            | Event::PlayStarted(_)
            | Event::NoHostsMatched
            | Event::NoHostsRemaining
            | Event::HandlerNotified { .. }
            | Event::Link { .. }
            | Event::Notice(_)
            | Event::Finding { .. }
            | Event::Refused { .. }
            | Event::Message { .. }
            | Event::Recap(_)
            | Event::RunFinished { .. } => None,
        }
    }
}
