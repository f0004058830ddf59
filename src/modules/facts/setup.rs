//! `ansible.builtin.setup`: the facts of the host, under Ansible's names.

use crate::base::{Map, Value};
use crate::modules::{Module, Output, module_args};
use crate::system::{Failure, Result, System};

use super::reader::Reader;
use super::{devices, hardware, local, network, platform, session, subsets, virtualization};

pub struct Setup;

module_args! {
    /// Gathers facts about the host.
    pub struct SetupArgs {
        /// What to gather: `all`, `min`, names such as `network` or `hardware`, each with `!` to leave it out.
        gather_subset: Vec<String> = vec!["all".to_owned()],
        /// Give only facts whose names match one of these patterns.
        filter: Vec<String> = Vec::<String>::new(),
        /// Folder of the host's own facts (`*.fact`: JSON, ini, or a program that prints either).
        fact_path: String = "/etc/ansible/facts.d",
    }
    accepts {
        /// Seconds that a single fact may take; facts are read from the kernel here, so nothing waits.
        gather_timeout: i64,
    }
}

impl Module for Setup {
    const NAME: &'static str = "ansible.builtin.setup";
    type Args = SetupArgs;

    fn run(args: SetupArgs, sys: &mut System) -> Result<Output> {
        let mut facts = Map::new();
        let mut warnings = Vec::new();
        let host = Reader { sys };
        for collector in subsets::collectors(&args.gather_subset)? {
            match collector {
                "platform" => platform::names(&host, &mut facts),
                "distribution" => platform::distribution(&host, &mut facts),
                "lsb" => platform::lsb(&host, &mut facts),
                "pkg_mgr" => platform::package_manager(&host, &mut facts),
                "service_mgr" => platform::service_manager(&host, &mut facts),
                "hardware" => {
                    hardware::collect(&host, &mut facts);
                    devices::collect(&host, &mut facts);
                }
                "loadavg" => hardware::load_average(&host, &mut facts),
                "network" => network::collect(&host, &mut facts),
                "virtual" => virtualization::collect(&host, &mut facts),
                "local" => local::collect(&host, &args.fact_path, &mut facts, &mut warnings),
                other => session::collect(&host, other, &mut facts),
            }
        }
        facts.insert("gather_subset", Value::list(args.gather_subset));
        facts.insert("module_setup", true);
        let facts = filtered(facts, &args.filter)?;
        warnings.into_iter().for_each(|warning| sys.warn(warning));
        Ok(Output::new().with_facts(facts))
    }
}

/// Facts with their `ansible_` in front, and of them only what the patterns match, with or without it.
fn filtered(facts: Map, patterns: &[String]) -> Result<Map> {
    let patterns: Vec<glob::Pattern> = patterns
        .iter()
        .filter(|pattern| !pattern.is_empty())
        .map(|pattern| {
            glob::Pattern::new(pattern).map_err(|error| Failure::new(format!("filter `{pattern}` is no pattern: {error}")).at("filter"))
        })
        .collect::<Result<_>>()?;
    let prefixed = |name: &str| match name {
        "gather_subset" | "module_setup" => name.to_owned(),
        _ => format!("ansible_{}", name.replace(['-', ':'], "_")),
    };
    let matches = |name: &str| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name));
    let facts = facts.into_iter().map(|(name, value)| (name.to_string(), value));
    Ok(facts.filter(|(name, _)| matches(name) || matches(&prefixed(name))).map(|(name, value)| (prefixed(&name), value)).collect())
}

#[cfg(test)]
mod tests {
    use crate::base::Map;
    use crate::modules::find;
    use crate::modules::testing::Machine;
    use crate::system::{Overlay, System};

    #[test]
    fn a_filter_matches_with_and_without_the_prefix() {
        let overlay =
            || Overlay::empty().with_file("/proc/sys/kernel/osrelease", "6.1.0\n").with_file("/proc/sys/kernel/hostname", "web1\n");
        for filter in ["ansible_kernel", "kernel"] {
            let facts = Machine::new(overlay()).task(&format!("setup: {{ filter: {filter} }}")).expect("runs").output.facts;
            assert_eq!(facts.len(), 1, "{facts:?}");
            assert_eq!(facts.text("ansible_kernel"), Some("6.1.0"));
        }
    }

    #[test]
    fn this_machine_tells_what_roles_ask_for() {
        let started = std::time::Instant::now();
        let facts = (find("setup").expect("is there").run)(Map::new(), &mut System::local()).expect("runs").facts;
        let elapsed = started.elapsed();
        for name in
            ["distribution", "os_family", "kernel", "hostname", "fqdn", "memtotal_mb", "processor_vcpus", "mounts", "env", "date_time"]
        {
            assert!(facts.contains_key(&format!("ansible_{name}")), "{name} is missing");
        }
        assert!(elapsed.as_secs() < 5, "{elapsed:?}");
    }
}
