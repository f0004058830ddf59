//! An operation carried out on a host: a play of one task, which goes the way of every play. So the inventory, its variables, vault and
//! connection settings count, and the secret travels in the link, never in arguments.

use std::sync::{Arc, Mutex, PoisonError};

use super::locate;
use super::server::{Asked, SECRET, Server, authorities, given_secret};
use crate::base::{Diagnostic, Node, Redactor, Span, Value};
use crate::cli::arguments::{Overrides, passwords};
use crate::cli::environment::Environment;
use crate::cli::extra_vars;
use crate::cli::failure::Failed;
use crate::cli::prompt::Terminal;
use crate::cli::settings;
use crate::cli::vault_sources::secrets;
use crate::engine::request::{Mode, PlaySource};
use crate::engine::{self, RunRequest};
use crate::history::event::{Event, Sink, Status};
use crate::history::{Journal, Keeper};
use crate::keycloak::Json;
use crate::keycloak::operation::{Operation, Progress};

const MODULE: &str = "hostler.keycloak.operate";
/// What the variables of the role `keycloak_realm` say, where the command line says nothing.
const URL: &str = "{{ keycloak_realm_url | default('http://127.0.0.1:8080', true) }}";
const CLIENT: &str = "{{ keycloak_realm_service_client_id | default('hostler', true) }}";
const CLIENT_SECRET: &str = "{{ keycloak_realm_service_client_secret }}";

pub fn perform(
    server: &Server,
    asked: &mut Asked,
    operation: &Operation,
    declaration: Option<&Node>,
    progress: Option<&Progress>,
) -> Result<Json, Failed> {
    let environment = Environment::current()?;
    let (mut settings, _) = settings::resolve(&environment)?;
    let mut over = Overrides { settings: &mut settings, environment: &environment };
    over.set("DEFAULT_REMOTE_USER", server.inventory.remote_user.as_ref())?;
    over.set("DEFAULT_PRIVATE_KEY_FILE", server.inventory.private_key.as_ref())?;
    let redactor = Redactor::default();
    let passwords = passwords(&settings, &environment, &redactor)?;
    let plays = play(server, asked, operation, declaration)?;
    let caught = Arc::new(Mutex::new(Caught::default()));
    let request = RunRequest {
        plays: vec![PlaySource::Built { plays, directory: environment.directory.clone() }],
        mode: Mode::Run,
        inventory: sources(server, &settings, &environment),
        extra_vars: extra_vars(server, &environment)?,
        limit: None,
        vault: vault(server, &settings)?,
        connection_password: passwords.connection,
        become_password: passwords.r#become,
        check: false,
        foresees: true,
        diff: false,
        start_at_task: None,
        step: false,
        flush_cache: false,
        redactor: redactor.clone(),
        console: Arc::new(Terminal::default()),
        settings,
    };
    let sink = Catcher { caught: caught.clone(), progress: progress.cloned() };
    let (journal, keeper): (Journal, Keeper) = Journal::start(None, vec![Box::new(sink)], redactor);
    engine::run(request, &journal);
    drop(journal);
    keeper.finish().map_err(|error| Diagnostic::error(error.to_string()))?;
    let caught = std::mem::take(&mut *caught.lock().unwrap_or_else(PoisonError::into_inner));
    caught.answer(server.on.as_deref().unwrap_or("localhost"), declaration)
}

/// The play. What is data stays data; only the declaration and what the host's variables say is rendered.
fn play(server: &Server, asked: &mut Asked, operation: &Operation, declaration: Option<&Node>) -> Result<Node, Failed> {
    let span = Span::origin("<hostler realm>");
    let text = |text: &str| Node::text(span.clone(), text);
    let data = |value: Value| Node::data(span.clone(), value);
    let given = |value: &Option<String>, template: &str| value.as_deref().map_or_else(|| text(template), |value| data(value.into()));
    let secret = match given_secret() {
        Some(secret) => data(secret.expose().into()),
        None if server.on.is_some() && server.client_id.is_none() => text(CLIENT_SECRET),
        None => data(server.secret(asked)?.expose().into()),
    };
    let mut arguments = vec![
        (text("url"), given(&server.url, URL)),
        (text("auth_client_id"), given(&server.client_id, CLIENT)),
        (text("auth_client_secret"), secret),
        (text("operation"), operation_node(operation, declaration, &span)),
    ];
    if let Some(realm) = &server.auth_realm {
        arguments.push((text("auth_realm"), data(realm.as_str().into())));
    }
    if let Some(pem) = authorities(server.ca_file.as_deref())? {
        arguments.push((text("ca_pem"), data(String::from_utf8_lossy(&pem).as_ref().into())));
    }
    let task = vec![(text(MODULE), Node::map(span.clone(), arguments)), (text("run_once"), data(true.into()))];
    let play = vec![
        (text("hosts"), text(server.on.as_deref().unwrap_or("localhost"))),
        (text("gather_facts"), data(false.into())),
        (text("tasks"), Node::seq(span.clone(), vec![Node::map(span.clone(), task)])),
    ];
    Ok(Node::seq(span.clone(), vec![Node::map(span.clone(), play)]))
}

fn operation_node(operation: &Operation, declaration: Option<&Node>, span: &Span) -> Node {
    let Ok(Json::Object(fields)) = serde_json::to_value(operation) else { return Node::null(span.clone()) };
    let entry = |(field, value): (String, Json)| {
        let node = match declaration.filter(|_| field == "declaration") {
            Some(source) => source.clone(),
            None => Node::data(span.clone(), Value::from_json(value)),
        };
        (Node::text(span.clone(), field), node)
    };
    Node::map(span.clone(), fields.into_iter().map(entry).collect())
}

fn sources(server: &Server, settings: &engine::Settings, environment: &Environment) -> Vec<String> {
    if server.inventory.sources.is_empty() {
        return settings.inventory.0.clone();
    }
    let resolve = |text: &String| match text.contains(',') {
        true => text.clone(),
        false => environment.paths().resolve(&environment.expand(text)).to_string_lossy().into_owned(),
    };
    server.inventory.sources.iter().map(resolve).collect()
}

fn extra_vars(server: &Server, environment: &Environment) -> Result<Vec<engine::request::ExtraVars>, Failed> {
    let mut all = Vec::new();
    for text in &server.inventory.extra_vars {
        all.extend(extra_vars::parse(text, environment)?);
    }
    Ok(all)
}

/// The vault passwords that the command line and the settings name.
///
/// # Errors
/// They cannot be had.
pub fn vault_secrets(server: &Server) -> Result<crate::vault::Secrets, Failed> {
    let (settings, _) = settings::resolve(&Environment::current()?)?;
    vault(server, &settings)
}

fn vault(server: &Server, settings: &engine::Settings) -> Result<crate::vault::Secrets, Failed> {
    secrets(&server.inventory.vault.sources(settings))
}

/// What is of interest in the events of the run.
#[derive(Default)]
struct Caught {
    answer: Option<Json>,
    findings: Vec<Diagnostic>,
    /// What is wrong in the declaration.
    problems: Vec<String>,
    nobody: bool,
}

impl Caught {
    fn answer(self, on: &str, declaration: Option<&Node>) -> Result<Json, Failed> {
        match (self.answer, declaration) {
            (None, Some(node)) if !self.problems.is_empty() => return Err(locate::problems(node, self.problems).into()),
            (Some(answer), _) => return Ok(answer),
            _ => {}
        }
        if !self.findings.is_empty() {
            return Err(self.findings.into());
        }
        if self.nobody {
            let nobody = Diagnostic::error(format!("no host of the inventory is called `{on}`"));
            return Err(nobody.help("name the inventory with `-i PATH`").into());
        }
        Err(Diagnostic::error(format!("no answer came from `{on}`")).into())
    }
}

fn finding(text: String) -> Diagnostic {
    let no_secret = text.contains("keycloak_realm_service_client_secret") && text.contains("undefined");
    let finding = Diagnostic::error(text);
    if no_secret { finding.help(format!("give the service account's secret in ${SECRET}")) } else { finding }
}

struct Catcher {
    caught: Arc<Mutex<Caught>>,
    progress: Option<Progress>,
}

impl Sink for Catcher {
    fn event(&mut self, event: &Event) {
        let mut caught = self.caught.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::HostResult(result) => match result.status {
                Status::Failed | Status::Unreachable => {
                    let problems = result.result.get("problems").and_then(Value::as_list).unwrap_or_default();
                    let message = result.result.get("msg").map(Value::to_text).unwrap_or_default();
                    caught.problems.extend(problems.iter().map(Value::to_text));
                    caught.findings.push(finding(message));
                }
                _ => caught.answer = result.result.get("answer").map(Value::to_json),
            },
            Event::Finding { diagnostic } if diagnostic.is_error() => caught.findings.push(diagnostic.clone()),
            Event::NoHostsMatched => caught.nobody = true,
            Event::Output { line, .. } => {
                if let Some(progress) = &self.progress {
                    progress(line);
                }
            }
            _ => {}
        }
    }
}
