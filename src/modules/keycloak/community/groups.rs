//! Roles, groups, and roles of groups.

use serde_json::json;

use super::options::Fields;
use super::{Asked, Face};
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Model, Name};
use crate::keycloak::{Body, Json};
use crate::system::{Failure, Result};

pub struct Role;

impl Face for Role {
    const NAME: &'static str = "community.general.keycloak_role";
    const ABOUT: &'static str = "Makes a role of a realm or of a client exist or not, with the roles it contains.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether the role exists
        name str! : Name of the role
        description str : What it is for
        realm str=master : The realm
        client_id str : The client it is a role of; a realm role without it
        attributes dict : Attributes, each a text or a list
        composite bool=false : Whether it contains other roles
        composites list : Roles it contains: `name`, `client_id`, `state`
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let name = given.need("name")?;
        let client = given.text("client_id");
        let target = match client {
            Some(client) => Name::new(Kind::ClientRole, Key::of([client, name])),
            None => Name::new(Kind::RealmRole, Key::of([name])),
        };
        let mut role = Body::from_iter([("name".to_owned(), name.into())]);
        for field in ["description", "attributes"] {
            role.extend(given.json(field).map(|value| (field.to_owned(), value)));
        }
        let composites = given.items("composites");
        if !composites.is_empty() {
            let known = live.get(target.kind, &target.key).and_then(|object| object.body.get("composites")).cloned();
            role.insert("composites".into(), composed(known.unwrap_or_default(), &composites));
        }
        let section = match client {
            Some(client) => json!({"client": {client: [role]}}),
            None => json!({"realm": [role]}),
        };
        let declaration = Body::from_iter([("roles".to_owned(), section)]);
        Ok(Asked { declaration, target: Some(target), absent: given.is_absent(), what: format!("Role {name}"), ..Asked::default() })
    }
}

/// The roles that are there, with those of the task put in or taken out.
fn composed(known: Json, wanted: &[Json]) -> Json {
    let mut all = json!({"realm": known.get("realm").cloned().unwrap_or_else(|| json!([])), "client": known.get("client").cloned().unwrap_or_else(|| json!({}))});
    for role in wanted {
        let list = match role["client_id"].as_str().or_else(|| role["clientId"].as_str()) {
            Some(client) => &mut all["client"][client],
            None => &mut all["realm"],
        };
        change(list, &role["name"], role["state"] != "absent");
    }
    all
}

/// Puts a value into a list, or takes it out.
pub fn change(list: &mut Json, value: &Json, present: bool) {
    if !list.is_array() {
        *list = json!([]);
    }
    let Json::Array(items) = list else { return };
    items.retain(|item| item != value);
    if present {
        items.push(value.clone());
    }
}

pub struct Group;

impl Face for Group {
    const NAME: &'static str = "community.general.keycloak_group";
    const ABOUT: &'static str = "Makes a group exist or not, at the top or below its parents.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether the group exists
        name str : Name of the group
        realm str=master : The realm
        id str : Its id, instead of the name
        attributes dict : Attributes, each a text or a list
        parents list : The groups above it, from the top down: each a `name` or an `id`
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let key = match (given.text("name"), given.text("id")) {
            (Some(name), None) => parents(given, live)?.child(name),
            (name, Some(id)) => match (group_of(live, id), name) {
                (Some(key), _) => key,
                (None, Some(name)) => parents(given, live)?.child(name),
                (None, None) => Key::of([id]),
            },
            (None, None) => return Err(Failure::new("one of the following is required: id, name").at("name")),
        };
        let mut group = Body::from_iter([("name".to_owned(), key.name().into())]);
        group.extend(given.json("attributes").map(|attributes| ("attributes".to_owned(), attributes)));
        Ok(about_group(key, group, given.is_absent()))
    }
}

/// The group of an id.
fn group_of(live: &Model, id: &str) -> Option<Key> {
    live.of_kind(Kind::Group).find(|(_, object)| object.id.as_deref() == Some(id)).map(|(key, _)| key.clone())
}

fn parents(given: &Fields, live: &Model) -> Result<Key> {
    let mut key = Key::default();
    for parent in given.items("parents") {
        key = match (parent["name"].as_str(), parent["id"].as_str()) {
            (_, Some(id)) if group_of(live, id).is_some() => group_of(live, id).unwrap_or_default(),
            (Some(name), _) => key.child(name),
            (None, Some(id)) if live.is_empty() => key.child(id),
            (None, id) => return Err(Failure::new(format!("no group has the id `{}`", id.unwrap_or_default())).at("parents")),
        };
    }
    Ok(key)
}

/// A declaration of one group below others that are only named.
fn about_group(key: Key, group: Body, absent: bool) -> Asked {
    let mut tree = Json::Object(group);
    for name in key.parent().0.iter().rev() {
        tree = json!({"name": name, "subGroups": [tree]});
    }
    let what = format!("Group {}", key.name());
    Asked {
        declaration: Body::from_iter([("groups".to_owned(), json!([tree]))]),
        target: Some(Name::new(Kind::Group, key)),
        absent,
        what,
        ..Asked::default()
    }
}

pub struct ClientRoleMapping;

impl Face for ClientRoleMapping {
    const NAME: &'static str = "community.general.keycloak_client_rolemapping";
    const ABOUT: &'static str = "Gives a group roles of a client, or takes them away.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether the group has the roles
        realm str=master : The realm
        group_name str : Name of the group
        parents list : The groups above it, from the top down: each a `name` or an `id`
        gid str : Id of the group, instead of its name
        client_id str : The client
        cid str : Its id, instead of its clientId
        roles list : The roles, each with `name` or `id`
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let client = client_id(given, live)?;
        mapping(given, live, Some(&client))
    }
}

/// The client that a task means by its clientId or its id.
pub fn client_id(given: &Fields, live: &Model) -> Result<String> {
    match (given.text("client_id"), given.text("cid")) {
        (Some(name), _) => Ok(name.to_owned()),
        (None, Some(id)) => {
            let found =
                live.of_kind(Kind::Client).find(|(_, object)| object.id.as_deref() == Some(id)).map(|(key, _)| key.name().to_owned());
            found
                .or_else(|| live.is_empty().then(|| id.to_owned()))
                .ok_or_else(|| Failure::new(format!("no client has the id `{id}`")).at("cid"))
        }
        (None, None) => Err(Failure::new("one of the following is required: client_id, cid").at("client_id")),
    }
}

pub struct RealmRoleMapping;

impl Face for RealmRoleMapping {
    const NAME: &'static str = "community.general.keycloak_realm_rolemapping";
    const ABOUT: &'static str = "Gives a group roles of the realm, or takes them away.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether the group has the roles
        realm str=master : The realm
        group_name str : Name of the group
        parents list : The groups above it, from the top down: each a `name` or an `id`
        gid str : Id of the group, instead of its name
        roles list : The roles, each with `name` or `id`
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        mapping(given, live, None)
    }
}

fn mapping(given: &Fields, live: &Model, client: Option<&str>) -> Result<Asked> {
    let key = match (given.text("group_name"), given.text("gid")) {
        (_, Some(id)) if group_of(live, id).is_some() => group_of(live, id).unwrap_or_default(),
        (Some(name), _) => parents(given, live)?.child(name),
        (None, Some(id)) if live.is_empty() => Key::of([id]),
        (None, Some(id)) => return Err(Failure::new(format!("no group has the id `{id}`")).at("gid")),
        (None, None) => return Err(Failure::new("one of the following is required: group_name, gid").at("group_name")),
    };
    let known = live.get(Kind::Group, &key).map(|object| object.body.clone());
    if known.is_none() && !live.is_empty() {
        return Err(Failure::new(format!("there is no group `{}`", key.to_path())).at("group_name"));
    }
    let mut group = Body::from_iter([("name".to_owned(), key.name().into())]);
    roles_onto(&mut group, known.unwrap_or_default(), client, &role_names(given, live), !given.is_absent());
    let mut asked = about_group(key, group, false);
    asked.what = format!("Roles of group {}", asked.target.as_ref().map(|name| name.key.name()).unwrap_or_default());
    Ok(asked)
}

/// What a holder of roles has, with these put in or taken out.
pub fn roles_onto(body: &mut Body, known: Body, client: Option<&str>, roles: &[String], present: bool) {
    let (field, mut list) = match client {
        Some(client) => ("clientRoles", known.get("clientRoles").and_then(|clients| clients.get(client)).cloned().unwrap_or_default()),
        None => ("realmRoles", known.get("realmRoles").cloned().unwrap_or_default()),
    };
    for role in roles {
        change(&mut list, &role.as_str().into(), present);
    }
    body.insert(field.into(), client.map_or(list.clone(), |client| json!({ client: list })));
}

/// The roles of a task, by name; those given by id are looked up.
pub fn role_names(given: &Fields, live: &Model) -> Vec<String> {
    let by_id = |id: &str| {
        let roles = live.of_kind(Kind::RealmRole).chain(live.of_kind(Kind::ClientRole));
        roles.into_iter().find(|(_, object)| object.id.as_deref() == Some(id)).map(|(key, _)| key.name().to_owned())
    };
    let name = |role: &Json| role["name"].as_str().or_else(|| role.as_str()).map(str::to_owned).or_else(|| by_id(role["id"].as_str()?));
    given.items("roles").iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_put_in_and_taken_out_and_the_others_stay() {
        let known = json!({"realm": ["a"], "client": {"app": ["x"]}});
        let wanted = [json!({"name": "b"}), json!({"name": "a", "state": "absent"}), json!({"name": "y", "client_id": "app"})];
        assert_eq!(composed(known, &wanted), json!({"realm": ["b"], "client": {"app": ["x", "y"]}}));
        let mut body = Body::new();
        let known = Body::from_iter([("realmRoles".to_owned(), json!(["a", "b"]))]);
        roles_onto(&mut body, known, None, &["b".into()], false);
        assert_eq!(Json::Object(body), json!({"realmRoles": ["a"]}));
    }
}
