//! One execution of an action: its arguments rendered, its place found; run on the controller or sent to the agent.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Diagnostic, Map, Node, Span, Value};
use crate::language::{Task, takes_free_text};
use crate::modules;
use crate::template::{Context, OMIT};

use super::actions;
use super::connections::{Place, Reader};
use super::cursor::Cursor;
use super::gate::Batch;
use super::keywords::TaskKeywords;
use super::library::{self, ActionPlugin};
use super::outcome::Outcome;
use super::place::place;
use super::state::Run;
use super::variables::HostScope;
use super::words::Failing;

/// Everything one execution needs.
pub struct Call<'a> {
    pub cursor: &'a Cursor,
    pub run: &'a Arc<Run>,
    pub task: &'a Arc<Task>,
    pub batch: &'a Arc<Batch>,
    pub scope: &'a HostScope,
    pub context: Context,
    /// Rendered options; what an action wants to render itself is not among them.
    pub args: Map,
    pub check: bool,
    pub diff: bool,
    pub timeout: Option<Duration>,
    pub(super) environment: Vec<(String, String)>,
    place: Result<Place, Diagnostic>,
    pub background: Option<Background>,
    /// Whether it is one of the things that an action plugin in Python does on its way.
    pub is_part: bool,
}

/// Under which conditions a part of an action is done.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    pub check: bool,
    pub diff: bool,
    pub environment: Vec<(String, String)>,
    /// As the user that the task becomes, where it does.
    pub becomes: bool,
    /// As a job, where the task says `async`.
    pub in_background: bool,
}

/// The longest `timeout` of a task in seconds, as ansible-core has it.
const LONGEST_TIMEOUT: f64 = 100_000_000.0;

/// `async`.
#[derive(Clone, Copy, Debug)]
pub struct Background {
    pub limit: u64,
    pub poll: u64,
}

impl<'a> Call<'a> {
    /// Renders what the execution needs.
    ///
    /// # Errors
    /// A template or keyword is wrong, at its place.
    pub fn prepare(cursor: &'a Cursor, task: &'a Arc<Task>, batch: &'a Arc<Batch>, scope: &'a HostScope) -> Result<Self, Box<Outcome>> {
        let run = &cursor.run;
        let context = scope.context();
        let keywords = TaskKeywords { task, templar: &run.templar, context: &context };
        let args = arguments(task, &keywords, library::action(run, task).as_ref())?;
        let flag = |word: &'static str| keywords.flag(word).map_err(|why| unprepared(Failing::Keyword(word), why));
        let number = |word: &'static str| keywords.number(word).map_err(|why| unprepared(Failing::Keyword(word), why));
        keywords.text("delegate_to").map_err(|why| unprepared(Failing::Task, why))?;
        flag("become")?;
        for word in ["become_flags", "become_method", "become_user", "connection", "port", "remote_user"] {
            keywords.value(word).map_err(|why| unprepared(Failing::Keyword(word), why))?;
        }
        let check = flag("check_mode")?.unwrap_or(run.request.check);
        let seconds = number("timeout")?.unwrap_or(run.request.settings.task_timeout as f64);
        if !(0.0..=LONGEST_TIMEOUT).contains(&seconds) {
            let message = format!("Timeout {seconds} is invalid, it must be between 0 and {LONGEST_TIMEOUT}.");
            return Err(unprepared(Failing::Task, Diagnostic::error(message).at(&task.span)));
        }
        let limit = number("async")?.unwrap_or(0.0) as u64;
        let poll = number("poll")?.map_or(run.request.settings.poll_interval, |poll| poll as u64);
        Ok(Call {
            cursor,
            run,
            task,
            batch,
            scope,
            args,
            check,
            diff: flag("diff")?.unwrap_or(run.request.diff),
            timeout: (seconds > 0.0).then(|| Duration::from_secs_f64(seconds)),
            environment: keywords.environment().map_err(|why| unprepared(Failing::Keyword("environment"), why))?,
            place: place(run, scope, &keywords),
            background: (limit > 0).then_some(Background { limit, poll }),
            context: context.clone(),
            is_part: false,
        })
    }

    /// What an action plugin does on its way, at its own place: another action, with rendered options.
    pub fn part<'b>(&'b self, task: &'b Arc<Task>, args: Map, conditions: Conditions) -> Call<'b> {
        let place = self.place.clone();
        Call {
            task,
            args,
            check: conditions.check,
            diff: conditions.diff,
            environment: conditions.environment,
            place: if conditions.becomes { place } else { place.map(|place| Place { becoming: None, ..place }) },
            timeout: None,
            background: self.background.filter(|_| conditions.in_background),
            is_part: true,
            context: self.context.clone(),
            ..*self
        }
    }

    pub fn span(&self) -> &Span {
        &self.task.action.span
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.args.get(name).filter(|value| !value.is_null()).map(Value::to_text)
    }

    /// A variable of the task's host, rendered.
    ///
    /// # Errors
    /// It cannot be rendered.
    pub fn variable(&self, name: &str) -> Result<Option<Value>, Diagnostic> {
        Reader { context: &self.context, templar: &self.run.templar, variables: self.scope }.value(&[name])
    }

    /// A boolean option.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.args.get(name).and_then(modules::coerce::truth).unwrap_or(default)
    }

    /// An option as it was written, for actions that evaluate it themselves.
    pub fn source(&self, name: &str) -> Option<&Node> {
        self.task.action.arguments.get(name)
    }

    /// A failure at an option, or at the action.
    pub fn wrong(&self, option: &str, message: impl Into<String>) -> Outcome {
        let span = self.source(option).map_or_else(|| self.span().clone(), |node| node.span.clone());
        Outcome::error(Diagnostic::error(message).at(&span))
    }

    pub fn place(&self) -> Result<&Place, Box<Outcome>> {
        self.place.as_ref().map_err(|error| unprepared(Failing::Task, error.clone()))
    }

    /// Runs the action.
    pub async fn execute(&self) -> Outcome {
        if !self.is_part
            && let Some(plugin) = library::action(self.run, self.task)
        {
            return library::run(self, &plugin).await;
        }
        match actions::run(self).await {
            Some(outcome) => outcome,
            None => self.run_module().await,
        }
    }

    /// Runs the module of the action's name, without anything of the controller's before it.
    pub async fn run_module(&self) -> Outcome {
        match self.background {
            Some(background) => actions::background::start(self, background).await,
            None => self.finish(&self.task.action.name, self.args.clone()).await,
        }
    }

    /// The same, for a rehearsal within an execution.
    pub fn execute_boxed(&self) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        Box::pin(self.execute())
    }
}

fn unprepared(what: Failing<'_>, why: Diagnostic) -> Box<Outcome> {
    Box::new(Outcome::unprepared(what, why))
}

/// The rendered arguments: defaults of `module_defaults` below what the task says, `omit` left out.
fn arguments(task: &Task, keywords: &TaskKeywords<'_>, plugin: Option<&ActionPlugin>) -> Result<Map, Box<Outcome>> {
    let TaskKeywords { templar, context, .. } = keywords;
    let action = task.short_action();
    let full = match modules::find(&task.action.name) {
        Some(entry) => entry.name.to_owned(),
        None if actions::NAMES.contains(&action) => format!("ansible.builtin.{action}"),
        None => task.action.name.to_string(),
    };
    let render = |option: &str, node: &Node| {
        let failing = Failing::Option { action: &full, option };
        templar.render(node, context).map_err(|why| unprepared(failing, why.into()))
    };
    let names = [actions::stands_for(action), &[action, &full]].concat();
    let mut args = keywords.module_defaults(&names).map_err(|why| unprepared(Failing::Keyword("module_defaults"), why))?;
    let written = &task.action.arguments;
    let kept: &[&str] = if plugin.is_some() { &[] } else { actions::kept_as_source(action) };
    let takes_text = takes_free_text(action) || plugin.is_some_and(|plugin| plugin.takes_text);
    let no_text = |node: &Node| {
        let message = format!("Action `{full}` does not support raw params.");
        unprepared(Failing::Task, Diagnostic::error(message).at(&node.span))
    };
    for whole in &written.whole {
        if !takes_text && !whole.as_str().is_some_and(crate::language::is_one_expression) {
            return Err(no_text(whole));
        }
        match render("args", whole)? {
            Value::Map(map) => args.extend(&map),
            Value::Null => {}
            Value::Str(text) if text.as_ref() == OMIT => {}
            text if takes_text => drop(args.insert("_raw_params", text)),
            other => {
                let kind = other.type_name();
                let message = format!("Finalization of task args for `{full}` failed: Task args must resolve to a `dict` not `{kind}`.");
                return Err(unprepared(Failing::Task, Diagnostic::error(message).at(&whole.span)));
            }
        }
    }
    for (name, node) in &written.options {
        if kept.contains(&name.as_str()) {
            continue;
        }
        let value = render(name, node)?;
        // Names of facts may be templates; other options are what they are.
        let name = match action == "set_fact" && name.contains("{{") {
            true => match render(name, &Node::text(node.span.clone(), name.as_str()))? {
                Value::Str(name) => name.to_string(),
                other => {
                    let message = format!("Invalid variable name `{}` of type `{}`.", other.to_text(), other.type_name());
                    return Err(unprepared(Failing::Task, Diagnostic::error(message).at(&node.span)));
                }
            },
            false => name.clone(),
        };
        if value.as_str() == Some(OMIT) {
            args.remove(&name);
        } else {
            args.insert(name.as_str(), value);
        }
    }
    if let Some(raw) = &written.raw {
        match render("_raw_params", raw)? {
            // Free text that is one template and becomes a mapping: `add_host: "{{ host }}"`.
            Value::Map(map) => args.extend(&map),
            _ if !takes_text => return Err(no_text(raw)),
            text => drop(args.insert("_raw_params", text)),
        }
    }
    Ok(args)
}
