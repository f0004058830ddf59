//! `ansible.builtin.slurp`: a file's content, in base64.

use std::path::{Path, PathBuf};

use base64::Engine as _;

use crate::modules::{Module, Output, module_args};
use crate::system::{Failure, Result, System};

pub struct Slurp;

module_args! {
    /// Reads a file of the host and returns its content in base64.
    pub struct SlurpArgs {
        /// The file.
        src | "path": PathBuf,
    }
}

impl Module for Slurp {
    const NAME: &'static str = "ansible.builtin.slurp";
    type Args = SlurpArgs;

    fn run(args: SlurpArgs, sys: &mut System) -> Result<Output> {
        require_file(&args.src, sys)?;
        let content = base64::engine::general_purpose::STANDARD.encode(sys.query_content(&args.src)?.as_slice());
        let source = args.src.to_string_lossy().into_owned();
        Ok(Output::new().with("content", content).with("source", source).with("encoding", "base64"))
    }
}

/// Refuses what cannot be read as a file, in Ansible's words.
pub(super) fn require_file(path: &Path, sys: &System) -> Result<()> {
    let shown = path.display();
    let refused = |message: String| Err(Failure::new(message).at("src"));
    let found = match sys.query_file(path) {
        // A folder above it cannot be entered.
        Err(failure) if failure.message.contains("Permission denied") => return refused(format!("File is not readable: {shown}")),
        other => other?,
    };
    match found {
        None if is_below_a_file(path, sys) => refused(format!("Unable to slurp file: {shown}")),
        None => refused(format!("File not found: {shown}")),
        Some(found) if found.is_directory() => refused(format!("Source is a directory and must be a file: {shown}")),
        Some(_) if !sys.query_access(path)?.readable => refused(format!("File is not readable: {shown}")),
        Some(_) => Ok(()),
    }
}

/// Whether what should be a folder above the path is none.
fn is_below_a_file(path: &Path, sys: &System) -> bool {
    let above = path.ancestors().skip(1).find_map(|above| sys.query_file(above).ok().flatten());
    above.is_some_and(|found| !found.is_directory())
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_file_is_returned_in_base64() {
        let mut machine = Machine::new(Overlay::empty().with_file("/f", "hello"));
        let ran = machine.task("slurp: { src: /f }").expect("runs");
        assert_eq!(ran.output.values.text("content"), Some("aGVsbG8="));
    }

    #[test]
    fn what_is_no_file_is_refused_by_name() {
        let mut machine = Machine::new(Overlay::empty().with_directory("/d"));
        assert_eq!(machine.refusal("slurp: { src: /x }"), "File not found: /x");
        let mut below = Machine::new(Overlay::empty().with_file("/f", ""));
        assert_eq!(below.refusal("slurp: { src: /f/x }"), "Unable to slurp file: /f/x");
        assert_eq!(machine.refusal("slurp: { src: /d }"), "Source is a directory and must be a file: /d");
    }
}
