//! `ansible.builtin.find`: paths below folders, by name, age, size, mode and content.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::base::{Map, Value};
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Failure, Result, System};

use super::find_filter::Filter;
use super::stat::Algorithm;
use super::stat_values::stat_values;

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
