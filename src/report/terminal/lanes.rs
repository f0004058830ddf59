//! The part of the screen that still moves.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::history::event::{LinkState, Status};

use super::super::duration;
use super::text::shortened;

/// Hosts that have a lane at the same time, at most: more would push the finished lines off the screen.
const MOST: usize = 8;
/// How often the ages move on.
const TICK: Duration = Duration::from_millis(200);

/// The lanes and the line under them.
pub struct Lanes {
    all: MultiProgress,
    width: usize,
    lanes: Vec<Lane>,
    bottom: Option<ProgressBar>,
    changed: u64,
}

struct Lane {
    host: Arc<str>,
    busy: bool,
    bar: ProgressBar,
    /// The last line that the task wrote.
    output: Option<ProgressBar>,
}

/// Takes the lanes off the screen for as long as something else is on it.
#[derive(Clone, Debug)]
pub struct Pause(MultiProgress);

impl Pause {
    pub fn during<R>(&self, work: impl FnOnce() -> R) -> R {
        self.0.suspend(work)
    }
}

impl Lanes {
    pub fn on_stdout(width: usize) -> Self {
        Lanes::on(ProgressDrawTarget::stdout_with_hz(10), width)
    }

    pub fn on(target: ProgressDrawTarget, width: usize) -> Self {
        Lanes { all: MultiProgress::with_draw_target(target), width, lanes: Vec::new(), bottom: None, changed: 0 }
    }

    pub fn pause(&self) -> Pause {
        Pause(self.all.clone())
    }

    /// Writes finished lines above the lanes.
    pub fn above(&self, write: impl FnOnce()) {
        self.all.suspend(write);
    }

    /// A play begins: its tasks are counted anew.
    pub fn play(&mut self, tasks: usize) {
        self.end();
        let bar = self.all.add(ProgressBar::new(tasks as u64));
        bar.set_style(style(" {pos} of {len}   {msg}   {bar:32}   {age}").progress_chars("━━─"));
        bar.enable_steady_tick(TICK);
        self.bottom = Some(bar);
        self.show_changed();
    }

    pub fn one_more_task(&mut self) {
        let Some(bar) = &self.bottom else { return };
        // Included tasks are not known before.
        if bar.length().is_some_and(|length| bar.position() >= length) {
            bar.inc_length(1);
        }
        bar.inc(1);
    }

    pub fn one_more_change(&mut self) {
        self.changed += 1;
        self.show_changed();
    }

    fn show_changed(&self) {
        if let Some(bar) = &self.bottom {
            bar.set_message(format!("changed {}", self.changed));
        }
    }

    /// A host begins a task.
    pub fn begin(&mut self, host: &Arc<str>, section: &str, task: &str) {
        let line = format!("{:<13} ● {host}   {}", shortened(section, 13), task);
        self.show(host, line);
    }

    pub fn link(&mut self, host: &Arc<str>, state: LinkState, detail: &str) {
        let what = match state {
            LinkState::Connecting => "connecting",
            LinkState::SendingAgent => "sending the agent",
            LinkState::Lost => "the connection is lost",
            LinkState::Restored => "connected again",
            LinkState::Ready => return self.done(host, Status::Ok),
        };
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        self.show(host, format!("{:<13} ◌ {host}   {what}{detail}", ""));
    }

    fn show(&mut self, host: &Arc<str>, line: String) {
        let Some(lane) = self.lane(host) else { return };
        lane.busy = true;
        lane.bar.reset_elapsed();
        lane.bar.set_message(line);
        if let Some(output) = lane.output.take() {
            output.finish_and_clear();
            self.all.remove(&output);
        }
    }

    /// The last line of what a host's task writes.
    pub fn output(&mut self, host: &Arc<str>, line: &str) {
        let line: String = line.chars().filter(|character| !character.is_control()).collect();
        let Some(index) = self.lanes.iter().position(|lane| lane.host == *host && lane.busy) else { return };
        if self.lanes[index].output.is_none() {
            let bar = self.all.insert_after(&self.lanes[index].bar, ProgressBar::new_spinner());
            bar.set_style(style("                   {wide_msg}"));
            self.lanes[index].output = Some(bar);
        }
        if let Some(output) = &self.lanes[index].output {
            output.set_message(shortened(line.trim(), self.width.saturating_sub(20)));
        }
    }

    /// A host is done with its task: its lane is free for another.
    pub fn done(&mut self, host: &Arc<str>, status: Status) {
        let Some(index) = self.lanes.iter().position(|lane| lane.host == *host) else { return };
        let lane = &mut self.lanes[index];
        lane.busy = false;
        if let Some(output) = lane.output.take() {
            output.finish_and_clear();
            self.all.remove(&output);
        }
        if matches!(status, Status::Failed | Status::Unreachable) {
            let lane = self.lanes.remove(index);
            lane.bar.finish_and_clear();
            self.all.remove(&lane.bar);
        }
    }

    /// The lane of a host: its own, one that is free, or a new one while there are not too many.
    fn lane(&mut self, host: &Arc<str>) -> Option<&mut Lane> {
        let own = self.lanes.iter().position(|lane| lane.host == *host);
        let index = match own.or_else(|| self.lanes.iter().position(|lane| !lane.busy && self.lanes.len() >= MOST)) {
            Some(index) => index,
            None if self.lanes.len() >= MOST => return None,
            None => {
                let bar = match &self.bottom {
                    Some(bottom) => self.all.insert_before(bottom, ProgressBar::new_spinner()),
                    None => self.all.add(ProgressBar::new_spinner()),
                };
                bar.set_style(style("   {wide_msg} {age}"));
                bar.enable_steady_tick(TICK);
                self.lanes.push(Lane { host: host.clone(), busy: false, bar, output: None });
                self.lanes.len() - 1
            }
        };
        self.lanes[index].host = host.clone();
        self.lanes.get_mut(index)
    }

    /// Takes everything that moves off the screen.
    pub fn end(&mut self) {
        for lane in self.lanes.drain(..) {
            if let Some(output) = lane.output {
                output.finish_and_clear();
                self.all.remove(&output);
            }
            lane.bar.finish_and_clear();
            self.all.remove(&lane.bar);
        }
        if let Some(bar) = self.bottom.take() {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }
}

/// A style with the age of the bar as `{age}`. A template that indicatif refuses shows the message alone.
fn style(template: &str) -> ProgressStyle {
    let age = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Writing to the bar's own text cannot fail.
        let _written = write!(out, "{}", duration::text(u64::try_from(state.elapsed().as_millis()).unwrap_or(u64::MAX)));
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()).with_key("age", age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_one() {
        for template in [" {pos} of {len}   {msg}   {bar:32}   {age}", "   {wide_msg} {age}", "                   {wide_msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn there_are_never_too_many_lanes_and_a_free_one_is_taken_over() {
        let mut lanes = Lanes::on(ProgressDrawTarget::hidden(), 80);
        lanes.play(10);
        let hosts: Vec<Arc<str>> = (0..20).map(|number| Arc::from(format!("h{number}"))).collect();
        hosts.iter().for_each(|host| lanes.begin(host, "common", "Install"));
        assert_eq!(lanes.lanes.len(), MOST);
        lanes.done(&hosts[0], Status::Ok);
        lanes.begin(&hosts[19], "common", "Install");
        assert_eq!(lanes.lanes[0].host, hosts[19]);
        lanes.end();
        assert!(lanes.lanes.is_empty());
    }

    #[test]
    fn output_cannot_move_the_cursor() {
        let mut lanes = Lanes::on(ProgressDrawTarget::hidden(), 80);
        let host: Arc<str> = Arc::from("web");
        lanes.begin(&host, "", "Run");
        lanes.output(&host, "a\x1b[2Jb\r");
        assert_eq!(lanes.lanes[0].output.as_ref().map(ProgressBar::message), Some("a[2Jb".to_owned()));
    }
}
