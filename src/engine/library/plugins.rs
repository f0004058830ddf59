//! Filters, tests and lookups in Python, of the project and of installed collections: called through the Ansible of this machine, in a
//! process that starts with the first one and ends with the run.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::Value;
use crate::engine::settings::Settings;
use crate::language::RoleFinder;
use crate::template::{CallPlugin, PluginCall};

use super::Library;

/// Where a project's plugins are.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub filters: Vec<PathBuf>,
    pub tests: Vec<PathBuf>,
    pub lookups: Vec<PathBuf>,
    /// Folders that hold `ansible_collections`.
    pub collections: Vec<PathBuf>,
}

/// The plugins of one run.
#[derive(Debug, Default)]
pub struct Plugins {
    places: Places,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    host: Option<Host>,
    missing: HashSet<(&'static str, String)>,
}

/// The process that runs them.
#[derive(Debug)]
struct Host {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// The filters, tests and lookups of a project, as templates ask for them.
pub fn of_project(settings: &Settings, playbooks: &[PathBuf], roles: &RoleFinder, library: Arc<Library>) -> CallPlugin {
    let set = [&settings.filter_plugins[..], &settings.test_plugins[..], &settings.lookup_plugins[..]];
    let plugins = Plugins::new(Places::find(playbooks, &roles.folders, &roles.collections, set));
    Arc::new(move |call| plugins.call(call, &library))
}

const PROGRAM: &str = include_str!("plugins.py");

impl Places {
    /// `filter_plugins` and the like beside playbooks, in roles, and in the folders that are set.
    pub fn find(playbooks: &[PathBuf], roles: &[PathBuf], collections: &[PathBuf], set: [&[PathBuf]; 3]) -> Places {
        let entries = roles.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        let mut near: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        near.sort();
        let all = |name: &str, set: &[PathBuf]| -> Vec<PathBuf> {
            let beside = playbooks.iter().chain(&near).map(|folder| folder.join(name));
            beside.chain(set.iter().cloned()).filter(|folder| folder.is_dir()).collect()
        };
        let [filters, tests, lookups] = set;
        Places {
            filters: all("filter_plugins", filters),
            tests: all("test_plugins", tests),
            lookups: all("lookup_plugins", lookups),
            collections: collections.to_vec(),
        }
    }

    /// Whether a plugin of this name could be somewhere: a short one in a folder of its kind, a full one in a collection.
    fn may_have(&self, call: &PluginCall) -> bool {
        let folders = match call.kind {
            "filter" => &self.filters,
            "test" => &self.tests,
            _ => &self.lookups,
        };
        !folders.is_empty() || call.name.matches('.').count() >= 2
    }
}

impl Plugins {
    pub fn new(places: Places) -> Self {
        Plugins { places, state: Mutex::default() }
    }

    /// Calls a plugin; `None` when there is none of its name.
    pub fn call(&self, call: &PluginCall, library: &Library) -> Option<Result<Value, String>> {
        if !self.places.may_have(call) {
            return None;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (call.kind, call.name.clone());
        if state.missing.contains(&key) {
            return None;
        }
        let answer = self.host(&mut state, library).and_then(|host| host.ask(call));
        match answer {
            Ok(Answer::Value(value)) => Some(Ok(value)),
            Ok(Answer::Refused(why)) => Some(Err(why)),
            Ok(Answer::Missing) => {
                state.missing.insert(key);
                None
            }
            Err(why) => {
                state.host = None;
                Some(Err(why))
            }
        }
    }

    fn host<'a>(&self, state: &'a mut State, library: &Library) -> Result<&'a mut Host, String> {
        if state.host.is_none() {
            let core = library.core()?;
            state.host = Some(Host::start(&core.python, &self.places)?);
        }
        state.host.as_mut().ok_or_else(|| "the plugins' process did not start".to_owned())
    }
}

enum Answer {
    Value(Value),
    Refused(String),
    Missing,
}

impl Host {
    fn start(python: &Path, places: &Places) -> Result<Host, String> {
        let failed = |error: std::io::Error| format!("plugins in Python cannot be run by `{}`: {error}", python.display());
        let mut child = Command::new(python)
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (Some(asks), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the plugins' process has no pipes".into());
        };
        let mut host = Host { child, asks, answers: BufReader::new(answers) };
        let settings = serde_json::json!({
            "collections": places.collections,
            "folders": {"filter": places.filters, "test": places.tests, "lookup": places.lookups},
        });
        host.say(&settings).map_err(failed)?;
        Ok(host)
    }

    fn say(&mut self, message: &serde_json::Value) -> std::io::Result<()> {
        writeln!(self.asks, "{message}")?;
        self.asks.flush()
    }

    fn ask(&mut self, call: &PluginCall) -> Result<Answer, String> {
        let arguments: Vec<serde_json::Value> = call.arguments.iter().map(Value::to_json).collect();
        let asked = serde_json::json!({
            "kind": call.kind, "name": call.name, "arguments": arguments, "named": Value::from(call.named.clone()).to_json(),
        });
        let gone = |error: std::io::Error| format!("the process that runs plugins in Python is gone: {error}");
        self.say(&asked).map_err(gone)?;
        let mut line = String::new();
        if self.answers.read_line(&mut line).map_err(gone)? == 0 {
            return Err("the process that runs plugins in Python ended; does `import ansible` work there?".into());
        }
        let Ok(serde_json::Value::Object(mut answer)) = serde_json::from_str(&line) else {
            return Err(format!("a plugin answered with no JSON: {line}"));
        };
        Ok(match (answer.remove("value"), answer.remove("error")) {
            (Some(value), _) => Answer::Value(Value::from_json(value)),
            (None, Some(why)) => Answer::Refused(why.as_str().unwrap_or("it failed").to_owned()),
            (None, None) => Answer::Missing,
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may be gone already.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str) -> PluginCall {
        PluginCall { kind: "filter", name: name.into(), arguments: Vec::new(), named: Default::default() }
    }

    #[test]
    fn nobody_is_asked_where_no_plugin_can_be() {
        let plugins = Plugins::new(Places::default());
        assert!(plugins.call(&call("shout"), &Library::default()).is_none());
        assert!(Places::default().may_have(&call("our.own.shout")));
    }

    #[test]
    fn folders_are_found_beside_playbooks_and_in_roles() {
        let folder = tempfile::tempdir().expect("folder");
        for place in ["filter_plugins", "roles/a/filter_plugins", "roles/b/tasks"] {
            std::fs::create_dir_all(folder.path().join(place)).expect("makes");
        }
        let places = Places::find(&[folder.path().to_owned()], &[folder.path().join("roles")], &[], [&[], &[], &[]]);
        assert_eq!(places.filters, [folder.path().join("filter_plugins"), folder.path().join("roles/a/filter_plugins")]);
        assert!(places.tests.is_empty());
    }
}
