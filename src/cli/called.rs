//! Ansible's own names: the name that this program was called by, when it is one of them.

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
    pub fn name(self) -> &'static str {
        match self {
            Link::Playbook => "ansible-playbook",
            Link::AdHoc => "ansible",
            Link::Doc => "ansible-doc",
            Link::Config => "ansible-config",
            Link::Vault => "ansible-vault",
            Link::Inventory => "ansible-inventory",
            Link::Refused(name, _) => name,
        }
    }
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
}
