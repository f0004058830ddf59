//! Results as text: JSON as Python's `json.dumps(sort_keys=True, ensure_ascii=False)` writes it, or YAML.

use crate::base::{Key, Map, Value};
use crate::yaml::{YamlStyle, to_yaml};

use super::Options;

/// A result as Ansible's callbacks show it (`_dump_results`), without what the reader did not ask for. `always` is a result that is always
/// shown, such as that of `debug`.
pub fn result(result: &Value, always: bool, options: &Options) -> String {
    with_indent(result, always, None, options)
}

/// The same, where the caller wishes an indent of its own: `ansible` shows results indented always.
pub fn with_indent(result: &Value, always: bool, wanted: Option<usize>, options: &Options) -> String {
    let pretty = always || options.pretty_results == Some(true) || (options.pretty_results.is_none() && options.yaml_results);
    let indent = wanted.or((pretty || options.verbosity > 2).then_some(4)).filter(|_| options.pretty_results != Some(false));
    let shown = shown(result, options);
    if options.yaml_results { yaml(&shown, options.pretty_results != Some(false)) } else { json(&shown, indent) }
}

fn shown(result: &Value, options: &Options) -> Value {
    let Value::Map(map) = result else { return result.clone() };
    let hidden = |key: &str| match key {
        "exception" | "warnings" | "deprecations" => true,
        "invocation" | "diff" => options.verbosity < 3,
        _ => key.starts_with("_ansible_"),
    };
    map.iter().filter(|(key, _)| !key.as_str().is_some_and(hidden)).map(|(key, value)| (key.clone(), value.clone())).collect::<Map>().into()
}

/// JSON with sorted keys: `{"a": 1, "b": 2}`, or over several lines with an indent.
pub fn json(value: &Value, indent: Option<usize>) -> String {
    let mut out = String::new();
    write_json(value, indent, 0, &mut out);
    out
}

fn write_json(value: &Value, indent: Option<usize>, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&match number {
            number if number.is_nan() => "NaN".to_owned(),
            number if number.is_infinite() => (if *number > 0.0 { "Infinity" } else { "-Infinity" }).to_owned(),
            _ => value.to_repr(),
        }),
        Value::Str(text) => write_string(text, out),
        Value::Bytes(bytes) => write_string(&String::from_utf8_lossy(bytes), out),
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, indent, depth + 1, out);
                write_json(item, indent, depth + 1, out);
            }
            close(']', indent, depth, out);
        }
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        Value::Map(map) => {
            out.push('{');
            let mut entries: Vec<(String, &Value)> = map.iter().map(|(key, value)| (key_text(key), value)).collect();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            for (index, (key, item)) in entries.into_iter().enumerate() {
                separate(index, indent, depth + 1, out);
                write_string(&key, out);
                out.push_str(": ");
                write_json(item, indent, depth + 1, out);
            }
            close('}', indent, depth, out);
        }
    }
}

fn separate(index: usize, indent: Option<usize>, depth: usize, out: &mut String) {
    if index > 0 {
        out.push_str(if indent.is_some() { "," } else { ", " });
    }
    if let Some(width) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', width * depth));
    }
}

fn close(bracket: char, indent: Option<usize>, depth: usize, out: &mut String) {
    if let Some(width) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', width * depth));
    }
    out.push(bracket);
}

fn key_text(key: &Key) -> String {
    match key {
        Key::Str(text) => text.to_string(),
        Key::Int(number) => number.to_string(),
        Key::Bool(flag) => flag.to_string(),
        Key::Null => "null".to_owned(),
    }
}

fn write_string(text: &str, out: &mut String) {
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
            control if (control as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// YAML in block style, begun on a line of its own and indented by four, as Ansible shows results with `result_format: yaml`.
/// With `readable`, text that is there twice is left out once.
fn yaml(value: &Value, readable: bool) -> String {
    let mut value = value.clone();
    if readable && let Value::Map(map) = &value {
        let mut map = map.as_ref().clone();
        for name in ["stdout", "stderr"] {
            let lines = format!("{name}_lines");
            if map.contains_key(name) && map.contains_key(&lines) {
                map.insert(lines, "<omitted>");
            }
        }
        value = map.into();
    }
    format!("\n{}", yaml_block(&value))
}

/// YAML in block style, indented by four; text of several lines stands as it is.
pub fn yaml_block(value: &Value) -> String {
    let mut blocks = Vec::new();
    let marked = mark_blocks(value, &mut blocks);
    let style = YamlStyle { indent: 4, ..YamlStyle::default() };
    let mut out = String::new();
    for line in to_yaml(&marked, &style).lines() {
        match line.rsplit_once(MARK).and_then(|(head, number)| Some((head, blocks.get(number.parse::<usize>().ok()?)?))) {
            Some((head, text)) => write_block(head, text, &mut out),
            None => out.push_str(&format!("    {line}\n")),
        }
    }
    out
}

/// Stands for a text of several lines while the rest is written: a plain scalar that no result has.
const MARK: &str = "hostler_text_of_several_lines_";

fn mark_blocks(value: &Value, blocks: &mut Vec<String>) -> Value {
    match value {
        Value::Str(text) if text.contains('\n') => {
            blocks.push(text.trim_end().replace('\t', "        "));
            format!("{MARK}{}", blocks.len() - 1).into()
        }
        Value::List(items) => Value::list(items.iter().map(|item| mark_blocks(item, blocks))),
        Value::Map(map) => map.iter().map(|(key, item)| (key.clone(), mark_blocks(item, blocks))).collect::<Map>().into(),
        other => other.clone(),
    }
}

/// The text behind `key: ` or `- `, four columns further in than what it belongs to.
fn write_block(head: &str, text: &str, out: &mut String) {
    let inner = head.trim_start_matches(' ');
    let key = inner.trim_start_matches("-   ");
    let margin = " ".repeat(head.len() - key.len() + 8);
    // YAML finds the margin by the first line, unless that begins with a blank.
    let hint = if text.starts_with([' ', '\n']) { "4" } else { "" };
    out.push_str(&format!("    {head}|{hint}-\n"));
    for line in text.lines() {
        out.push_str(format!("{margin}{line}").trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        Value::map([
            ("msg", Value::from("é \"x\"\n\u{1}")),
            ("list", Value::list([Value::Int(1), Value::Null, Value::Float(1.5)])),
            ("empty", Value::map::<&str, Value>([])),
            ("invocation", Value::map([("module_args", 1)])),
            ("_ansible_internal", Value::from(1)),
        ])
    }

    #[test]
    fn json_is_pythons_with_sorted_keys() {
        let options = Options::default();
        assert_eq!(result(&sample(), false, &options), r#"{"empty": {}, "list": [1, null, 1.5], "msg": "é \"x\"\n\u0001"}"#);
    }

    #[test]
    fn what_is_always_shown_is_indented_by_four() {
        let options = Options::default();
        insta::assert_snapshot!(result(&sample(), true, &options), @r#"
        {
            "empty": {},
            "list": [
                1,
                null,
                1.5
            ],
            "msg": "é \"x\"\n\u0001"
        }
        "#);
    }

    #[test]
    fn the_third_v_shows_the_invocation() {
        let options = Options { verbosity: 3, ..Options::default() };
        assert!(result(&sample(), false, &options).contains("    \"invocation\": {\n        \"module_args\": 1\n    }"));
    }

    #[test]
    fn yaml_results_are_block_style() {
        let options = Options { yaml_results: true, ..Options::default() };
        let value = Value::map([
            ("stdout", Value::from("a\nb")),
            ("stdout_lines", Value::list(["a", "b"])),
            ("rc", Value::Int(0)),
            ("items", Value::list([Value::map([("a", "yes"), ("b", "1")]), Value::from("x: y")])),
        ]);
        insta::assert_snapshot!(result(&value, false, &options), @r"

            items:
            -   a: 'yes'
                b: '1'
            - 'x: y'
            rc: 0
            stdout: |-
                a
                b
            stdout_lines: <omitted>
        ");
    }
}
