//! What the links with Ansible's names do: they take Ansible's arguments.

use clap::Parser;

use super::called::Link;
use super::environment::Environment;
use super::failure::{Failed, Outcome, print, refuse_to_start};
use super::{adhoc, config, doc, inventory, locale, run, settings, vault};

/// The release whose behaviour is followed: scripts read it from `--version`.
const REFERENCE: &str = "2.19.14";

#[derive(Debug, Parser)]
#[command(name = "ansible-playbook", disable_version_flag = true)]
struct Playbook {
    #[command(flatten)]
    args: run::RunArgs,
}

#[derive(Debug, Parser)]
#[command(name = "ansible", disable_version_flag = true)]
struct AdHoc {
    #[command(flatten)]
    args: adhoc::AdHocArgs,
}

#[derive(Debug, Parser)]
#[command(name = "ansible-doc", disable_version_flag = true)]
struct Doc {
    #[command(flatten)]
    args: doc::DocArgs,
}

#[derive(Debug, Parser)]
#[command(name = "ansible-config", disable_version_flag = true)]
struct Config {
    #[command(flatten)]
    args: config::ConfigArgs,
}

#[derive(Debug, Parser)]
#[command(name = "ansible-vault", disable_version_flag = true)]
struct Vault {
    #[command(flatten)]
    args: vault::VaultArgs,
}

#[derive(Debug, Parser)]
#[command(name = "ansible-inventory", disable_version_flag = true)]
struct Inventory {
    #[command(flatten)]
    args: inventory::InventoryArgs,
}

/// Answers as the program of that name.
///
/// # Errors
/// As the command that it stands for.
pub fn answer(link: Link) -> Outcome {
    if let Err(why) = locale::check(|name| std::env::var(name).ok(), std::path::Path::new(locale::FOLDER)) {
        return Ok(refuse_to_start(&why));
    }
    let version = std::env::args().nth(1).is_some_and(|first| first == "--version");
    match link {
        Link::Refused(name, instead) => Err(Failed::option(format!("`{name}` is not part of Hostler: {instead}"))),
        _ if version => print(&version_text(link)?),
        Link::Playbook => run::run(Playbook::parse().args, true),
        Link::AdHoc => adhoc::run(AdHoc::parse().args),
        Link::Doc => doc::run(Doc::parse().args),
        Link::Config => config::run(Config::parse().args),
        Link::Vault => vault::run(Vault::parse().args),
        Link::Inventory => inventory::run(Inventory::parse().args),
    }
}

/// Ansible's first lines of `--version`.
fn version_text(link: Link) -> Result<String, Failed> {
    let (settings, _) = settings::resolve(&Environment::current()?)?;
    let config = settings.config_file.map_or("None".to_owned(), |file| file.display().to_string());
    let program = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    Ok(format!(
        "{} [core {REFERENCE}] (hostler {})\n  config file = {config}\n  executable location = {program}\n  python version = none (Hostler is a native program)\n",
        link.name(),
        env!("CARGO_PKG_VERSION"),
    ))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        for command in [Playbook::command(), AdHoc::command(), Doc::command(), Config::command()] {
            command.debug_assert();
        }
    }
}
