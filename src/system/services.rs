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
    /// In a plan: the unit will be there, though the host does not know it yet.
    pub found: bool,
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
        if change.found && !self.exists() {
            self.load_state = "loaded".into();
        }
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

/// Where systemd keeps units, the strongest first.
const UNIT_FOLDERS: &[&str] =
    &["/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// The last parts of the names that units have.
const KINDS: &[&str] = &["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"];

/// A unit's whole name: `nginx` is `nginx.service`.
pub fn unit_name(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((_, kind)) if KINDS.contains(&kind) => name.to_owned(),
        _ => format!("{name}.service"),
    }
}

impl System {
    /// The state of a unit; one that does not exist has load state `not-found`. A unit of a user's manager is `user/NAME`, one of all users'
    /// `global/NAME`.
    pub fn query_unit(&self, name: &str) -> Result<Unit> {
        let unit = self.backend.unit(&unit_name(name))?;
        if unit.exists() || !self.unit_is_planned(&unit.name) {
            return Ok(unit);
        }
        Ok(Unit { load_state: "loaded".into(), file_state: "disabled".into(), ..unit })
    }

    /// The links that make a unit start with others, as `systemctl is-enabled --full` names them.
    pub fn query_unit_links(&self, name: &str) -> Result<Vec<String>> {
        let name = unit_name(name);
        let (scope, unit) = scope_of(&name);
        let asked = Command::new("systemctl").args(scope).args(["is-enabled", "--full", "--"]).arg(unit);
        let said = self.query_command(asked.env("LC_ALL", "C.UTF-8"))?.stdout_text();
        Ok(said.lines().skip(1).map(|line| line.trim().to_owned()).collect())
    }

    /// Whether an earlier task of a plan would bring the unit: its file, or a package (nobody knows which units a package brings before it
    /// is there).
    fn unit_is_planned(&self, name: &str) -> bool {
        let template = name.split_once('@').and_then(|(base, _)| Some(format!("{base}@.{}", name.rsplit_once('.')?.1)));
        let files = std::iter::once(name.to_owned()).chain(template);
        let has_file = files
            .flat_map(|file| UNIT_FOLDERS.iter().map(move |folder| std::path::Path::new(folder).join(&file)))
            .any(|path| self.backend.is_imagined(&path) && matches!(self.query_file(&path), Ok(Some(_))));
        has_file || self.backend.plans_packages()
    }

    /// Runs `systemctl` with these arguments, which bring about `change` on the unit.
    pub fn change_unit(&mut self, arguments: &[&str], name: &str, change: UnitChange) -> Result<Known<Completed>> {
        let name = unit_name(name);
        let (scope, unit) = scope_of(&name);
        let command = Command::new("systemctl").args(scope).args(arguments.iter().copied()).arg("--").arg(unit);
        if self.backend.is_dry() {
            // What the unit's own file or package brings is believed from now on.
            let known = self.query_unit(&name)?;
            return self.mutate(command, Effect::Unit { name, change: UnitChange { found: known.exists(), ..change } });
        }
        self.mutate(command, Effect::Unit { name, change })
    }
}

fn scope_of(name: &str) -> (Option<String>, &str) {
    match name.split_once('/') {
        Some((scope, unit)) => (Some(format!("--{scope}")), unit),
        None => (None, name),
    }
}

pub(super) fn local_unit(name: &str) -> Result<Unit> {
    let (scope, unit) = scope_of(name);
    let shown = run_locally(&Command::new("systemctl").args(scope).arg("show").arg("--").arg(unit).env("LC_ALL", "C.UTF-8"))?;
    if shown.ok() && !shown.stderr_text().contains("ignoring") {
        return Ok(parse_unit(name, &shown.stdout_text()));
    }
    // Without a running systemd (a chroot) the unit files still tell what is enabled.
    let enabled = run_locally(&Command::new("systemctl").arg("is-enabled").arg("--").arg(unit).env("LC_ALL", "C.UTF-8"))?;
    let state = enabled.stdout_text().trim().to_owned();
    if state.is_empty() || state == "not-found" {
        return match shown.stderr_text().trim() {
            "" => Ok(Unit::absent(name)),
            said => Err(Failure::new(format!("cannot ask systemd about `{unit}`: {said}"))),
        };
    }
    Ok(Unit { load_state: "loaded".into(), file_state: state, ..Unit::absent(name) })
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

    #[test]
    fn a_unit_that_a_plan_writes_exists_for_the_tasks_after_it() {
        let sys = System::dry(Overlay::empty().with_file("/etc/systemd/system/web@.service", "[Service]\n"));
        assert!(sys.query_unit("web@1").expect("asks").exists());
        assert!(!sys.query_unit("other").expect("asks").exists());
        assert_eq!(unit_name("backup.timer"), "backup.timer");
        assert_eq!(unit_name("dbus-org.freedesktop.x"), "dbus-org.freedesktop.x.service");
    }
}
