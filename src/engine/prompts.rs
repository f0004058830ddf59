//! `vars_prompt`: questions before a play begins. Answers are variables of the play.

use std::sync::Arc;

use crate::base::{Diagnostic, Map, Node, Span, Value};
use crate::history::event::Event;
use crate::language::{Play, Vars};
use crate::modules::coerce::truth;
use crate::template::{Context, Variable, Variables};

use super::state::{Run, plain};

type Result<T> = std::result::Result<T, Diagnostic>;

/// One question, its words rendered.
struct Prompt {
    name: String,
    question: String,
    default: Option<Value>,
    /// The answer is not shown while it is typed.
    is_private: bool,
    /// It says so itself: then the answer is a secret.
    is_secret: bool,
    confirm: bool,
    /// The hash that is made of the answer, and how.
    encrypt: Option<String>,
    hashing: Map,
    /// The answer is data; else it may hold templates.
    is_unsafe: bool,
}

/// Asks what `-e` does not say already.
///
/// # Errors
/// A question cannot be rendered, or the terminal cannot be read.
pub fn ask_all(run: &Run, play: &Play, context: &Context) -> Result<Vars> {
    let mut vars = Vars::new();
    for node in play.prompts() {
        let prompt = Prompt::read(run, node, context)?;
        if run.extra_vars.contains_key(prompt.name.as_str()) {
            continue;
        }
        let answer = prompt.answer(run)?;
        let answer = match &prompt.encrypt {
            Some(scheme) => prompt.hashed(run, &answer, scheme, context)?,
            None => answer,
        };
        let node = match prompt.is_unsafe {
            true => plain(answer.into()),
            false => Node::text(Span::origin("<answer>"), answer),
        };
        vars.insert(prompt.name.into(), node);
    }
    Ok(vars)
}

impl Prompt {
    fn read(run: &Run, node: &Node, context: &Context) -> Result<Self> {
        let value = |word: &str| -> Result<Option<Value>> {
            let value = node.get(word).map(|node| run.templar.render(node, context).map_err(Diagnostic::from)).transpose()?;
            Ok(value.filter(|value| !value.is_null()))
        };
        let text = |word: &str| Ok::<_, Diagnostic>(value(word)?.map(|value| value.to_text()));
        let flag = |word: &str| Ok::<_, Diagnostic>(value(word)?.and_then(|value| truth(&value)));
        let name = text("name")?.unwrap_or_default();
        let private = flag("private")?;
        let mut hashing = Map::new();
        for word in ["salt", "salt_size"] {
            if let Some(value) = value(word)? {
                hashing.insert(word, value);
            }
        }
        Ok(Prompt {
            question: text("prompt")?.unwrap_or_else(|| name.clone()),
            name,
            default: value("default")?,
            is_private: private.unwrap_or(true),
            is_secret: private.unwrap_or(false),
            confirm: flag("confirm")?.unwrap_or(false),
            encrypt: text("encrypt")?.filter(|scheme| !scheme.is_empty()),
            hashing,
            is_unsafe: flag("unsafe")?.unwrap_or(false),
        })
    }

    fn answer(&self, run: &Run) -> Result<String> {
        let default = self.default.as_ref().map(Value::to_text);
        if !run.request.console.is_interactive() {
            run.warn(Diagnostic::warning("Not prompting as we are not in interactive mode"));
            // As ansible-core: what nobody answered is the text of Python's nothing.
            return Ok(default.unwrap_or_else(|| "None".into()));
        }
        let shown = match &default {
            _ if self.question.is_empty() => format!("input for {}: ", self.name),
            Some(default) => format!("{} [{default}]: ", self.question),
            None => format!("{}: ", self.question),
        };
        run.journal.flush();
        let read = |text: &str| {
            let answer = tokio::task::block_in_place(|| run.request.console.ask(text, self.is_private));
            answer.map(Option::unwrap_or_default).map_err(|error| Diagnostic::error(format!("the terminal cannot be read: {error}")))
        };
        let answer = loop {
            let answer = read(&shown)?;
            if !self.confirm || read(&format!("confirm {shown}"))? == answer {
                break answer;
            }
            run.event(Event::Message { text: "***** VALUES ENTERED DO NOT MATCH ****".into(), verbosity: 0 });
            run.journal.flush();
        };
        if self.is_secret || self.encrypt.is_some() {
            run.controller.redactor.learn(&answer);
        }
        Ok(if answer.is_empty() { default.unwrap_or_default() } else { answer })
    }

    /// The answer's hash, as the filter `password_hash` makes it.
    fn hashed(&self, run: &Run, answer: &str, scheme: &str, context: &Context) -> Result<String> {
        let mut known = self.hashing.clone();
        known.insert("answer", answer);
        known.insert("encrypt", scheme);
        let arguments: String = self.hashing.keys().map(|word| format!(", {word}={word}")).collect();
        let context = context.with_variables(Arc::new(Known(known)));
        let expression = format!("answer | password_hash(encrypt{arguments})");
        let hash = run.templar.evaluate(&expression, &Span::origin("<vars_prompt>"), &context).map_err(Diagnostic::from)?;
        Ok(hash.to_text())
    }
}

struct Known(Map);

impl Variables for Known {
    fn get(&self, name: &str) -> Option<Variable> {
        self.0.get(name).cloned().map(Variable::Value)
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().map(ToString::to_string).collect()
    }
}
