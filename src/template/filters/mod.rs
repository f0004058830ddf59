//! Filters: Jinja2's own and ansible-core's, by theme. A filter takes its value as the first argument and answers with a value or a refusal; it touches
//! nothing but its arguments, except where it says so (`fileglob`, `realpath`, `vault`).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::arguments::Arguments;
use super::context::Beyond;
use super::data::Val;
use super::fault::{Fault, Outcome};
use super::scope::Scope;

pub(crate) mod choose;
pub(crate) mod collections;
pub(crate) mod documents;
mod merge;
pub(crate) mod password;
pub(crate) mod paths;
mod patterns;
mod quantities;
mod secrets;
pub(crate) mod sequence;
pub(crate) mod text;
mod values;

pub(crate) type Function = fn(Arguments, &Arc<Scope>) -> Outcome<Val>;

pub(crate) struct Filter {
    pub name: &'static str,
    function: Function,
    /// Whether it wants to see missing values (`default`); the others pass them on unseen.
    takes_missing: bool,
}

pub(crate) const fn filter(name: &'static str, function: Function) -> Filter {
    Filter { name, function, takes_missing: false }
}

pub(crate) const fn seeing_missing(name: &'static str, function: Function) -> Filter {
    Filter { name, function, takes_missing: true }
}

/// Every filter. A new theme is a file and its line here.
const THEMES: &[&[Filter]] = &[
    values::FILTERS,
    text::FILTERS,
    patterns::FILTERS,
    sequence::FILTERS,
    choose::FILTERS,
    collections::FILTERS,
    documents::FILTERS,
    paths::FILTERS,
    quantities::FILTERS,
    secrets::FILTERS,
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Filter>> =
    LazyLock::new(|| THEMES.iter().flat_map(|theme| theme.iter()).map(|filter| (filter.name, filter)).collect());

/// The filter of a name, short or with its collection.
pub(crate) fn find(name: &str) -> Option<&'static Filter> {
    BY_NAME.get(short(name)).copied()
}

/// The collections whose plugins are built in here.
const COLLECTIONS: [&str; 7] = [
    "ansible.builtin.",
    "ansible.legacy.",
    "community.general.",
    "ansible.utils.",
    "ansible.netcommon.",
    "ansible.posix.",
    "community.crypto.",
];

pub(crate) fn short(name: &str) -> &str {
    COLLECTIONS.iter().find_map(|collection| name.strip_prefix(collection)).unwrap_or(name)
}

pub(crate) fn unknown(name: &str) -> Fault {
    Fault::failed(format!("there is no filter `{name}`")).did_you_mean(short(name), BY_NAME.keys().copied())
}

/// The filters that do more than compute.
fn beyond(name: &str) -> Option<Beyond> {
    match name {
        "fileglob" | "realpath" | "relpath" => Some(Beyond::Files),
        "password_hash" | "random" | "shuffle" | "strftime" | "vault" => Some(Beyond::Once),
        _ => None,
    }
}

impl Filter {
    pub fn takes_missing(&self) -> bool {
        self.takes_missing
    }

    pub fn call(&self, arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Val> {
        if !self.takes_missing
            && let Some(missing) = arguments.missing()
        {
            return Ok(missing.clone());
        }
        if let Some(beyond) = beyond(self.name) {
            scope.go_beyond(beyond)?;
        }
        (self.function)(arguments, scope).map_err(|fault| fault.in_plugin("filter", self.name))
    }
}
