//! Handlers: notifications are kept as they were given, and find their handlers, by name or topic, when a flush comes; handlers run in the
//! order of their definition.

use std::sync::Arc;

use crate::base::{Diagnostic, Value};
use crate::history::event::Event;
use crate::language::{Item, Task};

use super::ahead::Step;
use super::cursor::{Cursor, Flow};
use super::gate::Position;
use super::state::{PlayState, lock, read, write};

/// All handlers of a play, in order: those of its roles, its own, those of roles included later.
#[derive(Debug, Default)]
pub struct Handlers {
    pub tasks: Vec<Arc<Task>>,
    /// Which list each stands in: where names are the same, the later list wins, and in it the first.
    lists: Vec<usize>,
}

impl Handlers {
    /// Adds a list, unless it is there.
    pub fn add(&mut self, items: &[Item]) {
        let list = self.lists.last().map_or(0, |last| last + 1);
        for task in items.iter().flat_map(Item::tasks) {
            if !self.tasks.iter().any(|other| Arc::ptr_eq(other, &task) || other.span == task.span) {
                self.tasks.push(task);
                self.lists.push(list);
            }
        }
    }

    /// The numbers of all handlers in the order in which names are looked for.
    fn by_precedence(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..self.tasks.len()).collect();
        numbers.sort_by_key(|number| std::cmp::Reverse(self.lists[*number]));
        numbers
    }
}

/// Adds a role's handlers to the play.
pub fn add(play: &PlayState, items: &[Item]) {
    write(&play.handlers).add(items);
}

/// The numbers of the handlers that a notification means: the one of this name, and all that listen to it.
fn matching(cursor: &Cursor, wanted: &str) -> Vec<usize> {
    let (tasks, order) = {
        let handlers = read(&cursor.play.handlers);
        (handlers.tasks.clone(), handlers.by_precedence())
    };
    let named = order.iter().copied().find(|number| tasks[*number].name.is_some() && is_called(cursor, &tasks[*number], wanted));
    let mut found: Vec<usize> = named.into_iter().collect();
    let mut names: Vec<String> = Vec::new();
    for number in order {
        let task = &tasks[number];
        if !listens(task, wanted) {
            continue;
        }
        if task.name.is_some() {
            let (name, _) = cursor.title(task);
            if names.contains(&name) {
                continue;
            }
            names.push(name);
        }
        if !found.contains(&number) {
            found.push(number);
        }
    }
    found
}

/// Warns of handlers that nothing can notify: those that nobody listens to, and whose name cannot be rendered. Only those that are looked at
/// before the wanted one is found.
fn warn_of_unusable(cursor: &Cursor, wanted: &str) {
    let (tasks, order) = {
        let handlers = read(&cursor.play.handlers);
        (handlers.tasks.clone(), handlers.by_precedence())
    };
    for task in order.into_iter().map(|number| &tasks[number]).take_while(|task| task.name.is_none() || !is_called(cursor, task, wanted)) {
        let Some(name) = task.name.as_ref().filter(|name| name.is_template() && task.own("listen").is_none()) else { continue };
        if let Err(error) = cursor.run.templar.render(name, &cursor.scope.at_task(task).context()) {
            let name = name.to_value().to_text();
            let why = super::words::reason(&error.into());
            let what = format!("Handler '{name}' is unusable because it has no listen topics and the name could not be templated");
            cursor.run.warn(Diagnostic::warning(format!("{what}. The error: {why}")).at(&task.span));
        }
    }
}

/// Whether some handler has this name or listens to it.
pub fn is_known(cursor: &Cursor, wanted: &str) -> bool {
    !matching(cursor, wanted).is_empty()
}

fn is_called(cursor: &Cursor, task: &Arc<Task>, wanted: &str) -> bool {
    let (name, title) = cursor.title(task);
    name == wanted || title == wanted || is_of_role(task, &name, wanted)
}

/// Whether the name is wanted together with its role's: with the collection that the role comes from, or without.
fn is_of_role(task: &Task, name: &str, wanted: &str) -> bool {
    let Some(role) = &task.scope.role else { return false };
    wanted.split_once(" : ").is_some_and(|(of, rest)| rest == name && (of == role.name.as_ref() || of == role.short_name()))
}

/// Topics are taken as they are written: `listen` has no templates.
fn listens(task: &Task, wanted: &str) -> bool {
    let topics = task.own("listen").map(super::keywords::list_of).unwrap_or_default();
    topics.iter().map(|topic| topic.to_value().to_text()).any(|topic| topic == wanted || is_of_role(task, &topic, wanted))
}

/// Remembers which handlers a task wants.
///
/// # Errors
/// Nobody listens to a name, which ends the run unless the settings let it pass.
pub fn notify(cursor: &Cursor, task: &Arc<Task>) -> Result<(), Diagnostic> {
    let context = cursor.scope.at_task(task).context();
    for node in task.keywords_outermost_first("notify").into_iter().flat_map(super::keywords::list_of) {
        let names = match cursor.run.templar.render(&node, &context).map_err(Diagnostic::from)? {
            Value::List(names) => names.iter().map(Value::to_text).collect(),
            Value::Null => Vec::new(),
            name => vec![name.to_text()],
        };
        for name in names.into_iter().filter(|name| name != crate::template::OMIT) {
            warn_of_unusable(cursor, &name);
            let numbers = matching(cursor, &name);
            if numbers.is_empty() {
                let error = nobody(cursor, &name).at(&node.span);
                match cursor.run.request.settings.error_on_missing_handler {
                    true => return Err(error),
                    false => cursor.run.warn(error),
                }
            } else if cursor.is_flushing() {
                resolve(cursor, &name, numbers);
            } else {
                remember(cursor, name);
            }
        }
    }
    Ok(())
}

fn nobody(cursor: &Cursor, name: &str) -> Diagnostic {
    let tasks = read(&cursor.play.handlers).tasks.clone();
    let names: Vec<String> = tasks.iter().filter(|task| task.name.is_some()).map(|task| cursor.title(task).0).collect();
    let message =
        format!("The requested handler '{name}' was not found in either the main handlers list nor in the listening handlers list");
    Diagnostic::error(message).did_you_mean(name, names.iter().map(String::as_str))
}

fn remember(cursor: &Cursor, name: String) {
    let text = format!("Notification for handler {name} has been saved.");
    cursor.run.event(Event::Message { text, verbosity: 2 });
    lock(&cursor.run.owed).insert((cursor.host.name.clone(), name.clone()));
    let mut notified = lock(&cursor.notified);
    if !notified.contains(&name) {
        notified.push(name);
    }
}

fn resolve(cursor: &Cursor, name: &str, numbers: Vec<usize>) {
    for number in numbers {
        if lock(&cursor.due).insert(number) {
            cursor.run.event(Event::HandlerNotified { handler: name.to_owned(), host: cursor.host.name.clone() });
        }
    }
}

/// The handlers that the flush still has to run.
fn due_after(cursor: &Cursor, number: usize) -> Vec<Step> {
    let tasks = read(&cursor.play.handlers).tasks.clone();
    let due = lock(&cursor.due);
    due.range(number + 1..).filter_map(|number| tasks.get(*number).cloned()).map(|task| Step::Item(Item::Task(task))).collect()
}

/// Runs what was notified. Handlers that a handler notifies and that come after it run in the same flush.
pub async fn flush(cursor: &Cursor, position: Position) -> Flow {
    let notified = std::mem::take(&mut *lock(&cursor.notified));
    if !notified.is_empty() && cursor.run.request.settings.debug {
        let text = format!("META: triggered running handlers for {}", cursor.host.name);
        cursor.run.event(Event::Message { text, verbosity: 0 });
    }
    for name in notified {
        let numbers = matching(cursor, &name);
        resolve(cursor, &name, numbers);
    }
    let level = cursor.upcoming.enter([]);
    let mut number = 0;
    loop {
        let handler = read(&cursor.play.handlers).tasks.get(number).cloned();
        let Some(handler) = handler else {
            lock(&cursor.run.owed).retain(|(host, _)| *host != cursor.host.name);
            return Flow::On;
        };
        if lock(&cursor.due).remove(&number) {
            let mut place = position.clone();
            place.push(number);
            level.set(due_after(cursor, number));
            let flow = cursor.task(&handler, place).await;
            if flow != Flow::On {
                return flow;
            }
        }
        number += 1;
    }
}
