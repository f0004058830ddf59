//! `ansible.builtin.find`: paths below folders, by name, age, size, mode and content.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use crate::base::{Map, Pattern, PatternFlags, Value};
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Decoded, Failure, Metadata, Mode, Result, System};

use super::edit;
use super::stat::Algorithm;
use super::stat_values::{seconds, stat_values};

pub struct Find;

choices! {
    pub enum Kind { Any = "any", Directory = "directory", File = "file", Link = "link" }
}

choices! {
    pub enum AgeStamp { Access = "atime", Change = "ctime", Modification = "mtime" }
}

module_args! {
    /// Lists paths below folders that answer to all conditions given.
    pub struct FindArgs {
        /// The folders.
        paths | "name" | "path": Vec<String>,
        /// Shell patterns, or with `use_regex` regular expressions, of which a name must answer to one.
        patterns | "pattern": Vec<String> = Vec::<String>::new(),
        /// Patterns of names to leave out.
        excludes | "exclude": Option<Vec<String>>,
        /// Regular expression that must match at the start of a line of the file.
        contains: Option<String>,
        /// Look for `contains` anywhere in the whole file.
        read_whole_file: bool = false,
        /// Kind of paths to list.
        file_type: Kind = Kind::File,
        /// Least age (`-1d`: most) in seconds, or with `s`, `m`, `h`, `d`, `w`.
        age: Option<String>,
        /// Which time the age is counted from.
        age_stamp: AgeStamp = AgeStamp::Modification,
        /// Least size (`-1m`: most) in bytes, or with `b`, `k`, `m`, `g`, `t`.
        size: Option<String>,
        /// Descend into folders.
        recurse: bool = false,
        /// List names that begin with a dot too.
        hidden: bool = false,
        /// Descend into folders that are links.
        follow: bool = false,
        /// Return each file's checksum.
        get_checksum: bool = false,
        /// Which checksum.
        checksum_algorithm | "checksum" | "checksum_algo": Algorithm = Algorithm::Sha1,
        /// Take patterns as Python regular expressions.
        use_regex: bool = false,
        /// How many levels to descend.
        depth: Option<i64>,
        /// Permissions, in quotes: octal or symbolic.
        mode: Option<Value>,
        /// Whether the mode must be the same, or only have one of its bits.
        exact_mode: bool = true,
        /// Character encoding of files that `contains` is looked for in.
        encoding: Option<String>,
        /// Stop after so many.
        limit: Option<i64>,
    }
}

impl Module for Find {
    const NAME: &'static str = "ansible.builtin.find";
    type Args = FindArgs;

    fn run(args: FindArgs, sys: &mut System) -> Result<Output> {
        let mut walk =
            Walk { filter: Filter::new(&args)?, args: &args, files: Vec::new(), examined: 0, skipped: Map::new(), seen: BTreeSet::new() };
        let mut warned = false;
        for given in &args.paths {
            let path = PathBuf::from(sys.expand_home(given)?);
            let outcome = match sys.query_file(&path)? {
                Some(found) if found.is_directory() => walk.folder(&path, 1, sys),
                _ => Err(Failure::new(format!("'{given}' is not a directory"))),
            };
            if let Err(failure) = outcome {
                sys.warn(format!("Skipped '{given}' path due to this access issue: {failure}\n"));
                walk.skipped.insert(given.as_str(), failure.message);
                warned = true;
            }
        }
        let message = match (warned, walk.is_full()) {
            (true, _) => "Not all paths examined, check warnings for details",
            (false, true) => "Limit of matches reached",
            (false, false) => "All paths examined",
        };
        let matched = walk.files.len();
        Ok(Output::new()
            .with("files", walk.files)
            .message(message)
            .with("matched", matched)
            .with("examined", walk.examined)
            .with("skipped_paths", walk.skipped))
    }
}

struct Walk<'a> {
    args: &'a FindArgs,
    filter: Filter,
    files: Vec<Value>,
    examined: usize,
    skipped: Map,
    /// Folders entered, by device and inode: links may lead in circles.
    seen: BTreeSet<(u64, u64)>,
}

impl Walk<'_> {
    fn is_full(&self) -> bool {
        self.args.limit.is_some_and(|limit| self.files.len() as i64 >= limit)
    }

    /// Files first, then folders, then what is below them.
    fn folder(&mut self, folder: &Path, level: i64, sys: &System) -> Result<()> {
        let names = match sys.query_directory(folder) {
            Ok(names) => names,
            Err(failure) if level > 1 => {
                self.skipped.insert(folder.to_string_lossy().into_owned(), failure.message);
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for name in names {
            let path = folder.join(&name);
            let is_folder = sys.query_file(&path)?.is_some_and(|found| found.is_directory());
            if is_folder { &mut folders } else { &mut files }.push(path);
        }
        self.examined += files.len() + folders.len();
        if self.args.depth.is_some_and(|depth| depth > 0 && level > depth) {
            return Ok(());
        }
        for path in files.iter().chain(&folders) {
            self.entry(path, sys)?;
            if self.is_full() {
                return Ok(());
            }
        }
        for path in folders.iter().filter(|_| self.args.recurse) {
            let Some(found) = sys.query_link(path)? else { continue };
            if found.is_symlink() && !self.args.follow {
                continue;
            }
            let Some(target) = sys.query_file(path)? else { continue };
            if self.seen.insert((target.device, target.inode)) {
                self.folder(path, level + 1, sys)?;
            }
            if self.is_full() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, sys: &System) -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && !self.args.hidden {
            return Ok(());
        }
        let Some(found) = sys.query_link(path)? else { return Ok(()) };
        let is_kind = match self.args.file_type {
            Kind::Any => true,
            Kind::Directory => found.is_directory(),
            Kind::File => found.is_file(),
            Kind::Link => found.is_symlink(),
        };
        if !is_kind || !self.filter.takes(&name, &found)? {
            return Ok(());
        }
        if self.args.file_type == Kind::File && !self.filter.content(path, sys)? {
            return Ok(());
        }
        let mut values: Map = [("path", Value::from(normalized(path)))].into_iter().collect();
        values.extend(&stat_values(&found, sys));
        for key in ["pw_name", "gr_name"] {
            if !values.contains_key(key) {
                values.insert(key, "");
            }
        }
        if found.is_file() && self.args.get_checksum {
            values.insert("checksum", sys.query_checksum(path, self.args.checksum_algorithm.checksum())?);
        }
        self.files.push(values.into());
        Ok(())
    }
}

/// The path without `.`, `..` and doubled slashes.
fn normalized(path: &Path) -> String {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out.to_string_lossy().into_owned()
}

/// The conditions, ready to ask.
struct Filter {
    patterns: Vec<Pattern>,
    excludes: Vec<Pattern>,
    contains: Option<Pattern>,
    whole_file: bool,
    encoding: Option<String>,
    age: Option<i64>,
    stamp: AgeStamp,
    size: Option<i64>,
    mode: Option<u32>,
    exact_mode: bool,
    now: f64,
}

impl Filter {
    fn new(args: &FindArgs) -> Result<Self> {
        let compile = |given: &String, option: &str| {
            let anchored = if args.use_regex { format!("^(?:{given})") } else { shell_pattern(given) };
            edit::pattern(&anchored, PatternFlags::default(), option)
        };
        let all = |given: &[String], option: &'static str| given.iter().map(|given| compile(given, option)).collect::<Result<Vec<_>>>();
        let contains = match &args.contains {
            Some(given) if args.read_whole_file => Some(edit::pattern(given, PatternFlags::default(), "contains")?),
            Some(given) => Some(edit::pattern(&format!("^(?:{given})"), PatternFlags::default(), "contains")?),
            None => None,
        };
        if let Some(limit) = args.limit.filter(|limit| *limit <= 0) {
            return Err(Failure::new(format!("limit cannot be {limit} (use None for unlimited)")).at("limit"));
        }
        Ok(Filter {
            patterns: all(&args.patterns, "patterns")?,
            excludes: all(args.excludes.as_deref().unwrap_or_default(), "excludes")?,
            contains,
            whole_file: args.read_whole_file,
            encoding: args.encoding.clone(),
            age: amount(args.age.as_deref(), &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)], "age")?,
            stamp: args.age_stamp,
            size: amount(args.size.as_deref(), &[("b", 1), ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("t", 1 << 40)], "size")?,
            mode: mode(args.mode.as_ref())?,
            exact_mode: args.exact_mode,
            now: seconds(SystemTime::now()),
        })
    }

    fn takes(&self, name: &str, found: &Metadata) -> Result<bool> {
        let any = |patterns: &[Pattern]| {
            patterns.iter().try_fold(false, |yes, pattern| Ok::<_, Failure>(yes || pattern.is_found(name).map_err(edit::searching)?))
        };
        if !(self.patterns.is_empty() || any(&self.patterns)?) || any(&self.excludes)? {
            return Ok(false);
        }
        let time = match self.stamp {
            AgeStamp::Access => found.accessed,
            AgeStamp::Change => found.changed,
            AgeStamp::Modification => found.modified,
        };
        let within = |limit: Option<i64>, value: f64| match limit {
            None => true,
            Some(limit) if limit >= 0 => value >= limit as f64,
            Some(limit) => value <= -limit as f64,
        };
        let mode_fits = self.mode.is_none_or(|mode| if self.exact_mode { found.mode == mode } else { found.mode & mode != 0 });
        let size_fits = !found.is_file() || within(self.size, found.size as f64);
        Ok(within(self.age, self.now - seconds(time)) && size_fits && mode_fits)
    }

    fn content(&self, path: &Path, sys: &System) -> Result<bool> {
        let Some(contains) = &self.contains else { return Ok(true) };
        let Ok(bytes) = sys.query_content(path) else { return Ok(false) };
        let encoding = self.encoding.as_deref();
        let text = match sys.decode(encoding.unwrap_or("utf-8"), &bytes)? {
            Decoded::Text(text) => text.replace("\r\n", "\n"),
            Decoded::UnknownEncoding => {
                return Err(Failure::new(format!("unknown encoding: {}", encoding.unwrap_or_default())).at("encoding"));
            }
            Decoded::Invalid => {
                let encoding = encoding.unwrap_or("None (default determined by the Python built-in function \"open\")");
                let place = path.display();
                return Err(Failure::new(format!(
                    "Failed to read the file {place} due to an encoding error. current encoding: {encoding}"
                )));
            }
        };
        if self.whole_file {
            return contains.is_found(&text).map_err(edit::searching);
        }
        text.split_inclusive('\n').try_fold(false, |yes, line| Ok(yes || contains.is_found(line).map_err(edit::searching)?))
    }
}

/// `3`, `-3d`, `10k` as a number of units.
fn amount(given: Option<&str>, units: &[(&str, i64)], option: &'static str) -> Result<Option<i64>> {
    let Some(given) = given else { return Ok(None) };
    let text = given.to_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let factor = if unit.is_empty() { Some(1) } else { units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor) };
    match (digits.parse::<i64>(), factor) {
        (Ok(number), Some(factor)) => Ok(Some(number.saturating_mul(factor))),
        _ => Err(Failure::new(format!("failed to process {option}")).with(option, given).at(option)),
    }
}

fn mode(given: Option<&Value>) -> Result<Option<u32>> {
    match given {
        None => Ok(None),
        Some(Value::Str(text)) if text.is_empty() => Ok(None),
        Some(Value::Str(text)) => {
            let mode = Mode::parse(text).and_then(|mode| mode.apply(0, false)).map_err(|message| Failure::new(message).at("mode"))?;
            Ok(Some(mode))
        }
        Some(other) => {
            let message = format!("argument 'mode' is not a string and conversion is not allowed, value is of type {}", other.type_name());
            Err(Failure::new(message).at("mode"))
        }
    }
}

/// A shell pattern as a regular expression over a whole name: `*`, `?`, `[…]`, `[!…]`.
fn shell_pattern(pattern: &str) -> String {
    let characters: Vec<char> = pattern.chars().collect();
    let mut out = String::from("(?s)^");
    let mut index = 0;
    while index < characters.len() {
        match characters[index] {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                let skip = if characters.get(index + 1) == Some(&'!') { 2 } else { 1 };
                let close = (index + skip + 1..characters.len()).find(|at| characters[*at] == ']');
                match close {
                    Some(close) => {
                        let inside: String = characters[index + skip..close].iter().collect();
                        let negation = if skip == 2 { "^" } else { "" };
                        out.push_str(&format!("[{negation}{}]", inside.replace('\\', "\\\\")));
                        index = close;
                    }
                    None => out.push_str(r"\["),
                }
            }
            c if c.is_ascii_punctuation() && c != '_' => out.extend(['\\', c]),
            c => out.push(c),
        }
        index += 1;
    }
    out.push_str(r"\Z");
    out
}

#[cfg(test)]
mod tests {
    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    fn found(options: &str) -> Vec<String> {
        let overlay = Overlay::empty()
            .with_file("/srv/a.log", "one\ntwo\n")
            .with_file("/srv/b.txt", "three\n")
            .with_file("/srv/.hidden.log", "")
            .with_file("/srv/deep/er/c.log", "two\n");
        let ran = Machine::new(overlay).task(&format!("find: {{ paths: /srv, {options} }}")).expect("runs");
        let files = ran.output.values.get("files").and_then(Value::as_list).map(<[_]>::to_vec).unwrap_or_default();
        files.iter().filter_map(|file| file.get("path").and_then(Value::as_str).map(Into::into)).collect()
    }

    #[test]
    fn names_are_matched_by_shell_patterns_and_expressions() {
        assert_eq!(found("patterns: '*.log'"), ["/srv/a.log"]);
        assert_eq!(found("patterns: '*.log', recurse: true, hidden: true"), ["/srv/.hidden.log", "/srv/a.log", "/srv/deep/er/c.log"]);
        assert_eq!(found("patterns: '^[ab]\\.', use_regex: true, excludes: '.*txt$'"), ["/srv/a.log"]);
        assert_eq!(found("patterns: '[!a]*'"), ["/srv/b.txt"]);
    }

    #[test]
    fn depth_kind_content_and_size_are_conditions_too() {
        assert_eq!(found("file_type: directory, recurse: true, depth: 1"), ["/srv/deep"]);
        assert_eq!(found("contains: 'tw', recurse: true"), ["/srv/a.log", "/srv/deep/er/c.log"]);
        assert_eq!(found("size: 6"), ["/srv/a.log", "/srv/b.txt"]);
        assert_eq!(found("size: -6"), ["/srv/b.txt"]);
        assert_eq!(found("mode: '0600'"), Vec::<String>::new());
        assert_eq!(found("age: 1d"), Vec::<String>::new());
    }

    #[test]
    fn content_is_read_in_the_encoding_asked_for() {
        let mut machine = Machine::new(Overlay::empty().with_file("/srv/a", "caf\u{e9}\n"));
        let ran = machine.task("find: { paths: /srv, contains: 'caf\u{c3}', encoding: latin-1 }").expect("runs");
        assert_eq!(ran.output.values.get("matched"), Some(&Value::Int(1)));
        let ran = machine.task("find: { paths: /srv, contains: c, encoding: ascii }").expect("runs");
        let why = ran.output.values.get("skipped_paths").and_then(|paths| paths.get("/srv")).and_then(Value::as_str);
        assert_eq!(why, Some("Failed to read the file /srv/a due to an encoding error. current encoding: ascii"));
    }

    #[test]
    fn a_limit_ends_the_look() {
        assert_eq!(found("recurse: true, limit: 1").len(), 1);
    }

    #[test]
    fn what_cannot_be_read_as_an_amount_or_a_mode_is_refused() {
        let mut machine = Machine::new(Overlay::empty());
        assert_eq!(machine.refusal("find: { paths: /, age: soon }"), "failed to process age");
        let message = machine.refusal("find: { paths: /, mode: 644 }");
        assert_eq!(message, "argument 'mode' is not a string and conversion is not allowed, value is of type int");
    }

    #[test]
    fn a_path_that_is_no_folder_is_told_in_a_warning() {
        let mut machine = Machine::new(Overlay::empty());
        let ran = machine.task("find: { paths: /nowhere }").expect("runs");
        assert_eq!(ran.output.values.text("msg"), Some("Not all paths examined, check warnings for details"));
        assert_eq!(machine.sys.warnings().len(), 1);
    }
}
