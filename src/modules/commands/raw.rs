//! `ansible.builtin.raw`: text for the login shell, with nothing around it.

use jiff::Zoned;

use crate::modules::{Module, Output, module_args};
use crate::system::{Command, Failure, Known, Result, System};

use super::outcome;

pub struct Raw;

module_args! {
    /// Runs text by a shell, as a login over SSH would.
    pub struct RawArgs {
        /// The shell text, in free form.
        _raw_params: Option<String>,
        /// The shell to use instead of `/bin/sh`.
        executable: Option<String>,
    }
}

impl Module for Raw {
    const NAME: &'static str = "ansible.builtin.raw";
    type Args = RawArgs;

    fn run(args: RawArgs, sys: &mut System) -> Result<Output> {
        let text = args._raw_params.ok_or_else(|| Failure::new("no command given").with("rc", 256))?;
        let start = Zoned::now();
        let shell = args.executable.unwrap_or_else(|| "/bin/sh".into());
        let Known::Now(completed) = sys.execute(Command::new(shell).arg("-c").arg(text))? else {
            return Ok(Output::new().skipped());
        };
        let result = outcome::finish(Output::new(), &completed, &start, false);
        // `raw` tells no times and no command.
        let untimed = |values: &mut crate::base::Map| ["start", "end", "delta"].into_iter().for_each(|name| drop(values.remove(name)));
        match result {
            Ok(mut output) => {
                untimed(&mut output.values);
                Ok(output)
            }
            Err(mut failure) => {
                untimed(&mut failure.values);
                Err(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::{Map, Value};
    use crate::modules::find;
    use crate::modules::testing::Machine;
    use crate::system::{Overlay, System};

    #[test]
    fn the_text_is_run_by_a_shell() {
        let arguments: Map = [("_raw_params", "echo 'foo,bar' | cut -d, -f2")].into_iter().collect();
        let output = (find("raw").expect("is there").run)(arguments, &mut System::local()).expect("runs").values;
        assert_eq!(output.get("stdout_lines"), Some(&Value::list(["bar"])));
        assert!(!output.contains_key("delta"));
    }

    #[test]
    fn a_plan_skips_it() {
        let ran = Machine::new(Overlay::empty()).task_once("raw: reboot").expect("runs");
        assert!(ran.output.skipped);
    }
}
