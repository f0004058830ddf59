//! TOML inventories, as the tree that a YAML one is: `[group.hosts.NAME]`, `[group.vars]`, `children = ["other"]`.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml_edit::{Item, TableLike, Value};

use crate::base::source::Style;
use crate::base::{Diagnostic, Node, NodeKind, Span};

/// The groups of a TOML inventory.
///
/// # Errors
/// The text is no TOML, at its place.
pub(super) fn groups(text: &str, path: &Path) -> Result<Node, Diagnostic> {
    let reader = Reader { text, file: path.to_string_lossy().into() };
    let document = toml_edit::Document::parse(text).map_err(|error| {
        let place = reader.span(error.span());
        Diagnostic::error("this is no TOML").cause(error.message()).at(&place)
    })?;
    if let Some((key, _)) = document.as_table().get_key_value("plugin") {
        return Err(
            Diagnostic::error("this is the configuration of an inventory plugin, and no TOML inventory").at(&reader.span(key.span()))
        );
    }
    Ok(reader.table(document.as_table(), None, 0))
}

struct Reader<'a> {
    text: &'a str,
    file: Arc<str>,
}

impl Reader<'_> {
    fn span(&self, range: Option<Range<usize>>) -> Span {
        let before = &self.text[..range.map_or(0, |range| range.start.min(self.text.len()))];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        Span::new(self.file.to_string(), line as u32, column as u32)
    }

    /// `depth` 1 is a group: its `children` are a list of names.
    fn table(&self, table: &dyn TableLike, range: Option<Range<usize>>, depth: usize) -> Node {
        let mut entries = Vec::new();
        for (name, item) in table.iter() {
            let place = self.span(table.key(name).and_then(toml_edit::Key::span));
            let node = match (depth, name, item.as_array()) {
                (1, "children", Some(names)) => {
                    let children = names.iter().map(|name| (self.value(name), Node::null(place.clone()))).collect();
                    Node::map(place.clone(), children)
                }
                _ => self.item(item, depth + 1),
            };
            entries.push((Node::new(place, NodeKind::Str(name.into(), Style::Double)), node));
        }
        Node::map(self.span(range), entries)
    }

    fn item(&self, item: &Item, depth: usize) -> Node {
        match item {
            Item::None => Node::null(self.span(None)),
            Item::Value(Value::InlineTable(table)) => self.table(table, table.span(), depth),
            Item::Value(value) => self.value(value),
            Item::Table(table) => self.table(table, table.span(), depth),
            Item::ArrayOfTables(tables) => {
                Node::seq(self.span(tables.span()), tables.iter().map(|table| self.table(table, table.span(), depth + 1)).collect())
            }
        }
    }

    fn value(&self, value: &Value) -> Node {
        let span = self.span(value.span());
        let kind = match value {
            Value::String(text) => NodeKind::Str(text.value().as_str().into(), Style::Double),
            Value::Integer(number) => NodeKind::Int(*number.value()),
            Value::Float(number) => NodeKind::Float(*number.value()),
            Value::Boolean(flag) => NodeKind::Bool(*flag.value()),
            Value::Datetime(time) => NodeKind::Time(time.value().to_string().into()),
            Value::Array(items) => return Node::seq(span, items.iter().map(|item| self.value(item)).collect()),
            Value::InlineTable(table) => return self.table(table, table.span(), usize::MAX / 2),
        };
        Node::new(span, kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_groups_with_hosts_variables_and_children() {
        let text = "[web]\nchildren = ['db']\n[web.vars]\nx = \"{{ y }}\"\n[web.hosts]\nw1 = { port = 22 }\n[db.hosts.d1]\nat = 2020-01-01T12:42:42\n";
        let node = groups(text, Path::new("h.toml")).expect("is TOML");
        assert_eq!(
            node.to_value().to_repr(),
            "{'web': {'children': {'db': None}, 'vars': {'x': '{{ y }}'}, 'hosts': {'w1': {'port': 22}}}, 'db': {'hosts': {'d1': {'at': '2020-01-01T12:42:42'}}}}"
        );
        let port = node.get("web").and_then(|web| web.get("hosts")?.get("w1")?.get("port")).expect("is there");
        assert_eq!((port.span.line, port.span.column), (6, 15));
    }

    #[test]
    fn what_is_no_toml_is_told_at_its_place() {
        let error = groups("[web]\nx = = 1\n", Path::new("h.toml")).expect_err("is refused");
        assert_eq!(error.labels.first().map(|label| label.span.line), Some(2));
    }
}
