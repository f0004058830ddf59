//! What a task does: the module among its words, and the module's arguments in all the ways they can be written.

use crate::base::{Diagnostic, Node, NodeKind};

use super::arguments;
use super::keywords::{Keywords, Object, not_a_keyword};
use super::parser::Parser;
use super::task::Action;

impl Parser<'_> {
    /// The one word that is no keyword, or `action`/`local_action`.
    pub(super) fn action(&mut self, node: &Node, keywords: &mut Keywords, others: Vec<(String, Node, Node)>) -> Option<Action> {
        let mut candidates = others;
        for word in ["action", "local_action"] {
            if let Some(value) = keywords.get(word).cloned() {
                keywords.remove(word);
                if word == "local_action" {
                    keywords.set("delegate_to", Node::text(value.span.clone(), "localhost"));
                }
                if let Some(args) = value.get("args").filter(|args| args.is_template())
                    && keywords.get("args").is_none()
                {
                    keywords.set("args", args.clone());
                }
                let (name, rest) = self.spelled_out(&value)?;
                candidates.push((name, value, rest));
            }
        }
        let extra = keywords.get("args").cloned();
        keywords.remove("args");
        match candidates.as_slice() {
            [] => {
                let message = "no module/action detected in task";
                self.findings
                    .push(Diagnostic::error(message).at(&node.span).help("a task names one module, such as `ansible.builtin.copy:`"));
                None
            }
            [(name, key, value)] => {
                let mut found = self.keep(arguments::read(name, value))?;
                if let Some(extra) = extra {
                    self.add_args(&mut found, &extra);
                }
                Some(Action { name: name.as_str().into(), span: key.span.clone(), arguments: found })
            }
            several => {
                // One of them is a module; the others are most likely mistyped keywords.
                let misspelled: Vec<_> =
                    several.iter().filter(|(name, ..)| crate::base::closest(name, Object::Task.words()).is_some()).collect();
                if misspelled.len() + 1 == several.len() {
                    for (name, key, _) in misspelled {
                        self.findings.push(not_a_keyword(Object::Task, name, key));
                    }
                    return None;
                }
                let names: Vec<&str> = several.iter().map(|(name, ..)| name.as_str()).collect();
                let mut finding = Diagnostic::error(format!("conflicting action statements: {}", names.join(", ")));
                for (_, key, _) in several {
                    finding = finding.at(&key.span);
                }
                self.findings.push(finding.help("a task names one module; is an option indented too little?"));
                None
            }
        }
    }

    /// `action: copy src=a dest=b`, or `action: {module: copy, src: a}`.
    fn spelled_out(&mut self, value: &Node) -> Option<(String, Node)> {
        if let Some(text) = value.as_str() {
            let (name, rest) = first_word(text.trim());
            let rest = if rest.is_empty() { Node::null(value.span.clone()) } else { Node::text(value.span.clone(), rest) };
            return Some((name.to_owned(), rest));
        }
        let Some(module) = value.get("module").and_then(Node::as_str) else {
            self.findings.push(Diagnostic::error("`action` needs the name of a module").at(&value.span));
            return None;
        };
        let (name, words) = first_word(module.trim());
        let mut rest: Vec<(Node, Node)> = value
            .as_map()
            .unwrap_or_default()
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), Some("module" | "args")))
            .cloned()
            .collect();
        // The later ones win.
        rest.extend(self.keep(arguments::split_key_values(words, &value.span))?);
        rest.extend(value.get("args").and_then(Node::as_map).unwrap_or_default().iter().cloned());
        Some((name.to_owned(), Node::map(value.span.clone(), rest)))
    }

    fn add_args(&mut self, found: &mut arguments::Arguments, extra: &Node) {
        match &extra.kind {
            NodeKind::Map(entries) => {
                for (key, value) in entries.iter() {
                    found.add_default(&key.to_key().to_string(), value.clone());
                }
            }
            NodeKind::Str(text, _) if extra.is_template() && arguments::is_one_expression(text) => found.whole.insert(0, extra.clone()),
            NodeKind::Str(text, _) => {
                let pairs = self.keep(arguments::split_key_values(text, &extra.span)).unwrap_or_default();
                for (key, value) in pairs {
                    found.add_default(key.as_str().unwrap_or_default(), value);
                }
            }
            _ if extra.is_null() => {}
            _ => self.findings.push(Diagnostic::error("`args` is a mapping of options").at(&extra.span)),
        }
    }
}

/// An action's name, which may be a template with spaces, and what stands behind it.
fn first_word(text: &str) -> (&str, &str) {
    let first = super::split::split_arguments(text).ok().and_then(|words| words.into_iter().next()).unwrap_or_default();
    match text.strip_prefix(first.trim_end()) {
        Some(rest) if !first.is_empty() => (text[..text.len() - rest.len()].trim_end(), rest.trim()),
        _ => text.split_once(char::is_whitespace).unwrap_or((text, "")),
    }
}
