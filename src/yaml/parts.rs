//! What the composer puts nodes together from: unique entries, merges, and walks over what an alias stands for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::{Diagnostic, Key, Node, NodeKind, Span};

use super::mistakes;

type Entries = Vec<(Node, Node)>;

/// Entries with their keys once each, at the first place, with the last value: as in a Python dict.
#[derive(Default)]
pub(super) struct Unique {
    pub(super) entries: Entries,
    index: HashMap<Key, usize>,
}

impl Unique {
    /// Puts an entry, and gives the place of the key it takes over from.
    pub(super) fn put(&mut self, key: Node, value: Node) -> Option<Span> {
        match self.index.entry(key.to_key()) {
            std::collections::hash_map::Entry::Occupied(known) => {
                let slot = &mut self.entries[*known.get()];
                let first = slot.0.span.clone();
                *slot = (key, value);
                Some(first)
            }
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(self.entries.len());
                self.entries.push((key, value));
                None
            }
        }
    }
}

pub(super) fn with_merged(merged: Vec<Node>, own: Entries) -> Entries {
    let mut all = Unique::default();
    for (key, value) in merged.iter().filter_map(Node::as_map).flatten().cloned().chain(own) {
        all.put(key, value);
    }
    all.entries
}

/// How many values a node stands for, or `None` when it is more, or deeper, than allowed.
pub(super) fn weight(node: &Node, allowed: usize, levels: usize) -> Option<usize> {
    let mut left = allowed.checked_sub(1)?;
    let inner = levels.checked_sub(1)?;
    match &node.kind {
        NodeKind::Seq(items) => {
            for item in items.iter() {
                left -= weight(item, left, inner)?;
            }
        }
        NodeKind::Map(entries) => {
            for (_, value) in entries.iter() {
                left -= weight(value, left, inner)?;
            }
        }
        _ => {}
    }
    Some(allowed - left)
}

pub(super) fn made_unsafe(node: &Node) -> Node {
    let kind = match &node.kind {
        NodeKind::Str(text, _) => NodeKind::Unsafe(text.clone()),
        NodeKind::Seq(items) => NodeKind::Seq(Arc::new(items.iter().map(made_unsafe).collect())),
        NodeKind::Map(entries) => {
            NodeKind::Map(Arc::new(entries.iter().map(|(key, value)| (made_unsafe(key), made_unsafe(value))).collect()))
        }
        other => other.clone(),
    };
    Node::new(node.span.clone(), kind)
}

pub(super) fn pair(item: &Node, span: &Span) -> Result<Node, Diagnostic> {
    match item.as_map() {
        Some([(key, value)]) => Ok(Node::seq(item.span.clone(), vec![key.clone(), value.clone()])),
        _ => Err(mistakes::no_pair(item, span)),
    }
}
