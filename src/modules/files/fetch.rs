//! `ansible.builtin.fetch`, the half that runs on the host: a file's content in base64 with its SHA-1. The controller says by `known_sha1`
//! what it has already, and writes the file.

use std::path::PathBuf;

use base64::Engine as _;

use crate::modules::{Module, Output, module_args};
use crate::system::{Checksum, Failure, Result, System};

use super::slurp::require_file;

pub struct Fetch;

module_args! {
    /// Brings a file of the host to the controller.
    pub struct FetchArgs {
        /// The file on the host.
        src: PathBuf,
        /// Where to put it on the controller.
        dest: String,
        /// Fail when the file cannot be read.
        fail_on_missing: bool = true,
        /// Compare checksums of both sides afterwards.
        validate_checksum: bool = true,
        /// Do not put the host's name and the whole path below `dest`.
        flat: bool = false,
        /// Internal: SHA-1 of what the controller has; the same content is not sent again.
        known_sha1: Option<String>,
    }
}

impl Module for Fetch {
    const NAME: &'static str = "ansible.builtin.fetch";
    type Args = FetchArgs;

    fn run(args: FetchArgs, sys: &mut System) -> Result<Output> {
        let source = args.src.to_string_lossy().into_owned();
        if let Err(failure) = require_file(&args.src, sys) {
            let message = explained(&failure.message);
            if args.fail_on_missing {
                return Err(Failure::new(message).with("file", source).at("src"));
            }
            return Ok(Output::new().with("file", source).message(format!("{message}, ignored")));
        }
        let output = Output::new().with("source", source);
        let sha1 = sys.query_checksum(&args.src, Checksum::Sha1)?;
        if args.known_sha1.as_ref() == Some(&sha1) {
            return Ok(output.with("checksum", sha1));
        }
        let content = sys.query_content(&args.src)?;
        let encoded = base64::engine::general_purpose::STANDARD.encode(content.as_slice());
        Ok(output.with("checksum", Checksum::Sha1.of(&content)).with("encoding", "base64").with("content", encoded))
    }
}

/// The refusal as `fetch` words it.
fn explained(message: &str) -> String {
    match message {
        missing if missing.starts_with("File not found") => "the remote file does not exist, not transferring".into(),
        folder if folder.starts_with("Source is a directory") => "remote file is a directory, fetch cannot work on directories".into(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn content_is_sent_unless_the_controller_has_it() {
        let mut machine = Machine::new(Overlay::empty().with_file("/f", "abc"));
        let ran = machine.task("fetch: { src: /f, dest: /tmp }").expect("runs");
        assert_eq!(ran.output.values.text("content"), Some("YWJj"));
        let sha1 = ran.output.values.text("checksum").expect("has a checksum").to_owned();
        let ran = machine.task(&format!("fetch: {{ src: /f, dest: /tmp, known_sha1: {sha1} }}")).expect("runs");
        assert!(ran.output.values.get("content").is_none());
    }

    #[test]
    fn a_missing_file_fails_unless_told_otherwise() {
        let mut machine = Machine::new(Overlay::empty());
        assert_eq!(machine.refusal("fetch: { src: /x, dest: /tmp }"), "the remote file does not exist, not transferring");
        let ran = machine.task("fetch: { src: /x, dest: /tmp, fail_on_missing: false }").expect("runs");
        assert_eq!(ran.output.values.text("msg"), Some("the remote file does not exist, not transferring, ignored"));
    }
}
