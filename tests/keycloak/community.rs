//! Modules as tasks have them, against the real server: in check mode first, then for real, then again, when nothing may change.

use hostler::base::{Map, Value};
use hostler::keycloak::Json;
use hostler::modules::find;
use hostler::system::{Overlay, System};
use serde_json::json;

use super::Claim;
use super::server::{Realm, Server, by};

pub const CLAIMS: &[Claim] = &[
    ("the collection's modules for roles, groups, users and their roles do what theirs do, and are quiet", people),
    ("the collection's modules for clients and scopes do what theirs do, and are quiet", clients),
    ("a permission keeps the module's checks, and is unchanged on the second run", permission),
    ("the collection's modules for the realm and its components do what theirs do, and are quiet", realms),
    ("a flow of the collection's module is made, changed and deleted", flows),
    ("the collection's modules log in as a user too, and what they read is there", information),
    ("a client is registered, changed with rotated tokens, mended and deleted", registration),
];

struct Tasks<'a> {
    server: &'a Server,
    realm: &'a Realm<'a>,
}

impl Tasks<'_> {
    fn run(&self, module: &str, options: &Json, sys: &mut System) -> Result<Map, String> {
        let name = if module.contains('.') { module.to_owned() } else { format!("community.general.keycloak_{module}") };
        let mut all = match name.starts_with("hostler.") {
            true => {
                json!({"url": self.server.url, "auth_client_id": "boot", "auth_client_secret": "boot-secret", "realm": self.realm.name})
            }
            false => {
                json!({"auth_keycloak_url": self.server.url, "auth_realm": "master", "auth_client_id": "boot", "auth_client_secret": "boot-secret"})
            }
        };
        all.as_object_mut().expect("a mapping").extend(options.as_object().expect("a mapping").clone());
        let entry = find(&name).unwrap_or_else(|| panic!("there is no module {name}"));
        let takes = |option: &str| (entry.specs)().iter().any(|spec| spec.name == option);
        let place = if takes("realm") { "realm" } else { "parent_id" };
        if all.get(place).is_none() {
            all[place] = self.realm.name.as_str().into();
        }
        let Value::Map(arguments) = Value::from_json(all) else { panic!("a mapping") };
        sys.begin(hostler::system::TaskContext::default());
        (entry.run)(arguments.as_ref().clone(), sys).map(|output| output.values).map_err(|failure| failure.message)
    }

    /// Checked, run, run again.
    fn settle(&self, module: &str, options: Json) -> Json {
        let mut dry = System::dry(Overlay::over_host());
        self.run(module, &options, &mut dry).unwrap_or_else(|error| panic!("{module} {options}, in check mode: {error}"));
        assert!(dry.is_changed(), "{module} {options}: check mode sees a change");
        let mut sys = System::local();
        let values = self.run(module, &options, &mut sys).unwrap_or_else(|error| panic!("{module} {options}: {error}"));
        assert!(sys.is_changed(), "{module} {options}: the first run changes something");
        let again = self.run(module, &options, &mut sys).unwrap_or_else(|error| panic!("{module} {options}, again: {error}"));
        assert!(!sys.is_changed(), "{module} {options}: the second run is not quiet: {:?}", Value::from(again).to_json());
        Value::from(values).to_json()
    }

    fn refusal(&self, module: &str, options: Json) -> String {
        self.run(module, &options, &mut System::local()).map(|values| format!("{values:?}")).expect_err("it is refused")
    }

    fn read(&self, module: &str, options: Json) -> Json {
        let mut sys = System::local();
        let values = self.run(module, &options, &mut sys).unwrap_or_else(|error| panic!("{module}: {error}"));
        assert!(!sys.is_changed());
        Value::from(values).to_json()
    }
}

fn people(server: &Server) {
    let realm = server.realm("cg-people");
    realm.settle(json!({"clients": [{"clientId": "app", "serviceAccountsEnabled": true}]}));
    let tasks = Tasks { server, realm: &realm };
    let role = tasks.settle("role", json!({"name": "lead", "description": "Leads", "attributes": {"level": "3"}}));
    assert_eq!((&role["existing"], &role["end_state"]["attributes"]["level"]), (&json!({}), &json!(["3"])));
    tasks.settle("role", json!({"name": "user", "client_id": "app"}));
    tasks.settle("role", json!({"name": "lead", "composite": true, "composites": [{"name": "user", "client_id": "app"}]}));
    tasks.settle("role", json!({"name": "lead", "composites": [{"name": "user", "client_id": "app", "state": "absent"}]}));
    tasks.settle("group", json!({"name": "Staff", "attributes": {"a": ["1", "2"]}}));
    let inner = tasks.settle("group", json!({"name": "Admins", "parents": [{"name": "Staff"}]}));
    assert_eq!(inner["end_state"]["path"], "/Staff/Admins");
    let id = inner["end_state"]["id"].as_str().expect("has one").to_owned();
    tasks.settle("realm_rolemapping", json!({"gid": id, "roles": [{"name": "lead"}]}));
    tasks.settle("client_rolemapping", json!({"group_name": "Staff", "client_id": "app", "roles": [{"name": "user"}]}));
    tasks.settle("client_rolemapping", json!({"group_name": "Staff", "client_id": "app", "roles": [{"name": "user"}], "state": "absent"}));
    assert!(
        tasks.refusal("realm_rolemapping", json!({"group_name": "Nobody", "roles": [{"name": "lead"}]})).contains("no group `/Nobody`")
    );
    let user = json!({"username": "Ann", "first_name": "Ann", "last_name": "B", "email": "ann@a.test", "email_verified": true,
        "groups": [{"name": "Staff", "state": "present"}], "credentials": [{"type": "password", "value": "ann-password", "temporary": false}]});
    let made = tasks.settle("user", user);
    assert!(!made.to_string().contains("ann-password"), "{made}");
    tasks.settle(
        "user",
        json!({"username": "ann", "first_name": "Anna", "groups": [{"name": "/Staff/Admins"}, {"name": "Staff", "state": "absent"}]}),
    );
    tasks.settle("user_rolemapping", json!({"target_username": "ann", "roles": [{"name": "lead"}]}));
    tasks.settle("user_rolemapping", json!({"service_account_user_client_id": "app", "client_id": "app", "roles": [{"name": "user"}]}));
    tasks.settle("user_rolemapping", json!({"target_username": "ann", "roles": [{"name": "lead"}], "state": "absent"}));
    tasks.settle("user", json!({"username": "ann", "state": "absent"}));
    tasks.settle("group", json!({"id": id, "state": "absent"}));
    tasks.settle("role", json!({"name": "lead", "state": "absent"}));
}

fn clients(server: &Server) {
    let realm = server.realm("cg-clients");
    realm.settle(json!({"roles": {"realm": [{"name": "lead"}]}, "authenticationFlows": [
        {"alias": "mine", "providerId": "basic-flow", "topLevel": true, "authenticationExecutions": [{"authenticator": "auth-cookie", "requirement": "ALTERNATIVE"}]}]}));
    let tasks = Tasks { server, realm: &realm };
    let made = tasks.settle("client", json!({
        "client_id": "app", "secret": "hunter22hunter22", "redirect_uris": ["https://app.test/*"], "public_client": false, "full_scope_allowed": false,
        "attributes": {"pkce.code.challenge.method": "S256"}, "authentication_flow_binding_overrides": {"browser_name": "mine"},
        "protocol_mappers": [{"name": "aud", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper", "config": {"included.client.audience": "app", "access.token.claim": true}}],
    }));
    assert!(!made.to_string().contains("hunter22"), "{made}");
    assert_eq!(realm.client_named("app")["secret"], "hunter22hunter22");
    tasks.settle("client", json!({"clientId": "app", "rootUrl": "https://app.test", "enabled": false}));
    tasks
        .settle("client", json!({"client_id": "app", "client_scopes_behavior": "idempotent", "default_client_scopes": ["basic", "email"]}));
    tasks.settle("clientscope", json!({"name": "groups", "description": "Groups", "protocol": "openid-connect", "attributes": {"include.in.token.scope": "true"},
        "protocol_mappers": [{"name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper", "config": {"claim.name": "groups"}}]}));
    tasks.settle(
        "clientscope_type",
        json!({"client_id": "app", "default_clientscopes": ["basic", "groups"], "optional_clientscopes": ["phone"]}),
    );
    tasks.settle("client_rolescope", json!({"client_id": "app", "role_names": ["lead"]}));
    tasks.settle("client_rolescope", json!({"client_id": "app", "role_names": ["lead"], "state": "absent"}));
    tasks.settle("clientscope", json!({"name": "groups", "state": "absent"}));
    tasks.settle("client", json!({"client_id": "app", "state": "absent"}));
    assert!(tasks.refusal("clienttemplate", json!({"name": "x"})).contains("use client scopes"));
}

fn permission(server: &Server) {
    let realm = server.realm("cg-permission");
    realm.settle(super::kinds::authz());
    let tasks = Tasks { server, realm: &realm };
    let with = |extra: Json| {
        let mut all = json!({"client_id": "api", "name": "mine", "permission_type": "scope"});
        all.as_object_mut().expect("a mapping").extend(extra.as_object().expect("a mapping").clone());
        all
    };
    tasks.settle("authz_authorization_scope", json!({"client_id": "api", "name": "print", "display_name": "Print"}));
    let made = tasks
        .settle("authz_permission", with(json!({"resources": ["doc"], "scopes": ["view"], "policies": ["leads"], "description": "x"})));
    let state = &made["end_state"];
    for field in ["id", "name", "type", "logic", "description", "decisionStrategy", "policies", "resources", "scopes"] {
        assert!(!state[field].is_null(), "{field} in {made}");
    }
    assert!(made["msg"].as_str().is_some_and(|text| text.contains("mine")), "{made}");
    assert_eq!((state["policies"].as_array().map(Vec::len), state["resources"].as_array().map(Vec::len)), (Some(1), Some(1)), "{made}");
    assert_eq!((&state["decisionStrategy"], &state["type"], &state["logic"]), (&json!("UNANIMOUS"), &json!("scope"), &json!("POSITIVE")));
    tasks.settle(
        "authz_permission",
        with(
            json!({"resources": ["doc"], "scopes": ["view", "edit"], "policies": ["leads", "people"], "decision_strategy": "AFFIRMATIVE"}),
        ),
    );
    for (wrong, words) in [
        (json!({"resources": ["doc"]}), "at least one of `scopes`"),
        (json!({"resources": ["doc", "other"], "scopes": ["view"]}), "at most one of `resources`"),
        (json!({"resources": ["other"], "scopes": ["edit"]}), "does not include the scope `edit`"),
        (json!({"resources": ["dok"], "scopes": ["view"]}), "no resource `dok`"),
        (json!({"scopes": ["view"], "policies": ["nobody"]}), "api/nobody"),
        (json!({"permission_type": "resource", "resources": ["doc"], "scopes": ["view"]}), "takes no `scopes`"),
        (json!({"permission_type": "resource"}), "at least one of `resources`"),
        (json!({"client_id": "account", "scopes": ["view"]}), "no authorization services"),
    ] {
        let refusal = tasks.refusal("authz_permission", with(wrong.clone()));
        assert!(refusal.contains(words), "{wrong}: {refusal}");
    }
    let read = tasks.read("authz_permission_info", json!({"client_id": "api", "name": "mine"}));
    assert_eq!(read["queried_state"]["scopes"].as_array().map(Vec::len), Some(2), "{read}");
    tasks.settle("authz_permission", with(json!({"state": "absent"})));
}

fn realms(server: &Server) {
    let realm = server.realm("cg-realms");
    let tasks = Tasks { server, realm: &realm };
    tasks.settle("realm", json!({"id": realm.name, "realm": realm.name, "enabled": true, "display_name": "Ours"}));
    tasks.settle("realm", json!({"realm": realm.name, "accessTokenLifespan": 120, "smtp_server": {"host": "mail.test", "from": "a@a.test"}, "browser_security_headers": {"xFrameOptions": "DENY"}}));
    assert_eq!(realm.get("")["accessTokenLifespan"], 120);
    tasks.settle("component", json!({"name": "Max", "provider_type": "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy", "provider_id": "max-clients", "config": {"max-clients": 50}}));
    tasks.settle("realm_key", json!({"name": "extra", "provider_id": "rsa-generated", "config": {"active": true, "enabled": true, "priority": 7, "algorithm": "RS256"}}));
    tasks.settle("realm_key", json!({"name": "extra", "provider_id": "rsa-generated", "state": "absent"}));
    tasks.settle("identity_provider", json!({"alias": "hub", "provider_id": "github", "display_name": "Hub", "config": {"clientId": "c", "clientSecret": "hunter22", "sync_mode": "FORCE"},
        "mappers": [{"name": "user", "identityProviderMapper": "github-user-attribute-mapper", "config": {"syncMode": "INHERIT", "jsonField": "login", "userAttribute": "hub"}}]}));
    tasks.settle("identity_provider", json!({"alias": "hub", "provider_id": "github", "state": "absent"}));
    tasks.settle("realm_localization", json!({"locale": "en", "overrides": [{"key": "a", "value": "A"}, {"key": "b", "value": "B"}]}));
    tasks.settle("realm_localization", json!({"locale": "en", "append": false, "overrides": [{"key": "a", "value": "A"}]}));
    assert_eq!(realm.get("/localization/en"), json!({"a": "A"}));
    tasks.settle(
        "userprofile",
        json!({"config": {"kc_user_profile_config": [{"unmanaged_attribute_policy": "ENABLED", "attributes": [
        {"name": "team", "display_name": "Team", "permissions": {"view": ["admin"], "edit": ["admin"]}, "multivalued": false}]}]}}),
    );
    by(&realm.get("/users/profile")["attributes"], "name", "username");
    tasks.settle("authentication_required_actions", json!({"state": "present", "required_actions": [{"alias": "CONFIGURE_TOTP", "enabled": true, "defaultAction": true, "priority": 11}]}));
    tasks.settle("user_federation", json!({"name": "ldap", "provider_id": "ldap", "config": {"enabled": false, "priority": 0, "editMode": "READ_ONLY", "vendor": "other",
        "usernameLDAPAttribute": "uid", "rdnLDAPAttribute": "uid", "uuidLDAPAttribute": "entryUUID", "userObjectClasses": "inetOrgPerson", "connectionUrl": "ldap://127.0.0.1:9",
        "usersDn": "ou=people,dc=test", "authType": "simple", "bindDn": "cn=a", "bindCredential": "hunter22", "cachePolicy": "DEFAULT"},
        "mappers": [{"name": "mail", "providerId": "user-attribute-ldap-mapper", "providerType": "org.keycloak.storage.ldap.mappers.LDAPStorageMapper",
            "config": {"ldap.attribute": "mail", "user.model.attribute": "email", "read.only": true, "always.read.value.from.ldap": false, "is.mandatory.in.ldap": false}}]}));
    tasks.settle("user_federation", json!({"name": "ldap", "provider_id": "ldap", "state": "absent"}));
    tasks.settle("realm", json!({"realm": realm.name, "state": "absent"}));
}

fn flows(server: &Server) {
    let realm = server.realm("cg-flows");
    realm.settle(json!({}));
    let tasks = Tasks { server, realm: &realm };
    let steps = json!([
        {"providerId": "auth-cookie", "requirement": "ALTERNATIVE"},
        {"displayName": "mine forms", "subFlowType": "basic-flow", "requirement": "ALTERNATIVE"},
        {"providerId": "auth-username-password-form", "requirement": "REQUIRED", "flowAlias": "mine forms"},
        {"providerId": "identity-provider-redirector", "requirement": "ALTERNATIVE", "index": 1, "authenticationConfig": {"alias": "mine to", "config": {"defaultProvider": "hub"}}},
    ]);
    tasks.settle(
        "authentication",
        json!({"alias": "mine", "description": "Ours", "providerId": "basic-flow", "authenticationExecutions": steps}),
    );
    realm.put("", json!({"browserFlow": "mine"}));
    let mut fewer = steps.as_array().expect("a list").clone();
    fewer.pop();
    tasks.settle("authentication", json!({"alias": "mine", "authentication_executions": fewer}));
    assert_eq!(realm.get("")["browserFlow"], "mine", "it is bound still");
    realm.put("", json!({"browserFlow": "browser"}));
    tasks.settle("authentication", json!({"alias": "mine", "state": "absent"}));
    tasks.settle("authentication", json!({"alias": "our browser", "copy_from": "browser"}));
}

fn information(server: &Server) {
    let realm = server.realm("cg-information");
    realm.settle(json!({
        "clients": [{"clientId": "app"}],
        "users": [{"username": "admin", "enabled": true, "email": "a@a.test", "firstName": "A", "lastName": "B", "clientRoles": {"realm-management": ["realm-admin"]},
            "credentials": [{"type": "password", "value": "admin-password", "temporary": false}]}],
    }));
    let tasks = Tasks { server, realm: &realm };
    let secret = tasks.read("clientsecret_info", json!({"client_id": "app"}))["clientsecret_info"]["value"].clone();
    let new = tasks.run("clientsecret_regenerate", &json!({"client_id": "app"}), &mut System::local()).expect("is made");
    assert_ne!(Value::from(new).to_json()["end_state"]["value"], secret);
    assert_eq!(tasks.read("realm_info", json!({}))["realm_info"]["realm"], realm.name.as_str());
    assert!(tasks.read("realm_keys_metadata_info", json!({}))["keys_metadata"]["active"]["RS256"].is_string());
    let keys = tasks.read("component_info", json!({"provider_type": "org.keycloak.keys.KeyProvider"}));
    by(&keys["components"], "name", "rsa-generated");
    // As an administrator of the realm, by name and password, as the collection's examples do.
    let login = json!({"auth_realm": realm.name, "auth_client_id": "admin-cli", "auth_client_secret": null, "auth_username": "admin", "auth_password": "admin-password", "name": "made"});
    tasks.settle("role", login);
    let refusal = tasks.refusal("role", json!({"auth_realm": realm.name, "auth_client_id": "admin-cli", "auth_client_secret": null, "auth_username": "admin", "auth_password": "wrong", "name": "x"}));
    assert!(refusal.contains("Invalid user credentials"), "{refusal}");
}

fn registration(server: &Server) {
    let realm = server.realm("registration");
    realm.settle(json!({}));
    let tasks = Tasks { server, realm: &realm };
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("client.json");
    let options = |uri: &str| json!({"store": store.to_string_lossy(), "client": {"client_name": "ws", "redirect_uris": [uri], "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "client_secret_basic"}});
    let kept = || -> Json { serde_json::from_slice(&std::fs::read(&store).expect("is kept")).expect("is JSON") };
    let module = "hostler.keycloak.registration";
    assert_eq!(tasks.settle(module, options("https://ws.test/*"))["outcome"], "registered");
    let first = kept();
    assert!(first["client_secret"].as_str().is_some_and(|secret| secret.len() > 20));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&store).expect("is there").permissions().mode() & 0o777, 0o600);
    assert_eq!(tasks.settle(module, options("https://ws.test/a/*"))["outcome"], "updated");
    assert_ne!(kept()["registration_access_token"], first["registration_access_token"], "the token rotates");
    assert_eq!(kept()["client_secret"], first["client_secret"]);
    // An old token: the Admin API gives a new one.
    std::fs::write(&store, first.to_string()).expect("writes");
    assert_eq!(tasks.settle(module, options("https://ws.test/a/*"))["outcome"], "token renewed");
    // The answer was lost: the client is found by its name, and there are not two of them.
    std::fs::remove_file(&store).expect("goes");
    tasks.settle(module, options("https://ws.test/b/*"));
    let named = realm.get("/clients").as_array().expect("a list").iter().filter(|client| client["name"] == "ws").count();
    assert_eq!((named, &kept()["client_id"]), (1, &first["client_id"]));
    // Deleted by hand: registered anew.
    let id = realm.client_named(first["client_id"].as_str().expect("has one"))["id"].as_str().expect("has one").to_owned();
    realm.delete_at(&format!("/clients/{id}"));
    assert_eq!(tasks.settle(module, options("https://ws.test/b/*"))["outcome"], "registered");
    let mut gone = options("https://ws.test/b/*");
    gone["state"] = "absent".into();
    tasks.settle(module, gone);
    assert!(!store.exists());
}
