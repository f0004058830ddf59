//! Where a value was written. Text in the project's own files may be an expression; what a host, a lookup or a filter made is data, whatever it
//! looks like.

use crate::base::source::is_template;
use crate::base::{Node, NodeKind, Value};

use super::condition::source_of;
use super::context::Context;
use super::engine::Templar;
use super::error::Error;

/// How deep values are followed.
const DEEPEST: usize = 20;

impl Templar {
    /// A rendered node that still says which of its texts the project's own files hold: those may be expressions, all others are data.
    ///
    /// # Errors
    /// As [`Templar::render`].
    pub fn render_traced(&self, node: &Node, context: &Context) -> Result<Node, Error> {
        self.render(node, context).map(|value| traced(context, node, &value))
    }

    /// The item of a loop's list, as it was written, that a value may have come from.
    pub fn item_behind(&self, list: &Node, value: &Value, context: &Context) -> Option<Node> {
        item_behind(context, list, value)
    }
}

/// A rendered value as source: text that stands in the project's files as it came out is still text there, all else is data.
fn traced(context: &Context, node: &Node, value: &Value) -> Node {
    at_depth(context, node, value, 0)
}

fn at_depth(context: &Context, node: &Node, value: &Value, depth: usize) -> Node {
    let data = || Node::data(node.span.clone(), value.clone());
    if depth > DEEPEST {
        return data();
    }
    match (&node.kind, value) {
        (NodeKind::Str(text, _), _) if is_template(text) => match source_of(context, text, 0) {
            Some(source) => at_depth(context, &source, value, depth + 1),
            None => data(),
        },
        (NodeKind::Str(text, _), Value::Str(rendered)) if text == rendered => node.clone(),
        (NodeKind::Seq(nodes), Value::List(values)) if nodes.len() == values.len() => {
            let items = nodes.iter().zip(values.iter()).map(|(node, value)| at_depth(context, node, value, depth + 1));
            Node::seq(node.span.clone(), items.collect())
        }
        (NodeKind::Map(_), Value::Map(map)) => {
            let entry = |(key, value): (&crate::base::Key, &Value)| {
                let name = Node::text(node.span.clone(), key.to_string());
                let source = node.get(&key.to_string());
                let value =
                    source.map_or_else(|| Node::data(node.span.clone(), value.clone()), |at| at_depth(context, at, value, depth + 1));
                (name, value)
            };
            Node::map(node.span.clone(), map.iter().map(entry).collect())
        }
        _ => data(),
    }
}

/// The item of a loop's list, as it was written, that a value may have come from.
fn item_behind(context: &Context, list: &Node, value: &Value) -> Option<Node> {
    let list = match &list.kind {
        NodeKind::Str(text, _) if is_template(text) => source_of(context, text, 0)?,
        _ => list.clone(),
    };
    // `with_items` takes the items of lists in the list too.
    let items = list.as_seq()?.iter().flat_map(|item| std::iter::once(item).chain(item.as_seq().into_iter().flatten()));
    let found = items.filter(|node| may_become(node, value)).map(|node| traced(context, node, value));
    found.min_by_key(untrusted)
}

/// Whether a node may be rendered to a value: templates may become anything.
fn may_become(node: &Node, value: &Value) -> bool {
    match (&node.kind, value) {
        (NodeKind::Str(text, _), _) if is_template(text) => true,
        (NodeKind::Seq(nodes), Value::List(values)) => {
            nodes.len() == values.len() && nodes.iter().zip(values.iter()).all(|(node, value)| may_become(node, value))
        }
        (NodeKind::Map(_), Value::Map(map)) => {
            map.iter().all(|(key, value)| node.get(&key.to_string()).is_some_and(|node| may_become(node, value)))
        }
        _ => node.to_value() == *value,
    }
}

/// How many texts in a traced node, or containers of them, are data.
fn untrusted(node: &Node) -> usize {
    match &node.kind {
        NodeKind::Data(Value::Str(_) | Value::List(_) | Value::Map(_)) | NodeKind::Unsafe(_) => 1,
        NodeKind::Seq(nodes) => nodes.iter().map(untrusted).sum(),
        NodeKind::Map(entries) => entries.iter().map(|(_, node)| untrusted(node)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::{Map, Secret, Span};
    use crate::template::{Controller, Variable, Variables};

    /// A project's variable `known`, and one that a host has said.
    struct Project;

    impl Variables for Project {
        fn get(&self, name: &str) -> Option<Variable> {
            match name {
                "known" => Some(Variable::Source(Node::text(Span::origin("<vars>"), "1 == 1"))),
                "sealed" => Some(Variable::Source(Node::new(Span::origin("<vars>"), NodeKind::Vault("$ANSIBLE_VAULT".into())))),
                "said" => Some(Variable::Value("1 == 1".into())),
                _ => None,
            }
        }

        fn names(&self) -> Vec<String> {
            Vec::new()
        }
    }

    fn context() -> Context {
        Context { variables: Arc::new(Project), search: Default::default(), controller: Arc::default() }
    }

    fn traced_texts(source: &str) -> Vec<bool> {
        let node = crate::yaml::load_one(source, "f.yml").expect("is YAML").0;
        let traced = Templar::new().render_traced(&node, &context()).expect("renders");
        traced.as_seq().expect("a list").iter().map(|node| matches!(node.kind, NodeKind::Str(..))).collect()
    }

    #[test]
    fn only_what_the_project_wrote_as_it_came_out_is_its_text() {
        let source = "['1 == 1', '{{ known }}', '{{ said }}', '{{ \"1 == 1\" }}', '1 == {{ 1 }}', !unsafe '1 == 1']";
        assert_eq!(traced_texts(source), [true, true, false, false, false, false]);
    }

    #[test]
    fn text_that_came_out_of_a_vault_is_known_by_that_and_not_by_what_it_says() {
        let controller = Controller { decrypt: Arc::new(|_| Ok(Secret::new("1 == 1"))), ..Controller::default() };
        let context = Context { controller: Arc::new(controller), ..context() };
        let names = "[sealed is vault_encrypted, sealed == known, (sealed ~ '') is vault_encrypted, known is vault_encrypted]";
        let rendered = Templar::new().evaluate(names, &Span::origin("<task>"), &context).expect("renders");
        assert_eq!(rendered.to_repr(), "[True, True, False, False]");
    }

    #[test]
    fn the_item_of_a_loop_is_found_where_it_was_written() {
        let list = crate::yaml::load_one("['{{ said }}', {that: '{{ said }}'}, {that: a, quiet: true}]", "f.yml").expect("is YAML").0;
        let found = |value: Value| item_behind(&context(), &list, &value).expect("is found");
        let written = Value::Map(Map::from_iter([("that", Value::from("a")), ("quiet", true.into())]).into());
        assert_eq!(untrusted(&found(written)), 0);
        assert_eq!(untrusted(&found("1 == 1".into())), 1);
        assert_eq!(untrusted(&found(Value::map([("that", Value::from("1 == 1"))]))), 1);
    }
}
