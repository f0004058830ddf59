//! What a project brings along in Python and the like. Modules: found in `library` folders and collections, and made ready to be sent; to run
//! them is the agent's part (`modules/commands/custom.rs`). Plugins: called on this machine through the Ansible that is installed on it, filters,
//! tests and lookups by `plugins`, actions by `actions`.

mod actions;
mod asked;
mod find;
pub mod plugins;
mod python;
mod worker;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Diagnostic, Map, Value};
use crate::history::event::{Event, Notice};
use crate::language::Task;

use super::call::Call;
use super::keywords::TaskKeywords;
use super::outcome::Outcome;
use super::state::{Run, read};
use python::Core;

pub use actions::{no_actions, run};
pub use find::{action, find, module, names};
use worker::Worker;

/// A module's file on the controller.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomModule {
    pub path: PathBuf,
    /// The collection that it is of.
    pub collection: Option<String>,
    /// Further `module_utils` folders for it, the first ones win.
    pub utils: Vec<PathBuf>,
}

/// An action in Python that runs on the controller.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionPlugin {
    /// What Ansible finds it by.
    pub name: String,
    /// Whether it works once for all hosts.
    pub is_for_all: bool,
    /// Whether it takes text that is no option.
    pub takes_text: bool,
}

/// What was found out for one run.
#[derive(Debug, Default)]
pub struct Library {
    found: Mutex<HashMap<String, Option<CustomModule>>>,
    actions: Mutex<HashMap<String, Option<ActionPlugin>>>,
    /// Processes that wait for an action to run.
    workers: Mutex<Vec<Worker>>,
    packed: Mutex<HashMap<PathBuf, Map>>,
    core: Mutex<Option<Result<Arc<Core>, String>>>,
}

/// How a module's file is run, by what it begins with and holds.
#[derive(Debug, PartialEq)]
enum Kind {
    Python,
    Json,
    Pairs,
}

impl Kind {
    /// # Errors
    /// A kind that is not supported.
    fn of(content: &[u8]) -> Result<Kind, &'static str> {
        let Ok(text) = std::str::from_utf8(content) else { return Ok(Kind::Json) };
        let has = |word: &str| text.contains(word);
        match () {
            () if has("#POWERSHELL_COMMON") || has("#Requires -Module") => Err("it is written for Windows"),
            () if has("<<INCLUDE_ANSIBLE_MODULE_") => Err("it wants its options written into it, where others could read them"),
            () if content.starts_with(b"\x7fELF") => Ok(Kind::Json),
            () if has("module_utils.") || has("import ansible.module_utils") || has("from ansible.module_utils") => Ok(Kind::Python),
            () if has("WANT_JSON") => Ok(Kind::Json),
            () => Ok(Kind::Pairs),
        }
    }

    fn style(&self) -> &'static str {
        match self {
            Kind::Python => "python",
            Kind::Json => "json",
            Kind::Pairs => "pairs",
        }
    }
}

/// Why a module cannot be run from here, as far as that can be told before any host is touched.
pub fn problem(run: &Run, module: &CustomModule) -> Option<String> {
    match kind_of(module) {
        Err(why) => Some(why),
        Ok((Kind::Python, _)) => run.library.core().err(),
        Ok(_) => None,
    }
}

/// Whether a task may bring facts that nobody else knows of: by code of the project's.
pub fn may_bring_facts(run: &Run, task: &Task) -> bool {
    let says_so = |module: CustomModule| content_of(&module).is_ok_and(|text| text.windows(13).any(|word| word == b"ansible_facts"));
    action(run, task).is_some() || find(run, task).is_some_and(says_so)
}

/// Whether the first host does a task for all others, since the plugin says that it works once.
pub fn is_for_all(run: &Run, task: &Task) -> bool {
    action(run, task).is_some_and(|plugin| plugin.is_for_all)
}

/// How the module is run, and its content.
fn kind_of(module: &CustomModule) -> Result<(Kind, Vec<u8>), String> {
    let content = content_of(module)?;
    let kind = Kind::of(&content).map_err(|why| refusal(module, why))?;
    Ok((kind, content))
}

fn content_of(module: &CustomModule) -> Result<Vec<u8>, String> {
    std::fs::read(&module.path)
        .map_err(|error| format!("cannot read the module `{}`: {}", module.path.display(), crate::system::error::plain(&error)))
}

fn refusal(module: &CustomModule, why: &str) -> String {
    format!("the module `{}` cannot be run: {why}", module.path.display())
}

/// The options of the agent's module that make it run `module`.
///
/// # Errors
/// The file cannot be read or run, or what it needs is not on this machine.
pub fn request(call: &Call<'_>, name: &str, module: &CustomModule, options: Map) -> Result<Map, Box<Outcome>> {
    let wrong = |why: String| Box::new(Outcome::error(Diagnostic::error(why).at(call.span())));
    let mut args = call.run.library.packed(call.run, module).map_err(wrong)?;
    if args.text("style") == Some(Kind::Python.style()) {
        args.insert("interpreter", named_python(call)?.unwrap_or_else(|| "python".to_owned()));
    }
    args.insert("options", with_internals(call, name, options));
    Ok(args)
}

/// Everything that running a module takes but what differs from task to task.
fn pack(run: &Run, module: &CustomModule) -> Result<Map, String> {
    let (kind, content) = kind_of(module)?;
    let short = module.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let text = String::from_utf8_lossy(&content).into_owned();
    let (mut files, mut args) = (Map::new(), Map::new());
    let main = match (&kind, &module.collection) {
        (Kind::Json | Kind::Pairs, _) => short,
        (Kind::Python, None) => format!("ansible/modules/{short}.py"),
        (Kind::Python, Some(collection)) => format!("ansible_collections/{}/plugins/modules/{short}.py", collection.replace('.', "/")),
    };
    if kind == Kind::Python {
        args.insert("library", run.blobs.put(run.library.core()?.archive.clone()));
        for (path, content) in python::companions(run, &text, module) {
            files.insert(path, run.blobs.put(content));
        }
    } else if text.lines().next().is_some_and(|line| line.starts_with("#!") && line.contains("python")) {
        args.insert("interpreter", "python");
    }
    files.insert(main.as_str(), run.blobs.put(content));
    args.insert("style", kind.style());
    args.insert("knows_check_mode", text.contains("_ansible_check_mode"));
    args.insert("main", main);
    args.insert("files", files);
    Ok(args)
}

/// The Python that variables name for the host.
fn named_python(call: &Call<'_>) -> Result<Option<String>, Box<Outcome>> {
    let named = call.variable("ansible_python_interpreter").map_err(|error| Box::new(Outcome::error(error)))?;
    // This machine itself, where the inventory does not say otherwise, is no host that settings are meant for.
    let is_here = read(&call.run.inventory).host(&call.cursor.host.name).is_some_and(|host| host.is_implicit);
    let set = if is_here { "auto" } else { call.run.request.settings.interpreter_python.as_str() };
    let named = named.map_or_else(|| set.to_owned(), |named| named.to_text());
    let program = named.split_whitespace().next().map(str::to_owned);
    Ok(program.filter(|program| !program.starts_with("auto")))
}

fn hides_its_options(call: &Call<'_>) -> bool {
    let keywords = TaskKeywords { task: call.task, templar: &call.run.templar, context: &call.context };
    // One that cannot be read hides what it can.
    keywords.flag("no_log").unwrap_or(Some(true)).unwrap_or(call.run.request.settings.no_log)
}

/// What every module is told beside its options, by the names that ansible-core's library reads.
fn with_internals(call: &Call<'_>, name: &str, mut options: Map) -> Map {
    let said: [(&str, Value); 13] = [
        ("_ansible_check_mode", call.check.into()),
        ("_ansible_debug", false.into()),
        ("_ansible_diff", call.diff.into()),
        ("_ansible_ignore_unknown_opts", false.into()),
        ("_ansible_keep_remote_files", false.into()),
        ("_ansible_module_name", name.into()),
        ("_ansible_no_log", hides_its_options(call).into()),
        ("_ansible_remote_tmp", "~/.ansible/tmp".into()),
        ("_ansible_selinux_special_fs", Value::list(["fuse", "nfs", "vboxsf", "ramfs", "9p", "vfat"])),
        ("_ansible_shell_executable", "/bin/sh".into()),
        ("_ansible_syslog_facility", "LOG_USER".into()),
        ("_ansible_verbosity", i64::from(call.run.request.settings.verbosity).into()),
        ("_ansible_version", super::magic::ANSIBLE_VERSION.into()),
    ];
    options.extend(&said.into_iter().collect());
    options
}

/// What a module says of its differences and its options, and what it calls deprecated, has its own places in an outcome.
pub fn adopt(call: &Call<'_>, mut outcome: Outcome) -> Outcome {
    tell_deprecations(call.run, &outcome);
    outcome.invocation = outcome.values.remove("invocation");
    if call.diff {
        match outcome.values.remove("diff") {
            Some(Value::List(diffs)) => outcome.diffs.extend(diffs.iter().cloned()),
            Some(diff) => outcome.diffs.push(diff),
            None => {}
        }
    }
    outcome
}

fn tell_deprecations(run: &Run, outcome: &Outcome) {
    let Some(Value::List(deprecations)) = outcome.values.get("deprecations") else { return };
    for deprecation in deprecations.iter() {
        let Value::Map(said) = deprecation else { continue };
        let text = |name: &str| said.get(name).filter(|value| !value.is_null()).map(Value::to_text);
        let Some(message) = text("msg") else { continue };
        let by = match text("collection_name").as_deref() {
            None => String::new(),
            Some("ansible.builtin") => " from ansible-core".to_owned(),
            Some(collection) => format!(" from collection '{collection}'"),
        };
        let when = match (text("version"), text("date")) {
            (Some(version), _) => format!(" version {version}"),
            (None, Some(date)) => format!(" in a release after {date}"),
            (None, None) => " in a future release".to_owned(),
        };
        let stop = if message.ends_with('.') { "" } else { "." };
        let diagnostic = Diagnostic::warning(format!("{message}{stop} This feature will be removed{by}{when}."));
        run.event(Event::Notice(Notice::deprecation(diagnostic)));
    }
}

impl Library {
    /// A module packed for the agent, once in a run: a loop asks for it many times.
    fn packed(&self, run: &Run, module: &CustomModule) -> Result<Map, String> {
        let known = self.packed.lock().unwrap_or_else(PoisonError::into_inner).get(&module.path).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let args = pack(run, module)?;
        self.packed.lock().unwrap_or_else(PoisonError::into_inner).insert(module.path.clone(), args.clone());
        Ok(args)
    }

    /// What modules in Python share, from the Ansible of this machine.
    fn core(&self) -> Result<Arc<Core>, String> {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        core.get_or_insert_with(|| Core::find().map(Arc::new)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_module_is_known_by_its_content() {
        let kind = |text: &[u8]| Kind::of(text);
        assert_eq!(kind(b"#!/usr/bin/python\nfrom ansible.module_utils.basic import AnsibleModule\n"), Ok(Kind::Python));
        assert_eq!(kind(b"from ..module_utils.common import x\n"), Ok(Kind::Python));
        assert_eq!(kind(b"#!/bin/sh\n# WANT_JSON\n"), Ok(Kind::Json));
        assert_eq!(kind(b"#!/bin/sh\n. $1\n"), Ok(Kind::Pairs));
        assert_eq!(kind(b"\x7fELF\x02\xff"), Ok(Kind::Json));
        assert!(kind(b"#!powershell\n#Requires -Module Ansible.ModuleUtils.Legacy").is_err());
        assert!(kind(b"json_args = \"<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>\"").is_err());
    }
}
