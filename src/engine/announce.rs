//! Names of tasks as banners show them.

use std::sync::Arc;

use crate::base::Value;
use crate::history::event::{Event, TaskId, TaskStarted};
use crate::language::Task;

use super::gate::Batch;
use super::keywords::TaskKeywords;
use super::state::Run;
use super::variables::HostScope;

/// The task's name, rendered as far as it can be; its action where it has none.
pub fn name(run: &Run, scope: &HostScope, task: &Task) -> String {
    let Some(node) = &task.name else { return unnamed(task) };
    match run.templar.render(node, &scope.context()) {
        Ok(Value::Null) => unnamed(task),
        Ok(value) => value.to_text(),
        Err(_) => node.to_value().to_text(),
    }
}

fn unnamed(task: &Task) -> String {
    let action = &task.action.name;
    let role = task.action.arguments.get("name").or_else(|| task.action.arguments.get("role"));
    match role {
        // As it is written: ansible-core does not render it here.
        Some(role) if task.short_action() == "include_role" => format!("{action} : {}", role.to_value().to_text()),
        _ => action.to_string(),
    }
}

/// Tells that a task begins.
pub fn task(run: &Arc<Run>, scope: &HostScope, task: &Arc<Task>, batch: &Arc<Batch>, name: String) {
    let context = scope.context();
    let keywords = TaskKeywords { task, templar: &run.templar, context: &context };
    let check = keywords.flag("check_mode").ok().flatten().unwrap_or(run.request.check);
    run.event(Event::TaskStarted(started(batch.id, task, name, check)));
}

/// What a banner says.
fn started(id: TaskId, task: &Task, name: String, check: bool) -> TaskStarted {
    TaskStarted {
        id,
        name,
        role: task.scope.role.as_ref().filter(|_| task.short_action() != "include_role").map(|role| role.name.clone()),
        action: task.action.name.clone(),
        span: task.span.clone(),
        is_handler: task.is_handler,
        is_loop: task.loops.is_some(),
        is_include: task.is_include(),
        arguments: None,
        check,
    }
}
