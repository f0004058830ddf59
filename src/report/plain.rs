//! Ansible's own lines (its `default` callback of 2.19), for pipes, files, CI and the scripts that read them.

use std::collections::HashMap;
use std::sync::Arc;

use unicode_width::UnicodeWidthStr;

use crate::base::{Map, Value};
use crate::history::event::{
    AsyncState, Event, HostStats, LinkState, PlayStarted, Recap, Show, Sink, Status, TaskId, TaskResult, TaskStarted,
};

use super::notices::{self, Notices};
use super::screen::{Color, Screen};
use super::shapes::{clean_debug, has_module, headed, is_debug, recap_line};
use super::{Options, context, difference, dump};

/// Writes events as `ansible-playbook` does.
pub struct Plain {
    screen: Screen,
    options: Options,
    tasks: HashMap<TaskId, TaskStarted>,
    last_banner: Option<TaskId>,
    /// Hosts go on by themselves in this play: a banner waits for the first result.
    is_free: bool,
    notices: Notices,
}

impl Plain {
    pub fn new(screen: Screen, options: Options) -> Self {
        Plain { screen, options, tasks: HashMap::new(), last_banner: None, is_free: false, notices: Notices::default() }
    }

    fn banner(&mut self, text: &str) {
        let text = text.trim();
        let stars = self.options.width.saturating_sub(text.width()).max(3);
        self.screen.line(&format!("\n{text} {}", "*".repeat(stars)), None);
    }

    fn marker(&self, check: bool) -> &'static str {
        if check && self.options.check_mode_markers { " [CHECK MODE]" } else { "" }
    }

    fn play_started(&mut self, play: &PlayStarted) {
        self.is_free = matches!(play.strategy.as_str(), "free" | "host_pinned");
        let marker = self.marker(play.check);
        let name = play.name.trim();
        let text = if name.is_empty() { format!("PLAY{marker}") } else { format!("PLAY [{name}]{marker}") };
        self.banner(&text);
    }

    fn task_started(&mut self, task: &TaskStarted) {
        self.tasks.insert(task.id, task.clone());
        if !self.is_free && self.options.display_skipped_hosts && self.options.display_ok_hosts {
            self.task_banner(task.id);
        }
    }

    fn task_banner(&mut self, id: TaskId) {
        let last = self.last_banner.replace(id);
        let Some(task) = self.tasks.get(&id) else { return };
        // Hosts that go on by themselves come to the same task one by one.
        let is_same = |last: &TaskStarted| self.is_free && last.span == task.span && last.title() == task.title();
        if last == Some(id) || last.and_then(|last| self.tasks.get(&last)).is_some_and(is_same) {
            return;
        }
        let prefix = if task.is_handler { "RUNNING HANDLER" } else { "TASK" };
        let arguments = task.arguments.as_ref().map(|arguments| format!(" {}", argument_text(arguments))).unwrap_or_default();
        let text = format!("{prefix} [{}{arguments}{}]", task.title().trim(), self.marker(task.check));
        let path = task_path(task);
        self.banner(&text);
        if self.options.verbosity >= 2 {
            self.screen.line(&path, Some(Color::Debug));
        }
    }

    fn is_verbose(&self, result: &TaskResult) -> bool {
        match result.show {
            Show::Always => true,
            Show::Verbose => self.options.verbosity > 0,
            Show::Never => false,
        }
    }

    fn dump(&self, result: &TaskResult) -> String {
        let is_debug = self.tasks.get(&result.task).is_some_and(|task| is_debug(&task.action));
        let cleaned = if is_debug { clean_debug(&result.result) } else { result.result.clone() };
        dump::result(&without_items(&cleaned), result.show == Show::Always, &self.options)
    }

    fn item_result(&mut self, result: &TaskResult) {
        if self.tasks.get(&result.task).is_some_and(|task| task.is_include) && result.status != Status::Failed {
            return;
        }
        let label = result.item.as_ref().unwrap_or(&Value::Null).to_text();
        let (line, color) = match result.status {
            Status::Ok if !self.options.display_ok_hosts => return,
            Status::Skipped if !self.options.display_skipped_hosts => return,
            Status::Ok => (format!("ok: [{}] => (item={label})", result.label()), Color::Ok),
            Status::Changed => (format!("changed: [{}] => (item={label})", result.label()), Color::Changed),
            Status::Skipped => (format!("skipping: [{}] => (item={label}) ", result.host), Color::Skipped),
            Status::Failed | Status::Unreachable => {
                self.task_banner(result.task);
                self.speak(result);
                let line = format!("failed: [{}] (item={label}) => {}", result.label(), self.dump(result));
                self.failure(&line, Color::Failed);
                return;
            }
        };
        self.task_banner(result.task);
        self.difference(result);
        self.speak(result);
        let details = if self.is_verbose(result) { format!(" => {}", self.dump(result)) } else { String::new() };
        self.screen.line(&(line + &details), Some(color));
    }

    fn host_result(&mut self, result: &TaskResult) {
        let task = self.tasks.get(&result.task);
        let is_include = task.is_some_and(|task| task.is_include);
        let had_items =
            task.is_some_and(|task| task.is_loop) && ["results", "censored"].iter().any(|name| result.result.get(name).is_some());
        match result.status {
            Status::Ok | Status::Changed if is_include => self.task_banner(result.task),
            Status::Ok | Status::Changed => self.succeeded(result, had_items),
            Status::Skipped => self.skipped(result),
            Status::Failed => self.failed(result, had_items),
            Status::Unreachable => self.unreachable(result),
        }
    }

    fn succeeded(&mut self, result: &TaskResult, had_items: bool) {
        let changed = result.status == Status::Changed;
        if changed && !had_items {
            self.difference(result);
        }
        if !changed && !self.options.display_ok_hosts {
            return;
        }
        self.task_banner(result.task);
        self.speak(result);
        if had_items {
            return;
        }
        let (word, color) = if changed { ("changed", Color::Changed) } else { ("ok", Color::Ok) };
        let details = if self.is_verbose(result) { format!(" => {}", self.dump(result)) } else { String::new() };
        self.screen.line(&format!("{word}: [{}]{details}", result.label()), Some(color));
    }

    fn skipped(&mut self, result: &TaskResult) {
        if !self.options.display_skipped_hosts {
            return;
        }
        self.task_banner(result.task);
        self.speak(result);
        let details = if self.is_verbose(result) { format!(" => {}", self.dump(result)) } else { String::new() };
        self.screen.line(&format!("skipping: [{}]{details}", result.host), Some(Color::Skipped));
    }

    fn failed(&mut self, result: &TaskResult, had_items: bool) {
        self.task_banner(result.task);
        // What `debug` shows has no items: ansible-core cleans them away before it looks for them.
        let is_debug = self.tasks.get(&result.task).is_some_and(|task| is_debug(&task.action));
        if !had_items || is_debug {
            self.speak(result);
            if self.options.verbosity < 2
                && self.options.show_task_path_on_failure
                && let Some(task) = self.tasks.get(&result.task)
            {
                let path = task_path(task);
                self.screen.line(&path, Some(Color::Debug));
            }
            let line = format!("fatal: [{}]: FAILED! => {}", result.label(), self.dump(result));
            self.failure(&line, Color::Failed);
        }
        self.ignoring(result);
    }

    fn unreachable(&mut self, result: &TaskResult) {
        self.task_banner(result.task);
        self.speak(result);
        let line = format!("fatal: [{}]: UNREACHABLE! => {}", result.label(), self.dump(result));
        self.failure(&line, Color::Unreachable);
        self.ignoring(result);
    }

    fn ignoring(&mut self, result: &TaskResult) {
        if result.ignored {
            self.screen.line("...ignoring", Some(Color::Skipped));
        }
    }

    fn failure(&mut self, line: &str, color: Color) {
        if self.options.display_failed_stderr {
            self.screen.error_line(line, Some(color));
        } else {
            self.screen.line(line, Some(color));
        }
    }

    fn difference(&mut self, result: &TaskResult) {
        if !result.show_diff || result.status != Status::Changed {
            return;
        }
        let text = difference::text(&result.diffs, &self.options, &self.screen);
        if !text.is_empty() {
            self.task_banner(result.task);
            self.screen.line(&text, None);
        }
    }

    /// The warnings and the error of a result.
    fn speak(&mut self, result: &TaskResult) {
        for notice in &result.notices {
            self.notices.notice(notice, &mut self.screen, &self.options);
        }
        if let Some(error) = &result.error {
            let action = self.tasks.get(&result.task).map_or("", |task| task.action.as_ref());
            self.notices.error(&headed(error, result, action), &mut self.screen, &self.options);
        }
    }

    fn recap(&mut self, recap: &Recap) {
        self.banner("PLAY RECAP");
        let mut hosts: Vec<(&Arc<str>, &HostStats)> = recap.hosts.iter().collect();
        hosts.sort_by_key(|(host, _)| *host);
        for (host, stats) in hosts {
            let line = recap_line(host, stats, &self.screen);
            self.screen.line(&line, None);
        }
        self.screen.line("", None);
        if self.options.show_custom_stats && !recap.custom.is_empty() {
            self.custom_stats(&recap.custom);
        }
        if self.options.check && self.options.check_mode_markers {
            self.banner("DRY RUN");
        }
    }

    fn custom_stats(&mut self, custom: &Map) {
        self.banner("CUSTOM STATS: ");
        let one_line = |value: &Value| dump::json(value, Some(1)).replace('\n', "");
        let mut hosts: Vec<(String, String)> = custom.iter().map(|(host, stats)| (host.to_string(), one_line(stats))).collect();
        hosts.sort();
        for (host, stats) in hosts.iter().filter(|(host, _)| host != "_run") {
            self.screen.line(&format!("\t{host}: {stats}"), None);
        }
        if let Some(run) = custom.get("_run") {
            self.screen.line("", None);
            self.screen.line(&format!("\tRUN: {}", one_line(run)), None);
        }
        self.screen.line("", None);
    }

    fn verbose(&mut self, text: &str, from: u8) {
        let color = (from > 0).then_some(Color::Verbose);
        if self.options.verbosity < from {
            if self.options.log_verbosity >= from {
                self.screen.note(text, color);
            }
            return;
        }
        if from > 0 && self.options.verbose_to_stderr { self.screen.error_line(text, color) } else { self.screen.line(text, color) }
    }

    fn retry(&mut self, id: TaskId, host: &str, retries_left: u64, result: &Value) {
        let title = self.tasks.get(&id).map(TaskStarted::title).unwrap_or_default();
        let details =
            if self.options.verbosity > 2 { format!("Result was: {}", dump::result(result, false, &self.options)) } else { String::new() };
        let line = format!("FAILED - RETRYING: [{host}]: {title} ({retries_left} retries left).{details}");
        self.screen.line(&line, Some(Color::Debug));
    }

    fn job(&mut self, host: &str, job: &str, state: AsyncState) {
        let line = match state {
            AsyncState::Poll { started, finished } => {
                format!("ASYNC POLL on {host}: jid={job} started={} finished={}", python_bool(started), python_bool(finished))
            }
            AsyncState::Ok => format!("ASYNC OK on {host}: jid={job}"),
            AsyncState::Failed => format!("ASYNC FAILED on {host}: jid={job}"),
        };
        self.screen.line(&line, Some(Color::Debug));
    }

    fn included(&mut self, file: &str, hosts: &[Arc<str>], item: Option<&Value>) {
        // As ansible-core: a label that is nothing is not shown.
        let item = item.filter(|item| item.is_truthy()).map(|item| format!(" => (item={})", item.to_text())).unwrap_or_default();
        self.screen.line(&format!("included: {file} for {}{item}", hosts.join(", ")), Some(Color::Included));
    }

    fn link(&mut self, host: &str, state: LinkState, detail: &str) {
        let what = match state {
            LinkState::Connecting => "connecting",
            LinkState::SendingAgent => "sending the agent",
            LinkState::Ready => "connected",
            LinkState::Lost => "connection lost",
            LinkState::Restored => "connected again",
        };
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        self.verbose(&format!("<{host}> {what}{detail}"), 3);
    }
}

impl Sink for Plain {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted(run) => {
                self.options.check = run.check;
            }
            Event::PlaybookStarted { file } => {
                if self.options.verbosity > 1 {
                    self.banner(&format!("PLAYBOOK: {}", file.rsplit('/').next().unwrap_or(file)));
                }
                if self.options.check && self.options.check_mode_markers {
                    self.banner("DRY RUN");
                }
            }
            Event::PlayStarted(play) => self.play_started(play),
            Event::NoHostsMatched => self.screen.line("skipping: no hosts matched", Some(Color::Skipped)),
            Event::NoHostsRemaining => self.banner("NO MORE HOSTS LEFT"),
            Event::TaskStarted(task) => self.task_started(task),
            Event::HostTaskStarted { task, host } => {
                if self.options.show_per_host_start {
                    let title = self.tasks.get(task).map(TaskStarted::title).unwrap_or_default();
                    self.screen.line(&format!(" [started TASK: {title} on {host}]"), Some(Color::Ok));
                }
                let module = self.tasks.get(task).map(|task| task.action.clone()).filter(|action| has_module(action));
                if let Some(module) = module {
                    self.verbose(&format!("<{host}> EXEC {module}"), 3);
                }
            }
            Event::Output { .. } => {}
            Event::ItemResult(result) => self.item_result(result),
            Event::HostResult(result) => self.host_result(result),
            Event::Retry { task, host, retries_left, result } => self.retry(*task, host, *retries_left, result),
            Event::Async { host, job, state, .. } => self.job(host, job, *state),
            Event::Included { file, hosts, item, .. } => self.included(file, hosts, item.as_ref()),
            Event::HandlerNotified { handler, host } => self.verbose(&format!("NOTIFIED HANDLER {handler} for {host}"), 2),
            Event::Link { host, state, detail } => self.link(host, *state, detail),
            Event::Notice(notice) => self.notices.notice(notice, &mut self.screen, &self.options),
            Event::Finding { diagnostic } => notices::finding(diagnostic, &mut self.screen, &self.options),
            Event::Refused { errors, warnings } => notices::refusal(*errors, *warnings, &mut self.screen, &self.options),
            Event::Message { text, verbosity } => self.verbose(text, *verbosity),
            Event::Recap(recap) => self.recap(recap),
            Event::RunFinished { .. } => {}
        }
    }
}

fn python_bool(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

fn task_path(task: &TaskStarted) -> String {
    format!("task path: {}:{}", context::absolute(&task.span.file), task.span.line)
}

fn argument_text(arguments: &Map) -> String {
    let pairs: Vec<String> = arguments.iter().map(|(name, value)| format!("{name}={}", value.to_text())).collect();
    pairs.join(", ")
}

/// The items of a loop were shown one by one.
fn without_items(result: &Value) -> Value {
    match result {
        Value::Map(map) if map.contains_key("results") && map.get("results").is_some_and(|items| items.as_list().is_some()) => {
            let mut map = map.as_ref().clone();
            map.remove("results");
            map.into()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
