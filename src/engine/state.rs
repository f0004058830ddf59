//! What a run knows: shared by all plays and hosts, and for each host what it has learned.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use indexmap::IndexMap;
use tokio::sync::Semaphore;

use crate::base::{Diagnostic, Map, Node, Span, Value};
use crate::history::Journal;
use crate::history::event::{Event, HostStats, Notice, TaskId};
use crate::inventory::Inventory;
use crate::language::{Loader, Play, Role, RoleFinder, Task, Vars};
use crate::template::{Context, Controller, Templar};
use crate::transport::BlobStore;

use super::connections::Connections;
use super::fact_cache::FactCache;
use super::handlers::Handlers;
use super::library::Library;
use super::request::RunRequest;

/// One run, shared by everything in it.
pub struct Run {
    pub request: RunRequest,
    pub journal: Journal,
    pub templar: Templar,
    pub controller: Arc<Controller>,
    pub loader: Loader,
    pub roles: RoleFinder,
    /// Modules that the project brings along.
    pub library: Arc<Library>,
    pub inventory: RwLock<Inventory>,
    pub hosts: RwLock<HashMap<Arc<str>, Arc<HostState>>>,
    pub connections: Connections,
    pub blobs: BlobStore,
    pub extra_vars: Arc<Vars>,
    pub stats: Mutex<IndexMap<Arc<str>, HostStats>>,
    pub custom_stats: Mutex<Map>,
    /// At most this many hosts work at once.
    pub forks: Semaphore,
    /// Hosts that failed or could not be reached: no later play runs on them.
    pub lost: Mutex<HashMap<Arc<str>, Lost>>,
    /// Handlers that were notified and have not run, with their hosts: what an interruption must tell.
    pub owed: Mutex<BTreeSet<(Arc<str>, String)>>,
    /// `--start-at-task` was given and its task has not come yet.
    pub waiting_for_start: AtomicBool,
    pub next_task: AtomicU64,
    /// A folder of the user's own, for what is cheaper to keep than to make.
    pub cache: PathBuf,
    /// Folders beside which `group_vars` and `host_vars` are looked for.
    pub playbook_folders: Vec<PathBuf>,
    /// Hosts and groups that plays added: a refreshed inventory gets them again.
    pub additions: Mutex<Vec<Addition>>,
    /// Where facts are kept between runs.
    pub fact_cache: Option<FactCache>,
    /// `--step`, until the user says to go on without.
    pub is_stepping: AtomicBool,
    /// Whether the run was interrupted and its recap told: what happens then is told no more.
    pub is_over: AtomicBool,
    /// Something went wrong that ends the whole run.
    pub broken: Mutex<Option<Diagnostic>>,
    /// What the run's exit code is then.
    pub failure_code: AtomicU8,
    /// Whether tasks are sent before those before them are done, where that makes no difference.
    pub sends_ahead: bool,
}

/// What `add_host` and `group_by` did to the inventory.
#[derive(Clone, Debug)]
pub enum Addition {
    Host { name: String, groups: Vec<String>, variables: Map, span: Span },
    Group { host: Arc<str>, group: String, parents: Vec<String>, span: Span },
}

/// Why a host is in no later play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Failed,
    Unreachable,
}

/// What a host has learned in this run.
#[derive(Debug)]
pub struct HostState {
    pub name: Arc<str>,
    /// As modules returned them, with their `ansible_` prefix.
    pub facts: RwLock<Map>,
    /// `register` and `set_fact`.
    pub set: RwLock<Map>,
    /// `include_vars`.
    pub included: RwLock<Vars>,
    /// The inventory's word on the host, all layers merged; `None` when it must be asked again.
    pub inventory_vars: RwLock<Option<Arc<Vars>>>,
    /// Roles that ran to their end on it, in this play.
    pub roles_done: Mutex<HashSet<String>>,
    /// Roles of which a task ran on it, in this play.
    pub roles_run: Mutex<HashSet<String>>,
    pub facts_gathered: AtomicBool,
}

impl HostState {
    fn new(name: &Arc<str>) -> Self {
        HostState {
            name: name.clone(),
            facts: RwLock::default(),
            set: RwLock::default(),
            included: RwLock::default(),
            inventory_vars: RwLock::default(),
            roles_done: Mutex::default(),
            roles_run: Mutex::default(),
            facts_gathered: AtomicBool::new(false),
        }
    }

    /// Adds facts. What a host says never becomes a connection variable.
    pub fn learn_facts(&self, facts: &Map) {
        let mut known = write(&self.facts);
        for (key, value) in facts.iter() {
            let name = key.to_string();
            if !is_connection_variable(&name) {
                known.insert(key.clone(), value.clone());
            }
        }
    }

    pub fn set_variable(&self, name: &str, value: Value) {
        write(&self.set).insert(name, value);
    }
}

/// Names that decide where and as whom tasks run: a host must not set them.
pub(super) fn is_connection_variable(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "ansible_connection",
        "ansible_host",
        "ansible_host_key_checking",
        "ansible_port",
        "ansible_user",
        "ansible_password",
        "ansible_private_key_file",
        "ansible_shell_type",
        "ansible_shell_executable",
        "ansible_remote_tmp",
        "ansible_playbook_python",
        "ansible_delegated_vars",
    ];
    if name.starts_with("ansible_ssh_host_key_") {
        return false;
    }
    NAMES.contains(&name) || name.starts_with("ansible_ssh_") || name.starts_with("ansible_become") || name.starts_with("ansible_sudo")
}

/// A play while it runs, over one batch of hosts.
pub struct PlayState {
    pub play: Arc<Play>,
    pub name: String,
    pub file: Arc<str>,
    /// Every host of the play, and those of this batch (`serial`).
    pub all_hosts: Vec<Arc<str>>,
    pub batch: Vec<Arc<str>>,
    /// The batch with the hosts that earlier plays lost.
    pub batch_size: usize,
    /// Hosts that failed, could not be reached or were ended, in this batch or an earlier one.
    pub removed: Arc<RwLock<HashSet<Arc<str>>>>,
    pub prompted: Vars,
    /// `--start-at-task` names a task that may be in this play: no host begins before it.
    pub waits_for_start: bool,
    /// Handlers of the play and of its roles; dynamic roles add theirs.
    pub handlers: RwLock<Handlers>,
    /// Roles whose variables the whole play sees.
    pub public_roles: RwLock<Vec<Arc<Role>>>,
    pub check: bool,
    /// This batch is over for all its hosts (`meta: end_batch`, too many failures).
    pub ended: AtomicBool,
    /// No further batch of the play runs (`meta: end_play`).
    pub is_last: AtomicBool,
    /// For each host whether `meta: clear_host_errors` took its failure back.
    pub errors_cleared: RwLock<Vec<Arc<AtomicBool>>>,
    /// Hosts of the batch that have failed, for `max_fail_percentage`.
    pub failures: AtomicUsize,
    pub max_fail_percentage: Option<f64>,
    /// `throttle`: tasks, by where they stand, that only so many hosts run at once.
    pub throttles: Mutex<HashMap<(Span, usize), Arc<Semaphore>>>,
}

impl Addition {
    pub fn apply(&self, inventory: &mut Inventory) -> Result<bool, Diagnostic> {
        match self {
            Addition::Host { name, groups, variables, span } => inventory.add_dynamic_host(name, groups, variables, span),
            Addition::Group { host, group, parents, span } => inventory.add_dynamic_group(host, group, parents, span),
        }
    }
}

impl Run {
    pub fn event(&self, event: Event) {
        if !self.is_over.load(Ordering::SeqCst) {
            self.journal.event(event);
        }
    }

    pub fn warn(&self, diagnostic: Diagnostic) {
        self.event(Event::warning(diagnostic));
    }

    /// Whether a condition holds.
    ///
    /// # Errors
    /// As [`Templar::condition`].
    pub fn condition(&self, condition: &Node, context: &Context) -> Result<bool, crate::template::Error> {
        if condition.is_template() {
            let warning = "Conditionals should not be surrounded by templating delimiters such as {{ }} or {% %}. This feature will be removed from ansible-core version 2.23.";
            self.event(Event::Notice(Notice::deprecation(Diagnostic::warning(warning).at(&condition.span))));
        }
        self.templar.condition(condition, context)
    }

    pub fn new_task_id(&self) -> TaskId {
        TaskId(self.next_task.fetch_add(1, Ordering::Relaxed))
    }

    /// The state of a host, made when it is first asked for.
    pub fn host(&self, name: &Arc<str>) -> Arc<HostState> {
        if let Some(known) = read(&self.hosts).get(name) {
            return known.clone();
        }
        write(&self.hosts).entry(name.clone()).or_insert_with(|| Arc::new(self.new_host(name))).clone()
    }

    fn new_host(&self, name: &Arc<str>) -> HostState {
        let host = HostState::new(name);
        if let Some(cache) = &self.fact_cache {
            let facts = cache.load(name);
            host.facts_gathered.store(facts.contains_key("module_setup"), Ordering::SeqCst);
            host.learn_facts(&facts);
        }
        host
    }

    /// The host's facts changed: they are kept for later runs where the settings say so.
    pub fn keep_facts(&self, host: &HostState) {
        let Some(cache) = &self.fact_cache else { return };
        if let Err(error) = cache.store(&host.name, &read(&host.facts)) {
            self.warn(Diagnostic::warning(format!("the facts of `{}` cannot be cached: {error}", host.name)));
        }
    }

    pub fn clear_facts(&self, host: &HostState) {
        write(&host.facts).clone_from(&Map::new());
        host.facts_gathered.store(false, Ordering::SeqCst);
        if let Some(cache) = &self.fact_cache {
            cache.forget(&host.name);
        }
    }

    /// What the inventory says of a host, `group_vars` and `host_vars` included, merged in Ansible's order. A file of them that cannot be
    /// read ends the run: without it a host might be set up as another.
    pub fn inventory_vars(&self, host: &HostState) -> Arc<Vars> {
        if let Some(known) = read(&host.inventory_vars).as_ref() {
            return known.clone();
        }
        let merged = super::precedence::inventory_vars(self, &host.name).unwrap_or_else(|broken| {
            lock(&self.broken).get_or_insert(broken);
            Vars::new()
        });
        let merged = Arc::new(merged);
        *write(&host.inventory_vars) = Some(merged.clone());
        merged
    }

    /// Adds a host or a group to the inventory, for good: whether that changed it.
    ///
    /// # Errors
    /// A name is none.
    pub fn add(&self, addition: Addition) -> Result<bool, Diagnostic> {
        let changed = addition.apply(&mut write(&self.inventory))?;
        lock(&self.additions).push(addition);
        self.forget_inventory_vars();
        Ok(changed)
    }

    /// The inventory changed (`add_host`, `group_by`, `refresh_inventory`): hosts ask it again.
    pub fn forget_inventory_vars(&self) {
        for host in read(&self.hosts).values() {
            *write(&host.inventory_vars) = None;
        }
    }

    pub fn count(&self, host: &Arc<str>, add: impl FnOnce(&mut HostStats)) {
        add(lock(&self.stats).entry(host.clone()).or_default());
    }

    /// Where sockets of SSH masters live.
    pub fn control_folder(&self) -> PathBuf {
        self.cache.join("ssh")
    }

    /// The folder of a playbook: `playbook_dir` and the like.
    pub fn playbook_folder(&self, file: &str) -> PathBuf {
        let path = Path::new(file);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
    }
}

impl PlayState {
    /// Those of the hosts that are still in the play.
    pub fn remaining(&self, hosts: &[Arc<str>]) -> Vec<Arc<str>> {
        let removed = read(&self.removed);
        hosts.iter().filter(|host| !removed.contains(*host)).cloned().collect()
    }

    /// Whether more hosts of the batch failed than `max_fail_percentage` allows.
    pub fn has_too_many_failures(&self) -> bool {
        let share = self.failures.load(Ordering::SeqCst) as f64 * 100.0 / self.batch_size.max(1) as f64;
        self.max_fail_percentage.is_some_and(|limit| share > limit)
    }

    /// What a host takes before it runs a task with a `throttle`.
    pub fn throttle(&self, task: &Task, limit: usize) -> Arc<Semaphore> {
        lock(&self.throttles).entry((task.span.clone(), limit)).or_insert_with(|| Arc::new(Semaphore::new(limit))).clone()
    }

    pub fn remove(&self, host: &Arc<str>) {
        write(&self.removed).insert(host.clone());
    }
}

/// Locks whose holders cannot break: nothing in here panics while holding one, and a broken one is still readable.
pub fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

pub fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A node for data that came from nowhere in a file.
pub fn plain(value: Value) -> Node {
    Node::data(crate::base::Span::origin("<data>"), value)
}
