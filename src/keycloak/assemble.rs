//! The way back from objects to a realm's representation: what `flatten` cut, put together.

use serde_json::json;

use super::flow::Flow;
use super::kind::Kind;
use super::model::{Key, Model};
use super::{Body, Json};

/// Puts a model together. What is empty is left out.
pub fn assemble(model: &Model, realm: &str) -> Body {
    let mut out = Body::from_iter([("realm".to_owned(), realm.into())]);
    for kind in [Kind::Realm, Kind::EventsConfig, Kind::Bindings] {
        out.extend(model.of_kind(kind).flat_map(|(_, object)| object.body.clone()));
    }
    out.insert("realm".into(), realm.into());
    let mut put = |section: &str, value: Json| {
        if !is_empty(&value) {
            out.insert(section.into(), value);
        }
    };
    put("roles", roles(model));
    put("groups", groups(model, &Key::default()));
    put("defaultGroups", single(model, Kind::DefaultGroups)["groups"].clone());
    put("clientScopes", owners(model, Kind::ClientScope, &[("protocolMappers", Kind::ClientScopeMapper)]));
    put("clients", clients(model));
    put("identityProviders", owners(model, Kind::IdentityProvider, &[]));
    put("identityProviderMappers", owners(model, Kind::IdentityProviderMapper, &[]));
    put("components", components(model, &Key::default()));
    put("requiredActions", owners(model, Kind::RequiredAction, &[]));
    let (flows, configs) = flows(model);
    put("authenticationFlows", flows);
    put("authenticatorConfig", configs);
    let localization = model.of_kind(Kind::Localization).map(|(key, object)| (key.name().to_owned(), object.body.clone().into()));
    put("localizationTexts", Json::Object(localization.collect()));
    put("userProfile", single(model, Kind::UserProfile));
    put("clientProfiles", single(model, Kind::ClientProfiles));
    put("clientPolicies", single(model, Kind::ClientPolicies));
    put("organizations", organizations(model));
    put("workflows", owners(model, Kind::Workflow, &[]));
    put("users", owners(model, Kind::User, &[]));
    scope_mappings(model, &mut put);
    // Empty, they are a choice: a new realm has some.
    let scopes = single(model, Kind::RealmScopes);
    for (section, field) in [("defaultDefaultClientScopes", "default"), ("defaultOptionalClientScopes", "optional")] {
        if let Some(list) = scopes.get(field) {
            out.insert(section.into(), list.clone());
        }
    }
    out
}

pub(super) fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

fn single(model: &Model, kind: Kind) -> Json {
    model.get(kind, &Key::default()).map(|object| object.body.clone().into()).unwrap_or_default()
}

/// Objects of one kind as a list, each with what lives in it.
fn owners(model: &Model, kind: Kind, inner: &[(&str, Kind)]) -> Json {
    let item = |key: &Key, body: &Body| {
        let mut body = body.clone();
        for (section, inner) in inner {
            let list: Vec<Json> = within(model, *inner, key).collect();
            if !list.is_empty() {
                body.insert((*section).into(), list.into());
            }
        }
        Json::Object(body)
    };
    model.of_kind(kind).map(|(key, object)| item(key, &object.body)).collect()
}

fn within<'m>(model: &'m Model, kind: Kind, owner: &'m Key) -> impl Iterator<Item = Json> + 'm {
    model.of_kind(kind).filter(move |(key, _)| key.parent() == *owner).map(|(_, object)| object.body.clone().into())
}

fn roles(model: &Model) -> Json {
    let mut out = Body::new();
    let realm: Vec<Json> = model.of_kind(Kind::RealmRole).map(|(_, object)| object.body.clone().into()).collect();
    if !realm.is_empty() {
        out.insert("realm".into(), realm.into());
    }
    let mut clients = Body::new();
    for (key, object) in model.of_kind(Kind::ClientRole) {
        let list = clients.entry(key.owner()).or_insert_with(|| json!([]));
        list.as_array_mut().into_iter().for_each(|list| list.push(object.body.clone().into()));
    }
    if !clients.is_empty() {
        out.insert("client".into(), clients.into());
    }
    out.into()
}

fn groups(model: &Model, parent: &Key) -> Json {
    let children = model.of_kind(Kind::Group).filter(|(key, _)| key.depth() == parent.depth() + 1 && key.parent() == *parent);
    let group = |(key, object): (&Key, &super::model::Object)| {
        let mut body = object.body.clone();
        let inner = groups(model, key);
        if !is_empty(&inner) {
            body.insert("subGroups".into(), inner);
        }
        Json::Object(body)
    };
    children.map(group).collect()
}

fn clients(model: &Model) -> Json {
    let client = |key: &Key, mut client: Json| {
        if let Some(settings) = model.get(Kind::AuthorizationSettings, key) {
            let mut settings = settings.body.clone();
            let sections =
                [("resources", Kind::AuthorizationResource), ("policies", Kind::AuthorizationPolicy), ("scopes", Kind::AuthorizationScope)];
            for (section, kind) in sections {
                let list: Vec<Json> = within(model, kind, key).collect();
                if !list.is_empty() {
                    settings.insert(section.into(), list.into());
                }
            }
            client["authorizationSettings"] = settings.into();
        }
        client
    };
    match owners(model, Kind::Client, &[("protocolMappers", Kind::ClientMapper)]) {
        Json::Array(list) => list.into_iter().zip(model.of_kind(Kind::Client)).map(|(body, (key, _))| client(key, body)).collect(),
        other => other,
    }
}

fn organizations(model: &Model) -> Json {
    let organization = |(key, object): (&Key, &super::model::Object)| {
        let mut body = object.body.clone();
        let groups = organization_groups(model, key);
        if !is_empty(&groups) {
            body.insert("groups".into(), groups);
        }
        Json::Object(body)
    };
    model.of_kind(Kind::Organization).map(organization).collect()
}

fn organization_groups(model: &Model, parent: &Key) -> Json {
    let children = model.of_kind(Kind::OrganizationGroup).filter(|(key, _)| key.parent() == *parent);
    let group = |(key, object): (&Key, &super::model::Object)| {
        let mut body = object.body.clone();
        let inner = organization_groups(model, key);
        if !is_empty(&inner) {
            body.insert("subGroups".into(), inner);
        }
        Json::Object(body)
    };
    children.map(group).collect()
}

/// Components by type, each with those within it: keys of the form `[type, name, inner type, inner name]`.
fn components(model: &Model, owner: &Key) -> Json {
    let mut types = Body::new();
    let inside = |key: &Key| key.depth() == owner.depth() + 2 && key.0.starts_with(&owner.0);
    for (key, object) in model.of_kind(Kind::Component).filter(|(key, _)| inside(key)) {
        let mut body = object.body.clone();
        body.remove("providerType");
        let inner = components(model, key);
        if !is_empty(&inner) {
            body.insert("subComponents".into(), inner);
        }
        let list = types.entry(key.0[owner.depth()].as_str()).or_insert_with(|| json!([]));
        list.as_array_mut().into_iter().for_each(|list| list.push(body.clone().into()));
    }
    types.into()
}

fn flows(model: &Model) -> (Json, Json) {
    let (mut flows, mut configs) = (Vec::new(), Vec::new());
    for flow in model.of_kind(Kind::Flow).filter_map(|(_, object)| Flow::from_body(&object.body)) {
        flow.write_flat(true, &mut flows, &mut configs);
    }
    (flows.into(), configs.into())
}

fn scope_mappings(model: &Model, put: &mut impl FnMut(&str, Json)) {
    let (mut realm, mut clients) = (Vec::new(), Body::new());
    for (key, object) in model.of_kind(Kind::ScopeMapping) {
        let entry = |roles: &Json| json!({ key.owner(): key.name(), "roles": roles });
        if let Some(roles) = object.body.get("realm").filter(|roles| !is_empty(roles)) {
            realm.push(entry(roles));
        }
        for (client, roles) in object.body.get("clients").and_then(Json::as_object).into_iter().flatten() {
            let list = clients.entry(client.as_str()).or_insert_with(|| json!([]));
            list.as_array_mut().into_iter().for_each(|list| list.push(entry(roles)));
        }
    }
    put("scopeMappings", realm.into());
    put("clientScopeMappings", clients.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keycloak::{flatten, fresh};

    #[test]
    fn what_was_cut_is_put_together_again() {
        let realm = json!({
            "realm": "staff", "failureFactor": 5, "browserFlow": "mine", "eventsEnabled": true,
            "roles": {"realm": [{"name": "a"}], "client": {"app": [{"name": "b"}]}},
            "groups": [{"name": "g", "subGroups": [{"name": "h"}]}],
            "defaultGroups": ["/g"],
            "clients": [{"clientId": "app", "protocolMappers": [{"name": "m"}]}],
            "components": {"type": [{"name": "ldap", "subComponents": {"inner": [{"name": "map"}]}}]},
            "authenticationFlows": [{"alias": "mine", "providerId": "basic-flow", "topLevel": true, "authenticationExecutions": [
                {"authenticator": "x", "requirement": "REQUIRED", "authenticatorConfig": "c"}, {"flowAlias": "inner", "requirement": "ALTERNATIVE"}]},
                {"alias": "inner", "providerId": "basic-flow", "authenticationExecutions": [{"authenticator": "y", "requirement": "REQUIRED"}]}],
            "authenticatorConfig": [{"alias": "c", "config": {"k": "v"}}],
            "scopeMappings": [{"client": "app", "roles": ["a"]}],
            "clientScopeMappings": {"app": [{"clientScope": "s", "roles": ["b"]}]},
        });
        let model = flatten::live(realm.as_object().expect("a mapping"));
        assert_eq!(Json::Object(assemble(&model, "staff")), realm);
    }

    #[test]
    fn a_new_realm_is_the_same_model_after_the_round() {
        let model = fresh::model("staff", None);
        let again = flatten::live(&assemble(&model, "staff"));
        let different = model.iter().find(|(name, object)| again.get(name.kind, &name.key).map(|other| &other.body) != Some(&object.body));
        assert_eq!(different.map(|(name, _)| name.to_string()), None);
    }
}
