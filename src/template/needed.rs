//! The names that every rendering of a text reads and cannot do without, each with its place. What is read only sometimes (in a branch, behind
//! `default` or `is defined`, in a loop that may be empty) is not among them: a name from here that nothing defines is certainly a mistake.

use std::sync::Arc;

use crate::base::source::{NodeKind, Style, is_template};
use crate::base::{Node, Span};

use super::code::{Argument, Code, Expression, Kind, Position, Statement, Target};
use super::context::FileOptions;
use super::engine::Templar;
use super::eval::is_global;
use super::fault::{Origin, Outcome, Place};
use super::locate;
use super::parse::Mode;

impl Templar {
    /// Names that every rendering of this source reads and cannot do without, each with its place; of a container, those of all it holds.
    /// What cannot be parsed needs nothing: rendering it says why.
    pub fn needed_names(&self, node: &Node) -> Vec<(Arc<str>, Span)> {
        match &node.kind {
            NodeKind::Str(text, style) if is_template(text) => self.needed(self.code(text, &Mode::Yaml, &node.span), &node.span, *style),
            NodeKind::Seq(items) => items.iter().flat_map(|item| self.needed_names(item)).collect(),
            NodeKind::Map(entries) => entries.iter().flat_map(|(_, value)| self.needed_names(value)).collect(),
            _ => Vec::new(),
        }
    }

    /// The same for a bare expression.
    pub fn needed_names_of_condition(&self, node: &Node) -> Vec<(Arc<str>, Span)> {
        match &node.kind {
            NodeKind::Str(text, style) if !is_template(text) => self.needed(self.expression_code(text), &node.span, *style),
            _ => self.needed_names(node),
        }
    }

    /// The same for a template file's text.
    pub fn needed_names_of_file(&self, text: &str, span: &Span, options: &FileOptions) -> Vec<(Arc<str>, Span)> {
        let mode = Mode::File { options: Box::new(options.clone()), file: span.file.clone() };
        self.needed(self.code(&text.into(), &mode, span), span, Style::Plain)
    }

    fn needed(&self, code: Outcome<Arc<Code>>, span: &Span, style: Style) -> Vec<(Arc<str>, Span)> {
        let Ok(code) = code else { return Vec::new() };
        let origin = Origin { span: span.clone(), style, code: code.clone() };
        let place = |position| locate::span(&Place { origin: origin.clone(), position });
        by(&code).into_iter().map(|(name, position)| (name, place(position))).collect()
    }
}

fn by(code: &Code) -> Vec<(Arc<str>, Position)> {
    // A child's own text is not rendered, only its blocks are, where its parent wants them.
    if code.body.iter().any(|statement| matches!(statement, Statement::Extends(_))) {
        return Vec::new();
    }
    let mut reader = Reader::default();
    reader.body(&code.body);
    reader.names
}

#[derive(Default)]
struct Reader {
    names: Vec<(Arc<str>, Position)>,
    /// Names the template itself sets, or may have set.
    own: Vec<Arc<str>>,
}

impl Reader {
    fn body(&mut self, body: &[Statement]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Emit(value) | Statement::Do(value) => self.expression(value),
            Statement::Set { target, value } => {
                self.expression(value);
                self.target(target);
            }
            Statement::If { test, then, otherwise } => {
                self.expression(test);
                self.may_set(then);
                self.may_set(otherwise);
            }
            Statement::For(each) => self.expression(&each.over),
            Statement::With { assignments, .. } => assignments.iter().for_each(|(_, value)| self.expression(value)),
            Statement::Group(body) => self.body(body),
            _ => self.may_set(std::slice::from_ref(statement)),
        }
    }

    /// Names that a part sets which is perhaps not rendered.
    fn may_set(&mut self, body: &[Statement]) {
        for statement in body {
            match statement {
                Statement::Set { target, .. } | Statement::SetBlock { target, .. } => self.target(target),
                Statement::If { then, otherwise, .. } => {
                    self.may_set(then);
                    self.may_set(otherwise);
                }
                Statement::Group(body) => self.may_set(body),
                Statement::Macro(code) => self.own.push(code.name.clone()),
                Statement::Import { name, .. } => self.own.push(name.clone()),
                Statement::FromImport { names, .. } => self.own.extend(names.iter().map(|(_, alias)| alias.clone())),
                _ => {}
            }
        }
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Name(name) => self.own.push(name.clone()),
            Target::Tuple(targets) => targets.iter().for_each(|target| self.target(target)),
            Target::Attribute(..) => {}
        }
    }

    fn expression(&mut self, expression: &Expression) {
        match &expression.kind {
            Kind::Name(name) => {
                if !is_global(name) && !self.own.contains(name) {
                    self.names.push((name.clone(), expression.position));
                }
            }
            Kind::Not(inner) | Kind::Negative(inner) | Kind::Attribute(inner, _) | Kind::Item(inner, _) | Kind::Slice(inner, _) => {
                self.expression(inner);
            }
            Kind::And(left, _) | Kind::Or(left, _) => self.expression(left),
            Kind::Binary(_, left, right) => {
                self.expression(left);
                self.expression(right);
            }
            Kind::Compare(first, steps) => {
                self.expression(first);
                steps.first().iter().for_each(|(_, step)| self.expression(step));
            }
            Kind::If { test, .. } => self.expression(test),
            Kind::Filter { filter, base, arguments, .. } => {
                // Unknown filters are told when they run; those that take what is missing (`default`) know what to do with it.
                if filter.is_some_and(|filter| !filter.takes_missing()) {
                    base.iter().for_each(|base| self.expression(base));
                    self.arguments(arguments);
                }
            }
            Kind::Test { test, base, .. } => {
                if test.is_some_and(|test| !test.takes_missing()) {
                    self.expression(base);
                }
            }
            Kind::Call(callee, arguments) => {
                if let Kind::Attribute(owner, _) = &callee.kind {
                    self.expression(owner);
                    self.arguments(arguments);
                }
            }
            // Containers are rendered piece by piece, where a piece is wanted.
            Kind::Const(_) | Kind::Embedded(_) | Kind::List(_) | Kind::Tuple(_) | Kind::Map(_) => {}
        }
    }

    fn arguments(&mut self, arguments: &[Argument]) {
        for argument in arguments {
            if let Argument::Positional(value) | Argument::Named(_, value) = argument {
                self.expression(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::Span;
    use crate::base::source::{Node, NodeKind, Style};
    use crate::template::Templar;

    fn needed(text: &str) -> Vec<String> {
        let node = Node::new(Span::origin("<test>"), NodeKind::Str(text.into(), Style::Plain));
        Templar::new().needed_names(&node).into_iter().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn what_every_rendering_reads_is_needed() {
        assert_eq!(needed("{{ a.b[c] }} and {{ d | upper }}{% set e = f %}{{ e }}{{ g.get('x') }}"), ["a", "d", "f", "g"]);
        assert_eq!(
            needed("{{ a + b }}{{ 1 if c else d }}{% if e %}{{ f }}{% endif %}{% for x in g %}{{ x }}{{ h }}{% endfor %}"),
            ["a", "b", "c", "e", "g"]
        );
    }

    #[test]
    fn what_may_be_missing_is_not_needed() {
        assert!(needed("{{ a | default('x') }}{{ b.c.d | default(e) | upper }}{{ f is defined }}{{ g is defined and g.h }}").is_empty());
        assert!(needed("{% if x is not defined %}{% set x = 1 %}{% endif %}{{ x }}").is_empty());
        assert!(needed("{% macro m(a) %}{{ a }}{{ z }}{% endmacro %}{{ lookup('env', y) }}{{ [q] | length }}").is_empty());
        assert_eq!(needed("{% extends 'base' %}{{ x }}"), Vec::<String>::new());
    }
}
