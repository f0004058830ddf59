//! The programs that run now, and how they end when a task is cancelled or the controller goes away.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::command::Command;
use super::error::{Failure, Result};

/// Their process groups, with whether they must settle.
static RUNNING: Mutex<BTreeMap<u32, bool>> = Mutex::new(BTreeMap::new());

/// Whether the controller is gone: nothing more is started.
static STOPPING: AtomicBool = AtomicBool::new(false);

/// A program is known for as long as this lives.
pub(super) struct Running(u32);

impl Running {
    pub(super) fn note(pid: u32, must_settle: bool) -> Self {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(pid, must_settle);
        Running(pid)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Refuses to start a program for a controller that is gone.
pub(super) fn require_controller(command: &Command) -> Result<()> {
    match STOPPING.load(Ordering::SeqCst) {
        true => Err(Failure::new(format!("`{}` was not started: the controller is gone", command.program()))),
        false => Ok(()),
    }
}

/// Ends every program that runs now, with all it has started.
pub fn end_running_programs() {
    for pid in RUNNING.lock().unwrap_or_else(PoisonError::into_inner).keys() {
        kill_group(*pid);
    }
}

/// Ends what runs for a controller that is gone, and starts nothing more. Programs that must settle are only asked to stop: `apt-get` then
/// ends when `dpkg` has finished what it is at.
pub fn stop_programs() {
    STOPPING.store(true, Ordering::SeqCst);
    for (pid, must_settle) in RUNNING.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        match must_settle {
            true => kill(process_id(*pid), Signal::SIGINT).unwrap_or_default(),
            false => kill_group(*pid),
        }
    }
}

/// Kills a program with all it has started.
pub(super) fn kill_group(pid: u32) {
    // A group that is gone by now needs no end.
    killpg(process_id(pid), Signal::SIGKILL).unwrap_or_default();
}

fn process_id(pid: u32) -> Pid {
    Pid::from_raw(pid as i32)
}
