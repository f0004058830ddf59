//! `meta`: tasks that steer the play itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::{Diagnostic, Node};
use crate::history::event::Event;
use crate::language::Task;

use super::cursor::{Cursor, Flow};
use super::gate::Position;
use super::keywords::TaskKeywords;
use super::state::{lock, write};

/// What `meta` can be told.
pub const ACTIONS: &[&str] = &[
    "clear_facts",
    "clear_host_errors",
    "end_batch",
    "end_host",
    "end_play",
    "end_role",
    "flush_handlers",
    "noop",
    "refresh_inventory",
    "reset_connection",
];

/// Runs one.
pub async fn run(cursor: &Cursor, task: &Arc<Task>, position: Position) -> Flow {
    let scope = cursor.scope.at_task(task);
    let context = scope.context();
    let raw = task.action.arguments.raw.as_ref();
    let action = raw.and_then(|node| cursor.run.templar.render(node, &context).ok()).map(|value| value.to_text()).unwrap_or_default();
    match holds(cursor, task) {
        Ok(true) => {}
        Ok(false) => return Flow::On,
        Err(error) => {
            let batch = cursor.gate.arrive(&cursor.host.name, position).await;
            return cursor.fail_at(&batch, error);
        }
    }
    match action.as_str() {
        "noop" => Flow::On,
        "flush_handlers" => cursor.flush(position).await,
        "end_host" => Flow::EndHost,
        "end_role" => Flow::EndRole,
        "end_play" | "end_batch" => {
            cursor.play.ended.store(true, Ordering::SeqCst);
            if action == "end_play" {
                cursor.play.is_last.store(true, Ordering::SeqCst);
            }
            Flow::EndHost
        }
        "clear_facts" => {
            write(&cursor.host.facts).clone_from(&Default::default());
            cursor.host.facts_gathered.store(false, Ordering::SeqCst);
            Flow::On
        }
        "clear_host_errors" => {
            lock(&cursor.run.lost).clear();
            Flow::On
        }
        "refresh_inventory" => {
            let batch = cursor.gate.arrive(&cursor.host.name, position).await;
            if !batch.announced.swap(true, Ordering::SeqCst)
                && let Err(error) = super::start::refresh_inventory(&cursor.run)
            {
                return cursor.fail_at(&batch, error);
            }
            Flow::On
        }
        "reset_connection" => {
            let batch = cursor.gate.arrive(&cursor.host.name, position).await;
            if let Ok(call) = super::call::Call::prepare(cursor, task, &batch, &scope)
                && let Ok(destination) = call.destination()
            {
                cursor.run.connections.forget(&destination).await;
            }
            Flow::On
        }
        other => {
            let batch = cursor.gate.arrive(&cursor.host.name, position).await;
            let span = raw.map_or(&task.span, |node| &node.span);
            let error = Diagnostic::error(format!("invalid meta action requested: {other}")).at(span);
            cursor.fail_at(&batch, error.did_you_mean(other, ACTIONS.iter().copied()))
        }
    }
}

fn holds(cursor: &Cursor, task: &Arc<Task>) -> Result<bool, Diagnostic> {
    let context = cursor.scope.at_task(task).context();
    let keywords = TaskKeywords { task, templar: &cursor.run.templar, context: &context };
    for condition in keywords.conditions("when") {
        if !cursor.run.templar.condition(&condition, &context).map_err(Diagnostic::from)? {
            let text = task.action.arguments.raw.as_ref().and_then(Node::as_str).unwrap_or_default();
            cursor.run.event(Event::Message { text: format!("META: {text} skipped on {}", cursor.host.name), verbosity: 2 });
            return Ok(false);
        }
    }
    Ok(true)
}
