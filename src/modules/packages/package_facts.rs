//! `ansible.builtin.package_facts`: every installed package with its versions.

use crate::base::{Map, Value};
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Failure, Result, System};

pub struct PackageFacts;

choices! {
    pub enum Strategy { First = "first", All = "all" }
}

module_args! {
    /// Tells which packages are installed, as the fact `packages`: a list of versions for each name.
    pub struct PackageFactsArgs {
        /// Package managers to ask; `auto` finds out.
        manager: Vec<String> = vec!["auto".to_owned()],
    }
    accepts {
        /// Whether the first manager found is enough; there is one here.
        strategy: Strategy,
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
        if !args.manager.iter().any(|name| matches!(name.to_lowercase().as_str(), "auto" | "apt")) {
            let names = args.manager.join(", ");
            return Err(
                Failure::new(format!("Could not detect a supported package manager from the following list: [{names}]")).at("manager")
            );
        }
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
        let packages: Map = packages.into_iter().map(|(name, entries)| (name, Value::list(entries))).collect();
        Ok(Output::new().with_facts([("packages", packages)].into_iter().collect()))
    }
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
}
