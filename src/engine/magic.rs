//! Names that are always there: what they stand for on a host, at a place.

use std::sync::Arc;

use crate::base::{Key, Map, Value};
use crate::language::{Item, Role};
use crate::template::{OMIT, Variable};

use super::state::{PlayState, Run, read};
use super::variables::{HostScope, HostVars};

/// The version that playbooks ask for in `ansible_version`: the language spoken here.
pub const ANSIBLE_VERSION: &str = "2.19.14";

/// Names that are always there, for `vars` and "did you mean".
pub(super) const MAGIC: &[&str] = &[
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

impl HostScope {
    fn facts_without_prefix(&self) -> Value {
        let facts = read(&self.host.facts);
        let strip = |key: &Key| match key.as_str().and_then(|text| text.strip_prefix("ansible_")) {
            Some(rest) if key.as_str() != Some("ansible_local") => Key::from(rest),
            _ => key.clone(),
        };
        facts.iter().map(|(key, value)| (strip(key), value.clone())).collect::<Map>().into()
    }

    pub(super) fn magic(&self, name: &str) -> Option<Variable> {
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
            "ansible_play_role_names" | "role_names" => self.play.as_ref().and_then(|play| value(Value::list(named_roles(play)))),
            "ansible_dependent_role_names" => self.play.as_ref().and_then(|play| value(unique(dependencies(play)))),
            "ansible_role_names" => self.play.as_ref().and_then(|play| {
                let all = named_roles(play).into_iter().chain(dependencies(play));
                value(unique(all.collect()))
            }),
            "role_name" => self.role().and_then(|role| value(role.short_name().into())),
            "ansible_role_name" => self.role().and_then(|role| value(role.name.clone().into())),
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

pub(super) fn path_text(path: &std::path::Path) -> Value {
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

/// Roles that the play names itself, as often as it does: in `roles`, and with `import_role`.
fn named_roles(play: &PlayState) -> Vec<Arc<str>> {
    fn imported(items: &[Item], names: &mut Vec<Arc<str>>) {
        for item in items {
            let Item::Block(block) = item else { continue };
            match &block.role_run {
                Some(role) => names.extend(role.is_public.then(|| role.name.clone())),
                None => [&block.body, &block.rescue, &block.always].into_iter().for_each(|part| imported(part, names)),
            }
        }
    }
    let play = &play.play;
    let mut names: Vec<_> = play.roles.iter().filter_map(|block| block.role_run.as_ref()).map(|role| role.name.clone()).collect();
    [&play.pre_tasks, &play.tasks, &play.post_tasks].into_iter().for_each(|part| imported(part, &mut names));
    names
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
pub(super) fn python() -> std::path::PathBuf {
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
