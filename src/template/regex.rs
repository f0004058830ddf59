//! Regular expressions as Python's `re` reads them, over `fancy_regex`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, RwLock};

use fancy_regex::{Captures, Regex, RegexBuilder};

use super::fault::{Fault, Outcome};

/// More steps back than this and a pattern is hopeless for its text.
const MOST_STEPS: usize = 1_000_000;

type Known = HashMap<(String, bool, bool), Arc<Regex>>;

static COMPILED: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

pub(crate) fn compile(pattern: &str, ignore_case: bool, multiline: bool) -> Outcome<Arc<Regex>> {
    let key = (pattern.to_owned(), ignore_case, multiline);
    if let Some(known) = COMPILED.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&key) {
        return Ok(known.clone());
    }
    let translated = translate(pattern, multiline);
    let built = RegexBuilder::new(&translated).case_insensitive(ignore_case).multi_line(multiline).backtrack_limit(MOST_STEPS).build();
    let regex = Arc::new(built.map_err(|error| Fault::failed(format!("`{pattern}` is no regular expression: {error}")))?);
    let mut compiled = COMPILED.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    if compiled.len() > 2_000 {
        compiled.clear();
    }
    compiled.insert(key, regex.clone());
    Ok(regex)
}

/// What Python writes differently: `\Z` is the very end, `$` is also before a last newline, and a bracket may stand unescaped in a class.
fn translate(pattern: &str, multiline: bool) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut characters = pattern.chars().peekable();
    let mut in_class = false;
    let mut class_start = false;
    while let Some(character) = characters.next() {
        let at_start = std::mem::take(&mut class_start);
        match character {
            '\\' => match characters.next() {
                Some('Z') if !in_class => out.push_str("\\z"),
                // Harmless in Python, unknown to others.
                Some(
                    escaped @ ('/' | '"' | '\'' | '`' | '@' | '%' | '=' | ':' | ';' | ',' | '!' | '<' | '>' | '_' | ' ' | '&' | '#' | '~'),
                ) => {
                    if matches!(escaped, '&' | '#' | '~' | ' ') {
                        out.push('\\');
                    }
                    out.push(escaped);
                }
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' if in_class => out.push_str("\\["),
            '[' => {
                in_class = true;
                class_start = true;
                out.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            ']' if in_class && at_start => out.push_str("\\]"),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class && characters.peek() == Some(&character) => {
                out.push('\\');
                out.push(character);
            }
            '$' if !in_class && !multiline => out.push_str("(?=\\n?\\z)"),
            other => out.push(other),
        }
    }
    out
}

fn gave_up(error: fancy_regex::Error) -> Fault {
    Fault::failed(format!("the regular expression gave up: {error}"))
}

pub(crate) fn is_match(regex: &Regex, text: &str) -> Outcome<bool> {
    regex.is_match(text).map_err(gave_up)
}

pub(crate) fn captures<'t>(regex: &Regex, text: &'t str) -> Outcome<Option<Captures<'t, str>>> {
    regex.captures(text).map_err(gave_up)
}

pub(crate) fn all<'t>(regex: &Regex, text: &'t str) -> Outcome<Vec<Captures<'t, str>>> {
    regex.captures_iter(text).collect::<Result<Vec<_>, _>>().map_err(gave_up)
}

/// Replaces up to `count` matches (0: all) by a Python template (`\1`, `\g<name>`, `\n`). Gives the text and the number of replacements.
pub(crate) fn replace(regex: &Regex, text: &str, replacement: &str, count: usize) -> Outcome<(String, usize)> {
    let mut out = String::with_capacity(text.len());
    let (mut end, mut replaced) = (0, 0);
    for captures in all(regex, text)? {
        if count > 0 && replaced == count {
            break;
        }
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[end..whole.start()]);
        expand(&captures, replacement, &mut out)?;
        end = whole.end();
        replaced += 1;
    }
    out.push_str(&text[end..]);
    Ok((out, replaced))
}

fn expand(captures: &Captures<'_, str>, template: &str, out: &mut String) -> Outcome<()> {
    let mut characters = template.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('g') if characters.next_if_eq(&'<').is_some() => {
                let name: String = characters.by_ref().take_while(|c| *c != '>').collect();
                out.push_str(group(captures, &name)?);
            }
            Some(digit @ '1'..='9') => {
                let mut number = digit.to_string();
                if let Some(second) = characters.next_if(char::is_ascii_digit) {
                    number.push(second);
                }
                out.push_str(group(captures, &number)?);
            }
            Some('0') => out.push('\0'),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('\\') => out.push('\\'),
            Some(letter) if letter.is_ascii_alphabetic() => {
                return Err(Fault::failed(format!("`\\{letter}` has no meaning in a replacement")));
            }
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => return Err(Fault::failed("the replacement ends with a single backslash")),
        }
    }
    Ok(())
}

/// A group of a match by number or name; empty when it took no part.
pub(crate) fn group<'t>(captures: &Captures<'t, str>, name: &str) -> Outcome<&'t str> {
    let found = match name.parse::<usize>() {
        Ok(number) if number < captures.len() => captures.get(number),
        Ok(number) => return Err(Fault::failed(format!("the regular expression has no group {number}"))),
        Err(_) => match captures.name(name) {
            Some(found) => Some(found),
            None => return Err(Fault::failed(format!("the regular expression has no group `{name}`, or it took no part"))),
        },
    };
    Ok(found.map_or("", |found| found.as_str()))
}

/// Escapes as Python's `re.escape`.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(pattern: &str, text: &str, replacement: &str) -> String {
        let regex = compile(pattern, false, false).ok().expect("compiles");
        replace(&regex, text, replacement, 0).ok().expect("replaces").0
    }

    #[test]
    fn replacements_are_pythons() {
        assert_eq!(replaced(r"^(?P<a>\w+)=(.*)$", "key=value", r"\2:\g<a>\g<1>"), "value:keykey");
        assert_eq!(replaced(r"\.", "a.b", r"\\"), r"a\b");
        assert_eq!(replaced(r"[[\]x]", "a[b]x", "-"), "a-b--");
    }

    #[test]
    fn a_dollar_also_stands_before_the_last_newline() {
        assert_eq!(replaced(r"b$", "ab\n", "c"), "ac\n");
        assert_eq!(replaced(r"b\Z", "ab\n", "c"), "ab\n");
    }

    #[test]
    fn a_hopeless_pattern_is_an_error_and_does_not_hang() {
        let regex = compile(r"((a|(?=a)a)+)+\1$", false, false).ok().expect("compiles");
        assert!(is_match(&regex, &format!("{}c", "a".repeat(60))).is_err());
    }
}
