//! JSON with places, as Python's `json` reads it. ansible-core tries it before YAML on every file, and so does the loader here.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::source::Style;
use crate::base::{Key, Node, NodeKind, Span};

const DEEPEST: usize = 200;

/// The document, or nothing when the text is no JSON: then it is YAML's turn, and YAML has the better errors.
pub(super) fn load(text: &str, file: &str) -> Option<Node> {
    let mut reader = Reader { rest: text, file: file.into(), line: 1, column: 1 };
    reader.space();
    let node = reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(node)
}

struct Reader<'a> {
    rest: &'a str,
    file: Arc<str>,
    line: u32,
    column: u32,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.rest = &self.rest[character.len_utf8()..];
        if character == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(character)
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        if self.peek()? != wanted {
            return None;
        }
        self.bump().map(|_| ())
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|c| matches!(c, ' ' | '\t' | '\n' | '\r')) {
            self.bump();
        }
    }

    fn here(&self) -> Span {
        Span::new(self.file.clone(), self.line, self.column)
    }

    /// The span from a start to here, when that is one line.
    fn since(&self, start: Span) -> Span {
        let length = if start.line == self.line { self.column - start.column } else { 0 };
        start.with_length(length)
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        let start = self.here();
        let kind = match self.peek()? {
            _ if depth > DEEPEST => return None,
            '{' => return self.object(depth),
            '[' => self.array(depth)?,
            '"' => NodeKind::Str(self.string()?.into(), Style::Double),
            _ => self.word()?,
        };
        Some(Node::new(self.since(start), kind))
    }

    fn array(&mut self, depth: usize) -> Option<NodeKind> {
        self.take('[')?;
        let mut items = Vec::new();
        self.space();
        if self.take(']').is_some() {
            return Some(NodeKind::Seq(Arc::new(items)));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            match self.bump()? {
                ',' => {}
                ']' => return Some(NodeKind::Seq(Arc::new(items))),
                _ => return None,
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Node> {
        let start = self.here();
        self.take('{')?;
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut known: HashMap<Key, usize> = HashMap::new();
        self.space();
        if self.take('}').is_some() {
            return Some(Node::map(self.since(start), entries));
        }
        loop {
            self.space();
            let place = self.here();
            let text = self.string()?;
            let key = Node::new(self.since(place), NodeKind::Str(text.into(), Style::Double));
            self.space();
            self.take(':')?;
            self.space();
            let value = self.value(depth + 1)?;
            match known.get(&key.to_key()) {
                Some(index) => entries[*index] = (key, value),
                None => {
                    known.insert(key.to_key(), entries.len());
                    entries.push((key, value));
                }
            }
            self.space();
            match self.bump()? {
                ',' => {}
                '}' => return Some(typed(Node::map(self.since(start), entries))),
                _ => return None,
            }
        }
    }

    fn word(&mut self) -> Option<NodeKind> {
        let length = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))).unwrap_or(self.rest.len());
        let word = &self.rest[..length];
        let kind = match word {
            "null" => NodeKind::Null,
            "true" => NodeKind::Bool(true),
            "false" => NodeKind::Bool(false),
            "NaN" => NodeKind::Float(f64::NAN),
            "Infinity" => NodeKind::Float(f64::INFINITY),
            "-Infinity" => NodeKind::Float(f64::NEG_INFINITY),
            number => number_of(number)?,
        };
        self.rest = &self.rest[length..];
        self.column += length as u32;
        Some(kind)
    }

    fn string(&mut self) -> Option<String> {
        let literal = string_literal(self.rest)?;
        let text = serde_json::from_str(literal).ok()?;
        self.rest = &self.rest[literal.len()..];
        self.column += literal.chars().count() as u32;
        Some(text)
    }
}

/// The text from the opening to the closing quote.
fn string_literal(rest: &str) -> Option<&str> {
    let bytes = rest.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut index = 1;
    while index < bytes.len() {
        match bytes[index] {
            b'"' => return Some(&rest[..=index]),
            b'\\' => index += 2,
            b'\n' => return None,
            _ => index += 1,
        }
    }
    None
}

fn number_of(word: &str) -> Option<NodeKind> {
    let number: serde_json::Number = serde_json::from_str(word).ok()?;
    if let Some(whole) = number.as_i64() {
        return Some(NodeKind::Int(whole));
    }
    // An integer that no `i64` holds keeps its digits, as in YAML.
    if word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return Some(NodeKind::Str(word.into(), Style::Plain));
    }
    number.as_f64().map(NodeKind::Float)
}

/// The marks by which Ansible's own JSON says that text is vaulted or unsafe.
fn typed(node: Node) -> Node {
    let Some([(key, value)]) = node.as_map() else { return node };
    match (key.as_str(), value.as_str()) {
        (Some("__ansible_vault"), Some(text)) => Node::new(node.span.clone(), NodeKind::Vault(text.into())),
        (Some("__ansible_unsafe"), Some(text)) => Node::new(node.span.clone(), NodeKind::Unsafe(text.into())),
        _ => node,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_place() {
        let node = load("{\n  \"hosts\": [1, \"zwei\"],\n  \"on\": true\n}\n", "f.json").expect("is JSON");
        let hosts = node.get("hosts").and_then(Node::as_seq).expect("a list");
        assert_eq!((hosts[1].span.line, hosts[1].span.column, hosts[1].span.length), (2, 16, 6));
        assert_eq!(node.to_value().to_repr(), "{'hosts': [1, 'zwei'], 'on': True}");
    }

    #[test]
    fn what_is_no_json_is_left_to_yaml() {
        for text in ["", "a: 1", "- a", "{a: 1}", "[1, 2", "{\"a\": 1} x", "0644", "{\"a\": 1,}"] {
            assert!(load(text, "f").is_none(), "{text}");
        }
    }

    #[test]
    fn the_marks_of_ansibles_json_are_read() {
        let node =
            load("{\"a\": {\"__ansible_unsafe\": \"{{ x }}\"}, \"b\": {\"__ansible_vault\": \"$ANSIBLE_VAULT\"}}", "f").expect("is JSON");
        assert_eq!(node.get("a").map(|node| &node.kind), Some(&NodeKind::Unsafe("{{ x }}".into())));
        assert_eq!(node.get("b").map(|node| &node.kind), Some(&NodeKind::Vault("$ANSIBLE_VAULT".into())));
    }
}
