//! What an export lacks: users, the user profile as it is by default, events of which it leaves out what is unset, organizations, workflows;
//! and names for the ids by which it shows what administrators' permissions are about.

use futures_util::future::{BoxFuture, try_join_all, try_join4};

use super::Reader;
use super::users::Users;
use crate::keycloak::client::encode;
use crate::keycloak::error::Result;
use crate::keycloak::flatten;
use crate::keycloak::kind::{Kind, ORGANIZATION_GROUPS, WORKFLOWS};
use crate::keycloak::model::{Key, Model, Name};
use crate::keycloak::{ADMIN_PERMISSIONS, Body, Json};

/// What was read beside the export.
pub(super) struct Beside {
    singles: Vec<(Kind, Json)>,
    users: Users,
    lists: Body,
}

impl Reader<'_> {
    pub(super) async fn beside(&self) -> Result<Beside> {
        let single = |kind: Kind| async move {
            if !self.declaration.declares(kind) {
                return Ok(None);
            }
            let spec = kind.spec();
            let needed = if kind == Kind::EventsConfig { "manage-events" } else { "manage-realm" };
            self.client.get(&self.path(spec.item)).await.map(|body| Some((kind, body))).map_err(self.needs(needed))
        };
        let singles = [Kind::UserProfile, Kind::EventsConfig].map(single);
        let (singles, users, organizations, workflows) =
            try_join4(try_join_all(singles), self.users(), self.organizations(), self.workflows()).await?;
        let lists = Body::from_iter([("organizations".to_owned(), organizations.into()), ("workflows".to_owned(), workflows.into())]);
        Ok(Beside { singles: singles.into_iter().flatten().collect(), users, lists })
    }

    /// Puts it into the model, which may have all groups and roles, or only some.
    pub(super) async fn put_beside(&self, model: &mut Model, beside: Beside, all_groups: bool) -> Result<()> {
        let users = self.with_links(beside.users, all_groups.then_some(&*model)).await?;
        for (kind, body) in beside.singles {
            model.remove(&Name::new(kind, Key::default()));
            self.insert(model, Name::new(kind, Key::default()), body);
        }
        for (name, body) in users {
            self.insert(model, name, body);
        }
        for (name, object) in flatten::live(&beside.lists).into_objects().filter(|(name, _)| name.kind != Kind::Realm) {
            model.insert(name, object);
        }
        Ok(())
    }

    async fn organizations(&self) -> Result<Vec<Json>> {
        if !self.declaration.declares(Kind::Organization) {
            return Ok(Vec::new());
        }
        let found = match self.client.list(&self.path("organizations?briefRepresentation=false&max=10000")).await {
            // The realm does not have them switched on (yet).
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            other => other.map_err(self.needs("manage-organizations"))?,
        };
        try_join_all(found.into_iter().map(|organization| self.organization(organization))).await
    }

    /// One with its identity providers, and with its members and groups where anything declared speaks of them.
    async fn organization(&self, mut organization: Json) -> Result<Json> {
        let id = organization["id"].as_str().unwrap_or_default().to_owned();
        let key = Key::of([organization["alias"].as_str().unwrap_or_default()]);
        let providers = self.client.list(&self.path(&format!("organizations/{id}/identity-providers"))).await?;
        organization["identityProviders"] = providers.iter().map(|provider| provider["alias"].clone()).collect();
        let declared = self.declaration.model.get(Kind::Organization, &key);
        if self.declaration.is_everything() || declared.is_some_and(|object| object.body.contains_key("members")) {
            let members = self.client.list(&self.path(&format!("organizations/{id}/members?max=1000000"))).await?;
            organization["members"] = members.iter().map(|member| member["username"].clone()).collect();
        }
        let mut groups = self.declaration.model.of_kind(Kind::OrganizationGroup);
        if self.declaration.is_everything() || groups.any(|(group, _)| group.owner() == key.name()) {
            organization["groups"] = self.organization_groups(format!("organizations/{id}/groups")).await?.into();
        }
        Ok(organization)
    }

    fn organization_groups(&self, path: String) -> BoxFuture<'_, Result<Vec<Json>>> {
        Box::pin(async move {
            let base = path.split("/groups").next().unwrap_or_default().to_owned() + "/groups";
            let found = match self.client.list(&self.path(&format!("{path}?briefRepresentation=false&max=100000"))).await {
                Err(error) if error.is_missing() && self.declaration.is_everything() => return Ok(Vec::new()),
                other => other.map_err(|error| error.without(ORGANIZATION_GROUPS))?,
            };
            let mut groups = Vec::new();
            for mut group in found {
                let id = group["id"].as_str().unwrap_or_default().to_owned();
                let members = self.client.list(&self.path(&format!("{base}/{id}/members?max=1000000"))).await?;
                group["members"] = members.iter().map(|member| member["username"].clone()).collect();
                group["subGroups"] = self.organization_groups(format!("{base}/{id}/children")).await?.into();
                groups.push(group);
            }
            Ok(groups)
        })
    }

    /// Only `realm-admin` may see them. An export of somebody else goes without.
    async fn workflows(&self) -> Result<Vec<Json>> {
        if !self.declaration.declares(Kind::Workflow) {
            return Ok(Vec::new());
        }
        let mut found = match self.client.list(&self.path("workflows?max=10000")).await {
            // An export of a server without them has none.
            Err(error) if error.is_missing() && self.declaration.is_everything() => return Ok(Vec::new()),
            Err(error) if error.is_missing() => return Err(error.without(WORKFLOWS)),
            Err(error) if error.is_forbidden() && self.declaration.is_everything() => return Ok(Vec::new()),
            other => other.map_err(self.needs("realm-admin"))?,
        };
        for step in found.iter_mut().filter_map(|workflow| workflow["steps"].as_array_mut()).flatten() {
            step.as_object_mut().and_then(|step| step.remove("id"));
        }
        Ok(found)
    }

    /// A permission of administrators names groups, users, clients and roles by id: in a declaration they have names.
    pub(super) async fn name_entities(&self, model: &mut Model) -> Result<()> {
        let permissions: Vec<Name> = model.iter().map(|(name, _)| name).filter(|name| is_admin_permission(name)).cloned().collect();
        for name in permissions {
            let Some(config) = model.get(name.kind, &name.key).and_then(|object| object.body.get("config")) else { continue };
            let Some(sort) = config["defaultResourceType"].as_str().map(str::to_owned) else { continue };
            let ids: Vec<String> = config["resources"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            let mut shown = Vec::new();
            for id in ids {
                let known = entity_name(model, &sort, &id);
                shown.push(match known {
                    Some(known) => known,
                    None if sort == "Users" && id != sort => self.username(&id).await?,
                    None => id,
                });
            }
            if let Some(config) = model.get_mut(&name).and_then(|object| object.body.get_mut("config"))
                && !shown.is_empty()
            {
                config["resources"] = serde_json::to_string(&shown).unwrap_or_default().into();
            }
        }
        Ok(())
    }

    async fn username(&self, id: &str) -> Result<String> {
        let user = self.client.find(&self.path(&format!("users/{}", encode(id)))).await?;
        Ok(user.and_then(|user| user["username"].as_str().map(str::to_owned)).unwrap_or_else(|| id.to_owned()))
    }
}

fn is_admin_permission(name: &Name) -> bool {
    name.kind == Kind::AuthorizationPolicy && name.key.owner() == ADMIN_PERMISSIONS
}

/// The natural key of what has this id: a path, a clientId, `client/role`, an alias.
fn entity_name(model: &Model, sort: &str, id: &str) -> Option<String> {
    let kinds: &[Kind] = match sort {
        "Groups" => &[Kind::Group],
        "Clients" => &[Kind::Client],
        "Roles" => &[Kind::RealmRole, Kind::ClientRole],
        "Organizations" => &[Kind::Organization],
        "Users" => &[Kind::User],
        _ => &[],
    };
    let found = kinds.iter().flat_map(|kind| model.of_kind(*kind).map(move |found| (*kind, found)));
    let (kind, (key, _)) = found.into_iter().find(|(_, (_, object))| object.id.as_deref() == Some(id))?;
    Some(if kind == Kind::Group { key.to_path() } else { key.0.join("/") })
}
