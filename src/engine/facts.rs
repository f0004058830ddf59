//! Gathering facts at a play's start: a task like any other, made here.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::{Node, Span};
use crate::language::{Action, Arguments, Keywords, Task, Vars};

use super::cursor::Cursor;
use super::settings::Gathering;

/// The task that gathers facts for a host, unless the play or the settings do without.
pub fn gathering_task(cursor: &Cursor) -> Option<Arc<Task>> {
    let play = &cursor.play.play;
    let context = cursor.scope.context();
    let render = |word: &str| play.keyword(word).and_then(|node| cursor.run.templar.render(node, &context).ok());
    let asked = render("gather_facts").and_then(|value| crate::modules::coerce::truth(&value));
    let policy = cursor.run.request.settings.gathering;
    let gathered = cursor.host.facts_gathered.load(Ordering::SeqCst);
    let wanted = match policy {
        Gathering::Implicit => asked.unwrap_or(true),
        Gathering::Explicit => asked.unwrap_or(false),
        Gathering::Smart => asked.unwrap_or(true) && !gathered,
    };
    wanted.then(|| {
        cursor.host.facts_gathered.store(true, Ordering::SeqCst);
        let mut arguments = Arguments::default();
        for word in ["gather_subset", "gather_timeout", "fact_path"] {
            if let Some(node) = play.keyword(word) {
                arguments.options.push((word.to_owned(), node.clone()));
            }
        }
        let span = play.keyword("gather_facts").map_or_else(|| play.span.clone(), |node| node.span.clone());
        Arc::new(task(&span, cursor, arguments))
    })
}

fn task(span: &Span, cursor: &Cursor, arguments: Arguments) -> Task {
    let mut keywords = Keywords::default();
    keywords.set("tags", Node::text(span.clone(), "always"));
    Task {
        span: span.clone(),
        name: Some(Node::text(span.clone(), "Gathering Facts")),
        action: Action { name: "gather_facts".into(), span: span.clone(), arguments },
        keywords,
        vars: Arc::new(Vars::new()),
        loops: None,
        scope: cursor.play.play.scope.clone(),
        is_handler: false,
        implicit: true,
    }
}
