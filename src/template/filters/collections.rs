//! Filters of ansible-core on lists and mappings: merging, reshaping, sets, combinations.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::base::Key;

use super::super::arguments::Arguments;
use super::super::containers::Dict;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::operate;
use super::super::scope::Scope;
use super::choose::Path;
use super::sequence::folded;
use super::{Filter, filter, merge};

pub(crate) const FILTERS: &[Filter] = &[
    filter("combine", merge::combine),
    filter("dict2items", dict_to_items),
    filter("items2dict", items_to_dict),
    filter("subelements", subelements),
    filter("flatten", flatten),
    filter("extract", extract),
    filter("rekey_on_member", rekey),
    filter("zip", zip),
    filter("zip_longest", zip_longest),
    filter("product", product),
    filter("permutations", |arguments, _| choices(arguments, true)),
    filter("combinations", |arguments, _| choices(arguments, false)),
    filter("unique", unique),
    filter("union", |arguments, _| sets(arguments, |left, right| distinct([left, right].concat()))),
    filter("intersect", |arguments, _| sets(arguments, |left, right| distinct(keep(left, &right, true)?))),
    filter("difference", |arguments, _| sets(arguments, |left, right| distinct(keep(left, &right, false)?))),
    filter("symmetric_difference", |arguments, _| {
        sets(arguments, |left, right| {
            let mut only = keep(left.clone(), &right, false)?;
            only.extend(keep(right, &left, false)?);
            distinct(only)
        })
    }),
    filter("min", |arguments, _| extreme(arguments, std::cmp::Ordering::Less)),
    filter("max", |arguments, _| extreme(arguments, std::cmp::Ordering::Greater)),
];

fn mapping(value: &Val) -> Outcome<&Dict> {
    match value {
        Val::Map(dict) => Ok(dict),
        other => Err(Fault::failed(format!("a mapping is expected, not `{}`", other.type_name()))),
    }
}

fn sequence(value: &Val) -> Outcome<Vec<Val>> {
    match value {
        Val::List(_) | Val::Tuple(_) => value.iterate(),
        Val::Object(object) if object.is_range() => object.iterate(),
        other => Err(Fault::failed(format!("a list is expected, not `{}`", other.type_name()))),
    }
}

fn dict_to_items(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["mydict", "key_name", "value_name"])?;
    let (key_name, value_name) = (bound.text_or(1, "key")?, bound.text_or(2, "value")?);
    let items = mapping(bound.required(0)?)?.entries()?;
    Ok(Val::list(
        items.into_iter().map(|(key, value)| Val::dict([(key_name.clone(), Val::from_key(&key)), (value_name.clone(), value)])).collect(),
    ))
}

fn items_to_dict(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["mylist", "key_name", "value_name"])?;
    let (key_name, value_name) = (bound.text_or(1, "key")?, bound.text_or(2, "value")?);
    let mut entries = IndexMap::new();
    for item in sequence(bound.required(0)?)? {
        let item = mapping(&item)?;
        match (item.get(&Key::Str(key_name.clone()))?, item.get(&Key::Str(value_name.clone()))?) {
            (Some(key), Some(value)) => entries.insert(key.to_key()?, value),
            _ => return Err(Fault::failed(format!("every mapping in the list must have the keys `{key_name}` and `{value_name}`"))),
        };
    }
    Ok(Val::dict(entries))
}

fn subelements(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["obj", "subelements", "skip_missing"])?;
    let path: Vec<String> = match bound.required(1)? {
        Val::Str(text) => text.split('.').map(str::to_owned).collect(),
        other => sequence(other)?.iter().map(|part| Ok(part.text()?.to_string())).collect::<Outcome<_>>()?,
    };
    let pairs = subelement_pairs(bound.required(0)?, &path, bound.flag(2, false)?)?;
    Ok(Val::list(pairs.into_iter().map(|(element, part)| Val::tuple(vec![element, part])).collect()))
}

/// Each element with each of the parts that a path leads to.
pub(crate) fn subelement_pairs(value: &Val, path: &[String], skip_missing: bool) -> Outcome<Vec<(Val, Val)>> {
    let elements = match value {
        Val::Map(dict) => dict.entries()?.into_iter().map(|(_, value)| value).collect(),
        other => sequence(other)?,
    };
    let mut pairs = Vec::new();
    'elements: for element in elements {
        let mut parts = element.clone();
        for step in path {
            let Val::Map(dict) = &parts else {
                if skip_missing {
                    continue 'elements;
                }
                return Err(Fault::failed(format!(
                    "the key {step} should point to a dictionary, got `{}`",
                    parts.text().unwrap_or_default()
                )));
            };
            parts = match dict.get(&Key::from(step.as_str()))? {
                Some(next) => next,
                None if skip_missing => continue 'elements,
                None => {
                    let within = parts.text().unwrap_or_default();
                    return Err(Fault::failed(format!("could not find `{step}` key in iterated item `{within}`"))
                        .help("give `skip_missing=True` to leave such elements out"));
                }
            };
        }
        let Val::List(list) = &parts else {
            return Err(Fault::failed(format!(
                "the key {} should point to a list, got `{}`",
                path.join("."),
                parts.text().unwrap_or_default()
            )));
        };
        for part in list.items()? {
            pairs.push((element.clone(), part));
        }
    }
    Ok(pairs)
}

fn flatten(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["mylist", "levels", "skip_nulls"])?;
    Ok(Val::list(flattened(&bound.items(0)?, bound.int(1)?, bound.flag(2, true)?)?))
}

pub(crate) fn flattened(items: &[Val], levels: Option<i64>, skip_nulls: bool) -> Outcome<Vec<Val>> {
    let mut flat = Vec::new();
    for item in items {
        let null = matches!(item, Val::Null) || matches!(item.as_str(), Some("None" | "null"));
        if skip_nulls && null {
            continue;
        }
        match item {
            Val::List(_) | Val::Tuple(_) if levels.is_none_or(|levels| levels >= 1) => {
                flat.extend(flattened(&item.iterate()?, levels.map(|levels| levels - 1), skip_nulls)?);
            }
            other => flat.push(other.clone()),
        }
    }
    Ok(flat)
}

fn extract(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["item", "container", "morekeys"])?;
    let mut keys = vec![bound.required(0)?.clone()];
    match bound.some(2) {
        Some(Val::List(more)) => keys.extend(more.items()?),
        Some(other) => keys.push(other.clone()),
        None => {}
    }
    let mut value = bound.required(1)?.clone();
    for key in keys {
        value = operate::item(&value, &key)?;
    }
    Ok(value)
}

fn rekey(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["data", "key", "duplicates"])?;
    let member = bound.required(1)?.to_key()?;
    let overwrite = match bound.text_or(2, "error")?.as_ref() {
        "error" => false,
        "overwrite" => true,
        other => return Err(Fault::failed(format!("duplicates parameter to rekey_on_member has unknown value: `{other}`"))),
    };
    let items = match bound.required(0)? {
        Val::Map(dict) => dict.entries()?.into_iter().map(|(_, value)| value).collect(),
        other @ (Val::List(_) | Val::Tuple(_)) => sequence(other)?,
        _ => return Err(Fault::failed("Type is not a valid list, set, or dict")),
    };
    let mut rekeyed = IndexMap::new();
    for item in items {
        let Val::Map(dict) = &item else { return Err(Fault::failed("List item is not a valid dict")) };
        let key = dict.get(&member)?.ok_or_else(|| Fault::failed(format!("Key {member} was not found")))?.to_key()?;
        if rekeyed.contains_key(&key) && !overwrite {
            return Err(Fault::failed(format!("Key {key} is not unique, cannot convert to dict"))
                .help("give `duplicates='overwrite'` to keep the last"));
        }
        rekeyed.insert(key, item);
    }
    Ok(Val::dict(rekeyed))
}

fn columns(values: &[Val]) -> Outcome<Vec<Vec<Val>>> {
    values.iter().map(Val::iterate).collect()
}

fn zip(mut arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let strict = arguments.take("strict").map_or(Ok(false), |value| value.truth())?;
    let columns = columns(&arguments.positional)?;
    let length = columns.iter().map(Vec::len).min().unwrap_or(0);
    if strict && columns.iter().any(|column| column.len() != length) {
        return Err(Fault::failed("the lists differ in length"));
    }
    Ok(Val::list((0..length).map(|row| Val::tuple(columns.iter().map(|column| column[row].clone()).collect::<Vec<_>>())).collect()))
}

fn zip_longest(mut arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let fill = arguments.take("fillvalue").unwrap_or(Val::Null);
    let columns = columns(&arguments.positional)?;
    let length = columns.iter().map(Vec::len).max().unwrap_or(0);
    let row = |row: usize| columns.iter().map(|column| column.get(row).cloned().unwrap_or_else(|| fill.clone())).collect::<Vec<_>>();
    Ok(Val::list((0..length).map(|index| Val::tuple(row(index))).collect()))
}

/// The results of a product or a permutation may be this many; more is a mistake.
const MOST: usize = 5_000_000;

fn product(mut arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let repeat = arguments.take("repeat").and_then(|value| super::super::number::whole(&value)).unwrap_or(1);
    let once = columns(&arguments.positional)?;
    let columns: Vec<Vec<Val>> = once.iter().cycle().take(once.len() * usize::try_from(repeat).unwrap_or(0)).cloned().collect();
    if columns.iter().try_fold(1usize, |total, column| total.checked_mul(column.len())).is_none_or(|total| total > MOST) {
        return Err(Fault::failed("the product is too large"));
    }
    Ok(Val::list(products(&columns).into_iter().map(Val::tuple).collect()))
}

/// One of each, the last changing fastest.
pub(crate) fn products(columns: &[Vec<Val>]) -> Vec<Vec<Val>> {
    columns.iter().fold(vec![Vec::new()], |rows, column| {
        let extended = |row: &Vec<Val>, item: &Val| row.iter().cloned().chain([item.clone()]).collect::<Vec<_>>();
        rows.iter().flat_map(|row| column.iter().map(move |item| extended(row, item))).collect()
    })
}

fn choices(arguments: Arguments, ordered: bool) -> Outcome<Val> {
    let bound = arguments.bind(["iterable", "r"])?;
    let items = bound.items(0)?;
    let size = match bound.int(1)? {
        Some(size) => usize::try_from(size).map_err(|_| Fault::failed("the size must not be negative"))?,
        None if ordered => items.len(),
        None => return Err(Fault::failed("the size of the combinations is missing")),
    };
    let mut found = Vec::new();
    pick(items.len(), size, ordered, &mut Vec::new(), &mut found)?;
    Ok(Val::list(
        found.into_iter().map(|picked| Val::tuple(picked.into_iter().map(|index| items[index].clone()).collect::<Vec<_>>())).collect(),
    ))
}

fn pick(count: usize, size: usize, ordered: bool, picked: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) -> Outcome<()> {
    if picked.len() == size {
        found.push(picked.clone());
        return if found.len() > MOST { Err(Fault::failed("there are too many of them")) } else { Ok(()) };
    }
    let start = if ordered { 0 } else { picked.last().map_or(0, |last| last + 1) };
    for index in start..count {
        if ordered && picked.contains(&index) {
            continue;
        }
        picked.push(index);
        pick(count, size, ordered, picked, found)?;
        picked.pop();
    }
    Ok(())
}

/// The first of every group of equal values, in order. Scalars are found by their text, so long lists stay quick.
fn distinct_by(items: Vec<Val>, key: impl Fn(&Val) -> Outcome<Val>) -> Outcome<Vec<Val>> {
    let mut seen = HashSet::new();
    let mut containers: Vec<Val> = Vec::new();
    let mut kept = Vec::new();
    for item in items {
        let key = key(&item)?.present()?;
        let fresh = match identity(&key)? {
            Some(identity) => seen.insert(identity),
            None => {
                let known = contains(&containers, &key)?;
                if !known {
                    containers.push(key);
                }
                !known
            }
        };
        if fresh {
            kept.push(item);
        }
    }
    Ok(kept)
}

/// Equal scalars have equal identities; containers have none.
fn identity(value: &Val) -> Outcome<Option<String>> {
    Ok(match value {
        Val::List(_) | Val::Map(_) | Val::Object(_) => None,
        Val::Tuple(items) if items.iter().any(|item| matches!(item, Val::List(_) | Val::Map(_))) => None,
        Val::Bool(flag) => Some(format!("{}", i64::from(*flag))),
        Val::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(format!("{}", *number as i64)),
        other => Some(other.repr()?),
    })
}

fn contains(items: &[Val], wanted: &Val) -> Outcome<bool> {
    for item in items {
        if operate::equal(item, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn distinct(items: Vec<Val>) -> Outcome<Vec<Val>> {
    distinct_by(items, |item| Ok(item.clone()))
}

fn unique(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "case_sensitive", "attribute"])?;
    // Jinja's default folds case, ansible-core 2.19 passes `bool(None)` on: the same.
    let case_sensitive = bound.flag(1, false)?;
    let path = bound.some(2).map(Path::new).transpose()?;
    // Python's sets hold no lists and mappings; ansible-core's own way of telling them apart takes none of these arguments.
    let has_choice = path.is_some() || matches!(bound.some(1), Some(Val::Bool(false)));
    let key = |item: &Val| -> Outcome<Val> {
        let value = match &path {
            Some(path) => path.of(item)?,
            None => item.clone(),
        };
        if has_choice && matches!(value, Val::List(_) | Val::Map(_)) {
            return Err(Fault::failed(
                "Jinja's filter failed and we cannot fall back to ansible-core's own, which knows neither `case_sensitive` nor `attribute`",
            ));
        }
        Ok(folded(value, case_sensitive))
    };
    distinct_by(bound.items(0)?, key).map(Val::list)
}

/// The elements that are, or are not, in another list.
fn keep(items: Vec<Val>, other: &[Val], wanted: bool) -> Outcome<Vec<Val>> {
    let known: HashSet<String> = other.iter().filter_map(|item| identity(item).transpose()).collect::<Outcome<_>>()?;
    let mut kept = Vec::new();
    for item in items {
        let found = match identity(&item)? {
            Some(identity) => known.contains(&identity),
            None => contains(other, &item)?,
        };
        if found == wanted {
            kept.push(item);
        }
    }
    Ok(kept)
}

fn sets(arguments: Arguments, operation: fn(Vec<Val>, Vec<Val>) -> Outcome<Vec<Val>>) -> Outcome<Val> {
    let bound = arguments.bind(["a", "b"])?;
    operation(bound.items(0)?, bound.items(1)?).map(Val::list)
}

fn extreme(arguments: Arguments, wanted: std::cmp::Ordering) -> Outcome<Val> {
    let bound = arguments.bind(["value", "case_sensitive", "attribute"])?;
    let case_sensitive = bound.flag(1, false)?;
    let path = bound.some(2).map(Path::new).transpose()?;
    let mut best: Option<(Val, Val)> = None;
    for item in bound.items(0)? {
        let key = match &path {
            Some(path) => path.of(&item)?.present()?,
            None => item.clone(),
        };
        let key = folded(key, case_sensitive);
        let better = match &best {
            Some((known, _)) => operate::order(&key, known)? == wanted,
            None => true,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(|| Val::Missing(Fault::undefined("no aggregated item, sequence was empty")), |(_, item)| item))
}
