//! `ansible.builtin.unarchive`: an archive's entries are below a folder. The archive is on the host, at a URL, or with the controller, who
//! announces it by `content_hash`. An entry that is there with its size, time, mode and owner is left alone.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::{Pattern, PatternFlags};
use crate::modules::{Module, Output, Rule, module_args};
use crate::system::{Failure, NewFileDefaults, Result, Stream, System, UnpackedEntry, UnpackedKind, stream_of};

use super::archive::{self, Entry, EntryKind, Format};
use super::attributes::{FileAttributes, with_path_info};
use super::edit;
use super::unarchive_options::Options;

pub struct Unarchive;

module_args! {
    /// Unpacks a tar or zip archive below a folder.
    pub struct UnarchiveArgs {
        /// The archive: on the controller, or with `remote_src` a path or a URL of the host.
        src: String,
        /// The folder, which must exist.
        dest: PathBuf,
        /// The archive is on the host, or is fetched by it.
        remote_src: bool = false,
        /// Do nothing when this path exists.
        creates: Option<PathBuf>,
        /// Return the entries' names.
        list_files: bool = false,
        /// Leave files alone that are newer than the archive's.
        keep_newer: bool = false,
        /// Patterns of entries to leave out.
        exclude: Vec<String> = Vec::<String>::new(),
        /// Entries to unpack; all when not given.
        include: Vec<String> = Vec::<String>::new(),
        /// Options as for `tar`: `--strip-components`, `--exclude`, `--no-same-owner`, `--no-same-permissions`.
        extra_opts: Vec<String> = Vec::<String>::new(),
        /// Check the certificate of a URL's server.
        validate_certs: bool = true,
        /// Has no effect.
        io_buffer_size: u64 = 65_536_u64,
        /// The opposite of `remote_src`.
        copy: bool = true,
        /// Decrypt an archive that is an Ansible vault (controller).
        decrypt: bool = true,
        /// Internal: the archive's name on the controller; has no effect.
        _original_basename: Option<String>,
        /// Internal: SHA-256 of the archive that the controller holds.
        content_hash: Option<String>,
    }
    flatten { file: FileAttributes }
    rules [Rule::Exclusive(&["include", "exclude"]), Rule::Exclusive(&["copy", "remote_src"])]
}

impl Module for Unarchive {
    const NAME: &'static str = "ansible.builtin.unarchive";
    type Args = UnarchiveArgs;

    fn run(args: UnarchiveArgs, sys: &mut System) -> Result<Output> {
        if let Some(creates) = &args.creates
            && sys.query_link(creates)?.is_some()
        {
            return Ok(Output::new().message(format!("skipped, since {} exists", creates.display())).skipped());
        }
        let shown = args.dest.display().to_string();
        if !sys.query_file(&args.dest)?.is_some_and(|found| found.is_directory()) {
            return Err(Failure::new(format!("dest '{shown}' must be an existing dir")).at("dest"));
        }
        let mut stream = source(&args, sys)?;
        let unreadable = |error: io::Error| Failure::new(format!("Source '{}' not readable: {error}", args.src)).at("src");
        let Some(format) = Format::of(stream.as_mut()).map_err(unreadable)? else {
            let message =
                format!("Failed to find handler for \"{}\": it is no tar (plain, gzip, bzip2, xz, zstd) and no zip archive", args.src);
            return Err(Failure::new(message).at("src"));
        };
        let options = Options::read(&args.extra_opts)?;
        let plan = Plan { chosen: Chosen::new(&args, &options)?, options, owners: Owners::new(&args, sys)?, args: &args };
        let found = plan.compare(stream.as_mut(), format, sys)?;
        if found.differs {
            plan.unpack(found.wanted, stream.as_mut(), format, sys)?;
        }
        let output = Output::new().with("dest", shown).with("src", args.src.as_str()).with("handler", format.handler());
        let output = if args.list_files { output.with("files", found.listed) } else { output };
        with_path_info(output, &args.dest, sys)
    }
}

fn source(args: &UnarchiveArgs, sys: &mut System) -> Result<Box<dyn Stream>> {
    if let Some(hash) = &args.content_hash {
        return Ok(stream_of(sys.blob(hash)?));
    }
    if !args.remote_src && args.copy {
        let message = format!("Source '{}' failed to transfer; with `remote_src: true` it is looked for on the host", args.src);
        return Err(Failure::new(message).at("src"));
    }
    if args.src.contains("://") {
        return Ok(stream_of(std::sync::Arc::new(crate::modules::network::download(&args.src, args.validate_certs, sys)?)));
    }
    let path = PathBuf::from(sys.expand_home(&args.src)?);
    match sys.query_file(&path)? {
        None => Err(Failure::new(format!("Source '{}' does not exist", args.src)).at("src")),
        Some(found) if found.size == 0 => Err(Failure::new(format!("Invalid archive '{}', the file is 0 bytes", args.src)).at("src")),
        Some(_) => sys.query_stream(&path),
    }
}

/// Which entries are wanted.
struct Chosen {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

impl Chosen {
    fn new(args: &UnarchiveArgs, options: &Options) -> Result<Self> {
        let all = |given: &mut dyn Iterator<Item = &String>, start: &str, option: &'static str| {
            given.map(|glob| edit::pattern(&member_pattern(glob, start), PatternFlags::default(), option)).collect::<Result<Vec<_>>>()
        };
        Ok(Chosen {
            include: all(&mut args.include.iter(), "^", "include")?,
            exclude: all(&mut args.exclude.iter().chain(&options.exclude), "(?:^|/)", "exclude")?,
        })
    }

    fn takes(&self, entry: &Entry) -> Result<bool> {
        let name = entry.path.to_string_lossy();
        let any = |patterns: &[Pattern]| {
            patterns.iter().try_fold(false, |yes, pattern| Ok::<_, Failure>(yes || pattern.is_found(&name).map_err(edit::searching)?))
        };
        Ok((self.include.is_empty() || any(&self.include)?) && !any(&self.exclude)?)
    }
}

/// A shell pattern over an entry's name, and over all below it; `*` matches slashes too, as tar has it.
fn member_pattern(glob: &str, start: &str) -> String {
    let mut out = String::from(start);
    for c in glob.trim_start_matches("./").trim_end_matches('/').chars() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' | ']' => out.push(c),
            c if c.is_ascii_punctuation() && c != '_' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out + r"(?:/.*)?\Z"
}

/// Who unpacked entries belong to.
struct Owners {
    uid: Option<u32>,
    gid: Option<u32>,
    own: NewFileDefaults,
}

impl Owners {
    fn new(args: &UnarchiveArgs, sys: &System) -> Result<Self> {
        let uid = args.file.owner.as_deref().map(|owner| sys.resolve_owner(owner)).transpose()?;
        let gid = args.file.group.as_deref().map(|group| sys.resolve_group(group)).transpose()?;
        Ok(Owners { uid, gid, own: sys.new_file_defaults() })
    }
}

struct Plan<'a> {
    args: &'a UnarchiveArgs,
    options: Options,
    chosen: Chosen,
    owners: Owners,
}

/// An archive beside what is on the host.
struct Compared {
    /// The names of all wanted entries.
    listed: Vec<String>,
    /// For each entry in the archive's order, what it is to be; `None`: nothing.
    wanted: Vec<Option<UnpackedEntry>>,
    /// Whether any of them is missing or different.
    differs: bool,
}

/// Names of owners in archives, looked up once each.
type Known = BTreeMap<(bool, String), Option<u32>>;

impl Plan<'_> {
    /// What an entry is to be on the host; `None` when it is not wanted.
    fn wanted(&self, entry: &Entry, known: &mut Known, sys: &System) -> Result<Option<UnpackedEntry>> {
        if !self.chosen.takes(entry)? {
            return Ok(None);
        }
        let Some(entry) = archive::stripped(entry, self.options.strip) else { return Ok(None) };
        archive::require_safe(&entry)?;
        let (uid, gid) = self.owner(&entry, known, sys)?;
        let kind = match &entry.kind {
            EntryKind::File => UnpackedKind::File { size: entry.size },
            EntryKind::Directory => UnpackedKind::Directory,
            EntryKind::Symlink(target) => UnpackedKind::Symlink { target: target.clone() },
            EntryKind::HardLink(source) => UnpackedKind::HardLink { source: source.clone() },
        };
        let is_folder = entry.kind == EntryKind::Directory;
        let default = if is_folder { 0o777 } else { 0o666 } & !self.owners.own.umask;
        let keeps = self.owners.own.uid == 0 && self.options.same_permissions;
        let packed = entry.mode.map_or(default, |mode| if keeps { mode } else { mode & 0o777 & !self.owners.own.umask });
        let mode = match &self.args.file.mode {
            Some(asked) => asked.apply(packed, is_folder).map_err(|message| Failure::new(message).at("mode"))?,
            None => packed,
        };
        let modified = entry.modified.unwrap_or(UNIX_EPOCH);
        Ok(Some(UnpackedEntry { path: entry.path, kind, mode, uid, gid, modified }))
    }

    fn owner(&self, entry: &Entry, known: &mut Known, sys: &System) -> Result<(u32, u32)> {
        let own = &self.owners.own;
        let packed = entry.owner.as_ref().filter(|_| own.uid == 0 && self.options.same_owner);
        let (mut uid, mut gid) = (own.uid, own.gid);
        if let Some(packed) = packed {
            let mut look_up = |is_user: bool, name: &Option<String>, number: u32| -> Result<u32> {
                let Some(name) = name else { return Ok(number) };
                let key = (is_user, name.clone());
                if !known.contains_key(&key) {
                    let found = match is_user {
                        true => sys.query_user(name)?.map(|user| user.uid),
                        false => sys.query_group(name)?.map(|group| group.gid),
                    };
                    known.insert(key.clone(), found);
                }
                Ok(known.get(&key).copied().flatten().unwrap_or(number))
            };
            uid = look_up(true, &packed.user, packed.uid)?;
            gid = look_up(false, &packed.group, packed.gid)?;
        }
        Ok((self.owners.uid.unwrap_or(uid), self.owners.gid.unwrap_or(gid)))
    }

    fn compare(&self, stream: &mut dyn Stream, format: Format, sys: &System) -> Result<Compared> {
        let mut compared = Compared { listed: Vec::new(), wanted: Vec::new(), differs: false };
        let mut known = Known::new();
        archive::visit(stream, format, &mut |entry, _| {
            let mut wanted = self.wanted(entry, &mut known, sys)?;
            if let Some(entry_wanted) = &wanted {
                compared.listed.push(entry.listed());
                if self.is_newer(entry_wanted, sys)? {
                    wanted = None;
                } else {
                    compared.differs = compared.differs || !self.is_there(entry, entry_wanted, sys)?;
                }
            }
            compared.wanted.push(wanted);
            Ok(())
        })?;
        Ok(compared)
    }

    fn is_there(&self, entry: &Entry, wanted: &UnpackedEntry, sys: &System) -> Result<bool> {
        let path = self.args.dest.join(&wanted.path);
        let Some(found) = sys.query_link(&path)? else { return Ok(false) };
        let same_owner = (found.uid, found.gid) == (wanted.uid, wanted.gid);
        let same = match &wanted.kind {
            UnpackedKind::Directory => {
                sys.query_file(&path)?.is_some_and(|found| found.is_directory()) && found.mode == wanted.mode && same_owner
            }
            UnpackedKind::Symlink { target } => found.is_symlink() && sys.query_link_target(&path)? == *target,
            UnpackedKind::HardLink { source } => {
                let source = sys.query_link(&self.args.dest.join(source))?;
                source.is_some_and(|source| (source.inode, source.device) == (found.inode, found.device))
            }
            UnpackedKind::File { size } => {
                let same = found.is_file() && found.size == *size && found.mode == wanted.mode && same_owner;
                same && match entry.crc {
                    Some(crc) => crc_of(&path, sys)? == crc,
                    None => seconds(found.modified) == seconds(wanted.modified),
                }
            }
        };
        Ok(same)
    }

    /// Whether `keep_newer` protects what is there.
    fn is_newer(&self, wanted: &UnpackedEntry, sys: &System) -> Result<bool> {
        if !self.args.keep_newer {
            return Ok(false);
        }
        let found = sys.query_link(&self.args.dest.join(&wanted.path))?;
        Ok(found.is_some_and(|found| found.is_file() && seconds(found.modified) > seconds(wanted.modified)))
    }

    fn unpack(&self, wanted: Vec<Option<UnpackedEntry>>, stream: &mut dyn Stream, format: Format, sys: &mut System) -> Result<()> {
        let mut wanted = wanted.into_iter();
        let mut unpacking = sys.unpack_below(&self.args.dest)?;
        archive::visit(stream, format, &mut |_, content| match wanted.next().flatten() {
            Some(entry) => unpacking.put(&entry, content),
            None => Ok(()),
        })?;
        unpacking.finish()
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn crc_of(path: &Path, sys: &System) -> Result<u32> {
    let mut stream = sys.query_stream(path)?;
    let mut crc = flate2::Crc::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buffer).map_err(|error| Failure::io("read", path, &error))? {
            0 => return Ok(crc.sum()),
            read => crc.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::System;

    fn packed() -> Vec<u8> {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut add = |path: &str, content: &str, mode| {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(mode);
            header.set_mtime(1_600_000_000);
            builder.append_data(&mut header, path, content.as_bytes()).expect("packs");
        };
        add("kc-1.0/bin/kc.sh", "#!/bin/sh\n", 0o755);
        add("kc-1.0/conf/kc.conf", "a=1\n", 0o644);
        builder.into_inner().expect("ends").finish().expect("compresses")
    }

    fn machine(archive: &[u8]) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("archive"), archive).expect("writes");
        std::fs::create_dir(folder.path().join("out")).expect("makes");
        (folder, Machine { sys: System::local() })
    }

    fn task(folder: &Path, more: &str) -> String {
        let folder = folder.display();
        format!("unarchive: {{ src: {folder}/archive, dest: {folder}/out, remote_src: true, {more} }}")
    }

    #[test]
    fn an_archive_is_unpacked_once_and_again_when_a_file_differs() {
        let (folder, mut machine) = machine(&packed());
        let ran = machine.task(&task(folder.path(), "extra_opts: [--strip-components=1], list_files: true")).expect("runs");
        let script = folder.path().join("out/bin/kc.sh");
        assert_eq!(std::fs::read_to_string(&script).expect("reads"), "#!/bin/sh\n");
        assert_eq!(machine.sys.query_link(&script).expect("looks").expect("is there").mode, 0o755);
        assert_eq!(ran.output.values.get("files").map(Value::to_repr).as_deref(), Some("['kc-1.0/bin/kc.sh', 'kc-1.0/conf/kc.conf']"));
        std::fs::write(&script, "changed").expect("writes");
        let ran = machine.task(&task(folder.path(), "extra_opts: [--strip-components=1]")).expect("runs");
        assert!(!ran.effects.is_empty());
    }

    #[test]
    fn entries_are_chosen_by_include_and_exclude() {
        let (folder, mut machine) = machine(&packed());
        machine.task(&task(folder.path(), "exclude: ['*.conf']")).expect("runs");
        assert!(folder.path().join("out/kc-1.0/bin/kc.sh").exists() && !folder.path().join("out/kc-1.0/conf").exists());
        machine.task(&task(folder.path(), "include: [kc-1.0/conf]")).expect("runs");
        assert!(folder.path().join("out/kc-1.0/conf/kc.conf").exists());
    }

    #[test]
    fn a_zip_is_unpacked_too() {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        writer.start_file("a/one", zip::write::SimpleFileOptions::default().unix_permissions(0o640)).expect("starts");
        writer.write_all(b"hello").expect("writes");
        let (folder, mut machine) = machine(&writer.finish().expect("ends").into_inner());
        let ran = machine.task(&task(folder.path(), "mode: 'u=rwX,go=rX'")).expect("runs");
        assert_eq!(ran.output.values.text("handler"), Some("ZipArchive"));
        assert_eq!(std::fs::read_to_string(folder.path().join("out/a/one")).expect("reads"), "hello");
    }

    #[test]
    fn a_path_that_leads_out_is_refused_before_anything_is_written() {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().expect("is gnu").name[..9].copy_from_slice(b"../escape");
        header.set_size(0);
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, std::io::empty()).expect("packs");
        let (folder, mut machine) = machine(&builder.into_inner().expect("ends"));
        let message = machine.refusal(&task(folder.path(), ""));
        assert!(message.contains("leads out of the destination"), "{message}");
        assert!(!folder.path().join("escape").exists());
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let (folder, mut machine) = machine(b"hello");
        let message = machine.refusal(&task(folder.path(), ""));
        assert!(message.starts_with("Failed to find handler for"), "{message}");
    }
}
