//! Kinds with endpoints of their own: authorization services, organizations, workflows, permissions of administrators, keys.

use hostler::keycloak::Json;
use hostler::keycloak::inspect::access::UserAccess;
use hostler::keycloak::inspect::token::Verified;
use hostler::keycloak::maintenance::Rotation;
use hostler::keycloak::operation::Operation;
use serde_json::json;

use super::Claim;
use super::declared::everything;
use super::server::{Realm, Server, by};

pub const CLAIMS: &[Claim] = &[
    ("authorization services of every type of policy are made, changed and deleted, and quiet in between", authorization),
    ("a change of a client leaves its authorization services alone", bystander),
    ("names in policies that nobody has are found before anything is written", policy_references),
    ("organizations have members and groups", organizations),
    ("workflows are made, changed and deleted", workflows),
    ("permissions of administrators name what they are about", admin_permissions),
    ("keys rotate without a moment without one", keys),
    ("who has what is explained, and what a token lacks", access),
    ("endpoints and groups are listed", lists),
];

pub fn authz() -> Json {
    let text = |value: Json| Json::String(value.to_string());
    json!({
        "roles": {"realm": [{"name": "lead"}], "client": {"api": [{"name": "user"}]}},
        "groups": [{"name": "Staff"}],
        "users": [{"username": "ann"}],
        "clients": [{
            "clientId": "api", "serviceAccountsEnabled": true, "authorizationServicesEnabled": true,
            "authorizationSettings": {
                "policyEnforcementMode": "PERMISSIVE", "decisionStrategy": "AFFIRMATIVE", "allowRemoteResourceManagement": false,
                "scopes": [{"name": "view", "displayName": "View"}, {"name": "edit"}],
                "resources": [
                    {"name": "doc", "type": "urn:doc", "uris": ["/doc/*"], "scopes": ["view", "edit"], "attributes": {"a": "1"}},
                    {"name": "other", "scopes": [{"name": "view"}]},
                ],
                "policies": [
                    {"name": "leads", "type": "role", "logic": "POSITIVE", "config": {"roles": [{"id": "lead", "required": true}, {"id": "api/user", "required": false}]}},
                    {"name": "people", "type": "user", "config": {"users": text(json!(["ann"]))}},
                    {"name": "staff", "type": "group", "config": {"groupsClaim": "groups", "groups": text(json!([{"path": "/Staff", "extendChildren": true}]))}},
                    {"name": "apps", "type": "client", "config": {"clients": ["api"]}},
                    {"name": "scoped", "type": "client-scope", "config": {"clientScopes": [{"id": "email", "required": false}]}},
                    {"name": "hours", "type": "time", "config": {"hour": 8, "hourEnd": 18}},
                    {"name": "mail", "type": "regex", "config": {"targetClaim": "email", "pattern": ".*@a[.]test", "targetContextAttributes": false}},
                    {"name": "both", "type": "aggregate", "config": {"applyPolicies": ["leads", "people"]}},
                    {"name": "see", "type": "scope", "decisionStrategy": "AFFIRMATIVE", "config": {"resources": ["doc"], "scopes": ["view"], "applyPolicies": ["leads", "hours"]}},
                    {"name": "all docs", "type": "resource", "config": {"resources": ["doc", "other"], "applyPolicies": ["both"]}},
                    {"name": "typed", "type": "resource", "config": {"defaultResourceType": "urn:doc", "applyPolicies": ["mail"]}},
                ],
            },
        }],
    })
}

fn settings(realm: &Realm) -> Json {
    let id = realm.client_named("api")["id"].as_str().expect("has one").to_owned();
    realm.get(&format!("/clients/{id}/authz/resource-server/settings"))
}

fn authorization(server: &Server) {
    let realm = server.realm("authz");
    realm.settle(authz());
    let mut declared = authz();
    let services = &mut declared["clients"][0]["authorizationSettings"];
    services["decisionStrategy"] = "UNANIMOUS".into();
    services["scopes"][0]["displayName"] = "See".into();
    services["resources"][0]["scopes"] = json!(["view"]);
    services["resources"][0]["uris"] = json!(["/d/*"]);
    services["policies"][0]["config"]["roles"] = json!([{"id": "lead", "required": false}]);
    services["policies"][8]["config"] = json!({"resources": ["doc"], "scopes": ["view"], "applyPolicies": ["people"]});
    services["policies"][9]["description"] = "All of them".into();
    let text = realm.plan_text(declared.clone());
    assert!(text.contains("0 to add, 6 to change, 0 to delete"), "{text}");
    realm.settle(declared.clone());
    let found = settings(&realm);
    assert_eq!((&found["policyEnforcementMode"], &found["allowRemoteResourceManagement"]), (&json!("PERMISSIVE"), &json!(false)));
    assert_eq!(by(&found["policies"], "name", "see")["config"]["applyPolicies"], "[\"people\"]");
    assert_eq!(by(&found["resources"], "name", "doc")["scopes"], json!([{"name": "view"}]), "a scope is taken away too");
    // Owned in full: what is not declared goes, permissions before what they hang on.
    let services = &mut declared["clients"][0]["authorizationSettings"];
    services["policies"].as_array_mut().expect("a list").truncate(7);
    services["resources"].as_array_mut().expect("a list").truncate(1);
    declared["hostler"] = json!({"ownership": {"authorizationSettings": "full"}});
    realm.settle(declared);
    assert_eq!(settings(&realm)["policies"].as_array().map(Vec::len), Some(7));
    // And an adopted realm has nothing to do.
    let adopted = realm.export(true);
    assert!(realm.try_plan(adopted.clone()).expect("plans").is_empty(), "{}", realm.plan_text(adopted));
}

fn bystander(server: &Server) {
    let realm = server.realm("authz-bystander");
    realm.settle(authz());
    realm.settle(json!({"clients": [{"clientId": "api", "description": "changed"}], "hostler": {"ownership": {"clients": "full", "authorizationSettings": "full"}}}));
    assert_eq!(settings(&realm)["policies"].as_array().map(Vec::len), Some(11));
}

fn policy_references(server: &Server) {
    let realm = server.realm("authz-references");
    let mut declared = authz();
    let services = &mut declared["clients"][0]["authorizationSettings"];
    services["policies"][8]["config"] = json!({"resources": ["dok"], "scopes": ["vew"], "applyPolicies": ["nobody"]});
    services["policies"][0]["config"]["roles"] = json!([{"id": "led"}]);
    services["resources"][1]["scopes"] = json!(["delete"]);
    let refusal = realm.try_plan(declared).map(|_| ()).expect_err("it is wrong").to_string();
    for part in ["api/dok", "did you mean `doc`?", "api/vew", "api/nobody", "role led", "api/delete"] {
        assert!(refusal.contains(part), "no `{part}` in {refusal}");
    }
}

fn organizations(server: &Server) {
    let realm = server.realm("organizations");
    let declared = |members: Json, groups: Json| {
        json!({
            "organizationsEnabled": true,
            "users": [{"username": "ann", "email": "ann@acme.test", "firstName": "A", "lastName": "B"}, {"username": "bob", "email": "bob@acme.test", "firstName": "B", "lastName": "C"}],
            "organizations": [{"name": "Acme", "alias": "acme", "domains": ["acme.test"], "members": members, "groups": groups}],
        })
    };
    let groups =
        json!([{"name": "Team", "attributes": {"size": "2"}, "members": ["ann"], "subGroups": [{"name": "Leads", "members": ["bob"]}]}]);
    realm.settle(declared(json!(["ann", "bob"]), groups));
    realm.settle(declared(json!(["ann"]), json!([{"name": "Team", "attributes": {"size": "3"}, "members": []}])));
    let id = by(&realm.get("/organizations"), "alias", "acme")["id"].as_str().expect("has one").to_owned();
    assert_eq!(realm.get(&format!("/organizations/{id}/members")).as_array().map(Vec::len), Some(1));
    let mut full = declared(json!(["ann"]), json!([]));
    full["organizations"].as_array_mut().expect("a list").clear();
    full["hostler"] = json!({"absent": {"organizations": ["acme"]}});
    realm.settle(full);
    assert_eq!(realm.get("/organizations"), json!([]));
}

fn workflows(server: &Server) {
    let realm = server.realm("workflows");
    let declared = |after: &str| json!({"workflows": [{"name": "idle", "on": "user_authenticated", "steps": [{"uses": "disable-user", "after": after}]}]});
    realm.settle(declared("30d"));
    realm.settle(declared("60d"));
    assert_eq!(realm.get("/workflows")[0]["steps"][0]["after"], "60d");
    realm.settle(json!({"hostler": {"absent": {"workflows": ["idle"]}}}));
    assert_eq!(realm.get("/workflows"), json!([]));
}

fn admin_permissions(server: &Server) {
    let realm = server.realm("admin-permissions");
    let declared = |scopes: Json| {
        json!({
            "adminPermissionsEnabled": true,
            "groups": [{"name": "Staff", "subGroups": [{"name": "Help"}]}],
            "users": [{"username": "ann"}],
            "clients": [{"clientId": "admin-permissions", "authorizationSettings": {"policies": [
                {"name": "help desk", "type": "group", "config": {"groups": [{"path": "/Staff/Help", "extendChildren": false}]}},
                {"name": "sees staff", "type": "scope", "config": {"defaultResourceType": "Groups", "resources": ["/Staff"], "scopes": scopes, "applyPolicies": ["help desk"]}},
                {"name": "sees ann", "type": "scope", "config": {"defaultResourceType": "Users", "resources": ["ann"], "scopes": ["view"], "applyPolicies": ["help desk"]}},
                {"name": "sees clients", "type": "scope", "config": {"defaultResourceType": "Clients", "resources": ["Clients"], "scopes": ["view"], "applyPolicies": ["help desk"]}},
            ]}}],
        })
    };
    // The client comes with the switch: the second round finds it.
    realm.settle(json!({"adminPermissionsEnabled": true}));
    realm.settle(declared(json!(["view"])));
    realm.settle(declared(json!(["view", "view-members"])));
    let adopted = realm.export(true);
    assert!(adopted.to_string().contains("\\\"/Staff\\\""), "{adopted}");
    assert!(realm.try_plan(adopted.clone()).expect("plans").is_empty(), "{}", realm.plan_text(adopted));
}

fn keys(server: &Server) {
    let realm = server.realm("keys");
    realm.settle(json!({}));
    let signing = || {
        let keys = realm.get("/keys");
        (keys["active"]["RS256"].as_str().expect("one signs").to_owned(), keys["keys"].as_array().map(Vec::len).unwrap_or(0))
    };
    let (first, count) = signing();
    let rotate = |prune: bool| -> Rotation { realm.ask(Operation::RotateKeys { realm: realm.name.clone(), prune }) };
    let done = rotate(false);
    assert!(done.made.iter().any(|name| name == "rsa-generated rotated 1"), "{done:?}");
    let (second, both) = signing();
    assert_ne!(first, second);
    assert_eq!(both, 2 * count, "the old keys still check");
    let pruned = rotate(true);
    assert!(pruned.deleted.iter().any(|name| name == "rsa-generated"), "{pruned:?}");
    assert_eq!(signing(), (second, count));
    assert_eq!(rotate(true), Rotation::default());
}

fn access(server: &Server) {
    let realm = server.realm("access");
    let mut declared = everything();
    declared["verifyEmail"] = true.into();
    realm.settle(declared);
    let found: Vec<UserAccess> = realm.ask(Operation::Access { realm: realm.name.clone(), user: None });
    let ann = found.iter().find(|user| user.username == "ann").expect("is there");
    let why = |role: &str| ann.roles.iter().find(|held| held.role == role).map(|held| held.because.join("; "));
    assert_eq!(why("app/admin").as_deref(), Some("/Staff/Security Team/Admins"));
    assert!(why("reporter").is_some_and(|why| why.contains("/Staff") && why.contains("assigned › lead")), "{ann:?}");
    let verified: Verified = realm.ask(Operation::Verify {
        realm: realm.name.clone(),
        user: "ann".into(),
        clients: vec!["app".into(), "kubectl".into()],
        claims: Vec::new(),
    });
    assert!(verified.obstacles.iter().any(|why| why.contains("required actions wait")), "{verified:?}");
    assert!(verified.clients[0].claims["groups"].to_string().contains("/Staff/Security Team/Admins"), "{verified:?}");
    assert!(verified.clients[0].roles.contains(&"admin".to_owned()));
    assert!(verified.clients[1].missing.iter().any(|why| why.contains("no role of `kubectl`")), "{verified:?}");
}

fn lists(server: &Server) {
    let realm = server.realm("lists");
    realm.settle(json!({"groups": [{"name": "a", "subGroups": [{"name": "b"}]}], "clients": [{"clientId": "app"}]}));
    let groups: Json = realm.ask(Operation::Groups { realm: realm.name.clone() });
    assert_eq!(by(&groups, "path", "/a/b")["id"].as_str().map(str::len), Some(36));
    let endpoints: Json = realm.ask(Operation::Endpoints { realm: realm.name.clone(), clients: Vec::new() });
    assert_eq!(endpoints["audiences"], json!(["app"]));
    assert!(endpoints["deviceEndpoint"].as_str().is_some_and(|url| url.ends_with("/protocol/openid-connect/auth/device")), "{endpoints}");
}
