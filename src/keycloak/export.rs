//! A realm as a declaration that people can read: only what was chosen, none of what Keycloak puts into every realm. Applied to an empty
//! server it makes the realm again; planned against its own realm it has nothing to do. Secrets are masked or left out.

use serde_json::json;

use super::assemble::{assemble, is_empty};
use super::compare::same;
use super::kind::{Kind, Spec, is_ordered};
use super::ledger::ATTRIBUTE;
use super::model::{Key, Model, Name, Object};
use super::plan::is_built_in;
use super::{Body, Json, MASK, fresh};

/// Sections that an adopted declaration owns in full: what stands in them and is not declared is deleted from then on.
const OWNED: [&str; 8] =
    ["authenticationFlows", "clientScopes", "clients", "components", "groups", "identityProviderMappers", "identityProviders", "roles"];
/// Attributes of a client that the server writes by itself.
const OWN_ATTRIBUTES: [&str; 4] =
    ["realm_client", "client.secret.creation.time", "saml.artifact.binding.identifier", "client.secret.expiration.time"];

/// The declaration of a realm that was read whole.
pub fn minimal(live: &Model, realm: &str) -> Body {
    let born = fresh::model(realm, live.version.as_deref());
    let mut kept = Model::default();
    for (name, object) in live.iter() {
        let body = match born.get(name.kind, &name.key) {
            Some(birth) => changed(name, &object.body, &birth.body),
            None if is_built_in(name, realm) && !keeps_built_in(name) => None,
            None => Some(chosen(name, object, live)),
        };
        if let Some(body) = body {
            kept.insert(name.clone(), Object { id: None, body });
        }
    }
    with_owners(&mut kept);
    let mut out = assemble(&kept, realm);
    out.iter_mut().filter(|(field, _)| !is_ordered(field)).for_each(|(_, value)| sort_sets(value));
    out
}

/// Lists of plain values are sets, which the server answers in any order: an export of the same realm is the same text.
fn sort_sets(value: &mut Json) {
    match value {
        Json::Array(items) if items.iter().all(Json::is_string) => items.sort_by(|one, other| one.as_str().cmp(&other.as_str())),
        Json::Array(items) => items.iter_mut().for_each(sort_sets),
        Json::Object(map) => map.values_mut().for_each(sort_sets),
        _ => {}
    }
}

/// The ownership marks for the sections that are there.
pub fn owned(declaration: &Body) -> Json {
    let marks = OWNED.iter().filter(|section| declaration.contains_key(**section));
    Json::Object(marks.map(|section| ((*section).to_owned(), "full".into())).collect())
}

/// What is made by the server and still somebody's choice: policies for registrations can be deleted and made.
fn keeps_built_in(name: &Name) -> bool {
    matches!(name.kind, Kind::Component | Kind::RequiredAction) || name.kind.is_single()
}

/// The fields in which an object differs from what it was born with; none when it is as it was born.
fn changed(name: &Name, live: &Body, birth: &Body) -> Option<Body> {
    let spec = name.kind.spec();
    if name.kind == Kind::Flow {
        return (live != birth).then(|| live.clone());
    }
    let mut body = Body::new();
    for (field, value) in live {
        let before = birth.get(field).unwrap_or(&Json::Null);
        let keyed = spec.keyed.iter().find(|(keyed, _)| keyed == field).map(|(_, key)| *key);
        if let Some(value) = difference(spec, field, keyed, value, before) {
            body.insert(field.clone(), value);
        }
    }
    body.remove("secret");
    if body.is_empty() {
        return None;
    }
    if !spec.key_field.is_empty() && live.contains_key(spec.key_field) {
        body.insert(spec.key_field.into(), live[spec.key_field].clone());
    }
    Some(body)
}

fn difference(spec: &Spec, path: &str, keyed: Option<&str>, live: &Json, birth: &Json) -> Option<Json> {
    if spec.is_secret(path) {
        return (!is_empty(live)).then(|| masked(live));
    }
    match (live, birth) {
        (Json::Array(items), Json::Array(before)) if keyed.is_some() => {
            let key = keyed.unwrap_or_default();
            let is_new = |item: &&Json| before.iter().find(|other| other[key] == item[key]).is_none_or(|other| !same_tree(item, other));
            let new: Vec<Json> = items.iter().filter(is_new).cloned().collect();
            (!new.is_empty()).then(|| new.into())
        }
        (Json::Object(live), Json::Object(birth)) => {
            let inner = live.iter().filter_map(|(key, value)| {
                let before = birth.get(key).unwrap_or(&Json::Null);
                Some((key.clone(), difference(spec, &format!("{path}.{key}"), None, value, before)?))
            });
            let gone = birth.keys().filter(|key| !live.contains_key(*key)).map(|key| (key.clone(), Json::Null));
            let both: Body = inner.chain(gone).filter(|(key, _)| key != ATTRIBUTE).collect();
            (!both.is_empty()).then(|| both.into())
        }
        _ if same_tree(live, birth) => None,
        _ => Some(live.clone()),
    }
}

/// Equal as Keycloak sees it: lists of plain values are sets.
fn same_tree(one: &Json, other: &Json) -> bool {
    super::compare::canonical(one) == super::compare::canonical(other) || same(one, other)
}

/// The fields of an object that are not what the server would give it anyway.
fn chosen(name: &Name, object: &Object, live: &Model) -> Body {
    let spec = name.kind.spec();
    let defaults = fresh::defaults(name.kind);
    let mut body = object.body.clone();
    if name.kind == Kind::Flow {
        return body;
    }
    if name.kind == Kind::Client {
        client(&mut body, live);
    }
    mask_secrets(spec, &mut body);
    let empty = if name.kind == Kind::Client { empty_by_choice(&body) } else { Vec::new() };
    let is_chosen = |field: &String, value: &Json| *field == spec.key_field || !is_empty(value) || empty.contains(&field.as_str());
    body.retain(|field, value| is_chosen(field, value) && (*field == spec.key_field || defaults.get(field) != Some(value)));
    for (_, value) in body.iter_mut() {
        if let Json::Object(map) = value {
            map.retain(|key, inner| !is_empty(inner) && key != ATTRIBUTE);
        }
    }
    body.retain(|field, value| is_chosen(field, value));
    body
}

/// Lists that a new client is given when it names none: empty, they are somebody's choice.
fn empty_by_choice(client: &Body) -> Vec<&'static str> {
    let mut fields = vec!["defaultClientScopes", "optionalClientScopes"];
    // Origins come from the redirect URIs.
    let is_address = |uri: &Json| uri.as_str().is_some_and(|uri| uri.starts_with("http"));
    if client.get("redirectUris").and_then(Json::as_array).is_some_and(|uris| uris.iter().any(is_address)) {
        fields.push("webOrigins");
    }
    fields
}

fn client(body: &mut Body, live: &Model) {
    // A confidential client without a declared secret keeps the one it has, and a new one is given one.
    body.remove("secret");
    if let Some(Json::Object(attributes)) = body.get_mut("attributes") {
        attributes.retain(|key, _| !OWN_ATTRIBUTES.contains(&key.as_str()));
        for use_ in ["signing", "encryption"] {
            // Made in pairs by the server: one without the other is of no use.
            if attributes.remove(&format!("saml.{use_}.private.key")).is_some() {
                attributes.remove(&format!("saml.{use_}.certificate"));
            }
        }
    }
    let scopes = live.get(Kind::RealmScopes, &Key::default());
    let protocol = body.get("protocol").cloned().unwrap_or_default();
    // A new client is given those of the realm's scopes that speak its protocol.
    let speaks = |scope: &&Json| {
        let found = live.get(Kind::ClientScope, &Key::of([scope.as_str().unwrap_or_default()]));
        found.is_some_and(|found| found.body.get("protocol") == Some(&protocol))
    };
    let given = |of_realm: &str| -> Json {
        let list = scopes.and_then(|object| object.body.get(of_realm)?.as_array());
        list.into_iter().flatten().filter(speaks).cloned().collect()
    };
    // One list without the other would leave the other empty.
    let lists = [("defaultClientScopes", "default"), ("optionalClientScopes", "optional")];
    if lists.iter().all(|(field, of_realm)| body.get(*field).is_none_or(|own| same_tree(own, &given(of_realm)))) {
        lists.iter().for_each(|(field, _)| {
            body.remove(*field);
        });
    }
}

fn mask_secrets(spec: &Spec, body: &mut Body) {
    for path in spec.secrets {
        let value = match path.split_once('.') {
            Some((field, key)) => body.get_mut(field).and_then(|map| map.get_mut(key)),
            None => body.get_mut(*path),
        };
        if let Some(value) = value.filter(|value| !is_empty(value)) {
            *value = masked(value);
        }
    }
}

/// A mask stands for: whatever is there.
fn masked(value: &Json) -> Json {
    if value.is_array() { json!([MASK]) } else { MASK.into() }
}

/// What lives in an object that was left out brings that object's name back.
fn with_owners(kept: &mut Model) {
    let missing: Vec<(Name, String)> = kept
        .iter()
        .filter_map(|(name, _)| {
            let parent = name.kind.parent().filter(|parent| *parent != Kind::Group && name.kind != Kind::ClientRole)?;
            Some((Name::new(parent, name.key.parent()), parent.spec().key_field.to_owned()))
        })
        .filter(|(owner, _)| kept.get(owner.kind, &owner.key).is_none())
        .collect();
    for (owner, field) in missing {
        let body = Body::from_iter([(field, owner.key.name().into())]);
        kept.insert(owner, Object { id: None, body });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keycloak::flatten;

    fn exported(change: impl FnOnce(&mut Body)) -> Json {
        let mut realm = assemble(&fresh::model("staff", None), "staff");
        change(&mut realm);
        minimal(&flatten::live(&realm), "staff").into()
    }

    #[test]
    fn a_new_realm_is_nothing_but_its_name() {
        assert_eq!(exported(|_| {}), json!({"realm": "staff"}));
    }

    #[test]
    fn only_what_was_chosen_is_left() {
        let found = exported(|realm| {
            realm.insert("failureFactor".into(), 5.into());
            realm["attributes"][ATTRIBUTE] = "{}".into();
            realm["attributes"]["mine"] = "1".into();
            realm["clients"].as_array_mut().expect("a list").push(json!({
                "clientId": "app", "enabled": true, "secret": "s3cret", "publicClient": false, "description": "", "rootUrl": "https://app.test",
                "attributes": {"realm_client": "false", "saml.signing.private.key": "k", "saml.signing.certificate": "c", "a": "b"},
            }));
        });
        assert_eq!(
            found,
            json!({"realm": "staff", "failureFactor": 5, "attributes": {"mine": "1"},
                "clients": [{"clientId": "app", "rootUrl": "https://app.test", "attributes": {"a": "b"}}]})
        );
    }

    #[test]
    fn an_empty_list_that_the_server_would_fill_is_kept() {
        let found = exported(|realm| {
            let scopes = realm["clientScopes"].as_array().expect("a list").clone();
            let all: Vec<Json> = scopes.iter().map(|scope| scope["name"].clone()).collect();
            realm["defaultDefaultClientScopes"] = all.into();
            realm["defaultOptionalClientScopes"] = json!([]);
            let lists = json!({"webOrigins": [], "defaultClientScopes": [], "optionalClientScopes": ["phone"]});
            for (id, uri) in [("web", "https://app.test/*"), ("native", "app:/cb")] {
                let mut client = lists.clone();
                client["clientId"] = id.into();
                client["redirectUris"] = json!([uri]);
                realm["clients"].as_array_mut().expect("a list").push(client);
            }
        });
        assert_eq!(found["defaultOptionalClientScopes"], json!([]));
        let client = |place: usize| found["clients"][place].clone();
        assert_eq!((&client(1)["clientId"], &client(1)["webOrigins"]), (&json!("web"), &json!([])));
        assert_eq!((client(0).get("webOrigins"), &client(0)["defaultClientScopes"]), (None, &json!([])));
    }

    #[test]
    fn a_change_of_something_built_in_is_kept_alone() {
        let found = exported(|realm| {
            let scopes = realm["clientScopes"].as_array_mut().expect("a list");
            let profile = scopes.iter_mut().find(|scope| scope["name"] == "profile").expect("is born");
            let mapper = profile["protocolMappers"].as_array_mut().and_then(|list| list.first_mut()).expect("has some");
            mapper["config"]["claim.name"] = "other".into();
        });
        let scope = &found["clientScopes"][0];
        assert_eq!((&scope["name"], scope["protocolMappers"].as_array().map(Vec::len)), (&json!("profile"), Some(1)));
        assert_eq!(scope["protocolMappers"][0]["config"], json!({"claim.name": "other"}));
    }
}
