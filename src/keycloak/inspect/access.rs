//! Who has which roles, and why: assigned, by a group, by a role that contains them. For reviews, and for the day somebody leaves.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::keycloak::client::{Client, encode};
use crate::keycloak::declaration::Declaration;
use crate::keycloak::error::{Error, Result};
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Model};
use crate::keycloak::{Body, Json, reader};

/// Users at once.
const AT_ONCE: usize = 8;
/// Users in one page.
const PAGE: usize = 500;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserAccess {
    pub username: String,
    pub enabled: bool,
    pub groups: Vec<String>,
    pub roles: Vec<RoleAccess>,
    /// Only where one user is asked for.
    #[serde(default)]
    pub sessions: usize,
    #[serde(default)]
    pub identities: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleAccess {
    /// A realm role by its name, a client's as `client/role`.
    pub role: String,
    pub because: Vec<String>,
}

/// Everybody's access, or one user's.
///
/// # Errors
/// Users, groups or roles cannot be read, or there is no such user.
pub async fn access(client: &Client, realm: &str, user: Option<&str>) -> Result<Vec<UserAccess>> {
    let Some(reading) = reader::read(client, &Declaration::everything(realm)).await? else {
        return Err(Error::Refused(format!("there is no realm `{realm}`, or the account may not see it")));
    };
    let base = format!("/admin/realms/{}", encode(realm));
    let users = users(client, &base, user).await?;
    let roles = Roles { model: &reading.model };
    let one = user.is_some();
    let read = users.into_iter().map(|user| describe(client, &base, &roles, user, one));
    let mut found: Vec<UserAccess> = stream::iter(read).buffer_unordered(AT_ONCE).try_collect().await?;
    found.sort_by(|one, other| one.username.cmp(&other.username));
    Ok(found)
}

async fn users(client: &Client, base: &str, user: Option<&str>) -> Result<Vec<Json>> {
    if let Some(user) = user {
        let found = client.list(&format!("{base}/users?exact=true&username={}", encode(user))).await?;
        return if found.is_empty() { Err(Error::Refused(format!("there is no user `{user}`"))) } else { Ok(found) };
    }
    let mut all = Vec::new();
    loop {
        let page = client.list(&format!("{base}/users?briefRepresentation=true&first={}&max={PAGE}", all.len())).await?;
        let last = page.len() < PAGE;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

async fn describe(client: &Client, base: &str, roles: &Roles<'_>, user: Json, one: bool) -> Result<UserAccess> {
    let path = format!("{base}/users/{}", user["id"].as_str().unwrap_or_default());
    let (groups, mappings) = (format!("{path}/groups?max=100000"), format!("{path}/role-mappings"));
    let (groups, mappings) = try_join(client.list(&groups), client.get(&mappings)).await?;
    let groups: Vec<String> = groups.iter().filter_map(|group| group["path"].as_str().map(str::to_owned)).collect();
    let (mut sessions, mut identities) = (0, Vec::new());
    if one {
        sessions = client.list(&format!("{path}/sessions")).await?.len();
        let linked = client.list(&format!("{path}/federated-identity")).await?;
        identities = linked.iter().filter_map(|identity| identity["identityProvider"].as_str().map(str::to_owned)).collect();
    }
    Ok(UserAccess {
        username: user["username"].as_str().unwrap_or_default().to_owned(),
        enabled: user["enabled"].as_bool().unwrap_or(false),
        roles: roles.effective(&direct(&mappings), &groups),
        groups,
        sessions,
        identities,
    })
}

fn direct(mappings: &Json) -> Vec<String> {
    let names =
        |list: &Json| list.as_array().into_iter().flatten().filter_map(|role| role["name"].as_str().map(str::to_owned)).collect::<Vec<_>>();
    let clients = mappings["clientMappings"].as_object().into_iter().flatten();
    let of_clients = clients.flat_map(|(client, entry)| names(&entry["mappings"]).into_iter().map(move |role| format!("{client}/{role}")));
    names(&mappings["realmMappings"]).into_iter().chain(of_clients).collect()
}

struct Roles<'a> {
    model: &'a Model,
}

impl Roles<'_> {
    /// Every role, with each way it came by.
    fn effective(&self, direct: &[String], groups: &[String]) -> Vec<RoleAccess> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for role in direct {
            self.grant(role, "assigned", &mut found);
        }
        for group in groups {
            let key = Key::from_path(group);
            for depth in 1..=key.depth() {
                let above = Key(key.0[..depth].to_vec());
                let Some(object) = self.model.get(Kind::Group, &above) else { continue };
                for role in held(&object.body) {
                    self.grant(&role, &above.to_path(), &mut found);
                }
            }
        }
        found.into_iter().map(|(role, because)| RoleAccess { role, because: because.into_iter().collect() }).collect()
    }

    fn grant(&self, role: &str, because: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
        self.grant_within(role, because, &mut Vec::new(), found);
    }

    /// `above`: the roles on the way here, for roles that contain each other.
    fn grant_within(&self, role: &str, because: &str, above: &mut Vec<String>, found: &mut BTreeMap<String, BTreeSet<String>>) {
        if above.iter().any(|outer| outer == role) || !found.entry(role.to_owned()).or_default().insert(because.to_owned()) {
            return;
        }
        above.push(role.to_owned());
        for inner in self.composites(role) {
            self.grant_within(&inner, &format!("{because} › {role}"), above, found);
        }
        above.pop();
    }

    fn composites(&self, role: &str) -> Vec<String> {
        let object = match role.split_once('/') {
            Some((client, name)) => self.model.get(Kind::ClientRole, &Key::of([client, name])),
            None => self.model.get(Kind::RealmRole, &Key::of([role])),
        };
        let composites = object.and_then(|object| object.body.get("composites")).cloned().unwrap_or_default();
        role_names(&composites["realm"], &composites["client"])
    }
}

fn held(body: &Body) -> Vec<String> {
    role_names(body.get("realmRoles").unwrap_or(&Json::Null), body.get("clientRoles").unwrap_or(&Json::Null))
}

fn role_names(realm: &Json, clients: &Json) -> Vec<String> {
    let texts = |list: &Json| list.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect::<Vec<_>>();
    let of_clients = clients.as_object().into_iter().flatten();
    let of_clients = of_clients.flat_map(|(client, roles)| texts(roles).into_iter().map(move |role| format!("{client}/{role}")));
    texts(realm).into_iter().chain(of_clients).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keycloak::flatten;

    #[test]
    fn a_role_is_explained_by_every_way_it_came() {
        let realm = json!({
            "groups": [{"name": "Staff", "realmRoles": ["lead"], "subGroups": [{"name": "Admins"}]}],
            "roles": {"realm": [{"name": "lead", "composites": {"client": {"app": ["user"]}}}], "client": {"app": [{"name": "user"}]}},
        });
        let model = flatten::live(realm.as_object().expect("a mapping"));
        let found = Roles { model: &model }.effective(&["app/user".into()], &["/Staff/Admins".into()]);
        let shown: Vec<String> = found.iter().map(|role| format!("{}: {}", role.role, role.because.join(", "))).collect();
        assert_eq!(shown, ["app/user: /Staff › lead, assigned", "lead: /Staff"]);
    }

    #[test]
    fn roles_that_contain_each_other_come_to_an_end() {
        let realm =
            json!({"roles": {"realm": [{"name": "a", "composites": {"realm": ["b"]}}, {"name": "b", "composites": {"realm": ["a"]}}]}});
        let model = flatten::live(realm.as_object().expect("a mapping"));
        assert_eq!(Roles { model: &model }.effective(&["a".into()], &[]).len(), 2);
    }
}
