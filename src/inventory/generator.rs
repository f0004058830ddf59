//! The plugin `generator`: hosts and groups for every combination of the values of its layers.

use crate::base::{Diagnostic, Node};

use super::data::Inventory;
use super::expressions::Expressions;
use super::files::Variables;

const MOST_HOSTS: usize = 65_536;

type Result<T> = std::result::Result<T, Diagnostic>;

pub(super) fn read(inventory: &mut Inventory, config: &Node, expressions: &dyn Expressions) -> Result<()> {
    let missing = |name: &str| Diagnostic::error(format!("the plugin `generator` needs `{name}`")).at(&config.span);
    let layers = config.get("layers").and_then(Node::as_map).ok_or_else(|| missing("layers"))?;
    let hosts = config.get("hosts").ok_or_else(|| missing("hosts"))?;
    let name = hosts.get("name").ok_or_else(|| missing("hosts.name"))?;
    for variables in combinations(layers)? {
        let host = expressions.render(name, &variables)?.to_text();
        inventory.add_host(&host, None, None, &name.span);
        add_parents(inventory, Child::Host(&host), hosts, &variables, expressions)?;
    }
    Ok(())
}

/// Every combination, the last layer turning fastest.
fn combinations(layers: &[(Node, Node)]) -> Result<Vec<Variables>> {
    let mut combinations = vec![Variables::new()];
    for (name, values) in layers {
        let values = values
            .as_seq()
            .ok_or_else(|| Diagnostic::error(format!("a layer is a list, and this is {}", values.type_name())).at(&values.span))?;
        if combinations.len().saturating_mul(values.len()) > MOST_HOSTS {
            return Err(Diagnostic::error(format!("the layers stand for more than {MOST_HOSTS} hosts")).at(&name.span));
        }
        let extended = |before: &Variables, value: &Node| {
            let mut map = before.clone();
            map.insert(name.to_key().to_string().into(), value.clone());
            map
        };
        combinations = combinations.iter().flat_map(|before| values.iter().map(move |value| extended(before, value))).collect();
    }
    Ok(combinations)
}

#[derive(Clone, Copy)]
enum Child<'a> {
    Host(&'a str),
    Group(&'a str),
}

fn add_parents(inventory: &mut Inventory, child: Child, of: &Node, variables: &Variables, expressions: &dyn Expressions) -> Result<()> {
    for parent in of.get("parents").and_then(Node::as_seq).unwrap_or_default() {
        let name = parent.get("name").map(|name| expressions.render(name, variables)).transpose()?;
        let Some(group) = name.map(|name| name.to_text()).filter(|name| !name.is_empty()) else {
            let (Child::Host(child) | Child::Group(child)) = child;
            // Ansible's own words: scripts look for them.
            return Err(Diagnostic::error(format!("Element {child} has a parent with no name.")).at(&parent.span));
        };
        inventory.add_group(&group);
        for (name, node) in parent.get("vars").and_then(Node::as_map).unwrap_or_default() {
            // Only text is rendered here; what holds templates deeper down is rendered when it is used.
            let value =
                if node.as_str().is_some() { Node::data(node.span.clone(), expressions.render(node, variables)?) } else { node.clone() };
            inventory.set_group_variable(&group, &name.to_key().to_string(), value).map_err(|error| error.at(&node.span))?;
        }
        match child {
            Child::Host(host) => drop(inventory.put_host(&group, host)),
            Child::Group(child) => drop(inventory.add_child(&group, child).map_err(|error| error.at(&parent.span))?),
        }
        add_parents(inventory, Child::Group(&group), parent, variables, expressions)?;
    }
    Ok(())
}
