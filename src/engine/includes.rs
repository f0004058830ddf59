//! Dynamic includes: `include_tasks` and `include_role` become items that the host goes on with. Hosts that include the same file with the
//! same variables do so together.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::{Diagnostic, Node};
use crate::history::event::Event;
use crate::language::{Item, Keywords, Parser, RoleRequest, Scope, ScopeKind, Task, Vars, with_file};

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
    for (number, include) in &numbered {
        let mut place = position.clone();
        place.extend([0, *number]);
        tell(cursor, batch, include, place).await;
    }
    for (number, include) in &numbered {
        let mut place = position.clone();
        place.extend([1, *number]);
        let flow = one(cursor, task, batch, include, place).await;
        if flow != Flow::On {
            return flow;
        }
    }
    Flow::On
}

/// Says which hosts include a file together.
async fn tell(cursor: &Cursor, batch: &Arc<Batch>, include: &Include, position: Position) {
    let file: Arc<str> = match &include.kind {
        IncludeKind::File(path) => path.to_string_lossy().into(),
        IncludeKind::Role(request) => request.name.as_str().into(),
    };
    let together = cursor.gate.arrive(&cursor.host.name, position).await;
    if !together.announced.swap(true, Ordering::SeqCst) {
        cursor.run.event(Event::Included { task: batch.id, file, hosts: together.hosts.clone(), item: include.item.clone() });
    }
}

fn identity(include: &Include) -> String {
    let kind = match &include.kind {
        IncludeKind::File(path) => path.display().to_string(),
        IncludeKind::Role(request) => format!("role {} {:?}", request.name, request.tasks_from),
    };
    format!("{kind} {:?}", include.locals)
}

async fn one(cursor: &Cursor, task: &Arc<Task>, batch: &Arc<Batch>, include: &Include, position: Position) -> Flow {
    let mut vars: Vars = task.vars.as_ref().clone();
    for (key, value) in include.locals.iter() {
        vars.insert(key.to_string().into(), plain(value.clone()));
    }
    let scope = apply(task, include, vars);
    match &include.kind {
        IncludeKind::File(path) => {
            let inner = with_file(&scope, path);
            let items = match parse(cursor, |parser| parser.file(path, &task.action.span, &inner, task.is_handler)) {
                Ok(items) => items,
                Err(diagnostic) => return cursor.fail_at(task, batch, diagnostic),
            };
            cursor.items(&items, position).await
        }
        IncludeKind::Role(request) => match role(cursor, request, &scope) {
            Ok(item) => cursor.items(&[item], position).await,
            Err(diagnostic) => cursor.fail_at(task, batch, diagnostic),
        },
    }
}

/// The scope of what is included: the include's variables, and the keywords of its `apply`.
fn apply(task: &Arc<Task>, include: &Include, vars: Vars) -> Arc<Scope> {
    let mut keywords = Keywords::default();
    if let Some(entries) = include.apply.as_ref().and_then(Node::as_map) {
        let (known, _) = Keywords::split_block(entries);
        keywords = known;
    }
    task.scope.inside(ScopeKind::Include, keywords, vars)
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
    if let Some(role) = &block.role_run {
        for role in role.dependencies.iter().chain([role]) {
            super::handlers::add(&cursor.play, &role.handlers);
            if request.is_public {
                let mut public = write(&cursor.play.public_roles);
                if !public.iter().any(|known| known.identity == role.identity) {
                    public.push(role.clone());
                }
            }
        }
    }
    Ok(Item::Block(Arc::new(block)))
}
