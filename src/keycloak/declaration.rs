//! A declaration: Keycloak's own representation of a realm, and beside it, under `hostler`, what it owns.

use std::collections::BTreeMap;

use super::error::{Error, Result};
use super::generated::{Generate, Made};
use super::kind::Kind;
use super::model::{Key, Model, Name};
use super::moves::{self, Move};
use super::shorthand::Shorthand;
use super::{Body, Json, flatten};

/// What becomes of objects that are there and not declared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ownership {
    /// They are deleted; built-in ones are not.
    Full,
    /// They are left alone. The sets of a declared object (its roles, its scopes) are exactly as declared.
    #[default]
    DeclaredOnly,
    /// They are left alone, and sets only grow.
    NoDelete,
}

/// How many objects one apply deletes at most, unless the declaration says more.
const DELETES: usize = 10;

pub struct Declaration {
    pub realm: String,
    pub model: Model,
    pub ownership: BTreeMap<String, Ownership>,
    pub default_ownership: Ownership,
    /// Objects that must not be there.
    pub absent: Vec<Name>,
    /// Objects that may still be there under an old name.
    pub moved: Vec<Move>,
    pub most_deletes: usize,
    /// Secrets to make and hand out.
    pub generate: Option<Generate>,
    /// Those that were made and handed out for this apply.
    pub made: Made,
    pub shorthand: Shorthand,
    /// Stands for all that a realm may hold: it is read whole.
    everything: bool,
}

impl Declaration {
    /// Reads a declaration and checks it, with every mistake at once and no request made.
    ///
    /// # Errors
    /// [`Error::Declaration`] with all mistakes.
    pub fn parse(json: &Json) -> Result<Self> {
        let Some(body) = json.as_object() else {
            return Err(Error::Refused("a declaration of a realm is a mapping".into()));
        };
        let Some(realm) = body.get("realm").and_then(Json::as_str).filter(|realm| !realm.is_empty()) else {
            return Err(Error::Refused("the declaration does not name its realm: it needs `realm`".into()));
        };
        let mut problems = wrong_shapes(body);
        let mut flattened = flatten::declared(body);
        let settings = body.get("hostler").and_then(Json::as_object).cloned().unwrap_or_default();
        let shorthand = Shorthand::expand(&settings, realm, &mut flattened);
        problems.extend(flattened.problems);
        let mut declaration = Declaration {
            realm: realm.to_owned(),
            model: flattened.model,
            ownership: BTreeMap::new(),
            default_ownership: Ownership::default(),
            absent: Vec::new(),
            moved: Vec::new(),
            most_deletes: DELETES,
            generate: None,
            made: Made::new(),
            shorthand,
            everything: false,
        };
        declaration.settings(&settings, &mut problems);
        declaration.contradictions(&mut problems);
        if problems.is_empty() { Ok(declaration) } else { Err(Error::Declaration { realm: realm.to_owned(), problems }) }
    }

    /// What an export asks for: every kind there is.
    pub fn everything(realm: &str) -> Self {
        Declaration {
            realm: realm.to_owned(),
            model: Model::default(),
            ownership: BTreeMap::new(),
            default_ownership: Ownership::default(),
            absent: Vec::new(),
            moved: Vec::new(),
            most_deletes: 0,
            generate: None,
            made: Made::new(),
            shorthand: Shorthand::default(),
            everything: true,
        }
    }

    /// Whether sets of objects of this kind only grow. The lists in a component's configuration are values, and no sets.
    pub fn grows(&self, kind: Kind) -> bool {
        self.ownership(kind) == Ownership::NoDelete && kind != Kind::Component
    }

    /// Whether all of the realm is meant, and not only what is declared of it.
    pub fn is_everything(&self) -> bool {
        self.everything
    }

    pub fn ownership(&self, kind: Kind) -> Ownership {
        self.ownership.get(kind.spec().section).copied().unwrap_or(self.default_ownership)
    }

    pub fn declares(&self, kind: Kind) -> bool {
        (self.everything && kind != Kind::User)
            || self.model.of_kind(kind).next().is_some()
            || self.absent.iter().any(|name| name.kind == kind)
    }

    fn settings(&mut self, settings: &Body, problems: &mut Vec<String>) {
        for (key, value) in settings {
            match (key.as_str(), value) {
                ("ownership", Json::Object(map)) => map.iter().for_each(|(section, value)| self.own(section, value, problems)),
                ("deletes", Json::Number(most)) => self.most_deletes = most.as_u64().map_or(DELETES, |most| most as usize),
                ("moved", moved @ Json::Object(_)) => self.moved = moves::declared(moved, problems),
                ("absent", Json::Object(map)) => map.iter().for_each(|(section, names)| self.absent(section, names, problems)),
                ("generate", value) => self.generate = Generate::parse(value, problems),
                ("base" | "teams" | "pools", _) => {}
                _ => problems.push(format!(
                    "`hostler.{key}` is not one of `ownership`, `deletes` (a number), `absent`, `moved`, `generate`, `base`, `teams` and `pools`"
                )),
            }
        }
    }

    fn own(&mut self, section: &str, value: &Json, problems: &mut Vec<String>) {
        let ownership = match value.as_str() {
            Some("full") => Ownership::Full,
            Some("declared-only") => Ownership::DeclaredOnly,
            Some("no-delete") => Ownership::NoDelete,
            _ => return problems.push(format!("ownership of `{section}` is `full`, `declared-only` or `no-delete`, not `{value}`")),
        };
        if ownership == Ownership::Full && matches!(section, "users" | "organizations" | "default") {
            return problems.push(format!("`{section}` cannot be owned in full: it would delete what people made"));
        }
        if section == "default" {
            self.default_ownership = ownership;
        } else if Kind::all().any(|kind| kind.spec().section == section) {
            self.ownership.insert(section.to_owned(), ownership);
        } else {
            problems.push(format!("`hostler.ownership` has no section `{section}`"));
        }
    }

    fn absent(&mut self, section: &str, names: &Json, problems: &mut Vec<String>) {
        let kind = match section {
            "roles" => Kind::RealmRole,
            _ => match Kind::all().find(|kind| kind.spec().section == section && !kind.is_single() && *kind != Kind::Realm) {
                Some(kind) => kind,
                None => return problems.push(format!("`hostler.absent` has no section `{section}`")),
            },
        };
        for name in names.as_array().into_iter().flatten().filter_map(Json::as_str) {
            let name = match kind {
                Kind::Group => Name::new(kind, Key::from_path(name)),
                // A role of a client is written `client/role`, a mapper `owner/mapper`.
                Kind::RealmRole if name.contains('/') => Name::new(Kind::ClientRole, Key::of(name.splitn(2, '/'))),
                Kind::Component | Kind::IdentityProviderMapper => Name::new(kind, Key::of(name.splitn(2, '/'))),
                _ => Name::new(kind, Key::of([name])),
            };
            self.absent.push(name);
        }
    }

    /// Mistakes that no request is needed to find.
    fn contradictions(&self, problems: &mut Vec<String>) {
        problems.extend(self.shorthand.check(&self.model, None).problems);
        if let Some(generate) = &self.generate {
            generate.contradictions(&self.model, problems);
        }
        for moved in self.moved.iter().filter(|moved| self.model.get(moved.kind, &moved.to).is_none()) {
            let new = Name::new(moved.kind, moved.to.clone());
            problems.push(format!("{new}, to which {} is moved, is not declared", moved.old_name()));
        }
        for name in self.absent.iter().filter(|name| self.model.get(name.kind, &name.key).is_some()) {
            problems.push(format!("{name} is declared, and absent"));
        }
        for (key, role) in self.model.of_kind(Kind::RealmRole).chain(self.model.of_kind(Kind::ClientRole)) {
            let own = |list: &Json| list.as_array().is_some_and(|names| names.iter().any(|name| name == key.name()));
            let composites = role.body.get("composites").unwrap_or(&Json::Null);
            if (key.depth() == 1 && own(&composites["realm"])) || (key.depth() == 2 && own(&composites["client"][key.owner()])) {
                problems.push(format!("role {} contains itself", key.0.join("/")));
            }
        }
        for (key, user) in self.model.of_kind(Kind::User) {
            let credentials = user.body.get("credentials").and_then(Json::as_array);
            if credentials.is_some_and(|list| list.iter().any(|item| item["value"] == "" && item["type"] == "password")) {
                problems.push(format!("user {} has an empty password", key.name()));
            }
        }
        for (key, client) in self.model.of_kind(Kind::Client) {
            let secret = client.body.get("secret").and_then(Json::as_str).is_some_and(|secret| !secret.is_empty());
            if secret && client.body.get("publicClient") == Some(&Json::Bool(true)) {
                problems.push(format!("client {} is public, and has a secret", key.name()));
            }
            let scopes = |field: &str| client.body.get(field).and_then(Json::as_array).cloned().unwrap_or_default();
            let optional = scopes("optionalClientScopes");
            for both in scopes("defaultClientScopes").iter().filter(|scope| optional.contains(scope)) {
                problems.push(format!("client {} has the scope {both} both as default and as optional", key.name()));
            }
        }
    }
}

const LISTS: [&str; 12] = [
    "workflows",
    "groups",
    "clients",
    "clientScopes",
    "users",
    "identityProviders",
    "identityProviderMappers",
    "authenticationFlows",
    "authenticatorConfig",
    "requiredActions",
    "scopeMappings",
    "organizations",
];
const MAPS: [&str; 8] =
    ["roles", "components", "clientScopeMappings", "localizationTexts", "userProfile", "clientProfiles", "clientPolicies", "hostler"];

/// A section that is a list where a mapping is expected, or the other way round: it would count as empty.
fn wrong_shapes(body: &Body) -> Vec<String> {
    let wrong = |section: &&str, is_right: fn(&Json) -> bool| {
        body.get(*section).is_some_and(|value| !value.is_null() && !is_template(value) && !is_right(value))
    };
    let lists = LISTS.iter().filter(|section| wrong(section, Json::is_array)).map(|section| format!("`{section}` must be a list"));
    let maps = MAPS.iter().filter(|section| wrong(section, Json::is_object)).map(|section| format!("`{section}` must be a mapping"));
    lists.chain(maps).collect()
}

/// Not rendered yet: what it will be is not known here.
pub(super) fn is_template(value: &Json) -> bool {
    value.as_str().is_some_and(|text| text.contains("{{") || text.contains("{%"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mistakes(json: Json) -> Vec<String> {
        match Declaration::parse(&json) {
            Err(Error::Declaration { problems, .. }) => problems,
            Err(other) => vec![other.to_string()],
            Ok(_) => Vec::new(),
        }
    }

    #[test]
    fn ownership_is_declared_only_unless_said_otherwise() {
        let declaration =
            Declaration::parse(&json!({"realm": "staff", "hostler": {"ownership": {"clients": "full"}}})).expect("it is right");
        assert_eq!(declaration.ownership(Kind::Group), Ownership::DeclaredOnly);
        assert_eq!(declaration.ownership(Kind::ClientMapper), Ownership::Full);
    }

    #[test]
    fn contradictions_are_found_without_a_server() {
        let found = mistakes(json!({
            "realm": "staff",
            "groups": {"name": "a"},
            "roles": {"realm": [{"name": "a", "composites": {"realm": ["a"]}}]},
            "clients": [{"clientId": "app", "defaultClientScopes": ["x"], "optionalClientScopes": ["x"]}],
            "users": [{"username": "ann", "credentials": [{"type": "password", "value": ""}]}],
            "hostler": {"ownership": {"users": "full", "cliens": "full"}, "absent": {"clients": ["app"]}},
        }));
        assert_eq!(
            found,
            [
                "`groups` must be a list",
                "`users` cannot be owned in full: it would delete what people made",
                "`hostler.ownership` has no section `cliens`",
                "client app is declared, and absent",
                "role a contains itself",
                "user ann has an empty password",
                "client app has the scope \"x\" both as default and as optional",
            ]
        );
    }

    #[test]
    fn a_declaration_without_a_name_is_refused() {
        assert_eq!(mistakes(json!({"enabled": true})), ["the declaration does not name its realm: it needs `realm`"]);
    }
}
