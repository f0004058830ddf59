//! Filters on single values: defaults, conversions, numbers.

use std::sync::Arc;

use super::super::arguments::Arguments;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::number::{self, Number};
use super::super::object::Object;
use super::super::operate;
use super::super::scope::Scope;
use super::{Filter, filter, seeing_missing};

pub(crate) const FILTERS: &[Filter] = &[
    seeing_missing("default", default),
    seeing_missing("d", default),
    seeing_missing("mandatory", mandatory),
    seeing_missing("ternary", ternary),
    seeing_missing("type_debug", type_debug),
    filter("bool", boolean),
    filter("int", int),
    filter("float", float),
    filter("string", string),
    filter("abs", absolute),
    filter("round", round),
    filter("log", logarithm),
    filter("pow", power),
    filter("root", root),
    filter("attr", attribute),
    filter("filesizeformat", file_size),
];

fn default(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "default_value", "boolean"])?;
    let value = bound.required(0)?;
    let fallback = || bound.get(1).cloned().unwrap_or_else(|| Val::str(""));
    match value {
        // An inline `if` without `else` is no undefined name for ansible-core: only `default(…, true)` replaces it.
        Val::Missing(fault) if fault.is_nothing() => Ok(if bound.flag(2, false)? { fallback() } else { value.clone() }),
        Val::Missing(fault) if fault.is_undefined() => Ok(fallback()),
        // What went wrong is not what is absent.
        Val::Missing(_) => Ok(value.clone()),
        value if bound.flag(2, false)? && !value.truth()? => Ok(fallback()),
        value => Ok(value.clone()),
    }
}

fn mandatory(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["a", "msg"])?;
    match bound.required(0)? {
        Val::Missing(fault) if fault.is_undefined() => Err(match (bound.some_text(1)?, fault.undefined_name()) {
            (Some(message), _) => Fault::failed(message.to_string()),
            (None, Some(name)) => Fault::failed(format!("Mandatory variable `{name}` not defined.")),
            (None, None) => Fault::failed("Mandatory variable not defined."),
        }),
        value => Ok(value.clone()),
    }
}

fn ternary(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "true_val", "false_val", "none_val"])?;
    let (value, yes, no) = (bound.required(0)?, bound.required(1)?, bound.required(2)?);
    Ok(match (value, bound.some(3)) {
        (Val::Null, Some(none)) => none.clone(),
        _ if value.truth()? => yes.clone(),
        _ => no.clone(),
    })
}

fn type_debug(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["obj"])?;
    Ok(Val::str(match bound.required(0)? {
        Val::Missing(fault) if fault.is_undefined() => "UndefinedMarker",
        Val::Missing(_) => "CapturedExceptionMarker",
        other => other.type_name(),
    }))
}

/// Ansible's idea of a boolean. Texts that are neither are false, as ansible-core 2.19 still has it (with a deprecation).
fn boolean(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value"])?;
    let value = bound.required(0)?;
    Ok(match value {
        Val::Null | Val::Bool(_) => value.clone(),
        Val::Str(text) => Val::Bool(matches!(text.to_lowercase().as_str(), "yes" | "on" | "1" | "true" | "t" | "y")),
        other => Val::Bool(matches!(number::of(other), Some(number) if number.float() == 1.0)),
    })
}

fn int(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "default", "base"])?;
    let base = u32::try_from(bound.int_or(2, 10)?).ok().filter(|base| *base == 0 || (2..=36).contains(base));
    let base = base.ok_or_else(|| Fault::failed("the base must be 0 or from 2 to 36"))?;
    let parsed = match bound.required(0)? {
        Val::Str(text) => number::parse_int(text, base).or_else(|| number::parse_float(text).and_then(truncated)),
        value => match number::of(value) {
            Some(Number::Int(number)) => Some(number),
            Some(Number::Float(number)) => truncated(number),
            None => None,
        },
    };
    Ok(parsed.map_or_else(|| bound.get(1).cloned().unwrap_or(Val::Int(0)), Val::Int))
}

fn truncated(number: f64) -> Option<i64> {
    (number.is_finite() && number.abs() < 9.2e18).then_some(number as i64)
}

fn float(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "default"])?;
    let parsed = match bound.required(0)? {
        Val::Str(text) => number::parse_float(text),
        value => number::of(value).map(Number::float),
    };
    Ok(parsed.map_or_else(|| bound.get(1).cloned().unwrap_or(Val::Float(0.0)), Val::Float))
}

fn string(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    Ok(Val::Str(arguments.bind(["object"])?.text(0)?))
}

fn absolute(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["x"])?;
    let value = bound.required(0)?;
    if number::of(value).ok_or_else(|| wants_number(value))?.float() < 0.0 { operate::negative(value) } else { Ok(value.clone()) }
}

fn wants_number(value: &Val) -> Fault {
    Fault::failed(format!("a number is expected, not `{}`", value.type_name()))
}

fn numeric(value: &Val) -> Outcome<f64> {
    number::of(value).map(Number::float).ok_or_else(|| wants_number(value))
}

fn round(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "precision", "method"])?;
    let value = numeric(bound.required(0)?)?;
    let precision = bound.int_or(1, 0)?;
    let method = bound.text_or(2, "common")?;
    let scale = 10f64.powi(precision as i32);
    let rounded = match method.as_ref() {
        "ceil" => (value * scale).ceil() / scale,
        "floor" => (value * scale).floor() / scale,
        // Python rounds the exact decimal value half to even; formatting does the same.
        "common" if precision >= 0 => format!("{value:.*}", precision as usize).parse().unwrap_or(value),
        "common" => (value * scale).round_ties_even() / scale,
        other => return Err(Fault::failed(format!("the method must be `common`, `ceil` or `floor`, not `{other}`"))),
    };
    // Whole numbers stay whole with the common method, as in Python.
    match (bound.required(0)?, method.as_ref()) {
        (Val::Int(_) | Val::Bool(_), "common") => Ok(Val::Int(rounded as i64)),
        _ => Ok(Val::Float(rounded)),
    }
}

/// A filter of numbers says so itself, whatever is wrong with the value.
fn numeric_for(filter: &str, value: &Val) -> Outcome<f64> {
    numeric(value).map_err(|why| Fault::failed(format!("{filter}() can only be used on numbers: {}", why.message())))
}

fn logarithm(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["x", "base"])?;
    let value = numeric_for("log", bound.required(0)?)?;
    if value <= 0.0 {
        return Err(Fault::failed("the logarithm is of positive numbers only"));
    }
    Ok(Val::Float(match bound.some(1) {
        None => value.ln(),
        Some(base) => match numeric(base)? {
            10.0 => value.log10(),
            base => value.ln() / base.ln(),
        },
    }))
}

fn power(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["x", "y"])?;
    // `math.pow`: always a float.
    Ok(Val::Float(numeric_for("pow", bound.required(0)?)?.powf(numeric_for("pow", bound.required(1)?)?)))
}

fn root(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["x", "base"])?;
    let value = numeric_for("root", bound.required(0)?)?;
    Ok(Val::Float(match bound.some(1).map(numeric).transpose()? {
        None => value.sqrt(),
        Some(2.0) => value.sqrt(),
        Some(base) => value.powf(1.0 / base),
    }))
}

/// `attr`: an attribute, never an entry.
fn attribute(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["obj", "name"])?;
    let (value, name) = (bound.required(0)?, bound.text(1)?);
    if let Val::Object(object) = value
        && let Some(found) = object.attribute(&name)
    {
        return Ok(found);
    }
    // The pairs that `groupby` gives have names.
    if matches!(value, Val::Tuple(items) if items.len() == 2) && matches!(name.as_ref(), "grouper" | "list") {
        return Ok(operate::subscript(value, &Val::str(name.as_ref()))?.unwrap_or(Val::Null));
    }
    if super::super::methods::exists(value, &name) {
        return Ok(Val::Object(Object::Method(Arc::new((value.clone(), name)))));
    }
    Ok(Val::Missing(Fault::attribute(value.type_name(), name, Vec::new())))
}

fn file_size(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "binary"])?;
    let bytes = match bound.required(0)? {
        Val::Str(text) => number::parse_float(text).ok_or_else(|| wants_number(&Val::Str(text.clone())))?,
        value => numeric(value)?,
    };
    let binary = bound.flag(1, false)?;
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return Ok(Val::str("1 Byte"));
    }
    if bytes < base {
        return Ok(Val::str(format!("{} Bytes", bytes as i64)));
    }
    let units =
        if binary { ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"] } else { ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"] };
    let mut unit = base;
    for (index, name) in units.iter().enumerate() {
        unit = base.powi(index as i32 + 2);
        if bytes < unit {
            return Ok(Val::str(format!("{:.1} {name}", base * bytes / unit)));
        }
    }
    Ok(Val::str(format!("{:.1} {}", base * bytes / unit, units[7])))
}
