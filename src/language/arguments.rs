//! Arguments of actions: a mapping, or free-form `k=v` words split as Ansible splits them (quotes and Jinja braces hold together).

use crate::base::{Diagnostic, Node, NodeKind, Span};

use super::split::{join_text, split_arguments, split_text};

/// What an action was given, keys in the order written.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    pub options: Vec<(String, Node)>,
    /// The free-form text that is no `k=v`.
    pub raw: Option<Node>,
    /// `args: "{{ mapping }}"`, or an action whose whole argument is a template: mappings once rendered, later ones win.
    pub whole: Vec<Node>,
}

impl Arguments {
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.options.iter().rev().find(|(known, _)| known == name).map(|(_, node)| node)
    }

    /// Adds an option unless it is there.
    pub fn add_default(&mut self, name: &str, node: Node) {
        if self.get(name).is_none() {
            self.options.push((name.to_owned(), node));
        }
    }
}

/// Actions whose text is what they run or read; only a few options may stand in it.
const RAW_ACTIONS: &[&str] = &[
    "command",
    "shell",
    "script",
    "raw",
    "expect",
    "include_vars",
    "include_tasks",
    "include_role",
    "import_tasks",
    "import_role",
    "meta",
    "add_host",
    "group_by",
    "set_fact",
    "include",
];

/// Options that `command` and its like take out of their text.
const RAW_OPTIONS: &[&str] =
    &["creates", "removes", "chdir", "executable", "warn", "stdin", "stdin_add_newline", "strip_empty_ends", "expand_argument_vars"];

/// Actions that take their options out of free-form text but keep the rest as it is.
const COMMANDS: &[&str] = &["command", "shell", "script", "raw"];

/// The last part of a full name of Ansible's own.
pub fn short(action: &str) -> &str {
    action.strip_prefix("ansible.builtin.").or_else(|| action.strip_prefix("ansible.legacy.")).unwrap_or(action)
}

/// Whether an action takes text that is no option.
pub fn takes_free_text(action: &str) -> bool {
    RAW_ACTIONS.contains(&short(action))
}

/// Reads what stands behind an action's name.
pub fn read(action: &str, node: &Node) -> Result<Arguments, Diagnostic> {
    match &node.kind {
        _ if node.is_null() => Ok(Arguments::default()),
        NodeKind::Map(entries) => Ok(Arguments {
            options: entries.iter().map(|(key, value)| (key.to_key().to_string(), value.clone())).collect(),
            ..Arguments::default()
        }),
        NodeKind::Str(text, _) => from_text(action, text, node),
        NodeKind::Data(crate::base::Value::Map(map)) => Ok(Arguments {
            options: map.iter().map(|(key, value)| (key.to_string(), Node::data(node.span.clone(), value.clone()))).collect(),
            ..Arguments::default()
        }),
        NodeKind::Data(crate::base::Value::Str(text)) => from_text(action, text, node),
        _ if RAW_ACTIONS.contains(&short(action)) => Ok(Arguments { raw: Some(node.clone()), ..Arguments::default() }),
        _ => {
            Err(Diagnostic::error(format!("the arguments of `{action}` must be a mapping or text, not {}", node.type_name()))
                .at(&node.span))
        }
    }
}

fn from_text(action: &str, text: &str, node: &Node) -> Result<Arguments, Diagnostic> {
    let name = short(action);
    if is_one_expression(text) && !RAW_ACTIONS.contains(&name) {
        return Ok(Arguments { whole: vec![node.clone()], ..Arguments::default() });
    }
    let is_command = COMMANDS.contains(&name);
    let words = if is_command { split_text(text) } else { split_arguments(text) };
    let words = words.map_err(|why| Diagnostic::error(why).at(&node.span))?;
    let mut found = Arguments::default();
    let mut raw: Vec<String> = Vec::new();
    for word in words {
        match key_value(&word) {
            Some((key, value)) if !is_command || RAW_OPTIONS.contains(&key.as_str()) => {
                found.options.push((key, Node::text(node.span.clone(), unquote(&value))));
            }
            _ => raw.push(word),
        }
    }
    if raw.iter().any(|word| !word.trim().is_empty()) {
        let joined = match is_command {
            true => join_text(&raw),
            false => raw.iter().map(|word| unquote(word.trim())).collect::<Vec<_>>().join(" "),
        };
        let text = Node::new(node.span.clone(), keep_style(node, joined));
        if !RAW_ACTIONS.contains(&name) && !action.contains("{{") {
            // What is a template may still become a mapping of options; else only an action of the project's may want it.
            match text.is_template() {
                true => found.whole.push(text),
                false => found.raw = Some(text),
            }
            return Ok(found);
        }
        found.raw = Some(text);
    }
    Ok(found)
}

fn keep_style(node: &Node, text: String) -> NodeKind {
    match &node.kind {
        NodeKind::Str(_, style) => NodeKind::Str(text.into(), *style),
        _ => NodeKind::Data(text.into()),
    }
}

/// Whether the text is one `{{ … }}` and nothing else.
pub fn is_one_expression(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("{{") && text.ends_with("}}") && text[2..].find("}}") == Some(text.len() - 4)
}

/// `key=value`, with escapes read; an `=` at the start, after a backslash or inside braces makes no pair. The key may be a template.
fn key_value(word: &str) -> Option<(String, String)> {
    let text = unescape(word);
    let at = text.char_indices().skip(1).find(|(at, c)| *c == '=' && !text[..*at].ends_with('\\')).map(|(at, _)| at)?;
    let (key, value) = (text[..at].trim(), text[at + 1..].trim());
    let is_open = key.matches("{{").count() != key.matches("}}").count();
    (!key.is_empty() && !is_open).then(|| (key.to_owned(), value.to_owned()))
}

/// Python's escapes, as `k=v` text has them; what is no escape stays.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (character, length) = escape(&rest[at + 1..]).unwrap_or(('\\', 0));
        out.push(character);
        rest = &rest[at + 1 + length..];
    }
    out.push_str(rest);
    out
}

/// The character that an escape means, and how long it is after its backslash.
fn escape(text: &str) -> Option<(char, usize)> {
    let first = text.chars().next()?;
    let digits = |count: usize| {
        let code = u32::from_str_radix(text.get(1..1 + count)?, 16).ok()?;
        Some((char::from_u32(code)?, 1 + count))
    };
    match first {
        '\\' | '\'' | '"' => Some((first, 1)),
        'a' => Some(('\u{7}', 1)),
        'b' => Some(('\u{8}', 1)),
        'f' => Some(('\u{c}', 1)),
        'n' => Some(('\n', 1)),
        'r' => Some(('\r', 1)),
        't' => Some(('\t', 1)),
        'v' => Some(('\u{b}', 1)),
        'x' => digits(2),
        'u' => digits(4),
        'U' => digits(8),
        _ => None,
    }
}

/// Removes one pair of quotes around a value.
fn unquote(text: &str) -> String {
    let bytes = text.as_bytes();
    match bytes {
        [first @ (b'"' | b'\''), .., last] if first == last => text[1..text.len() - 1].to_owned(),
        _ => text.to_owned(),
    }
}

/// `k=v k2="v 2"` as a mapping's entries; words without `=` are left out.
///
/// # Errors
/// Quotes that are not closed.
pub fn split_key_values(text: &str, span: &Span) -> Result<Vec<(Node, Node)>, Diagnostic> {
    let words = split_arguments(text).map_err(|why| Diagnostic::error(why).at(span))?;
    let pairs = words.iter().filter_map(|word| key_value(word));
    Ok(pairs.map(|(key, value)| (Node::text(span.clone(), key.as_str()), Node::text(span.clone(), unquote(&value)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_keeps_its_text_and_gives_up_its_options() {
        let node = Node::text(Span::origin("<test>"), "chdir=/tmp echo a=b \"c d\" creates=/x");
        let found = read("ansible.builtin.command", &node).expect("reads");
        assert_eq!(found.raw.as_ref().and_then(Node::as_str), Some("echo a=b \"c d\""));
        assert_eq!(found.get("chdir").and_then(Node::as_str), Some("/tmp"));
        assert_eq!(found.get("creates").and_then(Node::as_str), Some("/x"));
        assert!(found.get("a").is_none());
    }

    #[test]
    fn pairs_are_read_with_their_escapes_and_keys_may_be_templates() {
        assert_eq!(key_value("{{ 'x' + item }}={{ item }}"), Some(("{{ 'x' + item }}".into(), "{{ item }}".into())));
        assert_eq!(key_value(r#"msg="a\tb""#), Some(("msg".into(), "\"a\tb\"".into())));
        assert_eq!(key_value("{{ a == b }}"), None);
        assert_eq!(key_value("=x"), None);
    }

    #[test]
    fn free_text_that_is_a_template_may_become_options() {
        let node = Node::text(Span::origin("<test>"), "path=/x {{ more }}");
        let found = read("file", &node).expect("reads");
        assert_eq!(found.whole.iter().map(Node::as_str).collect::<Vec<_>>(), [Some("{{ more }}")]);
        assert_eq!(found.get("path").and_then(Node::as_str), Some("/x"));
    }

    #[test]
    fn free_text_of_any_action_is_kept_for_who_knows_whether_it_takes_it() {
        let node = Node::text(Span::new("t.yml", 3, 5), "name=x oops");
        let found = read("apt", &node).expect("reads");
        assert_eq!((found.raw.as_ref().and_then(Node::as_str), takes_free_text("apt")), (Some("oops"), false));
    }
}
