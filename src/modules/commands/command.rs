//! `ansible.builtin.command`: a program with its arguments, without a shell.

use std::path::PathBuf;

use crate::base::Value;
use crate::modules::{Module, Output, Rule, module_args};
use crate::system::{Command, Failure, Result, System, split_words};

use super::outcome::{self, Run};

pub struct RunCommand;

module_args! {
    /// Runs a program with its arguments, without a shell: no pipes, no redirection, no wildcards.
    pub struct CommandArgs {
        /// The command line, in free form.
        _raw_params: Option<String>,
        /// The command line.
        cmd: Option<String>,
        /// The program and its arguments as a list.
        argv: Option<Vec<String>>,
        /// Folder to run in.
        chdir: Option<PathBuf>,
        /// Not supported by this module; `shell` has it.
        executable: Option<String>,
        /// Expand `$NAME` and `~` in the arguments.
        expand_argument_vars: bool = true,
        /// A path or pattern; when something matches, the command is not run.
        creates: Option<PathBuf>,
        /// A path or pattern; when nothing matches, the command is not run.
        removes: Option<PathBuf>,
        /// Text for the program's standard input.
        stdin: Option<String>,
        /// End that text with a newline.
        stdin_add_newline: bool = true,
        /// Strip empty lines from the end of what the program says.
        strip_empty_ends: bool = true,
    }
    rules [Rule::OneOf(&["_raw_params", "cmd", "argv"]), Rule::Exclusive(&["_raw_params", "cmd", "argv"])]
}

impl Module for RunCommand {
    const NAME: &'static str = "ansible.builtin.command";
    type Args = CommandArgs;

    fn run(args: CommandArgs, sys: &mut System) -> Result<Output> {
        if let Some(executable) = &args.executable {
            let text = "As of Ansible 2.4, the parameter 'executable' is no longer supported with the 'command' module";
            sys.warn(format!("{text}. Not using '{executable}'."));
        }
        let words = match args._raw_params.as_deref().or(args.cmd.as_deref()) {
            Some(line) => split_words(line),
            None => args.argv.unwrap_or_default(),
        };
        if words.is_empty() {
            return Err(Failure::new("no command given").with("rc", 256));
        }
        let argv = match args.expand_argument_vars {
            true => words.iter().map(|word| sys.expand_home(&sys.expand_variables(word))).collect::<Result<Vec<_>>>()?,
            false => words.clone(),
        };
        let command = Command { argv: argv.into_iter().map(Into::into).collect(), ..Command::default() };
        let run = Run {
            command: Command { stdin: outcome::input(args.stdin, args.stdin_add_newline), ..command },
            shown: Value::list(words),
            chdir: args.chdir,
            creates: args.creates,
            removes: args.removes,
            strip_empty_ends: args.strip_empty_ends,
        };
        run.run(sys)
    }
}

#[cfg(test)]
mod tests {
    use crate::base::{Map, Value};
    use crate::modules::testing::Machine;
    use crate::modules::{Output, find};
    use crate::system::{Effect, Overlay, System};

    fn really(arguments: &[(&str, Value)]) -> Result<Output, crate::system::Failure> {
        let arguments: Map = arguments.iter().cloned().collect();
        (find("command").expect("is there").run)(arguments, &mut System::local())
    }

    #[test]
    fn a_program_is_run_and_its_output_comes_back_in_ansibles_shape() {
        let output = really(&[("cmd", r#"printf 'a\nb\n\n'"#.into())]).expect("runs").values;
        assert_eq!(output.text("stdout"), Some("a\nb"));
        assert_eq!(output.get("stdout_lines"), Some(&Value::list(["a", "b"])));
        assert_eq!(output.get("cmd"), Some(&Value::list(["printf", "a\\nb\\n\\n"])));
        assert!(output.text("delta").is_some_and(|delta| delta.starts_with("0:00:0")));
    }

    #[test]
    fn standard_input_is_given_with_its_newline() {
        let output = really(&[("argv", Value::list(["od", "-c"])), ("stdin", "x".into())]).expect("runs").values;
        assert!(output.text("stdout").is_some_and(|text| text.contains(r"x  \n")), "{output:?}");
    }

    #[test]
    fn a_non_zero_exit_fails_with_the_whole_result() {
        let failure = really(&[("_raw_params", "sh -c 'echo out; echo err >&2; exit 3'".into())]).expect_err("fails");
        assert_eq!(failure.message, "non-zero return code");
        assert_eq!(failure.values.get("rc"), Some(&Value::Int(3)));
        assert_eq!(failure.values.text("stderr"), Some("err"));
        assert_eq!(failure.values.get("stdout_lines"), Some(&Value::list(["out"])));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let failure = really(&[("cmd", "no-such-program --flag".into())]).expect_err("fails");
        assert!(failure.message.contains("`no-such-program`"), "{}", failure.message);
        assert_eq!(failure.values.get("rc"), Some(&Value::Int(2)));
    }

    #[test]
    fn what_creates_names_keeps_the_command_from_running() {
        let mut machine = Machine::new(Overlay::empty().with_file("/srv/done.txt", ""));
        let ran = machine.task("command: { cmd: make all, creates: /srv/*.txt }").expect("runs");
        assert_eq!(ran.effects, []);
        assert_eq!(ran.output.values.text("msg"), Some("Would not run command since '/srv/*.txt' exists"));
    }

    #[test]
    fn without_a_condition_the_command_is_skipped_in_a_plan_and_with_one_it_counts() {
        let mut machine = Machine::new(Overlay::empty());
        assert!(machine.task_once("command: make all").expect("runs").output.skipped);
        let ran = machine.task_once("command: { cmd: make all, creates: /srv/out }").expect("runs");
        assert!(!ran.output.skipped);
        assert_eq!(ran.effects, [Effect::Command { argv: vec!["make".into(), "all".into()] }]);
    }

    #[test]
    fn no_command_and_two_commands_are_refused() {
        let mut machine = Machine::new(Overlay::empty());
        assert!(machine.refusal("command: { chdir: / }").starts_with("one of the following is required"));
        assert!(machine.refusal("command: { cmd: a, argv: [a] }").starts_with("parameters are mutually exclusive"));
    }
}
