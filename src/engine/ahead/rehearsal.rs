//! A rehearsal: the tasks after the one that a host works on, gone through as if all went well, each sent when its rendering reads nothing that
//! is not known yet. It ends where anything is uncertain; the walk then comes to that task in its own time, and the next rehearsal begins.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::engine::call::Call;
use crate::engine::connections::Place;
use crate::engine::cursor::Cursor;
use crate::engine::gate::Batch;
use crate::engine::library;
use crate::engine::state::lock;
use crate::engine::task::TaskRun;
use crate::engine::variables::HostScope;
use crate::history::event::TaskId;
use crate::language::{Block, Item, Loop, Task};
use crate::modules;
use crate::transport::Link;

use super::certain::{has_any, has_templates, is_void};
use super::unfinished::Unfinished;
use super::upcoming::{LoopItem, Step};

/// So many tasks are sent ahead at most.
const MOST: usize = 500;

/// Actions that ask the host for one thing, and whose outcome is the host's reply.
const SENDING: &[&str] = &["assemble", "copy", "gather_facts", "script", "template", "unarchive"];

/// Actions that do their work here, on variables alone.
const HERE: &[&str] = &["assert", "debug", "fail", "set_fact", "validate_argument_spec"];

struct Rehearsal<'a> {
    cursor: &'a Cursor,
    link: &'a Link,
    place: &'a Place,
    unfinished: Arc<Unfinished>,
    batch: Arc<Batch>,
    /// The number of the task that was sent last.
    last: u64,
    sent: usize,
    /// Whether an unfinished task may notify handlers.
    notifies: bool,
    /// Roles that will have run.
    roles: HashSet<String>,
}

impl Cursor {
    /// Sends what comes after a task that was just sent, as far as that is certain.
    pub async fn send_ahead(&self, call: &Call<'_>, place: &Place, link: &Link, asked: u64) {
        if !self.may_send_ahead() {
            return;
        }
        let alone = self.gate.is_lockstep() || self.play.batch.len() == 1;
        let unfinished = Arc::new(Unfinished::new(&self.host.name, &self.run.controller, alone, !link.is_here()));
        let mut rehearsal = Rehearsal {
            cursor: self,
            link,
            place,
            unfinished,
            batch: Arc::new(Batch::new(TaskId(0), vec![self.host.name.clone()])),
            last: asked,
            sent: 0,
            notifies: false,
            roles: call.task.scope.roles().iter().map(|role| role.identity.clone()).collect(),
        };
        rehearsal.expect_results_of(call.task);
        let scope = rehearsal.scope(call.scope);
        if !rehearsal.run(call.task).is_settled_by_host(&scope) {
            return;
        }
        let mut steps = self.upcoming.steps();
        while let Some(step) = steps.pop_front() {
            if rehearsal.sent >= MOST || !rehearsal.step(step, &mut steps).await || rehearsal.unfinished.is_void() {
                return;
            }
        }
    }

    /// Hosts that wait for each other after each task send nothing ahead, nor do more hosts than may work at once, or a user who is asked before
    /// each task.
    fn may_send_ahead(&self) -> bool {
        let hosts = self.play.batch.len();
        let most = if self.gate.is_lockstep() { 1 } else { self.run.request.settings.forks };
        self.run.sends_ahead
            && hosts <= most
            && !self.run.is_stepping.load(Ordering::SeqCst)
            && !self.is_before_start.load(Ordering::SeqCst)
    }
}

impl Rehearsal<'_> {
    fn scope(&self, scope: &HostScope) -> HostScope {
        HostScope { rehearsal: Some(self.unfinished.clone()), ..scope.clone() }
    }

    fn run<'r>(&'r self, task: &'r Arc<Task>) -> TaskRun<'r> {
        TaskRun { cursor: self.cursor, task, batch: &self.batch }
    }

    fn expect_results_of(&mut self, task: &Task) {
        self.unfinished.expect_results_of(task);
        self.notifies |= has_any(task, &["notify"]);
    }

    /// Goes through one step; whether the next one may follow.
    async fn step(&mut self, step: Step, steps: &mut VecDeque<Step>) -> bool {
        match step {
            Step::Stop => false,
            Step::Flush => self.flushes_nothing(),
            Step::Item(Item::Block(block)) => self.enter(&block, steps),
            Step::Item(Item::Task(task)) => self.task(&task).await,
            Step::Loop(item) => self.loop_item(&item).await,
        }
    }

    fn flushes_nothing(&self) -> bool {
        !self.notifies && lock(&self.cursor.notified).is_empty()
    }

    fn enter(&mut self, block: &Block, steps: &mut VecDeque<Step>) -> bool {
        if let Some(role) = &block.role_run {
            if !role.allow_duplicates && lock(&self.cursor.host.roles_done).contains(&role.identity) {
                return true;
            }
            // Whether it will have run then is not known.
            if !self.roles.insert(role.identity.clone()) {
                return false;
            }
        }
        for item in block.body.iter().chain(&block.always).rev() {
            steps.push_front(Step::Item(item.clone()));
        }
        true
    }

    async fn task(&mut self, task: &Arc<Task>) -> bool {
        if has_templates(task, "tags") {
            return false;
        }
        if !self.cursor.is_tagged_in(task) {
            return true;
        }
        if task.is_meta() {
            return self.meta(task);
        }
        if task.is_include() || task.action.name.contains("{{") || has_any(task, &["delegate_to", "throttle"]) {
            return false;
        }
        let scope = self.scope(&self.cursor.scope.at_task(task));
        match &task.loops {
            None => self.execution(task, &scope).await,
            Some(loops) => self.items(task, loops, &scope).await,
        }
    }

    fn meta(&self, task: &Task) -> bool {
        let action = task.action.arguments.raw.as_ref().and_then(|node| node.as_str());
        let is_plain = !has_any(task, &["when"]);
        match action {
            Some("noop") => is_plain,
            Some("flush_handlers") => is_plain && self.flushes_nothing(),
            _ => false,
        }
    }

    async fn items(&mut self, task: &Arc<Task>, loops: &Loop, scope: &HostScope) -> bool {
        let (items, control) = {
            let run = self.run(task);
            let (Ok(items), Ok(control)) = (run.items(loops, scope), run.loop_control(scope)) else { return false };
            (items, control)
        };
        if is_void(scope) || !control.goes_straight_on() {
            return false;
        }
        for (index, item) in items.iter().enumerate() {
            let inner = scope.with_locals(control.locals(&items, index, item));
            if self.sent >= MOST || !self.execution(task, &inner).await {
                return false;
            }
        }
        // Each item has said for itself whether it is told certainly.
        self.expect_results_of(task);
        !items.is_empty() || self.run(task).is_told_certainly(scope)
    }

    async fn loop_item(&mut self, item: &LoopItem) -> bool {
        let scope = self.scope(&self.cursor.scope.at_task(&item.task)).with_locals((item.locals)());
        self.execution(&item.task, &scope).await
    }

    /// One execution of a task; whether what follows may be rehearsed too.
    async fn execution(&mut self, task: &Arc<Task>, scope: &HostScope) -> bool {
        let is_wanted = match self.run(task).first_false("when", scope) {
            Ok(condition) => condition.is_none(),
            Err(_) => return false,
        };
        if is_void(scope) {
            return false;
        }
        if is_wanted && !self.perform(task, scope).await {
            return false;
        }
        self.expect_results_of(task);
        match is_wanted {
            true => self.run(task).is_settled_by_host(scope),
            false => self.run(task).is_told_certainly(scope),
        }
    }

    async fn perform(&mut self, task: &Arc<Task>, scope: &HostScope) -> bool {
        if self.run(task).retries(scope).is_err() {
            return false;
        }
        if library::action(&self.cursor.run, task).is_some() {
            return false;
        }
        let batch = self.batch.clone();
        let Ok(call) = Call::prepare(self.cursor, task, &batch, scope) else { return false };
        if call.background.is_some() || is_void(scope) {
            return false;
        }
        match task.short_action() {
            action if HERE.contains(&action) => self.perform_here(&call).await,
            action if SENDING.contains(&action) || !crate::engine::actions::NAMES.contains(&action) => {
                modules::find(&task.action.name).is_some() | SENDING.contains(&action) && self.send(&call).await
            }
            _ => false,
        }
    }

    async fn perform_here(&mut self, call: &Call<'_>) -> bool {
        let is_kept = call.flag("cacheable", false);
        if is_kept || has_any(call.task, &["delegate_facts"]) {
            return false;
        }
        let outcome = call.execute_boxed().await;
        if outcome.failed || is_void(call.scope) {
            return false;
        }
        match call.task.loops {
            // For the items after this one they are stronger than they are later.
            Some(_) => outcome.facts.keys().for_each(|name| self.unfinished.expect(&name.to_string())),
            None => self.unfinished.learn(&outcome.facts),
        }
        true
    }

    async fn send(&mut self, call: &Call<'_>) -> bool {
        if call.place().ok() != Some(self.place) {
            return false;
        }
        // What comes of it is not known: only what it would send counts.
        drop(call.execute_boxed().await);
        let mut requests = self.unfinished.take_requests();
        let (Some(request), true) = (requests.pop(), requests.is_empty()) else { return false };
        if is_void(call.scope) {
            return false;
        }
        match self.cursor.ahead.send(self.link, call.task, request, self.last) {
            Ok(id) => {
                self.last = id;
                self.sent += 1;
                true
            }
            Err(_) => false,
        }
    }
}
