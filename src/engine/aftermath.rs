//! What follows from a task's outcome on a host: counts, notifications, what failed, and how the host goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::{Diagnostic, Value};
use crate::history::event::{Event, Show, Status, TaskResult};
use crate::language::Task;

use super::cursor::{Cursor, Flow};
use super::gate::Batch;
use super::handlers;
use super::keywords::TaskKeywords;
use super::state::{Lost, lock};
use super::task::HostOutcome;
use super::words::{self, Failing};

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
        {
            lock(&self.host.roles_run).insert(role.identity.clone());
        }
        if outcome.changed
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
            _ if task.is_include() && !done.includes.is_empty() => stats.ok += 1,
            _ => {
                stats.ok += 1;
                stats.changed += u64::from(outcome.changed);
            }
        });
    }

    /// A failure that has no task of its own: shown as one.
    pub fn fail_at(&self, task: &Arc<Task>, batch: &Arc<Batch>, diagnostic: Diagnostic) -> Flow {
        if self.is_fatal(task) {
            batch.fatal.store(true, Ordering::SeqCst);
        }
        let message = words::task_failed(Failing::Task, &diagnostic);
        let values = Value::map([("changed", Value::Bool(false)), ("msg", message.into())]);
        let mut result = TaskResult::new(batch.id, self.host.name.clone(), Status::Failed, values);
        result.error = Some(diagnostic);
        self.run.event(Event::HostResult(result));
        let is_rescued = self.is_rescued();
        self.run.count(&self.host.name, |stats| match is_rescued {
            true => stats.rescued += 1,
            false => stats.failed += 1,
        });
        Flow::Failed
    }

    /// Something that no `rescue` catches: the whole run ends with it.
    pub fn break_run(&self, diagnostic: Diagnostic) -> Flow {
        lock(&self.run.broken).get_or_insert(diagnostic);
        self.play.ended.store(true, Ordering::SeqCst);
        self.play.is_last.store(true, Ordering::SeqCst);
        Flow::EndHost
    }
}
