//! Lists of tasks and blocks, with static imports resolved. Findings are collected, so that all are told at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Diagnostic, Node, NodeKind};

use super::item::{Block, Item, Scope, ScopeKind, Vars};
use super::keywords::{Keywords, Object, not_a_keyword};
use super::loader::Loader;
use super::role_finder::RoleFinder;
use super::task::{Loop, Task};

/// Renders the file or role name of a static import in the scope it stands in.
pub type Render<'a> = dyn Fn(&Node, &Arc<Scope>) -> Result<String, Diagnostic> + 'a;

/// Static imports deeper than this import each other.
const DEEPEST_IMPORT: usize = 100;

/// Reads tasks; what is wrong with them is in `findings`.
pub struct Parser<'a> {
    pub loader: &'a Loader,
    pub roles: &'a RoleFinder,
    pub render: &'a Render<'a>,
    pub findings: Vec<Diagnostic>,
    depth: usize,
}

/// What kind of list is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ListOf {
    Tasks,
    Handlers,
}

impl<'a> Parser<'a> {
    pub fn new(loader: &'a Loader, roles: &'a RoleFinder, render: &'a Render<'a>) -> Self {
        Parser { loader, roles, render, findings: Vec::new(), depth: 0 }
    }

    /// Reads a list of tasks and blocks.
    pub fn tasks(&mut self, node: &Node, scope: &Arc<Scope>) -> Vec<Item> {
        self.list(node, scope, ListOf::Tasks)
    }

    /// Reads a list of handlers.
    pub fn handlers(&mut self, node: &Node, scope: &Arc<Scope>) -> Vec<Item> {
        self.list(node, scope, ListOf::Handlers)
    }

    /// The tasks of a file.
    pub fn file(&mut self, path: &Path, asked_at: &crate::base::Span, scope: &Arc<Scope>, handlers: bool) -> Vec<Item> {
        let kind = if handlers { ListOf::Handlers } else { ListOf::Tasks };
        match self.loader.load(path, Some(asked_at)) {
            Ok(node) => self.list(&node, scope, kind),
            Err(diagnostic) => {
                self.findings.push(diagnostic);
                Vec::new()
            }
        }
    }

    fn list(&mut self, node: &Node, scope: &Arc<Scope>, kind: ListOf) -> Vec<Item> {
        if node.is_null() {
            return Vec::new();
        }
        let Some(entries) = node.as_seq() else {
            let message = format!("a list of tasks is expected here, not {}", node.type_name());
            self.findings.push(Diagnostic::error(message).at(&node.span).help("each task starts with `- `"));
            return Vec::new();
        };
        entries.iter().filter(|entry| !entry.is_null()).filter_map(|entry| self.item(entry, scope, kind)).collect()
    }

    fn item(&mut self, node: &Node, scope: &Arc<Scope>, kind: ListOf) -> Option<Item> {
        let Some(entries) = node.as_map() else {
            let message = format!("a task is a mapping, not {}", node.type_name());
            self.findings.push(Diagnostic::error(message).at(&node.span));
            return None;
        };
        if ["block", "rescue", "always"].iter().any(|word| node.get(word).is_some()) {
            // One level is taken for its handlers.
            if kind == ListOf::Handlers && scope.kind == ScopeKind::Block {
                self.findings.push(Diagnostic::error("Using a block as a handler is not supported.").at(&node.span));
                return None;
            }
            return self.block(node, entries, scope, kind);
        }
        let task = self.task(node, entries, scope, kind)?;
        if kind == ListOf::Handlers && matches!(task.short_action(), "include_role" | "import_role") {
            let message = format!("Using '{}' as a handler is not supported.", task.action.name);
            self.findings.push(Diagnostic::error(message).at(&task.span).help("list the role in `roles`, or include a file of its tasks"));
            return None;
        }
        if kind == ListOf::Handlers && task.is_meta() && task.action.arguments.raw.as_ref().and_then(Node::as_str) == Some("flush_handlers")
        {
            self.findings.push(Diagnostic::error("flush_handlers cannot be used as a handler").at(&task.span));
            return None;
        }
        self.check_include(&task)?;
        match task.short_action() {
            "import_tasks" => self.import_tasks(&task, kind),
            "import_role" => self.import_role(&task),
            _ => Some(Item::Task(Arc::new(task))),
        }
    }

    fn block(&mut self, node: &Node, entries: &[(Node, Node)], scope: &Arc<Scope>, kind: ListOf) -> Option<Item> {
        let (mut keywords, others) = Keywords::split(Object::Block, entries);
        for (word, key, _) in others {
            self.findings.push(not_a_keyword(Object::Block, &word, &key));
        }
        if node.get("block").is_none() {
            self.findings.push(Diagnostic::error("`rescue` and `always` need a `block` that they belong to").at(&node.span));
            return None;
        }
        let parts: Vec<Node> = ["block", "rescue", "always"]
            .iter()
            .map(|word| keywords.get(word).cloned().unwrap_or_else(|| Node::null(node.span.clone())))
            .collect();
        for word in ["block", "rescue", "always"] {
            keywords.remove(word);
        }
        let vars = self.vars(&mut keywords);
        let inner = scope.inside(ScopeKind::Block, keywords, vars);
        let mut lists = parts.iter().map(|part| self.list(part, &inner, kind)).collect::<Vec<_>>().into_iter();
        let mut next = || lists.next().unwrap_or_default();
        let (body, rescue, always) = (next(), next(), next());
        Some(Item::Block(Arc::new(Block { span: node.span.clone(), scope: inner, body, rescue, always, role_run: None })))
    }

    /// Takes `vars` out of the keywords.
    pub(super) fn vars(&mut self, keywords: &mut Keywords) -> Vars {
        let node = keywords.get("vars").cloned();
        keywords.remove("vars");
        node.map(|node| self.vars_of(&node)).unwrap_or_default()
    }

    /// A mapping of variables; a list of mappings is accepted as Ansible accepts it.
    pub fn vars_of(&mut self, node: &Node) -> Vars {
        let mut vars = Vars::new();
        match &node.kind {
            _ if node.is_null() => {}
            NodeKind::Map(entries) => {
                for (key, value) in entries.iter() {
                    let name = key.to_key().to_string();
                    if !is_variable_name(&name) {
                        let message = format!("Invalid variable name in vars specified: '{name}' is not a valid variable name");
                        self.findings
                            .push(Diagnostic::error(message).at(&key.span).help("letters, digits and _ only, not starting with a digit"));
                    }
                    self.findings.extend(super::keywords::reserved_name(&name, &key.span));
                    vars.insert(name.into(), value.clone());
                }
            }
            NodeKind::Seq(items) => {
                for item in items.iter() {
                    vars.extend(self.vars_of(item));
                }
            }
            _ => {
                let message = format!("`vars` is a mapping of names and values, not {}", node.type_name());
                self.findings.push(Diagnostic::error(message).at(&node.span));
            }
        }
        vars
    }

    fn task(&mut self, node: &Node, entries: &[(Node, Node)], scope: &Arc<Scope>, kind: ListOf) -> Option<Task> {
        let (mut keywords, others) = Keywords::split(Object::Task, entries);
        let (loops, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|(word, _, _)| word.starts_with("with_"));
        let action = self.action(node, &mut keywords, others)?;
        if kind == ListOf::Tasks && keywords.get("listen").is_some() {
            let place = entries.iter().find(|(key, _)| key.as_str() == Some("listen")).map_or(&node.span, |(key, _)| &key.span);
            self.findings.push(Diagnostic::error("'listen' is not a valid attribute for a Task").at(place).help("only handlers listen"));
        }
        if let Some(register) = keywords.get("register").filter(|register| !register.is_null()) {
            let name = register.to_value().to_text();
            if !is_variable_name(&name) {
                let error = Diagnostic::error(format!("Invalid variable name in 'register' specified: '{name}'")).at(&register.span);
                self.findings.push(error.help("a name is letters, digits and `_`, and begins with no digit"));
            }
        }
        let loops = self.loops(&mut keywords, loops);
        let name = keywords.get("name").cloned().filter(|name| !name.is_null());
        keywords.remove("name");
        let vars = Arc::new(self.vars(&mut keywords));
        Some(Task {
            span: node.span.clone(),
            name,
            action,
            keywords,
            vars,
            loops,
            scope: scope.clone(),
            is_handler: kind == ListOf::Handlers,
            implicit: false,
        })
    }

    fn loops(&mut self, keywords: &mut Keywords, with: Vec<(String, Node, Node)>) -> Option<Loop> {
        let plain = keywords.get("loop").cloned();
        keywords.remove("loop");
        let (lookup, key, items) = match (plain, with.as_slice()) {
            (None, []) => return None,
            (Some(items), []) => return Some(Loop { lookup: None, items }),
            (None, [(word, key, items)]) => (word.trim_start_matches("with_").to_owned(), key.clone(), items.clone()),
            (_, [(word, key, _), ..]) => {
                self.findings.push(Diagnostic::error(format!("duplicate loop in task: {word}")).at(&key.span));
                return None;
            }
        };
        if items.is_null() {
            self.findings.push(Diagnostic::error(format!("you must specify a value when using with_{lookup}")).at(&key.span));
            return None;
        }
        Some(Loop { lookup: Some(lookup.into()), items })
    }

    pub(super) fn keep<T>(&mut self, outcome: Result<T, Diagnostic>) -> Option<T> {
        outcome.map_err(|diagnostic| self.findings.push(diagnostic)).ok()
    }

    pub(super) fn deeper<T>(&mut self, at: &crate::base::Span, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= DEEPEST_IMPORT {
            self.findings.push(Diagnostic::error("imports that never end: a file or role imports itself").at(at));
            return None;
        }
        self.depth += 1;
        let outcome = read(self);
        self.depth -= 1;
        Some(outcome)
    }
}

/// The same scope, standing in a file.
pub fn with_file(scope: &Arc<Scope>, path: &Path) -> Arc<Scope> {
    Arc::new(Scope {
        kind: scope.kind,
        keywords: scope.keywords.clone(),
        vars: scope.vars.clone(),
        role: scope.role.clone(),
        begins_role: scope.begins_role,
        file: Some(path.to_string_lossy().into()),
        parent: scope.parent.clone(),
    })
}

/// Where a file of tasks is: beside the file that asks for it, then in the role's `tasks`, then beside the playbook.
pub fn find_tasks(name: &str, scope: &Arc<Scope>) -> Option<PathBuf> {
    let name = Path::new(name);
    if name.is_absolute() {
        return name.is_file().then(|| name.to_owned());
    }
    let mut folders: Vec<PathBuf> = Vec::new();
    for outer in scope.chain() {
        if let Some(folder) = outer.file.as_deref().map(Path::new).and_then(Path::parent) {
            folders.push(folder.to_owned());
        }
        if let Some(role) = &outer.role {
            folders.push(role.path.join("tasks"));
            folders.push(role.path.join("handlers"));
            folders.push(role.path.clone());
        }
    }
    let joined = |folder: &PathBuf| {
        let path = folder.join(name);
        match folder.as_os_str().is_empty() {
            true => Path::new(".").join(name),
            false => path,
        }
    };
    folders.iter().map(joined).chain(folders.iter().map(|folder| folder.join("tasks").join(name))).find(|path| path.is_file())
}

/// Python's rule for names, as Ansible asks for it.
pub fn is_variable_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_alphabetic() || c == '_') && characters.all(|c| c.is_alphanumeric() || c == '_')
}
