//! Tests (`is …`): Jinja2's own and ansible-core's, by theme. A test answers true or false.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::arguments::Arguments;
use super::data::Val;
use super::fault::{Fault, Outcome};
use super::filters::short;
use super::scope::Scope;

mod files;
mod kinds;
mod outcomes;
mod versions;

pub(crate) type Function = fn(Arguments, &Arc<Scope>) -> Outcome<bool>;

pub(crate) struct Test {
    pub name: &'static str,
    function: Function,
    /// Whether it wants to see missing values (`defined`).
    takes_missing: bool,
}

pub(crate) const fn test(name: &'static str, function: Function) -> Test {
    Test { name, function, takes_missing: false }
}

pub(crate) const fn seeing_missing(name: &'static str, function: Function) -> Test {
    Test { name, function, takes_missing: true }
}

/// Every test. A new theme is a file and its line here.
const THEMES: &[&[Test]] = &[kinds::TESTS, outcomes::TESTS, versions::TESTS, files::TESTS];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Test>> =
    LazyLock::new(|| THEMES.iter().flat_map(|theme| theme.iter()).map(|test| (test.name, test)).collect());

pub(crate) fn find(name: &str) -> Option<&'static Test> {
    BY_NAME.get(short(name)).copied()
}

pub(crate) fn unknown(name: &str) -> Fault {
    Fault::failed(format!("there is no test `{name}`")).did_you_mean(short(name), BY_NAME.keys().copied())
}

impl Test {
    pub fn takes_missing(&self) -> bool {
        self.takes_missing
    }

    pub fn call(&self, arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Val> {
        if !self.takes_missing
            && let Some(missing) = arguments.missing()
        {
            return Ok(missing.clone());
        }
        (self.function)(arguments, scope).map(Val::Bool).map_err(|fault| fault.in_plugin("test", self.name))
    }
}
