//! Filters on text: case, space, wrapping, HTML, shell quotes, comments.

use std::sync::Arc;

use super::super::arguments::Arguments;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::methods::text as method;
use super::super::scope::Scope;
use super::super::{format, regex};
use super::{Filter, filter};

pub(crate) const FILTERS: &[Filter] = &[
    filter("upper", |arguments, _| simple(arguments, |text| text.to_uppercase())),
    filter("lower", |arguments, _| simple(arguments, |text| text.to_lowercase())),
    filter("capitalize", |arguments, _| simple(arguments, method::capitalize)),
    filter("title", |arguments, _| simple(arguments, title)),
    filter("escape", |arguments, _| simple(arguments, escaped)),
    filter("e", |arguments, _| simple(arguments, escaped)),
    filter("forceescape", |arguments, _| simple(arguments, escaped)),
    filter("safe", |arguments, _| simple(arguments, str::to_owned)),
    filter("striptags", |arguments, _| simple(arguments, strip_tags)),
    filter("trim", trim),
    filter("center", center),
    filter("replace", replace),
    filter("truncate", truncate),
    filter("wordwrap", word_wrap),
    filter("wordcount", word_count),
    filter("indent", indent),
    filter("format", percent),
    filter("split", split),
    filter("quote", quote),
    filter("comment", comment),
    filter("pprint", pretty),
    filter("xmlattr", xml_attributes),
    filter("urlize", |arguments, _| urlize(arguments)),
];

fn simple(arguments: Arguments, change: fn(&str) -> String) -> Outcome<Val> {
    Ok(Val::str(change(&arguments.bind(["s"])?.text(0)?)))
}

/// Jinja's title: a capital after space, hyphens and opening brackets only.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for character in text.chars() {
        if character.is_whitespace() || "-({[<".contains(character) {
            start = true;
            out.push(character);
        } else if start {
            start = false;
            out.extend(character.to_uppercase());
        } else {
            out.extend(character.to_lowercase());
        }
    }
    out
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;").replace('"', "&#34;")
}

fn strip_tags(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for character in text.chars() {
        match character {
            '<' => inside = true,
            '>' if inside => inside = false,
            other if !inside => out.push(other),
            _ => {}
        }
    }
    let words: Vec<&str> = out.split_whitespace().collect();
    words
        .join(" ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#39;", "'")
        .replace("&#34;", "\"")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

fn trim(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "chars"])?;
    let text = bound.text(0)?;
    Ok(Val::str(match bound.some_text(1)? {
        Some(characters) => text.trim_matches(|c| characters.contains(c)),
        None => text.trim(),
    }))
}

fn center(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "width"])?;
    Ok(Val::str(method::padded(&bound.text(0)?, usize::try_from(bound.int_or(1, 80)?).unwrap_or(0), ' ', "center")))
}

fn replace(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["s", "old", "new", "count"])?;
    let (text, old, new) = (bound.text(0)?, bound.text(1)?, bound.text(2)?);
    Ok(Val::str(match bound.int(3)?.map(usize::try_from) {
        Some(Ok(count)) => text.replacen(old.as_ref(), &new, count),
        _ => text.replace(old.as_ref(), &new),
    }))
}

fn truncate(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["s", "length", "killwords", "end", "leeway"])?;
    let text = bound.text(0)?;
    let (length, leeway) = (usize::try_from(bound.int_or(1, 255)?).unwrap_or(0), usize::try_from(bound.int_or(4, 5)?).unwrap_or(0));
    let end = bound.text_or(3, "...")?;
    let end_length = end.chars().count();
    if length < end_length {
        return Err(Fault::failed(format!("the length must be at least {end_length}, not {length}")));
    }
    if text.chars().count() <= length + leeway {
        return Ok(Val::Str(text));
    }
    let kept: String = text.chars().take(length - end_length).collect();
    let kept = if bound.flag(2, false)? { kept.as_str() } else { kept.rsplit_once(' ').map_or(kept.as_str(), |(head, _)| head) };
    Ok(Val::str(format!("{kept}{end}")))
}

fn word_wrap(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["s", "width", "break_long_words", "wrapstring", "break_on_hyphens"])?;
    let width =
        usize::try_from(bound.int_or(1, 79)?).ok().filter(|width| *width > 0).ok_or_else(|| Fault::failed("the width must be positive"))?;
    let wrap = bound.text_or(3, "\n")?;
    let (long_words, hyphens) = (bound.flag(2, true)?, bound.flag(4, true)?);
    let wrapped: Vec<String> =
        method::lines(&bound.text(0)?, false).iter().map(|line| wrapped(line, width, long_words, hyphens).join(&wrap)).collect();
    Ok(Val::str(wrapped.join(&wrap)))
}

/// Python's `textwrap.wrap` of one line.
fn wrapped(line: &str, width: usize, long_words: bool, hyphens: bool) -> Vec<String> {
    let mut chunks: std::collections::VecDeque<String> = chunks(line, hyphens).into();
    let mut lines = Vec::new();
    while !chunks.is_empty() {
        let mut current = String::new();
        if !lines.is_empty() && chunks.front().is_some_and(|chunk| chunk.trim().is_empty()) {
            chunks.pop_front();
        }
        while let Some(chunk) = chunks.front() {
            if current.chars().count() + chunk.chars().count() > width {
                break;
            }
            current.push_str(chunk);
            chunks.pop_front();
        }
        if let Some(chunk) = chunks.front_mut()
            && chunk.chars().count() > width
        {
            if long_words {
                let room = width.saturating_sub(current.chars().count()).max(1);
                current.extend(chunk.chars().take(room));
                *chunk = chunk.chars().skip(room).collect();
            } else if current.is_empty() {
                current = chunks.pop_front().unwrap_or_default();
            }
        }
        let current = current.trim_end().to_owned();
        if !current.is_empty() {
            lines.push(current);
        }
    }
    lines
}

fn chunks(line: &str, hyphens: bool) -> Vec<String> {
    let mut chunks = Vec::new();
    let mut current = String::new();
    let characters: Vec<char> = line.chars().collect();
    for (index, character) in characters.iter().enumerate() {
        let was_space = current.chars().last().is_some_and(char::is_whitespace);
        if !current.is_empty() && was_space != character.is_whitespace() {
            chunks.push(std::mem::take(&mut current));
        }
        current.push(*character);
        let between_letters =
            index > 0 && characters[index - 1].is_alphabetic() && characters.get(index + 1).is_some_and(|next| next.is_alphabetic());
        if hyphens && *character == '-' && between_letters {
            chunks.push(std::mem::take(&mut current));
        }
    }
    if !current.is_empty() {
        chunks.push(current);
    }
    chunks
}

fn word_count(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let text = arguments.bind(["s"])?.text(0)?;
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    Ok(Val::Int(words.count() as i64))
}

fn indent(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["s", "width", "first", "blank"])?;
    let text = bound.text(0)?;
    let by = match bound.some(1) {
        Some(Val::Str(by)) => by.to_string(),
        _ => " ".repeat(usize::try_from(bound.int_or(1, 4)?).unwrap_or(0)),
    };
    let (first, blank) = (bound.flag(2, false)?, bound.flag(3, false)?);
    let lines = method::lines(&format!("{text}\n"), false);
    let mut out = if first { by.clone() } else { String::new() };
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push('\n');
            if blank || !line.is_empty() {
                out.push_str(&by);
            }
        }
        out.push_str(line);
    }
    Ok(Val::str(out))
}

/// The filter `format`, which is `%`.
fn percent(mut arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    if arguments.positional.is_empty() {
        return Err(Fault::failed("there is no text to format"));
    }
    let template = arguments.positional.remove(0).text()?;
    let values = match (arguments.positional.is_empty(), arguments.named.is_empty()) {
        (false, false) => return Err(Fault::failed("values come by position or by name, not both")),
        (true, false) => Val::dict(arguments.named),
        _ => Val::tuple(arguments.positional),
    };
    format::percent(&template, &values).map(Val::str)
}

fn split(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let mut arguments = arguments;
    if arguments.positional.is_empty() {
        return Err(Fault::failed("there is no text to split"));
    }
    let Val::Str(text) = arguments.positional.remove(0) else {
        return Err(Fault::failed("text is expected"));
    };
    method::call(&text, "split", arguments)
}

/// A word for the shell, as Python's `shlex.quote` writes it.
pub(crate) fn shell_quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\"'\"'")) }
}

fn quote(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    Ok(Val::str(shell_quoted(&arguments.bind(["a"])?.text_or(0, "")?)))
}

/// `comment`: the decorations of a style, each of which can be replaced.
fn comment(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind([
        "text",
        "style",
        "newline",
        "beginning",
        "prefix",
        "prefix_count",
        "decoration",
        "postfix",
        "postfix_count",
        "end",
    ])?;
    let (decoration, beginning, end) = match bound.text_or(1, "plain")?.as_ref() {
        "plain" => ("# ", "", ""),
        "erlang" => ("% ", "", ""),
        "c" => ("// ", "", ""),
        "cblock" => (" * ", "/*", " */"),
        "xml" => (" - ", "<!--", "-->"),
        other => {
            return Err(Fault::failed(format!("there is no comment style `{other}`"))
                .did_you_mean(other, ["plain", "erlang", "c", "cblock", "xml"]));
        }
    };
    let text = bound.text(0)?;
    let newline = bound.text_or(2, "\n")?;
    let decoration = bound.text_or(6, decoration)?;
    let around = decoration.trim_end();
    let (prefix, postfix) = (bound.text_or(4, around)?, bound.text_or(7, around)?);
    let (before, after) = (bound.text_or(3, beginning)?, bound.text_or(9, end)?);
    let times = |index: usize| Ok::<usize, Fault>(usize::try_from(bound.int_or(index, 1)?).unwrap_or(0));
    let mut out = String::new();
    if !before.is_empty() {
        out.push_str(&format!("{before}{newline}"));
    }
    if !prefix.is_empty() {
        let line = if prefix == newline { newline.to_string() } else { format!("{prefix}{newline}") };
        out.push_str(&line.repeat(times(5)?));
    }
    let body = format!("{decoration}{}", text.replace(newline.as_ref(), &format!("{newline}{decoration}")));
    out.push_str(&body.replace(&format!("{decoration}{newline}"), &format!("{around}{newline}")));
    out.push_str(&format!("{newline}{postfix}").repeat(times(8)?));
    if !after.is_empty() {
        out.push_str(&format!("{newline}{after}"));
    }
    Ok(Val::str(out))
}

/// `pprint` of ansible-core 2.19: its containers have a `repr` of their own, which is what Python's `pprint` falls back to.
fn pretty(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "verbose"])?;
    bound.required(0)?.repr().map(Val::str)
}

fn xml_attributes(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["d", "autospace"])?;
    let Val::Map(dict) = bound.required(0)? else {
        return Err(Fault::failed("a mapping is expected"));
    };
    let mut attributes = Vec::new();
    for (key, value) in dict.entries()? {
        if matches!(value, Val::Null | Val::Missing(_)) {
            continue;
        }
        let key = key.to_string();
        if key.contains(|c: char| c.is_whitespace() || "/>=".contains(c)) {
            return Err(Fault::failed(format!("`{key}` cannot be the name of an attribute")));
        }
        attributes.push(format!("{}=\"{}\"", escaped(&key), escaped(&value.text()?)));
    }
    let joined = attributes.join(" ");
    Ok(Val::str(if joined.is_empty() || !bound.flag(1, true)? { joined } else { format!(" {joined}") }))
}

fn urlize(arguments: Arguments) -> Outcome<Val> {
    let text = escaped(&arguments.bind(["value"])?.text(0)?);
    let pattern = regex::compile(r"(https?://[^\s<>]+[^\s<>.,;:!?)])", false, false)?;
    regex::replace(&pattern, &text, r#"<a href="\1" rel="noopener">\1</a>"#, 0).map(|(text, _)| Val::str(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell_only_where_needed() {
        assert_eq!(shell_quoted("plain-word/1.0"), "plain-word/1.0");
        assert_eq!(shell_quoted("it's"), r#"'it'"'"'s'"#);
        assert_eq!(shell_quoted(""), "''");
    }

    #[test]
    fn long_lines_wrap_at_space() {
        assert_eq!(wrapped("the quick brown fox", 10, true, true), ["the quick", "brown fox"]);
        assert_eq!(wrapped("abcdefghij", 4, true, true), ["abcd", "efgh", "ij"]);
    }
}
