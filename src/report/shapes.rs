//! Pieces of Ansible's output that stand for themselves: the recap's line, and what `debug` shows of its result.

use crate::base::{Diagnostic, Map, Value};
use crate::history::event::{HostStats, Status, TaskResult};

use super::screen::{Color, Screen};

/// A host's line of `PLAY RECAP`.
pub fn recap_line(host: &str, stats: &HostStats, screen: &Screen) -> String {
    let color = if stats.failed != 0 || stats.unreachable != 0 {
        Color::Failed
    } else if stats.changed != 0 {
        Color::Changed
    } else {
        Color::Ok
    };
    let name = if screen.colored { format!("{:<37}", screen.paint(host, Some(color))) } else { format!("{host:<26}") };
    let count = |word: &str, number: u64, color: Color| screen.paint(&format!("{word}={number:<4}"), (number != 0).then_some(color));
    let counts = [
        count("ok", stats.ok, Color::Ok),
        count("changed", stats.changed, Color::Changed),
        count("unreachable", stats.unreachable, Color::Unreachable),
        count("failed", stats.failed, Color::Failed),
        count("skipped", stats.skipped, Color::Skipped),
        count("rescued", stats.rescued, Color::Ok),
        count("ignored", stats.ignored, Color::Warning),
    ];
    format!("{name} : {}", counts.join(" "))
}

/// Whether the action is `debug`.
pub fn is_debug(action: &str) -> bool {
    matches!(action, "debug" | "ansible.builtin.debug" | "ansible.legacy.debug")
}

/// What `debug` was asked to say, without the rest of its result.
pub fn clean_debug(result: &Value) -> Value {
    let Value::Map(map) = result else { return result.clone() };
    let says_message = map.contains_key("msg");
    let keep = |key: &str| {
        if says_message {
            return key == "msg";
        }
        !matches!(
            key,
            "changed" | "failed" | "skipped" | "invocation" | "skip_reason" | "ansible_loop_var" | "ansible_index_var" | "ansible_loop"
        )
    };
    map.iter().filter(|(key, _)| key.as_str().is_none_or(keep)).map(|(key, value)| (key.clone(), value.clone())).collect::<Map>().into()
}

/// Actions that have no module behind them.
const WITHOUT_MODULE: &[&str] = &[
    "add_host",
    "assert",
    "debug",
    "fail",
    "group_by",
    "include_role",
    "include_tasks",
    "include_vars",
    "pause",
    "set_fact",
    "set_stats",
    "validate_argument_spec",
];

/// Whether a module runs on the host for an action.
pub fn has_module(action: &str) -> bool {
    !WITHOUT_MODULE.contains(&action.rsplit('.').next().unwrap_or(action))
}

/// The error of a result as ansible-core heads it: with the words of its `msg`.
pub(super) fn headed(error: &Diagnostic, result: &TaskResult, action: &str) -> Diagnostic {
    if error.message.starts_with("Task failed") {
        return error.clone();
    }
    let was_judged = ["failed_when_result", "changed_when_result"].iter().any(|name| result.result.get(name).is_some());
    let who = if was_judged || !has_module(action) { "Action" } else { "Module" };
    let message = match result.result.get("msg").map(Value::to_text).unwrap_or_default() {
        text if text.starts_with("Task failed: ") => text,
        text if result.status == Status::Unreachable => format!("Task failed: {text}"),
        text if text.is_empty() => format!("Task failed: {who} failed."),
        text => format!("Task failed: {who} failed: {text}"),
    };
    Diagnostic { message, causes: Vec::new(), ..error.clone() }
}
