//! Methods of text.

use std::sync::Arc;

use super::super::arguments::{Arguments, Bound};
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::format;

pub(crate) const METHODS: [&str; 44] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
];

pub(crate) fn call(text: &Arc<str>, name: &str, arguments: Arguments) -> Outcome<Val> {
    Ok(match name {
        "format" => return format::braces(text, &arguments).map(Val::str),
        "format_map" => {
            let mapping = arguments.bind(["mapping"])?.required(0)?.clone();
            let Val::Map(map) = mapping else {
                return Err(Fault::failed("`format_map()` wants a mapping"));
            };
            let named = map.entries()?.into_iter().map(|(key, value)| (Arc::from(key.to_string()), value)).collect();
            return format::braces(text, &Arguments { positional: Vec::new(), named }).map(Val::str);
        }
        "join" => return join(text, &arguments.bind(["iterable"])?),
        "split" | "rsplit" => return split(text, name == "rsplit", &arguments.bind(["sep", "maxsplit"])?),
        "strip" | "lstrip" | "rstrip" => return strip(text, name, &arguments.bind(["chars"])?),
        "startswith" | "endswith" => return affix(text, name, &arguments.bind(["prefix", "start", "end"])?),
        "find" | "rfind" | "index" | "rindex" | "count" => return find(text, name, &arguments.bind(["sub", "start", "end"])?),
        "partition" | "rpartition" => return partition(text, name, &arguments.bind(["sep"])?),
        "center" | "ljust" | "rjust" => return pad(text, name, &arguments.bind(["width", "fillchar"])?),
        "replace" => return replace(text, &arguments.bind(["old", "new", "count"])?),
        "removeprefix" => {
            let bound = arguments.bind(["prefix"])?;
            Val::str(text.strip_prefix(bound.text(0)?.as_ref()).unwrap_or(text))
        }
        "removesuffix" => {
            let bound = arguments.bind(["suffix"])?;
            Val::str(text.strip_suffix(bound.text(0)?.as_ref()).unwrap_or(text))
        }
        "zfill" => Val::str(zfill(text, arguments.bind(["width"])?.int_or(0, 0)?)),
        "splitlines" => {
            let keep = arguments.bind(["keepends"])?.flag(0, false)?;
            Val::list(lines(text, keep).into_iter().map(Val::str).collect())
        }
        "expandtabs" => Val::str(expand_tabs(text, arguments.bind(["tabsize"])?.int_or(0, 8)?)),
        "encode" => Val::Bytes(text.as_bytes().into()),
        "capitalize" => Val::str(capitalize(text)),
        "title" => Val::str(title(text)),
        "lower" | "casefold" => Val::str(text.to_lowercase()),
        "upper" => Val::str(text.to_uppercase()),
        "swapcase" => Val::str(
            text.chars()
                .flat_map(|c| if c.is_uppercase() { c.to_lowercase().collect::<Vec<_>>() } else { c.to_uppercase().collect() })
                .collect::<String>(),
        ),
        _ => Val::Bool(is(text, name)),
    })
}

fn is(text: &str, name: &str) -> bool {
    let cased = text.chars().any(|c| c.is_uppercase() || c.is_lowercase());
    let all = |test: fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    match name {
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => text.is_ascii(),
        "isdecimal" | "isdigit" => all(|c| c.is_ascii_digit()),
        "isnumeric" => all(char::is_numeric),
        "isidentifier" => !text.starts_with(|c: char| c.is_numeric()) && all(|c| c.is_alphanumeric() || c == '_'),
        "islower" => cased && !text.chars().any(char::is_uppercase),
        "isupper" => cased && !text.chars().any(char::is_lowercase),
        "isspace" => all(char::is_whitespace),
        _ => cased && title(text) == text,
    }
}

fn join(text: &str, bound: &Bound<1>) -> Outcome<Val> {
    let mut joined = String::new();
    for (index, item) in bound.items(0)?.into_iter().enumerate() {
        if index > 0 {
            joined.push_str(text);
        }
        match item.present()? {
            Val::Str(item) => joined.push_str(&item),
            other => {
                return Err(Fault::failed(format!("`join()` wants texts, and element {index} is `{}`", other.type_name()))
                    .help("use the filter `join`, or `map('string')` first"));
            }
        }
    }
    Ok(Val::str(joined))
}

fn split(text: &str, from_right: bool, bound: &Bound<2>) -> Outcome<Val> {
    let most = usize::try_from(bound.int_or(1, -1)?).unwrap_or(usize::MAX);
    let parts = match bound.some_text(0)? {
        Some(separator) if separator.is_empty() => return Err(Fault::failed("empty separator")),
        Some(separator) => split_at(text, &separator, most, from_right),
        None => split_space(text, most, from_right),
    };
    Ok(Val::list(parts.into_iter().map(Val::str).collect()))
}

pub(crate) fn split_at<'a>(text: &'a str, separator: &str, most: usize, from_right: bool) -> Vec<&'a str> {
    let pieces = most.saturating_add(1);
    if from_right {
        let mut parts: Vec<&str> = text.rsplitn(pieces, separator).collect();
        parts.reverse();
        parts
    } else {
        text.splitn(pieces, separator).collect()
    }
}

/// Without a separator: runs of space, none at the ends.
pub(crate) fn split_space(text: &str, most: usize, from_right: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    if from_right {
        let mut rest = text.trim_end();
        while !rest.is_empty() && parts.len() < most {
            let start = rest.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8());
            parts.push(&rest[start..]);
            rest = rest[..start].trim_end();
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        parts.reverse();
        return parts;
    }
    let mut rest = text.trim_start();
    while !rest.is_empty() && parts.len() < most {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

fn strip(text: &str, name: &str, bound: &Bound<1>) -> Outcome<Val> {
    let characters = bound.some_text(0)?;
    let unwanted = |c: char| characters.as_ref().map_or(c.is_whitespace(), |characters| characters.contains(c));
    Ok(Val::str(match name {
        "strip" => text.trim_matches(unwanted),
        "lstrip" => text.trim_start_matches(unwanted),
        _ => text.trim_end_matches(unwanted),
    }))
}

/// `text[start:end]` by characters.
fn window<const N: usize>(text: &str, bound: &Bound<N>) -> Outcome<(String, usize)> {
    let length = text.chars().count() as i64;
    let clamp = |at: i64| (if at < 0 { at + length } else { at }).clamp(0, length) as usize;
    let (start, end) = (clamp(bound.int_or(1, 0)?), clamp(bound.int_or(2, length)?));
    Ok((text.chars().skip(start).take(end.saturating_sub(start)).collect(), start))
}

fn affix(text: &str, name: &str, bound: &Bound<3>) -> Outcome<Val> {
    let (text, _) = window(text, bound)?;
    let candidates = match bound.required(0)? {
        Val::Tuple(items) => items.to_vec(),
        one => vec![one.clone()],
    };
    for candidate in candidates {
        let Val::Str(affix) = &candidate else {
            return Err(Fault::failed(format!("`{name}()` wants text or a tuple of texts, not `{}`", candidate.type_name())));
        };
        if if name == "startswith" { text.starts_with(affix.as_ref()) } else { text.ends_with(affix.as_ref()) } {
            return Ok(Val::Bool(true));
        }
    }
    Ok(Val::Bool(false))
}

fn find(text: &str, name: &str, bound: &Bound<3>) -> Outcome<Val> {
    let (text, start) = window(text, bound)?;
    let part = bound.text(0)?;
    if name == "count" {
        let count = if part.is_empty() { text.chars().count() + 1 } else { text.matches(part.as_ref()).count() };
        return Ok(Val::Int(count as i64));
    }
    let at = if name.starts_with('r') { text.rfind(part.as_ref()) } else { text.find(part.as_ref()) };
    match at {
        Some(at) => Ok(Val::Int((start + text[..at].chars().count()) as i64)),
        None if name.ends_with("find") => Ok(Val::Int(-1)),
        None => Err(Fault::failed(format!("the text has no `{part}`"))),
    }
}

fn partition(text: &str, name: &str, bound: &Bound<1>) -> Outcome<Val> {
    let separator = bound.text(0)?;
    if separator.is_empty() {
        return Err(Fault::failed("empty separator"));
    }
    let (first, middle, last) = match name {
        "partition" => text.split_once(separator.as_ref()).map_or((text, "", ""), |(before, after)| (before, separator.as_ref(), after)),
        _ => text.rsplit_once(separator.as_ref()).map_or(("", "", text), |(before, after)| (before, separator.as_ref(), after)),
    };
    Ok(Val::tuple(vec![Val::str(first), Val::str(middle), Val::str(last)]))
}

fn pad(text: &str, name: &str, bound: &Bound<2>) -> Outcome<Val> {
    let fill = bound.text_or(1, " ")?.chars().next().unwrap_or(' ');
    let width = usize::try_from(bound.int_or(0, 0)?).unwrap_or(0);
    Ok(Val::str(padded(text, width, fill, name)))
}

/// Text in a field of a width. Python puts the odd space of a centred text on the left when the width is odd, too.
pub(crate) fn padded(text: &str, width: usize, fill: char, name: &str) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = match name {
        "ljust" => 0,
        "rjust" => missing,
        _ => missing / 2 + (missing & width & 1),
    };
    let side = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
    format!("{}{text}{}", side(left), side(missing - left))
}

fn replace(text: &str, bound: &Bound<3>) -> Outcome<Val> {
    let (old, new) = (bound.text(0)?, bound.text(1)?);
    Ok(Val::str(match usize::try_from(bound.int_or(2, -1)?) {
        Ok(count) => text.replacen(old.as_ref(), &new, count),
        Err(_) => text.replace(old.as_ref(), &new),
    }))
}

pub(crate) fn zfill(text: &str, width: i64) -> String {
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(text.chars().count());
    match text.strip_prefix(['-', '+']) {
        Some(rest) => format!("{}{}{rest}", &text[..1], "0".repeat(missing)),
        None => format!("{}{text}", "0".repeat(missing)),
    }
}

pub(crate) fn lines(text: &str, keep: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r']) {
        let end = if rest[at..].starts_with("\r\n") { at + 2 } else { at + 1 };
        lines.push(if keep { rest[..end].to_owned() } else { rest[..at].to_owned() });
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

fn expand_tabs(text: &str, size: i64) -> String {
    let size = usize::try_from(size).unwrap_or(0);
    let mut out = String::new();
    let mut column = 0;
    for character in text.chars() {
        match character {
            '\t' if size == 0 => {}
            '\t' => {
                let spaces = size - column % size;
                out.push_str(&" ".repeat(spaces));
                column += spaces;
            }
            other => {
                out.push(other);
                column = if other == '\n' { 0 } else { column + 1 };
            }
        }
    }
    out
}

pub(crate) fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters.flat_map(char::to_lowercase)).collect(),
        None => String::new(),
    }
}

/// Python's `title()`: a capital after everything that is no letter.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for character in text.chars() {
        if !character.is_alphabetic() {
            inside = false;
            out.push(character);
        } else if inside {
            out.extend(character.to_lowercase());
        } else {
            inside = true;
            out.extend(character.to_uppercase());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting_without_a_separator_drops_space_at_the_ends() {
        assert_eq!(split_space("  a b  c ", usize::MAX, false), ["a", "b", "c"]);
        assert_eq!(split_space("  a b  c ", 1, false), ["a", "b  c "]);
        assert_eq!(split_space("  a b  c ", 1, true), ["  a b", "c"]);
    }

    #[test]
    fn zeros_go_behind_the_sign() {
        assert_eq!(zfill("-7", 4), "-007");
    }

    #[test]
    fn every_name_of_a_method_is_answered() {
        let text: Arc<str> = "a b".into();
        for name in METHODS {
            let arguments = match name {
                "join" => Arguments::of(vec![Val::list(Vec::new())]),
                "format_map" => Arguments::of(vec![Val::dict(Vec::<(String, Val)>::new())]),
                "index" | "rindex" | "startswith" | "endswith" | "find" | "rfind" | "count" | "partition" | "rpartition"
                | "removeprefix" | "removesuffix" => Arguments::of(vec![Val::str("a")]),
                "replace" => Arguments::of(vec![Val::str("a"), Val::str("b")]),
                "center" | "ljust" | "rjust" | "zfill" => Arguments::of(vec![Val::Int(5)]),
                _ => Arguments::default(),
            };
            assert!(call(&text, name, arguments).is_ok(), "{name}");
        }
    }
}
