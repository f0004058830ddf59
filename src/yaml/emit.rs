//! Values to YAML as PyYAML's `dump` with libyaml's emitter writes them: what `to_yaml`, `to_nice_yaml` and the inventory's `--yaml` print.

use base64::Engine as _;
use libyaml_safer::{Emitter, Encoding, Event, MappingStyle, ScalarStyle, SequenceStyle};

use crate::base::{Key, Map, Node, NodeKind, Value};

use super::resolve::{Resolved, resolve};

const STR: &str = "tag:yaml.org,2002:str";
/// What Python's `base64.encodebytes` puts on a line.
const BASE64_LINE: usize = 76;

/// The options of `yaml.dump`, with its defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct YamlStyle {
    pub indent: usize,
    /// The column after which text is folded; `None` for never.
    pub width: Option<usize>,
    /// Whether containers are written as `[a, b]`; `None`: the innermost ones, as `to_yaml` does.
    pub default_flow_style: Option<bool>,
    pub sort_keys: bool,
    pub explicit_start: bool,
    pub explicit_end: bool,
    /// Whether letters beyond ASCII stay as they are.
    pub allow_unicode: bool,
    /// How every scalar is quoted: one of `"`, `'`, `|`, `>`.
    pub default_style: Option<char>,
}

impl Default for YamlStyle {
    fn default() -> Self {
        YamlStyle {
            indent: 2,
            width: Some(80),
            default_flow_style: Some(false),
            sort_keys: true,
            explicit_start: false,
            explicit_end: false,
            allow_unicode: true,
            default_style: None,
        }
    }
}

impl YamlStyle {
    /// What the filter `to_yaml` starts from.
    pub fn terse() -> Self {
        YamlStyle { default_flow_style: None, ..YamlStyle::default() }
    }

    /// What the filter `to_nice_yaml` starts from.
    pub fn nice() -> Self {
        YamlStyle { indent: 4, ..YamlStyle::default() }
    }
}

/// Writes a value as a YAML document.
pub fn to_yaml(value: &Value, style: &YamlStyle) -> String {
    let mut events = Vec::new();
    write(value, style, &mut events);
    document(events, style)
}

/// Writes source as a YAML document, with vault text behind its tag.
pub fn node_to_yaml(node: &Node, style: &YamlStyle) -> String {
    let mut events = Vec::new();
    write_node(node, style, &mut events);
    document(events, style)
}

fn document(content: Vec<Event>, style: &YamlStyle) -> String {
    let mut events = vec![Event::stream_start(Encoding::Utf8), Event::document_start(None, &[], !style.explicit_start)];
    events.extend(content);
    events.extend([Event::document_end(!style.explicit_end), Event::stream_end()]);
    let mut output = Vec::new();
    let mut emitter = Emitter::new();
    emitter.set_output_string(&mut output);
    emitter.set_indent(style.indent as i32);
    emitter.set_width(style.width.map_or(-1, |width| width as i32));
    emitter.set_unicode(style.allow_unicode);
    for event in events {
        emitter.emit(event).expect("a balanced stream of events is written to memory");
    }
    drop(emitter);
    unmask(&String::from_utf8(output).expect("the emitter writes UTF-8"))
}

/// libyaml escapes what lies beyond U+FFFF; libyaml-safer does not. So such a character goes through the emitter as ten private ones
/// (its escape is that long, which counts where text is folded), and comes out as the escape.
const MASK_START: char = '\u{f8d0}';
const MASK_DIGIT: u32 = 0xf8e0;
const ESCAPE_DIGITS: usize = 8;

fn is_astral(character: char) -> bool {
    character > '\u{ffff}'
}

fn mask(text: &str) -> String {
    let mut masked = String::new();
    for character in text.chars() {
        if is_astral(character) {
            masked.extend([MASK_START, MASK_START]);
            let digit = |place: usize| (character as u32 >> (4 * place)) & 0xf;
            masked.extend((0..ESCAPE_DIGITS).rev().filter_map(|place| char::from_u32(MASK_DIGIT + digit(place))));
        } else {
            masked.push(character);
        }
    }
    masked
}

fn unmask(text: &str) -> String {
    let start = String::from_iter([MASK_START, MASK_START]);
    let mut parts = text.split(start.as_str());
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits: String =
            part.chars().take(ESCAPE_DIGITS).filter_map(|c| char::from_digit((c as u32).checked_sub(MASK_DIGIT)?, 16)).collect();
        plain += "\\U";
        plain += &digits.to_ascii_uppercase();
        plain.extend(part.chars().skip(ESCAPE_DIGITS));
    }
    plain
}

fn write(value: &Value, style: &YamlStyle, events: &mut Vec<Event>) {
    match value {
        Value::List(items) => {
            let flow = if is_flow(items.iter(), style) { SequenceStyle::Flow } else { SequenceStyle::Block };
            events.push(Event::sequence_start(None, None, true, flow));
            for item in items.iter() {
                write(item, style, events);
            }
            events.push(Event::sequence_end());
        }
        Value::Map(map) => {
            let flow = if is_flow(map.values(), style) { MappingStyle::Flow } else { MappingStyle::Block };
            events.push(Event::mapping_start(None, None, true, flow));
            for (key, item) in entries(map, style.sort_keys) {
                write(&key.to_value(), style, events);
                write(item, style, events);
            }
            events.push(Event::mapping_end());
        }
        Value::Bytes(bytes) => {
            let tag = "tag:yaml.org,2002:binary";
            events.push(Event::scalar(None, Some(tag), &encoded_lines(bytes), false, false, ScalarStyle::Literal));
        }
        scalar => events.push(scalar_event(scalar, style)),
    }
}

/// Source in block style; what holds no vault text is written as the value it is.
fn write_node(node: &Node, style: &YamlStyle, events: &mut Vec<Event>) {
    match &node.kind {
        NodeKind::Vault(text) => events.push(Event::scalar(None, Some("!vault"), text, false, false, ScalarStyle::Literal)),
        NodeKind::Seq(items) if node.needs_rendering() => {
            events.push(Event::sequence_start(None, None, true, SequenceStyle::Block));
            items.iter().for_each(|item| write_node(item, style, events));
            events.push(Event::sequence_end());
        }
        NodeKind::Map(entries) if node.needs_rendering() => {
            events.push(Event::mapping_start(None, None, true, MappingStyle::Block));
            let mut entries: Vec<_> = entries.iter().map(|(name, item)| (name.to_key(), item)).collect();
            if style.sort_keys {
                entries.sort_by(|(left, _), (right, _)| left.as_str().cmp(&right.as_str()));
            }
            for (name, item) in entries {
                write(&name.to_value(), style, events);
                write_node(item, style, events);
            }
            events.push(Event::mapping_end());
        }
        _ => write(&node.to_value(), style, events),
    }
}

/// PyYAML's `best_style`: flow for a container that holds nothing but scalars.
fn is_flow<'a>(mut items: impl Iterator<Item = &'a Value>, style: &YamlStyle) -> bool {
    style.default_flow_style.unwrap_or_else(|| {
        items.all(|item| !matches!(item, Value::List(_) | Value::Map(_) | Value::Bytes(_)) && style.default_style.is_none())
    })
}

/// The entries, sorted as Python sorts them: keys of kinds that do not compare leave them as they are.
fn entries(map: &Map, sort: bool) -> Vec<(&Key, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    let all_text = entries.iter().all(|(key, _)| key.as_str().is_some());
    let number = |key: &Key| match key {
        Key::Int(number) => Some(*number),
        Key::Bool(flag) => Some(i64::from(*flag)),
        Key::Str(_) | Key::Null => None,
    };
    if sort && all_text {
        entries.sort_by(|(left, _), (right, _)| left.as_str().cmp(&right.as_str()));
    } else if sort && entries.iter().all(|(key, _)| number(key).is_some()) {
        entries.sort_by_key(|(key, _)| number(key));
    }
    entries
}

fn scalar_event(value: &Value, style: &YamlStyle) -> Event {
    let (tag, text) = match value {
        Value::Null => ("tag:yaml.org,2002:null", "null".to_owned()),
        Value::Bool(flag) => ("tag:yaml.org,2002:bool", flag.to_string()),
        Value::Int(number) => ("tag:yaml.org,2002:int", number.to_string()),
        Value::Float(number) => ("tag:yaml.org,2002:float", float_text(*number)),
        other => (STR, other.to_text()),
    };
    let plain_implicit = tag_of(&text) == tag;
    let written = match style.default_style {
        Some('"') => ScalarStyle::DoubleQuoted,
        Some('\'') => ScalarStyle::SingleQuoted,
        Some('|') => ScalarStyle::Literal,
        Some('>') => ScalarStyle::Folded,
        _ => ScalarStyle::Plain,
    };
    if style.allow_unicode && text.chars().any(is_astral) {
        return Event::scalar(None, Some(tag), &mask(&text), plain_implicit, tag == STR, ScalarStyle::DoubleQuoted);
    }
    Event::scalar(None, Some(tag), &text, plain_implicit, tag == STR, written)
}

/// The tag that a reader would give the text when it stands plain.
fn tag_of(text: &str) -> &'static str {
    match resolve(text) {
        Resolved::Null => "tag:yaml.org,2002:null",
        Resolved::Bool(_) => "tag:yaml.org,2002:bool",
        Resolved::Int(_) | Resolved::BigInt => "tag:yaml.org,2002:int",
        Resolved::Float(_) => "tag:yaml.org,2002:float",
        Resolved::Timestamp => "tag:yaml.org,2002:timestamp",
        Resolved::Merge => "tag:yaml.org,2002:merge",
        Resolved::ValueKey => "tag:yaml.org,2002:value",
        // The characters that only a resolver "for documentation" knows; they keep such text in quotes.
        Resolved::Str if matches!(text, "!" | "&" | "*") => "tag:yaml.org,2002:yaml",
        Resolved::Str => STR,
    }
}

fn float_text(number: f64) -> String {
    if number.is_nan() {
        return ".nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf".into() } else { "-.inf".into() };
    }
    let text = Value::Float(number).to_text();
    // YAML 1.1 reads an exponent only behind a point.
    if text.contains('.') { text } else { text.replacen('e', ".0e", 1) }
}

fn encoded_lines(bytes: &[u8]) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    encoded.as_bytes().chunks(BASE64_LINE).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::load_one;

    fn nice(value: impl Into<Value>) -> String {
        to_yaml(&value.into(), &YamlStyle::default())
    }

    #[test]
    fn text_that_reads_as_something_else_is_quoted() {
        for (text, written) in [
            ("yes", "'yes'\n"),
            ("0644", "'0644'\n"),
            ("12:30", "'12:30'\n"),
            ("2001-01-01", "'2001-01-01'\n"),
            ("=", "'='\n"),
            ("", "''\n"),
            (" x", "' x'\n"),
            ("a: b", "'a: b'\n"),
            ("- x", "'- x'\n"),
            ("it's", "it's\n"),
            ("1e3", "1e3\n"),
            ("{{ x }}", "'{{ x }}'\n"),
            ("\ttab", "\"\\ttab\"\n"),
        ] {
            assert_eq!(nice(text), written, "{text:?}");
        }
    }

    #[test]
    fn numbers_read_back_as_numbers() {
        assert_eq!(nice(Value::Float(1e20)), "1.0e+20\n");
        assert_eq!(nice(Value::Float(f64::NEG_INFINITY)), "-.inf\n");
        assert_eq!(nice(Value::list([Value::Null, Value::Bool(true), Value::Int(-1), Value::Float(1.0)])), "- null\n- true\n- -1\n- 1.0\n");
    }

    #[test]
    fn terse_style_flows_the_innermost_containers_and_nice_style_none() {
        let (node, _) = load_one("b: [1, 2]\na: {x: [y]}\n", "f").expect("loads");
        assert_eq!(to_yaml(&node.to_value(), &YamlStyle::terse()), "a:\n  x: [y]\nb: [1, 2]\n");
        assert_eq!(to_yaml(&node.to_value(), &YamlStyle::nice()), "a:\n    x:\n    - y\nb:\n- 1\n- 2\n");
    }

    #[test]
    fn bytes_and_lines_are_written_as_pyyaml_does() {
        assert_eq!(nice(Value::map([("n", Value::Bytes(b"ab"[..].into()))])), "n: !!binary |\n  YWI=\n");
        assert_eq!(nice(Value::map([("a", "x\ny\n")])), "a: 'x\n\n  y\n\n  '\n");
        assert_eq!(nice(Value::map([("e", "a 📝")])), "e: \"a \\U0001F4DD\"\n");
        assert_eq!(nice(Value::map([("r", "a\n\n  b")])), "r: \"a\\n\\n  b\"\n");
    }

    #[test]
    fn vault_text_is_written_behind_its_tag() {
        let text = "b:\n- !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nc: '{{ x }}'\n";
        let (node, _) = load_one(text, "f").expect("loads");
        assert_eq!(node_to_yaml(&node, &YamlStyle::default()), text);
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(text in "\\PC{0,40}|[ \\n\\t:#'\"{}\\[\\],&*!|>%@`-]{0,12}") {
            let value = Value::map([("key", Value::list([text.as_str()]))]);
            let written = to_yaml(&value, &YamlStyle::default());
            let (node, _) = load_one(&written, "f").map_err(|error| proptest::test_runner::TestCaseError::fail(format!("{error}\n{written}")))?;
            proptest::prop_assert_eq!(node.to_value(), value);
        }
    }
}
