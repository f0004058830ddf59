//! What a token of a user will say to a client, worked out by Keycloak without a login; and what is missing in it, with the reason.

use serde::{Deserialize, Serialize};

use super::access::{self, UserAccess};
use crate::keycloak::Json;
use crate::keycloak::client::{Client, encode};
use crate::keycloak::error::{Error, Result};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    pub user: UserAccess,
    pub clients: Vec<ClientToken>,
    /// What stands in the way of a login, whatever the client.
    pub obstacles: Vec<String>,
    pub issuer: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientToken {
    pub client: String,
    pub scopes: Vec<String>,
    pub roles: Vec<String>,
    pub claims: Json,
    /// What an application may miss.
    pub missing: Vec<String>,
}

/// Explains a user's access to these clients; `expected` are claims that each token should have.
///
/// # Errors
/// There is no such user or client, or they cannot be read.
pub async fn verify(client: &Client, realm: &str, user: &str, clients: &[String], expected: &[String]) -> Result<Verified> {
    let Some(described) = access::access(client, realm, Some(user)).await?.into_iter().next() else {
        return Err(Error::Refused(format!("there is no user `{user}`")));
    };
    let base = format!("/admin/realms/{}", encode(realm));
    let settings = client.get(&base).await?;
    let account = client.list(&format!("{base}/users?exact=true&username={}", encode(user))).await?.into_iter().next().unwrap_or_default();
    let mut tokens = Vec::new();
    for wanted in clients {
        let mut token = token(client, &base, &described, account["id"].as_str().unwrap_or_default(), wanted).await?;
        let absent = expected.iter().filter(|claim| token.claims.get(claim.as_str()).is_none());
        let absent: Vec<String> = absent.map(|claim| lacks(claim, wanted)).collect();
        token.missing.extend(absent);
        tokens.push(token);
    }
    let discovery = client.get(&format!("/realms/{}/.well-known/openid-configuration", encode(realm))).await?;
    let issuer = discovery["issuer"].as_str().unwrap_or_default().to_owned();
    Ok(Verified { obstacles: obstacles(&settings, &account), user: described, clients: tokens, issuer })
}

/// What an application waits for and does not get.
fn lacks(claim: &str, client: &str) -> String {
    format!("no claim `{claim}`: `{client}` and its scopes have no mapper for it, or the user has nothing that it would say")
}

fn obstacles(realm: &Json, user: &Json) -> Vec<String> {
    let mut found = Vec::new();
    if user["enabled"] == false {
        found.push("the user is disabled".to_owned());
    }
    if realm["verifyEmail"] == true && user["emailVerified"] != true {
        found.push("the realm wants verified e-mail addresses, and this one is not".to_owned());
    }
    let actions: Vec<&str> = user["requiredActions"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    if !actions.is_empty() {
        found.push(format!("required actions wait: {}", actions.join(", ")));
    }
    found
}

async fn token(client: &Client, base: &str, user: &UserAccess, id: &str, wanted: &str) -> Result<ClientToken> {
    let found = client.list(&format!("{base}/clients?clientId={}", encode(wanted))).await?.into_iter().next();
    let Some(found) = found else { return Err(Error::Refused(format!("there is no client `{wanted}`"))) };
    let path = format!(
        "{base}/clients/{}/evaluate-scopes/generate-example-access-token?scope=openid&userId={}",
        found["id"].as_str().unwrap_or_default(),
        encode(id)
    );
    let claims = client.get(&path).await?;
    let prefix = format!("{wanted}/");
    let roles: Vec<String> = user.roles.iter().filter_map(|role| role.role.strip_prefix(&prefix)).map(str::to_owned).collect();
    let scopes = found["defaultClientScopes"].as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
    let missing = missing(wanted, &found, user, &roles, &claims);
    Ok(ClientToken { client: wanted.to_owned(), scopes, roles, claims, missing })
}

fn missing(client: &str, found: &Json, user: &UserAccess, roles: &[String], claims: &Json) -> Vec<String> {
    let mut out = Vec::new();
    if found["enabled"] == false {
        out.push(format!("client `{client}` is disabled"));
    }
    if !user.groups.is_empty() && claims.get("groups").is_none() {
        out.push(format!(
            "the user has groups, but no mapper of `{client}` or its scopes puts them into `groups` (oidc-group-membership-mapper)"
        ));
    }
    let text = claims.to_string();
    if let Some(lost) = roles.iter().find(|role| !text.contains(&format!("\"{role}\""))) {
        out.push(format!("the role `{client}/{lost}` is not in the token: the scope `roles`, or a client role mapper, is missing, or `fullScopeAllowed` is off"));
    }
    if roles.is_empty() {
        out.push(format!("the user has no role of `{client}`"));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_reason() {
        let user = UserAccess {
            username: "ann".into(),
            enabled: true,
            groups: vec!["/a".into()],
            roles: Vec::new(),
            sessions: 0,
            identities: Vec::new(),
        };
        let found = missing("app", &json!({"enabled": true}), &user, &["admin".into()], &json!({"sub": "1"})).join("; ");
        assert!(found.contains("into `groups`") && found.contains("`app/admin` is not in the token"), "{found}");
        let claims = json!({"groups": ["/a"], "resource_access": {"app": {"roles": ["admin"]}}});
        assert!(missing("app", &json!({"enabled": true}), &user, &["admin".into()], &claims).is_empty());
        let waits = obstacles(&json!({"verifyEmail": true}), &json!({"enabled": true, "requiredActions": ["UPDATE_PASSWORD"]}));
        assert_eq!(waits.len(), 2, "{waits:?}");
    }
}
