//! `ansible.builtin.service`: services by whatever manager the host has; here that is systemd.

use crate::modules::{Module, Output, module_args};
use crate::system::{Failure, Result, System};

use super::systemd_service::{ASKS, SystemdArgs, SystemdService};

pub struct Service;

module_args! {
    /// Starts, stops and enables services; takes the options of the host's service manager too.
    pub struct ServiceArgs {
        /// The service manager to use; found out when not given.
        r#use: String = "auto",
        /// For init scripts without `status`; systemd knows.
        pattern: Option<String>,
        /// For OpenRC.
        runlevel: Option<String>,
        /// For init scripts: seconds between stopping and starting.
        sleep: Option<u64>,
        /// For init scripts.
        arguments | "args": Option<String>,
    }
    flatten { systemd: SystemdArgs }
    rules [ASKS]
}

impl Module for Service {
    const NAME: &'static str = "ansible.builtin.service";
    type Args = ServiceArgs;

    fn run(args: ServiceArgs, sys: &mut System) -> Result<Output> {
        let manager = args.r#use.rsplit('.').next().unwrap_or_default();
        if !matches!(manager, "auto" | "systemd" | "systemd_service" | "service") {
            return Err(Failure::new(format!("service manager `{}` is not supported; systemd is", args.r#use)).at("use"));
        }
        let unused = [
            ("pattern", args.pattern.is_some()),
            ("runlevel", args.runlevel.is_some()),
            ("sleep", args.sleep.is_some()),
            ("arguments", args.arguments.is_some()),
        ];
        for (option, _) in unused.iter().filter(|(_, given)| *given) {
            sys.warn(format!("Ignoring \"{option}\" as it is not used in \"systemd\""));
        }
        SystemdService::run(args.systemd, sys)
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::{Overlay, Unit};

    #[test]
    fn a_service_is_a_unit_of_systemd() {
        let unit = Unit { name: "web.service".into(), load_state: "loaded".into(), active_state: "inactive".into(), ..Unit::default() };
        let mut machine = Machine::new(Overlay::empty().with_unit(unit));
        let ran = machine.task("service: { name: web, state: started }").expect("runs");
        assert_eq!(ran.effects.len(), 1);
        assert_eq!(ran.output.values.text("state"), Some("started"));
        assert!(machine.refusal("service: { name: web }").starts_with("one of the following is required"));
    }

    #[test]
    fn options_of_systemd_are_taken_and_those_of_init_scripts_warned_of() {
        let mut machine = Machine::new(Overlay::empty());
        machine.task_once("service: { daemon-reload: true, pattern: web }").expect("runs");
        assert_eq!(machine.sys.warnings(), ["Ignoring \"pattern\" as it is not used in \"systemd\""]);
    }
}
