//! Runs of `hostler run`, with their events read.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

use super::lab::hostler;

/// What a run left: its events, its exit code and what it said on standard error.
pub struct Ran {
    pub code: Option<i32>,
    pub events: Vec<Json>,
    pub errors: String,
}

/// A task on a host: the host's name, the task's role (empty when it has none) and the task's name.
pub type Done = (String, String, String);

/// A folder with inventories and playbooks of a test, and a history of its own.
pub struct Project {
    pub folder: TempDir,
    pub environment: Vec<(String, String)>,
}

/// A run under way.
pub struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    complaints: std::thread::JoinHandle<String>,
    events: Vec<Json>,
}

impl Project {
    pub fn new() -> Project {
        let folder = tempfile::tempdir().expect("a folder");
        let history = folder.path().join("history").to_string_lossy().into_owned();
        Project { folder, environment: vec![("HOSTLER_STATE".into(), history)] }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(&path, text).expect("the file can be written");
        path
    }

    /// `hostler` where the shipped ansible.cfg and roles are found.
    pub fn command(&self) -> Command {
        let mut command = hostler();
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn start(&self, playbook: &Path, inventory: &Path, arguments: &[&str]) -> Running {
        let mut command = self.command();
        command.arg("run").arg(playbook).arg("-i").arg(inventory).args(["--output", "json"]).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("hostler starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let stderr = child.stderr.take().expect("a pipe");
        let complaints = std::thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
        Running { child, lines, complaints, events: Vec::new() }
    }

    pub fn run(&self, playbook: &Path, inventory: &Path, arguments: &[&str]) -> Ran {
        self.start(playbook, inventory, arguments).finish()
    }

    /// The same for a playbook written here.
    pub fn play(&self, playbook: &str, inventory: &Path, arguments: &[&str]) -> Ran {
        let path = self.write("play.yml", playbook);
        self.run(&path, inventory, arguments)
    }
}

impl Running {
    /// Reads on until a task of this name begins.
    pub fn wait_for_task(&mut self, name: &str) {
        for line in self.lines.by_ref() {
            let event: Json = serde_json::from_str(&line.expect("output can be read")).expect("every line is an event");
            let found = event["event"] == "task_started" && event["name"] == name;
            self.events.push(event);
            if found {
                return;
            }
        }
        panic!("the run ended before the task `{name}`: {:#?}", self.events.last());
    }

    /// As Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(nix::sys::signal::Signal::SIGINT);
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, signal).expect("it runs");
    }

    pub fn finish(mut self) -> Ran {
        for line in self.lines.by_ref() {
            let line = line.expect("output can be read");
            self.events.push(serde_json::from_str(&line).unwrap_or_else(|error| panic!("`{line}` is no event: {error}")));
        }
        let code = self.child.wait().expect("it ends").code();
        Ran { code, events: self.events, errors: self.complaints.join().expect("read") }
    }
}

impl Ran {
    /// Holds that the run went well.
    pub fn succeeded(self) -> Ran {
        assert_eq!(self.code, Some(0), "the run failed:\n{}", self.trouble());
        self
    }

    /// Holds that the run failed with this exit code, and gives what it said: each part must stand in it.
    pub fn failed(self, code: i32, parts: &[&str]) -> Ran {
        let trouble = self.trouble();
        assert_eq!(self.code, Some(code), "{trouble}");
        for part in parts {
            assert!(trouble.contains(part), "`{part}` is not said in:\n{trouble}");
        }
        self
    }

    /// Every failure, each with its place, host, task and message, and every finding.
    pub fn trouble(&self) -> String {
        let mut text = String::new();
        for result in self.results().filter(|result| matches!(result["status"].as_str(), Some("failed" | "unreachable"))) {
            let task = self.task(&result["task"]);
            let (span, said) = (&task["span"], &result["result"]);
            let messages = ["msg", "stderr"].map(|field| said[field].as_str().unwrap_or_default().to_owned()).join("\n");
            let place = format!("{}:{}", span["file"].as_str().unwrap_or_default(), span["line"]);
            text += &format!("{place} {} {} {}: {messages}\n", result["host"], task["name"], result["status"]);
        }
        for finding in self.events.iter().filter(|event| event["event"] == "finding") {
            text += &format!("{}\n", finding["diagnostic"]);
        }
        text + &self.errors
    }

    pub fn results(&self) -> impl Iterator<Item = &Json> {
        self.events.iter().filter(|event| event["event"] == "host_result")
    }

    fn task(&self, id: &Json) -> &Json {
        let started = self.events.iter().find(|event| event["event"] == "task_started" && event["id"] == *id);
        started.unwrap_or_else(|| panic!("no task has the number {id}"))
    }

    fn done(&self, result: &Json) -> Done {
        let task = self.task(&result["task"]);
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        (text(&result["host"]), text(&task["role"]), text(&task["name"]))
    }

    /// The tasks that changed something. What a task does on the controller is no change of a host.
    pub fn changed(&self) -> BTreeSet<Done> {
        let on_hosts = self.results().filter(|result| result["delegated_to"]["host"] != "localhost");
        on_hosts.filter(|result| result["status"] == "changed").map(|result| self.done(result)).collect()
    }

    /// A number of the recap.
    pub fn count(&self, host: &str, what: &str) -> u64 {
        let recap = self.events.iter().rfind(|event| event["event"] == "recap").expect("a run ends with a recap");
        recap["hosts"][host][what].as_u64().unwrap_or_default()
    }

    /// Holds that nothing was changed on any host.
    pub fn changed_nothing(self) -> Ran {
        let (changed, ran) = (self.changed(), self.succeeded());
        assert!(changed.is_empty(), "nothing was to change, but: {changed:#?}");
        ran
    }
}

/// Waits until something is so.
pub fn wait_until(what: &str, seconds: u64, is_so: impl Fn() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "{what}: not within {seconds} s");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}
