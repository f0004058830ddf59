//! `ansible.builtin.template`, the half that runs on the host: the controller renders, the host writes as `copy` does.

use std::path::PathBuf;

use crate::modules::{Module, Output, module_args};
use crate::system::{Result, System};

use super::attributes::FileAttributes;
use super::copy::{self, CopyArgs};

pub struct Template;

module_args! {
    /// Renders a Jinja2 template on the controller and writes the result on the host.
    pub struct TemplateArgs {
        /// The template, on the controller.
        src: PathBuf,
        /// Where to: a file, or a folder when it ends in `/` or is one.
        dest: PathBuf,
        /// Keep the old file under a dated name.
        backup: bool = false,
        /// Replace a file that is there and differs.
        force: bool = true,
        /// Follow a link at the destination.
        follow: bool = false,
        /// Command that must accept the new file; `%s` is its path.
        validate: Option<String>,
        /// Line ending of the result: `\n`, `\r` or `\r\n`.
        newline_sequence: String = "\n",
        /// What begins a block.
        block_start_string: String = "{%",
        /// What ends a block.
        block_end_string: String = "%}",
        /// What begins a variable.
        variable_start_string: String = "{{",
        /// What ends a variable.
        variable_end_string: String = "}}",
        /// What begins a comment.
        comment_start_string: Option<String>,
        /// What ends a comment.
        comment_end_string: Option<String>,
        /// Remove the first line break after a block.
        trim_blocks: bool = true,
        /// Remove white space before a block.
        lstrip_blocks: bool = false,
        /// Character encoding of the result.
        output_encoding: String = "utf-8",
        /// Internal: the template's name, used where the destination is a folder.
        _original_basename: Option<String>,
        /// Internal: SHA-256 of the rendered text.
        content_hash: Option<String>,
        /// Internal: SHA-1 of the rendered text.
        content_sha1: Option<String>,
    }
    flatten { file: FileAttributes }
}

impl Module for Template {
    const NAME: &'static str = "ansible.builtin.template";
    type Args = TemplateArgs;

    fn run(args: TemplateArgs, sys: &mut System) -> Result<Output> {
        let copied = CopyArgs {
            src: Some(args.src),
            content: None,
            dest: args.dest,
            backup: args.backup,
            force: args.force,
            validate: args.validate,
            directory_mode: None,
            remote_src: false,
            local_follow: None,
            follow: args.follow,
            checksum: None,
            decrypt: true,
            _original_basename: args._original_basename,
            content_hash: args.content_hash,
            content_sha1: args.content_sha1,
            file: args.file,
        };
        copy::run(copied, sys)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use crate::modules::testing::Machine;
    use crate::system::{Blobs, Checksum, Failure, Overlay, System};

    struct Rendered;

    impl Blobs for Rendered {
        fn fetch(&mut self, _sha256: &str) -> Result<Arc<Vec<u8>>, Failure> {
            Ok(Arc::new(b"listen 80;\n".to_vec()))
        }
    }

    #[test]
    fn a_rendered_template_is_written_with_its_mode() {
        let mut machine = Machine { sys: System::dry(Overlay::empty().with_directory("/etc")).with_blobs(Box::new(Rendered)) };
        let hash = Checksum::Sha256.of(b"listen 80;\n");
        machine.task(&format!("template: {{ src: web.j2, dest: /etc/web, mode: '0640', content_hash: {hash} }}")).expect("runs");
        assert_eq!(machine.sys.query_text(Path::new("/etc/web")).expect("reads"), "listen 80;\n");
        assert_eq!(machine.sys.query_file(Path::new("/etc/web")).expect("looks").map(|found| found.mode), Some(0o640));
    }
}
