//! Events to nodes: anchors and aliases, merge keys, tags, duplicate keys, and the guards against documents made to hurt.

use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use base64::Engine as _;
use libyaml_safer::{Event, EventData, Mark, Parser, ScalarStyle};

use crate::base::source::Style;
use crate::base::{Diagnostic, Node, NodeKind, Span, Value};

use super::Loaded;
use super::explain;
use super::mistakes;
use super::parts::{Unique, made_unsafe, pair, weight, with_merged};
use super::resolve::{Resolved, float, integer, resolve};

/// Deeper nesting is refused: whatever walks the nodes does it on the stack.
const DEEPEST: usize = 200;
/// How many nodes aliases and merges may stand for: a few lines of nested aliases can mean billions.
const MOST_ALIASED: usize = 2_000_000;
pub(super) const CORE: &str = "tag:yaml.org,2002:";

type Result<T> = std::result::Result<T, Diagnostic>;

pub(super) fn compose(text: &str, file: &str) -> Result<Loaded> {
    // Without its last line break a block scalar at the end of the file makes libyaml-safer 0.3 panic: it gets one, and gives it back.
    let is_cut = !text.is_empty() && !text.ends_with('\n');
    let complete = if is_cut { Cow::Owned(format!("{text}\n")) } else { Cow::Borrowed(text) };
    let text: &str = &complete;
    let mut input = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let (lines, file) = (text.lines().collect(), file.into());
    let mut composer = Composer { parser, text, is_cut, lines, file, anchors: HashMap::new(), aliased: 0, warnings: Vec::new() };
    let mut documents = Vec::new();
    loop {
        match composer.next()?.data {
            EventData::StreamEnd => return Ok(Loaded { documents, warnings: composer.warnings }),
            EventData::DocumentStart { .. } => {
                composer.anchors.clear();
                let first = composer.next()?;
                documents.push(composer.node(first, Place { depth: 0, is_unsafe: false })?);
            }
            _ => {}
        }
    }
}

/// What an anchor stands for. `None` while its own node is being read.
struct Anchored {
    span: Span,
    node: Option<Node>,
}

#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    is_unsafe: bool,
}

struct Composer<'a, 'b> {
    parser: Parser<&'a mut &'b [u8]>,
    text: &'b str,
    is_cut: bool,
    lines: Vec<&'b str>,
    file: Arc<str>,
    anchors: HashMap<String, Anchored>,
    aliased: usize,
    warnings: Vec<Diagnostic>,
}

/// What stands before a node's content.
struct Properties {
    anchor: Option<String>,
    tag: Option<String>,
    span: Span,
}

impl Composer<'_, '_> {
    fn next(&mut self) -> Result<Event> {
        // libyaml-safer 0.3 panics on a tag with a comma right behind it, where libyaml reads an empty scalar.
        let parsed = catch_unwind(AssertUnwindSafe(|| self.parser.parse()));
        let parsed = parsed.map_err(|_| mistakes::tag_before_comma(&self.lines, &self.file))?;
        parsed.map_err(|error| explain::explain(&error, self.text, &self.file))
    }

    /// Takes the line break back that the end of the file did not have.
    fn uncut(&self, text: &mut String, style: Style, end: Mark) {
        if !self.is_cut || !matches!(style, Style::Literal | Style::Folded) || (end.line as usize) < self.lines.len() {
            return;
        }
        let is_content = |line: &str| !line.trim_matches(' ').is_empty();
        let ends_in_blanks = text.strip_suffix('\n').is_some_and(|text| text.ends_with('\n') || text.ends_with(' '));
        if text.ends_with('\n') && (ends_in_blanks || self.lines.last().is_some_and(|line| is_content(line))) {
            text.pop();
        }
    }

    fn span(&self, start: Mark, end: Mark) -> Span {
        let length = if start.line == end.line { (end.column - start.column) as u32 } else { 0 };
        Span::new(self.file.clone(), start.line as u32 + 1, start.column as u32 + 1).with_length(length)
    }

    fn node(&mut self, event: Event, place: Place) -> Result<Node> {
        let span = self.span(event.start_mark, event.end_mark);
        if place.depth > DEEPEST {
            return Err(Diagnostic::error(format!("nested deeper than {DEEPEST} levels")).at(&span));
        }
        match event.data {
            EventData::Alias { anchor } => self.alias(&anchor, &span, place),
            EventData::Scalar { anchor, tag, mut value, plain_implicit, style, .. } => {
                let span = self.past_properties(span, anchor.is_some() || tag.is_some());
                let style = style_of(style);
                self.uncut(&mut value, style, event.end_mark);
                let kind = self.scalar(&span, tag.as_deref(), value, plain_implicit, style, place)?;
                let node = Node::new(span.clone(), kind);
                if let Some(name) = anchor {
                    self.anchors.insert(name, Anchored { span, node: Some(node.clone()) });
                }
                Ok(node)
            }
            EventData::SequenceStart { anchor, tag, .. } => self.sequence(Properties { anchor, tag, span }, place),
            EventData::MappingStart { anchor, tag, .. } => self.mapping(Properties { anchor, tag, span }, place),
            other => unreachable!("libyaml gives a node here, not {other:?}"),
        }
    }

    /// The event of a scalar starts at its tag or anchor; what is wanted is the place of its text.
    fn past_properties(&self, mut span: Span, has_properties: bool) -> Span {
        if !has_properties {
            return span;
        }
        let Some(line) = self.lines.get(span.line as usize - 1) else { return span };
        let mut rest: &str = match line.char_indices().nth(span.column as usize - 1) {
            Some((offset, _)) => &line[offset..],
            None => return span,
        };
        while rest.starts_with(['!', '&']) {
            let Some(end) = rest.find([' ', '\t']) else { break };
            let after = rest[end..].trim_start();
            let skipped = (rest.chars().count() - after.chars().count()) as u32;
            span.column += skipped;
            span.length = span.length.saturating_sub(skipped);
            rest = after;
        }
        span
    }

    fn alias(&mut self, name: &str, span: &Span, place: Place) -> Result<Node> {
        let Some(anchored) = self.anchors.get(name) else {
            return Err(mistakes::no_anchor(name, span, self.anchors.keys().map(String::as_str)));
        };
        let Some(node) = anchored.node.clone() else {
            return Err(Diagnostic::error(format!("the alias `*{name}` stands inside of what it stands for"))
                .at(span)
                .label(&anchored.span, "the anchor"));
        };
        self.count(&node, span)?;
        Ok(if place.is_unsafe { made_unsafe(&node) } else { node })
    }

    /// Adds what an alias or merge stands for to the count, and refuses a document that multiplies without end.
    fn count(&mut self, node: &Node, span: &Span) -> Result<()> {
        let allowed = MOST_ALIASED - self.aliased;
        match weight(node, allowed, DEEPEST) {
            Some(weight) => {
                self.aliased += weight;
                Ok(())
            }
            None => Err(Diagnostic::error(format!(
                "the aliases of this document stand for more than {MOST_ALIASED} values, or more than {DEEPEST} levels of them"
            ))
            .at(span)),
        }
    }

    fn scalar(&self, span: &Span, tag: Option<&str>, text: String, plain: bool, style: Style, place: Place) -> Result<NodeKind> {
        let string = |text: String| if place.is_unsafe { NodeKind::Unsafe(text.into()) } else { NodeKind::Str(text.into(), style) };
        let wrong = |kind: &str| Diagnostic::error(format!("`{text}` is not {kind}, which its tag says")).at(span);
        let Some(tag) = tag else {
            return Ok(if plain { resolved(text, string) } else { string(text) });
        };
        Ok(match tag.strip_prefix(CORE).unwrap_or(tag) {
            // A tag `!unsafe` resolves what follows it even in quotes: that is what ansible-core does.
            "!unsafe" => resolved(text, |text| NodeKind::Unsafe(text.into())),
            "!vault" | "!vault-encrypted" => NodeKind::Vault(text.into()),
            "!" | "str" | "python/unicode" | "timestamp" | "value" | "merge" => string(text),
            "null" => NodeKind::Null,
            "bool" => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" | "on" => NodeKind::Bool(true),
                "no" | "false" | "off" => NodeKind::Bool(false),
                _ => return Err(wrong("a boolean").help("write `true` or `false`")),
            },
            "int" => match integer(&text) {
                Resolved::Int(number) => NodeKind::Int(number),
                Resolved::BigInt => string(text),
                _ => return Err(wrong("a whole number")),
            },
            "float" => NodeKind::Float(float(&text).ok_or_else(|| wrong("a number"))?),
            "binary" => {
                let packed: String = text.split_whitespace().collect();
                let bytes =
                    base64::engine::general_purpose::STANDARD.decode(packed).map_err(|error| wrong("base64").cause(error.to_string()))?;
                match String::from_utf8(bytes) {
                    Ok(text) => NodeKind::Unsafe(text.into()),
                    Err(error) => NodeKind::Data(Value::Bytes(error.into_bytes().into())),
                }
            }
            _ => return Err(mistakes::unknown_tag(tag, span)),
        })
    }

    fn sequence(&mut self, properties: Properties, place: Place) -> Result<Node> {
        let Properties { anchor, tag, span } = properties;
        let tag = tag.as_deref().map(|tag| tag.strip_prefix(CORE).unwrap_or(tag));
        let inner = match tag {
            None | Some("!" | "seq" | "omap" | "pairs") => Place { depth: place.depth + 1, ..place },
            Some("!unsafe") => Place { depth: place.depth + 1, is_unsafe: true },
            Some(other) => return Err(mistakes::wrong_for_container(other, "a list", &span)),
        };
        self.open(&anchor, &span);
        let mut items = Vec::new();
        let mut end;
        loop {
            let event = self.next()?;
            end = event.end_mark;
            if event.data == EventData::SequenceEnd {
                break;
            }
            items.push(self.node(event, inner)?);
        }
        if matches!(tag, Some("omap" | "pairs")) {
            items = items.iter().map(|item| pair(item, &span)).collect::<Result<_>>()?;
        }
        let node = Node::seq(self.until(span, end), items);
        self.close(anchor, &node);
        Ok(node)
    }

    fn mapping(&mut self, properties: Properties, place: Place) -> Result<Node> {
        let Properties { anchor, tag, span } = properties;
        let tag = tag.as_deref().map(|tag| tag.strip_prefix(CORE).unwrap_or(tag));
        let inner = match tag {
            None | Some("!" | "map" | "set" | "python/dict") => Place { depth: place.depth + 1, ..place },
            Some("!unsafe") => Place { depth: place.depth + 1, is_unsafe: true },
            Some(other) => return Err(mistakes::wrong_for_container(other, "a mapping", &span)),
        };
        self.open(&anchor, &span);
        let mut own = Unique::default();
        let mut merged: Vec<Node> = Vec::new();
        let mut end;
        loop {
            let event = self.next()?;
            end = event.end_mark;
            if event.data == EventData::MappingEnd {
                break;
            }
            if is_merge(&event) {
                let key = self.span(event.start_mark, event.end_mark);
                let event = self.next()?;
                let value = self.node(event, inner)?;
                merged.extend(self.mergeable(value, &key)?);
                continue;
            }
            let key = self.node(event, inner)?;
            let event = self.next()?;
            if matches!(key.kind, NodeKind::Seq(_) | NodeKind::Map(_)) {
                return Err(explain::container_as_key(&key, &self.lines));
            }
            let value = self.node(event, inner)?;
            if let Some(first) = own.put(key.clone(), value) {
                self.warnings.push(mistakes::duplicate(&key, &first));
            }
        }
        let entries = if merged.is_empty() { own.entries } else { with_merged(merged, own.entries) };
        let span = self.until(span, end);
        let node = match tag {
            Some("set") => Node::seq(span, entries.into_iter().map(|(key, _)| key).collect()),
            _ => Node::map(span, entries),
        };
        self.close(anchor, &node);
        Ok(node)
    }

    /// The mappings that a `<<` takes in, the one that wins last.
    fn mergeable(&mut self, value: Node, key: &Span) -> Result<Vec<Node>> {
        let mappings: Vec<Node> = match &value.kind {
            NodeKind::Map(_) => vec![value],
            NodeKind::Seq(items) => items.iter().rev().cloned().collect(),
            _ => return Err(mistakes::not_mergeable(&value, key)),
        };
        for mapping in &mappings {
            if mapping.as_map().is_none() {
                return Err(mistakes::not_mergeable(mapping, key));
            }
            self.count(mapping, key)?;
        }
        Ok(mappings)
    }

    fn open(&mut self, anchor: &Option<String>, span: &Span) {
        if let Some(name) = anchor {
            self.anchors.insert(name.clone(), Anchored { span: span.clone(), node: None });
        }
    }

    fn close(&mut self, anchor: Option<String>, node: &Node) {
        if let Some(name) = anchor {
            self.anchors.insert(name, Anchored { span: node.span.clone(), node: Some(node.clone()) });
        }
    }

    /// A container on one line is as long as to its end.
    fn until(&self, mut span: Span, end: Mark) -> Span {
        if span.line == end.line as u32 + 1 {
            span.length = (end.column as u32 + 1).saturating_sub(span.column);
        }
        span
    }
}

fn is_merge(event: &Event) -> bool {
    match &event.data {
        EventData::Scalar { tag: None, value, plain_implicit: true, .. } => value == "<<",
        EventData::Scalar { tag: Some(tag), .. } => tag.strip_prefix(CORE) == Some("merge"),
        _ => false,
    }
}

fn resolved(text: String, string: impl Fn(String) -> NodeKind) -> NodeKind {
    match resolve(&text) {
        Resolved::Null => NodeKind::Null,
        Resolved::Bool(flag) => NodeKind::Bool(flag),
        Resolved::Int(number) => NodeKind::Int(number),
        Resolved::Float(number) => NodeKind::Float(number),
        Resolved::Timestamp => match string(text) {
            NodeKind::Str(text, _) => NodeKind::Time(text),
            other => other,
        },
        Resolved::BigInt | Resolved::Merge | Resolved::ValueKey | Resolved::Str => string(text),
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
        _ => Style::Plain,
    }
}
