//! `ansible.builtin.lineinfile`: a line is in a file, in its place, or no matching line is.

use std::path::PathBuf;

use crate::base::{Pattern, PatternFlags, pattern};
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Failure, Result, System};

use super::attributes::FileAttributes;
use super::edit::{self, Writing, searching};

pub struct LineInFile;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Makes sure that a line is in a file, or replaces the line that a pattern finds, or removes lines.
    pub struct LineInFileArgs {
        /// The file.
        path | "dest" | "destfile" | "name": PathBuf,
        /// Whether the line is to be there.
        state: State = State::Present,
        /// Python regular expression of the line to replace or remove; the last match counts.
        regexp | "regex": Option<String>,
        /// Text in the line to replace or remove.
        search_string: Option<String>,
        /// The line.
        line | "value": Option<String>,
        /// Put a new line after the last line that this finds; `EOF` is the end.
        insertafter: Option<String>,
        /// Put a new line before the last line that this finds; `BOF` is the start.
        insertbefore: Option<String>,
        /// Fill groups of `regexp` into the line, and change nothing when it is not found.
        backrefs: bool = false,
        /// Make the file when it does not exist.
        create: bool = false,
        /// Keep the old file under a dated name.
        backup: bool = false,
        /// Let the first match count in place of the last.
        firstmatch: bool = false,
        /// Command that must accept the new file; `%s` is its path.
        validate: Option<String>,
    }
    flatten { file: FileAttributes }
    rules [
        Rule::Exclusive(&["insertbefore", "insertafter"]),
        Rule::Exclusive(&["regexp", "search_string"]),
        Rule::Exclusive(&["backrefs", "search_string"]),
    ]
}

impl Module for LineInFile {
    const NAME: &'static str = "ansible.builtin.lineinfile";
    type Args = LineInFileArgs;

    fn run(args: LineInFileArgs, sys: &mut System) -> Result<Output> {
        warn_of_empty(&args, sys);
        let exists = edit::exists(&args.path, sys)?;
        let search = Search::new(&args)?;
        if args.state == State::Absent {
            return absent(&args, &search, exists, sys);
        }
        if args.backrefs && args.regexp.is_none() {
            return Err(Failure::new("regexp is required with backrefs=true").at("regexp"));
        }
        let Some(line) = &args.line else { return Err(Failure::new("line is required with state=present").at("line")) };
        if !exists && !args.create {
            return Err(Failure::new(format!("Destination {} does not exist !", args.path.display())).with("rc", 257).at("path"));
        }
        let old = if exists { edit::read(&args.path, sys)? } else { String::new() };
        let decided = decide(&args, &search, line, lines_of(&old))?;
        let (new, message) = match &decided {
            Some((lines, message)) => (Some(lines.concat()), *message),
            None => (None, ""),
        };
        finish(&args, new, message, Output::new(), sys)
    }
}

fn warn_of_empty(args: &LineInFileArgs, sys: &mut System) {
    let consequences = "which will match every line in the file. This may have unintended consequences, such as replacing the last line \
                        in the file rather than appending.";
    if args.regexp.as_deref() == Some("") {
        let way_out = "If this is desired, use '^' to match every line in the file and avoid this warning.";
        sys.warn(format!("The regular expression is an empty string, {consequences} {way_out}"));
    } else if args.search_string.as_deref() == Some("") {
        sys.warn(format!("The search string is an empty string, {consequences}"));
    }
}

fn finish(args: &LineInFileArgs, new: Option<String>, message: &str, output: Output, sys: &mut System) -> Result<Output> {
    let writing = Writing { path: &args.path, file: &args.file, backup: args.backup, validate: args.validate.as_ref() };
    let outcome = writing.finish(new.as_deref(), message, sys)?;
    let backup = outcome.backup_file.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(output.message(outcome.message).with("backup", backup))
}

fn absent(args: &LineInFileArgs, search: &Search, exists: bool, sys: &mut System) -> Result<Output> {
    if args.regexp.is_none() && args.search_string.is_none() && args.line.is_none() {
        return Err(Failure::new("one of line, search_string, or regexp is required with state=absent"));
    }
    if !exists {
        return Ok(Output::new().message("file not present"));
    }
    let old = edit::read(&args.path, sys)?;
    let (mut kept, mut removed) = (String::new(), 0);
    for line in lines_of(&old) {
        let matches = match (&search.wanted, &args.line) {
            (Wanted::Nothing, Some(wanted)) => bare(&line) == wanted,
            _ => search.wanted.is_in(&line)?,
        };
        if matches {
            removed += 1;
        } else {
            kept.push_str(&line);
        }
    }
    let message = if removed > 0 { format!("{removed} line(s) removed") } else { String::new() };
    finish(args, (removed > 0).then_some(kept), &message, Output::new().with("found", removed), sys)
}

enum Wanted<'a> {
    Nothing,
    Pattern(Pattern),
    Text(&'a str),
}

impl Wanted<'_> {
    fn is_in(&self, line: &str) -> Result<bool> {
        match self {
            Wanted::Nothing => Ok(false),
            Wanted::Pattern(pattern) => pattern.is_found(line).map_err(searching),
            Wanted::Text(text) => Ok(line.contains(text)),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Start,
    End,
    After,
    Before,
}

struct Search<'a> {
    wanted: Wanted<'a>,
    place: Place,
    anchor: Option<Pattern>,
}

impl<'a> Search<'a> {
    fn new(args: &'a LineInFileArgs) -> Result<Self> {
        let compiled = |text: &str, option| edit::pattern(text, PatternFlags::default(), option);
        let wanted = match (&args.regexp, &args.search_string) {
            (Some(regexp), _) => Wanted::Pattern(compiled(regexp, "regexp")?),
            (None, Some(text)) => Wanted::Text(text),
            (None, None) => Wanted::Nothing,
        };
        let (place, anchor) = match (args.insertafter.as_deref(), args.insertbefore.as_deref()) {
            (Some("BOF"), _) | (None, Some("BOF")) => (Place::Start, None),
            (Some("EOF"), _) | (None, None) => (Place::End, None),
            (Some(text), _) => (Place::After, Some(compiled(text, "insertafter")?)),
            (None, Some(text)) => (Place::Before, Some(compiled(text, "insertbefore")?)),
        };
        Ok(Search { wanted, place, anchor })
    }

    /// Index of the line to replace, if any.
    fn find(&self, lines: &[String], first: bool) -> Result<Option<usize>> {
        let mut found = None;
        for (index, line) in lines.iter().enumerate() {
            if self.wanted.is_in(line)? {
                found = Some(index);
                if first {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Index of the very line, and the index at which the anchor has it inserted. The first anchor ends the look when asked so.
    fn find_place(&self, lines: &[String], line: &str, first: bool) -> Result<(Option<usize>, Option<usize>)> {
        let (mut exact, mut place) = (None, None);
        for (index, current) in lines.iter().enumerate() {
            if bare(current) == line {
                exact = Some(index);
                continue;
            }
            let Some(anchor) = &self.anchor else { continue };
            if anchor.is_found(current).map_err(searching)? {
                place = Some(if self.place == Place::After { index + 1 } else { index });
                if first {
                    break;
                }
            }
        }
        Ok((exact, place))
    }
}

/// The lines as they are to be, with what was done; `None`: they are so already.
fn decide(args: &LineInFileArgs, search: &Search, line: &str, mut lines: Vec<String>) -> Result<Option<(Vec<String>, &'static str)>> {
    let matched = search.find(&lines, args.firstmatch)?;
    let (exact, place) = match matched {
        Some(_) => (None, None),
        None => search.find_place(&lines, line, args.firstmatch)?,
    };
    if let Some(index) = matched.or(exact) {
        let new = match (&search.wanted, matched) {
            (Wanted::Pattern(wanted), Some(index)) if args.backrefs => {
                let found = wanted.search(&lines[index]).map_err(searching)?;
                let found = found.ok_or_else(|| searching("the line is not found again".into()))?;
                pattern::expand(line, &found).map_err(|why| Failure::new(format!("cannot fill groups into the line: {why}")).at("line"))?
            }
            _ => line.to_owned(),
        };
        let new = ended(&new);
        if lines[index] == new {
            return Ok(None);
        }
        lines[index] = new;
        return Ok(Some((lines, "line replaced")));
    }
    if args.backrefs {
        return Ok(None);
    }
    match (search.place, place) {
        (Place::Start, _) => lines.insert(0, ended_anyway(line)),
        // The look ended at the first anchor, so the line may stand right after it unseen.
        (Place::After, Some(index)) if lines.get(index).is_some_and(|next| bare(next) == line) => return Ok(None),
        (Place::After | Place::Before, Some(index)) => {
            end_last_line(&mut lines);
            lines.insert(index, ended_anyway(line));
        }
        _ => {
            end_last_line(&mut lines);
            lines.push(ended_anyway(line));
        }
    }
    Ok(Some((lines, "line added")))
}

fn end_last_line(lines: &mut [String]) {
    if let Some(last) = lines.last_mut()
        && !last.ends_with(['\n', '\r'])
    {
        last.push('\n');
    }
}

/// With a line break, unless it has one.
fn ended(line: &str) -> String {
    if line.ends_with('\n') { line.to_owned() } else { format!("{line}\n") }
}

/// A new line gets a line break even when it ends in one, as the reference does.
fn ended_anyway(line: &str) -> String {
    format!("{line}\n")
}

fn bare(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

fn lines_of(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;
    use std::path::Path;

    fn edited(before: &str, options: &str) -> String {
        let mut machine = Machine::new(Overlay::empty().with_file("/f", before));
        machine.task(&format!("lineinfile: {{ path: /f, {options} }}")).expect("runs");
        machine.sys.query_text(Path::new("/f")).expect("reads")
    }

    #[test]
    fn the_last_match_is_replaced_or_the_first_when_asked() {
        assert_eq!(edited("a=1\na=2\n", "regexp: '^a=', line: a=3"), "a=1\na=3\n");
        assert_eq!(edited("a=1\na=2\n", "regexp: '^a=', line: a=3, firstmatch: true"), "a=3\na=2\n");
    }

    #[test]
    fn a_new_line_goes_where_it_is_asked_for() {
        assert_eq!(edited("a\nb\n", "line: x, insertafter: '^a$'"), "a\nx\nb\n");
        assert_eq!(edited("a\nb\n", "line: x, insertbefore: '^b'"), "a\nx\nb\n");
        assert_eq!(edited("a\nb\n", "line: x, insertbefore: BOF"), "x\na\nb\n");
        assert_eq!(edited("a\nb", "line: x"), "a\nb\nx\n");
        assert_eq!(edited("a\nb\n", "line: x, insertafter: '^no'"), "a\nb\nx\n");
    }

    #[test]
    fn backrefs_change_nothing_without_a_match() {
        assert_eq!(edited("opt 1\n", r"regexp: '^(\w+) \d', line: '\1 2', backrefs: true"), "opt 2\n");
        let mut machine = Machine::new(Overlay::empty().with_file("/f", "a\n"));
        let ran = machine.task(r"lineinfile: { path: /f, regexp: '^b', line: c, backrefs: true }").expect("runs");
        assert!(ran.effects.is_empty());
    }

    #[test]
    fn matching_lines_are_removed_and_counted() {
        let mut machine = Machine::new(Overlay::empty().with_file("/f", "a\nb\na\n"));
        let ran = machine.task("lineinfile: { path: /f, line: a, state: absent }").expect("runs");
        assert_eq!(ran.output.values.text("msg"), Some("2 line(s) removed"));
        assert_eq!(ran.output.values.get("found").and_then(|found| found.as_int()), Some(2));
        assert_eq!(machine.sys.query_text(Path::new("/f")).expect("reads"), "b\n");
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("f");
        std::fs::write(&path, b"caf\xe9\nx\n").expect("writes");
        let mut machine = Machine { sys: crate::system::System::local() };
        machine.task(&format!("lineinfile: {{ path: {}, regexp: '^x', line: z }}", path.display())).expect("runs");
        assert_eq!(std::fs::read(&path).expect("reads"), b"caf\xe9\nz\n");
    }

    #[test]
    fn a_missing_file_is_named_unless_it_may_be_made() {
        let mut machine = Machine::new(Overlay::empty());
        assert_eq!(machine.refusal("lineinfile: { path: /x, line: a }"), "Destination /x does not exist !");
        let ran = machine.task("lineinfile: { path: /etc/x, line: a, create: true, mode: '0600' }").expect("runs");
        assert_eq!(ran.output.values.text("msg"), Some("line added and ownership, perms or SE linux context changed"));
    }
}
