//! Realm keys, user federation with its mappers, and the user profile.

use std::collections::BTreeMap;

use serde_json::json;

use super::fields::told;
use super::links::push;
use super::{Builder, Known, Resource};
use crate::keycloak::{Body, Json};

const KEYS: &str = "org.keycloak.keys.KeyProvider";
const FEDERATIONS: &str = "org.keycloak.storage.UserStorageProvider";
const MAPPERS: &str = "org.keycloak.storage.ldap.mappers.LDAPStorageMapper";

impl Builder {
    pub(super) fn key(&mut self, provider: &str, body: Body) {
        self.component(KEYS, &name_of(&body)).extend(with_provider(body, provider));
    }

    pub(super) fn federation(&mut self, body: Body) {
        self.component(FEDERATIONS, &name_of(&body)).extend(with_provider(body, "ldap"));
    }

    pub(super) fn federation_mapper(&mut self, resource: &Resource, provider: &str, body: Body) {
        let given = resource.text("provider_id").filter(|_| provider.is_empty());
        let body = with_provider(body, given.unwrap_or(provider));
        if let Some(Known::Federation(name)) = self.pointed(resource, "ldap_user_federation_id") {
            let within = self.component(FEDERATIONS, &name).entry("subComponents").or_insert_with(|| json!({}));
            if let Some(within) = within.as_object_mut() {
                push(within, resource.text("provider_type").unwrap_or(MAPPERS), body.into());
            }
        }
    }

    fn component(&mut self, sort: &'static str, name: &str) -> &mut Body {
        self.components.entry((sort, name.to_owned())).or_default()
    }

    pub(super) fn finish_components(&mut self) {
        let mut lists = BTreeMap::<&str, Vec<Json>>::new();
        for ((sort, _), component) in std::mem::take(&mut self.components) {
            lists.entry(sort).or_default().push(component.into());
        }
        if !lists.is_empty() {
            self.realm.insert("components".into(), json!(lists));
        }
    }

    pub(super) fn user_profile(&mut self, resource: &Resource) {
        let blocks = |name: &str| resource.values.get(name).and_then(Json::as_array).into_iter().flatten();
        let mut profile = Body::from_iter([("attributes".to_owned(), blocks("attribute").map(attribute).collect())]);
        let groups: Vec<Json> = blocks("group").map(group).collect();
        if !groups.is_empty() {
            profile.insert("groups".into(), groups.into());
        }
        // What Keycloak has no word for.
        if let Some(policy) = resource.text("unmanaged_attribute_policy").filter(|policy| *policy != "DISABLED") {
            profile.insert("unmanagedAttributePolicy".into(), policy.into());
        }
        self.realm.insert("userProfile".into(), profile.into());
    }
}

fn name_of(body: &Body) -> String {
    body.get("name").and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn with_provider(mut body: Body, provider: &str) -> Body {
    body.insert("providerId".into(), provider.into());
    body
}

fn attribute(block: &Json) -> Json {
    let validations: Body = block["validator"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|validator| Some((validator["name"].as_str()?.to_owned(), decoded(&validator["config"]))))
        .collect();
    let required = told([("roles", block["required_for_roles"].clone()), ("scopes", block["required_for_scopes"].clone())]);
    told([
        ("name", block["name"].clone()),
        ("displayName", block["display_name"].clone()),
        ("defaultValue", block["default_value"].clone()),
        ("group", block["group"].clone()),
        ("multivalued", block["multi_valued"].clone()),
        ("permissions", block["permissions"][0].clone()),
        ("selector", told([("scopes", block["enabled_when_scope"].clone())])),
        ("required", required),
        ("validations", validations.into()),
        ("annotations", decoded(&block["annotations"])),
    ])
}

fn group(block: &Json) -> Json {
    told([
        ("name", block["name"].clone()),
        ("displayHeader", block["display_header"].clone()),
        ("displayDescription", block["display_description"].clone()),
        ("annotations", decoded(&block["annotations"])),
    ])
}

/// Lists and maps stand in texts, as JSON.
fn decoded(texts: &Json) -> Json {
    let value = |value: &Json| match value.as_str().filter(|text| text.starts_with(['[', '{'])) {
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        None => value.clone(),
    };
    texts.as_object().into_iter().flatten().map(|(name, text)| (name.clone(), value(text))).collect::<Body>().into()
}
