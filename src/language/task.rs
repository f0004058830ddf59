//! One task as it was written.

use std::sync::Arc;

use crate::base::{Node, Span};

use super::arguments::{Arguments, short};
use super::item::{Scope, Vars};
use super::keywords::Keywords;

/// What a task does.
#[derive(Clone, Debug)]
pub struct Action {
    /// As written: `copy` or `ansible.builtin.copy`.
    pub name: Arc<str>,
    pub span: Span,
    pub arguments: Arguments,
}

/// `loop`, or one of the `with_*` forms.
#[derive(Clone, Debug)]
pub struct Loop {
    /// `None`: plain `loop`; else the lookup that makes the items.
    pub lookup: Option<Arc<str>>,
    pub items: Node,
}

#[derive(Clone, Debug)]
pub struct Task {
    pub span: Span,
    pub name: Option<Node>,
    pub action: Action,
    pub keywords: Keywords,
    pub vars: Arc<Vars>,
    pub loops: Option<Loop>,
    pub scope: Arc<Scope>,
    pub is_handler: bool,
    /// Gathering facts at a play's start and the like: not written by the user.
    pub implicit: bool,
}

impl Task {
    /// The same task with another action: one whose name was a template.
    pub fn with_action(&self, name: &str) -> Task {
        Task { action: Action { name: name.into(), ..self.action.clone() }, ..self.clone() }
    }

    /// The keyword on the task itself or the nearest around it.
    pub fn keyword(&self, word: &str) -> Option<&Node> {
        self.keywords.get(word).or_else(|| self.scope.keyword(word))
    }

    /// The keyword on the task itself only.
    pub fn own(&self, word: &str) -> Option<&Node> {
        self.keywords.get(word)
    }

    /// All that add up, outermost first.
    pub fn keywords_outermost_first(&self, word: &str) -> Vec<&Node> {
        let mut found = self.scope.keywords_outermost_first(word);
        found.extend(self.keywords.get(word));
        found
    }

    /// The action without the prefix of Ansible's own.
    pub fn short_action(&self) -> &str {
        short(&self.action.name)
    }

    /// Whether the action brings in tasks or a role when it runs.
    pub fn is_include(&self) -> bool {
        matches!(self.short_action(), "include_tasks" | "include_role" | "include")
    }

    pub fn is_meta(&self) -> bool {
        self.short_action() == "meta"
    }
}
