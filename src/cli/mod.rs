//! The command line: one file a subcommand, which merges settings and makes one call into the layers below. No clap type leaves this folder.

mod adhoc;
mod agent;
mod arguments;
mod called;
mod completion;
mod config;
mod config_file;
mod doc;
mod environment;
mod execute;
mod extra_vars;
mod failure;
mod history;
mod inventory;
mod keys;
mod lab;
mod links;
mod locale;
mod prompt;
mod realm;
mod run;
mod settings;
mod vault;
mod vault_sources;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use failure::{Outcome, print};

/// What `hostler` alone says.
const WELCOME: &str = "\
Hostler makes servers what your Ansible playbooks say: over SSH, without Python on them.
It runs playbooks and roles as they are, and shows what it will change before it does.

  hostler run site.yml -i hosts        make the hosts what the playbook says
  hostler run site.yml -i hosts -CD    show what that would change
  hostler history show last            what the last run did, with the differences
  hostler doc copy                     what a module does and takes
  hostler vault edit secrets.yml       change a file of secrets
  hostler lab up web                   a throw-away Debian host to try things on

More: hostler --help
";

/// Makes servers what Ansible playbooks say, without Python on them
#[derive(Debug, Parser)]
#[command(name = "hostler", version, after_help = "Example: hostler run site.yml -i hosts --check --diff")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Do(Box<adhoc::AdHocArgs>),
    History(history::HistoryArgs),
    Doc(doc::DocArgs),
    Config(config::ConfigArgs),
    Vault(vault::VaultArgs),
    Inventory(Box<inventory::InventoryArgs>),
    #[command(hide = true)]
    Agent(agent::AgentArgs),
    Lab(lab::LabArgs),
    Realm(realm::RealmArgs),
    Completion(completion::CompletionArgs),
}

/// Runs the command line that this process was started with: as `hostler`, or under one of Ansible's names.
pub fn run() -> ExitCode {
    let done = match called::called_as() {
        _ if agent::is_askpass() => agent::askpass(),
        Some(link) => links::answer(link),
        None => dispatch(Cli::parse().command),
    };
    ExitCode::from(done.unwrap_or_else(|failed| failure::show(&failed)))
}

fn dispatch(command: Option<Command>) -> Outcome {
    match command {
        None => print(WELCOME),
        Some(Command::Run(args)) => run::run(*args, false),
        Some(Command::Do(args)) => adhoc::run(*args),
        Some(Command::History(args)) => history::run(args),
        Some(Command::Doc(args)) => doc::run(args),
        Some(Command::Config(args)) => config::run(args),
        Some(Command::Realm(args)) => realm::run(args),
        Some(Command::Vault(args)) => vault::run(args),
        Some(Command::Inventory(args)) => inventory::run(*args),
        Some(Command::Agent(args)) => agent::run(&args),
        Some(Command::Lab(args)) => Ok(lab::run(args)?),
        Some(Command::Completion(args)) => completion::run(&args, Cli::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_and_its_help_fits_a_screen() {
        let mut command = Cli::command();
        command.build();
        for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
            let help = sub.render_help().to_string();
            assert!(help.contains("Example: "), "{help}");
            assert!(help.lines().count() <= 60, "{}: {} lines", sub.get_name(), help.lines().count());
        }
    }
}
