//! `hash_behaviour = merge`: mappings of the same name are laid over each other instead of replaced.

use crate::base::Node;
use crate::language::Vars;
use crate::template::Variable;

/// Lays a variable over a lower one of its name.
pub fn variables(lower: Variable, upper: Variable) -> Variable {
    match (node_of(&lower), node_of(&upper)) {
        (Some(below), Some(above)) => Variable::Source(below.overlaid(&above)),
        _ => upper,
    }
}

fn node_of(variable: &Variable) -> Option<Node> {
    match variable {
        Variable::Source(node) => Some(node.clone()),
        Variable::Value(value) => Some(super::state::plain(value.clone())),
        Variable::Scope(_) => None,
    }
}

/// Adds variables to those there are: over them, or in their place.
pub fn extend(vars: &mut Vars, more: impl IntoIterator<Item = (std::sync::Arc<str>, Node)>, merges: bool) {
    for (name, node) in more {
        let node = match vars.get(&name) {
            Some(old) if merges => old.overlaid(&node),
            _ => node,
        };
        vars.insert(name, node);
    }
}

#[cfg(test)]
mod tests {
    use crate::base::{Node, Span, Value};

    #[test]
    fn mappings_are_merged_deeply_and_anything_else_is_replaced() {
        let (lower, _) = crate::yaml::load_one("{a: {x: 1, y: [1]}, b: 1}", "<lower>").expect("is YAML");
        let (upper, _) = crate::yaml::load_one("{a: {y: [2], z: 3}, b: {c: 1}}", "<upper>").expect("is YAML");
        let merged = lower.overlaid(&upper).to_value().to_json().to_string();
        assert_eq!(merged, r#"{"a":{"x":1,"y":[2],"z":3},"b":{"c":1}}"#);
        let data = Node::data(Span::origin("<data>"), Value::map([("x", 7)]));
        assert_eq!(data.overlaid(&upper).to_value().to_json()["x"], 7);
    }
}
