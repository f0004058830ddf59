//! One thing that can be asked of a realm, as data: so that it can be asked from here, or by the agent on the host where the Admin API is.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::apply::{self, Terms};
use super::client::Client;
use super::declaration::Declaration;
use super::error::{Error, Result};
use super::generated::Made;
use super::plan::Plan;
use super::seal::Seal;
use super::{Json, export, inspect, maintenance, reader};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Operation {
    /// Answers [`Planned`].
    Plan { declaration: Json },
    /// Answers [`Applied`]. With a seal, only when neither the declaration nor the realm moved since.
    Apply {
        declaration: Json,
        #[serde(default)]
        seal: Option<Seal>,
        /// The secrets that the plan wanted to be made, and that were handed out.
        #[serde(default)]
        made: Made,
    },
    /// Answers a declaration; with `adopt`, one that owns what it declares.
    Export {
        realm: String,
        #[serde(default)]
        adopt: bool,
    },
    /// Answers whether there was one.
    Destroy { realm: String },
    /// Answers a list of `{path, id}`.
    Groups { realm: String },
    /// Answers the endpoints and audiences for applications.
    Endpoints { realm: String, clients: Vec<String> },
    /// Answers a list of [`inspect::access::UserAccess`].
    Access { realm: String, user: Option<String> },
    /// Answers [`inspect::token::Verified`].
    Verify {
        realm: String,
        user: String,
        clients: Vec<String>,
        /// Claims that each token should have.
        #[serde(default)]
        claims: Vec<String>,
    },
    /// Takes over users, groups or roles of a federation. Answers what Keycloak counts.
    Sync {
        realm: String,
        federation: String,
        /// Only what changed since the last time.
        changed: bool,
    },
    /// Puts new keys before the active ones of the generated kinds, which stay to check what they signed. Answers what was done.
    RotateKeys {
        realm: String,
        /// Deletes the keys that an earlier rotation retired, instead.
        prune: bool,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Planned {
    pub plan: Plan,
    pub seal: Seal,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Applied {
    pub plan: Plan,
    pub requests: u32,
}

/// Receives a line for each step of a long apply.
pub type Progress = std::sync::Arc<dyn Fn(&str) + Send + Sync>;

impl Operation {
    /// What it would write to, as a record of a dry run has it; none for what only reads.
    pub fn writes(&self) -> Option<&str> {
        match self {
            Operation::Apply { declaration, .. } => declaration["realm"].as_str(),
            Operation::Destroy { realm } | Operation::Sync { realm, .. } | Operation::RotateKeys { realm, .. } => Some(realm),
            _ => None,
        }
    }
}

/// Carries it out.
///
/// # Errors
/// As what is asked for has them.
pub async fn perform(client: &Client, operation: &Operation, progress: Option<&Progress>) -> Result<Json> {
    match operation {
        Operation::Plan { declaration } => {
            let parsed = Declaration::parse(declaration)?;
            client.log_in().await?;
            let reading = reader::read(client, &parsed).await?;
            let plan = apply::compare(client, &parsed, reading.as_ref())?;
            answer(&Planned { plan, seal: Seal::new(declaration, reading.as_ref(), client.secret()) })
        }
        Operation::Apply { declaration, seal, made } => {
            let terms = Terms { seal: seal.as_ref().map(|seal| (declaration, seal)), progress };
            let mut parsed = Declaration::parse(declaration)?;
            parsed.take(made.clone());
            let plan = apply::apply_on_terms(client, &parsed, terms).await?;
            answer(&Applied { plan, requests: client.requests() })
        }
        Operation::Export { realm, adopt } => {
            client.log_in().await?;
            let declaration = Declaration::everything(realm);
            let Some(reading) = reader::read(client, &declaration).await? else {
                return Err(Error::Refused(format!("there is no realm `{realm}`, or the account may not see it")));
            };
            let mut body = export::minimal(&reading.model, realm);
            if *adopt {
                body.insert("hostler".into(), json!({"ownership": export::owned(&body)}));
            }
            Ok(body.into())
        }
        Operation::Destroy { realm } => Ok(apply::delete_realm(client, realm).await?.into()),
        Operation::Groups { realm } => inspect::groups(client, realm).await,
        Operation::Endpoints { realm, clients } => inspect::endpoints::endpoints(client, realm, clients).await,
        Operation::Access { realm, user } => answer(&inspect::access::access(client, realm, user.as_deref()).await?),
        Operation::Verify { realm, user, clients, claims } => answer(&inspect::token::verify(client, realm, user, clients, claims).await?),
        Operation::Sync { realm, federation, changed } => maintenance::sync(client, realm, federation, *changed).await,
        Operation::RotateKeys { realm, prune } => answer(&maintenance::rotate_keys(client, realm, *prune).await?),
    }
}

fn answer(value: &impl Serialize) -> Result<Json> {
    serde_json::to_value(value).map_err(|error| Error::Refused(format!("the answer cannot be written down: {error}")))
}
