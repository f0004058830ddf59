//! `import_tasks` and `import_role`, which are read with the file that they stand in, and what they and their dynamic kin may say.

use std::path::Path;
use std::sync::Arc;

use crate::base::{Diagnostic, Node, NodeKind, Value};

use super::item::{Block, Item, Scope, ScopeKind};
use super::parser::{ListOf, Parser, find_tasks, with_file};
use super::role::RoleRequest;
use super::task::Task;

const ROLE_FILES: &[&str] = &["defaults_from", "handlers_from", "tasks_from", "vars_from"];
const ROLE_OPTIONS: &[&str] = &["allow_duplicates", "name", "public", "role", "rolespec_validate"];

impl Parser<'_> {
    /// Whether an include or import says what it may: nothing is told about other tasks.
    pub(super) fn check_include(&mut self, task: &Task) -> Option<()> {
        let Some(problem) = wrong_include(task) else { return Some(()) };
        self.findings.push(problem);
        None
    }

    pub(super) fn import_tasks(&mut self, task: &Task, kind: ListOf) -> Option<Item> {
        let scope = self.import_scope(task)?;
        let file = task.action.arguments.raw.as_ref().or_else(|| task.action.arguments.get("file"))?;
        let name = self.keep((self.render)(file, &scope))?;
        let Some(path) = find_tasks(&name, &task.scope) else {
            self.findings.push(Diagnostic::error(format!("Could not find or access '{name}' on the Ansible Controller.")).at(&file.span));
            return None;
        };
        let inner = with_file(&scope, &path);
        let body = self.deeper(&file.span, |parser| parser.file(&path, &file.span, &inner, kind == ListOf::Handlers))?;
        Some(Item::Block(Arc::new(Block {
            span: task.span.clone(),
            scope: inner,
            body,
            rescue: Vec::new(),
            always: Vec::new(),
            role_run: None,
        })))
    }

    /// The scope that an import makes of its own keywords.
    fn import_scope(&mut self, task: &Task) -> Option<Arc<Scope>> {
        if let Some(loops) = &task.loops {
            let message = format!("you cannot use loops on '{}' statements. You should use '{}' instead.", task.action.name, {
                task.action.name.replace("import_", "include_")
            });
            self.findings.push(Diagnostic::error(message).at(&loops.items.span));
            return None;
        }
        Some(task.scope.inside(ScopeKind::Import, task.keywords.clone(), task.vars.as_ref().clone()))
    }

    pub(super) fn import_role(&mut self, task: &Task) -> Option<Item> {
        let scope = self.import_scope(task)?;
        let arguments = &task.action.arguments;
        let name = arguments.get("name").or_else(|| arguments.get("role"))?;
        let rendered = self.keep((self.render)(name, &scope))?;
        let mut request = RoleRequest::named(&rendered, &name.span);
        let mut text = |option: &str| -> Option<Option<String>> {
            let Some(node) = arguments.get(option).filter(|node| !node.is_null()) else { return Some(None) };
            Some(Some(self.keep((self.render)(node, &scope))?))
        };
        request.tasks_from = text("tasks_from")?;
        request.vars_from = text("vars_from")?;
        request.defaults_from = text("defaults_from")?;
        request.handlers_from = text("handlers_from")?;
        let mut flag = |option: &str| Some(text(option)?.and_then(|text| crate::base::truth(&Value::from(text))));
        request.allow_duplicates = Some(flag("allow_duplicates")?.unwrap_or(true));
        request.validate = flag("rolespec_validate")?.unwrap_or(true);
        request.is_public = flag("public")?.unwrap_or(!self.roles.private_vars);
        request.is_import = true;
        let block = self.deeper(&name.span, |parser| parser.role(&request, &scope))??;
        Some(Item::Block(Arc::new(block)))
    }
}

/// What is wrong with an include or an import.
fn wrong_include(task: &Task) -> Option<Diagnostic> {
    let action = task.short_action();
    let arguments = &task.action.arguments;
    if !arguments.whole.is_empty() {
        return None;
    }
    let wrong = |message: String| Some(Diagnostic::error(message).at(&task.span));
    let is_include = action.starts_with("include_");
    let known: Vec<&str> = match action {
        "include_tasks" | "import_tasks" => vec!["file"],
        "include_role" | "import_role" => [ROLE_OPTIONS, ROLE_FILES].concat(),
        _ => return None,
    };
    let unknown: Vec<&str> = arguments
        .options
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !(known.contains(name) || is_include && *name == "apply"))
        .collect();
    if !unknown.is_empty() {
        return wrong(format!("Invalid options for {action}: {}", unknown.join(",")));
    }
    if let Some(apply) = arguments.get("apply").filter(|apply| apply.as_map().is_none() && !apply.is_template() && !apply.is_null()) {
        return wrong(format!("Expected a dict for apply but got {} instead", python_type(apply)));
    }
    if action.ends_with("_tasks") {
        let file = arguments.raw.as_ref().or_else(|| arguments.get("file"));
        return match file.is_none_or(Node::is_null) {
            true => wrong(format!("No file specified for {}", task.action.name)),
            false => None,
        };
    }
    if arguments.get("name").or_else(|| arguments.get("role")).is_none_or(Node::is_null) {
        return wrong(format!("'name' is a required field for {action}."));
    }
    let odd = ROLE_FILES.iter().find_map(|option| arguments.get(option).filter(|node| !is_text(node)).map(|node| (option, node)));
    odd.and_then(|(option, node)| wrong(format!("Expected a string for {option} but got {} instead", python_type(node))))
}

fn is_text(node: &Node) -> bool {
    node.is_null() || node.as_str().is_some()
}

fn python_type(node: &Node) -> String {
    let name = match &node.kind {
        NodeKind::Seq(_) => "list",
        NodeKind::Map(_) => "dict",
        NodeKind::Int(_) => "int",
        NodeKind::Float(_) => "float",
        NodeKind::Bool(_) => "bool",
        _ => "str",
    };
    format!("<class '{name}'>")
}

/// Whether a path stays below a folder, looking at names only.
pub(super) fn is_inside(path: &Path, folder: &Path) -> bool {
    let mut folded = std::path::PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(folded.pop()),
            std::path::Component::CurDir => {}
            other => folded.push(other),
        }
    }
    folded.starts_with(folder)
}
