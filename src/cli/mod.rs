//! The command line: one file a subcommand, which merges settings and makes one call into the layers below. No clap type leaves this folder.

mod lab;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Ansible-style deployment orchestrator and provisioning agent
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lab(lab::LabArgs),
}

/// Runs the command line that this process was started with.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Lab(args) => lab::run(args),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(diagnostic) => {
            let _ = writeln!(std::io::stderr(), "error: {diagnostic}");
            ExitCode::FAILURE
        }
    }
}
