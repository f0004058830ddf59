//! `ansible.builtin.async_status`: what has become of a job that `async` started on the host, in this run or an earlier one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::base::{Map, Value};
use crate::modules::{Module, Output, module_args};
use crate::system::{Failure, Result, System};

pub struct AsyncStatus;

module_args! {
    /// Tells the state of a job started with `async`, or removes what it left.
    pub struct AsyncStatusArgs {
        /// The job, as `ansible_job_id` names it.
        jid: String,
        /// `status`, or `cleanup` to remove the job's results.
        mode: String = "status",
        /// Where jobs leave their results.
        _async_dir: PathBuf = "~/.ansible_async",
        /// Seconds to wait for the job's end.
        _wait: i64 = 0,
    }
}

impl Module for AsyncStatus {
    const NAME: &'static str = "ansible.builtin.async_status";
    type Args = AsyncStatusArgs;

    fn run(args: AsyncStatusArgs, sys: &mut System) -> Result<Output> {
        let path = args._async_dir.join(args.jid.replace('/', "_"));
        let shown = path.to_string_lossy().into_owned();
        let is_cleanup = match args.mode.as_str() {
            "status" => false,
            "cleanup" => true,
            other => return Err(Failure::new(format!("value of mode must be one of: cleanup, status, got: {other}")).at("mode")),
        };
        let place = if is_cleanup { "erased" } else { "results_file" };
        let known: Map =
            [("ansible_job_id", args.jid.as_str()), (place, shown.as_str()), ("stdout", ""), ("stderr", "")].into_iter().collect();
        if sys.query_file(&path)?.is_none() {
            let mut failure = Failure::new("could not find job").with("started", true).with("finished", true);
            failure.values.extend(&known);
            return Err(failure);
        }
        let mut output = Output::new().with_all(&known);
        if is_cleanup {
            sys.remove(&path)?;
            return Ok(output.with("started", false).with("finished", false).with("changed", false));
        }
        let mut found = job_result(&path, &args, sys)?;
        if !found.contains_key("started") {
            found.insert("started", true);
            found.insert("finished", true);
        }
        if let Some(Value::Map(facts)) = found.remove("ansible_facts") {
            output = output.with_facts(facts.as_ref().clone());
        }
        Ok(output.with_all(&found))
    }
}

/// What the job has written, once it has ended or the time is over.
fn job_result(path: &std::path::Path, args: &AsyncStatusArgs, sys: &System) -> Result<Map> {
    let end = Instant::now() + Duration::from_secs(args._wait.max(0) as u64);
    loop {
        let content = sys.query_content(path)?;
        let Some(Value::Map(found)) = serde_json::from_slice(&content).ok().map(Value::from_json) else {
            let text = String::from_utf8_lossy(&content).into_owned();
            return Err(Failure::new(format!("Could not parse job output: {text}")).with("ansible_job_id", args.jid.as_str()));
        };
        let is_running = found.contains_key("started") && found.get("finished") != Some(&Value::Bool(true));
        if !is_running || Instant::now() >= end {
            return Ok(found.as_ref().clone());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    fn machine(content: &str) -> Machine {
        Machine::new(Overlay::empty().with_directory("/jobs").with_file("/jobs/j1.2", content))
    }

    #[test]
    fn a_job_that_runs_has_not_finished() {
        let output = machine(r#"{"started": true, "finished": false, "ansible_job_id": "j1.2"}"#)
            .task("async_status: { jid: j1.2, _async_dir: /jobs }")
            .expect("runs")
            .output;
        assert_eq!(output.values.get("finished"), Some(&Value::Bool(false)));
        assert_eq!(output.values.text("results_file"), Some("/jobs/j1.2"));
    }

    #[test]
    fn a_job_that_ended_gives_its_result() {
        let output = machine(r#"{"rc": 3, "failed": true, "changed": true, "msg": "non-zero return code"}"#)
            .task("async_status: { jid: j1.2, _async_dir: /jobs }")
            .expect("runs")
            .output;
        assert_eq!(output.values.get("finished"), Some(&Value::Bool(true)));
        assert_eq!((output.values.get("rc"), output.values.get("failed")), (Some(&Value::Int(3)), Some(&Value::Bool(true))));
    }

    #[test]
    fn an_unknown_job_is_refused() {
        let refusal = machine("{}").refusal("async_status: { jid: j9.9, _async_dir: /jobs }");
        assert!(refusal.contains("could not find job"), "{refusal}");
    }
}
