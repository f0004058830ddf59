//! A realm cut into objects, each with a natural key: the same shape for what is declared and for what is there.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Body;
use super::kind::Kind;
use super::leftovers::Orphan;
use super::moves::Move;

/// The names from the outermost owner to the object itself: `[client, mapper]`, the path of a group, a single name. Empty for what a realm
/// has one of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Key(pub Vec<String>);

impl Key {
    pub fn of<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Key(names.into_iter().map(Into::into).collect())
    }

    pub fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    pub fn owner(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    pub fn depth(&self) -> usize {
        self.0.len()
    }

    pub fn parent(&self) -> Key {
        Key(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    pub fn child(&self, name: impl Into<String>) -> Key {
        let mut names = self.0.clone();
        names.push(name.into());
        Key(names)
    }

    /// The key of a group from its path, `/a/b`.
    pub fn from_path(path: &str) -> Key {
        Key::of(path.split('/').filter(|name| !name.is_empty()))
    }

    pub fn to_path(&self) -> String {
        self.0.iter().flat_map(|name| ["/", name]).collect()
    }
}

/// What an object is called: a kind and a key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Name {
    pub kind: Kind,
    pub key: Key,
}

impl Name {
    pub fn new(kind: Kind, key: Key) -> Self {
        Name { kind, key }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.spec().noun)?;
        match self.kind {
            _ if self.key.0.is_empty() => Ok(()),
            Kind::Group => write!(f, " {}", self.key.to_path()),
            _ => write!(f, " {}", self.key.0.join("/")),
        }
    }
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Object {
    /// The server's own id; none in a declaration.
    pub id: Option<String>,
    pub body: Body,
}

/// A realm, declared or read.
#[derive(Clone, Debug, Default)]
pub struct Model {
    objects: BTreeMap<Name, Object>,
    /// Of the server that it was read from.
    pub version: Option<String>,
    /// Parts of flows that nothing uses, of what was read.
    pub orphans: Vec<Orphan>,
    /// What was read under another name, and stands here under the one it is to have.
    pub moved: Vec<Move>,
}

impl Model {
    /// Adds an object; false when one of that name is there already, which then stays.
    pub fn insert(&mut self, name: Name, object: Object) -> bool {
        if self.objects.contains_key(&name) {
            return false;
        }
        self.objects.insert(name, object);
        true
    }

    pub fn get(&self, kind: Kind, key: &Key) -> Option<&Object> {
        self.objects.get(&Name::new(kind, key.clone()))
    }

    pub fn get_mut(&mut self, name: &Name) -> Option<&mut Object> {
        self.objects.get_mut(name)
    }

    pub fn remove(&mut self, name: &Name) -> Option<Object> {
        self.objects.remove(name)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Name, &Object)> {
        self.objects.iter()
    }

    pub fn into_objects(self) -> impl Iterator<Item = (Name, Object)> {
        self.objects.into_iter()
    }

    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&Key, &Object)> {
        self.objects.iter().filter(move |(name, _)| name.kind == kind).map(|(name, object)| (&name.key, object))
    }

    pub fn len(&self) -> usize {
        self.objects.len()
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}
