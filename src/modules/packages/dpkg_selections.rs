//! `ansible.builtin.dpkg_selections`: what dpkg is to do with a package, such as to hold it back.

use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Command, Failure, Result, System};

pub struct DpkgSelections;

choices! {
    pub enum Selection { Install = "install", Hold = "hold", Deinstall = "deinstall", Purge = "purge" }
}

module_args! {
    /// Sets what dpkg is to do with a package: keep it up to date, hold it at its version, remove it.
    pub struct DpkgSelectionsArgs {
        /// Name of the package.
        name: String,
        /// What to do with it.
        selection: Selection,
    }
}

/// How a plan keeps what dpkg will have been told.
const KIND: &str = "dpkg_selection";

impl Module for DpkgSelections {
    const NAME: &'static str = "ansible.builtin.dpkg_selections";
    type Args = DpkgSelectionsArgs;

    fn run(args: DpkgSelectionsArgs, sys: &mut System) -> Result<Output> {
        let wanted = args.selection.as_str();
        let current = sys.query_record(KIND, &args.name, || selection(&args.name, wanted, sys))?;
        let before = current.map_or_else(|| "not present".to_owned(), |known| known.to_text());
        let output = Output::new().with("before", before.as_str()).with("after", wanted);
        if before == wanted {
            return Ok(output);
        }
        sys.change_record(KIND, &args.name, Some(wanted.into()), |sys| {
            let command = Command::new("dpkg").arg("--set-selections").stdin(format!("{} {wanted}", args.name));
            sys.query_command(command)?.check("tell dpkg").map(drop)
        })?;
        Ok(output)
    }
}

fn selection(name: &str, wanted: &str, sys: &System) -> Result<Option<crate::base::Value>> {
    let command = Command::new("dpkg").arg("--get-selections").arg("--").arg(name).env("LC_ALL", "C");
    let told = sys.query_command(command)?.check("ask dpkg")?;
    if told.stderr_text().contains("no packages found matching") {
        // One that an earlier task of a dry run would have installed.
        if sys.query_package(name)?.is_some() {
            return Ok(Some("install".into()));
        }
        return Err(Failure::new(format!("Failed to find package '{name}' to perform selection '{wanted}'.")).at("name"));
    }
    Ok(told.stdout_text().split_whitespace().nth(1).map(Into::into))
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_package_is_held_once() {
        let mut machine = Machine::new(Overlay::empty().with_record(super::KIND, "nginx", "install".into()));
        let ran = machine.task("dpkg_selections: { name: nginx, selection: hold }").expect("runs");
        assert_eq!(ran.effects.len(), 1);
        assert_eq!((ran.output.values.text("before"), ran.output.values.text("after")), (Some("install"), Some("hold")));
    }
}
