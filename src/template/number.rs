//! Numbers as Python computes with them. Whole numbers have 64 bits here; what does not fit is an error, not a wrong number.

use super::data::Val;
use super::fault::{Fault, Outcome};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    pub fn float(self) -> f64 {
        match self {
            Number::Int(number) => number as f64,
            Number::Float(number) => number,
        }
    }
}

impl From<Number> for Val {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(number) => Val::Int(number),
            Number::Float(number) => Val::Float(number),
        }
    }
}

/// The value as a number; booleans are numbers, as in Python.
pub(crate) fn of(value: &Val) -> Option<Number> {
    match value {
        Val::Bool(flag) => Some(Number::Int(i64::from(*flag))),
        Val::Int(number) => Some(Number::Int(*number)),
        Val::Float(number) => Some(Number::Float(*number)),
        _ => None,
    }
}

pub(crate) fn whole(value: &Val) -> Option<i64> {
    match of(value)? {
        Number::Int(number) => Some(number),
        Number::Float(_) => None,
    }
}

pub(crate) fn overflow() -> Fault {
    Fault::failed("the result does not fit into 64 bits")
}

fn by_zero() -> Fault {
    Fault::failed("division by zero")
}

fn both(left: Number, right: Number, ints: impl Fn(i64, i64) -> Option<i64>, floats: impl Fn(f64, f64) -> f64) -> Outcome<Number> {
    match (left, right) {
        (Number::Int(left), Number::Int(right)) => ints(left, right).map(Number::Int).ok_or_else(overflow),
        _ => Ok(Number::Float(floats(left.float(), right.float()))),
    }
}

pub(crate) fn add(left: Number, right: Number) -> Outcome<Number> {
    both(left, right, i64::checked_add, |a, b| a + b)
}

pub(crate) fn subtract(left: Number, right: Number) -> Outcome<Number> {
    both(left, right, i64::checked_sub, |a, b| a - b)
}

pub(crate) fn multiply(left: Number, right: Number) -> Outcome<Number> {
    both(left, right, i64::checked_mul, |a, b| a * b)
}

pub(crate) fn divide(left: Number, right: Number) -> Outcome<Number> {
    if right.float() == 0.0 {
        return Err(by_zero());
    }
    Ok(Number::Float(left.float() / right.float()))
}

pub(crate) fn floor_divide(left: Number, right: Number) -> Outcome<Number> {
    if right.float() == 0.0 {
        return Err(by_zero());
    }
    both(
        left,
        right,
        |a, b| {
            let quotient = a.checked_div(b)?;
            Some(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
        },
        |a, b| (a / b).floor(),
    )
}

pub(crate) fn remainder(left: Number, right: Number) -> Outcome<Number> {
    if right.float() == 0.0 {
        return Err(by_zero());
    }
    both(
        left,
        right,
        |a, b| {
            let rest = a.checked_rem(b)?;
            Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        },
        |a, b| a - b * (a / b).floor(),
    )
}

pub(crate) fn power(left: Number, right: Number) -> Outcome<Number> {
    match (left, right) {
        (Number::Int(base), Number::Int(exponent)) if exponent >= 0 => {
            let exponent = u32::try_from(exponent).map_err(|_| overflow())?;
            base.checked_pow(exponent).map(Number::Int).ok_or_else(overflow)
        }
        _ => Ok(Number::Float(left.float().powf(right.float()))),
    }
}

/// `int(text, base)` of Python: surrounding space, a sign, underscores between digits, and the prefix of the base.
pub(crate) fn parse_int(text: &str, base: u32) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixed = |prefix: &str| lower.strip_prefix(prefix).map(str::to_owned);
    let (base, digits) = match base {
        0 => match (prefixed("0x"), prefixed("0o"), prefixed("0b")) {
            (Some(rest), _, _) => (16, rest),
            (_, Some(rest), _) => (8, rest),
            (_, _, Some(rest)) => (2, rest),
            _ => (10, lower),
        },
        16 => (16, prefixed("0x").unwrap_or(lower)),
        8 => (8, prefixed("0o").unwrap_or(lower)),
        2 => (2, prefixed("0b").unwrap_or(lower)),
        other => (other, lower),
    };
    if digits.is_empty() || digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") || digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i128::from_str_radix(&digits.replace('_', ""), base).ok()?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// `float(text)` of Python.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    let unsigned = text.trim_start_matches(['+', '-']);
    match unsigned {
        "inf" | "infinity" => return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_and_remainder_round_down_as_in_python() {
        assert_eq!(floor_divide(Number::Int(-7), Number::Int(2)).ok(), Some(Number::Int(-4)));
        assert_eq!(remainder(Number::Int(-7), Number::Int(3)).ok(), Some(Number::Int(2)));
        assert_eq!(divide(Number::Int(6), Number::Int(3)).ok(), Some(Number::Float(2.0)));
    }

    #[test]
    fn too_large_a_number_is_an_error() {
        assert!(power(Number::Int(2), Number::Int(64)).is_err());
        assert!(multiply(Number::Int(i64::MAX), Number::Int(2)).is_err());
    }

    #[test]
    fn text_is_read_as_python_reads_it() {
        assert_eq!(parse_int(" -1_000 ", 10), Some(-1000));
        assert_eq!(parse_int("0x1f", 16), Some(31));
        assert_eq!(parse_int("1.5", 10), None);
        assert_eq!(parse_float("1e3"), Some(1000.0));
        assert_eq!(parse_float("abc"), None);
    }
}
