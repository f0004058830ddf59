//! `include_tasks`, `include_role`: what they bring is told to the cursor, which goes on with it.

use crate::base::{Diagnostic, Map, Value};
use crate::engine::call::Call;
use crate::engine::outcome::{Include, IncludeKind, Outcome};
use crate::language::{RoleRequest, find_tasks};

fn including(call: &Call<'_>, kind: IncludeKind, shown: (&str, Value)) -> Outcome {
    let mut outcome = Outcome::ok([shown].into_iter().collect());
    let locals: Map = call.scope.locals.as_ref().clone();
    outcome.include = Some(Include { kind, locals, apply: call.source("apply").cloned(), item: None });
    outcome
}

/// `include_tasks`.
pub fn tasks(call: &Call<'_>) -> Outcome {
    let Some(file) = call.text("file").or_else(|| call.text("_raw_params")) else {
        return call.wrong("file", "no file specified for include_tasks");
    };
    match find_tasks(&file, &call.task.scope) {
        Some(path) => {
            let shown = path.to_string_lossy().into_owned();
            including(call, IncludeKind::File(path), ("include", shown.into()))
        }
        None => {
            let place = call.task.action.arguments.raw.as_ref().or_else(|| call.source("file"));
            let span = place.map_or_else(|| call.span().clone(), |node| node.span.clone());
            let message = format!("Could not find or access '{file}' on the Ansible Controller.");
            Outcome::error(Diagnostic::error(message).at(&span)).with("reason", format!("Could not find or access '{file}'"))
        }
    }
}

/// `include_role`.
pub fn role(call: &Call<'_>) -> Outcome {
    let Some(name) = call.text("name").or_else(|| call.text("role")) else {
        return call.wrong("name", "'name' is a required field for include_role.");
    };
    let mut request = RoleRequest::named(&name, call.span());
    request.tasks_from = call.text("tasks_from");
    request.vars_from = call.text("vars_from");
    request.defaults_from = call.text("defaults_from");
    request.handlers_from = call.text("handlers_from");
    request.allow_duplicates = call.flag("allow_duplicates", true);
    request.is_public = call.flag("public", false);
    request.validate = call.flag("rolespec_validate", true);
    including(call, IncludeKind::Role(Box::new(request)), ("include_role", name.into()))
}
