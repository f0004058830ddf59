//! What operators do: Python's rules for mixed types, comparison, containment, slices.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::base::Key;

use super::code::Operator;
use super::data::Val;
use super::fault::{Fault, Outcome};
use super::format;
use super::number::{self, Number};
use super::object::Object;

pub(crate) fn binary(operator: Operator, left: &Val, right: &Val) -> Outcome<Val> {
    for side in [left, right] {
        if let Val::Missing(fault) = side
            && !(fault.is_nothing() && operator == Operator::Concat)
        {
            return Err(fault.clone());
        }
    }
    if operator == Operator::Concat {
        return Ok(Val::str(format!("{}{}", left.text()?, right.text()?)));
    }
    if let (Some(left), Some(right)) = (number::of(left), number::of(right)) {
        return arithmetic(operator, left, right).map(Val::from);
    }
    match (operator, left, right) {
        (Operator::Add, Val::Str(left), Val::Str(right)) => Ok(Val::str(format!("{left}{right}"))),
        (Operator::Add, Val::List(left), Val::List(right)) => {
            let mut items = left.items()?;
            items.extend(right.items()?);
            Ok(Val::list(items))
        }
        (Operator::Add, Val::Tuple(left), Val::Tuple(right)) => {
            Ok(Val::tuple(left.iter().chain(right.iter()).cloned().collect::<Vec<_>>()))
        }
        (Operator::Multiply, sequence, count) | (Operator::Multiply, count, sequence)
            if number::whole(count).is_some() && repeatable(sequence) =>
        {
            repeat(sequence, number::whole(count).unwrap_or(0))
        }
        (Operator::Remainder, Val::Str(template), values) => format::percent(template, values).map(Val::str),
        (_, Val::Object(left), Val::Object(right)) => super::methods::time::arithmetic(operator, left, right),
        _ => Err(unsupported(operator, left, right)),
    }
}

fn arithmetic(operator: Operator, left: Number, right: Number) -> Outcome<Number> {
    match operator {
        Operator::Add => number::add(left, right),
        Operator::Subtract => number::subtract(left, right),
        Operator::Multiply => number::multiply(left, right),
        Operator::Divide => number::divide(left, right),
        Operator::FloorDivide => number::floor_divide(left, right),
        Operator::Remainder => number::remainder(left, right),
        Operator::Power => number::power(left, right),
        Operator::Concat => Err(Fault::failed("numbers are concatenated as text")),
    }
}

pub(crate) fn unsupported(operator: Operator, left: &Val, right: &Val) -> Fault {
    let sign = match operator {
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::FloorDivide => "//",
        Operator::Remainder => "%",
        Operator::Power => "**",
        Operator::Concat => "~",
    };
    let fault = Fault::failed(format!("`{sign}` cannot be used on `{}` and `{}`", left.type_name(), right.type_name()));
    match (operator, left, right) {
        (Operator::Add, Val::Str(_), _) | (Operator::Add, _, Val::Str(_)) => {
            fault.help("join texts with `~`, or make a number of the text with `| int`")
        }
        _ => fault,
    }
}

fn repeatable(value: &Val) -> bool {
    matches!(value, Val::Str(_) | Val::List(_) | Val::Tuple(_))
}

/// Results larger than this are a mistake, not a wish.
const LONGEST: usize = 100_000_000;

fn repeat(value: &Val, count: i64) -> Outcome<Val> {
    let count = usize::try_from(count).unwrap_or(0);
    if value.len()?.unwrap_or(0).saturating_mul(count) > LONGEST {
        return Err(Fault::failed("the repeated value is too large"));
    }
    Ok(match value {
        Val::Str(text) => Val::str(text.repeat(count)),
        Val::Tuple(items) => Val::tuple(items.iter().cycle().take(items.len() * count).cloned().collect::<Vec<_>>()),
        other => {
            let items = other.iterate()?;
            Val::list(items.iter().cycle().take(items.len() * count).cloned().collect())
        }
    })
}

pub(crate) fn negative(value: &Val) -> Outcome<Val> {
    match value {
        Val::Missing(fault) => Err(fault.clone()),
        value => match number::of(value) {
            Some(Number::Int(number)) => number.checked_neg().map(Val::Int).ok_or_else(number::overflow),
            Some(Number::Float(number)) => Ok(Val::Float(-number)),
            None => Err(Fault::failed(format!("`-` cannot be used on `{}`", value.type_name()))),
        },
    }
}

pub(crate) fn equal(left: &Val, right: &Val) -> Outcome<bool> {
    if let (Some(left), Some(right)) = (number::of(left), number::of(right)) {
        return Ok(match (left, right) {
            (Number::Int(left), Number::Int(right)) => left == right,
            (left, right) => left.float() == right.float(),
        });
    }
    Ok(match (left, right) {
        (Val::Missing(fault), _) | (_, Val::Missing(fault)) => return Err(fault.clone()),
        (Val::Null, Val::Null) | (Val::Omit, Val::Omit) => true,
        (Val::Str(left), Val::Str(right)) => left == right,
        (Val::Bytes(left), Val::Bytes(right)) => left == right,
        (Val::List(left), Val::List(right)) => all_equal(&left.items()?, &right.items()?)?,
        (Val::Tuple(left), Val::Tuple(right)) => all_equal(left, right)?,
        (Val::Map(left), Val::Map(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (key, value) in left.entries()? {
                match right.get(&key)? {
                    Some(other) if equal(&value, &other)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Val::Object(left), Val::Object(right)) => match (left, right) {
            (Object::Moment(left), Object::Moment(right)) => left == right,
            (Object::Duration(left), Object::Duration(right)) => left == right,
            (Object::Range { .. }, Object::Range { .. }) => all_equal(&left.iterate()?, &right.iterate()?)?,
            _ => false,
        },
        _ => false,
    })
}

fn all_equal(left: &[Val], right: &[Val]) -> Outcome<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right) {
        if !equal(left, right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The order of two values, which only values of like types have.
pub(crate) fn order(left: &Val, right: &Val) -> Outcome<Ordering> {
    if let (Some(left), Some(right)) = (number::of(left), number::of(right)) {
        return Ok(match (left, right) {
            (Number::Int(left), Number::Int(right)) => left.cmp(&right),
            (left, right) => left.float().partial_cmp(&right.float()).unwrap_or(Ordering::Equal),
        });
    }
    match (left, right) {
        (Val::Missing(fault), _) | (_, Val::Missing(fault)) => Err(fault.clone()),
        (Val::Str(left), Val::Str(right)) => Ok(left.cmp(right)),
        (Val::Bytes(left), Val::Bytes(right)) => Ok(left.cmp(right)),
        (Val::List(left), Val::List(right)) => order_all(&left.items()?, &right.items()?),
        (Val::Tuple(left), Val::Tuple(right)) => order_all(left, right),
        (Val::Object(Object::Moment(left)), Val::Object(Object::Moment(right))) => Ok(left.cmp(right)),
        (Val::Object(Object::Duration(left)), Val::Object(Object::Duration(right))) => Ok(left.cmp(right)),
        _ => {
            let fault = Fault::failed(format!("`{}` and `{}` have no order", left.type_name(), right.type_name()));
            Err(match (left, right) {
                (Val::Str(_), _) | (_, Val::Str(_)) => fault.help("make a number of the text with `| int`"),
                _ => fault,
            })
        }
    }
}

fn order_all(left: &[Val], right: &[Val]) -> Outcome<Ordering> {
    for (left, right) in left.iter().zip(right) {
        if !equal(left, right)? {
            return order(left, right);
        }
    }
    Ok(left.len().cmp(&right.len()))
}

/// `item in container`.
pub(crate) fn contains(container: &Val, item: &Val) -> Outcome<bool> {
    match (container, item) {
        (Val::Missing(fault), _) | (_, Val::Missing(fault)) => Err(fault.clone()),
        (Val::Str(text), Val::Str(part)) => Ok(text.contains(part.as_ref())),
        (Val::Str(_), other) => Err(Fault::failed(format!("`in` a text wants text on its left, not `{}`", other.type_name()))),
        (Val::Map(dict), key) => Ok(dict.has(&key.to_key()?)),
        (container, item) => {
            for candidate in container.iterate()? {
                if equal(&candidate, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// `value[key]` in Python's sense: an index or a key. `None` when it is not there.
pub(crate) fn subscript(value: &Val, key: &Val) -> Outcome<Option<Val>> {
    match value {
        Val::Map(dict) => dict.get(&key.to_key()?),
        Val::List(list) => match index(list.len(), key) {
            Some(index) => list.get(index),
            None => Ok(None),
        },
        Val::Tuple(items) => match (key.as_str(), items.len()) {
            // The pairs that `groupby` gives have names.
            (Some("grouper"), 2) => Ok(items.first().cloned()),
            (Some("list"), 2) => Ok(items.get(1).cloned()),
            _ => Ok(index(items.len(), key).and_then(|index| items.get(index)).cloned()),
        },
        Val::Str(text) => {
            if text.is_ascii() {
                return Ok(index(text.len(), key).and_then(|index| text.get(index..=index)).map(Val::str));
            }
            let length = text.chars().count();
            Ok(index(length, key).and_then(|index| text.chars().nth(index)).map(|character| Val::str(character.to_string())))
        }
        Val::Bytes(bytes) => Ok(index(bytes.len(), key).and_then(|index| bytes.get(index)).map(|byte| Val::Int(i64::from(*byte)))),
        Val::Object(object) if object.is_range() => {
            let items = object.iterate()?;
            Ok(index(items.len(), key).and_then(|index| items.get(index)).cloned())
        }
        _ => Ok(None),
    }
}

fn index(length: usize, key: &Val) -> Option<usize> {
    let index = number::whole(key)?;
    let index = if index < 0 { index + length as i64 } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

/// `value[start:stop:step]`.
pub(crate) fn slice(value: &Val, bounds: [Option<i64>; 3]) -> Outcome<Val> {
    let [start, stop, step] = bounds;
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Fault::failed("the step of a slice cannot be zero"));
    }
    let items = match value {
        Val::Map(_) => return Err(Fault::failed("a mapping cannot be sliced")),
        other => other.iterate()?,
    };
    let length = items.len() as i64;
    let clamp = |bound: i64, low: i64, high: i64| (if bound < 0 { bound + length } else { bound }).clamp(low, high);
    let mut taken = Vec::new();
    if step > 0 {
        let (mut at, stop) = (start.map_or(0, |bound| clamp(bound, 0, length)), stop.map_or(length, |bound| clamp(bound, 0, length)));
        while at < stop {
            taken.push(items[at as usize].clone());
            at += step;
        }
    } else {
        let (mut at, stop) =
            (start.map_or(length - 1, |bound| clamp(bound, -1, length - 1)), stop.map_or(-1, |bound| clamp(bound, -1, length - 1)));
        while at > stop {
            taken.push(items[at as usize].clone());
            at += step;
        }
    }
    Ok(match value {
        Val::Str(_) => {
            let mut text = String::new();
            for item in &taken {
                text.push_str(item.as_str().unwrap_or_default());
            }
            Val::str(text)
        }
        Val::Tuple(_) => Val::tuple(taken),
        _ => Val::list(taken),
    })
}

/// `value.name`: a method or field of the type first, then an entry of a mapping, as Jinja does it.
pub(crate) fn attribute(value: &Val, name: &Arc<str>) -> Outcome<Val> {
    match value {
        Val::Missing(_) => return Ok(value.clone()),
        Val::Object(object) => {
            if let Some(found) = object.attribute(name) {
                return Ok(found);
            }
        }
        _ => {}
    }
    if super::methods::exists(value, name) {
        return Ok(Val::Object(Object::Method(Arc::new((value.clone(), name.clone())))));
    }
    if let Some(found) = subscript(value, &Val::Str(name.clone()))? {
        return Ok(found);
    }
    Ok(Val::Missing(Fault::attribute(value.type_name(), name.clone(), known(value))))
}

/// `value[key]` in Jinja's sense: an entry first, then a method or field.
pub(crate) fn item(value: &Val, key: &Val) -> Outcome<Val> {
    if let Val::Missing(_) = value {
        return Ok(value.clone());
    }
    if let Val::Missing(fault) = key {
        return Err(fault.clone());
    }
    if let Some(found) = subscript(value, key)? {
        return Ok(found);
    }
    if let Val::Str(name) = key {
        if let Val::Object(object) = value
            && let Some(found) = object.attribute(name)
        {
            return Ok(found);
        }
        if super::methods::exists(value, name) {
            return Ok(Val::Object(Object::Method(Arc::new((value.clone(), name.clone())))));
        }
    }
    if let Val::Int(position) = key {
        return Ok(Val::Missing(Fault::undefined(format!("`{}` object has no element {position}", value.type_name()))));
    }
    Ok(Val::Missing(Fault::attribute(value.type_name(), key.text()?, known(value))))
}

fn known(value: &Val) -> Vec<String> {
    match value {
        Val::Map(dict) => dict.keys().iter().filter_map(Key::as_str).map(str::to_owned).take(200).collect(),
        _ => Vec::new(),
    }
}
