//! Values inside a template. They differ from `base::Value` in what templates need: they can be missing, lists and mappings (`containers`) are mutable
//! and rendered only where they are touched, and there are objects (functions, loops, ranges). Containers of data are shared, not copied, both ways.

use std::sync::Arc;

use crate::base::{Key, Value};

use super::containers::{Dict, List};
use super::fault::{Fault, Outcome};
use super::object::Object;

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
            Value::List(items) => Val::List(List::shared(items.clone())),
            Value::Map(map) => Val::Map(Dict::shared(map.clone())),
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

    /// The value as it leaves the template: plain data, everything rendered, `omit` dropped from containers.
    pub fn to_value(&self) -> Outcome<Value> {
        self.value_at(0)
    }

    pub fn value_at(&self, depth: usize) -> Outcome<Value> {
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
