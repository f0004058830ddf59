//! `hostler realm verify`, `endpoints`, `access`: questions about a realm.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::file;
use super::server::{Asked, Server, authorities, failed};
use crate::base::{Diagnostic, Secret, Value};
use crate::cli::failure::{Failed, Outcome, print};
use crate::cli::prompt::password_for;
use crate::keycloak::inspect::access::UserAccess;
use crate::keycloak::inspect::endpoints::helm;
use crate::keycloak::inspect::token::{ClientToken, Verified};
use crate::keycloak::login::{Login, log_in};
use crate::keycloak::operation::Operation;
use crate::keycloak::{Json, blocking};
use crate::yaml;

/// Where a user's password is looked for before it is asked for.
const PASSWORD: &str = "HOSTLER_USER_PASSWORD";
const CLIENT_SECRET: &str = "HOSTLER_CLIENT_SECRET";

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A realm, or the declaration of one: then its clients are looked at
    target: String,
    /// Whose access
    #[arg(long)]
    user: String,
    /// What tokens tell this client; may stand several times
    #[arg(long = "client", value_name = "CLIENT")]
    clients: Vec<String>,
    /// A claim that each token must have; may stand several times. One that is missing makes the exit code 1
    #[arg(long = "claim", value_name = "CLAIM")]
    claims: Vec<String>,
    /// Do not log in; the password ($HOSTLER_USER_PASSWORD, else asked for) is not needed then
    #[arg(long)]
    no_login: bool,
    /// Where the first client lets Keycloak send the code, when it takes no passwords itself
    #[arg(long, value_name = "URI")]
    redirect_uri: Option<String>,
    /// The public URL of Keycloak, when it is another than it says itself
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    #[command(flatten)]
    server: Server,
    #[arg(long, value_enum, default_value = "text")]
    output: super::Output,
}

#[derive(Debug, Args)]
pub struct EndpointsArgs {
    realm: String,
    /// Only this client's audience; may stand several times
    #[arg(long = "client", value_name = "CLIENT")]
    clients: Vec<String>,
    #[command(flatten)]
    server: Server,
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

#[derive(Debug, Args)]
pub struct AccessArgs {
    realm: String,
    /// One user, with sessions and linked identities: what has to go when somebody leaves
    #[arg(long)]
    user: Option<String>,
    /// Only who has this role: a realm role, or CLIENT/ROLE
    #[arg(long)]
    role: Option<String>,
    #[command(flatten)]
    server: Server,
    #[arg(long, value_enum, default_value = "text")]
    output: super::Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    /// Values of a Helm chart
    Helm,
}

pub fn endpoints(args: &EndpointsArgs) -> Outcome {
    let operation = Operation::Endpoints { realm: args.realm.clone(), clients: args.clients.clone() };
    let found: Json = args.server.perform(&mut Asked::default(), &operation, None, None)?;
    match args.output {
        Format::Json => print(&format!("{}\n", pretty(&found))),
        Format::Helm => print(&yaml::emit::to_yaml(&Value::from_json(helm(&found)), &yaml::emit::YamlStyle::nice())),
        Format::Text => {
            let line = |(field, value): (&String, &Json)| match value.as_array() {
                Some(items) => format!(" {field:22}{}\n", items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", ")),
                None => format!(" {field:22}{}\n", value.as_str().unwrap_or_default()),
            };
            print(&found.as_object().into_iter().flatten().map(line).collect::<String>())
        }
    }
}

pub fn access(args: &AccessArgs) -> Outcome {
    let operation = Operation::Access { realm: args.realm.clone(), user: args.user.clone() };
    let mut found: Vec<UserAccess> = args.server.perform(&mut Asked::default(), &operation, None, None)?;
    if let Some(role) = &args.role {
        for user in &mut found {
            user.roles.retain(|held| held.role == *role);
        }
        found.retain(|user| !user.roles.is_empty());
    }
    match args.output {
        super::Output::Json => print(&format!("{}\n", pretty(&serde_json::to_value(&found).unwrap_or_default()))),
        super::Output::Text => print(&found.iter().map(describe).collect::<String>()),
    }
}

/// ` ann (disabled)`, then groups, then each role with its reasons.
fn describe(user: &UserAccess) -> String {
    let state = if user.enabled { "" } else { "   (disabled)" };
    let mut out = format!(" {}{state}\n", user.username);
    let mut line = |label: &str, text: String| out.push_str(&format!("   {label:10}{text}\n"));
    if !user.groups.is_empty() {
        line("groups", user.groups.join(", "));
    }
    for (index, role) in user.roles.iter().enumerate() {
        line(if index == 0 { "roles" } else { "" }, format!("{:32} {}", role.role, role.because.join("; ")));
    }
    if user.sessions > 0 {
        line("sessions", user.sessions.to_string());
    }
    if !user.identities.is_empty() {
        line("linked to", user.identities.join(", "));
    }
    out
}

pub fn verify(args: VerifyArgs) -> Outcome {
    let (realm, declared) = target(&args.target)?;
    let clients = if args.clients.is_empty() { declared } else { args.clients.clone() };
    let operation =
        Operation::Verify { realm: realm.clone(), user: args.user.clone(), clients: clients.clone(), claims: args.claims.clone() };
    let found: Verified = args.server.perform(&mut Asked::default(), &operation, None, None)?;
    match args.output {
        super::Output::Json => print(&format!("{}\n", pretty(&serde_json::to_value(&found).unwrap_or_default())))?,
        super::Output::Text => print(&explain(&found))?,
    };
    let lacks = |token: &ClientToken| args.claims.iter().any(|claim| token.claims.get(claim.as_str()).is_none());
    let code = u8::from(found.clients.iter().any(lacks));
    if args.no_login || code != 0 {
        return Ok(code);
    }
    let Some(client) = clients.first() else {
        return Err(Failed::option("through which client shall the user log in? `--client CLIENT`, or `--no-login`"));
    };
    log_in_as(&args, realm, client, &found)
}

/// The realm, and the clients that a declaration names.
fn target(text: &str) -> Result<(String, Vec<String>), Failed> {
    let path = Path::new(text);
    if !path.is_file() {
        return Ok((text.to_owned(), Vec::new()));
    }
    let declaration = file::json(&file::read_declaration(path)?);
    let realm = declaration["realm"].as_str().unwrap_or_default().to_owned();
    let clients = declaration["clients"].as_array().into_iter().flatten();
    let clients: BTreeSet<String> = clients.filter_map(|client| client["clientId"].as_str().map(str::to_owned)).collect();
    Ok((realm, clients.into_iter().collect()))
}

fn explain(found: &Verified) -> String {
    let mut out = describe(&found.user);
    for client in &found.clients {
        out.push_str(&format!("   client {}\n     scopes  {}\n", client.client, client.scopes.join(", ")));
        out.push_str(&format!("     roles   {}\n", if client.roles.is_empty() { "none".into() } else { client.roles.join(", ") }));
        let claims = client.claims.as_object().into_iter().flatten();
        let own = claims.filter(|(name, _)| !matches!(name.as_str(), "exp" | "iat" | "jti" | "sid" | "typ" | "acr"));
        for (name, value) in own {
            out.push_str(&format!("     claim   {name}: {value}\n"));
        }
        client.missing.iter().for_each(|missing| out.push_str(&format!("     ! {missing}\n")));
    }
    found.obstacles.iter().for_each(|obstacle| out.push_str(&format!("   ! {obstacle}\n")));
    out
}

fn log_in_as(args: &VerifyArgs, realm: String, client: &str, found: &Verified) -> Outcome {
    let public = args.public_url.clone().or_else(|| found.issuer.split_once("/realms/").map(|(base, _)| base.to_owned()));
    let Some(url) = public else {
        return Err(Diagnostic::error("Keycloak does not say its public address").help("give it with `--public-url`").into());
    };
    let password = match std::env::var(PASSWORD) {
        Ok(text) => Secret::new(text),
        Err(_) => password_for(&format!("Password of {}: ", args.user))?,
    };
    let ca_file: Option<&PathBuf> = args.server.ca_file.as_ref();
    let login = Login {
        url,
        realm,
        client_id: client.to_owned(),
        client_secret: std::env::var(CLIENT_SECRET).ok().map(Secret::new),
        username: args.user.clone(),
        password,
        redirect_uri: args.redirect_uri.clone(),
        scope: "openid".into(),
        ca_pem: authorities(ca_file.map(PathBuf::as_path))?,
        resolve: Vec::new(),
    };
    let token = blocking::run(|| log_in(&login)).map_err(failed)?;
    if args.output == super::Output::Json {
        return Ok(0);
    }
    let groups = if token.groups.is_empty() { "no groups".to_owned() } else { token.groups.join(", ") };
    print(&format!(" {} logs in to {client} ({} grant): {groups}\n", args.user, token.grant))
}

fn pretty(value: &Json) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
