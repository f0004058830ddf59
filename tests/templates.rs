//! Templates: a table of them, evaluated by Hostler and by real ansible-core, with equal results.

use std::fs;
use std::sync::Arc;

use hostler::base::{Node, Span, Value};
use hostler::template::{Context, Controller, SearchPath, Templar, Variable, Variables};
use hostler::yaml;
use serde_json::{Value as Json, json};

use crate::support::oracle;

const CASES: &str = include_str!("templates/cases.txt");
const VARIABLES: &str = include_str!("templates/cases.json");

/// Writes each task's message, or that it failed, as one JSON list.
const CALLBACK: &str = r#"
import json
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'stdout'
    CALLBACK_NAME = 'answers'

    def __init__(self):
        super().__init__()
        self.answers = []

    def v2_runner_on_ok(self, result, **kwargs):
        self.answers.append({'ok': result._result.get('msg')})

    def v2_runner_on_failed(self, result, ignore_errors=False, **kwargs):
        self.answers.append({'error': str(result._result.get('msg'))})

    def v2_playbook_on_stats(self, stats):
        with open('answers.json', 'w') as out:
            json.dump(self.answers, out, default=str)
"#;

fn cases() -> Vec<&'static str> {
    CASES.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")).collect()
}

fn variables() -> Node {
    yaml::load_one(VARIABLES, "cases.json").expect("the variables are read").0
}

/// What the reference makes of every case.
fn reference(cases: &[&str]) -> Vec<Json> {
    let folder = tempfile::tempdir().expect("a folder");
    let tasks: Vec<Json> = cases.iter().map(|case| json!({"debug": {"msg": case}, "ignore_errors": true})).collect();
    let variables: Json = serde_json::from_str(VARIABLES).expect("the variables are JSON");
    let playbook = json!([{"hosts": "localhost", "gather_facts": false, "vars": variables, "tasks": tasks}]);
    fs::write(folder.path().join("play.yml"), playbook.to_string()).expect("the playbook is written");
    fs::write(folder.path().join("answers.py"), CALLBACK).expect("the callback is written");
    oracle::run_playbook(folder.path(), "play.yml", "answers");
    let answers = fs::read_to_string(folder.path().join("answers.json")).expect("the reference answers");
    serde_json::from_str(&answers).expect("the answers are JSON")
}

struct Project(Node);

impl Variables for Project {
    fn get(&self, name: &str) -> Option<Variable> {
        self.0.get(name).cloned().map(Variable::Source)
    }

    fn names(&self) -> Vec<String> {
        self.0.as_map().into_iter().flatten().filter_map(|(key, _)| key.as_str()).map(str::to_owned).collect()
    }
}

fn context() -> Context {
    let controller = Controller { environment: std::env::vars().collect(), ..Controller::default() };
    Context { variables: Arc::new(Project(variables())), search: SearchPath::new(["/".into()]), controller: Arc::new(controller) }
}

#[test]
fn templates_mean_what_they_mean_in_ansible_core() {
    let cases = cases();
    let answers = reference(&cases);
    assert_eq!(answers.len(), cases.len(), "the reference answers every case");
    let (templar, context) = (Templar::new(), context());
    let mut differences = Vec::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let ours = templar.render_text(case, &Span::origin("<case>"), &context);
        let same = match (&ours, answer.get("ok")) {
            (Ok(value), Some(expected)) => value.to_json() == *expected,
            (Err(_), None) => true,
            _ => false,
        };
        if !same {
            let ours = ours.map_or_else(|error| format!("error: {error}"), |value| value.to_json().to_string());
            differences.push(format!("{case}\n    ansible-core: {answer}\n    hostler:      {ours}"));
        }
    }
    assert!(differences.is_empty(), "{} of {} templates differ:\n{}", differences.len(), cases.len(), differences.join("\n"));
}

#[test]
fn a_thousand_small_templates_take_no_time() {
    let (templar, context) = (Templar::new(), context());
    let texts: Vec<String> = (0..1000).map(|index| format!("{{{{ name }}}}-{index} {{{{ map.b.c | upper }}}}")).collect();
    let start = std::time::Instant::now();
    for text in &texts {
        let value = templar.render_text(text, &Span::origin("<case>"), &context).expect("renders");
        assert!(matches!(value, Value::Str(_)));
    }
    let limit = if cfg!(debug_assertions) { 1000 } else { 50 };
    assert!(start.elapsed().as_millis() < limit, "{:?}", start.elapsed());
}
