//! `ansible.builtin.script`, the host's half: a program from the controller is run here and removed again.
//! The controller adds `content_hash` (SHA-256 of the script) to the user's options; the bytes are fetched only when it is to run.

use std::path::Path;

use jiff::Zoned;

use crate::modules::{Module, Output, Rule, module_args};
use crate::system::{Command, Failure, Known, Result, System, split_words};

use super::outcome;

pub struct Script;

module_args! {
    /// Runs a script of the controller's on the host, without leaving it there.
    pub struct ScriptArgs {
        /// The script's path and its arguments, in free form.
        _raw_params: Option<String>,
        /// The script's path and its arguments.
        cmd: Option<String>,
        /// Folder on the host to run in; an absolute path.
        chdir: Option<String>,
        /// A path or pattern; when something matches, the script is not run.
        creates: Option<String>,
        /// A path or pattern; when nothing matches, the script is not run.
        removes: Option<String>,
        /// Program that runs the script, when its first line does not say so.
        executable: Option<String>,
        /// Set by the controller: SHA-256 of the script.
        content_hash: Option<String>,
    }
    accepts {
        /// Decrypt the script when vault has it; done on the controller.
        decrypt: bool,
        /// Set by the controller: SHA-1 of the script.
        content_sha1: String,
    }
    rules [Rule::OneOf(&["_raw_params", "cmd"]), Rule::Exclusive(&["_raw_params", "cmd"])]
}

impl Module for Script {
    const NAME: &'static str = "ansible.builtin.script";
    type Args = ScriptArgs;

    fn run(args: ScriptArgs, sys: &mut System) -> Result<Output> {
        let home = |path: &Option<String>| path.as_deref().map(|path| sys.expand_home(path)).transpose();
        let (creates, removes) = (home(&args.creates)?, home(&args.removes)?);
        let line = args._raw_params.or(args.cmd).unwrap_or_default();
        let line = line.trim();
        let done = outcome::done_before(sys, None, creates.as_deref().map(Path::new), removes.as_deref().map(Path::new))?;
        if let Some(reason) = done {
            let option = if reason.ends_with("not exist") { "removes" } else { "creates" };
            return Ok(Output::new().message(format!("{reason}, matching {option} option")).skipped());
        }
        let chdir = match &args.chdir {
            Some(chdir) if !chdir.starts_with('/') => {
                return Err(Failure::new(format!("chdir {chdir} must be an absolute path for a Unix-aware remote node")).at("chdir"));
            }
            Some(chdir) => Some(outcome::require_folder(sys, Path::new(chdir))?),
            None => None,
        };
        let source = split_words(line).into_iter().next().ok_or_else(|| Failure::new("no script was given"))?;
        let content = match (&args.content_hash, sys.backend().is_dry()) {
            (_, true) => Default::default(),
            (Some(hash), false) => sys.blob(hash)?,
            (None, false) => return Err(Failure::new(format!("the controller sent no content for script `{source}`"))),
        };
        let name = Path::new(&source).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let start = Zoned::now();
        let known = sys.execute_file(&content, &program_name(&name), |path| {
            // The user's own command line: only the script's place in it is changed.
            let text = line.replacen(&source, &path.to_string_lossy(), 1);
            let text = args.executable.as_ref().map_or(text.clone(), |executable| format!("{executable} {text}"));
            Command { working_directory: chdir, ..Command::new("/bin/sh").arg("-c").arg(text) }
        })?;
        let Known::Now(completed) = known else {
            let output = Output::new();
            return Ok(if creates.is_some() || removes.is_some() {
                output
            } else {
                output.message("Check mode is not supported for this task.").skipped()
            });
        };
        match outcome::finish(Output::new(), &completed, &start, false) {
            Ok(output) => Ok(["start", "end", "delta"].iter().fold(output, |mut output, name| {
                output.values.remove(name);
                output
            })),
            Err(failure) => Err(failure),
        }
    }
}

/// A name that needs no quotes on a command line.
fn program_name(name: &str) -> String {
    let safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    if safe.is_empty() { "script".into() } else { safe }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::base::Map;
    use crate::modules::find;
    use crate::modules::testing::Machine;
    use crate::system::{Blobs, Overlay, Result, System};

    struct One(&'static str);

    impl Blobs for One {
        fn fetch(&mut self, _sha256: &str) -> Result<Arc<Vec<u8>>> {
            Ok(Arc::new(self.0.as_bytes().to_vec()))
        }
    }

    #[test]
    fn a_script_runs_with_its_arguments_and_is_gone_afterwards() {
        let mut sys = System::local().with_blobs(Box::new(One("#!/bin/sh\necho \"$1-$2\"; dirname \"$0\"\n")));
        let arguments: Map = [("_raw_params", "'space path/say it.sh' one 'two three'"), ("content_hash", "abc")].into_iter().collect();
        let output = (find("script").expect("is there").run)(arguments, &mut sys).expect("runs").values;
        let text = output.text("stdout").unwrap_or_default();
        let (said, folder) = text.trim_end().split_once('\n').expect("two lines");
        assert_eq!(said, "one-two three");
        assert!(!std::path::Path::new(folder).exists());
    }

    #[test]
    fn a_script_that_was_run_before_is_skipped_by_its_mark() {
        let mut machine = Machine::new(Overlay::empty().with_file("/srv/done", ""));
        let ran = machine.task("script: { cmd: a.sh, creates: /srv/done }").expect("runs");
        assert!(ran.output.skipped);
        assert_eq!(ran.output.values.text("msg"), Some("/srv/done exists, matching creates option"));
    }

    #[test]
    fn a_relative_folder_is_refused() {
        assert!(Machine::new(Overlay::empty()).refusal("script: { cmd: a.sh, chdir: x }").contains("must be an absolute path"));
    }
}
