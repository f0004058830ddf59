//! Questions about a realm that change nothing: its endpoints, its groups by path, who has what and why, what a token of a user will say.

pub mod access;
pub mod endpoints;
pub mod token;

use serde_json::json;

use super::Json;
use super::client::{Client, encode};
use super::error::Result;
use super::reader::groups::brief;

/// Path to id of every group, sorted by path: applications bind to the ids.
///
/// # Errors
/// The groups cannot be read.
pub async fn groups(client: &Client, realm: &str) -> Result<Json> {
    let (_, found) = brief(client, &format!("/admin/realms/{}", encode(realm))).await?;
    let mut found: Vec<(String, Json)> =
        found.into_iter().map(|group| (group["path"].as_str().unwrap_or_default().to_owned(), group["id"].clone())).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found.into_iter().map(|(path, id)| json!({"path": path, "id": id})).collect())
}

/// A permission of a client as Keycloak has it, with the ids of what it binds; none when it is not there.
///
/// # Errors
/// It cannot be read.
pub async fn permission(client: &Client, realm: &str, owner: &str, name: &str) -> Result<Option<Json>> {
    let realm = format!("/admin/realms/{}", encode(realm));
    let found = client.list(&format!("{realm}/clients?clientId={}", encode(owner))).await?;
    let Some(uuid) = found.first().and_then(|client| client["id"].as_str()) else { return Ok(None) };
    let base = format!("{realm}/clients/{uuid}/authz/resource-server");
    let found = client.find(&format!("{base}/permission/search?name={}", encode(name))).await?;
    let Some(mut permission) = found.filter(Json::is_object) else { return Ok(None) };
    let id = permission["id"].as_str().unwrap_or_default().to_owned();
    for (field, path, key) in [("policies", "associatedPolicies", "id"), ("resources", "resources", "_id"), ("scopes", "scopes", "id")] {
        let list = client.list(&format!("{base}/policy/{id}/{path}")).await?;
        permission[field] = list.iter().map(|item| item[key].clone()).collect();
    }
    Ok(Some(permission))
}
