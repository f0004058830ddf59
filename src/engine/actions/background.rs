//! `async` and `async_status`: a task that runs on the host as a job of its own, outliving the run if need be.

use crate::base::{Map, Value};
use crate::engine::call::{Background, Call};
use crate::engine::outcome::Outcome;
use crate::history::event::{AsyncState, Event};
use crate::template::Variables as _;

const STATUS: &str = "ansible.builtin.async_status";

/// Starts a task as a job; with `poll` waits for it as well.
pub async fn start(call: &Call<'_>, background: Background) -> Outcome {
    let name = &call.task.action.name;
    if call.check {
        return call.module(name, call.args.clone()).await;
    }
    let started = call.job(name, call.args.clone(), folder(call)).await;
    let job = started.values.text("ansible_job_id").map(str::to_owned);
    let (Some(job), true) = (job, background.poll > 0 && !started.failed) else { return started };
    let outcome = poll(call, background, &job).await;
    call.module(STATUS, options(call, &job, &[("mode", "cleanup".into())])).await;
    outcome
}

/// Looks after the job until it ends or its time is over.
async fn poll(call: &Call<'_>, background: Background, job: &str) -> Outcome {
    let mut left = background.limit;
    loop {
        let wait = background.poll.min(left.max(1));
        let outcome = call.module(STATUS, options(call, job, &[("_wait", wait.into())])).await;
        let is_finished = outcome.values.get("finished") == Some(&Value::Bool(true));
        let state = match () {
            () if is_finished && outcome.failed => AsyncState::Failed,
            () if is_finished => AsyncState::Ok,
            () => AsyncState::Poll { started: true, finished: false },
        };
        if outcome.unreachable {
            return outcome;
        }
        tell(call, job, state);
        if is_finished {
            return outcome;
        }
        left = left.saturating_sub(background.poll);
        if left == 0 {
            let message = format!("async task did not complete within the requested time - {}s", background.limit);
            return Outcome::failed(message).with("async_result", outcome.shown());
        }
    }
}

fn tell(call: &Call<'_>, job: &str, state: AsyncState) {
    call.run.event(Event::Async { task: call.batch.id, host: call.cursor.host.name.clone(), job: job.to_owned(), state });
}

/// `async_status`.
pub async fn status(call: &Call<'_>) -> Outcome {
    let Some(job) = call.text("jid") else { return Outcome::failed("missing required arguments: jid") };
    let more: Vec<(&str, Value)> = call.args.get("mode").map(|mode| ("mode", mode.clone())).into_iter().collect();
    call.finish(STATUS, options(call, &job, &more)).await
}

fn options(call: &Call<'_>, job: &str, more: &[(&str, Value)]) -> Map {
    let own = [("jid", Value::from(job)), ("_async_dir", folder(call).into())];
    own.into_iter().chain(more.iter().cloned()).collect()
}

/// Where the results of jobs are on the host.
fn folder(call: &Call<'_>) -> String {
    let given = match call.scope.get("ansible_async_dir") {
        Some(crate::template::Variable::Value(value)) => Some(value.to_text()),
        Some(crate::template::Variable::Source(node)) => call.run.templar.render(&node, &call.context).ok().map(|value| value.to_text()),
        _ => None,
    };
    given.filter(|text| !text.is_empty()).unwrap_or_else(|| "~/.ansible_async".into())
}
