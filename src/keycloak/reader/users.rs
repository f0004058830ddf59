//! The declared users, with their groups and roles. A few are asked for one by one. Many are listed; which groups and roles they have is then
//! asked of the groups and roles, where there are fewer of those than of users.

use std::collections::BTreeMap;

use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;

use super::{AT_ONCE, Reader, names};
use crate::keycloak::Json;
use crate::keycloak::client::encode;
use crate::keycloak::error::{Error, Result};
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Model, Name};

/// From here on users are listed, and not searched for one by one.
const MANY: usize = 20;
/// Users in one page of those that are in a group or have a role.
const PAGE: usize = 1000;

const GROUPS: &[&str] = &["groups"];
const ROLES: &[&str] = &["realmRoles", "clientRoles"];

/// The users that were found.
#[derive(Default)]
pub(super) struct Users {
    whole: Vec<(Name, Json)>,
    /// Without their groups and roles.
    listed: Vec<(Name, Json)>,
}

/// By user id, where all groups or roles were asked for their users.
#[derive(Default)]
struct Links {
    groups: Option<BTreeMap<String, Vec<Json>>>,
    /// Each role as the client it belongs to, none for one of the realm, and its name.
    roles: Option<BTreeMap<String, Vec<Role>>>,
}

type Role = (Option<String>, String);

impl Reader<'_> {
    /// The declared users, and no others.
    pub(super) async fn users(&self) -> Result<Users> {
        let declared = self.declaration.model.of_kind(Kind::User).map(|(key, _)| key.clone());
        let absent = self.declaration.absent.iter().filter(|name| name.kind == Kind::User).map(|name| name.key.clone());
        let keys: Vec<Key> = declared.chain(absent).collect();
        let read = async {
            let mut list = self.list_of_users(keys.len()).await?;
            let (mut listed, mut rest) = (Vec::new(), Vec::new());
            for key in keys {
                match list.remove(key.name()) {
                    Some(user) => listed.push((Name::new(Kind::User, key), user)),
                    None => rest.push(key),
                }
            }
            let whole = stream::iter(rest.into_iter().map(|key| self.user(key))).buffer_unordered(8);
            let whole: Vec<Option<(Name, Json)>> = whole.try_collect().await?;
            Ok(Users { whole: whole.into_iter().flatten().collect(), listed })
        };
        read.await.map_err(self.needs("manage-users"))
    }

    /// Where many are declared, and the realm does not have far more than those, all of them in one answer, by name. Service accounts are
    /// not among them.
    async fn list_of_users(&self, declared: usize) -> Result<BTreeMap<String, Json>> {
        if declared < MANY {
            return Ok(BTreeMap::new());
        }
        let all = self.client.get(&self.path("users/count")).await?.as_u64().unwrap_or(u64::MAX);
        if all > 10 * declared as u64 {
            return Ok(BTreeMap::new());
        }
        let users = self.client.list(&self.path(&format!("users?max={all}"))).await?;
        Ok(users.into_iter().filter_map(|user| Some((user["username"].as_str()?.to_owned(), user))).collect())
    }

    async fn user(&self, key: Key) -> Result<Option<(Name, Json)>> {
        let search = format!("users?exact=true&username={}", encode(key.name()));
        match self.client.list(&self.path(&search)).await?.into_iter().next() {
            Some(user) => self.linked((Name::new(Kind::User, key), user), &Links::default()).await.map(Some),
            None => Ok(None),
        }
    }

    /// The users with their groups and roles. `model` is asked for all groups and roles there are, when it has all of them.
    pub(super) async fn with_links(&self, users: Users, model: Option<&Model>) -> Result<Vec<(Name, Json)>> {
        let Users { mut whole, listed } = users;
        let read = async {
            let links = match model {
                Some(model) => self.links(&listed, model).await?,
                None => Links::default(),
            };
            let reads: Vec<_> = listed.into_iter().map(|user| self.linked(user, &links)).collect();
            stream::iter(reads).buffer_unordered(8).try_collect::<Vec<_>>().await
        };
        whole.extend(read.await.map_err(self.needs("manage-users"))?);
        Ok(whole)
    }

    /// Which groups and roles the users have, as far as it takes fewer requests to ask those. Every group and role is asked, declared or not:
    /// one that a user has and should not have is a change.
    async fn links(&self, users: &[(Name, Json)], model: &Model) -> Result<Links> {
        let asking = |fields| users.iter().filter(|(name, _)| self.declares_any(name, fields)).count();
        let id = |kind, key: &Key| model.get(kind, key).and_then(|object| object.id.clone());
        let groups = model
            .of_kind(Kind::Group)
            .filter_map(|(key, _)| Some((Json::from(key.to_path()), format!("groups/{}/members", id(Kind::Group, key)?))));
        let of_realm =
            model.of_kind(Kind::RealmRole).map(|(key, _)| ((None, key.name().to_owned()), format!("roles/{}/users", encode(key.name()))));
        let of_clients = model.of_kind(Kind::ClientRole).filter_map(|(key, _)| {
            let path = format!("clients/{}/roles/{}/users", id(Kind::Client, &key.parent())?, encode(key.name()));
            Some(((Some(key.owner().to_owned()), key.name().to_owned()), path))
        });
        let (groups, roles): (Vec<_>, Vec<_>) = (groups.collect(), of_realm.chain(of_clients).collect());
        let cheaper = |requests: usize, fields| requests < asking(fields);
        let groups = async { if cheaper(groups.len(), GROUPS) { self.by_user(groups).await.map(Some) } else { Ok(None) } };
        let roles = async { if cheaper(roles.len(), ROLES) { self.by_user(roles).await.map(Some) } else { Ok(None) } };
        let (groups, roles) = try_join(groups, roles).await?;
        Ok(Links { groups, roles })
    }

    /// Asks each path for its users, in pages; answers by user id what they were found in.
    async fn by_user<T: Clone>(&self, paths: Vec<(T, String)>) -> Result<BTreeMap<String, Vec<T>>> {
        let reads = paths.into_iter().map(|(found_in, path)| async move {
            let mut ids = Vec::new();
            loop {
                let page = format!("{path}?briefRepresentation=true&first={}&max={PAGE}", ids.len());
                let users = self.client.list(&self.path(&page)).await?;
                ids.extend(users.iter().map(|user| user["id"].as_str().unwrap_or_default().to_owned()));
                if users.len() < PAGE {
                    return Ok::<_, Error>((found_in, ids));
                }
            }
        });
        let read: Vec<_> = stream::iter(reads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut by_user = BTreeMap::<String, Vec<T>>::new();
        for (found_in, ids) in read {
            ids.into_iter().for_each(|id| by_user.entry(id).or_default().push(found_in.clone()));
        }
        Ok(by_user)
    }

    fn declares_any(&self, name: &Name, fields: &[&str]) -> bool {
        let declared = self.declaration.model.get(name.kind, &name.key);
        declared.is_some_and(|object| fields.iter().any(|field| object.body.contains_key(*field)))
    }

    /// The user with groups and roles, where the declaration speaks of them: those that are known, or else asked for.
    async fn linked(&self, (name, mut user): (Name, Json), links: &Links) -> Result<(Name, Json)> {
        let id = user["id"].as_str().unwrap_or_default().to_owned();
        let groups = async {
            match &links.groups {
                _ if !self.declares_any(&name, GROUPS) => Ok(None),
                Some(known) => Ok(Some(known.get(&id).cloned().unwrap_or_default())),
                None => {
                    let groups = self.client.list(&self.path(&format!("users/{id}/groups?max=100000"))).await?;
                    Ok(Some(groups.iter().map(|group| group["path"].clone()).collect()))
                }
            }
        };
        let roles = async {
            match &links.roles {
                _ if !self.declares_any(&name, ROLES) => Ok(None),
                Some(known) => Ok(Some(as_fields(known.get(&id).map_or(&[], Vec::as_slice)))),
                None => {
                    let mappings = self.client.get(&self.path(&format!("users/{id}/role-mappings"))).await?;
                    let clients = mappings["clientMappings"].as_object().into_iter().flatten();
                    let of_clients = clients.map(|(client, entry)| (client.clone(), names(&entry["mappings"]))).collect();
                    Ok(Some((names(&mappings["realmMappings"]), Json::Object(of_clients))))
                }
            }
        };
        let (groups, roles): (Option<Vec<Json>>, Option<(Json, Json)>) = try_join(groups, roles).await?;
        if let Some(groups) = groups {
            user["groups"] = groups.into();
        }
        if let Some((of_realm, of_clients)) = roles {
            user["realmRoles"] = of_realm;
            user["clientRoles"] = of_clients;
        }
        Ok((name, user))
    }
}

/// Roles as a user's `realmRoles` and `clientRoles`.
fn as_fields(roles: &[Role]) -> (Json, Json) {
    let (mut of_realm, mut of_clients) = (Vec::new(), json!({}));
    for (client, role) in roles {
        match client {
            None => of_realm.push(Json::from(role.as_str())),
            Some(client) => match of_clients[client].as_array_mut() {
                Some(list) => list.push(role.as_str().into()),
                None => of_clients[client] = json!([role]),
            },
        }
    }
    (of_realm.into(), of_clients)
}
