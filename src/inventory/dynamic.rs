//! Hosts and groups that a run adds: `add_host` and `group_by`.

use std::sync::Arc;

use crate::base::{Diagnostic, Map, Node, Span, Value};

use super::data::Inventory;
use super::error::InventoryError;
use super::files::Variables;

impl Inventory {
    /// Adds a host at run time, or changes one, with its groups and variables. Says whether anything is new.
    ///
    /// # Errors
    /// When the name is empty.
    pub fn add_dynamic_host(&mut self, name: &str, groups: &[String], variables: &Map, span: &Span) -> Result<bool, Diagnostic> {
        if name.is_empty() {
            return Err(InventoryError::Address(name.to_owned()).at(span));
        }
        let mut changed = self.add_host(name, None, None, span);
        if let Some(host) = self.hosts.get_mut(name) {
            let known = Arc::make_mut(&mut host.variables);
            for (key, value) in variables.iter() {
                let key: Arc<str> = key.to_string().into();
                if known.get(&key).is_none_or(|old| old.to_value() != *value) {
                    changed = true;
                    known.insert(key, Node::data(span.clone(), value.clone()));
                }
            }
        }
        for group in groups.iter().filter(|group| !group.is_empty()) {
            changed |= self.group(group).is_none();
            self.add_group(group);
            changed |= self.put_host(group, name);
        }
        self.settle();
        Ok(changed)
    }

    /// Puts a host into a group that may be new, below groups that may be new. Says whether anything is.
    ///
    /// # Errors
    /// When the host is not known, a name is empty, or a group would be its own ancestor.
    pub fn add_dynamic_group(&mut self, host: &str, group: &str, parents: &[String], span: &Span) -> Result<bool, Diagnostic> {
        let host = self
            .host(host)
            .map(|host| host.name.clone())
            .ok_or_else(|| Diagnostic::error(format!("the host `{host}` is not in the inventory")).at(span))?;
        if group.is_empty() {
            return Err(Diagnostic::error("the name of the group is empty").at(span));
        }
        let mut changed = self.group(group).is_none();
        self.add_group(group);
        for parent in parents.iter().filter(|parent| !parent.is_empty()) {
            changed |= self.group(parent).is_none();
            self.add_group(parent);
            changed |= self.add_child(parent, group).map_err(|error| error.at(span))?;
        }
        changed |= self.put_host(group, &host);
        self.settle();
        Ok(changed)
    }

    /// What the inventory itself holds for a host, merged: what plugin files see.
    pub(super) fn own_variables(&self, host: &str) -> Variables {
        let mut merged = Variables::new();
        let groups = self.groups_of(host).into_iter().map(|group| &group.variables);
        let own = self.host(host).into_iter().map(|host| &host.variables);
        for layer in groups.chain(own) {
            merged.extend(layer.iter().map(|(name, node)| (name.clone(), node.clone())));
        }
        let mut put = |name: &str, value: Value| merged.insert(name.into(), Node::data(Span::origin("<inventory>"), value));
        if let Some(host) = self.host(host) {
            let is_ip = super::address::is_ip(&host.name);
            let short = if is_ip { host.name.as_ref() } else { host.name.split('.').next().unwrap_or_default() };
            put("inventory_hostname_short", short.into());
            put("inventory_hostname", host.name.clone().into());
        }
        put("group_names", Value::list(self.group_names(host)));
        merged
    }
}
