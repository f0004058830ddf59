//! Ansible's `diff` entries as the text of `--diff`.

use similar::{DiffTag, TextDiff};

use crate::base::Value;

use super::screen::{Color, Screen};
use super::{Options, dump};

/// The differences of a result as text; empty when there is nothing to show.
pub fn text(diffs: &[Value], options: &Options, screen: &Screen) -> String {
    diffs.iter().map(|diff| entry(diff, options, screen)).collect()
}

fn entry(diff: &Value, options: &Options, screen: &Screen) -> String {
    let mut out = String::new();
    if diff.get("dst_binary").is_some() {
        out.push_str("diff skipped: destination file appears to be binary\n");
    }
    if diff.get("src_binary").is_some() {
        out.push_str("diff skipped: source file appears to be binary\n");
    }
    if let Some(size) = diff.get("dst_larger") {
        out.push_str(&format!("diff skipped: destination file size is greater than {}\n", size.to_text()));
    }
    if let Some(size) = diff.get("src_larger") {
        out.push_str(&format!("diff skipped: source file size is greater than {}\n", size.to_text()));
    }
    if let (Some(before), Some(after)) = (diff.get("before"), diff.get("after")) {
        let header = |name: &str, key: &str| diff.get(key).map_or(name.to_owned(), |header| format!("{name}: {}", header.to_text()));
        let (old, new) = (side(before, options), side(after, options));
        let unified = unified(&old, &new, &header("before", "before_header"), &header("after", "after_header"), options.diff_context);
        for line in unified.split_inclusive('\n') {
            let color = match line.as_bytes().first() {
                Some(b'+') => Some(Color::Added),
                Some(b'-') => Some(Color::Removed),
                Some(b'@') if line.starts_with("@@") => Some(Color::Lines),
                _ => None,
            };
            out.push_str(&screen.paint(line, color));
        }
        if !unified.is_empty() {
            out.push('\n');
        }
    }
    if let Some(prepared) = diff.get("prepared") {
        out.push_str(&prepared.to_text());
    }
    out
}

/// One side as text: a mapping is shown as JSON, or as YAML where results are.
fn side(value: &Value, options: &Options) -> String {
    match value {
        Value::Null => String::new(),
        Value::Map(_) if options.yaml_results => dump::yaml_block(value) + "\n",
        Value::Map(_) => dump::json(value, Some(4)) + "\n",
        other => other.to_text(),
    }
}

/// A unified diff as Python's `difflib` writes it: headers without dates.
pub fn unified(before: &str, after: &str, before_name: &str, after_name: &str, context: usize) -> String {
    let (old, new) = (lines(before), lines(after));
    let diff = TextDiff::from_slices(&old, &new);
    let mut out = String::new();
    for group in diff.grouped_ops(context) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        if out.is_empty() {
            out.push_str(&format!("--- {before_name}\n+++ {after_name}\n"));
        }
        let old_range = range(first.old_range().start, last.old_range().end);
        let new_range = range(first.new_range().start, last.new_range().end);
        out.push_str(&format!("@@ -{old_range} +{new_range} @@\n"));
        for operation in &group {
            if operation.tag() == DiffTag::Equal {
                old[operation.old_range()].iter().for_each(|line| push_line(' ', line, &mut out));
                continue;
            }
            old[operation.old_range()].iter().for_each(|line| push_line('-', line, &mut out));
            new[operation.new_range()].iter().for_each(|line| push_line('+', line, &mut out));
        }
    }
    out
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn push_line(mark: char, line: &str, out: &mut String) {
    out.push(mark);
    out.push_str(line);
    if !line.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}

/// `start,length` as unified diffs count: from one, the length left out when it is one, and the line before where there is none.
fn range(start: usize, end: usize) -> String {
    match end - start {
        1 => format!("{}", start + 1),
        0 => format!("{start},0"),
        length => format!("{},{length}", start + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(diff: Value) -> String {
        text(&[diff], &Options::default(), &Screen::captured().0)
    }

    #[test]
    fn a_new_file_is_shown_as_the_reference_does() {
        let diff = Value::map([("before", Value::from("")), ("after", "a\nb\n".into()), ("after_header", "/tmp/out.txt".into())]);
        assert_eq!(shown(diff), "--- before\n+++ after: /tmp/out.txt\n@@ -0,0 +1,2 @@\n+a\n+b\n\n");
    }

    #[test]
    fn a_missing_line_end_is_said() {
        let diff = Value::map([("before", "l1\n"), ("after", "l1")]);
        assert_eq!(shown(diff), "--- before\n+++ after\n@@ -1 +1 @@\n-l1\n+l1\n\\ No newline at end of file\n\n");
    }

    #[test]
    fn states_are_compared_as_json() {
        let state = |state: &str| Value::map([("path", "/d"), ("state", state)]);
        let diff = Value::map([("before", state("absent")), ("after", state("directory"))]);
        insta::assert_snapshot!(shown(diff), @r#"
        --- before
        +++ after
        @@ -1,4 +1,4 @@
         {
             "path": "/d",
        -    "state": "absent"
        +    "state": "directory"
         }
        "#);
    }

    #[test]
    fn equal_sides_show_nothing_and_binaries_say_so() {
        assert_eq!(shown(Value::map([("before", "a\n"), ("after", "a\n")])), "");
        assert_eq!(shown(Value::map([("src_binary", true)])), "diff skipped: source file appears to be binary\n");
    }
}
