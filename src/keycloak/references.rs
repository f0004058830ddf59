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

/// Why a flow cannot be deleted: something that stays is bound to it, when all is as declared. Keycloak answers that with a bare 500.
pub fn bound(declaration: &Declaration, live: &Model, doomed: &[&Name], flow: &Name) -> Option<String> {
    let alias = flow.key.name();
    let kinds = [Kind::Bindings, Kind::Client, Kind::IdentityProvider];
    let objects = live.iter().filter(|(name, _)| kinds.contains(&name.kind) && !doomed.contains(name));
    let fields = objects.flat_map(|(name, object)| {
        let declared = declaration.model.get(name.kind, &name.key).map(|object| &object.body);
        object.body.iter().map(move |(field, value)| (name, field, declared.and_then(|body| body.get(field)).unwrap_or(value)))
    });
    let is_bound = |field: &str, value: &Json| match value {
        Json::Object(overrides) => field == "authenticationFlowBindingOverrides" && overrides.values().any(|flow| flow == alias),
        other => (field.ends_with("Flow") || field.ends_with("FlowAlias")) && *other == alias,
    };
    let (name, field, _) = fields.into_iter().find(|(_, field, value)| is_bound(field, value))?;
    Some(format!("flow {alias} cannot be deleted: `{field}` of {name} is bound to it; bind another flow there first"))
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
            Kind::AuthorizationResource => {
                for scope in texts(body, "scopes") {
                    self.known(name, Kind::AuthorizationScope, &Key::of([name.key.owner(), scope]));
                }
            }
            Kind::AuthorizationPolicy => self.policy(name, body),
            Kind::AuthorizationSettings => self.authorization(name),
            _ => {}
        }
        if let Some(parent) = name.kind.parent().filter(|_| name.key.depth() > 1) {
            self.known(name, parent, &name.key.parent());
        }
    }

    /// A client that is not switched to it has no authorization services, and a PUT that does not name them deletes them all.
    fn authorization(&mut self, name: &Name) {
        let client = Key::of([name.key.owner()]);
        let enabled =
            |model: &Model| model.get(Kind::Client, &client).and_then(|object| object.body.get("authorizationServicesEnabled")?.as_bool());
        let is_on = enabled(&self.declaration.model).or_else(|| enabled(self.live)).unwrap_or(false);
        if !is_on && client.name() != super::ADMIN_PERMISSIONS {
            self.problems.push(format!("{name} needs `authorizationServicesEnabled: true` (and `serviceAccountsEnabled`) of its client"));
        }
    }

    /// Unknown names in policies are a bare 500, so each is looked up here.
    fn policy(&mut self, name: &Name, body: &Body) {
        let config = body.get("config").cloned().unwrap_or_default();
        let list = |field: &str| config[field].as_str().and_then(|text| serde_json::from_str::<Vec<Json>>(text).ok()).unwrap_or_default();
        let owner = name.key.owner();
        let is_admin = owner == super::ADMIN_PERMISSIONS;
        for policy in list("applyPolicies").iter().filter_map(Json::as_str) {
            self.known(name, Kind::AuthorizationPolicy, &Key::of([owner, policy]));
        }
        for (field, kind) in [("resources", Kind::AuthorizationResource), ("scopes", Kind::AuthorizationScope)] {
            for wanted in list(field).iter().filter_map(Json::as_str).filter(|_| !is_admin) {
                self.known(name, kind, &Key::of([owner, wanted]));
            }
        }
        for role in list("roles").iter().filter_map(|role| role["id"].as_str()) {
            match role.split_once('/') {
                Some((client, role)) => self.known(name, Kind::ClientRole, &Key::of([client, role])),
                None => self.known(name, Kind::RealmRole, &Key::of([role])),
            }
        }
        for group in list("groups").iter().filter_map(|group| group["path"].as_str()) {
            self.known(name, Kind::Group, &Key::from_path(group));
        }
        for client in list("clients").iter().filter_map(Json::as_str) {
            self.known(name, Kind::Client, &Key::of([client]));
        }
        for scope in list("clientScopes").iter().filter_map(|scope| scope["id"].as_str()) {
            self.known(name, Kind::ClientScope, &Key::of([scope]));
        }
        self.permission(name, body, &list("resources"), &list("scopes"));
    }

    fn permission(&mut self, name: &Name, body: &Body, resources: &[Json], scopes: &[Json]) {
        let sort = body.get("type").and_then(Json::as_str).unwrap_or_default();
        let known = self.live.get(name.kind, &name.key).is_some();
        if sort.is_empty() && !known {
            self.problems.push(format!("{name} has no `type`"));
        }
        let typed = body.get("config").is_some_and(|config| config.get("defaultResourceType").is_some());
        if sort == "scope" && scopes.is_empty() && !known {
            self.problems.push(format!("{name} is a permission for scopes, and names none"));
        }
        if sort == "resource" && resources.is_empty() && !typed && !known {
            self.problems.push(format!("{name} is a permission for resources, and names neither one nor a type"));
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
