//! What one execution of a task came to, and the shapes it takes: for playbooks (`register`), for people (events).

use std::time::Duration;

use crate::base::{Diagnostic, Map, Node, Value};
use crate::history::event::{Show, Status};
use crate::language::{RoleRequest, Task};
use crate::wire::TaskReply;

use super::words::{self, Failing};

/// One execution: of a task without loop, or of one item.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Return values under Ansible's names, `changed` and `failed` not among them.
    pub values: Map,
    pub changed: bool,
    pub failed: bool,
    pub skipped: bool,
    pub unreachable: bool,
    pub facts: Map,
    pub diffs: Vec<Value>,
    /// Whether one difference is given as a list of one too.
    pub lists_diffs: bool,
    pub warnings: Vec<String>,
    pub error: Option<Diagnostic>,
    pub show: Show,
    /// Whether the result is hidden, as with `no_log`.
    pub is_secret: bool,
    pub include: Option<Include>,
    pub milliseconds: u64,
    /// The options that the module was called with, for who wants to see everything.
    pub invocation: Option<Value>,
    /// What `failed_when` came to: shown even when false; text when it could not be evaluated.
    pub failed_when: Option<Value>,
    /// Why `changed_when` could not be evaluated.
    pub changed_when: Option<Value>,
}

/// Tasks or a role that the host goes on with after this task.
#[derive(Clone, Debug)]
pub struct Include {
    pub kind: IncludeKind,
    /// Variables of the include itself, with the loop's item.
    pub locals: Map,
    pub apply: Option<Node>,
    /// The item's label.
    pub item: Option<Value>,
}

#[derive(Clone, Debug)]
pub enum IncludeKind {
    File {
        path: std::path::PathBuf,
        /// As the task has it.
        written: String,
    },
    Role(Box<RoleRequest>),
}

impl Outcome {
    /// The task ran longer than its `timeout`.
    pub fn timed_out(task: &Task, limit: Duration) -> Self {
        let seconds = limit.as_secs();
        let frame = "Configure `DISPLAY_TRACEBACK` to see a traceback on timeout errors.";
        let message = format!("Task failed: Timed out after {seconds} second(s).");
        let error = Diagnostic::error(format!("the task did not end within {seconds} seconds, which is its `timeout`")).at(&task.span);
        let outcome = Outcome { error: Some(error), ..Outcome::failed(message) };
        outcome.with("timedout", Value::map([("frame", Value::from(frame)), ("period", seconds.into())]))
    }

    pub fn ok(values: Map) -> Self {
        Outcome { values, ..Outcome::default() }
    }

    pub fn message(text: impl Into<String>) -> Self {
        Outcome::ok([("msg", Value::from(text.into()))].into_iter().collect())
    }

    pub fn changed(mut self) -> Self {
        self.changed = true;
        self
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Outcome { failed: true, ..Outcome::message(message) }
    }

    /// Failed for a reason with a place: what an action itself refuses.
    pub fn error(diagnostic: Diagnostic) -> Self {
        Outcome { error: Some(diagnostic.clone()), ..Outcome::failed(words::reason(&diagnostic)) }
    }

    /// Failed before the action could begin.
    pub fn unprepared(what: Failing<'_>, diagnostic: Diagnostic) -> Self {
        let message = words::task_failed(what, &diagnostic);
        Outcome { error: Some(diagnostic), ..Outcome::failed(message) }
    }

    pub fn unreachable(message: impl Into<String>) -> Self {
        Outcome { unreachable: true, ..Outcome::message(message) }
    }

    pub fn always_shown(mut self) -> Self {
        self.show = Show::Always;
        self
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(name, value);
        self
    }

    pub fn skipped_by(condition: Option<Value>) -> Self {
        let mut outcome = Outcome { skipped: true, ..Outcome::default() };
        if let Some(condition) = condition {
            outcome.values.insert("false_condition", condition);
        }
        outcome.values.insert("skip_reason", "Conditional result was False");
        outcome
    }

    pub fn from_reply(reply: TaskReply) -> Self {
        let mut outcome = Outcome {
            values: reply.values,
            changed: reply.changed,
            failed: reply.failed,
            skipped: reply.skipped,
            facts: reply.facts,
            diffs: reply.diffs,
            warnings: reply.warnings,
            milliseconds: reply.milliseconds,
            ..Outcome::default()
        };
        // A command of the user's own says itself whether it changed anything.
        if let Some(Value::Bool(changed)) = outcome.values.remove("changed") {
            outcome.changed = changed;
        }
        if let Some(Value::Bool(failed)) = outcome.values.remove("failed") {
            outcome.failed |= failed;
        }
        for stream in ["stdout", "stderr"] {
            let lines = format!("{stream}_lines");
            if let Some(text) = outcome.values.text(stream)
                && !outcome.values.contains_key(&lines)
            {
                let split = Value::list(text.lines());
                outcome.values.insert(lines, split);
            }
        }
        outcome
    }

    pub fn status(&self) -> Status {
        match () {
            _ if self.unreachable => Status::Unreachable,
            _ if self.failed => Status::Failed,
            _ if self.skipped => Status::Skipped,
            _ if self.changed => Status::Changed,
            _ => Status::Ok,
        }
    }

    /// The result as `register` keeps it and as templates read it.
    pub fn registered(&self) -> Map {
        let mut map = self.shown();
        let failed = self.failed || map.get("failed").is_some_and(Value::is_truthy);
        // What did not run, was out of reach or only brought others along says nothing about failing; nor does a loop unless an item failed.
        let is_silent = self.skipped || self.unreachable || map.contains_key("results") || map.contains_key("include_args");
        if failed || !is_silent {
            map.insert("failed", failed);
        }
        if (self.failed || self.unreachable) && !map.contains_key("exception") {
            map.insert("exception", "(traceback unavailable)");
        }
        if let Some(invocation) = &self.invocation {
            map.insert("invocation", invocation.clone());
        }
        if self.skipped {
            map.insert("skipped", true);
        }
        if self.unreachable {
            map.insert("unreachable", true);
        }
        map
    }

    /// The result as it is shown and kept.
    pub fn shown(&self) -> Map {
        let mut map: Map = [("changed", Value::Bool(self.changed))].into_iter().collect();
        for (name, verdict) in [("changed_when_result", &self.changed_when), ("failed_when_result", &self.failed_when)] {
            if let Some(verdict) = verdict {
                map.insert(name, verdict.clone());
            }
        }
        map.extend(&self.values);
        if !self.facts.is_empty() {
            map.insert("ansible_facts", self.facts.clone());
        }
        if !self.warnings.is_empty() {
            map.insert("warnings", Value::list(self.warnings.iter()));
        }
        if self.unreachable {
            map.insert("unreachable", true);
        }
        if !self.diffs.is_empty() {
            let diff =
                if self.diffs.len() == 1 && !self.lists_diffs { self.diffs[0].clone() } else { Value::list(self.diffs.iter().cloned()) };
            map.insert("diff", diff);
        }
        map
    }

    /// What is left of a result when `no_log` hides it.
    pub fn censored(&self) -> Map {
        let reason = "the output has been hidden due to the fact that 'no_log: true' was specified for this result";
        let mut map: Map = [("censored", Value::from(reason)), ("changed", self.changed.into())].into_iter().collect();
        if self.unreachable {
            map.insert("unreachable", true);
        }
        map
    }
}

/// The results of a loop as one.
pub fn of_loop(items: Vec<(Map, Outcome)>) -> Outcome {
    if items.is_empty() {
        let mut outcome = Outcome { skipped: true, ..Outcome::default() };
        outcome.values.insert("skipped_reason", "No items in the list");
        outcome.values.insert("results", Value::list(Vec::<Value>::new()));
        return outcome;
    }
    let mut whole = Outcome {
        changed: items.iter().any(|(_, item)| item.changed),
        failed: items.iter().any(|(_, item)| item.failed),
        unreachable: items.iter().any(|(_, item)| item.unreachable),
        skipped: items.iter().all(|(_, item)| item.skipped),
        ..Outcome::default()
    };
    let message = match () {
        _ if whole.failed || whole.unreachable => "One or more items failed",
        _ if whole.skipped => "All items skipped",
        _ => "All items completed",
    };
    whole.milliseconds = items.iter().map(|(_, item)| item.milliseconds).sum();
    let results: Vec<Value> = items
        .iter()
        .map(|(locals, item)| {
            let mut map = item.registered();
            map.extend(locals);
            map.into()
        })
        .collect();
    whole.values.insert("msg", message);
    whole.values.insert("results", results);
    if !whole.skipped {
        whole.values.insert("skipped", false);
    }
    for (_, item) in &items {
        whole.facts.extend(&item.facts);
        whole.diffs.extend(item.diffs.iter().cloned());
    }
    whole.error = items.into_iter().find_map(|(_, item)| item.error);
    whole
}
