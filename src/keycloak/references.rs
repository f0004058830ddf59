//! Names that objects refer to: roles, scopes, groups, flows. Keycloak ignores some unknown ones and answers others with a bare 500, so they
//! are looked up before anything is written.

use super::declaration::Declaration;
use super::error::{Error, Result};
use super::kind::Kind;
use super::model::{Key, Model, Name};
use super::plan::is_built_in;
use super::{Body, Json};
use crate::base::closest;

/// # Errors
/// [`Error::Declaration`] with every name that neither the declaration nor the realm has.
pub fn check(declaration: &Declaration, live: &Model, fresh: bool) -> Result<()> {
    let mut checker = Checker { declaration, live, fresh, problems: Vec::new() };
    for (name, object) in declaration.model.iter() {
        checker.object(name, &object.body);
    }
    if checker.problems.is_empty() {
        return Ok(());
    }
    Err(Error::Declaration { realm: declaration.realm.clone(), problems: checker.problems })
}

struct Checker<'a> {
    declaration: &'a Declaration,
    live: &'a Model,
    fresh: bool,
    problems: Vec<String>,
}

fn texts<'a>(body: &'a Body, field: &str) -> impl Iterator<Item = &'a str> {
    body.get(field).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
}

impl Checker<'_> {
    fn object(&mut self, name: &Name, body: &Body) {
        match name.kind {
            Kind::Client => {
                self.names(name, Kind::ClientScope, texts(body, "defaultClientScopes").chain(texts(body, "optionalClientScopes")));
                let overrides = body.get("authenticationFlowBindingOverrides").and_then(Json::as_object);
                self.names(name, Kind::Flow, overrides.into_iter().flatten().filter_map(|(_, flow)| flow.as_str()));
            }
            Kind::RealmScopes => self.names(name, Kind::ClientScope, texts(body, "default").chain(texts(body, "optional"))),
            Kind::RealmRole | Kind::ClientRole => {
                if let Some(composites) = body.get("composites").and_then(Json::as_object) {
                    self.roles(name, composites, "realm", "client");
                }
            }
            Kind::Group => self.roles(name, body, "realmRoles", "clientRoles"),
            Kind::ScopeMapping => self.roles(name, body, "realm", "clients"),
            Kind::User => {
                self.roles(name, body, "realmRoles", "clientRoles");
                self.groups(name, body);
            }
            Kind::DefaultGroups => self.groups(name, body),
            Kind::Bindings => self.names(name, Kind::Flow, body.values().filter_map(Json::as_str)),
            Kind::IdentityProvider => {
                let flows = ["firstBrokerLoginFlowAlias", "postBrokerLoginFlowAlias"];
                self.names(name, Kind::Flow, flows.iter().filter_map(|field| body.get(*field)?.as_str()));
            }
            Kind::ClientMapper | Kind::ClientScopeMapper => self.mapper(name, body),
            _ => {}
        }
        if let Some(parent) = name.kind.parent().filter(|_| name.key.depth() > 1) {
            self.known(name, parent, &name.key.parent());
        }
    }

    fn mapper(&mut self, name: &Name, body: &Body) {
        let Some(provider) = body.get("protocolMapper").and_then(Json::as_str) else {
            if self.live.get(name.kind, &name.key).is_none() && !(self.fresh && is_built_in(name, &self.declaration.realm)) {
                self.problems.push(format!("{name} has no `protocolMapper`"));
            }
            return;
        };
        // These put a value under a name: without the name they do nothing, and Keycloak says so nowhere.
        let needs_claim = matches!(
            provider,
            "oidc-usermodel-attribute-mapper"
                | "oidc-usermodel-property-mapper"
                | "oidc-group-membership-mapper"
                | "oidc-hardcoded-claim-mapper"
        );
        let claim = body.get("config").and_then(|config| config.get("claim.name")).and_then(Json::as_str).unwrap_or_default();
        let partial = self.live.get(name.kind, &name.key).is_some();
        if needs_claim && claim.is_empty() && !partial {
            self.problems.push(format!("{name} has no claim: `config` needs `claim.name`"));
        }
    }

    fn roles(&mut self, name: &Name, body: &Body, realm: &str, clients: &str) {
        for role in texts(body, realm) {
            self.known(name, Kind::RealmRole, &Key::of([role]));
        }
        for (client, roles) in body.get(clients).and_then(Json::as_object).into_iter().flatten() {
            for role in roles.as_array().into_iter().flatten().filter_map(Json::as_str) {
                self.known(name, Kind::ClientRole, &Key::of([client.as_str(), role]));
            }
        }
    }

    fn groups(&mut self, name: &Name, body: &Body) {
        for path in texts(body, "groups") {
            self.known(name, Kind::Group, &Key::from_path(path));
        }
    }

    fn names<'n>(&mut self, name: &Name, kind: Kind, names: impl Iterator<Item = &'n str>) {
        for other in names.filter(|other| !other.is_empty()) {
            self.known(name, kind, &Key::of([other]));
        }
    }

    fn known(&mut self, name: &Name, kind: Kind, key: &Key) {
        let wanted = Name::new(kind, key.clone());
        // What a new realm is born with is not all known here: its flows, and the roles of its own clients.
        let born = self.fresh && (is_built_in(&wanted, &self.declaration.realm) || kind == Kind::Flow);
        let leaves = self.declaration.absent.contains(&wanted);
        let declared = self.declaration.model.get(kind, key).is_some();
        if born || declared || (!leaves && self.live.get(kind, key).is_some()) {
            return;
        }
        let siblings = [&self.declaration.model, self.live].into_iter().flat_map(|model| model.of_kind(kind));
        let near = siblings.filter(|(other, _)| other.parent() == key.parent()).map(|(other, _)| other.name()).collect::<Vec<_>>();
        let hint = closest(key.name(), near).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
        self.problems.push(format!("{name} needs {wanted}, which neither the declaration nor the realm has{hint}"));
    }
}
