//! Clients and client scopes.

use serde_json::json;

use super::groups::{change, client_id};
use super::options::Fields;
use super::{Asked, Face};
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Model, Name};
use crate::keycloak::{Body, Client, Json};
use crate::modules::Output;
use crate::system::{Failure, Result, System};

pub struct ClientFace;

impl Face for ClientFace {
    const NAME: &'static str = "community.general.keycloak_client";
    const ABOUT: &'static str = "Makes a client of a realm exist as described, or not at all.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether the client exists
        realm str=master : The realm
        client_id str : The clientId
        id str : The id, instead of the clientId
        name str : What the client is called on the screen
        description str : What it is for
        root_url str : What relative addresses start with
        admin_url str
        base_url str
        enabled bool
        client_authenticator_type str client-secret|client-jwt|client-x509
        secret secret : The secret of a confidential client
        registration_access_token secret : Not written: Keycloak makes these itself
        default_roles list
        redirect_uris list : Where a login may lead back to
        web_origins list
        not_before int
        bearer_only bool
        consent_required bool
        standard_flow_enabled bool
        implicit_flow_enabled bool
        direct_access_grants_enabled bool
        service_accounts_enabled bool
        authorization_services_enabled bool
        public_client bool
        frontchannel_logout bool
        protocol str openid-connect|saml|docker-v2
        full_scope_allowed bool
        node_re_registration_timeout int
        registered_nodes dict
        client_template str : Not there since Keycloak 2: use client scopes
        use_template_config bool : Not there since Keycloak 2
        use_template_scope bool : Not there since Keycloak 2
        use_template_mappers bool : Not there since Keycloak 2
        always_display_in_console bool
        surrogate_auth_required bool
        authorization_settings dict : Scopes, resources and policies, as an export has them
        authentication_flow_binding_overrides dict : Flows for this client: `browser`, `direct_grant` by id, `browser_name`, `direct_grant_name` by alias
        client_scopes_behavior str=ignore ignore|patch|idempotent : Whether the lists of scopes are left alone, grow, or become as given
        default_client_scopes list
        optional_client_scopes list
        protocol_mappers list : Mappers, each with `name`, `protocol`, `protocolMapper`, `config`
        attributes dict
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let name = match (given.text("client_id"), given.text("id")) {
            (Some(name), _) => name.to_owned(),
            (None, Some(id)) => {
                let found = live.of_kind(Kind::Client).find(|(_, object)| object.id.as_deref() == Some(id));
                found.map_or_else(|| id.to_owned(), |(key, _)| key.name().to_owned())
            }
            (None, None) => return Err(Failure::new("one of the following is required: client_id, id").at("client_id")),
        };
        let except = [
            "id",
            "client_id",
            "client_template",
            "use_template_config",
            "use_template_scope",
            "use_template_mappers",
            "not_before",
            "registered_nodes",
            "registration_access_token",
            "client_scopes_behavior",
            "authentication_flow_binding_overrides",
            "default_client_scopes",
            "optional_client_scopes",
        ];
        let mut client = given.body(&except);
        client.insert("clientId".into(), name.as_str().into());
        if let Some(Json::Object(flows)) = given.json("authentication_flow_binding_overrides") {
            client.insert("authenticationFlowBindingOverrides".into(), overrides(&flows, live));
        }
        scopes(given, &name, live, &mut client);
        let declaration = Body::from_iter([("clients".to_owned(), json!([client]))]);
        let target = Some(Name::new(Kind::Client, Key::of([name.as_str()])));
        Ok(Asked { declaration, target, absent: given.is_absent(), what: format!("Client {name}"), ..Asked::default() })
    }
}

/// Flows by alias: the model has no ids.
fn overrides(given: &Body, live: &Model) -> Json {
    let alias = |id: &str| {
        let found = live.of_kind(Kind::Flow).find(|(_, object)| object.id.as_deref() == Some(id));
        found.map_or_else(|| id.to_owned(), |(key, _)| key.name().to_owned())
    };
    let mut out = Body::new();
    for (field, value) in given {
        let Some(text) = value.as_str() else { continue };
        let text = if field.ends_with("name") || field.ends_with("Name") { text.to_owned() } else { alias(text) };
        let field = if field.starts_with("browser") { "browser" } else { "direct_grant" };
        out.insert(field.into(), text.into());
    }
    out.into()
}

fn scopes(given: &Fields, name: &str, live: &Model, client: &mut Body) {
    let behavior = given.text("client_scopes_behavior").unwrap_or("ignore");
    let known = live.get(Kind::Client, &Key::of([name]));
    for (option, field) in [("default_client_scopes", "defaultClientScopes"), ("optional_client_scopes", "optionalClientScopes")] {
        let Some(mut list) = given.json(option) else { continue };
        match (behavior, known) {
            // A new client takes what is given, whatever the behaviour.
            (_, None) | ("idempotent", _) => {}
            ("patch", Some(known)) => {
                for scope in known.body.get(field).and_then(Json::as_array).into_iter().flatten() {
                    change(&mut list, scope, true);
                }
            }
            _ => continue,
        }
        client.insert(field.into(), list);
    }
}

pub struct ClientScope;

impl Face for ClientScope {
    const NAME: &'static str = "community.general.keycloak_clientscope";
    const ABOUT: &'static str = "Makes a client scope of a realm exist as described, or not at all.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether the scope exists
        name str : Its name
        realm str=master : The realm
        id str : Its id, instead of the name
        description str : What it is for
        protocol str openid-connect|saml|wsfed|docker-v2
        protocol_mappers list : Mappers, each with `name`, `protocol`, `protocolMapper`, `config`
        attributes dict
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let by_id = given.text("id").and_then(|id| live.of_kind(Kind::ClientScope).find(|(_, object)| object.id.as_deref() == Some(id)));
        let name = match (given.text("name"), by_id) {
            (Some(name), _) => name.to_owned(),
            (None, Some((key, _))) => key.name().to_owned(),
            (None, None) => {
                given.text("id").map(str::to_owned).ok_or_else(|| Failure::new("one of the following is required: id, name").at("name"))?
            }
        };
        let mut scope = given.body(&["id"]);
        scope.insert("name".into(), name.as_str().into());
        let target = Name::new(Kind::ClientScope, Key::of([name.as_str()]));
        if live.get(Kind::ClientScope, &target.key).is_none() {
            scope.entry("protocol").or_insert_with(|| "openid-connect".into());
        }
        let declaration = Body::from_iter([("clientScopes".to_owned(), json!([scope]))]);
        Ok(Asked { declaration, target: Some(target), absent: given.is_absent(), what: format!("Client scope {name}"), ..Asked::default() })
    }
}

pub struct ClientScopeType;

impl Face for ClientScopeType {
    const NAME: &'static str = "community.general.keycloak_clientscope_type";
    const ABOUT: &'static str = "Makes scopes the default or optional ones of a realm, or of one of its clients.";
    const OPTIONS: &'static str = "
        realm str=master : The realm
        client_id str : The client; the realm's own lists without it
        default_clientscopes list : Every default scope
        optional_clientscopes list : Every optional scope
    ";

    fn ask(given: &Fields, _: &Model) -> Result<Asked> {
        let (default, optional) = (given.json("default_clientscopes"), given.json("optional_clientscopes"));
        if default.is_none() && optional.is_none() {
            return Err(Failure::new("one of the following is required: default_clientscopes, optional_clientscopes"));
        }
        let fields = match given.text("client_id") {
            Some(_) => ["defaultClientScopes", "optionalClientScopes"],
            None => ["defaultDefaultClientScopes", "defaultOptionalClientScopes"],
        };
        let lists: Body = fields.into_iter().zip([default, optional]).filter_map(|(field, list)| Some((field.to_owned(), list?))).collect();
        let (declaration, target) = match given.text("client_id") {
            Some(client) => {
                let mut body = lists;
                body.insert("clientId".into(), client.into());
                (Body::from_iter([("clients".to_owned(), json!([body]))]), Name::new(Kind::Client, Key::of([client])))
            }
            None => (lists, Name::new(Kind::RealmScopes, Key::default())),
        };
        Ok(Asked { declaration, target: Some(target), what: "Client scopes".into(), ..Asked::default() })
    }
}

pub struct RoleScope;

impl Face for RoleScope {
    const NAME: &'static str = "community.general.keycloak_client_rolescope";
    const ABOUT: &'static str = "Puts roles into the scope of a client that is not allowed all of them, or takes them out.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether the roles are in scope
        realm str=master : The realm
        client_id str! : The client whose scope it is
        client_scope_id str : The client whose roles they are; realm roles without it
        role_names list! : The roles
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let client = client_id(given, live)?;
        let owner = given.text("client_scope_id");
        let key = Key::of(["client", client.as_str()]);
        let body = live.get(Kind::ScopeMapping, &key).map(|object| object.body.clone()).unwrap_or_default();
        let mut list = match owner {
            Some(owner) => body.get("clients").and_then(|clients| clients.get(owner)).cloned().unwrap_or_default(),
            None => body.get("realm").cloned().unwrap_or_default(),
        };
        for role in given.texts("role_names") {
            change(&mut list, &role.into(), !given.is_absent());
        }
        let entry = json!({"client": client, "roles": list});
        let declaration = match owner {
            Some(owner) => Body::from_iter([("clientScopeMappings".to_owned(), json!({owner: [entry]}))]),
            None => Body::from_iter([("scopeMappings".to_owned(), json!([entry]))]),
        };
        Ok(Asked {
            declaration,
            target: Some(Name::new(Kind::ScopeMapping, key)),
            what: format!("Scope of client {client}"),
            ..Asked::default()
        })
    }
}

/// Refused: what it managed has not been in Keycloak for ten years.
pub struct Template;

impl Face for Template {
    const NAME: &'static str = "community.general.keycloak_clienttemplate";
    const ABOUT: &'static str = "Refused: Keycloak has had client scopes instead of client templates since version 4.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Makes no difference
        id str : Makes no difference
        realm str=master : Makes no difference
        name str : Makes no difference
        description str : Makes no difference
        protocol str openid-connect|saml|docker-v2 : Makes no difference
        full_scope_allowed bool : Makes no difference
        protocol_mappers list : Makes no difference
        attributes dict : Makes no difference
    ";

    fn ask(_: &Fields, _: &Model) -> Result<Asked> {
        Err(Failure::new(
            "Keycloak has no client templates since version 4: use client scopes, with `community.general.keycloak_clientscope`",
        ))
    }

    fn run(given: &Fields, _: &Client, _: &mut System) -> Result<Output> {
        Self::ask(given, &Model::default()).map(|_| Output::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keycloak::flatten;

    #[test]
    fn flows_are_named_by_alias_and_found_by_id() {
        let realm = json!({"authenticationFlows": [{"id": "f1", "alias": "mine", "topLevel": true, "authenticationExecutions": []}]});
        let live = flatten::live(realm.as_object().expect("a mapping"));
        let given = json!({"browser": "f1", "direct_grant_name": "grant"});
        assert_eq!(overrides(given.as_object().expect("a mapping"), &live), json!({"browser": "mine", "direct_grant": "grant"}));
    }
}
