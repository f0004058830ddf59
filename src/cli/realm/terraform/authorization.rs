//! Authorization services: in a declaration their parts stand in the client's settings, and name each other.

use serde_json::json;

use super::fields::{camel, told};
use super::links::push;
use super::table::{Place, RESOURCES};
use super::{Builder, Known, Resource};
use crate::keycloak::Json;

/// When a time policy holds, in Terraform's words and Keycloak's.
const TIMES: [(&str, &str); 2] = [("not_before", "nbf"), ("not_on_or_after", "noa")];

pub(super) fn is_part(sort: &str) -> bool {
    RESOURCES.iter().any(|(name, place)| *name == sort && *place == Place::Authorization)
}

impl Builder {
    pub(super) fn authorization(&mut self, resource: &Resource) {
        let Some(Known::Client(client)) = self.pointed(resource, "resource_server_id") else { return };
        let of = |field: &str| resource.values.get(field).cloned().unwrap_or_default();
        let (list, part) = match resource.sort {
            "openid_client_authorization_scope" => {
                ("scopes", told([("name", of("name")), ("displayName", of("display_name")), ("iconUri", of("icon_uri"))]))
            }
            "openid_client_authorization_resource" => {
                let attributes = of("attributes").as_object().map(|map| {
                    map.iter()
                        .map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().split(',').collect::<Json>()))
                        .collect::<serde_json::Map<_, _>>()
                });
                let fields = [
                    ("name", of("name")),
                    ("displayName", of("display_name")),
                    ("icon_uri", of("icon_uri")),
                    ("type", of("type")),
                    ("uris", of("uris")),
                    ("ownerManagedAccess", of("owner_managed_access")),
                    ("scopes", of("scopes")),
                    ("attributes", attributes.map_or(Json::Null, Json::from)),
                ];
                ("resources", told(fields))
            }
            _ => ("policies", self.policy(resource)),
        };
        let settings = self.client(&client).entry("authorizationSettings").or_insert_with(|| json!({}));
        if let Some(settings) = settings.as_object_mut() {
            push(settings, list, part);
        }
    }

    /// A policy, or a permission, which Keycloak takes for one.
    fn policy(&mut self, resource: &Resource) -> Json {
        let of = |field: &str| resource.values.get(field).cloned().unwrap_or_default();
        let sort = resource.sort.trim_start_matches("openid_client_").trim_end_matches("_policy");
        let (sort, config) = match sort {
            "authorization_permission" => {
                let sort = resource.text("type").unwrap_or("resource");
                let config = told([
                    ("resources", self.names(resource, "resources")),
                    ("scopes", self.names(resource, "scopes")),
                    ("applyPolicies", self.names(resource, "policies")),
                    ("defaultResourceType", of("resource_type")),
                ]);
                (sort, config)
            }
            "authorization_client_scope" => ("client-scope", told([("clientScopes", self.blocks(resource, "scope"))])),
            "aggregate" => (sort, told([("applyPolicies", self.names(resource, "policies"))])),
            "client" => (sort, told([("clients", self.names(resource, "clients"))])),
            "user" => (sort, told([("users", self.names(resource, "users"))])),
            "role" => (sort, told([("roles", self.blocks(resource, "role")), ("fetchRoles", of("fetch_roles"))])),
            "group" => (sort, told([("groups", self.blocks(resource, "groups")), ("groupsClaim", of("groups_claim"))])),
            "regex" => {
                let names = ["target_claim", "pattern", "target_context_attributes"];
                (sort, names.iter().map(|name| (camel(name), of(name))).filter(|(_, value)| !value.is_null()).collect())
            }
            _ => {
                let times =
                    ["day_month", "day_month_end", "month", "month_end", "year", "year_end", "hour", "hour_end", "minute", "minute_end"];
                let times = times
                    .iter()
                    .map(|name| (camel(name), of(name)))
                    .chain(TIMES.iter().map(|(theirs, ours)| ((*ours).to_owned(), of(theirs))));
                (sort, times.filter(|(_, value)| !value.is_null() && value != "").collect())
            }
        };
        told([
            ("name", of("name")),
            ("description", of("description")),
            ("type", sort.into()),
            ("logic", of("logic")),
            ("decisionStrategy", of("decision_strategy")),
            ("config", config),
        ])
    }

    /// The names of what a field lists by id.
    fn names(&mut self, resource: &Resource, field: &str) -> Json {
        resource.texts(field).into_iter().filter_map(|id| self.name(resource, field, id)).collect()
    }

    /// Blocks with an id, as maps with a name.
    fn blocks(&mut self, resource: &Resource, field: &str) -> Json {
        let blocks = resource.values.get(field).and_then(Json::as_array).cloned().unwrap_or_default();
        let mut out = Vec::new();
        for block in &blocks {
            let Some(name) = self.name(resource, field, block["id"].as_str().unwrap_or_default()) else { continue };
            out.push(match field {
                "groups" => told([("path", name.into()), ("extendChildren", block["extend_children"].clone())]),
                _ => told([("id", name.into()), ("required", block["required"].clone())]),
            });
        }
        out.into()
    }

    fn name(&mut self, resource: &Resource, field: &str, id: &str) -> Option<String> {
        let name = match self.known.get(id) {
            Some(Known::Client(name) | Known::Scope(name) | Known::User(name) | Known::Authorization(name)) => Some(name.clone()),
            Some(Known::Role(None, role)) => Some(role.clone()),
            Some(Known::Role(Some(client), role)) => Some(format!("{client}/{role}")),
            Some(Known::Group(path)) => Some(super::links::to_path(path)),
            Some(Known::Flow(_) | Known::Federation(_)) | None => None,
        };
        if name.is_none() {
            self.leave(resource, &format!("what `{id}` of `{field}` points to is not in the file"));
        }
        name
    }

    /// Keycloak makes a resource, a policy and a permission by itself, which Terraform takes away again unless it is told not to.
    pub(super) fn keeps_defaults(&mut self, resource: &Resource) {
        let block = resource.values.get("authorization").and_then(|blocks| blocks.get(0));
        if block.is_some_and(|block| block["keep_defaults"] == false) {
            self.leave(resource, "`authorization.keep_defaults = false` has no counterpart: what Keycloak makes by itself stays");
        }
    }
}
