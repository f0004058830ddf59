//! SSH through the user's own OpenSSH: its configuration, keys, agents and jump hosts count. One master per host, held between runs; the
//! agent's channel is opened through the master's socket.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use openssh::{Session, Stdio as RemoteStdio};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use crate::base::Secret;
use crate::wire::bootstrap::{DAMAGED, FOUND, GONE, NO_PLACE, Packing, WANTED, stub, way_back};

use super::error::LinkError;
use super::payload::Payload;
use super::session::Connection;

/// How to reach a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshOptions {
    pub host: String,
    pub user: Option<String>,
    pub port: Option<u16>,
    pub private_key: Option<PathBuf>,
    /// `ansible_ssh_common_args`, `ansible_ssh_extra_args`: split into words.
    pub arguments: Vec<String>,
    pub password: Option<Secret>,
    pub check_host_key: bool,
    pub connect_timeout: Duration,
    pub program: Option<String>,
    /// How long a master stays after its last use.
    pub persist: String,
    /// Where sockets of masters live: a folder of the user's own.
    pub control_folder: PathBuf,
}

impl std::hash::Hash for SshOptions {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.words().hash(state);
        self.control_folder.hash(state);
    }
}

impl SshOptions {
    /// The options that decide where a connection leads and how, as words for `ssh`.
    fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        let mut option = |text: String| words.extend(["-o".into(), text.into()]);
        option(format!("ConnectTimeout={}", self.connect_timeout.as_secs().max(1)));
        if !self.check_host_key {
            option("StrictHostKeyChecking=no".into());
        }
        if let Some(port) = self.port {
            option(format!("Port={port}"));
        }
        if let Some(key) = &self.private_key {
            option(format!("IdentityFile=\"{}\"", key.display()));
        }
        if let Some(user) = &self.user {
            option(format!("User=\"{user}\""));
        }
        match self.password {
            Some(_) => option("NumberOfPasswordPrompts=1".into()),
            None => {
                option("KbdInteractiveAuthentication=no".into());
                option("PasswordAuthentication=no".into());
                option("PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey".into());
            }
        }
        words.extend(self.arguments.iter().map(OsString::from));
        // A connection that hangs must be noticed; what the user says of it comes first, and counts.
        words.extend(["-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3"].map(OsString::from));
        words
    }

    /// A socket path that is short (the kernel allows 108 bytes) and different for whatever leads elsewhere.
    fn control_path(&self) -> PathBuf {
        let mut hash = Sha256::new();
        for word in self.words() {
            hash.update(word.as_encoded_bytes());
            hash.update([0]);
        }
        hash.update(self.host.as_bytes());
        self.control_folder.join(&hex::encode(hash.finalize())[..16])
    }

    fn program(&self) -> &str {
        self.program.as_deref().unwrap_or("ssh")
    }
}

/// Keeps the SSH session alive as long as the agent's channel is used.
pub struct Guard {
    _channel: openssh::Child<std::sync::Arc<Session>>,
}

/// An agent whose controller is gone waits so many seconds for it to come back.
const GRACE: u64 = 90;

/// The variable that says otherwise, for tests.
const GRACE_VARIABLE: &str = "HOSTLER_AGENT_GRACE";

/// Reaches the host and starts the agent in the same channel it will talk over.
pub async fn start_agent(options: &SshOptions, payload: &Payload) -> Result<Connection, LinkError> {
    let grace = std::env::var(GRACE_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(GRACE);
    let text = stub(&payload.hash, payload.packed_size, Packing::Gzip, &format!(" --session {grace}"));
    if options.host.starts_with('-') || options.user.as_deref().is_some_and(|user| user.starts_with('-')) {
        return Err(LinkError::Unreachable(format!("`{}` is no host name", options.host)));
    }
    let control = options.control_path();
    ensure_master(options, &control).await?;
    match start_in_master(&control, &text, payload).await {
        // A master that has gone stale since it was checked: one new one, then it counts.
        Err(LinkError::Lost(_)) => {
            std::fs::remove_file(&control).unwrap_or_default();
            ensure_master(options, &control).await?;
            start_in_master(&control, &text, payload).await
        }
        other => other,
    }
}

/// Reaches the host again and finds the agent that waits there.
pub async fn attach_agent(options: &SshOptions, payload: &Payload, token: &str) -> Result<Connection, LinkError> {
    let control = options.control_path();
    ensure_master(options, &control).await?;
    start_in_master(&control, &way_back(&payload.hash, token), payload).await
}

async fn start_in_master(control: &Path, text: &str, payload: &Payload) -> Result<Connection, LinkError> {
    let session = std::sync::Arc::new(Session::resume_mux(control.into(), None));
    // The user's login shell may not be a POSIX one, so the text is handed to `sh` as one quoted word.
    let mut command = session.arc_command("/bin/sh");
    command.arg("-c").arg(text);
    command.stdin(RemoteStdio::piped()).stdout(RemoteStdio::piped()).stderr(RemoteStdio::null());
    let mut channel = command.spawn().await.map_err(|error| LinkError::Lost(chain(&error)))?;
    let (Some(mut input), Some(mut output)) = (channel.stdin().take(), channel.stdout().take()) else {
        return Err(LinkError::Lost("the channel has no pipes".into()));
    };
    handshake(&mut input, &mut output, payload).await?;
    Ok(Connection { input, output, guard: Guard { _channel: channel } })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Answers the stub: it finds the agent, or wants it.
async fn handshake(input: &mut openssh::ChildStdin, output: &mut openssh::ChildStdout, payload: &Payload) -> Result<(), LinkError> {
    for _ in 0..200 {
        match read_line(output).await?.trim() {
            FOUND => return Ok(()),
            GONE => return Err(LinkError::Gone),
            WANTED => {
                let packed = payload.packed().await.map_err(|error| LinkError::Agent(format!("cannot read the packed agent: {error}")))?;
                let sent = match input.write_all(&packed).await {
                    Ok(()) => input.flush().await,
                    failed => failed,
                };
                // A host that cannot keep it stops reading, and says why.
                if let Err(error) = sent {
                    let answer = read_line(output).await.unwrap_or_default();
                    return Err(if answer.trim() == DAMAGED { damaged() } else { LinkError::Lost(error.to_string()) });
                }
            }
            DAMAGED => return Err(damaged()),
            NO_PLACE => {
                return Err(LinkError::Agent(
                    "the agent has no place on the host: neither ~/.cache nor /var/tmp can be written; is the disk full or read-only?"
                        .into(),
                ));
            }
            // Greetings of the login shell.
            _ => {}
        }
    }
    Err(LinkError::Agent("the login shell of that user prints without end; the agent cannot be started through it".into()))
}

fn damaged() -> LinkError {
    LinkError::Agent(
        "the agent could not be written whole on the host, to ~/.cache or /var/tmp: make room on its disk and run again".into(),
    )
}

/// One line, a byte at a time: what follows belongs to the agent and must not be read here.
async fn read_line(output: &mut openssh::ChildStdout) -> Result<String, LinkError> {
    let mut line = Vec::new();
    loop {
        let byte = output.read_u8().await;
        match byte {
            Ok(b'\n') => return Ok(String::from_utf8_lossy(&line).into_owned()),
            Ok(byte) if line.len() < 4096 => line.push(byte),
            Ok(_) => return Err(LinkError::Agent("the login shell of that user prints a line without end".into())),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let said = String::from_utf8_lossy(&line).into_owned();
                return Err(LinkError::Agent(format!("the host ended the session before the agent started {said}")));
            }
            Err(error) => return Err(LinkError::Lost(error.to_string())),
        }
    }
}

/// Makes sure that a master for these options runs: one from an earlier run, or a new one.
async fn ensure_master(options: &SshOptions, control: &Path) -> Result<(), LinkError> {
    let unreachable = |error: io::Error| LinkError::Unreachable(error.to_string());
    std::fs::create_dir_all(&options.control_folder).map_err(unreachable)?;
    std::fs::set_permissions(&options.control_folder, std::fs::Permissions::from_mode(0o700)).map_err(unreachable)?;
    if control.exists() && Session::resume_mux(control.into(), None).check().await.is_ok() {
        return Ok(());
    }
    std::fs::remove_file(control).unwrap_or_default();
    let log = control.with_extension(format!("{}.log", std::process::id()));
    let askpass = match &options.password {
        Some(password) => Some(AskPass::offer(control, password.clone()).map_err(unreachable)?),
        None => None,
    };
    let mut command = tokio::process::Command::new(options.program());
    command.args(["-M", "-N", "-f", "-E"]).arg(&log).arg("-o").arg(format!("ControlPath={}", control.display()));
    command.arg("-o").arg("ControlMaster=yes").arg("-o").arg(format!("ControlPersist={}", options.persist));
    command.args(options.words()).arg("--").arg(&options.host);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    if let Some(askpass) = &askpass {
        askpass.instruct(&mut command).map_err(unreachable)?;
    }
    let started = command.status().await;
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    std::fs::remove_file(&log).unwrap_or_default();
    match started {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(LinkError::Unreachable(explain(&said, options))),
        Err(error) => Err(LinkError::Unreachable(format!("cannot start `{}`: {error}", options.program()))),
    }
}

/// What `ssh` said, with the way out for the usual cases.
fn explain(said: &str, options: &SshOptions) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("Warning: Permanently added")).collect();
    let said = lines.join("\r\n").trim().to_owned();
    if said.is_empty() {
        return format!("ssh to `{}` ended without a word", options.host);
    }
    match way_out(&said, options) {
        Some(way_out) => format!("{said}\r\n{way_out}"),
        None => said,
    }
}

/// What to do about the usual failures of `ssh`.
fn way_out(said: &str, options: &SshOptions) -> Option<String> {
    let says = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    let advice = match () {
        () if says(&["Could not resolve hostname"]) => "check `ansible_host` of this host in the inventory, or its name".into(),
        () if says(&["Identity file"]) => "`ansible_ssh_private_key_file` names a file that is not there".into(),
        () if says(&["UNPROTECTED PRIVATE KEY FILE"]) => "let nobody else read the key: chmod 600".into(),
        () if says(&["REMOTE HOST IDENTIFICATION HAS CHANGED"]) => {
            format!("if the host was set up anew, forget its old key: ssh-keygen -R {}", options.host)
        }
        () if says(&["Host key verification failed", "host key is known for"]) => {
            format!("compare the host's key and accept it once by hand: ssh {}", options.host)
        }
        () if says(&["Permission denied"]) && options.password.is_some() => {
            "check `ansible_user` and the password, and that the host takes passwords".into()
        }
        () if says(&["Permission denied", "Too many authentication failures"]) => {
            "the host takes none of the keys for this user: check `ansible_user` and `ansible_ssh_private_key_file`".into()
        }
        () if says(&["Connection refused"]) => "nothing listens on that port: does sshd run there, and is `ansible_port` right?".into(),
        () if says(&["timed out", "No route to host", "Network is unreachable"]) => {
            "is the host up, is `ansible_host` right, and does a firewall let SSH through?".into()
        }
        () => return None,
    };
    Some(advice)
}

/// Hands the password to `ssh` through its askpass program, which is Hostler itself: over a private socket, never in arguments or
/// environment.
struct AskPass {
    socket: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

/// The variable that tells `hostler askpass` where to ask.
pub const ASKPASS_SOCKET: &str = "HOSTLER_ASKPASS_SOCKET";

impl AskPass {
    fn offer(control: &Path, password: Secret) -> io::Result<Self> {
        let socket = control.with_extension(format!("{}.ask", std::process::id()));
        std::fs::remove_file(&socket).unwrap_or_default();
        let listener = UnixListener::bind(&socket)?;
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(password.expose().as_bytes()).await.unwrap_or_default();
            }
        });
        Ok(AskPass { socket, task })
    }

    fn instruct(&self, command: &mut tokio::process::Command) -> io::Result<()> {
        command.env("SSH_ASKPASS", std::fs::canonicalize("/proc/self/exe")?);
        command.env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", ":0").env(ASKPASS_SOCKET, &self.socket);
        Ok(())
    }
}

impl Drop for AskPass {
    fn drop(&mut self) {
        self.task.abort();
        std::fs::remove_file(&self.socket).unwrap_or_default();
    }
}
