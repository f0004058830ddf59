//! Action plugins in Python: run on this machine by the Ansible that is installed on it. What one does on its host it asks for (`asked`), its
//! result is the task's.

use serde_json::{Value as Json, json};

use crate::base::{Diagnostic, Map, Node, NodeKind, Secret, Span, Value};
use crate::engine::call::Call;
use crate::engine::keywords::{TaskKeywords, list_of};
use crate::engine::outcome::Outcome;
use crate::engine::state::{Run, lock, read};
use crate::history::event::{Event, Show};
use crate::modules::coerce::truth;
use crate::transport::Destination;

use super::find::{actions_of, collection_of};
use super::plugins::Said;
use super::{ActionPlugin, adopt, asked, worker::Worker};

/// Why no action in Python can be run here, if so.
pub fn no_actions(run: &Run) -> Option<String> {
    run.library.core().err()
}

/// Runs an action plugin for a task.
pub async fn run(call: &Call<'_>, plugin: &ActionPlugin) -> Outcome {
    if let Some(unfinished) = &call.scope.rehearsal {
        unfinished.give_up();
        return Outcome::failed("what comes of a plugin is not known yet");
    }
    match with_worker(call, plugin).await {
        Ok(outcome) => outcome,
        Err(why) => Outcome::error(Diagnostic::error(why).at(call.span())),
    }
}

async fn with_worker(call: &Call<'_>, plugin: &ActionPlugin) -> Result<Outcome, String> {
    let idle = lock(&call.run.library.workers).pop();
    let mut worker = match idle {
        Some(worker) => worker,
        None => Worker::start(call.run).await?,
    };
    let outcome = outcome(call, converse(call, plugin, &mut worker).await?)?;
    lock(&call.run.library.workers).push(worker);
    Ok(outcome)
}

/// Answers what the plugin asks until it is done.
async fn converse(call: &Call<'_>, plugin: &ActionPlugin, worker: &mut Worker) -> Result<Said, String> {
    worker.say(&request(call, plugin)).await?;
    loop {
        let said = worker.hear().await?;
        if let Some(text) = said.get("message").and_then(Json::as_str) {
            call.run.event(Event::Message { text: text.to_owned(), verbosity: 0 });
            continue;
        }
        match asked::answer(call, &said).await {
            Some(answer) => worker.say(&answer).await?,
            None => return Ok(said),
        }
    }
}

/// Everything about the task that a plugin may look at without asking.
fn request(call: &Call<'_>, plugin: &ActionPlugin) -> Json {
    let run = call.run;
    let role = call.scope.role();
    json!({
        "plugin": plugin.name,
        "folders": actions_of(run, &read(&run.roles.found)),
        "task": {
            "fields": fields(call),
            "literal": literal(call),
            "play_context": play_context(call),
            "connection": connection(call),
            "become": call.place().ok().and_then(|place| place.becoming.as_ref()).map(|becoming| json!({
                "method": becoming.method(),
                "user": becoming.user,
            })),
            "folder": run.playbook_folder(&call.cursor.play.file),
            "search": call.context.search.roots(),
            "role": role.map(|role| json!({"name": *role.name, "path": role.path, "collection": collection_of(&role.path)})),
        },
    })
}

fn fields(call: &Call<'_>) -> Json {
    let (run, task) = (call.run, call.task);
    let keywords = TaskKeywords { task, templar: &run.templar, context: &call.context };
    let text = |word: &str| keywords.text(word).ok().flatten();
    let flag = |word: &str| keywords.flag(word).ok().flatten();
    let render = |node| run.templar.render(node, &call.context).unwrap_or_else(|_| node.to_value());
    let vars: Map = task.vars.iter().map(|(name, node)| (name.clone(), render(node))).collect();
    let environment: Map = call.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let collections: Vec<String> =
        task.keyword("collections").map(list_of).unwrap_or_default().iter().map(|node| node.to_value().to_text()).collect();
    let becoming = call.place().ok().and_then(|place| place.becoming.as_ref());
    told(json!({
        "name": task.name.as_ref().map(|name| render(name).to_text()),
        "action": *task.action.name,
        "args": Value::from(call.args.clone()).to_json(),
        "check_mode": call.check,
        "diff": call.diff,
        "no_log": flag("no_log").unwrap_or(run.request.settings.no_log),
        "ignore_errors": flag("ignore_errors"),
        "async_val": call.background.map_or(0, |background| background.limit),
        "poll": call.background.map(|background| background.poll),
        "delegate_to": text("delegate_to"),
        "become": becoming.is_some(),
        "become_user": becoming.map(|becoming| &becoming.user),
        "become_method": becoming.map(|becoming| becoming.method()),
        "environment": [Value::from(environment).to_json()],
        "collections": collections,
        "register": task.own("register").map(|node| node.to_value().to_text()),
        "vars": Value::from(vars).to_json(),
    }))
}

/// Options that are as the project's own files have them: only those may be templates or expressions to an action.
fn literal<'c>(call: &'c Call<'_>) -> Vec<&'c str> {
    let is_literal = |(name, node): &&(String, Node)| {
        let written = matches!(node.kind, NodeKind::Str(..)) && !node.is_template();
        written && call.args.get(name).and_then(Value::as_str) == node.as_str()
    };
    call.task.action.arguments.options.iter().filter(is_literal).map(|(name, _)| name.as_str()).collect()
}

fn play_context(call: &Call<'_>) -> Json {
    let place = call.place().ok();
    let becoming = place.and_then(|place| place.becoming.as_ref());
    let ssh = match place.map(|place| &place.destination) {
        Some(Destination::Ssh(options)) => Some(options),
        Some(Destination::Local(_)) | None => None,
    };
    told(json!({
        "check_mode": call.check,
        "diff": call.diff,
        "become": becoming.is_some(),
        "become_user": becoming.map(|becoming| &becoming.user),
        "become_method": becoming.map(|becoming| becoming.method()),
        "connection": if ssh.is_some() { "ssh" } else { "local" },
        "remote_addr": ssh.map_or(call.scope.host.name.as_ref(), |options| &options.host),
        "remote_user": ssh.map(|options| &options.user),
        "port": ssh.map(|options| options.port),
        "private_key_file": ssh.map(|options| &options.private_key),
        "timeout": ssh.map(|options| options.connect_timeout.as_secs()),
        "password": ssh.and_then(|options| options.password.as_ref()).map(Secret::expose),
        "shell": call.variable("ansible_shell_type").ok().flatten().map(|kind| kind.to_text()),
    }))
}

fn connection(call: &Call<'_>) -> Json {
    match call.place().map(|place| &place.destination) {
        Ok(Destination::Ssh(options)) => json!({
            "transport": "ssh",
            "options": {
                "host": options.host,
                "remote_user": options.user,
                "port": options.port,
                "private_key_file": options.private_key,
                "password": options.password.as_ref().map(Secret::expose),
            },
        }),
        Ok(Destination::Local(_)) | Err(_) => json!({"transport": "local", "options": {}}),
    }
}

/// What is not null.
fn told(mut fields: Json) -> Json {
    if let Json::Object(fields) = &mut fields {
        fields.retain(|_, value| !value.is_null());
    }
    fields
}

/// What the plugin came to.
fn outcome(call: &Call<'_>, mut said: Said) -> Result<Outcome, String> {
    if let Some(why) = said.get("error") {
        return Err(why.as_str().unwrap_or("the action plugin failed").to_owned());
    }
    let Some(Value::Map(result)) = said.remove("result").map(Value::from_json) else {
        return Err("an action plugin's result is no mapping".into());
    };
    let mut values = result.as_ref().clone();
    let mut flag = |name: &str| values.remove(name).is_some_and(|value| truth(&value).unwrap_or(value.is_truthy()));
    let mut outcome = Outcome {
        changed: flag("changed"),
        failed: flag("failed"),
        skipped: flag("skipped"),
        unreachable: flag("unreachable"),
        ..Outcome::default()
    };
    if let Some(Value::Map(facts)) = values.remove("ansible_facts") {
        outcome.facts = facts.as_ref().clone();
    }
    if call.run.request.settings.verbosity < 3 {
        values.remove("invocation");
    }
    let texts = |list: Option<Json>| list.and_then(|list| list.as_array().cloned()).unwrap_or_default();
    outcome.warnings = texts(said.remove("warnings")).iter().filter_map(Json::as_str).map(str::to_owned).collect();
    let deprecations: Vec<Value> = texts(said.remove("deprecations")).into_iter().map(Value::from_json).collect();
    if !deprecations.is_empty() {
        values.insert("deprecations", Value::list(deprecations));
    }
    outcome.is_secret = said.get("hidden") == Some(&Json::Bool(true));
    if said.get("shown") == Some(&Json::Bool(true)) {
        outcome.show = Show::Always;
    }
    if outcome.failed || outcome.unreachable {
        outcome.error = Some(why(call, &values, said.get("raised")));
    }
    outcome.values = values;
    Ok(adopt(call, outcome))
}

/// Why it failed, and where in the plugin.
fn why(call: &Call<'_>, values: &Map, raised: Option<&Json>) -> Diagnostic {
    let of = |name: &str| raised.and_then(|raised| raised.get(name));
    let number = |name: &str| of(name).and_then(Json::as_u64).and_then(|number| u32::try_from(number).ok());
    let reason = of("reason").and_then(Json::as_str).or(values.text("msg")).unwrap_or("the action failed");
    let error = Diagnostic::error(reason).at(&call.task.span);
    match (of("file").and_then(Json::as_str), number("line")) {
        (Some(file), Some(line)) => error.label(&Span::new(file, line, number("column").unwrap_or(1)), "the action plugin says so"),
        _ => error,
    }
}
