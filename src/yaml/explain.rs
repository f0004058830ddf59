//! What went wrong with a YAML file, in the words of the person who wrote it: libyaml says where it stopped, and the lines around
//! say what was meant.

use std::sync::{Arc, LazyLock};

use libyaml_safer::{Error, Mark};
use regex::Regex;

use crate::base::{Diagnostic, Node, Span};

static UNQUOTED_TEMPLATE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*(?:-\s+)*(?:[^\s'\x22#:{][^'\x22#]*?:\s+)?(\{\{.*)$"));
static KEY_AND_VALUE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(\s*(?:-\s+)*(?:[^\s'\x22#:][^:'\x22]*:\s+))(\S.*)$"));
static KEY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*(?:-\s+)*[^\s'\x22#:][^:'\x22]*:(?:\s|$)"));
static KEY_WITHOUT_SPACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*(?:-\s+)*([A-Za-z_][\w.]*):([^\s:/].*)$"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

/// Turns libyaml's error into a diagnostic with the usual fix.
pub(super) fn explain(error: &Error, text: &str, file: &Arc<str>) -> Diagnostic {
    let lines: Vec<&str> = text.lines().collect();
    let Some(mark) = error.problem_mark() else { return unreadable(error, &lines, file) };
    let place = Place {
        lines: &lines,
        file,
        problem: error.problem(),
        mark,
        context: error.context_mark(),
        during: error.context().unwrap_or_default(),
    };
    place
        .tab()
        .or_else(|| place.open_quote())
        .or_else(|| place.template())
        .or_else(|| place.text_after_quote())
        .or_else(|| place.key_without_space())
        .or_else(|| place.second_colon())
        .or_else(|| place.reserved())
        .or_else(|| place.escape())
        .or_else(|| place.open_bracket())
        .or_else(|| place.indentation())
        .unwrap_or_else(|| place.plainly())
}

/// A list or mapping as a key: nearly always a template without quotes.
pub(super) fn container_as_key(key: &Node, lines: &[&str]) -> Diagnostic {
    let line = lines.get(key.span.line as usize - 1).copied().unwrap_or_default();
    let rest: String = line.chars().skip((key.span.column as usize).saturating_sub(2)).collect();
    if rest.starts_with("{{") {
        let mut span = key.span.clone();
        span.column -= 1;
        return unquoted_template(&span, &rest);
    }
    Diagnostic::error(format!("{} cannot be the key of a mapping", key.type_name())).at(&key.span)
}

fn unquoted_template(span: &Span, from: &str) -> Diagnostic {
    let value = from.split(" #").next().unwrap_or(from).trim_end();
    let quoted = if value.contains('"') { format!("'{}'", value.replace('\'', "''")) } else { format!("\"{value}\"") };
    Diagnostic::error("a value that starts with `{{` needs quotes: without them YAML takes the brace for a mapping")
        .at(&span.clone().with_length(value.chars().count() as u32))
        .help(format!("write {quoted}"))
}

/// What is no text at all: a control character, or an encoding that is none.
fn unreadable(error: &Error, lines: &[&str], file: &Arc<str>) -> Diagnostic {
    let is_odd = |c: char| (c.is_control() && c != '\t' && c != '\u{85}') || matches!(c, '\u{fffe}' | '\u{ffff}');
    for (index, line) in lines.iter().enumerate() {
        if let Some((column, odd)) = line.chars().enumerate().find(|(_, c)| is_odd(*c)) {
            return Diagnostic::error(format!("the character U+{:04X} is not allowed in YAML", odd as u32))
                .at(&Span::new(file.clone(), index as u32 + 1, column as u32 + 1).with_length(1))
                .help("remove it, or write it as an escape in double quotes");
        }
    }
    Diagnostic::error(format!("this is not readable as YAML: {error}")).at(&Span::new(file.clone(), 1, 1))
}

/// Where libyaml stopped, and what it said.
struct Place<'a> {
    lines: &'a [&'a str],
    file: &'a Arc<str>,
    problem: &'static str,
    mark: Mark,
    context: Option<Mark>,
    during: &'static str,
}

impl Place<'_> {
    fn line(&self, index: u64) -> &str {
        self.lines.get(index as usize).copied().unwrap_or_default()
    }

    fn span(&self, line: u64, column: usize) -> Span {
        Span::new(self.file.clone(), line as u32 + 1, column as u32 + 1)
    }

    fn marked(&self, mark: Mark) -> Span {
        // At the end of the file the mark is past the last line, where nothing can be shown.
        let last = self.lines.len().saturating_sub(1) as u64;
        if mark.line > last { self.span(last, self.line(last).chars().count()) } else { self.span(mark.line, mark.column as usize) }
    }

    /// The line of the mark and the nearest one before it that says anything: libyaml often notices one line late.
    fn suspects(&self) -> Vec<u64> {
        let mut suspects = vec![self.mark.line.min(self.lines.len().saturating_sub(1) as u64)];
        let before = (0..suspects[0]).rev().find(|index| {
            let line = self.line(*index).trim_start();
            !line.is_empty() && !line.starts_with('#')
        });
        suspects.extend(before);
        suspects
    }

    fn tab(&self) -> Option<Diagnostic> {
        let line = self.line(self.mark.line);
        let indent = line.len() - line.trim_start().len();
        let tab = line[..indent].find('\t').or_else(|| self.problem.contains("tab character").then(|| line.find('\t')).flatten());
        let column = match tab {
            Some(column) => column,
            None if line.chars().nth(self.mark.column as usize) == Some('\t') => self.mark.column as usize,
            None => return None,
        };
        Some(
            Diagnostic::error("a tab stands here, and YAML is indented with spaces only")
                .at(&self.span(self.mark.line, column).with_length(1))
                .help("replace the tab by spaces, as many as the lines beside it have"),
        )
    }

    fn open_quote(&self) -> Option<Diagnostic> {
        let start = self.context.filter(|_| self.during.contains("quoted scalar") && !self.problem.contains("escape"))?;
        let quote = self.line(start.line).chars().nth(start.column as usize)?;
        Some(
            Diagnostic::error(format!("the quote {quote} that opens here is never closed"))
                .at(&self.marked(start).with_length(1))
                .help(format!("close it, or double the {quote} inside the text when the quotes are single ones")),
        )
    }

    fn template(&self) -> Option<Diagnostic> {
        self.suspects().into_iter().find_map(|index| {
            let line = self.line(index);
            let value = UNQUOTED_TEMPLATE.captures(line)?.get(1)?;
            let column = line[..value.start()].chars().count();
            Some(unquoted_template(&self.span(index, column), value.as_str()))
        })
    }

    /// `"foo" in bar`: the value ends at its second quote, and more follows.
    fn text_after_quote(&self) -> Option<Diagnostic> {
        self.suspects().into_iter().find_map(|index| {
            let line = self.line(index);
            let (start, value) = value_of(line);
            let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
            let close = closing(value, quote)?;
            let rest = value[close + 1..].trim();
            if rest.is_empty() || rest.starts_with(['#', ':', ',', ']', '}']) {
                return None;
            }
            let column = line[..start + close + 1].chars().count() + value[close + 1..].chars().take_while(|c| *c == ' ').count();
            let whole = value.trim_end();
            let other = if whole.contains('\'') {
                format!("\"{}\"", whole.replace('\\', "\\\\").replace('"', "\\\""))
            } else {
                format!("'{whole}'")
            };
            Some(
                Diagnostic::error(format!("the value ends at its closing {quote}, and more text follows on the line"))
                    .at(&self.span(index, column).with_length(rest.chars().count() as u32))
                    .help(format!("quote the whole value: {other}")),
            )
        })
    }

    /// `key: some text: more`, or a key that is indented below a value.
    fn second_colon(&self) -> Option<Diagnostic> {
        if !self.problem.starts_with("mapping values are not allowed") {
            return None;
        }
        let line = self.line(self.mark.line);
        if let Some(captures) = KEY_AND_VALUE.captures(line)
            && let (Some(before), Some(value)) = (captures.get(1), captures.get(2))
            && let Some(colon) = colon_in(value.as_str())
        {
            let column = line[..before.end() + colon].chars().count();
            let value = value.as_str().trim_end();
            let quoted = if value.contains('"') { format!("'{}'", value.replace('\'', "''")) } else { format!("\"{value}\"") };
            return Some(
                Diagnostic::error("a second `: ` on the line: YAML takes it for a key inside of a value")
                    .at(&self.span(self.mark.line, column).with_length(1))
                    .help(format!("quote the value: {quoted}")),
            );
        }
        let above = *self.suspects().get(1)?;
        let indent = indent_of(line);
        Some(
            Diagnostic::error("this key is indented below a line that has a value already")
                .at(&self.span(self.mark.line, indent).with_length(line.trim().chars().count() as u32))
                .label(&self.span(above, indent_of(self.line(above))), "the line above")
                .help("indent both lines alike when they belong to the same mapping; put a value of several lines behind `|` or `>`"),
        )
    }

    fn key_without_space(&self) -> Option<Diagnostic> {
        if !["expected ':'", "expected key", "mapping values"].iter().any(|problem| self.problem.contains(problem)) {
            return None;
        }
        self.suspects().into_iter().find_map(|index| {
            let line = self.line(index);
            let captures = KEY_WITHOUT_SPACE.captures(line)?;
            let (key, value) = (captures.get(1)?, captures.get(2)?);
            Some(
                Diagnostic::error(format!("no space after the colon of `{}`", key.as_str()))
                    .at(&self.span(index, line[..key.end()].chars().count()).with_length(1))
                    .help(format!("write `{}: {}`", key.as_str(), value.as_str().trim_end())),
            )
        })
    }

    /// `@`, a backtick, `%`, `*` and `&` cannot start plain text.
    fn reserved(&self) -> Option<Diagnostic> {
        let starts = self.problem.contains("cannot start any token");
        let alias = self.problem.contains("expected alphabetic or numeric") || self.during.contains("scanning an alias");
        let mark = if alias { self.context.unwrap_or(self.mark) } else { self.mark };
        let rest: String = self.line(mark.line).chars().skip(mark.column as usize).collect();
        let first = rest.chars().next().filter(|_| starts || alias)?;
        let meaning = if first == '*' {
            " (it is an alias)"
        } else if first == '&' {
            " (it is an anchor)"
        } else {
            ""
        };
        Some(
            Diagnostic::error(format!("plain text cannot start with `{first}` in YAML{meaning}"))
                .at(&self.marked(mark).with_length(1))
                .help(format!("quote it: '{}'", rest.trim_end().replace('\'', "''"))),
        )
    }

    fn escape(&self) -> Option<Diagnostic> {
        if !self.problem.contains("escape") && !self.problem.contains("hexdecimal") {
            return None;
        }
        let written: String = self.line(self.mark.line).chars().skip(self.mark.column as usize).take(2).collect();
        Some(
            Diagnostic::error(format!("`{written}` is no escape that YAML knows in double quotes"))
                .at(&self.marked(self.mark).with_length(2))
                .help("double the backslash, or use single quotes, in which a backslash is just a backslash"),
        )
    }

    fn open_bracket(&self) -> Option<Diagnostic> {
        let start = self.context.filter(|_| self.during.contains("flow"))?;
        let bracket = self.line(start.line).chars().nth(start.column as usize).filter(|c| matches!(c, '[' | '{'))?;
        let (close, separator) = if bracket == '[' { ("]", "`,` between items") } else { ("}", "`,` between entries") };
        Some(
            Diagnostic::error(format!("a `,` or `{close}` is missing here"))
                .at(&self.marked(self.mark))
                .label(&self.marked(start).with_length(1), format!("`{bracket}` opens here"))
                .help(format!("close the bracket, put {separator}, and quote text that holds brackets or commas")),
        )
    }

    fn indentation(&self) -> Option<Diagnostic> {
        let expected = match self.problem {
            "did not find expected key" => "a key of the mapping around it",
            "did not find expected '-' indicator" => "a `- ` of the list around it",
            "block sequence entries are not allowed in this context" => "no `- ` (a list starts on a line of its own)",
            "could not find expected ':'" => "a `key:`",
            _ => return None,
        };
        let mut diagnostic = Diagnostic::error(format!("this line does not fit the lines before it: expected here is {expected}"))
            .at(&self.marked(self.mark));
        if let Some(start) = self.context {
            diagnostic = diagnostic.label(&self.marked(start), format!("which starts here, in column {}", start.column + 1));
        }
        let line = self.line(self.mark.line);
        let is_text = self.problem.contains("expected ':'") && !KEY.is_match(line);
        Some(diagnostic.help(if is_text {
            "add the colon, or quote or indent the line if it continues the text above"
        } else {
            "check the indentation: lines of one list or mapping start in the same column"
        }))
    }

    fn plainly(&self) -> Diagnostic {
        let (first, rest) = self.problem.split_at(self.problem.chars().next().map_or(0, char::len_utf8));
        let message = format!("YAML parsing failed: {}{rest}.", first.to_uppercase());
        let mut diagnostic = Diagnostic::error(message).at(&self.marked(self.mark));
        if let Some(start) = self.context {
            diagnostic = diagnostic.label(&self.marked(start), self.during);
        }
        diagnostic
    }
}

fn indent_of(line: &str) -> usize {
    line.chars().take_while(|c| *c == ' ').count()
}

/// The value on a line (after dashes and the key) and where it starts.
fn value_of(line: &str) -> (usize, &str) {
    let start = KEY_AND_VALUE
        .captures(line)
        .and_then(|captures| captures.get(2))
        .map_or_else(|| line.len() - line.trim_start_matches([' ', '-']).len(), |value| value.start());
    (start, &line[start..])
}

/// The byte at which a quoted text ends.
fn closing(value: &str, quote: char) -> Option<usize> {
    let mut characters = value.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' if quote == '"' => drop(characters.next()),
            c if c == quote && quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == quote) => drop(characters.next()),
            c if c == quote => return Some(index),
            _ => {}
        }
    }
    None
}

/// The first colon outside quotes that YAML would take for the end of a key.
fn colon_in(value: &str) -> Option<usize> {
    value
        .char_indices()
        .find(|(index, character)| *character == ':' && matches!(value[index + 1..].chars().next(), None | Some(' ')))
        .map(|(index, _)| index)
}
