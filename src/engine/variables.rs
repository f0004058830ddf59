//! What a name means for a host at a task: looked up layer by layer, highest precedence first, never merged.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::{Key, Map, Node, Value};
use crate::language::{Role, Scope, ScopeKind, Task, Vars};
use crate::template::{Context, OMIT, SearchPath, Variable, Variables};

use super::settings::HashBehaviour;
use super::state::{HostState, PlayState, Run, read};

/// The version that playbooks ask for in `ansible_version`: the language spoken here.
const ANSIBLE_VERSION: &str = "2.19.14";

/// How many layers `HostScope::layer` has.
const LAYERS: usize = 12;

/// All variables of one host at one place.
#[derive(Clone)]
pub struct HostScope {
    pub run: Arc<Run>,
    pub host: Arc<HostState>,
    pub play: Option<Arc<PlayState>>,
    pub vars_files: Arc<Vec<Vars>>,
    /// Where the task stands; `None` outside tasks.
    pub scope: Option<Arc<Scope>>,
    pub task: Option<Arc<Task>>,
    /// Loop variables and the like: above everything.
    pub locals: Arc<Map>,
}

impl HostScope {
    /// The same host seen from a task.
    pub fn at_task(&self, task: &Arc<Task>) -> HostScope {
        HostScope { scope: Some(task.scope.clone()), task: Some(task.clone()), ..self.clone() }
    }

    pub fn at_scope(&self, scope: &Arc<Scope>) -> HostScope {
        HostScope { scope: Some(scope.clone()), task: None, ..self.clone() }
    }

    pub fn with_locals(&self, locals: Map) -> HostScope {
        let mut all = self.locals.as_ref().clone();
        all.extend(&locals);
        HostScope { locals: Arc::new(all), ..self.clone() }
    }

    /// Everything a template needs here.
    pub fn context(&self) -> Context {
        let variables = Arc::new(InTask(self.clone()));
        Context { search: self.search_path(), controller: self.run.controller.clone(), variables }
    }

    /// Folders searched for files: the role's and its parents', the including file's, the playbook's.
    pub fn search_path(&self) -> SearchPath {
        let mut roots = Vec::new();
        let mut push = |path: std::path::PathBuf| {
            if !roots.contains(&path) {
                roots.push(path);
            }
        };
        if let Some(scope) = &self.scope {
            for outer in scope.chain() {
                if let Some(role) = &outer.role {
                    push(role.path.clone());
                }
            }
            for outer in scope.chain() {
                if let Some(file) = &outer.file {
                    push(self.run.playbook_folder(file));
                }
            }
        }
        if let Some(play) = &self.play {
            push(self.run.playbook_folder(&play.file));
        }
        SearchPath::new(roots)
    }

    fn role(&self) -> Option<&Arc<Role>> {
        self.scope.as_ref().and_then(|scope| scope.role.as_ref())
    }

    fn in_task(&self, name: &str) -> Option<Variable> {
        if let Some(node) = self.task.as_ref().and_then(|task| task.vars.get(name)) {
            return Some(Variable::Source(node.clone()));
        }
        let outer = self.scope.as_ref()?.chain().filter(|scope| !matches!(scope.kind, ScopeKind::Include | ScopeKind::Play));
        outer.filter_map(|scope| scope.vars.get(name)).next().cloned().map(Variable::Source)
    }

    /// What includes and roles were given where they were called: above `set_fact`.
    fn in_parameters(&self, name: &str) -> Option<Variable> {
        let scope = self.scope.as_ref()?;
        let included = scope.chain().filter(|scope| scope.kind == ScopeKind::Include).find_map(|scope| scope.vars.get(name));
        let from_roles = || scope.chain().filter_map(|scope| scope.role.as_ref()).find_map(|role| role.params.get(name));
        included.or_else(from_roles).cloned().map(Variable::Source)
    }

    fn in_role_vars(&self, name: &str) -> Option<Variable> {
        let own = self.scope.as_ref().and_then(|scope| {
            scope.roles().iter().find_map(|role| role.vars.get(name).cloned().or_else(|| dependency_vars(role, name, |role| &role.vars)))
        });
        own.or_else(|| self.in_public_roles(name, |role| &role.vars)).map(Variable::Source)
    }

    fn in_role_defaults(&self, name: &str) -> Option<Variable> {
        let own = self.scope.as_ref().and_then(|scope| {
            let find = |role: &Arc<Role>| role.defaults.get(name).cloned().or_else(|| dependency_vars(role, name, |role| &role.defaults));
            scope.roles().iter().find_map(find)
        });
        own.or_else(|| self.in_public_roles(name, |role| &role.defaults)).map(Variable::Source)
    }

    fn in_public_roles(&self, name: &str, part: impl Fn(&Role) -> &Arc<Vars>) -> Option<Node> {
        let play = self.play.as_ref()?;
        read(&play.public_roles).iter().rev().find_map(|role| part(role).get(name).cloned())
    }

    fn in_vars_files(&self, name: &str) -> Option<Variable> {
        self.play.as_ref()?;
        let mut found = self.vars_files.iter().rev().filter_map(|vars| vars.get(name)).cloned().map(Variable::Source);
        match self.merges() {
            true => found.reduce(|upper, lower| super::combine::variables(lower, upper)),
            false => found.next(),
        }
    }

    fn merges(&self) -> bool {
        self.run.request.settings.hash_behaviour == HashBehaviour::Merge
    }

    fn in_facts(&self, name: &str) -> Option<Variable> {
        if !self.run.request.settings.inject_facts_as_vars {
            return None;
        }
        read(&self.host.facts).get(name).cloned().map(Variable::Value)
    }

    fn layers(&self, name: &str) -> Option<Variable> {
        if let Some(value) = self.locals.get(name) {
            return Some(Variable::Value(value.clone()));
        }
        if let Some(found) = self.magic(name) {
            return Some(found);
        }
        let mut found = (0..LAYERS).filter_map(|layer| self.layer(layer, name));
        match self.merges() {
            true => found.reduce(|upper, lower| super::combine::variables(lower, upper)),
            false => found.next(),
        }
    }

    /// What one layer says, from the highest precedence down.
    fn layer(&self, number: usize, name: &str) -> Option<Variable> {
        let play = || self.play.as_ref();
        match number {
            0 => self.run.extra_vars.get(name).cloned().map(Variable::Source),
            1 => self.in_parameters(name),
            2 => read(&self.host.set).get(name).cloned().map(Variable::Value),
            3 => read(&self.host.included).get(name).cloned().map(Variable::Source),
            4 => self.in_task(name),
            5 => self.in_role_vars(name),
            6 => self.in_vars_files(name),
            7 => play()?.prompted.get(name).cloned().map(Variable::Source),
            8 => play()?.play.scope.vars.get(name).cloned().map(Variable::Source),
            9 => self.in_facts(name),
            10 => self.run.inventory_vars(&self.host).get(name).cloned().map(Variable::Source),
            _ => self.in_role_defaults(name),
        }
    }

    fn facts_without_prefix(&self) -> Value {
        let facts = read(&self.host.facts);
        let strip = |key: &Key| match key.as_str().and_then(|text| text.strip_prefix("ansible_")) {
            Some(rest) if key.as_str() != Some("ansible_local") => Key::from(rest),
            _ => key.clone(),
        };
        facts.iter().map(|(key, value)| (strip(key), value.clone())).collect::<Map>().into()
    }

    fn magic(&self, name: &str) -> Option<Variable> {
        let value = |value: Value| Some(Variable::Value(value));
        let hosts = |names: &[Arc<str>]| value(Value::list(names.iter().cloned()));
        let request = &self.run.request;
        match name {
            "omit" => value(OMIT.into()),
            "inventory_hostname" => value(self.host.name.clone().into()),
            "inventory_hostname_short" => value(short_name(&self.host.name).into()),
            "ansible_facts" => value(self.facts_without_prefix()),
            "group_names" => hosts(&read(&self.run.inventory).group_names(&self.host.name)),
            "groups" => value(groups(&self.run)),
            "hostvars" => Some(Variable::Scope(Arc::new(HostVars { from: self.clone() }))),
            "vars" => Some(Variable::Scope(Arc::new(self.clone()))),
            "inventory_dir" | "inventory_file" => self.inventory_place(name),
            "playbook_dir" => self.play.as_ref().and_then(|play| value(path_text(&self.run.playbook_folder(&play.file)))),
            "ansible_play_hosts" => self.play.as_ref().and_then(|play| hosts(&play.remaining(&play.all_hosts))),
            "play_hosts" | "ansible_play_batch" => self.play.as_ref().and_then(|play| hosts(&play.remaining(&play.batch))),
            "ansible_play_hosts_all" => self.play.as_ref().and_then(|play| hosts(&play.all_hosts)),
            "ansible_play_name" => self.play.as_ref().and_then(|play| value(play.name.as_str().into())),
            "ansible_play_role_names" | "role_names" => self.play.as_ref().and_then(|play| value(unique(named_roles(play)))),
            "ansible_dependent_role_names" => self.play.as_ref().and_then(|play| value(unique(dependencies(play)))),
            "ansible_role_names" => self.play.as_ref().and_then(|play| {
                let all = named_roles(play).into_iter().chain(dependencies(play));
                value(unique(all.collect()))
            }),
            "role_name" | "ansible_role_name" => self.role().and_then(|role| value(role.name.clone().into())),
            "role_path" => self.role().and_then(|role| value(path_text(&role.path))),
            "ansible_parent_role_names" => self.parent_roles(|role| role.name.clone().into()),
            "ansible_parent_role_paths" => self.parent_roles(|role| path_text(&role.path)),
            "ansible_check_mode" => value(self.play.as_ref().map_or(request.check, |play| play.check).into()),
            "ansible_diff_mode" => value(request.diff.into()),
            "ansible_forks" => value(request.settings.forks.into()),
            "ansible_verbosity" => value(i64::from(request.settings.verbosity).into()),
            "ansible_version" => value(version()),
            "ansible_run_tags" => value(Value::list(tags_or_all(&request.settings.tags))),
            "ansible_skip_tags" => value(Value::list(request.settings.skip_tags.iter())),
            "ansible_limit" => request.limit.as_ref().and_then(|limit| value(limit.into())),
            "ansible_inventory_sources" => value(Value::list(request.inventory.iter())),
            "ansible_config_file" => value(request.settings.config_file.as_ref().map(|path| path_text(path)).into()),
            "ansible_playbook_python" => value(path_text(&python())),
            "ansible_search_path" => value(Value::list(self.search_path().roots().iter().map(|path| path_text(path)).collect::<Vec<_>>())),
            _ => None,
        }
    }

    fn parent_roles(&self, part: impl Fn(&Role) -> Value) -> Option<Variable> {
        let roles = self.scope.as_ref()?.roles();
        let parents: Vec<Value> = roles.iter().skip(1).map(|role| part(role)).collect();
        (!parents.is_empty()).then(|| Variable::Value(Value::list(parents)))
    }

    fn inventory_place(&self, name: &str) -> Option<Variable> {
        let inventory = read(&self.run.inventory);
        let file = inventory.host(&self.host.name)?.defined_in.clone()?;
        let path = std::path::Path::new(file.as_ref());
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let shown = match name {
            "inventory_file" => path_text(&path),
            _ if path.is_dir() => path_text(&path),
            _ => path_text(path.parent()?),
        };
        Some(Variable::Value(shown))
    }
}

impl Variables for HostScope {
    fn get(&self, name: &str) -> Option<Variable> {
        self.layers(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = MAGIC.iter().map(|name| (*name).to_owned()).collect();
        let mut add = |more: &mut dyn Iterator<Item = String>| names.extend(more);
        add(&mut self.run.inventory_vars(&self.host).keys().map(ToString::to_string));
        add(&mut read(&self.host.facts).keys().map(ToString::to_string));
        add(&mut read(&self.host.set).keys().map(ToString::to_string));
        add(&mut read(&self.host.included).keys().map(ToString::to_string));
        add(&mut self.run.extra_vars.keys().map(ToString::to_string));
        add(&mut self.locals.keys().map(ToString::to_string));
        if let Some(play) = &self.play {
            add(&mut play.play.scope.vars.keys().chain(play.prompted.keys()).map(ToString::to_string));
            add(&mut self.vars_files.iter().flat_map(|vars| vars.keys()).map(ToString::to_string));
            for role in read(&play.public_roles).iter() {
                add(&mut role.defaults.keys().chain(role.vars.keys()).map(ToString::to_string));
            }
        }
        if let Some(task) = &self.task {
            add(&mut task.vars.keys().map(ToString::to_string));
        }
        for scope in self.scope.iter().flat_map(|scope| scope.chain()) {
            add(&mut scope.vars.keys().map(ToString::to_string));
            if let Some(role) = &scope.role {
                add(&mut role.defaults.keys().chain(role.vars.keys()).chain(role.params.keys()).map(ToString::to_string));
            }
        }
        names.sort();
        names.dedup();
        names.retain(|name| self.layers(name).is_some());
        names
    }
}

/// A scope as templates of a task see it: with where the connection goes, unless a variable says it.
struct InTask(HostScope);

impl Variables for InTask {
    fn get(&self, name: &str) -> Option<Variable> {
        let found = self.0.layers(name);
        if found.is_some() || self.0.task.is_none() {
            return found;
        }
        let value = match name {
            "ansible_host" | "ansible_ssh_host" => self.0.host.name.clone().into(),
            "ansible_python_interpreter" if crate::inventory::LOCALHOST.contains(&self.0.host.name.as_ref()) => path_text(&python()),
            "ansible_connection" => self.0.run.request.settings.transport.clone().into(),
            _ => return None,
        };
        Some(Variable::Value(value))
    }

    fn names(&self) -> Vec<String> {
        self.0.names()
    }
}

/// Names that are always there, for `vars` and "did you mean".
const MAGIC: &[&str] = &[
    "ansible_check_mode",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_forks",
    "ansible_play_batch",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_play_name",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "group_names",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "omit",
    "play_hosts",
    "playbook_dir",
    "role_name",
    "role_names",
    "role_path",
];

/// `hostvars`: a host's own variables, without those of the task that asks.
struct HostVars {
    from: HostScope,
}

impl Variables for HostVars {
    fn get(&self, name: &str) -> Option<Variable> {
        let known = read(&self.from.run.inventory).host(name)?.name.clone();
        let host = self.from.run.host(&known);
        Some(Variable::Scope(Arc::new(OtherHost(HostScope { host, scope: None, task: None, locals: Arc::default(), ..self.from.clone() }))))
    }

    fn names(&self) -> Vec<String> {
        read(&self.from.run.inventory).hosts().map(|host| host.name.to_string()).collect()
    }
}

/// A host seen from another one: play variables do not belong to it (they are the task's), the rest does.
struct OtherHost(HostScope);

impl Variables for OtherHost {
    fn get(&self, name: &str) -> Option<Variable> {
        match name {
            "hostvars" | "vars" => None,
            _ => self.0.layers(name),
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.names().into_iter().filter(|name| name != "hostvars" && name != "omit").collect()
    }
}

fn dependency_vars(role: &Role, name: &str, part: impl Fn(&Role) -> &Arc<Vars> + Copy) -> Option<Node> {
    role.dependencies.iter().rev().find_map(|other| part(other).get(name).cloned().or_else(|| dependency_vars(other, name, part)))
}

fn path_text(path: &std::path::Path) -> Value {
    path.to_string_lossy().into_owned().into()
}

fn short_name(name: &str) -> &str {
    match name.parse::<std::net::IpAddr>() {
        Ok(_) => name,
        Err(_) => name.split('.').next().unwrap_or(name),
    }
}

fn groups(run: &Run) -> Value {
    let inventory = read(&run.inventory);
    Value::map(inventory.groups().map(|group| (group.name.clone(), Value::list(inventory.hosts_of(&group.name)))))
}

/// Roles that the play names itself.
fn named_roles(play: &PlayState) -> Vec<Arc<str>> {
    play.play.roles.iter().filter_map(|block| block.role_run.as_ref()).map(|role| role.name.clone()).collect()
}

/// Roles that those depend on.
fn dependencies(play: &PlayState) -> Vec<Arc<str>> {
    fn below(role: &Role, names: &mut Vec<Arc<str>>) {
        for other in &role.dependencies {
            below(other, names);
            names.push(other.name.clone());
        }
    }
    let mut names = Vec::new();
    play.play.roles.iter().filter_map(|block| block.role_run.as_ref()).for_each(|role| below(role, &mut names));
    names
}

fn unique(names: Vec<Arc<str>>) -> Value {
    let mut kept: Vec<Arc<str>> = Vec::new();
    for name in names {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    Value::list(kept)
}

/// The Python that playbooks on this machine mean; nothing of ours runs in it.
fn python() -> std::path::PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join("python3")).find(|path| path.is_file());
    found.unwrap_or_else(|| "/usr/bin/python3".into())
}

fn tags_or_all(tags: &[String]) -> Vec<String> {
    if tags.is_empty() { vec!["all".into()] } else { tags.to_vec() }
}

fn version() -> Value {
    let mut parts = ANSIBLE_VERSION.split('.').map(|part| part.parse::<i64>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let (major, minor, revision) = (next(), next(), next());
    Value::map([
        ("string", Value::from(ANSIBLE_VERSION)),
        ("full", ANSIBLE_VERSION.into()),
        ("major", major.into()),
        ("minor", minor.into()),
        ("revision", revision.into()),
    ])
}

impl PlayState {
    /// Whether something has ended the play for all hosts.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}
