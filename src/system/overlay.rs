//! Changes kept in memory over a host, or over an empty machine: check mode, plan and unit tests. Whatever an effect says is what later
//! queries see.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::Value;

use super::accounts::{Group, User};
use super::backend::Backend;
use super::command::{Command, Completed};
use super::content::{Stream, stream_of};
use super::effect::{Effect, FileChange};
use super::error::{Failure, Result};
use super::files::{FileKind, Metadata};
use super::local::Local;
use super::packages::Package;
use super::services::{Unit, UnitChange};

/// Links deeper than this are a loop, as the kernel counts them.
const DEEPEST_LINK: usize = 40;

#[derive(Clone, Debug)]
enum Node {
    Gone,
    There { metadata: Metadata, content: Content },
}

#[derive(Clone, Debug)]
enum Content {
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

type Answer = Box<dyn Fn(&Command) -> Option<Completed> + Send>;

/// What is believed on top of a host.
pub struct Overlay {
    base: Option<Local>,
    files: BTreeMap<PathBuf, Node>,
    users: BTreeMap<String, Option<User>>,
    groups: BTreeMap<String, Option<Group>>,
    units: BTreeMap<String, Unit>,
    packages: BTreeMap<String, Option<Package>>,
    records: BTreeMap<(String, String), Option<Value>>,
    answers: Vec<Answer>,
    next_inode: u64,
}

impl Overlay {
    /// Over this machine: what check mode runs on.
    pub fn over_host() -> Self {
        Overlay::new(Some(Local))
    }

    /// Over a machine that has nothing but `/`, root and its group: what unit tests run on.
    pub fn empty() -> Self {
        let overlay = Overlay::new(None).with_directory("/").with_group("root", 0);
        overlay.with_user(User { name: "root".into(), uid: 0, gid: 0, home: "/root".into(), shell: "/bin/bash".into(), ..User::default() })
    }

    fn new(base: Option<Local>) -> Self {
        Overlay {
            base,
            files: BTreeMap::new(),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            units: BTreeMap::new(),
            packages: BTreeMap::new(),
            records: BTreeMap::new(),
            answers: Vec::new(),
            next_inode: 1,
        }
    }

    pub fn with_directory(mut self, path: &str) -> Self {
        for folder in Path::new(path).ancestors().collect::<Vec<_>>().into_iter().rev() {
            if !self.files.contains_key(folder) {
                self.put(folder.to_owned(), FileKind::Directory, 0o755, 0, 0, Content::Folder { hides_host: false });
            }
        }
        self
    }

    pub fn with_file(mut self, path: &str, content: &str) -> Self {
        if let Some(folder) = Path::new(path).parent().and_then(Path::to_str) {
            self = self.with_directory(folder);
        }
        self.put(path.into(), FileKind::File, 0o644, 0, 0, Content::Bytes(Arc::new(content.as_bytes().to_vec())));
        self
    }

    pub fn with_symlink(mut self, path: &str, target: &str) -> Self {
        self.put(path.into(), FileKind::Symlink, 0o777, 0, 0, Content::Target(target.into()));
        self
    }

    pub fn with_group(mut self, name: &str, gid: u32) -> Self {
        self.groups.insert(name.to_owned(), Some(Group { name: name.to_owned(), gid, members: Vec::new() }));
        self
    }

    pub fn with_user(mut self, user: User) -> Self {
        self.users.insert(user.name.clone(), Some(user));
        self
    }

    pub fn with_unit(mut self, unit: Unit) -> Self {
        self.units.insert(unit.name.clone(), unit);
        self
    }

    pub fn with_package(mut self, name: &str, version: &str) -> Self {
        self.packages.insert(name.to_owned(), Some(Package { name: name.to_owned(), version: version.to_owned(), ..Package::default() }));
        self
    }

    pub fn with_record(mut self, kind: &str, name: &str, value: Value) -> Self {
        self.records.insert((kind.to_owned(), name.to_owned()), Some(value));
        self
    }

    /// What a reading command answers on the empty machine; the first answer that is not `None` counts.
    pub fn answer(mut self, answer: impl Fn(&Command) -> Option<Completed> + Send + 'static) -> Self {
        self.answers.push(Box::new(answer));
        self
    }

    fn put(&mut self, path: PathBuf, kind: FileKind, mode: u32, uid: u32, gid: u32, content: Content) {
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
            accessed: now,
            modified: now,
            changed: now,
        };
        self.files.insert(path, Node::There { metadata, content });
    }

    /// Whether the host's own tree still counts at this path: no folder above it was removed or made anew in here.
    fn host_counts(&self, path: &Path) -> bool {
        path.ancestors().skip(1).all(|folder| match self.files.get(folder) {
            None => true,
            Some(Node::Gone) => false,
            Some(Node::There { content, .. }) => matches!(content, Content::Folder { hides_host: false } | Content::Host(_)),
        })
    }

    /// The node at a path whose folders hold no links any more.
    fn find(&self, path: &Path) -> io::Result<Option<Metadata>> {
        match self.files.get(path) {
            Some(Node::Gone) => Ok(None),
            Some(Node::There { metadata, .. }) => Ok(Some(metadata.clone())),
            None => match &self.base {
                Some(base) if self.host_counts(path) => base.lstat(path),
                _ => Ok(None),
            },
        }
    }

    fn link_target(&self, path: &Path) -> io::Result<PathBuf> {
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
    fn resolve(&self, path: &Path, last_too: bool, depth: usize) -> io::Result<PathBuf> {
        if depth > DEEPEST_LINK {
            return Err(io::Error::other("too many levels of symbolic links"));
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

    fn existing(&self, path: &Path) -> Result<(PathBuf, Metadata)> {
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

    fn apply_file(&mut self, change: &FileChange) -> Result<()> {
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

    fn apply_unit(&mut self, name: &str, change: &UnitChange) -> Result<()> {
        let mut unit = self.unit(name)?;
        unit.apply(change);
        self.units.insert(name.to_owned(), unit);
        Ok(())
    }
}

impl Backend for Overlay {
    fn is_dry(&self) -> bool {
        true
    }

    fn apply(&mut self, effect: &Effect) -> Result<()> {
        match effect {
            Effect::File(change) => return self.apply_file(change),
            Effect::User { name, state } => {
                self.users.insert(name.clone(), state.clone());
            }
            Effect::Group { name, state } => {
                self.groups.insert(name.clone(), state.clone());
            }
            Effect::Unit { name, change } => return self.apply_unit(name, change),
            Effect::Package { name, version } => {
                let package = version.clone().map(|version| Package { name: name.clone(), version, ..Package::default() });
                self.packages.insert(name.clone(), package);
            }
            Effect::Record { kind, name, value } => {
                self.records.insert(((*kind).to_owned(), name.clone()), value.clone());
            }
            // Nobody knows what a command of the user's own would have done.
            Effect::Command { .. } => {}
        }
        Ok(())
    }

    fn lstat(&self, path: &Path) -> io::Result<Option<Metadata>> {
        self.find(&self.resolve(path, false, 0)?)
    }

    fn read(&self, path: &Path) -> io::Result<Arc<Vec<u8>>> {
        let place = self.resolve(path, true, 0)?;
        match self.files.get(&place) {
            Some(Node::There { content: Content::Bytes(bytes), .. }) => Ok(bytes.clone()),
            Some(Node::There { content: Content::Host(host), .. }) => Local.read(host),
            Some(Node::There { content: Content::Unknown { .. }, .. }) => Err(io::Error::other("its content is known only after apply")),
            Some(Node::There { .. }) => Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::Gone) => Err(io::ErrorKind::NotFound.into()),
            None => match &self.base {
                Some(base) if self.host_counts(&place) => base.read(&place),
                _ => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Stream>> {
        let place = self.resolve(path, true, 0)?;
        match (self.files.get(&place), &self.base) {
            (Some(Node::There { content: Content::Host(host), .. }), _) => Local.open(host),
            (None, Some(base)) if self.host_counts(&place) => base.open(&place),
            _ => self.read(path).map(stream_of),
        }
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.link_target(&self.resolve(path, false, 0)?)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let place = self.resolve(path, true, 0)?;
        match self.find(&place)? {
            None => return Err(io::ErrorKind::NotFound.into()),
            Some(found) if !found.is_directory() => return Err(io::ErrorKind::NotADirectory.into()),
            Some(_) => {}
        }
        let mut names: std::collections::BTreeSet<OsString> = match &self.base {
            Some(base) if self.host_counts(&place.join("x")) => base.list(&place).unwrap_or_default().into_iter().collect(),
            _ => Default::default(),
        };
        for (known, node) in &self.files {
            if known.parent() == Some(place.as_path())
                && let Some(name) = known.file_name()
            {
                match node {
                    Node::Gone => names.remove(name),
                    Node::There { .. } => names.insert(name.to_owned()),
                };
            }
        }
        Ok(names.into_iter().collect())
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let place = self.resolve(path, true, 0)?;
        match self.find(&place)? {
            Some(_) => Ok(place),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn user(&self, name: &str) -> Result<Option<User>> {
        match self.users.get(name) {
            Some(known) => Ok(known.clone()),
            None => self.base.as_ref().map_or(Ok(None), |base| base.user(name)),
        }
    }

    fn user_by_id(&self, uid: u32) -> Result<Option<User>> {
        if let Some(known) = self.users.values().flatten().find(|user| user.uid == uid) {
            return Ok(Some(known.clone()));
        }
        let found = self.base.as_ref().map_or(Ok(None), |base| base.user_by_id(uid))?;
        Ok(found.filter(|user| !self.users.contains_key(&user.name)))
    }

    fn group(&self, name: &str) -> Result<Option<Group>> {
        match self.groups.get(name) {
            Some(known) => Ok(known.clone()),
            None => self.base.as_ref().map_or(Ok(None), |base| base.group(name)),
        }
    }

    fn group_by_id(&self, gid: u32) -> Result<Option<Group>> {
        if let Some(known) = self.groups.values().flatten().find(|group| group.gid == gid) {
            return Ok(Some(known.clone()));
        }
        let found = self.base.as_ref().map_or(Ok(None), |base| base.group_by_id(gid))?;
        Ok(found.filter(|group| !self.groups.contains_key(&group.name)))
    }

    fn groups(&self) -> Result<Vec<Group>> {
        let mut all = self.base.as_ref().map_or(Ok(Vec::new()), Backend::groups)?;
        all.retain(|group| !self.groups.contains_key(&group.name));
        all.extend(self.groups.values().flatten().cloned());
        Ok(all)
    }

    fn users(&self) -> Result<Vec<User>> {
        let mut all = self.base.as_ref().map_or(Ok(Vec::new()), Backend::users)?;
        all.retain(|user| !self.users.contains_key(&user.name));
        all.extend(self.users.values().flatten().cloned());
        Ok(all)
    }

    fn unit(&self, name: &str) -> Result<Unit> {
        match self.units.get(name) {
            Some(known) => Ok(known.clone()),
            None => self.base.as_ref().map_or_else(|| Ok(Unit::absent(name)), |base| base.unit(name)),
        }
    }

    fn package(&self, name: &str) -> Result<Option<Package>> {
        match self.packages.get(name) {
            Some(known) => Ok(known.clone()),
            None => self.base.as_ref().map_or(Ok(None), |base| base.package(name)),
        }
    }

    fn packages(&self) -> Result<Vec<Package>> {
        let mut all = self.base.as_ref().map_or(Ok(Vec::new()), Backend::packages)?;
        all.retain(|package| !self.packages.contains_key(&package.name));
        all.extend(self.packages.values().flatten().cloned());
        Ok(all)
    }

    fn is_imagined(&self, below: &Path) -> bool {
        self.files.keys().any(|path| path.starts_with(below))
    }

    fn plans_packages(&self) -> bool {
        self.packages.values().any(Option::is_some)
    }

    fn known_record(&self, kind: &str, name: &str) -> Option<Option<Value>> {
        let known = self.records.get(&(kind.to_owned(), name.to_owned())).cloned();
        // On the empty machine nothing is there that was not put there.
        known.or_else(|| self.base.is_none().then_some(None))
    }

    fn run(&self, command: &Command) -> Result<Completed> {
        if let Some(answer) = self.answers.iter().find_map(|answer| answer(command)) {
            return Ok(answer);
        }
        match &self.base {
            Some(base) => base.run(command),
            None => Err(Failure::new(format!("cannot start `{}`: no such file or directory", command.program())).with("rc", 2)),
        }
    }

    fn effective_uid(&self) -> u32 {
        self.base.as_ref().map_or(0, Backend::effective_uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Attributes, System, WriteFile};

    #[test]
    fn what_is_removed_in_memory_is_gone_and_still_there_on_the_host() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("keep");
        std::fs::write(&path, "x").expect("writes");
        let mut sys = System::dry(Overlay::over_host());
        assert!(sys.remove(&path).expect("removes"));
        assert!(sys.query_link(&path).expect("looks").is_none());
        assert!(sys.query_directory(folder.path()).expect("lists").is_empty());
        assert!(path.exists());
    }

    #[test]
    fn a_folder_made_again_does_not_show_what_the_host_had_in_it() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("old"), "x").expect("writes");
        let mut sys = System::dry(Overlay::over_host());
        sys.remove(folder.path()).expect("removes");
        sys.make_directory(folder.path(), &Attributes::default()).expect("makes");
        assert!(sys.query_directory(folder.path()).expect("lists").is_empty());
        sys.write_file(WriteFile::new(folder.path().join("new"), "y")).expect("writes");
        assert_eq!(sys.query_directory(folder.path()).expect("lists"), ["new"]);
    }

    #[test]
    fn a_renamed_folder_takes_its_files_along() {
        let mut sys = System::dry(Overlay::empty().with_file("/srv/a/one", "1"));
        sys.rename(Path::new("/srv/a"), Path::new("/srv/b")).expect("renames");
        assert_eq!(sys.query_text(Path::new("/srv/b/one")).expect("reads"), "1");
        assert!(sys.query_link(Path::new("/srv/a")).expect("looks").is_none());
    }

    #[test]
    fn a_folder_that_is_a_link_leads_to_its_target() {
        let mut sys = System::dry(Overlay::empty().with_directory("/run").with_symlink("/var", "/"));
        sys.write_file(WriteFile::new("/var/run/x", "1")).expect("writes");
        assert_eq!(sys.query_text(Path::new("/run/x")).expect("reads"), "1");
    }
}
