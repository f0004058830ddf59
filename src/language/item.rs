//! What plays are made of: tasks and blocks in a tree, each with the chain of scopes it stands in.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::base::{Node, Span};

use super::keywords::Keywords;
use super::role::Role;
use super::task::Task;

/// Variables as written in one place: name to source.
pub type Vars = IndexMap<Arc<str>, Node>;

/// A task, or several that belong together.
#[derive(Clone, Debug)]
pub enum Item {
    Task(Arc<Task>),
    Block(Arc<Block>),
}

/// `block`, `rescue`, `always`; a role's tasks; an imported file.
#[derive(Debug)]
pub struct Block {
    pub span: Span,
    pub scope: Arc<Scope>,
    pub body: Vec<Item>,
    pub rescue: Vec<Item>,
    pub always: Vec<Item>,
    /// The block is this role's tasks: run once for a host unless the role allows duplicates.
    pub role_run: Option<Arc<Role>>,
}

/// What a scope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    Play,
    Block,
    Role,
    /// A static import.
    Import,
    /// A dynamic include.
    Include,
}

/// Something that encloses tasks and gives them keywords and variables.
#[derive(Debug)]
pub struct Scope {
    pub kind: ScopeKind,
    pub keywords: Keywords,
    pub vars: Arc<Vars>,
    pub role: Option<Arc<Role>>,
    /// Whether the role in `role` was begun by this very scope.
    pub begins_role: bool,
    /// The file whose tasks stand in this scope; its folder is searched for files first.
    pub file: Option<Arc<str>>,
    pub parent: Option<Arc<Scope>>,
}

impl Scope {
    /// The scope and all around it, innermost first.
    pub fn chain(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Scope>> {
        std::iter::successors(Some(self), |scope| scope.parent.as_ref())
    }

    /// The nearest word of this name.
    pub fn keyword(self: &Arc<Self>, word: &str) -> Option<&Node> {
        self.chain().find_map(|scope| scope.keywords.get(word))
    }

    /// All words of this name, outermost first: for keywords that add up (`when`, `tags`, `environment`).
    pub fn keywords_outermost_first(self: &Arc<Self>, word: &str) -> Vec<&Node> {
        let mut found: Vec<&Node> = self.chain().filter_map(|scope| scope.keywords.get(word)).collect();
        found.reverse();
        found
    }

    /// A scope of this kind inside this one, in the same role.
    pub fn inside(self: &Arc<Self>, kind: ScopeKind, keywords: Keywords, vars: Vars) -> Arc<Scope> {
        Arc::new(Scope {
            kind,
            keywords,
            vars: Arc::new(vars),
            role: self.role.clone(),
            begins_role: false,
            file: self.file.clone(),
            parent: Some(self.clone()),
        })
    }

    /// The names of the roles around, innermost first.
    pub fn roles(self: &Arc<Self>) -> Vec<Arc<Role>> {
        self.chain().filter(|scope| scope.begins_role).filter_map(|scope| scope.role.clone()).collect()
    }
}

impl Item {
    /// Every task in here, in the order written, rescue and always too.
    pub fn tasks(&self) -> Vec<Arc<Task>> {
        match self {
            Item::Task(task) => vec![task.clone()],
            Item::Block(block) => block.body.iter().chain(&block.rescue).chain(&block.always).flat_map(Item::tasks).collect(),
        }
    }
}
