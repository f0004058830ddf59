//! Which Keycloak is meant, as whom, and from where it is asked: from here, or by the agent on a host of the inventory.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::de::DeserializeOwned;

use super::{locate, remote};
use crate::base::{Diagnostic, Node, Secret};
use crate::cli::failure::Failed;
use crate::cli::prompt::password_for;
use crate::cli::vault_sources::VaultSources;
use crate::keycloak::operation::{Operation, Progress, perform};
use crate::keycloak::{Client, Error, Options, blocking};

/// Where the service account's secret is looked for before it is asked for.
pub const SECRET: &str = "HOSTLER_REALM_SECRET";
const CLIENT: &str = "hostler";
const REALM: &str = "master";

#[derive(Debug, Args)]
pub struct Server {
    /// Where Keycloak answers; with --on, as seen from that host
    #[arg(long, value_name = "URL", env = "HOSTLER_REALM_URL")]
    pub url: Option<String>,
    /// Ask from this host of the inventory, over SSH: the Admin API stays private
    #[arg(long, value_name = "HOST")]
    pub on: Option<String>,
    /// The service account [default: hostler]
    #[arg(long, value_name = "CLIENT")]
    pub client_id: Option<String>,
    /// The realm in which it lives [default: master]
    #[arg(long, value_name = "REALM")]
    pub auth_realm: Option<String>,
    /// Authorities to trust besides the public ones, PEM
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    #[command(flatten)]
    pub inventory: Inventory,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Hosts")]
pub struct Inventory {
    /// Inventory file or folder
    #[arg(short = 'i', long = "inventory", value_name = "PATH")]
    pub sources: Vec<String>,
    /// Log in to the host as this user
    #[arg(short = 'u', long, value_name = "USER")]
    pub remote_user: Option<String>,
    /// Key to log in to the host with
    #[arg(long, value_name = "FILE")]
    pub private_key: Option<String>,
    /// Set variables; may stand several times
    #[arg(short, long, value_name = "k=v|JSON|@FILE")]
    pub extra_vars: Vec<String>,
    #[command(flatten)]
    pub vault: VaultSources,
}

/// The service account's secret, and the answers that were asked for: one command asks once.
#[derive(Debug, Default)]
pub struct Asked {
    secret: Option<Secret>,
}

impl Server {
    /// Carries out an operation. `declaration` is its source: templates in it are rendered with the variables of the host.
    ///
    /// # Errors
    /// Keycloak or the host cannot be reached, or refuses; the declaration is wrong.
    pub fn perform<T: DeserializeOwned>(
        &self,
        asked: &mut Asked,
        operation: &Operation,
        declaration: Option<&Node>,
        progress: Option<&Progress>,
    ) -> Result<T, Failed> {
        let answer = if self.on.is_some() || declaration.is_some_and(Node::needs_rendering) {
            remote::perform(self, asked, operation, declaration, progress)?
        } else {
            let client = self.client(asked)?;
            blocking::run(|| perform(&client, operation, progress)).map_err(|error| match (error, declaration) {
                (Error::Declaration { problems, .. }, Some(node)) => locate::problems(node, problems).into(),
                (other, _) => failed(other),
            })?
        };
        serde_json::from_value(answer).map_err(|error| Diagnostic::error(format!("the answer cannot be understood: {error}")).into())
    }

    /// The secret where it is given or was asked for; with --on, a variable of the host may have it.
    pub fn secret(&self, asked: &mut Asked) -> Result<Secret, Failed> {
        if let Some(secret) = &asked.secret {
            return Ok(secret.clone());
        }
        let secret = match given_secret() {
            Some(secret) => secret,
            None => password_for(&format!("Secret of the service account {}: ", self.client_id.as_deref().unwrap_or(CLIENT)))?,
        };
        asked.secret = Some(secret.clone());
        Ok(secret)
    }

    fn client(&self, asked: &mut Asked) -> Result<Client, Failed> {
        let Some(url) = self.url.clone() else {
            return Err(Failed::option("where is Keycloak? `--url URL`, or `--on HOST` to ask from a host of the inventory"));
        };
        let realm = self.auth_realm.as_deref().unwrap_or(REALM);
        let account = self.client_id.as_deref().unwrap_or(CLIENT);
        let secret = self.secret(asked)?;
        let options = Options { ca_pem: authorities(self.ca_file.as_deref())?, ..Options::new(url, realm, account, secret) };
        Client::new(options).map_err(failed)
    }
}

/// The secret of the environment.
pub fn given_secret() -> Option<Secret> {
    std::env::var(SECRET).ok().filter(|text| !text.is_empty()).map(Secret::new)
}

pub fn authorities(file: Option<&Path>) -> Result<Option<Vec<u8>>, Failed> {
    let Some(file) = file else { return Ok(None) };
    match std::fs::read(file) {
        Ok(pem) => Ok(Some(pem)),
        Err(error) => Err(Diagnostic::error(format!("`{}` cannot be read: {error}", file.display())).into()),
    }
}

pub fn failed(error: Error) -> Failed {
    match error {
        Error::Declaration { problems, .. } => problems.into_iter().map(Diagnostic::error).collect::<Vec<_>>().into(),
        other => Diagnostic::error(other.to_string()).into(),
    }
}
