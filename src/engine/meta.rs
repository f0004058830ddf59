//! `meta`: tasks that steer the play itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::{Diagnostic, Value};
use crate::history::event::{Event, Status, TaskResult};
use crate::language::Task;

use super::cursor::{Cursor, Flow};
use super::gate::{Batch, Position};
use super::keywords::TaskKeywords;
use super::state::{lock, read};

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

/// Actions that are about the play: the first host of a batch does them for all.
const FOR_ALL: &[&str] = &["clear_facts", "clear_host_errors", "end_batch", "end_play", "refresh_inventory"];

/// Actions whose `when` is not looked at.
const UNCONDITIONAL: &[&str] = &["noop", "refresh_inventory", "reset_connection"];

/// Runs one.
pub async fn run(cursor: &Cursor, task: &Arc<Task>, position: Position) -> Flow {
    let action = action(cursor, task);
    let together = cursor.gate.arrive(&cursor.host.name, position.clone()).await;
    let stopped = cursor.stopped_by_others().await;
    let is_left_out = || cursor.is_before_start(task) && action != "flush_handlers";
    if let Some(flow) = stopped.or_else(|| is_left_out().then_some(Flow::On)) {
        together.stand_down(&cursor.host.name);
        return flow;
    }
    let for_all = cursor.gate.is_lockstep() && FOR_ALL.contains(&action.as_str());
    let turn = together.turn(&cursor.host.name).await;
    if for_all && !together.is_led_by(&cursor.host.name) {
        return if cursor.play.is_ended() { Flow::EndHost } else { Flow::On };
    }
    // Each host has a banner of its own.
    let batch = &Arc::new(Batch::new(cursor.run.new_task_id(), vec![cursor.host.name.clone()]));
    super::announce::task(&cursor.run, &cursor.scope.at_task(task), task, batch, cursor.title(task).0);
    let has_condition = !task.keywords_outermost_first("when").is_empty();
    if UNCONDITIONAL.contains(&action.as_str()) && has_condition {
        cursor.run.warn(Diagnostic::warning(format!("{action} task does not support when conditional")).at(&task.span));
    } else {
        match holds(cursor, task) {
            Ok(true) => {}
            Ok(false) => {
                skip(cursor, task, batch, &action);
                return Flow::On;
            }
            Err(error) => return cursor.break_run(error),
        }
    }
    let flow = perform(cursor, task, batch, &action).await;
    drop(turn);
    match action.as_str() {
        "flush_handlers" => cursor.flush(position).await,
        _ => flow,
    }
}

fn action(cursor: &Cursor, task: &Arc<Task>) -> String {
    let context = cursor.scope.at_task(task).context();
    let raw = task.action.arguments.raw.as_ref().or_else(|| task.action.arguments.get("free_form"));
    raw.and_then(|node| cursor.run.templar.render(node, &context).ok()).map(|value| value.to_text()).unwrap_or_default()
}

fn say(cursor: &Cursor, text: &str) {
    cursor.run.event(Event::Message { text: format!("META: {text}"), verbosity: 2 });
}

async fn perform(cursor: &Cursor, task: &Arc<Task>, batch: &Arc<Batch>, action: &str) -> Flow {
    let host = &cursor.host.name;
    match action {
        "noop" => say(cursor, "noop"),
        "flush_handlers" => say(cursor, &format!("triggered running handlers for {host}")),
        "end_host" => {
            say(cursor, &format!("ending play for {host}"));
            return Flow::EndHost;
        }
        "end_role" => {
            let place = match task.scope.role {
                _ if task.is_handler => Some("a handler"),
                None => Some("outside of a role"),
                Some(_) => None,
            };
            if let Some(place) = place {
                return cursor.break_run(Diagnostic::error(format!("Cannot execute 'end_role' from {place}")).at(&task.span));
            }
            say(cursor, &format!("ending role {} for {host}", role_name(task)));
            return Flow::EndRole;
        }
        "end_play" | "end_batch" => {
            say(cursor, if action == "end_play" { "ending play" } else { "ending batch" });
            cursor.play.ended.store(true, Ordering::SeqCst);
            if action == "end_play" {
                cursor.play.is_last.store(true, Ordering::SeqCst);
            }
            return Flow::EndHost;
        }
        "clear_facts" => {
            for name in &cursor.play.all_hosts {
                cursor.run.clear_facts(&cursor.run.host(name));
            }
            say(cursor, "facts cleared");
        }
        "clear_host_errors" => {
            lock(&cursor.run.lost).clear();
            for other in read(&cursor.play.errors_cleared).iter() {
                other.store(true, Ordering::SeqCst);
            }
            say(cursor, "cleared host errors");
        }
        "refresh_inventory" => {
            if let Err(error) = super::start::refresh_inventory(&cursor.run) {
                return cursor.break_run(error);
            }
            say(cursor, "inventory successfully refreshed");
        }
        "reset_connection" => {
            let scope = cursor.scope.at_task(task);
            if let Ok(call) = super::call::Call::prepare(cursor, task, batch, &scope)
                && let Ok(destination) = call.destination()
            {
                cursor.run.connections.forget(&destination).await;
            }
            say(cursor, "reset connection");
        }
        other => {
            let span = task.action.arguments.raw.as_ref().map_or(&task.span, |node| &node.span);
            let error = Diagnostic::error(format!("invalid meta action requested: {other}")).at(span);
            return cursor.break_run(error.did_you_mean(other, ACTIONS.iter().copied()));
        }
    }
    Flow::On
}

fn role_name(task: &Task) -> String {
    task.scope.role.as_ref().map(|role| role.name.to_string()).unwrap_or_default()
}

/// The task's conditions did not hold.
fn skip(cursor: &Cursor, task: &Task, batch: &Batch, action: &str) {
    let host = &cursor.host.name;
    let rest = match action {
        "flush_handlers" => format!(", not running handlers for {host}"),
        "clear_facts" => format!(", not clearing facts and fact cache for {host}"),
        "clear_host_errors" => format!(", not clearing host error state for {host}"),
        "end_batch" => ", continuing current batch".to_owned(),
        "end_play" => ", continuing play".to_owned(),
        "end_host" => format!(", continuing execution for {host}"),
        _ => format!("continuing role {} for {host}", role_name(task)),
    };
    let reason = format!("{action} conditional evaluated to False{rest}");
    say(cursor, &reason);
    let message = match action {
        "end_host" => format!("end_host conditional evaluated to false, continuing execution for {host}"),
        _ => action.to_owned(),
    };
    let values = Value::map([("msg", Value::from(message)), ("skip_reason", reason.into())]);
    cursor.run.event(Event::HostResult(TaskResult::new(batch.id, host.clone(), Status::Skipped, values)));
}

fn holds(cursor: &Cursor, task: &Arc<Task>) -> Result<bool, Diagnostic> {
    let context = cursor.scope.at_task(task).context();
    let keywords = TaskKeywords { task, templar: &cursor.run.templar, context: &context };
    for condition in keywords.conditions("when") {
        if !cursor.run.condition(&condition, &context).map_err(Diagnostic::from)? {
            return Ok(false);
        }
    }
    Ok(true)
}
