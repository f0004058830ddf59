//! The plan: what has to be made, changed and deleted for a realm to be as declared.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::compare::{Change, Comparison};
use super::declaration::{Declaration, Ownership};
use super::error::{Error, Result};
use super::flow::{self, Difference, Flow};
use super::generated::Generate;
use super::kind::Kind;
use super::ledger::Ledger;
use super::leftovers;
use super::model::{Key, Model, Name, Object};
use super::overlay::without_masks;
use super::{Body, Json};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Create,
    Update,
    /// A flow is built anew beside the old one and takes its place.
    Rebuild,
    /// It is given another name or place, and keeps its id.
    Move,
    Delete,
}

impl Operation {
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::Rebuild => "rebuild",
            Operation::Move => "move",
            Operation::Delete => "delete",
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Action {
    pub name: Name,
    pub operation: Operation,
    pub changes: Vec<Change>,
    /// What hangs on a deletion.
    pub note: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub realm: String,
    /// In the order of writing: what is made and changed by kind, then the deletions, innermost first.
    pub actions: Vec<Action>,
    pub same: usize,
    /// Secrets to make now and to hand out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generate>,
    /// What is odd, and no reason to refuse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.generated.is_none()
    }

    pub fn count(&self, operation: Operation) -> usize {
        self.actions.iter().filter(|action| action.operation == operation).count()
    }
}

/// Compares a declaration with the realm that was read; with none, everything is to be made.
///
/// # Errors
/// When it would delete more than the declaration allows, change a built-in flow's steps, or refer to what nobody has.
pub fn plan(declaration: &Declaration, live: Option<&Model>, ledger: &Ledger) -> Result<Plan> {
    let empty = Model::default();
    let mut planner = Planner {
        declaration,
        live: live.unwrap_or(&empty),
        fresh: live.is_none(),
        ledger,
        plan: Plan { realm: declaration.realm.clone(), actions: Vec::new(), same: 0, generated: None, warnings: Vec::new() },
        automatic: automatic(declaration, live.unwrap_or(&empty)),
    };
    for (name, object) in declaration.model.iter() {
        planner.declared(name, object)?;
    }
    planner.deletions()?;
    planner.plan.generated = declaration.generate.as_ref().and_then(|generate| generate.due(planner.live, ledger));
    super::references::check(declaration, planner.live, planner.fresh)?;
    Ok(planner.plan)
}

struct Planner<'a> {
    declaration: &'a Declaration,
    live: &'a Model,
    fresh: bool,
    ledger: &'a Ledger,
    plan: Plan,
    automatic: BTreeSet<String>,
}

/// What the server gives to every new user by itself: the default role, the default groups.
fn automatic(declaration: &Declaration, live: &Model) -> BTreeSet<String> {
    let groups = [&declaration.model, live].into_iter().filter_map(|model| model.get(Kind::DefaultGroups, &Key::default()));
    let paths = groups.filter_map(|object| object.body.get("groups")?.as_array()).flatten().filter_map(Json::as_str).map(str::to_owned);
    paths.chain([format!("default-roles-{}", declaration.realm.to_lowercase())]).collect()
}

impl Planner<'_> {
    fn declared(&mut self, name: &Name, object: &Object) -> Result<()> {
        let Some(found) = self.live.get(name.kind, &name.key) else {
            self.missing(name, object);
            return Ok(());
        };
        if name.kind == Kind::Flow {
            return self.flow(name, object, found);
        }
        let nothing = BTreeSet::new();
        let comparison = Comparison {
            name,
            ledger: self.ledger,
            additive: self.declaration.grows(name.kind),
            exact: self.declaration.ownership(name.kind) == Ownership::Full,
            tolerated: if name.kind == Kind::User { &self.automatic } else { &nothing },
        };
        let changes = comparison.changes(&object.body, &found.body);
        self.update(name, Operation::Update, changes);
        Ok(())
    }

    fn update(&mut self, name: &Name, operation: Operation, mut changes: Vec<Change>) {
        let moved = self.live.moved.iter().find(|moved| moved.kind == name.kind && moved.to == name.key);
        if let Some(moved) = moved {
            changes.insert(0, Change { path: "name".into(), old: moved.old_name().into(), new: moved.new_name().into(), secret: false });
            return self.plan.actions.push(Action { name: name.clone(), operation: Operation::Move, changes, note: None });
        }
        if changes.is_empty() {
            self.plan.same += 1;
        } else {
            self.plan.actions.push(Action { name: name.clone(), operation, changes, note: None });
        }
    }

    /// Not there: to be made. What every realm has is changed instead, and in a new realm so is what Keycloak puts there itself.
    fn missing(&mut self, name: &Name, object: &Object) {
        let mut changes = initial_changes(name, &object.body);
        let given = name.kind.is_single() || name.kind == Kind::ScopeMapping || (self.fresh && is_built_in(name, &self.declaration.realm));
        let operation = if given { Operation::Update } else { Operation::Create };
        if given {
            // What is not there is empty.
            changes.retain(|change| change.secret || !super::assemble::is_empty(&change.new));
        }
        if operation == Operation::Update && changes.is_empty() {
            self.plan.same += 1;
            return;
        }
        self.plan.actions.push(Action { name: name.clone(), operation, changes, note: None });
    }

    fn flow(&mut self, name: &Name, object: &Object, found: &Object) -> Result<()> {
        let (Some(want), Some(have)) = (Flow::from_body(&object.body), Flow::from_body(&found.body)) else { return Ok(()) };
        match flow::difference(&want, &have, self.ledger) {
            Difference::None => self.update(name, Operation::Update, Vec::new()),
            Difference::InPlace(changes) => self.update(name, Operation::Update, changes),
            Difference::Extended(_) | Difference::Rebuild(_) if have.built_in => {
                let alias = &have.alias;
                return Err(Error::Refused(format!(
                    "the steps of the built-in flow `{alias}` cannot be changed: declare a flow of another alias and bind it"
                )));
            }
            Difference::Extended(changes) => self.update(name, Operation::Update, changes),
            Difference::Rebuild(changes) => self.update(name, Operation::Rebuild, changes),
        }
        Ok(())
    }

    fn deletions(&mut self) -> Result<()> {
        let is_absent = |name: &Name| self.declaration.absent.contains(name);
        let doomed: Vec<&Name> = self
            .live
            .iter()
            .map(|(name, _)| name)
            .filter(|name| is_absent(name) || self.is_owned_and_undeclared(name))
            .filter(|name| !leftovers::is_shadow(self.declaration, name))
            .filter(|name| !is_protected(name, self.live, &self.declaration.realm))
            .collect();
        let flows = doomed.iter().filter(|name| name.kind == Kind::Flow);
        if let Some(problem) = flows.filter_map(|name| super::references::bound(self.declaration, self.live, &doomed, name)).next() {
            return Err(Error::Refused(problem));
        }
        let outermost = |name: &&&Name| !doomed.iter().any(|other| contains(other, name));
        let mut actions: Vec<Action> = doomed.iter().filter(outermost).map(|name| self.deletion(name)).collect();
        actions.reverse();
        if actions.len() > self.declaration.most_deletes {
            return Err(Error::Refused(format!(
                "the plan would delete {} objects of realm `{}`, more than {}: check the declaration, or allow it with `hostler.deletes`",
                actions.len(),
                self.declaration.realm,
                self.declaration.most_deletes
            )));
        }
        self.plan.actions.extend(actions);
        let left = leftovers::deletions(self.declaration, self.live, &self.plan.actions, self.ledger);
        self.plan.actions.extend(left);
        Ok(())
    }

    fn is_owned_and_undeclared(&self, name: &Name) -> bool {
        let deletable =
            !name.kind.is_single() && !matches!(name.kind, Kind::Realm | Kind::ScopeMapping | Kind::User | Kind::RequiredAction);
        if !deletable
            || self.declaration.ownership(name.kind) != Ownership::Full
            || self.declaration.model.get(name.kind, &name.key).is_some()
        {
            return false;
        }
        // Authorization services that are not declared at all are not this declaration's business either.
        if name.kind.is_authorization() && self.declaration.model.get(Kind::AuthorizationSettings, &name.key.parent()).is_none() {
            return false;
        }
        // What lives in an object that is not declared itself is not this declaration's business.
        match name.kind.parent() {
            Some(parent) if name.kind != Kind::Group => self.declaration.model.get(parent, &name.key.parent()).is_some(),
            _ => true,
        }
    }

    fn deletion(&self, name: &Name) -> Action {
        let losers: Vec<String> = match name.kind {
            Kind::RealmRole | Kind::ClientRole => {
                self.live.of_kind(Kind::Group).filter(|(_, group)| holds_role(&group.body, name)).map(|(key, _)| key.to_path()).collect()
            }
            _ => Vec::new(),
        };
        let note = (!losers.is_empty()).then(|| format!("lost by {}", losers.join(", ")));
        Action { name: name.clone(), operation: Operation::Delete, changes: Vec::new(), note }
    }
}

fn holds_role(body: &Body, role: &Name) -> bool {
    let list = match role.kind {
        Kind::RealmRole => body.get("realmRoles"),
        _ => body.get("clientRoles").and_then(|clients| clients.get(role.key.owner())),
    };
    list.and_then(Json::as_array).is_some_and(|names| names.iter().any(|name| name == role.key.name()))
}

/// `other` goes with `outer`.
fn contains(outer: &Name, inner: &Name) -> bool {
    let within = inner.key.depth() > outer.key.depth() && inner.key.0.starts_with(&outer.key.0);
    within && (inner.kind == outer.kind || inner.kind.parent() == Some(outer.kind))
}

/// The fields of an object to be made, as changes from nothing.
fn initial_changes(name: &Name, body: &Body) -> Vec<Change> {
    let spec = name.kind.spec();
    if name.kind == Kind::Flow {
        let lines = Flow::from_body(body).map(|flow| flow.lines()).unwrap_or_default();
        return vec![Change { path: "executions".into(), old: Json::Null, new: lines.into(), secret: false }];
    }
    let mut out = Vec::new();
    for (field, value) in body.iter().filter(|(field, _)| *field != spec.key_field) {
        if field == "credentials" {
            out.push(Change { path: "password".into(), old: Json::Null, new: Json::Null, secret: true });
            continue;
        }
        match without_masks(value) {
            Json::Object(map) if !spec.keyed.iter().any(|(keyed, _)| keyed == field) => {
                out.extend(
                    map.into_iter().map(|(key, inner)| initial(spec.is_secret(&format!("{field}.{key}")), format!("{field}.{key}"), inner)),
                );
            }
            value if value.as_str() == Some(super::MASK) => {}
            value => out.push(initial(spec.is_secret(field), field.clone(), value)),
        }
    }
    out
}

fn initial(secret: bool, path: String, value: Json) -> Change {
    Change { path, old: Json::Null, new: if secret { Json::Null } else { value }, secret }
}

const CLIENTS: [&str; 7] =
    ["account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console", "admin-permissions"];
const SCOPES: [&str; 15] = [
    "profile",
    "email",
    "address",
    "phone",
    "offline_access",
    "roles",
    "web-origins",
    "microprofile-jwt",
    "acr",
    "basic",
    "organization",
    "service_account",
    "role_list",
    "saml_organization",
    "AuthnContextClassRef",
];

/// Keycloak puts it into every realm.
pub fn is_built_in(name: &Name, realm: &str) -> bool {
    let owner = name.key.owner();
    match name.kind {
        Kind::Realm | Kind::Client | Kind::ClientMapper | Kind::ClientRole => CLIENTS.contains(&owner) || owner == format!("{realm}-realm"),
        Kind::ClientScope | Kind::ClientScopeMapper => SCOPES.contains(&owner),
        Kind::RealmRole => {
            matches!(owner, "offline_access" | "uma_authorization") || owner == format!("default-roles-{}", realm.to_lowercase())
        }
        Kind::AuthorizationScope | Kind::AuthorizationResource => owner == super::ADMIN_PERMISSIONS,
        Kind::Component => {
            let default_key = matches!(name.key.name(), "rsa-generated" | "rsa-enc-generated" | "hmac-generated-hs512" | "aes-generated");
            owner == "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy" || default_key
        }
        Kind::RequiredAction => true,
        _ => name.kind.is_single(),
    }
}

/// Never deleted: what Keycloak needs, and service accounts.
fn is_protected(name: &Name, live: &Model, realm: &str) -> bool {
    let found = live.get(name.kind, &name.key);
    let flag = |path: &str| {
        found.is_some_and(|object| Json::Object(object.body.clone()).pointer(path).is_some_and(|value| *value == true || *value == "true"))
    };
    match name.kind {
        Kind::Realm | Kind::ScopeMapping => true,
        Kind::Flow => flag("/built_in"),
        Kind::Client => is_built_in(name, realm) || flag("/attributes/realm_client"),
        Kind::User => name.key.name().starts_with("service-account-"),
        // The server's own, of which a declaration may still own the policies.
        Kind::AuthorizationScope | Kind::AuthorizationResource | Kind::AuthorizationPolicy => false,
        _ => is_built_in(name, realm) || super::fresh::has(name),
    }
}
