//! Handlers: found by name or topic when notified, run in the order of their definition at a flush.

use std::sync::Arc;

use crate::base::{Node, Value};
use crate::language::{Item, Task};

use super::cursor::{Cursor, Flow};
use super::gate::Position;
use super::state::{PlayState, read, write};

/// The handlers of items, in order, as the play keeps them.
pub fn flatten(items: &[Item]) -> Vec<Arc<Task>> {
    items.iter().flat_map(Item::tasks).collect()
}

/// Adds a role's handlers to the play, unless they are there.
pub fn add(play: &PlayState, items: &[Item]) {
    let mut known = write(&play.handlers);
    for task in flatten(items) {
        if !known.iter().any(|other| Arc::ptr_eq(other, &task) || other.span == task.span) {
            known.push(task);
        }
    }
}

/// The numbers of the handlers that a notification means: the last one of this name, and all that listen to it.
pub fn matching(cursor: &Cursor, wanted: &str) -> Vec<usize> {
    let handlers = read(&cursor.play.handlers).clone();
    let mut found = Vec::new();
    let by_name = handlers.iter().enumerate().rev().find(|(_, task)| task.name.is_some() && is_called(cursor, task, wanted));
    found.extend(by_name.map(|(number, _)| number));
    for (number, task) in handlers.iter().enumerate() {
        if listens(cursor, task, wanted) && !found.contains(&number) {
            found.push(number);
        }
    }
    found
}

fn is_called(cursor: &Cursor, task: &Arc<Task>, wanted: &str) -> bool {
    let (name, title) = cursor.title(task);
    name == wanted || title == wanted
}

fn listens(cursor: &Cursor, task: &Arc<Task>, wanted: &str) -> bool {
    let topics = task.own("listen").map(super::keywords::list_of).unwrap_or_default();
    topics.iter().any(|topic| text(cursor, task, topic) == wanted)
}

fn text(cursor: &Cursor, task: &Arc<Task>, node: &Node) -> String {
    if !node.is_template() {
        return node.to_value().to_text();
    }
    let context = cursor.scope.at_task(task).context();
    cursor.run.templar.render(node, &context).as_ref().map_or_else(|_| node.to_value().to_text(), Value::to_text)
}

/// Runs what was notified. Handlers that a handler notifies and that come after it run in the same flush.
pub async fn flush(cursor: &Cursor, position: Position) -> Flow {
    let mut number = 0;
    loop {
        let handler = read(&cursor.play.handlers).get(number).cloned();
        let Some(handler) = handler else { return Flow::On };
        if cursor.take_notified(number) {
            let mut place = position.clone();
            place.push(number);
            let flow = cursor.task(&handler, place).await;
            if flow != Flow::On {
                return flow;
            }
        }
        number += 1;
    }
}
