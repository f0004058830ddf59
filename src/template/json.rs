//! JSON as Python's `json.dumps` writes it.

use crate::base::{Key, Value};

#[derive(Default)]
pub(crate) struct Style {
    pub indent: Option<String>,
    pub sort_keys: bool,
    pub ensure_ascii: bool,
    /// Between items and after keys; by default `, ` and `: `, without the space at a line's end.
    pub separators: Option<(String, String)>,
}

pub(crate) fn write(value: &Value, style: &Style) -> String {
    let mut out = String::new();
    put(value, style, 0, &mut out);
    out
}

fn put(value: &Value, style: &Style, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) if number.is_nan() => out.push_str("NaN"),
        Value::Float(number) if number.is_infinite() => out.push_str(if *number > 0.0 { "Infinity" } else { "-Infinity" }),
        Value::Float(_) => out.push_str(&value.to_repr()),
        Value::Str(text) => quoted(text, style, out),
        Value::Bytes(bytes) => quoted(&String::from_utf8_lossy(bytes), style, out),
        Value::List(items) => {
            let writers = items.iter().map(|item| move |out: &mut String| put(item, style, depth + 1, out));
            container('[', writers, ']', style, depth, out);
        }
        Value::Map(map) => {
            let mut entries: Vec<(String, &Value)> = map.iter().map(|(key, value)| (key_text(key), value)).collect();
            if style.sort_keys {
                entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            }
            let after_key = style.separators.as_ref().map_or(": ", |(_, after_key)| after_key);
            let writers = entries.into_iter().map(|(key, value)| {
                move |out: &mut String| {
                    quoted(&key, style, out);
                    out.push_str(after_key);
                    put(value, style, depth + 1, out);
                }
            });
            container('{', writers, '}', style, depth, out);
        }
    }
}

fn key_text(key: &Key) -> String {
    match key {
        Key::Bool(flag) => flag.to_string(),
        Key::Null => "null".into(),
        other => other.to_string(),
    }
}

fn container<W: FnOnce(&mut String)>(
    open: char,
    items: impl ExactSizeIterator<Item = W>,
    close: char,
    style: &Style,
    depth: usize,
    out: &mut String,
) {
    out.push(open);
    let empty = items.len() == 0;
    let between = match (&style.separators, &style.indent) {
        (Some((between, _)), _) => between.as_str(),
        (None, Some(_)) => ",",
        (None, None) => ", ",
    };
    let newline = |depth: usize, out: &mut String| {
        if let Some(indent) = &style.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    };
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push_str(between);
        }
        newline(depth + 1, out);
        item(out);
    }
    if !empty {
        newline(depth, out);
    }
    out.push(close);
}

fn quoted(text: &str, style: &Style, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if style.ensure_ascii && !c.is_ascii() => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_as_python_writes_it() {
        let value = Value::map([("b", Value::list([Value::Float(1.0), "é".into()])), ("a", Value::list(Vec::<Value>::new()))]);
        assert_eq!(write(&value, &Style { ensure_ascii: true, ..Style::default() }), r#"{"b": [1.0, "\u00e9"], "a": []}"#);
        let nice = Style { indent: Some("  ".into()), sort_keys: true, ..Style::default() };
        assert_eq!(write(&value, &nice), "{\n  \"a\": [],\n  \"b\": [\n    1.0,\n    \"é\"\n  ]\n}");
    }
}
