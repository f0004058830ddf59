//! `hostler lab`: throw-away Debian hosts on this machine.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::base::Diagnostic;
use crate::lab::{Event, Host, HostState, Lab, Release, UpOptions};

/// Boot throw-away Debian hosts on this machine: systemd, sshd and apt, in about a second each
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler lab up idp1 acme && hostler lab ssh idp1")]
pub struct LabArgs {
    /// Which lab; several run side by side
    #[arg(long, global = true, value_name = "NAME", env = "HOSTLER_LAB", default_value = "default")]
    lab: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make hosts, or boot those that are stopped; a running host is left as it is
    Up {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Debian release: trixie (13) or bookworm (12)
        #[arg(long, default_value = "trixie")]
        image: String,
        /// Debian packages the hosts start with
        #[arg(long = "with", value_name = "PACKAGE,…", value_delimiter = ',')]
        packages: Vec<String>,
        /// Let the hosts write at most so many megabytes (kept in memory)
        #[arg(long, value_name = "MB")]
        disk: Option<u64>,
    },
    /// List the lab's hosts
    Ls {
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
    /// Log in to a host, or run a command there
    Ssh {
        name: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Make hosts bare again: same name, address and host key
    Reset {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Throw hosts away; with the last one, the lab
    Down {
        #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "NAME")]
        names: Vec<String>,
        /// Every host of the lab
        #[arg(long)]
        all: bool,
    },
    /// Print an inventory of the lab's hosts
    Inventory {
        /// Write DIR/HOST/lab.yml for each host instead, for an inventory that has DIR beside it
        #[arg(long, value_name = "DIR")]
        host_vars: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// One host in `ls --output json`.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    address: String,
    state: HostState,
}

/// Runs the verb. The answer is the exit status.
pub fn run(args: LabArgs) -> Result<u8, Diagnostic> {
    let lab = Lab::open(&args.lab)?;
    match args.verb {
        Verb::Up { names, image, packages, disk } => {
            let image: Release = image.parse()?;
            let options = UpOptions { image, packages, disk: disk.map(|megabytes| megabytes.saturating_mul(1 << 20)) };
            lab.up(&names, &options, &show)?;
        }
        Verb::Ls { output } => list(&lab.ls()?, output),
        Verb::Ssh { name, command } => return ssh(&lab, &name, &command),
        Verb::Reset { names } => names.iter().try_for_each(|name| lab.reset(name, &show).map(drop))?,
        Verb::Down { all: true, .. } => lab.down_all(&show)?,
        Verb::Down { names, .. } => lab.down(&names, &show)?,
        Verb::Inventory { host_vars: Some(folder) } => lab.write_host_variables(&folder)?,
        Verb::Inventory { host_vars: None } => say(&lab.inventory()?),
    }
    Ok(0)
}

fn ssh(lab: &Lab, name: &str, command: &[String]) -> Result<u8, Diagnostic> {
    let status = lab.ssh(name)?.args(command).status().map_err(|error| Diagnostic::error("cannot start `ssh`").cause(error.to_string()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255))
}

fn list(hosts: &[Host], output: Output) {
    match output {
        Output::Json => {
            let listed = hosts.iter().map(|host| Listed { name: &host.name, address: host.address.to_string(), state: host.state });
            say(&format!("{:#}\n", serde_json::json!(listed.collect::<Vec<_>>())));
        }
        Output::Text if hosts.is_empty() => say("no hosts; `hostler lab up NAME` makes one\n"),
        Output::Text => hosts.iter().for_each(|host| {
            let state = if host.state == HostState::Running { "running" } else { "stopped" };
            say(&format!("{:<16} {:<14} {state}\n", host.name, host.address));
        }),
    }
}

/// Tells what happens, one finished line each.
fn show(event: &Event) {
    say(&match event {
        Event::BuildingImage { release } => format!("building the image of Debian {}, once; about half a minute\n", release.name()),
        Event::InstallingPackages { packages } => format!("installing {} in an image, once\n", packages.join(", ")),
        Event::Ready { host, took } => format!("{host:<16} up         {}\n", seconds(*took)),
        Event::Unchanged { host } => format!("{host:<16} up         already\n"),
        Event::Gone { host } => format!("{host:<16} gone\n"),
    });
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn say(text: &str) {
    // A reader that went away (`| head`) is no failure of the lab.
    let _ = io::stdout().write_all(text.as_bytes());
}
