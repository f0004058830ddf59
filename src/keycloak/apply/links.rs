//! What binds objects to each other: roles in roles, groups and users, scopes of clients and of the realm, memberships. Each is a request of
//! its own, since the PUT of the object ignores it in silence.

use serde_json::json;

use super::Executor;
use crate::keycloak::client::encode;
use crate::keycloak::compare::{Change, PASSWORD, permanent_password};
use crate::keycloak::error::{Error, Result};
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Name, Object};
use crate::keycloak::plan::{Action, Operation};
use crate::keycloak::{Json, MASK};

/// What a set gains and loses.
struct SetChange {
    add: Vec<String>,
    remove: Vec<String>,
}

impl SetChange {
    fn of(change: &Change) -> Self {
        let texts = |list: &Json| list.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect::<Vec<_>>();
        let (old, new) = (texts(&change.old), texts(&change.new));
        SetChange {
            add: new.iter().filter(|name| !old.contains(name)).cloned().collect(),
            remove: old.iter().filter(|name| !new.contains(name)).cloned().collect(),
        }
    }
}

impl Executor<'_> {
    pub(super) async fn links(&self, action: &Action, object: &Object) -> Result<()> {
        let name = &action.name;
        match name.kind {
            // A new client takes its scopes with the POST.
            Kind::Client if action.operation == Operation::Update => self.client_scopes(action).await,
            Kind::RealmScopes => self.realm_scopes(action).await,
            Kind::DefaultGroups => self.default_groups(action).await,
            Kind::RealmRole | Kind::ClientRole => self.composites(action).await,
            Kind::Group => {
                let base = format!("groups/{}/role-mappings", self.need(name, Kind::Group, &name.key)?);
                self.role_mappings(action, &base, "realmRoles", "clientRoles.").await
            }
            Kind::ScopeMapping => self.scope_mappings(action).await,
            Kind::User => self.user(action, object).await,
            Kind::Organization => {
                self.organization(action).await?;
                self.membership(action).await
            }
            Kind::OrganizationGroup => self.membership(action).await,
            _ => Ok(()),
        }
    }

    async fn client_scopes(&self, action: &Action) -> Result<()> {
        let id = self.need(&action.name, Kind::Client, &action.name.key)?;
        let paths = [("defaultClientScopes", "default-client-scopes"), ("optionalClientScopes", "optional-client-scopes")];
        self.scope_lists(action, &format!("clients/{id}/"), paths).await
    }

    async fn realm_scopes(&self, action: &Action) -> Result<()> {
        self.scope_lists(action, "", [("default", "default-default-client-scopes"), ("optional", "default-optional-client-scopes")]).await
    }

    /// Removals first, and from the other list too: to add a scope that stands in the other list does nothing, and says 204.
    async fn scope_lists(&self, action: &Action, base: &str, lists: [(&str, &str); 2]) -> Result<()> {
        let name = &action.name;
        let change = |field: &str| action.changes.iter().find(|change| change.path == field).map(SetChange::of);
        for (field, path) in lists {
            for scope in change(field).map(|change| change.remove).unwrap_or_default() {
                let id = self.need(name, Kind::ClientScope, &Key::of([scope]))?;
                self.client.delete(&self.path(&format!("{base}{path}/{id}")), None).await?;
            }
        }
        for (index, (field, path)) in lists.into_iter().enumerate() {
            for scope in change(field).map(|change| change.add).unwrap_or_default() {
                let id = self.need(name, Kind::ClientScope, &Key::of([scope]))?;
                let other = lists[1 - index].1;
                self.client.delete(&self.path(&format!("{base}{other}/{id}")), None).await?;
                self.client.put(&self.path(&format!("{base}{path}/{id}")), &json!({})).await?;
            }
        }
        Ok(())
    }

    async fn default_groups(&self, action: &Action) -> Result<()> {
        for change in action.changes.iter().map(SetChange::of) {
            for (paths, adds) in [(change.remove, false), (change.add, true)] {
                for path in paths {
                    let id = self.need(&action.name, Kind::Group, &Key::from_path(&path))?;
                    self.put_or_delete(&format!("default-groups/{id}"), adds).await?;
                }
            }
        }
        Ok(())
    }

    async fn put_or_delete(&self, path: &str, adds: bool) -> Result<()> {
        let path = self.path(path);
        if adds { self.client.put(&path, &json!({})).await } else { self.client.delete(&path, None).await }
    }

    async fn composites(&self, action: &Action) -> Result<()> {
        let name = &action.name;
        let path = self.path(&format!("roles-by-id/{}/composites", self.need(name, name.kind, &name.key)?));
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        for change in &action.changes {
            let client = match change.path.strip_prefix("composites.") {
                Some("realm") => None,
                Some(rest) => rest.strip_prefix("client."),
                None => continue,
            };
            let set = SetChange::of(change);
            add.extend(self.roles(name, client, &set.add).await?);
            remove.extend(self.roles(name, client, &set.remove).await?);
        }
        self.post_and_delete(&path, add, remove).await
    }

    async fn role_mappings(&self, action: &Action, base: &str, realm_field: &str, client_prefix: &str) -> Result<()> {
        for change in &action.changes {
            let (client, path) = match change.path.strip_prefix(client_prefix) {
                Some(client) => (Some(client), format!("{base}/clients/{}", self.need(&action.name, Kind::Client, &Key::of([client]))?)),
                None if change.path == realm_field => (None, format!("{base}/realm")),
                None => continue,
            };
            let set = SetChange::of(change);
            let add = self.roles(&action.name, client, &set.add).await?;
            let remove = self.roles(&action.name, client, &set.remove).await?;
            self.post_and_delete(&self.path(&path), add, remove).await?;
        }
        Ok(())
    }

    async fn post_and_delete(&self, path: &str, add: Vec<Json>, remove: Vec<Json>) -> Result<()> {
        if !remove.is_empty() {
            self.client.delete(path, Some(&remove.into())).await?;
        }
        if !add.is_empty() {
            self.client.post(path, &add.into()).await?;
        }
        Ok(())
    }

    /// Roles as the API wants them, with id and name. One that was not read is looked up.
    async fn roles(&self, name: &Name, client: Option<&str>, roles: &[String]) -> Result<Vec<Json>> {
        let mut out = Vec::new();
        for role in roles {
            let (kind, key) = match client {
                Some(client) => (Kind::ClientRole, Key::of([client, role])),
                None => (Kind::RealmRole, Key::of([role])),
            };
            let id = match self.id(kind, &key) {
                Some(id) => id,
                None => self.look_up_role(name, kind, &key).await?,
            };
            out.push(json!({"id": id, "name": role}));
        }
        Ok(out)
    }

    async fn look_up_role(&self, name: &Name, kind: Kind, key: &Key) -> Result<String> {
        let owner = match kind {
            Kind::ClientRole => format!("clients/{}/", self.need(name, Kind::Client, &key.parent())?),
            _ => String::new(),
        };
        let found = self.client.find(&self.path(&format!("{owner}roles/{}", encode(key.name())))).await?;
        let id = found.and_then(|role| role["id"].as_str().map(str::to_owned));
        id.ok_or_else(|| Error::Reference { object: name.to_string(), needs: Name::new(kind, key.clone()).to_string() })
    }

    async fn scope_mappings(&self, action: &Action) -> Result<()> {
        let name = &action.name;
        let key = Key::of([name.key.name()]);
        let base = match name.key.owner() {
            "client" => format!("clients/{}/scope-mappings", self.need(name, Kind::Client, &key)?),
            _ => format!("client-scopes/{}/scope-mappings", self.need(name, Kind::ClientScope, &key)?),
        };
        self.role_mappings(action, &base, "realm", "clients.").await
    }

    async fn user(&self, action: &Action, object: &Object) -> Result<()> {
        let name = &action.name;
        let id = self.need(name, Kind::User, &name.key)?;
        self.role_mappings(action, &format!("users/{id}/role-mappings"), "realmRoles", "clientRoles.").await?;
        // A new user takes its groups and its password with the POST.
        if action.operation == Operation::Create {
            return Ok(());
        }
        for change in action.changes.iter().filter(|change| change.path == "groups").map(SetChange::of) {
            for (paths, adds) in [(change.remove, false), (change.add, true)] {
                for path in paths {
                    let group = self.need(name, Kind::Group, &Key::from_path(&path))?;
                    self.put_or_delete(&format!("users/{id}/groups/{group}"), adds).await?;
                }
            }
        }
        if action.changes.iter().any(|change| change.path == PASSWORD) {
            let credentials = object.body.get("credentials").and_then(Json::as_array).into_iter().flatten();
            for password in credentials.filter_map(permanent_password).filter(|password| *password != MASK) {
                let body = json!({"type": "password", "value": password, "temporary": false});
                self.client.put(&self.path(&format!("users/{id}/reset-password")), &body).await?;
            }
        }
        Ok(())
    }

    async fn membership(&self, action: &Action) -> Result<()> {
        for change in action.changes.iter().filter(|change| change.path == "members").map(SetChange::of) {
            self.members(&action.name, change.add, change.remove).await?;
        }
        Ok(())
    }

    async fn organization(&self, action: &Action) -> Result<()> {
        let id = self.need(&action.name, Kind::Organization, &action.name.key)?;
        let base = self.path(&format!("organizations/{id}/identity-providers"));
        for change in action.changes.iter().filter(|change| change.path == "identityProviders").map(SetChange::of) {
            for alias in change.remove {
                self.client.delete(&format!("{base}/{}", encode(&alias)), None).await?;
            }
            for alias in change.add {
                self.client.post(&base, &Json::String(alias)).await?;
            }
        }
        Ok(())
    }
}
