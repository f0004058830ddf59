//! Diagnostics for YAML that parses and still cannot be meant.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use crate::base::{Diagnostic, Node, Span};

use super::compose::CORE;

static TAG_AND_COMMA: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"![^\s,\[\]{}]*,").expect("a constant pattern"));

pub(super) fn duplicate(key: &Node, first: &Span) -> Diagnostic {
    // Ansible's own words: scripts look for them.
    Diagnostic::warning(format!("Found duplicate mapping key '{}'. Using last defined value only.", key.to_key()))
        .label(&key.span, "this one counts")
        .label(first, "this one is lost")
}

pub(super) fn not_mergeable(value: &Node, key: &Span) -> Diagnostic {
    Diagnostic::error(format!("`<<` takes a mapping or a list of mappings, and this is {}", value.type_name()))
        .at(&value.span)
        .label(key, "the merge key")
}

pub(super) fn unknown_tag(tag: &str, span: &Span) -> Diagnostic {
    let written = tag.strip_prefix(CORE).map_or_else(|| tag.to_owned(), |short| format!("!!{short}"));
    Diagnostic::error(format!("the tag `{written}` is not known here"))
        .at(span)
        .did_you_mean(&written, ["!vault", "!unsafe", "!!str", "!!int", "!!bool", "!!float", "!!binary"])
        .help("if it is meant as text that begins with `!`, put it in quotes")
}

pub(super) fn wrong_for_container(tag: &str, kind: &str, span: &Span) -> Diagnostic {
    match tag {
        "!vault" | "!vault-encrypted" => Diagnostic::error(format!("the tag `{tag}` is for text, and this is {kind}"))
            .at(span)
            .help("the text that `ansible-vault encrypt_string` prints starts with `!vault |`"),
        "str" | "int" | "float" | "bool" | "null" | "binary" => {
            Diagnostic::error(format!("the tag `!!{tag}` is for a scalar, and this is {kind}")).at(span)
        }
        "seq" | "map" | "set" | "omap" | "pairs" => Diagnostic::error(format!("the tag `!!{tag}` does not fit {kind}")).at(span),
        other => unknown_tag(other, span),
    }
}

pub(super) fn no_anchor<'a>(name: &str, span: &Span, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    Diagnostic::error(format!("no anchor `&{name}` stands before this alias `*{name}`"))
        .at(span)
        .did_you_mean(name, known)
        .help(format!("if `*{name}` is meant as text, put it in quotes"))
}

pub(super) fn no_pair(item: &Node, span: &Span) -> Diagnostic {
    Diagnostic::error(format!("each item of an ordered mapping is one `key: value`, and this is {}", item.type_name()))
        .at(&item.span)
        .label(span, "the ordered mapping")
}

pub(super) fn tag_before_comma(lines: &[&str], file: &Arc<str>) -> Diagnostic {
    let place = lines.iter().enumerate().find_map(|(index, line)| Some((index, TAG_AND_COMMA.find(line)?)));
    let (line, column, length) =
        place.map_or((0, 0, 0), |(index, found)| (index, lines[index][..found.start()].chars().count(), found.as_str().chars().count()));
    Diagnostic::error("a tag needs a value, or at least a space, before the comma")
        .at(&Span::new(file.clone(), line as u32 + 1, column as u32 + 1).with_length(length as u32))
        .help("if it is meant as text that begins with `!`, put it in quotes")
}
