//! What follows from a task's outcome on a host: counts, notifications, what failed, and how the host goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::{Diagnostic, Map, Value};
use crate::history::event::{Event, Notice, Show, Status, TaskResult};
use crate::language::Task;

use super::cursor::{Cursor, Flow};
use super::gate::Batch;
use super::handlers;
use super::keywords::TaskKeywords;
use super::start::code;
use super::state::{Lost, lock};
use super::task::HostOutcome;

impl Cursor {
    /// Counts, notifies, and decides how the host goes on.
    pub(super) fn after(&self, task: &Arc<Task>, name: &str, batch: &Arc<Batch>, done: &HostOutcome) -> Flow {
        let outcome = &done.outcome;
        if outcome.show != Show::Never {
            self.count(task, done);
        }
        if let Some(role) = &task.scope.role
            && !outcome.skipped
            && !outcome.unreachable
            && outcome.show != Show::Never
        {
            // A `run_once` counts on the host that it ran on.
            lock(&self.host.roles_run).insert(role.identity.clone());
        }
        if outcome.changed
            && outcome.show != Show::Never
            && !outcome.failed
            && !outcome.unreachable
            && let Err(error) = handlers::notify(self, task)
        {
            return self.break_run(error);
        }
        if done.ignored {
            return Flow::On;
        }
        if outcome.unreachable {
            if self.is_fatal(task) {
                batch.fatal.store(true, Ordering::SeqCst);
            }
            lock(&self.run.lost).insert(self.host.name.clone(), Lost::Unreachable);
            self.play.remove(&self.host.name);
            return Flow::Unreachable;
        }
        if !outcome.failed {
            return Flow::On;
        }
        self.remember_failure(task, name, done);
        if !self.is_rescued() {
            self.play.remove(&self.host.name);
            self.play.failures.fetch_add(1, Ordering::SeqCst);
        }
        if self.is_fatal(task) {
            batch.fatal.store(true, Ordering::SeqCst);
        }
        Flow::Failed
    }

    /// What a `rescue` reads about the failure.
    fn remember_failure(&self, task: &Task, name: &str, done: &HostOutcome) {
        self.host.set_variable("ansible_failed_task", Value::map([("name", name), ("action", task.action.name.as_ref())]));
        self.host.set_variable("ansible_failed_result", done.outcome.registered().into());
    }

    /// Whether the failure of the task is that of all hosts.
    pub(super) fn is_fatal(&self, task: &Arc<Task>) -> bool {
        let context = self.scope.at_task(task).context();
        let keywords = TaskKeywords { task, templar: &self.run.templar, context: &context };
        let flag = |word: &str| keywords.flag(word).ok().flatten();
        flag("any_errors_fatal").unwrap_or(self.run.request.settings.any_errors_fatal)
            || (flag("run_once") == Some(true) && self.gate.is_lockstep())
            || self.is_done_for_all(task)
    }

    fn count(&self, task: &Task, done: &HostOutcome) {
        let outcome = &done.outcome;
        let is_rescued = self.is_rescued();
        self.run.count(&self.host.name, |stats| match () {
            _ if outcome.unreachable && done.ignored => {
                stats.ok += 1;
                stats.ignored += 1;
            }
            _ if outcome.unreachable => stats.unreachable += 1,
            _ if outcome.failed && done.ignored => {
                stats.ok += 1;
                stats.ignored += 1;
                stats.changed += u64::from(outcome.changed);
            }
            _ if outcome.failed && is_rescued => stats.rescued += 1,
            _ if outcome.failed => stats.failed += 1,
            _ if outcome.skipped => stats.skipped += 1,
            // Counted when it has been read.
            _ if task.is_include() && !done.includes.is_empty() => {}
            _ => {
                stats.ok += 1;
                stats.changed += u64::from(outcome.changed);
            }
        });
    }

    /// An include of what is not there: the host fails. A `rescue` goes on with it, but as in ansible-core it does not count as rescued.
    pub fn fail_include(&self, task: &Arc<Task>, batch: &Arc<Batch>, result: Map, why: Diagnostic) -> Flow {
        if self.is_fatal(task) {
            batch.fatal.store(true, Ordering::SeqCst);
        }
        if !self.is_rescued() {
            self.play.remove(&self.host.name);
            self.play.failures.fetch_add(1, Ordering::SeqCst);
        }
        self.run.event(Event::Notice(Notice::error(why)));
        let result = TaskResult::new(batch.id, self.host.name.clone(), Status::Failed, result.into());
        self.run.event(Event::HostResult(result));
        self.run.count(&self.host.name, |stats| stats.failed += 1);
        Flow::Failed
    }

    /// What is included cannot be read: the whole run ends as for a playbook that cannot be.
    pub fn break_parsing(&self, diagnostic: Diagnostic) -> Flow {
        self.run.failure_code.store(code::PARSER, Ordering::SeqCst);
        self.break_run(diagnostic)
    }

    /// Something that no `rescue` catches: the whole run ends with it.
    pub fn break_run(&self, diagnostic: Diagnostic) -> Flow {
        lock(&self.run.broken).get_or_insert(diagnostic);
        self.play.ended.store(true, Ordering::SeqCst);
        self.play.is_last.store(true, Ordering::SeqCst);
        Flow::EndHost
    }
}
