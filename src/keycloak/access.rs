//! The permanent service account: made with the temporary bootstrap client, which then deletes itself.

use serde_json::json;

use super::client::{Client, Options, encode};
use super::error::{Error, Result};
use super::{Body, Json};
use crate::base::Secret;

/// The account to have, and what it may do in the realm it lives in.
pub struct ServiceAccount {
    pub client_id: String,
    pub client_secret: Secret,
    /// Realm roles by name, client roles as `client/role`.
    pub roles: Vec<String>,
}

/// What there is to do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bootstrap {
    /// The account is to be made, or given its secret or its roles.
    pub account: bool,
    /// The temporary client is still there.
    pub leftover: bool,
}

impl Bootstrap {
    pub fn is_done(&self) -> bool {
        !self.account && !self.leftover
    }
}

/// Asks both accounts to log in; writes nothing.
///
/// # Errors
/// When the server does not answer, or neither account may log in.
pub async fn look(account: &Client, bootstrap: Option<&Client>) -> Result<Bootstrap> {
    let works = allowed(account).await?;
    let leftover = match bootstrap {
        Some(bootstrap) => allowed(bootstrap).await?,
        None => false,
    };
    if !works && !leftover {
        // Asked again for its words: they name the account.
        account.log_in().await?;
    }
    Ok(Bootstrap { account: !works, leftover })
}

async fn allowed(client: &Client) -> Result<bool> {
    match client.log_in().await {
        Ok(()) => Ok(true),
        Err(Error::Credentials { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Makes the service account as it should be, then deletes the bootstrap client with its own token. Cut anywhere, it goes on where it was.
///
/// # Errors
/// When the bootstrap client lacks rights, or a role does not exist.
pub async fn establish(bootstrap: &Client, bootstrap_id: &str, realm: &str, account: &ServiceAccount) -> Result<()> {
    let base = format!("/admin/realms/{}", encode(realm));
    let id = make_client(bootstrap, &base, account).await.map_err(|error| error.of(format!("client {}", account.client_id)))?;
    grant(bootstrap, &base, &id, account).await?;
    for leftover in by_client_id(bootstrap, &base, bootstrap_id).await? {
        bootstrap.delete(&format!("{base}/clients/{}", leftover["id"].as_str().unwrap_or_default()), None).await?;
    }
    Ok(())
}

async fn by_client_id(client: &Client, base: &str, client_id: &str) -> Result<Vec<Json>> {
    client.list(&format!("{base}/clients?clientId={}", encode(client_id))).await
}

async fn make_client(bootstrap: &Client, base: &str, account: &ServiceAccount) -> Result<String> {
    // Lightweight tokens: the others grow by 550 bytes with each realm. Full scope: without it the roles do not count.
    let wanted = json!({
        "clientId": account.client_id,
        "description": "Hostler's service account",
        "secret": account.client_secret.expose(),
        "enabled": true,
        "publicClient": false,
        "serviceAccountsEnabled": true,
        "standardFlowEnabled": false,
        "directAccessGrantsEnabled": false,
        "fullScopeAllowed": true,
        "attributes": {"client.use.lightweight.access.token.enabled": "true"},
    });
    let Some(found) = by_client_id(bootstrap, base, &account.client_id).await?.into_iter().next() else {
        let created = bootstrap.post(&format!("{base}/clients"), &wanted).await?;
        return created.id.ok_or_else(|| Error::Refused("Keycloak named no id for the new client".into()));
    };
    let id = found["id"].as_str().unwrap_or_default().to_owned();
    let mut body: Body = found.as_object().cloned().unwrap_or_default();
    body.remove("protocolMappers");
    body.extend(wanted.as_object().cloned().unwrap_or_default());
    bootstrap.put(&format!("{base}/clients/{id}"), &body.into()).await?;
    Ok(id)
}

async fn grant(bootstrap: &Client, base: &str, client: &str, account: &ServiceAccount) -> Result<()> {
    let user = bootstrap.get(&format!("{base}/clients/{client}/service-account-user")).await?;
    let mappings = format!("{base}/users/{}/role-mappings", user["id"].as_str().unwrap_or_default());
    for role in &account.roles {
        let (roles, target) = match role.split_once('/') {
            Some((owner, name)) => {
                let owners = by_client_id(bootstrap, base, owner).await?;
                let Some(owner) = owners.first().and_then(|owner| owner["id"].as_str()) else { return Err(no_role(account, role)) };
                (format!("{base}/clients/{owner}/roles/{}", encode(name)), format!("{mappings}/clients/{owner}"))
            }
            None => (format!("{base}/roles/{}", encode(role)), format!("{mappings}/realm")),
        };
        let Some(found) = bootstrap.find(&roles).await? else { return Err(no_role(account, role)) };
        // Granting what is granted is no error, and changes nothing.
        bootstrap.post(&target, &json!([{"id": found["id"], "name": found["name"]}])).await?;
    }
    Ok(())
}

fn no_role(account: &ServiceAccount, role: &str) -> Error {
    Error::Reference { object: format!("client {}", account.client_id), needs: format!("role `{role}`") }
}

/// The same server, as somebody else.
pub fn as_account(url: &str, realm: &str, client_id: &str, client_secret: &Secret, ca_pem: Option<Vec<u8>>) -> Result<Client> {
    let options = Options::new(url, realm, client_id, client_secret.clone());
    Client::new(Options { ca_pem, timeout: std::time::Duration::from_secs(60), ..options })
}
