//! Free-form text as words, split as Ansible splits it.

/// Text as tokens from which the text can be put together again: every space and line break outside quotes and outside `{{ }}`, `{% %}`,
/// `{# #}` ends a token, further spaces stay at the end of the token before them, and a line break at the end of its line's last token. A
/// lone backslash at the end of a line joins it with the next.
///
/// # Errors
/// A sentence when quotes or braces are not closed.
pub fn split_text(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Tokens::default();
    let mut token = String::new();
    let (mut quote, mut depth) = (None::<char>, 0usize);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' if quote.is_some() || characters.peek().is_some_and(|next| matches!(next, '"' | '\'')) => {
                token.push(c);
                token.extend(characters.next());
                continue;
            }
            '"' | '\'' if depth == 0 => match quote {
                Some(open) if open == c => quote = None,
                None => quote = Some(c),
                Some(_) => {}
            },
            '{' if matches!(characters.peek(), Some('{' | '%' | '#')) => {
                depth += 1;
                token.push(c);
                token.extend(characters.next());
                continue;
            }
            '}' | '%' | '#' if depth > 0 && characters.peek() == Some(&'}') => {
                depth -= 1;
                token.push(c);
                token.extend(characters.next());
                continue;
            }
            ' ' if quote.is_none() && depth == 0 => {
                tokens.end_token(std::mem::take(&mut token));
                continue;
            }
            '\n' if quote.is_none() && depth == 0 => {
                tokens.end_line(std::mem::take(&mut token));
                continue;
            }
            _ => {}
        }
        token.push(c);
    }
    if quote.is_some() || depth > 0 {
        let what = if quote.is_some() { "quotes are" } else { "braces are" };
        return Err(format!("failed at splitting arguments: {what} not closed in: {}", text.trim()));
    }
    tokens.end_token(token);
    Ok(tokens.done)
}

#[derive(Default)]
struct Tokens {
    done: Vec<String>,
    /// How many tokens the line has so far.
    on_line: usize,
}

impl Tokens {
    fn last(&mut self) -> &mut String {
        if self.done.is_empty() {
            self.done.push(String::new());
        }
        let at = self.done.len() - 1;
        &mut self.done[at]
    }

    fn end_token(&mut self, token: String) {
        match token.is_empty() && self.on_line > 0 {
            true => self.last().push(' '),
            false => self.done.push(token),
        }
        self.on_line += 1;
    }

    fn end_line(&mut self, token: String) {
        let goes_on = token == "\\";
        if !goes_on {
            self.end_token(token);
            self.last().push('\n');
        }
        self.on_line = 0;
    }
}

/// The words among the tokens; a line break stays at the end of its word.
///
/// # Errors
/// As for `split_text`.
pub fn split_arguments(text: &str) -> Result<Vec<String>, String> {
    let tokens = split_text(text)?;
    let words = tokens.iter().map(|token| token.trim_matches(' ')).filter(|token| !token.trim().is_empty());
    Ok(words.map(str::to_owned).collect())
}

/// Tokens as the text they came from.
pub fn join_text(tokens: &[String]) -> String {
    let mut out = String::new();
    for token in tokens {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push(' ');
        }
        out.push_str(token);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split_arguments(text).expect("splits")
    }

    #[test]
    fn quotes_and_braces_hold_words_together() {
        assert_eq!(words(r#"src=a  dest="b c" x={{ y | default('z w') }}"#), ["src=a", "dest=\"b c\"", "x={{ y | default('z w') }}"]);
        assert!(split_arguments("a='b").is_err());
    }

    #[test]
    fn a_script_in_free_form_keeps_its_indentation_and_blank_lines() {
        let whole = |text: &str| join_text(&split_text(text).expect("splits"));
        let script = "python3 - <<'END'\nif  1:\n    print('a  b')\n\n    x = {{ y }}\nEND\n";
        assert_eq!(whole(script), script);
        assert_eq!(whole("echo a \\\n\"b\nc\" \\\n| cat\nls\n"), "echo a \"b\nc\" | cat\nls\n");
    }
}
