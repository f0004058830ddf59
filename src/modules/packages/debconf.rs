//! `ansible.builtin.debconf`: answers to what packages ask when they are installed.

use crate::base::{Map, Value};
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Command, Diff, Failure, Result, System};

pub struct Debconf;

choices! {
    pub enum Kind {
        Boolean = "boolean",
        Error = "error",
        MultiSelect = "multiselect",
        Note = "note",
        Password = "password",
        Seen = "seen",
        Select = "select",
        Line = "string",
        Text = "text",
        Title = "title",
    }
}

module_args! {
    /// Sets the answer to a question of a package, or tells the answers it has.
    pub struct DebconfArgs {
        /// Name of the package.
        name | "pkg": String,
        /// The question.
        question | "selection" | "setting": Option<String>,
        /// Kind of the answer.
        vtype: Option<Kind>,
        /// The answer.
        value | "answer": Option<Value>,
        /// Leave the question to be asked all the same.
        unseen: bool = false,
    }
    rules [Rule::Together(&["question", "vtype", "value"])]
}

/// How a plan keeps an answer: by package and question.
const KIND: &str = "debconf";

impl Module for Debconf {
    const NAME: &'static str = "ansible.builtin.debconf";
    type Args = DebconfArgs;

    fn run(args: DebconfArgs, sys: &mut System) -> Result<Output> {
        let mut previous = answers(&args.name, sys)?;
        let (Some(question), Some(kind), Some(value)) = (args.question, args.vtype, args.value) else {
            return Ok(Output::new().message("").with("current", previous));
        };
        let kind = kind.as_str();
        let wanted = wanted(kind, &value)?;
        let known = sys.query_record(KIND, &format!("{}/{question}", args.name), || Ok(previous.get(question.as_str()).cloned()))?;
        let existing = match (&known, kind) {
            (Some(_), "password") if !sys.backend().is_dry() => password(&args.name, &question, sys)?,
            (Some(known), _) => Some(known.to_text()),
            (None, _) => None,
        };
        // Choices given as a list may stand in any order; as text they are compared as they stand.
        let same = match value {
            Value::List(_) => existing.as_deref().map(sorted_choices).as_deref() == Some(wanted.as_str()),
            _ if kind == "boolean" => existing.is_some_and(|existing| existing.to_lowercase() == wanted),
            _ => existing.as_deref() == Some(wanted.as_str()),
        };
        if same {
            return Ok(Output::new().message("").with("current", previous));
        }
        let line = format!("{} {question} {kind} {wanted}", args.name);
        let key = format!("{}/{question}", args.name);
        sys.change_record(KIND, &key, Some(wanted.as_str().into()), |sys| {
            let command = Command::new("debconf-set-selections").args(args.unseen.then_some("-u")).stdin(line);
            sys.query_command(command)?.check("set the answer").map(drop)
        })?;
        previous = [(question.as_str(), known.unwrap_or_else(|| "".into()))].into_iter().collect();
        let current: Map = [(question.as_str(), Value::from(wanted.as_str()))].into_iter().collect();
        if kind != "password" {
            let side = |side: &Map| format!("{}\n", Value::from(side.clone()).to_repr());
            sys.add_diff(Diff::text(question.as_str(), side(&previous), side(&current)));
        }
        Ok(Output::new().message("").with("current", current).with("previous", previous))
    }
}

/// The answer as debconf is to read it.
fn wanted(kind: &str, value: &Value) -> Result<String> {
    match (kind, value) {
        ("boolean", value) => Ok(value.to_text().to_lowercase()),
        ("multiselect", Value::List(items)) => match items.iter().find(|item| !matches!(item, Value::Str(_))) {
            Some(other) => {
                let message = format!("Invalid value provided for 'multiselect': `{}` is no text", other.to_text());
                Err(Failure::new(message).at("value"))
            }
            None => {
                let mut items: Vec<String> = items.iter().map(Value::to_text).collect();
                items.sort();
                Ok(items.join(", "))
            }
        },
        (_, value) => Ok(value.to_text()),
    }
}

fn sorted_choices(text: &str) -> String {
    let mut items: Vec<&str> = text.split(',').map(str::trim).collect();
    items.sort_unstable();
    items.join(", ")
}

/// The questions of a package and their answers; passwords are shown as stars by debconf itself.
fn answers(package: &str, sys: &System) -> Result<Map> {
    let told = sys.query_command(Command::new("debconf-show").arg(package))?;
    let told = told.check("ask debconf")?.stdout_text();
    let pairs = told.lines().filter_map(|line| line.split_once(':'));
    Ok(pairs.map(|(question, answer)| (question.trim_start_matches(['*', ' ']).trim().to_owned(), answer.trim().to_owned())).collect())
}

fn password(package: &str, question: &str, sys: &System) -> Result<Option<String>> {
    let told = sys.query_command(Command::new("debconf-get-selections"))?.check("ask debconf for its answers")?.stdout_text();
    let fields = told.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let mut found =
        fields.filter(|fields| matches!(fields.as_slice(), [owner, asked, "password", ..] if *owner == package && *asked == question));
    Ok(Some(found.next().and_then(|fields| fields.get(3).map(|text| (*text).to_owned())).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::{Completed, Overlay};

    fn machine() -> Machine {
        let overlay = Overlay::empty().with_record(super::KIND, "tz/zone", "b, a".into()).with_record(super::KIND, "tz/ok", "true".into());
        Machine::new(overlay.answer(|command| {
            let asked = command.argv_text() == ["debconf-show", "tz"];
            asked.then(|| Completed { stdout: b"* tz/Area: Europe\n  tz/Other:\n".to_vec(), ..Completed::default() })
        }))
    }

    #[test]
    fn an_answer_is_set_once_and_its_order_and_case_make_no_difference() {
        let mut machine = machine();
        let mut changes = |task: &str| machine.task(&format!("debconf: {{ name: tz, {task} }}")).expect("runs").effects.len();
        assert_eq!(changes("question: zone, vtype: multiselect, value: [a, b]"), 0);
        assert_eq!(changes("question: zone, vtype: multiselect, value: 'a, b'"), 1);
        assert_eq!(changes("question: ok, vtype: boolean, value: true"), 0);
        assert_eq!(changes("question: new, vtype: select, value: x"), 1);
    }

    #[test]
    fn without_a_question_the_answers_are_told() {
        let ran = machine().task("debconf: { name: tz }").expect("runs");
        assert_eq!(
            ran.output.values.get("current").map(crate::base::Value::to_repr).as_deref(),
            Some("{'tz/Area': 'Europe', 'tz/Other': ''}")
        );
        assert!(machine().refusal("debconf: { name: tz, question: x }").contains("required together"));
        let message = machine().refusal("debconf: { name: tz, question: q, vtype: multiselect, value: [1] }");
        assert!(message.starts_with("Invalid value provided for 'multiselect'"), "{message}");
    }
}
