//! `hostler agent`: the target's side of a link, started by a controller over SSH; and the answer to OpenSSH's question for a password.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use clap::Args;

use crate::agent;
use crate::base::Diagnostic;
use crate::transport::ASKPASS_SOCKET;

use super::failure::Outcome;

/// Serves a controller over stdin and stdout
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler agent    (hostler run starts it on the hosts it works on)")]
pub struct AgentArgs {
    /// Run the job of `async` that standard input describes
    #[arg(long, hide = true)]
    job: bool,
    /// Outlive the connection, and wait so many seconds for another one
    #[arg(long, hide = true, value_name = "SECONDS")]
    session: Option<u64>,
    /// Hand the connection on to the agent that waits under this name
    #[arg(long, hide = true, value_name = "TOKEN")]
    attach: Option<String>,
}

/// Serves until the controller is gone.
pub fn run(args: &AgentArgs) -> Outcome {
    let ended = match (args.job, args.session, &args.attach) {
        (true, ..) => agent::run_job(std::io::stdin()),
        (false, _, Some(token)) => agent::attach(token),
        (false, Some(seconds), None) => agent::serve_session(std::time::Duration::from_secs(seconds)),
        (false, None, None) => agent::serve(std::io::stdin(), std::io::stdout()),
    };
    ended.map_err(Diagnostic::error)?;
    Ok(0)
}

/// Whether OpenSSH has started this program to ask for a password.
pub fn is_askpass() -> bool {
    std::env::var_os(ASKPASS_SOCKET).is_some()
}

/// Hands on the password that the controller offers.
pub fn askpass() -> Outcome {
    let wrong = |error: std::io::Error| Diagnostic::error(format!("the password cannot be fetched from the controller: {error}"));
    let mut password = String::new();
    let socket = std::env::var_os(ASKPASS_SOCKET).unwrap_or_default();
    UnixStream::connect(socket).and_then(|mut stream| stream.read_to_string(&mut password)).map_err(wrong)?;
    writeln!(std::io::stdout(), "{password}").map_err(wrong)?;
    Ok(0)
}
