//! Lookups: data from the controller. They alone (and a few filters on paths) touch files, commands and the network.

use std::sync::Arc;

use super::arguments::Arguments;
use super::context::Beyond;
use super::data::Val;
use super::fault::{Fault, Outcome};
use super::filters::short;
use super::plugins;
use super::scope::Scope;

mod commands;
mod environment;
mod files;
mod lists;
mod parameters;
mod passwords;
mod tables;

/// A lookup takes its terms and its options and answers with a list.
pub(crate) type Function = fn(Vec<Val>, Options, &Arc<Scope>) -> Outcome<Vec<Val>>;

pub(crate) struct Lookup {
    name: &'static str,
    function: Function,
}

pub(crate) const fn lookup(name: &'static str, function: Function) -> Lookup {
    Lookup { name, function }
}

/// Every lookup. A new theme is a file and its line here.
const THEMES: &[&[Lookup]] =
    &[environment::LOOKUPS, files::LOOKUPS, lists::LOOKUPS, tables::LOOKUPS, commands::LOOKUPS, passwords::LOOKUPS];

/// The named arguments of a lookup.
#[derive(Clone, Default)]
pub(crate) struct Options(Vec<(Arc<str>, Val)>);

impl Options {
    pub fn get(&self, name: &str) -> Option<&Val> {
        self.0.iter().find(|(known, _)| known.as_ref() == name).map(|(_, value)| value)
    }

    pub fn text(&self, name: &str) -> Outcome<Option<Arc<str>>> {
        self.get(name).filter(|value| !matches!(value, Val::Null)).map(Val::text).transpose()
    }

    pub fn flag(&self, name: &str, default: bool) -> Outcome<bool> {
        match self.get(name) {
            Some(Val::Str(text)) => Ok(matches!(text.to_lowercase().as_str(), "yes" | "on" | "1" | "true" | "t" | "y")),
            Some(value) => value.truth(),
            None => Ok(default),
        }
    }

    fn take(&mut self, name: &str) -> Option<Val> {
        let at = self.0.iter().position(|(known, _)| known.as_ref() == name)?;
        Some(self.0.remove(at).1)
    }
}

fn all() -> impl Iterator<Item = &'static Lookup> {
    THEMES.iter().flat_map(|theme| theme.iter())
}

fn unknown(name: &str) -> Fault {
    Fault::failed(format!("there is no lookup `{name}`")).did_you_mean(short(name), all().map(|lookup| lookup.name))
}

/// Whether a lookup looks at missing terms itself.
fn takes_missing(name: &str) -> bool {
    matches!(name, "first_found" | "env")
}

/// What a lookup does besides reading variables. Unless it is known to do less, it may do anything.
fn beyond(name: &str) -> Option<Beyond> {
    match name {
        "cartesian"
        | "config"
        | "dict"
        | "env"
        | "flattened"
        | "indexed_items"
        | "inventory_hostnames"
        | "items"
        | "list"
        | "nested"
        | "sequence"
        | "subelements"
        | "together"
        | "vars"
        | "varnames" => None,
        "csvfile" | "file" | "fileglob" | "first_found" | "ini" | "template" | "unvault" => Some(Beyond::Files),
        _ => Some(Beyond::Once),
    }
}

/// All results of a lookup, as a list.
pub(crate) fn run(name: &str, arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    results(name, arguments, scope).ok_or_else(|| unknown(name))?
}

/// What a lookup of this name comes to; `None` when there is none.
fn results(name: &str, arguments: Arguments, scope: &Arc<Scope>) -> Option<Outcome<Vec<Val>>> {
    let Some(lookup) = all().find(|lookup| lookup.name == short(name)) else {
        let found = plugins::call("lookup", name, arguments, scope)?;
        return Some(found.and_then(|found| match found {
            Val::Missing(fault) => Err(fault),
            Val::List(list) => list.items(),
            other => Ok(vec![other]),
        }));
    };
    if !takes_missing(lookup.name)
        && let Some(Val::Missing(fault)) = arguments.missing()
    {
        return Some(Err(fault.clone()));
    }
    if let Some(Err(refused)) = beyond(lookup.name).map(|beyond| scope.go_beyond(beyond)) {
        return Some(Err(refused));
    }
    let found = (lookup.function)(arguments.positional, Options(arguments.named), scope);
    Some(found.map_err(|fault| fault.in_plugin("lookup", lookup.name)))
}

/// `lookup(name, term…, option=…)` and `query(…)`. One result is itself, several texts are joined with commas, unless a list is wanted.
pub(crate) fn from_template(mut arguments: Arguments, scope: &Arc<Scope>, wants_list: bool) -> Outcome<Val> {
    if arguments.positional.is_empty() {
        return Err(Fault::failed("the name of a lookup is missing"));
    }
    let name = arguments.positional.remove(0).text()?;
    let mut options = Options(std::mem::take(&mut arguments.named));
    let wants_list = match options.take("wantlist") {
        Some(value) => value.truth()? || wants_list,
        None => wants_list,
    };
    let errors = options.take("errors").map_or_else(|| Ok("strict".into()), |value| value.text())?;
    arguments.named = options.0;
    let found = results(&name, arguments, scope).ok_or_else(|| unknown(&name))?;
    let results = match (found, errors.as_ref()) {
        (Ok(results), _) => results,
        (Err(fault), "warn" | "ignore") if !fault.is_undefined() => return Ok(if wants_list { Val::list(Vec::new()) } else { Val::Null }),
        (Err(fault), _) => return Err(fault),
    };
    if wants_list || results.is_empty() {
        return Ok(Val::list(results));
    }
    if let [only] = &results[..] {
        return Ok(only.clone());
    }
    let texts: Option<Vec<&str>> = results.iter().map(Val::as_str).collect();
    Ok(match texts {
        Some(texts) => Val::str(texts.join(",")),
        None => Val::list(results),
    })
}
