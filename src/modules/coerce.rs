//! Arguments as users write them become typed values, with Ansible's conversions: "yes" is true, "a,b" is a list, `0644` is a mode.

use std::path::PathBuf;

pub use crate::base::boolean::truth;
use crate::base::{Map, Secret, Value};
use crate::system::Mode;

/// The kind of an option, as documentation and the JSON schema name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    Text,
    Bool,
    Int,
    Float,
    Path,
    Mode,
    List,
    Mapping,
    Raw,
    Choice,
    Secret,
}

impl ArgKind {
    /// Ansible's name for it.
    pub fn name(self) -> &'static str {
        match self {
            ArgKind::Text | ArgKind::Choice | ArgKind::Secret => "str",
            ArgKind::Bool => "bool",
            ArgKind::Int => "int",
            ArgKind::Float => "float",
            ArgKind::Path => "path",
            ArgKind::Mode | ArgKind::Raw => "raw",
            ArgKind::List => "list",
            ArgKind::Mapping => "dict",
        }
    }
}

/// A type that an option can have.
pub trait FromArg: Sized {
    const KIND: ArgKind;
    /// The texts allowed, when only some are.
    const CHOICES: &'static [&'static str] = &[];

    /// Whether an explicit null means something else than "not given".
    const TAKES_NULL: bool = false;

    /// Converts what was given; the error completes the sentence "argument 'x' …", in Ansible's words.
    fn from_arg(value: &Value) -> Result<Self, String>;

    /// What the option is when it was not given; `None`: it must be given.
    fn missing() -> Option<Self> {
        None
    }
}

fn refused(value: &Value, kind: ArgKind, why: impl std::fmt::Display) -> String {
    format!("is of type {} and we were unable to convert to {}: {why}", value.type_name(), kind.name())
}

fn unconverted(value: &Value, kind: ArgKind, wanted: &str) -> String {
    refused(value, kind, format!("<class '{}'> cannot be converted to {wanted}", value.type_name()))
}

fn not_a_number(value: &Value) -> String {
    refused(value, ArgKind::Int, format!("\"{}\" cannot be converted to an int", value.to_repr()))
}

/// As Ansible lists them.
const BOOLEANS: &str = "0, 1, 'y', '1', 'no', 'f', 't', 'false', 'n', 'on', 'true', '0', 'yes', 'off'";

impl FromArg for String {
    const KIND: ArgKind = ArgKind::Text;

    fn from_arg(value: &Value) -> Result<Self, String> {
        match value {
            // Ansible turns any value into text where text is asked for.
            Value::Null => Err("is empty, which is not text".into()),
            other => Ok(other.to_text()),
        }
    }
}

impl FromArg for bool {
    const KIND: ArgKind = ArgKind::Bool;

    fn from_arg(value: &Value) -> Result<Self, String> {
        truth(value).ok_or_else(|| {
            let why = format!("The value {} is not a valid boolean. Valid booleans include: {BOOLEANS}", value.to_repr());
            refused(value, ArgKind::Bool, why)
        })
    }
}

impl FromArg for i64 {
    const KIND: ArgKind = ArgKind::Int;

    fn from_arg(value: &Value) -> Result<Self, String> {
        match value {
            Value::Int(number) => Ok(*number),
            Value::Float(number) if number.fract() == 0.0 => Ok(*number as i64),
            Value::Str(text) => text.trim().parse().map_err(|_| not_a_number(value)),
            _ => Err(not_a_number(value)),
        }
    }
}

impl FromArg for u32 {
    const KIND: ArgKind = ArgKind::Int;

    fn from_arg(value: &Value) -> Result<Self, String> {
        i64::from_arg(value)?.try_into().map_err(|_| refused(value, ArgKind::Int, "it must be a number from 0 on"))
    }
}

impl FromArg for u64 {
    const KIND: ArgKind = ArgKind::Int;

    fn from_arg(value: &Value) -> Result<Self, String> {
        i64::from_arg(value)?.try_into().map_err(|_| refused(value, ArgKind::Int, "it must be a number from 0 on"))
    }
}

impl FromArg for f64 {
    const KIND: ArgKind = ArgKind::Float;

    fn from_arg(value: &Value) -> Result<Self, String> {
        match value {
            Value::Float(number) => Ok(*number),
            Value::Int(number) => Ok(*number as f64),
            Value::Str(text) => text.trim().parse().map_err(|_| unconverted(value, ArgKind::Float, "a float")),
            _ => Err(unconverted(value, ArgKind::Float, "a float")),
        }
    }
}

/// A path; `~` is expanded by the agent before the module sees it.
impl FromArg for PathBuf {
    const KIND: ArgKind = ArgKind::Path;

    fn from_arg(value: &Value) -> Result<Self, String> {
        String::from_arg(value).map(PathBuf::from)
    }
}

impl FromArg for Mode {
    const KIND: ArgKind = ArgKind::Mode;

    fn from_arg(value: &Value) -> Result<Self, String> {
        Mode::from_value(value)
    }
}

impl FromArg for Value {
    const KIND: ArgKind = ArgKind::Raw;

    fn from_arg(value: &Value) -> Result<Self, String> {
        Ok(value.clone())
    }
}

/// Text that must not be shown: the option is `no_log`.
impl FromArg for Secret {
    const KIND: ArgKind = ArgKind::Secret;

    fn from_arg(value: &Value) -> Result<Self, String> {
        String::from_arg(value).map(Secret::new)
    }
}

/// A mapping, JSON text of one, or `a=1, b=2`.
impl FromArg for Map {
    const KIND: ArgKind = ArgKind::Mapping;

    fn from_arg(value: &Value) -> Result<Self, String> {
        match value {
            Value::Map(map) => Ok(map.as_ref().clone()),
            Value::Str(text) if text.trim_start().starts_with('{') => match serde_json::from_str(text) {
                Ok(json) => Map::from_arg(&Value::from_json(json)),
                Err(error) => Err(format!("is no valid JSON mapping: {error}")),
            },
            Value::Str(text) if text.contains('=') => Ok(text
                .split([',', ' '])
                .filter(|pair| !pair.is_empty())
                .filter_map(|pair| pair.split_once('='))
                .map(|(key, value)| (key.trim(), value.trim()))
                .collect()),
            Value::Str(_) => Err(refused(value, ArgKind::Mapping, "dictionary requested, could not parse JSON or key=value")),
            _ => Err(unconverted(value, ArgKind::Mapping, "a dict")),
        }
    }
}

/// A list; text is split at commas, a single number is a list of one.
impl<T: FromArg> FromArg for Vec<T> {
    const KIND: ArgKind = ArgKind::List;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn from_arg(value: &Value) -> Result<Self, String> {
        match value {
            Value::List(items) => items.iter().map(T::from_arg).collect(),
            Value::Str(text) => text.split(',').map(|item| T::from_arg(&item.trim().into())).collect(),
            Value::Int(_) | Value::Float(_) => Ok(vec![T::from_arg(value)?]),
            _ => Err(unconverted(value, ArgKind::List, "a list")),
        }
    }
}

impl<T: FromArg> FromArg for Option<T> {
    const KIND: ArgKind = T::KIND;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn from_arg(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(None),
            other => T::from_arg(other).map(Some),
        }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_converted_as_ansible_does() {
        assert_eq!(bool::from_arg(&"Yes".into()), Ok(true));
        assert_eq!(Vec::<String>::from_arg(&"a, b".into()), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(i64::from_arg(&"12".into()), Ok(12));
        assert_eq!(String::from_arg(&Value::Bool(true)), Ok("True".into()));
        assert!(bool::from_arg(&"maybe".into()).is_err());
    }
}
