//! What a rehearsal must not read, since it is not known yet: names that unfinished tasks will set, files that they may write, what other hosts
//! do. Whoever reads it is told nothing, and the rehearsal is void.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use crate::base::{Map, Value};
use crate::engine::magic::MAGIC;
use crate::engine::state::{is_connection_variable, lock, read, write};
use crate::language::Task;
use crate::modules;
use crate::template::{Beyond, Controller};
use crate::wire::TaskRequest;

/// Modules that bring facts, all of them with names that [`is_fact_name`] knows.
const BRING_FACTS: &[&str] = &[
    "ansible.builtin.async_status",
    "ansible.builtin.getent",
    "ansible.builtin.hostname",
    "ansible.builtin.package_facts",
    "ansible.builtin.service_facts",
    "ansible.builtin.setup",
];

/// Names that begin as facts do, and are none.
const NO_FACTS: &[&str] = &["ansible_index_var", "ansible_loop", "ansible_loop_var", "ansible_managed"];

/// What depends on what other hosts do meanwhile.
const OF_OTHERS: &[&str] = &["ansible_play_batch", "ansible_play_hosts", "group_names", "groups", "play_hosts"];

/// The state of one rehearsal.
pub struct Unfinished {
    /// The host that rehearses.
    host: Arc<str>,
    /// Whether no other host works meanwhile.
    alone: bool,
    /// Names that unfinished tasks register or set.
    names: RwLock<HashSet<String>>,
    /// Whether an unfinished task brings facts.
    facts: AtomicBool,
    /// What `set_fact` will have set.
    known: RwLock<Map>,
    may_read_files: bool,
    void: Arc<AtomicBool>,
    controller: Arc<Controller>,
    requests: Mutex<Vec<TaskRequest>>,
}

impl Unfinished {
    pub fn new(host: &Arc<str>, controller: &Controller, alone: bool, may_read_files: bool) -> Self {
        let void = Arc::new(AtomicBool::new(false));
        let told = void.clone();
        let permit = move |beyond: Beyond| {
            let granted = beyond == Beyond::Files && may_read_files;
            told.fetch_or(!granted, Ordering::SeqCst);
            granted
        };
        Unfinished {
            host: host.clone(),
            alone,
            names: RwLock::default(),
            facts: AtomicBool::new(false),
            known: RwLock::default(),
            may_read_files,
            void,
            controller: Arc::new(Controller { permit: Arc::new(permit), ..controller.clone() }),
            requests: Mutex::default(),
        }
    }

    /// What a task will have set when it is done.
    pub fn expect_results_of(&self, task: &Task) {
        if let Some(name) = task.own("register") {
            self.expect(&name.to_value().to_text());
        }
        if brings_facts(task) {
            self.facts.store(true, Ordering::SeqCst);
        }
    }

    pub fn expect(&self, name: &str) {
        write(&self.names).insert(name.to_owned());
    }

    /// `set_fact` will have set this.
    pub fn learn(&self, facts: &Map) {
        write(&self.known).extend(facts);
    }

    /// Whether a variable cannot be told yet; having asked makes the rehearsal void.
    pub fn hides(&self, name: &str) -> bool {
        let hidden = read(&self.names).contains(name)
            || (self.facts.load(Ordering::SeqCst) && is_fact_name(name))
            || (!self.alone && OF_OTHERS.contains(&name));
        self.void.fetch_or(hidden, Ordering::SeqCst);
        hidden
    }

    /// Whether another host's variables cannot be told.
    pub fn hides_host(&self, host: &str) -> bool {
        let hidden = !self.alone && host != self.host.as_ref();
        self.void.fetch_or(hidden, Ordering::SeqCst);
        hidden
    }

    /// What `set_fact` will have set on a host.
    pub fn known(&self, host: &str, name: &str) -> Option<Value> {
        (host == self.host.as_ref()).then(|| read(&self.known).get(name).cloned()).flatten()
    }

    /// All names are asked for: only where none is missing can they be told.
    pub fn lists_names(&self) {
        let complete = self.alone && read(&self.names).is_empty() && read(&self.known).is_empty() && !self.facts.load(Ordering::SeqCst);
        self.void.fetch_or(!complete, Ordering::SeqCst);
    }

    /// Whether files of the project may be read; asking for it in vain makes the rehearsal void.
    pub fn may_read_files(&self) -> bool {
        self.void.fetch_or(!self.may_read_files, Ordering::SeqCst);
        self.may_read_files
    }

    /// The rehearsed action does what cannot be rehearsed.
    pub fn give_up(&self) {
        self.void.store(true, Ordering::SeqCst);
    }

    /// Whether something was asked that cannot be told: nothing that was rendered counts.
    pub fn is_void(&self) -> bool {
        self.void.load(Ordering::SeqCst)
    }

    /// What templates of the rehearsal know of the controller.
    pub fn controller(&self) -> Arc<Controller> {
        self.controller.clone()
    }

    /// The rehearsed action would send this, and be done with the reply.
    pub fn would_send(&self, request: TaskRequest) {
        lock(&self.requests).push(request);
    }

    pub fn take_requests(&self) -> Vec<TaskRequest> {
        std::mem::take(&mut lock(&self.requests))
    }
}

/// Whether the task's module brings facts.
pub fn brings_facts(task: &Task) -> bool {
    let module = match task.short_action() {
        "gather_facts" => "ansible.builtin.setup",
        _ => modules::find(&task.action.name).map_or("", |entry| entry.name),
    };
    BRING_FACTS.contains(&module)
}

/// Whether a module may bring a fact of this name. No host sets connection variables.
fn is_fact_name(name: &str) -> bool {
    let shaped = name.starts_with("ansible_") || name.starts_with("getent_");
    let named = matches!(name, "gather_subset" | "module_setup" | "packages" | "services");
    let is_magic = name != "ansible_facts" && MAGIC.contains(&name);
    (shaped || named) && !is_magic && !NO_FACTS.contains(&name) && !is_connection_variable(name)
}
