//! A diagnostic as text with its source lines and a caret.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::base::{Diagnostic, Help, Label, Severity, Span};

/// The diagnostic as text without a line end after it.
pub fn render(diagnostic: &Diagnostic, width: usize, colored: bool) -> String {
    let renderer = if colored { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(width.max(40));
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let sources = sources(diagnostic);
    let meant = meant(diagnostic);
    let mut group = level.primary_title(diagnostic.message.as_str()).elements(std::iter::empty::<Origin<'_>>());
    let mut is_first = true;
    for source in &sources {
        group = match &source.text {
            Some(text) => group.element(snippet(source, text, is_first, meant)),
            None => group.element(origin(source)),
        };
        is_first = false;
    }
    let has_place = sources.first().is_some_and(|source| source.text.is_some());
    for cause in &diagnostic.causes {
        group = group.element(Level::NOTE.with_name("cause").message(cause.as_str()));
    }
    group = helps(diagnostic, meant.is_some() && has_place, group);
    renderer.render(&[group])
}

/// The line under the diagnostics of a run that does not begin: `1 error, 2 warnings. No host was touched.`
pub fn refusal(errors: usize, warnings: usize) -> String {
    let plural = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let found: Vec<String> = [(errors, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| plural(number, word))
        .collect();
    format!("{}. No host was touched.", found.join(", "))
}

fn helps<'a>(diagnostic: &'a Diagnostic, meant_is_shown: bool, mut group: Group<'a>) -> Group<'a> {
    for help in &diagnostic.help {
        group = match help {
            Help::DidYouMean(_) if meant_is_shown => group,
            Help::DidYouMean(name) => group.element(Level::HELP.message(format!("did you mean `{name}`?"))),
            Help::Command(command) => group.element(Level::HELP.with_name("try").message(command.as_str())),
            Help::Text(text) => group.element(Level::HELP.message(text.as_str())),
        };
    }
    group
}

/// The name that was probably meant, when the first place has no text of its own: it is said there.
fn meant(diagnostic: &Diagnostic) -> Option<&str> {
    diagnostic.labels.first().filter(|label| label.text.is_empty())?;
    diagnostic.help.iter().find_map(|help| match help {
        Help::DidYouMean(name) => Some(name.as_str()),
        Help::Command(_) | Help::Text(_) => None,
    })
}

/// The places in one file, with its text when it can be shown.
struct Source<'a> {
    file: Arc<str>,
    text: Option<String>,
    labels: Vec<&'a Label>,
}

fn sources(diagnostic: &Diagnostic) -> Vec<Source<'_>> {
    let mut sources: Vec<Source<'_>> = Vec::new();
    for label in &diagnostic.labels {
        match sources.iter_mut().find(|source| source.file == label.span.file) {
            Some(source) => source.labels.push(label),
            None => {
                let text = if label.span.is_in_file() { std::fs::read_to_string(&*label.span.file).ok() } else { None };
                let text = text.filter(|text| !text.starts_with("$ANSIBLE_VAULT;") && range(text, &label.span).is_some());
                sources.push(Source { file: label.span.file.clone(), text, labels: vec![label] });
            }
        }
    }
    sources
}

fn snippet<'a>(
    source: &'a Source<'_>,
    text: &'a str,
    is_first: bool,
    meant: Option<&str>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let mut snippet = Snippet::source(text).path(&*source.file);
    for (index, label) in source.labels.iter().enumerate() {
        let Some(place) = range(text, &label.span) else { continue };
        let is_primary = is_first && index == 0;
        if is_primary && let Some(line) = line_before(text, place.start) {
            snippet = snippet.annotation(AnnotationKind::Visible.span(line));
        }
        let kind = if is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let says = match meant {
            Some(name) if is_primary => Some(format!("did you mean `{name}`?")),
            _ => (!label.text.is_empty()).then(|| label.text.clone()),
        };
        snippet = snippet.annotation(kind.span(place).label(says));
    }
    snippet
}

fn origin<'a>(source: &'a Source<'_>) -> Origin<'a> {
    let origin = Origin::path(&*source.file);
    match source.labels.first() {
        Some(label) if label.span.is_in_file() => origin.line(label.span.line as usize).char_column(label.span.column as usize),
        _ => origin,
    }
}

/// The bytes of a span in its file's text. Where only the start is known: the word that begins there.
fn range(text: &str, span: &Span) -> Option<Range<usize>> {
    let line_start = match span.line {
        1 => 0,
        line => text.match_indices('\n').nth(line as usize - 2)?.0 + 1,
    };
    let line = text[line_start..].split('\n').next().unwrap_or_default().trim_end_matches('\r');
    let characters: Vec<usize> = line.char_indices().map(|(index, _)| index).chain([line.len()]).collect();
    let start = *characters.get((span.column as usize).saturating_sub(1)).unwrap_or(&line.len());
    let rest = &line[start..];
    let end = if span.length > 0 {
        // A span over several lines is marked on its first.
        characters.get(span.column as usize - 1 + span.length as usize).copied().unwrap_or(line.len())
    } else {
        start
            + rest
                .find(|character: char| !character.is_alphanumeric() && !"_-.".contains(character))
                .unwrap_or(rest.len())
                .max(1)
                .min(rest.len())
    };
    Some(line_start + start..line_start + end)
}

/// The line above, so that the reader sees what the place belongs to.
fn line_before(text: &str, position: usize) -> Option<Range<usize>> {
    let line_start = text[..position].rfind('\n')?;
    let start = text[..line_start].rfind('\n').map_or(0, |end| end + 1);
    Some(start..line_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, make: impl Fn(Span) -> Diagnostic) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("main.yml");
        std::fs::write(&file, text).expect("writes");
        let span = Span::new(file.to_string_lossy().into_owned(), 3, 5);
        render(&make(span), 100, false).replace(&*folder.path().to_string_lossy(), "DIR")
    }

    #[test]
    fn a_typo_is_marked_where_it_stands_and_the_right_name_said_there() {
        let text = "- name: Install\n  ansible.builtin.apt:\n    pakage: nginx\n";
        let shown = shown(text, |span| {
            Diagnostic::error("`apt` has no option `pakage`").at(&span).did_you_mean("pakage", ["package"]).command("hostler doc apt")
        });
        insta::assert_snapshot!(shown, @r"
        error: `apt` has no option `pakage`
         --> DIR/main.yml:3:5
          |
        2 |   ansible.builtin.apt:
        3 |     pakage: nginx
          |     ^^^^^^ did you mean `package`?
          |
          = try: hostler doc apt
        ");
    }

    #[test]
    fn a_cause_stands_under_the_place() {
        let shown = shown("a: 1\nb: 2\nc:  [é, x]\n", |span| Diagnostic::warning("not a list").label(&span, "this").cause("it is a map"));
        insta::assert_snapshot!(shown, @r"
        warning: not a list
         --> DIR/main.yml:3:5
          |
        2 | b: 2
        3 | c:  [é, x]
          |     ^ this
          |
          = cause: it is a map
        ");
    }

    #[test]
    fn without_a_file_there_is_only_the_message() {
        let diagnostic = Diagnostic::error("no such host `wbe`").at(&Span::origin("<command line>")).did_you_mean("wbe", ["web"]);
        insta::assert_snapshot!(render(&diagnostic, 100, false), @r"
        error: no such host `wbe`
        --> <command line>
         = help: did you mean `web`?
        ");
    }

    #[test]
    fn a_place_that_is_gone_does_not_hide_the_message() {
        let shown = shown("one line\n", |span| Diagnostic::error("bad").at(&span));
        insta::assert_snapshot!(shown, @r"
        error: bad
        --> DIR/main.yml:3:5
        ");
    }

    #[test]
    fn findings_are_counted() {
        assert_eq!(refusal(1, 2), "1 error, 2 warnings. No host was touched.");
        assert_eq!(refusal(2, 0), "2 errors. No host was touched.");
    }
}
