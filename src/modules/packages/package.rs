//! `ansible.builtin.package`: packages by whatever manager the host has; here that is apt.

use crate::modules::{Module, Output, module_args};
use crate::system::{Failure, Result, System};

use super::apt::{AptArgs, apply};

pub struct AnyPackage;

module_args! {
    /// Installs and removes packages with the host's own package manager; takes that manager's options too.
    pub struct PackageArgs {
        /// The package manager to use; found out when not given.
        r#use: String = "auto",
    }
    flatten { apt: AptArgs }
}

impl Module for AnyPackage {
    const NAME: &'static str = "ansible.builtin.package";
    type Args = PackageArgs;

    fn run(args: PackageArgs, sys: &mut System) -> Result<Output> {
        match args.r#use.as_str() {
            "auto" | "apt" | "ansible.builtin.apt" | "ansible.legacy.apt" => apply(args.apt, sys),
            other => Err(Failure::new(format!("Could not find a matching action for the \"{other}\" package manager.")).at("use")),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn it_is_apt_under_another_name() {
        let mut machine = Machine::new(Overlay::empty().with_package("nginx", "1.22"));
        assert_eq!(machine.task("package: { name: nginx, state: present }").expect("runs").effects, []);
        assert!(machine.refusal("package: { name: nginx, use: dnf }").contains("matching action for the \"dnf\" package manager"));
    }
}
