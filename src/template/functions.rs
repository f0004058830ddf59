//! The functions every template has: `range`, `dict`, `namespace`, `lookup`, `now` …

use std::sync::{Arc, Mutex};

use indexmap::IndexMap;

use super::arguments::Arguments;
use super::context::Beyond;
use super::data::Val;
use super::fault::{Fault, Outcome};
use super::lookups;
use super::methods::time;
use super::number;
use super::object::{Function, Object};
use super::scope::Scope;

pub(crate) fn call(function: Function, arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Val> {
    match function {
        Function::Range => range(arguments),
        Function::Dict => dict(arguments),
        Function::Namespace => {
            let Val::Map(entries) = dict(arguments)? else {
                return Err(Fault::failed("`namespace()` takes a mapping or named values"));
            };
            let entries = entries.entries()?.into_iter().map(|(key, value)| (key.to_string().into(), value)).collect::<IndexMap<_, _>>();
            Ok(Val::Object(Object::namespace(entries)))
        }
        Function::Cycler => {
            if arguments.positional.is_empty() {
                return Err(Fault::failed("`cycler()` needs at least one item"));
            }
            Ok(Val::Object(Object::Cycler(Arc::new((arguments.positional, Mutex::new(0))))))
        }
        Function::Joiner => {
            let bound = arguments.bind(["sep"])?;
            Ok(Val::Object(Object::Joiner(Arc::new((bound.text_or(0, ", ")?, Mutex::new(false))))))
        }
        Function::Lookup => lookups::from_template(arguments, scope, false),
        Function::Query => lookups::from_template(arguments, scope, true),
        Function::Now => {
            scope.go_beyond(Beyond::Once)?;
            now(arguments)
        }
        Function::Undef => {
            let bound = arguments.bind(["hint"])?;
            Ok(Val::Missing(Fault::undefined(bound.text_or(0, "Mandatory variable has not been overridden")?.to_string())))
        }
    }
}

fn range(arguments: Arguments) -> Outcome<Val> {
    let mut numbers = Vec::new();
    for value in &arguments.positional {
        numbers.push(
            number::whole(value).ok_or_else(|| Fault::failed(format!("`range()` wants whole numbers, not `{}`", value.type_name())))?,
        );
    }
    let (start, stop, step) = match numbers[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] => (start, stop, step),
        _ => return Err(Fault::failed("`range()` takes one to three numbers")),
    };
    if step == 0 {
        return Err(Fault::failed("the step of `range()` cannot be zero"));
    }
    Ok(Val::Object(Object::Range { start, stop, step }))
}

/// `dict(mapping)`, `dict(pairs)`, `dict(name=value)`.
fn dict(arguments: Arguments) -> Outcome<Val> {
    let mut entries = IndexMap::new();
    match arguments.positional.first() {
        None => {}
        Some(Val::Map(map)) => entries.extend(map.entries()?),
        Some(pairs) => {
            for pair in pairs.iterate()? {
                match &pair.iterate()?[..] {
                    [key, value] => entries.insert(key.to_key()?, value.clone()),
                    other => return Err(Fault::failed(format!("`dict()` wants pairs, and one has {} elements", other.len()))),
                };
            }
        }
    }
    for (name, value) in arguments.named {
        entries.insert(name.into(), value);
    }
    Ok(Val::dict(entries))
}

fn now(arguments: Arguments) -> Outcome<Val> {
    let bound = arguments.bind(["utc", "fmt"])?;
    let zone = if bound.flag(0, false)? { jiff::tz::TimeZone::UTC } else { jiff::tz::TimeZone::system() };
    let moment = jiff::Timestamp::now().to_zoned(zone).datetime();
    match bound.some_text(1)? {
        Some(format) => time::strftime(&moment, &format).map(Val::str),
        None => Ok(Val::Object(Object::Moment(moment))),
    }
}
