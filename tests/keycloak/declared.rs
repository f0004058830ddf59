//! Made as declared; the second run writes nothing; a changed line changes that and nothing else.

use hostler::keycloak::plan::Operation;
use hostler::keycloak::{Json, apply, export as shape};
use serde_json::json;

use super::Claim;
use super::server::{Server, by};

pub const CLAIMS: &[Claim] = &[
    ("a realm of every kind is made, and the second run is quiet", every_kind),
    ("changed fields are changed and shown, secrets are not shown", changes),
    ("undeclared objects stay unless their kind is owned in full", ownership),
    ("a fault in a reference is found before anything is written", references),
    ("an export of a realm is a declaration of it", export),
];

pub fn everything() -> Json {
    serde_saphyr::from_str(include_str!("everything.yml")).expect("the fixture is YAML")
}

fn every_kind(server: &Server) {
    let realm = server.realm("every");
    realm.settle(everything());
    assert_eq!(realm.get("")["attributes"]["custom"], "7");
    let app = realm.client_named("app");
    assert_eq!(app["secret"], "app-secret-1");
    let ann = realm.user_named("ann");
    let id = ann["id"].as_str().expect("has one");
    let groups = realm.get(&format!("/users/{id}/groups"));
    by(&groups, "path", "/Staff/Security Team/Admins");
    by(&groups, "path", "/External");
    assert_eq!(realm.get(&format!("/users/{id}/credentials"))[0]["type"], "password");
    by(&realm.get(&format!("/users/{id}/role-mappings/realm")), "name", "lead");
}

fn changes(server: &Server) {
    let realm = server.realm("changes");
    realm.settle(everything());
    let mut declared = everything();
    declared["failureFactor"] = 5.into();
    declared["smtpServer"]["password"] = "smtp-other".into();
    declared["clients"][0]["secret"] = "app-secret-2".into();
    declared["clients"][0]["redirectUris"] = json!(["https://app.test/*"]);
    declared["clients"][0]["optionalClientScopes"] = json!(["phone", "address"]);
    declared["clients"][0]["defaultClientScopes"] = json!(["basic", "profile", "roles", "groups"]);
    declared["groups"][0]["attributes"]["org"] = json!(["b", "c"]);
    declared["groups"][0]["realmRoles"] = json!([]);
    declared["roles"]["realm"][1]["composites"]["client"]["app"] = json!(["admin"]);
    declared["identityProviders"][0]["config"]["clientSecret"] = "gh-other".into();
    declared["users"][0]["groups"] = json!(["/Staff"]);
    declared["users"][1]["credentials"][0]["value"] = "checker-other".into();
    declared["localizationTexts"]["en"]["bye"] = Json::Null;
    declared["components"]["org.keycloak.keys.KeyProvider"][0]["config"]["priority"] = json!(["60"]);
    let text = realm.plan_text(declared.clone());
    for line in ["failureFactor         30 → 5", "secret", "(secret, changes)", "- https://app.test/cb", "org", "password"] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    for secret in ["smtp-", "app-secret", "gh-other", "gh-secret", "checker-"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    assert!(text.contains("0 to add,"), "{text}");
    realm.settle(declared);
    assert_eq!(realm.client_named("app")["secret"], "app-secret-2");
    assert_eq!(realm.get("/localization/en"), json!({"greeting": "Hello"}));
    assert_eq!(realm.get("/groups?search=Staff&briefRepresentation=false&populateHierarchy=false")[0]["realmRoles"], json!([]));
}

fn ownership(server: &Server) {
    let realm = server.realm("owned");
    let base = json!({"groups": [{"name": "a", "subGroups": [{"name": "b"}]}, {"name": "c"}], "clients": [{"clientId": "one"}, {"clientId": "two"}]});
    realm.settle(base);
    let less = json!({"groups": [{"name": "c"}], "clients": [{"clientId": "one"}]});
    assert!(realm.try_plan(less.clone()).expect("plans").is_empty(), "nothing is deleted by default");

    let mut owned = less;
    owned["hostler"] = json!({"ownership": {"groups": "full", "clients": "full"}});
    let plan = realm.try_plan(owned.clone()).expect("plans");
    let doomed: Vec<String> = plan.actions.iter().map(|action| action.name.to_string()).collect();
    assert_eq!(doomed, ["group /a", "client two"], "built-in clients stay");
    assert_eq!(plan.count(Operation::Delete), 2);
    realm.settle(owned.clone());

    owned["hostler"]["deletes"] = 0.into();
    owned["clients"] = json!([]);
    let refusal = realm.try_plan(owned).map(|_| ()).expect_err("it is too much");
    assert!(refusal.to_string().contains("would delete 1 objects"), "{refusal}");
}

fn references(server: &Server) {
    let realm = server.realm("references");
    realm.settle(json!({"roles": {"realm": [{"name": "reporter"}]}}));
    let declared = json!({
        "groups": [{"name": "a", "realmRoles": ["reportr"]}],
        "users": [{"username": "u", "groups": ["/b"]}],
        "clients": [{"clientId": "c", "defaultClientScopes": ["emial"], "protocolMappers": [{"name": "m", "protocolMapper": "oidc-group-membership-mapper"}]}],
    });
    let refusal = realm.try_apply(declared).map(|_| ()).expect_err("it is wrong").to_string();
    for part in [
        "role reportr, which neither the declaration nor the realm has, did you mean `reporter`?",
        "needs group /b",
        "`email`",
        "needs `claim.name`",
    ] {
        assert!(refusal.contains(part), "no `{part}` in {refusal}");
    }
    assert_eq!(realm.get("/groups"), json!([]));
}

fn export(server: &Server) {
    let realm = server.realm("export");
    realm.settle(everything());
    let client = server.client();
    let export = hostler::keycloak::blocking::run(|| apply::export(&client, &realm.name)).expect("exports");
    for declared in [Json::Object(export.clone()), Json::Object(shape::declaration(&export))] {
        let text = realm.plan_text(declared);
        assert!(text.contains("0 to add, 0 to change, 0 to delete"), "{text}");
    }
}
