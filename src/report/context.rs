//! A diagnostic as Ansible prints it: the message, `Origin: file:line:column`, the lines around it and the column under a mark.

use std::path::Path;

use crate::base::{Diagnostic, Help, Span};

const LINES_BEFORE: usize = 2;
const WIDEST: usize = 120;

/// The text after `[ERROR]: `, ending in a line end, or two when there are several lines. ansible-core 2.19: `_event_formatting.format_event`.
pub fn message(diagnostic: &Diagnostic) -> String {
    let mut text = brief(diagnostic);
    let origin = diagnostic.span().map(origin);
    let help: Vec<String> = diagnostic.help.iter().map(help_text).collect();
    match (&origin, help.is_empty()) {
        (None, false) => text = format!("{text} {}", help.join(" ")),
        (None, true) => {}
        (Some(origin), no_help) => {
            text = format!("{text}\n{origin}");
            if !no_help {
                text = format!("{text}\n\n{}", help.join("\n"));
            }
        }
    }
    let end = if text.trim().contains('\n') { "\n\n" } else { "\n" };
    format!("{}{end}", text.trim())
}

/// What keeps a run from its way, as Ansible tells it: `[ERROR]: …`.
pub fn finding(diagnostic: &Diagnostic) -> String {
    let head = if diagnostic.is_error() { "[ERROR]" } else { "[WARNING]" };
    format!("{head}: {}", message(diagnostic).trim_end())
}

/// The message with its causes on one line, nothing said twice.
pub fn brief(diagnostic: &Diagnostic) -> String {
    let mut causes = diagnostic.causes.iter().rev();
    let Some(last) = causes.next() else { return diagnostic.message.clone() };
    causes.chain(std::iter::once(&diagnostic.message)).fold(last.clone(), |text, part| {
        if part.ends_with(&text) { part.clone() } else { format!("{}: {text}", part.trim_end_matches([' ', '.'])) }
    })
}

fn help_text(help: &Help) -> String {
    match help {
        Help::DidYouMean(name) => format!("Did you mean '{name}'?"),
        Help::Command(command) => format!("Try: {command}"),
        Help::Text(text) => text.clone(),
    }
}

/// `Origin: …` and the source lines, when they can be read.
fn origin(span: &Span) -> String {
    let file = absolute(&span.file);
    if !span.is_in_file() {
        return format!("Origin: {file}");
    }
    let head = format!("Origin: {file}:{}:{}", span.line, span.column);
    let text = match std::fs::read_to_string(&*span.file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return format!("{head}\n\n(source not shown: FileNotFoundError)"),
        Err(_) => return format!("{head}\n\n(source not shown: OSError)"),
    };
    if text.starts_with("$ANSIBLE_VAULT;") {
        return format!("{head}\n\n(source not shown: content encrypted)");
    }
    let target = span.line as usize;
    let start = target.saturating_sub(1 + LINES_BEFORE);
    let lines: Vec<&str> = text.lines().skip(start).take(target - start).collect();
    if lines.len() != target - start {
        return format!("{head}\n\n(source not shown: file truncated)");
    }
    format!("{head}\n\n{}", annotated(&lines, start, span))
}

fn annotated(lines: &[&str], start: usize, span: &Span) -> String {
    let label_width = span.line.to_string().len();
    let widest = WIDEST - label_width - 1;
    let mut usable = widest;
    let mut out = Vec::new();
    for (number, line) in (start + 1..).zip(lines) {
        let mut line = line.trim_end_matches('\n').replace('\t', " ");
        if line.chars().count() > widest {
            usable = widest - 3;
            line = line.chars().take(usable).collect::<String>() + "...";
        }
        let gap = if line.is_empty() { "" } else { " " };
        out.push(format!("{number:>label_width$}{gap}{line}"));
    }
    let column = span.column as usize;
    if (1..=usable).contains(&column) {
        let note = format!("column {column}");
        let before = column - 1;
        let mark = if before + 2 + note.len() > widest {
            format!("{}{note} ^", " ".repeat(before.saturating_sub(note.len() + 1)))
        } else {
            format!("{}^ {note}", " ".repeat(before))
        };
        out.push(format!("{} {mark}", " ".repeat(label_width)));
    }
    out.join("\n")
}

/// Ansible names files by their whole path.
pub fn absolute(file: &str) -> String {
    if file.starts_with('<') {
        return file.to_owned();
    }
    std::path::absolute(Path::new(file)).map_or_else(|_| file.to_owned(), |path| path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_shown_with_two_lines_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("site.yml");
        let text: String = (1..=9).map(|number| format!("# {number}\n")).collect();
        std::fs::write(&file, text + "    - name: Fails\n").expect("writes");
        let span = Span::new(file.to_string_lossy().into_owned(), 10, 7);
        let shown = message(&Diagnostic::error("Task failed: Module failed: non-zero return code").at(&span));
        insta::assert_snapshot!(shown.replace(&*folder.path().to_string_lossy(), "DIR"), @r"
        Task failed: Module failed: non-zero return code
        Origin: DIR/site.yml:10:7

         8 # 8
         9 # 9
        10     - name: Fails
                 ^ column 7
        ");
        assert!(shown.ends_with("column 7\n\n"));
    }

    #[test]
    fn a_cause_is_not_said_twice() {
        let diagnostic = Diagnostic::error("could not touch.").cause("could not touch.").cause("no such file");
        assert_eq!(brief(&Diagnostic::error("a: b").cause("b")), "a: b");
        assert_eq!(brief(&diagnostic), "could not touch: could not touch: no such file");
    }

    #[test]
    fn the_text_of_a_vault_file_is_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret.yml");
        std::fs::write(&file, "$ANSIBLE_VAULT;1.1;AES256\n3132\n").expect("writes");
        let shown = message(&Diagnostic::error("bad").at(&Span::new(file.to_string_lossy().into_owned(), 2, 1)));
        assert!(shown.contains("(source not shown: content encrypted)") && !shown.contains("3132"));
    }

    #[test]
    fn one_line_with_its_help_ends_in_one_line_end() {
        assert_eq!(message(&Diagnostic::warning("No inventory was parsed").help("Use -i")), "No inventory was parsed Use -i\n");
    }
}
