//! Regular expressions as Python's `re` reads them, on top of `fancy-regex`: `$` and `\Z`, literal braces, `\g<name>` in replacements.

use fancy_regex::{Regex, RegexBuilder};

/// A match with its groups.
pub type Captures<'t> = fancy_regex::Captures<'t, str>;

/// Backtracking steps after which a pattern is given up: a host's text must not hang a run.
const BACKTRACK_LIMIT: usize = 1_000_000;

/// Python's flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatternFlags {
    pub ignore_case: bool,
    pub multiline: bool,
    pub dot_all: bool,
}

/// A compiled Python regular expression.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern; the error names what is wrong in it.
    pub fn new(python: &str, flags: PatternFlags) -> Result<Pattern, String> {
        let multiline = flags.multiline || has_inline_flag(python, 'm');
        let translated = translate(python, multiline);
        let on = [(flags.ignore_case, 'i'), (multiline, 'm'), (flags.dot_all, 's')];
        let prefix: String = on.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter).collect();
        let full = if prefix.is_empty() { translated } else { format!("(?{prefix}){translated}") };
        let built = RegexBuilder::new(&full).backtrack_limit(BACKTRACK_LIMIT).build();
        built.map(|regex| Pattern { regex }).map_err(|error| format!("`{python}` is no regular expression: {error}"))
    }

    /// Without flags.
    pub fn plain(python: &str) -> Result<Pattern, String> {
        Pattern::new(python, PatternFlags::default())
    }

    /// Whether it is found anywhere in the text.
    pub fn is_found(&self, text: &str) -> Result<bool, String> {
        self.regex.is_match(text).map_err(|error| error.to_string())
    }

    /// The first match with its groups.
    pub fn search<'t>(&self, text: &'t str) -> Result<Option<Captures<'t>>, String> {
        self.regex.captures(text).map_err(|error| error.to_string())
    }

    /// The first match from a byte position on.
    pub fn search_from<'t>(&self, text: &'t str, start: usize) -> Result<Option<Captures<'t>>, String> {
        self.regex.captures_from_pos(text, start).map_err(|error| error.to_string())
    }

    /// `re.subn`: every match replaced by the expanded template, and how many there were.
    pub fn substitute(&self, text: &str, template: &str) -> Result<(String, usize), String> {
        check_template(template)?;
        let (mut out, mut position, mut count) = (String::new(), 0, 0);
        while let Some(found) = self.search_from(text, position)? {
            let Some(whole) = found.get(0) else { break };
            out.push_str(&text[position..whole.start()]);
            out.push_str(&expand(template, &found)?);
            count += 1;
            position = whole.end();
            if whole.start() == whole.end() {
                let Some(next) = text[position..].chars().next() else { break };
                out.push(next);
                position += next.len_utf8();
            }
        }
        out.push_str(&text[position.min(text.len())..]);
        Ok((out, count))
    }
}

/// Refuses escapes that mean nothing, also in a template that no match ever needs.
fn check_template(template: &str) -> Result<(), String> {
    let mut characters = template.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            continue;
        }
        match characters.next() {
            None => return Err("bad escape (end of pattern)".into()),
            Some(letter) if letter.is_ascii_alphabetic() && !"abfgnrtv".contains(letter) => return Err(format!("bad escape \\{letter}")),
            Some(_) => {}
        }
    }
    Ok(())
}

/// A replacement template with `\1`, `\g<1>`, `\g<name>` and escapes filled in, as `Match.expand` does it.
pub fn expand(template: &str, found: &Captures<'_>) -> Result<String, String> {
    let group = |reference: &str| {
        let by_number = reference.parse::<usize>().ok();
        let known = by_number.map_or_else(|| found.name(reference).is_some(), |number| number < found.len());
        let text = by_number.map_or_else(|| found.name(reference), |number| found.get(number)).map(|group| group.as_str());
        match (text, known || by_number.is_none()) {
            (Some(text), _) => Ok(text.to_owned()),
            (None, true) => Ok(String::new()),
            (None, false) => Err(format!("invalid group reference {reference}")),
        }
    };
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(next) = rest.chars().next() else { return Err("bad escape (end of pattern)".into()) };
        if next == 'g' && rest[1..].starts_with('<') {
            let (name, after) = rest[2..].split_once('>').ok_or("missing >, unterminated name")?;
            out.push_str(&group(name)?);
            rest = after;
            continue;
        }
        if next.is_ascii_digit() && next != '0' {
            let digits = if rest[1..].starts_with(|c: char| c.is_ascii_digit()) { 2 } else { 1 };
            out.push_str(&group(&rest[..digits])?);
            rest = &rest[digits..];
            continue;
        }
        match next {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'v' => out.push('\u{b}'),
            '0' => out.push('\0'),
            '\\' => out.push('\\'),
            letter if letter.is_ascii_alphabetic() => return Err(format!("bad escape \\{letter}")),
            other => out.extend(['\\', other]),
        }
        rest = &rest[next.len_utf8()..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Whether a leading `(?im)` names this flag.
fn has_inline_flag(pattern: &str, flag: char) -> bool {
    let Some(inside) = pattern.strip_prefix("(?") else { return false };
    inside.split_once([')', ':']).is_some_and(|(flags, _)| flags.chars().all(|c| c.is_ascii_lowercase()) && flags.contains(flag))
}

/// Writes a Python pattern in the other dialect.
fn translate(python: &str, multiline: bool) -> String {
    let characters: Vec<char> = python.chars().collect();
    let mut out = String::with_capacity(python.len() + 8);
    let (mut index, mut class_start) = (0, None);
    while index < characters.len() {
        let c = characters[index];
        let next = characters.get(index + 1).copied();
        match (c, class_start) {
            ('\\', _) => {
                out.push_str(&translate_escape(next, class_start.is_some()));
                index += 1;
            }
            // `]` right after the start stands for itself.
            (']', Some(start)) if index > start => {
                class_start = None;
                out.push(']');
            }
            ('[' | ']' | '&' | '~', Some(_)) => out.extend(['\\', c]),
            (_, Some(_)) => out.push(c),
            ('[', None) => {
                out.push('[');
                if next == Some('^') {
                    out.push('^');
                    index += 1;
                }
                class_start = Some(index + 1);
            }
            ('$', None) if !multiline => out.push_str(r"(?=\n?\z)"),
            ('{', None) => match quantifier(&characters[index..]) {
                Some((text, length)) => {
                    out.push_str(&text);
                    index += length - 1;
                }
                None => out.push_str(r"\{"),
            },
            (other, None) => out.push(other),
        }
        index += 1;
    }
    out
}

fn translate_escape(next: Option<char>, in_class: bool) -> String {
    match next {
        Some('Z') if !in_class => r"\z".into(),
        Some(c) if c.is_ascii_alphanumeric() => format!("\\{c}"),
        Some('_') => "_".into(),
        Some(c @ ('<' | '>' | '"' | '\'' | '/' | '=' | '!' | ',' | ';' | ':' | '@' | '%' | '`')) => c.to_string(),
        Some(c) if !c.is_ascii() => c.to_string(),
        Some(c) => format!("\\{c}"),
        None => "\\".into(),
    }
}

/// A valid `{n}`, `{n,}`, `{,m}` or `{n,m}` at the start, with its length; any other brace stands for itself.
fn quantifier(characters: &[char]) -> Option<(String, usize)> {
    let end = characters.iter().position(|c| *c == '}')?;
    let inside: String = characters[1..end].iter().collect();
    let (low, high) = inside.split_once(',').map_or((inside.as_str(), None), |(low, high)| (low, Some(high)));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let valid = digits(low) && high.is_none_or(digits) && !inside.is_empty() && (high.is_some() || !low.is_empty());
    let low = if low.is_empty() { "0" } else { low };
    let text = high.map_or_else(|| format!("{{{low}}}"), |high| format!("{{{low},{high}}}"));
    valid.then_some((text, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> bool {
        Pattern::plain(pattern).expect("compiles").is_found(text).expect("searches")
    }

    #[test]
    fn a_wrong_escape_in_a_replacement_is_refused_though_nothing_matches() {
        let pattern = Pattern::plain("x").expect("compiles");
        assert_eq!(pattern.substitute("", r"\D"), Err(r"bad escape \D".into()));
        assert_eq!(pattern.substitute("x", r"\n"), Ok(("\n".into(), 1)));
    }

    #[test]
    fn a_dollar_matches_before_the_last_line_break() {
        assert!(found("end$", "the end\n"));
        assert!(!found("end$", "end\nmore\n"));
        assert!(found("(?m)end$", "end\nmore\n"));
        assert!(!found(r"end\Z", "end\n"));
    }

    #[test]
    fn what_python_takes_literally_is_literal() {
        assert!(found("{{ x }}", "{{ x }}"));
        assert!(found("[[]", "["));
        assert!(found("[]x]", "]"));
        assert!(found(r"\<VirtualHost\>", "<VirtualHost>"));
        assert!(found(r"^a{,2}b", "aab"));
        assert!(found(r"[^[]+&&", "a&&"));
    }

    #[test]
    fn groups_are_filled_into_the_replacement() {
        let pattern = Pattern::plain(r"(?P<key>\w+)=(\d)?").expect("compiles");
        assert_eq!(pattern.substitute("a=1 b=", r"\g<key>:\2;").expect("replaces"), ("a:1; b:;".into(), 2));
        assert!(pattern.substitute("a=1", r"\9").is_err());
        assert!(pattern.substitute("a=1", r"\q").is_err());
    }

    #[test]
    fn empty_matches_are_replaced_where_python_replaces_them() {
        let pattern = Pattern::plain("x*").expect("compiles");
        assert_eq!(pattern.substitute("abxd", "-").expect("replaces"), ("-a-b--d-".into(), 5));
    }

    #[test]
    fn a_pattern_that_never_ends_is_given_up() {
        let pattern = Pattern::plain(r"^(a|aa|aaa)+(?<=a)\1b$").expect("compiles");
        assert!(pattern.is_found(&"a".repeat(60)).is_err());
    }
}
