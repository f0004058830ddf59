//! A run on a terminal: finished parts above, a lane for each host that is doing something below, and how far it is at the bottom.
//! Finished lines never change. `indicatif` is used here and nowhere else.

mod lanes;
mod ledger;
mod text;

use std::collections::HashMap;
use std::time::Instant;

use crate::base::Value;
use crate::history::event::{Event, Recap, Show, Sink, Status, TaskId, TaskResult, TaskStarted};

use super::notices::Notices;
use super::screen::{Color, Screen};
use super::shapes::{clean_debug, is_debug};
use super::{Options, diagnostic, difference, dump, duration};

use lanes::Lanes;
pub use lanes::Pause;
use ledger::Ledger;

/// Shows a run in lanes.
pub struct Terminal {
    screen: Screen,
    options: Options,
    lanes: Lanes,
    tasks: HashMap<TaskId, TaskStarted>,
    section: Option<Section>,
    ledger: Ledger,
    notices: Notices,
    run: String,
    begun: Instant,
}

/// A role's tasks, or a play's own, as one line once they are done.
struct Section {
    name: String,
    begun: Instant,
    ok: u64,
    changed: u64,
    failed: u64,
}

impl Terminal {
    /// `width` of the options is the whole terminal.
    pub fn new(screen: Screen, options: Options) -> Self {
        let lanes = Lanes::on_stdout(options.width);
        Terminal::with_lanes(screen, options, lanes)
    }

    fn with_lanes(screen: Screen, options: Options, lanes: Lanes) -> Self {
        Terminal {
            screen,
            options,
            lanes,
            tasks: HashMap::new(),
            section: None,
            ledger: Ledger::default(),
            notices: Notices::default(),
            run: String::new(),
            begun: Instant::now(),
        }
    }

    /// What a question on the same terminal needs: the lanes out of its way.
    pub fn pause(&self) -> Pause {
        self.lanes.pause()
    }

    fn line(&mut self, text: &str, color: Option<Color>) {
        let Terminal { screen, lanes, .. } = self;
        lanes.above(|| screen.line(text, color));
    }

    fn task_started(&mut self, task: &TaskStarted) {
        let name = match &task.role {
            Some(role) => role.to_string(),
            None if task.is_handler => "handlers".to_owned(),
            None => "tasks".to_owned(),
        };
        if self.section.as_ref().is_none_or(|section| section.name != name) {
            self.end_section();
            self.section = Some(Section { name, begun: Instant::now(), ok: 0, changed: 0, failed: 0 });
        }
        self.tasks.insert(task.id, task.clone());
        self.lanes.one_more_task();
    }

    fn end_section(&mut self) {
        let Some(section) = self.section.take() else { return };
        let took = section.begun.elapsed();
        // What was as it should be, and quickly so, is not news: the recap counts it.
        if section.changed == 0 && section.failed == 0 && took.as_secs() < 1 {
            return;
        }
        let (mark, color) = if section.failed > 0 { ("✗", Color::Failed) } else { ("✓", Color::Ok) };
        let failed = if section.failed > 0 { format!("   {} failed", section.failed) } else { String::new() };
        let counts = format!("{mark} {:>2} ok   {} changed{failed}", section.ok, section.changed);
        let took = duration::text(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        let line = text::right_aligned(&format!("   {:<13} {counts}", text::shortened(&section.name, 13)), &took, self.options.width);
        self.line(&line, Some(color));
    }

    fn item(&mut self, result: &TaskResult) {
        if result.status == Status::Failed {
            self.failure(result);
        } else {
            self.shown(result);
        }
        if result.status == Status::Changed {
            self.ledger.changed(self.tasks.get(&result.task), result);
        }
    }

    fn host(&mut self, result: &TaskResult) {
        self.lanes.done(&result.host, result.status);
        let had_items = self.tasks.get(&result.task).is_some_and(|task| task.is_loop) && result.result.get("results").is_some();
        let Some(section) = &mut self.section else { return };
        match result.status {
            Status::Ok => section.ok += 1,
            Status::Changed => {
                section.ok += 1;
                section.changed += 1;
                self.lanes.one_more_change();
            }
            Status::Skipped => {}
            Status::Failed | Status::Unreachable if result.ignored || result.rescued => {}
            Status::Failed | Status::Unreachable => section.failed += 1,
        }
        match result.status {
            Status::Failed | Status::Unreachable if !had_items => self.failure(result),
            _ if !had_items => self.shown(result),
            _ => {}
        }
        if result.status == Status::Changed && !had_items {
            self.ledger.changed(self.tasks.get(&result.task), result);
        }
    }

    /// What a result has to say without being asked: warnings, differences, what `debug` prints.
    fn shown(&mut self, result: &TaskResult) {
        for notice in &result.notices {
            let Terminal { screen, lanes, notices, options, .. } = self;
            lanes.above(|| notices.notice(notice, screen, options));
        }
        if result.show_diff && result.status == Status::Changed {
            let text = difference::text(&result.diffs, &self.options, &self.screen);
            if !text.is_empty() {
                let title = self.tasks.get(&result.task).map(TaskStarted::title).unwrap_or_default();
                self.line(&format!("\n ~ {}   {title}", result.label()), Some(Color::Changed));
                self.line(text.trim_end(), None);
            }
        }
        if result.show == Show::Always && result.status != Status::Skipped {
            let is_debug = self.tasks.get(&result.task).is_some_and(|task| is_debug(&task.action));
            if is_debug {
                let text = spoken(&clean_debug(&result.result), &self.options);
                self.line(&text::indented(&text, 3), None);
            }
        }
    }

    fn failure(&mut self, result: &TaskResult) {
        for notice in &result.notices {
            let Terminal { screen, lanes, notices, options, .. } = self;
            lanes.above(|| notices.notice(notice, screen, options));
        }
        let task = self.tasks.get(&result.task);
        let title = task.map(TaskStarted::title).unwrap_or_default();
        let place = task.map(|task| task.span.to_string()).unwrap_or_default();
        let item = result.item.as_ref().map(|item| format!("   (item {})", item.to_text())).unwrap_or_default();
        if result.ignored || result.rescued {
            let what = if result.ignored { "ignored" } else { "rescued" };
            let message = result.result.get("msg").map(Value::to_text).unwrap_or_default();
            let first = message.lines().next().unwrap_or_default().to_owned();
            let line = text::shortened(&format!(" ! {}   {title}{item}   {what}: {first}", result.label()), self.options.width);
            self.line(&line, Some(Color::Warning));
            return;
        }
        let head = format!(" ✗ {}   {title}{item}", result.label());
        let head = text::right_aligned(&head, &place, self.options.width);
        let color = if result.status == Status::Unreachable { Color::Unreachable } else { Color::Failed };
        self.line(&format!("\n{head}"), Some(color));
        self.line(&text::indented(&text::explained(result), 3), None);
    }

    fn recap(&mut self, recap: &Recap) {
        self.end_section();
        self.lanes.end();
        self.screen.line("", None);
        let took = duration::text(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        let width = recap.hosts.keys().map(|host| host.chars().count()).max().unwrap_or(0);
        for (index, (host, stats)) in recap.hosts.iter().enumerate() {
            let took = if index == 0 { took.as_str() } else { "" };
            let color = if stats.failed + stats.unreachable > 0 { Color::Failed } else { Color::Ok };
            let extra =
                [("unreachable", stats.unreachable), ("skipped", stats.skipped), ("rescued", stats.rescued), ("ignored", stats.ignored)];
            let extra: String = extra.iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("   {word} {count}")).collect();
            let line = format!(" {host:<width$}   ok {}   changed {}   failed {}{extra}", stats.ok, stats.changed, stats.failed);
            self.screen.line(&text::right_aligned(&line, took, self.options.width), Some(color));
        }
        if let Some(changed) = self.ledger.summary(self.options.width) {
            self.screen.line(&changed, None);
        }
        if !self.run.is_empty() {
            let line = format!(" run {0} · hostler history show {0}", self.run);
            self.screen.line(&line, None);
        }
    }
}

/// What `debug` says: a message as it is, a list line by line, anything else as data.
fn spoken(result: &Value, options: &Options) -> String {
    match result.get("msg") {
        Some(Value::Str(text)) => text.to_string(),
        Some(Value::List(lines)) if lines.iter().all(|line| line.as_str().is_some()) => {
            lines.iter().map(Value::to_text).collect::<Vec<_>>().join("\n")
        }
        _ => dump::result(result, true, options),
    }
}

impl Sink for Terminal {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted(run) => {
                self.run = run.id.to_string();
                self.begun = Instant::now();
            }
            Event::PlayStarted(play) => {
                self.end_section();
                let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
                let roles = if play.roles > 0 { format!("   {}", count(play.roles, "role")) } else { String::new() };
                let sizes = format!("{}{roles}   {}", count(play.hosts.len(), "host"), count(play.tasks, "task"));
                let check = if play.check { "   check mode" } else { "" };
                let line = text::right_aligned(&format!(" play  {}{check}", play.name), &sizes, self.options.width);
                self.line(&line, None);
                self.lanes.play(play.tasks);
            }
            Event::NoHostsMatched => self.line("   no hosts match", Some(Color::Skipped)),
            Event::NoHostsRemaining => self.line("   no hosts are left", Some(Color::Failed)),
            Event::TaskStarted(task) => self.task_started(task),
            Event::HostTaskStarted { task, host } => {
                let title = self.tasks.get(task).map(|task| task.name.clone()).unwrap_or_default();
                let section = self.section.as_ref().map(|section| section.name.clone()).unwrap_or_default();
                self.lanes.begin(host, &section, &title);
            }
            Event::Output { host, line, .. } => self.lanes.output(host, line),
            Event::ItemResult(result) => self.item(result),
            Event::HostResult(result) => self.host(result),
            Event::Retry { host, retries_left, .. } => self.lanes.output(host, &format!("not yet: {retries_left} tries left")),
            Event::Link { host, state, detail } => self.lanes.link(host, *state, detail),
            Event::Notice(notice) => {
                let Terminal { screen, lanes, notices, options, .. } = self;
                lanes.above(|| notices.notice(notice, screen, options));
            }
            Event::Finding { diagnostic: finding } => {
                let text = diagnostic::render(finding, self.options.width, self.screen.colored);
                let Terminal { screen, lanes, .. } = self;
                lanes.above(|| screen.error_line(&text, None));
            }
            Event::Refused { errors, warnings } => {
                let Terminal { screen, lanes, .. } = self;
                lanes.above(|| screen.error_line(&diagnostic::refusal(*errors, *warnings), None));
            }
            Event::Message { text, verbosity } if *verbosity == 0 => self.line(text, None),
            Event::Recap(recap) => self.recap(recap),
            Event::RunFinished { .. } => self.lanes.end(),
            Event::PlaybookStarted { .. }
            | Event::Async { .. }
            | Event::Included { .. }
            | Event::HandlerNotified { .. }
            | Event::Message { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
