//! A realm's export as a declaration that people can read: without ids, without what Keycloak puts into every realm, without empty fields.
//! A plan of it against the same realm has nothing to do.

use std::collections::BTreeSet;

use super::kind::Kind;
use super::ledger::ATTRIBUTE;
use super::model::{Key, Name};
use super::plan::is_built_in;
use super::{Body, Json};

/// Fields of the server's own, at any depth.
const OWN: [&str; 8] = ["id", "containerId", "internalId", "keycloakVersion", "notBefore", "autheticatorFlow", "access", "subGroupCount"];
/// Fields of the realm that hold no choice of anybody's.
const OWN_OF_REALM: [&str; 4] = ["defaultRole", "requiredCredentials", "adminPermissionsClient", "users"];

/// Shapes the answer of `partial-export`.
pub fn declaration(export: &Body) -> Body {
    let realm = export.get("realm").and_then(Json::as_str).unwrap_or_default().to_owned();
    let mut out = export.clone();
    out.retain(|field, _| !OWN_OF_REALM.contains(&field.as_str()));
    if let Some(Json::Object(attributes)) = out.get_mut("attributes") {
        attributes.remove(ATTRIBUTE);
    }
    bind_by_alias(&mut out);
    keep_listed(&mut out, "clients", |client| {
        let name = Name::new(Kind::Client, Key::of([client["clientId"].as_str().unwrap_or_default()]));
        !is_built_in(&name, &realm) && client["attributes"]["realm_client"] != "true"
    });
    keep_listed(&mut out, "clientScopes", |scope| !is_built_in(&named(Kind::ClientScope, scope, "name"), &realm));
    roles(&mut out, &realm);
    flows(&mut out);
    components(&mut out, &realm);
    scope_mappings(&mut out, &realm);
    for client in out.get_mut("clients").and_then(Json::as_array_mut).into_iter().flatten().filter_map(Json::as_object_mut) {
        client.remove("authorizationSettings");
    }
    let Json::Object(clean) = cleaned(Json::Object(out)) else { return Body::new() };
    clean
}

fn named(kind: Kind, item: &Json, field: &str) -> Name {
    Name::new(kind, Key::of([item[field].as_str().unwrap_or_default()]))
}

fn keep_listed(body: &mut Body, section: &str, keep: impl Fn(&Json) -> bool) {
    if let Some(Json::Array(items)) = body.get_mut(section) {
        items.retain(|item| keep(item));
    }
}

/// An export binds clients to flows by id.
fn bind_by_alias(out: &mut Body) {
    let flows = out.get("authenticationFlows").and_then(Json::as_array).cloned().unwrap_or_default();
    let alias_of = |id: &str| flows.iter().find(|flow| flow["id"] == id).map(|flow| flow["alias"].clone());
    for client in out.get_mut("clients").and_then(Json::as_array_mut).into_iter().flatten() {
        for (_, flow) in client["authenticationFlowBindingOverrides"].as_object_mut().into_iter().flatten() {
            if let Some(alias) = flow.as_str().and_then(alias_of) {
                *flow = alias;
            }
        }
    }
}

fn roles(out: &mut Body, realm: &str) {
    let clients: BTreeSet<String> = names(out, "clients", "clientId");
    let Some(Json::Object(roles)) = out.get_mut("roles") else { return };
    // The default roles are built in, but what they are composed of is a choice.
    let default = format!("default-roles-{}", realm.to_lowercase());
    keep_listed(roles, "realm", |role| role["name"] == default.as_str() || !is_built_in(&named(Kind::RealmRole, role, "name"), realm));
    if let Some(Json::Object(of_clients)) = roles.get_mut("client") {
        of_clients.retain(|client, _| clients.contains(client));
    }
}

fn names(body: &Body, section: &str, field: &str) -> BTreeSet<String> {
    let items = body.get(section).and_then(Json::as_array).into_iter().flatten();
    items.filter_map(|item| item[field].as_str()).map(str::to_owned).collect()
}

/// The flows that somebody made, with what they contain.
fn flows(out: &mut Body) {
    let built_in: BTreeSet<String> = out
        .get("authenticationFlows")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter(|flow| flow["builtIn"] == true)
        .filter_map(|flow| flow["alias"].as_str().map(str::to_owned))
        .collect();
    keep_listed(out, "authenticationFlows", |flow| flow["alias"].as_str().is_some_and(|alias| !built_in.contains(alias)));
    let kept = out.get("authenticationFlows").and_then(Json::as_array).into_iter().flatten();
    let used: BTreeSet<String> = kept
        .flat_map(|flow| flow["authenticationExecutions"].as_array().into_iter().flatten())
        .filter_map(|step| step["authenticatorConfig"].as_str().map(str::to_owned))
        .collect();
    keep_listed(out, "authenticatorConfig", |config| config["alias"].as_str().is_some_and(|alias| used.contains(alias)));
}

fn components(out: &mut Body, realm: &str) {
    let Some(Json::Object(types)) = out.get_mut("components") else { return };
    for (provider_type, items) in types.iter_mut() {
        if let Json::Array(items) = items {
            items.retain(|item| {
                let name = item["name"].as_str().unwrap_or_default();
                !is_built_in(&Name::new(Kind::Component, Key::of([provider_type.as_str(), name])), realm)
            });
        }
    }
}

fn scope_mappings(out: &mut Body, realm: &str) {
    let kept = |entry: &Json| match (entry["client"].as_str(), entry["clientScope"].as_str()) {
        (Some(client), _) => !is_built_in(&Name::new(Kind::Client, Key::of([client])), realm),
        (_, Some(scope)) => !is_built_in(&Name::new(Kind::ClientScope, Key::of([scope])), realm),
        _ => false,
    };
    keep_listed(out, "scopeMappings", kept);
    if let Some(Json::Object(of_clients)) = out.get_mut("clientScopeMappings") {
        of_clients.values_mut().filter_map(Json::as_array_mut).for_each(|items| items.retain(kept));
    }
}

/// Without the server's own fields and without empty ones.
fn cleaned(value: Json) -> Json {
    match value {
        Json::Object(map) => Json::Object(
            map.into_iter()
                .filter(|(key, _)| !OWN.contains(&key.as_str()))
                .map(|(key, inner)| (key, cleaned(inner)))
                .filter(|(_, inner)| !is_empty(inner))
                .collect(),
        ),
        Json::Array(items) => items.into_iter().map(cleaned).collect(),
        scalar => scalar,
    }
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_keycloak_puts_into_every_realm_is_left_out() {
        let export = json!({
            "id": "1", "realm": "staff", "displayName": "", "failureFactor": 5,
            "clients": [{"id": "2", "clientId": "account"}, {"id": "3", "clientId": "app", "authenticationFlowBindingOverrides": {"browser": "9"}}],
            "roles": {"realm": [{"id": "4", "name": "offline_access"}, {"name": "reporter"}], "client": {"account": [{"name": "x"}], "app": [{"name": "user"}]}},
            "authenticationFlows": [{"id": "8", "alias": "browser", "builtIn": true}, {"id": "9", "alias": "mine", "builtIn": false}],
            "authenticatorConfig": [{"alias": "create unique user config"}],
        });
        let expected = json!({
            "realm": "staff", "failureFactor": 5,
            "clients": [{"clientId": "app", "authenticationFlowBindingOverrides": {"browser": "mine"}}],
            "roles": {"realm": [{"name": "reporter"}], "client": {"app": [{"name": "user"}]}},
            "authenticationFlows": [{"alias": "mine", "builtIn": false}],
        });
        assert_eq!(Json::Object(declaration(export.as_object().expect("a mapping"))), expected);
    }
}
