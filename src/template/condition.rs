//! Conditions: `when` and its like.

use std::sync::Arc;

use crate::base::source::{Style, is_template};
use crate::base::{Node, NodeKind, Value};

use super::context::Context;
use super::data::Val;
use super::fault::{Fault, Outcome};
use super::scope::Scope;

/// Whether a condition holds. ansible-core 2.19: `evaluate_conditional`.
pub(crate) fn holds(scope: &Arc<Scope>, node: &Node) -> Outcome<bool> {
    let (value, written) = match &node.kind {
        NodeKind::Bool(flag) | NodeKind::Data(Value::Bool(flag)) => return Ok(*flag),
        NodeKind::Str(text, style) => (expression(scope, text, *style, node)?, text.trim().to_owned()),
        NodeKind::Null | NodeKind::Data(Value::Null) => return empty(scope),
        NodeKind::Data(Value::Str(text)) if text.trim().is_empty() => return empty(scope),
        NodeKind::Unsafe(_) | NodeKind::Data(Value::Str(_)) => return Err(untrusted()),
        _ if scope.context.controller.allow_broken_conditionals => (scope.node(node)?, String::new()),
        _ => return Err(Fault::failed("Conditional expressions must be strings.").help("write it as text, such as `x is defined`")),
    };
    match value.present()? {
        Val::Bool(flag) => Ok(flag),
        other if scope.context.controller.allow_broken_conditionals => other.truth(),
        other => Err(not_boolean(&other, &written)),
    }
}

fn empty(scope: &Arc<Scope>) -> Outcome<bool> {
    if scope.context.controller.allow_broken_conditionals {
        return Ok(true);
    }
    Err(Fault::failed("Empty conditional expressions are not allowed."))
}

fn untrusted() -> Fault {
    Fault::failed("Encountered untrusted template or expression.")
}

fn expression(scope: &Arc<Scope>, text: &Arc<str>, style: Style, node: &Node) -> Outcome<Val> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return empty(scope).map(Val::Bool);
    }
    if !is_all_template(trimmed) {
        return scope.templar.run_expression(scope, text, style, &node.span, true);
    }
    // `when: "{{ name_of_an_expression }}"`: what comes out is the condition, or an expression written in the project.
    match scope.text(text, style, &node.span)? {
        Val::Str(inner) if inner.trim().is_empty() => empty(scope).map(Val::Bool),
        Val::Str(_) => match written_in_project(scope, trimmed, 0) {
            Some(inner) => scope.templar.run_expression(scope, &inner, style, &node.span, true),
            None => Err(untrusted().help("write the condition itself, without `{{ }}`")),
        },
        other => Ok(other),
    }
}

/// The text that a variable named in `{{ }}` was given in the project's own files. Only that can be an expression: what a host or a lookup
/// said is data, whatever it looks like.
fn written_in_project(scope: &Scope, text: &str, depth: usize) -> Option<Arc<str>> {
    match source_of(&scope.context, text, depth)?.kind {
        NodeKind::Str(inner, _) if !is_template(&inner) => Some(inner),
        _ => None,
    }
}

/// The source of the variable that `{{ name.part }}` names, as it stands in the project's own files; `None` for data.
pub(super) fn source_of(context: &Context, text: &str, depth: usize) -> Option<Node> {
    let path = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let mut parts = path.split('.');
    let mut node = context.variables.source(parts.next()?)?;
    for part in parts {
        node = node.get(part)?.clone();
    }
    match &node.kind {
        NodeKind::Data(_) => None,
        NodeKind::Str(inner, _) if is_template(inner) && depth < 10 => source_of(context, inner, depth + 1),
        _ => Some(node),
    }
}

fn is_all_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|start| text.starts_with(start)) && ["}}", "%}", "#}"].iter().any(|end| text.ends_with(end))
}

fn not_boolean(value: &Val, written: &str) -> Fault {
    let truth = value.truth().unwrap_or(false);
    let fault = Fault::failed(format!(
        "Conditional result ({}) was derived from value of type `{}`. Conditionals must have a boolean result.",
        if truth { "True" } else { "False" },
        value.type_name()
    ));
    match value {
        Val::Str(_) => fault.help(format!("write `{written} | bool`, or compare: `{written} == \"…\"`")),
        Val::List(_) | Val::Tuple(_) | Val::Map(_) => fault.help(format!("write `{written} | length > 0`")),
        Val::Null => fault.help(format!("write `{written} is not none`")),
        _ => fault.help(format!("write `{written} | bool`, or set `ALLOW_BROKEN_CONDITIONALS`")),
    }
}

#[cfg(test)]
mod tests {
    use crate::base::{Node, Span};
    use crate::template::{Context, Templar, Variable, Variables};

    struct Host;

    impl Variables for Host {
        fn get(&self, name: &str) -> Option<Variable> {
            let source = |text: &str| Some(Variable::Source(Node::text(Span::origin("<test>"), text)));
            match name {
                "rule" => source("name == 'web'"),
                "alias" => source("{{ rule }}"),
                "fact" => Some(Variable::Value("name == 'web'".into())),
                "through" => source("{{ fact }}"),
                "name" => Some(Variable::Value("web".into())),
                _ => None,
            }
        }

        fn names(&self) -> Vec<String> {
            Vec::new()
        }
    }

    fn holds(condition: &str) -> Option<bool> {
        let context = Context { variables: std::sync::Arc::new(Host), search: Default::default(), controller: Default::default() };
        Templar::new().condition(&Node::text(Span::origin("<test>"), condition), &context).ok()
    }

    #[test]
    fn what_a_host_said_never_becomes_a_condition() {
        assert_eq!(holds("{{ rule }}"), Some(true));
        assert_eq!(holds("{{ alias }}"), Some(true));
        assert_eq!(holds("{{ fact }}"), None);
        assert_eq!(holds("{{ through }}"), None);
        assert_eq!(holds("{{ 'name == \"web\"' }}"), None);
    }

    #[test]
    fn a_condition_must_be_a_boolean() {
        assert_eq!(holds("name == 'web'"), Some(true));
        assert_eq!(holds("name"), None);
        assert_eq!(holds(" "), None);
    }
}
