//! How to reach a lab's hosts: pinned host keys, a client configuration, an inventory.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::home::replace_file;
use super::host::Place;
use super::process::tool;
use super::{LabError, Result};

/// The files in a lab's folder that its users need.
#[derive(Clone, Debug)]
pub struct Access {
    pub key: PathBuf,
    pub known_hosts: PathBuf,
    pub ssh_config: PathBuf,
}

impl Access {
    pub fn of(lab: &Path) -> Access {
        Access { key: lab.join("key"), known_hosts: lab.join("known_hosts"), ssh_config: lab.join("ssh_config") }
    }

    /// Writes them anew for the lab's hosts of now.
    pub fn write(&self, places: &[Place]) -> Result<()> {
        replace_file(&self.known_hosts, known_hosts(places)?.as_bytes())?;
        replace_file(&self.ssh_config, self.client_config(places).as_bytes())
    }

    fn client_config(&self, places: &[Place]) -> String {
        let mut text = String::from("# Written by `hostler lab`. Use: ssh -F THIS-FILE NAME\n");
        for place in places {
            let _ = write!(text, "Host {} {}\n  HostName {}\n", place.names().join(" "), place.address(), place.address());
        }
        let (key, known) = (self.key.display(), self.known_hosts.display());
        let _ = write!(
            text,
            "Host *\n  User root\n  IdentityFile {key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n  \
             StrictHostKeyChecking yes\n  PasswordAuthentication no\n  ConnectTimeout 10\n"
        );
        text
    }

    pub fn public_key(&self) -> Result<String> {
        let path = self.key.with_extension("pub");
        std::fs::read_to_string(&path).map_err(LabError::io("read", &path))
    }

    /// The user's `ssh`, bound for one host.
    pub fn ssh(&self, host: &str) -> Command {
        let mut command = tool("ssh");
        command.arg("-F").arg(&self.ssh_config).arg(host).stdin(Stdio::inherit());
        command
    }

    /// An inventory of the lab's hosts. Host keys are checked, against the lab's own `known_hosts`.
    pub fn inventory(&self, places: &[Place]) -> String {
        let mut text = String::from("# Written by `hostler lab inventory`.\nall:\n");
        text.push_str(if places.is_empty() { "  hosts: {}\n" } else { "  hosts:\n" });
        for place in places {
            let _ = write!(text, "    {}:\n      ansible_host: {}\n", place.name, place.address());
        }
        text.push_str("  vars:\n");
        for line in self.login_variables().lines() {
            let _ = writeln!(text, "    {line}");
        }
        text
    }

    /// The same for one host, as a file of `host_vars` beside an inventory that names it.
    pub fn host_variables(&self, place: &Place) -> String {
        format!("# Written by `hostler lab inventory`.\nansible_host: {}\n{}", place.address(), self.login_variables())
    }

    fn login_variables(&self) -> String {
        format!(
            "ansible_user: root\nansible_ssh_private_key_file: {}\nansible_ssh_common_args: >-\n  \
             -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null\n",
            self.key.display(),
            self.known_hosts.display()
        )
    }
}

fn known_hosts(places: &[Place]) -> Result<String> {
    places.iter().map(|place| Ok(format!("{},{} {}\n", place.names().join(","), place.address(), place.public_host_key()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::host::Record;
    use crate::lab::image::Release;
    use crate::lab::network::Network;

    fn place() -> Place {
        let record = Record { octet: 10, image: Release::Trixie, packages: Vec::new(), disk: None };
        Place { name: "idp1".into(), folder: "/none".into(), network: Network::numbered(7), record }
    }

    #[test]
    fn the_inventory_names_address_key_and_pinned_hosts() {
        let text = Access::of(Path::new("/lab")).inventory(&[place()]);
        assert_eq!(
            text,
            "# Written by `hostler lab inventory`.\nall:\n  hosts:\n    idp1:\n      ansible_host: 10.66.7.10\n  vars:\n    ansible_user: root\n    \
             ansible_ssh_private_key_file: /lab/key\n    ansible_ssh_common_args: >-\n      -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes \
             -o UserKnownHostsFile=/lab/known_hosts -o GlobalKnownHostsFile=/dev/null\n"
        );
    }

    #[test]
    fn the_variables_of_one_host_are_yaml_at_the_top_level() {
        let text = Access::of(Path::new("/lab")).host_variables(&place());
        assert!(text.contains("\nansible_host: 10.66.7.10\nansible_user: root\n"), "{text}");
        assert!(text.contains("\nansible_ssh_common_args: >-\n  -o IdentitiesOnly=yes"), "{text}");
    }

    #[test]
    fn an_empty_lab_gives_an_inventory_without_hosts() {
        assert!(Access::of(Path::new("/lab")).inventory(&[]).contains("\n  hosts: {}\n"));
    }

    #[test]
    fn the_client_configuration_knows_a_host_by_all_its_names() {
        let text = Access::of(Path::new("/lab")).client_config(&[place()]);
        assert!(text.contains("Host idp1.lab.test idp1 10.66.7.10\n  HostName 10.66.7.10\n"), "{text}");
        assert!(text.contains("StrictHostKeyChecking yes"), "{text}");
    }
}
