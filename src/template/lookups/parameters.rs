//! Old-style terms: `name key=value key="other value"` in one text.

/// The free words joined, and the pairs. Quotes hold a value together and are taken off.
pub(crate) fn parse(text: &str) -> (String, Vec<(String, String)>) {
    let (mut words, mut pairs) = (Vec::new(), Vec::new());
    for word in split(text) {
        match word.split_once('=') {
            Some((key, value)) if !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                pairs.push((key.to_owned(), unquoted(value).to_owned()));
            }
            _ => words.push(word),
        }
    }
    (words.join(" "), pairs)
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for character in text.chars() {
        match (character, quote) {
            (c, Some(open)) if c == open => {
                quote = None;
                word.push(c);
            }
            ('"' | '\'', None) => {
                quote = Some(character);
                word.push(character);
            }
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (c, _) => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_taken_out_of_the_words() {
        let (words, pairs) = parse(r#"two words file=a.csv delimiter=" ""#);
        assert_eq!(words, "two words");
        assert_eq!(pairs, [("file".into(), "a.csv".into()), ("delimiter".into(), " ".into())]);
    }
}
