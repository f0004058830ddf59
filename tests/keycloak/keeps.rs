//! What stays the same while something else changes: ids, what is not declared, what is Keycloak's own; and names that change alone.

use hostler::keycloak::Json;
use serde_json::json;

use super::Claim;
use super::declared::everything;
use super::server::{Realm, Server, by, with};

pub const CLAIMS: &[Claim] = &[
    ("changed objects keep their ids", ids),
    ("a change of a mapper keeps the rest of its configuration", mappers),
    ("a change of a client scope or of a client's attributes keeps the other ones, and null unsets one", attributes),
    ("a user's required actions, groups and password stay when something else of the user changes", user),
    ("an attribute that the user profile does not know is said to be ignored, not taken for written", ignored),
    ("nothing that Keycloak puts into a realm is deleted by owning every section", built_in),
    ("sets of objects that are never deleted from only grow", no_delete),
    ("a list that is owned in full loses what is not declared", exact),
    ("a private key that an export leaves unmasked is a secret", saml_key),
    ("an association of a permission is taken away when it is declared empty", associations),
    ("two applies at once lose nothing and double nothing", at_once),
    ("a group that is renamed and moved keeps its id, its members and what is in it", moved_group),
    ("a group whose new place is taken is not moved", taken),
    ("a flow that is renamed keeps its id and its bindings", moved_flow),
];

fn id(found: &Json) -> String {
    found["id"].as_str().or(found["internalId"].as_str()).unwrap_or_else(|| panic!("{found} has no id")).to_owned()
}

fn group(realm: &Realm, path: &str) -> Json {
    realm.get(&format!("/group-by-path/{path}"))
}

/// What a realm's objects are known by to those who are bound to them.
fn ids(server: &Server) {
    let realm = server.realm("keeps-ids");
    realm.settle(everything());
    let all = || {
        let flows = realm.get("/authentication/flows");
        let components = realm.get("/components?type=org.keycloak.keys.KeyProvider");
        [
            realm.client_named("app"),
            group(&realm, "Staff"),
            realm.get("/roles/lead"),
            realm.user_named("ann"),
            realm.get("/identity-provider/instances/github"),
            by(&realm.get("/client-scopes"), "name", "groups").clone(),
            by(&flows, "alias", "staff browser").clone(),
            by(&components, "name", "ec").clone(),
            by(&realm.get("/organizations"), "alias", "acme").clone(),
        ]
        .map(|found| id(&found))
    };
    let before = all();
    let mut declared = everything();
    declared["clients"][0]["name"] = "Other".into();
    declared["groups"][0]["attributes"]["org"] = json!(["x"]);
    declared["roles"]["realm"][1]["description"] = "changed".into();
    declared["users"][0]["firstName"] = "Anna".into();
    declared["identityProviders"][0]["displayName"] = "Other".into();
    declared["clientScopes"][0]["description"] = "changed".into();
    declared["authenticationFlows"][0]["description"] = "changed".into();
    declared["components"]["org.keycloak.keys.KeyProvider"][0]["config"]["priority"] = json!(["70"]);
    declared["organizations"][0]["attributes"]["tier"] = "silver".into();
    let text = realm.plan_text(declared.clone());
    assert!(text.contains("0 to add, 9 to change, 0 to delete"), "{text}");
    realm.settle(declared);
    assert_eq!(all(), before);
}

fn mappers(server: &Server) {
    let realm = server.realm("keeps-mappers");
    let config = json!({"claim.name": "team", "user.attribute": "team", "access.token.claim": "true", "jsonType.label": "String"});
    let mapper = |config: Json| json!([{"name": "team", "protocol": "openid-connect", "protocolMapper": "oidc-usermodel-attribute-mapper", "config": config}]);
    let provider = |config: Json| json!([{"name": "m", "identityProviderAlias": "github", "identityProviderMapper": "hardcoded-attribute-idp-mapper", "config": config}]);
    let declared = |client: Json, to: Json| {
        json!({"clients": [{"clientId": "app", "protocolMappers": mapper(client.clone())}], "clientScopes": [{"name": "s", "protocol": "openid-connect", "protocolMappers": mapper(client)}],
            "identityProviders": [{"alias": "github", "providerId": "github", "config": {"clientId": "c"}}], "identityProviderMappers": provider(to)})
    };
    realm.settle(declared(config.clone(), json!({"attribute": "a", "attribute.value": "1", "syncMode": "INHERIT"})));
    realm.settle(declared(json!({"claim.name": "crew"}), json!({"attribute.value": "2"})));
    let mut expected = config.as_object().expect("a mapping").clone();
    expected.insert("claim.name".into(), "crew".into());
    let scope = id(by(&realm.get("/client-scopes"), "name", "s"));
    for found in
        [realm.client_named("app")["protocolMappers"].clone(), realm.get(&format!("/client-scopes/{scope}/protocol-mappers/models"))]
    {
        let found = &by(&found, "name", "team")["config"];
        assert!(expected.iter().all(|(key, value)| found[key] == *value), "{found}");
    }
    let found = realm.get("/identity-provider/instances/github/mappers")[0]["config"].clone();
    assert_eq!(found, json!({"attribute": "a", "attribute.value": "2", "syncMode": "INHERIT"}));
}

fn attributes(server: &Server) {
    let realm = server.realm("keeps-attributes");
    let declared = |attributes: Json| json!({"clients": [{"clientId": "app", "attributes": attributes}], "clientScopes": [{"name": "s", "protocol": "openid-connect", "description": "kept", "attributes": attributes}]});
    let scope = || by(&realm.get("/client-scopes"), "name", "s").clone();
    realm.settle(declared(json!({"a": "1", "b": "2"})));
    realm.settle(declared(json!({"a": "3"})));
    for found in [realm.client_named("app"), scope()] {
        assert_eq!((&found["attributes"]["a"], &found["attributes"]["b"]), (&json!("3"), &json!("2")));
    }
    assert_eq!(scope()["description"], "kept");
    realm.settle(declared(json!({"a": null})));
    for found in [realm.client_named("app"), scope()] {
        assert_eq!((found["attributes"].get("a"), &found["attributes"]["b"]), (None, &json!("2")));
    }
}

fn user(server: &Server) {
    let realm = server.realm("keeps-user");
    let ann = |first: &str| json!({"username": "ann", "enabled": true, "email": "ann@a.test", "firstName": first, "lastName": "Onym"});
    let mut declared = json!({"groups": [{"name": "g"}], "users": [ann("Ann")]});
    declared["users"][0]["groups"] = json!(["/g"]);
    declared["users"][0]["requiredActions"] = json!(["CONFIGURE_TOTP"]);
    declared["users"][0]["credentials"] = json!([{"type": "password", "value": "a-password"}]);
    realm.settle(declared);
    let credential = |user: &str| realm.get(&format!("/users/{user}/credentials"))[0]["createdDate"].clone();
    let user = id(&realm.user_named("ann"));
    let before = credential(&user);
    realm.settle(with("users", json!([ann("Anna")])));
    let found = realm.user_named("ann");
    assert_eq!((&found["firstName"], &found["requiredActions"]), (&json!("Anna"), &json!(["CONFIGURE_TOTP"])));
    by(&realm.get(&format!("/users/{user}/groups")), "path", "/g");
    assert_eq!(credential(&user), before);
}

fn ignored(server: &Server) {
    let realm = server.realm("keeps-ignored");
    let refusal = realm.try_apply(with("users", json!([{"username": "ann", "attributes": {"shoe": "42"}}]))).map(|_| ());
    let text = refusal.expect_err("Keycloak drops it in silence").to_string();
    assert!(text.contains("user ann (attributes.shoe)"), "{text}");
}

fn built_in(server: &Server) {
    let realm = server.realm("keeps-built-in");
    realm.settle(json!({}));
    let sections = [
        "authenticationFlows",
        "authorizationSettings",
        "clientPolicies",
        "clientProfiles",
        "clientScopes",
        "clients",
        "components",
        "defaultGroups",
        "groups",
        "identityProviderMappers",
        "identityProviders",
        "localizationTexts",
        "realmScopes",
        "requiredActions",
        "roles",
        "scopeMappings",
        "userProfile",
        "workflows",
    ];
    let ownership: Json = sections.iter().map(|section| ((*section).to_owned(), "full".into())).collect::<serde_json::Map<_, _>>().into();
    let text = realm.plan_text(json!({"hostler": {"ownership": ownership}}));
    assert!(text.contains("0 to add, 0 to change, 0 to delete"), "{text}");
}

fn no_delete(server: &Server) {
    let realm = server.realm("keeps-grow");
    let declared = |roles: Json, uris: Json| {
        json!({"roles": {"realm": [{"name": "a"}, {"name": "b"}]}, "groups": [{"name": "g", "realmRoles": roles}],
            "clients": [{"clientId": "app", "redirectUris": uris}], "hostler": {"ownership": {"default": "no-delete"}}})
    };
    realm.settle(declared(json!(["a"]), json!(["https://a.test/*"])));
    realm.settle(declared(json!(["b"]), json!(["https://b.test/*"])));
    assert_eq!(group(&realm, "g")["realmRoles"].as_array().map(Vec::len), Some(2));
    assert_eq!(realm.client_named("app")["redirectUris"].as_array().map(Vec::len), Some(2));
}

fn exact(server: &Server) {
    let realm = server.realm("keeps-exact");
    let mut names: Vec<Json> = ["username", "email", "firstName", "lastName"].iter().map(|name| json!({"name": name})).collect();
    realm.settle(with("userProfile", json!({"attributes": [{"name": "team"}, {"name": "shoe"}]})));
    names.push(json!({"name": "team"}));
    let owned = json!({"userProfile": {"attributes": names}, "hostler": {"ownership": {"userProfile": "full"}}});
    let text = realm.plan_text(owned.clone());
    assert!(text.contains("attributes[shoe]") && text.contains("→ (none)"), "{text}");
    realm.settle(owned);
    let found = realm.get("/users/profile");
    let left: Vec<&Json> = found["attributes"].as_array().expect("a list").iter().map(|attribute| &attribute["name"]).collect();
    assert_eq!(left, ["username", "email", "firstName", "lastName", "team"]);
}

fn saml_key(server: &Server) {
    let realm = server.realm("keeps-key");
    realm.settle(with("clients", json!([{"clientId": "saml", "protocol": "saml"}])));
    let key = realm.client_named("saml")["attributes"]["saml.signing.private.key"].as_str().expect("Keycloak makes one").to_owned();
    assert!(!realm.export(true).to_string().contains(&key));
    let declared = with("clients", json!([{"clientId": "saml", "attributes": {"saml.signing.private.key": "another key"}}]));
    let text = realm.plan_text(declared);
    assert!(text.contains("(secret, changes)") && !text.contains("another key") && !text.contains(&key), "{text}");
}

fn associations(server: &Server) {
    let realm = server.realm("keeps-permission");
    realm.settle(super::kinds::authz());
    let mut declared = super::kinds::authz();
    declared["clients"][0]["authorizationSettings"]["policies"][8]["config"]["resources"] = json!([]);
    declared["clients"][0]["authorizationSettings"]["policies"][8]["description"] = "For all resources".into();
    realm.settle(declared);
    let client = id(&realm.client_named("api"));
    let settings = realm.get(&format!("/clients/{client}/authz/resource-server/settings"));
    let config = &by(&settings["policies"], "name", "see")["config"];
    assert!(config["resources"].as_str().is_none_or(|text| text == "[]"), "{config}");
    assert_eq!(config["scopes"], "[\"view\"]", "what is not declared empty stays");
}

fn at_once(server: &Server) {
    let realm = server.realm("keeps-at-once");
    let mut declared = everything();
    declared["groups"] = (0..40).map(|number| json!({"name": format!("g{number}"), "realmRoles": ["reporter"]})).collect();
    for unused in ["defaultGroups", "identityProviderMappers", "users"] {
        declared.as_object_mut().expect("a mapping").remove(unused);
    }
    realm.settle(json!({}));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| realm.try_apply(declared.clone()).map(|_| ()));
        let one = realm.try_apply(declared.clone()).map(|_| ());
        // One may find that the other works on the same flow, and say so.
        for error in [one, other.join().expect("it ends")].into_iter().filter_map(Result::err) {
            assert!(error.to_string().contains("flow staff browser"), "{error}");
        }
    });
    realm.settle(declared);
    assert_eq!(realm.get("/groups/count")["count"], 40);
    let flow = realm.get("/authentication/flows/staff%20browser/executions");
    assert_eq!(flow.as_array().map(Vec::len), Some(7), "{flow}");
    let keys = realm.get("/components?type=org.keycloak.keys.KeyProvider");
    assert_eq!(
        keys.as_array().expect("a list").iter().filter(|key| key["name"] == "ec").count(),
        1,
        "component names are not unique to Keycloak"
    );
}

fn moved_group(server: &Server) {
    let realm = server.realm("keeps-moved");
    realm.settle(json!({
        "roles": {"realm": [{"name": "a"}]},
        "groups": [{"name": "Old", "attributes": {"x": "1"}, "realmRoles": ["a"], "subGroups": [{"name": "In"}]}],
        "defaultGroups": ["/Old"],
        "users": [{"username": "ann", "groups": ["/Old/In"]}]}));
    let (old, inner) = (id(&group(&realm, "Old")), id(&group(&realm, "Old/In")));
    let declared = json!({
        "groups": [{"name": "Org", "subGroups": [{"name": "New", "attributes": {"x": "2"}, "realmRoles": ["a"], "subGroups": [{"name": "In"}]}]}],
        "defaultGroups": ["/Org/New"],
        "users": [{"username": "ann", "groups": ["/Org/New/In", "/Org/New"]}],
        "hostler": {"moved": {"groups": {"/Old": "/Org/New"}}, "ownership": {"groups": "full"}}});
    let text = realm.plan_text(declared.clone());
    assert!(text.contains("→ group /Org/New") && text.contains("/Old → /Org/New"), "{text}");
    assert!(text.contains("1 to add, 1 to change, 0 to delete"), "{text}");
    realm.settle(declared);
    assert_eq!((id(&group(&realm, "Org/New")), id(&group(&realm, "Org/New/In"))), (old, inner));
    let found = group(&realm, "Org/New");
    assert_eq!((&found["attributes"]["x"], &found["realmRoles"]), (&json!(["2"]), &json!(["a"])));
    assert_eq!(realm.get("/groups/count")["count"], 3);
    by(&realm.get(&format!("/users/{}/groups", id(&realm.user_named("ann")))), "path", "/Org/New/In");
}

fn taken(server: &Server) {
    let realm = server.realm("keeps-taken");
    realm.settle(json!({"groups": [{"name": "Old"}, {"name": "New"}]}));
    let declared = json!({"groups": [{"name": "New"}], "hostler": {"moved": {"groups": {"/Old": "/New"}}}});
    let refusal = realm.try_apply(declared).map(|_| ()).expect_err("both are there").to_string();
    assert!(refusal.contains("group /Old cannot become group /New"), "{refusal}");
}

fn moved_flow(server: &Server) {
    let realm = server.realm("keeps-flow");
    let declared = |alias: &str, step: &str| {
        json!({"authenticationFlows": [{"alias": alias, "topLevel": true, "authenticationExecutions": [{"authenticator": "auth-username-password-form", "requirement": step}]}],
            "browserFlow": alias, "clients": [{"clientId": "app", "authenticationFlowBindingOverrides": {"browser": alias}}]})
    };
    realm.settle(declared("ours", "REQUIRED"));
    let before = id(by(&realm.get("/authentication/flows"), "alias", "ours"));
    let mut renamed = declared("staff", "ALTERNATIVE");
    renamed["hostler"] = json!({"moved": {"authenticationFlows": {"ours": "staff"}}, "ownership": {"authenticationFlows": "full"}});
    let text = realm.plan_text(renamed.clone());
    assert!(text.contains("→ flow staff") && text.contains("0 to add, 1 to change, 0 to delete"), "{text}");
    realm.settle(renamed);
    assert_eq!(id(by(&realm.get("/authentication/flows"), "alias", "staff")), before);
    assert_eq!(realm.get("")["browserFlow"], "staff");
    assert_eq!(realm.client_named("app")["authenticationFlowBindingOverrides"]["browser"], before.as_str());
}
