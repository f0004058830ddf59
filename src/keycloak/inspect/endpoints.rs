//! Where a realm's endpoints are, for the configuration of applications.

use serde_json::json;

use crate::keycloak::client::{Client, encode};
use crate::keycloak::error::Result;
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Name};
use crate::keycloak::plan::is_built_in;
use crate::keycloak::{Body, Json};

/// What an application is told, and how the discovery document calls it.
const FIELDS: [(&str, &str); 8] = [
    ("issuer", "issuer"),
    ("authEndpoint", "authorization_endpoint"),
    ("tokenEndpoint", "token_endpoint"),
    ("jwksEndpoint", "jwks_uri"),
    ("userinfoEndpoint", "userinfo_endpoint"),
    ("deviceEndpoint", "device_authorization_endpoint"),
    ("logoutEndpoint", "end_session_endpoint"),
    ("registrationEndpoint", "registration_endpoint"),
];

/// The endpoints, as the discovery document names them to the public, and the audiences of tokens: the realm's clients.
///
/// # Errors
/// There is no such realm, or its clients cannot be read.
pub async fn endpoints(client: &Client, realm: &str, wanted: &[String]) -> Result<Json> {
    let discovery = client.get(&format!("/realms/{}/.well-known/openid-configuration", encode(realm))).await?;
    let mut out: Body = FIELDS
        .iter()
        .filter(|(_, theirs)| !discovery[*theirs].is_null())
        .map(|(ours, theirs)| ((*ours).to_owned(), discovery[*theirs].clone()))
        .collect();
    let audiences = match wanted {
        [] => clients(client, realm).await?,
        some => some.to_vec(),
    };
    out.insert("audiences".into(), audiences.into());
    Ok(out.into())
}

async fn clients(client: &Client, realm: &str) -> Result<Vec<String>> {
    let found = client.list(&format!("/admin/realms/{}/clients", encode(realm))).await?;
    let ids = found.iter().filter_map(|client| client["clientId"].as_str());
    Ok(ids.filter(|id| !is_built_in(&Name::new(Kind::Client, Key::of([*id])), realm)).map(str::to_owned).collect())
}

/// The same as values of a Helm chart: one JWT provider a client, since each audience is checked on its own.
pub fn helm(endpoints: &Json) -> Json {
    let audiences = endpoints["audiences"].as_array().cloned().unwrap_or_default();
    let jwt = |audience: &Json| json!({"issuer": endpoints["issuer"], "aud": audience, "jwksUri": endpoints["jwksEndpoint"], "userClaim": "preferred_username"});
    let mut oauth = endpoints.as_object().cloned().unwrap_or_default();
    oauth.remove("audiences");
    json!({"oauth2": oauth, "jwt": {"providers": audiences.iter().map(jwt).collect::<Vec<_>>()}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_audience_has_a_provider_of_its_own() {
        let values = helm(&json!({"issuer": "https://idp/realms/a", "jwksEndpoint": "https://idp/jwks", "audiences": ["one", "two"]}));
        assert_eq!(values["jwt"]["providers"][1]["aud"], "two");
        assert_eq!(values["oauth2"], json!({"issuer": "https://idp/realms/a", "jwksEndpoint": "https://idp/jwks"}));
    }
}
