//! From a request to plays: secrets, variables, inventory and playbooks are read and checked; then the plays run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::base::{Diagnostic, Node, Value};
use crate::history::Journal;
use crate::history::event::{Event, Recap};
use crate::inventory::Inventory;
use crate::language::{DuplicateKeys, Entry, Loader, Parser, RoleFinder, Scope, Vars};
use crate::template::{CallPlugin, Controller, Templar};
use crate::transport::BlobStore;

use super::connections::{Connections, Widths};
use super::fact_cache::FactCache;
use super::library::{Library, plugins};
use super::request::{ExtraVars, Mode, PlaySource, RunRequest};
use super::state::{Lost, Run, lock, read, write};
use super::{hostless, inventories, lists, play, preflight, settings, targets};

/// Ansible's exit codes.
pub(super) mod code {
    pub const OK: u8 = 0;
    pub const ERROR: u8 = 1;
    pub const HOSTS_FAILED: u8 = 2;
    pub const UNREACHABLE: u8 = 4;
    pub const PARSER: u8 = 4;
    pub const INTERRUPTED: u8 = 99;
}

/// Runs what is asked for, and gives the exit code. The caller writes the start and the end of the run into the journal, the engine all
/// that lies between them, with the recap last.
pub fn run(request: RunRequest, journal: &Journal) -> u8 {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            journal.event(Event::Finding { diagnostic: Diagnostic::error(format!("cannot start the scheduler: {error}")) });
            return code::ERROR;
        }
    };
    let exit_code = runtime.block_on(async {
        match prepare(request, journal) {
            Ok((run, playbooks)) => tokio::select! {
                exit_code = play_all(&run, playbooks) => {
                    run.connections.end(false).await;
                    exit_code
                }
                signal = interruption() => {
                    run.connections.end(true).await;
                    run.event(Event::Finding { diagnostic: interrupted(&run, signal) });
                    recap(&run);
                    // A lookup that is stopped now fails, which nobody needs to be told of.
                    run.is_over.store(true, Ordering::SeqCst);
                    crate::system::running::stop_programs();
                    code::INTERRUPTED
                }
            },
            Err(refusal) => {
                let (errors, warnings) = (refusal.findings.len(), refusal.warned);
                refusal.findings.into_iter().for_each(|diagnostic| journal.event(Event::Finding { diagnostic }));
                journal.event(Event::Refused { errors, warnings });
                refusal.code
            }
        }
    });
    if exit_code == code::INTERRUPTED {
        // A thread may still wait for what nobody wants any more: an answer, a slow lookup.
        runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    }
    exit_code
}

/// Plays on a thread of its own: a template that takes its time does not keep Ctrl-C waiting. It ends when nobody waits for it any more.
async fn play_all(run: &Arc<Run>, playbooks: Vec<Playbook>) -> u8 {
    let run = run.clone();
    let mut playing = JoinSet::new();
    playing.spawn(async move { go(&run, playbooks).await });
    match playing.join_next().await {
        Some(Ok(exit_code)) => exit_code,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Some(Err(_)) | None => code::INTERRUPTED,
    }
}

/// Waits for Ctrl-C, or for a request to end; gives its name.
async fn interruption() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        // It then ends the program in its usual way.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => "Ctrl-C",
        () = wait(SignalKind::terminate()) => "a request to end (SIGTERM)",
        () = wait(SignalKind::hangup()) => "the end of the terminal (SIGHUP)",
    }
}

fn interrupted(run: &Run, signal: &str) -> Diagnostic {
    let mut error = Diagnostic::error(format!("the run was interrupted by {signal}"));
    if lock(&run.stats).values().all(|host| host.ok + host.failed == 0) {
        return error;
    }
    error = error.cause("programs that were running on hosts are ended; packages that are being installed are finished first");
    for (host, handler) in lock(&run.owed).iter() {
        error = error.cause(format!("the handler `{handler}` was still to run on {host}, and will not be notified again"));
    }
    error.help("run the same again: it goes on where this one stopped")
}

/// A playbook with its plays.
type Playbook = (Arc<str>, Vec<Entry>);

/// Why a run does not begin.
struct Refusal {
    code: u8,
    findings: Vec<Diagnostic>,
    /// Warnings that were told beside them.
    warned: usize,
}

fn prepare(request: RunRequest, journal: &Journal) -> Result<(Arc<Run>, Vec<Playbook>), Refusal> {
    let templar = Templar::new();
    let folders = playbook_folders(&request);
    let roles = role_finder(&request, &folders);
    let library = Arc::new(Library::default());
    let controller = Arc::new(controller(&request, plugins::of_project(&request.settings, &folders, &roles, library.clone())));
    let loader = loader(&request);
    let one = |diagnostic: Diagnostic| Refusal { code: unreadable(&loader), findings: vec![diagnostic], warned: 0 };
    let extra_vars = Arc::new(extra_vars(&request, &loader).map_err(one)?);
    let inventory = load_inventory(&request, &templar, &controller, journal, &extra_vars).map_err(one)?;
    let cache = cache_folder();
    let blobs = BlobStore::default();
    let run = Arc::new(Run {
        connections: Connections::new(cache.clone(), blobs.clone(), Widths::new(request.settings.forks, request.check && request.foresees)),
        forks: Semaphore::new(request.settings.forks.max(1)),
        waiting_for_start: AtomicBool::new(request.start_at_task.is_some()),
        journal: journal.clone(),
        templar,
        controller,
        loader,
        roles,
        library,
        inventory: RwLock::new(inventory),
        hosts: RwLock::default(),
        blobs,
        extra_vars,
        stats: Mutex::default(),
        custom_stats: Mutex::default(),
        lost: Mutex::default(),
        owed: Mutex::default(),
        broken: Mutex::default(),
        failure_code: AtomicU8::new(code::ERROR),
        additions: Mutex::default(),
        fact_cache: FactCache::of(&request.settings),
        is_stepping: AtomicBool::new(request.step),
        is_over: AtomicBool::new(false),
        next_task: AtomicU64::new(1),
        cache,
        playbook_folders: folders,
        sends_ahead: std::env::var_os("HOSTLER_NO_SEND_AHEAD").is_none(),
        request,
    });
    let playbooks = read_playbooks(&run)?;
    targets::check(&run, &playbooks).and_then(|()| targets::check_start(&run, &playbooks)).map_err(|finding| Refusal {
        code: code::ERROR,
        findings: vec![finding],
        warned: 0,
    })?;
    if run.request.flush_cache {
        let hosts: Vec<Arc<str>> = read(&run.inventory).hosts().map(|host| host.name.clone()).collect();
        hosts.iter().for_each(|host| run.clear_facts(&run.host(host)));
        run.clear_facts(&run.host(&"localhost".into()));
    }
    run.loader.take_warnings().into_iter().for_each(|warning| run.warn(warning));
    Ok((run, playbooks))
}

async fn go(run: &Arc<Run>, playbooks: Vec<Playbook>) -> u8 {
    match run.request.mode {
        Mode::Run => {}
        Mode::SyntaxCheck => {
            for (file, _) in &playbooks {
                run.event(Event::Message { text: format!("\nplaybook: {}", lists::as_given(file)), verbosity: 0 });
            }
            return code::OK;
        }
        Mode::List { hosts, tasks, tags } => {
            lists::show(run, &playbooks, hosts, tasks, tags);
            return code::OK;
        }
    }
    'all: for (file, entries) in playbooks {
        run.event(Event::PlaybookStarted { file: file.clone() });
        run.event(Event::Message { text: format!("{} plays in {}", entries.len(), lists::as_given(&file)), verbosity: 2 });
        for entry in entries {
            match play::run(run, &entry).await {
                Ok(play::Ended::Normally) => {}
                Ok(play::Ended::AllFailed) => break 'all,
                Err(diagnostic) => {
                    run.event(Event::Finding { diagnostic });
                    return run.failure_code.load(Ordering::SeqCst);
                }
            }
        }
    }
    recap(run);
    exit_code(run)
}

/// A host that nobody could reach weighs more than one that failed.
fn exit_code(run: &Run) -> u8 {
    let lost = lock(&run.lost);
    match () {
        _ if lost.values().any(|why| *why == Lost::Unreachable) => code::UNREACHABLE,
        _ if !lost.is_empty() => code::HOSTS_FAILED,
        _ => code::OK,
    }
}

fn recap(run: &Run) {
    let mut hosts = lock(&run.stats).clone();
    hosts.sort_keys();
    run.event(Event::Recap(Recap { hosts, custom: lock(&run.custom_stats).clone() }));
}

fn controller(request: &RunRequest, call_plugin: CallPlugin) -> Controller {
    let secrets = request.vault.clone();
    let settings = request.settings.clone();
    Controller {
        has_secrets: !request.vault.is_empty(),
        decrypt: Arc::new(move |text: &str| {
            let plain = secrets.decrypt_text(text).map_err(|error| error.diagnostic(&crate::base::Span::origin("<vault>")))?;
            Ok(crate::base::Secret::new(plain))
        }),
        redactor: request.redactor.clone(),
        environment: std::env::vars().collect::<BTreeMap<_, _>>(),
        directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
        setting: Arc::new(move |name: &str| settings.get(name)),
        allow_broken_conditionals: request.settings.allow_broken_conditionals,
        call_plugin,
        ..Controller::default()
    }
}

fn loader(request: &RunRequest) -> Loader {
    let (secrets, redactor) = (request.vault.clone(), request.redactor.clone());
    let unvault = move |text: &str| {
        let plain = secrets.decrypt_text(text).map_err(|error| error.diagnostic(&crate::base::Span::origin("<vault>")))?;
        learn_values(&plain, &redactor);
        Ok(plain)
    };
    let duplicate_keys = match request.settings.duplicate_dict_key {
        settings::DuplicateKeys::Warn => DuplicateKeys::Warn,
        settings::DuplicateKeys::Error => DuplicateKeys::Refuse,
        settings::DuplicateKeys::Ignore => DuplicateKeys::Ignore,
    };
    Loader::new(Arc::new(unvault), duplicate_keys)
}

/// An encrypted file is YAML: its values are the secrets, not its keys and punctuation.
fn learn_values(plain: &str, redactor: &crate::base::Redactor) {
    if let Ok((node, _)) = crate::yaml::load_one(plain, "<vault>") {
        learn_texts(&node.to_value(), redactor);
    }
}

fn learn_texts(value: &Value, redactor: &crate::base::Redactor) {
    match value {
        Value::Str(text) if !crate::base::source::is_template(text) => redactor.learn(text),
        Value::List(items) => items.iter().for_each(|item| learn_texts(item, redactor)),
        Value::Map(map) => map.values().for_each(|item| learn_texts(item, redactor)),
        _ => {}
    }
}

fn load_inventory(
    request: &RunRequest,
    templar: &Templar,
    controller: &Arc<Controller>,
    journal: &Journal,
    extra_vars: &Vars,
) -> Result<Inventory, Diagnostic> {
    let loaded = inventories::load(&request.inventory, &request.settings, &request.vault, templar, controller, extra_vars)?;
    loaded.warnings.into_iter().for_each(|warning| journal.event(Event::warning(warning)));
    Ok(loaded.inventory)
}

/// Reads the inventory again; hosts keep what they have learned.
pub fn refresh_inventory(run: &Run) -> Result<(), Diagnostic> {
    let mut fresh = load_inventory(&run.request, &run.templar, &run.controller, &run.journal, &run.extra_vars)?;
    for addition in lock(&run.additions).iter() {
        // A host that is no longer there joins no group.
        addition.apply(&mut fresh).unwrap_or_default();
    }
    *write(&run.inventory) = fresh;
    run.forget_inventory_vars();
    Ok(())
}

fn extra_vars(request: &RunRequest, loader: &Loader) -> Result<Vars, Diagnostic> {
    let mut vars = Vars::new();
    for given in &request.extra_vars {
        let node = match given {
            ExtraVars::Given(node) => node.clone(),
            ExtraVars::File(path) => loader.load(path, None)?,
        };
        if node.is_null() {
            continue;
        }
        let Some(entries) = node.as_map() else {
            return Err(Diagnostic::error(format!("extra variables are a mapping, not {}", node.type_name())).at(&node.span));
        };
        vars.extend(entries.iter().map(|(key, value)| (Arc::from(key.to_key().to_string()), value.clone())));
    }
    Ok(vars)
}

fn playbook_folders(request: &RunRequest) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for source in &request.plays {
        let folder = match source {
            PlaySource::File(path) => path.parent().map(Path::to_owned).unwrap_or_default(),
            PlaySource::Built { directory, .. } => directory.clone(),
        };
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        let folder = folder.canonicalize().unwrap_or(folder);
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// Where roles are looked for: beside the playbook, in the roles path, in the playbook's own folder.
fn role_finder(request: &RunRequest, playbooks: &[PathBuf]) -> RoleFinder {
    let mut folders: Vec<PathBuf> = playbooks.iter().map(|folder| folder.join("roles")).collect();
    folders.extend(request.settings.roles_path.iter().cloned());
    folders.extend(playbooks.iter().cloned());
    let mut collections: Vec<PathBuf> = playbooks.iter().map(|folder| folder.join("collections")).collect();
    collections.extend(request.settings.collections_path.iter().map(|folder| match folder.parent() {
        // The folder itself may be named as well as the one it is in.
        Some(parent) if folder.ends_with("ansible_collections") => parent.to_owned(),
        _ => folder.clone(),
    }));
    RoleFinder { folders, collections, found: Arc::default(), private_vars: request.settings.private_role_vars }
}

fn cache_folder() -> PathBuf {
    let own = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cache");
    own.unwrap_or_else(home).join("hostler")
}

/// The exit code when something cannot be read: a password that is wrong is no mistake in what was written.
fn unreadable(loader: &Loader) -> u8 {
    if loader.met_closed_vault() { code::ERROR } else { code::PARSER }
}

/// All plays of all playbooks; everything that is wrong with them at once.
fn read_playbooks(run: &Arc<Run>) -> Result<Vec<Playbook>, Refusal> {
    let render = |node: &Node, scope: &Arc<Scope>| hostless::render_static(run, node, scope);
    let mut parser = Parser::new(&run.loader, &run.roles, &render);
    let mut playbooks = Vec::new();
    for source in &run.request.plays {
        match source {
            PlaySource::File(path) => {
                let entries = parser.playbook(path);
                playbooks.push((Arc::from(path.to_string_lossy()), entries));
            }
            PlaySource::Built { plays, directory } => {
                let entries = parser.plays(plays, &directory.join("<command line>"), None);
                playbooks.push((Arc::from("<command line>"), entries));
            }
        }
    }
    let mut findings = parser.findings;
    let is_whole = findings.iter().all(|finding| !finding.is_error());
    for (_, entries) in &playbooks {
        for entry in entries {
            findings.extend(preflight::check(run, &entry.play));
        }
    }
    if is_whole && matches!(run.request.mode, Mode::Run | Mode::SyntaxCheck) {
        findings.extend(preflight::check_run(run, playbooks.iter().flat_map(|(_, entries)| entries)));
    }
    let (errors, warnings): (Vec<_>, Vec<_>) = findings.into_iter().partition(Diagnostic::is_error);
    let warned = warnings.len();
    warnings.into_iter().for_each(|warning| run.warn(warning));
    if errors.is_empty() { Ok(playbooks) } else { Err(Refusal { code: unreadable(&run.loader), findings: errors, warned }) }
}
