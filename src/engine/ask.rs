//! What a call asks of its host: a module's reply, alone or as one of several, at once or ahead of its time.

use std::sync::Arc;

use crate::base::{Diagnostic, Map, Value};
use crate::history::event::{Event, Stream};
use crate::modules::{self, ArgKind};
use crate::transport::{Destination, LinkError, OutputLine};
use crate::wire::{TaskReply, TaskRequest};

use super::ahead::{Claim, brings_facts};
use super::call::Call;
use super::library;
use super::outcome::Outcome;

/// What is remembered of a request while it is on its way.
struct Asked {
    /// Whether it runs a module of the project's, which tells of itself.
    is_custom: bool,
    /// What is shown of the arguments from `-vvv` on, and never registered.
    invocation: Option<Value>,
}

impl Call<'_> {
    /// Runs a module on the task's host, as one of the things that the action does there.
    pub async fn module(&self, name: &str, args: Map) -> Outcome {
        if let Some(unfinished) = &self.scope.rehearsal {
            unfinished.give_up();
            return Outcome::failed("what comes of a module is not known yet");
        }
        match self.request(name, args) {
            Ok(request) => {
                let asked = self.asked(&request);
                self.as_shown(self.send(request).await, asked)
            }
            Err(outcome) => *outcome,
        }
    }

    /// Runs a module on the task's host, as the last thing that the action does: its outcome is the action's. Tasks after this one are sent
    /// meanwhile, and this one may have been.
    pub async fn finish(&self, name: &str, args: Map) -> Outcome {
        if self.is_part {
            return self.module(name, args).await;
        }
        let request = match self.request(name, args) {
            Ok(request) => request,
            Err(outcome) => return *outcome,
        };
        if let Some(unfinished) = &self.scope.rehearsal {
            unfinished.would_send(request);
            return Outcome::default();
        }
        let asked = self.asked(&request);
        let window = &self.cursor.ahead;
        let outcome = match window.claim(self.task, &request) {
            Claim::Nothing => self.send_first(request).await,
            Claim::Another => match window.take_back().await {
                true => Outcome::failed("a task ran before its time, which must not be; this is a bug of Hostler: please report it"),
                false => self.send_first(request).await,
            },
            Claim::Sent(sent) => match sent.reply(self.output()).await {
                Ok(reply) if reply.dropped => {
                    window.forget();
                    self.send_first(request).await
                }
                answer => self.answered(answer),
            },
        };
        let is_reckoned_with = outcome.facts.is_empty() || brings_facts(self.task) || asked.is_custom;
        debug_assert!(is_reckoned_with, "`{name}` brings facts that no rehearsal reckons with");
        if outcome.failed || outcome.unreachable {
            window.forget();
        }
        self.as_shown(outcome, asked)
    }

    fn request(&self, name: &str, args: Map) -> Result<TaskRequest, Box<Outcome>> {
        let find = if self.is_part { library::module } else { library::find };
        let custom = (*name == *self.task.action.name).then(|| find(self.run, self.task)).flatten();
        let (name, args) = match custom {
            Some(module) => (modules::commands::CUSTOM_MODULE, library::request(self, name, &module, args)?),
            None => (name, args),
        };
        let Some(entry) = modules::find(name) else { return Err(Box::new(self.no_such_module(name))) };
        self.hide_secrets(entry, &args);
        Ok(TaskRequest {
            module: entry.name.to_owned(),
            args,
            check: self.check,
            plan: self.run.request.check && self.run.request.foresees,
            diff: self.diff,
            environment: self.environment.clone(),
            interpreter: self.interpreter(),
            ..TaskRequest::default()
        })
    }

    fn asked(&self, request: &TaskRequest) -> Asked {
        let is_custom = request.module == modules::commands::CUSTOM_MODULE;
        let is_shown = self.run.request.settings.verbosity >= 3 && !is_custom;
        let invocation = modules::find(&request.module).filter(|_| is_shown).map(|entry| entry.invocation(&request.args));
        Asked { is_custom, invocation }
    }

    fn as_shown(&self, outcome: Outcome, asked: Asked) -> Outcome {
        let lists_diffs = LISTS_OF_DIFFS.contains(&self.task.short_action());
        let outcome = if asked.is_custom { library::adopt(self, outcome) } else { outcome };
        let invocation = asked.invocation.filter(|_| !outcome.unreachable).or_else(|| outcome.invocation.clone());
        Outcome { lists_diffs, invocation, ..outcome }
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
            Ok(link) => self.answered(link.run(request, Some(self.output())).await),
        }
    }

    /// The same, and what comes after it is sent while the host works on it.
    async fn send_first(&self, request: TaskRequest) -> Outcome {
        let place = match self.place() {
            Ok(place) => place,
            Err(outcome) => return *outcome,
        };
        let link = match self.run.connections.link(place).await {
            Err(error) => return failed_link(&error),
            Ok(link) => link,
        };
        match link.ask(request, Some(self.output())) {
            Err(error) => failed_link(&error),
            Ok(asked) => {
                self.cursor.send_ahead(self, place, &link, asked.id()).await;
                self.answered(asked.answer().await)
            }
        }
    }

    pub(super) fn answered(&self, answer: Result<TaskReply, LinkError>) -> Outcome {
        match answer {
            Err(error) => failed_link(&error),
            Ok(reply) => {
                let option = reply.option.clone();
                let mut outcome = Outcome::from_reply(reply);
                if outcome.failed {
                    outcome.error = Some(self.explain(&outcome, option.as_deref()));
                }
                outcome
            }
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
        Outcome::error(super::preflight::unknown_action(self.run, name, self.span()))
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

    /// The destination of the task, to forget its link.
    pub fn destination(&self) -> Result<Destination, Box<Outcome>> {
        Ok(self.place()?.destination.clone())
    }

    /// Starts a module on the task's host as a job that leaves its result in a folder there.
    pub async fn job(&self, name: &str, args: Map, folder: String) -> Outcome {
        match self.request(name, args) {
            Ok(request) => {
                let timeout = self.background.map(|background| background.limit);
                self.send(TaskRequest { job: Some(folder), timeout, ..request }).await
            }
            Err(outcome) => *outcome,
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
