//! Methods of lists, tuples and mappings. Those that change something change the value in place, and every name that holds it sees it.

use std::sync::Arc;

use crate::base::Key;

use super::super::arguments::Arguments;
use super::super::containers::{Dict, List};
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::operate;

pub(crate) const LIST_METHODS: [&str; 11] =
    ["append", "extend", "insert", "pop", "remove", "index", "count", "sort", "reverse", "copy", "clear"];

pub(crate) const MAP_METHODS: [&str; 11] =
    ["items", "keys", "values", "get", "update", "pop", "popitem", "setdefault", "copy", "clear", "fromkeys"];

pub(crate) fn call_list(list: &List, name: &str, arguments: Arguments) -> Outcome<Val> {
    match name {
        "append" => {
            let item = arguments.bind(["object"])?.required(0)?.clone();
            list.change(|items| items.push(item))?;
        }
        "extend" => {
            let more = arguments.bind(["iterable"])?.items(0)?;
            list.change(|items| items.extend(more))?;
        }
        "insert" => {
            let bound = arguments.bind(["index", "object"])?;
            let (index, item) = (bound.int_or(0, 0)?, bound.required(1)?.clone());
            list.change(|items| items.insert(clamp(index, items.len()), item))?;
        }
        "pop" => {
            let index = arguments.bind(["index"])?.int_or(0, -1)?;
            return list.change(|items| {
                let at = if index < 0 { index + items.len() as i64 } else { index };
                match usize::try_from(at) {
                    Ok(at) if at < items.len() => Ok(items.remove(at)),
                    _ => Err(Fault::failed("pop index out of range")),
                }
            })?;
        }
        "remove" => {
            let wanted = arguments.bind(["value"])?.required(0)?.clone();
            let at = position(&list.items()?, &wanted)?.ok_or_else(|| Fault::failed("the list has no such element to remove"))?;
            list.change(|items| items.remove(at))?;
        }
        "sort" => {
            let reverse = arguments.bind(["reverse"])?.flag(0, false)?;
            let mut items = super::super::filters::sequence::sorted(list.items()?, |value| Ok(value.clone()))?;
            if reverse {
                items.reverse();
            }
            list.change(|old| *old = items)?;
        }
        "reverse" => list.change(|items| items.reverse())?,
        "clear" => list.change(Vec::clear)?,
        "copy" => return Ok(Val::list(list.items()?)),
        _ => return call_items(&list.items()?, name, arguments),
    }
    Ok(Val::Null)
}

fn clamp(index: i64, length: usize) -> usize {
    let index = if index < 0 { index + length as i64 } else { index };
    usize::try_from(index).unwrap_or(0).min(length)
}

fn position(items: &[Val], wanted: &Val) -> Outcome<Option<usize>> {
    for (index, item) in items.iter().enumerate() {
        if operate::equal(item, wanted)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

pub(crate) fn call_items(items: &[Val], name: &str, arguments: Arguments) -> Outcome<Val> {
    let bound = arguments.bind(["value"])?;
    let wanted = bound.required(0)?;
    match name {
        "index" => match position(items, wanted)? {
            Some(index) => Ok(Val::Int(index as i64)),
            None => Err(Fault::failed(format!("{} is not in the list", wanted.repr()?))),
        },
        _ => {
            let mut count = 0;
            for item in items {
                count += i64::from(operate::equal(item, wanted)?);
            }
            Ok(Val::Int(count))
        }
    }
}

pub(crate) fn pair(key: &Key, value: Val) -> Val {
    Val::tuple(vec![Val::from_key(key), value])
}

pub(crate) fn call_map(dict: &Dict, name: &str, arguments: Arguments) -> Outcome<Val> {
    match name {
        "items" => Ok(Val::list(dict.entries()?.into_iter().map(|(key, value)| pair(&key, value)).collect())),
        "keys" => Ok(Val::list(dict.keys().iter().map(Val::from_key).collect())),
        "values" => Ok(Val::list(dict.entries()?.into_iter().map(|(_, value)| value).collect())),
        "get" => {
            let bound = arguments.bind(["key", "default"])?;
            let found = dict.get(&bound.required(0)?.to_key()?)?;
            Ok(found.or_else(|| bound.get(1).cloned()).unwrap_or(Val::Null))
        }
        "setdefault" => {
            let bound = arguments.bind(["key", "default"])?;
            let key = bound.required(0)?.to_key()?;
            if let Some(found) = dict.get(&key)? {
                return Ok(found);
            }
            let value = bound.get(1).cloned().unwrap_or(Val::Null);
            dict.change(|entries| entries.insert(key, value.clone()))?;
            Ok(value)
        }
        "update" => update(dict, arguments),
        "pop" => {
            let bound = arguments.bind(["key", "default"])?;
            let key = bound.required(0)?.to_key()?;
            let taken = dict.change(|entries| entries.shift_remove(&key))?;
            taken.or_else(|| bound.get(1).cloned()).ok_or_else(|| Fault::failed(format!("the mapping has no key `{key}`")))
        }
        "popitem" => {
            let taken = dict.change(|entries| entries.pop())?;
            taken.map(|(key, value)| pair(&key, value)).ok_or_else(|| Fault::failed("the mapping is empty"))
        }
        "copy" => Ok(Val::dict(dict.map()?)),
        "clear" => {
            dict.change(|entries| entries.clear())?;
            Ok(Val::Null)
        }
        _ => {
            let bound = arguments.bind(["iterable", "value"])?;
            let value = bound.get(1).cloned().unwrap_or(Val::Null);
            let keys = bound.items(0)?.iter().map(Val::to_key).collect::<Outcome<Vec<_>>>()?;
            Ok(Val::dict(keys.into_iter().map(|key| (key, value.clone()))))
        }
    }
}

fn update(dict: &Dict, mut arguments: Arguments) -> Outcome<Val> {
    let named = std::mem::take(&mut arguments.named);
    let bound = arguments.bind(["other"])?;
    let mut more: Vec<(Key, Val)> = match bound.get(0) {
        None => Vec::new(),
        Some(Val::Map(other)) => other.entries()?,
        Some(pairs) => {
            let mut entries = Vec::new();
            for pair in pairs.iterate()? {
                match &pair.iterate()?[..] {
                    [key, value] => entries.push((key.to_key()?, value.clone())),
                    _ => return Err(Fault::failed("`update()` wants a mapping or pairs")),
                }
            }
            entries
        }
    };
    more.extend(named.into_iter().map(|(name, value): (Arc<str>, Val)| (Key::from(name), value)));
    dict.change(|entries| entries.extend(more))?;
    Ok(Val::Null)
}
