//! `ansible.builtin.package_facts`: every installed package with its versions.

use crate::base::{Map, Value};
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Command, Failure, Result, System};

pub struct PackageFacts;

choices! {
    pub enum Strategy { First = "first", All = "all" }
}

module_args! {
    /// Tells which packages are installed, as the fact `packages`: a list of versions for each name.
    pub struct PackageFactsArgs {
        /// Package managers to ask; `auto` finds out.
        manager: Vec<String> = vec!["auto".to_owned()],
        /// Whether the first manager that tells of packages is enough.
        strategy: Strategy = Strategy::First,
    }
}

impl Module for PackageFacts {
    const NAME: &'static str = "ansible.builtin.package_facts";
    type Args = PackageFactsArgs;

    fn run(args: PackageFactsArgs, sys: &mut System) -> Result<Output> {
        let known = [
            "auto",
            "apt",
            "apk",
            "dnf",
            "dnf5",
            "openbsd_pkg",
            "pacman",
            "pip",
            "pkg",
            "pkg5",
            "pkg_info",
            "pkgng",
            "portage",
            "rpm",
            "yum",
            "zypper",
        ];
        if let Some(unknown) = args.manager.iter().find(|name| !known.contains(&name.to_lowercase().as_str())) {
            let message = format!("Unsupported package managers requested: {unknown}");
            return Err(Failure::new(message).at("manager"));
        }
        let managers: Vec<String> = args.manager.iter().map(|name| name.to_lowercase()).collect();
        let is_auto = managers.iter().any(|name| name == "auto");
        let mut found = Map::new();
        for manager in managers.iter().map(|name| if name == "auto" { "apt" } else { name }) {
            if manager == "apt" {
                found.extend(&installed(sys)?);
            } else {
                found.extend(&other(manager, sys));
            }
            if args.strategy == Strategy::First && !found.is_empty() {
                break;
            }
        }
        if found.is_empty() && !is_auto {
            let message = format!(
                "Could not detect a supported package manager from the following list: {}, or the required Python library is not installed. Check warnings for details.",
                Value::list(managers).to_repr()
            );
            return Err(Failure::new(message).at("manager"));
        }
        Ok(Output::new().with_facts([("packages", found)].into_iter().collect()))
    }
}

/// What dpkg has installed: a list of versions for each name.
fn installed(sys: &System) -> Result<Map> {
    let mut packages: Vec<(String, Vec<Value>)> = Vec::new();
    for package in sys.query_packages()? {
        let entry = Value::map([
            ("name", package.name.as_str()),
            ("version", package.version.as_str()),
            ("arch", package.architecture.as_str()),
            ("category", package.category.as_str()),
            ("origin", ""),
            ("source", "apt"),
        ]);
        match packages.last_mut() {
            Some((name, entries)) if *name == package.name => entries.push(entry),
            _ => packages.push((package.name, vec![entry])),
        }
    }
    Ok(packages.into_iter().map(|(name, entries)| (name, Value::list(entries))).collect())
}

/// The program of a package manager that is no Debian's.
fn program_of(manager: &str) -> &str {
    match manager {
        "portage" => "qlist",
        "pkgng" | "pkg5" => "pkg",
        "yum" | "zypper" | "dnf5" => "rpm",
        "openbsd_pkg" => "pkg_info",
        other => other,
    }
}

/// What a package manager that was asked for by name tells; why it does not is a warning. apk is the one that is understood.
fn other(manager: &str, sys: &mut System) -> Map {
    let program = program_of(manager);
    if sys.find_program(program).is_none() {
        let why = format!("Failed to find required executable \"{program}\"");
        sys.warn(format!("Requested package manager {manager} was not usable by this module: {why}"));
        return Map::new();
    }
    let listed = match manager {
        "apk" => sys.query_command(Command::new(program).args(["info", "-v"])),
        _ => Err(Failure::new("Hostler cannot read its list")),
    };
    let text = match listed {
        Ok(done) if done.ok() => done.stdout_text(),
        Ok(done) => {
            let why = format!("Unable to list packages rc={} : {}", done.rc, done.stderr_text());
            sys.warn(format!("Failed to retrieve packages with {manager}: {why}"));
            String::new()
        }
        Err(why) => {
            sys.warn(format!("Failed to retrieve packages with {manager}: {why}"));
            String::new()
        }
    };
    let packages: Map = text.lines().map(apk_package).collect();
    if packages.is_empty() {
        sys.warn(format!("Found \"{manager}\" but no associated packages"));
    }
    packages
}

/// `name-1.2.3-r4` as apk prints it.
fn apk_package(line: &str) -> (String, Value) {
    let mut parts = line.rsplitn(3, '-');
    let (release, version, name) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let (name, version, release) = match (name, version) {
        (Some(name), Some(version)) => (name, version, release),
        _ => (line, "", ""),
    };
    let entry = Value::map([("name", name), ("version", version), ("release", release), ("source", "apk")]);
    (name.to_owned(), Value::list([entry]))
}

#[cfg(test)]
mod tests {
    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn packages_are_listed_by_name() {
        let mut machine = Machine::new(Overlay::empty().with_package("nginx", "1.22").with_package("curl", "8"));
        let facts = machine.task("package_facts:").expect("runs").output.facts;
        let Some(Value::Map(packages)) = facts.get("packages") else { panic!("{facts:?}") };
        assert_eq!(packages.keys().map(ToString::to_string).collect::<Vec<_>>(), ["curl", "nginx"]);
        assert!(machine.refusal("package_facts: { manager: nonsense }").contains("nonsense"));
    }

    #[test]
    fn a_manager_that_is_not_there_or_fails_is_told_in_a_warning() {
        let mut machine = Machine::new(Overlay::empty());
        assert!(machine.refusal("package_facts: { manager: apk }").starts_with("Could not detect a supported package manager"));
        assert!(machine.sys.warnings()[0].starts_with("Requested package manager apk was not usable by this module: Failed to find"));
        assert_eq!(
            super::apk_package("musl-1.2.4-r2").1.to_repr(),
            "[{'name': 'musl', 'version': '1.2.4', 'release': 'r2', 'source': 'apk'}]"
        );
    }
}
