//! The names a template reads, without running it: for sending tasks ahead and for finding undefined names before a run.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::code::{Argument, Code, Expression, Kind, Statement, Target};
use super::eval::is_global;

/// How a text is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    Template,
    Expression,
}

/// Variables by their names; a lookup as `lookup:NAME` (`lookup:` when its name is computed), and `template:` where other templates are included.
pub(crate) fn read_by(code: &Code) -> BTreeSet<String> {
    let mut reader = Reader::default();
    reader.body(&code.body);
    reader.names
}

#[derive(Default)]
struct Reader {
    names: BTreeSet<String>,
    /// Names the template sets itself, innermost last.
    own: Vec<Arc<str>>,
}

impl Reader {
    fn scoped(&mut self, read: impl FnOnce(&mut Self)) {
        let before = self.own.len();
        read(self);
        self.own.truncate(before);
    }

    fn body(&mut self, body: &[Statement]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Text(_) | Statement::Continue | Statement::Break => {}
            Statement::Emit(value) | Statement::Do(value) => self.expression(value),
            Statement::Extends(template) => self.template(template),
            Statement::For(each) => {
                self.expression(&each.over);
                self.scoped(|reader| {
                    reader.own.push("loop".into());
                    reader.target(&each.target);
                    each.filter.iter().for_each(|filter| reader.expression(filter));
                    reader.body(&each.body);
                });
                self.scoped(|reader| reader.body(&each.otherwise));
            }
            Statement::If { test, then, otherwise } => {
                self.expression(test);
                self.body(then);
                self.body(otherwise);
            }
            Statement::With { assignments, body } => {
                assignments.iter().for_each(|(_, value)| self.expression(value));
                self.scoped(|reader| {
                    assignments.iter().for_each(|(target, _)| reader.target(target));
                    reader.body(body);
                });
            }
            Statement::Set { target, value } => {
                self.expression(value);
                self.target(target);
            }
            Statement::SetBlock { target, filter, body } => {
                filter.iter().for_each(|filter| self.expression(filter));
                self.scoped(|reader| reader.body(body));
                self.target(target);
            }
            Statement::FilterBlock { filter, body } => {
                self.expression(filter);
                self.scoped(|reader| reader.body(body));
            }
            Statement::Group(body) => self.scoped(|reader| reader.body(body)),
            Statement::Block(block) => self.scoped(|reader| {
                reader.own.push("super".into());
                reader.body(&block.body);
            }),
            Statement::Import { template, name } => {
                self.template(template);
                self.own.push(name.clone());
            }
            Statement::FromImport { template, names } => {
                self.template(template);
                self.own.extend(names.iter().map(|(_, alias)| alias.clone()));
            }
            Statement::Include { template, .. } => self.template(template),
            Statement::Macro(code) => {
                self.own.push(code.name.clone());
                self.macro_code(code);
            }
            Statement::CallBlock { call, caller } => {
                self.expression(call);
                self.macro_code(caller);
            }
        }
    }

    fn macro_code(&mut self, code: &super::code::MacroCode) {
        self.scoped(|reader| {
            reader.own.extend(["varargs", "kwargs", "caller"].map(Arc::from));
            for (name, default) in &code.parameters {
                default.iter().for_each(|default| reader.expression(default));
                reader.own.push(name.clone());
            }
            reader.body(&code.body);
        });
    }

    fn template(&mut self, template: &Expression) {
        self.names.insert("template:".into());
        self.expression(template);
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Name(name) => self.own.push(name.clone()),
            Target::Tuple(targets) => targets.iter().for_each(|target| self.target(target)),
            Target::Attribute(owner, _) => self.expression(owner),
        }
    }

    fn expression(&mut self, expression: &Expression) {
        match &expression.kind {
            Kind::Const(_) => {}
            Kind::Embedded(text) => {
                if let Ok(code) = super::parse::template(text, &super::parse::Mode::Yaml) {
                    self.names.extend(read_by(&code));
                }
            }
            Kind::Name(name) => {
                if !is_global(name) && !self.own.contains(name) {
                    self.names.insert(name.to_string());
                }
            }
            Kind::List(items) | Kind::Tuple(items) => items.iter().for_each(|item| self.expression(item)),
            Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
                self.expression(key);
                self.expression(value);
            }),
            Kind::Not(inner) | Kind::Negative(inner) | Kind::Attribute(inner, _) => self.expression(inner),
            Kind::And(left, right) | Kind::Or(left, right) | Kind::Binary(_, left, right) | Kind::Item(left, right) => {
                self.expression(left);
                self.expression(right);
            }
            Kind::Compare(first, steps) => {
                self.expression(first);
                steps.iter().for_each(|(_, step)| self.expression(step));
            }
            Kind::If { test, then, otherwise } => {
                self.expression(test);
                self.expression(then);
                otherwise.iter().for_each(|otherwise| self.expression(otherwise));
            }
            Kind::Filter { base, arguments, .. } => {
                base.iter().for_each(|base| self.expression(base));
                self.arguments(arguments);
            }
            Kind::Test { base, arguments, .. } => {
                self.expression(base);
                self.arguments(arguments);
            }
            Kind::Slice(base, bounds) => {
                self.expression(base);
                bounds.iter().flatten().for_each(|bound| self.expression(bound));
            }
            Kind::Call(callee, arguments) => {
                self.lookup(callee, arguments);
                self.expression(callee);
                self.arguments(arguments);
            }
        }
    }

    fn arguments(&mut self, arguments: &[Argument]) {
        for argument in arguments {
            match argument {
                Argument::Positional(value) | Argument::Named(_, value) | Argument::Spread(value) | Argument::SpreadNamed(value) => {
                    self.expression(value)
                }
            }
        }
    }

    fn lookup(&mut self, callee: &Expression, arguments: &[Argument]) {
        if !matches!(&callee.kind, Kind::Name(name) if matches!(name.as_ref(), "lookup" | "query" | "q")) {
            return;
        }
        let name = match arguments.first() {
            Some(Argument::Positional(Expression { kind: Kind::Const(value), .. })) => value.as_str().unwrap_or_default(),
            _ => "",
        };
        self.names.insert(format!("lookup:{}", name.trim_start_matches("ansible.builtin.").trim_start_matches("ansible.legacy.")));
    }
}
