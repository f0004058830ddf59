//! Hosts, groups and how they belong together.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::base::{Node, Span};

use super::error::InventoryError;
use super::files::{Variables, VarsFiles};

/// The names that mean this machine, and stand for an implicit host where the inventory defines none of them.
pub const LOCALHOST: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

const ALL: &str = "all";
const UNGROUPED: &str = "ungrouped";
pub(super) const PRIORITY: &str = "ansible_group_priority";

#[derive(Clone, Debug)]
pub struct Host {
    pub name: Arc<str>,
    /// What the inventory itself says about the host (`host_vars` files are apart).
    pub variables: Arc<Variables>,
    /// This machine, which no inventory names.
    pub is_implicit: bool,
    /// The source that named the host first.
    pub defined_in: Option<Arc<str>>,
    /// The groups that list the host itself.
    pub(super) groups: Vec<Arc<str>>,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub name: Arc<str>,
    /// What the inventory itself says about the group (`group_vars` files are apart).
    pub variables: Arc<Variables>,
    /// The hosts that the group itself lists.
    pub hosts: Vec<Arc<str>>,
    pub children: Vec<Arc<str>>,
    pub parents: Vec<Arc<str>>,
    /// How far below `all`: variables of deeper groups win.
    pub depth: usize,
    /// `ansible_group_priority`: among groups of one depth the higher one wins.
    pub priority: i64,
}

/// All hosts and groups of a run.
#[derive(Clone, Debug)]
pub struct Inventory {
    pub(super) hosts: IndexMap<Arc<str>, Host>,
    pub(super) groups: IndexMap<Arc<str>, Group>,
    pub(super) implicit: IndexMap<Arc<str>, Host>,
    /// The first host of the inventory that means this machine: it stands for the other names too.
    pub(super) localhost: Option<Arc<str>>,
    /// The source that is read at the moment.
    pub(super) current: Option<Arc<str>>,
    /// `hash_behaviour = merge`: a mapping of a later source is laid over that of an earlier one.
    pub(super) merges: bool,
    /// Whether characters that variable names cannot have are replaced in group names, and the names where that was done.
    pub(super) replaces_names: bool,
    pub(super) replaced_names: Vec<String>,
    /// Where `group_vars` and `host_vars` are looked for.
    pub(super) files: Arc<VarsFiles>,
}

impl Default for Inventory {
    fn default() -> Self {
        Inventory::new(VarsFiles::default())
    }
}

fn put(variables: &mut Variables, name: &str, value: Node, merges: bool) {
    let value = match variables.get(name) {
        Some(old) if merges => old.overlaid(&value),
        _ => value,
    };
    variables.insert(name.into(), value);
}

impl Inventory {
    pub(super) fn new(files: VarsFiles) -> Self {
        let mut inventory = Inventory {
            hosts: IndexMap::new(),
            groups: IndexMap::new(),
            implicit: LOCALHOST.iter().map(|name| (Arc::from(*name), Host::implicit(name))).collect(),
            localhost: None,
            current: None,
            merges: false,
            replaces_names: false,
            replaced_names: Vec::new(),
            files: Arc::new(files),
        };
        inventory.add_group(ALL);
        inventory.add_group(UNGROUPED);
        inventory.join_groups(ALL, UNGROUPED);
        inventory
    }

    /// The host of this name. Names of this machine find the implicit host where the inventory has none.
    pub fn host(&self, name: &str) -> Option<&Host> {
        if let Some(host) = self.hosts.get(name) {
            return Some(host);
        }
        let implicit = self.implicit.get(name)?;
        match &self.localhost {
            Some(explicit) => self.hosts.get(explicit),
            None => Some(implicit),
        }
    }

    /// The hosts that the inventory names, in its order.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = &Host> {
        self.hosts.values()
    }

    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Group> {
        self.groups.values()
    }

    /// Every host of a group and of the groups below it, in Ansible's order: level by level.
    pub fn hosts_of(&self, group: &str) -> Vec<Arc<str>> {
        let mut hosts = Vec::new();
        let mut seen = HashSet::new();
        for group in self.walk(group, |group| &group.children) {
            hosts.extend(group.hosts.iter().filter(|host| seen.insert(Arc::clone(host))).cloned());
        }
        hosts
    }

    /// The groups of a host with all their ancestors, in the order in which their variables are laid over each other:
    /// by depth, then priority, then name. `all` is the first; an implicit host has none but `all` applies to it.
    pub fn groups_of(&self, host: &str) -> Vec<&Group> {
        let direct = self.host(host).map(|host| host.groups.as_slice()).unwrap_or_default();
        let mut seen = HashSet::new();
        let mut groups: Vec<&Group> = direct
            .iter()
            .flat_map(|name| self.walk(name, |group| &group.parents))
            .filter(|group| seen.insert(group.name.clone()))
            .collect();
        groups.sort_by(|left, right| (left.depth, left.priority, &left.name).cmp(&(right.depth, right.priority, &right.name)));
        groups
    }

    /// The names of a host's groups without `all`, sorted: the variable `group_names`.
    pub fn group_names(&self, host: &str) -> Vec<Arc<str>> {
        let mut names: Vec<_> =
            self.groups_of(host).into_iter().map(|group| group.name.clone()).filter(|name| name.as_ref() != ALL).collect();
        names.sort();
        names
    }

    /// What is reached from a group over children or parents, itself first, level by level.
    fn walk<'a>(&'a self, start: &str, next: impl Fn(&'a Group) -> &'a Vec<Arc<str>>) -> Vec<&'a Group> {
        let mut found = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut queue: VecDeque<&Group> = self.groups.get(start).into_iter().collect();
        while let Some(group) = queue.pop_front() {
            if seen.insert(&group.name) {
                found.push(group);
                queue.extend(next(group).iter().filter_map(|name| self.groups.get(name)));
            }
        }
        found
    }

    /// The name that a group of a source gets.
    pub(super) fn group_name(&mut self, name: &str) -> String {
        let safe = safe_name(name);
        if !self.replaces_names || safe == name {
            return name.to_owned();
        }
        self.replaced_names.push(name.to_owned());
        safe
    }

    /// Adds a group if it is not there.
    pub(super) fn add_group(&mut self, name: &str) {
        if !self.groups.contains_key(name) {
            let name: Arc<str> = name.into();
            let group = Group {
                name: name.clone(),
                variables: Arc::default(),
                hosts: Vec::new(),
                children: Vec::new(),
                parents: Vec::new(),
                depth: 0,
                priority: 1,
            };
            self.groups.insert(name, group);
        }
    }

    /// Adds a host if it is not there, and to a group that is.
    pub(super) fn add_host(&mut self, name: &str, group: Option<&str>, port: Option<u16>, span: &Span) -> bool {
        let mut changed = false;
        if !self.hosts.contains_key(name) {
            changed = true;
            let name: Arc<str> = name.into();
            if self.localhost.is_none() && LOCALHOST.contains(&name.as_ref()) {
                self.localhost = Some(name.clone());
            }
            let host = Host {
                name: name.clone(),
                variables: Arc::default(),
                is_implicit: false,
                defined_in: self.current.clone(),
                groups: Vec::new(),
            };
            self.hosts.insert(name, host);
        }
        if let (Some(port), Some(host)) = (port, self.hosts.get_mut(name))
            && changed
        {
            Arc::make_mut(&mut host.variables)
                .insert("ansible_port".into(), Node::new(span.clone(), crate::base::NodeKind::Int(port.into())));
        }
        match group {
            Some(group) => self.put_host(group, name) || changed,
            None => changed,
        }
    }

    /// Makes a group list a host. Says whether that is new.
    pub(super) fn put_host(&mut self, group: &str, host: &str) -> bool {
        let (Some(group), Some(host)) = (self.groups.get_mut(group), self.hosts.get_mut(host).or_else(|| self.implicit.get_mut(host)))
        else {
            return false;
        };
        if group.hosts.contains(&host.name) {
            return false;
        }
        group.hosts.push(host.name.clone());
        host.groups.push(group.name.clone());
        true
    }

    /// Makes a group the child of another. Says whether that is new.
    ///
    /// # Errors
    /// When it would make a group its own ancestor.
    pub(super) fn add_child(&mut self, parent: &str, child: &str) -> Result<bool, InventoryError> {
        if parent == child {
            return Err(InventoryError::OwnChild(parent.to_owned()));
        }
        if self.walk(parent, |group| &group.parents).iter().any(|group| group.name.as_ref() == child) {
            return Err(InventoryError::Loop { parent: parent.to_owned(), child: child.to_owned() });
        }
        Ok(self.join_groups(parent, child))
    }

    fn join_groups(&mut self, parent: &str, child: &str) -> bool {
        let (Some(above), Some(below)) = (self.groups.get(parent), self.groups.get(child)) else { return false };
        if above.children.contains(&below.name) {
            return false;
        }
        let (depth, parent, child) = (above.depth, above.name.clone(), below.name.clone());
        self.groups[&parent].children.push(child.clone());
        self.groups[&child].parents.push(parent);
        self.sink(&child, depth + 1);
        true
    }

    /// Moves a group down to at least this depth, and what is below it.
    fn sink(&mut self, name: &str, depth: usize) {
        let mut below = vec![(Arc::<str>::from(name), depth)];
        while let Some((name, depth)) = below.pop() {
            let group = &mut self.groups[&name];
            if group.depth < depth {
                group.depth = depth;
                below.extend(group.children.iter().map(|child| (child.clone(), depth + 1)));
            }
        }
    }

    /// Sets a variable of a group; `ansible_group_priority` is its priority.
    ///
    /// # Errors
    /// When the priority is no number.
    pub(super) fn set_group_variable(&mut self, group: &str, name: &str, value: Node) -> Result<(), InventoryError> {
        let Some(group) = self.groups.get_mut(group) else { return Ok(()) };
        if name == PRIORITY {
            let text = value.to_value().to_text();
            group.priority = text.trim().parse().map_err(|_| InventoryError::Priority { group: group.name.to_string(), text })?;
        } else {
            put(Arc::make_mut(&mut group.variables), name, value, self.merges);
        }
        Ok(())
    }

    pub(super) fn set_host_variable(&mut self, host: &str, name: &str, value: Node) {
        if let Some(host) = self.hosts.get_mut(host) {
            put(Arc::make_mut(&mut host.variables), name, value, self.merges);
        }
    }

    /// After all sources: every group hangs below `all`, and `ungrouped` holds the hosts that no other group has.
    pub(super) fn settle(&mut self) {
        let orphans: Vec<_> = self
            .groups
            .values()
            .filter(|group| group.parents.is_empty() && group.name.as_ref() != ALL)
            .map(|group| group.name.clone())
            .collect();
        for orphan in orphans {
            self.join_groups(ALL, &orphan);
        }
        let mut strays = Vec::new();
        for host in self.hosts.values_mut() {
            let has_group = host.groups.iter().any(|group| !matches!(group.as_ref(), ALL | UNGROUPED));
            let is_ungrouped = host.groups.iter().any(|group| group.as_ref() == UNGROUPED);
            if has_group && is_ungrouped {
                host.groups.retain(|group| group.as_ref() != UNGROUPED);
                self.groups[UNGROUPED].hosts.retain(|name| *name != host.name);
            } else if !has_group && !is_ungrouped {
                strays.push(host.name.clone());
            }
        }
        for stray in strays {
            self.put_host(UNGROUPED, &stray);
        }
    }

    /// Names that are both a host and a group: patterns take them for the group.
    pub(super) fn ambiguous_names(&self) -> Vec<Arc<str>> {
        self.groups.keys().filter(|name| self.hosts.contains_key(*name)).cloned().collect()
    }
}

impl Host {
    fn implicit(name: &str) -> Host {
        let local = Node::data(Span::origin("<implicit localhost>"), "local".into());
        Host {
            name: name.into(),
            variables: Arc::new(Variables::from_iter([("ansible_connection".into(), local)])),
            is_implicit: true,
            defined_in: None,
            groups: Vec::new(),
        }
    }
}

/// A group name of ASCII letters, digits and underscores only, which does not start with a digit.
pub(super) fn safe_name(name: &str) -> String {
    let mut safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if safe.starts_with(|first: char| first.is_ascii_digit()) {
        safe.replace_range(..1, "_");
    }
    safe
}
