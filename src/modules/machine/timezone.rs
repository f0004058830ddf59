//! `community.general.timezone`: the time zone, and what the hardware clock counts in.

use std::path::Path;

use crate::base::Value;
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Command, Failure, Result, System, WriteFile};

pub struct Timezone;

choices! {
    pub enum HardwareClock { Local = "local", Utc = "UTC" }
}

module_args! {
    /// Sets the time zone of the host, and whether its hardware clock is in UTC.
    pub struct TimezoneArgs {
        /// Name of the time zone, such as `Europe/Berlin`.
        name: Option<String>,
        /// What the hardware clock counts in.
        hwclock | "rtc": Option<HardwareClock>,
    }
    rules [Rule::OneOf(&["hwclock", "name"])]
}

const LOCALTIME: &str = "/etc/localtime";
const ZONES: &str = "/usr/share/zoneinfo";

impl Module for Timezone {
    const NAME: &'static str = "community.general.timezone";
    type Args = TimezoneArgs;

    fn run(args: TimezoneArgs, sys: &mut System) -> Result<Output> {
        if let Some(name) = args.name.as_deref() {
            set_zone(name, sys)?;
        }
        if let Some(clock) = args.hwclock {
            set_clock(clock, sys)?;
        }
        Ok(Output::new())
    }
}

/// The link as timedated makes it, and the file that Debian keeps beside it until 12.
fn set_zone(name: &str, sys: &mut System) -> Result<()> {
    let zone = Path::new(ZONES).join(name);
    let is_below = !name.is_empty() && Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let is_there = is_below && sys.query_file(&zone)?.is_some_and(|found| found.is_file());
    let may_come = is_below && sys.packages_are_planned();
    if !is_there && !may_come {
        let message = format!("given timezone \"{name}\" is not available: it is not in `{ZONES}` (install `tzdata`?)");
        return Err(Failure::new(message).at("name"));
    }
    if current(sys)?.as_deref() != Some(name) {
        sys.make_symlink(Path::new(LOCALTIME), &Path::new("../usr/share/zoneinfo").join(name))?;
    }
    let file = Path::new("/etc/timezone");
    if sys.query_file(file)?.is_some() && sys.query_text(file)?.trim() != name {
        sys.write_file(WriteFile::new(file, format!("{name}\n")))?;
    }
    Ok(())
}

/// The zone that `/etc/localtime` leads to, by its name.
fn current(sys: &System) -> Result<Option<String>> {
    if !sys.query_link(Path::new(LOCALTIME))?.is_some_and(|found| found.is_symlink()) {
        return Ok(None);
    }
    let target = sys.query_link_target(Path::new(LOCALTIME))?;
    Ok(target.to_string_lossy().split_once("/zoneinfo/").map(|(_, name)| name.to_owned()))
}

/// The third line of adjtime says it; without the file it is UTC.
fn set_clock(clock: HardwareClock, sys: &mut System) -> Result<()> {
    let file = Path::new("/etc/adjtime");
    let text = match sys.query_file(file)? {
        Some(_) => sys.query_text(file)?,
        None => String::new(),
    };
    let mut lines: Vec<&str> = text.lines().collect();
    for default in ["0.0 0 0", "0", "UTC"].iter().skip(lines.len()) {
        lines.push(default);
    }
    let wanted = if clock == HardwareClock::Local { "LOCAL" } else { "UTC" };
    if lines[2].trim() == wanted {
        return Ok(());
    }
    lines[2] = wanted;
    sys.write_file(WriteFile::new(file, format!("{}\n", lines.join("\n"))))?;
    if sys.query_file(Path::new("/dev/rtc0"))?.is_none() {
        return Ok(());
    }
    if sys.find_program("hwclock").is_none() && !sys.packages_are_planned() {
        sys.warn("the hardware clock keeps its time for now: there is no `hwclock` to set it (package `util-linux-extra`)");
        return Ok(());
    }
    let known = sys.refresh(Command::new("hwclock").arg("--systohc"), "hardware clock", "mode", Value::from(wanted))?;
    known.now().map_or(Ok(()), |completed| completed.check("set the hardware clock").map(drop))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    fn debian() -> Overlay {
        let zones = ["Europe/Berlin", "Etc/UTC"].map(|name| format!("/usr/share/zoneinfo/{name}"));
        let overlay = zones.iter().fold(Overlay::empty(), |overlay, zone| overlay.with_file(zone, "TZif"));
        overlay.with_directory("/etc").with_symlink("/etc/localtime", "../usr/share/zoneinfo/Etc/UTC")
    }

    #[test]
    fn the_link_leads_to_the_zone_and_the_older_file_names_it_where_it_is() {
        let mut machine = Machine::new(debian());
        assert_eq!(machine.task("community.general.timezone: { name: Etc/UTC }").expect("runs").effects.len(), 0);
        assert_eq!(machine.task("community.general.timezone: { name: Europe/Berlin }").expect("runs").effects.len(), 1);
        let target = machine.sys.query_link_target(Path::new("/etc/localtime")).expect("is a link");
        assert_eq!(target, PathBuf::from("../usr/share/zoneinfo/Europe/Berlin"));

        let mut machine = Machine::new(debian().with_file("/etc/timezone", "Etc/UTC\n"));
        assert_eq!(machine.task("community.general.timezone: { name: Europe/Berlin }").expect("runs").effects.len(), 2);
        assert_eq!(machine.sys.query_text(Path::new("/etc/timezone")).expect("reads"), "Europe/Berlin\n");
    }

    #[test]
    fn a_zone_that_is_not_there_is_refused() {
        let mut machine = Machine::new(debian());
        for name in ["Europe/Nowhere", "Europe", "../../../etc/passwd", "/etc/passwd"] {
            let said = machine.refusal(&format!("community.general.timezone: {{ name: {name} }}"));
            assert!(said.contains(&format!("given timezone \"{name}\" is not available")), "{said}");
        }
        let mut planned = Machine::new(Overlay::empty().with_directory("/etc").with_package("tzdata", "1"));
        planned.task("community.general.timezone: { name: Asia/Tokyo }").expect("the package may bring it");
    }

    #[test]
    fn the_hardware_clock_is_in_utc_unless_the_file_says_otherwise() {
        let mut machine = Machine::new(debian());
        assert_eq!(machine.task("community.general.timezone: { hwclock: UTC }").expect("runs").effects.len(), 0);
        assert_eq!(machine.task("community.general.timezone: { rtc: local }").expect("runs").effects.len(), 1);
        assert_eq!(machine.sys.query_text(Path::new("/etc/adjtime")).expect("reads"), "0.0 0 0\n0\nLOCAL\n");
        assert_eq!(machine.task("community.general.timezone: { hwclock: UTC }").expect("runs").effects.len(), 1);
        assert!(machine.refusal("community.general.timezone: {}").contains("one of the following is required: hwclock, name"));
    }
}
