//! Values of INI inventories: what Python's `ast.literal_eval` makes of a text, and the text itself where that fails.

use std::sync::Arc;

use crate::base::source::Style;
use crate::base::{Node, NodeKind, Span};

const DEEPEST: usize = 90;

/// A value of an INI inventory: a number, boolean, none, string, list, tuple (a list), set (a list) or dict where it is written
/// as Python writes it, else text. Text may be a template.
pub(super) fn value(text: &str, span: &Span) -> Node {
    let mut reader = Reader { rest: text.trim_start_matches([' ', '\t']), span, depth: 0 };
    let parsed = reader.list_or_single().filter(|_| {
        reader.space();
        reader.rest.is_empty()
    });
    parsed.unwrap_or_else(|| Node::new(span.clone(), string(text)))
}

fn string(text: &str) -> NodeKind {
    NodeKind::Str(text.into(), Style::Plain)
}

struct Reader<'a> {
    rest: &'a str,
    span: &'a Span,
    depth: usize,
}

impl Reader<'_> {
    /// Skips blanks and, as Python does, a comment at the end.
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('#') {
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        }
    }

    fn take(&mut self, mark: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn node(&self, kind: NodeKind) -> Node {
        Node::new(self.span.clone(), kind)
    }

    /// `1, 2` without brackets is a tuple too.
    fn list_or_single(&mut self) -> Option<Node> {
        let first = self.item()?;
        if !self.take(",") {
            return Some(first);
        }
        let mut items = vec![first];
        loop {
            self.space();
            if self.rest.is_empty() {
                return Some(Node::seq(self.span.clone(), items));
            }
            items.push(self.item()?);
            if !self.take(",") {
                return Some(Node::seq(self.span.clone(), items));
            }
        }
    }

    fn item(&mut self) -> Option<Node> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        self.space();
        let node = match self.rest.chars().next()? {
            '[' => self.bracketed("[", "]"),
            '(' => self.parenthesized(),
            '{' => self.braced(),
            '.' if self.take("...") => Some(self.node(string("..."))),
            '-' | '+' => self.signed(),
            '0'..='9' | '.' => self.number(),
            _ => self.name_or_string(),
        };
        self.depth -= 1;
        node
    }

    fn bracketed(&mut self, open: &str, close: &str) -> Option<Node> {
        self.take(open);
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.item()?);
            if !self.take(",")
                && !{
                    self.space();
                    self.rest.starts_with(close)
                }
            {
                return None;
            }
        }
        Some(Node::seq(self.span.clone(), items))
    }

    /// `(1)` is 1, `(1,)` and `(1, 2)` are tuples.
    fn parenthesized(&mut self) -> Option<Node> {
        let before = self.rest;
        let list = self.bracketed("(", ")")?;
        let inside = &before[1..before.len() - self.rest.len() - 1];
        match list.as_seq() {
            Some([single]) if !inside.trim_end().ends_with(',') => Some(single.clone()),
            _ => Some(list),
        }
    }

    fn braced(&mut self) -> Option<Node> {
        self.take("{");
        let mut entries = Vec::new();
        if self.take("}") {
            return Some(Node::map(self.span.clone(), entries));
        }
        let first = self.item()?;
        if !self.take(":") {
            return self.set(first);
        }
        entries.push((first, self.item()?));
        while !self.take("}") {
            if !self.take(",") {
                return None;
            }
            if self.take("}") {
                break;
            }
            let key = self.item()?;
            if !self.take(":") {
                return None;
            }
            entries.push((key, self.item()?));
        }
        Some(Node::map(self.span.clone(), entries))
    }

    fn set(&mut self, first: Node) -> Option<Node> {
        let mut items = vec![first];
        while !self.take("}") {
            if !self.take(",") {
                return None;
            }
            if self.take("}") {
                break;
            }
            items.push(self.item()?);
        }
        Some(Node::seq(self.span.clone(), items))
    }

    fn signed(&mut self) -> Option<Node> {
        let is_negative = self.take("-");
        if !is_negative {
            self.take("+");
        }
        self.space();
        if !self.rest.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
            return None;
        }
        let node = self.number()?;
        Some(match node.kind {
            NodeKind::Int(number) if is_negative => self.node(NodeKind::Int(-number)),
            NodeKind::Float(number) if is_negative => self.node(NodeKind::Float(-number)),
            _ => node,
        })
    }

    fn number(&mut self) -> Option<Node> {
        let mut end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))).unwrap_or(self.rest.len());
        let is_exponent = self.rest[..end].ends_with(['e', 'E']) && !self.rest.starts_with("0x") && !self.rest.starts_with("0X");
        if is_exponent && self.rest[end..].starts_with(['+', '-']) {
            end += 1 + self.rest[end + 1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len() - end - 1);
        }
        let word = &self.rest[..end];
        let kind = number_of(word)?;
        self.rest = &self.rest[end..];
        Some(self.node(kind))
    }

    fn name_or_string(&mut self) -> Option<Node> {
        for (name, kind) in [("True", NodeKind::Bool(true)), ("False", NodeKind::Bool(false)), ("None", NodeKind::Null)] {
            if let Some(rest) = self.rest.strip_prefix(name)
                && !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_')
            {
                self.rest = rest;
                return Some(self.node(kind));
            }
        }
        // `set()` is how Python writes the empty set.
        if self.take("set()") {
            return Some(Node::seq(self.span.clone(), Vec::new()));
        }
        let marks = self.rest.split(['\'', '"']).next().unwrap_or_default();
        // Bytes are no text of the project's: they become no template.
        let is_bytes = marks.contains(['b', 'B']);
        let mut text = self.string_piece()?;
        loop {
            self.space();
            match self.string_piece() {
                Some(more) => text.push_str(&more),
                None if is_bytes => return Some(self.node(NodeKind::Unsafe(Arc::from(text)))),
                None => return Some(self.node(NodeKind::Str(Arc::from(text), Style::Plain))),
            }
        }
    }

    fn string_piece(&mut self) -> Option<String> {
        let prefix = self.rest.find(['\'', '"']).filter(|end| *end <= 2)?;
        let marks = self.rest[..prefix].to_ascii_lowercase();
        if !matches!(marks.as_str(), "" | "u" | "b" | "r" | "br" | "rb") {
            return None;
        }
        let body = &self.rest[prefix..];
        let triple = ["'''", "\"\"\""].into_iter().find(|quote| body.starts_with(quote));
        let quote = triple.unwrap_or(&body[..1]);
        let inner = &body[quote.len()..];
        let end = closing(inner, quote)?;
        self.rest = &inner[end + quote.len()..];
        if marks.contains('r') { Some(inner[..end].to_owned()) } else { unescaped(&inner[..end], !marks.contains('b')) }
    }
}

fn closing(text: &str, quote: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, character) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if text[index..].starts_with(quote) {
            return Some(index);
        } else if character == '\n' && quote.len() == 1 {
            return None;
        } else {
            escaped = character == '\\';
        }
    }
    None
}

/// The text of a Python string literal. An escape that Python does not know stays as it is.
fn unescaped(text: &str, is_text: bool) -> Option<String> {
    let mut plain = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        let escape = characters.next()?;
        let digits = match escape {
            'n' | 't' | 'r' | 'a' | 'b' | 'f' | 'v' | '\\' | '\'' | '"' | '\n' => {
                let at = "ntrabfv\\'\"".find(escape);
                plain.extend(at.and_then(|at| "\n\t\r\x07\x08\x0c\x0b\\'\"".chars().nth(at)));
                continue;
            }
            '0'..='7' => {
                let mut code = escape.to_digit(8)?;
                for _ in 0..2 {
                    let Some(digit) = characters.peek().and_then(|next| next.to_digit(8)) else { break };
                    code = code * 8 + digit;
                    characters.next();
                }
                plain.push(char::from_u32(code)?);
                continue;
            }
            'x' => 2,
            'u' if is_text => 4,
            'U' if is_text => 8,
            other => {
                plain.extend(['\\', other]);
                continue;
            }
        };
        let code: String = characters.by_ref().take(digits).collect();
        plain.push(char::from_u32(u32::from_str_radix(&code, 16).ok().filter(|_| code.len() == digits)?)?);
    }
    Some(plain)
}

fn number_of(word: &str) -> Option<NodeKind> {
    let is_grouped = !word.starts_with('_') && !word.ends_with('_') && !word.contains("__");
    let digits = word.replace('_', "").to_ascii_lowercase();
    if !is_grouped {
        return None;
    }
    let whole = |text: &str, radix| i64::from_str_radix(text, radix).ok().map(NodeKind::Int);
    match digits.get(..2) {
        Some("0x") => return whole(&digits[2..], 16),
        Some("0o") => return whole(&digits[2..], 8),
        Some("0b") => return whole(&digits[2..], 2),
        _ => {}
    }
    // An imaginary number is nothing that a variable can be: its text is.
    if let Some(part) = digits.strip_suffix('j') {
        return part.parse::<f64>().ok().map(|_| string(&digits));
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // Python refuses a leading zero: `0644` stays text.
        let is_octal_of_old = digits.starts_with('0') && digits.bytes().any(|byte| byte != b'0');
        return if is_octal_of_old { None } else { whole(&digits, 10) };
    }
    let is_float = digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+' | b'-'));
    digits.parse().ok().filter(|_| is_float).map(NodeKind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repr(text: &str) -> String {
        value(text, &Span::new("f", 1, 1)).to_value().to_repr()
    }

    #[test]
    fn what_python_writes_is_what_it_says() {
        for (text, meant) in [
            ("5", "5"),
            ("-5", "-5"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1_000", "1000"),
            ("1.5e3", "1500.0"),
            ("1e-3", "0.001"),
            (".5", "0.5"),
            ("True", "True"),
            ("None", "None"),
            ("'a' \"b\"", "'ab'"),
            ("[1, 'x', [True]]", "[1, 'x', [True]]"),
            ("(1)", "1"),
            ("(1,)", "[1]"),
            ("1, 2", "[1, 2]"),
            ("{'a': 1, 'b': {}}", "{'a': 1, 'b': {}}"),
            ("{1, 2}", "[1, 2]"),
            ("'a\\tb\\x41'", "'a\\tbA'"),
            ("r'a\\b'", "'a\\\\b'"),
            ("5 # five", "5"),
            ("'it''s'", "'its'"),
            ("[..., 1j, set(), {1, 2}, b'x']", "['...', '1j', [], [1, 2], 'x']"),
        ] {
            assert_eq!(repr(text), meant, "{text}");
        }
    }

    #[test]
    fn everything_else_is_text() {
        for text in [
            "yes",
            "true",
            "0644",
            "1.2.3.4",
            "a b",
            "[a, b]",
            "{{ x }}",
            "5 apples",
            "'open",
            "nan",
            "1__0",
            "",
            "--5",
            "1-2",
            "Trueish",
            "foo.bar",
            "12345678901234567890123",
        ] {
            assert_eq!(value(text, &Span::new("f", 1, 1)).as_str(), Some(text), "{text}");
        }
    }
}
