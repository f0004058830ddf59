//! Authorization services: scopes, resources, policies and permissions of a client, each through the endpoint of its own type. An import
//! would be one request for all of them, but it sets what it does not name of the settings back, and only ever adds scopes to a resource.

use super::{Executor, body_of};
use crate::keycloak::client::encode;
use crate::keycloak::error::{Error, Result};
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Name, Object};
use crate::keycloak::overlay::overlay;
use crate::keycloak::plan::{Action, Operation};
use crate::keycloak::{ADMIN_PERMISSIONS, Body, Json};

/// Permissions come after all policies.
const PERMISSIONS: usize = 99;

/// Policies that others are made of come first.
pub(super) fn rank(action: &Action, object: Option<&Object>) -> usize {
    let Some(body) = object.map(|object| &object.body).filter(|_| action.name.kind == Kind::AuthorizationPolicy) else {
        return action.name.key.depth();
    };
    match body.get("type").and_then(Json::as_str) {
        Some("scope" | "resource") => PERMISSIONS,
        Some("aggregate") => 2,
        _ => 1,
    }
}

impl Executor<'_> {
    fn server_of(&self, name: &Name) -> Result<String> {
        let client = self.need(name, Kind::Client, &Key::of([name.key.owner()]))?;
        Ok(self.path(&format!("clients/{client}/authz/resource-server")))
    }

    pub(super) async fn write_authorization(&self, name: &Name, object: &Object, operation: Operation) -> Result<()> {
        let base = self.server_of(name)?;
        let exists = operation != Operation::Create;
        match name.kind {
            Kind::AuthorizationPolicy => self.write_policy(name, object, &base, exists).await,
            kind => {
                let sort = if kind == Kind::AuthorizationScope { "scope" } else { "resource" };
                let mut body = Body::new();
                let mut path = format!("{base}/{sort}");
                if exists {
                    let id = self.authorization_id(name, &base).await?;
                    path = format!("{path}/{id}");
                    body = body_of(self.client.get(&path).await?);
                }
                overlay(kind.spec(), &mut body, &object.body);
                if exists { self.client.put(&path, &body.into()).await } else { self.client.post(&path, &body.into()).await.map(|_| ()) }
            }
        }
    }

    /// The typed endpoints take the entries of an export's `config` as fields of their own, and names where they show ids.
    async fn write_policy(&self, name: &Name, object: &Object, base: &str, exists: bool) -> Result<()> {
        let live = self.live.get(name.kind, &name.key).map(|found| found.body.clone()).unwrap_or_default();
        let mut body = live;
        overlay(name.kind.spec(), &mut body, &object.body);
        let config = body.remove("config").map(body_of).unwrap_or_default();
        let sort = body.get("type").and_then(Json::as_str).unwrap_or_default().to_owned();
        let fields: Vec<(String, Json)> = config.into_iter().map(|(field, value)| typed(&field, value)).collect();
        body.extend(fields);
        if name.key.owner() == ADMIN_PERMISSIONS {
            self.entities(name, &mut body).await?;
        }
        let collection = if matches!(sort.as_str(), "scope" | "resource") { "permission" } else { "policy" };
        let path = format!("{base}/{collection}/{}", encode(&sort));
        if !exists {
            return self.client.post(&path, &body.into()).await.map(|_| ());
        }
        let id = self.authorization_id(name, base).await?;
        body.insert("id".into(), id.as_str().into());
        self.client.put(&format!("{path}/{id}"), &body.into()).await
    }

    /// Permissions are policies that have endpoints of their own.
    fn collection_of(&self, name: &Name) -> &'static str {
        let models = [&self.declaration.model, self.live];
        let sort = models.iter().find_map(|model| model.get(name.kind, &name.key)?.body.get("type")?.as_str());
        if matches!(sort, Some("scope" | "resource")) { "permission" } else { "policy" }
    }

    async fn authorization_id(&self, name: &Name, base: &str) -> Result<String> {
        let wanted = encode(name.key.name());
        let (path, field) = match name.kind {
            Kind::AuthorizationResource => (format!("{base}/resource?exactName=true&name={wanted}"), "_id"),
            Kind::AuthorizationScope => (format!("{base}/scope/search?name={wanted}"), "id"),
            _ => (format!("{base}/{}/search?name={wanted}", self.collection_of(name)), "id"),
        };
        let found = self.client.find(&path).await?.unwrap_or_default();
        let found = if found.is_array() { found[0].clone() } else { found };
        let id = found[field].as_str().or_else(|| found["id"].as_str()).map(str::to_owned);
        id.ok_or_else(|| Error::Reference { object: name.to_string(), needs: format!("the id of `{}`", name.key.name()) })
    }

    pub(super) async fn delete_authorization(&self, name: &Name) -> Result<()> {
        let base = self.server_of(name)?;
        let sort = match name.kind {
            Kind::AuthorizationScope => "scope",
            Kind::AuthorizationResource => "resource",
            _ => "policy",
        };
        match self.authorization_id(name, &base).await {
            Ok(id) => self.client.delete(&format!("{base}/{sort}/{id}"), None).await,
            // It went with what it hung on.
            Err(Error::Reference { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// What a permission of administrators is about, by id; all of a type is said by naming none.
    async fn entities(&self, name: &Name, body: &mut Body) -> Result<()> {
        let sort = body.get("resourceType").and_then(Json::as_str).unwrap_or_default().to_owned();
        let names: Vec<String> =
            body.get("resources").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
        let mut ids = Vec::new();
        for entity in names.iter().filter(|entity| **entity != sort) {
            ids.push(self.entity(name, &sort, entity).await?);
        }
        body.insert("resources".into(), ids.into());
        Ok(())
    }

    async fn entity(&self, name: &Name, sort: &str, entity: &str) -> Result<String> {
        let (kind, key) = match sort {
            "Groups" => (Kind::Group, Key::from_path(entity)),
            "Clients" => (Kind::Client, Key::of([entity])),
            "Organizations" => (Kind::Organization, Key::of([entity])),
            "Users" => return self.user_id(name, entity).await,
            "Roles" if entity.contains('/') => (Kind::ClientRole, Key::of(entity.splitn(2, '/'))),
            "Roles" => (Kind::RealmRole, Key::of([entity])),
            _ => return Ok(entity.to_owned()),
        };
        self.need(name, kind, &key)
    }

    /// The id of a user, who need not be declared.
    pub(super) async fn user_id(&self, name: &Name, username: &str) -> Result<String> {
        let key = Key::of([username.to_lowercase()]);
        if let Some(id) = self.id(Kind::User, &key) {
            return Ok(id);
        }
        let found = self.client.list(&self.path(&format!("users?exact=true&username={}", encode(username)))).await?;
        let id = found.first().and_then(|user| user["id"].as_str()).map(str::to_owned);
        id.ok_or_else(|| Error::Reference { object: name.to_string(), needs: Name::new(Kind::User, key).to_string() })
    }
}

/// An entry of `config` as the typed endpoint wants it.
fn typed(field: &str, value: Json) -> (String, Json) {
    let field = match field {
        "applyPolicies" => "policies",
        "defaultResourceType" => "resourceType",
        other => other,
    };
    let parsed = value.as_str().filter(|text| text.starts_with(['[', '{'])).and_then(|text| serde_json::from_str(text).ok());
    let flag = value.as_str().and_then(|text| text.parse::<bool>().ok()).map(Json::from);
    (field.to_owned(), parsed.or(flag).unwrap_or(value))
}
