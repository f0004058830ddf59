//! One task: its module is found and run, and what came of it becomes a reply.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::Map;
use crate::modules::{Output, find};
use crate::system::running::end_running_programs;
use crate::system::{Failure, System, TaskContext};
use crate::wire::{FromAgent, TaskReply, TaskRequest};

use super::outbox::Outbox;

/// The reply for a task that was sent ahead and not run.
pub fn dropped(id: u64) -> TaskReply {
    TaskReply { id, dropped: true, ..TaskReply::default() }
}

/// Runs one task's module.
pub fn run(request: &TaskRequest, sys: &mut System, outbox: &Outbox) -> TaskReply {
    reply(request, sys, outbox, |sys| {
        let entry = find(&request.module).ok_or_else(|| Failure::new(format!("the agent has no module `{}`", request.module)))?;
        (entry.run)(request.args.clone(), sys)
    })
}

/// Does a task's work, and says what came of it. Work that panics is a failed task, not a dead agent.
pub fn reply(
    request: &TaskRequest,
    sys: &mut System,
    outbox: &Outbox,
    work: impl FnOnce(&mut System) -> Result<Output, Failure>,
) -> TaskReply {
    let started = Instant::now();
    sys.begin(context(request, outbox));
    let watchdog = request.timeout.map(Watchdog::start);
    let outcome = catch_unwind(AssertUnwindSafe(|| has_interpreter(request, sys).and_then(|()| work(sys))))
        .unwrap_or_else(|_| Err(Failure::new(format!("the module `{}` broke down; this is a bug of Hostler", request.module))));
    let timed_out = watchdog.is_some_and(Watchdog::stop);
    let mut reply = match outcome {
        Ok(output) => succeeded(output, sys),
        Err(failure) => failed(failure, sys),
    };
    if timed_out {
        let limit = request.timeout.unwrap_or_default();
        reply.failed = true;
        reply.values.insert(
            "msg",
            format!("The {} action failed to execute in the expected time frame ({limit}) and was terminated", request.module),
        );
        reply.values.insert("timedout", crate::base::Value::map([("period", limit)]));
    }
    reply.id = request.id;
    reply.milliseconds = started.elapsed().as_millis() as u64;
    reply
}

fn context(request: &TaskRequest, outbox: &Outbox) -> TaskContext {
    let (outbox, id) = (outbox.clone(), request.id);
    TaskContext {
        environment: request.environment.clone(),
        output: Some(Arc::new(move |line: &str| outbox.send(&FromAgent::Output { id, line: line.to_owned() }))),
        diff: request.diff,
        ..TaskContext::default()
    }
}

fn has_interpreter(request: &TaskRequest, sys: &System) -> Result<(), Failure> {
    match request.interpreter.as_ref().filter(|program| sys.find_program(program).is_none()) {
        Some(interpreter) => Err(Failure::new(format!("The module interpreter '{interpreter}' was not found."))),
        None => Ok(()),
    }
}

fn succeeded(output: Output, sys: &System) -> TaskReply {
    TaskReply {
        changed: sys.is_changed() && !output.skipped,
        skipped: output.skipped,
        values: output.values,
        facts: output.facts,
        diffs: sys.diffs().iter().map(|diff| diff.to_value()).collect(),
        warnings: sys.warnings().to_vec(),
        ..TaskReply::default()
    }
}

fn failed(failure: Failure, sys: &System) -> TaskReply {
    let mut values: Map = failure.values;
    values.insert("msg", failure.message);
    TaskReply {
        failed: true,
        changed: sys.is_changed(),
        values,
        option: failure.option,
        diffs: sys.diffs().iter().map(|diff| diff.to_value()).collect(),
        warnings: sys.warnings().to_vec(),
        ..TaskReply::default()
    }
}

/// Ends the programs of a task that takes too long.
struct Watchdog {
    done: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<bool>,
}

impl Watchdog {
    fn start(seconds: u64) -> Self {
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let late = wait.recv_timeout(Duration::from_secs(seconds)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
            if late {
                end_running_programs();
            }
            late
        });
        Watchdog { done, thread }
    }

    /// Whether it had to bark.
    fn stop(self) -> bool {
        self.done.send(()).unwrap_or_default();
        self.thread.join().unwrap_or(false)
    }
}
