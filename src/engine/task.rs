//! One task on one host: conditions, loop, retries, what it changed, what is remembered and told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::{Diagnostic, Map, Node, Value};
use crate::history::event::{Delegated, Event, Notice, Show, TaskResult};
use crate::language::Task;
use crate::template::Error as TemplateError;

use super::call::Call;
use super::cursor::Cursor;
use super::gate::Batch;
use super::keywords::TaskKeywords;
use super::outcome::{Include, Outcome};
use super::variables::HostScope;
use super::words::{self, Failing};

/// What a task came to on a host, for the cursor.
#[derive(Clone, Debug, Default)]
pub struct HostOutcome {
    pub outcome: Outcome,
    /// Failed, and let pass.
    pub ignored: bool,
    pub includes: Vec<Include>,
}

impl HostOutcome {
    /// Of a task that another host does for this one.
    pub fn of_another() -> Self {
        HostOutcome { outcome: Outcome { show: Show::Never, ..Outcome::default() }, ..HostOutcome::default() }
    }
}

/// A task about to run on a host.
pub struct TaskRun<'a> {
    pub cursor: &'a Cursor,
    pub task: &'a Arc<Task>,
    pub batch: &'a Arc<Batch>,
}

/// The settings of one execution, rendered once its item is known.
pub(super) struct Switches {
    no_log: bool,
    ignore_errors: bool,
    ignore_unreachable: bool,
    diff: bool,
}

impl TaskRun<'_> {
    /// Runs the task, tells what came of it, and remembers it.
    pub async fn run(&self) -> HostOutcome {
        let started = Instant::now();
        let scope = self.cursor.scope.at_task(self.task);
        let (mut outcome, includes) = match &self.task.loops {
            Some(loops) => self.run_loop(loops, &scope).await,
            None => {
                let mut outcome = self.run_item(&scope).await;
                let includes: Vec<Include> = outcome.include.take().into_iter().collect();
                (outcome, includes)
            }
        };
        outcome.milliseconds = outcome.milliseconds.max(started.elapsed().as_millis() as u64);
        self.remember(&outcome, &scope);
        let (switches, wrong) = self.switches(&scope);
        if let Some((word, error)) = wrong {
            outcome = Outcome::unprepared(Failing::Keyword(word), error);
        }
        let ignored = (outcome.failed && switches.ignore_errors) || (outcome.unreachable && switches.ignore_unreachable);
        self.tell(&outcome, ignored, &switches, &scope);
        HostOutcome { outcome, ignored, includes }
    }

    pub(super) fn keywords<'k>(&'k self, context: &'k crate::template::Context) -> TaskKeywords<'k> {
        TaskKeywords { task: self.task, templar: &self.cursor.run.templar, context }
    }

    /// The switches, and the first one that cannot be read: a result is masked rather than shown by mistake.
    pub(super) fn switches(&self, scope: &HostScope) -> (Switches, Option<(&'static str, Diagnostic)>) {
        let context = scope.context();
        let keywords = self.keywords(&context);
        let settings = &self.cursor.run.request.settings;
        let mut wrong = None;
        let mut flag = |word: &'static str, usual: bool, careful: bool| match keywords.flag(word) {
            Ok(flag) => flag.unwrap_or(usual),
            Err(error) => {
                wrong.get_or_insert((word, error));
                careful
            }
        };
        let switches = Switches {
            no_log: flag("no_log", settings.no_log, true),
            ignore_errors: flag("ignore_errors", false, false),
            ignore_unreachable: flag("ignore_unreachable", false, false),
            diff: flag("diff", self.cursor.run.request.diff, false),
        };
        (switches, wrong)
    }

    /// The first condition of a keyword that does not hold, as its text.
    pub(super) fn first_false(&self, word: &str, scope: &HostScope) -> Result<Option<Value>, Diagnostic> {
        let context = scope.context();
        for condition in self.keywords(&context).conditions(word) {
            if !self.cursor.run.condition(&condition, &context).map_err(Diagnostic::from)? {
                return Ok(Some(condition.to_value()));
            }
        }
        Ok(None)
    }

    /// One execution with its conditions and retries.
    pub(super) async fn run_item(&self, scope: &HostScope) -> Outcome {
        // As ansible-core does it: even where the task is skipped.
        if self.keywords(&scope.context()).text("delegate_to").is_ok_and(|name| name.is_some_and(|name| name.trim().is_empty())) {
            let error = Diagnostic::error("Empty hostname produced from delegate_to: \"\"").at(&self.task.span);
            return Outcome::unprepared(Failing::Task, error.help("`omit` leaves a task where it is"));
        }
        match self.first_false("when", scope) {
            Ok(None) => {}
            Ok(Some(condition)) => return Outcome::skipped_by(Some(condition)),
            Err(error) => return Outcome::unprepared(Failing::Condition, error),
        }
        match self.retries(scope) {
            Err(error) => Outcome::unprepared(Failing::Task, error),
            Ok(None) => {
                let outcome = self.attempt(scope).await;
                self.judged(outcome, scope)
            }
            Ok(Some(retries)) => self.retried(retries, scope).await,
        }
    }

    pub(super) fn retries(&self, scope: &HostScope) -> Result<Option<Retries>, Diagnostic> {
        let context = scope.context();
        let keywords = self.keywords(&context);
        let (until, retries) = (self.task.own("until"), keywords.number("retries")?);
        if until.is_none() && retries.is_none() {
            return Ok(None);
        }
        let delay = keywords.number("delay")?.unwrap_or(5.0).max(0.0);
        let attempts = retries.map_or(4, |retries| (retries.max(0.0) as u64) + 1);
        Ok(Some(Retries { until: until.is_some(), attempts, delay: Duration::from_secs_f64(delay) }))
    }

    async fn retried(&self, retries: Retries, scope: &HostScope) -> Outcome {
        let run = &self.cursor.run;
        let mut attempt = 1;
        loop {
            let mut outcome = self.attempt(scope).await;
            outcome.values.insert("attempts", attempt);
            let mut outcome = self.judged(outcome, scope);
            let done = match retries.until {
                false => Ok(!outcome.failed),
                true => self.until_holds(&outcome, scope),
            };
            match done {
                Ok(true) => return outcome,
                Err(error) => return Outcome::unprepared(Failing::Condition, error),
                Ok(false) if attempt >= retries.attempts || outcome.unreachable => {
                    outcome.values.insert("attempts", attempt.saturating_sub(1).max(1));
                    // `failed_when` has the last word on the host's fate; what is registered says that all attempts were in vain.
                    match outcome.failed_when {
                        Some(Value::Bool(false)) => drop(outcome.values.insert("failed", true)),
                        _ => outcome.failed = true,
                    }
                    return outcome;
                }
                Ok(false) => {}
            }
            let retries_left = retries.attempts - attempt;
            run.event(Event::Retry {
                task: self.batch.id,
                host: self.cursor.host.name.clone(),
                retries_left,
                result: outcome.shown().into(),
            });
            attempt += 1;
            tokio::time::sleep(retries.delay).await;
        }
    }

    fn until_holds(&self, outcome: &Outcome, scope: &HostScope) -> Result<bool, Diagnostic> {
        let inner = self.with_result(outcome, scope);
        let context = inner.context();
        for condition in super::keywords::list_of(self.task.own("until").unwrap_or(&Node::null(self.task.span.clone()))) {
            if !self.cursor.run.condition(&condition, &context).map_err(Diagnostic::from)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What templates know of an outcome: its registered name, the facts it brought.
    pub(super) fn learned(&self, outcome: &Outcome) -> Map {
        let mut locals = Map::new();
        for (key, value) in outcome.facts.iter() {
            locals.insert(key.clone(), value.clone());
        }
        if let Some(name) = self.task.own("register").and_then(Node::as_str) {
            locals.insert(name, outcome.registered());
        }
        locals
    }

    /// The scope in which a result is judged.
    fn with_result(&self, outcome: &Outcome, scope: &HostScope) -> HostScope {
        scope.with_locals(self.learned(outcome))
    }

    async fn attempt(&self, scope: &HostScope) -> Outcome {
        let call = match Call::prepare(self.cursor, self.task, self.batch, scope) {
            Ok(call) => call,
            Err(outcome) => return *outcome,
        };
        match call.timeout {
            Some(limit) => match tokio::time::timeout(limit, call.execute()).await {
                Ok(outcome) => outcome,
                Err(_) => Outcome::timed_out(self.task, limit),
            },
            None => call.execute().await,
        }
    }

    /// `changed_when` and `failed_when` have the last word.
    fn judged(&self, mut outcome: Outcome, scope: &HostScope) -> Outcome {
        if outcome.unreachable || outcome.skipped {
            return outcome;
        }
        for word in ["changed_when", "failed_when"] {
            let Some(node) = self.task.own(word) else { continue };
            let inner = self.with_result(&outcome, scope);
            let context = inner.context();
            let verdict = super::keywords::list_of(node)
                .iter()
                .try_fold(true, |all, condition| Ok(all && self.cursor.run.condition(condition, &context)?));
            match verdict {
                Err(error) => {
                    let error: Diagnostic = TemplateError::into(error);
                    let text: Value = words::condition_failed(&words::reason(&error)).into();
                    outcome.failed = true;
                    outcome.values.insert_default("msg", "");
                    match word {
                        "changed_when" => outcome.changed_when = Some(text),
                        _ => outcome.failed_when = Some(text),
                    }
                    outcome.error = Some(error);
                    return outcome;
                }
                Ok(verdict) if word == "changed_when" => outcome.changed = verdict,
                Ok(verdict) => {
                    if outcome.failed && !verdict {
                        outcome.values.insert("failed_when_suppressed_exception", "(traceback unavailable)");
                    }
                    outcome.failed = verdict;
                    outcome.failed_when = Some(verdict.into());
                    if !verdict {
                        outcome.error = None;
                    }
                }
            }
        }
        outcome
    }

    /// `register`, facts.
    fn remember(&self, outcome: &Outcome, scope: &HostScope) {
        if let Some(name) = self.task.own("register").and_then(Node::as_str) {
            for host in self.remembering_hosts(scope) {
                host.set_variable(name, outcome.registered().into());
            }
        }
        // What a failure brings along is not believed.
        if outcome.facts.is_empty() || outcome.failed || outcome.unreachable {
            return;
        }
        match self.task.short_action() {
            "set_fact" => {
                for host in self.facts_owners(scope) {
                    for (key, value) in outcome.facts.iter() {
                        host.set_variable(&key.to_string(), value.clone());
                    }
                }
            }
            "include_vars" => {}
            _ => self.facts_owners(scope).iter().for_each(|host| {
                host.learn_facts(&outcome.facts);
                self.cursor.run.keep_facts(host);
            }),
        }
    }

    fn remembering_hosts(&self, scope: &HostScope) -> Vec<Arc<super::state::HostState>> {
        vec![scope.host.clone()]
    }

    /// The host that facts belong to: with `delegate_facts` the one the task ran on.
    fn facts_owners(&self, scope: &HostScope) -> Vec<Arc<super::state::HostState>> {
        let context = scope.context();
        let keywords = self.keywords(&context);
        if keywords.flag("delegate_facts").ok().flatten() == Some(true)
            && let Ok(Some(other)) = keywords.text("delegate_to")
        {
            return vec![self.cursor.run.host(&other.as_str().into())];
        }
        vec![scope.host.clone()]
    }

    fn delegated(&self, scope: &HostScope) -> Option<Delegated> {
        let context = scope.context();
        let host: Arc<str> = match self.keywords(&context).text("delegate_to") {
            Ok(host) => host?.into(),
            // Its failure says why.
            Err(_) => self.task.keyword("delegate_to")?.to_value().to_text().into(),
        };
        let state = self.cursor.run.host(&host);
        let other = HostScope { host: state, scope: None, task: None, locals: Arc::default(), ..scope.clone() };
        let address = match crate::template::Variables::get(&other, "ansible_host") {
            Some(crate::template::Variable::Source(node)) => {
                self.cursor.run.templar.render(&node, &other.context()).ok().map(|value| Arc::from(value.to_text()))
            }
            Some(crate::template::Variable::Value(value)) => Some(Arc::from(value.to_text())),
            _ => None,
        };
        Some(Delegated { host, address })
    }

    fn result(&self, outcome: &Outcome, switches: &Switches, scope: &HostScope) -> TaskResult {
        let is_hidden = switches.no_log || outcome.is_secret;
        let mut shown = if is_hidden { outcome.censored() } else { outcome.shown() };
        if let Some(invocation) = outcome.invocation.as_ref().filter(|_| !is_hidden) {
            shown.insert("invocation", invocation.clone());
        }
        let mut result = TaskResult::new(self.batch.id, self.cursor.host.name.clone(), outcome.status(), shown.into());
        if !is_hidden {
            result.diffs = outcome.diffs.clone();
            result.error = outcome.error.clone().or_else(|| self.unexplained(outcome));
            result.notices = outcome.warnings.iter().map(|text| Notice::warning(Diagnostic::warning(text))).collect();
        }
        result.show_diff = switches.diff;
        // What nobody may see is not shown in full either.
        result.show = if is_hidden && outcome.show == Show::Always { Show::Verbose } else { outcome.show };
        result.milliseconds = outcome.milliseconds;
        result.delegated_to = self.delegated(scope);
        result
    }

    /// A failure that nothing but the result explains.
    fn unexplained(&self, outcome: &Outcome) -> Option<Diagnostic> {
        if !outcome.failed || self.task.loops.is_some() && outcome.values.contains_key("results") {
            return None;
        }
        let judge = self.task.own("failed_when").filter(|_| outcome.failed_when == Some(Value::Bool(true)));
        let text = match judge {
            Some(_) => "`failed_when` says that the task failed",
            None => outcome.values.text("msg").filter(|text| !text.is_empty()).unwrap_or("the task failed"),
        };
        Some(Diagnostic::error(text).at(&self.task.span))
    }

    fn tell(&self, outcome: &Outcome, ignored: bool, switches: &Switches, scope: &HostScope) {
        let mut result = self.result(outcome, switches, scope);
        result.ignored = ignored;
        result.rescued = self.cursor.is_rescued() && !ignored;
        self.cursor.run.event(Event::HostResult(result));
    }

    pub(super) fn tell_item(&self, outcome: &Outcome, scope: &HostScope, label: Value) {
        let (switches, _) = self.switches(scope);
        let mut result = self.result(outcome, &switches, scope);
        result.ignored = outcome.failed && switches.ignore_errors;
        if let Value::Map(map) = &result.result
            && !switches.no_log
        {
            let mut map = map.as_ref().clone();
            let name = self.loop_variable();
            map.insert("ansible_loop_var", name.as_str());
            if let Some(item) = scope.locals.get(&name) {
                map.insert(name.as_str(), item.clone());
            }
            result.result = map.into();
        }
        result.item = Some(if switches.no_log { "(censored due to no_log)".into() } else { label });
        self.cursor.run.event(Event::ItemResult(result));
    }

    fn loop_variable(&self) -> String {
        let control = self.task.own("loop_control");
        control.and_then(|control| control.get("loop_var")).and_then(Node::as_str).unwrap_or("item").to_owned()
    }
}

pub(super) struct Retries {
    until: bool,
    attempts: u64,
    delay: Duration,
}
