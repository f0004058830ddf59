//! A job of `async`: a process of its own session that runs one module, writes what came of it to a file, and outlives the agent.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Map, Value};
use crate::modules::Output;
use crate::modules::commands::{CUSTOM_MODULE, prepare_custom};
use crate::system::running::end_running_programs;
use crate::system::{Blobs, Failure, System};
use crate::wire::{Decoder, TaskReply, TaskRequest, encode};

use super::outbox::Outbox;

/// What the process of a job reads first of all.
#[derive(Serialize, Deserialize)]
struct Order {
    request: TaskRequest,
    result: PathBuf,
    /// Content that the task will want, by its hash: nobody is there to be asked then.
    content: Vec<(String, Vec<u8>)>,
}

/// What a job took along.
struct TakenAlong(Vec<(String, Vec<u8>)>);

impl Blobs for TakenAlong {
    fn fetch(&mut self, sha256: &str) -> crate::system::Result<Arc<Vec<u8>>> {
        let found = self.0.iter().find(|(known, _)| known == sha256);
        let missing = || Failure::new("this task wants content from the controller, which a job cannot ask for");
        found.map(|(_, content)| Arc::new(content.clone())).ok_or_else(missing)
    }
}

/// Starts a job; gives what its task comes to at once.
pub fn start(request: &TaskRequest, folder: &str, sys: &mut System) -> Result<Output, Failure> {
    let mut content = Vec::new();
    let mut request = TaskRequest { job: None, ..request.clone() };
    if request.module == CUSTOM_MODULE {
        request.args.insert("keeps_stderr", true);
        for sha256 in prepare_custom(&request.args, sys)? {
            content.push((sha256.clone(), sys.blob(&sha256)?.to_vec()));
        }
    }
    let failed = |error: std::io::Error| Failure::new(format!("the job cannot be started: {error}"));
    let folder = match (folder.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(folder),
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| Failure::new(format!("could not create directory: {}: {error}", folder.display())))?;
    let mut child = Command::new("/proc/self/exe")
        .args(["agent", "--job"])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let id = format!("j{}.{}", rand::random_range(0..1_000_000_000_000_u64), child.id());
    let result = folder.join(&id);
    let mut status: Map = [("started", Value::Bool(true)), ("finished", false.into()), ("ansible_job_id", id.into())].into_iter().collect();
    write_result(&result, &status).map_err(failed)?;
    let order = Order { request, result: result.clone(), content };
    let frame = encode(&order).map_err(|error| Failure::new(error.to_string()))?;
    let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Failure::new("the job has no pipes"));
    };
    input.write_all(&frame).map_err(failed)?;
    drop(input);
    // It closes its output once it stands on its own feet.
    output.read_to_end(&mut Vec::new()).map_err(failed)?;
    std::thread::spawn(move || child.wait().map(drop).unwrap_or_default());
    status.insert("results_file", result.to_string_lossy().into_owned());
    status.insert("changed", true);
    Ok(Output::new().with_all(&status))
}

/// The job's own process.
///
/// # Errors
/// The order cannot be read, or the result not be written.
pub fn run(mut input: impl Read) -> Result<(), String> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let mut decoder = Decoder::default();
    decoder.feed(&bytes);
    let order: Option<Order> = decoder.message().map_err(|error| error.to_string())?;
    let order = order.ok_or("the job was told half of what to do")?;
    nix::unistd::setsid().map_err(|error| error.to_string())?;
    // Nobody listens from here on.
    let nowhere = fs::OpenOptions::new().write(true).open("/dev/null").map_err(|error| error.to_string())?;
    rustix::stdio::dup2_stdout(&nowhere).map_err(|error| error.to_string())?;
    let limit = order.request.timeout.map_or(Duration::MAX, Duration::from_secs);
    let (sender, receiver) = std::sync::mpsc::channel();
    let request = TaskRequest { timeout: None, ..order.request };
    std::thread::spawn(move || {
        let mut sys = System::local().with_blobs(Box::new(TakenAlong(order.content)));
        let reply = super::task::run(&request, &mut sys, &Outbox::new(std::io::sink()));
        // Whoever waits has given up.
        sender.send(reply).unwrap_or_default();
    });
    let result = match receiver.recv_timeout(limit) {
        Ok(reply) => values(reply),
        Err(_) => {
            end_running_programs();
            let pid = std::process::id();
            [("failed", Value::Bool(true)), ("msg", "Timeout exceeded".into()), ("child_pid", i64::from(pid).into())].into_iter().collect()
        }
    };
    write_result(&order.result, &result).map_err(|error| error.to_string())
}

/// A reply as modules write it.
fn values(reply: TaskReply) -> Map {
    let mut map: Map = [("changed", Value::Bool(reply.changed))].into_iter().collect();
    map.extend(&reply.values);
    if reply.failed {
        map.insert("failed", true);
    }
    if reply.skipped {
        map.insert("skipped", true);
    }
    if !reply.facts.is_empty() {
        map.insert("ansible_facts", reply.facts);
    }
    if !reply.warnings.is_empty() {
        map.insert("warnings", Value::list(reply.warnings));
    }
    map
}

/// Written beside and renamed, so that nobody reads half of it; it may hold secrets.
fn write_result(path: &Path, values: &Map) -> std::io::Result<()> {
    let fresh = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(Value::from(values.clone()).to_json().to_string().as_bytes())?;
    fs::rename(&fresh, path)
}
