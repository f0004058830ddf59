//! Resources that tie others together: in a declaration they are fields of one of the two.

use serde_json::json;

use super::{Builder, Known, Resource};
use crate::keycloak::{Body, Json};

impl Builder {
    pub(super) fn link(&mut self, resource: &Resource) {
        if resource.values.get("exhaustive") == Some(&Json::Bool(false)) {
            self.leave(resource, "`exhaustive = false` has no counterpart: a declared set is all there is, docs/realm.md, whose it is");
        }
        match resource.sort {
            "group_roles" => {
                let roles = self.roles_of(resource, "role_ids");
                if let Some(Known::Group(path)) = self.pointed(resource, "group_id") {
                    give(self.groups.entry(path).or_default(), &roles);
                }
            }
            "user_roles" => {
                let roles = self.roles_of(resource, "role_ids");
                if let Some(Known::User(name)) = self.pointed(resource, "user_id") {
                    give(self.user(&name), &roles);
                }
            }
            "user_groups" => {
                let paths = self.paths_of(resource);
                if let Some(Known::User(name)) = self.pointed(resource, "user_id") {
                    paths.into_iter().for_each(|path| push(self.user(&name), "groups", path.into()));
                }
            }
            "group_memberships" => {
                if let Some(Known::Group(path)) = self.pointed(resource, "group_id") {
                    for member in resource.texts("members") {
                        // Declaring a user makes one: somebody else's are not taken over.
                        if self.known.values().any(|known| matches!(known, Known::User(name) if name == member)) {
                            push(self.user(member), "groups", to_path(&path).into());
                        } else {
                            self.leave(
                                resource,
                                &format!("the member `{member}` is no user of the file: declare who is to be in the group"),
                            );
                        }
                    }
                }
            }
            "default_groups" => {
                let paths = self.paths_of(resource);
                self.realm.insert("defaultGroups".into(), json!(paths));
            }
            "default_roles" => self.default_roles(resource),
            "realm_default_client_scopes" => {
                drop(self.realm.insert("defaultDefaultClientScopes".into(), json!(resource.texts("default_scopes"))))
            }
            "realm_optional_client_scopes" => {
                drop(self.realm.insert("defaultOptionalClientScopes".into(), json!(resource.texts("optional_scopes"))))
            }
            "openid_client_default_scopes" | "saml_client_default_scopes" => {
                self.client_scopes(resource, "defaultClientScopes", "default_scopes")
            }
            "openid_client_optional_scopes" => self.client_scopes(resource, "optionalClientScopes", "optional_scopes"),
            "openid_client_service_account_role" | "openid_client_service_account_realm_role" => self.service_account_role(resource),
            "generic_role_mapper" => self.scope_mapping(resource),
            other => self.leave(resource, &format!("`{other}` is not known here")),
        }
    }

    /// The roles whose ids a field lists.
    fn roles_of(&mut self, resource: &Resource, field: &str) -> Vec<(Option<String>, String)> {
        let mut roles = Vec::new();
        for id in resource.texts(field) {
            match self.known.get(id) {
                Some(Known::Role(client, name)) => roles.push((client.clone(), name.clone())),
                _ => self.leave(resource, &format!("the role `{id}` of `{field}` is not in the file")),
            }
        }
        roles
    }

    fn paths_of(&mut self, resource: &Resource) -> Vec<String> {
        let mut paths = Vec::new();
        for id in resource.texts("group_ids") {
            match self.known.get(id) {
                Some(Known::Group(path)) => paths.push(to_path(path)),
                _ => self.leave(resource, &format!("the group `{id}` is not in the file")),
            }
        }
        paths
    }

    pub(super) fn composites(&mut self, resource: &Resource, body: &mut Body) {
        let roles = self.roles_of(resource, "composite_roles");
        if !roles.is_empty() {
            body.insert("composites".into(), composites(&roles));
        }
    }

    /// `ROLE`, or `CLIENT/ROLE`.
    fn default_roles(&mut self, resource: &Resource) {
        let role = |text: &str| match text.split_once('/') {
            Some((client, role)) => (Some(client.to_owned()), role.to_owned()),
            None => (None, text.to_owned()),
        };
        let roles: Vec<_> = resource.texts("default_roles").into_iter().map(role).collect();
        let name = format!("default-roles-{}", resource.realm().unwrap_or_default().to_lowercase());
        self.roles.entry((None, name)).or_default().insert("composites".into(), composites(&roles));
    }

    fn client_scopes(&mut self, resource: &Resource, ours: &str, theirs: &str) {
        if let Some(Known::Client(id)) = self.pointed(resource, "client_id") {
            self.client(&id).insert(ours.into(), json!(resource.texts(theirs)));
        }
    }

    fn service_account_role(&mut self, resource: &Resource) {
        let owner = match resource.text("client_id") {
            Some(_) => match self.pointed(resource, "client_id") {
                Some(Known::Client(client)) => Some(client),
                _ => return,
            },
            None => None,
        };
        let user = self.pointed(resource, "service_account_user_id");
        if let (Some(Known::User(name)), Some(role)) = (user, resource.text("role")) {
            give(self.user(&name), &[(owner, role.to_owned())]);
        }
    }

    fn scope_mapping(&mut self, resource: &Resource) {
        let Some(Known::Role(owner, role)) = self.pointed(resource, "role_id") else { return };
        let entry = match (self.pointed(resource, "client_id"), self.pointed(resource, "client_scope_id")) {
            (Some(Known::Client(client)), _) => json!({"client": client, "roles": [role]}),
            (_, Some(Known::Scope(scope))) => json!({"clientScope": scope, "roles": [role]}),
            _ => return,
        };
        match owner {
            None => push(&mut self.realm, "scopeMappings", entry),
            Some(client) => {
                if let Some(map) = self.realm.entry("clientScopeMappings").or_insert_with(|| json!({})).as_object_mut() {
                    push(map, &client, entry);
                }
            }
        }
    }

    /// A mapper, put where it belongs.
    pub(super) fn mapper(&mut self, resource: &Resource, mut body: Body) {
        if let Some(Known::Role(client, role)) = self.pointed(resource, "role_id") {
            let role = client.map_or_else(|| role.clone(), |client| format!("{client}.{role}"));
            body.insert("config".into(), json!({"role": role}));
        }
        match (self.pointed(resource, "client_id"), self.pointed(resource, "client_scope_id")) {
            (Some(Known::Client(id)), _) => push(self.client(&id), "protocolMappers", body.into()),
            (_, Some(Known::Scope(name))) => push(self.scope(&name), "protocolMappers", body.into()),
            _ => {}
        }
    }
}

pub(super) fn to_path(names: &[String]) -> String {
    names.iter().flat_map(|name| ["/", name]).collect()
}

pub(super) fn push(body: &mut Body, field: &str, item: Json) {
    if let Some(list) = body.entry(field).or_insert_with(|| json!([])).as_array_mut()
        && !list.contains(&item)
    {
        list.push(item);
    }
}

/// Roles onto a group or a user.
fn give(body: &mut Body, roles: &[(Option<String>, String)]) {
    for (client, role) in roles {
        match client {
            None => push(body, "realmRoles", role.as_str().into()),
            Some(client) => {
                if let Some(map) = body.entry("clientRoles").or_insert_with(|| json!({})).as_object_mut() {
                    push(map, client, role.as_str().into());
                }
            }
        }
    }
}

fn composites(roles: &[(Option<String>, String)]) -> Json {
    let mut body = Body::new();
    give(&mut body, roles);
    let part = |field: &str, empty: Json| body.get(field).cloned().unwrap_or(empty);
    json!({"realm": part("realmRoles", json!([])), "client": part("clientRoles", json!({}))})
}
