//! What a plain scalar means: the implicit resolvers of PyYAML's `SafeLoader`, which are YAML 1.1's with PyYAML's own exceptions.

use std::sync::LazyLock;

use regex::Regex;

/// The meaning of a plain scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// An integer that no `i64` holds: kept as its digits.
    BigInt,
    /// A date: text for Ansible's purposes, but quoted when it is emitted as a string.
    Timestamp,
    /// `<<`: where it stands as a key.
    Merge,
    /// `=`.
    ValueKey,
    Str,
}

static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    )
});
static INT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$")
});
static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(?:[Tt]|[ \t]+)[0-9][0-9]?:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9][0-9]?(?::[0-9]{2})?))?)$",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

/// Resolves the text of a plain scalar.
pub fn resolve(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Resolved::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Resolved::Bool(false),
        "<<" => return Resolved::Merge,
        "=" => return Resolved::ValueKey,
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.')) {
        return Resolved::Str;
    }
    if FLOAT.is_match(text) {
        return float(text).map_or(Resolved::Str, Resolved::Float);
    }
    if INT.is_match(text) {
        return integer(text);
    }
    if TIMESTAMP.is_match(text) { Resolved::Timestamp } else { Resolved::Str }
}

/// The sign and what follows it, without the underscores that YAML 1.1 allows between digits.
fn unsigned(text: &str) -> (bool, String) {
    let digits = text.replace('_', "").to_ascii_lowercase();
    match digits.as_bytes().first() {
        Some(b'-') => (true, digits[1..].to_owned()),
        Some(b'+') => (false, digits[1..].to_owned()),
        _ => (false, digits),
    }
}

/// A number as `!!int` reads it; [`Resolved::Str`] for what is none.
pub(super) fn integer(text: &str) -> Resolved {
    let (negative, digits) = unsigned(text);
    let parsed = if digits == "0" {
        Ok(0)
    } else if let Some(binary) = digits.strip_prefix("0b") {
        i128::from_str_radix(binary, 2)
    } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
        i128::from_str_radix(hexadecimal, 16)
    } else if digits.starts_with('0') {
        i128::from_str_radix(&digits, 8)
    } else if digits.contains(':') {
        digits.split(':').try_fold(0i128, |sum, part| Ok(sum.saturating_mul(60).saturating_add(part.parse::<i128>()?)))
    } else {
        digits.parse::<i128>()
    };
    match parsed {
        Ok(number) => i64::try_from(if negative { -number } else { number }).map_or(Resolved::BigInt, Resolved::Int),
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => Resolved::BigInt,
        Err(_) => Resolved::Str,
    }
}

/// A number as `!!float` reads it.
pub(super) fn float(text: &str) -> Option<f64> {
    let (negative, digits) = unsigned(text);
    let number = match digits.as_str() {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        sexagesimal if sexagesimal.contains(':') => {
            sexagesimal.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?
        }
        plain => plain.parse().ok()?,
    };
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_and_null_are_yaml_1_1s_without_the_single_letters() {
        for text in ["yes", "On", "TRUE"] {
            assert_eq!(resolve(text), Resolved::Bool(true), "{text}");
        }
        assert_eq!(resolve("off"), Resolved::Bool(false));
        for text in ["y", "N", "yEs", "nil", "none"] {
            assert_eq!(resolve(text), Resolved::Str, "{text}");
        }
        assert_eq!(resolve("~"), Resolved::Null);
    }

    #[test]
    fn integers_come_in_five_notations() {
        for (text, number) in
            [("0644", 420), ("1_000", 1000), ("0x1F", 31), ("-0b101", -5), ("12:30:45", 45045), ("+7", 7), ("0", 0), ("190:20", 11420)]
        {
            assert_eq!(resolve(text), Resolved::Int(number), "{text}");
        }
        for text in ["0o644", "089", "1,000", "12:60", "-", "+"] {
            assert_eq!(resolve(text), Resolved::Str, "{text}");
        }
        assert_eq!(resolve("12345678901234567890"), Resolved::BigInt);
    }

    #[test]
    fn floats_need_a_point_and_an_exponent_needs_its_sign() {
        for (text, number) in [("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("6.8523015e+5", 685230.15), ("190:20:30.15", 685230.15)] {
            assert_eq!(resolve(text), Resolved::Float(number), "{text}");
        }
        assert_eq!(resolve("-.inf"), Resolved::Float(f64::NEG_INFINITY));
        assert!(matches!(resolve(".NaN"), Resolved::Float(number) if number.is_nan()));
        for text in ["1e3", "1.0e3", "1.2.3", "-.5"] {
            assert_eq!(resolve(text), Resolved::Str, "{text}");
        }
    }

    #[test]
    fn dates_are_told_from_text() {
        assert_eq!(resolve("2001-12-14"), Resolved::Timestamp);
        assert_eq!(resolve("2001-12-14 21:59:43.10 -5"), Resolved::Timestamp);
        assert_eq!(resolve("2001-1-1"), Resolved::Str);
    }
}
