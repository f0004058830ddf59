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
pub struct AgentArgs {}

/// Serves until the controller is gone.
pub fn run(_: &AgentArgs) -> Outcome {
    agent::serve(std::io::stdin(), std::io::stdout()).map_err(Diagnostic::error)?;
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
