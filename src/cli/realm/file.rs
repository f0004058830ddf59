//! Files: declarations with their places, and saved plans.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::locate;
use super::server::{Server, failed};
use crate::base::{Diagnostic, Node};
use crate::cli::failure::Failed;
use crate::keycloak::generated::Made;
use crate::keycloak::operation::{Operation, Planned};
use crate::keycloak::seal::Seal;
use crate::keycloak::{Declaration, Error, Json, Plan};
use crate::yaml;

/// A plan that was saved: what it would do, what it is bound to, and where it is for. It holds no secret.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedPlan {
    /// Tells such a file from a declaration.
    hostler_plan: u32,
    pub declaration: PathBuf,
    url: Option<String>,
    on: Option<String>,
    client_id: Option<String>,
    auth_realm: Option<String>,
    pub plan: Plan,
    pub seal: Seal,
}

/// What a file on the command line is.
pub enum Given {
    Declaration(Node),
    Plan(Box<SavedPlan>, Node),
}

const FORMAT: u32 = 1;

impl SavedPlan {
    pub fn new(declaration: &Path, server: &Server, planned: Planned) -> Result<Self, Failed> {
        let declaration = std::fs::canonicalize(declaration)
            .map_err(|error| Diagnostic::error(format!("`{}` cannot be found again: {error}", declaration.display())))?;
        Ok(SavedPlan {
            hostler_plan: FORMAT,
            declaration,
            url: server.url.clone(),
            on: server.on.clone(),
            client_id: server.client_id.clone(),
            auth_realm: server.auth_realm.clone(),
            plan: planned.plan,
            seal: planned.seal,
        })
    }

    pub fn write(&self, path: &Path) -> Result<(), Failed> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        write_private(path, &text)
    }

    /// Where the plan was made is where it is applied, unless the command line says otherwise.
    pub fn complete(&self, server: &mut Server) {
        if server.on.is_none() && server.url.is_none() {
            server.on = self.on.clone();
        }
        server.url = server.url.take().or_else(|| self.url.clone());
        server.client_id = server.client_id.take().or_else(|| self.client_id.clone());
        server.auth_realm = server.auth_realm.take().or_else(|| self.auth_realm.clone());
    }
}

/// Writes a file that only its owner reads.
pub fn write_private(path: &Path, text: &str) -> Result<(), Failed> {
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = open.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Diagnostic::error(format!("`{}` cannot be written: {error}", path.display())).into())
}

/// Reads a declaration or a saved plan, and checks it as far as it can be without a server.
///
/// # Errors
/// It cannot be read, or is wrong.
pub fn read(path: &Path) -> Result<Given, Failed> {
    let (node, text) = load(path)?;
    if node.get("hostler_plan").is_none() {
        check(&node)?;
        return Ok(Given::Declaration(node));
    }
    let plan: SavedPlan = serde_json::from_str(&text)
        .map_err(|error| Diagnostic::error(format!("`{}` is no plan of this version: {error}", path.display())).help("make a new plan"))?;
    let (declaration, _) = load(&plan.declaration)?;
    check(&declaration)?;
    Ok(Given::Plan(Box::new(plan), declaration))
}

/// A declaration, and nothing else.
pub fn read_declaration(path: &Path) -> Result<Node, Failed> {
    match read(path)? {
        Given::Declaration(node) => Ok(node),
        Given::Plan(..) => Err(Diagnostic::error(format!("`{}` is a saved plan, not a declaration", path.display())).into()),
    }
}

fn load(path: &Path) -> Result<(Node, String), Failed> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Diagnostic::error(format!("`{name}` cannot be read: {error}")))?;
    let (node, _) = yaml::load_one(&text, &name)?;
    Ok((node, text))
}

/// Everything that is wrong in it, at once and before any request.
fn check(node: &Node) -> Result<(), Failed> {
    match Declaration::parse(&json(node)) {
        Ok(_) => Ok(()),
        Err(Error::Declaration { problems, .. }) => Err(locate::problems(node, problems).into()),
        Err(other) => Err(failed(other)),
    }
}

pub fn json(node: &Node) -> Json {
    node.to_value().to_json()
}

/// The operation for a declaration; one with templates is rendered where it is carried out.
pub fn plan_of(node: &Node) -> Operation {
    Operation::Plan { declaration: if node.needs_rendering() { Json::Null } else { json(node) } }
}

pub fn apply_of(node: &Node, seal: Option<Seal>, made: Made) -> Operation {
    Operation::Apply { declaration: if node.needs_rendering() { Json::Null } else { json(node) }, seal, made }
}
