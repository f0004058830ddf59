//! Methods of values, as Python's types have them: `text.split()`, `dict.items()`, `list.append()`, fields of points in time.
//! Only what is safe from a template: nothing that begins with an underscore.

pub(crate) mod containers;
pub(crate) mod text;
pub(crate) mod time;

use super::arguments::Arguments;
use super::data::Val;
use super::exec::lock;
use super::fault::{Fault, Outcome};
use super::object::Object;
use super::operate;

/// Whether values of this type have a method of this name.
pub(crate) fn exists(value: &Val, name: &str) -> bool {
    match value {
        Val::Str(_) => text::METHODS.contains(&name),
        Val::Bytes(_) => name == "decode",
        Val::List(_) => containers::LIST_METHODS.contains(&name),
        Val::Tuple(_) => matches!(name, "count" | "index"),
        Val::Map(_) => containers::MAP_METHODS.contains(&name),
        Val::Int(_) | Val::Bool(_) => matches!(name, "bit_length" | "__and__" | "__or__" | "__xor__" | "__lshift__" | "__rshift__"),
        Val::Float(_) => matches!(name, "is_integer"),
        Val::Object(object) => object_has(object, name),
        Val::Missing(_) | Val::Null | Val::Omit => false,
    }
}

fn object_has(object: &Object, name: &str) -> bool {
    match object {
        Object::Loop(_) => matches!(name, "cycle" | "changed"),
        Object::Cycler(_) => matches!(name, "next" | "reset"),
        Object::Moment(_) => time::MOMENT_METHODS.contains(&name),
        Object::Duration(_) => name == "total_seconds",
        _ => false,
    }
}

pub(crate) fn call(value: &Val, name: &str, arguments: Arguments) -> Outcome<Val> {
    match value {
        Val::Str(content) => text::call(content, name, arguments),
        Val::Bytes(content) => Ok(Val::str(String::from_utf8_lossy(content))),
        Val::List(list) => containers::call_list(list, name, arguments),
        Val::Tuple(items) => containers::call_items(items, name, arguments),
        Val::Map(dict) => containers::call_map(dict, name, arguments),
        Val::Int(_) | Val::Bool(_) => whole(value, name, arguments),
        Val::Float(number) => Ok(Val::Bool(number.fract() == 0.0)),
        Val::Object(object) => call_object(object, name, arguments),
        other => Err(Fault::failed(format!("`{}` has no method `{name}`", other.type_name()))),
    }
}

fn whole(value: &Val, name: &str, arguments: Arguments) -> Outcome<Val> {
    let number = super::number::whole(value).unwrap_or(0);
    if name == "bit_length" {
        return Ok(Val::Int(i64::from(64 - number.unsigned_abs().leading_zeros())));
    }
    let bound = arguments.bind(["value"])?;
    bound.required(0)?;
    let other = bound.int_or(0, 0)?;
    let shift = || u32::try_from(other).map_err(|_| Fault::failed("negative shift count"));
    Ok(Val::Int(match name {
        "__and__" => number & other,
        "__or__" => number | other,
        "__xor__" => number ^ other,
        "__lshift__" => number.checked_shl(shift()?).ok_or_else(super::number::overflow)?,
        _ => number.checked_shr(shift()?).unwrap_or(if number < 0 { -1 } else { 0 }),
    }))
}

fn call_object(object: &Object, name: &str, arguments: Arguments) -> Outcome<Val> {
    match (object, name) {
        (Object::Loop(state), "cycle") => match arguments.positional.len() {
            0 => Err(Fault::failed("`loop.cycle()` needs at least one item")),
            length => Ok(arguments.positional[state.index % length].clone()),
        },
        (Object::Loop(state), _) => {
            let mut last = lock(&state.changed);
            let same = match &*last {
                Some(before) if before.len() == arguments.positional.len() => {
                    let mut same = true;
                    for (left, right) in before.iter().zip(&arguments.positional) {
                        same &= operate::equal(left, right)?;
                    }
                    same
                }
                _ => false,
            };
            *last = Some(arguments.positional);
            Ok(Val::Bool(!same))
        }
        (Object::Cycler(cycler), "next") => {
            let mut position = lock(&cycler.1);
            let item = cycler.0[*position % cycler.0.len()].clone();
            *position += 1;
            Ok(item)
        }
        (Object::Cycler(cycler), _) => {
            *lock(&cycler.1) = 0;
            Ok(Val::Null)
        }
        (Object::Moment(moment), _) => time::call_moment(moment, name, arguments),
        (Object::Duration(duration), _) => Ok(Val::Float(duration.as_secs_f64())),
        (other, _) => Err(Fault::failed(format!("`{}` has no method `{name}`", other.type_name()))),
    }
}
