//! Programs that talk to a terminal: one is started on a pseudo-terminal of its own, and what it asks is answered.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, OptionalActions};

use super::System;
use super::command::{Command, Completed, Known, cannot_start};
use super::effect::Effect;
use super::error::{Failure, Result};
use super::running::Running;

/// What to do about the output so far that nobody has answered yet.
pub enum Answer {
    /// Nothing matches yet.
    Wait,
    /// Bytes up to `end` are dealt with; `text` is typed.
    Type { end: usize, text: Vec<u8> },
}

/// How long a program needs to be ready to read after it has asked.
const TYPING_DELAY: Duration = Duration::from_millis(50);

impl System {
    /// Runs a command of the user's own on a terminal. `answer` sees the output that came since its last answer. `patience` is how long the
    /// program may stay silent or unanswered; when it has passed the program is ended and `timed_out` is set.
    ///
    /// # Errors
    /// The program cannot be started, or `answer` failed: the program is ended then.
    pub fn converse(
        &mut self,
        command: Command,
        echo: bool,
        patience: Option<Duration>,
        answer: impl FnMut(&[u8]) -> Result<Answer>,
    ) -> Result<Known<Completed>> {
        let effect = Effect::Command { argv: command.argv_text() };
        if self.backend().is_dry() {
            self.note(effect)?;
            return Ok(Known::AfterApply);
        }
        let command = self.surrounded(command);
        let completed = Conversation::start(&command, echo)?.hold(patience, answer)?;
        self.note(effect)?;
        Ok(Known::Now(completed))
    }
}

struct Conversation {
    terminal: File,
    output: Receiver<Vec<u8>>,
    child: std::process::Child,
    _running: Running,
}

impl Conversation {
    fn start(command: &Command, echo: bool) -> Result<Self> {
        let opened = |error: rustix::io::Errno| Failure::new(format!("cannot open a terminal: {}", super::error::plain(&error.into())));
        let terminal = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).map_err(opened)?;
        rustix::pty::grantpt(&terminal).and_then(|()| rustix::pty::unlockpt(&terminal)).map_err(opened)?;
        let name = rustix::pty::ptsname(&terminal, Vec::new()).map_err(opened)?;
        let other_end = rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).map_err(opened)?;
        let mut settings = rustix::termios::tcgetattr(&other_end).map_err(opened)?;
        settings.local_modes.set(LocalModes::ECHO, echo);
        rustix::termios::tcsetattr(&other_end, OptionalActions::Now, &settings).map_err(opened)?;
        let size = rustix::termios::Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&other_end, size).map_err(opened)?;
        let other_end = File::from(other_end);
        let end = || other_end.try_clone().map(Stdio::from).map_err(|error| cannot_start(command, &error));
        // `setsid` makes the terminal the program's own, so that what it opens as /dev/tty is this one.
        let mut process = std::process::Command::new("setsid");
        process.arg("--ctty").args(&command.argv).envs(command.environment.iter().map(|(name, value)| (name, value)));
        process.stdin(end()?).stdout(end()?).stderr(end()?);
        if let Some(folder) = &command.working_directory {
            process.current_dir(folder);
        }
        let (child, running) = Running::start(&mut process, false).map_err(|error| cannot_start(command, &error))?;
        let terminal = File::from(terminal);
        let output = listen_to(terminal.try_clone().map_err(|error| cannot_start(command, &error))?);
        Ok(Conversation { terminal, output, child, _running: running })
    }

    fn hold(mut self, patience: Option<Duration>, mut answer: impl FnMut(&[u8]) -> Result<Answer>) -> Result<Completed> {
        let started = Instant::now();
        let mut said = Vec::new();
        let mut answered = 0;
        let mut since = started;
        let mut timed_out = false;
        loop {
            match self.listen(patience.map(|patience| patience.saturating_sub(since.elapsed()))) {
                Heard::Bytes(bytes) => said.extend(bytes),
                Heard::Nothing => {
                    timed_out = true;
                    break;
                }
                Heard::End => break,
            }
            loop {
                match answer(&said[answered..]) {
                    Ok(Answer::Wait) => break,
                    Ok(Answer::Type { end, text }) => {
                        answered += end;
                        since = Instant::now();
                        std::thread::sleep(TYPING_DELAY);
                        // A program that has ended meanwhile reads no answer.
                        self.terminal.write_all(&text).unwrap_or_default();
                    }
                    Err(failure) => {
                        self.end();
                        return Err(failure);
                    }
                }
            }
        }
        if timed_out {
            self.end();
        }
        let status = self.child.wait().map_err(|error| Failure::new(format!("the program was lost: {}", super::error::plain(&error))))?;
        use std::os::unix::process::ExitStatusExt;
        let rc = status.code().unwrap_or_else(|| -status.signal().unwrap_or(1));
        Ok(Completed { rc, stdout: said, duration: started.elapsed(), timed_out, ..Completed::default() })
    }

    /// Waits for more output.
    fn listen(&self, patience: Option<Duration>) -> Heard {
        let heard = match patience {
            Some(patience) => self.output.recv_timeout(patience),
            None => self.output.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match heard {
            Ok(bytes) => Heard::Bytes(bytes),
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => Heard::End,
        }
    }

    /// Ends the program with all it has started. What is gone already needs no end.
    fn end(&mut self) {
        let group = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).unwrap_or_default();
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// What a terminal says, gathered by a thread of its own; it ends when no program holds the terminal's other end any more.
fn listen_to(mut terminal: File) -> Receiver<Vec<u8>> {
    let (sender, output) = channel();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = terminal.read(&mut piece) {
            if sender.send(piece[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    output
}

enum Heard {
    Bytes(Vec<u8>),
    /// The patience is at its end.
    Nothing,
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(script: &str, echo: bool, patience: Duration) -> Completed {
        let answer = |said: &[u8]| {
            let found = said.windows(5).position(|word| word == b"name?");
            Ok(found.map_or(Answer::Wait, |at| Answer::Type { end: at + 5, text: b"alice\n".to_vec() }))
        };
        let command = Command::new("/bin/sh").arg("-c").arg(script);
        let known = System::local().converse(command, echo, Some(patience), answer).expect("talks");
        known.now().expect("ran")
    }

    #[test]
    fn a_question_on_the_terminal_is_answered() {
        let script = "printf 'name?' > /dev/tty; read name; echo; echo \"hello $name\"; exit 3";
        let done = ask(script, false, Duration::from_secs(10));
        assert_eq!((done.rc, done.stdout_text().as_str()), (3, "name?\r\nhello alice\r\n"));
        let done = ask(script, true, Duration::from_secs(10));
        assert_eq!(done.stdout_text(), "name?alice\r\n\r\nhello alice\r\n");
    }

    #[test]
    fn a_program_that_asks_something_else_is_ended_when_the_patience_is_over() {
        let done = ask("echo huh; read x", false, Duration::from_millis(300));
        assert!(done.timed_out);
        assert!(done.duration < Duration::from_secs(5));
    }
}
