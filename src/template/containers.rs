//! Lists and mappings of a template: shared with the data they came from until they are changed, rendered only where they are touched.

use std::sync::{Arc, Mutex, MutexGuard};

use indexmap::IndexMap;

use crate::base::{Key, Map, Node, Value};

use super::data::Val;
use super::fault::{Fault, Outcome};
use super::scope::Scope;

/// An element that is known, or source that is rendered when it is touched.
#[derive(Clone)]
enum Slot {
    Ready(Val),
    Source(Node),
}

#[derive(Clone)]
pub(crate) struct List(Arc<Mutex<ListState>>);

enum ListState {
    Shared(Arc<Vec<Value>>),
    Own(Vec<Slot>, Option<Arc<Scope>>),
}

#[derive(Clone)]
pub(crate) struct Dict(Arc<Mutex<DictState>>);

enum DictState {
    Shared(Arc<Map>),
    Own(IndexMap<Key, Slot>, Option<Arc<Scope>>),
    /// Names of the engine: `hostvars`, the variables of a host.
    Names(Arc<Scope>),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn render(slot: Slot, scope: Option<Arc<Scope>>) -> Outcome<(Val, bool)> {
    match (slot, scope) {
        (Slot::Ready(value), _) => Ok((value, false)),
        (Slot::Source(node), Some(scope)) => Ok((scope.node(&node)?, true)),
        (Slot::Source(node), None) => Ok((Val::from_value(&node.to_value()), true)),
    }
}

impl List {
    pub fn shared(items: Arc<Vec<Value>>) -> Self {
        List(Arc::new(Mutex::new(ListState::Shared(items))))
    }

    /// Source, each element rendered when it is touched.
    pub fn lazy(items: &[Node], scope: Arc<Scope>) -> Self {
        let slots = items.iter().cloned().map(Slot::Source).collect();
        List(Arc::new(Mutex::new(ListState::Own(slots, Some(scope)))))
    }

    pub fn new(items: Vec<Val>) -> Self {
        List(Arc::new(Mutex::new(ListState::Own(items.into_iter().map(Slot::Ready).collect(), None))))
    }

    pub fn len(&self) -> usize {
        match &*lock(&self.0) {
            ListState::Shared(items) => items.len(),
            ListState::Own(items, _) => items.len(),
        }
    }

    pub fn get(&self, index: usize) -> Outcome<Option<Val>> {
        let (slot, scope) = match &*lock(&self.0) {
            ListState::Shared(items) => return Ok(items.get(index).map(Val::from_value)),
            ListState::Own(items, scope) => match items.get(index) {
                Some(slot) => (slot.clone(), scope.clone()),
                None => return Ok(None),
            },
        };
        let (value, fresh) = render(slot, scope)?;
        if fresh
            && let ListState::Own(items, _) = &mut *lock(&self.0)
            && let Some(slot) = items.get_mut(index)
        {
            *slot = Slot::Ready(value.clone());
        }
        Ok(Some(value))
    }

    pub fn items(&self) -> Outcome<Vec<Val>> {
        let mut all = Vec::with_capacity(self.len());
        let mut index = 0;
        while let Some(item) = self.get(index)? {
            all.push(item);
            index += 1;
        }
        Ok(all)
    }

    /// Changes the list in place, as `.append` and its like do.
    pub fn change<T>(&self, change: impl FnOnce(&mut Vec<Val>) -> T) -> Outcome<T> {
        let mut items = self.items()?;
        let result = change(&mut items);
        *lock(&self.0) = ListState::Own(items.into_iter().map(Slot::Ready).collect(), None);
        Ok(result)
    }

    pub fn to_value(&self, depth: usize) -> Outcome<Value> {
        if let ListState::Shared(items) = &*lock(&self.0) {
            return Ok(Value::List(items.clone()));
        }
        let mut values = Vec::with_capacity(self.len());
        for item in self.items()? {
            if !matches!(item, Val::Omit) {
                values.push(item.value_at(depth + 1)?);
            }
        }
        Ok(values.into())
    }
}

impl Dict {
    pub fn shared(map: Arc<Map>) -> Self {
        Dict(Arc::new(Mutex::new(DictState::Shared(map))))
    }

    /// Source, each entry rendered when it is touched.
    pub fn lazy(entries: &[(Node, Node)], scope: Arc<Scope>) -> Self {
        let slots = entries.iter().map(|(key, node)| (key.to_key(), Slot::Source(node.clone()))).collect();
        Dict(Arc::new(Mutex::new(DictState::Own(slots, Some(scope)))))
    }

    /// The names of a scope.
    pub fn of_names(scope: Arc<Scope>) -> Self {
        Dict(Arc::new(Mutex::new(DictState::Names(scope))))
    }

    pub fn new(entries: IndexMap<Key, Val>) -> Self {
        Dict(Arc::new(Mutex::new(DictState::Own(entries.into_iter().map(|(key, value)| (key, Slot::Ready(value))).collect(), None))))
    }

    pub fn len(&self) -> usize {
        match &*lock(&self.0) {
            DictState::Shared(map) => map.len(),
            DictState::Own(entries, _) => entries.len(),
            DictState::Names(scope) => scope.context.variables.names().len(),
        }
    }

    pub fn keys(&self) -> Vec<Key> {
        match &*lock(&self.0) {
            DictState::Shared(map) => map.keys().cloned().collect(),
            DictState::Own(entries, _) => entries.keys().cloned().collect(),
            DictState::Names(scope) => scope.context.variables.names().into_iter().map(Key::from).collect(),
        }
    }

    pub fn get(&self, key: &Key) -> Outcome<Option<Val>> {
        let (slot, scope) = match &*lock(&self.0) {
            DictState::Shared(map) => return Ok(map.get_key(key).map(Val::from_value)),
            DictState::Own(entries, scope) => match entries.get(key) {
                Some(slot) => (slot.clone(), scope.clone()),
                None => return Ok(None),
            },
            DictState::Names(scope) => (Slot::Ready(Val::Null), Some(scope.clone())),
        };
        if let Some(names) = self.names(&scope) {
            return match key.as_str() {
                Some(name) => names.variable(name),
                None => Ok(None),
            };
        }
        let (value, fresh) = render(slot, scope)?;
        if fresh
            && let DictState::Own(entries, _) = &mut *lock(&self.0)
            && let Some(slot) = entries.get_mut(key)
        {
            *slot = Slot::Ready(value.clone());
        }
        Ok(Some(value))
    }

    fn names(&self, scope: &Option<Arc<Scope>>) -> Option<Arc<Scope>> {
        match &*lock(&self.0) {
            DictState::Names(_) => scope.clone(),
            _ => None,
        }
    }

    pub fn has(&self, key: &Key) -> bool {
        match &*lock(&self.0) {
            DictState::Shared(map) => map.get_key(key).is_some(),
            DictState::Own(entries, _) => entries.contains_key(key),
            DictState::Names(scope) => key.as_str().is_some_and(|name| scope.context.variables.get(name).is_some()),
        }
    }

    pub fn entries(&self) -> Outcome<Vec<(Key, Val)>> {
        let mut all = Vec::new();
        for key in self.keys() {
            if let Some(value) = self.get(&key)? {
                all.push((key, value));
            }
        }
        Ok(all)
    }

    pub fn map(&self) -> Outcome<IndexMap<Key, Val>> {
        Ok(self.entries()?.into_iter().collect())
    }

    /// Changes the mapping in place, as `.update` and `.pop` do. The engine's own names cannot be changed.
    pub fn change<T>(&self, change: impl FnOnce(&mut IndexMap<Key, Val>) -> T) -> Outcome<T> {
        if matches!(&*lock(&self.0), DictState::Names(_)) {
            return Err(Fault::failed("variables cannot be changed from a template"));
        }
        let mut entries = self.map()?;
        let result = change(&mut entries);
        *lock(&self.0) = DictState::Own(entries.into_iter().map(|(key, value)| (key, Slot::Ready(value))).collect(), None);
        Ok(result)
    }

    pub fn to_value(&self, depth: usize) -> Outcome<Value> {
        if let DictState::Shared(map) = &*lock(&self.0) {
            return Ok(Value::Map(map.clone()));
        }
        let mut map = Map::new();
        for (key, value) in self.entries()? {
            if !matches!(value, Val::Omit) {
                map.insert(key, value.value_at(depth + 1)?);
            }
        }
        Ok(map.into())
    }
}
