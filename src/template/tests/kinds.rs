//! Tests of what a value is, and how it compares.

use std::cmp::Ordering;
use std::sync::Arc;

use super::super::arguments::Arguments;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::number;
use super::super::object::Object;
use super::super::{filters, operate};
use super::{Test, seeing_missing, test};

pub(crate) const TESTS: &[Test] = &[
    seeing_missing("defined", |arguments, _| defined(arguments)),
    seeing_missing("undefined", |arguments, _| defined(arguments).map(|defined| !defined)),
    test("none", |arguments, _| kind(arguments, |value| matches!(value, Val::Null))),
    test("boolean", |arguments, _| kind(arguments, |value| matches!(value, Val::Bool(_)))),
    test("true", |arguments, _| kind(arguments, |value| matches!(value, Val::Bool(true)))),
    test("false", |arguments, _| kind(arguments, |value| matches!(value, Val::Bool(false)))),
    test("integer", |arguments, _| kind(arguments, |value| matches!(value, Val::Int(_)))),
    test("float", |arguments, _| kind(arguments, |value| matches!(value, Val::Float(_)))),
    test("number", |arguments, _| kind(arguments, |value| number::of(value).is_some())),
    test("string", |arguments, _| kind(arguments, |value| matches!(value, Val::Str(_)))),
    test("mapping", |arguments, _| kind(arguments, |value| matches!(value, Val::Map(_)))),
    test("sequence", |arguments, _| kind(arguments, |value| value.len().is_ok_and(|length| length.is_some()))),
    test("iterable", |arguments, _| kind(arguments, |value| value.len().is_ok_and(|length| length.is_some()))),
    test("callable", |arguments, _| kind(arguments, |value| matches!(value, Val::Object(object) if object.is_callable()))),
    test("escaped", |arguments, _| kind(arguments, |_| false)),
    test("lower", |arguments, _| Ok(cased(&arguments.bind(["value"])?.text(0)?, char::is_uppercase))),
    test("upper", |arguments, _| Ok(cased(&arguments.bind(["value"])?.text(0)?, char::is_lowercase))),
    test("odd", |arguments, _| Ok(remainder(arguments, Some(2))? == 1)),
    test("even", |arguments, _| Ok(remainder(arguments, Some(2))? == 0)),
    test("divisibleby", |arguments, _| Ok(remainder(arguments, None)? == 0)),
    test("eq", |arguments, _| equal(arguments)),
    test("==", |arguments, _| equal(arguments)),
    test("equalto", |arguments, _| equal(arguments)),
    test("ne", |arguments, _| equal(arguments).map(|equal| !equal)),
    test("!=", |arguments, _| equal(arguments).map(|equal| !equal)),
    test("lt", |arguments, _| ordered(arguments, Ordering::is_lt)),
    test("<", |arguments, _| ordered(arguments, Ordering::is_lt)),
    test("lessthan", |arguments, _| ordered(arguments, Ordering::is_lt)),
    test("le", |arguments, _| ordered(arguments, Ordering::is_le)),
    test("<=", |arguments, _| ordered(arguments, Ordering::is_le)),
    test("gt", |arguments, _| ordered(arguments, Ordering::is_gt)),
    test(">", |arguments, _| ordered(arguments, Ordering::is_gt)),
    test("greaterthan", |arguments, _| ordered(arguments, Ordering::is_gt)),
    test("ge", |arguments, _| ordered(arguments, Ordering::is_ge)),
    test(">=", |arguments, _| ordered(arguments, Ordering::is_ge)),
    test("in", |arguments, _| {
        let bound = arguments.bind(["value", "seq"])?;
        operate::contains(bound.required(1)?, bound.required(0)?)
    }),
    test("contains", |arguments, _| {
        let bound = arguments.bind(["seq", "value"])?;
        operate::contains(bound.required(0)?, bound.required(1)?)
    }),
    test("sameas", |arguments, _| same(arguments)),
    test("filter", |arguments, _| Ok(filters::find(&arguments.bind(["value"])?.text(0)?).is_some())),
    test("test", |arguments, _| Ok(super::find(&arguments.bind(["value"])?.text(0)?).is_some())),
];

fn defined(arguments: Arguments) -> Outcome<bool> {
    match arguments.bind(["value"])?.required(0)? {
        Val::Missing(fault) if fault.is_undefined() => Ok(false),
        Val::Missing(fault) => Err(fault.clone()),
        _ => Ok(true),
    }
}

fn kind(arguments: Arguments, is: fn(&Val) -> bool) -> Outcome<bool> {
    Ok(is(arguments.bind(["value"])?.required(0)?))
}

fn cased(text: &str, forbidden: fn(char) -> bool) -> bool {
    text.chars().any(|c| c.is_uppercase() || c.is_lowercase()) && !text.chars().any(forbidden)
}

fn remainder(arguments: Arguments, by: Option<i64>) -> Outcome<i64> {
    let bound = arguments.bind(["value", "num"])?;
    let (value, by) = (bound.int(0)?, by.map_or_else(|| bound.int(1), |by| Ok(Some(by)))?);
    match (value, by) {
        (Some(_), Some(0)) => Err(Fault::failed("division by zero")),
        (Some(value), Some(by)) => Ok(value.rem_euclid(by)),
        _ => Err(Fault::failed("a whole number is expected")),
    }
}

fn equal(arguments: Arguments) -> Outcome<bool> {
    let bound = arguments.bind(["a", "b"])?;
    operate::equal(bound.required(0)?, bound.required(1)?)
}

fn ordered(arguments: Arguments, is: fn(Ordering) -> bool) -> Outcome<bool> {
    let bound = arguments.bind(["a", "b"])?;
    operate::order(bound.required(0)?, bound.required(1)?).map(is)
}

/// Identity: what Python shares (none, booleans, small numbers) is the same; containers are never.
fn same(arguments: Arguments) -> Outcome<bool> {
    let bound = arguments.bind(["value", "other"])?;
    let (left, right) = (bound.required(0)?, bound.required(1)?);
    Ok(match (left, right) {
        (Val::List(_) | Val::Map(_), _) => false,
        (Val::Object(Object::Namespace(left)), Val::Object(Object::Namespace(right))) => Arc::ptr_eq(left, right),
        _ => left.type_name() == right.type_name() && operate::equal(left, right)?,
    })
}
