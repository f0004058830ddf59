//! Every module there is, in one visible list: who runs a task, checks its options or prints its page looks here.

use std::path::Path;
use std::sync::OnceLock;

use crate::base::{Key, Map, Value};
use crate::system::{Result, System};

use super::args::{ArgSpec, ModuleArgs, Rule};
use super::{Module, Output};

/// A module as the registry knows it.
pub struct Entry {
    pub name: &'static str,
    pub specs: fn() -> Vec<ArgSpec>,
    pub rules: fn() -> &'static [Rule],
    pub doc: fn() -> &'static str,
    pub run: fn(Map, &mut System) -> Result<Output>,
}

impl Entry {
    pub const fn of<M: Module>() -> Entry {
        Entry { name: M::NAME, specs: M::Args::specs, rules: M::Args::rules, doc: M::Args::doc, run: run::<M> }
    }

    /// What a result shows of the options that the module was called with.
    pub fn invocation(&self, args: &Map) -> Value {
        let options: Map = (self.specs)().iter().map(|spec| (Key::from(spec.name), spec.invoked(args))).collect();
        Value::map([("module_args", options)])
    }

    /// The last part of the name.
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }
}

fn run<M: Module>(values: Map, sys: &mut System) -> Result<Output> {
    let mut values = expand_paths(values, &M::Args::specs(), sys)?;
    // `_raw_params` is the free form; modules that have none get it from nobody.
    values.remove("_uses_shell");
    match M::run(M::Args::parse(values, M::NAME.rsplit('.').next().unwrap_or(M::NAME))?, sys) {
        Ok(mut output) => {
            add_lines(&mut output.values);
            add_path_info(&mut output.values, sys);
            Ok(output)
        }
        Err(mut failure) => {
            add_lines(&mut failure.values);
            add_path_info(&mut failure.values, sys);
            Err(failure)
        }
    }
}

/// Adds `stdout_lines` and `stderr_lines` beside `stdout` and `stderr`, as Ansible does for every module.
fn add_lines(values: &mut Map) {
    for (name, lines) in [("stdout", "stdout_lines"), ("stderr", "stderr_lines")] {
        if let (Some(text), false) = (values.text(name), values.contains_key(lines)) {
            let split = Value::list(split_lines(text));
            values.insert(lines, split);
        }
    }
}

/// What is at the path that a result names: Ansible adds it to every module's.
fn add_path_info(values: &mut Map, sys: &System) {
    let Some(path) = values.text("path").or_else(|| values.text("dest")) else { return };
    values.extend(&super::files::path_info(Path::new(path), sys));
}

/// Lines as Python's `splitlines` sees them: more characters than a newline end one.
fn split_lines(text: &str) -> Vec<&str> {
    let is_end = |c: char| matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(is_end) {
        lines.push(&rest[..end]);
        let ending = if rest[end..].starts_with("\r\n") { 2 } else { rest[end..].chars().next().map_or(1, char::len_utf8) };
        rest = &rest[end + ending..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// `~` and environment variables in options that are paths, as Ansible's `path` type has it.
fn expand_paths(mut values: Map, specs: &[ArgSpec], sys: &System) -> Result<Map> {
    let paths = specs.iter().filter(|spec| spec.kind == super::ArgKind::Path);
    for name in paths.flat_map(|spec| std::iter::once(spec.name).chain(spec.aliases.iter().copied())) {
        if let Some(text) = values.text(name)
            && (text.starts_with('~') || text.contains('$'))
        {
            let expanded = sys.expand_home(&sys.expand_variables(text))?;
            values.insert(name, expanded);
        }
    }
    Ok(values)
}

/// All modules, sorted by name.
pub fn all() -> &'static [&'static Entry] {
    static ALL: OnceLock<Vec<&'static Entry>> = OnceLock::new();
    ALL.get_or_init(|| {
        let folders = [
            super::accounts::MODULES,
            super::commands::MODULES,
            super::control::MODULES,
            super::crypto::MODULES,
            super::database::MODULES,
            super::facts::MODULES,
            super::files::MODULES,
            super::keycloak::MODULES,
            super::keycloak::community::MODULES,
            super::machine::MODULES,
            super::network::MODULES,
            super::packages::MODULES,
            super::services::MODULES,
        ];
        let mut all: Vec<&'static Entry> = folders.into_iter().flatten().collect();
        all.sort_by_key(|entry| entry.name);
        all
    })
}

/// Names under which Ansible also knows a module.
const OTHER_NAMES: &[(&str, &str)] =
    &[("ansible.builtin.systemd", "ansible.builtin.systemd_service"), ("ansible.builtin.gather_facts", "ansible.builtin.setup")];

/// The module that a task means: a full name, `ansible.legacy.x`, or a short one.
pub fn find(name: &str) -> Option<&'static Entry> {
    let name = name.strip_prefix("ansible.legacy.").unwrap_or(name);
    let name =
        OTHER_NAMES.iter().find(|(other, _)| *other == name || other.rsplit('.').next() == Some(name)).map_or(name, |(_, full)| full);
    match name.contains('.') {
        true => all().iter().copied().find(|entry| entry.name == name),
        false => {
            let builtin = all().iter().copied().find(|entry| entry.name.strip_prefix("ansible.builtin.") == Some(name));
            builtin.or_else(|| all().iter().copied().find(|entry| entry.short_name() == name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_is_documented_and_its_options_have_one_name_each() {
        for entry in all() {
            assert!(!(entry.doc)().is_empty(), "{} has no description", entry.name);
            let mut names = std::collections::BTreeSet::new();
            for spec in (entry.specs)() {
                assert!(!spec.doc.is_empty(), "{}: option {} has no description", entry.name, spec.name);
                for name in std::iter::once(&spec.name).chain(spec.aliases) {
                    assert!(names.insert(*name), "{}: two options are called {name}", entry.name);
                }
            }
        }
    }

    #[test]
    fn a_module_is_found_by_its_full_legacy_and_short_name() {
        for name in ["ping", "ansible.builtin.ping", "ansible.legacy.ping"] {
            assert_eq!(find(name).map(|entry| entry.name), Some("ansible.builtin.ping"));
        }
        assert!(find("pong").is_none());
    }
}
