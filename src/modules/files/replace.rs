//! `ansible.builtin.replace`: every match of a pattern in a file is replaced.

use std::path::PathBuf;

use crate::base::PatternFlags;
use crate::modules::{Module, Output, module_args};
use crate::system::{Failure, Result, System};

use super::attributes::FileAttributes;
use super::edit::{self, Writing, searching};

pub struct Replace;

module_args! {
    /// Replaces every match of a Python regular expression in a file.
    pub struct ReplaceArgs {
        /// The file.
        path | "dest" | "destfile" | "name": PathBuf,
        /// The pattern; `^` and `$` match at every line.
        regexp: String,
        /// What stands in its place, with `\1` and `\g<name>` for groups; nothing removes it.
        replace: String = "",
        /// Only after the first match of this pattern.
        after: Option<String>,
        /// Only before the first match of this pattern.
        before: Option<String>,
        /// Keep the old file under a dated name.
        backup: bool = false,
        /// Command that must accept the new file; `%s` is its path.
        validate: Option<String>,
        /// Character encoding of the file.
        encoding: String = "utf-8",
    }
    flatten { file: FileAttributes }
}

impl Module for Replace {
    const NAME: &'static str = "ansible.builtin.replace";
    type Args = ReplaceArgs;

    fn run(args: ReplaceArgs, sys: &mut System) -> Result<Output> {
        let path = args.path.display().to_string();
        let encoding = args.encoding.to_ascii_lowercase().replace(['-', '_'], "");
        if !matches!(encoding.as_str(), "utf8" | "ascii" | "usascii" | "latin1" | "iso88591") {
            let message =
                format!("encoding `{}` is not known; bytes that are no UTF-8 are kept as they are, so leave it out", args.encoding);
            return Err(Failure::new(message).at("encoding"));
        }
        if !edit::exists(&args.path, sys)? {
            return Err(Failure::new(format!("Path {path} does not exist !")).with("rc", 257).at("path"));
        }
        let old = edit::read(&args.path, sys)?;
        let Some(section) = section(&args, &old)? else {
            let pattern = section_pattern(&args).unwrap_or_default();
            let message = format!("Pattern for before/after params did not match the given file: {pattern}");
            return Ok(Output::new().with("rc", 0).message(message));
        };
        let multiline = PatternFlags { multiline: true, ..PatternFlags::default() };
        let pattern = edit::pattern(&args.regexp, multiline, "regexp")?;
        let (replaced, count) = pattern
            .substitute(&old[section.clone()], &args.replace)
            .map_err(|why| Failure::new(format!("Unable to process replace due to error: {why}")).at("replace"))?;
        let changed = count > 0 && replaced != old[section.clone()];
        let new = changed.then(|| format!("{}{replaced}{}", &old[..section.start], &old[section.end..]));
        let message = if changed { format!("{count} replacements made") } else { String::new() };
        let writing = Writing { path: &args.path, file: &args.file, backup: args.backup, validate: args.validate.as_ref() };
        let outcome = writing.finish(new.as_deref(), &message, sys)?;
        let output = Output::new().with("rc", 0).message(outcome.message);
        Ok(match outcome.backup_file {
            Some(backup) => output.with("backup_file", backup.to_string_lossy().into_owned()),
            None => output,
        })
    }
}

fn section_pattern(args: &ReplaceArgs) -> Option<String> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    match (given(&args.after), given(&args.before)) {
        (Some(after), Some(before)) => Some(format!("{after}(?P<subsection>.*?){before}")),
        (Some(after), None) => Some(format!("{after}(?P<subsection>.*)")),
        (None, Some(before)) => Some(format!("(?P<subsection>.*){before}")),
        (None, None) => None,
    }
}

/// The part of the text that is looked at; `None`: `before` and `after` do not find one.
fn section(args: &ReplaceArgs, text: &str) -> Result<Option<std::ops::Range<usize>>> {
    let Some(given) = section_pattern(args) else { return Ok(Some(0..text.len())) };
    let flags = PatternFlags { dot_all: true, ..PatternFlags::default() };
    let option = if args.after.is_some() { "after" } else { "before" };
    let pattern = edit::pattern(&given, flags, option)?;
    let found = pattern.search(text).map_err(searching)?;
    Ok(found.and_then(|found| found.name("subsection").map(|group| group.start()..group.end())))
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;
    use std::path::Path;

    #[test]
    fn every_match_is_replaced_and_counted() {
        let mut machine = Machine::new(Overlay::empty().with_file("/f", "a=1\nb=1\nc=1\n"));
        let ran = machine.task(r"replace: { path: /f, regexp: '^(\w)=1$', replace: '\1=2', after: 'a=1', before: 'c=' }").expect("runs");
        assert_eq!(ran.output.values.text("msg"), Some("1 replacements made"));
        assert_eq!(machine.sys.query_text(Path::new("/f")).expect("reads"), "a=1\nb=2\nc=1\n");
    }

    #[test]
    fn a_section_that_is_not_there_is_told_and_nothing_is_changed() {
        let mut machine = Machine::new(Overlay::empty().with_file("/f", "a\n"));
        let ran = machine.task("replace: { path: /f, regexp: a, replace: b, after: 'no' }").expect("runs");
        assert!(ran.effects.is_empty());
        let message = "Pattern for before/after params did not match the given file: no(?P<subsection>.*)";
        assert_eq!(ran.output.values.text("msg"), Some(message));
    }

    #[test]
    fn a_missing_file_is_named() {
        assert_eq!(Machine::new(Overlay::empty()).refusal("replace: { path: /x, regexp: a }"), "Path /x does not exist !");
    }
}
