//! Filters that apply a test, a filter or an attribute to every element: `map`, `select`, `selectattr` and their opposites, `groupby`.

use std::sync::Arc;

use super::super::arguments::Arguments;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::scope::Scope;
use super::super::{operate, plugins, tests};
use super::{Filter, filter};

pub(crate) const FILTERS: &[Filter] = &[
    filter("map", map),
    filter("select", |arguments, scope| choose(arguments, scope, true)),
    filter("reject", |arguments, scope| choose(arguments, scope, false)),
    filter("selectattr", |arguments, scope| choose_by(arguments, scope, true)),
    filter("rejectattr", |arguments, scope| choose_by(arguments, scope, false)),
    filter("groupby", group),
];

/// An attribute path as Jinja reads it: `a.b.0` goes down step by step; a whole number is an index.
#[derive(Clone)]
pub(crate) struct Path(Vec<Val>);

impl Path {
    pub fn new(attribute: &Val) -> Outcome<Path> {
        Ok(match attribute {
            Val::Str(text) => Path(text.split('.').map(|part| part.parse::<i64>().map_or_else(|_| Val::str(part), Val::Int)).collect()),
            Val::Int(_) => Path(vec![attribute.clone()]),
            other => return Err(Fault::failed(format!("an attribute is named by text, not by `{}`", other.type_name()))),
        })
    }

    pub fn of(&self, value: &Val) -> Outcome<Val> {
        let mut value = value.clone();
        for part in &self.0 {
            value = operate::item(&value, part)?;
        }
        Ok(value)
    }

    /// The attribute, or a default where it is missing.
    pub fn of_or(&self, value: &Val, default: Option<&Val>) -> Outcome<Val> {
        match (self.of(value)?, default) {
            (Val::Missing(fault), Some(default)) if fault.is_undefined() => Ok(default.clone()),
            (found, _) => Ok(found),
        }
    }
}

fn elements(arguments: &mut Arguments) -> Outcome<Vec<Val>> {
    if arguments.positional.is_empty() {
        return Err(Fault::failed("there is nothing to go through"));
    }
    match arguments.positional.remove(0) {
        Val::Null => Ok(Vec::new()),
        value => value.iterate(),
    }
}

fn map(mut arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Val> {
    let items = elements(&mut arguments)?;
    if arguments.positional.is_empty()
        && let Some(attribute) = arguments.take("attribute")
    {
        let default = arguments.take("default");
        if let Some((name, _)) = arguments.named.first() {
            return Err(Fault::failed(format!("there is no argument `{name}`")));
        }
        let path = Path::new(&attribute)?;
        return items.iter().map(|item| path.of_or(item, default.as_ref())).collect::<Outcome<Vec<_>>>().map(Val::list);
    }
    if arguments.positional.is_empty() {
        return Err(Fault::failed("a filter or an `attribute` is needed"));
    }
    let name = arguments.positional.remove(0).text()?;
    let filter = super::find(&name);
    let apply = |item: Val| {
        let mut call = arguments.clone();
        call.positional.insert(0, item);
        let called = match filter {
            Some(filter) => filter.call(call, scope),
            None => plugins::call("filter", &name, call, scope).ok_or_else(|| super::unknown(&name))?,
        };
        Ok(called.unwrap_or_else(Val::Missing))
    };
    items.into_iter().map(apply).collect::<Outcome<Vec<_>>>().map(Val::list)
}

/// Whether the elements pass a test; without a test, whether they are true.
fn passes(arguments: &Arguments, value: Val, scope: &Arc<Scope>) -> Outcome<bool> {
    let Some(name) = arguments.positional.first() else {
        return value.truth();
    };
    let name = name.text()?;
    let mut call = arguments.clone();
    call.positional[0] = value;
    match tests::find(&name) {
        Some(test) => test.call(call, scope)?.truth(),
        None => plugins::call("test", &name, call, scope).ok_or_else(|| tests::unknown(&name))??.truth(),
    }
}

fn choose(mut arguments: Arguments, scope: &Arc<Scope>, wanted: bool) -> Outcome<Val> {
    let mut kept = Vec::new();
    for item in elements(&mut arguments)? {
        if passes(&arguments, item.clone(), scope)? == wanted {
            kept.push(item);
        }
    }
    Ok(Val::list(kept))
}

fn choose_by(mut arguments: Arguments, scope: &Arc<Scope>, wanted: bool) -> Outcome<Val> {
    let items = elements(&mut arguments)?;
    if arguments.positional.is_empty() {
        return Err(Fault::failed("the name of an attribute is needed"));
    }
    let path = Path::new(&arguments.positional.remove(0))?;
    let mut kept = Vec::new();
    for item in items {
        if passes(&arguments, path.of(&item)?, scope)? == wanted {
            kept.push(item);
        }
    }
    Ok(Val::list(kept))
}

fn group(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "attribute", "default", "case_sensitive"])?;
    let path = Path::new(bound.required(1)?)?;
    let case_sensitive = bound.flag(3, false)?;
    let key = |item: &Val| -> Outcome<Val> { Ok(super::sequence::folded(path.of_or(item, bound.get(2))?, case_sensitive)) };
    let sorted = super::sequence::sorted(bound.items(0)?, key)?;
    let mut groups: Vec<(Val, Vec<Val>)> = Vec::new();
    for item in sorted {
        let value = key(&item)?;
        match groups.last_mut() {
            Some((last, items)) if operate::equal(last, &value)? => items.push(item),
            _ => groups.push((value, vec![item])),
        }
    }
    let named = groups.into_iter().map(|(value, items)| {
        // Without case, the name is that of the group's first element.
        let name = if case_sensitive { value } else { path.of_or(&items[0], bound.get(2))? };
        Ok(Val::tuple(vec![name, Val::list(items)]))
    });
    named.collect::<Outcome<Vec<_>>>().map(Val::list)
}
