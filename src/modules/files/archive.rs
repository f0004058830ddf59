//! Archives as a row of entries: tar (plain, gzip, bzip2, xz, zstd) and zip. Nothing is written here; paths come out clean or are refused.

use std::io::{self, Read, Seek};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::system::{Failure, Result, Stream};

/// More entries, or more bytes when unpacked, are taken for an attack.
const MOST_ENTRIES: usize = 1_000_000;
const MOST_BYTES: u64 = 64 << 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Tar,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
    Zip,
}

impl Format {
    /// By the first bytes; `None`: no archive that is known.
    pub fn of(stream: &mut dyn Stream) -> io::Result<Option<Format>> {
        let mut head = [0; 512];
        let mut length = 0;
        while length < head.len() {
            match stream.read(&mut head[length..])? {
                0 => break,
                read => length += read,
            }
        }
        stream.rewind()?;
        let head = &head[..length];
        Ok(match head {
            [0x1f, 0x8b, ..] => Some(Format::Gzip),
            [b'B', b'Z', b'h', ..] => Some(Format::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Format::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Format::Zstd),
            [b'P', b'K', 3 | 5, 4 | 6, ..] => Some(Format::Zip),
            _ if head.get(257..262) == Some(b"ustar") => Some(Format::Tar),
            _ => None,
        })
    }

    /// The name of Ansible's class for it, which results carry.
    pub fn handler(self) -> &'static str {
        match self {
            Format::Tar => "TarArchive",
            Format::Gzip => "TgzArchive",
            Format::Bzip2 => "TarBzipArchive",
            Format::Xz => "TarXzArchive",
            Format::Zstd => "TarZstdArchive",
            Format::Zip => "ZipArchive",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    Symlink(PathBuf),
    HardLink(PathBuf),
}

/// Who an entry belongs to where it was packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedOwner {
    pub uid: u32,
    pub gid: u32,
    pub user: Option<String>,
    pub group: Option<String>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of plain names only, relative.
    pub path: PathBuf,
    pub kind: EntryKind,
    pub size: u64,
    pub mode: Option<u32>,
    pub owner: Option<PackedOwner>,
    pub modified: Option<SystemTime>,
    /// Checksum of the content, where the archive has one.
    pub crc: Option<u32>,
}

impl Entry {
    /// As `tar --list` shows it: folders end in a slash.
    pub fn listed(&self) -> String {
        let slash = if self.kind == EntryKind::Directory { "/" } else { "" };
        format!("{}{slash}", self.path.display())
    }
}

/// Receives each entry with its content.
pub type Visitor<'v> = dyn FnMut(&Entry, &mut dyn Read) -> Result<()> + 'v;

/// Goes through an archive from its start.
pub fn visit(stream: &mut dyn Stream, format: Format, each: &mut Visitor<'_>) -> Result<()> {
    stream.rewind().map_err(unreadable)?;
    let mut limits = Limits::default();
    let mut each = |entry: &Entry, content: &mut dyn Read| {
        limits.count(entry)?;
        each(entry, content)
    };
    match format {
        Format::Tar => visit_tar(stream, &mut each),
        Format::Gzip => visit_tar(flate2::read::MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, stream)), &mut each),
        Format::Bzip2 => visit_tar(bzip2::read::MultiBzDecoder::new(stream), &mut each),
        Format::Xz => visit_tar(lzma_rust2::XzReader::new(io::BufReader::with_capacity(1 << 16, stream), true), &mut each),
        Format::Zstd => visit_tar(zstd::stream::read::Decoder::new(stream).map_err(unreadable)?, &mut each),
        Format::Zip => visit_zip(stream, &mut each),
    }
}

fn unreadable(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("the archive cannot be read: {error}"))
}

#[derive(Default)]
struct Limits {
    entries: usize,
    bytes: u64,
}

impl Limits {
    fn count(&mut self, entry: &Entry) -> Result<()> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(entry.size);
        if self.entries > MOST_ENTRIES || self.bytes > MOST_BYTES {
            let message = format!("the archive unpacks to more than {MOST_ENTRIES} entries or {} GiB, which is refused", MOST_BYTES >> 30);
            return Err(Failure::new(message));
        }
        Ok(())
    }
}

/// A path of plain names; a leading `/` and `.` are dropped as tar does, `..` is refused.
fn clean(path: &Path) -> Result<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::ParentDir => {
                let message = format!("the archive holds `{}`, which leads out of the destination; nothing was unpacked", path.display());
                return Err(Failure::new(message));
            }
        }
    }
    Ok(out)
}

/// Refuses a symbolic link that points out of the destination.
fn require_inside(link: &Path, target: &Path) -> Result<()> {
    let mut depth = link.components().count().saturating_sub(1) as i64;
    let mut leaves = target.is_absolute();
    for part in target.components() {
        match part {
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
        leaves |= depth < 0;
    }
    if leaves {
        let message = format!(
            "the archive holds the link `{}` to `{}`, which leads out of the destination; leave it out with `exclude`",
            link.display(),
            target.display()
        );
        return Err(Failure::new(message));
    }
    Ok(())
}

fn visit_tar(reader: impl Read, each: &mut Visitor<'_>) -> Result<()> {
    let mut archive = tar::Archive::new(reader);
    for packed in archive.entries().map_err(unreadable)? {
        let mut packed = packed.map_err(unreadable)?;
        let Some(entry) = tar_entry(&packed)? else { continue };
        each(&entry, &mut packed)?;
    }
    Ok(())
}

/// `None` for what is no file, folder or link (devices, extension records).
fn tar_entry<R: Read>(packed: &tar::Entry<'_, R>) -> Result<Option<Entry>> {
    let path = clean(&packed.path().map_err(unreadable)?)?;
    let header = packed.header();
    let link = || packed.link_name().map_err(unreadable)?.ok_or_else(|| unreadable(format!("`{}` is a link to nothing", path.display())));
    let kind = match header.entry_type() {
        tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => EntryKind::File,
        tar::EntryType::Directory => EntryKind::Directory,
        tar::EntryType::Symlink => EntryKind::Symlink(link()?.into_owned()),
        tar::EntryType::Link => EntryKind::HardLink(clean(&link()?)?),
        _ => return Ok(None),
    };
    let name = |found: std::result::Result<Option<&str>, std::str::Utf8Error>| {
        found.ok().flatten().filter(|name| !name.is_empty()).map(Into::into)
    };
    let number = |found: io::Result<u64>| found.ok().and_then(|number| u32::try_from(number).ok()).unwrap_or_default();
    let owner = PackedOwner {
        uid: number(header.uid()),
        gid: number(header.gid()),
        user: name(header.username()),
        group: name(header.groupname()),
    };
    let size = if kind == EntryKind::File { packed.size() } else { 0 };
    let modified = header.mtime().ok().map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
    let mode = header.mode().ok().map(|mode| mode & 0o7777);
    Ok(Some(Entry { path, kind, size, mode, owner: Some(owner), modified, crc: None }))
}

fn visit_zip(stream: &mut dyn Stream, each: &mut Visitor<'_>) -> Result<()> {
    let mut archive = zip::ZipArchive::new(Whole(stream)).map_err(unreadable)?;
    for index in 0..archive.len() {
        let mut packed = archive.by_index(index).map_err(unreadable)?;
        let path = clean(Path::new(packed.name()))?;
        let kind = match (packed.is_dir(), packed.is_symlink()) {
            (true, _) => EntryKind::Directory,
            (_, true) => {
                let mut target = String::new();
                (&mut packed).take(4096).read_to_string(&mut target).map_err(unreadable)?;
                EntryKind::Symlink(target.into())
            }
            _ => EntryKind::File,
        };
        let is_file = kind == EntryKind::File;
        let entry = Entry {
            path,
            kind,
            size: if is_file { packed.size() } else { 0 },
            mode: packed.unix_mode().map(|mode| mode & 0o7777),
            owner: None,
            modified: packed.last_modified().and_then(zip_time),
            crc: is_file.then(|| packed.crc32()),
        };
        each(&entry, &mut packed)?;
    }
    Ok(())
}

/// A zip's time is local and has no zone.
fn zip_time(time: zip::DateTime) -> Option<SystemTime> {
    let part = |number: u8| i8::try_from(number).ok();
    let year = i16::try_from(time.year()).ok()?;
    let second = part(time.second())?.min(59);
    let civil =
        jiff::civil::DateTime::new(year, part(time.month())?, part(time.day())?, part(time.hour())?, part(time.minute())?, second, 0)
            .ok()?;
    let seconds = civil.to_zoned(jiff::tz::TimeZone::system()).ok()?.timestamp().as_second();
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// A borrowed stream as a reader of its own.
struct Whole<'s>(&'s mut dyn Stream);

impl Read for Whole<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Seek for Whole<'_> {
    fn seek(&mut self, position: io::SeekFrom) -> io::Result<u64> {
        self.0.seek(position)
    }
}

/// What `--strip-components` makes of an entry; `None`: nothing is left of it.
pub fn stripped(entry: &Entry, components: usize) -> Option<Entry> {
    let strip = |path: &Path| path.components().skip(components).collect::<PathBuf>();
    let path = strip(&entry.path);
    if components > 0 && path.as_os_str().is_empty() {
        return None;
    }
    let kind = match &entry.kind {
        EntryKind::HardLink(source) => EntryKind::HardLink(strip(source)),
        other => other.clone(),
    };
    Some(Entry { path, kind, ..entry.clone() })
}

/// Refuses an entry whose link leads out of the destination.
pub fn require_safe(entry: &Entry) -> Result<()> {
    match &entry.kind {
        EntryKind::Symlink(target) => require_inside(&entry.path, target),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_links_stay_inside() {
        assert_eq!(clean(Path::new("/etc/./passwd")).expect("is clean"), Path::new("etc/passwd"));
        assert!(clean(Path::new("a/../../b")).is_err());
        assert!(require_inside(Path::new("a/link"), Path::new("../b")).is_ok());
        assert!(require_inside(Path::new("a/link"), Path::new("../../b")).is_err());
        assert!(require_inside(Path::new("link"), Path::new("/etc")).is_err());
    }

    #[test]
    fn entries_lose_leading_folders_as_asked() {
        let entry =
            Entry { path: "kc-1.0/bin/kc.sh".into(), kind: EntryKind::File, size: 0, mode: None, owner: None, modified: None, crc: None };
        assert_eq!(stripped(&entry, 1).expect("is left").path, Path::new("bin/kc.sh"));
        assert!(stripped(&entry, 3).is_none());
    }
}
