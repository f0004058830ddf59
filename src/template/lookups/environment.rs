//! Lookups in the variables and the environment: `env`, `vars`, `varnames`, `config`, `inventory_hostnames`.

use std::sync::Arc;

use super::super::containers::Dict;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::filters::collections;
use super::super::regex;
use super::super::scope::Scope;
use super::{Lookup, Options, lookup};

pub(crate) const LOOKUPS: &[Lookup] = &[
    lookup("env", env),
    lookup("vars", vars),
    lookup("varnames", variable_names),
    lookup("config", config),
    lookup("inventory_hostnames", inventory_hostnames),
];

fn env(terms: Vec<Val>, options: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let mut found = Vec::new();
    for term in terms {
        let text = term.present()?.text()?;
        let name = text.split_whitespace().next().unwrap_or_default().to_owned();
        found.push(match (scope.context.controller.environment.get(&name), options.get("default")) {
            (Some(value), _) => Val::str(value.as_str()),
            (None, Some(Val::Missing(fault))) => return Err(fault.clone()),
            (None, Some(default)) => default.clone(),
            (None, None) => Val::str(""),
        });
    }
    Ok(found)
}

fn vars(terms: Vec<Val>, options: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let mut found = Vec::new();
    for term in terms {
        let Val::Str(_) = &term else {
            return Err(Fault::failed(format!("Variable name must be `str` not `{}`.", term.type_name())));
        };
        let name = term.text()?;
        found.push(match (scope.variable(&name)?, options.get("default")) {
            (Some(Val::Missing(fault)), Some(default)) if fault.is_undefined() => default.clone(),
            (Some(value), _) => value.present()?,
            (None, Some(default)) => default.clone(),
            (None, None) => {
                let names = scope.context.variables.names();
                let fault = Fault::undefined(format!("No variable named `{name}` was found."));
                return Err(fault.did_you_mean(&name, names.iter().map(String::as_str)));
            }
        });
    }
    Ok(found)
}

/// The names of variables that patterns find.
fn variable_names(terms: Vec<Val>, _: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let names = scope.context.variables.names();
    let mut found = Vec::new();
    for term in terms {
        let Val::Str(text) = &term else {
            let (text, kind) = (term.text()?, term.type_name());
            return Err(Fault::failed(format!("Invalid setting identifier, \"{text}\" is not a string, it is a <class '{kind}'>")));
        };
        let unusable = |fault: Fault| match text.starts_with(['*', '+', '?']) {
            true => Fault::failed(format!("Unable to use \"{text}\" as a search parameter: nothing to repeat at position 0")),
            false => Fault::failed(format!("Unable to use \"{text}\" as a search parameter: {}", fault.message())),
        };
        let pattern = regex::compile(text, false, false).map_err(unusable)?;
        for name in &names {
            if regex::is_match(&pattern, name)? {
                found.push(Val::str(name.as_str()));
            }
        }
    }
    Ok(found)
}

fn config(terms: Vec<Val>, options: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let missing = options.text("on_missing")?.unwrap_or_else(|| "error".into());
    if !["error", "warn", "skip"].contains(&missing.as_ref()) {
        return Err(Fault::failed(format!("Invalid value `{missing}` for config `on_missing` for `config` lookup plugin.")));
    }
    let plugin = match (options.text("plugin_type")?, options.text("plugin_name")?) {
        (Some(kind), Some(name)) => Some((kind, name)),
        (None, None) => None,
        _ => return Err(Fault::failed("Both plugin_type and plugin_name are required, cannot use one without the other.")),
    };
    let mut found = Vec::new();
    for term in terms {
        let Val::Str(name) = &term else {
            let (text, kind) = (term.repr()?, term.type_name());
            return Err(Fault::failed(format!("Invalid setting identifier, {text} is not a <class 'str'>, its a <class '{kind}'>.")));
        };
        let setting = match &plugin {
            Some((_, plugin)) => of_plugin(plugin, name, scope)?,
            None => (scope.context.controller.setting)(name).map(|value| Val::from_value(&value)),
        };
        match (setting, missing.as_ref()) {
            (Some(value), _) => found.push(value),
            (None, "warn" | "skip") => {}
            (None, _) => {
                let of = plugin.as_ref().map(|(kind, plugin)| format!(" for `{plugin}` {kind} plugin")).unwrap_or_default();
                return Err(Fault::failed(format!("No config definition exists for `{name}`{of}.")));
            }
        }
    }
    Ok(found)
}

/// An option of a plugin: by the variable that sets it, by the core's setting of that name, or the plugin's own default where that is empty.
fn of_plugin(plugin: &str, option: &str, scope: &Arc<Scope>) -> Outcome<Option<Val>> {
    let plugin = plugin.rsplit('.').next().unwrap_or(plugin);
    let (name, setting) = match option {
        "remote_user" => ("user", "REMOTE_USER".to_owned()),
        "port" => ("port", "REMOTE_PORT".to_owned()),
        other => (other, other.to_uppercase()),
    };
    for variable in [format!("ansible_{plugin}_{name}"), format!("ansible_{name}")] {
        if let Some(value) = scope.variable(&variable)? {
            return Ok(Some(value));
        }
    }
    let Some(value) = (scope.context.controller.setting)(&format!("DEFAULT_{setting}")) else { return Ok(None) };
    let is_unset = value.is_null() || value.as_str().is_some_and(str::is_empty);
    Ok(Some(match (plugin, option) {
        ("sudo", "become_flags") if is_unset => Val::str("-H -S -n"),
        (program, "become_exe") if is_unset => Val::str(program),
        _ => Val::from_value(&value),
    }))
}

/// The hosts of patterns: names, groups, globs, `all`, with `:`, `!` and `&` between them, from `groups` as the inventory gives it.
fn inventory_hostnames(terms: Vec<Val>, _: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let Some(Val::Map(groups)) = scope.variable("groups")? else {
        return Err(Fault::failed("there is no inventory"));
    };
    let mut hosts: Vec<Arc<str>> = Vec::new();
    for term in collections::flattened(&terms, Some(1), true)? {
        let text = term.text()?;
        for pattern in text.split([',', ':']).map(str::trim).filter(|pattern| !pattern.is_empty()) {
            let (name, operation) = match pattern.strip_prefix(['!', '&']) {
                Some(name) => (name, &pattern[..1]),
                None => (pattern, "+"),
            };
            let members = members(&groups, name)?;
            match operation {
                "!" => hosts.retain(|host| !members.contains(host)),
                "&" => hosts.retain(|host| members.contains(host)),
                _ => {
                    for member in members {
                        if !hosts.contains(&member) {
                            hosts.push(member);
                        }
                    }
                }
            }
        }
    }
    Ok(hosts.into_iter().map(Val::Str).collect())
}

fn members(groups: &Dict, name: &str) -> Outcome<Vec<Arc<str>>> {
    let name = if name == "*" { "all" } else { name };
    let texts = |list: Val| list.iterate()?.iter().map(Val::text).collect::<Outcome<Vec<_>>>();
    let mut found = Vec::new();
    let pattern = glob::Pattern::new(name).map_err(|error| Fault::failed(format!("`{name}` is no pattern: {error}")))?;
    for (group, members) in groups.entries()? {
        if group.as_str().is_some_and(|group| pattern.matches(group)) {
            found.extend(texts(members)?);
        }
    }
    if let Some(all) = groups.get(&"all".into())? {
        found.extend(texts(all)?.into_iter().filter(|host| pattern.matches(host)));
    }
    Ok(found)
}
