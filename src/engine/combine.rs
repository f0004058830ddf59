//! `hash_behaviour = merge`: mappings of the same name are laid over each other instead of replaced.

use crate::base::{Node, NodeKind, Value};
use crate::language::Vars;
use crate::template::Variable;

/// Lays one tree over another.
pub fn nodes(lower: &Node, upper: &Node) -> Node {
    let (Some(before), Some(after)) = (entries(lower), entries(upper)) else { return upper.clone() };
    let mut merged = before;
    for (key, value) in after {
        match merged.iter_mut().find(|(known, _)| known.to_key() == key.to_key()) {
            Some((_, known)) => *known = nodes(known, &value),
            None => merged.push((key, value)),
        }
    }
    Node::map(upper.span.clone(), merged)
}

/// A mapping's entries, of a source or of data.
fn entries(node: &Node) -> Option<Vec<(Node, Node)>> {
    if let NodeKind::Data(Value::Map(map)) = &node.kind {
        let part = |value: Value| Node::data(node.span.clone(), value);
        return Some(map.iter().map(|(key, value)| (part(key.to_value()), part(value.clone()))).collect());
    }
    node.as_map().map(<[(Node, Node)]>::to_vec)
}

/// Lays a variable over a lower one of its name.
pub fn variables(lower: Variable, upper: Variable) -> Variable {
    match (node_of(&lower), node_of(&upper)) {
        (Some(below), Some(above)) => Variable::Source(nodes(&below, &above)),
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
            Some(old) if merges => nodes(old, &node),
            _ => node,
        };
        vars.insert(name, node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;

    #[test]
    fn mappings_are_merged_deeply_and_anything_else_is_replaced() {
        let (lower, _) = crate::yaml::load_one("{a: {x: 1, y: [1]}, b: 1}", "<lower>").expect("is YAML");
        let (upper, _) = crate::yaml::load_one("{a: {y: [2], z: 3}, b: {c: 1}}", "<upper>").expect("is YAML");
        let merged = nodes(&lower, &upper).to_value().to_json().to_string();
        assert_eq!(merged, r#"{"a":{"x":1,"y":[2],"z":3},"b":{"c":1}}"#);
        let data = Node::data(Span::origin("<data>"), Value::map([("x", 7)]));
        assert_eq!(nodes(&data, &upper).to_value().to_json()["x"], 7);
    }
}
