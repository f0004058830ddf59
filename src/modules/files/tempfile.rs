//! `ansible.builtin.tempfile`: a fresh file or folder for the user alone.

use std::path::{Path, PathBuf};

use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Attributes, Failure, Mode, Result, System, WriteFile};

use super::attributes::with_path_info;

pub struct TempFile;

choices! {
    pub enum State { File = "file", Directory = "directory" }
}

module_args! {
    /// Makes a fresh temporary file or folder that only its owner may use.
    pub struct TempFileArgs {
        /// What to make.
        state: State = State::File,
        /// Where; the system's own folder for temporary files when not given.
        path: Option<PathBuf>,
        /// What its name begins with.
        prefix: String = "ansible.",
        /// What its name ends with.
        suffix: String = "",
    }
}

impl Module for TempFile {
    const NAME: &'static str = "ansible.builtin.tempfile";
    type Args = TempFileArgs;

    fn run(args: TempFileArgs, sys: &mut System) -> Result<Output> {
        for (option, part) in [("prefix", &args.prefix), ("suffix", &args.suffix)] {
            if part.contains('/') {
                let message = format!("{option} must be a valid file name component, got '{part}'");
                return Err(Failure::new(message).at(option));
            }
        }
        let folder = args.path.clone().or_else(|| sys.context().temporary_directory.clone()).unwrap_or_else(std::env::temp_dir);
        if sys.query_file(&folder)?.is_none_or(|found| !found.is_directory()) {
            let message = format!("the folder `{}` does not exist, so nothing temporary can be made in it", folder.display());
            return Err(Failure::new(message).at("path"));
        }
        let path = fresh(&folder, &args, sys)?;
        let attributes = |mode| Attributes { mode: Some(Mode::Octal(mode)), ..Attributes::default() };
        match args.state {
            State::File => sys.write_file(WriteFile::new(&path, "").attributes(attributes(0o600))).map(|written| written.changed)?,
            State::Directory => sys.make_directory(&path, &attributes(0o700))?,
        };
        with_path_info(Output::new().with("path", path.to_string_lossy().into_owned()), &path, sys)
    }
}

/// A name that nothing has, of random letters that nobody can guess.
fn fresh(folder: &Path, args: &TempFileArgs, sys: &System) -> Result<PathBuf> {
    loop {
        let letters: String = uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect();
        let path = folder.join(format!("{}{letters}{}", args.prefix, args.suffix));
        if sys.query_link(&path)?.is_none() {
            return Ok(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;
    use std::path::Path;

    #[test]
    fn each_run_makes_another_folder_for_its_owner_alone() {
        let mut machine = Machine::new(Overlay::empty().with_directory("/var/tmp"));
        let mut make = || {
            let ran = machine.task_once("tempfile: { state: directory, path: /var/tmp, suffix: build }").expect("runs");
            let path = ran.output.values.text("path").expect("has a path").to_owned();
            (machine.sys.query_link(Path::new(&path)).expect("looks").expect("is there").mode, path)
        };
        let (first, second) = (make(), make());
        assert_eq!((first.0, second.0), (0o700, 0o700));
        assert_ne!(first.1, second.1);
        assert!(first.1.starts_with("/var/tmp/ansible.") && first.1.ends_with("build"), "{}", first.1);
    }

    #[test]
    fn a_name_cannot_lead_elsewhere() {
        let message = Machine::new(Overlay::empty()).refusal("tempfile: { suffix: /../../etc/x }");
        assert_eq!(message, "suffix must be a valid file name component, got '/../../etc/x'");
    }
}
