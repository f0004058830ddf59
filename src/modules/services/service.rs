//! `ansible.builtin.service`: services by whatever manager the host has; here that is systemd.

use std::time::Duration;

use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Failure, Result, System};

use super::systemd_service::{Scope, State, Wish, apply};

pub struct Service;

choices! {
    pub enum ServiceState { Started = "started" | "running", Stopped = "stopped", Restarted = "restarted", Reloaded = "reloaded" }
}

module_args! {
    /// Starts, stops and enables services.
    pub struct ServiceArgs {
        /// Name of the service.
        name: String,
        /// Whether it should run; `restarted` and `reloaded` happen each time.
        state: Option<ServiceState>,
        /// Whether it should start at boot.
        enabled: Option<bool>,
        /// Seconds between stopping and starting for `restarted`.
        sleep: Option<u64>,
        /// The service manager to use; found out when not given.
        r#use: String = "auto",
    }
    accepts {
        /// For init scripts without `status`; systemd knows.
        pattern: String,
        /// For OpenRC.
        runlevel: String,
        /// For init scripts.
        arguments | "args": String,
    }
    rules [Rule::OneOf(&["state", "enabled"])]
}

impl Module for Service {
    const NAME: &'static str = "ansible.builtin.service";
    type Args = ServiceArgs;

    fn run(args: ServiceArgs, sys: &mut System) -> Result<Output> {
        if !matches!(args.r#use.as_str(), "auto" | "systemd" | "service" | "ansible.builtin.systemd" | "ansible.legacy.systemd") {
            return Err(Failure::new(format!("service manager `{}` is not supported; systemd is", args.r#use)).at("use"));
        }
        let wish =
            |state: Option<State>| Wish { name: args.name.clone(), scope: Scope::System, enabled: args.enabled, masked: None, state };
        let output = Output::new().with("name", args.name.clone());
        let state = args.state.map(|state| match state {
            ServiceState::Started => State::Started,
            ServiceState::Stopped => State::Stopped,
            ServiceState::Restarted => State::Restarted,
            ServiceState::Reloaded => State::Reloaded,
        });
        match (state, args.sleep) {
            (Some(State::Restarted), Some(seconds)) => {
                apply(&wish(Some(State::Stopped)), &[], sys, output.clone())?;
                sys.pause(Duration::from_secs(seconds));
                apply(&wish(Some(State::Started)), &[], sys, output)
            }
            _ => apply(&wish(state), &[], sys, output),
        }
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
}
