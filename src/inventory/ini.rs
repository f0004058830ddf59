//! Inventories in INI: `[group]` with hosts and their `key=value` words, `[group:vars]`, `[group:children]`.

use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;
use regex::Regex;

use crate::base::{Diagnostic, Span};

use super::address;
use super::data::Inventory;
use super::error::InventoryError;
use super::literal;
use super::words;

static SECTION: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$"));
static GROUP: LazyLock<Regex> = LazyLock::new(|| pattern(r"^([^:\]\s]+)\s*(?:#.*)?$"));
const KINDS: [&str; 3] = ["hosts", "children", "vars"];

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

type Result<T> = std::result::Result<T, Diagnostic>;

/// Reads an INI inventory into the hosts and groups that are known already.
pub(super) fn read(inventory: &mut Inventory, text: &str, file: &Arc<str>) -> Result<()> {
    let mut reader = Reader { inventory, file, group: "ungrouped".into(), state: State::Hosts, pending: IndexMap::new() };
    for (index, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with([';', '#']) {
            continue;
        }
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let place = Place { file, line: index as u32 + 1, indent };
        reader.line(content, &place)?;
    }
    reader.finish()
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Hosts,
    Children,
    Vars,
}

/// A group that is spoken of before it is declared.
enum Pending {
    Vars(Span),
    Child { span: Span, parents: Vec<String> },
}

struct Place<'a> {
    file: &'a Arc<str>,
    line: u32,
    indent: usize,
}

impl Place<'_> {
    /// The span of some characters of the line, counted from its first that is no blank.
    fn span(&self, start: usize, length: usize) -> Span {
        Span::new(self.file.clone(), self.line, (self.indent + start) as u32 + 1).with_length(length as u32)
    }

    fn whole(&self, content: &str) -> Span {
        self.span(0, content.chars().count())
    }
}

struct Reader<'a> {
    inventory: &'a mut Inventory,
    file: &'a Arc<str>,
    group: String,
    state: State,
    pending: IndexMap<String, Pending>,
}

impl Reader<'_> {
    fn line(&mut self, content: &str, place: &Place) -> Result<()> {
        if let Some(captures) = SECTION.captures(content) {
            let name = captures.get(1).map(|name| name.as_str()).unwrap_or_default();
            return self.section(name, captures.get(2).map(|kind| kind.as_str()), &place.whole(content));
        }
        if content.starts_with('[') && content.ends_with(']') {
            return Err(Diagnostic::error(format!(
                "`{content}` is no section: a group name has no spaces and no `]`, and one `:` at most"
            ))
            .at(&place.whole(content))
            .help("write [group], [group:vars] or [group:children]"));
        }
        match self.state {
            State::Hosts => self.hosts(content, place),
            State::Vars => self.variable(content, place),
            State::Children => self.child(content, &place.whole(content)),
        }
    }

    fn section(&mut self, name: &str, kind: Option<&str>, span: &Span) -> Result<()> {
        self.state = match kind {
            None | Some("hosts") => State::Hosts,
            Some("children") => State::Children,
            Some("vars") => State::Vars,
            Some(other) => {
                return Err(Diagnostic::error(format!("the section `[{name}:{other}]` has the unknown kind `{other}`"))
                    .at(span)
                    .did_you_mean(other, KINDS));
            }
        };
        let name = self.inventory.group_name(name);
        let name = name.as_str();
        name.clone_into(&mut self.group);
        let is_declared = self.inventory.group(name).is_some();
        if !is_declared && self.state == State::Vars && !self.pending.contains_key(name) {
            self.pending.insert(name.to_owned(), Pending::Vars(span.clone()));
        }
        self.inventory.add_group(name);
        if self.state != State::Vars {
            self.declare(name, span)?;
        }
        Ok(())
    }

    /// Hangs a group that was waited for below those that named it.
    fn declare(&mut self, name: &str, span: &Span) -> Result<()> {
        if let Some(Pending::Child { parents, .. }) = self.pending.shift_remove(name) {
            for parent in parents {
                self.inventory.add_child(&parent, name).map_err(|error| error.at(span))?;
            }
        }
        Ok(())
    }

    fn hosts(&mut self, content: &str, place: &Place) -> Result<()> {
        let words = words::split(content).map_err(|problem| {
            Diagnostic::error(format!("this line of hosts cannot be split into words: {problem}")).at(&place.whole(content))
        })?;
        let Some((pattern, words)) = words.split_first() else { return Ok(()) };
        let span = place.span(pattern.start, pattern.text.chars().count());
        let (hosts, port) = address::expand(&pattern.text).map_err(|error| error.at(&span))?;
        if pattern.text.ends_with(':') && port.is_none() {
            return Err(InventoryError::Address(pattern.text.clone())
                .at(&span)
                .help("what follows `:` is a port, and here nothing follows"));
        }
        if hosts.iter().any(|host| host.trim() == "---") {
            return Err(Diagnostic::error("`---` starts a YAML file, and this is read as INI")
                .at(&span)
                .help("give the file the ending .yml"));
        }
        let mut variables = Vec::new();
        for word in words {
            let Some((name, text)) = word.text.split_once('=') else {
                return Err(Diagnostic::error(format!("`{}` is no variable of the host: `key=value` is expected", word.text))
                    .at(&place.span(word.start, word.text.chars().count()))
                    .help("values with spaces need quotes; a host of its own stands on a line of its own"));
            };
            let start = word.start + name.chars().count() + 1;
            let value = literal::value(text, &place.span(start, text.chars().count()));
            variables.push((name.to_owned(), value));
        }
        for host in &hosts {
            self.inventory.add_host(host, Some(&self.group), port, &span);
            for (name, value) in &variables {
                self.inventory.set_host_variable(host, name, value.clone());
            }
        }
        Ok(())
    }

    fn variable(&mut self, content: &str, place: &Place) -> Result<()> {
        let Some((name, value)) = content.split_once('=') else {
            return Err(Diagnostic::error(format!("`key=value` is expected in `[{}:vars]`", self.group)).at(&place.whole(content)));
        };
        let start = content.chars().count() - value.trim_start().chars().count();
        let text = value.trim();
        let value = literal::value(text, &place.span(start, text.chars().count()));
        let span = value.span.clone();
        self.inventory.set_group_variable(&self.group, name.trim(), value).map_err(|error| error.at(&span))
    }

    fn child(&mut self, content: &str, span: &Span) -> Result<()> {
        let Some(name) = GROUP.captures(content).and_then(|captures| captures.get(1)) else {
            return Err(Diagnostic::error(format!("`[{}:children]` lists group names, one a line", self.group)).at(span));
        };
        let safe = self.inventory.group_name(name.as_str());
        let name = safe.as_str();
        if self.inventory.group(name).is_some() {
            return self.inventory.add_child(&self.group, name).map(|_| ()).map_err(|error| error.at(span));
        }
        match self.pending.get_mut(name) {
            Some(Pending::Child { parents, .. }) => parents.push(self.group.clone()),
            _ => {
                let span = span.clone().with_length(name.chars().count() as u32);
                self.pending.insert(name.to_owned(), Pending::Child { span, parents: vec![self.group.clone()] });
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        let Some((name, pending)) = self.pending.first() else { return Ok(()) };
        let known: Vec<&str> = self.inventory.groups().map(|group| group.name.as_ref()).filter(|known| known != name).collect();
        let diagnostic = match pending {
            Pending::Vars(span) => {
                Diagnostic::error(format!("`[{name}:vars]` is about a group that is not declared in `{}`", self.file)).at(span)
            }
            Pending::Child { span, parents } => {
                Diagnostic::error(format!("`[{}:children]` names the group `{name}`, which is not declared", parents.join(", "))).at(span)
            }
        };
        Err(diagnostic.did_you_mean(name, known).help(format!("declare it with a section `[{name}]`, which may be empty")))
    }
}
