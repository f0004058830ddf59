//! The arguments of a filter, test, function or method: by position or by name, as Python binds them.

use std::sync::Arc;

use super::data::Val;
use super::fault::{Fault, Outcome};
use super::number;

#[derive(Clone, Default)]
pub(crate) struct Arguments {
    pub positional: Vec<Val>,
    pub named: Vec<(Arc<str>, Val)>,
}

/// Arguments that were matched with the parameters of a function.
pub(crate) struct Bound<const N: usize> {
    names: [&'static str; N],
    values: [Option<Val>; N],
}

impl Arguments {
    pub fn of(positional: Vec<Val>) -> Self {
        Arguments { positional, named: Vec::new() }
    }

    /// The first missing value among them.
    pub fn missing(&self) -> Option<&Val> {
        self.positional
            .iter()
            .chain(self.named.iter().map(|(_, value)| value))
            .find(|value| matches!(value, Val::Missing(fault) if !fault.is_nothing()))
    }

    /// Takes a named argument out.
    pub fn take(&mut self, name: &str) -> Option<Val> {
        let at = self.named.iter().position(|(known, _)| known.as_ref() == name)?;
        Some(self.named.remove(at).1)
    }

    pub fn bind<const N: usize>(self, names: [&'static str; N]) -> Outcome<Bound<N>> {
        let given = self.positional.len();
        if given > N {
            return Err(Fault::failed(format!("takes at most {N} arguments, {given} were given")));
        }
        let mut values: [Option<Val>; N] = std::array::from_fn(|_| None);
        for (slot, value) in values.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.named {
            let Some(index) = names.iter().position(|known| *known == name.as_ref()) else {
                return Err(Fault::failed(format!("there is no argument `{name}`")).did_you_mean(&name, names));
            };
            if values[index].is_some() {
                return Err(Fault::failed(format!("the argument `{name}` is given twice")));
            }
            values[index] = Some(value);
        }
        Ok(Bound { names, values })
    }
}

impl<const N: usize> Bound<N> {
    pub fn get(&self, index: usize) -> Option<&Val> {
        self.values[index].as_ref()
    }

    /// The argument unless it is absent or none.
    pub fn some(&self, index: usize) -> Option<&Val> {
        self.get(index).filter(|value| !matches!(value, Val::Null))
    }

    pub fn required(&self, index: usize) -> Outcome<&Val> {
        self.get(index).ok_or_else(|| Fault::failed(format!("the argument `{}` is missing", self.names[index])))
    }

    /// The argument as text, whatever it is (`str()`).
    pub fn text(&self, index: usize) -> Outcome<Arc<str>> {
        self.required(index)?.text()
    }

    pub fn text_or(&self, index: usize, default: &str) -> Outcome<Arc<str>> {
        match self.some(index) {
            Some(value) => value.text(),
            None => Ok(default.into()),
        }
    }

    pub fn some_text(&self, index: usize) -> Outcome<Option<Arc<str>>> {
        self.some(index).map(Val::text).transpose()
    }

    pub fn flag(&self, index: usize, default: bool) -> Outcome<bool> {
        match self.get(index) {
            Some(value) => value.truth(),
            None => Ok(default),
        }
    }

    pub fn int(&self, index: usize) -> Outcome<Option<i64>> {
        match self.some(index) {
            Some(value) => match number::whole(value) {
                Some(number) => Ok(Some(number)),
                None => Err(Fault::failed(format!("the argument `{}` must be a whole number, not {}", self.names[index], value.repr()?))),
            },
            None => Ok(None),
        }
    }

    pub fn int_or(&self, index: usize, default: i64) -> Outcome<i64> {
        Ok(self.int(index)?.unwrap_or(default))
    }

    /// A list of the argument's elements.
    pub fn items(&self, index: usize) -> Outcome<Vec<Val>> {
        self.required(index)?.iterate()
    }
}
