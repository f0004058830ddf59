//! The programs that run now, and how they end when a task is cancelled, the controller goes away, or their user is to be removed.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Their process groups, with whether they must settle.
static RUNNING: Mutex<BTreeMap<u32, bool>> = Mutex::new(BTreeMap::new());

/// Whether the controller is gone: nothing more is started.
static STOPPING: AtomicBool = AtomicBool::new(false);

/// How to end what this agent itself has started as other users, by the user's name.
static HELPERS: Mutex<Vec<(String, End)>> = Mutex::new(Vec::new());

type End = Box<dyn FnOnce() + Send>;

/// Notes something that runs as another user for as long as it is wanted, and how to end it: an account that is in use cannot be changed.
pub fn note_helper(user: &str, end: impl FnOnce() + Send + 'static) {
    HELPERS.lock().unwrap_or_else(PoisonError::into_inner).push((user.to_owned(), Box::new(end)));
}

/// Ends the helpers that run as a user; they are gone when this returns.
pub(super) fn end_helpers(user: &str) {
    let ends: Vec<_> = HELPERS.lock().unwrap_or_else(PoisonError::into_inner).extract_if(.., |(other, _)| other == user).collect();
    for (_, end) in ends {
        end();
    }
}

/// A program is known for as long as this lives.
pub(super) struct Running(u32);

impl Running {
    /// Starts a program, and knows it before anybody can end or stop what runs: it would be missed.
    pub(super) fn start(program: &mut Command, must_settle: bool) -> Result<(Child, Running)> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if STOPPING.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Interrupted, "the controller is gone"));
        }
        let child = program.spawn()?;
        running.insert(child.id(), must_settle);
        let note = Running(child.id());
        Ok((child, note))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Runs a program of this machine's own, which ends, with all it has started, when running programs are ended or stopped.
///
/// # Errors
/// It cannot be started, or nothing is any more.
pub fn output(program: &mut Command) -> Result<Output> {
    program.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (child, _running) = Running::start(program, false)?;
    child.wait_with_output()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_ends_with_all_it_has_started() {
        let folder = tempfile::tempdir().expect("folder");
        let mark = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", mark.display());
        let program = std::thread::spawn(move || output(Command::new("/bin/sh").args(["-c", &script])));
        let started = || std::fs::read_to_string(&mark).ok().and_then(|text| text.trim().parse::<u32>().ok());
        let sleeper = loop {
            match started() {
                Some(pid) => break pid,
                None => std::thread::yield_now(),
            }
        };
        // Other tests' programs go on.
        let shell = nix::unistd::getpgid(Some(process_id(sleeper))).expect("runs").as_raw() as u32;
        assert!(RUNNING.lock().expect("lock").contains_key(&shell));
        kill_group(shell);
        assert!(!program.join().expect("joins").expect("ran").status.success());
        assert!(!RUNNING.lock().expect("lock").contains_key(&shell));
    }

    #[test]
    fn helpers_of_a_user_end_once_and_others_stay() {
        let (sender, ended) = std::sync::mpsc::channel();
        for user in ["running-ada", "running-bob"] {
            let sender = sender.clone();
            note_helper(user, move || sender.send(user).unwrap_or_default());
        }
        end_helpers("running-ada");
        end_helpers("running-ada");
        assert_eq!(ended.try_iter().collect::<Vec<_>>(), ["running-ada"]);
        end_helpers("running-bob");
    }
}
