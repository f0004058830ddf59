//! `async` and `async_status`: a task that runs on while the play goes on, over a link of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::base::{Map, Value};
use crate::engine::call::{Background, Call};
use crate::engine::outcome::Outcome;
use crate::engine::state::lock;
use crate::history::event::{AsyncState, Event};

/// Jobs of a run by their ids; `None`: still running.
pub type Jobs = Arc<Mutex<HashMap<String, Option<Outcome>>>>;

/// Starts a task in the background; with `poll` waits for it as well.
pub async fn start(call: &Call<'_>, background: Background) -> Outcome {
    let job = format!("j{}.{}", uuid::Uuid::new_v4().simple(), std::process::id());
    if call.check {
        return call.module(&call.task.action.name, call.args.clone()).await;
    }
    if background.poll > 0 {
        let outcome = call.module(&call.task.action.name, call.args.clone()).await;
        return finished(outcome, &job);
    }
    let running = match call.detached(background).await {
        Ok(running) => running,
        Err(outcome) => return *outcome,
    };
    lock(&call.run.jobs).insert(job.clone(), None);
    let (jobs, own) = (call.run.jobs.clone(), job.clone());
    tokio::spawn(async move {
        let outcome = running.await;
        lock(&jobs).insert(own, Some(outcome));
    });
    Outcome::ok(status_map(&job, true, false)).with("results_file", format!("(kept by Hostler) {job}")).changed()
}

fn status_map(job: &str, started: bool, finished: bool) -> Map {
    [("ansible_job_id", Value::from(job)), ("started", i64::from(started).into()), ("finished", i64::from(finished).into())]
        .into_iter()
        .collect()
}

fn finished(mut outcome: Outcome, job: &str) -> Outcome {
    for (key, value) in status_map(job, true, true).iter() {
        outcome.values.insert(key.clone(), value.clone());
    }
    outcome
}

/// `async_status`.
pub fn status(call: &Call<'_>) -> Outcome {
    let Some(job) = call.text("jid") else { return Outcome::failed("missing required arguments: jid") };
    if call.text("mode").as_deref() == Some("cleanup") {
        lock(&call.run.jobs).remove(&job);
        return Outcome::ok([("ansible_job_id", Value::from(job.as_str())), ("erased", job.as_str().into())].into_iter().collect());
    }
    let known = lock(&call.run.jobs).get(&job).cloned();
    let (outcome, ended) = match known {
        None => (Outcome::failed("could not find job").with("ansible_job_id", job.as_str()).with("started", 1).with("finished", 1), true),
        Some(None) => (Outcome::ok(status_map(&job, true, false)), false),
        Some(Some(outcome)) => (finished(outcome, &job), true),
    };
    let state = AsyncState::Poll { started: true, finished: ended };
    call.run.event(Event::Async { task: call.batch.id, host: call.cursor.host.name.clone(), job, state });
    outcome
}
