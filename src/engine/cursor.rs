//! One host's way through a play: blocks with rescue and always, roles once, includes where they stand, handlers at the flushes.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::base::{Diagnostic, Node, Value};
use crate::history::event::{Event, Show, TaskStarted};
use crate::language::{Block, Item, Task};

use super::gate::{Batch, Gate, Position};
use super::keywords::{is_selected, tags};
use super::meta;
use super::outcome::{Outcome, sentence};
use super::state::{HostState, PlayState, Run, lock, write};
use super::task::{HostOutcome, TaskRun};
use super::variables::HostScope;

/// How a host goes on after something ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    On,
    /// The task failed and nothing has caught it yet.
    Failed,
    Unreachable,
    /// The host has nothing more to do in this play (`meta: end_host`, `end_play`).
    EndHost,
    /// The current role is over (`meta: end_role`).
    EndRole,
}

/// One host in one play.
pub struct Cursor {
    pub run: Arc<Run>,
    pub play: Arc<PlayState>,
    pub host: Arc<HostState>,
    pub scope: HostScope,
    pub gate: Arc<Gate>,
    /// Bodies of blocks with a `rescue` that the host is inside of.
    rescues: AtomicUsize,
    notified: Mutex<std::collections::BTreeSet<usize>>,
    last_batch: Mutex<Option<Arc<Batch>>>,
    is_flushing: std::sync::atomic::AtomicBool,
}

pub type Walk<'a> = Pin<Box<dyn Future<Output = Flow> + Send + 'a>>;

/// Sections of a play, for positions.
pub mod section {
    pub const FACTS: usize = 0;
    pub const PRE_TASKS: usize = 1;
    pub const ROLES: usize = 3;
    pub const TASKS: usize = 4;
    pub const POST_TASKS: usize = 6;
    /// Handlers at the end of the section before.
    pub const FLUSH: usize = 1;
    pub const LAST: usize = 8;
}

impl Cursor {
    pub fn new(run: &Arc<Run>, play: &Arc<PlayState>, scope: HostScope, gate: &Arc<Gate>) -> Self {
        Cursor {
            run: run.clone(),
            play: play.clone(),
            host: scope.host.clone(),
            scope,
            gate: gate.clone(),
            rescues: AtomicUsize::new(0),
            notified: Mutex::default(),
            last_batch: Mutex::default(),
            is_flushing: std::sync::atomic::AtomicBool::new(false),
        }
    }

    /// Whether a failure now would be caught.
    pub fn is_rescued(&self) -> bool {
        self.rescues.load(Ordering::SeqCst) > 0
    }

    /// The whole play on this host.
    pub async fn walk(&self) -> Flow {
        let flow = self.sections().await;
        let force = self.run.request.settings.force_handlers || self.keyword_flag("force_handlers");
        if flow == Flow::Failed && force && !self.play.is_ended() {
            self.flush(vec![section::LAST]).await;
        }
        flow
    }

    fn keyword_flag(&self, word: &str) -> bool {
        let node = self.play.play.keyword(word);
        let value = node.and_then(|node| self.run.templar.render(node, &self.scope.context()).ok());
        value.and_then(|value| crate::modules::coerce::truth(&value)).unwrap_or(false)
    }

    async fn sections(&self) -> Flow {
        let play = &self.play.play;
        let roles: Vec<Item> = play.roles.iter().cloned().map(Item::Block).collect();
        let facts = super::facts::gathering_task(self).into_iter().map(Item::Task).collect::<Vec<_>>();
        let parts: [(usize, &[Item], bool); 5] = [
            (section::FACTS, &facts, false),
            (section::PRE_TASKS, &play.pre_tasks, true),
            (section::ROLES, &roles, false),
            (section::TASKS, &play.tasks, true),
            (section::POST_TASKS, &play.post_tasks, true),
        ];
        for (number, items, flushes) in parts {
            let flow = self.items(items, vec![number]).await;
            if flow != Flow::On && flow != Flow::EndRole {
                return flow;
            }
            if flushes {
                let flow = self.flush(vec![number + section::FLUSH]).await;
                if flow != Flow::On {
                    return flow;
                }
            }
        }
        Flow::On
    }

    /// A list of tasks and blocks, in order, until something stops it.
    pub fn items<'a>(&'a self, items: &'a [Item], position: Position) -> Walk<'a> {
        Box::pin(async move {
            for (index, item) in items.iter().enumerate() {
                let mut place = position.clone();
                place.push(index);
                let flow = match item {
                    Item::Task(task) => self.task(task, place).await,
                    Item::Block(block) => self.block(block, place).await,
                };
                if flow != Flow::On {
                    return flow;
                }
            }
            Flow::On
        })
    }

    async fn block(&self, block: &Arc<Block>, position: Position) -> Flow {
        if let Some(role) = &block.role_run
            && !role.allow_duplicates
            && lock(&self.host.roles_done).contains(&role.identity)
        {
            return Flow::On;
        }
        let branch = |number: usize| {
            let mut place = position.clone();
            place.push(number);
            place
        };
        let catches = !block.rescue.is_empty();
        self.rescues.fetch_add(usize::from(catches), Ordering::SeqCst);
        let mut flow = self.items(&block.body, branch(0)).await;
        self.rescues.fetch_sub(usize::from(catches), Ordering::SeqCst);
        if flow == Flow::Failed && catches {
            flow = self.items(&block.rescue, branch(1)).await;
            if flow == Flow::On {
                self.run.count(&self.host.name, |stats| stats.rescued += 1);
                write(&self.host.set).remove("ansible_failed_task");
                write(&self.host.set).remove("ansible_failed_result");
            }
        }
        if !matches!(flow, Flow::Unreachable | Flow::EndHost) && !block.always.is_empty() {
            let after = self.items(&block.always, branch(2)).await;
            flow = if after == Flow::On { flow } else { after };
        }
        if let Some(role) = &block.role_run
            && matches!(flow, Flow::On | Flow::EndRole)
        {
            lock(&self.host.roles_done).insert(role.identity.clone());
        }
        if flow == Flow::EndRole && block.role_run.is_some() { Flow::On } else { flow }
    }

    fn is_tagged_in(&self, task: &Task) -> bool {
        if task.implicit && task.is_meta() {
            return true;
        }
        let settings = &self.run.request.settings;
        let context = self.scope.at_scope(&task.scope).context();
        let render = |node: &Node| self.run.templar.render(node, &context).ok();
        is_selected(&tags(task, &render), &only(&settings.tags), &settings.skip_tags)
    }

    /// Whether `--start-at-task` still keeps this task from running.
    fn is_before_start(&self, task: &Arc<Task>) -> bool {
        if !self.run.waiting_for_start.load(Ordering::SeqCst) || task.implicit {
            return false;
        }
        let Some(wanted) = &self.run.request.start_at_task else { return false };
        let (name, title) = self.title(task);
        let matches = |text: &str| text == wanted || glob::Pattern::new(wanted).is_ok_and(|pattern| pattern.matches(text));
        let found = matches(&name) || matches(&title);
        if found {
            self.run.waiting_for_start.store(false, Ordering::SeqCst);
        }
        !found
    }

    pub fn title(&self, task: &Arc<Task>) -> (String, String) {
        let name = super::announce::name(&self.run, &self.scope.at_task(task), task);
        let title = match &task.scope.role {
            Some(role) => format!("{} : {name}", role.name),
            None => name.clone(),
        };
        (name, title)
    }

    /// One task of the list.
    pub async fn task(&self, task: &Arc<Task>, position: Position) -> Flow {
        if !self.is_tagged_in(task) {
            return Flow::On;
        }
        if task.is_meta() {
            return meta::run(self, task, position).await;
        }
        let batch = self.gate.arrive(&self.host.name, position.clone()).await;
        if let Some(flow) = self.stopped_by_others() {
            return flow;
        }
        if self.is_before_start(task) {
            return Flow::On;
        }
        *lock(&self.last_batch) = Some(batch.clone());
        let (name, title) = self.title(task);
        if !batch.announced.swap(true, Ordering::SeqCst) {
            super::announce::task(&self.run, &self.scope.at_task(task), task, &batch, name);
        }
        let outcome = self.run_in_batch(task, &batch).await;
        let flow = self.after(task, &title, &batch, &outcome);
        if flow == Flow::On && !outcome.includes.is_empty() {
            return super::includes::follow(self, task, &batch, outcome.includes, position).await;
        }
        flow
    }

    /// A batch before this one ended for all, or the play did.
    fn stopped_by_others(&self) -> Option<Flow> {
        if self.play.is_ended() {
            return Some(Flow::EndHost);
        }
        let last = lock(&self.last_batch).take();
        if last.is_some_and(|batch| batch.is_fatal()) {
            return Some(Flow::Failed);
        }
        None
    }

    async fn run_in_batch(&self, task: &Arc<Task>, batch: &Arc<Batch>) -> HostOutcome {
        let context = self.scope.at_task(task).context();
        let keywords = super::keywords::TaskKeywords { task, templar: &self.run.templar, context: &context };
        let once = self.gate.is_lockstep() && keywords.flag("run_once").ok().flatten() == Some(true);
        let throttle = keywords.number("throttle").ok().flatten().filter(|limit| *limit >= 1.0);
        let is_first = batch.hosts.first() == Some(&self.host.name);
        if once && !is_first {
            return self.take_over(task, batch).await;
        }
        let limiter = throttle.map(|limit| batch.throttle(limit as usize));
        let _turn = match &limiter {
            Some(limiter) => limiter.acquire().await.ok(),
            None => None,
        };
        let _fork = self.run.forks.acquire().await.ok();
        self.run.event(Event::HostTaskStarted { task: batch.id, host: self.host.name.clone() });
        let outcome = TaskRun { cursor: self, task, batch }.run().await;
        if once {
            // Nobody else sets it.
            batch.once.set(outcome.clone()).unwrap_or_default();
        }
        outcome
    }

    /// What `run_once` came to on the first host counts here too.
    async fn take_over(&self, task: &Arc<Task>, batch: &Arc<Batch>) -> HostOutcome {
        let taken = loop {
            match batch.once.get() {
                Some(outcome) => break outcome.clone(),
                None => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
            }
        };
        if let Some(name) = task.own("register").and_then(Node::as_str) {
            self.host.set_variable(name, taken.outcome.registered().into());
        }
        match task.short_action() {
            "set_fact" => taken.outcome.facts.iter().for_each(|(key, value)| self.host.set_variable(&key.to_string(), value.clone())),
            _ => self.host.learn_facts(&taken.outcome.facts),
        }
        HostOutcome { outcome: Outcome { show: Show::Never, ..taken.outcome }, ..taken }
    }

    /// Counts, notifies, and decides how the host goes on.
    fn after(&self, task: &Arc<Task>, title: &str, batch: &Arc<Batch>, done: &HostOutcome) -> Flow {
        let outcome = &done.outcome;
        let taken_over = outcome.show == Show::Never && batch.hosts.first() != Some(&self.host.name);
        if !taken_over {
            self.count(task, done);
        }
        if outcome.changed && !outcome.failed && !outcome.unreachable {
            self.notify(task);
        }
        if done.ignored {
            return Flow::On;
        }
        if outcome.unreachable {
            lock(&self.run.lost).insert(self.host.name.clone());
            return Flow::Unreachable;
        }
        if !outcome.failed {
            return Flow::On;
        }
        self.host.set_variable("ansible_failed_task", Value::map([("name", title), ("action", task.action.name.as_ref())]));
        self.host.set_variable("ansible_failed_result", outcome.registered().into());
        let context = self.scope.at_task(task).context();
        let keywords = super::keywords::TaskKeywords { task, templar: &self.run.templar, context: &context };
        let fatal = keywords.flag("any_errors_fatal").ok().flatten().unwrap_or(self.run.request.settings.any_errors_fatal);
        let once = keywords.flag("run_once").ok().flatten() == Some(true) && self.gate.is_lockstep();
        if fatal || once {
            batch.fatal.store(true, Ordering::SeqCst);
        }
        Flow::Failed
    }

    fn count(&self, task: &Task, done: &HostOutcome) {
        let outcome = &done.outcome;
        let will_be_rescued = self.is_rescued();
        self.run.count(&self.host.name, |stats| match () {
            _ if outcome.unreachable && done.ignored => {
                stats.ok += 1;
                stats.ignored += 1;
            }
            _ if outcome.unreachable => stats.unreachable += 1,
            _ if outcome.failed && done.ignored => {
                stats.ok += 1;
                stats.ignored += 1;
                stats.changed += u64::from(outcome.changed);
            }
            // Counted as rescued when the rescue has done its work.
            _ if outcome.failed && will_be_rescued => {}
            _ if outcome.failed => stats.failed += 1,
            _ if outcome.skipped => stats.skipped += 1,
            _ if task.is_include() && !done.includes.is_empty() => stats.ok += 1,
            _ => {
                stats.ok += 1;
                stats.changed += u64::from(outcome.changed);
            }
        });
    }

    /// Remembers which handlers the task wants.
    fn notify(&self, task: &Arc<Task>) {
        let scope = self.scope.at_task(task);
        let context = scope.context();
        for node in task.keywords_outermost_first("notify").into_iter().flat_map(super::keywords::list_of) {
            let rendered = self.run.templar.render(&node, &context).map_err(Diagnostic::from);
            let names: Vec<String> = match rendered {
                Ok(Value::List(names)) => names.iter().map(Value::to_text).collect(),
                Ok(name) => vec![name.to_text()],
                Err(error) => {
                    self.run.warn(error);
                    continue;
                }
            };
            for name in names {
                let numbers = super::handlers::matching(self, &name);
                if numbers.is_empty() {
                    let message = format!(
                        "The requested handler '{name}' was not found in either the main handlers list nor in the listening handlers list"
                    );
                    self.run.warn(Diagnostic::error(message).at(&node.span));
                    continue;
                }
                self.run.event(Event::HandlerNotified { handler: name.clone(), host: self.host.name.clone() });
                lock(&self.notified).extend(numbers);
            }
        }
    }

    /// Whether the handler of this number was notified; asking takes the notification back.
    pub fn take_notified(&self, number: usize) -> bool {
        lock(&self.notified).remove(&number)
    }

    /// Runs the handlers that were notified, in the order they are defined.
    pub fn flush(&self, position: Position) -> Walk<'_> {
        Box::pin(async move {
            if self.is_flushing.swap(true, Ordering::SeqCst) {
                return Flow::On;
            }
            let flow = super::handlers::flush(self, position).await;
            self.is_flushing.store(false, Ordering::SeqCst);
            flow
        })
    }

    /// A failure that has no task: shown as one.
    pub fn fail_at(&self, batch: &Arc<Batch>, diagnostic: Diagnostic) -> Flow {
        let mut result = crate::history::event::TaskResult::new(
            batch.id,
            self.host.name.clone(),
            crate::history::event::Status::Failed,
            Value::map([("changed", Value::Bool(false)), ("msg", sentence(&diagnostic).into())]),
        );
        result.error = Some(diagnostic);
        self.run.event(Event::HostResult(result));
        self.run.count(&self.host.name, |stats| stats.failed += 1);
        Flow::Failed
    }
}

/// `--tags` with its default.
pub fn only(tags: &[String]) -> Vec<String> {
    if tags.is_empty() { vec!["all".into()] } else { tags.to_vec() }
}

/// What a banner says.
pub fn started(id: crate::history::event::TaskId, task: &Task, name: String, check: bool) -> TaskStarted {
    TaskStarted {
        id,
        name,
        role: task.scope.role.as_ref().map(|role| role.name.clone()),
        action: task.action.name.clone(),
        span: task.span.clone(),
        is_handler: task.is_handler,
        is_loop: task.loops.is_some(),
        is_include: task.is_include(),
        arguments: None,
        check,
    }
}
