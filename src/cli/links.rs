//! Ansible's own names: a link to this program called `ansible-playbook` answers with Ansible's arguments.

use clap::{CommandFactory, Parser};

use super::environment::Environment;
use super::failure::{Failed, Outcome, print, refuse_to_start};
use super::{adhoc, config, doc, inventory, locale, run, settings, vault};

/// The release whose behaviour is followed: scripts read it from `--version`.
const REFERENCE: &str = "2.19.14";

/// A name of Ansible's that this program was called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Playbook,
    AdHoc,
    Doc,
    Config,
    Vault,
    Inventory,
    Refused(&'static str, &'static str),
}

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

/// The link that this process was started through.
pub fn called_as() -> Option<Link> {
    let program = std::env::args_os().next()?;
    by_name(std::path::Path::new(&program).file_name()?.to_str()?)
}

fn by_name(name: &str) -> Option<Link> {
    Some(match name {
        "ansible-playbook" => Link::Playbook,
        "ansible" => Link::AdHoc,
        "ansible-doc" => Link::Doc,
        "ansible-config" => Link::Config,
        "ansible-vault" => Link::Vault,
        "ansible-inventory" => Link::Inventory,
        "ansible-galaxy" => {
            Link::Refused("ansible-galaxy", "put roles into `roles/` with git, or run Ansible's own ansible-galaxy on this machine")
        }
        "ansible-pull" => {
            Link::Refused("ansible-pull", "check the repository out with git, then: hostler run site.yml -c local -i localhost,")
        }
        "ansible-console" => Link::Refused("ansible-console", "hostler do PATTERN -m MODULE -a '…' runs one task"),
        "ansible-test" => Link::Refused("ansible-test", "hostler lab gives hosts to test on"),
        _ => return None,
    })
}

impl Link {
    pub fn run(self) -> Outcome {
        if let Err(why) = locale::check(|name| std::env::var(name).ok(), std::path::Path::new(locale::FOLDER)) {
            return Ok(refuse_to_start(&why));
        }
        let version = std::env::args().nth(1).is_some_and(|first| first == "--version");
        match self {
            Link::Refused(name, instead) => Err(Failed::option(format!("`{name}` is not part of Hostler: {instead}"))),
            _ if version => print(&version_text(self)?),
            Link::Playbook => run::run(Playbook::parse().args, true),
            Link::AdHoc => adhoc::run(AdHoc::parse().args),
            Link::Doc => doc::run(Doc::parse().args),
            Link::Config => config::run(Config::parse().args),
            Link::Vault => vault::run(Vault::parse().args),
            Link::Inventory => inventory::run(Inventory::parse().args),
        }
    }

    fn name(self) -> String {
        match self {
            Link::Playbook => Playbook::command().get_name().to_owned(),
            Link::AdHoc => AdHoc::command().get_name().to_owned(),
            Link::Doc => Doc::command().get_name().to_owned(),
            Link::Config => Config::command().get_name().to_owned(),
            Link::Vault => Vault::command().get_name().to_owned(),
            Link::Inventory => Inventory::command().get_name().to_owned(),
            Link::Refused(name, _) => name.to_owned(),
        }
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
    use super::*;

    #[test]
    fn links_are_known_by_their_name_alone() {
        assert_eq!(by_name("ansible-playbook"), Some(Link::Playbook));
        assert_eq!(by_name("hostler"), None);
        assert!(matches!(by_name("ansible-galaxy"), Some(Link::Refused(..))));
    }

    #[test]
    fn the_arguments_fit_together() {
        for command in [Playbook::command(), AdHoc::command(), Doc::command(), Config::command()] {
            command.debug_assert();
        }
    }
}
