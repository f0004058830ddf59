//! Programs: started with an argument list, never through a shell built out of values.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::effect::Effect;
use super::error::{Failure, Result, plain};
use super::running::{self, Running};
use super::{OutputSink, System, local};

/// A program to start.
#[derive(Clone, Default)]
pub struct Command {
    pub argv: Vec<OsString>,
    pub working_directory: Option<PathBuf>,
    /// Added to the agent's own environment.
    pub environment: Vec<(String, String)>,
    pub stdin: Option<Vec<u8>>,
    /// Ends the whole process group when it has passed.
    pub timeout: Option<Duration>,
    /// Receives each line of output as it comes.
    pub output: Option<OutputSink>,
    pub umask: Option<u32>,
    /// Killed half-way it would leave the host broken (`dpkg`): when the controller goes away it is asked to stop where it can, and waited for.
    pub must_settle: bool,
}

/// What a program left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completed {
    /// Exit status; minus the signal's number when a signal ended it, as Python says it.
    pub rc: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub duration: Duration,
    pub timed_out: bool,
}

/// Something that a mutating command gives: known when it ran, unknown in check mode.
#[derive(Clone, Debug, PartialEq)]
pub enum Known<T> {
    Now(T),
    AfterApply,
}

impl<T> Known<T> {
    pub fn now(self) -> Option<T> {
        match self {
            Known::Now(value) => Some(value),
            Known::AfterApply => None,
        }
    }
}

impl Command {
    pub fn new(program: impl Into<OsString>) -> Self {
        Command { argv: vec![program.into()], ..Command::default() }
    }

    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.argv.push(argument.into());
        self
    }

    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.argv.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    pub fn in_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.working_directory = Some(path.into());
        self
    }

    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// The program's name, for messages.
    pub fn program(&self) -> String {
        self.argv.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub fn argv_text(&self) -> Vec<String> {
        self.argv.iter().map(|argument| argument.to_string_lossy().into_owned()).collect()
    }
}

impl Completed {
    pub fn ok(&self) -> bool {
        self.rc == 0
    }

    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Fails with the program's own words unless it exited with 0.
    pub fn check(self, doing: &str) -> Result<Completed> {
        if self.ok() {
            return Ok(self);
        }
        let said = if self.stderr.is_empty() { self.stdout_text() } else { self.stderr_text() };
        Err(Failure::new(format!("cannot {doing}: {}", said.trim()))
            .with("rc", self.rc)
            .with("stdout", self.stdout_text())
            .with("stderr", self.stderr_text()))
    }
}

impl System {
    /// Runs a program that only reads. Works in check mode too. A program that is not there is a failure naming it.
    pub fn query_command(&self, command: Command) -> Result<Completed> {
        let command = self.surrounded(command);
        self.backend.run(&command)
    }

    /// Whether a program is on the host's PATH.
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        if name.contains('/') {
            return self.query_file(Path::new(name)).ok().flatten().map(|_| PathBuf::from(name));
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
        std::env::split_paths(&path)
            .chain(usual.iter().map(PathBuf::from))
            .map(|folder| folder.join(name))
            .find(|candidate| matches!(self.query_file(candidate), Ok(Some(found)) if found.mode & 0o111 != 0))
    }

    /// Runs a program that brings about `effect`; in check mode the overlay applies the effect instead. A non-zero exit is a failure and
    /// leaves no effect.
    pub fn mutate(&mut self, command: Command, effect: Effect) -> Result<Known<Completed>> {
        self.mutate_all(command, vec![effect])
    }

    /// The same for one command with several effects (one `apt-get install` for many packages).
    pub fn mutate_all(&mut self, command: Command, effects: Vec<Effect>) -> Result<Known<Completed>> {
        let doing = format!("run {}", command.program());
        for effect in &effects {
            if let Effect::User { name, .. } = effect
                && !self.backend.is_dry()
            {
                running::end_helpers(name);
            }
        }
        let known = match self.backend.is_dry() {
            true => Known::AfterApply,
            false => Known::Now(self.query_command(command)?.check(&doing)?),
        };
        for effect in effects {
            self.note(effect)?;
        }
        Ok(known)
    }

    /// Runs a command of the user's own (`command`, `shell`, `script`): its exit status is theirs to judge, and it counts as a change.
    pub fn execute(&mut self, command: Command) -> Result<Known<Completed>> {
        let effect = Effect::Command { argv: command.argv_text() };
        if self.backend.is_dry() {
            self.note(effect)?;
            return Ok(Known::AfterApply);
        }
        let mut command = self.surrounded(command);
        command.output = command.output.or_else(|| self.context.output.clone());
        let completed = self.backend.run(&command)?;
        self.note(effect)?;
        Ok(Known::Now(completed))
    }

    /// The same for a program that is brought along: it is written to a private folder, run, and removed again.
    pub fn execute_file(&mut self, content: &[u8], name: &str, command: impl FnOnce(&Path) -> Command) -> Result<Known<Completed>> {
        self.with_program(content, name, |sys, path| sys.execute(command(path)))
    }

    /// Brings a program along for the time that `work` takes: a private file that is gone afterwards. In check mode only `work` runs.
    pub fn with_program<T>(&mut self, content: &[u8], name: &str, work: impl FnOnce(&mut System, &Path) -> Result<T>) -> Result<T> {
        if self.backend.is_dry() {
            return work(self, Path::new(name));
        }
        let parent = self.context.temporary_directory.clone().unwrap_or_else(std::env::temp_dir);
        let folder = local::private_folder(&parent).map_err(|error| Failure::io("make a folder in", &parent, &error))?;
        let path = folder.join(name);
        let written = local::write_program(&path, content).map_err(|error| Failure::io("write", &path, &error));
        let outcome = written.and_then(|()| work(self, &path));
        std::fs::remove_dir_all(&folder).map_err(|error| Failure::io("remove", &folder, &error))?;
        outcome
    }

    /// An environment variable as the task's commands see it.
    pub fn query_environment(&self, name: &str) -> Option<String> {
        let own = self.context.environment.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        own.or_else(|| std::env::var(name).ok())
    }

    /// `$NAME` and `${NAME}` from the environment; unknown names stay as written, as Python's `expandvars` leaves them.
    pub fn expand_variables(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('$') {
            out.push_str(&rest[..start]);
            let after = &rest[start + 1..];
            let (name, length) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                Some((name, _)) => (name, name.len() + 2),
                None => {
                    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                    (&after[..end], end)
                }
            };
            match self.query_environment(name) {
                Some(value) if !name.is_empty() => out.push_str(&value),
                _ => out.push_str(&rest[start..start + 1 + length]),
            }
            rest = &after[length..];
        }
        out.push_str(rest);
        out
    }

    pub(super) fn surrounded(&self, mut command: Command) -> Command {
        let mut environment = self.context.environment.clone();
        environment.append(&mut command.environment);
        command.environment = environment;
        if command.working_directory.is_none() {
            command.working_directory = self.context.working_directory.clone();
        }
        command
    }
}

/// A file that is on no disk. A program may read it again, and whole, as no pipe can be.
fn in_memory(bytes: &[u8]) -> std::io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("input", rustix::fs::MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// Starts a program on this host in a process group of its own, feeds it, collects its output.
pub(super) fn run_locally(command: &Command) -> Result<Completed> {
    let (program, arguments) = command.argv.split_first().ok_or_else(|| Failure::new("no command was given"))?;
    let mut process = std::process::Command::new(program);
    process.args(arguments).envs(command.environment.iter().map(|(name, value)| (name, value)));
    process.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    process.stdin(match &command.stdin {
        Some(bytes) => in_memory(bytes).map_err(|error| cannot_start(command, &error))?.into(),
        None => Stdio::null(),
    });
    if let Some(folder) = &command.working_directory {
        process.current_dir(folder);
    }
    let _umask = command.umask.map(UmaskGuard::set);
    let started = Instant::now();
    let (mut child, _running) = Running::start(&mut process, command.must_settle).map_err(|error| cannot_start(command, &error))?;
    let pid = child.id();
    let stdout = collect(child.stdout.take(), command.output.clone());
    let stderr = collect(child.stderr.take(), command.output.clone());
    let (status, timed_out) = wait(&mut child, pid, command.timeout).map_err(|error| cannot_start(command, &error))?;
    // A program it left in the background may hold the pipes open for as long as it lives: what was said by now is all that counts.
    let end = Instant::now() + LAST_WORDS;
    let completed = Completed {
        rc: status.code().unwrap_or_else(|| -status.signal().unwrap_or(1)),
        stdout: stdout.take(end),
        stderr: stderr.take(end),
        duration: started.elapsed(),
        timed_out,
    };
    Ok(completed)
}

/// The umask belongs to the process, so it is set around the start of one program and put back. The agent starts one at a time.
struct UmaskGuard(nix::sys::stat::Mode);

impl UmaskGuard {
    fn set(mask: u32) -> Self {
        UmaskGuard(nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask)))
    }
}

impl Drop for UmaskGuard {
    fn drop(&mut self) {
        nix::sys::stat::umask(self.0);
    }
}

pub(super) fn cannot_start(command: &Command, error: &std::io::Error) -> Failure {
    let program = command.program();
    let folder = command.working_directory.as_deref().filter(|folder| !folder.is_dir());
    let message = match folder {
        Some(folder) => format!("cannot start `{program}` in `{}`: there is no such folder", folder.display()),
        None => format!("cannot start `{program}`: {}", plain(error)),
    };
    Failure::new(message).with("rc", error.raw_os_error().unwrap_or(2)).with("cmd", command.argv_text())
}

/// How long after its end a program's output may still be on the way.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a pipe gives, gathered by a thread of its own.
struct Collector {
    gathered: Arc<Mutex<Vec<u8>>>,
    thread: std::thread::JoinHandle<()>,
}

impl Collector {
    /// All of it; when the pipe is still open at `end`, what came until then.
    fn take(self, end: Instant) -> Vec<u8> {
        while !self.thread.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::mem::take(&mut *self.gathered.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

fn collect<R: Read + Send + 'static>(pipe: Option<R>, output: Option<OutputSink>) -> Collector {
    let gathered = Arc::new(Mutex::new(Vec::new()));
    let shared = gathered.clone();
    let thread = std::thread::spawn(move || {
        let Some(pipe) = pipe else { return };
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(length) if length > 0) {
            if let Some(output) = &output {
                output(String::from_utf8_lossy(&line).trim_end());
            }
            shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).append(&mut line);
        }
    });
    Collector { gathered, thread }
}

fn wait(child: &mut Child, pid: u32, limit: Option<Duration>) -> std::io::Result<(std::process::ExitStatus, bool)> {
    let Some(limit) = limit else { return Ok((child.wait()?, false)) };
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status, false));
        }
        if Instant::now() >= end {
            running::kill_group(pid);
            return Ok((child.wait()?, true));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A path as bytes for an argument list.
pub fn os(text: &[u8]) -> OsString {
    std::ffi::OsStr::from_bytes(text).to_owned()
}
