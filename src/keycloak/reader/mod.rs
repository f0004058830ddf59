//! Reads a realm in as few requests as the server allows: an export for all that it holds, the clients for their real secrets, and what is
//! declared of the rest. What the caller may not see is an error, never an absence.

mod beside;
pub mod groups;
mod members;
mod users;

use std::collections::BTreeMap;

use futures_util::future::{join, try_join};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;

use super::client::{Client, encode};
use super::declaration::Declaration;
use super::error::{Error, Result};
use super::flatten;
use super::kind::Kind;
use super::ledger::ATTRIBUTE;
use super::model::{Key, Model, Name, Object};
use super::moves;
use super::overlay::normalize;
use super::shorthand::Members;
use super::{Body, Json};

/// Up to here an export with its groups is the fastest reading; at 10,000 groups it takes minutes (157 s measured).
const SMALL: u64 = 1500;
/// How many pages, and members of groups, are read at once.
const AT_ONCE: usize = 4;
/// A caller without rights gets a stub of the realm with six or seven fields.
const STUB: usize = 20;

/// A realm as it was read.
pub struct Reading {
    pub model: Model,
    pub realm_id: String,
    /// The text of the ledger of applied secrets.
    pub ledger: Option<String>,
    /// The realm's own attributes: a PUT of one replaces all of them.
    pub attributes: Body,
    /// Who is in the groups whose members the declaration has rules for.
    pub members: Members,
}

pub struct Reader<'a> {
    client: &'a Client,
    realm: String,
    declaration: &'a Declaration,
}

/// Reads what the declaration concerns; `None` when the realm is not there.
///
/// # Errors
/// When the server does not answer, or the service account may not see all that is needed.
pub async fn read(client: &Client, declaration: &Declaration) -> Result<Option<Reading>> {
    let reader = Reader { client, realm: format!("/admin/realms/{}", encode(&declaration.realm)), declaration };
    reader.read().await
}

impl Reader<'_> {
    fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.realm)
    }

    fn rights(&self, missing: &str) -> Error {
        Error::Rights { realm: self.declaration.realm.clone(), missing: missing.to_owned() }
    }

    fn needs(&self, right: &'static str) -> impl Fn(Error) -> Error {
        let realm = self.declaration.realm.clone();
        move |error| match error {
            forbidden if forbidden.is_forbidden() => Error::Rights { realm: realm.clone(), missing: format!("`{right}` is needed") },
            other => other,
        }
    }

    async fn read(&self) -> Result<Option<Reading>> {
        let count = self.path("groups/count");
        let (settings, count) = join(self.client.find(&self.realm), self.client.get(&count)).await;
        let Some(settings) = settings.map_err(self.needs("manage-realm"))? else { return Ok(None) };
        if settings.as_object().is_none_or(|body| body.len() < STUB) {
            return Err(self.rights("it sees a stub of the realm, `manage-realm` is needed"));
        }
        let groups = count.map_err(self.needs("view-users"))?["count"].as_u64().unwrap_or(0);
        let small = groups <= SMALL;
        let export = self.path(&format!("partial-export?exportClients=true&exportGroupsAndRoles={small}"));
        let nothing = json!({});
        let clients = self.path("clients");
        let whole = async {
            let both = try_join(self.client.ask(&export, &nothing), self.client.list(&clients)).await;
            both.map_err(self.needs("manage-realm"))
        };
        let ((export, clients), beside) = try_join(whole, self.beside()).await?;
        let Json::Object(mut export) = export else { return Err(self.rights("the export of the realm is empty")) };
        if clients.is_empty() {
            return Err(self.rights("it sees no client, `manage-clients` is needed"));
        }
        let seen = export.get("groups").and_then(Json::as_array).is_some_and(|groups| !groups.is_empty());
        if small && groups > 0 && !seen {
            return Err(self.rights(&format!("it sees none of {groups} groups, `manage-users` is needed")));
        }
        real_secrets(&mut export, &clients);
        let realm_id = settings["id"].as_str().unwrap_or_default().to_owned();
        let attributes = settings["attributes"].as_object().cloned().unwrap_or_default();
        let ledger = attributes.get(ATTRIBUTE).and_then(Json::as_str).map(str::to_owned);
        let accounts = export.remove("users");
        let mut model = flatten::live(&export);
        if !small {
            self.large(&mut model, &clients, groups).await?;
        }
        self.put_beside(&mut model, beside, small).await?;
        self.name_entities(&mut model).await?;
        self.sees_users(&model, accounts.as_ref()).await?;
        moves::follow(self.declaration, &mut model)?;
        let members = self.members(&model).await?;
        Ok(Some(Reading { model, realm_id, ledger, attributes, members }))
    }

    /// Without rights on users every search for one is empty. When none of the declared ones was found, a service account, which the export
    /// names, is searched for to tell the one from the other.
    async fn sees_users(&self, model: &Model, accounts: Option<&Json>) -> Result<()> {
        if !self.declaration.declares(Kind::User) || model.of_kind(Kind::User).next().is_some() {
            return Ok(());
        }
        let Some(known) = accounts.and_then(|accounts| accounts[0]["username"].as_str()) else { return Ok(()) };
        match self.client.list(&self.path(&format!("users?exact=true&username={}", encode(known)))).await?.is_empty() {
            true => Err(self.rights("it sees no user, `manage-users` is needed")),
            false => Ok(()),
        }
    }

    fn insert(&self, model: &mut Model, name: Name, body: Json) {
        let id = body["id"].as_str().map(str::to_owned);
        let Json::Object(mut body) = body else { return };
        normalize(name.kind.spec(), &mut body);
        model.insert(name, Object { id, body });
    }

    /// Groups and roles of a realm that is too big for the export of them.
    async fn large(&self, model: &mut Model, clients: &[Json], count: u64) -> Result<()> {
        let groups = async { if self.declaration.declares(Kind::Group) { self.flat_groups(count).await } else { Ok(Vec::new()) } };
        let roles = async {
            let roles = self.path("roles?briefRepresentation=false");
            let (realm, client) = try_join(self.client.list(&roles), self.client_roles(clients)).await?;
            for role in realm {
                let key = Key::of([role["name"].as_str().unwrap_or_default()]);
                self.insert(model, Name::new(Kind::RealmRole, key), role);
            }
            for (owner, role) in client {
                let key = Key::of([owner.as_str(), role["name"].as_str().unwrap_or_default()]);
                self.insert(model, Name::new(Kind::ClientRole, key), role);
            }
            self.composites(model, clients).await
        };
        let (groups, ()) = try_join(groups, roles).await?;
        for (key, group) in groups {
            self.insert(model, Name::new(Kind::Group, key), group);
        }
        Ok(())
    }

    /// Each with the client it belongs to.
    async fn client_roles(&self, clients: &[Json]) -> Result<Vec<(String, Json)>> {
        let wanted = self.role_owners();
        let all = self.declaration.is_everything();
        let owners = clients.iter().filter(|client| all || client["clientId"].as_str().is_some_and(|id| wanted.contains(&id.to_owned())));
        let lists = stream::iter(owners).map(|client| async move {
            let (owner, id) = (client["clientId"].as_str().unwrap_or_default(), client["id"].as_str().unwrap_or_default());
            Ok::<_, Error>((owner, self.client.list(&self.path(&format!("clients/{id}/roles?briefRepresentation=false"))).await?))
        });
        let lists: Vec<_> = lists.buffer_unordered(8).try_collect().await?;
        Ok(lists.into_iter().flat_map(|(owner, roles)| roles.into_iter().map(move |role| (owner.to_owned(), role))).collect())
    }

    /// The clients of whose roles anything declared speaks.
    fn role_owners(&self) -> Vec<String> {
        let mut owners: Vec<String> = Vec::new();
        for (name, object) in self.declaration.model.iter() {
            match name.kind {
                Kind::ClientRole => owners.push(name.key.owner().to_owned()),
                Kind::Group | Kind::User | Kind::ScopeMapping | Kind::RealmRole => {
                    let maps = ["clientRoles", "clients"].iter().filter_map(|field| object.body.get(*field)?.as_object());
                    owners.extend(maps.flat_map(Body::keys).cloned());
                    owners.extend(
                        object.body.get("composites").and_then(|it| it["client"].as_object()).into_iter().flat_map(Body::keys).cloned(),
                    );
                }
                _ => {}
            }
        }
        owners
    }

    /// The composites of declared roles, which a list of roles does not show.
    async fn composites(&self, model: &mut Model, clients: &[Json]) -> Result<()> {
        let declared = self.declaration.model.iter().filter(|(_, object)| object.body.contains_key("composites")).map(|(name, _)| name);
        let is_composite = |object: &Object| object.body.get("composite") == Some(&Json::Bool(true));
        let wanted: Vec<Name> = match self.declaration.is_everything() {
            true => model.iter().filter(|(_, object)| is_composite(object)).map(|(name, _)| name.clone()).collect(),
            false => declared.cloned().collect(),
        };
        let known: Vec<(Name, String)> =
            wanted.into_iter().filter_map(|name| Some((name.clone(), model.get(name.kind, &name.key)?.id.clone()?))).collect();
        let read = known
            .into_iter()
            .map(|(name, id)| async move { (name, self.client.list(&self.path(&format!("roles-by-id/{id}/composites"))).await) });
        let owners: BTreeMap<&str, &str> =
            clients.iter().filter_map(|client| Some((client["id"].as_str()?, client["clientId"].as_str()?))).collect();
        let read: Vec<_> = stream::iter(read).buffer_unordered(8).collect().await;
        for (name, roles) in read {
            let (mut realm, mut client) = (Vec::new(), BTreeMap::<String, Vec<Json>>::new());
            for role in roles? {
                match role["clientRole"].as_bool() {
                    Some(true) => {
                        let owner = owners.get(role["containerId"].as_str().unwrap_or_default()).copied().unwrap_or_default();
                        client.entry(owner.to_owned()).or_default().push(role["name"].clone());
                    }
                    _ => realm.push(role["name"].clone()),
                }
            }
            if let Some(object) = model.get_mut(&name) {
                object.body.insert("composites".into(), json!({"realm": realm, "client": client}));
            }
        }
        Ok(())
    }
}

fn names(roles: &Json) -> Json {
    roles.as_array().into_iter().flatten().map(|role| role["name"].clone()).collect()
}

/// An export masks the secrets of clients; the list of clients has them.
fn real_secrets(export: &mut Body, clients: &[Json]) {
    let secrets: BTreeMap<&str, &Json> =
        clients.iter().filter_map(|client| Some((client["clientId"].as_str()?, client.get("secret")?))).collect();
    for client in export.get_mut("clients").and_then(Json::as_array_mut).into_iter().flatten() {
        if let Some(secret) = client["clientId"].as_str().and_then(|id| secrets.get(id)) {
            client["secret"] = (*secret).clone();
        }
    }
}
