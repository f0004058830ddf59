//! `ansible.builtin.assemble`: a file made of the fragments in a folder of the host. With `remote_src: false` the controller reads the
//! fragments and sends the result as `copy` does.

use std::path::PathBuf;

use crate::base::{Pattern, PatternFlags};
use crate::modules::{Module, Output, module_args};
use crate::system::{Checksum, Failure, Metadata, Result, System, WriteFile};

use super::attributes::{FileAttributes, with_path_info};
use super::copy::{self, CopyArgs};
use super::edit;

pub struct Assemble;

module_args! {
    /// Puts the files of a folder together to one file, in the order of their names.
    pub struct AssembleArgs {
        /// The folder of fragments.
        src: PathBuf,
        /// The file to make.
        dest: PathBuf,
        /// Text between fragments; escapes such as `\n` are read.
        delimiter: Option<String>,
        /// Keep the old file under a dated name.
        backup: bool = false,
        /// The fragments are on the host.
        remote_src: bool = true,
        /// Only fragments whose names this finds.
        regexp: Option<String>,
        /// Leave out fragments whose names begin with a dot.
        ignore_hidden: bool = false,
        /// Command that must accept the new file; `%s` is its path.
        validate: Option<String>,
        /// Decrypt fragments that are Ansible vaults (controller).
        decrypt: bool = true,
        /// Internal: SHA-256 of what the controller put together.
        content_hash: Option<String>,
        /// Internal: SHA-1 of what the controller put together.
        content_sha1: Option<String>,
    }
    flatten { file: FileAttributes }
}

impl Module for Assemble {
    const NAME: &'static str = "ansible.builtin.assemble";
    type Args = AssembleArgs;

    fn run(args: AssembleArgs, sys: &mut System) -> Result<Output> {
        if args.content_hash.is_some() {
            return copy::run(announced(args), sys);
        }
        let shown = args.src.display().to_string();
        match sys.query_file(&args.src)? {
            None => return Err(Failure::new(format!("Source ({shown}) does not exist")).at("src")),
            Some(found) if !found.is_directory() => return Err(Failure::new(format!("Source ({shown}) is not a directory")).at("src")),
            Some(_) => {}
        }
        let content = assembled(&args, sys)?;
        let (sha1, md5) = (Checksum::Sha1.of(&content), Checksum::Md5.of(&content));
        let file = WriteFile::new(&args.dest, content)
            .attributes(args.file.wanted())
            .backup(args.backup)
            .validate(args.validate)
            .in_place(args.file.may_write_in_place(sys));
        let written = sys.write_file(file)?;
        let output = Output::new().with("src", shown).with("dest", args.dest.to_string_lossy().into_owned());
        let mut output = output.with("checksum", sha1).with("md5sum", md5).message("OK");
        if let Some(backup) = written.backup_file {
            output = output.with("backup_file", backup.to_string_lossy().into_owned());
        }
        with_path_info(output, &args.dest, sys)
    }
}

fn announced(args: AssembleArgs) -> CopyArgs {
    CopyArgs {
        src: Some(args.src),
        content: None,
        dest: args.dest,
        backup: args.backup,
        force: true,
        validate: args.validate,
        directory_mode: None,
        remote_src: false,
        local_follow: None,
        follow: true,
        checksum: None,
        decrypt: args.decrypt,
        _original_basename: None,
        content_hash: args.content_hash,
        content_sha1: args.content_sha1,
        file: args.file,
    }
}

fn assembled(args: &AssembleArgs, sys: &System) -> Result<Vec<u8>> {
    let chosen: Option<Pattern> = match &args.regexp {
        Some(given) => Some(edit::pattern(given, PatternFlags::default(), "regexp")?),
        None => None,
    };
    let delimiter = args.delimiter.as_deref().map(unescaped);
    let mut out: Vec<u8> = Vec::new();
    let (mut is_first, mut ends_in_newline) = (true, true);
    for name in sys.query_directory(&args.src)? {
        let text = name.to_string_lossy();
        if let Some(chosen) = &chosen
            && !chosen.is_found(&text).map_err(edit::searching)?
        {
            continue;
        }
        let path = args.src.join(&name);
        if (args.ignore_hidden && text.starts_with('.')) || !sys.query_file(&path)?.as_ref().is_some_and(Metadata::is_file) {
            continue;
        }
        if !ends_in_newline {
            out.push(b'\n');
        }
        if let Some(delimiter) = delimiter.as_ref().filter(|delimiter| !is_first && !delimiter.is_empty()) {
            out.extend(delimiter);
            if !delimiter.ends_with(b"\n") {
                out.push(b'\n');
            }
        }
        let content = sys.query_content(&path)?;
        out.extend(content.iter());
        (is_first, ends_in_newline) = (false, content.ends_with(b"\n"));
    }
    Ok(out)
}

/// Backslash escapes as Python reads them in a bytes literal.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match characters.next() {
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('r') => out.push(b'\r'),
            Some('x') => {
                let digits: String = characters.by_ref().take(2).collect();
                out.extend(u8::from_str_radix(&digits, 16).ok());
            }
            Some(c @ ('\\' | '\'' | '"')) => out.push(c as u8),
            Some(other) => {
                out.push(b'\\');
                out.extend(other.encode_utf8(&mut [0; 4]).as_bytes());
            }
            None => out.push(b'\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;
    use std::path::Path;

    #[test]
    fn fragments_are_put_together_in_order_with_delimiters_between() {
        let overlay =
            Overlay::empty().with_file("/d/20", "b\n").with_file("/d/10", "a").with_file("/d/.hidden", "h").with_file("/d/x.bak", "x");
        let mut machine = Machine::new(overlay);
        let task = r"assemble: { src: /d, dest: /out, delimiter: '### \x41', regexp: '^\.?\w+$', ignore_hidden: true, mode: '0600' }";
        let ran = machine.task(task).expect("runs");
        assert_eq!(machine.sys.query_text(Path::new("/out")).expect("reads"), "a\n### A\nb\n");
        assert_eq!(ran.output.values.text("msg"), Some("OK"));
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let mut machine = Machine::new(Overlay::empty().with_file("/f", ""));
        assert_eq!(machine.refusal("assemble: { src: /f, dest: /out }"), "Source (/f) is not a directory");
        assert_eq!(machine.refusal("assemble: { src: /x, dest: /out }"), "Source (/x) does not exist");
    }
}
