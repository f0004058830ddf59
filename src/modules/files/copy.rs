//! `ansible.builtin.copy`, the half that runs on the host: a file has the content that the controller holds, or that another path of this
//! host has. The controller reads the source and announces it by `content_hash` (SHA-256) and `content_sha1`; the bytes are fetched only
//! when the destination differs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::Secret;
use crate::modules::{Module, Output, Rule, module_args};
use crate::system::{Checksum, Failure, Metadata, Mode, Result, System, WriteFile};

use super::attributes::{FileAttributes, with_path_info};
use super::copy_tree;

pub struct Copy;

module_args! {
    /// Copies a file, or text, to the host; or a file or folder from one place of the host to another.
    pub struct CopyArgs {
        /// What to copy: on the controller, or with `remote_src` on the host.
        src: Option<PathBuf>,
        /// Text to write in place of a source.
        content: Option<Secret>,
        /// Where to: a file, or a folder when it ends in `/` or is one.
        dest: PathBuf,
        /// Keep the old file under a dated name.
        backup: bool = false,
        /// Replace a file that is there and differs.
        force: bool = true,
        /// Command that must accept the new file; `%s` is its path.
        validate: Option<String>,
        /// Mode of folders that are made.
        directory_mode: Option<Mode>,
        /// The source is on the host.
        remote_src: bool = false,
        /// Follow links in the source.
        local_follow: Option<bool>,
        /// Follow a link at the destination.
        follow: bool = false,
        /// SHA-1 that the source must have.
        checksum: Option<String>,
        /// Decrypt a source that is an Ansible vault.
        decrypt: bool = true,
        /// Internal: the source's name, used where the destination is a folder.
        _original_basename: Option<String>,
        /// Internal: SHA-256 of the content that the controller holds.
        content_hash: Option<String>,
        /// Internal: SHA-1 of the content that the controller holds.
        content_sha1: Option<String>,
    }
    flatten { file: FileAttributes }
    rules [Rule::Exclusive(&["src", "content"])]
}

impl Module for Copy {
    const NAME: &'static str = "ansible.builtin.copy";
    type Args = CopyArgs;

    fn run(args: CopyArgs, sys: &mut System) -> Result<Output> {
        run(args, sys)
    }
}

/// Where the bytes come from.
enum Source {
    /// On the controller: SHA-256 and SHA-1.
    Announced {
        sha256: String,
        sha1: Option<String>,
    },
    Here(Arc<Vec<u8>>),
    /// A path of this host.
    Host(PathBuf, Metadata),
}

pub(super) fn run(mut args: CopyArgs, sys: &mut System) -> Result<Output> {
    let source = source(&args, sys)?;
    if let Source::Host(path, found) = &source
        && args.file.mode == Some(Mode::Preserve)
    {
        let followed = sys.query_file(path)?;
        args.file.mode = Some(Mode::Octal(followed.map_or(found.mode, |found| found.mode)));
    }
    let dest = destination(&args, &source, sys)?;
    if let Source::Host(path, found) = &source
        && found.is_directory()
    {
        return copy_tree::run(&args, path, &dest, sys);
    }
    copy_file(&args, &source, dest, sys)
}

fn source(args: &CopyArgs, sys: &System) -> Result<Source> {
    if let Some(sha256) = &args.content_hash {
        return Ok(Source::Announced { sha256: sha256.clone(), sha1: args.content_sha1.clone() });
    }
    if let Some(content) = &args.content {
        return Ok(Source::Here(Arc::new(content.expose().as_bytes().to_vec())));
    }
    let Some(path) = &args.src else { return Err(Failure::new("src (or content) is required").at("src")) };
    if !args.remote_src {
        let message =
            format!("the content of `{}` was not sent; with `remote_src: true` the source is looked for on the host", path.display());
        return Err(Failure::new(message).at("src"));
    }
    let Some(found) = sys.query_file(path)? else {
        return Err(Failure::new(format!("Source {} not found", path.display())).at("src"));
    };
    if !sys.query_access(path)?.readable {
        return Err(Failure::new(format!("Source {} not readable", path.display())).at("src"));
    }
    if !found.is_file() && !found.is_directory() {
        return Err(Failure::new(format!("Cannot copy invalid source '{}': not a file", path.display())).at("src"));
    }
    Ok(Source::Host(path.clone(), found))
}

/// The path to write: inside `dest` when that is a folder or is written as one, whose missing folders are made.
fn destination(args: &CopyArgs, source: &Source, sys: &mut System) -> Result<PathBuf> {
    let name = args._original_basename.clone().map(PathBuf::from);
    let name = name.or_else(|| file_name(args.src.as_deref()?));
    let mut dest = args.dest.clone();
    if ends_in_slash(&dest) {
        if let Some(name) = &args._original_basename {
            dest.push(name);
        }
        let folder = if ends_in_slash(&dest) { dest.as_path() } else { dest.parent().unwrap_or(Path::new("/")) };
        if sys.query_file(folder)?.is_none() {
            let mut attributes = args.file.wanted();
            attributes.mode = args.directory_mode.clone();
            sys.make_directory(folder, &attributes)?;
        }
    }
    if sys.query_file(&dest)?.is_some_and(|found| found.is_directory()) {
        match (name, source) {
            (Some(name), _) => dest.push(name),
            (None, Source::Host(..)) => {}
            (None, _) => return Err(Failure::new("can not use content with a dir as dest").at("dest")),
        }
    }
    Ok(dest)
}

fn ends_in_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The last part of a path, as Python has it: none for what ends in a slash.
fn file_name(path: &Path) -> Option<PathBuf> {
    (!ends_in_slash(path)).then(|| path.file_name().map(PathBuf::from)).flatten()
}

fn copy_file(args: &CopyArgs, source: &Source, mut dest: PathBuf, sys: &mut System) -> Result<Output> {
    let link = sys.query_link(&dest)?.is_some_and(|found| found.is_symlink());
    let found = sys.query_file(&dest)?;
    if link && args.follow && found.is_some() {
        dest = sys.query_canonical(&dest)?;
    }
    let sha1 = sha1_of(source, sys)?;
    if let Some(expected) = args.checksum.as_ref().filter(|expected| Some(*expected) != sha1.as_ref()) {
        return Err(Failure::new("Copied file does not match the expected checksum. Transfer failed.")
            .with("checksum", sha1)
            .with("expected_checksum", expected));
    }
    let output = || {
        let output = Output::new().with("dest", dest.to_string_lossy().into_owned());
        output.with("src", args.src.as_ref().map(|src| src.to_string_lossy().into_owned()))
    };
    if !args.force && (found.is_some() || link) {
        return with_path_info(output().message("file already exists"), &dest, sys);
    }
    require_folder(&dest, args.file.may_write_in_place(sys), sys)?;
    if found.as_ref().is_some_and(Metadata::is_file) && (!link || args.follow) && is_same(source, &dest, sys)? {
        sys.set_attributes(&dest, &args.file.wanted())?;
        let output = output().with("checksum", sha1).with("path", dest.to_string_lossy().into_owned());
        return with_path_info(output, &dest, sys);
    }
    let content = content_of(source, sys)?;
    let md5 = Checksum::Md5.of(&content);
    let mut attributes = args.file.wanted();
    if let Source::Host(_, original) = source
        && found.is_some()
    {
        // A copy within the host takes the source's mode and belongs to who copied it.
        attributes.mode = attributes.mode.or(Some(Mode::Octal(original.mode)));
        attributes.owner = attributes.owner.or_else(|| Some(sys.backend().effective_uid().to_string()));
    }
    let file = WriteFile::shared(&dest, content)
        .attributes(attributes)
        .backup(args.backup)
        .validate(args.validate.clone())
        .in_place(args.file.may_write_in_place(sys))
        .replace_link(!args.follow);
    let written = sys.write_file(file)?;
    if let Source::Host(_, original) = source {
        sys.set_times(&dest, Some(original.accessed), Some(original.modified))?;
    }
    let mut output = output().with("checksum", sha1).with("md5sum", md5);
    if let Some(backup) = written.backup_file {
        output = output.with("backup_file", backup.to_string_lossy().into_owned());
    }
    with_path_info(output, &dest, sys)
}

fn require_folder(dest: &Path, unsafe_writes: bool, sys: &System) -> Result<()> {
    let folder = sys.absolute(dest).parent().unwrap_or(Path::new("/")).to_owned();
    if sys.query_file(&folder)?.is_none() {
        if sys.packages_are_planned() {
            return Ok(());
        }
        return Err(Failure::new(format!("Destination directory {} does not exist", folder.display())).at("dest"));
    }
    if !unsafe_writes && !sys.query_access(&folder)?.writeable {
        return Err(Failure::new(format!("Destination {} not writable", folder.display())).at("dest"));
    }
    Ok(())
}

fn sha1_of(source: &Source, sys: &mut System) -> Result<Option<String>> {
    match source {
        Source::Announced { sha1: Some(sha1), .. } => Ok(Some(sha1.clone())),
        Source::Announced { sha256, sha1: None } => Ok(Some(Checksum::Sha1.of(&sys.blob(sha256)?))),
        Source::Here(content) => Ok(Some(Checksum::Sha1.of(content))),
        Source::Host(path, _) => sys.query_checksum(path, Checksum::Sha1).map(Some),
    }
}

fn is_same(source: &Source, dest: &Path, sys: &System) -> Result<bool> {
    match source {
        Source::Announced { sha256, .. } => Ok(sys.query_checksum(dest, Checksum::Sha256)? == sha256.to_ascii_lowercase()),
        Source::Here(content) => Ok(sys.query_content(dest)? == *content),
        Source::Host(path, _) => Ok(sys.query_checksum(dest, Checksum::Sha256)? == sys.query_checksum(path, Checksum::Sha256)?),
    }
}

fn content_of(source: &Source, sys: &mut System) -> Result<Arc<Vec<u8>>> {
    match source {
        Source::Announced { sha256, .. } => sys.blob(sha256),
        Source::Here(content) => Ok(content.clone()),
        Source::Host(path, _) => sys.query_content(path),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use crate::modules::testing::Machine;
    use crate::system::{Blobs, Checksum, Failure, Overlay, System};

    struct Held(&'static str);

    impl Blobs for Held {
        fn fetch(&mut self, sha256: &str) -> Result<Arc<Vec<u8>>, Failure> {
            assert_eq!(sha256, Checksum::Sha256.of(self.0.as_bytes()));
            Ok(Arc::new(self.0.as_bytes().to_vec()))
        }
    }

    fn announced(text: &'static str, more: &str) -> (Machine, String) {
        let overlay = Overlay::empty().with_directory("/etc").with_file("/srv/old", "old\n").with_symlink("/srv/link", "old");
        let sys = System::dry(overlay).with_blobs(Box::new(Held(text)));
        let (sha256, sha1) = (Checksum::Sha256.of(text.as_bytes()), Checksum::Sha1.of(text.as_bytes()));
        (Machine { sys }, format!("copy: {{ content_hash: '{sha256}', content_sha1: '{sha1}', _original_basename: motd, {more} }}"))
    }

    #[test]
    fn announced_content_is_written_into_a_folder_under_its_own_name() {
        let (mut machine, task) = announced("hello\n", "dest: /etc/, mode: '0600'");
        let ran = machine.task(&task).expect("runs");
        assert_eq!(ran.output.values.text("dest"), Some("/etc/motd"));
        assert_eq!(ran.output.values.text("checksum"), Some("f572d396fae9206628714fb2ce00f72e94f2258f"));
        assert_eq!(ran.output.values.text("mode"), Some("0600"));
        assert_eq!(machine.sys.query_text(Path::new("/etc/motd")).expect("reads"), "hello\n");
    }

    #[test]
    fn missing_folders_are_made_only_for_a_destination_that_ends_in_a_slash() {
        let (mut machine, task) = announced("x", "dest: /new/place/");
        machine.task(&task).expect("runs");
        let (mut machine, task) = announced("x", "dest: /other/place");
        assert_eq!(machine.refusal(&task), "Destination directory /other does not exist");
    }

    #[test]
    fn a_link_at_the_destination_is_replaced_unless_followed() {
        let (mut machine, task) = announced("new", "dest: /srv/link, follow: true");
        machine.task(&task).expect("runs");
        assert_eq!(machine.sys.query_text(Path::new("/srv/old")).expect("reads"), "new");
        let (mut machine, task) = announced("new", "dest: /srv/link");
        machine.task(&task).expect("runs");
        assert_eq!(machine.sys.query_text(Path::new("/srv/old")).expect("reads"), "old\n");
        assert!(machine.sys.query_link(Path::new("/srv/link")).expect("looks").is_some_and(|found| found.is_file()));
    }

    #[test]
    fn without_force_a_file_that_is_there_is_kept() {
        let (mut machine, task) = announced("new", "dest: /srv/old, force: false");
        let ran = machine.task(&task).expect("runs");
        assert_eq!(ran.output.values.text("msg"), Some("file already exists"));
        assert!(ran.effects.is_empty());
    }

    #[test]
    fn a_copy_within_the_host_keeps_the_mode_asked_for() {
        let mut machine = Machine::new(Overlay::empty().with_file("/srv/a", "1").with_directory("/opt"));
        machine.task("copy: { src: /srv/a, dest: /opt, remote_src: true, mode: '0400' }").expect("runs");
        let found = machine.sys.query_link(Path::new("/opt/a")).expect("looks").expect("is there");
        assert_eq!(found.mode, 0o400);
        assert_eq!(machine.refusal("copy: { src: /srv/no, dest: /opt, remote_src: true }"), "Source /srv/no not found");
    }

    #[test]
    fn a_wrong_checksum_is_refused_before_anything_is_written() {
        let mut machine = Machine::new(Overlay::empty().with_file("/srv/a", "1"));
        let message = machine.refusal("copy: { src: /srv/a, dest: /srv/b, remote_src: true, checksum: abc }");
        assert!(message.starts_with("Copied file does not match the expected checksum"), "{message}");
        assert!(!machine.sys.is_changed());
    }
}
