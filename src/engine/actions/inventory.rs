//! `add_host`, `group_by`: the inventory changes while a play runs.

use crate::base::{Map, Value};
use crate::engine::call::Call;
use crate::engine::outcome::Outcome;
use crate::engine::state::Addition;

fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::List(items)) => items.iter().map(Value::to_text).collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(other) => other.to_text().split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect(),
    }
}

/// `add_host`: a host, its groups and variables.
pub fn add_host(call: &Call<'_>) -> Outcome {
    let mut args = call.args.clone();
    let name = ["name", "hostname", "host"].iter().find_map(|option| args.remove(option));
    let Some(name) = name.map(|name| name.to_text()).filter(|name| !name.is_empty()) else {
        return Outcome::failed("name, host or hostname needs to be provided");
    };
    let groups = ["groupname", "groups", "group"].map(|option| args.remove(option)).into_iter().flatten().next();
    if groups.as_ref().is_some_and(|groups| groups.is_truthy() && !matches!(groups, Value::List(_) | Value::Str(_))) {
        return call.wrong("groups", "Groups must be specified as a list.");
    }
    let mut groups = words(groups.as_ref());
    let mut seen = std::collections::HashSet::new();
    groups.retain(|group| seen.insert(group.clone()));
    let span = call.span().clone();
    let (name, port) = match crate::inventory::host_and_port(&name) {
        Some((host, port)) => (host, port),
        // Not as hosts are written, and yet it may do for one.
        None => (name, None),
    };
    if let Some(port) = port {
        args.insert("ansible_ssh_port", i64::from(port));
    }
    let addition = Addition::Host { name: name.clone(), groups: groups.clone(), variables: args.clone(), span };
    match call.run.add(addition) {
        Err(diagnostic) => Outcome::error(diagnostic),
        Ok(changed) => {
            let shown: Map =
                [("groups", Value::list(groups)), ("host_name", name.into()), ("host_vars", args.into())].into_iter().collect();
            let mut outcome = Outcome::ok([("add_host", Value::from(shown))].into_iter().collect());
            outcome.changed = changed;
            outcome
        }
    }
}

/// `group_by`: the host joins a group whose name is made of its variables.
pub fn group_by(call: &Call<'_>) -> Outcome {
    let Some(key) = call.text("key").or_else(|| call.text("_raw_params").map(|text| text.trim_start_matches("key=").to_owned())) else {
        return Outcome::failed("the 'key' param is required when using group_by");
    };
    let group = key.replace(' ', "-");
    let parents = words(call.args.get("parents")).into_iter().map(|name| name.replace(' ', "-")).collect::<Vec<_>>();
    let parents = if parents.is_empty() { vec!["all".to_owned()] } else { parents };
    let host = call.scope.host.name.clone();
    let addition = Addition::Group { host, group: group.clone(), parents: parents.clone(), span: call.span().clone() };
    match call.run.add(addition) {
        Err(diagnostic) => Outcome::error(diagnostic),
        Ok(changed) => {
            let mut outcome =
                Outcome::ok([("add_group", Value::from(group)), ("parent_groups", Value::list(parents))].into_iter().collect());
            outcome.changed = changed;
            outcome
        }
    }
}
