//! A representation that a declaration stands on, such as another realm's export: what the declaration does not say, it says.

use crate::keycloak::declaration::is_template;
use crate::keycloak::flatten::{self, Flattened};
use crate::keycloak::model::Object;
use crate::keycloak::{Body, Json};

/// Lays one representation, or a list of them of which the first counts most, under the declaration.
pub fn lay_under(json: &Json, realm: &str, flattened: &mut Flattened) {
    let layers = match json {
        Json::Array(layers) => layers.iter().collect(),
        one => vec![one],
    };
    for layer in layers {
        match layer {
            Json::Object(body) => lay(renamed(body, realm), flattened),
            other if is_template(other) => {}
            _ => flattened.problems.push("`hostler.base` is a representation of a realm, or a list of them".into()),
        }
    }
}

fn lay(layer: Body, flattened: &mut Flattened) {
    let layer = flatten::declared(&layer);
    flattened.problems.extend(layer.problems.into_iter().map(|problem| format!("`hostler.base`: {problem}")));
    for (name, object) in layer.model.into_objects() {
        match flattened.model.get_mut(&name) {
            Some(declared) => under(&mut declared.body, object.body),
            None => drop(flattened.model.insert(name, Object { id: None, body: object.body })),
        }
    }
}

/// Adds what is not there; mappings are completed, lists and texts that are there stand.
fn under(above: &mut Body, below: Body) {
    for (field, value) in below {
        match (above.get_mut(&field), value) {
            (Some(Json::Object(above)), Json::Object(below)) => under(above, below),
            (Some(_), _) => {}
            (None, value) => drop(above.insert(field, value)),
        }
    }
}

/// An export speaks of its own realm: the default role and the addresses of Keycloak's own clients are named after it.
fn renamed(layer: &Body, realm: &str) -> Body {
    let Some(old) = layer.get("realm").and_then(Json::as_str).filter(|old| *old != realm && !old.is_empty()) else {
        return layer.clone();
    };
    let text = Json::Object(layer.clone()).to_string();
    let text = text.replace(&format!("/realms/{old}/"), &format!("/realms/{realm}/"));
    let text = text.replace(&format!("/admin/{old}/"), &format!("/admin/{realm}/"));
    let text = text.replace(&format!("\"default-roles-{}\"", old.to_lowercase()), &format!("\"default-roles-{}\"", realm.to_lowercase()));
    match serde_json::from_str(&text) {
        Ok(Json::Object(body)) => body,
        _ => layer.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::keycloak::kind::Kind;
    use crate::keycloak::model::Key;
    use crate::keycloak::{Declaration, Json};

    #[test]
    fn what_is_declared_stands_over_its_base_and_the_rest_comes_from_it() {
        let export = json!({
            "id": "1", "realm": "osmo", "displayName": "Theirs", "sslRequired": "external",
            "roles": {"realm": [{"name": "default-roles-osmo"}]},
            "clients": [
                {"clientId": "browser", "secret": "**********", "rootUrl": "http://localhost", "redirectUris": ["http://localhost/*"],
                 "attributes": {"a": "theirs", "b": "theirs"}},
                {"clientId": "account", "baseUrl": "/realms/osmo/account/"},
            ],
        });
        let declared = json!({
            "realm": "mine", "displayName": "Mine", "hostler": {"base": export},
            "clients": [{"clientId": "browser", "redirectUris": ["https://osmo.test/*"], "attributes": {"a": "mine"}}],
        });
        let model = Declaration::parse(&declared).expect("it is right").model;
        let body = |kind: Kind, key: &[&str]| {
            Json::Object(model.get(kind, &Key::of(key.iter().copied())).unwrap_or_else(|| panic!("no {key:?}")).body.clone())
        };
        let realm = body(Kind::Realm, &[]);
        assert_eq!((&realm["realm"], &realm["displayName"], &realm["sslRequired"]), (&json!("mine"), &json!("Mine"), &json!("external")));
        let browser = body(Kind::Client, &["browser"]);
        assert_eq!(browser["redirectUris"], json!(["https://osmo.test/*"]));
        assert_eq!(browser["attributes"], json!({"a": "mine", "b": "theirs"}));
        assert_eq!(browser["rootUrl"], "http://localhost");
        assert_eq!(body(Kind::Client, &["account"])["baseUrl"], "/realms/mine/account/");
        assert_eq!(body(Kind::RealmRole, &["default-roles-mine"])["name"], "default-roles-mine");
        assert!(Declaration::parse(&json!({"realm": "a", "hostler": {"base": "{{ lookup('file', 'x') | from_json }}"}})).is_ok());
        assert!(Declaration::parse(&json!({"realm": "a", "hostler": {"base": 3}})).is_err());
    }
}
