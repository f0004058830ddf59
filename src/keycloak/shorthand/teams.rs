//! Groups of organizations and their teams: `/<Organization>/[Products/]<Team>/{collaborator,developer}` and `roles/<ROLE>` where a team has
//! some. A user of a team is either the one or the other; an organization has so many seats of each; and where a team works in an
//! environment, its users need the environment's group too.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, Members, add_group, texts};
use crate::keycloak::declaration::is_template;
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Model};
use crate::keycloak::{Body, Json};

const PRODUCTS: &str = "Products";
const ROLES: &str = "roles";
const LEVELS: [&str; 2] = ["collaborator", "developer"];
/// Kept for groups that manage themselves.
const MANAGER: &str = "manager";

#[derive(Clone, Debug, Default)]
pub struct Teams {
    organizations: Vec<Organization>,
}

#[derive(Clone, Debug)]
struct Organization {
    name: String,
    /// By level, as many as there may be.
    seats: BTreeMap<String, u64>,
    /// More than these are told, and not refused.
    lenient: bool,
    teams: Vec<Team>,
}

#[derive(Clone, Debug)]
struct Team {
    key: Key,
    roles: Vec<String>,
    environment: Option<Key>,
}

impl Teams {
    /// Reads `hostler.teams`.
    pub fn parse(json: &Json, problems: &mut Vec<String>) -> Option<Self> {
        let Some(organizations) = json.as_object() else {
            if !is_template(json) {
                problems.push("`hostler.teams` is a mapping of organizations".into());
            }
            return None;
        };
        Some(Teams { organizations: organizations.iter().map(|(name, body)| Organization::parse(name, body, problems)).collect() })
    }

    fn teams(&self) -> impl Iterator<Item = &Team> {
        self.organizations.iter().flat_map(|organization| &organization.teams)
    }

    pub fn expand(&self, model: &mut Model) {
        for team in self.teams() {
            LEVELS.iter().for_each(|level| add_group(model, &team.key.child(*level)));
            team.roles.iter().for_each(|role| add_group(model, &team.key.child(ROLES).child(role)));
            team.environment.iter().for_each(|environment| add_group(model, environment));
        }
    }

    /// The groups of levels and of environments.
    pub fn watched(&self) -> Vec<Key> {
        let levels = self.teams().flat_map(|team| LEVELS.iter().map(|level| team.key.child(*level)));
        let environments = self.teams().filter_map(|team| team.environment.clone());
        levels.chain(environments).collect::<BTreeSet<Key>>().into_iter().collect()
    }

    pub fn check(&self, declared: &Model, live: Option<(&Model, &Members)>, findings: &mut Findings) {
        let nobody = Members::new();
        let members = members(declared, live.map_or(&nobody, |(_, members)| members));
        let of = |key: &Key| members.get(key).cloned().unwrap_or_default();
        for team in self.teams() {
            let [collaborators, developers] = LEVELS.map(|level| of(&team.key.child(level)));
            for user in collaborators.intersection(&developers) {
                let [one, other] = LEVELS.map(|level| format!("`{}`", team.key.child(level).to_path()));
                let who = if declares_groups(declared, user) { format!("user {user}") } else { format!("{team}: user {user}") };
                findings.problems.push(format!("{who} is in {one} and in {other}: a user of a team is either the one or the other"));
            }
            if let Some(environment) = &team.environment {
                let missing: Vec<String> =
                    collaborators.union(&developers).filter(|user| !of(environment).contains(*user)).cloned().collect();
                if !missing.is_empty() && live.is_some() {
                    let group = environment.to_path();
                    findings
                        .warnings
                        .push(format!("{team} works in `{group}`, and these of its users are not in it: {}", missing.join(", ")));
                }
            }
        }
        self.without_team(&members, live.is_some(), findings);
        for organization in &self.organizations {
            organization.check_seats(&members, findings);
        }
        for key in declared.of_kind(Kind::Group).map(|(key, _)| key) {
            self.stray(key).into_iter().for_each(|problem| findings.problems.push(problem));
        }
        let only_live = live.into_iter().flat_map(|(live, _)| live.of_kind(Kind::Group)).map(|(key, _)| key);
        for key in only_live.filter(|key| declared.get(Kind::Group, key).is_none()) {
            self.stray(key).into_iter().for_each(|warning| findings.warnings.push(warning));
        }
    }

    /// Users of an environment who are in no team that works in it.
    fn without_team(&self, members: &Members, is_read: bool, findings: &mut Findings) {
        let mut environments: BTreeMap<&Key, BTreeSet<&String>> = BTreeMap::new();
        for team in self.teams() {
            let Some(environment) = &team.environment else { continue };
            let users = environments.entry(environment).or_default();
            users.extend(LEVELS.iter().filter_map(|level| members.get(&team.key.child(*level))).flatten());
        }
        for (environment, users) in environments {
            let idle: Vec<&str> =
                members.get(environment).into_iter().flatten().filter(|user| !users.contains(user)).map(String::as_str).collect();
            if is_read && !idle.is_empty() {
                let path = environment.to_path();
                findings.warnings.push(format!("group {path} has users who are in no team that works there: {}", idle.join(", ")));
            }
        }
    }

    /// A group within a team that is none of what a team has.
    fn stray(&self, key: &Key) -> Option<String> {
        let team = self.teams().find(|team| key.0.starts_with(&team.key.0) && key.depth() > team.key.depth())?;
        let inside: Vec<&str> = key.0[team.key.depth()..].iter().map(String::as_str).collect();
        match inside[..] {
            ["collaborator" | "developer" | ROLES] => None,
            [ROLES, role] if role != MANAGER => None,
            _ if inside.contains(&MANAGER) => {
                Some(format!("group {}: `{MANAGER}` is kept for groups that manage themselves", key.to_path()))
            }
            _ => Some(format!("group {} has no place in a team, which has `collaborator`, `developer` and `roles`", key.to_path())),
        }
    }
}

impl Organization {
    fn parse(name: &str, body: &Json, problems: &mut Vec<String>) -> Self {
        let mut organization = Organization { name: name.to_owned(), seats: BTreeMap::new(), lenient: false, teams: Vec::new() };
        reserved(&format!("teams of {name}"), name, problems);
        for (field, value) in body.as_object().into_iter().flatten() {
            match (field.as_str(), value) {
                ("seats", Json::Object(seats)) => organization.parse_seats(seats, problems),
                ("teams", Json::Object(teams)) => {
                    organization.teams = teams.iter().map(|(path, body)| Team::parse(name, path, body, problems)).collect();
                }
                _ => problems.push(format!("teams of {name} have `seats` and `teams`, both mappings, and no `{field}` like this")),
            }
        }
        organization
    }

    fn parse_seats(&mut self, seats: &Body, problems: &mut Vec<String>) {
        for (field, value) in seats {
            match (field.as_str(), value.as_u64(), value.as_str()) {
                ("collaborator" | "developer", Some(most), _) => drop(self.seats.insert(field.clone(), most)),
                ("over", _, Some("refuse")) => self.lenient = false,
                ("over", _, Some("warn")) => self.lenient = true,
                _ => problems.push(format!(
                    "teams of {} have seats for `collaborator` and `developer`, numbers, and `over`: refuse or warn; not `{field}`: {value}",
                    self.name
                )),
            }
        }
    }

    /// Distinct users on each level, in all teams together.
    fn check_seats(&self, members: &Members, findings: &mut Findings) {
        for (level, most) in &self.seats {
            let users: BTreeSet<&String> = self.teams.iter().filter_map(|team| members.get(&team.key.child(level))).flatten().collect();
            if users.len() as u64 > *most {
                let finding = format!("teams of {} have {} users as {level}, and {most} seats: `{level}`", self.name, users.len());
                if self.lenient { findings.warnings.push(finding) } else { findings.problems.push(finding) }
            }
        }
    }
}

impl std::fmt::Display for Team {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "team {}", self.key.to_path())
    }
}

impl Team {
    fn parse(organization: &str, path: &str, body: &Json, problems: &mut Vec<String>) -> Self {
        let key = Key::of([organization].into_iter().chain(path.split('/')));
        let mut team = Team { key, roles: Vec::new(), environment: None };
        match path.split('/').collect::<Vec<_>>()[..] {
            [name] | [PRODUCTS, name] if !name.is_empty() && name != PRODUCTS => reserved(&team.to_string(), name, problems),
            _ => problems.push(format!("{team}: a team is called `<Team>` or `{PRODUCTS}/<Team>`")),
        }
        for (field, value) in body.as_object().into_iter().flatten() {
            match (field.as_str(), value) {
                ("roles", Json::Array(_)) => team.roles = texts(Some(value)),
                ("environment", Json::String(path)) => team.environment = Some(Key::from_path(path)),
                _ => problems.push(format!("{team} has `roles`, a list, and `environment`, a group, and no `{field}` like this")),
            }
        }
        team.roles.iter().for_each(|role| reserved(&team.to_string(), role, problems));
        team
    }
}

fn reserved(place: &str, name: &str, problems: &mut Vec<String>) {
    if LEVELS.contains(&name) || [MANAGER, ROLES, PRODUCTS].contains(&name) {
        problems.push(format!("{place}: `{name}` is a reserved name"));
    }
}

fn declares_groups(declared: &Model, user: &str) -> bool {
    declared.get(Kind::User, &Key::of([user])).is_some_and(|user| user.body.contains_key("groups"))
}

/// Who will be in each group: as declared for users whose groups are declared, as it is for all others.
fn members(declared: &Model, live: &Members) -> Members {
    let mut out = Members::new();
    for (group, users) in live {
        out.insert(group.clone(), users.iter().filter(|user| !declares_groups(declared, user)).cloned().collect());
    }
    for (key, user) in declared.of_kind(Kind::User) {
        for group in texts(user.body.get("groups")) {
            out.entry(Key::from_path(&group)).or_default().insert(key.name().to_owned());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keycloak::{Declaration, Error};

    fn declared(teams: Json, more: Json) -> Result<Declaration, Vec<String>> {
        let mut json = json!({"realm": "one", "hostler": {"teams": teams}});
        for (field, value) in more.as_object().into_iter().flatten() {
            json[field] = value.clone();
        }
        match Declaration::parse(&json) {
            Ok(declaration) => Ok(declaration),
            Err(Error::Declaration { problems, .. }) => Err(problems),
            Err(other) => Err(vec![other.to_string()]),
        }
    }

    fn acme() -> Json {
        json!({"Acme": {
            "seats": {"collaborator": 1, "developer": 2},
            "teams": {"Platform": null, "Products/Radar": {"roles": ["release"], "environment": "IL2 Authorized"}},
        }})
    }

    fn members(groups: &[(&str, &[&str])]) -> Members {
        groups.iter().map(|(path, users)| (Key::from_path(path), users.iter().map(|user| (*user).to_owned()).collect())).collect()
    }

    fn findings(declaration: &Declaration, groups: &[(&str, &[&str])]) -> Result<Vec<String>, String> {
        declaration.keeps_its_rules(&Model::default(), &members(groups)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_short_declaration_becomes_the_groups_of_its_teams() {
        let declaration = declared(acme(), json!({"groups": [{"name": "Acme", "attributes": {"since": ["2020"]}}]})).expect("it is right");
        let paths: Vec<String> = declaration.model.of_kind(Kind::Group).map(|(key, _)| key.to_path()).collect();
        let expected = [
            "/Acme",
            "/Acme/Platform",
            "/Acme/Platform/collaborator",
            "/Acme/Platform/developer",
            "/Acme/Products",
            "/Acme/Products/Radar",
            "/Acme/Products/Radar/collaborator",
            "/Acme/Products/Radar/developer",
            "/Acme/Products/Radar/roles",
            "/Acme/Products/Radar/roles/release",
            "/IL2 Authorized",
        ];
        assert_eq!(paths, expected);
        let acme = declaration.model.get(Kind::Group, &Key::of(["Acme"])).expect("is there");
        assert_eq!(acme.body["attributes"]["since"], json!(["2020"]), "what is declared at length stays");
    }

    #[test]
    fn nobody_is_on_both_levels_of_a_team() {
        let both = json!({"users": [{"username": "ann", "groups": ["/Acme/Platform/collaborator", "/Acme/Platform/developer"]}]});
        let found = declared(acme(), both).map(|_| ()).expect_err("is found without a server");
        assert!(found[0].starts_with("user ann is in `/Acme/Platform/collaborator` and in `/Acme/Platform/developer`"), "{found:?}");
        let declaration = declared(acme(), json!({})).expect("it is right");
        let live: &[(&str, &[&str])] = &[("/Acme/Platform/collaborator", &["bob"]), ("/Acme/Platform/developer", &["bob"])];
        let refusal = findings(&declaration, live).expect_err("is found in the realm");
        assert!(refusal.contains("team /Acme/Platform: user bob is in"), "{refusal}");
        // A declaration that takes the user out of one of them is the cure.
        let cure = declared(acme(), json!({"users": [{"username": "bob", "groups": ["/Acme/Platform/developer"]}]})).expect("it is right");
        assert_eq!(findings(&cure, live), Ok(Vec::new()));
        let other_teams: &[(&str, &[&str])] = &[("/Acme/Platform/collaborator", &["bob"]), ("/Acme/Products/Radar/developer", &["bob"])];
        assert!(findings(&declaration, other_teams).is_ok(), "levels of two teams do not exclude each other");
    }

    #[test]
    fn seats_are_counted_by_distinct_users_of_an_organization() {
        let declaration = declared(acme(), json!({})).expect("it is right");
        let full: &[(&str, &[&str])] =
            &[("/Acme/Platform/developer", &["a", "b"]), ("/Acme/Products/Radar/developer", &["a", "b"]), ("/IL2 Authorized", &["a", "b"])];
        assert_eq!(findings(&declaration, full), Ok(Vec::new()));
        let over: &[(&str, &[&str])] = &[("/Acme/Platform/developer", &["a", "b", "c"])];
        let refusal = findings(&declaration, over).expect_err("one too many");
        assert!(refusal.contains("teams of Acme have 3 users as developer, and 2 seats"), "{refusal}");
        let mut lenient = acme();
        lenient["Acme"]["seats"]["over"] = "warn".into();
        let warnings = findings(&declared(lenient, json!({})).expect("it is right"), over).expect("is only told");
        assert_eq!(warnings, ["teams of Acme have 3 users as developer, and 2 seats: `developer`"]);
    }

    #[test]
    fn a_team_that_works_in_an_environment_needs_both_groups() {
        let declaration = declared(acme(), json!({})).expect("it is right");
        let live: &[(&str, &[&str])] = &[("/Acme/Products/Radar/developer", &["a", "b"]), ("/IL2 Authorized", &["b", "c"])];
        let warnings = findings(&declaration, live).expect("is only told");
        assert_eq!(
            warnings,
            [
                "team /Acme/Products/Radar works in `/IL2 Authorized`, and these of its users are not in it: a",
                "group /IL2 Authorized has users who are in no team that works there: c",
            ]
        );
    }

    #[test]
    fn reserved_names_and_wrong_shapes_are_refused() {
        let found = |teams: Json, more: Json| declared(teams, more).map(|_| ()).expect_err("it is wrong").join("\n");
        let team = |path: &str| found(json!({"Acme": {"teams": {path: null}}}), json!({}));
        assert!(team("manager").contains("team /Acme/manager: `manager` is a reserved name"));
        assert!(team("Products/developer").contains("is a reserved name"));
        assert!(team("A/B/C").contains("`<Team>` or `Products/<Team>`"));
        assert!(team("Products").contains("`<Team>` or `Products/<Team>`"));
        assert!(found(json!({"Acme": {"teams": {"A": {"roles": ["manager"]}}}}), json!({})).contains("`manager` is a reserved name"));
        assert!(found(json!({"Acme": {"seats": {"manager": 3}}}), json!({})).contains("not `manager`: 3"));
        assert!(found(json!({"Acme": {"teams": {"A": {"role": []}}}}), json!({})).contains("no `role` like this"));
        let own = json!({"groups": [{"name": "Acme", "subGroups": [{"name": "Platform", "subGroups": [{"name": "manager"}, {"name": "admins"}]}]}]});
        let found = found(acme(), own);
        assert!(found.contains("group /Acme/Platform/admins has no place in a team"), "{found}");
        assert!(found.contains("group /Acme/Platform/manager: `manager` is kept"), "{found}");
    }
}
