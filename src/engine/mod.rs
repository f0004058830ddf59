//! Runs plays: what is asked for (`request`, `settings`), and later the strategies, host state, variables and controller-side actions.
//! Nothing here prints or knows a command line: it takes a request and makes events.

pub mod inventories;
pub mod request;
pub mod setting_kinds;
pub mod settings;

pub use request::RunRequest;
pub use settings::Settings;

use crate::base::Diagnostic;
use crate::history::Journal;
use crate::history::event::Event;

/// Runs what is asked for, and gives the exit code. The caller writes the start and the end of the run into the journal, the engine all
/// that lies between them, with the recap last.
pub fn run(request: RunRequest, journal: &Journal) -> u8 {
    let asked = request.plays.len();
    journal.event(Event::Finding { diagnostic: Diagnostic::error(format!("this build cannot run plays ({asked} asked for)")) });
    1
}
