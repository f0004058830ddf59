//! Source: what stands in the project's own files. It may hold templates, and it alone is ever templated;
//! data from hosts and lookups is a `Value` and cannot become code.

use std::sync::Arc;

use super::span::Span;
use super::value::{Key, Map, Value};

/// A piece of a YAML file with the place it was written at. Clones are cheap.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub span: Span,
    pub kind: NodeKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Text, which is a template when it holds `{{`, `{%` or `{#`.
    Str(Arc<str>, Style),
    /// A point in time as YAML writes it: text everywhere but in expressions.
    Time(Arc<str>),
    /// Text behind `!unsafe`: data, never a template.
    Unsafe(Arc<str>),
    /// The cipher text behind `!vault`, as written.
    Vault(Arc<str>),
    Seq(Arc<Vec<Node>>),
    /// Entries in the order written; a key that stands twice was reported by the loader, and the last one wins.
    Map(Arc<Vec<(Node, Node)>>),
    /// A value from elsewhere (a registered result, a fact, `-e` JSON) that sits where source is expected: data, never a template.
    Data(Value),
}

/// How a scalar was written: what lets a position inside the text be found again in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Single,
    Double,
    /// `|`: the text starts on the line after the span's.
    Literal,
    /// `>`: the same, with lines joined.
    Folded,
}

impl Node {
    pub fn new(span: Span, kind: NodeKind) -> Self {
        Node { span, kind }
    }

    pub fn text(span: Span, text: impl Into<Arc<str>>) -> Self {
        Node::new(span, NodeKind::Str(text.into(), Style::Plain))
    }

    pub fn null(span: Span) -> Self {
        Node::new(span, NodeKind::Null)
    }

    /// Plain data at a place: never templated.
    pub fn data(span: Span, value: Value) -> Self {
        Node::new(span, NodeKind::Data(value))
    }

    pub fn seq(span: Span, items: Vec<Node>) -> Self {
        Node::new(span, NodeKind::Seq(Arc::new(items)))
    }

    pub fn map(span: Span, entries: Vec<(Node, Node)>) -> Self {
        Node::new(span, NodeKind::Map(Arc::new(entries)))
    }

    /// The text of a scalar written as text (also `!unsafe`).
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Str(text, _) | NodeKind::Time(text) | NodeKind::Unsafe(text) => Some(text),
            NodeKind::Data(Value::Str(text)) => Some(text),
            _ => None,
        }
    }

    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.kind {
            NodeKind::Seq(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            NodeKind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entry of a mapping by its text key; the last one where a key stands twice.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.iter().rev().find(|(name, _)| name.as_str() == Some(key)).map(|(_, node)| node)
    }

    /// This tree with another laid over it: mappings entry by entry, anything else is replaced.
    pub fn overlaid(&self, upper: &Node) -> Node {
        let (Some(mut merged), Some(over)) = (self.entries(), upper.entries()) else { return upper.clone() };
        for (key, value) in over {
            match merged.iter_mut().find(|(known, _)| known.to_key() == key.to_key()) {
                Some((_, known)) => *known = known.overlaid(&value),
                None => merged.push((key, value)),
            }
        }
        Node::map(upper.span.clone(), merged)
    }

    /// A mapping's entries, of a source or of data.
    fn entries(&self) -> Option<Vec<(Node, Node)>> {
        if let NodeKind::Data(Value::Map(map)) = &self.kind {
            let part = |value: Value| Node::data(self.span.clone(), value);
            return Some(map.iter().map(|(key, value)| (part(key.to_value()), part(value.clone()))).collect());
        }
        self.as_map().map(<[(Node, Node)]>::to_vec)
    }

    pub fn is_null(&self) -> bool {
        matches!(self.kind, NodeKind::Null | NodeKind::Data(Value::Null))
    }

    /// Whether this very scalar is a template.
    pub fn is_template(&self) -> bool {
        matches!(&self.kind, NodeKind::Str(text, _) if is_template(text))
    }

    /// Whether anything in here needs templating or decryption before it is data.
    pub fn needs_rendering(&self) -> bool {
        match &self.kind {
            NodeKind::Str(text, _) => is_template(text),
            NodeKind::Vault(_) => true,
            NodeKind::Seq(items) => items.iter().any(Node::needs_rendering),
            NodeKind::Map(entries) => entries.iter().any(|(key, value)| key.needs_rendering() || value.needs_rendering()),
            _ => false,
        }
    }

    /// The node as data with templates left as the text they are. Right for what has no templates, and for showing source.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(flag) => Value::Bool(*flag),
            NodeKind::Int(number) => Value::Int(*number),
            NodeKind::Float(number) => Value::Float(*number),
            NodeKind::Str(text, _) | NodeKind::Time(text) | NodeKind::Unsafe(text) | NodeKind::Vault(text) => Value::Str(text.clone()),
            NodeKind::Seq(items) => Value::list(items.iter().map(Node::to_value)),
            NodeKind::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries.iter() {
                    map.insert(key.to_key(), value.to_value());
                }
                map.into()
            }
            NodeKind::Data(value) => value.clone(),
        }
    }

    /// The node as a key of a mapping; containers and floats become their text.
    pub fn to_key(&self) -> Key {
        let value = self.to_value();
        Key::from_value(&value).unwrap_or_else(|| Key::from(value.to_text()))
    }

    /// What the node is, in Ansible's words for messages.
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            NodeKind::Null => "nothing",
            NodeKind::Bool(_) => "a boolean",
            NodeKind::Int(_) | NodeKind::Float(_) => "a number",
            NodeKind::Str(..) | NodeKind::Time(_) | NodeKind::Unsafe(_) | NodeKind::Vault(_) => "a string",
            NodeKind::Seq(_) => "a list",
            NodeKind::Map(_) => "a mapping",
            NodeKind::Data(Value::List(_)) => "a list",
            NodeKind::Data(Value::Map(_)) => "a mapping",
            NodeKind::Data(_) => "a plain value",
        }
    }
}

/// Whether text holds anything for Jinja. ansible-core 2.19: `is_possibly_template` looks for the three opening marks.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}
