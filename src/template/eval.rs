//! Evaluates expressions.

use std::sync::Arc;

use crate::base::source::Style;

use super::arguments::Arguments;
use super::code::{Argument, Comparison, Expression, Kind};
use super::data::Val;
use super::exec::{Machine, lock};
use super::fault::{Fault, Outcome};
use super::object::{Function, GLOBALS, Object};
use super::{filters, functions, methods, operate, plugins, tests};

impl Machine {
    /// The value of an expression. What is undefined is a value, until it is used.
    pub fn evaluate(&mut self, expression: &Expression) -> Outcome<Val> {
        let value = match &expression.kind {
            Kind::Const(value) => Ok(value.clone()),
            Kind::Embedded(text) if self.renders_constants => self.scope.text(text, Style::Plain, &self.origin.span),
            Kind::Embedded(text) => Ok(Val::Str(text.clone())),
            Kind::Name(name) => return self.name(name, expression),
            Kind::List(items) => self.evaluate_all(items).map(Val::list),
            Kind::Tuple(items) => self.evaluate_all(items).map(Val::tuple),
            Kind::Map(entries) => self.mapping(entries),
            Kind::Not(inner) => self.truth(inner).map(|truth| Val::Bool(!truth)),
            Kind::Negative(inner) => self.evaluate(inner).and_then(|value| operate::negative(&value)),
            Kind::And(left, right) => self.either(left, right, false),
            Kind::Or(left, right) => self.either(left, right, true),
            Kind::Binary(operator, left, right) => {
                let (left, right) = (self.evaluate(left)?, self.evaluate(right)?);
                operate::binary(*operator, &left, &right)
            }
            Kind::Compare(first, steps) => self.compare(first, steps),
            Kind::If { test, then, otherwise } => self.choose(test, then, otherwise.as_deref()),
            Kind::Filter { name, filter, base, arguments } => {
                let base = match base {
                    Some(base) => self.evaluate(base)?,
                    None => return Err(Fault::failed("a filter needs a value").at(&self.origin, expression.position)),
                };
                self.filter(name, *filter, base, arguments)
            }
            Kind::Test { name, test, base, arguments } => self.test(name, *test, base, arguments),
            Kind::Attribute(base, name) => self.attribute(base, name),
            Kind::Item(base, key) => {
                let (base, key) = (self.evaluate(base)?, self.evaluate(key)?);
                operate::item(&base, &key)
            }
            Kind::Slice(base, bounds) => self.slice(base, bounds),
            Kind::Call(callee, arguments) => self.call(callee, arguments),
        };
        match value {
            Ok(Val::Missing(fault)) => Ok(Val::Missing(fault.at(&self.origin, expression.position))),
            Ok(value) => Ok(value),
            Err(fault) => Err(fault.at(&self.origin, expression.position)),
        }
    }

    pub fn truth(&mut self, expression: &Expression) -> Outcome<bool> {
        self.evaluate(expression)?.truth().map_err(|fault| fault.at(&self.origin, expression.position))
    }

    fn evaluate_all(&mut self, expressions: &[Expression]) -> Outcome<Vec<Val>> {
        expressions.iter().map(|expression| self.evaluate(expression)).collect()
    }

    fn mapping(&mut self, entries: &[(Expression, Expression)]) -> Outcome<Val> {
        let mut map = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.evaluate(key)?.to_key().map_err(|fault| fault.at(&self.origin, key.position))?;
            map.push((key, self.evaluate(value)?));
        }
        Ok(Val::dict(map))
    }

    fn either(&mut self, left: &Expression, right: &Expression, stop_at: bool) -> Outcome<Val> {
        let value = self.evaluate(left)?;
        let truth = value.truth().map_err(|fault| fault.at(&self.origin, left.position))?;
        if truth == stop_at { Ok(value) } else { self.evaluate(right) }
    }

    fn choose(&mut self, test: &Expression, then: &Expression, otherwise: Option<&Expression>) -> Outcome<Val> {
        if self.truth(test)? {
            return self.evaluate(then);
        }
        match otherwise {
            Some(otherwise) => self.evaluate(otherwise),
            None => Ok(Val::Missing(Fault::nothing())),
        }
    }

    fn compare(&mut self, first: &Expression, steps: &[(Comparison, Expression)]) -> Outcome<Val> {
        let mut left = self.evaluate(first)?;
        for (comparison, right) in steps {
            let right = self.evaluate(right)?;
            let holds = match comparison {
                Comparison::Equal => operate::equal(&left, &right)?,
                Comparison::NotEqual => !operate::equal(&left, &right)?,
                Comparison::Less => operate::order(&left, &right)?.is_lt(),
                Comparison::LessOrEqual => operate::order(&left, &right)?.is_le(),
                Comparison::Greater => operate::order(&left, &right)?.is_gt(),
                Comparison::GreaterOrEqual => operate::order(&left, &right)?.is_ge(),
                Comparison::In => operate::contains(&right, &left)?,
                Comparison::NotIn => !operate::contains(&right, &left)?,
            };
            if !holds {
                return Ok(Val::Bool(false));
            }
            left = right;
        }
        Ok(Val::Bool(true))
    }

    fn name(&mut self, name: &Arc<str>, expression: &Expression) -> Outcome<Val> {
        for frame in self.frames.iter().rev() {
            if let Some((_, value)) = lock(frame).iter().find(|(known, _)| known == name) {
                return Ok(value.clone());
            }
        }
        if let Some(value) = self.seen.get(name) {
            return Ok(value.clone());
        }
        let value = match self.scope.variable(name) {
            Ok(Some(Val::Missing(fault))) => Val::Missing(fault.through(name, &self.origin, expression.position)),
            Ok(Some(value)) => value,
            Err(fault) => Val::Missing(fault.through(name, &self.origin, expression.position)),
            Ok(None) => match (Function::by_name(name), name.as_ref()) {
                (Some(function), _) => Val::Object(Object::Function(function)),
                (None, "omit") => Val::Omit,
                (None, "self") => Val::Object(Object::Blocks),
                _ => Val::Missing(Fault::name(name.clone(), &self.scope).at(&self.origin, expression.position)),
            },
        };
        self.seen.insert(name.clone(), value.clone());
        Ok(value)
    }

    fn attribute(&mut self, base: &Expression, name: &Arc<str>) -> Outcome<Val> {
        let base = self.evaluate(base)?;
        if let Val::Object(Object::Blocks) = base
            && let Some(block) = self.block_named(name)
        {
            return Ok(block);
        }
        operate::attribute(&base, name)
    }

    fn slice(&mut self, base: &Expression, bounds: &[Option<Box<Expression>>; 3]) -> Outcome<Val> {
        let base = self.evaluate(base)?;
        if let Val::Missing(_) = base {
            return Ok(base);
        }
        let mut numbers = [None; 3];
        for (number, bound) in numbers.iter_mut().zip(bounds) {
            if let Some(bound) = bound {
                let value = self.evaluate(bound)?.present()?;
                *number = match (&value, super::number::whole(&value)) {
                    (Val::Null, _) => None,
                    (_, Some(whole)) => Some(whole),
                    _ => {
                        return Err(Fault::failed(format!("a slice wants whole numbers, not `{}`", value.type_name()))
                            .at(&self.origin, bound.position));
                    }
                };
            }
        }
        operate::slice(&base, numbers)
    }

    pub fn arguments(&mut self, arguments: &[Argument]) -> Outcome<Arguments> {
        let mut evaluated = Arguments::default();
        for argument in arguments {
            match argument {
                Argument::Positional(value) => evaluated.positional.push(self.evaluate(value)?),
                Argument::Named(name, value) => evaluated.named.push((name.clone(), self.evaluate(value)?)),
                Argument::Spread(value) => {
                    let items = self.evaluate(value)?.iterate().map_err(|fault| fault.at(&self.origin, value.position))?;
                    evaluated.positional.extend(items);
                }
                Argument::SpreadNamed(value) => match self.evaluate(value)?.present()? {
                    Val::Map(entries) => {
                        for (key, value) in entries.entries()? {
                            evaluated.named.push((key.to_string().into(), value));
                        }
                    }
                    other => {
                        return Err(
                            Fault::failed(format!("`**` wants a mapping, not `{}`", other.type_name())).at(&self.origin, value.position)
                        );
                    }
                },
            }
        }
        Ok(evaluated)
    }

    fn filter(&mut self, name: &Arc<str>, filter: Option<&'static filters::Filter>, base: Val, arguments: &[Argument]) -> Outcome<Val> {
        let mut arguments = self.arguments(arguments)?;
        arguments.positional.insert(0, base);
        let Some(filter) = filter else {
            let called = plugins::call("filter", name, arguments, &self.scope);
            return Ok(called.ok_or_else(|| filters::unknown(name))?.unwrap_or_else(Val::Missing));
        };
        Ok(filter.call(arguments, &self.scope).unwrap_or_else(Val::Missing))
    }

    /// Applies the filters of a `{% filter %}` or `{% set | %}` block.
    pub fn filtered(&mut self, expression: &Expression, value: Val) -> Outcome<Val> {
        let Kind::Filter { name, filter, base, arguments } = &expression.kind else {
            return Err(Fault::failed("a filter is expected").at(&self.origin, expression.position));
        };
        let value = match base {
            Some(inner) => self.filtered(inner, value)?,
            None => value,
        };
        self.filter(name, *filter, value, arguments).map_err(|fault| fault.at(&self.origin, expression.position))
    }

    fn test(&mut self, name: &Arc<str>, test: Option<&'static tests::Test>, base: &Expression, arguments: &[Argument]) -> Outcome<Val> {
        let base = self.evaluate(base)?;
        let mut arguments = self.arguments(arguments)?;
        arguments.positional.insert(0, base);
        let Some(test) = test else {
            let called = plugins::call("test", name, arguments, &self.scope);
            return Ok(called.ok_or_else(|| tests::unknown(name))?.unwrap_or_else(Val::Missing));
        };
        Ok(test.call(arguments, &self.scope).unwrap_or_else(Val::Missing))
    }

    fn call(&mut self, callee: &Expression, arguments: &[Argument]) -> Outcome<Val> {
        let callee_value = self.evaluate(callee)?;
        let is_lookup = matches!(callee_value, Val::Object(Object::Function(Function::Lookup | Function::Query)));
        let rendered_before = self.renders_constants;
        self.renders_constants |= is_lookup;
        let arguments = self.arguments(arguments);
        self.renders_constants = rendered_before;
        let arguments = arguments?;
        if let Val::Missing(fault) = callee_value {
            return Ok(Val::Missing(fault));
        }
        let takes_missing = matches!(callee_value, Val::Object(Object::Macro(_))) || is_lookup;
        if !takes_missing && let Some(missing) = arguments.missing() {
            return Ok(missing.clone());
        }
        Ok(self.invoke(&callee_value, arguments).unwrap_or_else(Val::Missing))
    }

    pub fn invoke(&mut self, callee: &Val, arguments: Arguments) -> Outcome<Val> {
        match callee {
            Val::Missing(fault) => Err(fault.clone()),
            Val::Object(Object::Function(function)) => functions::call(*function, arguments, &self.scope),
            Val::Object(Object::Method(method)) => methods::call(&method.0, &method.1, arguments),
            Val::Object(Object::Macro(code)) => Machine::call_macro(code, arguments),
            Val::Object(Object::Block(levels)) => self.block_level(levels),
            Val::Object(Object::Loop(state)) => Machine::recurse(state, arguments.positional.first().unwrap_or(&Val::Null)),
            Val::Object(Object::Joiner(joiner)) => {
                let mut used = lock(&joiner.1);
                Ok(if std::mem::replace(&mut used, true) { Val::Str(joiner.0.clone()) } else { Val::str("") })
            }
            other => Err(Fault::failed(format!("`{}` object is not callable", other.type_name()))),
        }
    }
}

/// Names that are no variables: constants of the language are handled by the parser.
pub(crate) fn is_global(name: &str) -> bool {
    GLOBALS.contains(&name) || name == "self"
}
