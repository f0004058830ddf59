//! Filters of Jinja2 on sequences: order, first and last, sums, slices.

use std::cmp::Ordering;
use std::sync::Arc;

use super::super::arguments::Arguments;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::scope::Scope;
use super::super::{code::Operator, operate};
use super::choose::Path;
use super::{Filter, filter};

pub(crate) const FILTERS: &[Filter] = &[
    filter("list", list),
    filter("length", length),
    filter("count", length),
    filter("first", |arguments, _| end(arguments, true)),
    filter("last", |arguments, _| end(arguments, false)),
    filter("sort", sort),
    filter("reverse", reverse),
    filter("join", join),
    filter("sum", sum),
    filter("batch", batch),
    filter("slice", slice),
    filter("items", items),
    filter("dictsort", dict_sort),
];

/// A value to compare by: text in lower case, unless case counts.
pub(crate) fn folded(value: Val, case_sensitive: bool) -> Val {
    match value {
        Val::Str(text) if !case_sensitive => Val::str(text.to_lowercase()),
        other => other,
    }
}

/// Elements in the order of their keys; equal ones keep their order.
pub(crate) fn sorted(items: Vec<Val>, key: impl Fn(&Val) -> Outcome<Val>) -> Outcome<Vec<Val>> {
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        keyed.push((key(&item)?.present()?, item));
    }
    let mut refusal = None;
    keyed.sort_by(|(left, _), (right, _)| {
        operate::order(left, right).unwrap_or_else(|fault| {
            refusal.get_or_insert(fault);
            Ordering::Equal
        })
    });
    match refusal {
        Some(fault) => Err(fault),
        None => Ok(keyed.into_iter().map(|(_, item)| item).collect()),
    }
}

fn list(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    arguments.bind(["value"])?.items(0).map(Val::list)
}

fn length(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["obj"])?;
    let value = bound.required(0)?;
    match value.len()? {
        Some(length) => Ok(Val::Int(length as i64)),
        None => Err(Fault::failed(format!("object of type `{}` has no length", value.type_name()))),
    }
}

fn end(arguments: Arguments, first: bool) -> Outcome<Val> {
    let bound = arguments.bind(["seq"])?;
    let value = bound.required(0)?;
    // One element of a long or lazy list is all that is touched.
    let found = match value {
        Val::List(list) if first => list.get(0)?,
        Val::List(list) => match list.len().checked_sub(1) {
            Some(last) => list.get(last)?,
            None => None,
        },
        other => {
            let items = other.iterate()?;
            if first { items.first().cloned() } else { items.last().cloned() }
        }
    };
    Ok(found
        .unwrap_or_else(|| Val::Missing(Fault::undefined(format!("no {} item, sequence was empty", if first { "first" } else { "last" })))))
}

fn sort(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "reverse", "case_sensitive", "attribute"])?;
    let (reverse, case_sensitive) = (bound.flag(1, false)?, bound.flag(2, false)?);
    let paths: Vec<Path> = match bound.some(3) {
        None => Vec::new(),
        Some(Val::Str(names)) => names.split(',').map(|name| Path::new(&Val::str(name))).collect::<Outcome<_>>()?,
        Some(other) => vec![Path::new(other)?],
    };
    let key = |item: &Val| -> Outcome<Val> {
        match &paths[..] {
            [] => Ok(folded(item.clone(), case_sensitive)),
            [path] => Ok(folded(path.of(item)?.present()?, case_sensitive)),
            several => {
                let parts = several.iter().map(|path| Ok(folded(path.of(item)?.present()?, case_sensitive)));
                parts.collect::<Outcome<Vec<_>>>().map(Val::tuple)
            }
        }
    };
    let mut items = bound.items(0)?;
    if !reverse {
        return sorted(items, key).map(Val::list);
    }
    // Equal elements keep their order in a reversed sort, too.
    items.reverse();
    let mut items = sorted(items, key)?;
    items.reverse();
    Ok(Val::list(items))
}

fn reverse(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value"])?;
    match bound.required(0)? {
        Val::Str(text) => Ok(Val::str(text.chars().rev().collect::<String>())),
        other => {
            let mut items = other.iterate()?;
            items.reverse();
            Ok(Val::list(items))
        }
    }
}

fn join(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "d", "attribute"])?;
    let separator = bound.text_or(1, "")?;
    let path = bound.some(2).map(Path::new).transpose()?;
    let mut joined = String::new();
    for (index, item) in bound.items(0)?.into_iter().enumerate() {
        if index > 0 {
            joined.push_str(&separator);
        }
        let item = match &path {
            Some(path) => path.of(&item)?,
            None => item,
        };
        joined.push_str(&item.present()?.text()?);
    }
    Ok(Val::str(joined))
}

fn sum(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["iterable", "attribute", "start"])?;
    let path = bound.some(1).map(Path::new).transpose()?;
    let mut total = bound.get(2).cloned().unwrap_or(Val::Int(0));
    for item in bound.items(0)? {
        let item = match &path {
            Some(path) => path.of(&item)?,
            None => item,
        };
        total = operate::binary(Operator::Add, &total, &item)?;
    }
    Ok(total)
}

fn batch(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "linecount", "fill_with"])?;
    let size = usize::try_from(bound.int_or(1, 0)?).unwrap_or(0).max(1);
    let mut rows: Vec<Vec<Val>> = bound.items(0)?.chunks(size).map(<[Val]>::to_vec).collect();
    if let (Some(fill), Some(last)) = (bound.some(2), rows.last_mut()) {
        last.resize(size, fill.clone());
    }
    Ok(Val::list(rows.into_iter().map(Val::list).collect()))
}

fn slice(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "slices", "fill_with"])?;
    let slices = usize::try_from(bound.int_or(1, 0)?)
        .ok()
        .filter(|slices| *slices > 0)
        .ok_or_else(|| Fault::failed("the number of slices must be positive"))?;
    let items = bound.items(0)?;
    let (each, longer) = (items.len() / slices, items.len() % slices);
    let mut rest = items.into_iter();
    let mut columns = Vec::with_capacity(slices);
    for index in 0..slices {
        let mut column: Vec<Val> = rest.by_ref().take(each + usize::from(index < longer)).collect();
        if let Some(fill) = bound.some(2)
            && index >= longer
        {
            column.push(fill.clone());
        }
        columns.push(Val::list(column));
    }
    Ok(Val::list(columns))
}

fn items(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    match arguments.bind(["value"])?.required(0)? {
        Val::Map(dict) => super::super::methods::containers::call_map(dict, "items", Arguments::default()),
        other => Err(Fault::failed(format!("a mapping is expected, not `{}`", other.type_name()))),
    }
}

fn dict_sort(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "case_sensitive", "by", "reverse"])?;
    let Val::Map(dict) = bound.required(0)? else {
        return Err(Fault::failed("a mapping is expected"));
    };
    let case_sensitive = bound.flag(1, false)?;
    let by_value = match bound.text_or(2, "key")?.as_ref() {
        "key" => false,
        "value" => true,
        other => return Err(Fault::failed(format!("`by` must be `key` or `value`, not `{other}`"))),
    };
    let pairs = dict.entries()?.iter().map(|(key, value)| super::super::methods::containers::pair(key, value.clone())).collect();
    let mut pairs = sorted(pairs, |pair| {
        let part = operate::subscript(pair, &Val::Int(i64::from(by_value)))?.unwrap_or(Val::Null);
        Ok(folded(part, case_sensitive))
    })?;
    if bound.flag(3, false)? {
        pairs.reverse();
    }
    Ok(Val::list(pairs))
}
