//! What is done to a realm now and then, and is no state to declare: a federation synchronised, keys rotated.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Json;
use super::client::{Client, encode};
use super::error::{Error, Result};

const FEDERATION: &str = "org.keycloak.storage.UserStorageProvider";
const KEYS: &str = "org.keycloak.keys.KeyProvider";
/// Stands in the names of keys that a rotation made: the old name, this, a number.
const ROTATED: &str = " rotated ";

/// # Errors
/// There is no federation of this name, or it cannot be reached.
pub async fn sync(client: &Client, realm: &str, federation: &str, changed: bool) -> Result<Json> {
    let base = format!("/admin/realms/{}", encode(realm));
    let found = client.list(&format!("{base}/components?type={FEDERATION}&name={}", encode(federation))).await?;
    let Some(id) = found.first().and_then(|component| component["id"].as_str()) else {
        return Err(Error::Refused(format!("realm `{realm}` has no user federation `{federation}`")));
    };
    let action = if changed { "triggerChangedUsersSync" } else { "triggerFullSync" };
    let done = client.post(&format!("{base}/user-storage/{id}/sync?action={action}"), &json!({})).await?;
    Ok(done.body)
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rotation {
    /// New key providers, which sign from now on.
    pub made: Vec<String>,
    /// Those that no longer sign, and still check.
    pub retired: Vec<String>,
    pub deleted: Vec<String>,
}

/// One new provider for each generated one that is active, made before the old one retires: at no moment there is no key.
///
/// # Errors
/// The keys cannot be read or written.
pub async fn rotate_keys(client: &Client, realm: &str, prune: bool) -> Result<Rotation> {
    let base = format!("/admin/realms/{}", encode(realm));
    let components = client.list(&format!("{base}/components?type={KEYS}")).await?;
    let mut done = Rotation::default();
    for component in components.iter().filter(|component| component["providerId"].as_str().is_some_and(|id| id.contains("generated"))) {
        let name = component["name"].as_str().unwrap_or_default();
        let path = format!("{base}/components/{}", component["id"].as_str().unwrap_or_default());
        let active = component["config"]["active"][0] != "false";
        if prune {
            let replaced = components.iter().any(|other| replaces(other, component));
            if !active && replaced {
                client.delete(&path, None).await?;
                done.deleted.push(name.to_owned());
            }
            continue;
        }
        if !active {
            continue;
        }
        let new = successor(component, realm_id(component));
        client.post(&format!("{base}/components"), &new).await?;
        done.made.push(new["name"].as_str().unwrap_or_default().to_owned());
        let mut old = client.get(&path).await?;
        old["config"]["active"] = json!(["false"]);
        client.put(&path, &old).await?;
        done.retired.push(name.to_owned());
    }
    Ok(done)
}

fn realm_id(component: &Json) -> Json {
    component["parentId"].clone()
}

/// Something newer of the same kind is active.
fn replaces(new: &Json, old: &Json) -> bool {
    new["id"] != old["id"]
        && new["providerId"] == old["providerId"]
        && new["config"]["active"][0] != "false"
        && priority(new) >= priority(old)
}

fn priority(component: &Json) -> i64 {
    component["config"]["priority"][0].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn successor(old: &Json, parent: Json) -> Json {
    let name = old["name"].as_str().unwrap_or_default();
    let (stem, number) = name.rsplit_once(ROTATED).map_or((name, 0), |(stem, number)| (stem, number.parse().unwrap_or(0)));
    let mut config = old["config"].clone();
    // What Keycloak generated belongs to the old key alone.
    for generated in
        ["privateKey", "certificate", "secret", "kid", "ecdsaPrivateKey", "ecdsaPublicKey", "eddsaPrivateKey", "eddsaPublicKey"]
    {
        config.as_object_mut().and_then(|config| config.remove(generated));
    }
    config["priority"] = json!([(priority(old) + 1).to_string()]);
    config["active"] = json!(["true"]);
    json!({"name": format!("{stem}{ROTATED}{}", number + 1), "providerId": old["providerId"], "providerType": KEYS, "parentId": parent, "config": config})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_has_a_higher_priority_and_no_key_of_its_own() {
        let old = json!({"name": "rsa rotated 1", "providerId": "rsa-generated", "config": {"priority": ["101"], "kid": ["x"], "algorithm": ["RS256"]}});
        let new = successor(&old, json!("realm"));
        assert_eq!(new["name"], "rsa rotated 2");
        assert_eq!(new["config"], json!({"priority": ["102"], "algorithm": ["RS256"], "active": ["true"]}));
    }
}
