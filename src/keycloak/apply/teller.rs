//! Says what is being written: the first of each batch, and of a long one, one each second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Part, render};
use crate::keycloak::operation::Progress;
use crate::keycloak::plan::{Action, Operation};

const EVERY: Duration = Duration::from_secs(1);

pub struct Teller<'a> {
    progress: Option<&'a Progress>,
    part: Part,
    all: usize,
    /// How many have begun, and when something was last said.
    begun: Mutex<(usize, Option<Instant>)>,
}

impl<'a> Teller<'a> {
    pub fn new(progress: Option<&'a Progress>, part: Part, all: usize) -> Self {
        // Most links take no request.
        let last = (part == Part::Links).then(Instant::now);
        Teller { progress, part, all, begun: Mutex::new((0, last)) }
    }

    pub fn begins(&self, action: &Action, realm: &str) {
        let Some(progress) = self.progress else { return };
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.0 += 1;
        if begun.1.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        begun.1 = Some(Instant::now());
        let doing = match (self.part, action.operation) {
            (Part::Links, _) => "linking",
            (Part::Body, Operation::Delete) => "deleting",
            (Part::Body, _) => "writing",
        };
        let place = if self.all > 1 { format!(" ({} of {})", begun.0, self.all) } else { String::new() };
        progress(&format!("{doing} {}{place}", render::title(action, realm)));
    }
}
