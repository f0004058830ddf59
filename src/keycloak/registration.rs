//! Clients through OpenID Connect's own dynamic registration: with an initial access token at first, with the registration access token from
//! then on, which the server changes with each update. Whoever registers keeps what the server answered; what was lost is mended through
//! the Admin API.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::{Client, encode};
use super::error::{Error, Result};
use super::{Body, Json};
use crate::base::Secret;

/// What a registration leaves with the one who registered: it holds secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    pub client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    pub registration_client_uri: String,
    pub registration_access_token: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Same,
    Registered,
    Updated,
    /// The client was there and the token was not good: it has a new one.
    TokenRenewed,
}

/// Minutes that an initial access token is good for: it is used at once.
const LIFE: u64 = 2;

/// Says what there is to do, and writes nothing.
///
/// # Errors
/// The server does not answer, or refuses.
pub async fn look(client: &Client, realm: &str, wanted: &Body, stored: Option<&Stored>) -> Result<Outcome> {
    let Some(stored) = stored else { return Ok(Outcome::Registered) };
    match read(client, stored).await {
        Ok(found) if is_met(wanted, &found) => Ok(Outcome::Same),
        Ok(_) => Ok(Outcome::Updated),
        Err(error) if is_refused(&error) => match by_client_id(client, realm, &stored.client_id).await? {
            Some(_) => Ok(Outcome::TokenRenewed),
            None => Ok(Outcome::Registered),
        },
        Err(other) => Err(other),
    }
}

/// Makes the client as described, and answers what is to be kept from now on. `keep` is called with each answer that holds a new token,
/// before anything else is asked: a token that is lost is a client that cannot be changed.
///
/// # Errors
/// The server does not answer, or refuses; or `keep` fails.
pub async fn register(
    client: &Client,
    realm: &str,
    wanted: &Body,
    stored: Option<&Stored>,
    keep: &mut (dyn FnMut(&Stored) -> Result<()> + Send),
) -> Result<(Stored, Outcome)> {
    let mut renewed = false;
    let stored = match stored {
        Some(stored) => match read(client, stored).await {
            Ok(found) if is_met(wanted, &found) => return Ok((stored.clone(), Outcome::Same)),
            Ok(_) => Some(stored.clone()),
            // Both an old token and a client that is gone are a 401: the Admin API tells them apart.
            Err(error) if is_refused(&error) => {
                renewed = true;
                renew(client, realm, &stored.client_id, stored.client_secret.clone()).await?
            }
            Err(other) => return Err(other),
        },
        None => match by_name(client, realm, wanted).await? {
            // Registered by a run that was cut before it could keep the answer.
            Some(id) => renew(client, realm, &id, None).await?,
            None => None,
        },
    };
    let Some(stored) = stored else {
        let made = first(client, realm, wanted).await?;
        keep(&made)?;
        return Ok((made, Outcome::Registered));
    };
    keep(&stored)?;
    if renewed && is_met(wanted, &read(client, &stored).await?) {
        return Ok((stored, Outcome::TokenRenewed));
    }
    let mut body = wanted.clone();
    body.insert("client_id".into(), stored.client_id.as_str().into());
    let answer = client.request_as("PUT", path(&stored)?, Some(&body.into()), &token(&stored)).await?;
    let updated = taken(&answer, stored.client_secret)?;
    keep(&updated)?;
    Ok((updated, Outcome::Updated))
}

/// Deletes the client; what is gone is gone.
///
/// # Errors
/// The server does not answer, or refuses.
pub async fn deregister(client: &Client, realm: &str, stored: &Stored) -> Result<()> {
    match client.request_as("DELETE", path(stored)?, None, &token(stored)).await {
        Err(error) if is_refused(&error) => match by_client_id(client, realm, &stored.client_id).await {
            Ok(Some(id)) => client.delete(&format!("/admin/realms/{}/clients/{id}", encode(realm)), None).await,
            Ok(None) => Ok(()),
            Err(error) if error.is_missing() => Ok(()),
            Err(other) => Err(other),
        },
        // The realm went first, and its clients with it.
        Err(error) if error.is_missing() => Ok(()),
        other => other.map(|_| ()),
    }
}

async fn first(client: &Client, realm: &str, wanted: &Body) -> Result<Stored> {
    let path = format!("/admin/realms/{}/clients-initial-access", encode(realm));
    let token = client.post(&path, &json!({"count": 1, "expiration": LIFE * 60})).await?.body;
    let token = Secret::new(token["token"].as_str().unwrap_or_default());
    let path = format!("/realms/{}/clients-registrations/openid-connect", encode(realm));
    let answer = client.request_as("POST", &path, Some(&Json::Object(wanted.clone())), &token).await?;
    taken(&answer, None)
}

/// A new registration token for a client that is there; none when it is not.
async fn renew(client: &Client, realm: &str, client_id: &str, secret: Option<String>) -> Result<Option<Stored>> {
    let Some(id) = by_client_id(client, realm, client_id).await? else { return Ok(None) };
    let base = format!("/admin/realms/{}/clients/{id}", encode(realm));
    let answer = client.post(&format!("{base}/registration-access-token"), &json!({})).await?.body;
    let secret = match secret {
        Some(secret) => Some(secret),
        None => client.get(&format!("{base}/client-secret")).await?["value"].as_str().map(str::to_owned),
    };
    Ok(Some(Stored {
        client_id: client_id.to_owned(),
        client_secret: secret,
        registration_client_uri: format!("/realms/{}/clients-registrations/openid-connect/{}", encode(realm), encode(client_id)),
        registration_access_token: answer["registrationAccessToken"].as_str().unwrap_or_default().to_owned(),
    }))
}

async fn by_client_id(client: &Client, realm: &str, client_id: &str) -> Result<Option<String>> {
    let found = client.list(&format!("/admin/realms/{}/clients?clientId={}", encode(realm), encode(client_id))).await?;
    Ok(found.first().and_then(|client| client["id"].as_str()).map(str::to_owned))
}

/// The clientId of a client that was registered under this name.
async fn by_name(client: &Client, realm: &str, wanted: &Body) -> Result<Option<String>> {
    let Some(name) = wanted.get("client_name").and_then(Json::as_str) else { return Ok(None) };
    let all = client.list(&format!("/admin/realms/{}/clients", encode(realm))).await?;
    let found = all.iter().find(|client| client["name"] == name);
    Ok(found.and_then(|client| client["clientId"].as_str()).map(str::to_owned))
}

async fn read(client: &Client, stored: &Stored) -> Result<Json> {
    client.request_as("GET", path(stored)?, None, &token(stored)).await
}

fn token(stored: &Stored) -> Secret {
    Secret::new(stored.registration_access_token.as_str())
}

/// The URI's path: the server is asked where it answers us, not where it answers the world.
fn path(stored: &Stored) -> Result<&str> {
    let uri = stored.registration_client_uri.as_str();
    let start = uri.find("/realms/").ok_or_else(|| Error::Refused(format!("`{uri}` is no registration URI of Keycloak")))?;
    Ok(&uri[start..])
}

fn is_refused(error: &Error) -> bool {
    matches!(error, Error::Api { status: 401 | 403, .. })
}

fn taken(answer: &Json, secret: Option<String>) -> Result<Stored> {
    let text = |field: &str| answer[field].as_str().map(str::to_owned);
    match (text("client_id"), text("registration_client_uri"), text("registration_access_token")) {
        (Some(client_id), Some(registration_client_uri), Some(registration_access_token)) => {
            Ok(Stored { client_id, client_secret: text("client_secret").or(secret), registration_client_uri, registration_access_token })
        }
        _ => Err(Error::Refused("the answer to the registration lacks the client's id, address or token".into())),
    }
}

/// Every field that is wanted is there; lists are sets.
fn is_met(wanted: &Body, found: &Json) -> bool {
    let set = |value: &Json| value.as_array().into_iter().flatten().map(Json::to_string).collect::<BTreeSet<_>>();
    wanted.iter().all(|(field, want)| match want {
        Json::Array(_) => set(want) == set(&found[field]),
        other => found[field] == *other || (other.is_null() && found.get(field).is_none()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_met_whatever_else_there_is() {
        let wanted = json!({"client_name": "a", "redirect_uris": ["b", "c"]});
        let wanted = wanted.as_object().expect("a mapping");
        assert!(is_met(wanted, &json!({"client_name": "a", "redirect_uris": ["c", "b"], "scope": "x"})));
        assert!(!is_met(wanted, &json!({"client_name": "a", "redirect_uris": ["c"]})));
    }

    #[test]
    fn the_server_is_asked_where_it_answers_us() {
        let stored = Stored {
            client_id: "x".into(),
            client_secret: None,
            registration_client_uri: "https://idp.test/realms/a/clients-registrations/openid-connect/x".into(),
            registration_access_token: "t".into(),
        };
        assert_eq!(path(&stored).expect("is one"), "/realms/a/clients-registrations/openid-connect/x");
        assert!(path(&Stored { registration_client_uri: "https://elsewhere.test/x".into(), ..stored }).is_err());
    }
}
