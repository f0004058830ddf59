//! One play: its hosts, its batches (`serial`), a cursor for each host.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::Semaphore;

use crate::base::{Diagnostic, Node, Value};
use crate::history::event::{Event, PlayStarted};
use crate::inventory::Limit;
use crate::language::{Entry, Item, Play, Vars};
use crate::template::Context;

use super::cursor::{Cursor, Flow};
use super::gate::Gate;
use super::handlers;
use super::keywords::list_of;
use super::serial::batches;
use super::settings::{OnMismatch, Origin};
use super::state::{Lost, PlayState, Run, lock, read};
use super::variables::HostScope;

/// How a play ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Normally,
    /// Nobody is left: the run ends.
    AllFailed,
}

type Result<T> = std::result::Result<T, Diagnostic>;

/// Runs a play.
///
/// # Errors
/// The play cannot begin: a pattern, a variables file or a keyword is wrong.
pub async fn run(run: &Arc<Run>, entry: &Entry) -> Result<Ended> {
    let play = &entry.play;
    let prompted = super::prompts::ask_all(run, play, &super::hostless::play_context(run, entry, &Vars::new()))?;
    let context = super::hostless::play_context(run, entry, &prompted);
    let name = title(run, play, &context);
    let all = hosts(run, play, &context)?;
    if all.is_empty() {
        start(run, play, &context, &name, &[])?;
        run.event(Event::NoHostsMatched);
        return Ok(Ended::Normally);
    }
    for host in &all {
        // Roles may run again in another play.
        lock(&run.host(host).roles_done).clear();
        lock(&run.host(host).roles_run).clear();
    }
    let removed = Arc::new(RwLock::new(HashSet::new()));
    for batch in batches(run, play, &context, &all)? {
        let lost = lock(&run.lost).clone();
        let size = batch.len();
        let batch = batch.into_iter().filter(|host| !lost.contains_key(host)).collect();
        let state = Arc::new(state(run, entry, &context, (&name, &all), (batch, size), &prompted, removed.clone())?);
        start(run, play, &context, &name, &state.batch)?;
        let failed = run_batch(run, &state, &context).await?;
        if let Some(broken) = lock(&run.broken).take() {
            return Err(broken);
        }
        // Hosts that an earlier play lost count too: as in ansible-core, they keep the run going.
        if failed == size {
            if state.has_too_many_failures() {
                run.event(Event::NoHostsRemaining);
            }
            return Ok(Ended::AllFailed);
        }
        if state.is_last.load(Ordering::SeqCst) {
            break;
        }
    }
    Ok(Ended::Normally)
}

pub(super) fn render(run: &Run, play: &Play, word: &str, context: &Context) -> Result<Option<Value>> {
    let Some(node) = play.keyword(word) else { return Ok(None) };
    let value = run.templar.render(node, context).map_err(Diagnostic::from)?;
    Ok((!value.is_null() && value.as_str() != Some(crate::template::OMIT)).then_some(value))
}

pub fn title(run: &Run, play: &Play, context: &Context) -> String {
    let node = play.name.as_ref().unwrap_or(&play.hosts);
    match run.templar.render(node, context) {
        Ok(Value::List(parts)) => parts.iter().map(Value::to_text).collect::<Vec<_>>().join(","),
        Ok(value) => value.to_text(),
        Err(_) => node.to_value().to_text(),
    }
}

/// The hosts that the play's pattern and `--limit` leave, in the play's `order`.
fn hosts(run: &Run, play: &Play, context: &Context) -> Result<Vec<Arc<str>>> {
    let mut patterns = Vec::new();
    for node in list_of(&play.hosts) {
        match run.templar.render(&node, context).map_err(Diagnostic::from)? {
            Value::List(items) => patterns.extend(items.iter().map(Value::to_text)),
            value => patterns.push(value.to_text()),
        }
    }
    let limit = run.request.limit.as_deref().map(Limit::parse).transpose()?;
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let selection = read(&run.inventory).select(&patterns, limit.as_ref()).map_err(|error| error.at(&play.hosts.span))?;
    for warning in selection.unmatched {
        match run.request.settings.host_pattern_mismatch {
            OnMismatch::Ignore => {}
            OnMismatch::Warning => run.warn(warning),
            OnMismatch::Error => return Err(warning.at(&play.hosts.span)),
        }
    }
    let mut hosts = selection.hosts;
    match render(run, play, "order", context)?.map(|value| value.to_text()).as_deref() {
        None | Some("inventory") => {}
        Some("sorted") => hosts.sort(),
        Some("reverse_sorted") => {
            hosts.sort();
            hosts.reverse();
        }
        Some("reverse_inventory") => hosts.reverse(),
        Some("shuffle") => shuffle(&mut hosts),
        Some(other) => {
            let known = ["inventory", "sorted", "reverse_sorted", "reverse_inventory", "shuffle"];
            let place = play.keyword("order").map_or(&play.span, |node| &node.span);
            return Err(Diagnostic::error(format!("`order` is one of {}, not `{other}`", known.join(", ")))
                .at(place)
                .did_you_mean(other, known));
        }
    }
    Ok(hosts)
}

fn shuffle(hosts: &mut [Arc<str>]) {
    for index in (1..hosts.len()).rev() {
        hosts.swap(index, rand::random_range(0..=index));
    }
}

fn strategy(run: &Run, play: &Play, context: &Context) -> Result<String> {
    let name = render(run, play, "strategy", context)?.map(|value| value.to_text());
    let name = name.unwrap_or_else(|| run.request.settings.strategy.clone());
    let short = name.strip_prefix("ansible.builtin.").unwrap_or(&name);
    // Mitogen's are these orders of tasks, made fast in its own way.
    match short.strip_prefix("mitogen_").unwrap_or(short) {
        known @ ("linear" | "free" | "host_pinned") => Ok(known.to_owned()),
        // Step by step is what --step does; the order of tasks is linear's.
        "debug" | "mitogen" => Ok("linear".into()),
        _ => {
            let place = match (play.keyword("strategy"), run.request.settings.origin("DEFAULT_STRATEGY")) {
                (Some(node), _) => &node.span,
                (None, Origin::ConfigFile(span)) => span,
                (None, _) => &play.span,
            };
            let known = ["linear", "free", "host_pinned"];
            Err(Diagnostic::error(format!("Invalid play strategy specified: {name}")).at(place).did_you_mean(short, known))
        }
    }
}

fn start(run: &Run, play: &Play, context: &Context, name: &str, hosts: &[Arc<str>]) -> Result<()> {
    let items = play.pre_tasks.iter().chain(&play.tasks).chain(&play.post_tasks);
    let blocks = play.roles.iter().map(|block| Item::Block(block.clone()));
    let tasks: usize = items.map(|item| item.tasks().len()).sum::<usize>() + blocks.map(|item| item.tasks().len()).sum::<usize>();
    run.event(Event::PlayStarted(PlayStarted {
        name: name.to_owned(),
        hosts: hosts.to_vec(),
        roles: play.static_roles().len(),
        tasks,
        strategy: strategy(run, play, context)?,
        check: run.request.check,
    }));
    Ok(())
}

fn state(
    run: &Run,
    entry: &Entry,
    context: &Context,
    (name, all): (&str, &[Arc<str>]),
    (batch, batch_size): (Vec<Arc<str>>, usize),
    prompted: &Vars,
    removed: Arc<RwLock<HashSet<Arc<str>>>>,
) -> Result<PlayState> {
    let play = &entry.play;
    let roles = play.static_roles();
    let check = render(run, play, "check_mode", context)?.and_then(|value| crate::modules::coerce::truth(&value));
    let percentage =
        render(run, play, "max_fail_percentage", context)?.and_then(|value| value.to_text().trim_end_matches('%').parse().ok());
    let state = PlayState {
        play: play.clone(),
        name: name.to_owned(),
        file: entry.file.clone(),
        all_hosts: all.to_vec(),
        removed,
        batch,
        waits_for_start: run.waiting_for_start.load(Ordering::SeqCst),
        batch_size,
        prompted: prompted.clone(),
        handlers: RwLock::default(),
        public_roles: RwLock::new(roles.iter().filter(|role| role.is_public).cloned().collect()),
        check: check.unwrap_or(run.request.check),
        ended: AtomicBool::new(false),
        is_last: AtomicBool::new(false),
        errors_cleared: RwLock::default(),
        failures: AtomicUsize::new(0),
        max_fail_percentage: percentage,
        throttles: Mutex::default(),
    };
    for role in &roles {
        handlers::add(&state, &role.handlers);
    }
    handlers::add(&state, &play.handlers);
    Ok(state)
}

/// Runs the play on the hosts of a batch: how many of them are lost.
async fn run_batch(run: &Arc<Run>, state: &Arc<PlayState>, context: &Context) -> Result<usize> {
    let strategy = strategy(run, &state.play, context)?;
    let ids = run.clone();
    let gate = Arc::new(Gate::new(strategy == "linear", state.batch.clone(), move || ids.new_task_id()));
    // `host_pinned`: a host once begun is finished before another one begins.
    let slots = if strategy == "host_pinned" { run.request.settings.forks.max(1) } else { state.batch.len() };
    let slots = Arc::new(Semaphore::new(slots));
    let mut hosts = tokio::task::JoinSet::new();
    for host in &state.batch {
        let scope = host_scope(run, state, host)?;
        let cursor = Cursor::new(run, state, scope, &gate);
        let (gate, slots) = (gate.clone(), slots.clone());
        hosts.spawn(async move {
            let _slot = slots.acquire().await.ok();
            let flow = cursor.walk().await;
            finish(&cursor, flow);
            gate.leave();
            flow
        });
    }
    let mut flows = Vec::new();
    while let Some(outcome) = hosts.join_next().await {
        flows.push(outcome.map_err(|error| Diagnostic::error(format!("a host's cursor broke down; this is a bug of Hostler: {error}")))?);
    }
    Ok(flows.iter().filter(|flow| matches!(flow, Flow::Failed | Flow::Unreachable)).count())
}

/// The host leaves the play; when it failed, the run.
fn finish(cursor: &Cursor, flow: Flow) {
    if flow != Flow::On {
        cursor.play.remove(&cursor.host.name);
    }
    if !matches!(flow, Flow::Failed | Flow::Unreachable) {
        return;
    }
    let why = if flow == Flow::Unreachable { Lost::Unreachable } else { Lost::Failed };
    lock(&cursor.run.lost).insert(cursor.host.name.clone(), why);
    if cursor.play.has_too_many_failures() {
        cursor.play.ended.store(true, Ordering::SeqCst);
        cursor.play.is_last.store(true, Ordering::SeqCst);
    }
}

/// A host's variables in this play, with its `vars_files`.
fn host_scope(run: &Arc<Run>, state: &Arc<PlayState>, host: &Arc<str>) -> Result<HostScope> {
    let own = HostScope::of(run, run.host(host));
    let scope = HostScope { play: Some(state.clone()), scope: Some(state.play.scope.clone()), ..own };
    let Some(files) = state.play.keyword("vars_files").filter(|node| !node.is_null()) else { return Ok(scope) };
    let mut loaded = Vec::new();
    for node in list_of(files) {
        loaded.extend(vars_file(run, &scope, &node)?);
    }
    Ok(HostScope { vars_files: Arc::new(loaded), ..scope })
}

/// A file of variables, or the first of several that exists.
fn vars_file(run: &Run, scope: &HostScope, node: &Node) -> Result<Option<Vars>> {
    let context = scope.context();
    let mut names = Vec::new();
    for choice in list_of(node) {
        names.push(run.templar.render(&choice, &context).map_err(Diagnostic::from)?.to_text());
    }
    let found = names.iter().find_map(|name| context.search.find("vars", std::path::Path::new(name)));
    let Some(path) = found else {
        let message = format!("vars file {} was not found", names.join(", "));
        return Err(Diagnostic::error(message).at(&node.span));
    };
    let content = run.loader.load(&path, Some(&node.span))?;
    // A list of mappings is accepted as well.
    let mut vars = Vars::new();
    for part in list_of(&content) {
        let Some(entries) = part.as_map() else {
            return Err(Diagnostic::error(format!("a file of variables is a mapping, not {}", content.type_name())).at(&content.span));
        };
        vars.extend(entries.iter().map(|(key, value)| (Arc::from(key.to_key().to_string()), value.clone())));
    }
    Ok((!content.is_null()).then_some(vars))
}
