//! The overlay's file system: what was written, removed or renamed in memory, over the host's own tree.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::backend::Backend;
use super::effect::FileChange;
use super::error::{Failure, Result};
use super::files::{FileKind, Metadata};
use super::local::Local;
use super::overlay::Overlay;

/// Links deeper than this are a loop, as the kernel counts them.
const DEEPEST_LINK: usize = 40;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Gone,
    There { metadata: Metadata, content: Content },
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Bytes(Arc<Vec<u8>>),
    Target(PathBuf),
    /// A folder; hidden: what the host has below it does not count (it was removed and made again).
    Folder {
        hides_host: bool,
    },
    /// A large file that would be there: its content is known only after apply.
    Unknown {
        size: u64,
    },
    /// Only the attributes were changed; the content is the host's at this path.
    Host(PathBuf),
}

impl Overlay {
    pub(super) fn put(&mut self, path: PathBuf, kind: FileKind, mode: u32, uid: u32, gid: u32, content: Content) {
        let size = match &content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Unknown { size } => *size,
            _ => 0,
        };
        self.next_inode += 1;
        let now = SystemTime::now();
        let metadata = Metadata {
            kind,
            mode,
            uid,
            gid,
            size,
            links: 1,
            inode: self.next_inode | 1 << 62,
            device: 0,
            stands_for: 0,
            blocks: size.div_ceil(512),
            block_size: 4096,
            accessed: now,
            modified: now,
            changed: now,
        };
        self.files.insert(path, Node::There { metadata, content });
    }

    /// Whether the host's own tree still counts at this path: no folder above it was removed or made anew in here.
    pub(super) fn host_counts(&self, path: &Path) -> bool {
        path.ancestors().skip(1).all(|folder| match self.files.get(folder) {
            None => true,
            Some(Node::Gone) => false,
            Some(Node::There { content, .. }) => matches!(content, Content::Folder { hides_host: false } | Content::Host(_)),
        })
    }

    /// The node at a path whose folders hold no links any more.
    pub(super) fn find(&self, path: &Path) -> io::Result<Option<Metadata>> {
        match self.files.get(path) {
            Some(Node::Gone) => Ok(None),
            Some(Node::There { metadata, .. }) => Ok(Some(metadata.clone())),
            None => match &self.base {
                Some(base) if self.host_counts(path) => base.lstat(path),
                _ => Ok(None),
            },
        }
    }

    pub(super) fn link_target(&self, path: &Path) -> io::Result<PathBuf> {
        match self.files.get(path) {
            Some(Node::There { content: Content::Target(target), .. }) => Ok(target.clone()),
            Some(Node::There { content: Content::Host(host), .. }) => Local.read_link(host),
            Some(_) => Err(io::ErrorKind::InvalidInput.into()),
            None => match &self.base {
                Some(base) if self.host_counts(path) => base.read_link(path),
                _ => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }

    /// The path with links in its folders resolved, and in its last part too when asked.
    pub(super) fn resolve(&self, path: &Path, last_too: bool, depth: usize) -> io::Result<PathBuf> {
        if depth > DEEPEST_LINK {
            return Err(rustix::io::Errno::LOOP.into());
        }
        let parts: Vec<Component<'_>> = path.components().collect();
        let mut resolved = PathBuf::from("/");
        for (index, part) in parts.iter().enumerate() {
            match part {
                Component::RootDir | Component::CurDir | Component::Prefix(_) => continue,
                Component::ParentDir => {
                    resolved.pop();
                    continue;
                }
                Component::Normal(name) => resolved.push(name),
            }
            let is_last = index + 1 == parts.len();
            if (is_last && !last_too) || !self.find(&resolved)?.is_some_and(|found| found.is_symlink()) {
                continue;
            }
            let target = self.link_target(&resolved)?;
            resolved.pop();
            resolved = self.resolve(&resolved.join(target), true, depth + 1)?;
        }
        Ok(resolved)
    }

    pub(super) fn existing(&self, path: &Path) -> Result<(PathBuf, Metadata)> {
        let place = self.resolve(path, false, 0).map_err(|error| Failure::io("resolve", path, &error))?;
        let found = self.find(&place).map_err(|error| Failure::io("look at", path, &error))?;
        let found = found.ok_or_else(|| Failure::new(format!("`{}` does not exist", path.display())))?;
        Ok((place, found))
    }

    fn change_metadata(&mut self, path: &Path, change: impl FnOnce(&mut Metadata)) -> Result<()> {
        let (place, mut metadata) = self.existing(path)?;
        change(&mut metadata);
        let content = match self.files.remove(&place) {
            Some(Node::There { content, .. }) => content,
            _ if metadata.is_directory() => Content::Folder { hides_host: false },
            _ => Content::Host(place.clone()),
        };
        self.files.insert(place, Node::There { metadata, content });
        Ok(())
    }

    fn remove_tree(&mut self, path: &Path) {
        let below: Vec<PathBuf> = self.files.keys().filter(|known| known.starts_with(path)).cloned().collect();
        for known in below {
            self.files.remove(&known);
        }
        self.files.insert(path.to_owned(), Node::Gone);
    }

    fn rename_tree(&mut self, from: &Path, to: &Path) -> Result<()> {
        let (_, metadata) = self.existing(from)?;
        let mut moved = Vec::new();
        self.copy_tree(from, to, &metadata, &mut moved)?;
        self.remove_tree(from);
        self.remove_tree(to);
        self.files.extend(moved);
        Ok(())
    }

    fn copy_tree(&self, from: &Path, to: &Path, metadata: &Metadata, out: &mut Vec<(PathBuf, Node)>) -> Result<()> {
        let content = match self.files.get(from) {
            Some(Node::There { content, .. }) if !metadata.is_directory() => content.clone(),
            _ if metadata.is_directory() => Content::Folder { hides_host: true },
            _ => Content::Host(from.to_owned()),
        };
        out.push((to.to_owned(), Node::There { metadata: metadata.clone(), content }));
        if metadata.is_directory() {
            for name in self.list(from).map_err(|error| Failure::io("list", from, &error))? {
                let below = from.join(&name);
                if let Some(found) = self.lstat(&below).map_err(|error| Failure::io("look at", &below, &error))? {
                    self.copy_tree(&below, &to.join(&name), &found, out)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn apply_file(&mut self, change: &FileChange) -> Result<()> {
        let place = |overlay: &Self, path: &Path| overlay.resolve(path, false, 0).map_err(|error| Failure::io("resolve", path, &error));
        match change {
            FileChange::Write { path, content, mode, uid, gid } => {
                let path = place(self, path)?;
                self.put(path, FileKind::File, *mode, *uid, *gid, Content::Bytes(content.clone()));
            }
            FileChange::Unpacked { path, size, mode, uid, gid } => {
                let path = place(self, path)?;
                self.put(path, FileKind::File, *mode, *uid, *gid, Content::Unknown { size: *size });
            }
            FileChange::Directory { path, mode, uid, gid } => {
                let path = place(self, path)?;
                let hides_host = matches!(self.files.get(&path), Some(Node::Gone));
                self.put(path, FileKind::Directory, *mode, *uid, *gid, Content::Folder { hides_host });
            }
            FileChange::Symlink { path, target, uid, gid } => {
                let path = place(self, path)?;
                self.put(path, FileKind::Symlink, 0o777, *uid, *gid, Content::Target(target.clone()));
            }
            FileChange::HardLink { path, source } => {
                let (source, metadata) = self.existing(source)?;
                let path = place(self, path)?;
                let mut copied = Vec::new();
                self.copy_tree(&source, &path, &metadata, &mut copied)?;
                self.files.extend(copied);
            }
            FileChange::Remove { path } => {
                let path = place(self, path)?;
                self.remove_tree(&path);
            }
            FileChange::Rename { from, to } => {
                let (from, to) = (place(self, from)?, place(self, to)?);
                self.rename_tree(&from, &to)?;
            }
            FileChange::Mode { path, mode } => self.change_metadata(path, |metadata| metadata.mode = *mode)?,
            FileChange::Owner { path, uid, gid } => self.change_metadata(path, |metadata| {
                metadata.uid = *uid;
                metadata.gid = *gid;
            })?,
            FileChange::Times { path, accessed, modified } => self.change_metadata(path, |metadata| {
                metadata.accessed = accessed.unwrap_or(metadata.accessed);
                metadata.modified = modified.unwrap_or(metadata.modified);
            })?,
            FileChange::Flags { .. } => {}
        }
        Ok(())
    }
}
