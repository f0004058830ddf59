//! Which tasks a host does at all: tags, `--start-at-task`, `--step`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::Node;
use crate::language::Task;

use super::cursor::Cursor;
use super::gate::Batch;
use super::keywords::{is_selected, tags};

impl Cursor {
    pub(super) fn is_tagged_in(&self, task: &Task) -> bool {
        // A handler that was notified runs, whatever is selected: `--tags` chose the task that notified it.
        if (task.implicit && task.is_meta()) || task.is_handler {
            return true;
        }
        let settings = &self.run.request.settings;
        let context = self.scope.at_scope(&task.scope).context();
        let render = |node: &Node| self.run.templar.render(node, &context).ok();
        is_selected(&tags(task, &render), &only(&settings.tags), &settings.skip_tags)
    }

    /// Whether handlers run at the ends of sections: those flushes are tagged `always`.
    pub(super) fn flushes_between_sections(&self) -> bool {
        let settings = &self.run.request.settings;
        is_selected(&["always".to_owned()], &only(&settings.tags), &settings.skip_tags)
    }

    /// Whether `--start-at-task` still keeps this task from running.
    pub fn is_before_start(&self, task: &Arc<Task>) -> bool {
        if !self.is_before_start.load(Ordering::SeqCst) || task.implicit {
            return false;
        }
        let Some(wanted) = &self.run.request.start_at_task else { return false };
        let (name, title) = self.title(task);
        let matches = |text: &str| text == wanted || glob::Pattern::new(wanted).is_ok_and(|pattern| pattern.matches(text));
        let found = matches(&name) || matches(&title);
        if found {
            self.is_before_start.store(false, Ordering::SeqCst);
            // Plays after this one run from their beginning.
            self.run.waiting_for_start.store(false, Ordering::SeqCst);
        }
        !found
    }

    /// `--step`: whether the user wants the task; asked once for all hosts.
    pub(super) async fn is_confirmed(&self, batch: &Arc<Batch>, title: &str) -> bool {
        *batch.confirmed.get_or_init(|| async { super::step::asks(&self.run, title) }).await
    }
}

/// `--tags` with its default.
pub fn only(tags: &[String]) -> Vec<String> {
    if tags.is_empty() { vec!["all".into()] } else { tags.to_vec() }
}
