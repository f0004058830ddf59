//! Values inside a template. They differ from `base::Value` in what templates need: they can be missing, lists and mappings are mutable and rendered
//! only where they are touched, and there are objects (functions, loops, ranges). Containers of data are shared, not copied, both ways.

use std::sync::{Arc, Mutex, MutexGuard};

use indexmap::IndexMap;

use crate::base::{Key, Map, Node, Value};

use super::fault::{Fault, Outcome};
use super::object::Object;
use super::scope::Scope;

#[derive(Clone)]
pub(crate) enum Val {
    Missing(Fault),
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>),
    Bytes(Arc<[u8]>),
    List(List),
    Tuple(Arc<[Val]>),
    Map(Dict),
    Object(Object),
    /// What `omit` is until it leaves the template.
    Omit,
}

/// An element that is known, or source that is rendered when it is touched.
#[derive(Clone)]
pub(crate) enum Slot {
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

    fn to_value(&self, depth: usize) -> Outcome<Value> {
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

    fn to_value(&self, depth: usize) -> Outcome<Value> {
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

/// Containers in containers, at most: a list that was appended to itself ends here.
const DEEPEST: usize = 200;

impl Val {
    pub fn from_value(value: &Value) -> Val {
        match value {
            Value::Null => Val::Null,
            Value::Bool(flag) => Val::Bool(*flag),
            Value::Int(number) => Val::Int(*number),
            Value::Float(number) => Val::Float(*number),
            Value::Str(text) => Val::Str(text.clone()),
            Value::Bytes(bytes) => Val::Bytes(bytes.clone()),
            Value::List(items) => Val::List(List(Arc::new(Mutex::new(ListState::Shared(items.clone()))))),
            Value::Map(map) => Val::Map(Dict(Arc::new(Mutex::new(DictState::Shared(map.clone()))))),
        }
    }

    pub fn str(text: impl Into<Arc<str>>) -> Val {
        Val::Str(text.into())
    }

    pub fn list(items: Vec<Val>) -> Val {
        Val::List(List::new(items))
    }

    pub fn tuple(items: impl Into<Arc<[Val]>>) -> Val {
        Val::Tuple(items.into())
    }

    pub fn dict<K: Into<Key>>(entries: impl IntoIterator<Item = (K, Val)>) -> Val {
        Val::Map(Dict::new(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()))
    }

    pub fn lazy_list(items: &[Node], scope: Arc<Scope>) -> Val {
        let slots = items.iter().cloned().map(Slot::Source).collect();
        Val::List(List(Arc::new(Mutex::new(ListState::Own(slots, Some(scope))))))
    }

    pub fn lazy_map(entries: &[(Node, Node)], scope: Arc<Scope>) -> Val {
        let slots = entries.iter().map(|(key, node)| (key.to_key(), Slot::Source(node.clone()))).collect();
        Val::Map(Dict(Arc::new(Mutex::new(DictState::Own(slots, Some(scope))))))
    }

    pub fn names(scope: Arc<Scope>) -> Val {
        Val::Map(Dict(Arc::new(Mutex::new(DictState::Names(scope)))))
    }

    /// The value as it leaves the template: plain data, everything rendered, `omit` dropped from containers.
    pub fn to_value(&self) -> Outcome<Value> {
        self.value_at(0)
    }

    fn value_at(&self, depth: usize) -> Outcome<Value> {
        if depth > DEEPEST {
            return Err(Fault::failed("the value contains itself"));
        }
        Ok(match self {
            Val::Missing(fault) => return Err(fault.clone()),
            Val::Null => Value::Null,
            Val::Bool(flag) => Value::Bool(*flag),
            Val::Int(number) => Value::Int(*number),
            Val::Float(number) => Value::Float(*number),
            Val::Str(text) => Value::Str(text.clone()),
            Val::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Val::List(list) => list.to_value(depth)?,
            Val::Tuple(items) => {
                let kept = items.iter().filter(|item| !matches!(item, Val::Omit));
                kept.map(|item| item.value_at(depth + 1)).collect::<Outcome<Vec<Value>>>()?.into()
            }
            Val::Map(dict) => dict.to_value(depth)?,
            Val::Object(object) => object.to_value()?,
            Val::Omit => super::OMIT.into(),
        })
    }

    /// Refuses a missing value.
    pub fn present(self) -> Outcome<Val> {
        match self {
            Val::Missing(fault) => Err(fault),
            value => Ok(value),
        }
    }

    pub fn type_name(&self) -> &'static str {
        match self {
            Val::Missing(_) => "Undefined",
            Val::Null => "NoneType",
            Val::Bool(_) => "bool",
            Val::Int(_) => "int",
            Val::Float(_) => "float",
            Val::Str(_) => "str",
            Val::Bytes(_) => "bytes",
            Val::List(_) => "list",
            Val::Tuple(_) => "tuple",
            Val::Map(_) => "dict",
            Val::Object(object) => object.type_name(),
            Val::Omit => "Omit",
        }
    }

    /// Python's truth.
    pub fn truth(&self) -> Outcome<bool> {
        Ok(match self {
            Val::Missing(fault) if fault.is_nothing() => false,
            Val::Missing(fault) => return Err(fault.clone()),
            Val::Null => false,
            Val::Bool(flag) => *flag,
            Val::Int(number) => *number != 0,
            Val::Float(number) => *number != 0.0,
            Val::Str(text) => !text.is_empty(),
            Val::Bytes(bytes) => !bytes.is_empty(),
            Val::List(list) => list.len() > 0,
            Val::Tuple(items) => !items.is_empty(),
            Val::Map(dict) => dict.len() > 0,
            Val::Object(object) => object.truth(),
            Val::Omit => true,
        })
    }

    /// What `str()` gives.
    pub fn text(&self) -> Outcome<Arc<str>> {
        match self {
            Val::Str(text) => Ok(text.clone()),
            Val::Missing(fault) if fault.is_nothing() => Ok("".into()),
            Val::Bytes(bytes) => Ok(String::from_utf8_lossy(bytes).into()),
            Val::Object(object) => Ok(object.text()?.into()),
            other => Ok(other.repr()?.into()),
        }
    }

    /// The text of a value between other text: containers as they would leave the template (tuples are lists, `omit` is gone).
    pub fn joined_text(&self) -> Outcome<Arc<str>> {
        match self {
            Val::List(_) | Val::Tuple(_) | Val::Map(_) => Ok(self.to_value()?.to_text().into()),
            other => other.text(),
        }
    }

    /// What `repr()` gives.
    pub fn repr(&self) -> Outcome<String> {
        let mut out = String::new();
        self.write_repr(&mut out, 0)?;
        Ok(out)
    }

    fn write_repr(&self, out: &mut String, depth: usize) -> Outcome<()> {
        if depth > DEEPEST {
            out.push_str("...");
            return Ok(());
        }
        match self {
            Val::Missing(fault) => return Err(fault.clone()),
            Val::List(list) => write_items(out, '[', &list.items()?, ']', depth)?,
            Val::Tuple(items) if items.len() == 1 => {
                out.push('(');
                items[0].write_repr(out, depth + 1)?;
                out.push_str(",)");
            }
            Val::Tuple(items) => write_items(out, '(', items, ')', depth)?,
            Val::Map(dict) => {
                out.push('{');
                for (index, (key, value)) in dict.entries()?.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    out.push_str(&key.to_value().to_repr());
                    out.push_str(": ");
                    value.write_repr(out, depth + 1)?;
                }
                out.push('}');
            }
            Val::Object(object) => out.push_str(&object.repr()?),
            Val::Omit => out.push_str("<<Omit>>"),
            scalar => out.push_str(&scalar.value_at(0)?.to_repr()),
        }
        Ok(())
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Val::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The elements a `for` would see: items, keys, characters.
    pub fn iterate(&self) -> Outcome<Vec<Val>> {
        match self {
            Val::Missing(fault) if fault.is_nothing() => Ok(Vec::new()),
            Val::Missing(fault) => Err(fault.clone()),
            Val::List(list) => list.items(),
            Val::Tuple(items) => Ok(items.to_vec()),
            Val::Map(dict) => Ok(dict.keys().iter().map(Val::from_key).collect()),
            Val::Str(text) => Ok(text.chars().map(|character| Val::str(character.to_string())).collect()),
            Val::Bytes(bytes) => Ok(bytes.iter().map(|byte| Val::Int(i64::from(*byte))).collect()),
            Val::Object(object) => object.iterate(),
            other => Err(Fault::failed(format!("`{}` object is not iterable", other.type_name()))),
        }
    }

    pub fn len(&self) -> Outcome<Option<usize>> {
        Ok(match self {
            Val::Missing(fault) => return Err(fault.clone()),
            Val::List(list) => Some(list.len()),
            Val::Tuple(items) => Some(items.len()),
            Val::Map(dict) => Some(dict.len()),
            Val::Str(text) => Some(text.chars().count()),
            Val::Bytes(bytes) => Some(bytes.len()),
            Val::Object(object) => object.len(),
            _ => None,
        })
    }

    pub fn from_key(key: &Key) -> Val {
        match key {
            Key::Str(text) => Val::Str(text.clone()),
            Key::Int(number) => Val::Int(*number),
            Key::Bool(flag) => Val::Bool(*flag),
            Key::Null => Val::Null,
        }
    }

    /// The value as a key of a mapping. Floats and tuples, which Python would take as they are, become their text.
    pub fn to_key(&self) -> Outcome<Key> {
        Ok(match self {
            Val::Missing(fault) => return Err(fault.clone()),
            Val::Null => Key::Null,
            Val::Bool(flag) => Key::Bool(*flag),
            Val::Int(number) => Key::Int(*number),
            Val::Str(text) => Key::Str(text.clone()),
            Val::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => Key::Int(*number as i64),
            Val::Float(_) | Val::Tuple(_) | Val::Object(_) | Val::Bytes(_) => Key::Str(self.text()?),
            Val::List(_) | Val::Map(_) | Val::Omit => return Err(Fault::failed(format!("a `{}` cannot be a key", self.type_name()))),
        })
    }
}

fn write_items(out: &mut String, open: char, items: &[Val], close: char, depth: usize) -> Outcome<()> {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        item.write_repr(out, depth + 1)?;
    }
    out.push(close);
    Ok(())
}
