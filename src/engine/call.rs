//! One execution of an action: its arguments rendered, its place found; run on the controller or sent to the agent.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Diagnostic, Map, Node, Span, Value};
use crate::history::event::{Event, Stream};
use crate::language::Task;
use crate::modules::{self, ArgKind};
use crate::template::{Context, OMIT, Templar};
use crate::transport::{Destination, LinkError, OutputLine};
use crate::wire::TaskRequest;

use super::actions;
use super::becoming;
use super::connections::{Defaults, Place, Reader, destination};
use super::cursor::Cursor;
use super::gate::Batch;
use super::keywords::TaskKeywords;
use super::outcome::Outcome;
use super::state::{Run, read};
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
    environment: Vec<(String, String)>,
    place: Result<Place, Diagnostic>,
    pub background: Option<Background>,
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
        let args = arguments(task, &keywords, &run.templar, &context)?;
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
        })
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
        match actions::run(self).await {
            Some(outcome) => outcome,
            None => match self.background {
                Some(background) => actions::background::start(self, background).await,
                None => self.module(&self.task.action.name, self.args.clone()).await,
            },
        }
    }

    /// Runs a module on the task's host.
    pub async fn module(&self, name: &str, args: Map) -> Outcome {
        let Some(entry) = modules::find(name) else { return self.no_such_module(name) };
        self.hide_secrets(entry, &args);
        // Shown from `-vvv` on, and never registered.
        let invocation = (self.run.request.settings.verbosity >= 3).then(|| entry.invocation(&args));
        let mut request = TaskRequest {
            module: entry.name.to_owned(),
            args,
            check: self.check,
            plan: self.run.request.check && self.run.request.foresees,
            diff: self.diff,
            environment: self.environment.clone(),
            interpreter: self.interpreter(),
            ..TaskRequest::default()
        };
        request.timeout = self.background.map(|background| background.limit);
        let mut outcome = self.send(request).await;
        outcome.lists_diffs = LISTS_OF_DIFFS.contains(&self.task.short_action());
        outcome.invocation = invocation.filter(|_| !outcome.unreachable);
        outcome
    }

    /// The Python that the task names for itself. What an inventory says of hosts is of no interest: no module is run by Python.
    fn interpreter(&self) -> Option<String> {
        let node = self.task.vars.get("ansible_python_interpreter")?;
        let named = self.run.templar.render(node, &self.context).ok()?.to_text();
        let program = named.split_whitespace().next()?;
        (!program.starts_with("auto")).then(|| program.to_owned())
    }

    /// The request as it goes to the agent behind the task's place.
    pub async fn send(&self, request: TaskRequest) -> Outcome {
        let place = match self.place() {
            Ok(place) => place,
            Err(outcome) => return *outcome,
        };
        match self.run.connections.link(place).await {
            Err(error) => failed_link(&error),
            Ok(link) => match link.run(request, Some(self.output())).await {
                Ok(reply) => {
                    let option = reply.option.clone();
                    let mut outcome = Outcome::from_reply(reply);
                    if outcome.failed {
                        outcome.error = Some(self.explain(&outcome, option.as_deref()));
                    }
                    outcome
                }
                Err(error) => failed_link(&error),
            },
        }
    }

    fn output(&self) -> OutputLine {
        let (run, task, host) = (self.run.clone(), self.batch.id, self.cursor.host.name.clone());
        Arc::new(move |line: &str| {
            run.event(Event::Output { task, host: host.clone(), stream: Stream::Stdout, line: line.to_owned() });
        })
    }

    /// The place in the playbook that a failure on the host belongs to.
    fn explain(&self, outcome: &Outcome, option: Option<&str>) -> Diagnostic {
        let message = outcome.values.text("msg").unwrap_or("the task failed").to_owned();
        let span = option.and_then(|option| self.source(option)).map_or(&self.task.span, |node| &node.span);
        Diagnostic::error(message).at(span)
    }

    fn no_such_module(&self, name: &str) -> Outcome {
        Outcome::error(super::preflight::unknown_action(name, self.span()))
    }

    /// Values of options that are secret by their nature are masked wherever they would be shown.
    fn hide_secrets(&self, entry: &modules::Entry, args: &Map) {
        for spec in (entry.specs)().iter().filter(|spec| spec.kind == ArgKind::Secret && spec.name != "content") {
            for name in std::iter::once(&spec.name).chain(spec.aliases) {
                if let Some(text) = args.text(name) {
                    self.run.controller.redactor.learn(text);
                }
            }
        }
    }
}

/// Actions whose result has a list of differences, be it of one.
const LISTS_OF_DIFFS: &[&str] = &["blockinfile", "copy", "lineinfile", "template"];

/// What a link that does not work makes of a task.
pub fn failed_link(error: &LinkError) -> Outcome {
    match error.is_unreachable() {
        true => Outcome::unreachable(error.to_string()),
        false => Outcome::failed(error.to_string()),
    }
}

fn unprepared(what: Failing<'_>, why: Diagnostic) -> Box<Outcome> {
    Box::new(Outcome::unprepared(what, why))
}

/// The rendered arguments: defaults of `module_defaults` below what the task says, `omit` left out.
fn arguments(task: &Task, keywords: &TaskKeywords<'_>, templar: &Templar, context: &Context) -> Result<Map, Box<Outcome>> {
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
    if let Some(whole) = &written.whole {
        if !whole.as_str().is_some_and(crate::language::is_one_expression) {
            let message = format!("Action `{full}` does not support raw params.");
            return Err(unprepared(Failing::Task, Diagnostic::error(message).at(&whole.span)));
        }
        match render("args", whole)? {
            Value::Map(map) => args.extend(&map),
            Value::Null => {}
            Value::Str(text) if text.as_ref() == OMIT => {}
            other => {
                let message = format!("the arguments of `{}` are a mapping, not text such as `{}`", task.action.name, other.to_text());
                return Err(unprepared(Failing::Task, Diagnostic::error(message).at(&whole.span)));
            }
        }
    }
    for (name, node) in &written.options {
        if actions::kept_as_source(action).contains(&name.as_str()) {
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
            text => drop(args.insert("_raw_params", text)),
        }
    }
    Ok(args)
}

/// Where the task runs and as whom.
fn place(run: &Arc<Run>, scope: &HostScope, keywords: &TaskKeywords<'_>) -> Result<Place, Diagnostic> {
    let settings = &run.request.settings;
    let delegated = keywords.text("delegate_to")?;
    let target = match &delegated {
        Some(name) => {
            let known = read(&run.inventory).host(name).map(|host| host.name.clone());
            let host = run.host(&known.unwrap_or_else(|| name.as_str().into()));
            HostScope { host, ..scope.clone() }
        }
        None => scope.clone(),
    };
    let name = target.host.name.clone();
    let is_implicit = read(&run.inventory).host(&name).is_none_or(|host| host.is_implicit);
    let is_implicit = is_implicit && crate::inventory::LOCALHOST.contains(&name.as_ref());
    let context = target.context();
    let reader = Reader { context: &context, templar: &run.templar, variables: &target };
    let defaults = Defaults {
        connection: match delegated {
            // A delegated task goes where its host is; the play's `connection` is about the play's own hosts.
            Some(_) => None,
            None => keywords.text("connection")?,
        },
        user: keywords.text("remote_user")?,
        port: keywords.number("port")?.map(|port| port as u16),
        password: run.request.connection_password.clone(),
        control_folder: run.control_folder(),
    };
    let destination = destination(&name, is_implicit, &reader, settings, &defaults)?;
    Ok(Place { lane: scope.host.name.clone(), becoming: becoming::read(run, keywords, &reader, &destination)?, destination })
}

impl Call<'_> {
    /// The destination of the task, to forget its link.
    pub fn destination(&self) -> Result<Destination, Box<Outcome>> {
        Ok(self.place()?.destination.clone())
    }

    /// The module of the task on a link of its own, to be waited for elsewhere.
    pub async fn detached(&self, background: Background) -> Result<impl Future<Output = Outcome> + Send + 'static, Box<Outcome>> {
        let place = self.place()?;
        let Some(entry) = modules::find(&self.task.action.name) else { return Err(Box::new(self.no_such_module(&self.task.action.name))) };
        let link = self.run.connections.fresh(place).await.map_err(|error| Box::new(failed_link(&error)))?;
        let request = TaskRequest {
            module: entry.name.to_owned(),
            args: self.args.clone(),
            environment: self.environment.clone(),
            timeout: Some(background.limit),
            ..TaskRequest::default()
        };
        Ok(async move {
            match link.run(request, None).await {
                Ok(reply) => Outcome::from_reply(reply),
                Err(error) => failed_link(&error),
            }
        })
    }
}
