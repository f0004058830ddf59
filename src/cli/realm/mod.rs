//! `hostler realm`: a Keycloak realm as declared in a file: planned, applied, exported, adopted, verified, destroyed.

mod convert;
mod file;
mod handout;
mod inspect;
mod locate;
mod remote;
mod server;
mod terraform;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use self::file::{Given, SavedPlan};
use self::server::{Asked, Server};
use super::failure::{Failed, Outcome, print, warn};
use super::prompt::Terminal;
use crate::base::{Diagnostic, Node, Value};
use crate::engine::request::Console;
use crate::keycloak::maintenance::Rotation;
use crate::keycloak::operation::{self, Applied, Planned, Progress};
use crate::keycloak::plan::Operation;
use crate::keycloak::{Json, Plan, render};
use crate::yaml;

/// A plan that has something to do; 0: nothing, 1: an error.
const CHANGES: u8 = 2;

/// A Keycloak realm as a file declares it: plan, apply, export, adopt, verify, destroy
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler realm plan realms/staff.yml --on idp1 -i inventory/demo.yml\n\
    The service account's secret is read from $HOSTLER_REALM_SECRET, else (--on) from the host's variable\n\
    keycloak_realm_service_client_secret, else asked for.")]
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
        server: Box<Server>,
        /// Save the plan; apply carries it out as long as the realm does not move
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
    /// Make the realm as declared, after showing the plan and asking
    Apply {
        /// The declaration, or a saved plan
        file: PathBuf,
        #[command(flatten)]
        server: Box<Server>,
        /// Do not ask; needed without a terminal
        #[arg(short, long)]
        yes: bool,
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
    /// Print a declaration of a realm: only what was chosen, without what every realm has
    Export {
        realm: String,
        #[command(flatten)]
        server: Box<Server>,
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
    /// Write a declaration that owns the realm as it is: a plan of it has nothing to do
    Adopt {
        realm: String,
        /// The folder for REALM.yml
        #[arg(short, long, value_name = "FOLDER", default_value = ".")]
        out: PathBuf,
        /// Overwrite the file that is there
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        server: Box<Server>,
    },
    /// Turn a file of keycloak-config-cli, or of `terraform show -json`, into a declaration
    Convert(convert::ConvertArgs),
    /// Say what a user may do and what tokens tell of it, with reasons; then log in as that user
    Verify(Box<inspect::VerifyArgs>),
    /// Print a realm's endpoints and audiences, for the configuration of applications
    Endpoints(Box<inspect::EndpointsArgs>),
    /// Print who has which roles, and why
    Access(Box<inspect::AccessArgs>),
    /// Print the path and the id of every group
    Groups {
        realm: String,
        #[command(flatten)]
        server: Box<Server>,
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
    /// Take users over from a user federation
    Sync {
        realm: String,
        /// The federation's name
        federation: String,
        /// Only what changed since the last time
        #[arg(long)]
        changed: bool,
        #[command(flatten)]
        server: Box<Server>,
    },
    /// Let new keys sign; the old ones check what they signed until they are pruned
    RotateKeys {
        realm: String,
        /// Delete the keys that an earlier rotation retired
        #[arg(long)]
        prune: bool,
        #[command(flatten)]
        server: Box<Server>,
    },
    /// Delete a realm with everything in it
    Destroy {
        realm: String,
        #[command(flatten)]
        server: Box<Server>,
        /// Do not ask; needed without a terminal
        #[arg(short, long)]
        yes: bool,
    },
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
        Verb::Plan { file, server, out, output } => plan(&file, &server, out.as_deref(), output),
        Verb::Apply { file, server, yes, output } => apply(&file, *server, yes, output),
        Verb::Export { realm, server, output } => export(&realm, &server, output),
        Verb::Adopt { realm, out, force, server } => adopt(&realm, &out, force, &server),
        Verb::Convert(args) => convert::convert(&args),
        Verb::Verify(args) => inspect::verify(*args),
        Verb::Endpoints(args) => inspect::endpoints(&args),
        Verb::Access(args) => inspect::access(&args),
        Verb::Groups { realm, server, output } => groups(&realm, &server, output),
        Verb::Sync { realm, federation, changed, server } => sync(realm, federation, changed, &server),
        Verb::RotateKeys { realm, prune, server } => rotate_keys(realm, prune, &server),
        Verb::Destroy { realm, server, yes } => destroy(&realm, &server, yes),
    }
}

fn plan(path: &Path, server: &Server, out: Option<&Path>, output: Output) -> Outcome {
    let node = file::read_declaration(path)?;
    let planned: Planned = server.perform(&mut Asked::default(), &file::plan_of(&node), Some(&node), None)?;
    let code = if planned.plan.is_empty() { 0 } else { CHANGES };
    warn(&locate::warnings(&node, &planned.plan.warnings));
    show(&planned.plan, output)?;
    if let Some(out) = out {
        SavedPlan::new(path, server, planned)?.write(out)?;
        if output == Output::Text {
            print(&format!(" saved: hostler realm apply {}\n", out.display()))?;
        }
    }
    Ok(code)
}

fn show(plan: &Plan, output: Output) -> Outcome {
    match output {
        Output::Text => print(&render::text(plan)),
        Output::Json => print(&format!("{}\n", as_json(plan))),
    }
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
    let generated = plan.generated.as_ref().map(|due| json!({"file": due.file, "vault": due.vault, "secrets": due.secrets}));
    json!({"realm": plan.realm, "actions": actions, "generated": generated, "warnings": plan.warnings, "add": count(Operation::Create),
        "change": count(Operation::Update) + count(Operation::Rebuild) + count(Operation::Move), "delete": count(Operation::Delete), "same": plan.same})
}

fn apply(path: &Path, mut server: Server, yes: bool, output: Output) -> Outcome {
    let mut asked = Asked::default();
    let (node, declaration, saved) = match file::read(path)? {
        Given::Declaration(node) => (node, path.to_owned(), None),
        Given::Plan(saved, node) => {
            saved.complete(&mut server);
            (node, saved.declaration.clone(), Some(*saved))
        }
    };
    let planned = match saved {
        Some(saved) => Planned { plan: saved.plan, seal: saved.seal },
        None => server.perform(&mut asked, &file::plan_of(&node), Some(&node), None)?,
    };
    warn(&locate::warnings(&node, &planned.plan.warnings));
    if output == Output::Text || planned.plan.is_empty() {
        show(&planned.plan, output)?;
    }
    if planned.plan.is_empty() {
        return Ok(0);
    }
    agreed(&format!("Apply this to realm {}? [y/N] ", planned.plan.realm), yes)?;
    // What was shown is what is done: a realm that moved while the question stood is refused.
    let due = planned.plan.generated.as_ref();
    let made = due.map(|due| handout::hand_out(due, &declaration, &server)).transpose()?.unwrap_or_default();
    let operation = file::apply_of(&node, Some(planned.seal), made);
    let applied = write(&server, &mut asked, &node, &operation, output)?;
    match output {
        Output::Json => show(&applied.plan, output),
        Output::Text => {
            let handed_out = due.map(|due| format!(" {} has the secrets that were made; they are not shown again\n", due.file));
            let done = format!(" realm {} is as declared ({} requests)\n", applied.plan.realm, applied.requests);
            print(&(handed_out.unwrap_or_default() + &done))
        }
    }
}

fn write(server: &Server, asked: &mut Asked, node: &Node, operation: &operation::Operation, output: Output) -> Result<Applied, Failed> {
    let progress: Progress = std::sync::Arc::new(move |line: &str| {
        if output == Output::Text {
            // A reader who has left is no reason to stop half-way.
            let _left = print(&format!(" … {line}\n"));
        }
    });
    server.perform(asked, operation, Some(node), Some(&progress))
}

fn read_whole(realm: &str, adopt: bool, server: &Server) -> Result<Json, Failed> {
    let operation = operation::Operation::Export { realm: realm.to_owned(), adopt };
    server.perform(&mut Asked::default(), &operation, None, None)
}

fn as_yaml(declaration: Json) -> String {
    let style = yaml::emit::YamlStyle { indent: 2, sort_keys: false, ..yaml::emit::YamlStyle::nice() };
    yaml::emit::to_yaml(&Value::from_json(declaration), &style)
}

fn export(realm: &str, server: &Server, output: Output) -> Outcome {
    let declaration = read_whole(realm, false, server)?;
    match output {
        Output::Text => print(&as_yaml(declaration)),
        Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(&declaration).unwrap_or_default())),
    }
}

fn adopt(realm: &str, folder: &Path, force: bool, server: &Server) -> Outcome {
    let path = folder.join(format!("{}.yml", realm.replace('/', "_")));
    if path.exists() && !force {
        return Err(Diagnostic::error(format!("`{}` is there already", path.display())).help("overwrite it with `--force`").into());
    }
    let declaration = read_whole(realm, true, server)?;
    std::fs::create_dir_all(folder)
        .map_err(|error| Diagnostic::error(format!("the folder `{}` cannot be made: {error}", folder.display())))?;
    file::write_private(&path, &as_yaml(declaration))?;
    print(&format!(" realm {realm} is adopted: {}\n", path.display()))
}

fn groups(realm: &str, server: &Server, output: Output) -> Outcome {
    let operation = operation::Operation::Groups { realm: realm.to_owned() };
    let groups: Json = server.perform(&mut Asked::default(), &operation, None, None)?;
    if output == Output::Json {
        return print(&format!("{groups}\n"));
    }
    let line = |group: &Json| format!("{}  {}\n", group["id"].as_str().unwrap_or_default(), group["path"].as_str().unwrap_or_default());
    print(&groups.as_array().into_iter().flatten().map(line).collect::<String>())
}

fn sync(realm: String, federation: String, changed: bool, server: &Server) -> Outcome {
    let operation = operation::Operation::Sync { realm, federation: federation.clone(), changed };
    let done: Json = server.perform(&mut Asked::default(), &operation, None, None)?;
    let count = |field: &str| done[field].as_u64().unwrap_or(0);
    let (added, updated, removed, failed) = (count("added"), count("updated"), count("removed"), count("failed"));
    print(&format!(" {federation}: {added} added, {updated} updated, {removed} removed, {failed} failed\n"))?;
    Ok(u8::from(failed > 0))
}

fn rotate_keys(realm: String, prune: bool, server: &Server) -> Outcome {
    let done: Rotation = server.perform(&mut Asked::default(), &operation::Operation::RotateKeys { realm, prune }, None, None)?;
    let list = |what: &str, names: &[String]| names.iter().map(|name| format!(" {what} {name}\n")).collect::<String>();
    let text = list("+", &done.made) + &list("retired", &done.retired) + &list("-", &done.deleted);
    print(if text.is_empty() { " nothing to do\n" } else { &text })
}

fn destroy(realm: &str, server: &Server, yes: bool) -> Outcome {
    agreed(&format!("Delete realm {realm} with everything in it? [y/N] "), yes)?;
    let operation = operation::Operation::Destroy { realm: realm.to_owned() };
    match server.perform::<bool>(&mut Asked::default(), &operation, None, None)? {
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
        return Err(Failed { code: super::failure::GENERIC, ..Failed::option("there is no terminal to ask on: `--yes` is needed") });
    }
    let answer = terminal.ask(question, false).map_err(|error| Diagnostic::error(format!("the answer cannot be read: {error}")))?;
    match answer.as_deref().map(str::trim) {
        Some("y" | "Y" | "yes") => Ok(()),
        _ => Err(Diagnostic::error("nothing was done").into()),
    }
}
