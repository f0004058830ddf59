//! The `#jinja2:` line at the start of a template: options for this text alone.

use super::context::FileOptions;
use super::fault::{Fault, Outcome};

const MARK: &str = "#jinja2:";

/// Applies the line, if there is one. Gives the text below it and the number of lines taken.
pub(crate) fn apply<'a>(text: &'a str, options: &mut FileOptions) -> Outcome<(&'a str, u32)> {
    let Some(rest) = text.strip_prefix(MARK) else {
        return Ok((text, 0));
    };
    let Some((line, body)) = rest.split_once('\n') else {
        return Err(Fault::syntax("nothing follows the `#jinja2:` line"));
    };
    for pair in line.trim_end_matches('\r').split(',') {
        let Some((key, value)) = pair.split_once(':') else {
            return Err(Fault::syntax(format!("Missing key-value separator `:` in `#jinja2:` override pair `{}`", pair.trim())));
        };
        set(options, key.trim(), value.trim())?;
    }
    Ok((body, 1))
}

fn set(options: &mut FileOptions, key: &str, value: &str) -> Outcome<()> {
    match key {
        "block_start_string" => options.block_start = text(key, value)?,
        "block_end_string" => options.block_end = text(key, value)?,
        "variable_start_string" => options.variable_start = text(key, value)?,
        "variable_end_string" => options.variable_end = text(key, value)?,
        "comment_start_string" => options.comment_start = text(key, value)?,
        "comment_end_string" => options.comment_end = text(key, value)?,
        "line_statement_prefix" => options.line_statement_prefix = optional(key, value)?,
        "line_comment_prefix" => options.line_comment_prefix = optional(key, value)?,
        "newline_sequence" => options.newline_sequence = text(key, value)?,
        "trim_blocks" => options.trim_blocks = flag(key, value)?,
        "lstrip_blocks" => options.lstrip_blocks = flag(key, value)?,
        "keep_trailing_newline" => options.keep_trailing_newline = flag(key, value)?,
        _ => {
            let known =
                ["block_start_string", "variable_start_string", "comment_start_string", "trim_blocks", "lstrip_blocks", "newline_sequence"];
            return Err(Fault::syntax(format!("`{key}` is no option of a `#jinja2:` line")).did_you_mean(key, known));
        }
    }
    Ok(())
}

fn flag(key: &str, value: &str) -> Outcome<bool> {
    match value {
        "True" => Ok(true),
        "False" => Ok(false),
        _ => Err(Fault::syntax(format!("`{key}` in the `#jinja2:` line must be `True` or `False`, not `{value}`"))),
    }
}

fn optional(key: &str, value: &str) -> Outcome<Option<String>> {
    if value == "None" { Ok(None) } else { text(key, value).map(Some) }
}

/// A Python string constant.
fn text(key: &str, value: &str) -> Outcome<String> {
    let inner = value
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
        .or_else(|| value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')))
        .ok_or_else(|| Fault::syntax(format!("`{key}` in the `#jinja2:` line must be quoted text, not `{value}`")))?;
    Ok(inner.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t").replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_from_the_first_line() {
        let mut options = FileOptions::default();
        let (body, lines) = apply("#jinja2: trim_blocks: False, variable_start_string: '[%'\nx", &mut options).ok().expect("applies");
        assert_eq!((body, lines), ("x", 1));
        assert!(!options.trim_blocks);
        assert_eq!(options.variable_start, "[%");
    }

    #[test]
    fn an_unknown_option_is_refused() {
        let fault = apply("#jinja2: trim_block: False\nx", &mut FileOptions::default()).expect_err("refused");
        assert_eq!(fault.message(), "`trim_block` is no option of a `#jinja2:` line");
    }
}
