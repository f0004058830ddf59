//! What a saved plan is bound to: the declaration it was made of and the realm as it was read then. Both hold secrets, so both are kept as
//! hashes that are keyed by the service account's secret.

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::Json;
use super::compare::canonical;
use super::reader::Reading;
use crate::base::Secret;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seal {
    pub declaration: String,
    pub realm: String,
}

impl Seal {
    /// `reading` is none for a realm that is not there.
    pub fn new(declaration: &Json, reading: Option<&Reading>, account_secret: &Secret) -> Self {
        Seal { declaration: keyed(account_secret, "declaration", [canonical(declaration)]), realm: of_realm(reading, account_secret) }
    }
}

fn of_realm(reading: Option<&Reading>, account_secret: &Secret) -> String {
    let objects = reading.into_iter().flat_map(|reading| reading.model.iter());
    let lines = objects.map(|(name, object)| format!("{name} {}", canonical(&Json::Object(object.body.clone()))));
    keyed(account_secret, "realm", lines)
}

fn keyed(key: &Secret, purpose: &str, parts: impl IntoIterator<Item = String>) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else { return String::new() };
    for part in [format!("hostler plan {purpose}")].into_iter().chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keycloak::Body;
    use crate::keycloak::flatten;

    fn reading(realm: Json) -> Reading {
        let model = flatten::live(realm.as_object().expect("a mapping"));
        Reading { model, realm_id: String::new(), ledger: None, attributes: Body::new(), members: Default::default() }
    }

    #[test]
    fn a_seal_breaks_when_the_realm_or_the_declaration_moves_and_not_when_a_set_is_read_in_another_order() {
        let key = Secret::new("k");
        let seal = |declared: Json, live: Json| Seal::new(&declared, Some(&reading(live)), &key);
        let first = seal(json!({"realm": "a"}), json!({"clients": [{"clientId": "x", "redirectUris": ["a", "b"]}]}));
        assert_eq!(first, seal(json!({"realm": "a"}), json!({"clients": [{"redirectUris": ["b", "a"], "clientId": "x"}]})));
        assert_ne!(first.realm, seal(json!({"realm": "a"}), json!({"clients": [{"clientId": "x", "redirectUris": ["a"]}]})).realm);
        assert_ne!(first.declaration, seal(json!({"realm": "b"}), json!({})).declaration);
    }
}
