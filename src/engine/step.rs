//! `--step`: each task is asked for before it runs.

use std::sync::atomic::Ordering;

use crate::history::event::Event;

use super::state::Run;

/// Asks whether a task is to run. When the input has ended it is not.
pub fn asks(run: &Run, title: &str) -> bool {
    if !run.is_stepping.load(Ordering::SeqCst) {
        return true;
    }
    let question = format!("Perform task: TASK: {title} (N)o/(y)es/(c)ontinue: ");
    run.journal.flush();
    let answer = tokio::task::block_in_place(|| run.request.console.ask(&question, false)).ok().flatten().unwrap_or_default();
    let stars = "*".repeat(79usize.saturating_sub(question.chars().count()).max(3));
    run.event(Event::Message { text: format!("\n{}{stars}", question.trim_end().to_owned() + " "), verbosity: 0 });
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => true,
        "c" | "continue" => {
            run.is_stepping.store(false, Ordering::SeqCst);
            true
        }
        _ => false,
    }
}
