//! The loader as a whole: what people write, and what they write wrong.

use super::*;
use crate::base::{Help, NodeKind};

fn value(text: &str) -> String {
    load_one(text, "f.yml").unwrap_or_else(|error| panic!("{error}")).0.to_value().to_repr()
}

fn error(text: &str) -> Diagnostic {
    load(text, "f.yml").expect_err("is refused")
}

/// Where the caret goes, and what is said with all of its help.
fn at(text: &str) -> (u32, u32, String) {
    let error = error(text);
    let span = error.span().expect("has a place").clone();
    (span.line, span.column, error.to_string())
}

#[test]
fn scalars_are_what_pyyaml_makes_of_them() {
    assert_eq!(
        value("[yes, 'yes', 0644, 1_000, 1:30, ~, 1.5, 2001-01-01, a b]"),
        "[True, 'yes', 420, 1000, 90, None, 1.5, '2001-01-01', 'a b']"
    );
    assert_eq!(value("a:\nb: ''\n1: x\ntrue: y\n"), "{'a': None, 'b': '', 1: 'x', True: 'y'}");
}

#[test]
fn every_node_knows_its_place_and_length() {
    let (node, _) = load_one("- name: \"übung\"\n  text: |\n    a\n    b\n  tagged: !!str 'x y'\n", "f.yml").expect("loads");
    let task = &node.as_seq().expect("a list")[0];
    let place = |key: &str| task.get(key).map(|node| (node.span.line, node.span.column, node.span.length)).expect("is there");
    assert_eq!(place("name"), (1, 9, 7));
    assert_eq!(place("text"), (2, 9, 0));
    assert_eq!(place("tagged"), (5, 17, 5));
    assert_eq!(task.get("text").map(|node| node.kind.clone()), Some(NodeKind::Str("a\nb\n".into(), crate::base::source::Style::Literal)));
    let key = &task.as_map().expect("a mapping")[1].0;
    assert_eq!((key.span.line, key.span.column, key.span.length), (2, 3, 4));
}

#[test]
fn merge_keys_give_way_to_what_is_written_and_the_first_of_a_list_wins() {
    let text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  c: 3\n  <<: [*x, *y]\n";
    let loaded = load(text, "f.yml").expect("loads");
    assert!(loaded.warnings.is_empty(), "a key that overrides a merged one is no mistake");
    assert_eq!(loaded.documents[0].get("z").map(|node| node.to_value().to_repr()), Some("{'b': 1, 'c': 3, 'a': 1}".into()));
    let error = error("a:\n  <<: 5\n");
    assert!(error.message.contains("a mapping or a list of mappings"), "{error}");
}

#[test]
fn a_key_that_stands_twice_is_a_warning_with_both_places() {
    let loaded = load("a: 1\nb: 2\na: 3\n", "f.yml").expect("loads");
    assert_eq!(loaded.documents[0].to_value().to_repr(), "{'a': 3, 'b': 2}");
    let places: Vec<_> = loaded.warnings[0].labels.iter().map(|label| label.span.line).collect();
    assert_eq!(places, [3, 1]);
}

#[test]
fn unsafe_covers_its_whole_subtree_and_what_is_aliased_into_it() {
    let (node, _) = load_one("t: &t '{{ a }}'\nu: !unsafe\n  k: ['{{ b }}', *t]\nn: !unsafe '12'\n", "f.yml").expect("loads");
    assert!(node.get("t").is_some_and(Node::needs_rendering));
    assert!(!node.get("u").expect("is there").needs_rendering());
    assert_eq!(node.get("n").map(|node| &node.kind), Some(&NodeKind::Int(12)));
}

#[test]
fn vault_text_is_kept_as_written() {
    let (node, _) = load_one("p: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n", "f.yml").expect("loads");
    assert_eq!(node.get("p").map(|node| &node.kind), Some(&NodeKind::Vault("$ANSIBLE_VAULT;1.1;AES256\n6162\n".into())));
    assert!(error("p: !vault [a]\n").message.contains("is for text"));
}

#[test]
fn an_unknown_tag_is_refused_with_the_one_that_was_meant() {
    let error = error("p: !vualt |\n  x\n");
    assert!(error.help.contains(&Help::DidYouMean("!vault".into())), "{error}");
    assert!(load("p: !ruby/object:Foo {}\n", "f").is_err());
}

#[test]
fn documents_made_to_hurt_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", "));
    }
    assert!(error(&bomb).message.contains("stand for more than"));
    assert!(error(&"[".repeat(100_000)).message.contains("nested deeper"));
    assert!(error("a: &a [*a]\n").message.contains("inside of what it stands for"));
    let chain: String = (1..3000).map(|level| format!("a{level}: &a{level} [*a{}]\n", level - 1)).collect();
    assert!(error(&format!("a0: &a0 x\n{chain}")).message.contains("levels"));
}

#[test]
fn a_tab_is_shown_where_it_stands() {
    let (line, column, text) = at("a:\n  b: 1\n\tc: 2\n");
    assert_eq!((line, column), (3, 1), "{text}");
    assert!(text.contains("a tab stands here"), "{text}");
}

#[test]
fn a_template_without_quotes_is_told_with_the_fix() {
    let (line, column, text) = at("- debug:\n    msg: {{ x }} and more\n    other: 1\n");
    assert_eq!((line, column), (2, 10), "{text}");
    assert!(text.contains("write \"{{ x }} and more\""), "{text}");
    let (line, column, text) = at("a: {{ x }}\n");
    assert_eq!((line, column), (1, 4), "{text}");
    assert!(text.contains("needs quotes"), "{text}");
}

#[test]
fn a_quote_that_is_never_closed_is_shown_where_it_opens() {
    let (line, column, text) = at("a: 1\nb: \"never\nc: 2\nd: 3\n");
    assert_eq!((line, column), (2, 4), "{text}");
    assert!(text.contains("never closed"), "{text}");
}

#[test]
fn text_behind_a_closing_quote_is_told_with_the_fix() {
    let (line, column, text) = at("- shell: \"foo\" in bar\n  when: x\n");
    assert_eq!((line, column), (1, 16), "{text}");
    assert!(text.contains("'\"foo\" in bar'"), "{text}");
}

#[test]
fn a_second_colon_on_a_line_is_shown() {
    let (line, column, text) = at("- name: note: this fails\n  ping:\n");
    assert_eq!((line, column), (1, 13), "{text}");
    assert!(text.contains("\"note: this fails\""), "{text}");
}

#[test]
fn a_key_below_a_value_is_shown_with_the_line_above() {
    let (line, column, text) = at("- copy: src=a\n    dest: b\n");
    assert_eq!((line, column), (2, 5), "{text}");
    assert!(text.contains("has a value already"), "{text}");
}

#[test]
fn a_missing_space_after_a_colon_is_shown() {
    let (line, column, text) = at("- hosts:all\n  tasks: []\n");
    assert_eq!((line, column), (1, 8), "{text}");
    assert!(text.contains("`hosts: all`"), "{text}");
}

#[test]
fn characters_that_cannot_start_plain_text_are_told_with_the_quotes() {
    assert!(at("a: @home\n").2.contains("'@home'"));
    assert!(at("hosts: *\n").2.contains("quote it: '*'"));
    assert!(at("path: *.conf\n").2.contains("quote"));
    assert!(at("re: \"\\d+\"\n").2.contains("`\\d`"));
}

#[test]
fn wrong_indentation_and_open_brackets_name_where_they_began() {
    let (line, _, text) = at("a:\n   b: 1\n  c: 2\n");
    assert_eq!(line, 3, "{text}");
    assert!(text.contains("indentation"), "{text}");
    let error = error("a: [1, 2\nb: 3\n");
    assert!(error.message.contains("`]` is missing"), "{error}");
    assert!(error.labels.iter().any(|label| label.span.line == 1 && label.span.column == 4), "{error:?}");
}

#[test]
fn a_control_character_is_named() {
    assert!(error("a: x\u{7}y\n").message.contains("U+0007"));
}

#[test]
fn an_empty_file_is_null_and_a_second_document_is_refused() {
    assert!(load_one("", "f.yml").expect("loads").0.is_null());
    assert!(load_one("# only a comment\n", "f.yml").expect("loads").0.is_null());
    let error = load_one("---\na: 1\n---\nb: 2\n", "f.yml").expect_err("two documents");
    assert_eq!(error.span().map(|span| (span.line, span.column)), Some((4, 1)));
}

#[test]
fn json_numbers_are_jsons_and_not_yamls() {
    let (node, _) = load_one("{\"big\": 1e5, \"path\": \"a\\/b\", \"face\": \"\\ud83d\\ude00\"}", "f.json").expect("loads");
    assert_eq!(node.to_value().to_repr(), "{'big': 100000.0, 'path': 'a/b', 'face': '😀'}");
    let (node, _) = load_one("big: 1e5\n", "f.yml").expect("loads");
    assert_eq!(node.to_value().to_repr(), "{'big': '1e5'}");
}

#[test]
fn a_file_without_its_last_line_break_reads_as_it_stands() {
    for (text, meant) in [
        ("a: |\n  x", "x"),
        ("a: |\n  x\n  y", "x\ny"),
        ("a: |\n  x\n ", "x\n"),
        ("a: |\n  x\n   ", "x\n "),
        ("a: |+\n  x\n ", "x\n"),
        ("a: >-\n  x\n  y", "x y"),
        ("a: |\n  x\n# end", "x\n"),
        ("a: x", "x"),
    ] {
        let (node, _) = load_one(text, "f.yml").expect("loads");
        assert_eq!(node.get("a").and_then(Node::as_str), Some(meant), "{text:?}");
    }
}

#[test]
fn a_tag_right_before_a_comma_is_told() {
    let (line, column, text) = at("a: 1\nb: [!no, x]\n");
    assert_eq!((line, column), (2, 5), "{text}");
}
