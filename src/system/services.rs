//! systemd units: their state as `systemctl show` tells it, and changes of it.

use super::command::{Command, Known, run_locally};
use super::effect::Effect;
use super::error::{Failure, Result};
use super::{Completed, System};

/// A unit's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unit {
    pub name: String,
    /// `loaded`, `not-found`, `masked` …
    pub load_state: String,
    /// `active`, `inactive`, `failed`, `activating` …
    pub active_state: String,
    pub sub_state: String,
    /// `enabled`, `disabled`, `static`, `masked` … ; empty for a unit without a file.
    pub file_state: String,
    /// Every property that `systemctl show` printed, in its order.
    pub properties: Vec<(String, String)>,
}

/// What a `systemctl` call made of a unit; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitChange {
    pub active: Option<bool>,
    pub enabled: Option<bool>,
    pub masked: Option<bool>,
    /// It was restarted or reloaded: a change though the state is the same.
    pub restarted: bool,
}

impl Unit {
    pub fn absent(name: &str) -> Self {
        Unit { name: name.to_owned(), load_state: "not-found".into(), active_state: "inactive".into(), ..Unit::default() }
    }

    pub fn exists(&self) -> bool {
        self.load_state != "not-found"
    }

    pub fn is_active(&self) -> bool {
        matches!(self.active_state.as_str(), "active" | "activating" | "reloading")
    }

    pub fn is_enabled(&self) -> bool {
        matches!(self.file_state.as_str(), "enabled" | "enabled-runtime" | "alias" | "static" | "indirect" | "generated")
    }

    pub fn is_masked(&self) -> bool {
        self.load_state == "masked" || self.file_state.starts_with("masked")
    }

    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn apply(&mut self, change: &UnitChange) {
        if let Some(active) = change.active {
            self.active_state = if active { "active" } else { "inactive" }.into();
            self.sub_state = if active { "running" } else { "dead" }.into();
        }
        if let Some(enabled) = change.enabled {
            self.file_state = if enabled { "enabled" } else { "disabled" }.into();
        }
        if let Some(masked) = change.masked {
            self.load_state = if masked { "masked" } else { "loaded" }.into();
            self.file_state = if masked { "masked" } else { "disabled" }.into();
        }
        for (name, value) in [("ActiveState", &self.active_state), ("UnitFileState", &self.file_state), ("LoadState", &self.load_state)] {
            if let Some(known) = self.properties.iter_mut().find(|(known, _)| known == name) {
                known.1.clone_from(value);
            }
        }
    }
}

impl System {
    /// The state of a unit; one that does not exist has load state `not-found`.
    pub fn query_unit(&self, name: &str) -> Result<Unit> {
        self.backend.unit(name)
    }

    /// Runs `systemctl` with these arguments, which bring about `change` on the unit.
    pub fn change_unit(&mut self, arguments: &[&str], name: &str, change: UnitChange) -> Result<Known<Completed>> {
        let command = Command::new("systemctl").args(arguments.iter().copied()).arg("--").arg(name);
        self.mutate(command, Effect::Unit { name: name.to_owned(), change })
    }
}

pub(super) fn local_unit(name: &str) -> Result<Unit> {
    let shown = run_locally(&Command::new("systemctl").arg("show").arg("--").arg(name).env("LC_ALL", "C.UTF-8"))?;
    if !shown.ok() {
        return Err(Failure::new(format!("cannot ask systemd about `{name}`: {}", shown.stderr_text().trim())));
    }
    Ok(parse_unit(name, &shown.stdout_text()))
}

fn parse_unit(name: &str, shown: &str) -> Unit {
    let mut unit = Unit { name: name.to_owned(), ..Unit::default() };
    for line in shown.lines() {
        let Some((property, value)) = line.split_once('=') else { continue };
        match property {
            "LoadState" => unit.load_state = value.into(),
            "ActiveState" => unit.active_state = value.into(),
            "SubState" => unit.sub_state = value.into(),
            "UnitFileState" => unit.file_state = value.into(),
            _ => {}
        }
        unit.properties.push((property.into(), value.into()));
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Overlay;

    #[test]
    fn a_unit_started_in_memory_is_active_afterwards() {
        let stopped = parse_unit("web.service", "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n");
        let mut sys = System::dry(Overlay::empty().with_unit(stopped));
        sys.change_unit(&["start"], "web.service", UnitChange { active: Some(true), ..UnitChange::default() }).expect("starts");
        let unit = sys.query_unit("web.service").expect("asks");
        assert!(unit.is_active() && !unit.is_enabled());
        assert_eq!(unit.property("ActiveState"), Some("active"));
    }
}
