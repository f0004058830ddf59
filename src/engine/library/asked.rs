//! What an action plugin asks for on its way: variables, and what is to be done on its task's host. That goes the way of any task: the same
//! modules and actions, the same link.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use serde_json::{Value as Json, json};

use crate::base::{Map, Node, Value};
use crate::engine::ask::failed_link;
use crate::engine::call::{Call, Conditions};
use crate::engine::outcome::Outcome;
use crate::engine::words::reason;
use crate::language::{Action, Arguments, Task};
use crate::modules::{self, coerce::truth};
use crate::wire::TaskRequest;

use super::plugins::{Said, of_variables};

/// The answer to a question; `None`: it is none, the plugin is done.
pub async fn answer(call: &Call<'_>, said: &Said) -> Option<Json> {
    if let Some(answer) = variables(call, said) {
        return Some(answer);
    }
    let text = |name: &str| said.get(name).and_then(Json::as_str);
    let to = text("to");
    if let Some(name) = text("module") {
        Some(module(call, name, said).await)
    } else if let Some(name) = text("action") {
        Some(action(call, name, said).await)
    } else if let Some(command) = text("command") {
        Some(self::command(call, command, said).await)
    } else if let Some(sealed) = text("decrypt") {
        Some(decrypt(call, sealed))
    } else if let (Some(path), Some(dest)) = (text("put"), to) {
        Some(put(call, path, dest).await)
    } else if let (Some(path), Some(dest)) = (text("fetch"), to) {
        Some(fetch(call, path, dest).await)
    } else {
        None
    }
}

fn variables(call: &Call<'_>, said: &Said) -> Option<Json> {
    of_variables(said, call.run.templar.plugin_variables(&call.context).as_ref())
}

fn flag(said: &Said, name: &str) -> bool {
    said.get(name) == Some(&Json::Bool(true))
}

fn map(said: &Said, name: &str) -> Map {
    match said.get(name).cloned().map(Value::from_json) {
        Some(Value::Map(map)) => map.as_ref().clone(),
        _ => Map::new(),
    }
}

fn conditions(said: &Said) -> Conditions {
    Conditions {
        check: flag(said, "check"),
        diff: flag(said, "diff"),
        environment: map(said, "environment").iter().map(|(name, value)| (name.to_string(), value.to_text())).collect(),
        becomes: flag(said, "become"),
        in_background: flag(said, "background"),
    }
}

/// A module, the project's own or one of Hostler's.
async fn module(call: &Call<'_>, name: &str, said: &Said) -> Json {
    let mut args = map(said, "args");
    let task = call.task.with_action(meant(name, &mut args));
    if super::module(call.run, &task).is_none()
        && let Some(entry) = modules::find(name)
    {
        if flag(said, "lenient") {
            let known = (entry.specs)();
            let is_known = |name: &str| known.iter().any(|spec| spec.name == name || spec.aliases.contains(&name));
            args = args.iter().filter(|(name, _)| is_known(&name.to_string())).map(|(name, value)| (name.clone(), value.clone())).collect();
        }
        match task.short_action() {
            // It is the controller's part to ask this one.
            "async_status" => return action(call, name, said).await,
            // Ansible's module finds its source on the host: the controller's part is the action's.
            "copy" | "unarchive" if args.contains_key("src") => drop(args.insert("remote_src", true)),
            _ => {}
        }
    }
    let task = Arc::new(task);
    told(call.part(&task, args, conditions(said)).run_module().await)
}

/// The name of what is meant: Ansible has one for `command` and `shell`.
fn meant<'n>(name: &'n str, args: &mut Map) -> &'n str {
    let uses_shell = args.remove("_uses_shell").is_some_and(|value| truth(&value) == Some(true));
    if uses_shell && name.rsplit('.').next() == Some("command") { "ansible.builtin.shell" } else { name }
}

/// An action of Hostler's.
async fn action(call: &Call<'_>, name: &str, said: &Said) -> Json {
    let mut args = map(said, "args");
    let name = meant(name, &mut args);
    let span = call.span();
    let options = args.iter().map(|(name, value)| (name.to_string(), Node::data(span.clone(), value.clone()))).collect();
    let action = Action { name: name.into(), span: span.clone(), arguments: Arguments { options, ..Arguments::default() } };
    let task = Arc::new(Task { action, ..call.task.as_ref().clone() });
    told(call.part(&task, args, conditions(said)).execute_boxed().await)
}

/// A result as plugins know it.
fn told(outcome: Outcome) -> Json {
    if outcome.unreachable {
        return json!({"unreachable": outcome.values.text("msg").unwrap_or("the host cannot be reached")});
    }
    let mut result = outcome.shown();
    if let Some(invocation) = outcome.invocation {
        result.insert("invocation", invocation);
    }
    for (name, flag) in [("failed", outcome.failed), ("skipped", outcome.skipped)] {
        if flag {
            result.insert(name, true);
        }
    }
    json!({"result": Value::from(result).to_json()})
}

/// Text for a shell: what Ansible does by itself on a host, be it in check mode or not.
async fn command(call: &Call<'_>, text: &str, said: &Said) -> Json {
    let mut args: Map =
        [("_raw_params", Value::from(text)), ("stdin_add_newline", false.into()), ("strip_empty_ends", false.into())].into_iter().collect();
    for name in ["stdin", "executable"] {
        if let Some(given) = said.get(name).and_then(Json::as_str) {
            args.insert(name, given);
        }
    }
    let outcome = directly(call, flag(said, "become"), "ansible.builtin.shell", args).await;
    let text = |name: &str| outcome.values.text(name).unwrap_or_default().to_owned();
    match outcome.values.get("rc").and_then(Value::as_int) {
        Some(rc) => json!({"result": {"rc": rc, "stdout": text("stdout"), "stderr": text("stderr")}}),
        None => refused(&outcome),
    }
}

fn decrypt(call: &Call<'_>, sealed: &str) -> Json {
    match (call.run.controller.decrypt)(sealed) {
        Ok(secret) => json!({"result": secret.expose()}),
        Err(error) => json!({"error": reason(&error)}),
    }
}

/// A file of this machine comes to be on the host, as whoever logs in there.
async fn put(call: &Call<'_>, path: &str, dest: &str) -> Json {
    let content = match tokio::fs::read(path).await {
        Ok(content) => content,
        Err(error) => return json!({"error": format!("cannot read `{path}`: {error}")}),
    };
    let args = [("dest", Value::from(dest)), ("content_hash", call.run.blobs.put(content).into())].into_iter().collect();
    let outcome = directly(call, false, "ansible.builtin.copy", args).await;
    if outcome.failed || outcome.unreachable { refused(&outcome) } else { json!({"result": null}) }
}

/// A file of the host comes to be here.
async fn fetch(call: &Call<'_>, path: &str, dest: &str) -> Json {
    let outcome = directly(call, false, "ansible.builtin.slurp", [("src", path)].into_iter().collect()).await;
    let content = outcome.values.text("content").and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let Some(content) = content else { return refused(&outcome) };
    match tokio::fs::write(Path::new(dest), content).await {
        Ok(()) => json!({"result": null}),
        Err(error) => json!({"error": format!("cannot write `{dest}`: {error}")}),
    }
}

fn refused(outcome: &Outcome) -> Json {
    let why = outcome.values.text("msg").unwrap_or("the host did not do it");
    if outcome.unreachable { json!({"unreachable": why}) } else { json!({"error": why}) }
}

/// A module on the task's host, for good, with nothing of its output shown.
async fn directly(call: &Call<'_>, becomes: bool, module: &str, args: Map) -> Outcome {
    let part = call.part(call.task, Map::new(), Conditions { becomes, ..Conditions::default() });
    let place = match part.place() {
        Ok(place) => place,
        Err(outcome) => return *outcome,
    };
    let request = TaskRequest { module: module.to_owned(), args, ..TaskRequest::default() };
    match call.run.connections.link(place).await {
        Err(error) => failed_link(&error),
        Ok(link) => part.answered(link.run(request, None).await),
    }
}
