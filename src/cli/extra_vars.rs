//! `-e`: `k=v` pairs, YAML or JSON, or `@file`.

use std::path::PathBuf;

use crate::base::{Diagnostic, Node, Span};
use crate::engine::request::ExtraVars;
use crate::language::split_key_values;
use crate::yaml;

use super::environment::Environment;

/// The name that errors give to text from `-e`.
const ORIGIN: &str = "<CLI option '-e'>";

/// Reads one `-e`.
///
/// # Errors
/// It is no mapping, or a file without its `@`.
pub fn parse(text: &str, environment: &Environment) -> Result<Option<ExtraVars>, Diagnostic> {
    if let Some(file) = text.strip_prefix('@') {
        return Ok(Some(ExtraVars::File(environment.paths().resolve(&environment.expand(file)))));
    }
    match text.chars().next() {
        None => Ok(None),
        Some('/' | '.') => {
            Err(Diagnostic::error(format!("`-e {text}` looks like a file")).help(format!("write `-e @{text}` to read variables from it")))
        }
        Some('[' | '{') => {
            let (node, _) = yaml::load_one(text, ORIGIN)?;
            if node.as_map().is_none() {
                return Err(Diagnostic::error(format!("`-e {text}` is {}, and not variables with values", node.type_name())));
            }
            Ok(Some(ExtraVars::Given(node)))
        }
        Some(_) => pairs(text).map(|node| Some(ExtraVars::Given(node))),
    }
}

/// A file that `-e` names, for whoever wants to check it early.
pub fn file(vars: &ExtraVars) -> Option<&PathBuf> {
    match vars {
        ExtraVars::File(path) => Some(path),
        ExtraVars::Given(_) => None,
    }
}

/// `a=1 b="two words" c={{ d }}`: all values are text.
fn pairs(text: &str) -> Result<Node, Diagnostic> {
    let span = Span::origin(ORIGIN);
    let entries = split_key_values(text, &span)?;
    if entries.is_empty() {
        return Err(Diagnostic::error(format!("`-e {text}` gives no variable a value"))
            .help("write `-e name=value`, `-e '{\"name\": 1}'` or `-e @file`"));
    }
    let decoded = |node: Node| match node.as_str() {
        Some(text) => Node::text(span.clone(), decode(text)),
        None => node,
    };
    Ok(Node::map(span.clone(), entries.into_iter().map(|(name, value)| (name, decoded(value))).collect()))
}

/// `\n`, `\t` and the like, as Ansible decodes them in `k=v` text.
fn decode(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some(escaped @ ('\\' | '"' | '\'' | '=')) => out.push(escaped),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment::new("/srv".into(), [("HOME".to_owned(), "/home/ann".to_owned())])
    }

    fn given(text: &str) -> String {
        match parse(text, &environment()).expect("is valid") {
            Some(ExtraVars::Given(node)) => node.to_value().to_repr(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pairs_are_text_and_keep_quoted_blanks_and_templates_whole() {
        assert_eq!(
            given("a=1 b='two words' c={{ x | default('y z') }}"),
            "{'a': '1', 'b': 'two words', 'c': \"{{ x | default('y z') }}\"}"
        );
        assert_eq!(given(r#"m="a\nb""#), r"{'m': 'a\nb'}");
    }

    #[test]
    fn json_keeps_its_types() {
        assert_eq!(given(r#"{"a": 1, "b": [true]}"#), "{'a': 1, 'b': [True]}");
    }

    #[test]
    fn a_file_is_named_with_an_at_sign() {
        let vars = parse("@vars/x.yml", &environment()).expect("is valid").expect("is there");
        assert_eq!(file(&vars), Some(&PathBuf::from("/srv/vars/x.yml")));
        assert!(parse("./x.yml", &environment()).expect_err("is refused").to_string().contains("write `-e @./x.yml`"));
        assert!(parse("[1]", &environment()).is_err());
        assert!(parse("a='b", &environment()).is_err());
        assert!(parse("word", &environment()).is_err());
    }
}
