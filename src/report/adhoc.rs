//! What `ansible` prints for a single task: its `minimal` callback, and `oneline` with `-o`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::Value;
use crate::history::event::{Event, Sink, Status, TaskId, TaskResult};

use super::notices::{self, Notices};
use super::screen::{Color, Screen};
use super::shapes::{clean_debug, headed, is_debug};
use super::{Options, difference, dump};

pub struct AdHoc {
    screen: Screen,
    options: Options,
    one_line: bool,
    actions: HashMap<TaskId, Arc<str>>,
    notices: Notices,
}

impl AdHoc {
    pub fn new(screen: Screen, options: Options, one_line: bool) -> Self {
        AdHoc { screen, options, one_line, actions: HashMap::new(), notices: Notices::default() }
    }

    fn result(&mut self, result: &TaskResult) {
        for notice in &result.notices {
            self.notices.notice(notice, &mut self.screen, &self.options);
        }
        if let Some(error) = result.error.as_ref().filter(|_| !self.one_line) {
            let action = self.actions.get(&result.task).map_or("", |action| action.as_ref());
            self.notices.error(&headed(error, result, action), &mut self.screen, &self.options);
        }
        if result.show_diff && result.status == Status::Changed {
            let text = difference::text(&result.diffs, &self.options, &self.screen);
            if !text.is_empty() {
                self.screen.line(&text, None);
            }
        }
        let host = &result.host;
        let (line, color) = match result.status {
            Status::Ok => (self.done(result, "SUCCESS"), Color::Ok),
            Status::Changed => (self.done(result, "CHANGED"), Color::Changed),
            Status::Skipped => (format!("{host} | SKIPPED"), Color::Skipped),
            Status::Failed if self.is_command(result) && !self.one_line && result.result.get("module_stderr").is_none() => {
                (self.command(result, "FAILED"), Color::Failed)
            }
            Status::Failed => (format!("{host} | FAILED! => {}", self.dump(result)), Color::Failed),
            Status::Unreachable if self.one_line => {
                let message = result.result.get("msg").map(Value::to_text).unwrap_or_default();
                (format!("{host} | UNREACHABLE!: {message}"), Color::Unreachable)
            }
            Status::Unreachable => (format!("{host} | UNREACHABLE! => {}", self.dump(result)), Color::Unreachable),
        };
        self.screen.line(&line, Some(color));
    }

    fn done(&self, result: &TaskResult, word: &str) -> String {
        if self.is_command(result) && result.result.get("ansible_job_id").is_none() {
            return self.command(result, word);
        }
        format!("{} | {word} => {}", result.host, self.dump(result))
    }

    /// The output of a command as it is, with its exit code.
    fn command(&self, result: &TaskResult, word: &str) -> String {
        let text = |key: &str| result.result.get(key).map(Value::to_text).unwrap_or_default();
        let code = result.result.get("rc").map_or("-1".to_owned(), Value::to_text);
        if !self.one_line {
            return format!("{} | {word} | rc={code} >>\n{}{}{}\n", result.host, text("stdout"), text("stderr"), text("msg"));
        }
        let escape = |text: String| text.replace('\n', "\\n").replace('\r', "\\r");
        let errors = match escape(text("stderr")) {
            empty if empty.is_empty() => String::new(),
            errors => format!(" (stderr) {errors}"),
        };
        format!("{} | {word} | rc={code} | (stdout) {}{errors}", result.host, escape(text("stdout")))
    }

    fn is_command(&self, result: &TaskResult) -> bool {
        let action = self.actions.get(&result.task).map_or("", |action| action.as_ref());
        let short = action.strip_prefix("ansible.builtin.").or_else(|| action.strip_prefix("ansible.legacy.")).unwrap_or(action);
        matches!(short, "command" | "shell" | "raw" | "script" | "win_command" | "win_shell")
    }

    fn dump(&self, result: &TaskResult) -> String {
        let is_debug = self.actions.get(&result.task).is_some_and(|action| is_debug(action));
        let value = if is_debug { clean_debug(&result.result) } else { result.result.clone() };
        // As ansible-core: an indented result with its lines joined.
        if self.one_line {
            dump::with_indent(&value, false, Some(0), &self.options).replace('\n', "")
        } else {
            dump::with_indent(&value, false, Some(4), &self.options)
        }
    }
}

impl Sink for AdHoc {
    fn event(&mut self, event: &Event) {
        match event {
            Event::TaskStarted(task) => {
                self.actions.insert(task.id, task.action.clone());
            }
            Event::HostResult(result) => self.result(result),
            Event::Notice(notice) => self.notices.notice(notice, &mut self.screen, &self.options),
            Event::Finding { diagnostic } => notices::finding(diagnostic, &mut self.screen, &self.options),
            Event::NoHostsMatched => {
                let empty = "No hosts matched, nothing to do";
                self.screen.error_line(&format!("[WARNING]: {empty}"), Some(Color::Warning));
            }
            Event::Message { text, verbosity } if self.options.verbosity >= *verbosity => self.screen.line(text, None),
            Event::RunStarted(_)
            | Event::PlaybookStarted { .. }
            | Event::PlayStarted(_)
            | Event::NoHostsRemaining
            | Event::HostTaskStarted { .. }
            | Event::Output { .. }
            | Event::ItemResult(_)
            | Event::Retry { .. }
            | Event::Async { .. }
            | Event::Included { .. }
            | Event::HandlerNotified { .. }
            | Event::Link { .. }
            | Event::Refused { .. }
            | Event::Message { .. }
            | Event::Recap(_)
            | Event::RunFinished { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::history::event::TaskStarted;

    fn shown(action: &str, result: TaskResult, one_line: bool) -> String {
        let (screen, out, err) = Screen::captured();
        let mut sink = AdHoc::new(screen, Options::default(), one_line);
        sink.event(&Event::TaskStarted(TaskStarted {
            id: TaskId(1),
            name: action.into(),
            role: None,
            action: action.into(),
            span: Span::origin("<adhoc>"),
            is_handler: false,
            is_loop: false,
            is_include: false,
            arguments: None,
            check: false,
        }));
        sink.event(&Event::HostResult(result));
        out.text() + &err.text()
    }

    #[test]
    fn a_command_shows_its_output_and_another_module_its_result() {
        let command = Value::map([("rc", Value::Int(0)), ("stdout", "a\nb".into()), ("stderr", "".into()), ("msg", "".into())]);
        let done = TaskResult::new(TaskId(1), "web", Status::Changed, command);
        assert_eq!(shown("command", done.clone(), false), "web | CHANGED | rc=0 >>\na\nb\n");
        assert_eq!(shown("command", done, true), "web | CHANGED | rc=0 | (stdout) a\\nb\n");
        let pong = TaskResult::new(TaskId(1), "web", Status::Ok, Value::map([("ping", "pong")]));
        assert_eq!(shown("ping", pong.clone(), false), "web | SUCCESS => {\n    \"ping\": \"pong\"\n}\n");
        assert_eq!(shown("ping", pong, true), "web | SUCCESS => {\"ping\": \"pong\"}\n");
    }
}
