//! What happened in a run, as typed events. The engine makes them; the journal keeps them; everything that is shown is read from them.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::base::{Diagnostic, Map, Span, Value};

mod subject;

/// A task as it runs in this run: a task of an include that runs twice has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskId(pub u64);

/// Whoever shows, counts or keeps events. Events arrive in the order they happened.
pub trait Sink: Send {
    fn event(&mut self, event: &Event);
}

/// One thing that happened. As JSON: an object whose `event` names the variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    RunStarted(RunStarted),
    /// A playbook file is begun (one run may have several).
    PlaybookStarted {
        file: Arc<str>,
    },
    PlayStarted(PlayStarted),
    /// The play's pattern names no host of the inventory.
    NoHostsMatched,
    /// Every host of the play has failed.
    NoHostsRemaining,
    TaskStarted(TaskStarted),
    /// The task begins on this host.
    HostTaskStarted {
        task: TaskId,
        host: Arc<str>,
    },
    /// A line that the task wrote while it runs.
    Output {
        task: TaskId,
        host: Arc<str>,
        stream: Stream,
        line: String,
    },
    /// One item of a loop is done.
    ItemResult(TaskResult),
    /// The task is done on a host. A failed result that `ignore_errors` or a rescue catches says so.
    HostResult(TaskResult),
    /// `until` was not true yet.
    Retry {
        task: TaskId,
        host: Arc<str>,
        retries_left: u64,
        result: Value,
    },
    /// A look at a job of `async`, or its end.
    Async {
        task: TaskId,
        host: Arc<str>,
        job: String,
        state: AsyncState,
    },
    /// A task or role file was included for some hosts.
    Included {
        task: TaskId,
        file: Arc<str>,
        hosts: Vec<Arc<str>>,
        /// The label of the loop's item, when the include is in a loop.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<Value>,
    },
    HandlerNotified {
        handler: String,
        host: Arc<str>,
    },
    /// The connection to a host.
    Link {
        host: Arc<str>,
        state: LinkState,
        /// What there is to say of it, such as why it was lost.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// A warning or deprecation that belongs to no result.
    Notice(Notice),
    /// Something found by the checks before any host is touched, or an error that ends the run.
    Finding {
        diagnostic: Diagnostic,
    },
    /// The run does not begin, for what was found before; no host was touched.
    Refused {
        errors: usize,
        warnings: usize,
    },
    /// Plain text for the reader that is no event of a task: the lists of `--list-tasks`, what `-v` tells.
    Message {
        text: String,
        /// The number of `-v` from which on it is shown.
        verbosity: u8,
    },
    Recap(Recap),
    RunFinished {
        exit_code: u8,
        milliseconds: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Short and unique in this history, such as `7f3a`.
    pub id: Arc<str>,
    /// The command line as typed, without secrets.
    pub command: Vec<String>,
    /// Seconds since the epoch.
    pub time: i64,
    pub user: String,
    pub directory: String,
    pub check: bool,
    pub diff: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlayStarted {
    /// The play's name, or its host pattern when it has none.
    pub name: String,
    /// The hosts it runs on, in order.
    pub hosts: Vec<Arc<str>>,
    /// Roles and tasks known before it runs.
    pub roles: usize,
    pub tasks: usize,
    /// The short name: `linear`, `free`, `host_pinned`.
    pub strategy: String,
    pub check: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskStarted {
    pub id: TaskId,
    /// The name without the role, rendered as far as it can be; the action where there is none.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Arc<str>>,
    /// The action as it is written in the play.
    pub action: Arc<str>,
    pub span: Span,
    pub is_handler: bool,
    /// Whether it has a loop: then its items were shown already when the host's result comes.
    pub is_loop: bool,
    /// Whether it includes tasks or a role: then its own success is not shown.
    pub is_include: bool,
    /// The arguments, when `display_args_to_stdout` is set and the task is not `no_log`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Map>,
    pub check: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    Stdout,
    Stderr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AsyncState {
    Poll { started: bool, finished: bool },
    Ok,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    Connecting,
    /// The agent is being sent: the host does not have this one yet.
    SendingAgent,
    Ready,
    Lost,
    Restored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    Changed,
    Skipped,
    Failed,
    Unreachable,
}

/// When a result's contents are shown. Ansible: `_ansible_verbose_always` (debug) and `_ansible_verbose_override` (setup).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Show {
    /// From `-v` on.
    #[default]
    Verbose,
    Always,
    Never,
}

/// What a task, or one item of it, came to on one host. Nothing in here is secret: `no_log` results are masked by the engine before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    pub task: TaskId,
    pub host: Arc<str>,
    pub status: Status,
    /// Failed, or unreachable, and `ignore_errors` or `ignore_unreachable` let it pass.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignored: bool,
    /// Failed, and a `rescue` goes on from here.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rescued: bool,
    /// The result as playbooks read it, without Ansible's internal `_ansible_*` keys.
    pub result: Value,
    /// What changed, each entry as in Ansible's `diff` (`before`, `after`, their headers, `prepared`, `dst_binary`, …). Kept always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diffs: Vec<Value>,
    /// Whether `--diff` or the task asks to show them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub show_diff: bool,
    #[serde(default)]
    pub show: Show,
    pub milliseconds: u64,
    /// Where it ran instead of `host`: the inventory name, and the address when that is another text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated_to: Option<Delegated>,
    /// The label of the loop's item; only in `ItemResult`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Value>,
    /// Warnings and deprecations of this result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// Why it failed, with the place in the playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnostic>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delegated {
    pub host: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    Warning,
    Deprecation,
    /// What kept a host from going on that is no task's result.
    Error,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub kind: NoticeKind,
    pub diagnostic: Diagnostic,
}

/// The counts of `PLAY RECAP`, in its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStats {
    pub ok: u64,
    pub changed: u64,
    pub unreachable: u64,
    pub failed: u64,
    pub skipped: u64,
    pub rescued: u64,
    pub ignored: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recap {
    pub hosts: IndexMap<Arc<str>, HostStats>,
    /// What `set_stats` gathered: by host, and `_run` for the whole run.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub custom: Map,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl TaskStarted {
    /// The name as it stands between the brackets of Ansible's banner: `role : name`.
    pub fn title(&self) -> String {
        match &self.role {
            Some(role) => format!("{role} : {}", self.name),
            None => self.name.clone(),
        }
    }
}

impl TaskResult {
    pub fn new(task: TaskId, host: impl Into<Arc<str>>, status: Status, result: Value) -> Self {
        TaskResult {
            task,
            host: host.into(),
            status,
            ignored: false,
            rescued: false,
            result,
            diffs: Vec::new(),
            show_diff: false,
            show: Show::default(),
            milliseconds: 0,
            delegated_to: None,
            item: None,
            notices: Vec::new(),
            error: None,
        }
    }

    /// The host as Ansible labels it: `web`, `web -> db`, `web -> db(10.0.0.2)`.
    pub fn label(&self) -> String {
        match &self.delegated_to {
            Some(Delegated { host, .. }) if *host == self.host => self.host.to_string(),
            Some(Delegated { host, address: Some(address) }) if address != host => format!("{} -> {host}({address})", self.host),
            Some(Delegated { host, .. }) => format!("{} -> {host}", self.host),
            None => self.host.to_string(),
        }
    }

    /// Failed or unreachable, and nothing lets it pass.
    pub fn is_fatal(&self) -> bool {
        matches!(self.status, Status::Failed | Status::Unreachable) && !self.ignored && !self.rescued
    }
}

impl Event {
    pub fn warning(diagnostic: Diagnostic) -> Self {
        Event::Notice(Notice::warning(diagnostic))
    }
}

impl Notice {
    pub fn warning(diagnostic: Diagnostic) -> Self {
        Notice { kind: NoticeKind::Warning, diagnostic }
    }

    pub fn error(diagnostic: Diagnostic) -> Self {
        Notice { kind: NoticeKind::Error, diagnostic }
    }

    pub fn deprecation(diagnostic: Diagnostic) -> Self {
        Notice { kind: NoticeKind::Deprecation, diagnostic }
    }
}

#[cfg(test)]
mod tests;
