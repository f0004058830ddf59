//! Whether a task has done well when its host says so: only then may what comes after it be sent before that is known.

use crate::base::{Node, Value};
use crate::engine::cursor::Cursor;
use crate::engine::handlers;
use crate::engine::keywords::list_of;
use crate::engine::state::read;
use crate::engine::task::TaskRun;
use crate::engine::variables::HostScope;
use crate::language::Task;

/// Words that judge a result, or do more than run the task once.
const JUDGES: &[&str] = &["async", "failed_when", "retries", "timeout", "until"];

impl TaskRun<'_> {
    /// Whether the task goes well when its host says so. `scope` is a rehearsal's, in which the task's own result is not known.
    pub(super) fn is_settled_by_host(&self, scope: &HostScope) -> bool {
        let settings = &self.cursor.run.request.settings;
        JUDGES.iter().all(|word| self.task.keyword(word).is_none())
            && settings.task_timeout == 0
            && self.changed_is_certain(scope)
            && self.notifies_certainly(scope)
            && self.is_told_certainly(scope)
    }

    /// `changed_when` says the same whatever the result is, and can be evaluated.
    fn changed_is_certain(&self, scope: &HostScope) -> bool {
        let Some(node) = self.task.own("changed_when") else { return true };
        let context = scope.context();
        list_of(node).iter().all(|condition| self.cursor.run.templar.condition(condition, &context).is_ok()) && !is_void(scope)
    }

    /// Every handler that the task would notify is there. While handlers run, what they notify changes what comes next.
    fn notifies_certainly(&self, scope: &HostScope) -> bool {
        let names = self.task.keywords_outermost_first("notify");
        if names.is_empty() {
            return true;
        }
        let context = scope.context();
        !self.cursor.is_flushing()
            && has_plain_handlers(self.cursor)
            && names.into_iter().flat_map(list_of).all(|name| match self.cursor.run.templar.render(&name, &context) {
                Ok(Value::Null) => true,
                Ok(Value::List(names)) => names.iter().all(|name| handlers::is_known(self.cursor, &name.to_text())),
                Ok(name) => name.as_str() == Some(crate::template::OMIT) || handlers::is_known(self.cursor, &name.to_text()),
                Err(_) => false,
            })
            && !is_void(scope)
    }

    /// What decides how the result is shown can be evaluated.
    pub(super) fn is_told_certainly(&self, scope: &HostScope) -> bool {
        let context = scope.context();
        let label = self.task.own("loop_control").and_then(|control| control.get("label"));
        label.is_none_or(|label| self.cursor.run.templar.render(label, &context).is_ok())
            && ["delegate_facts", "run_once"].iter().all(|word| self.keywords(&context).flag(word).is_ok())
            && self.switches(scope).1.is_none()
            && !is_void(scope)
    }
}

/// Whether the names of all handlers are what is written.
fn has_plain_handlers(cursor: &Cursor) -> bool {
    read(&cursor.play.handlers).tasks.iter().all(|task| task.name.as_ref().is_none_or(|name| !name.is_template()))
}

/// Whether a scope's rehearsal has come to nothing.
pub(super) fn is_void(scope: &HostScope) -> bool {
    scope.rehearsal.as_ref().is_some_and(|unfinished| unfinished.is_void())
}

/// Whether a word stands on the task or around it, with something to render in it.
pub(super) fn has_templates(task: &Task, word: &str) -> bool {
    task.keywords_outermost_first(word).into_iter().flat_map(list_of).any(|node: Node| node.is_template())
}

/// Whether a word's keyword is on the task or around it at all.
pub(super) fn has_any(task: &Task, words: &[&str]) -> bool {
    words.iter().any(|word| !task.keywords_outermost_first(word).is_empty())
}
