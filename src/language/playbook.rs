//! Playbooks: lists of plays and of imports of other playbooks.

use std::path::Path;
use std::sync::Arc;

use crate::base::{Diagnostic, Node, Span};

use super::item::{Scope, ScopeKind, Vars};
use super::keywords::Keywords;
use super::parser::Parser;
use super::play::Play;

/// A play with the file it stands in.
#[derive(Debug)]
pub struct Entry {
    pub play: Arc<Play>,
    pub file: Arc<str>,
}

impl Parser<'_> {
    /// All plays of a playbook, those of imported ones in their place.
    pub fn playbook(&mut self, path: &Path) -> Vec<Entry> {
        match self.loader.load(path, None) {
            Ok(node) => self.plays(&node, path, None),
            Err(finding) => {
                self.findings.push(finding);
                Vec::new()
            }
        }
    }

    /// The plays of a list that was made or read as this file.
    pub fn plays(&mut self, node: &Node, path: &Path, outer: Option<&(Keywords, Vars)>) -> Vec<Entry> {
        let file: Arc<str> = path.to_string_lossy().into();
        if node.is_null() {
            self.findings.push(Diagnostic::error("Empty playbook, nothing to do").at(&Span::of_file(path)));
            return Vec::new();
        }
        let Some(entries) = node.as_seq() else {
            let message = format!("A playbook must be a list of plays, got {} instead", node.type_name());
            self.findings.push(Diagnostic::error(message).at(&node.span).help("each play starts with `- hosts: …`"));
            return Vec::new();
        };
        if entries.is_empty() {
            let error = Diagnostic::error("A playbook must contain at least one play").at(&node.span);
            self.findings.push(error.help("each play starts with `- hosts: …`"));
        }
        let mut found = Vec::new();
        for entry in entries {
            if entry.as_map().is_none() {
                let message =
                    format!("playbook entries must be either valid plays or 'import_playbook' statements, not {}", entry.type_name());
                self.findings.push(Diagnostic::error(message).at(&entry.span));
            } else if let Some(import) = imported(entry) {
                found.extend(self.import(entry, import, path, &file));
            } else if let Some(play) = self.play(entry, &file, outer) {
                found.push(Entry { play: Arc::new(play), file: file.clone() });
            }
        }
        found
    }

    fn import(&mut self, entry: &Node, import: &Node, path: &Path, file: &Arc<str>) -> Vec<Entry> {
        let mut keywords = Keywords::default();
        let mut vars = Vars::new();
        for (key, value) in entry.as_map().unwrap_or_default() {
            match key.as_str().unwrap_or_default() {
                "vars" => vars = self.vars_of(value),
                "when" => keywords.set("when", value.clone()),
                "tags" => keywords.set("tags", value.clone()),
                "name" => {}
                word if word.ends_with("import_playbook") => {}
                word => {
                    let message = format!("'{word}' is not a valid attribute for a PlaybookInclude");
                    self.findings.push(Diagnostic::error(message).at(&key.span).did_you_mean(word, ["vars", "when", "tags", "name"]));
                }
            }
        }
        let scope = Arc::new(Scope {
            kind: ScopeKind::Play,
            keywords: keywords.clone(),
            vars: Arc::new(vars.clone()),
            role: None,
            begins_role: false,
            file: Some(file.clone()),
            parent: None,
        });
        let name = match (self.render)(import, &scope) {
            Ok(name) => name,
            Err(finding) => {
                self.findings.push(finding);
                return Vec::new();
            }
        };
        let target = path.parent().unwrap_or(Path::new("")).join(&name);
        let outer = (keywords, vars);
        self.deeper(&import.span, |parser| match parser.loader.load(&target, Some(&import.span)) {
            Ok(node) => parser.plays(&node, &target, Some(&outer)),
            Err(finding) => {
                parser.findings.push(finding);
                Vec::new()
            }
        })
        .unwrap_or_default()
    }
}

fn imported(entry: &Node) -> Option<&Node> {
    ["import_playbook", "ansible.builtin.import_playbook", "ansible.legacy.import_playbook"].iter().find_map(|word| entry.get(word))
}
