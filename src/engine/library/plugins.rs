//! Filters, tests and lookups in Python, of the project and of installed collections: called through the Ansible of this machine, in a
//! process that starts with the first one and ends with the run.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::base::Value;
use crate::engine::settings::Settings;
use crate::engine::state::lock;
use crate::language::RoleFinder;
use crate::template::{CallPlugin, PluginCall, PluginVariables};

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
    /// The folder that relative paths of lookups are meant from.
    folder: PathBuf,
    /// By depth: a variable that a lookup reads may need a plugin itself, while the process of the first one waits for it.
    hosts: Mutex<Vec<Arc<Mutex<Option<Host>>>>>,
    /// Those that there are not, each with what Ansible says of the files it cannot load.
    missing: Mutex<HashMap<(&'static str, String), Vec<String>>>,
}

thread_local! {
    /// How many plugins this thread waits for.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A call within those that this thread waits for, as long as it lives.
struct Nested;

impl Nested {
    /// The guard, and how many there were before.
    fn enter() -> (Nested, usize) {
        (Nested, DEPTH.replace(DEPTH.get() + 1))
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
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
    let places = Places::find(playbooks, &roles.folders, &roles.collections, set);
    let plugins = Plugins { places, folder: playbooks.first().cloned().unwrap_or_default(), ..Plugins::default() };
    Arc::new(move |call, variables| plugins.call(call, variables, &library))
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
    /// Calls a plugin; `None` when there is none of its name.
    fn call(&self, call: &PluginCall, variables: &dyn PluginVariables, library: &Library) -> Option<Result<Value, String>> {
        if !self.places.may_have(call) {
            return None;
        }
        let key = (call.kind, call.name.clone());
        if let Some(why) = lock(&self.missing).get(&key) {
            return not_loaded(call, why);
        }
        let (_nested, depth) = Nested::enter();
        let place = self.place(depth);
        let mut host = lock(&place);
        let answer = self.running(&mut host, library).and_then(|host| host.ask(call, variables));
        match answer {
            Ok(Answer::Value(value)) => Some(Ok(value)),
            Ok(Answer::Refused(why)) => Some(Err(why)),
            Ok(Answer::Missing(why)) => {
                let answer = not_loaded(call, &why);
                lock(&self.missing).insert(key, why);
                answer
            }
            Err(why) => {
                *host = None;
                Some(Err(why))
            }
        }
    }

    fn place(&self, depth: usize) -> Arc<Mutex<Option<Host>>> {
        let mut hosts = lock(&self.hosts);
        while hosts.len() <= depth {
            hosts.push(Arc::default());
        }
        hosts[depth].clone()
    }

    fn running<'a>(&self, host: &'a mut Option<Host>, library: &Library) -> Result<&'a mut Host, String> {
        if host.is_none() {
            let core = library.core()?;
            *host = Some(Host::start(&core.python, &self.places, &self.folder)?);
        }
        host.as_mut().ok_or_else(|| "the plugins' process did not start".to_owned())
    }
}

/// What to say of a name that no plugin has: nothing, unless there are files that could not be loaded.
fn not_loaded(call: &PluginCall, why: &[String]) -> Option<Result<Value, String>> {
    (!why.is_empty()).then(|| Err(format!("no {} of this name was loaded; {}", call.kind, why.join("; "))))
}

enum Answer {
    Value(Value),
    Refused(String),
    Missing(Vec<String>),
}

impl Host {
    fn start(python: &Path, places: &Places, folder: &Path) -> Result<Host, String> {
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
            "folder": folder,
        });
        host.say(&settings).map_err(failed)?;
        Ok(host)
    }

    fn say(&mut self, message: &serde_json::Value) -> std::io::Result<()> {
        writeln!(self.asks, "{message}")?;
        self.asks.flush()
    }

    fn ask(&mut self, call: &PluginCall, variables: &dyn PluginVariables) -> Result<Answer, String> {
        let arguments: Vec<serde_json::Value> = call.arguments.iter().map(Value::to_json).collect();
        let asked = serde_json::json!({
            "kind": call.kind, "name": call.name, "arguments": arguments, "named": Value::from(call.named.clone()).to_json(),
        });
        let gone = |error: std::io::Error| format!("the process that runs plugins in Python is gone: {error}");
        self.say(&asked).map_err(gone)?;
        loop {
            let mut answer = self.hear()?;
            match answer.remove("variable") {
                Some(name) => self.say(&read(name.as_str(), variables)).map_err(gone)?,
                None => return Ok(Answer::of(answer)),
            }
        }
    }

    fn hear(&mut self) -> Result<serde_json::Map<String, serde_json::Value>, String> {
        let mut line = String::new();
        let read =
            self.answers.read_line(&mut line).map_err(|error| format!("the process that runs plugins in Python is gone: {error}"))?;
        if read == 0 {
            return Err("the process that runs plugins in Python ended; does `import ansible` work there?".into());
        }
        match serde_json::from_str(&line) {
            Ok(serde_json::Value::Object(answer)) => Ok(answer),
            _ => Err(format!("a plugin answered with no JSON: {line}")),
        }
    }
}

/// The answer to a question for a variable, or for all their names.
fn read(name: Option<&str>, variables: &dyn PluginVariables) -> serde_json::Value {
    match name.map(|name| variables.read(name)) {
        None => serde_json::json!({"value": variables.names()}),
        Some(None) => serde_json::json!({}),
        Some(Some(Ok(value))) => serde_json::json!({"value": value.to_json()}),
        Some(Some(Err(why))) => serde_json::json!({"error": why}),
    }
}

impl Answer {
    fn of(mut answer: serde_json::Map<String, serde_json::Value>) -> Answer {
        match (answer.remove("value"), answer.remove("error")) {
            (Some(value), _) => Answer::Value(Value::from_json(value)),
            (None, Some(why)) => Answer::Refused(why.as_str().unwrap_or("it failed").to_owned()),
            (None, None) => {
                let said = answer.remove("missing").and_then(|said| said.as_array().cloned()).unwrap_or_default();
                let said = said.iter().filter_map(|text| text.as_str()).map(|text| text.trim_start_matches("[WARNING]: ").to_owned());
                Answer::Missing(said.collect())
            }
        }
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

    struct Nothing;

    impl PluginVariables for Nothing {
        fn names(&self) -> Vec<String> {
            Vec::new()
        }

        fn read(&self, _name: &str) -> Option<Result<Value, String>> {
            None
        }
    }

    #[test]
    fn nobody_is_asked_where_no_plugin_can_be() {
        assert!(Plugins::default().call(&call("shout"), &Nothing, &Library::default()).is_none());
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
