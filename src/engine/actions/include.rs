//! `include_tasks`, `include_role`: what they bring is told to the cursor, which goes on with it.

use std::path::PathBuf;

use crate::base::{Map, Value};
use crate::engine::call::Call;
use crate::engine::outcome::{Include, IncludeKind, Outcome};
use crate::engine::settings::Origin;
use crate::language::{RoleRequest, find_tasks};

fn including(call: &Call<'_>, kind: IncludeKind, mut shown: Map) -> Outcome {
    let options = call.args.iter().filter(|(name, _)| !matches!(name.as_str(), Some("_raw_params" | "file")));
    shown.insert("include_args", options.map(|(name, value)| (name.clone(), value.clone())).collect::<Map>());
    let locals: Map = call.scope.locals.as_ref().clone();
    let mut outcome = Outcome::ok(shown);
    outcome.include = Some(Include { kind, locals, apply: call.source("apply").cloned(), item: None });
    outcome
}

/// `include_tasks`.
pub fn tasks(call: &Call<'_>) -> Outcome {
    let Some(file) = call.text("file").or_else(|| call.text("_raw_params")) else {
        return call.wrong("file", "No file specified for ansible.builtin.include_tasks");
    };
    // Whether it is there is found out when it is read: that it is not fails the host, and no `rescue` reads why.
    let path = find_tasks(&file, &call.task.scope).unwrap_or_else(|| missing(call, &file));
    let shown = [("include", Value::from(file.as_str()))];
    including(call, IncludeKind::File { path, written: file }, shown.into_iter().collect())
}

/// Where a file of tasks that is nowhere should have been.
fn missing(call: &Call<'_>, file: &str) -> PathBuf {
    match &call.task.scope.role {
        Some(role) => role.path.join("tasks").join(file),
        None => call.context.search.roots().first().map_or_else(|| file.into(), |root| root.join(file)),
    }
}

/// `include_role`.
pub fn role(call: &Call<'_>) -> Outcome {
    let Some(name) = call.text("name").or_else(|| call.text("role")) else {
        return call.wrong("name", "'name' is a required field for include_role.");
    };
    let named_at = call.source("name").or_else(|| call.source("role")).map_or(call.span(), |node| &node.span);
    let mut request = RoleRequest::named(&name, named_at);
    request.tasks_from = call.text("tasks_from");
    request.vars_from = call.text("vars_from");
    request.defaults_from = call.text("defaults_from");
    request.handlers_from = call.text("handlers_from");
    request.allow_duplicates = Some(call.flag("allow_duplicates", true));
    // Where the setting is made, it counts for includes too.
    let settings = &call.run.request.settings;
    let is_set = settings.origin("DEFAULT_PRIVATE_ROLE_VARS") != &Origin::Default;
    request.is_public = call.flag("public", is_set && !settings.private_role_vars);
    request.validate = call.flag("rolespec_validate", true);
    including(call, IncludeKind::Role(Box::new(request)), Map::new())
}
