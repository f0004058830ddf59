//! Lookups in the variables and the environment: `env`, `vars`, `varnames`, `config`, `inventory_hostnames`.

use std::sync::Arc;

use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::scope::Scope;
use super::{Lookup, Options, lookup};

pub(crate) const LOOKUPS: &[Lookup] = &[lookup("env", env), lookup("vars", vars)];

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
        let name = term.text()?;
        found.push(match (scope.variable(&name)?, options.get("default")) {
            (Some(Val::Missing(fault)), Some(default)) if fault.is_undefined() => default.clone(),
            (Some(value), _) => value.present()?,
            (None, Some(default)) => default.clone(),
            (None, None) => return Err(Fault::name(name, scope)),
        });
    }
    Ok(found)
}
