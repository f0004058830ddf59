//! A process that runs action plugins, spoken to in lines of JSON. It is kept when a plugin is done: the next one finds Ansible loaded.

use std::process::Stdio;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::engine::actions;
use crate::engine::state::{Run, read};

use super::find::{actions_of, modules_of};
use super::plugins::{Places, Said};

const PROGRAM: &str = concat!(include_str!("shared.py"), include_str!("actions.py"));

/// Modules that Ansible has an action before, and Hostler none.
const NATIVE: &[&str] = &["command", "package", "raw", "service", "shell", "uri"];

#[derive(Debug)]
pub struct Worker {
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// It ends with this.
    _child: Child,
}

impl Worker {
    /// Starts one.
    ///
    /// # Errors
    /// A sentence: no Ansible is installed here, or it cannot be started.
    pub async fn start(run: &Run) -> Result<Worker, String> {
        let core = run.library.core()?;
        let mut child = Command::new(&core.python)
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("plugins in Python cannot be run by `{}`: {error}", core.python.display()))?;
        let (Some(asks), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the plugins' process has no pipes".into());
        };
        let mut worker = Worker { asks, answers: BufReader::new(answers), _child: child };
        let settings = {
            let roles = read(&run.roles.found);
            let mut places = Places::of(&run.request.settings, &run.playbook_folders, &run.roles);
            places.folders.extend([("action", actions_of(run, &roles)), ("module", modules_of(run, &roles))]);
            json!({
                "collections": places.collections,
                "folders": places.folders,
                "native": Vec::from_iter(actions::NAMES.iter().chain(NATIVE)),
                "core": core.modules.parent(),
                "verbosity": run.request.settings.verbosity,
            })
        };
        worker.say(&settings).await?;
        Ok(worker)
    }

    /// # Errors
    /// A sentence: it is gone.
    pub async fn say(&mut self, message: &Json) -> Result<(), String> {
        self.asks.write_all(format!("{message}\n").as_bytes()).await.map_err(gone)
    }

    /// What it says next.
    ///
    /// # Errors
    /// A sentence: it is gone.
    pub async fn hear(&mut self) -> Result<Said, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line).await.map_err(gone)? {
            0 => Err("the process that runs action plugins in Python ended; does `import ansible` work there?".into()),
            _ => match serde_json::from_str(&line) {
                Ok(Json::Object(said)) => Ok(said),
                _ => Err(format!("an action plugin answered with no JSON: {line}")),
            },
        }
    }
}

fn gone(error: std::io::Error) -> String {
    format!("the process that runs action plugins in Python is gone: {error}")
}
