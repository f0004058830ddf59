//! Ways to lose data by a PUT: each was seen on the server, each is sprung here against what we do.

use hostler::keycloak::{Json, MASK};
use serde_json::json;

use super::Claim;
use super::server::{Server, by, with};

pub const CLAIMS: &[Claim] = &[
    ("a change of a client keeps its authorization services, secret and undeclared mappers", client),
    ("a change of a realm attribute and of mail settings keeps the other ones", realm_maps),
    ("a change of the realm keeps what a short write would set back, and policies change field by field", realm_row),
    ("a change of a user keeps e-mail, names and undeclared attributes", user),
    ("a change of a group or a role keeps the description", descriptions),
    ("a change of an identity provider keeps its secret and its other settings", identity_provider),
    ("a change of a component keeps its bind credential", component),
    ("a change of a required action keeps priority and name", required_action),
    ("a change of the events keeps the expiration", events),
    ("a change of the user profile keeps what is not declared", profile),
    ("an organization keeps its domains", organization),
    ("a scope moves from optional to default", scope_moves),
    ("texts of one locale all arrive", texts),
    ("a mask is never written", masks),
    ("many users are read as one by one, service accounts too", many_users),
    ("more groups than an export can carry are read by pages, with none lost or doubled", many_groups),
];

fn client(server: &Server) {
    let realm = server.realm("trap-client");
    realm.settle(json!({"clients": [{"clientId": "app", "secret": "keep-me", "serviceAccountsEnabled": true, "authorizationServicesEnabled": true}]}));
    let id = realm.client_named("app")["id"].as_str().expect("has one").to_owned();
    realm.post(&format!("/clients/{id}/authz/resource-server/resource"), json!({"name": "res1"}));
    let mapper = json!({"name": "by hand", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper", "config": {"included.client.audience": "app"}});
    realm.post(&format!("/clients/{id}/protocol-mappers/models"), mapper);
    realm.settle(json!({"clients": [{"clientId": "app", "description": "new", "protocolMappers": [
        {"name": "ours", "protocolMapper": "oidc-audience-mapper", "config": {"included.client.audience": "app"}}]}]}));
    let app = realm.client_named("app");
    assert_eq!((app["secret"].as_str(), app["description"].as_str()), (Some("keep-me"), Some("new")));
    by(&app["protocolMappers"], "name", "by hand");
    by(&app["protocolMappers"], "name", "ours");
    by(&realm.get(&format!("/clients/{id}/authz/resource-server/resource")), "name", "res1");
}

fn realm_maps(server: &Server) {
    let realm = server.realm("trap-realm");
    realm.settle(
        json!({"attributes": {"mine": "1"}, "smtpServer": {"host": "a", "from": "a@a.test", "user": "u", "auth": "true", "password": "p"}}),
    );
    let mut attributes = realm.get("")["attributes"].clone();
    attributes["by-hand"] = "kept".into();
    realm.put("", json!({"realm": realm.name, "attributes": attributes}));
    realm.settle(json!({"attributes": {"mine": "2"}, "smtpServer": {"host": "b"}}));
    let now = realm.get("");
    assert_eq!((&now["attributes"]["mine"], &now["attributes"]["by-hand"]), (&json!("2"), &json!("kept")));
    assert_eq!(
        (&now["smtpServer"]["host"], &now["smtpServer"]["user"], &now["smtpServer"]["password"]),
        (&json!("b"), &json!("u"), &json!(MASK))
    );
}

/// Without its own fields a PUT of the realm sets back the device grant, CIBA and pushed requests; a policy is replaced whole, or not at all.
fn realm_row(server: &Server) {
    let realm = server.realm("trap-row");
    realm.settle(json!({"displayName": "one"}));
    let mut by_hand = realm.get("");
    let set = json!({
        "oauth2DeviceCodeLifespan": 700, "oauth2DevicePollingInterval": 9, "otpPolicyPeriod": 60, "otpPolicyLookAheadWindow": 2,
        "webAuthnPolicyRpEntityName": "Staff", "webAuthnPolicyCreateTimeout": 50, "webAuthnPolicyExtraOrigins": ["https://a.test"],
        "webAuthnPolicyPasswordlessRpEntityName": "Staff", "webAuthnPolicyPasswordlessCreateTimeout": 51,
        "eventsListeners": ["jboss-logging"], "passwordPolicy": "length(9)",
    });
    by_hand.as_object_mut().expect("a map").extend(set.as_object().expect("a map").clone());
    for (name, value) in
        [("cibaExpiresIn", "130"), ("cibaBackchannelTokenDeliveryMode", "ping"), ("parRequestUriLifespan", "70"), ("mine", "1")]
    {
        by_hand["attributes"][name] = value.into();
    }
    realm.put("", by_hand);
    let mut wanted = realm.get("");
    assert_eq!((&wanted["oauth2DeviceCodeLifespan"], &wanted["attributes"]["cibaExpiresIn"]), (&json!(700), &json!("130")));
    for (field, value) in [
        ("displayName", json!("two")),
        ("otpPolicyDigits", json!(8)),
        ("webAuthnPolicyRpId", json!("a.test")),
        ("webAuthnPolicyPasswordlessRpId", json!("a.test")),
    ] {
        realm.settle(json!({field: value.clone()}));
        wanted[field] = value;
        assert_eq!(realm.get(""), wanted, "{field}");
    }
}

fn user(server: &Server) {
    let realm = server.realm("trap-user");
    realm.settle(json!({
        "userProfile": {"attributes": [], "unmanagedAttributePolicy": "ENABLED"},
        "users": [{"username": "ann", "enabled": true, "email": "ann@a.test", "firstName": "Ann", "lastName": "Onym", "attributes": {"a": "1", "b": "2"}}]}));
    realm.settle(with("users", json!([{"username": "ann", "attributes": {"a": ["3"]}}])));
    let ann = realm.user_named("ann");
    assert_eq!(
        (ann["email"].as_str(), ann["firstName"].as_str(), ann["lastName"].as_str()),
        (Some("ann@a.test"), Some("Ann"), Some("Onym"))
    );
    assert_eq!((&ann["attributes"]["a"], &ann["attributes"]["b"]), (&json!(["3"]), &json!(["2"])));
}

fn descriptions(server: &Server) {
    let realm = server.realm("trap-descriptions");
    realm.settle(json!({"groups": [{"name": "g", "description": "kept", "attributes": {"x": ["1"]}}], "roles": {"realm": [{"name": "r", "description": "kept", "attributes": {"x": ["1"]}}]}}));
    realm.settle(
        json!({"groups": [{"name": "g", "attributes": {"a": ["1"]}}], "roles": {"realm": [{"name": "r", "attributes": {"a": ["1"]}}]}}),
    );
    let id = realm.get("/groups")[0]["id"].as_str().expect("has one").to_owned();
    for found in [realm.get(&format!("/groups/{id}")), realm.get("/roles/r")] {
        assert_eq!(found["description"], "kept");
        assert_eq!(found["attributes"], json!({"x": ["1"], "a": ["1"]}));
    }
}

fn identity_provider(server: &Server) {
    let realm = server.realm("trap-idp");
    let config = json!({"clientId": "c", "clientSecret": "gh-secret", "syncMode": "IMPORT"});
    realm.settle(with(
        "identityProviders",
        json!([{"alias": "github", "providerId": "github", "enabled": false, "displayName": "GH", "config": config}]),
    ));
    realm.settle(with("identityProviders", json!([{"alias": "github", "trustEmail": true, "config": {"syncMode": "FORCE"}}])));
    let found = realm.get("/identity-provider/instances/github");
    assert_eq!((&found["displayName"], &found["enabled"], &found["trustEmail"]), (&json!("GH"), &json!(false), &json!(true)));
    assert_eq!(found["config"], json!({"clientId": "c", "clientSecret": MASK, "syncMode": "FORCE"}));
}

fn component(server: &Server) {
    let realm = server.realm("trap-component");
    let config = json!({"vendor": ["other"], "connectionUrl": ["ldap://localhost:1"], "usersDn": ["ou=x"], "bindDn": ["cn=a"], "bindCredential": ["ldap-secret"],
        "usernameLDAPAttribute": ["uid"], "rdnLDAPAttribute": ["uid"], "uuidLDAPAttribute": ["entryUUID"], "userObjectClasses": ["person"],
        "authType": ["simple"], "editMode": ["READ_ONLY"], "enabled": ["false"]});
    let ldap = |config| json!({"org.keycloak.storage.UserStorageProvider": [{"name": "ldap", "providerId": "ldap", "config": config}]});
    realm.settle(with("components", ldap(config)));
    realm.settle(with("components", ldap(json!({"usersDn": "ou=y"}))));
    let all = realm.get("/components?type=org.keycloak.storage.UserStorageProvider");
    let found = &by(&all, "name", "ldap")["config"];
    assert_eq!((&found["usersDn"], &found["bindDn"], &found["bindCredential"]), (&json!(["ou=y"]), &json!(["cn=a"]), &json!([MASK])));
}

fn required_action(server: &Server) {
    let realm = server.realm("trap-action");
    realm.settle(with("requiredActions", json!([{"alias": "VERIFY_EMAIL", "priority": 77, "name": "Ours"}])));
    realm.settle(with("requiredActions", json!([{"alias": "VERIFY_EMAIL", "defaultAction": true}])));
    let found = realm.get("/authentication/required-actions/VERIFY_EMAIL");
    assert_eq!((&found["priority"], &found["name"], &found["defaultAction"]), (&json!(77), &json!("Ours"), &json!(true)));
}

fn events(server: &Server) {
    let realm = server.realm("trap-events");
    realm.settle(json!({"eventsEnabled": true, "eventsExpiration": 1000}));
    realm.settle(json!({"adminEventsEnabled": true}));
    let found = realm.get("/events/config");
    assert_eq!(
        (&found["eventsExpiration"], &found["eventsEnabled"], &found["adminEventsEnabled"]),
        (&json!(1000), &json!(true), &json!(true))
    );
}

fn profile(server: &Server) {
    let realm = server.realm("trap-profile");
    realm.settle(with("userProfile", json!({"unmanagedAttributePolicy": "ADMIN_VIEW"})));
    realm.settle(with("userProfile", json!({"attributes": [{"name": "team"}]})));
    let found = realm.get("/users/profile");
    assert_eq!(found["unmanagedAttributePolicy"], "ADMIN_VIEW");
    for name in ["username", "email", "firstName", "lastName", "team"] {
        by(&found["attributes"], "name", name);
    }
}

fn organization(server: &Server) {
    let realm = server.realm("trap-organization");
    let acme = |fields: serde_json::Value| json!({"organizationsEnabled": true, "organizations": [fields]});
    realm.settle(acme(json!({"name": "Acme", "alias": "acme", "domains": ["acme.test"]})));
    realm.settle(acme(json!({"name": "Acme Inc", "alias": "acme"})));
    let found = realm.get("/organizations?briefRepresentation=false")[0].clone();
    assert_eq!((&found["name"], &found["domains"][0]["name"]), (&json!("Acme Inc"), &json!("acme.test")));
}

fn scope_moves(server: &Server) {
    let realm = server.realm("trap-scope");
    realm.settle(with(
        "clients",
        json!([{"clientId": "app", "defaultClientScopes": ["basic"], "optionalClientScopes": ["phone", "email"]}]),
    ));
    realm.settle(with("clients", json!([{"clientId": "app", "defaultClientScopes": ["basic", "phone"]}])));
    let app = realm.client_named("app");
    assert_eq!(app["optionalClientScopes"], json!(["email"]));
    let mut scopes: Vec<_> = app["defaultClientScopes"].as_array().expect("a list").iter().filter_map(|scope| scope.as_str()).collect();
    scopes.sort();
    assert_eq!(scopes, ["basic", "phone"]);
}

fn texts(server: &Server) {
    let realm = server.realm("trap-texts");
    let texts: serde_json::Map<_, _> = (0..40).map(|number| (format!("key{number}"), json!(format!("text {number}")))).collect();
    realm.settle(json!({"internationalizationEnabled": true, "supportedLocales": ["en"], "localizationTexts": {"en": texts}}));
    assert_eq!(realm.get("/localization/en").as_object().map(serde_json::Map::len), Some(40));
}

fn masks(server: &Server) {
    let realm = server.realm("trap-masks");
    let declared = json!({
        "clients": [{"clientId": "app", "secret": MASK}],
        "identityProviders": [{"alias": "github", "providerId": "github", "config": {"clientId": "c", "clientSecret": MASK}}],
        "smtpServer": {"host": "a", "from": "a@a.test", "password": MASK},
    });
    realm.settle(declared.clone());
    let generated = realm.client_named("app")["secret"].as_str().expect("one was generated").to_owned();
    assert!(generated.len() > 20 && generated != MASK, "{generated}");
    assert_eq!(realm.get("/identity-provider/instances/github")["config"]["clientSecret"], json!(null), "no secret was invented");
    let mut changed = declared;
    changed["clients"][0]["description"] = "x".into();
    realm.settle(changed);
    assert_eq!(realm.client_named("app")["secret"], generated.as_str());
}

/// Equal names under many parents: the pages of the flat search overlap there.
fn many_groups(server: &Server) {
    let realm = server.realm("trap-many");
    let inner: Vec<Json> = (0..40).map(|number| json!({"name": format!("team {number}")})).collect();
    let groups: Vec<Json> = (0..40)
        .map(|number| json!({"name": format!("org {number}"), "subGroups": inner, "attributes": {"n": [number.to_string()]}}))
        .collect();
    let client = server.client();
    let whole = json!({"realm": realm.name, "enabled": true, "groups": groups});
    hostler::keycloak::blocking::run(|| client.post("/admin/realms", &whole)).expect("is made");
    let mut declared = json!({"groups": groups, "hostler": {"ownership": {"groups": "full"}}});
    assert!(realm.try_plan(declared.clone()).expect("plans").is_empty());
    declared["groups"][7]["attributes"]["n"] = json!(["x"]);
    declared["groups"][9]["subGroups"].as_array_mut().expect("a list").pop();
    let text = realm.plan_text(declared);
    assert!(text.contains("0 to add, 1 to change, 1 to delete, 1639 the same"), "{text}");
}

fn many_users(server: &Server) {
    let realm = server.realm("trap-users");
    let user = |number: usize| json!({"username": format!("User{number}"), "email": format!("U{number}@a.test"), "firstName": "U", "lastName": "N", "groups": ["/g"]});
    let mut users: Vec<Json> = (0..25).map(user).collect();
    users.push(json!({"username": "service-account-app", "realmRoles": ["offline_access"]}));
    let mut declared = json!({"groups": [{"name": "g"}], "clients": [{"clientId": "app", "serviceAccountsEnabled": true}], "users": users});
    realm.settle(declared.clone());
    declared["users"][7]["firstName"] = "Other".into();
    let text = realm.plan_text(declared);
    assert!(text.contains("~ user user7") && text.contains("0 to add, 1 to change, 0 to delete"), "{text}");
}
