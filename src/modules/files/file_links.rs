//! The states `link` and `hard` of the `file` module.

use std::path::{Path, PathBuf};

use crate::modules::Output;
use crate::system::{Failure, Result, System};

use super::attributes::{followed, state_name, with_path_info};
use super::file::FileArgs;
use super::times::Stamps;

pub(super) fn ensure_symlink(args: &FileArgs, stamps: Stamps, sys: &mut System) -> Result<Output> {
    let path = &args.path;
    let text = path.to_string_lossy().into_owned();
    let found = sys.query_link(path)?;
    let state = state_name(found.as_ref());
    let refused = |message: String| Failure::new(message).with("path", text.as_str());
    let source = match &args.src {
        Some(source) => Some(source.clone()),
        None if args.follow && state == "link" && sys.query_file(path)?.is_some() => Some(sys.query_link_target(path)?),
        None => None,
    };
    if let Some(source) = source.as_deref().filter(|_| !args.force) {
        let folder = if state == "directory" { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
        let absolute = folder.join(source);
        if sys.query_file(&absolute)?.is_none() {
            let message = format!("src file does not exist, use 'force=yes' if you really want to create the link: {}", absolute.display());
            return Err(refused(message).with("src", source.to_string_lossy().into_owned()).at("src"));
        }
    }
    match state {
        "directory" if args.force && !sys.query_directory(path)?.is_empty() => {
            return Err(refused(format!("the directory {text} is not empty, refusing to convert it")));
        }
        "directory" | "file" | "hard" if !args.force => {
            return Err(refused(format!("refusing to convert from {state} to symlink for {text}")));
        }
        _ => {}
    }
    match &source {
        Some(source) => {
            if state == "directory" {
                sys.remove(path)?;
            }
            sys.make_symlink(path, source).map_err(|failure| failure.context("Error while linking").with("path", text.as_str()))?;
        }
        None if state != "link" => return Err(Failure::new("src is required for creating new symlinks").at("src")),
        None => {}
    }
    if args.follow && sys.query_file(path)?.is_none() {
        sys.warn("Cannot set fs attributes on a non-existent symlink target. follow should be set to False to avoid this.");
    } else {
        set_attributes(args, stamps, sys)?;
    }
    let output = Output::new().with("dest", text).with("src", source.map(|source| source.to_string_lossy().into_owned()));
    with_path_info(output, path, sys)
}

pub(super) fn ensure_hard_link(args: &FileArgs, stamps: Stamps, sys: &mut System) -> Result<Output> {
    let path = &args.path;
    let text = path.to_string_lossy().into_owned();
    let found = sys.query_link(path)?;
    let state = state_name(found.as_ref());
    let Some(source) = &args.src else {
        if state != "hard" {
            return Err(Failure::new("src is required for creating new hardlinks").at("src"));
        }
        set_attributes(args, stamps, sys)?;
        return with_path_info(Output::new().with("dest", text).with("src", None::<String>), path, sys);
    };
    let source_text = source.to_string_lossy().into_owned();
    let refused = |message: &str| Failure::new(message).with("dest", text.as_str()).with("src", source_text.as_str());
    let Some(original) = sys.query_file(source)? else { return Err(refused("src does not exist").at("src")) };
    let is_same = sys.query_file(path)?.is_some_and(|found| (found.inode, found.device) == (original.inode, original.device));
    if !args.force && !is_same {
        match state {
            "hard" => return Err(refused("Cannot link, different hard link exists at destination")),
            "file" => return Err(refused("Cannot link, file exists at destination")),
            "directory" => return Err(refused("Cannot link: different hard link exists at destination")),
            _ => {}
        }
    }
    if state == "directory" {
        return Err(refused("a folder cannot be replaced by a hard link, remove it first"));
    }
    if state == "link" || !is_same {
        let source: PathBuf = followed(sys, source, args.follow)?;
        sys.make_hard_link(path, &source).map_err(|failure| failure.context("Error while linking"))?;
    }
    set_attributes(args, stamps, sys)?;
    with_path_info(Output::new().with("dest", text).with("src", source_text), path, sys)
}

fn set_attributes(args: &FileArgs, stamps: Stamps, sys: &mut System) -> Result<()> {
    let target = followed(sys, &args.path, args.follow)?;
    sys.set_attributes(&target, &args.file.wanted())?;
    stamps.apply(&target, sys)
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;
    use std::path::{Path, PathBuf};

    fn machine() -> Machine {
        Machine::new(Overlay::empty().with_file("/srv/a", "1").with_file("/srv/b", "2"))
    }

    #[test]
    fn a_link_is_turned_to_another_target() {
        let mut machine = machine();
        machine.task("file: { path: /srv/l, src: a, state: link }").expect("runs");
        machine.task("file: { path: /srv/l, src: b, state: link }").expect("runs");
        assert_eq!(machine.sys.query_link_target(Path::new("/srv/l")).expect("reads"), PathBuf::from("b"));
    }

    #[test]
    fn a_link_to_nothing_needs_force() {
        let mut machine = machine();
        let message = machine.refusal("file: { path: /srv/l, src: /nowhere, state: link }");
        assert!(message.starts_with("src file does not exist"), "{message}");
        machine.task("file: { path: /srv/l, src: /nowhere, state: link, force: true, follow: false }").expect("runs");
    }

    #[test]
    fn a_file_becomes_a_link_only_by_force() {
        let mut machine = machine();
        let message = machine.refusal("file: { path: /srv/b, src: /srv/a, state: link }");
        assert_eq!(message, "refusing to convert from file to symlink for /srv/b");
        machine.task("file: { path: /srv/b, src: /srv/a, state: link, force: true }").expect("runs");
        assert_eq!(machine.sys.query_text(Path::new("/srv/b")).expect("reads"), "1");
    }

    #[test]
    fn a_full_folder_does_not_become_a_link() {
        let message = machine().refusal("file: { path: /srv, src: /tmp, state: link, force: true }");
        assert_eq!(message, "the directory /srv is not empty, refusing to convert it");
    }

    #[test]
    fn a_hard_link_needs_its_source() {
        let mut machine = machine();
        assert_eq!(machine.refusal("file: { path: /srv/h, state: hard }"), "src is required for creating new hardlinks");
        assert_eq!(machine.refusal("file: { path: /srv/h, src: /no, state: hard }"), "src does not exist");
        machine.task("file: { path: /srv/h, src: /srv/a, state: hard }").expect("runs");
        assert_eq!(machine.sys.query_text(Path::new("/srv/h")).expect("reads"), "1");
    }
}
