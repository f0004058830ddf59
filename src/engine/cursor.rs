//! One host's way through a play: blocks with rescue and always, roles once, includes where they stand, handlers at the flushes.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::base::{Diagnostic, Node};
use crate::history::event::{Event, Show};
use crate::language::{Block, Item, Task};

use super::ahead::{Step, Upcoming, Window};
use super::gate::{Batch, Gate, Position, Turn};
use super::keywords::TaskKeywords;
use super::library;
use super::meta;
use super::outcome::{Include, Outcome};
use super::section;
use super::state::{HostState, PlayState, Run, lock, write};
use super::task::{HostOutcome, TaskRun};
use super::variables::HostScope;
use super::words;

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
    /// The failure of a `run_once` that ran on another host, not dealt with yet. As in ansible-core it counts twice in the innermost block: in
    /// its body, and in its `rescue`, or in its `always` where there is none.
    failed_twice: AtomicBool,
    /// Notifications that no flush has looked at yet, as they were given.
    pub notified: Mutex<Vec<String>>,
    /// Numbers of handlers that the flush still has to run.
    pub due: Mutex<BTreeSet<usize>>,
    last_batch: Mutex<Option<Arc<Batch>>>,
    is_flushing: AtomicBool,
    /// `--start-at-task` names a task that the host has not come to.
    pub(super) is_before_start: AtomicBool,
    /// What comes next, for the tasks that are sent ahead.
    pub upcoming: Upcoming,
    /// The tasks that were sent ahead.
    pub ahead: Window,
    /// `meta: clear_host_errors` ran in an `always`.
    pub errors_cleared: Arc<AtomicBool>,
}

pub type Walk<'a> = Pin<Box<dyn Future<Output = Flow> + Send + 'a>>;

impl Cursor {
    pub fn new(run: &Arc<Run>, play: &Arc<PlayState>, scope: HostScope, gate: &Arc<Gate>) -> Self {
        let errors_cleared = Arc::new(AtomicBool::new(false));
        write(&play.errors_cleared).push(errors_cleared.clone());
        Cursor {
            run: run.clone(),
            play: play.clone(),
            host: scope.host.clone(),
            scope,
            gate: gate.clone(),
            rescues: AtomicUsize::new(0),
            failed_twice: AtomicBool::new(false),
            notified: Mutex::default(),
            due: Mutex::default(),
            last_batch: Mutex::default(),
            is_flushing: AtomicBool::new(false),
            is_before_start: AtomicBool::new(play.waits_for_start),
            upcoming: Upcoming::default(),
            ahead: Window::default(),
            errors_cleared,
        }
    }

    /// Whether a failure now would be caught.
    pub fn is_rescued(&self) -> bool {
        self.rescues.load(Ordering::SeqCst) > 0
    }

    fn keyword_flag(&self, word: &str) -> Option<bool> {
        let node = self.play.play.keyword(word);
        let value = node.and_then(|node| self.run.templar.render(node, &self.scope.context()).ok());
        value.and_then(|value| crate::modules::coerce::truth(&value))
    }

    /// The whole play on this host. With `force_handlers`, a failed host runs its handlers at the next flush.
    pub async fn walk(&self) -> Flow {
        let force = self.keyword_flag("force_handlers").unwrap_or(self.run.request.settings.force_handlers);
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
        let mut failed = false;
        let level = self.upcoming.enter([]);
        let steps = |(_, items, flushes): &(usize, &[Item], bool)| {
            items.iter().cloned().map(Step::Item).chain(flushes.then_some(Step::Flush)).collect::<Vec<_>>()
        };
        for (index, (number, items, flushes)) in parts.iter().copied().enumerate() {
            let after = || parts[index + 1..].iter().flat_map(steps);
            level.set(flushes.then_some(Step::Flush).into_iter().chain(after()));
            if !failed {
                match self.items(items, vec![number]).await {
                    Flow::On | Flow::EndRole => {}
                    Flow::Failed if force && !self.play.is_ended() => failed = true,
                    flow => return flow,
                }
            }
            if flushes && self.flushes_between_sections() {
                level.set(after());
                if failed {
                    level.set([Step::Stop]);
                    lock(&self.last_batch).take();
                }
                let flow = self.flush(vec![number + section::FLUSH]).await;
                if flow != Flow::On || failed {
                    return if failed { Flow::Failed } else { flow };
                }
            }
        }
        if failed { Flow::Failed } else { Flow::On }
    }

    /// A list of tasks and blocks, in order, until something stops it.
    pub fn items<'a>(&'a self, items: &'a [Item], position: Position) -> Walk<'a> {
        Box::pin(async move {
            let level = self.upcoming.enter(items.iter().cloned().map(Step::Item));
            for (index, item) in items.iter().enumerate() {
                level.advance();
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
        let level = self.upcoming.enter(block.always.iter().cloned().map(Step::Item));
        self.rescues.fetch_add(usize::from(catches), Ordering::SeqCst);
        let mut flow = self.items(&block.body, branch(0)).await;
        self.rescues.fetch_sub(usize::from(catches), Ordering::SeqCst);
        let twice = self.forget_double_failure();
        if flow == Flow::Failed && catches && !twice {
            flow = self.items(&block.rescue, branch(1)).await;
        }
        let skips_always = matches!(flow, Flow::Unreachable | Flow::EndHost) || (twice && !catches);
        if !skips_always && !block.always.is_empty() {
            self.errors_cleared.store(false, Ordering::SeqCst);
            // After `always`, a failure goes on being one.
            level.set((flow != Flow::On).then_some(Step::Stop));
            let after = self.items(&block.always, branch(2)).await;
            flow = if after == Flow::On { flow } else { after };
            if flow == Flow::Failed && after == Flow::On && self.errors_cleared.swap(false, Ordering::SeqCst) {
                flow = Flow::On;
            }
        }
        drop(level);
        if let Some(role) = &block.role_run
            && matches!(flow, Flow::On | Flow::EndRole)
            && lock(&self.host.roles_run).contains(&role.identity)
        {
            lock(&self.host.roles_done).insert(role.identity.clone());
        }
        if flow == Flow::EndRole && block.role_run.is_some() { Flow::On } else { flow }
    }

    /// The innermost block has dealt with the failure.
    pub fn forget_double_failure(&self) -> bool {
        self.failed_twice.swap(false, Ordering::SeqCst)
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
        let flow = match self.stopped_by_others().await {
            Some(flow) => Some(flow),
            None if self.is_before_start(task) => Some(Flow::On),
            None => None,
        };
        if let Some(flow) = flow {
            batch.stand_down(&self.host.name);
            return flow;
        }
        let (flow, includes) = self.perform(task, &batch).await;
        if flow == Flow::On && !includes.is_empty() {
            return super::includes::follow(self, task, &batch, includes, position).await;
        }
        flow
    }

    /// The host's part of a task that its batch has begun.
    async fn perform(&self, task: &Arc<Task>, batch: &Arc<Batch>) -> (Flow, Vec<Include>) {
        *lock(&self.last_batch) = Some(batch.clone());
        let turn = batch.turn(&self.host.name).await;
        let (name, title) = self.title(task);
        if !self.is_confirmed(batch, &title).await {
            batch.stand_down(&self.host.name);
            return (Flow::On, Vec::new());
        }
        if !batch.announced.swap(true, Ordering::SeqCst) {
            super::announce::task(&self.run, &self.scope.at_task(task), task, batch, name.clone());
        }
        let task = &self.with_known_action(task);
        let name = if task.name.is_some() { name } else { String::new() };
        let throttle = match self.throttle(task) {
            Ok(throttle) => throttle,
            Err(error) => {
                batch.stand_down(&self.host.name);
                return (self.break_run(error), Vec::new());
            }
        };
        let outcome = self.run_in_batch(task, batch, (turn, throttle)).await;
        let mut flow = self.after(task, &name, batch, &outcome);
        batch.finish(&self.host.name);
        if self.gate.is_lockstep() && (self.play.max_fail_percentage.is_some() || self.is_fatal(task)) {
            // The others' failures are this host's too, here: the blocks around this task deal with them.
            batch.all_finished().await;
            let too_many = self.play.has_too_many_failures();
            if too_many && batch.is_led_by(&self.host.name) {
                self.run.event(Event::NoHostsRemaining);
            }
            if flow == Flow::On && (too_many || batch.is_fatal()) {
                flow = Flow::Failed;
                // Rescued or not: as in ansible-core, it is not among the play's hosts any more.
                self.play.remove(&self.host.name);
            }
        }
        if flow == Flow::Failed {
            // The failure is dealt with: `always`, `rescue` and handlers run.
            lock(&self.last_batch).take();
        }
        (flow, outcome.includes)
    }

    /// The task with its action's name rendered, where that is a template.
    fn with_known_action(&self, task: &Arc<Task>) -> Arc<Task> {
        if !task.action.name.contains("{{") {
            return task.clone();
        }
        let name = Node::text(task.action.span.clone(), task.action.name.as_ref());
        match self.run.templar.render(&name, &self.scope.at_task(task).context()) {
            Ok(name) => Arc::new(task.with_action(&name.to_text())),
            // Running it says why.
            Err(_) => task.clone(),
        }
    }

    /// A batch before this one ended for all, or the play did. What the host has done by then of the tasks sent ahead still counts.
    pub async fn stopped_by_others(&self) -> Option<Flow> {
        let last = lock(&self.last_batch).take();
        let flow = match () {
            () if self.play.is_ended() => Flow::EndHost,
            () if last.is_some_and(|batch| batch.is_fatal()) => Flow::Failed,
            () => return None,
        };
        (!self.ahead.take_back().await).then_some(flow)
    }

    /// How many hosts may run the task at once, if that is limited.
    fn throttle(&self, task: &Arc<Task>) -> Result<Option<usize>, Diagnostic> {
        let context = self.scope.at_task(task).context();
        let keywords = TaskKeywords { task, templar: &self.run.templar, context: &context };
        let failed = |why: &str| format!("Failed to convert the throttle value to an integer: {why}");
        let Some(text) = keywords.text("throttle").map_err(|error| {
            let message = failed(&words::reason(&error));
            Diagnostic { message, causes: Vec::new(), ..error }
        })?
        else {
            return Ok(None);
        };
        match text.trim().parse::<i64>() {
            Ok(limit) => Ok(usize::try_from(limit).ok().filter(|limit| *limit > 0)),
            Err(_) => {
                let error = Diagnostic::error(failed(&format!("invalid literal for int() with base 10: '{text}'")));
                Err(error.at(task.keyword("throttle").map_or(&task.span, |node| &node.span)))
            }
        }
    }

    async fn run_in_batch(&self, task: &Arc<Task>, batch: &Arc<Batch>, (turn, throttle): (Turn<'_>, Option<usize>)) -> HostOutcome {
        let context = self.scope.at_task(task).context();
        let keywords = TaskKeywords { task, templar: &self.run.templar, context: &context };
        let once = self.gate.is_lockstep() && keywords.flag("run_once").ok().flatten() == Some(true);
        let once_for_others = self.is_done_for_all(task);
        if (once || once_for_others) && !batch.is_led_by(&self.host.name) {
            drop(turn);
            let taken = batch.once.wait().await.clone();
            return if once { self.take_over(task, taken) } else { HostOutcome::of_another() };
        }
        let limiter = throttle.map(|limit| self.play.throttle(task, limit));
        let _turn = match &limiter {
            Some(limiter) => limiter.acquire().await.ok(),
            None => None,
        };
        let _fork = self.run.forks.acquire().await.ok();
        drop(turn);
        self.run.event(Event::HostTaskStarted { task: batch.id, host: self.host.name.clone() });
        let outcome = TaskRun { cursor: self, task, batch }.run().await;
        if once || once_for_others {
            // Nobody else sets it.
            batch.once.set(outcome.clone()).unwrap_or_default();
        }
        outcome
    }

    /// Whether the first host does it for all, whatever they are, and the others learn nothing of it.
    pub(super) fn is_done_for_all(&self, task: &Task) -> bool {
        self.gate.is_lockstep() && (matches!(task.short_action(), "add_host" | "pause") || library::is_for_all(&self.run, task))
    }

    /// What `run_once` came to on the first host counts here too, but for what it includes and notifies.
    fn take_over(&self, task: &Arc<Task>, taken: HostOutcome) -> HostOutcome {
        if let Some(name) = task.own("register").and_then(Node::as_str) {
            self.host.set_variable(name, taken.outcome.registered().into());
        }
        match task.short_action() {
            "set_fact" => taken.outcome.facts.iter().for_each(|(key, value)| self.host.set_variable(&key.to_string(), value.clone())),
            _ => self.host.learn_facts(&taken.outcome.facts),
        }
        if taken.outcome.failed && !taken.ignored {
            self.failed_twice.store(true, Ordering::SeqCst);
            self.play.remove(&self.host.name);
        }
        HostOutcome { outcome: Outcome { show: Show::Never, ..taken.outcome }, includes: Vec::new(), ..taken }
    }

    pub fn is_flushing(&self) -> bool {
        self.is_flushing.load(Ordering::SeqCst)
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
}
