//! A `RealmRepresentation`, declared or exported, cut into objects. What is wrong in it is collected, not thrown: all mistakes at once.

use super::flow;
use super::kind::Kind;
use super::ledger::ATTRIBUTE;
use super::leftovers::orphans;
use super::model::{Key, Model, Name, Object};
use super::overlay::normalize;
use super::{Body, Json};
use crate::base::closest;

const EVENTS: [&str; 6] =
    ["eventsEnabled", "eventsExpiration", "eventsListeners", "enabledEventTypes", "adminEventsEnabled", "adminEventsDetailsEnabled"];
const BINDINGS: [&str; 7] = [
    "browserFlow",
    "registrationFlow",
    "directGrantFlow",
    "resetCredentialsFlow",
    "clientAuthenticationFlow",
    "dockerAuthenticationFlow",
    "firstBrokerLoginFlow",
];

/// Collects the objects of one realm.
pub struct Flattened {
    pub model: Model,
    pub problems: Vec<String>,
    /// A declaration: its fields are checked. What the server says is taken as it is.
    pub(super) strict: bool,
}

/// Cuts a declaration into objects, with every mistake found in it.
pub fn declared(realm: &Body) -> Flattened {
    flatten(realm, true)
}

/// Cuts what the server says into objects.
pub fn live(realm: &Body) -> Model {
    flatten(realm, false).model
}

fn flatten(realm: &Body, strict: bool) -> Flattened {
    let mut out = Flattened { model: Model::default(), problems: Vec::new(), strict };
    let mut rest = realm.clone();
    rest.remove("hostler");
    out.model.version = rest.get("keycloakVersion").and_then(Json::as_str).map(str::to_owned);
    out.events_and_bindings(&mut rest);
    out.lists_of_names(&mut rest);
    out.profile_and_policies(&mut rest);
    out.components(&mut rest);
    let aliases = out.flows(&mut rest);
    out.roles(&mut rest);
    out.clients(&mut rest, &aliases);
    out.client_scopes(&mut rest);
    out.scope_mappings(&mut rest);
    for group in take_list(&mut rest, "groups") {
        out.group(&Key::default(), group);
    }
    out.identity_providers(&mut rest);
    out.localization(&mut rest);
    for (section, kind) in [("requiredActions", Kind::RequiredAction), ("workflows", Kind::Workflow), ("users", Kind::User)] {
        for item in take_list(&mut rest, section) {
            out.simple(kind, item);
        }
    }
    out.organizations(&mut rest);
    // Our own bookkeeping: an export has it, and it is nothing to declare.
    if let Some(Json::Object(attributes)) = rest.get_mut("attributes") {
        attributes.remove(ATTRIBUTE);
    }
    let id = rest.get("id").and_then(Json::as_str).map(str::to_owned);
    out.add(Kind::Realm, Key::default(), id, rest);
    out
}

pub(super) fn take_list(body: &mut Body, key: &str) -> Vec<Json> {
    match body.remove(key) {
        Some(Json::Array(items)) => items,
        _ => Vec::new(),
    }
}

pub(super) fn take_map(body: &mut Body, key: &str) -> Body {
    match body.remove(key) {
        Some(Json::Object(map)) => map,
        _ => Body::new(),
    }
}

pub(super) fn object(item: Json) -> Body {
    match item {
        Json::Object(map) => map,
        _ => Body::new(),
    }
}

impl Flattened {
    pub(super) fn problem(&mut self, text: String) {
        if self.strict {
            self.problems.push(text);
        }
    }

    pub(super) fn add(&mut self, kind: Kind, key: Key, id: Option<String>, mut body: Body) {
        let spec = kind.spec();
        let name = Name::new(kind, key);
        if self.strict && !spec.fields.is_empty() {
            for field in body.keys().filter(|field| !spec.fields.contains(&field.as_str())) {
                let hint = closest(field, spec.fields.iter().copied()).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
                self.problems.push(format!("{name} has no field `{field}`{hint}"));
            }
        }
        body.retain(|field, _| !spec.ignored.contains(&field.as_str()));
        normalize(spec, &mut body);
        if !self.model.insert(name.clone(), Object { id, body }) {
            self.problem(format!("{name} is declared twice"));
        }
    }

    /// An object whose key is one field of it.
    fn simple(&mut self, kind: Kind, item: Json) {
        self.owned(kind, &Key::default(), item);
    }

    fn owned(&mut self, kind: Kind, owner: &Key, item: Json) {
        let mut body = object(item);
        let spec = kind.spec();
        let Some(name) = body.get(spec.key_field).and_then(Json::as_str).filter(|name| !name.is_empty()) else {
            let place = if owner.0.is_empty() { String::new() } else { format!(" in `{}`", owner.0.join("/")) };
            self.problem(format!("a {}{place} has no `{}`", spec.noun, spec.key_field));
            return;
        };
        // Keycloak keeps user names in lower case.
        let name = if kind == Kind::User { name.to_lowercase() } else { name.to_owned() };
        body.insert(spec.key_field.into(), name.clone().into());
        let id = body.get("id").or_else(|| body.get("internalId")).and_then(Json::as_str).map(str::to_owned);
        self.add(kind, owner.child(name), id, body);
    }

    pub(super) fn owned_by(&mut self, kind: Kind, owner: &Key, items: Vec<Json>) {
        for item in items {
            self.owned(kind, owner, item);
        }
    }

    fn events_and_bindings(&mut self, rest: &mut Body) {
        for (kind, fields) in [(Kind::EventsConfig, &EVENTS[..]), (Kind::Bindings, &BINDINGS[..])] {
            let body: Body = fields.iter().filter_map(|field| rest.remove(*field).map(|value| ((*field).to_owned(), value))).collect();
            if !body.is_empty() {
                self.add(kind, Key::default(), None, body);
            }
        }
    }

    fn lists_of_names(&mut self, rest: &mut Body) {
        if let Some(groups) = rest.remove("defaultGroups") {
            self.add(Kind::DefaultGroups, Key::default(), None, Body::from_iter([("groups".to_owned(), groups)]));
        }
        let scopes: Body = [("default", "defaultDefaultClientScopes"), ("optional", "defaultOptionalClientScopes")]
            .iter()
            .filter_map(|(field, section)| rest.remove(*section).map(|value| ((*field).to_owned(), value)))
            .collect();
        if !scopes.is_empty() {
            self.add(Kind::RealmScopes, Key::default(), None, scopes);
        }
    }

    fn profile_and_policies(&mut self, rest: &mut Body) {
        for (kind, section) in
            [(Kind::UserProfile, "userProfile"), (Kind::ClientProfiles, "clientProfiles"), (Kind::ClientPolicies, "clientPolicies")]
        {
            if let Some(Json::Object(body)) = rest.remove(section) {
                self.add(kind, Key::default(), None, body);
            }
        }
    }

    /// The flows, as trees. Answers the aliases by id: an export binds clients to flows by id.
    fn flows(&mut self, rest: &mut Body) -> Body {
        let flows = take_list(rest, "authenticationFlows");
        let configs = take_list(rest, "authenticatorConfig");
        let aliases = flows.iter().filter_map(|flow| Some((flow["id"].as_str()?.to_owned(), flow["alias"].clone()))).collect();
        if !self.strict {
            self.model.orphans = orphans(&flows);
        }
        let (trees, problems) = flow::trees(&flows, &configs);
        for problem in problems {
            self.problem(problem);
        }
        for tree in trees {
            let id = tree.id.clone();
            self.add(Kind::Flow, Key::of([tree.alias.clone()]), id, tree.to_body());
        }
        aliases
    }

    fn roles(&mut self, rest: &mut Body) {
        let mut roles = take_map(rest, "roles");
        for role in take_list(&mut roles, "realm") {
            self.simple(Kind::RealmRole, role);
        }
        for (client, roles) in take_map(&mut roles, "client") {
            for role in roles.as_array().cloned().unwrap_or_default() {
                self.owned(Kind::ClientRole, &Key::of([client.clone()]), role);
            }
        }
    }

    fn clients(&mut self, rest: &mut Body, aliases: &Body) {
        for client in take_list(rest, "clients") {
            let mut body = object(client);
            let owner = Key::of([body.get("clientId").and_then(Json::as_str).unwrap_or_default()]);
            if let Some(Json::Object(settings)) = body.remove("authorizationSettings") {
                self.authorization(&owner, settings);
            }
            for mapper in take_list(&mut body, "protocolMappers") {
                self.owned(Kind::ClientMapper, &owner, mapper);
            }
            if let Some(Json::Object(overrides)) = body.get_mut("authenticationFlowBindingOverrides") {
                for (_, flow) in overrides.iter_mut() {
                    if let Some(alias) = flow.as_str().and_then(|id| aliases.get(id)) {
                        *flow = alias.clone();
                    }
                }
            }
            // Keycloak makes some clients public when nothing is said, and forgets their secret.
            if self.strict && body.contains_key("secret") {
                body.entry("publicClient").or_insert(Json::Bool(false));
            }
            self.simple(Kind::Client, body.into());
        }
    }

    fn client_scopes(&mut self, rest: &mut Body) {
        for scope in take_list(rest, "clientScopes") {
            let mut body = object(scope);
            let owner = Key::of([body.get("name").and_then(Json::as_str).unwrap_or_default()]);
            for mapper in take_list(&mut body, "protocolMappers") {
                self.owned(Kind::ClientScopeMapper, &owner, mapper);
            }
            self.simple(Kind::ClientScope, body.into());
        }
    }

    fn group(&mut self, parent: &Key, item: Json) {
        let mut body = object(item);
        let Some(name) = body.get("name").and_then(Json::as_str).filter(|name| !name.is_empty()) else {
            self.problem(format!("a group under `{}/` has no `name`", parent.to_path()));
            return;
        };
        let key = parent.child(name);
        let id = body.get("id").and_then(Json::as_str).map(str::to_owned);
        let children = take_list(&mut body, "subGroups");
        self.add(Kind::Group, key.clone(), id, body);
        for child in children {
            self.group(&key, child);
        }
    }

    fn identity_providers(&mut self, rest: &mut Body) {
        for provider in take_list(rest, "identityProviders") {
            self.simple(Kind::IdentityProvider, provider);
        }
        for mapper in take_list(rest, "identityProviderMappers") {
            let Some(alias) = mapper["identityProviderAlias"].as_str().map(str::to_owned) else {
                self.problem("an identity provider mapper has no `identityProviderAlias`".into());
                continue;
            };
            self.owned(Kind::IdentityProviderMapper, &Key::of([alias]), mapper);
        }
    }

    fn localization(&mut self, rest: &mut Body) {
        for (locale, texts) in take_map(rest, "localizationTexts") {
            self.add(Kind::Localization, Key::of([locale]), None, object(texts));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(realm: Json) -> Vec<String> {
        declared(realm.as_object().expect("a mapping")).model.iter().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn a_realm_is_cut_into_objects_in_the_order_of_writing() {
        let realm = json!({
            "realm": "staff", "eventsEnabled": true,
            "groups": [{"name": "Staff", "subGroups": [{"name": "Admins"}]}],
            "clients": [{"clientId": "app", "protocolMappers": [{"name": "groups"}]}],
            "roles": {"realm": [{"name": "admin"}], "client": {"app": [{"name": "user"}]}},
            "users": [{"username": "Ann"}],
        });
        let expected = [
            "realm",
            "events config",
            "role admin",
            "client app",
            "mapper app/groups",
            "client role app/user",
            "group /Staff",
            "group /Staff/Admins",
            "user ann",
        ];
        assert_eq!(names(realm), expected);
    }

    #[test]
    fn all_mistakes_are_named_at_once() {
        let realm = json!({
            "realm": "staff", "displayNam": "x",
            "clients": [{"clientId": "app", "redirectUri": []}, {"name": "no id"}],
            "groups": [{"name": "a"}, {"name": "a"}],
        });
        let found = declared(realm.as_object().expect("a mapping")).problems;
        assert_eq!(
            found,
            [
                "client app has no field `redirectUri`, did you mean `redirectUris`?",
                "a client has no `clientId`",
                "group /a is declared twice",
                "realm has no field `displayNam`, did you mean `displayName`?",
            ]
        );
    }

    #[test]
    fn scope_mappings_of_one_owner_become_one_object() {
        let realm = json!({
            "scopeMappings": [{"clientScope": "offline_access", "roles": ["offline_access"]}],
            "clientScopeMappings": {"account": [{"clientScope": "offline_access", "roles": ["view"]}]},
        });
        let model = declared(realm.as_object().expect("a mapping")).model;
        let mapping = model.get(Kind::ScopeMapping, &Key::of(["clientScope", "offline_access"])).expect("is there");
        assert_eq!(Json::Object(mapping.body.clone()), json!({"realm": ["offline_access"], "clients": {"account": ["view"]}}));
    }

    #[test]
    fn an_exported_client_is_bound_to_its_flow_by_alias() {
        let realm = json!({
            "authenticationFlows": [{"id": "f1", "alias": "mine", "topLevel": true, "authenticationExecutions": []}],
            "clients": [{"clientId": "app", "authenticationFlowBindingOverrides": {"browser": "f1"}}],
        });
        let model = live(realm.as_object().expect("a mapping"));
        assert_eq!(
            model.get(Kind::Client, &Key::of(["app"])).expect("is there").body["authenticationFlowBindingOverrides"]["browser"],
            "mine"
        );
    }

    #[test]
    fn the_ledger_of_applied_secrets_is_nothing_to_declare() {
        let realm = json!({"attributes": {"hostler.applied.secrets": "{}", "mine": 1}});
        let model = declared(realm.as_object().expect("a mapping")).model;
        assert_eq!(model.get(Kind::Realm, &Key::default()).expect("is there").body["attributes"], json!({"mine": "1"}));
    }
}
