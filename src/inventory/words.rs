//! A line of an INI inventory as words: Python's `shlex.split` with comments, and the column of every word.

/// A word without its quotes, and the character at which it starts.
#[derive(Debug, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) start: usize,
}

/// Splits a line. A `#` outside quotes starts a comment, also inside a word.
///
/// # Errors
/// What is open at the end of the line.
pub(super) fn split(line: &str) -> Result<Vec<Word>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut characters = line.chars().enumerate();
    while let Some((index, character)) = characters.next() {
        if character == '#' {
            break;
        }
        if character.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        let text = &mut word.get_or_insert_with(|| Word { text: String::new(), start: index }).text;
        match character {
            '\\' => text.push(characters.next().ok_or("nothing follows the backslash at the end")?.1),
            '\'' => loop {
                match characters.next().ok_or("a ' is never closed")?.1 {
                    '\'' => break,
                    other => text.push(other),
                }
            },
            '"' => loop {
                match characters.next().ok_or("a \" is never closed")?.1 {
                    '"' => break,
                    '\\' => match characters.next().ok_or("a \" is never closed")?.1 {
                        escaped @ ('"' | '\\') => text.push(escaped),
                        other => text.extend(['\\', other]),
                    },
                    other => text.push(other),
                }
            },
            other => text.push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        split(line).expect("splits").into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn quotes_escapes_and_comments_are_shlexs() {
        assert_eq!(texts(r#"host a="b c" d='e "f"' g=h\ i # rest"#), ["host", "a=b c", "d=e \"f\"", "g=h i"]);
        assert_eq!(texts(r#"h p="a\"b\nc" e="" x#y"#), ["h", "p=a\"b\\nc", "e=", "x"]);
        assert_eq!(texts("  # only a comment"), [""; 0]);
        assert_eq!(split("a b='x").expect_err("is open"), "a ' is never closed");
    }

    #[test]
    fn words_know_where_they_start() {
        assert_eq!(split("ab  c=1").expect("splits"), [Word { text: "ab".into(), start: 0 }, Word { text: "c=1".into(), start: 4 }]);
    }
}
