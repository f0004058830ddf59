//! `ansible.builtin.service_facts`: every service with its state.

use std::collections::BTreeMap;

use crate::base::{Map, Value};
use crate::modules::{Module, Output, module_args};
use crate::system::{Command, Result, System};

pub struct ServiceFacts;

module_args! {
    /// Tells the state of every service, as the fact `services`.
    pub struct ServiceFactsArgs {
    }
}

const BAD_STATES: [&str; 3] = ["failed", "masked", "not-found"];

impl Module for ServiceFacts {
    const NAME: &'static str = "ansible.builtin.service_facts";
    type Args = ServiceFactsArgs;

    fn run(_args: ServiceFactsArgs, sys: &mut System) -> Result<Output> {
        let list = |what: &str| -> Result<String> {
            let command = Command::new("systemctl").arg(what).args(["--no-pager", "--no-legend", "--type=service", "--all", "--plain"]);
            Ok(sys.query_command(command.env("LC_ALL", "C.UTF-8"))?.check("list services")?.stdout_text())
        };
        // The files first, which takes a while: systemd then has let go of a unit that was stopped just now.
        let files = list("list-unit-files")?;
        let mut services = from_units(&list("list-units")?);
        add_files(&files, &mut services);
        let services: Map = services
            .into_iter()
            .map(|(name, (state, status))| {
                let entry = [("name", name.as_str()), ("state", state.as_str()), ("status", status.as_str()), ("source", "systemd")];
                (name.clone(), Value::map(entry))
            })
            .collect();
        Ok(Output::new().with_facts([("services", services)].into_iter().collect()))
    }
}

/// Name, state and status of loaded units.
fn from_units(text: &str) -> BTreeMap<String, (String, String)> {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let units = lines.filter_map(|fields| match fields.as_slice() {
        [name, load, active, sub, ..] if name.ends_with(".service") => {
            let state = if *sub == "running" { "running" } else { "stopped" };
            let status = BAD_STATES.iter().find(|bad| [load, active, sub].contains(bad)).unwrap_or(active);
            Some(((*name).to_owned(), (state.to_owned(), (*status).to_owned())))
        }
        _ => None,
    });
    units.collect()
}

/// Adds whether each is enabled; a file that no unit was loaded from is not running.
fn add_files(text: &str, services: &mut BTreeMap<String, (String, String)>) {
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(status)) = (words.next(), words.next()) else { continue };
        match services.get_mut(name) {
            Some((_, known)) if BAD_STATES.contains(&known.as_str()) => {}
            Some((_, known)) => status.clone_into(known),
            None => drop(services.insert(name.to_owned(), ("inactive".into(), status.to_owned()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_their_files_make_one_list() {
        let mut services = from_units("ssh.service loaded active running OpenBSD\nold.service not-found inactive dead old\n");
        add_files("ssh.service enabled enabled\ngetty@.service enabled -\nold.service masked -\n", &mut services);
        assert_eq!(services["ssh.service"], ("running".into(), "enabled".into()));
        assert_eq!(services["getty@.service"], ("inactive".into(), "enabled".into()));
        assert_eq!(services["old.service"], ("stopped".into(), "not-found".into()));
    }
}
