//! Whether a task is sure to run, and its failure to count: only of such a task a mistake is certain.

use std::sync::Arc;

use crate::base::Node;
use crate::engine::keywords::list_of;
use crate::engine::state::Run;
use crate::engine::variables::HostScope;
use crate::language::{Play, Task};
use crate::template::NameKind;

/// Whether the task may be left out on all hosts of its play, or may fail.
pub fn may_fail_or_not_run(run: &Arc<Run>, play: &Play, task: &Task) -> bool {
    const WORDS: &[&str] = &["failed_when", "ignore_errors", "loop"];
    let says = |word: &&str| task.keywords_outermost_first(word).iter().any(|node| !node.is_null());
    if task.loops.is_some() || WORDS.iter().any(says) {
        return true;
    }
    let conditions: Vec<Node> =
        task.keywords_outermost_first("when").into_iter().filter(|node| !node.is_null()).flat_map(list_of).collect();
    !conditions.is_empty() && !hold_somewhere(run, play, task, &conditions)
}

/// Whether the conditions are about nothing but the inventory, and hold on a host of the play.
fn hold_somewhere(run: &Arc<Run>, play: &Play, task: &Task, conditions: &[Node]) -> bool {
    const INVENTORY: &[&str] = &["group_names", "groups", "inventory_hostname", "inventory_hostname_short"];
    let is_of_inventory = |node: &Node| {
        let Some(text) = node.as_str().filter(|_| !node.is_template()) else { return false };
        run.templar.free_names(text, NameKind::Expression).iter().all(|name| INVENTORY.contains(&name.as_str()))
    };
    conditions.iter().all(is_of_inventory)
        && super::hosts(run, play, None).unwrap_or_default().iter().any(|host| {
            let scope = HostScope::of(run, run.host(host)).at_scope(&task.scope);
            let context = scope.context();
            conditions.iter().all(|condition| run.templar.condition(condition, &context).unwrap_or(false))
        })
}

/// Whether the task runs whatever it is tagged with: its tags are plain words that are selected.
pub fn is_sure_to_be_selected(run: &Run, task: &Task) -> bool {
    let settings = &run.request.settings;
    if run.request.start_at_task.is_some() || !settings.skip_tags.is_empty() {
        return false;
    }
    let tags = task.keywords_outermost_first("tags");
    let has_never =
        || tags.iter().flat_map(|node| list_of(node)).any(|tag| tag.as_str().is_none_or(|tag| tag.contains("never") || tag.contains("{{")));
    (settings.tags.is_empty() || settings.tags.iter().all(|tag| tag == "all")) && !has_never()
}
