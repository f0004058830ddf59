//! Inventories as data: YAML files, and the JSON that scripts print.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::{Diagnostic, Node, Span};

use super::address;
use super::data::Inventory;
use super::files::variables_of;

type Result<T> = std::result::Result<T, Diagnostic>;

/// Reads a YAML inventory: top keys are groups. Oddities that Ansible skips become warnings.
pub(super) fn read_yaml(inventory: &mut Inventory, document: &Node, warnings: &mut Vec<Diagnostic>) -> Result<()> {
    let Some(groups) = document.as_map() else {
        return Err(Diagnostic::error(format!("a YAML inventory is a mapping of groups, and this is {}", document.type_name()))
            .at(&document.span)
            .help("start with `all:` and `hosts:` below it"));
    };
    for (name, group) in groups {
        yaml_group(inventory, name, group, warnings)?;
    }
    Ok(())
}

/// A name as text; a number or boolean must be quoted to be one.
fn name_of<'a>(key: &'a Node, what: &str) -> Result<&'a str> {
    key.as_str().filter(|name| !name.is_empty()).ok_or_else(|| {
        Diagnostic::error(format!("the {what} `{}` is {} and must be text", key.to_key(), key.type_name()))
            .at(&key.span)
            .help("put it in quotes")
    })
}

fn yaml_group(inventory: &mut Inventory, key: &Node, data: &Node, warnings: &mut Vec<Diagnostic>) -> Result<()> {
    let name = name_of(key, "group name")?;
    let entries = match data.as_map() {
        Some(entries) => entries,
        None if data.is_null() => &[],
        None => {
            warnings.push(Diagnostic::warning(format!("`{name}` is no group: it is {}, and is skipped", data.type_name())).at(&data.span));
            return Ok(());
        }
    };
    let name = inventory.group_name(name);
    let name = name.as_str();
    inventory.add_group(name);
    for (section, content) in entries {
        let section_name = section.to_key().to_string();
        let is_section = matches!(section_name.as_str(), "vars" | "children" | "hosts");
        // A single host or child may be written as text.
        let single = content.as_str().filter(|_| is_section).map(|_| vec![(content.clone(), Node::null(content.span.clone()))]);
        let entries = match (&single, content.as_map()) {
            (Some(single), _) => single.as_slice(),
            (None, Some(entries)) => entries,
            (None, None) if content.is_null() => continue,
            (None, None) if is_section => {
                return Err(Diagnostic::error(format!(
                    "`{section_name}` of the group `{name}` is a mapping, and this is {}",
                    content.type_name()
                ))
                .at(&content.span)
                .help(if section_name == "vars" {
                    "write `name: value` lines"
                } else {
                    "write each name as a key: `web1:`, without a dash"
                }));
            }
            (None, None) => {
                warnings.push(not_a_section(&section_name, name, &section.span));
                continue;
            }
        };
        match section_name.as_str() {
            "vars" => {
                for (variable, value) in variables_of(entries) {
                    let span = value.span.clone();
                    inventory.set_group_variable(name, &variable, value).map_err(|error| error.at(&span))?;
                }
            }
            "children" => {
                for (child, data) in entries {
                    yaml_group(inventory, child, data, warnings)?;
                    let child_name = inventory.group_name(name_of(child, "group name")?);
                    inventory.add_group(&child_name);
                    inventory.add_child(name, &child_name).map_err(|error| error.at(&child.span))?;
                }
            }
            "hosts" => {
                for (pattern, variables) in entries {
                    yaml_hosts(inventory, name, pattern, variables)?;
                }
            }
            _ => warnings.push(not_a_section(&section_name, name, &section.span)),
        }
    }
    Ok(())
}

fn not_a_section(section: &str, group: &str, span: &Span) -> Diagnostic {
    Diagnostic::warning(format!("`{section}` in the group `{group}` is skipped: a group has `hosts`, `vars` and `children` only"))
        .at(span)
        .did_you_mean(section, ["hosts", "vars", "children"])
}

fn yaml_hosts(inventory: &mut Inventory, group: &str, pattern: &Node, variables: &Node) -> Result<()> {
    // Ansible's own words: scripts look for them.
    let wrong = || Diagnostic::error(format!("Host pattern {} must be a string, and it is {}", pattern.to_key(), pattern.type_name()));
    let text = pattern.as_str().ok_or_else(|| wrong().at(&pattern.span).help("put it in quotes"))?;
    let (hosts, port) = address::expand(text).map_err(|error| error.at(&pattern.span))?;
    put_hosts(inventory, &hosts, Some(group), port, pattern, variables)
}

fn put_hosts(
    inventory: &mut Inventory,
    hosts: &[String],
    group: Option<&str>,
    port: Option<u16>,
    key: &Node,
    variables: &Node,
) -> Result<()> {
    let entries = match variables.as_map() {
        Some(entries) => entries,
        None if !variables.to_value().is_truthy() => &[],
        None => {
            return Err(Diagnostic::error(format!(
                "the variables of the host `{}` are a mapping, and this is {}",
                key.to_key(),
                variables.type_name()
            ))
            .at(&variables.span));
        }
    };
    for host in hosts {
        inventory.add_host(host, group, port, &key.span);
        for (name, value) in variables_of(entries) {
            inventory.set_host_variable(host, &name, value);
        }
    }
    Ok(())
}

/// What a script prints on `--list`: the hosts whose variables it did not give along, when it gave none at all.
pub(super) fn read_script_output(inventory: &mut Inventory, document: &Node) -> Result<Vec<Arc<str>>> {
    let Some(entries) = document.as_map() else {
        return Err(Diagnostic::error(format!("an inventory script prints a JSON object of groups, and this is {}", document.type_name()))
            .at(&document.span));
    };
    let mut hosts = Vec::new();
    let mut seen = HashSet::new();
    let mut host_variables = None;
    for (key, data) in entries {
        let name = name_of(key, "group name")?;
        if name == "_meta" {
            host_variables = data.get("hostvars");
            if host_variables.is_some_and(|variables| variables.as_map().is_none()) {
                return Err(Diagnostic::error("`_meta.hostvars` is an object of hosts").at(&data.span));
            }
            continue;
        }
        let name = inventory.group_name(name);
        inventory.add_group(&name);
        for host in script_group(inventory, &name, key, data)? {
            if seen.insert(host.clone()) {
                hosts.push(host);
            }
        }
    }
    let Some(variables) = host_variables else { return Ok(hosts) };
    for host in &hosts {
        if let Some(node) = variables.get(host) {
            put_hosts(inventory, &[host.to_string()], None, None, node, node)?;
        }
    }
    Ok(Vec::new())
}

fn script_group(inventory: &mut Inventory, name: &str, key: &Node, data: &Node) -> Result<Vec<Arc<str>>> {
    let list = |node: &Node, what: &str| -> Result<Vec<Arc<str>>> {
        let items = node
            .as_seq()
            .ok_or_else(|| Diagnostic::error(format!("`{name}.{what}` is a list, and this is {}", node.type_name())).at(&node.span))?;
        items.iter().map(|item| name_of(item, "name").map(Arc::from)).collect()
    };
    let is_group = ["hosts", "vars", "children"].iter().any(|part| data.get(part).is_some());
    let mut hosts = match data.get("hosts") {
        Some(hosts) => list(hosts, "hosts")?,
        // The oldest form: the group is the list of its hosts.
        None if data.as_map().is_none() => list(data, "hosts")?,
        None => Vec::new(),
    };
    let mut variables = data.get("vars");
    let mut is_trusted = true;
    if !is_group && data.as_map().is_some() {
        // And the other old form: a group of one host of its own name.
        hosts.push(name.into());
        variables = Some(data);
        is_trusted = false;
    }
    for host in &hosts {
        inventory.add_host(host, Some(name), None, &key.span);
    }
    if let Some(variables) = variables {
        let entries = variables.as_map().ok_or_else(|| Diagnostic::error(format!("`{name}.vars` is an object")).at(&variables.span))?;
        for (variable, value) in variables_of(entries) {
            let span = value.span.clone();
            // As in Ansible, what stands in the old form is never a template.
            let value = if is_trusted { value } else { Node::data(span.clone(), value.to_value()) };
            inventory.set_group_variable(name, &variable, value).map_err(|error| error.at(&span))?;
        }
    }
    if let Some(children) = data.get("children") {
        for child in list(children, "children")? {
            let child = inventory.group_name(&child);
            inventory.add_group(&child);
            inventory.add_child(name, &child).map_err(|error| error.at(&children.span))?;
        }
    }
    Ok(hosts)
}

/// The variables that a script prints on `--host`.
pub(super) fn put_script_host(inventory: &mut Inventory, host: &str, document: &Node) -> Result<()> {
    put_hosts(inventory, &[host.to_owned()], None, None, &Node::text(document.span.clone(), host), document)
}
