//! Changes kept in memory over a host, or over an empty machine: check mode, plan and unit tests. Whatever an effect says is what later
//! queries see.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::Value;

use super::accounts::{Group, User};
use super::backend::Backend;
use super::command::{Command, Completed};
use super::content::{Stream, stream_of};
use super::effect::Effect;
use super::error::{Failure, Result};
use super::files::{FileKind, Metadata};
use super::local::Local;
use super::overlay_files::{Content, Node};
use super::packages::Package;
use super::services::{Unit, UnitChange};

type Answer = Box<dyn Fn(&Command) -> Option<Completed> + Send>;

/// What is believed on top of a host.
pub struct Overlay {
    pub(super) base: Option<Local>,
    pub(super) files: BTreeMap<PathBuf, Node>,
    users: BTreeMap<String, Option<User>>,
    groups: BTreeMap<String, Option<Group>>,
    units: BTreeMap<String, Unit>,
    packages: BTreeMap<String, Option<Package>>,
    records: BTreeMap<(String, String), Option<Value>>,
    answers: Vec<Answer>,
    pub(super) next_inode: u64,
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
