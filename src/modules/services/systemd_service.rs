//! `ansible.builtin.systemd_service` (also `systemd`): units of systemd started, stopped, enabled, masked.

use crate::base::{Map, Value};
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Command, Failure, Known, Result, System, Unit, UnitChange};

pub struct SystemdService;

choices! {
    pub enum State { Started = "started", Stopped = "stopped", Restarted = "restarted", Reloaded = "reloaded" }
}

choices! {
    pub enum Scope { System = "system", User = "user", Global = "global" }
}

/// Something must be asked for.
pub(super) const ASKS: Rule = Rule::OneOf(&["state", "enabled", "masked", "daemon_reload", "daemon_reexec"]);

module_args! {
    /// Starts, stops, enables and masks systemd units.
    pub struct SystemdArgs {
        /// Name of the unit; without a suffix it is a service.
        name | "service" | "unit": Option<String>,
        /// Whether it should run; `restarted` and `reloaded` happen each time.
        state: Option<State>,
        /// Whether it should start at boot.
        enabled: Option<bool>,
        /// Replace links of other units that stand in the way.
        force: bool = false,
        /// Whether it should be impossible to start.
        masked: Option<bool>,
        /// Read changed unit files first.
        daemon_reload | "daemon-reload": bool = false,
        /// Start systemd itself anew first.
        daemon_reexec | "daemon-reexec": bool = false,
        /// The system's manager, the user's own, or the settings for all users.
        scope: Scope = Scope::System,
        /// Do not wait for the unit.
        no_block: bool = false,
    }
    rules [ASKS]
}

impl Module for SystemdService {
    const NAME: &'static str = "ansible.builtin.systemd_service";
    type Args = SystemdArgs;

    fn run(args: SystemdArgs, sys: &mut System) -> Result<Output> {
        for (asked, verb) in [(args.daemon_reload, "daemon-reload"), (args.daemon_reexec, "daemon-reexec")] {
            if asked {
                reload_manager(&args, verb, sys)?;
            }
        }
        let output = Output::new().with("name", args.name.clone()).with("status", Map::new());
        let Some(name) = args.name.clone() else {
            let needing = [("state", args.state.is_some()), ("enabled", args.enabled.is_some()), ("masked", args.masked.is_some())];
            return match needing.iter().find(|(_, given)| *given) {
                Some((option, _)) => Err(Failure::new(format!("missing parameter(s) required by '{option}': name")).at("name")),
                None => Ok(output),
            };
        };
        if let Some(glob) = ['*', '?', '['].into_iter().find(|c| name.contains(*c)) {
            let message = format!("This module does not currently support using glob patterns, found '{glob}' in service name: {name}");
            return Err(Failure::new(message).at("name"));
        }
        let wish = Wish { name, scope: args.scope, enabled: args.enabled, masked: args.masked, state: args.state };
        let mut switches = Vec::new();
        if args.no_block {
            switches.push("--no-block");
        }
        if args.force {
            switches.push("--force");
        }
        apply(&wish, &switches, sys, output)
    }
}

/// What a unit should be.
struct Wish {
    name: String,
    scope: Scope,
    enabled: Option<bool>,
    masked: Option<bool>,
    state: Option<State>,
}

impl Wish {
    fn key(&self) -> String {
        match self.scope {
            Scope::System => self.name.clone(),
            scope => format!("{}/{}", scope.as_str(), self.name),
        }
    }

    fn require(&self, unit: &Unit) -> Result<()> {
        // The settings for all users have no running manager that could be asked.
        if unit.exists() || self.scope == Scope::Global {
            return Ok(());
        }
        Err(Failure::new(format!("Could not find the requested service {}: host", self.name)).at("name"))
    }
}

fn reload_manager(args: &SystemdArgs, verb: &'static str, sys: &mut System) -> Result<()> {
    let scope = (args.scope != Scope::System).then(|| format!("--{}", args.scope.as_str()));
    let outcome = sys.refresh(Command::new("systemctl").args(scope).arg(verb), "systemd", verb, Value::Bool(true))?;
    match outcome {
        Known::Now(completed) if !completed.ok() => {
            let said = completed.stderr_text();
            let message = format!("failure {} during {verb}: {}", completed.rc, said.trim());
            // Where no systemd runs there is nothing to reload.
            if said.contains("not been booted with systemd") || said.contains("chroot") || said.contains("Failed to connect to bus") {
                sys.warn(format!("{verb} failed, but target is a chroot or systemd is offline. Continuing. {message}"));
                return Ok(());
            }
            Err(Failure::new(message))
        }
        _ => Ok(()),
    }
}

/// Makes a unit as wished: mask, then enable, then start, each only when it is not so.
fn apply(wish: &Wish, switches: &[&str], sys: &mut System, mut output: Output) -> Result<Output> {
    let key = wish.key();
    let unit = sys.query_unit(&key)?;
    if unit.exists() && !unit.is_masked() && unit.load_state == "error" {
        let why = unit.property("LoadError").unwrap_or("unknown error");
        return Err(Failure::new(format!("Error loading unit file '{}': {why}", wish.name)));
    }
    output = output.with("status", Value::map(unit.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
    if let Some(masked) = wish.masked
        && masked != unit.is_masked()
    {
        let verb = if masked { "mask" } else { "unmask" };
        change(sys, switches, verb, &key, UnitChange { masked: Some(masked), ..UnitChange::default() })
            .map_err(|failure| reworded(failure, format!("Failed to {verb} the service ({})", wish.name)))?;
    }
    if let Some(enabled) = wish.enabled {
        wish.require(&unit)?;
        if enabled != is_enabled(&unit, &key, sys)? {
            let verb = if enabled { "enable" } else { "disable" };
            change(sys, switches, verb, &key, UnitChange { enabled: Some(enabled), ..UnitChange::default() })
                .map_err(|failure| reworded(failure, format!("Unable to {verb} service {}", wish.name)))?;
        }
        output = output.with("enabled", enabled);
    }
    if let Some(state) = wish.state {
        wish.require(&unit)?;
        if let Some((verb, effect)) = action(state, &unit) {
            change(sys, switches, verb, &key, effect).map_err(|failure| {
                let failure = reworded(failure, format!("Unable to {verb} service {}", wish.name));
                with_journal(failure, wish, sys)
            })?;
        }
        let shown = if state == State::Stopped { "stopped" } else { "started" };
        output = output.with("state", shown);
    }
    Ok(output)
}

/// Whether a unit counts as enabled. One that is so only until the next boot, by an alias or by another unit counts when `is-enabled` can
/// name the links that make it so.
fn is_enabled(unit: &Unit, key: &str, sys: &System) -> Result<bool> {
    match unit.file_state.as_str() {
        "enabled" | "static" | "generated" | "transient" => Ok(true),
        "enabled-runtime" | "indirect" | "alias" => Ok(sys.query_unit_links(key)?.iter().any(|link| !link.is_empty())),
        _ => Ok(false),
    }
}

/// The verb that brings a unit to a state, and what it does; `None`: it is there.
fn action(state: State, unit: &Unit) -> Option<(&'static str, UnitChange)> {
    let running = matches!(unit.active_state.as_str(), "active" | "activating" | "reloading");
    let active = |active: bool, restarted: bool| UnitChange { active: Some(active), restarted, ..UnitChange::default() };
    match state {
        State::Started if running => None,
        State::Stopped if running || unit.active_state == "deactivating" => Some(("stop", active(false, false))),
        State::Stopped => None,
        State::Restarted if running => Some(("restart", active(true, true))),
        State::Reloaded if running => Some(("reload", active(true, true))),
        State::Started | State::Restarted | State::Reloaded => Some(("start", active(true, false))),
    }
}

fn change(sys: &mut System, switches: &[&str], verb: &str, key: &str, change: UnitChange) -> Result<()> {
    let arguments: Vec<&str> = switches.iter().copied().chain([verb]).collect();
    sys.change_unit(&arguments, key, change).map(drop)
}

fn reworded(mut failure: Failure, doing: String) -> Failure {
    let said = failure.message.trim_start_matches("cannot run systemctl:").trim().to_owned();
    failure.message = format!("{doing}: {said}");
    failure
}

/// Adds the unit's last words: why it did not start stands in its journal, not in what `systemctl` says.
fn with_journal(failure: Failure, wish: &Wish, sys: &System) -> Failure {
    if wish.scope != Scope::System {
        return failure;
    }
    let query = Command::new("journalctl").args(["--no-pager", "--lines=10", "--output=cat", "--unit"]).arg(&wish.name);
    match sys.query_command(query) {
        Ok(shown) if shown.ok() && !shown.stdout.is_empty() => failure.with("journal", shown.stdout_text()),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::{Effect, Overlay, Unit};

    fn unit(active: &str, file: &str) -> Unit {
        Unit {
            name: "web.service".into(),
            load_state: "loaded".into(),
            active_state: active.into(),
            file_state: file.into(),
            ..Unit::default()
        }
    }

    fn changes(effects: &[Effect]) -> Vec<(Option<bool>, Option<bool>, bool)> {
        let of = |effect: &Effect| match effect {
            Effect::Unit { change, .. } => Some((change.active, change.enabled, change.restarted)),
            _ => None,
        };
        effects.iter().filter_map(of).collect()
    }

    #[test]
    fn a_stopped_unit_is_started_and_enabled_once() {
        let mut machine = Machine::new(Overlay::empty().with_unit(unit("inactive", "disabled")));
        let ran = machine.task("systemd_service: { name: web, state: started, enabled: true, daemon_reload: true }").expect("runs");
        assert_eq!(changes(&ran.effects), [(None, Some(true), false), (Some(true), None, false)]);
        assert_eq!(ran.output.values.get("enabled"), Some(&Value::Bool(true)));
        assert_eq!(ran.output.values.text("state"), Some("started"));
    }

    #[test]
    fn a_restart_counts_each_time_and_starts_what_is_stopped() {
        let mut machine = Machine::new(Overlay::empty().with_unit(unit("active", "enabled")));
        for _ in 0..2 {
            let ran = machine.task_once("systemd: { name: web.service, state: restarted }").expect("runs");
            assert_eq!(changes(&ran.effects), [(Some(true), None, true)]);
        }
        let mut machine = Machine::new(Overlay::empty().with_unit(unit("failed", "enabled")));
        let ran = machine.task_once("systemd: { name: web, state: reloaded }").expect("runs");
        assert_eq!(changes(&ran.effects), [(Some(true), None, false)]);
    }

    #[test]
    fn a_unit_that_is_not_there_is_named_but_one_that_a_planned_file_brings_is_believed() {
        let mut machine = Machine::new(Overlay::empty());
        assert_eq!(machine.refusal("systemd: { name: wbe, state: started }"), "Could not find the requested service wbe: host");
        let mut machine = Machine::new(Overlay::empty().with_file("/etc/systemd/system/own.timer", "[Timer]\n"));
        let ran = machine.task("systemd: { name: own.timer, state: started, enabled: true }").expect("runs");
        assert_eq!(ran.effects.len(), 2);
    }

    #[test]
    fn a_masked_unit_is_unmasked_before_it_is_started() {
        let masked = Unit { load_state: "masked".into(), ..unit("inactive", "masked") };
        let mut machine = Machine::new(Overlay::empty().with_unit(masked));
        let ran = machine.task("systemd: { name: web, masked: false, state: started }").expect("runs");
        assert_eq!(ran.effects.len(), 2);
    }

    #[test]
    fn a_unit_that_another_one_enables_is_enabled_once() {
        let linked = |links: &'static str| {
            move |command: &crate::system::Command| {
                let asked = command.argv_text().contains(&"is-enabled".to_owned());
                asked.then(|| crate::system::Completed { stdout: format!("indirect\n{links}").into_bytes(), ..Default::default() })
            }
        };
        let mut machine = Machine::new(Overlay::empty().with_unit(unit("inactive", "indirect")).answer(linked("")));
        assert_eq!(machine.task("systemd: { name: web, enabled: true }").expect("runs").effects.len(), 1);
        let links = "  /etc/systemd/system/sockets.target.wants/web.socket\n";
        let mut machine = Machine::new(Overlay::empty().with_unit(unit("inactive", "indirect")).answer(linked(links)));
        assert_eq!(machine.task("systemd: { name: web, enabled: true }").expect("runs").effects.len(), 0);
    }

    #[test]
    fn wildcards_and_a_missing_name_are_refused() {
        let mut machine = Machine::new(Overlay::empty());
        assert!(machine.refusal("systemd: { name: 'w*', state: started }").contains("glob patterns"));
        assert!(machine.refusal("systemd: { state: started }").contains("required by 'state': name"));
    }
}
