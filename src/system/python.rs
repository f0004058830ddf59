//! Packages of Python's own installer, for each interpreter or virtual environment of the host.

use std::collections::BTreeMap;

use crate::base::Value;

use super::System;
use super::command::{Command, Completed, Known};
use super::effect::Effect;
use super::error::Result;

/// What is kept of such packages in a plan.
const KIND: &str = "python_package";

/// Which pip is asked, and for which place: an environment's folder, or a program.
#[derive(Clone)]
pub struct Pip {
    pub command: Command,
    pub place: String,
}

impl Pip {
    fn with(&self, arguments: &[&str]) -> Command {
        self.command.clone().args(arguments.iter().copied())
    }
}

impl System {
    /// The packages installed there and their versions, by the names that pip lists.
    ///
    /// # Errors
    /// pip cannot tell.
    pub fn query_python_packages(&self, pip: &Pip) -> Result<BTreeMap<String, String>> {
        let listed = self.query_command(pip.with(&["list", "--format=freeze"]).env("LC_ALL", "C.UTF-8"))?.check("list Python packages")?;
        let text = listed.stdout_text();
        let pairs = text.lines().filter_map(|line| line.split_once("=="));
        Ok(pairs.map(|(name, version)| (name.trim().to_owned(), version.trim().to_owned())).collect())
    }

    /// What a plan believes of one package there: `None`: nothing.
    pub fn planned_python_package(&self, pip: &Pip, name: &str) -> Option<Option<String>> {
        let known = self.backend().known_record(KIND, &format!("{}/{name}", pip.place))?;
        Some(known.map(|version| version.to_text()))
    }

    /// Runs pip. What its own words say was installed or removed are the effects; with `compare` what its list says before and after (a
    /// repository is installed anew each time). In check mode `planned` is believed. A non-zero exit is the caller's to judge.
    pub fn change_python_packages(
        &mut self,
        pip: &Pip,
        arguments: Vec<String>,
        planned: Vec<(String, Option<String>)>,
        compare: bool,
    ) -> Result<Known<Completed>> {
        if self.backend().is_dry() {
            for (name, version) in planned {
                self.note_python_package(pip, &name, version)?;
            }
            return Ok(Known::AfterApply);
        }
        let before = if compare { Some(self.query_python_packages(pip)?) } else { None };
        let completed = self.query_command(pip.command.clone().args(arguments))?;
        let changes = match before {
            Some(before) => difference(&before, &self.query_python_packages(pip)?),
            None => told(&completed.stdout_text()),
        };
        for (name, version) in changes {
            self.note_python_package(pip, &name, version)?;
        }
        Ok(Known::Now(completed))
    }

    fn note_python_package(&mut self, pip: &Pip, name: &str, version: Option<String>) -> Result<()> {
        self.note(Effect::Record { kind: KIND, name: format!("{}/{name}", pip.place), value: version.map(Value::from) })
    }
}

fn difference(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<(String, Option<String>)> {
    let gone = before.keys().filter(|name| !after.contains_key(*name)).map(|name| (name.clone(), None));
    let new = after.iter().filter(|(name, version)| before.get(*name) != Some(version));
    gone.chain(new.map(|(name, version)| (name.clone(), Some(version.clone())))).collect()
}

/// What pip says it did: `Successfully installed a-1.0 b-2`, `Successfully uninstalled a-1.0`.
fn told(text: &str) -> Vec<(String, Option<String>)> {
    let mut changes = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(names) = line.strip_prefix("Successfully installed ") {
            let pairs = names.split_whitespace().filter_map(|word| word.rsplit_once('-'));
            changes.extend(pairs.map(|(name, version)| (name.to_owned(), Some(version.to_owned()))));
        } else if let Some(word) = line.strip_prefix("Successfully uninstalled ") {
            changes.push((word.rsplit_once('-').map_or(word, |(name, _)| name).to_owned(), None));
        }
    }
    // What was removed to make room for another version is there all the same.
    let installed: Vec<String> = changes.iter().filter(|(_, version)| version.is_some()).map(|(name, _)| name.clone()).collect();
    changes.retain(|(name, version)| version.is_some() || !installed.contains(name));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pip_says_it_did_is_what_changed() {
        let text = "Collecting a\n  Attempting uninstall: a\n      Successfully uninstalled a-1.0\nSuccessfully installed a-2.0 my-b-3\n";
        assert_eq!(told(text), [("a".into(), Some("2.0".into())), ("my-b".into(), Some("3".into()))]);
        assert_eq!(told("Found existing installation: a 1\nUninstalling a-1:\n  Successfully uninstalled a-1\n"), [("a".into(), None)]);
        assert_eq!(told("Requirement already satisfied: a"), []);
    }
}
