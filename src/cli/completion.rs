//! `hostler completion`: what a shell needs to complete our command lines.

use clap::{Args, Command};
use clap_complete::Shell;

use super::failure::{Outcome, print};

/// Completion for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler completion bash > /etc/bash_completion.d/hostler")]
pub struct CompletionArgs {
    shell: Shell,
}

/// Prints the script for the whole command.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &CompletionArgs, mut command: Command) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "hostler", &mut script);
    print(&String::from_utf8_lossy(&script))
}
