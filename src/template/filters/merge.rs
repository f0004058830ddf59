//! `combine`: mappings merged, later ones winning.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::base::Key;

use super::super::arguments::Arguments;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::operate;
use super::super::scope::Scope;
use super::collections::flattened;

/// What becomes of lists that stand on both sides.
#[derive(Clone, Copy)]
enum ListMerge {
    Replace,
    Keep,
    Append,
    Prepend,
    AppendOnly,
    PrependOnly,
}

impl ListMerge {
    fn by_name(name: &str) -> Outcome<ListMerge> {
        Ok(match name {
            "replace" => ListMerge::Replace,
            "keep" => ListMerge::Keep,
            "append" => ListMerge::Append,
            "prepend" => ListMerge::Prepend,
            "append_rp" => ListMerge::AppendOnly,
            "prepend_rp" => ListMerge::PrependOnly,
            other => {
                let known = ["replace", "keep", "append", "prepend", "append_rp", "prepend_rp"];
                return Err(Fault::failed(format!("`list_merge` must be one of `{}`, not `{other}`", known.join("`, `")))
                    .did_you_mean(other, known));
            }
        })
    }
}

pub(crate) fn combine(mut arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let recursive = arguments.take("recursive").map_or(Ok(false), |value| value.truth())?;
    let lists = arguments.take("list_merge").map_or(Ok(ListMerge::Replace), |value| ListMerge::by_name(&value.text()?))?;
    if let Some((name, _)) = arguments.named.first() {
        return Err(Fault::failed(format!("there is no argument `{name}`")).did_you_mean(name, ["recursive", "list_merge"]));
    }
    // `[a, b] | combine` is the same as `a | combine(b)`.
    let mappings = flattened(&arguments.positional, Some(1), true)?;
    let mut merged: Option<IndexMap<Key, Val>> = None;
    for mapping in &mappings {
        let Val::Map(dict) = mapping else {
            return Err(Fault::failed(format!("mappings are expected, not `{}`", mapping.type_name())));
        };
        merged = Some(match merged {
            None => dict.map()?,
            Some(merged) => merge(merged, dict.map()?, recursive, lists)?,
        });
    }
    Ok(Val::dict(merged.unwrap_or_default()))
}

fn merge(mut low: IndexMap<Key, Val>, high: IndexMap<Key, Val>, recursive: bool, lists: ListMerge) -> Outcome<IndexMap<Key, Val>> {
    for (key, value) in high {
        let merged = match (low.get(&key), &value) {
            (Some(Val::Map(old)), Val::Map(new)) if recursive => Val::dict(merge(old.map()?, new.map()?, recursive, lists)?),
            (Some(Val::List(old)), Val::List(new)) => merge_lists(old.items()?, new.items()?, lists)?,
            _ => value,
        };
        low.insert(key, merged);
    }
    Ok(low)
}

fn merge_lists(old: Vec<Val>, new: Vec<Val>, lists: ListMerge) -> Outcome<Val> {
    let without = |items: Vec<Val>, others: &[Val]| -> Outcome<Vec<Val>> {
        let mut kept = Vec::new();
        'items: for item in items {
            for other in others {
                if operate::equal(&item, other)? {
                    continue 'items;
                }
            }
            kept.push(item);
        }
        Ok(kept)
    };
    Ok(Val::list(match lists {
        ListMerge::Replace => new,
        ListMerge::Keep => old,
        ListMerge::Append => [old, new].concat(),
        ListMerge::Prepend => [new, old].concat(),
        ListMerge::AppendOnly => [without(old, &new)?, new].concat(),
        ListMerge::PrependOnly => {
            let old = without(old, &new)?;
            [new, old].concat()
        }
    }))
}
