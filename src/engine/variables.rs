//! What a name means for a host at a task: looked up layer by layer, highest precedence first, never merged.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::{Map, Node};
use crate::language::{Role, Scope, ScopeKind, Task, Vars};
use crate::template::{Context, SearchPath, Variable, Variables};

use super::ahead::Unfinished;
use super::keywords::TaskKeywords;
use super::magic::{MAGIC, path_text, python};
use super::settings::HashBehaviour;
use super::state::{HostState, PlayState, Run, read};

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
    /// Set while a task is rehearsed: what it must not read yet.
    pub rehearsal: Option<Arc<Unfinished>>,
}

impl HostScope {
    /// What a host has of its own, outside of any play.
    pub fn of(run: &Arc<Run>, host: Arc<HostState>) -> HostScope {
        HostScope {
            run: run.clone(),
            host,
            play: None,
            vars_files: Arc::default(),
            scope: None,
            task: None,
            locals: Arc::default(),
            rehearsal: None,
        }
    }

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
        let controller = self.rehearsal.as_ref().map_or_else(|| self.run.controller.clone(), |unfinished| unfinished.controller());
        Context { search: self.search_path(), controller, variables }
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

    pub(super) fn role(&self) -> Option<&Arc<Role>> {
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

    /// `register` and `set_fact`.
    fn in_set(&self, name: &str) -> Option<Variable> {
        let to_come = self.rehearsal.as_ref().and_then(|unfinished| unfinished.known(&self.host.name, name));
        to_come.or_else(|| read(&self.host.set).get(name).cloned()).map(Variable::Value)
    }

    fn layers(&self, name: &str) -> Option<Variable> {
        if self.rehearsal.as_ref().is_some_and(|unfinished| unfinished.hides(name)) {
            return None;
        }
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
            2 => self.in_set(name),
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
}

impl Variables for HostScope {
    fn get(&self, name: &str) -> Option<Variable> {
        self.layers(name)
    }

    fn names(&self) -> Vec<String> {
        if let Some(unfinished) = &self.rehearsal {
            unfinished.lists_names();
        }
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
            "ansible_user" | "ansible_ssh_user" => self.login()?.into(),
            "ansible_delegated_vars" => return self.delegated(),
            _ => return None,
        };
        Some(Variable::Value(value))
    }

    fn source(&self, name: &str) -> Option<Node> {
        match self.get(name)? {
            Variable::Source(node) => Some(node),
            // An item of a loop over what the project's own files list.
            Variable::Value(value) if self.0.locals.contains_key(name) => {
                let loops = self.0.task.as_ref()?.loops.as_ref()?;
                self.0.run.templar.item_behind(&loops.items, &value, &self.0.context())
            }
            Variable::Value(_) | Variable::Scope(_) => None,
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.names()
    }
}

impl InTask {
    /// The user whom the task, its play or the command line names. One that is a template may ask for this very name, and counts for none.
    fn login(&self) -> Option<String> {
        let task = self.0.task.as_ref()?;
        let named = task.keywords_outermost_first("remote_user").into_iter().rfind(|node| !node.is_null() && !node.is_template());
        named.map(|node| node.to_value().to_text()).or_else(|| self.0.run.request.settings.remote_user.clone())
    }

    /// `ansible_delegated_vars`: those of the host that the task runs on, where that is another one.
    fn delegated(&self) -> Option<Variable> {
        let task = self.0.task.as_ref()?;
        let context = self.0.context();
        let name = TaskKeywords { task, templar: &self.0.run.templar, context: &context }.text("delegate_to").ok()??;
        let known = read(&self.0.run.inventory).host(&name).map(|host| host.name.clone());
        let host = self.0.run.host(&known.unwrap_or_else(|| name.as_str().into()));
        let asking = self.0.host.name.clone();
        let own = HostScope { host, scope: None, task: None, locals: Arc::default(), ..self.0.clone() };
        Some(Variable::Scope(Arc::new(DelegatedVars { name, asking, own })))
    }
}

struct DelegatedVars {
    name: String,
    /// The host whose task it is.
    asking: Arc<str>,
    own: HostScope,
}

impl Variables for DelegatedVars {
    fn get(&self, name: &str) -> Option<Variable> {
        (name == self.name).then(|| Variable::Scope(Arc::new(Delegate { asking: self.asking.clone(), own: self.own.clone() })))
    }

    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }
}

/// A host that tasks of others run on: how it is reached is there, whether anything says so or not.
struct Delegate {
    asking: Arc<str>,
    own: HostScope,
}

impl Variables for Delegate {
    fn get(&self, name: &str) -> Option<Variable> {
        let settings = &self.own.run.request.settings;
        if name == "inventory_hostname" {
            return Some(Variable::Value(self.asking.clone().into()));
        }
        let usual = || {
            Some(Variable::Value(match name {
                "ansible_host" => self.own.host.name.clone().into(),
                "ansible_port" => settings.remote_port.map(i64::from).into(),
                "ansible_user" => settings.remote_user.clone().into(),
                "ansible_connection" => settings.transport.clone().into(),
                _ => return None,
            }))
        };
        self.own.layers(name).or_else(usual)
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.own.names();
        names.extend(["ansible_host", "ansible_port", "ansible_user", "ansible_connection"].map(str::to_owned));
        names.sort();
        names.dedup();
        names.retain(|name| name != "hostvars" && name != "omit" && name != "vars");
        names
    }
}

/// `hostvars`: a host's own variables, without those of the task that asks.
pub(super) struct HostVars {
    pub from: HostScope,
}

impl Variables for HostVars {
    fn get(&self, name: &str) -> Option<Variable> {
        let known = read(&self.from.run.inventory).host(name)?.name.clone();
        if self.from.rehearsal.as_ref().is_some_and(|unfinished| unfinished.hides_host(&known)) {
            return None;
        }
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

impl PlayState {
    /// Whether something has ended the play for all hosts.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}
