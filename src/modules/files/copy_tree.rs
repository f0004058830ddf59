//! `copy` of a folder within the host.

use std::path::{Path, PathBuf};

use crate::modules::Output;
use crate::system::{Attributes, Checksum, Failure, Metadata, Mode, Result, System, WriteFile};

use super::attributes::with_path_info;
use super::copy::CopyArgs;

/// Copies a folder below `dest`, or with a trailing slash on the source what is in it; nothing at the destination is removed.
pub(super) fn run(args: &CopyArgs, source: &Path, dest: &Path, sys: &mut System) -> Result<Output> {
    let given = &args.dest;
    match sys.query_file(given)? {
        Some(found) if !found.is_directory() => {
            return Err(Failure::new(format!("the folder `{}` cannot be copied over the file `{}`", source.display(), given.display())));
        }
        _ => {}
    }
    let into = match source.as_os_str().as_encoded_bytes().ends_with(b"/") {
        true => given.clone(),
        false => given.join(source.file_name().unwrap_or_default()),
    };
    let tree = Tree { owner: args.file.owner.clone(), group: args.file.group.clone(), follow: args.local_follow.unwrap_or(false) };
    if let Some(parent) = into.parent() {
        sys.make_directory(parent, &Attributes::default())?;
    }
    tree.folder(source, &into, sys)?;
    if sys.query_link(dest)?.is_some() {
        sys.set_attributes(dest, &args.file.wanted())?;
    }
    let output = Output::new().with("dest", dest.to_string_lossy().into_owned()).with("src", source.to_string_lossy().into_owned());
    with_path_info(output.with("checksum", None::<String>).with("md5sum", None::<String>), dest, sys)
}

struct Tree {
    owner: Option<String>,
    group: Option<String>,
    follow: bool,
}

impl Tree {
    fn attributes(&self, mode: Option<u32>) -> Attributes {
        Attributes { owner: self.owner.clone(), group: self.group.clone(), mode: mode.map(Mode::Octal), flags: None }
    }

    fn folder(&self, from: &Path, to: &Path, sys: &mut System) -> Result<()> {
        let found = sys.query_file(from)?.ok_or_else(|| Failure::new(format!("`{}` went away while it was copied", from.display())))?;
        // A folder that is there keeps its mode.
        let is_new = sys.query_file(to)?.is_none();
        sys.make_directory(to, &self.attributes(is_new.then_some(found.mode)))?;
        for name in sys.query_directory(from)? {
            self.entry(&from.join(&name), &to.join(&name), sys)?;
        }
        Ok(())
    }

    fn entry(&self, from: &Path, to: &Path, sys: &mut System) -> Result<()> {
        let Some(found) = sys.query_link(from)? else { return Ok(()) };
        if found.is_symlink() && !self.follow {
            let target: PathBuf = sys.query_link_target(from)?;
            if sys.query_link(to)?.is_some_and(|there| !there.is_symlink()) {
                sys.remove(to)?;
            }
            sys.make_symlink(to, &target)?;
            sys.set_attributes(to, &self.attributes(None))?;
            return Ok(());
        }
        match sys.query_file(from)? {
            Some(found) if found.is_directory() => self.folder(from, to, sys),
            Some(found) if found.is_file() => self.file(from, to, &found, sys),
            _ => Ok(()),
        }
    }

    fn file(&self, from: &Path, to: &Path, found: &Metadata, sys: &mut System) -> Result<()> {
        let there = sys.query_file(to)?.filter(Metadata::is_file);
        let same = match &there {
            Some(there) if there.size == found.size => {
                sys.query_checksum(to, Checksum::Sha256)? == sys.query_checksum(from, Checksum::Sha256)?
            }
            _ => false,
        };
        if same {
            sys.set_attributes(to, &self.attributes(None))?;
            return Ok(());
        }
        let content = sys.query_content(from)?;
        sys.write_file(WriteFile::shared(to, content).attributes(self.attributes(Some(found.mode))))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;
    use std::path::Path;

    #[test]
    fn a_trailing_slash_on_the_source_copies_what_is_in_it() {
        let mut machine = Machine::new(Overlay::empty().with_file("/srv/a/b/one", "1").with_file("/srv/a/two", "2").with_directory("/opt"));
        machine.task("copy: { src: /srv/a, dest: /opt, remote_src: true }").expect("runs");
        machine.task("copy: { src: /srv/a/, dest: /new, remote_src: true }").expect("runs");
        for path in ["/opt/a/b/one", "/new/b/one"] {
            assert_eq!(machine.sys.query_text(Path::new(path)).expect("reads"), "1");
        }
    }

    #[test]
    fn links_are_copied_as_links_unless_followed() {
        let mut machine = Machine::new(Overlay::empty().with_file("/srv/a/one", "1").with_symlink("/srv/a/l", "one"));
        machine.task("copy: { src: /srv/a/, dest: /x, remote_src: true }").expect("runs");
        assert!(machine.sys.query_link(Path::new("/x/l")).expect("looks").is_some_and(|found| found.is_symlink()));
        machine.task("copy: { src: /srv/a/, dest: /y, remote_src: true, local_follow: true }").expect("runs");
        assert!(machine.sys.query_link(Path::new("/y/l")).expect("looks").is_some_and(|found| found.is_file()));
    }
}
