//! `ansible.builtin.hostname`: the host's own name, now and after a restart.

use std::path::Path;

use crate::base::{Map, Value};
use crate::modules::{Module, Output, module_args};
use crate::system::{Command, Diff, Effect, Failure, Result, System, WriteFile};

pub struct Hostname;

module_args! {
    /// Sets the host's name.
    pub struct HostnameArgs {
        /// The name.
        name: String,
        /// How to set it; systemd's way where it runs, else the file and the kernel.
        r#use: Option<String>,
    }
}

impl Module for Hostname {
    const NAME: &'static str = "ansible.builtin.hostname";
    type Args = HostnameArgs;

    fn run(args: HostnameArgs, sys: &mut System) -> Result<Output> {
        let name = args.name;
        let well_formed = |label: &str| {
            !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if name.len() > 64 || !name.split('.').all(well_formed) {
            return Err(Failure::new(format!("`{name}` is not a host name: letters, digits and dashes, 64 at most")).at("name"));
        }
        let read = |path: &str| sys.query_text(Path::new(path)).map(|text| text.trim().to_owned()).unwrap_or_default();
        let permanent = read("/etc/hostname");
        let running = sys.query_record("hostname", "running", || Ok(Some(read("/proc/sys/kernel/hostname").into())))?;
        let running = running.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        // First of all, since systemd lets no running name differ from the permanent one.
        if permanent != name {
            sys.write_file(WriteFile::new("/etc/hostname", format!("{name}\n")))?;
        }
        if running != name {
            let has_systemd = args.r#use.as_deref().is_none_or(|way| way == "systemd")
                && matches!(sys.query_file(Path::new("/run/systemd/system")), Ok(Some(_)))
                && sys.find_program("hostnamectl").is_some();
            let command = match has_systemd {
                true => Command::new("hostnamectl").arg("--transient").arg("set-hostname").arg(&name),
                false => Command::new("hostname").arg(&name),
            };
            sys.mutate(command, Effect::Record { kind: "hostname", name: "running".into(), value: Some(name.as_str().into()) })?;
            sys.add_diff(Diff::text("hostname", format!("hostname = {running}\n"), format!("hostname = {name}\n")));
        }
        let short = name.split('.').next().unwrap_or_default();
        let domain = name.split_once('.').map_or("", |(_, domain)| domain);
        let facts: Map =
            [("ansible_hostname", short), ("ansible_nodename", name.as_str()), ("ansible_fqdn", name.as_str()), ("ansible_domain", domain)]
                .into_iter()
                .collect();
        Ok(Output::new().with("name", name.clone()).with_facts(facts))
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn the_name_is_set_now_and_for_later() {
        let overlay = Overlay::empty().with_file("/etc/hostname", "old\n").with_file("/proc/sys/kernel/hostname", "old\n");
        let mut machine = Machine::new(overlay);
        let ran = machine.task("hostname: { name: idp1.example.org }").expect("runs");
        assert_eq!(ran.effects.len(), 2);
        assert_eq!(ran.output.facts.text("ansible_hostname"), Some("idp1"));
        assert!(machine.refusal("hostname: { name: 'a b' }").contains("not a host name"));
    }
}
