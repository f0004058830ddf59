//! Dynamic includes: `include_tasks` and `include_role` become items that the host goes on with. Hosts that include the same file with the
//! same variables do so together.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::{Diagnostic, Map, Node, Value};
use crate::history::event::Event;
use crate::language::{Item, Keywords, Parser, RoleRequest, Scope, ScopeKind, Task, Vars, roles_in, with_file};

use super::ahead::Step;
use super::cursor::{Cursor, Flow};
use super::gate::{Batch, Position};
use super::outcome::{Include, IncludeKind};
use super::state::{plain, write};

/// Goes through every include of a task, in the order of its loop: first all are told, then their tasks run.
pub async fn follow(cursor: &Cursor, task: &Arc<Task>, batch: &Arc<Batch>, includes: Vec<Include>, position: Position) -> Flow {
    let mut seen: Vec<String> = Vec::new();
    let mut numbered = Vec::new();
    for include in includes {
        let mut identity = identity(&include);
        // The same include twice in one loop runs twice.
        let before = seen.iter().filter(|known| **known == identity).count();
        seen.push(identity.clone());
        identity.push_str(&"+".repeat(before));
        numbered.push((batch.include_number(&identity), include));
    }
    let mut loaded = Vec::new();
    for (number, include) in &numbered {
        let mut place = position.clone();
        place.extend([0, *number]);
        match load(cursor, task, include) {
            Ok(items) => {
                roles_in(&items).iter().for_each(|role| super::handlers::add(&cursor.play, &role.handlers));
                tell(cursor, batch, include, place).await;
                loaded.push((*number, items));
            }
            Err(why) => {
                return match *why {
                    NotLoaded::Broken(diagnostic) => cursor.break_parsing(diagnostic),
                    NotLoaded::Absent { result, why } => cursor.fail_include(task, batch, result, why),
                };
            }
        }
    }
    cursor.run.count(&cursor.host.name, |stats| stats.ok += loaded.len() as u64);
    let level = cursor.upcoming.enter([]);
    for (index, (number, items)) in loaded.iter().enumerate() {
        let mut place = position.clone();
        place.extend([1, *number]);
        level.set((index + 1 < loaded.len()).then_some(Step::Stop));
        let flow = cursor.items(items, place).await;
        // A file is a block of its own.
        cursor.forget_double_failure();
        if flow != Flow::On {
            return flow;
        }
    }
    Flow::On
}

/// Why there is nothing to go on with.
enum NotLoaded {
    /// What is there cannot be read as tasks: as ansible-core, the run ends.
    Broken(Diagnostic),
    /// There is no such thing: the host fails, with this result.
    Absent { result: Map, why: Diagnostic },
}

impl NotLoaded {
    fn broken(why: Diagnostic) -> Box<Self> {
        Box::new(NotLoaded::Broken(why))
    }

    fn absent(include: Option<&str>, why: Diagnostic) -> Box<Self> {
        let mut result: Map = [("changed", Value::Bool(false))].into_iter().collect();
        if let Some(file) = include {
            result.insert("include", file);
        }
        result.insert("reason", super::words::reason(&why));
        Box::new(NotLoaded::Absent { result, why })
    }
}

/// Says which hosts include a file together.
async fn tell(cursor: &Cursor, batch: &Arc<Batch>, include: &Include, position: Position) {
    let file: Arc<str> = match &include.kind {
        IncludeKind::File { path, .. } => path.to_string_lossy().into(),
        IncludeKind::Role(request) => request.name.as_str().into(),
    };
    let together = cursor.gate.arrive(&cursor.host.name, position).await;
    if !together.announced.swap(true, Ordering::SeqCst) {
        cursor.run.event(Event::Included { task: batch.id, file, hosts: together.hosts.clone(), item: include.item.clone() });
    }
}

fn identity(include: &Include) -> String {
    let kind = match &include.kind {
        IncludeKind::File { path, .. } => path.display().to_string(),
        IncludeKind::Role(request) => format!("role {} {:?}", request.name, request.tasks_from),
    };
    format!("{kind} {:?}", include.locals)
}

fn load(cursor: &Cursor, task: &Arc<Task>, include: &Include) -> Result<Vec<Item>, Box<NotLoaded>> {
    let mut vars: Vars = task.vars.as_ref().clone();
    for (key, value) in include.locals.iter() {
        vars.insert(key.to_string().into(), plain(value.clone()));
    }
    let scope = apply(task, include, vars);
    match &include.kind {
        IncludeKind::File { path, written } => {
            let absent = |why| Err(NotLoaded::absent(Some(written), why));
            if !path.is_file() {
                return absent(Diagnostic::error(not_there(path)));
            }
            let inner = with_file(&scope, path);
            let node = cursor.run.loader.load(path, Some(&task.action.span)).map_err(NotLoaded::broken)?;
            if !node.is_null() && node.as_seq().is_none() {
                return absent(Diagnostic::error("included task files must contain a list of tasks"));
            }
            let read = parse(cursor, |parser| parser.file(path, &task.action.span, &inner, task.is_handler));
            read.map_err(|error| match error.message.strip_prefix("Could not find or access '").and_then(|rest| rest.split_once('\'')) {
                // An import of what is not there: as if it were included.
                Some((name, _)) => NotLoaded::absent(
                    Some(written),
                    Diagnostic::error(not_there(&cursor.run.playbook_folder(&cursor.play.file).join(name))),
                ),
                None => NotLoaded::broken(error),
            })
        }
        IncludeKind::Role(request) => {
            if let Some(why) = cursor.run.roles.missing(request, scope.role.as_deref()) {
                return Err(NotLoaded::absent(None, why));
            }
            role(cursor, request, &scope).map(|item| vec![item]).map_err(NotLoaded::broken)
        }
    }
}

/// What ansible-core says about a file of tasks that is not there.
fn not_there(path: &Path) -> String {
    let path = path.display();
    let could_not = format!("Could not find or access '{path}' on the Ansible Controller");
    let hint = "If you are using a module and expect the file to exist on the remote, see the remote_src option";
    format!("{could_not}: Unable to retrieve file contents.\n{could_not}.\n{hint}: [Errno 2] No such file or directory: '{path}'")
}

/// The scope of what is included: the include's variables, and the keywords of its `apply`, whose variables are below those.
fn apply(task: &Arc<Task>, include: &Include, vars: Vars) -> Arc<Scope> {
    let mut keywords = Keywords::default();
    let mut all = Vars::new();
    if let Some(entries) = include.apply.as_ref().and_then(Node::as_map) {
        let (known, _) = Keywords::split_block(entries);
        keywords = known;
        let given = include.apply.as_ref().and_then(|apply| apply.get("vars")?.as_map()).unwrap_or_default();
        all.extend(given.iter().map(|(name, value)| (Arc::from(name.to_key().to_string()), value.clone())));
    }
    all.extend(vars);
    task.scope.inside(ScopeKind::Include, keywords, all)
}

/// Parses something at run time: the first thing that is wrong fails the include.
fn parse<T>(cursor: &Cursor, read: impl FnOnce(&mut Parser<'_>) -> T) -> Result<T, Diagnostic> {
    let run = &cursor.run;
    let render = |node: &Node, scope: &Arc<Scope>| {
        let context = cursor.scope.at_scope(scope).context();
        run.templar.render(node, &context).map(|value| value.to_text()).map_err(Diagnostic::from)
    };
    let mut parser = Parser::new(&run.loader, &run.roles, &render);
    let found = read(&mut parser);
    let (errors, warnings): (Vec<_>, Vec<_>) = parser.findings.into_iter().partition(Diagnostic::is_error);
    warnings.into_iter().for_each(|warning| run.warn(warning));
    match errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(found),
    }
}

fn role(cursor: &Cursor, request: &RoleRequest, scope: &Arc<Scope>) -> Result<Item, Diagnostic> {
    let block = parse(cursor, |parser| parser.role(request, scope))?;
    let Some(block) = block else { return Err(Diagnostic::error(format!("the role '{}' cannot be read", request.name)).at(&request.span)) };
    if let Some(role) = block.role_run.as_ref().filter(|_| request.is_public) {
        let mut public = write(&cursor.play.public_roles);
        for role in role.dependencies.iter().chain([role]) {
            if !public.iter().any(|known| known.identity == role.identity) {
                public.push(role.clone());
            }
        }
    }
    Ok(Item::Block(Arc::new(block)))
}
