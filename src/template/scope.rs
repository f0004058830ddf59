//! A context together with the templar that renders in it: what lazy values carry with them.

use std::cell::RefCell;
use std::sync::Arc;

use crate::base::source::Style;
use crate::base::{Node, NodeKind, Span};

use super::containers::{Dict, List};
use super::context::{Beyond, Context, Variable};
use super::data::Val;
use super::engine::Templar;
use super::fault::{Fault, Outcome};

pub(crate) struct Scope {
    pub templar: Templar,
    pub context: Context,
}

/// Templates within templates, at most. Deeper is a loop that no name gives away (and a thread's stack is finite).
const DEEPEST: usize = 60;

thread_local! {
    /// The texts being rendered on this thread: text and variables as addresses, and the text's start for messages.
    static RENDERING: RefCell<Vec<(usize, usize, Arc<str>)>> = const { RefCell::new(Vec::new()) };
}

/// Marks a text as being rendered, as long as it lives.
pub(crate) struct Rendering;

impl Rendering {
    pub fn enter(text: &Arc<str>, scope: &Scope) -> Outcome<Rendering> {
        let key = (text.as_ptr() as usize, Arc::as_ptr(&scope.context.variables).cast::<u8>() as usize);
        RENDERING.with_borrow_mut(|stack| {
            if let Some(start) = stack.iter().position(|(text, variables, _)| (*text, *variables) == key) {
                let chain: Vec<String> = stack[start..].iter().map(|(_, _, text)| format!("`{}`", text.trim())).collect();
                return Err(Fault::failed("recursive loop detected in template").cause(format!(
                    "it needs itself: {} needs {}",
                    chain.join(" needs "),
                    chain[0]
                )));
            }
            if stack.len() >= DEEPEST {
                return Err(Fault::failed(format!("templates are nested more than {DEEPEST} deep")));
            }
            stack.push((key.0, key.1, text.clone()));
            Ok(Rendering)
        })
    }
}

/// Counts a macro, an include or a recursive loop as nested, as long as it lives.
pub(crate) struct Nested(Rendering);

impl Nested {
    pub fn enter() -> Outcome<Nested> {
        RENDERING.with_borrow_mut(|stack| {
            if stack.len() >= DEEPEST {
                return Err(Fault::failed(format!("macros, includes or loops are nested more than {DEEPEST} deep")));
            }
            // No text has this address, so it is never found again as itself.
            stack.push((0, stack.len(), Arc::from("")));
            Ok(Nested(Rendering))
        })
    }
}

impl Drop for Rendering {
    fn drop(&mut self) {
        RENDERING.with_borrow_mut(|stack| {
            stack.pop();
        });
    }
}

impl Scope {
    pub fn new(templar: Templar, context: Context) -> Arc<Scope> {
        Arc::new(Scope { templar, context })
    }

    /// Asks whether the template may do what is not reading variables.
    pub fn go_beyond(&self, beyond: Beyond) -> Outcome<()> {
        match (self.context.controller.permit)(beyond) {
            true => Ok(()),
            false => Err(Fault::failed("the template may read nothing but its variables here")),
        }
    }

    /// A variable by name, rendered as far as it is needed now: scalars whole, containers when they are touched.
    pub fn variable(self: &Arc<Self>, name: &str) -> Outcome<Option<Val>> {
        match self.context.variables.get(name) {
            Some(variable) => self.touch(variable).map(Some),
            None => Ok(None),
        }
    }

    pub fn touch(self: &Arc<Self>, variable: Variable) -> Outcome<Val> {
        match variable {
            Variable::Value(value) => Ok(Val::from_value(&value)),
            Variable::Source(node) => self.node(&node),
            Variable::Scope(names) => Ok(Val::Map(Dict::of_names(Scope::new(self.templar.clone(), self.context.with_variables(names))))),
        }
    }

    /// A node as a value of a template. Undefined names inside become a missing value, so that `default` reaches them.
    pub fn node(self: &Arc<Self>, node: &Node) -> Outcome<Val> {
        Ok(match &node.kind {
            NodeKind::Null => Val::Null,
            NodeKind::Bool(flag) => Val::Bool(*flag),
            NodeKind::Int(number) => Val::Int(*number),
            NodeKind::Float(number) => Val::Float(*number),
            NodeKind::Unsafe(text) => Val::Str(text.clone()),
            NodeKind::Time(text) => match super::methods::time::moment(text) {
                Some(moment) => Val::Object(super::object::Object::Moment(moment)),
                None => Val::Str(text.clone()),
            },
            NodeKind::Data(value) => Val::from_value(value),
            NodeKind::Str(text, style) => match self.text(text, *style, &node.span) {
                Ok(value) => value,
                Err(fault) => Val::Missing(fault),
            },
            NodeKind::Vault(cipher) => match self.templar.decrypt(cipher, &self.context) {
                Ok(text) => Val::Str(text),
                Err(fault) => Val::Missing(fault),
            },
            NodeKind::Seq(items) => Val::List(List::lazy(items, self.clone())),
            NodeKind::Map(entries) => Val::Map(Dict::lazy(entries, self.clone())),
        })
    }

    /// A text that may be a template.
    pub fn text(self: &Arc<Self>, text: &Arc<str>, style: Style, span: &Span) -> Outcome<Val> {
        if !crate::base::source::is_template(text) && !text.starts_with("#jinja2:") {
            return Ok(Val::Str(text.clone()));
        }
        self.templar.run_text(self, text, style, span)
    }
}
