//! Roles and groups for pools of compute, as OSMO reads them: a role `osmo-<pool group>` on each of two clients, its twins, and a group
//! `OSMO <pool group>` that carries them. Whoever lacks a twin may do a thing in the browser and not on the command line.

use std::collections::BTreeSet;

use super::{Findings, add_group, texts};
use crate::keycloak::declaration::is_template;
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Model, Name, Object};
use crate::keycloak::{Body, Json};

#[derive(Clone, Debug)]
pub struct Pools {
    /// The clients whose roles are twins.
    clients: Vec<String>,
    /// What the name of a role begins with.
    role: String,
    /// What the name of a group begins with.
    group: String,
    groups: Vec<PoolGroup>,
}

#[derive(Clone, Debug)]
struct PoolGroup {
    name: String,
    /// How its group is called, after the beginning that all have.
    title: String,
    /// The pools that it opens.
    pools: Vec<String>,
}

impl Pools {
    /// Reads `hostler.pools`.
    pub fn parse(json: &Json, problems: &mut Vec<String>) -> Option<Self> {
        let text = |field: &str, default: &str| json[field].as_str().unwrap_or(default).to_owned();
        let mut pools =
            Pools { clients: texts(json.get("clients")), role: text("role", "osmo-"), group: text("group", "OSMO "), groups: Vec::new() };
        if is_template(json) {
            return None;
        }
        if pools.clients.len() < 2 {
            problems.push("`hostler.pools` names the `clients` whose roles are twins".into());
            return None;
        }
        for field in json
            .as_object()
            .into_iter()
            .flat_map(Body::keys)
            .filter(|field| !["clients", "role", "group", "groups"].contains(&field.as_str()))
        {
            problems.push(format!("`hostler.pools` has no field `{field}`: it has `clients`, `groups`, `role` and `group`"));
        }
        match &json["groups"] {
            Json::Object(groups) => pools.groups = groups.iter().map(|(name, body)| PoolGroup::parse(name, body)).collect(),
            Json::Array(names) => {
                pools.groups = names.iter().filter_map(Json::as_str).map(|name| PoolGroup::parse(name, &Json::Null)).collect()
            }
            other if is_template(other) => {}
            _ => problems.push("`hostler.pools.groups` is a list of pool groups, or a mapping of each to its pools".into()),
        }
        pools.names(problems);
        Some(pools)
    }

    fn names(&self, problems: &mut Vec<String>) {
        for group in &self.groups {
            if group.name.starts_with(&self.role) {
                problems.push(format!("pool group {} has the prefix `{}` already: leave it out", group.name, self.role));
            }
            if slug(&group.title) != slug(&group.name) {
                problems.push(format!("pool group {} is titled `{}`, which reads as another pool group", group.name, group.title));
            }
            for pool in group.pools.iter().filter(|pool| !pool.starts_with(&group.name)) {
                let role = self.role_of(group);
                problems
                    .push(format!("pool group {} opens no pool `{pool}`: the role `{role}` is for pools `{}…`", group.name, group.name));
            }
        }
    }

    fn role_of(&self, group: &PoolGroup) -> String {
        format!("{}{}", self.role, group.name)
    }

    pub fn expand(&self, model: &mut Model, problems: &mut Vec<String>) {
        for group in &self.groups {
            let role = self.role_of(group);
            for client in &self.clients {
                let key = Key::of([client.as_str(), role.as_str()]);
                model.insert(
                    Name::new(Kind::ClientRole, key),
                    Object { id: None, body: Body::from_iter([("name".to_owned(), Json::from(role.as_str()))]) },
                );
            }
            let key = Key::of([format!("{}{}", self.group, group.title)]);
            add_group(model, &key);
            let Some(object) = model.get_mut(&Name::new(Kind::Group, key.clone())) else { continue };
            let roles = object.body.entry("clientRoles").or_insert_with(|| Json::Object(Body::new()));
            let Some(roles) = roles.as_object_mut() else {
                problems.push(format!("group {} has `clientRoles` that are no mapping", key.to_path()));
                continue;
            };
            for client in &self.clients {
                let held = roles.entry(client.as_str()).or_insert_with(|| Json::Array(Vec::new()));
                if let Some(held) = held.as_array_mut().filter(|held| !held.contains(&Json::from(role.as_str()))) {
                    held.push(role.as_str().into());
                }
            }
        }
    }

    /// Rules that need all roles there are: what the declaration breaks is refused, what only the realm shows is told.
    pub fn check(&self, declared: &Model, live: &Model, findings: &mut Findings) {
        let mut tell = |is_declared: bool, text: String| {
            if is_declared { findings.problems.push(text) } else { findings.warnings.push(text) }
        };
        let is_declared = |name: &Name| declared.get(name.kind, &name.key).is_some();
        let roles: BTreeSet<&Name> = [declared, live]
            .into_iter()
            .flat_map(Model::iter)
            .map(|(name, _)| name)
            .filter(|name| name.kind == Kind::ClientRole && self.clients.iter().any(|client| client == name.key.owner()))
            .collect();
        for role in roles.iter().filter(|role| role.key.name() != "uma_protection") {
            if !role.key.name().starts_with(&self.role) {
                tell(is_declared(role), format!("{role} lacks the prefix `{}`: it opens no pool", self.role));
            }
            for other in self.clients.iter().filter(|client| *client != role.key.owner()) {
                let twin = Name::new(Kind::ClientRole, Key::of([other.as_str(), role.key.name()]));
                if !roles.contains(&twin) {
                    tell(is_declared(role), format!("{role} has no twin at client `{other}`"));
                }
            }
        }
        let groups: BTreeSet<&Key> =
            [declared, live].into_iter().flat_map(|model| model.of_kind(Kind::Group)).map(|(key, _)| key).collect();
        for key in groups {
            let at_length = declared.get(Kind::Group, key).filter(|object| object.body.contains_key("clientRoles"));
            let Some(group) = at_length.or_else(|| live.get(Kind::Group, key)) else { continue };
            for problem in self.check_group(key, &group.body) {
                tell(at_length.is_some(), problem);
            }
        }
    }

    fn check_group(&self, key: &Key, body: &Body) -> Vec<String> {
        let of = |client: &String| -> BTreeSet<String> {
            texts(body.get("clientRoles").and_then(|roles| roles.get(client))).into_iter().collect()
        };
        let all: BTreeSet<String> = self.clients.iter().flat_map(&of).collect();
        let path = key.to_path();
        let mut found = Vec::new();
        for client in &self.clients {
            let lacks: Vec<String> = all.difference(&of(client)).cloned().collect();
            if !lacks.is_empty() {
                found.push(format!("group {path} carries {} and not its twin at client `{client}`", lacks.join(", ")));
            }
        }
        let Some(title) = key.name().strip_prefix(&self.group) else { return found };
        let wanted = format!("{}{}", self.role, slug(title));
        for role in all.iter().filter(|role| role.starts_with(&self.role) && **role != wanted) {
            found.push(format!("group {path} carries `{role}`: a group of this name is for `{wanted}`"));
        }
        found
    }
}

impl PoolGroup {
    fn parse(name: &str, body: &Json) -> Self {
        let pools = if body.is_object() { texts(body.get("pools")) } else { texts(Some(body)) };
        PoolGroup { name: name.to_owned(), title: body["title"].as_str().unwrap_or(name).to_owned(), pools }
    }
}

fn slug(title: &str) -> String {
    title.to_lowercase().replace([' ', '_'], "-")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keycloak::flatten;
    use crate::keycloak::{Declaration, Error};

    const CLIENTS: [&str; 2] = ["browser", "device"];

    fn declaration(groups: Json, more: Json) -> Result<Declaration, Vec<String>> {
        let mut json = json!({
            "realm": "osmo", "clients": [{"clientId": "browser"}, {"clientId": "device"}],
            "hostler": {"pools": {"clients": CLIENTS, "groups": groups}},
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            json[field] = value.clone();
        }
        match Declaration::parse(&json) {
            Ok(declaration) => Ok(declaration),
            Err(Error::Declaration { problems, .. }) => Err(problems),
            Err(other) => Err(vec![other.to_string()]),
        }
    }

    fn told(declaration: &Declaration, live: Json) -> Result<Vec<String>, String> {
        let live = flatten::live(live.as_object().expect("a mapping"));
        declaration.keeps_its_rules(&live, &super::super::Members::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_of_pools_becomes_twin_roles_and_groups_that_carry_them() {
        let groups = json!({"team-a": ["team-a-h100"], "ml-team": {"title": "ML Team", "pools": ["ml-team-training"]}});
        let model = declaration(groups, json!({})).expect("it is right").model;
        for client in CLIENTS {
            assert!(model.get(Kind::ClientRole, &Key::of([client, "osmo-ml-team"])).is_some());
        }
        let group = model.get(Kind::Group, &Key::of(["OSMO ML Team"])).expect("is there");
        assert_eq!(group.body["clientRoles"], json!({"browser": ["osmo-ml-team"], "device": ["osmo-ml-team"]}));
        assert!(model.get(Kind::Group, &Key::of(["OSMO team-a"])).is_some());
    }

    #[test]
    fn names_that_open_nothing_are_refused_without_a_server() {
        let found = |groups: Json| declaration(groups, json!({})).map(|_| ()).expect_err("it is wrong").join("\n");
        assert!(found(json!({"team-a": ["team-b-h100"]})).contains("opens no pool `team-b-h100`"));
        assert!(found(json!(["osmo-team-a"])).contains("has the prefix `osmo-` already"));
        assert!(found(json!({"team-a": {"title": "Team B"}})).contains("reads as another pool group"));
    }

    #[test]
    fn a_role_without_its_twin_or_prefix_is_refused_when_declared_and_told_when_found() {
        let only_one = json!({"roles": {"client": {"browser": [{"name": "osmo-admin"}, {"name": "admin"}]}}});
        let refusal =
            told(&declaration(json!([]), only_one.clone()).expect("each alone is right"), json!({})).expect_err("twins are missing");
        assert!(refusal.contains("client role browser/osmo-admin has no twin at client `device`"), "{refusal}");
        assert!(refusal.contains("client role browser/admin lacks the prefix `osmo-`"), "{refusal}");
        let warnings = told(&declaration(json!([]), json!({})).expect("it is right"), only_one.clone()).expect("is only told");
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        let twin = json!({"roles": {"client": {"device": [{"name": "osmo-admin"}], "browser": [{"name": "osmo-admin"}]}}});
        assert_eq!(told(&declaration(json!([]), twin).expect("it is right"), json!({})), Ok(Vec::new()));
    }

    #[test]
    fn a_group_carries_both_twins_and_those_of_its_own_name() {
        let roles = json!({"client": {"browser": [{"name": "osmo-b"}], "device": [{"name": "osmo-b"}]}});
        let groups = json!([{"name": "OSMO a", "clientRoles": {"browser": ["osmo-b"]}}]);
        let declared = declaration(json!([]), json!({"roles": roles, "groups": groups})).expect("each alone is right");
        let refusal = told(&declared, json!({})).expect_err("it is wrong");
        assert!(refusal.contains("group /OSMO a carries osmo-b and not its twin at client `device`"), "{refusal}");
        assert!(refusal.contains("group /OSMO a carries `osmo-b`: a group of this name is for `osmo-a`"), "{refusal}");
    }
}
