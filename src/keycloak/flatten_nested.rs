//! Sections of a realm whose objects do not stand in plain lists: components within components, scope mappings in two places.

use serde_json::json;

use super::flatten::{Flattened, object, take_list, take_map};
use super::kind::Kind;
use super::model::Key;
use super::{Body, Json};

/// The component in whose configuration an export keeps the user profile.
const PROFILE_PROVIDER: &str = "org.keycloak.userprofile.UserProfileProvider";
/// Workflows have an API of their own; an export shows their bare components.
const WORKFLOW_PROVIDER: &str = "org.keycloak.models.workflow.WorkflowProvider";
/// The client that carries the fine-grained permissions of administrators. Its resources and scopes are the server's own.
pub const ADMIN_PERMISSIONS: &str = "admin-permissions";

impl Flattened {
    pub(super) fn components(&mut self, rest: &mut Body) {
        for (provider_type, items) in take_map(rest, "components") {
            for item in items.as_array().cloned().unwrap_or_default() {
                match provider_type.as_str() {
                    PROFILE_PROVIDER => self.exported_profile(&item),
                    WORKFLOW_PROVIDER => {}
                    _ => self.component(&Key::default(), &provider_type, item),
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

    /// The authorization services of one client, as an export has them.
    pub(super) fn authorization(&mut self, owner: &Key, mut settings: Body) {
        let is_admin = owner.name() == ADMIN_PERMISSIONS;
        let (scopes, mut resources) = (take_list(&mut settings, "scopes"), take_list(&mut settings, "resources"));
        for scopes in resources.iter_mut().filter_map(|resource| resource.get_mut("scopes")?.as_array_mut()) {
            // `{name: view}` and `view` are the same.
            scopes.iter_mut().filter(|scope| scope.is_object()).for_each(|scope| *scope = scope["name"].take());
        }
        if !is_admin {
            self.owned_by(Kind::AuthorizationScope, owner, scopes);
            self.owned_by(Kind::AuthorizationResource, owner, resources);
        }
        let mut policies = take_list(&mut settings, "policies");
        if !self.strict {
            policies.iter_mut().for_each(sort_sets);
        }
        self.owned_by(Kind::AuthorizationPolicy, owner, policies);
        for own in ["authorizationSchema", "id", "clientId", "name"] {
            settings.remove(own);
        }
        if is_admin {
            settings.clear();
        }
        self.add(Kind::AuthorizationSettings, owner.clone(), None, settings);
    }

    pub(super) fn organizations(&mut self, rest: &mut Body) {
        for item in take_list(rest, "organizations") {
            let mut body = object(item);
            let Some(alias) = body.get("alias").or_else(|| body.get("name")).and_then(Json::as_str).map(str::to_owned) else {
                self.problem("an organization has no `alias`".into());
                continue;
            };
            body.entry("alias").or_insert_with(|| alias.clone().into());
            let groups = take_list(&mut body, "groups");
            let id = body.get("id").and_then(Json::as_str).map(str::to_owned);
            let key = Key::of([alias]);
            self.add(Kind::Organization, key.clone(), id, body);
            self.organization_groups(&key, groups);
        }
    }

    pub(super) fn organization_groups(&mut self, owner: &Key, groups: Vec<Json>) {
        for group in groups {
            let mut body = object(group);
            let Some(name) = body.get("name").and_then(Json::as_str).map(str::to_owned) else {
                self.problem(format!("a group of organization `{}` has no `name`", owner.owner()));
                continue;
            };
            let inner = take_list(&mut body, "subGroups");
            let id = body.get("id").and_then(Json::as_str).map(str::to_owned);
            let key = owner.child(name);
            self.add(Kind::OrganizationGroup, key.clone(), id, body);
            self.organization_groups(&key, inner);
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
/// A server tells the sets of a policy, which are lists as JSON in a text, in another order each time: an export must not differ by that.
fn sort_sets(policy: &mut Json) {
    for value in policy.get_mut("config").and_then(Json::as_object_mut).into_iter().flat_map(|config| config.values_mut()) {
        let list = value.as_str().filter(|text| text.starts_with('[')).and_then(|text| serde_json::from_str::<Vec<Json>>(text).ok());
        if let Some(mut list) = list {
            list.sort_by_key(Json::to_string);
            *value = Json::Array(list).to_string().into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn sets_of_a_policy_are_told_in_one_order() {
        let mut policy = json!({"config": {"applyPolicies": "[\"b\",\"a\"]", "roles": "[{\"id\":\"z\"},{\"id\":\"y\"}]", "hour": "8"}});
        super::sort_sets(&mut policy);
        assert_eq!(policy, json!({"config": {"applyPolicies": "[\"a\",\"b\"]", "roles": "[{\"id\":\"y\"},{\"id\":\"z\"}]", "hour": "8"}}));
    }
}
