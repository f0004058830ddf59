//! `wait_for_connection`, `reboot`: hosts that go and come back.

use std::time::{Duration, Instant};

use crate::base::{Map, Value};
use crate::engine::call::Call;
use crate::engine::outcome::Outcome;

fn seconds(call: &Call<'_>, names: &[&str], default: f64) -> Duration {
    let given = names.iter().find_map(|name| call.text(name)).and_then(|text| text.parse::<f64>().ok());
    Duration::from_secs_f64(given.unwrap_or(default).max(0.0))
}

/// Tries until the agent answers.
async fn until_answers(call: &Call<'_>, limit: Duration, pause: Duration) -> Result<(), String> {
    let end = Instant::now() + limit;
    loop {
        if let Ok(destination) = call.destination() {
            call.run.connections.forget(&destination).await;
        }
        let outcome = call.module("ansible.builtin.ping", Map::new()).await;
        if !outcome.failed && !outcome.unreachable {
            return Ok(());
        }
        if Instant::now() >= end {
            let said = outcome.values.text("msg").unwrap_or_default().to_owned();
            return Err(said);
        }
        tokio::time::sleep(pause).await;
    }
}

/// `wait_for_connection`.
pub async fn wait_for_connection(call: &Call<'_>) -> Outcome {
    let started = Instant::now();
    tokio::time::sleep(seconds(call, &["delay"], 0.0)).await;
    if call.check {
        let mut outcome = Outcome::ok(Map::new());
        outcome.skipped = true;
        return outcome;
    }
    let limit = seconds(call, &["timeout"], 600.0);
    let outcome = match until_answers(call, limit, seconds(call, &["sleep"], 1.0)).await {
        Ok(()) => Outcome::ok(Map::new()),
        Err(why) => Outcome::failed(format!("timed out waiting for ping module test: {why}")),
    };
    outcome.with("elapsed", started.elapsed().as_secs())
}

/// The kernel's id of this boot.
async fn boot_id(call: &Call<'_>) -> Option<String> {
    let args: Map = [("argv", Value::list(["cat", "/proc/sys/kernel/random/boot_id"]))].into_iter().collect();
    let outcome = call.module("ansible.builtin.command", args).await;
    outcome.values.text("stdout").map(str::to_owned).filter(|text| !text.is_empty())
}

/// When the machine's init was started: differs after a container's restart too, where the kernel's boot id stays.
async fn init_start(call: &Call<'_>) -> Option<String> {
    let args: Map = [("argv", Value::list(["stat", "-c", "%Y", "/proc/1"]))].into_iter().collect();
    let outcome = call.module("ansible.builtin.command", args).await;
    outcome.values.text("stdout").map(str::to_owned)
}

/// `reboot`: asks for it, then waits until the host has come up again.
pub async fn reboot(call: &Call<'_>) -> Outcome {
    if call.check {
        return Outcome::ok([("rebooted", Value::Bool(true)), ("elapsed", Value::Int(0))].into_iter().collect()).changed();
    }
    let started = Instant::now();
    let before = (boot_id(call).await, init_start(call).await);
    tokio::time::sleep(seconds(call, &["pre_reboot_delay"], 0.0)).await;
    let command = call.text("reboot_command").unwrap_or_else(|| "systemctl reboot".into());
    let args: Map = [("_raw_params", Value::from(command))].into_iter().collect();
    // The link may break before the answer comes.
    let asked = call.module("ansible.builtin.command", args).await;
    if asked.failed && asked.values.get("rc").is_some_and(|rc| rc.as_int().is_some_and(|rc| rc > 0)) {
        return Outcome::failed(format!("Reboot command failed: {}", asked.values.text("stderr").unwrap_or_default()))
            .with("rebooted", false);
    }
    let limit = seconds(call, &["reboot_timeout", "reboot_timeout_sec"], 600.0);
    let end = started + limit;
    tokio::time::sleep(seconds(call, &["post_reboot_delay"], 0.0)).await;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let left = end.saturating_duration_since(Instant::now());
        if let Err(why) = until_answers(call, left, Duration::from_millis(500)).await {
            return Outcome::failed(format!("Timed out waiting for the host to come back after its reboot: {why}")).with("rebooted", true);
        }
        if (boot_id(call).await, init_start(call).await) != before {
            break;
        }
        if Instant::now() >= end {
            return Outcome::failed("Timed out waiting for the reboot to begin").with("rebooted", false);
        }
    }
    Outcome::ok([("rebooted", Value::Bool(true)), ("elapsed", Value::from(started.elapsed().as_secs()))].into_iter().collect()).changed()
}
