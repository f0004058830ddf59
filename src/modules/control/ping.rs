//! `ansible.builtin.ping`: the agent answers.

use crate::modules::{Module, Output, module_args};
use crate::system::{Failure, Result, System};

pub struct Ping;

module_args! {
    /// Answers, which proves that the host can be reached, that the agent runs there, and that become works.
    pub struct PingArgs {
        /// What to answer; `crash` makes the module fail.
        data: String = "pong",
    }
}

impl Module for Ping {
    const NAME: &'static str = "ansible.builtin.ping";
    type Args = PingArgs;

    fn run(args: PingArgs, _sys: &mut System) -> Result<Output> {
        if args.data == "crash" {
            return Err(Failure::new("Task failed: Module failed: boom"));
        }
        Ok(Output::new().with("ping", args.data))
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn it_answers_what_it_was_told() {
        let mut machine = Machine::new(Overlay::empty());
        assert_eq!(machine.task("ping:").expect("runs").output.values.text("ping"), Some("pong"));
        assert_eq!(machine.task("ping: { data: hello }").expect("runs").output.values.text("ping"), Some("hello"));
    }

    #[test]
    fn an_option_it_does_not_have_is_named_with_the_one_that_was_meant() {
        let mut machine = Machine::new(Overlay::empty());
        assert_eq!(
            machine.refusal("ping: { dta: x }"),
            "Unsupported parameters for (ping) module: dta. Supported parameters include: data. Did you mean `data`?"
        );
    }
}
