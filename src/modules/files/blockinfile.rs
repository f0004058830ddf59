//! `ansible.builtin.blockinfile`: a block of lines between two marker lines is in a file, or is not.

use std::path::PathBuf;

use crate::base::{Pattern, PatternFlags};
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Failure, Result, System};

use super::attributes::FileAttributes;
use super::edit::{self, Writing, searching};

pub struct BlockInFile;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Makes sure that a block of lines between marker lines is in a file, or removes it.
    pub struct BlockInFileArgs {
        /// The file.
        path | "dest" | "destfile" | "name": PathBuf,
        /// Whether the block is to be there.
        state: State = State::Present,
        /// The marker lines; `{mark}` becomes `marker_begin` and `marker_end`.
        marker: String = "# {mark} ANSIBLE MANAGED BLOCK",
        /// The lines; with none the block is removed.
        block | "content": String = "",
        /// Put a new block after the last line that this finds; `EOF` is the end.
        insertafter: Option<String>,
        /// Put a new block before the last line that this finds; `BOF` is the start.
        insertbefore: Option<String>,
        /// Make the file when it does not exist.
        create: bool = false,
        /// Keep the old file under a dated name.
        backup: bool = false,
        /// Command that must accept the new file; `%s` is its path.
        validate: Option<String>,
        /// What `{mark}` is in the line before the block.
        marker_begin: String = "BEGIN",
        /// What `{mark}` is in the line after the block.
        marker_end: String = "END",
        /// Keep an empty line after the block.
        append_newline: bool = false,
        /// Keep an empty line before the block.
        prepend_newline: bool = false,
    }
    flatten { file: FileAttributes }
    rules [Rule::Exclusive(&["insertbefore", "insertafter"])]
}

impl Module for BlockInFile {
    const NAME: &'static str = "ansible.builtin.blockinfile";
    type Args = BlockInFileArgs;

    fn run(args: BlockInFileArgs, sys: &mut System) -> Result<Output> {
        let path = args.path.display().to_string();
        let exists = edit::exists(&args.path, sys)?;
        if !exists && args.state == State::Absent && args.create {
            return Ok(Output::new().message(format!("File {path} not present")));
        }
        if !exists && !args.create {
            return Err(Failure::new(format!("Path {path} does not exist !")).with("rc", 257).at("path"));
        }
        let old = if exists { Some(edit::read(&args.path, sys)?) } else { None };
        let block = block_lines(&args);
        let new = decide(&args, &block, old.as_deref().unwrap_or_default())?;
        let message = match &old {
            Some(old) if *old == new => "",
            None => "File created",
            Some(_) if block.is_empty() => "Block removed",
            Some(_) => "Block inserted",
        };
        let writing = Writing { path: &args.path, file: &args.file, backup: args.backup, validate: args.validate.as_ref() };
        let outcome = writing.finish((old.as_deref() != Some(new.as_str())).then_some(new.as_str()), message, sys)?;
        let output = Output::new().message(outcome.message);
        Ok(match outcome.backup_file {
            Some(backup) => output.with("backup_file", backup.to_string_lossy().into_owned()),
            None => output,
        })
    }
}

fn marker_line(args: &BlockInFileArgs, mark: &str) -> String {
    format!("{}\n", args.marker.replace("{mark}", mark))
}

/// The block with its markers; empty when it is not wanted.
fn block_lines(args: &BlockInFileArgs) -> Vec<String> {
    if args.state == State::Absent || args.block.is_empty() {
        return Vec::new();
    }
    let end = if args.block.ends_with('\n') { "" } else { "\n" };
    let inside = lines_of(&format!("{}{end}", args.block));
    [vec![marker_line(args, &args.marker_begin)], inside, vec![marker_line(args, &args.marker_end)]].concat()
}

/// The file's text with the block where it belongs.
fn decide(args: &BlockInFileArgs, block: &[String], old: &str) -> Result<String> {
    let mut lines = lines_of(old);
    let (begin, end) = (marker_line(args, &args.marker_begin), marker_line(args, &args.marker_end));
    let last = |wanted: &str| lines.iter().rposition(|line| line == wanted);
    let mut at = match (last(&begin), last(&end)) {
        (Some(begin), Some(end)) => {
            let (from, to) = (begin.min(end), begin.max(end));
            lines.drain(from..=to);
            from
        }
        _ => place_of_new(args, &lines, old)?,
    };
    if let Some(line) = at.checked_sub(1).and_then(|before| lines.get_mut(before))
        && !line.ends_with('\n')
    {
        line.push('\n');
    }
    let present = args.state == State::Present;
    if args.prepend_newline && present && at > 0 && lines[at - 1] != "\n" {
        lines.insert(at, "\n".into());
        at += 1;
    }
    lines.splice(at..at, block.iter().cloned());
    let after = at + block.len();
    if args.append_newline && present && lines.get(after).is_some_and(|line| line != "\n") {
        lines.insert(after, "\n".into());
    }
    Ok(lines.concat())
}

fn place_of_new(args: &BlockInFileArgs, lines: &[String], old: &str) -> Result<usize> {
    let (given, option) = match (args.insertafter.as_deref(), args.insertbefore.as_deref()) {
        (Some("EOF") | None, None) => return Ok(lines.len()),
        (_, Some("BOF")) => return Ok(0),
        (Some(given), _) => (given, "insertafter"),
        (None, Some(given)) => (given, "insertbefore"),
    };
    let anchor: Pattern = edit::pattern(given, PatternFlags::default(), option)?;
    let after = option == "insertafter";
    // With `(?m)` the pattern may span lines, so it is looked for in the whole text.
    if given.starts_with("(?m") {
        let found = anchor.search(old).map_err(searching)?.and_then(|found| found.get(0).map(|whole| (whole.start(), whole.end())));
        return Ok(match found {
            Some((_, end)) if after => old[..end].matches('\n').count() + 1,
            Some((start, _)) => old[..start].matches('\n').count(),
            None => lines.len(),
        });
    }
    let mut place = None;
    for (index, line) in lines.iter().enumerate() {
        if anchor.is_found(line).map_err(searching)? {
            place = Some(index);
        }
    }
    Ok(place.map_or(lines.len(), |index| if after { index + 1 } else { index }))
}

/// Lines with their ends, which are `\n`, `\r\n` or `\r`.
fn lines_of(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r']) {
        let end = at + if rest[at..].starts_with("\r\n") { 2 } else { 1 };
        lines.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;
    use std::path::Path;

    const BEGIN: &str = "# BEGIN ANSIBLE MANAGED BLOCK\n";
    const END: &str = "# END ANSIBLE MANAGED BLOCK\n";

    fn edited(before: &str, options: &str) -> String {
        let mut machine = Machine::new(Overlay::empty().with_file("/f", before));
        machine.task(&format!("blockinfile: {{ path: /f, {options} }}")).expect("runs");
        machine.sys.query_text(Path::new("/f")).expect("reads")
    }

    #[test]
    fn a_block_is_put_at_the_end_and_replaced_in_its_place() {
        let first = edited("a\nb", "block: x");
        assert_eq!(first, format!("a\nb\n{BEGIN}x\n{END}"));
        assert_eq!(edited(&format!("{BEGIN}x\n{END}a\n"), "block: \"y\\nz\\n\""), format!("{BEGIN}y\nz\n{END}a\n"));
    }

    #[test]
    fn a_block_goes_where_it_is_asked_for() {
        assert_eq!(edited("a\nb\n", "block: x, insertafter: '^a'"), format!("a\n{BEGIN}x\n{END}b\n"));
        assert_eq!(edited("a\nb\n", "block: x, insertbefore: BOF"), format!("{BEGIN}x\n{END}a\nb\n"));
        assert_eq!(edited("a\nb\nc\n", "block: x, insertafter: '(?m)a\\nb'"), format!("a\nb\n{BEGIN}x\n{END}c\n"));
    }

    #[test]
    fn an_empty_block_is_removed() {
        assert_eq!(edited(&format!("a\n{BEGIN}x\n{END}b\n"), "block: ''"), "a\nb\n");
        assert_eq!(edited(&format!("a\n{BEGIN}x\n{END}b\n"), "state: absent"), "a\nb\n");
    }

    #[test]
    fn empty_lines_around_a_block_are_made_once() {
        let options = "block: x, insertafter: '^a', append_newline: true, prepend_newline: true";
        assert_eq!(edited("a\nb\n", options), format!("a\n\n{BEGIN}x\n{END}\nb\n"));
    }

    #[test]
    fn a_missing_file_is_named() {
        assert_eq!(Machine::new(Overlay::empty()).refusal("blockinfile: { path: /x, block: a }"), "Path /x does not exist !");
    }
}
