//! Runs of the history as text: the list of them, and what one of them did.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::history::event::{Event, HostStats, Status, TaskId, TaskResult, TaskStarted};
use crate::history::store::{Kept, Run};

use super::screen::{Color, Screen};
use super::{Options, difference, duration};

/// Which part of a run is wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub host: Option<String>,
    /// A part of the task's name.
    pub task: Option<String>,
    pub changed_only: bool,
}

/// Writes the list, the newest first.
pub fn list(runs: &[Run], zone: &TimeZone, screen: &mut Screen) {
    if runs.is_empty() {
        screen.line("nothing was run yet", None);
        return;
    }
    let rows: Vec<[String; 7]> = runs
        .iter()
        .map(|run| {
            let stats = total(run);
            let hosts = run.recap.as_ref().map_or(0, |recap| recap.hosts.len());
            [
                run.started.id.to_string(),
                time(run.started.time, zone),
                run.started.user.clone(),
                outcome(run).0,
                hosts.to_string(),
                if run.started.check { "(check)".to_owned() } else { stats.changed.to_string() },
                run.started.command.join(" "),
            ]
        })
        .collect();
    let titles = ["run", "when", "who", "result", "hosts", "changed", "command"].map(str::to_owned);
    let width = |column: usize| rows.iter().chain([&titles]).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    for (index, row) in std::iter::once(&titles).chain(&rows).enumerate() {
        let cells: Vec<String> = row.iter().zip(widths.iter().copied().chain([0])).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let color = if index == 0 { None } else { outcome(&runs[index - 1]).1 };
        screen.line(&cells.join("  "), color);
    }
}

/// Writes what a run did: its tasks, where each ran, what changed, with the differences.
pub fn show(run: &Run, events: &[Kept], filter: &Filter, zone: &TimeZone, screen: &mut Screen) {
    let (result, color) = outcome(run);
    let took = run
        .finished
        .map(|end| format!("   {}", duration::text(u64::try_from(end - start_of(events, run)).unwrap_or(0))))
        .unwrap_or_default();
    let mode = if run.started.check { "   check mode" } else { "" };
    screen.line(&format!("run {}   {}   {result}{took}{mode}", run.started.id, time(run.started.time, zone)), color);
    screen.line(&format!("{}   by {} in {}", run.started.command.join(" "), run.started.user, run.started.directory), None);
    let mut past = Past { tasks: HashMap::new(), titled: None, filter, screen };
    events.iter().for_each(|kept| past.event(&kept.event));
    if filter.host.is_none() && filter.task.is_none() {
        recap(run, screen);
    }
}

fn recap(run: &Run, screen: &mut Screen) {
    let Some(recap) = &run.recap else { return };
    screen.line("", None);
    let width = recap.hosts.keys().map(|host| host.chars().count()).max().unwrap_or(0);
    for (host, stats) in &recap.hosts {
        let unreachable = if stats.unreachable > 0 { "   unreachable" } else { "" };
        let line = format!("{host:<width$}   ok {}   changed {}   failed {}{unreachable}", stats.ok, stats.changed, stats.failed);
        let color = if stats.failed + stats.unreachable > 0 { Color::Failed } else { Color::Ok };
        screen.line(&line, Some(color));
    }
}

struct Past<'a> {
    tasks: HashMap<TaskId, TaskStarted>,
    titled: Option<TaskId>,
    filter: &'a Filter,
    screen: &'a mut Screen,
}

impl Past<'_> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::PlayStarted(play) => self.screen.line(&format!("\nplay {}", play.name), None),
            Event::TaskStarted(task) => {
                self.tasks.insert(task.id, task.clone());
            }
            Event::ItemResult(result) => self.result(result, true),
            Event::HostResult(result) => {
                let had_items = self.tasks.get(&result.task).is_some_and(|task| task.is_loop) && result.result.get("results").is_some();
                if !had_items {
                    self.result(result, false);
                }
            }
            Event::Finding { diagnostic } => self.screen.line(&format!("  {diagnostic}"), Some(Color::Failed)),
            _ => {}
        }
    }

    fn result(&mut self, result: &TaskResult, is_item: bool) {
        let task = self.tasks.get(&result.task);
        let title = task.map(TaskStarted::title).unwrap_or_default();
        let is_wanted = self.filter.host.as_deref().is_none_or(|host| host == &*result.host)
            && self.filter.task.as_deref().is_none_or(|part| title.to_lowercase().contains(&part.to_lowercase()))
            && (!self.filter.changed_only || matches!(result.status, Status::Changed | Status::Failed | Status::Unreachable));
        if !is_wanted {
            return;
        }
        if self.titled != Some(result.task) {
            self.titled = Some(result.task);
            let place = task.map(|task| format!("   {}", task.span)).unwrap_or_default();
            self.screen.line(&format!("  {title}{place}"), None);
        }
        let (word, color) = match result.status {
            Status::Ok => ("ok", Color::Ok),
            Status::Changed => ("changed", Color::Changed),
            Status::Skipped => ("skipped", Color::Skipped),
            Status::Failed if result.ignored => ("ignored", Color::Warning),
            Status::Failed if result.rescued => ("rescued", Color::Warning),
            Status::Failed => ("failed", Color::Failed),
            Status::Unreachable => ("unreachable", Color::Unreachable),
        };
        let item = result.item.as_ref().filter(|_| is_item).map(|item| format!("   {}", item.to_text())).unwrap_or_default();
        let took = if result.milliseconds >= 1000 { format!("   {}", duration::text(result.milliseconds)) } else { String::new() };
        self.screen.line(&format!("    {word:<8} {}{item}{took}", result.label()), Some(color));
        if matches!(result.status, Status::Failed | Status::Unreachable) {
            let message = result.result.get("msg").map(crate::base::Value::to_text).unwrap_or_default();
            message.lines().for_each(|line| self.screen.line(&format!("      {line}"), None));
        }
        if result.status == Status::Changed {
            let text = difference::text(&result.diffs, &Options::default(), self.screen);
            text.trim_end().lines().for_each(|line| self.screen.line(&format!("      {line}"), None));
        }
    }
}

fn outcome(run: &Run) -> (String, Option<Color>) {
    match (run.finished, run.exit_code) {
        (None, _) => ("not ended".to_owned(), Some(Color::Warning)),
        (Some(_), Some(0)) => ("ok".to_owned(), None),
        (Some(_), code) => (format!("failed ({})", code.unwrap_or(-1)), Some(Color::Failed)),
    }
}

fn total(run: &Run) -> HostStats {
    let mut total = HostStats::default();
    for stats in run.recap.iter().flat_map(|recap| recap.hosts.values()) {
        total.ok += stats.ok;
        total.changed += stats.changed;
        total.failed += stats.failed;
        total.unreachable += stats.unreachable;
    }
    total
}

fn start_of(events: &[Kept], run: &Run) -> i64 {
    events.first().map_or(run.started.time * 1000, |kept| kept.time)
}

fn time(seconds: i64, zone: &TimeZone) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Map, Span, Value};
    use crate::history::event::{PlayStarted, Recap, RunStarted};

    fn run() -> Run {
        let stats = HostStats { ok: 2, changed: 1, ..HostStats::default() };
        Run {
            started: RunStarted {
                id: "7f3a".into(),
                command: ["hostler", "run", "site.yml"].map(str::to_owned).to_vec(),
                time: 1_795_363_200,
                user: "ann".into(),
                directory: "/srv".into(),
                check: false,
                diff: false,
            },
            finished: Some(1_795_363_301_000),
            exit_code: Some(0),
            recap: Some(Recap { hosts: [("web".into(), stats)].into_iter().collect(), custom: Map::new() }),
        }
    }

    fn events() -> Vec<Kept> {
        let task = |id: u64, name: &str| TaskStarted {
            id: TaskId(id),
            name: name.to_owned(),
            role: Some("nginx".into()),
            action: "copy".into(),
            span: Span::new("roles/nginx/tasks/main.yml", 4, 3),
            is_handler: false,
            is_loop: false,
            is_include: false,
            arguments: None,
            check: false,
        };
        let mut changed = TaskResult::new(TaskId(1), "web", Status::Changed, Value::Null);
        changed.diffs = vec![Value::map([("before", "a\n"), ("after", "b\n")])];
        changed.milliseconds = 1500;
        let play =
            PlayStarted { name: "Web".into(), hosts: vec!["web".into()], roles: 1, tasks: 2, strategy: "linear".into(), check: false };
        [
            Event::RunStarted(run().started),
            Event::PlayStarted(play),
            Event::TaskStarted(task(1, "Write the page")),
            Event::HostResult(changed),
            Event::TaskStarted(task(2, "Start")),
            Event::HostResult(TaskResult::new(TaskId(2), "web", Status::Ok, Value::Null)),
        ]
        .map(|event| Kept { time: 1_795_363_200_000, event })
        .to_vec()
    }

    fn shown(filter: &Filter) -> String {
        let (mut screen, out, _) = Screen::captured();
        show(&run(), &events(), filter, &TimeZone::UTC, &mut screen);
        out.text()
    }

    #[test]
    fn the_list_is_a_table() {
        let (mut screen, out, _) = Screen::captured();
        list(&[run(), Run { finished: None, exit_code: None, recap: None, ..run() }], &TimeZone::UTC, &mut screen);
        insta::assert_snapshot!(out.text(), @r"
        run   when              who  result     hosts  changed  command
        7f3a  2026-11-22 16:00  ann  ok         1      1        hostler run site.yml
        7f3a  2026-11-22 16:00  ann  not ended  0      0        hostler run site.yml
        ");
    }

    #[test]
    fn a_run_is_told_with_its_differences() {
        insta::assert_snapshot!(shown(&Filter::default()), @r"
        run 7f3a   2026-11-22 16:00   ok   1 min 41 s
        hostler run site.yml   by ann in /srv

        play Web
          nginx : Write the page   roles/nginx/tasks/main.yml:4:3
            changed  web   1.5 s
              --- before
              +++ after
              @@ -1 +1 @@
              -a
              +b
          nginx : Start   roles/nginx/tasks/main.yml:4:3
            ok       web

        web   ok 2   changed 1   failed 0
        ");
    }

    #[test]
    fn a_part_can_be_asked_for() {
        assert!(!shown(&Filter { task: Some("start".into()), ..Filter::default() }).contains("Write the page"));
        assert!(!shown(&Filter { changed_only: true, ..Filter::default() }).contains("Start"));
        assert!(!shown(&Filter { host: Some("db".into()), ..Filter::default() }).contains("changed"));
    }
}
