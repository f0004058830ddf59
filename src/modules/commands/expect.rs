//! `ansible.builtin.expect`: a program that asks questions on a terminal is run and answered.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Zoned;

use crate::base::{Map, Pattern, PatternFlags, Value};
use crate::modules::{ArgKind, FromArg, Module, Output, module_args};
use crate::system::{Answer, Command, Failure, Known, Result, System, split_words};

use super::outcome;

pub struct Expect;

module_args! {
    /// Runs a command on a terminal and answers what it asks.
    pub struct ExpectArgs {
        /// The command; it goes through no shell.
        command: String,
        /// Folder to run in.
        chdir: Option<PathBuf>,
        /// A path; when it exists, the command is not run.
        creates: Option<PathBuf>,
        /// A path; when it does not exist, the command is not run.
        removes: Option<PathBuf>,
        /// Regular expressions for what it asks, each with an answer, or a list of answers for one question after the other.
        responses: Map,
        /// Seconds that it may stay silent; null: for ever.
        timeout: Patience = Patience(Some(Duration::from_secs(30))),
        /// Show the answers in the output.
        echo: bool = false,
    }
}

/// Seconds to wait, or for ever.
pub struct Patience(Option<Duration>);

impl FromArg for Patience {
    const KIND: ArgKind = ArgKind::Raw;
    const TAKES_NULL: bool = true;

    fn from_arg(value: &Value) -> std::result::Result<Self, String> {
        match value {
            Value::Null => Ok(Patience(None)),
            other => match i64::from_arg(other) {
                Ok(seconds) => Ok(Patience(u64::try_from(seconds).ok().map(Duration::from_secs))),
                Err(why) => Err(format!("is of type {} and we were unable to convert to int: {why}", other.type_name())),
            },
        }
    }
}

impl Module for Expect {
    const NAME: &'static str = "ansible.builtin.expect";
    type Args = ExpectArgs;

    fn run(args: ExpectArgs, sys: &mut System) -> Result<Output> {
        if args.command.trim().is_empty() {
            return Err(Failure::new("no command given").with("rc", 256).at("command"));
        }
        let mut questions = questions(&args.responses)?;
        let folder = args.chdir.as_deref().map(|chdir| outcome::require_folder(sys, chdir)).transpose()?;
        let not_run = |reason: String| {
            let output = Output::new().with("cmd", args.command.as_str()).with("rc", 0).with("changed", false);
            Ok(output.with("stdout", format!("skipped, since {reason}")))
        };
        let there = |path: &Path| Ok::<_, Failure>(sys.query_file(&folder.as_deref().map_or(path.into(), |at| at.join(path)))?.is_some());
        match (&args.creates, &args.removes) {
            (Some(path), _) if there(path)? => return not_run(format!("{} exists", path.display())),
            (_, Some(path)) if !there(path)? => return not_run(format!("{} does not exist", path.display())),
            _ => {}
        }
        let words = split_words(&args.command);
        let command = Command { argv: words.into_iter().map(Into::into).collect(), working_directory: folder, ..Command::default() };
        let start = Zoned::now();
        let Known::Now(completed) = sys.converse(command, args.echo, args.timeout.0, |said| answer(&mut questions, said))? else {
            return Ok(Output::new().skipped());
        };
        let Ok(stdout) = String::from_utf8(completed.stdout.clone()) else {
            let message = "Refusing to deserialize an invalid UTF8 string value: what the command printed is no UTF-8 text";
            return Err(Failure::new(message).with("cmd", args.command));
        };
        let is_over = completed.timed_out || completed.rc < 0;
        let mut output = match outcome::finish(Output::new().with("cmd", args.command), &completed, &start, true) {
            Ok(output) => output,
            Err(failure) => Output::new().with_all(&failure.values),
        };
        output.values.remove("stderr");
        output = output.with("stdout", stdout.trim_end_matches(['\r', '\n'])).with("changed", true);
        if is_over {
            output = output.with("rc", Value::Null);
        }
        match (is_over, completed.rc) {
            (true, _) => Err(failed("command exceeded timeout", &output)),
            (false, 0) => Ok(output),
            (false, _) => Err(failed("non-zero return code", &output)),
        }
    }
}

fn failed(message: &str, output: &Output) -> Failure {
    let mut failure = Failure::new(message);
    failure.values.extend(&output.values);
    failure
}

struct Question {
    text: String,
    pattern: Pattern,
    answers: Answers,
}

enum Answers {
    Always(String),
    InTurn(VecDeque<String>),
}

fn questions(responses: &Map) -> Result<Vec<Question>> {
    let question = |text: String, given: &Value| {
        let flags = PatternFlags { dot_all: true, ..PatternFlags::default() };
        let pattern = Pattern::new(&text, flags).map_err(|why| Failure::new(why).at("responses"))?;
        let answers = match given {
            Value::List(items) => Answers::InTurn(items.iter().map(Value::to_text).collect()),
            other => Answers::Always(other.to_text()),
        };
        Ok(Question { text, pattern, answers })
    };
    responses.iter().map(|(text, given)| question(text.to_string(), given)).collect()
}

/// Answers the question that stands first in the output.
fn answer(questions: &mut [Question], said: &[u8]) -> Result<Answer> {
    // One character a byte: places in the text are places in the output, and text of any encoding can be searched.
    let said: String = String::from_utf8(said.to_vec()).unwrap_or_else(|_| said.iter().map(|byte| char::from(byte & 0x7F)).collect());
    let mut first: Option<(usize, usize, &mut Question)> = None;
    for question in questions {
        let found = question.pattern.search(&said).map_err(|why| Failure::new(why).at("responses"))?;
        if let Some(found) = found.and_then(|found| found.get(0).map(|whole| (whole.start(), whole.end())))
            && first.as_ref().is_none_or(|(start, ..)| found.0 < *start)
        {
            first = Some((found.0, found.1, question));
        }
    }
    let Some((_, end, question)) = first else { return Ok(Answer::Wait) };
    let text = match &mut question.answers {
        Answers::Always(text) => text.clone(),
        Answers::InTurn(left) => left.pop_front().ok_or_else(|| {
            Failure::new(format!("No remaining responses for '{}', output was '{}'", question.text, &said[..end])).at("responses")
        })?,
    };
    Ok(Answer::Type { end, text: format!("{}\n", text.trim_end_matches('\n')).into_bytes() })
}

#[cfg(test)]
mod tests {
    use crate::base::{Map, Value};
    use crate::modules::testing::Machine;
    use crate::modules::{Output, find};
    use crate::system::{Failure, Overlay, System};

    fn really(command: &str, more: &[(&str, Value)]) -> Result<Output, Failure> {
        let mut arguments: Map = [("command", Value::from(command))].into_iter().collect();
        arguments.extend(&more.iter().cloned().collect());
        (find("expect").expect("is there").run)(arguments, &mut System::local())
    }

    fn responses(answer: impl Into<Value>) -> (&'static str, Value) {
        ("responses", Value::map([("(?i)name\\?", answer.into())]))
    }

    #[test]
    fn questions_are_answered_in_turn_and_the_answers_are_not_shown() {
        let twice = "sh -c 'printf \"Name?\"; read a; printf \"Name?\"; read b; echo; echo $a-$b'";
        let done = really(twice, &[responses(Value::list(["x", "y"]))]).expect("runs").values;
        assert_eq!(done.text("stdout"), Some("Name?Name?\r\nx-y"));
        assert_eq!(done.get("rc"), Some(&Value::Int(0)));
        let failure = really(twice, &[responses(Value::list(["x"]))]).expect_err("has no second answer");
        assert!(failure.message.starts_with("No remaining responses for '(?i)name\\?', output was"), "{}", failure.message);
    }

    #[test]
    fn a_program_that_stays_silent_too_long_or_fails_is_a_failure_with_its_output() {
        let failure = really("sleep 20", &[responses("x"), ("timeout", 1.into())]).expect_err("fails");
        assert_eq!((failure.message.as_str(), failure.values.get("rc")), ("command exceeded timeout", Some(&Value::Null)));
        let failure = really("ls /no/such", &[responses("x"), ("timeout", Value::Null)]).expect_err("fails");
        assert_eq!((failure.message.as_str(), failure.values.get("rc")), ("non-zero return code", Some(&Value::Int(2))));
    }

    #[test]
    fn a_command_that_was_run_before_is_not_run_again() {
        let mut machine = Machine::new(Overlay::empty().with_file("/done", ""));
        let ran = machine.task("expect: { command: install, responses: { a: b }, creates: /done }").expect("runs");
        assert_eq!(ran.output.values.text("stdout"), Some("skipped, since /done exists"));
        assert_eq!(machine.refusal("expect: { command: '', responses: { a: b } }"), "no command given");
    }
}
