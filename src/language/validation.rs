//! The task that checks what a role was given against its argument spec.

use std::path::Path;
use std::sync::Arc;

use crate::base::Node;

use super::arguments::Arguments;
use super::item::{Item, Scope};
use super::keywords::Keywords;
use super::role::{Role, RoleRequest};
use super::role_name::short_name;
use super::task::{Action, Task};

/// The task that checks a role's variables against its argument spec, before any other of the role.
pub(super) fn validation(request: &RoleRequest, path: &Path, role: &Arc<Role>, scope: &Arc<Scope>) -> Option<Item> {
    let spec = role.argument_spec.as_ref()?;
    let span = &request.span;
    let text = |text: &str| Node::data(span.clone(), text.into());
    let entry = request.entry_point();
    let mut name = format!("Validating arguments against arg spec '{entry}'");
    if let Some(description) = spec.get("short_description").and_then(Node::as_str) {
        name.push_str(" - ");
        name.push_str(description);
    }
    let shown = path.to_string_lossy();
    let about = [("type", "role"), ("name", short_name(&request.name, path)), ("argument_spec_name", entry), ("path", shown.as_ref())];
    let about = about.iter().map(|(key, value)| (text(key), text(value))).collect();
    let params = request.params.iter().map(|(name, node)| (text(name), node.clone())).collect();
    // What a spec says is never rendered.
    let options = spec.get("options").map_or_else(|| Node::map(span.clone(), Vec::new()), |node| Node::data(span.clone(), node.to_value()));
    let mut keywords = Keywords::default();
    keywords.set("tags", text("always"));
    let arguments = Arguments {
        options: vec![
            ("argument_spec".to_owned(), options),
            ("provided_arguments".to_owned(), Node::map(span.clone(), params)),
            ("validate_args_context".to_owned(), Node::map(span.clone(), about)),
        ],
        ..Arguments::default()
    };
    Some(Item::Task(Arc::new(Task {
        span: span.clone(),
        name: Some(text(&name)),
        action: Action { name: "ansible.builtin.validate_argument_spec".into(), span: span.clone(), arguments },
        keywords,
        vars: Arc::default(),
        loops: None,
        scope: scope.clone(),
        is_handler: false,
        implicit: false,
    })))
}
