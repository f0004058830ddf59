//! `hostler realm`: a Keycloak realm as declared in a file: planned, applied, exported, verified, destroyed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::failure::{Failed, GENERIC, Outcome, print};
use super::prompt::{Terminal, password_for};
use crate::base::{Diagnostic, Node, Secret, Value};
use crate::engine::request::Console;
use crate::keycloak::login::{Login, log_in};
use crate::keycloak::plan::Operation;
use crate::keycloak::{Client, Declaration, Error, Json, Options, Plan, apply, blocking, export, render};
use crate::yaml;

/// A plan that has something to do; 0: nothing, 1: an error.
const CHANGES: u8 = 2;
/// Where the service account's secret is looked for before it is asked for.
const SECRET: &str = "HOSTLER_REALM_SECRET";

/// A Keycloak realm as a file declares it: plan, apply, export, verify, destroy
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler realm plan realms/staff.yml --url http://127.0.0.1:8080\n\
    The service account's secret is read from $HOSTLER_REALM_SECRET, else asked for.")]
pub struct RealmArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what would change; exit code 0: nothing, 2: changes, 1: error
    Plan {
        /// The declaration, YAML or JSON; any export of a realm is one
        file: PathBuf,
        #[command(flatten)]
        server: Server,
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
    /// Make the realm as declared, after showing the plan and asking
    Apply {
        file: PathBuf,
        #[command(flatten)]
        server: Server,
        /// Do not ask; needed without a terminal
        #[arg(short, long)]
        yes: bool,
    },
    /// Print a declaration of a realm, without what Keycloak puts into every one
    Export {
        realm: String,
        #[command(flatten)]
        server: Server,
    },
    /// Log in as a user, and show groups and claims
    Verify {
        realm: String,
        #[command(flatten)]
        login: LoginArgs,
    },
    /// Delete a realm with everything in it
    Destroy {
        realm: String,
        #[command(flatten)]
        server: Server,
        /// Do not ask; needed without a terminal
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Server {
    /// Where Keycloak answers
    #[arg(long, value_name = "URL", env = "HOSTLER_REALM_URL")]
    url: String,
    /// The service account
    #[arg(long, value_name = "CLIENT", default_value = "hostler")]
    client_id: String,
    /// The realm in which it lives
    #[arg(long, value_name = "REALM", default_value = "master")]
    auth_realm: String,
    /// Authorities to trust besides the public ones, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct LoginArgs {
    /// The public URL of Keycloak
    #[arg(long, value_name = "URL")]
    url: String,
    /// The user who logs in; the password is asked for
    #[arg(long)]
    user: String,
    /// The client that logs the user in
    #[arg(long, value_name = "CLIENT")]
    client: String,
    /// Where that client lets Keycloak send the code, when it takes no passwords itself
    #[arg(long, value_name = "URI")]
    redirect_uri: Option<String>,
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// # Errors
/// A mistake in the declaration, a server that cannot be reached or refuses.
pub fn run(args: RealmArgs) -> Outcome {
    match args.verb {
        Verb::Plan { file, server, output } => plan(&file, &server, output),
        Verb::Apply { file, server, yes } => apply_file(&file, &server, yes),
        Verb::Export { realm, server } => export_realm(&realm, &server),
        Verb::Verify { realm, login } => verify(realm, login),
        Verb::Destroy { realm, server, yes } => destroy(&realm, &server, yes),
    }
}

fn plan(file: &Path, server: &Server, output: Output) -> Outcome {
    let declaration = read(file)?;
    let client = server.client()?;
    let plan = blocking::run(|| apply::preview(&client, &declaration)).map_err(failed)?;
    match output {
        Output::Text => print(&render::text(&plan))?,
        Output::Json => print(&format!("{}\n", as_json(&plan)))?,
    };
    Ok(if plan.is_empty() { 0 } else { CHANGES })
}

fn as_json(plan: &Plan) -> Json {
    let change = |change: &crate::keycloak::compare::Change| {
        let (old, new) = if change.secret { (json!("(secret)"), json!("(secret)")) } else { (change.old.clone(), change.new.clone()) };
        json!({"field": change.path, "old": old, "new": new, "secret": change.secret})
    };
    let action = |action: &crate::keycloak::plan::Action| {
        let changes: Vec<Json> = action.changes.iter().map(change).collect();
        json!({"object": render::title(action, &plan.realm), "operation": action.operation.as_str(), "changes": changes, "note": action.note})
    };
    let actions: Vec<Json> = plan.actions.iter().map(action).collect();
    let count = |operation| plan.count(operation);
    json!({"realm": plan.realm, "actions": actions, "add": count(Operation::Create),
        "change": count(Operation::Update) + count(Operation::Rebuild), "delete": count(Operation::Delete), "same": plan.same})
}

fn apply_file(file: &Path, server: &Server, yes: bool) -> Outcome {
    let declaration = read(file)?;
    let client = server.client()?;
    let plan = blocking::run(|| apply::preview(&client, &declaration)).map_err(failed)?;
    print(&render::text(&plan))?;
    if plan.is_empty() {
        return Ok(0);
    }
    agreed(&format!("Apply this to realm {}? [y/N] ", plan.realm), yes)?;
    blocking::run(|| apply::apply(&client, &declaration)).map_err(failed)?;
    print(&format!(" realm {} is as declared ({} requests)\n", plan.realm, client.requests()))
}

fn export_realm(realm: &str, server: &Server) -> Outcome {
    let client = server.client()?;
    let export = blocking::run(|| apply::export(&client, realm)).map_err(failed)?;
    let declaration = export::declaration(&export);
    print(&yaml::emit::to_yaml(&Value::from_json(Json::Object(declaration)), &yaml::emit::YamlStyle::nice()))
}

fn verify(realm: String, args: LoginArgs) -> Outcome {
    let password = password_for(&format!("Password of {}: ", args.user))?;
    let login = Login {
        url: args.url,
        realm,
        client_id: args.client,
        client_secret: std::env::var(SECRET).ok().map(Secret::new),
        username: args.user,
        password,
        redirect_uri: args.redirect_uri,
        scope: "openid".into(),
        ca_pem: authorities(args.ca_file.as_deref())?,
        resolve: Vec::new(),
    };
    let found = blocking::run(|| log_in(&login)).map_err(failed)?;
    let groups = if found.groups.is_empty() { "none".to_owned() } else { found.groups.join(", ") };
    let claims = serde_json::to_string_pretty(&found.claims).unwrap_or_default();
    print(&format!(" {} logs in ({} grant)\n groups  {groups}\n claims  {claims}\n", login.username, found.grant))
}

fn destroy(realm: &str, server: &Server, yes: bool) -> Outcome {
    let client = server.client()?;
    agreed(&format!("Delete realm {realm} with everything in it? [y/N] "), yes)?;
    match blocking::run(|| apply::delete_realm(&client, realm)).map_err(failed)? {
        true => print(&format!(" realm {realm} is deleted\n")),
        false => print(&format!(" there is no realm {realm}\n")),
    }
}

fn agreed(question: &str, yes: bool) -> Result<(), Failed> {
    if yes {
        return Ok(());
    }
    let terminal = Terminal::default();
    if !terminal.is_interactive() {
        return Err(Failed::option("there is no terminal to ask on: `--yes` is needed"));
    }
    let answer = terminal.ask(question, false).map_err(|error| Diagnostic::error(format!("the answer cannot be read: {error}")))?;
    match answer.as_deref().map(str::trim) {
        Some("y" | "Y" | "yes") => Ok(()),
        _ => Err(Diagnostic::error("nothing was done").into()),
    }
}

impl Server {
    fn client(&self) -> Result<Client, Failed> {
        let client_secret = match std::env::var(SECRET) {
            Ok(secret) => Secret::new(secret),
            Err(_) => password_for(&format!("Secret of the service account {}: ", self.client_id))?,
        };
        let options = Options {
            url: self.url.clone(),
            auth_realm: self.auth_realm.clone(),
            client_id: self.client_id.clone(),
            client_secret,
            ca_pem: authorities(self.ca_file.as_deref())?,
            resolve: Vec::new(),
            timeout: Duration::from_secs(300),
        };
        Client::new(options).map_err(failed)
    }
}

fn authorities(file: Option<&Path>) -> Result<Option<Vec<u8>>, Failed> {
    let Some(file) = file else { return Ok(None) };
    match std::fs::read(file) {
        Ok(pem) => Ok(Some(pem)),
        Err(error) => Err(Diagnostic::error(format!("`{}` cannot be read: {error}", file.display())).into()),
    }
}

/// The declaration in a file. Templates are a play's to render: the module `hostler.keycloak.realm` takes them.
fn read(file: &Path) -> Result<Declaration, Failed> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| Diagnostic::error(format!("`{name}` cannot be read: {error}")))?;
    let (node, _) = yaml::load_one(&text, &name)?;
    if let Some(template) = first_template(&node) {
        let problem = Diagnostic::error("this value has to be rendered, which only a play does").at(&template.span);
        return Err(problem.help("apply it with the module `hostler.keycloak.realm`, or write the value itself").into());
    }
    Declaration::parse(&node.to_value().to_json()).map_err(|error| match error {
        Error::Declaration { problems, .. } => problems_in(&name, problems),
        other => failed(other),
    })
}

fn problems_in(file: &str, problems: Vec<String>) -> Failed {
    let diagnostics = problems.into_iter().map(|problem| Diagnostic::error(format!("{file}: {problem}"))).collect();
    Failed { diagnostics, code: GENERIC }
}

fn first_template(node: &Node) -> Option<&Node> {
    if let Some(items) = node.as_seq() {
        return items.iter().find_map(first_template);
    }
    if let Some(entries) = node.as_map() {
        return entries.iter().find_map(|(_, value)| first_template(value));
    }
    node.needs_rendering().then_some(node)
}

fn failed(error: Error) -> Failed {
    Diagnostic::error(error.to_string()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_template_line(text: &str) -> Option<u32> {
        let (node, _) = yaml::load_one(text, "staff.yml").expect("it is YAML");
        first_template(&node).map(|found| found.span.line)
    }

    #[test]
    fn a_value_that_only_a_play_can_render_is_found_with_its_place() {
        assert_eq!(first_template_line("realm: staff\nclients:\n- clientId: app\n  secret: \"{{ vault_secret }}\"\n"), Some(4));
        assert_eq!(first_template_line("realm: staff\n"), None);
    }
}
