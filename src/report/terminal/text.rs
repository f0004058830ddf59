//! Lines that fit: what is too long is shortened, what belongs to the right edge stands there.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::base::Value;
use crate::history::event::TaskResult;

/// Lines of output that explain a failure, at most.
const LAST_LINES: usize = 8;

/// The text in so many columns, with `…` where something was cut.
pub fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let kept = text.chars().take_while(|character| {
        used += character.width().unwrap_or(0);
        used < width
    });
    kept.collect::<String>() + "…"
}

/// `left`, and `right` at the right edge; when both do not fit, `left` is shortened, and on a narrow terminal `right` goes.
pub fn right_aligned(left: &str, right: &str, width: usize) -> String {
    let room = width.saturating_sub(right.width() + 2);
    if right.is_empty() || room < 24 {
        return shortened(left, width);
    }
    let left = shortened(left, room);
    format!("{left}{}{right}", " ".repeat(width.saturating_sub(left.width() + right.width())))
}

pub fn indented(text: &str, margin: usize) -> String {
    text.lines().map(|line| format!("{:margin$}{line}", "").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Why it failed: the message, and the last lines that the command wrote.
pub fn explained(result: &TaskResult) -> String {
    let text = |key: &str| result.result.get(key).map(Value::to_text).unwrap_or_default();
    let mut out = text("msg");
    if out.is_empty() {
        out = result.error.as_ref().map(|error| error.message.clone()).unwrap_or_else(|| "failed".to_owned());
    }
    if let Some(code) = result.result.get("rc").filter(|code| code.as_int() != Some(0)) {
        out.push_str(&format!(" (exit code {})", code.to_text()));
    }
    for key in ["stdout", "stderr", "module_stderr"] {
        let written = text(key);
        let lines: Vec<&str> = written.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        if last.is_empty() || out.contains(&last.join("\n")) {
            continue;
        }
        let name = if lines.len() > last.len() { format!("{key}, last lines:") } else { format!("{key}:") };
        out.push_str(&format!("\n{name}\n{}", indented(&last.join("\n"), 2)));
    }
    for help in result.error.iter().flat_map(|error| &error.help) {
        match help {
            crate::base::Help::Text(text) => out.push_str(&format!("\n{text}")),
            crate::base::Help::Command(command) => out.push_str(&format!("\ntry: {command}")),
            crate::base::Help::DidYouMean(name) => out.push_str(&format!("\ndid you mean `{name}`?")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::event::{Status, TaskId};

    #[test]
    fn a_line_is_never_wider_than_the_terminal() {
        for width in [10, 40, 80] {
            let line = right_aligned(" play  Ein sehr langer Name für ein Spiel: 日本語 日本語", "12 hosts   143 tasks", width);
            assert!(line.width() <= width, "{width}: {line}");
        }
        assert_eq!(right_aligned("left", "1 s", 40), format!("left{}1 s", " ".repeat(33)));
    }

    #[test]
    fn a_failed_command_is_explained_by_its_last_lines() {
        let lines: Vec<String> = (1..=20).map(|number| format!("line {number}")).collect();
        let map = [("msg", Value::from("non-zero return code")), ("rc", 3.into()), ("stderr", lines.join("\n").into())];
        let text = explained(&TaskResult::new(TaskId(1), "web", Status::Failed, Value::map(map)));
        assert!(text.starts_with("non-zero return code (exit code 3)\nstderr, last lines:\n  line 13\n"), "{text}");
    }
}
