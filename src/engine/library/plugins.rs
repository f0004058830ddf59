//! Filters, tests and lookups in Python, of the project and of installed collections: called through the Ansible of this machine, in a
//! process that starts with the first one and ends with the run.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
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
    /// By kind, the first ones win.
    pub folders: BTreeMap<&'static str, Vec<PathBuf>>,
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
    let places = Places::of(settings, playbooks, roles);
    let plugins = Plugins { places, folder: playbooks.first().cloned().unwrap_or_default(), ..Plugins::default() };
    Arc::new(move |call, variables| plugins.call(call, variables, &library))
}

const PROGRAM: &str = concat!(include_str!("shared.py"), include_str!("plugins.py"));

impl Places {
    /// Those of a project with these settings.
    pub fn of(settings: &Settings, playbooks: &[PathBuf], roles: &RoleFinder) -> Places {
        let set = [("filter", &settings.filter_plugins[..]), ("test", &settings.test_plugins), ("lookup", &settings.lookup_plugins)];
        Places::find(playbooks, roles, &set)
    }

    /// `filter_plugins` and the like beside playbooks, in roles, and in the folders that are set for a kind.
    fn find(playbooks: &[PathBuf], roles: &RoleFinder, set: &[(&'static str, &[PathBuf])]) -> Places {
        let entries = roles.folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        let mut near: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        near.sort();
        let all = |kind: &str, set: &[PathBuf]| -> Vec<PathBuf> {
            let beside = playbooks.iter().chain(&near).map(|folder| folder.join(format!("{kind}_plugins")));
            beside.chain(set.iter().cloned()).filter(|folder| folder.is_dir()).collect()
        };
        let folders = set.iter().map(|(kind, set)| (*kind, all(kind, set))).collect();
        Places { folders, collections: roles.collections.clone() }
    }

    /// Whether a plugin of this name could be somewhere: a short one in a folder of its kind, a full one in a collection.
    fn may_have(&self, call: &PluginCall) -> bool {
        self.folders.get(call.kind).is_some_and(|folders| !folders.is_empty()) || call.name.matches('.').count() >= 2
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
        let settings = serde_json::json!({"collections": places.collections, "folders": places.folders, "folder": folder});
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
            let heard = self.hear()?;
            match of_variables(&heard, variables) {
                Some(answer) => self.say(&answer).map_err(gone)?,
                None => return Ok(Answer::of(heard)),
            }
        }
    }

    fn hear(&mut self) -> Result<Said, String> {
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

/// What a plugin says: a question, or its answer.
pub type Said = serde_json::Map<String, serde_json::Value>;

/// The answer to a question for a variable, or for the names of all; `None`: it is another question.
pub fn of_variables(said: &Said, variables: &dyn PluginVariables) -> Option<serde_json::Value> {
    let path =
        |what: &str| -> Option<Vec<&str>> { Some(said.get(what)?.as_array()?.iter().filter_map(serde_json::Value::as_str).collect()) };
    if let Some(path) = path("variables") {
        return Some(within(variables, &path, &|all| serde_json::json!({"names": all.names()})));
    }
    let path = path("variable")?;
    let (name, folders) = path.split_last()?;
    Some(within(variables, folders, &|all| match all.within(name).is_some() {
        true => serde_json::json!({"scope": true}),
        false => match all.read(name) {
            None => serde_json::json!({}),
            Some(Ok(value)) => serde_json::json!({"value": value.to_json()}),
            Some(Err(why)) => serde_json::json!({"error": why, "source": all.written(name).map(|written| written.to_json())}),
        },
    }))
}

/// What is answered of the variables at a path; nothing where it leads nowhere.
fn within(variables: &dyn PluginVariables, path: &[&str], answer: &dyn Fn(&dyn PluginVariables) -> serde_json::Value) -> serde_json::Value {
    match path.split_first() {
        None => answer(variables),
        Some((first, rest)) => match variables.within(first) {
            Some(inner) => within(inner.as_ref(), rest, answer),
            None => serde_json::json!({}),
        },
    }
}

impl Answer {
    fn of(mut answer: Said) -> Answer {
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

        fn written(&self, _name: &str) -> Option<Value> {
            None
        }

        fn within(&self, _name: &str) -> Option<Box<dyn PluginVariables>> {
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
        let roles = RoleFinder { folders: vec![folder.path().join("roles")], ..RoleFinder::default() };
        let places = Places::find(&[folder.path().to_owned()], &roles, &[("filter", &[]), ("test", &[])]);
        assert_eq!(places.folders["filter"], [folder.path().join("filter_plugins"), folder.path().join("roles/a/filter_plugins")]);
        assert!(places.folders["test"].is_empty());
    }
}
