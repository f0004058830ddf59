//! `ansible.builtin.shell`: text for a shell, which the user wrote as such.

use std::path::PathBuf;

use crate::modules::{Module, Output, Rule, module_args};
use crate::system::{Command, Failure, Result, System};

use super::outcome::{self, Run};

pub struct Shell;

module_args! {
    /// Runs text by a shell on the host, with pipes, redirection and all.
    pub struct ShellArgs {
        /// The shell text, in free form.
        _raw_params: Option<String>,
        /// The shell text.
        cmd: Option<String>,
        /// Folder to run in.
        chdir: Option<PathBuf>,
        /// The shell to use instead of `/bin/sh`.
        executable: Option<PathBuf>,
        /// A path or pattern; when something matches, the text is not run.
        creates: Option<PathBuf>,
        /// A path or pattern; when nothing matches, the text is not run.
        removes: Option<PathBuf>,
        /// Text for standard input.
        stdin: Option<String>,
        /// End that text with a newline.
        stdin_add_newline: bool = true,
        /// Strip empty lines from the end of what it says.
        strip_empty_ends: bool = true,
        /// Not for a shell, which expands its own variables; refused.
        expand_argument_vars: Option<bool>,
    }
    rules [Rule::OneOf(&["_raw_params", "cmd"]), Rule::Exclusive(&["_raw_params", "cmd"])]
}

impl Module for Shell {
    const NAME: &'static str = "ansible.builtin.shell";
    type Args = ShellArgs;

    fn run(args: ShellArgs, sys: &mut System) -> Result<Output> {
        if args.expand_argument_vars.is_some() {
            let message = "Unsupported parameters for (shell) module: expand_argument_vars";
            return Err(Failure::new(message).at("expand_argument_vars"));
        }
        let text = args._raw_params.or(args.cmd).unwrap_or_default();
        let shell = args.executable.unwrap_or_else(|| "/bin/sh".into());
        let command = Command::new(shell).arg("-c").arg(&text);
        let run = Run {
            command: Command { stdin: outcome::input(args.stdin, args.stdin_add_newline), ..command },
            shown: text.into(),
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
    use crate::base::Map;
    use crate::modules::{Output, find};
    use crate::system::{Failure, System, TaskContext};

    fn really(arguments: &[(&str, &str)]) -> Result<Output, Failure> {
        let arguments: Map = arguments.iter().copied().collect();
        let mut sys = System::local();
        sys.begin(TaskContext { environment: vec![("COLOUR".into(), "red".into())], ..TaskContext::default() });
        (find("shell").expect("is there").run)(arguments, &mut sys)
    }

    #[test]
    fn a_pipe_and_the_tasks_environment_reach_the_shell() {
        let output = really(&[("cmd", "echo $COLOUR | tr r b")]).expect("runs").values;
        assert_eq!(output.text("stdout"), Some("bed"));
        assert_eq!(output.text("cmd"), Some("echo $COLOUR | tr r b"));
    }

    #[test]
    fn it_runs_in_the_folder_asked_for_by_the_shell_asked_for() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().to_str().expect("text");
        let output = really(&[("cmd", "pwd; echo $BASH_VERSION"), ("chdir", path), ("executable", "/bin/bash")]).expect("runs").values;
        let lines: Vec<&str> = output.text("stdout").unwrap_or_default().lines().collect();
        assert_eq!(lines.len(), 2, "{output:?}");
        assert!(lines[0].ends_with(path));
        let failure = really(&[("cmd", "true"), ("chdir", "/no/such/folder")]).expect_err("fails");
        assert!(failure.message.starts_with("Unable to change directory"), "{}", failure.message);
    }

    #[test]
    fn a_program_left_in_the_background_is_not_waited_for() {
        let started = std::time::Instant::now();
        let output = really(&[("cmd", "sleep 20 & echo started")]).expect("runs").values;
        assert_eq!(output.text("stdout"), Some("started"));
        assert!(started.elapsed().as_secs() < 15);
    }

    #[test]
    fn argument_expansion_is_the_shells_own_and_not_an_option() {
        let failure = really(&[("cmd", "true"), ("expand_argument_vars", "no")]).expect_err("is refused");
        assert!(failure.message.contains("expand_argument_vars"), "{}", failure.message);
    }
}
