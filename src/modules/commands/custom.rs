//! A module that the project brings along, the host's half: it is laid out here, given its options, and what it prints is its result.
//! The controller says what is to be laid out and how the module takes its options, after Ansible's developer guide ("Developing modules",
//! "Ansible module architecture").

use std::path::PathBuf;

use crate::base::{Map, Value};
use crate::modules::{Module, Output, choices, module_args};
use crate::system::library::Brought;
use crate::system::{Command, Completed, Failure, Result, System};

pub struct CustomModule;

choices! {
    /// How a module takes its options.
    pub enum Style {
        /// Through the library of `ansible.module_utils`, which is laid out with it.
        Python = "python",
        /// As JSON, in a file that its first argument names.
        Json = "json",
        /// As `name=value`, in such a file.
        Pairs = "pairs",
    }
}

module_args! {
    /// Runs a module that the project brings along (in `library`, or a collection's), where Hostler has none of its name. The controller calls it.
    pub struct CustomModuleArgs {
        /// How it takes its options.
        style: Style,
        /// What is laid out: paths, each with the SHA-256 of its content.
        files: Map,
        /// Which of them is the module.
        main: String,
        /// SHA-256 of the archive of the library that the files lie over.
        library: Option<String>,
        /// Whether it says that it knows check mode.
        knows_check_mode: bool = false,
        /// Whether its complaints are part of the result, as with jobs.
        keeps_stderr: bool = false,
        /// The program that runs it; `python` for any Python 3 of the host's; none where the file can be run as it is.
        interpreter: Option<String>,
        /// The options of the task.
        options: Map,
    }
}

/// Starts a module inside the folder it was laid out in; its options come on the standard input.
const BOOT: &str = include_str!("custom_boot.py");
const BOOT_FILE: &str = "hostler_boot.py";

impl Module for CustomModule {
    const NAME: &'static str = "hostler.builtin.custom_module";
    type Args = CustomModuleArgs;

    fn run(args: CustomModuleArgs, sys: &mut System) -> Result<Output> {
        let knows_check_mode = args.style == Style::Python || args.knows_check_mode;
        if sys.backend().is_dry() && !knows_check_mode {
            return Ok(Output::new().message("remote module does not support check mode").skipped());
        }
        let interpreter = args.interpreter.as_deref().map(|program| interpreter(program, sys)).transpose()?;
        let library = args.library.as_deref().map(|sha256| sys.library(sha256)).transpose()?;
        let mut files: Vec<Brought> = Vec::new();
        for (path, sha256) in args.files.iter() {
            files.push((PathBuf::from(path.to_string()), sys.blob(&sha256.to_text())?));
        }
        if args.style == Style::Python {
            files.push((BOOT_FILE.into(), std::sync::Arc::new(BOOT.as_bytes().to_vec())));
        }
        let completed = sys.with_files(&files, library.as_deref(), |sys, folder| {
            let mut options = args.options.clone();
            options.insert("_ansible_tmpdir", folder.to_string_lossy().into_owned());
            let main = folder.join(&args.main);
            let mut argv: Vec<_> = interpreter.iter().map(|program| program.clone().into_os_string()).collect();
            let input = match args.style {
                Style::Python => {
                    argv.extend([folder.join(BOOT_FILE).into(), python_name(&args.main).into()]);
                    Value::map([("ANSIBLE_MODULE_ARGS", options)]).to_json().to_string()
                }
                // The file is the standard input itself: options may be secret, and are never written down.
                Style::Json => {
                    argv.extend([main.into(), "/dev/stdin".into()]);
                    Value::from(options).to_json().to_string()
                }
                Style::Pairs => {
                    argv.extend([main.into(), "/dev/stdin".into()]);
                    pairs(&options)
                }
            };
            sys.query_command(Command { argv, ..Command::default() }.stdin(input))
        })?;
        let is_verbose = args.options.get("_ansible_verbosity").is_some_and(|level| matches!(level, Value::Int(3..)));
        let mut output = result(&completed, is_verbose, sys)?;
        if args.keeps_stderr && !completed.stderr.is_empty() && !output.values.contains_key("stderr") {
            output.values.insert("stderr", completed.stderr_text());
        }
        Ok(output)
    }
}

/// Makes ready what such a task needs when no controller can be asked any more; gives the hashes of the content it will want.
///
/// # Errors
/// The library cannot be had or unpacked.
pub fn prepare(args: &Map, sys: &mut System) -> Result<Vec<String>> {
    if let Some(library) = args.text("library") {
        sys.library(library)?;
    }
    let Some(Value::Map(files)) = args.get("files") else { return Ok(Vec::new()) };
    Ok(files.iter().map(|(_, sha256)| sha256.to_text()).collect())
}

/// The program to run a module with.
fn interpreter(program: &str, sys: &System) -> Result<PathBuf> {
    let found = match program {
        "python" => std::iter::once("/usr/bin/python3").chain(PYTHONS).find_map(|name| sys.find_program(name)),
        program => sys.find_program(program),
    };
    found.ok_or_else(|| match program {
        "python" => Failure::new("the module is written in Python, and the host has no Python 3: install `python3-minimal` or more of it"),
        program => Failure::new(format!("The module interpreter '{program}' was not found.")),
    })
}

const PYTHONS: [&str; 8] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9", "python"];

/// `ansible/modules/ping.py` as Python names it.
fn python_name(path: &str) -> String {
    path.strip_suffix(".py").unwrap_or(path).replace('/', ".")
}

fn pairs(options: &Map) -> String {
    let quoted = |text: String| format!("'{}'", text.replace('\'', "'\"'\"'"));
    let pair = |(name, value): (&crate::base::Key, &Value)| format!("{name}={}", quoted(value.to_text()));
    options.iter().map(pair).collect::<Vec<_>>().join(" ")
}

/// What the module says of itself.
fn result(completed: &Completed, is_verbose: bool, sys: &mut System) -> Result<Output> {
    let text = completed.stdout_text();
    let Some((json, junk)) = first_json(&text) else { return Err(no_result(completed, is_verbose)) };
    let Value::Map(said) = Value::from_json(json) else { return Err(Failure::new("the module's result is no mapping")) };
    let mut values = without_internals(&said);
    if !junk.is_empty() {
        sys.warn(format!("Module invocation had junk after the JSON data: {junk}"));
    }
    if let Some(Value::List(warnings)) = values.remove("warnings") {
        warnings.iter().for_each(|warning| sys.warn(message_of(warning)));
    }
    if let Some(Value::List(deprecations)) = values.remove("deprecations") {
        values.insert("deprecations", Value::list(deprecations.iter().map(plain_deprecation).collect::<Vec<_>>()));
    }
    if !is_verbose {
        values.remove("invocation");
    }
    let is_true = |values: &Map, name: &str| values.get(name).and_then(crate::modules::coerce::truth).unwrap_or(false);
    if !values.contains_key("failed") && values.get("rc").is_some_and(|rc| !matches!(rc.to_text().as_str(), "0" | "")) {
        values.insert("failed", true);
    }
    let changed = is_true(&values, "changed");
    values.insert("changed", changed);
    let mut output = Output::new();
    if let Some(Value::Map(facts)) = values.remove("ansible_facts") {
        output = output.with_facts(facts.as_ref().clone());
    }
    output.skipped = is_true(&values, "skipped");
    values.remove("skipped");
    Ok(output.with_all(&values))
}

/// The failure of a module that gave no result; its traceback is for who asks for everything.
fn no_result(completed: &Completed, is_verbose: bool) -> Failure {
    let complaint = completed.stderr_text();
    match complaint.trim_end().lines().next_back() {
        Some(last) if complaint.contains("Traceback (most recent call last)") => {
            let reason = last.split_once(": ").map_or(last, |(_, reason)| reason);
            let failure = Failure::new(format!("Task failed: Module failed: {reason}"));
            if is_verbose { failure.with("exception", complaint) } else { failure }
        }
        _ => Failure::new("Module result deserialization failed: No start of json char found")
            .with("module_stdout", completed.stdout_text())
            .with("module_stderr", complaint)
            .with("rc", completed.rc),
    }
}

/// What modules are told beside their options and hand back is no result.
fn without_internals(map: &Map) -> Map {
    let kept = map.iter().filter(|(name, _)| !name.to_string().starts_with("_ansible_"));
    kept.map(|(name, value)| (name.clone(), deeper(value))).collect()
}

fn deeper(value: &Value) -> Value {
    match value {
        Value::Map(map) => without_internals(map).into(),
        Value::List(items) => Value::list(items.iter().map(deeper).collect::<Vec<_>>()),
        other => other.clone(),
    }
}

/// The text of a warning: since ansible-core 2.19 it is inside a description of how it came about.
fn message_of(warning: &Value) -> String {
    field(warning, "event").and_then(|event| field(&event, "msg")).unwrap_or_else(|| warning.clone()).to_text()
}

fn field(value: &Value, name: &str) -> Option<Value> {
    match value {
        Value::Map(map) => map.get(name).cloned(),
        _ => None,
    }
}

/// A deprecation as `register` keeps it.
fn plain_deprecation(deprecation: &Value) -> Value {
    let (Value::Map(map), Some(_)) = (deprecation, field(deprecation, "event")) else { return deprecation.clone() };
    let mut plain: Map = map
        .iter()
        .filter(|(name, _)| !matches!(name.to_string().as_str(), "event" | "__ansible_type"))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    if let Some(Value::Map(by)) = plain.remove("deprecator") {
        let mut by = by.as_ref().clone();
        by.remove("__ansible_type");
        plain.insert("collection_name", by.get("resolved_name").cloned().unwrap_or(Value::Null));
        plain.insert("deprecator", by);
    }
    plain.insert("msg", message_of(deprecation));
    plain.into()
}

/// The first line that begins a JSON value, read to that value's end; and what comes after it.
fn first_json(text: &str) -> Option<(serde_json::Value, String)> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with(['{', '[']) {
            let rest = &text[at..];
            let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
            if let Some(Ok(value)) = stream.next() {
                return Some((value, rest[stream.byte_offset()..].trim().to_owned()));
            }
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::*;
    use crate::modules::find;
    use crate::system::Blobs;

    struct Files(HashMap<&'static str, &'static str>);

    impl Blobs for Files {
        fn fetch(&mut self, sha256: &str) -> Result<Arc<Vec<u8>>> {
            Ok(Arc::new(self.0.get(sha256).expect("was announced").as_bytes().to_vec()))
        }
    }

    fn run(style: &str, content: &'static str) -> std::result::Result<Output, Failure> {
        let mut sys = System::local().with_blobs(Box::new(Files([("hash", content)].into())));
        let options = Value::map([("word", Value::from("it's")), ("_ansible_verbosity", 0.into())]);
        let args = [("style", style.into()), ("main", "mine".into()), ("files", Value::map([("mine", "hash")])), ("options", options)];
        (find("hostler.builtin.custom_module").expect("is there").run)(args.into_iter().collect(), &mut sys)
    }

    #[test]
    fn a_script_gets_its_options_as_pairs_and_its_result_is_what_it_prints() {
        let script = "#!/bin/sh\n. \"$1\"\necho junk\necho \"{\\\"changed\\\": true, \\\"said\\\": \\\"$word\\\"}\"\n";
        let output = run("pairs", script).expect("runs");
        assert_eq!(output.values.text("said"), Some("it's"));
        assert_eq!(output.values.get("changed"), Some(&Value::Bool(true)));
    }

    #[test]
    fn a_module_that_wants_json_gets_it_and_hands_no_internals_back() {
        let output = run("json", "#!/bin/sh\n# WANT_JSON\nprintf '{\"got\": '; cat \"$1\"; printf '}'\n").expect("runs");
        assert_eq!(output.values.get("got"), Some(&Value::map([("word", "it's")])));
        assert_eq!(output.values.get("changed"), Some(&Value::Bool(false)));
    }

    #[test]
    fn a_module_that_prints_no_result_fails_with_what_it_said() {
        let failure = run("pairs", "#!/bin/sh\necho oops >&2\nexit 3\n").expect_err("fails");
        assert!(failure.message.contains("No start of json char found"), "{}", failure.message);
        assert_eq!((failure.values.text("module_stderr"), failure.values.get("rc")), (Some("oops\n"), Some(&Value::Int(3))));
    }

    #[test]
    fn a_status_other_than_0_is_a_failure_unless_the_module_says_otherwise() {
        let failed = |content| run("pairs", content).expect("runs").values.get("failed").cloned();
        assert_eq!(failed("#!/bin/sh\necho '{\"rc\": 1}'\n"), Some(Value::Bool(true)));
        assert_eq!(failed("#!/bin/sh\necho '{\"rc\": 1, \"failed\": false}'\n"), Some(Value::Bool(false)));
        assert_eq!(failed("#!/bin/sh\necho '{\"rc\": 0}'\n"), None);
    }

    #[test]
    fn warnings_and_deprecations_of_newer_libraries_become_plain() {
        let json = r#"{"event": {"msg": "old", "__ansible_type": "Event"}, "version": "3.0", "deprecator": {"resolved_name": "a.b", "type": null, "__ansible_type": "PluginInfo"}, "__ansible_type": "DeprecationSummary"}"#;
        let value = Value::from_json(serde_json::from_str(json).expect("is JSON"));
        assert_eq!(message_of(&value), "old");
        let plain = plain_deprecation(&value).to_json();
        let wanted = serde_json::json!({"collection_name": "a.b", "deprecator": {"resolved_name": "a.b", "type": null}, "msg": "old", "version": "3.0"});
        assert_eq!(plain, wanted);
        assert_eq!(message_of(&"as it is".into()), "as it is");
    }
}
