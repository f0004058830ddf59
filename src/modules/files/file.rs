//! `ansible.builtin.file`: a path is a file, a folder, a link or nothing, with the owner, group, mode and times asked for.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::base::Map;
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Attributes, Diff, Failure, Result, System, WriteFile};

use super::attributes::{FileAttributes, followed, state_name, with_path_info};
use super::file_links;
use super::times::{Stamp, Stamps};

pub struct File;

choices! {
    pub enum State {
        Absent = "absent",
        Directory = "directory",
        File = "file",
        Hard = "hard",
        Link = "link",
        Touch = "touch",
    }
}

module_args! {
    /// Sets owner, group, mode and times of a path, and makes folders, links and empty files, or removes them.
    pub struct FileArgs {
        /// The path.
        path | "dest" | "name": PathBuf,
        /// What it is to be; when not given, what it is now, else a file.
        state: Option<State>,
        /// What a link points to.
        src: Option<PathBuf>,
        /// Apply owner, group, mode and times to everything below a folder too.
        recurse: bool = false,
        /// Make a link though its target does not exist, or in place of a file.
        force: bool = false,
        /// Follow a link at the path.
        follow: bool = true,
        /// Time of modification: `preserve`, `now` or a time.
        modification_time: Option<String>,
        /// Format of `modification_time`, as `strptime` takes it.
        modification_time_format: String = "%Y%m%d%H%M.%S",
        /// Time of access: `preserve`, `now` or a time.
        access_time: Option<String>,
        /// Format of `access_time`, as `strptime` takes it.
        access_time_format: String = "%Y%m%d%H%M.%S",
        /// Internal: the name to use inside `path` when that is a folder.
        _original_basename: Option<String>,
        /// Internal: only tell whether the file looks binary.
        _diff_peek: Option<bool>,
    }
    flatten { file: FileAttributes }
}

impl Module for File {
    const NAME: &'static str = "ansible.builtin.file";
    type Args = FileArgs;

    fn run(mut args: FileArgs, sys: &mut System) -> Result<Output> {
        args.path = path_inside_folder(&args, sys)?;
        let found = sys.query_link(&args.path)?;
        let state = wanted_state(&args, state_name(found.as_ref()));
        let text = args.path.to_string_lossy().into_owned();
        if args.recurse && state != State::Directory {
            return Err(Failure::new("recurse option requires state to be 'directory'").with("path", text).at("recurse"));
        }
        if args.src.is_some() && !matches!(state, State::Link | State::Hard) {
            return Err(Failure::new("src option requires state to be 'link' or 'hard'").with("path", text).at("src"));
        }
        let stamps = stamps(&args, state)?;
        if args._diff_peek.is_some() {
            return Ok(Output::new().with("path", text).with("appears_binary", appears_binary(&args.path, sys)));
        }
        if state != State::Absent {
            sys.warn_of_unknown_accounts(&args.file.wanted());
        }
        if state != State::Absent {
            sys.add_diff(Diff::state(&diffed(&args, state, sys)?, Map::new(), Map::new()));
        }
        match state {
            State::Absent => {
                sys.remove(&args.path)?;
                Ok(Output::new().with("path", text).with("state", "absent"))
            }
            State::File => ensure_file(&args, stamps, sys),
            State::Directory => ensure_directory(&args, stamps, sys),
            State::Touch => touch(&args, stamps, sys),
            State::Link => file_links::ensure_symlink(&args, stamps, sys),
            State::Hard => file_links::ensure_hard_link(&args, stamps, sys),
        }
    }
}

/// Whether a file's beginning holds a zero byte; one that cannot be read is taken for text.
fn appears_binary(path: &Path, sys: &System) -> bool {
    let mut head = Vec::new();
    let read = sys.query_stream(path).map(|stream| stream.take(8192).read_to_end(&mut head));
    matches!(read, Ok(Ok(_))) && head.contains(&0)
}

/// The path that the difference is about: shown even when nothing changed there.
fn diffed(args: &FileArgs, state: State, sys: &System) -> Result<PathBuf> {
    let follows = matches!(state, State::File | State::Directory | State::Touch);
    let path = if follows { followed(sys, &args.path, args.follow)? } else { args.path.clone() };
    Ok(sys.absolute(&path))
}

/// A file that is meant to be inside a folder that was given: the controller's `_original_basename`, or the source's name.
fn path_inside_folder(args: &FileArgs, sys: &System) -> Result<PathBuf> {
    let is_folder = || Ok::<_, Failure>(sys.query_file(&args.path)?.is_some_and(|found| found.is_directory()));
    if matches!(args.state, Some(State::Link | State::Absent)) || !is_folder()? {
        return Ok(args.path.clone());
    }
    let name = args._original_basename.clone().map(PathBuf::from);
    let name = name.or_else(|| args.src.as_deref().and_then(Path::file_name).map(PathBuf::from));
    Ok(name.map_or_else(|| args.path.clone(), |name| args.path.join(name)))
}

fn wanted_state(args: &FileArgs, current: &str) -> State {
    match (args.state, current) {
        (Some(state), _) => state,
        (None, "link") => State::Link,
        (None, "directory") => State::Directory,
        (None, "hard") => State::Hard,
        (None, "absent") if args.recurse => State::Directory,
        _ => State::File,
    }
}

fn stamps(args: &FileArgs, state: State) -> Result<Stamps> {
    let default = if state == State::Touch { "now" } else { "preserve" };
    let read = |given: &Option<String>, format: &str, option| {
        Stamp::parse(given.as_deref().unwrap_or(default), format).map_err(|failure| failure.at(option))
    };
    Ok(Stamps {
        accessed: read(&args.access_time, &args.access_time_format, "access_time")?,
        modified: read(&args.modification_time, &args.modification_time_format, "modification_time")?,
    })
}

fn ensure_file(args: &FileArgs, stamps: Stamps, sys: &mut System) -> Result<Output> {
    let path = followed(sys, &args.path, args.follow)?;
    let text = path.to_string_lossy().into_owned();
    let state = state_name(sys.query_link(&path)?.as_ref());
    if !matches!(state, "file" | "hard") {
        let message = format!("file ({text}) is {state}, cannot continue");
        return Err(Failure::new(message).with("path", text).with("state", state).at("path"));
    }
    sys.set_attributes(&path, &args.file.wanted())?;
    stamps.apply(&path, sys)?;
    with_path_info(Output::new().with("path", text), &path, sys)
}

fn touch(args: &FileArgs, stamps: Stamps, sys: &mut System) -> Result<Output> {
    let text = args.path.to_string_lossy().into_owned();
    let path = followed(sys, &args.path, args.follow)?;
    if sys.query_link(&path)?.is_none() {
        let attributes = args.file.wanted();
        sys.write_file(WriteFile::new(&path, "").attributes(attributes))
            .map_err(|failure| failure.context("Error, could not touch target").with("path", text.as_str()))?;
        let asked = |stamp| if stamp == Stamp::Now { Stamp::Keep } else { stamp };
        Stamps { accessed: asked(stamps.accessed), modified: asked(stamps.modified) }.apply(&path, sys)?;
    } else {
        sys.set_attributes(&path, &args.file.wanted())?;
        stamps.apply(&path, sys)?;
    }
    with_path_info(Output::new().with("dest", text), &args.path, sys)
}

fn ensure_directory(args: &FileArgs, stamps: Stamps, sys: &mut System) -> Result<Output> {
    let path = followed(sys, &args.path, args.follow)?;
    let text = path.to_string_lossy().into_owned();
    match state_name(sys.query_link(&path)?.as_ref()) {
        "absent" => {
            sys.make_directory(&path, &args.file.wanted()).map_err(|failure| {
                failure.context(&format!("There was an issue creating {text} as requested")).with("path", text.as_str())
            })?;
            stamps.apply(&path, sys)?;
        }
        "directory" => {
            let attributes = numbered(args.file.wanted(), sys)?;
            sys.set_attributes(&path, &attributes)?;
            stamps.apply(&path, sys)?;
            if args.recurse {
                Below { attributes, stamps, follow: args.follow, seen: BTreeSet::new() }.apply(&path, sys)?;
            }
        }
        state => return Err(Failure::new(format!("{text} already exists as a {state}")).with("path", text).at("path")),
    }
    with_path_info(Output::new().with("path", text), &path, sys)
}

/// Owner and group as numbers, looked up once for a whole tree.
fn numbered(asked: Attributes, sys: &System) -> Result<Attributes> {
    let owner = asked.owner.as_deref().map(|owner| sys.resolve_owner(owner)).transpose()?.map(|uid| uid.to_string());
    let group = asked.group.as_deref().map(|group| sys.resolve_group(group)).transpose()?.map(|gid| gid.to_string());
    Ok(Attributes { owner, group, ..asked })
}

/// What `recurse` asks of everything below a folder.
struct Below {
    attributes: Attributes,
    stamps: Stamps,
    follow: bool,
    /// Folders entered, by device and inode: links may lead in circles.
    seen: BTreeSet<(u64, u64)>,
}

impl Below {
    fn apply(&mut self, folder: &Path, sys: &mut System) -> Result<()> {
        let Some(found) = sys.query_file(folder)? else { return Ok(()) };
        if !self.seen.insert((found.device, found.inode)) {
            return Ok(());
        }
        for name in sys.query_directory(folder)? {
            let path = folder.join(name);
            let Some(found) = sys.query_link(&path)? else { continue };
            self.one(&path, sys)?;
            if found.is_directory() {
                self.apply(&path, sys)?;
            } else if found.is_symlink() && self.follow {
                self.target(&path, sys)?;
            }
        }
        Ok(())
    }

    fn one(&self, path: &Path, sys: &mut System) -> Result<()> {
        sys.set_attributes(path, &self.attributes)?;
        self.stamps.apply(path, sys)
    }

    fn target(&mut self, link: &Path, sys: &mut System) -> Result<()> {
        let Some(found) = sys.query_file(link)? else { return Ok(()) };
        let target = sys.query_canonical(link)?;
        if found.is_directory() {
            self.apply(&target, sys)?;
        }
        self.one(&target, sys)
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::{Overlay, User};
    use std::path::Path;

    fn machine() -> Machine {
        let alice = User { name: "alice".into(), uid: 1000, gid: 1000, ..User::default() };
        Machine::new(Overlay::empty().with_file("/srv/a", "1").with_user(alice))
    }

    #[test]
    fn a_folder_is_made_with_its_parents_and_mode() {
        let mut machine = machine();
        let ran = machine.task("file: { path: /srv/x/y, state: directory, mode: '0750', owner: alice }").expect("runs");
        assert_eq!(ran.output.values.text("mode"), Some("0750"));
        let parent = machine.sys.query_file(Path::new("/srv/x")).expect("looks").expect("is there");
        assert_eq!((parent.mode, parent.uid), (0o750, 1000));
    }

    #[test]
    fn a_missing_file_cannot_be_given_a_mode() {
        assert_eq!(machine().refusal("file: { path: /srv/b, mode: '0600' }"), "file (/srv/b) is absent, cannot continue");
    }

    #[test]
    fn recurse_gives_files_no_execute_bit_by_a_capital_x() {
        let mut machine = machine();
        machine.task("file: { path: /srv, state: directory, mode: 'u=rwX,g=rX,o=', recurse: true }").expect("runs");
        let mode = |path| machine.sys.query_link(Path::new(path)).expect("looks").expect("is there").mode;
        assert_eq!((mode("/srv"), mode("/srv/a")), (0o750, 0o640));
    }

    #[test]
    fn touch_changes_times_each_run_unless_told_to_preserve_them() {
        let mut machine = machine();
        assert!(!machine.task_once("file: { path: /srv/a, state: touch }").expect("runs").effects.is_empty());
        machine.task("file: { path: /srv/new, state: touch, modification_time: preserve, access_time: preserve }").expect("runs");
        assert_eq!(machine.sys.query_text(Path::new("/srv/new")).expect("reads"), "");
    }

    #[test]
    fn a_peek_tells_binary_from_text_and_changes_nothing() {
        let mut machine = Machine::new(Overlay::empty().with_file("/srv/a", "1").with_file("/srv/b", "a\0b"));
        let mut peek = |path: &str| {
            let ran = machine.task(&format!("file: {{ path: {path}, mode: '0600', _diff_peek: true }}")).expect("runs");
            assert!(ran.effects.is_empty());
            ran.output.values.get("appears_binary").cloned()
        };
        assert_eq!((peek("/srv/a"), peek("/srv/b")), (Some(false.into()), Some(true.into())));
    }

    #[test]
    fn what_is_absent_stays_absent() {
        let mut machine = machine();
        assert_eq!(machine.task("file: { path: /srv, state: absent }").expect("runs").effects.len(), 1);
        assert!(machine.sys.query_link(Path::new("/srv/a")).expect("looks").is_none());
    }
}
