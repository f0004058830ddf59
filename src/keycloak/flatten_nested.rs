//! Sections of a realm whose objects do not stand in plain lists: components within components, scope mappings in two places.

use serde_json::json;

use super::flatten::{Flattened, object, take_list, take_map};
use super::kind::Kind;
use super::model::Key;
use super::{Body, Json};

/// The component in whose configuration an export keeps the user profile.
const PROFILE_PROVIDER: &str = "org.keycloak.userprofile.UserProfileProvider";

impl Flattened {
    pub(super) fn components(&mut self, rest: &mut Body) {
        for (provider_type, items) in take_map(rest, "components") {
            for item in items.as_array().cloned().unwrap_or_default() {
                if provider_type == PROFILE_PROVIDER {
                    self.exported_profile(&item);
                } else {
                    self.component(&Key::default(), &provider_type, item);
                }
            }
        }
    }

    /// An export keeps a changed user profile as JSON text in a component.
    fn exported_profile(&mut self, component: &Json) {
        let text = component["config"]["kc.user.profile.config"][0].as_str();
        if let Some(Json::Object(profile)) = text.and_then(|text| serde_json::from_str(text).ok()) {
            self.add(Kind::UserProfile, Key::default(), None, profile);
        }
    }

    fn component(&mut self, owner: &Key, provider_type: &str, item: Json) {
        let mut body = object(item);
        let inner = take_map(&mut body, "subComponents");
        let Some(name) = body.get("name").and_then(Json::as_str) else {
            self.problem(format!("a component of `{provider_type}` has no `name`"));
            return;
        };
        // The registration policies for anonymous and for authenticated clients have the same names.
        let name = match body.get("subType").and_then(Json::as_str) {
            Some(sub_type) => format!("{name} ({sub_type})"),
            None => name.to_owned(),
        };
        let key = owner.child(provider_type).child(name);
        let id = body.get("id").and_then(Json::as_str).map(str::to_owned);
        body.insert("providerType".into(), provider_type.into());
        self.add(Kind::Component, key.clone(), id, body);
        for (sub_type, items) in inner {
            for item in items.as_array().cloned().unwrap_or_default() {
                self.component(&key, &sub_type, item);
            }
        }
    }

    /// Scope mappings of realm roles stand in one list, those of client roles in a map by the roles' client: one object per owner here.
    pub(super) fn scope_mappings(&mut self, rest: &mut Body) {
        let mut owners: Vec<(Key, Body)> = Vec::new();
        let mut entries: Vec<(Option<String>, Json)> = take_list(rest, "scopeMappings").into_iter().map(|entry| (None, entry)).collect();
        for (client, items) in take_map(rest, "clientScopeMappings") {
            entries.extend(items.as_array().cloned().unwrap_or_default().into_iter().map(|entry| (Some(client.clone()), entry)));
        }
        for (roles_of, entry) in entries {
            let Some((sort, owner)) = ["client", "clientScope"].iter().find_map(|sort| Some((*sort, entry[*sort].as_str()?))) else {
                self.problem("a scope mapping names neither `client` nor `clientScope`".into());
                continue;
            };
            let key = Key::of([sort, owner]);
            let place = owners.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
                owners.push((key, Body::new()));
                owners.len() - 1
            });
            let body = &mut owners[place].1;
            match roles_of {
                None => body.insert("realm".into(), entry["roles"].clone()),
                Some(client) => {
                    let clients = body.entry("clients").or_insert_with(|| json!({}));
                    clients.as_object_mut().and_then(|clients| clients.insert(client, entry["roles"].clone()))
                }
            };
        }
        for (key, body) in owners {
            self.add(Kind::ScopeMapping, key, None, body);
        }
    }
}
