//! Made as declared; the second run writes nothing; a changed line changes that and nothing else.

use hostler::keycloak::Json;
use hostler::keycloak::operation::{Operation, Planned, perform};
use hostler::keycloak::plan;
use serde_json::json;

use super::Claim;
use super::server::{Server, by};

pub const CLAIMS: &[Claim] = &[
    ("a realm of every kind is made, and the second run is quiet", every_kind),
    ("changed fields are changed and shown, secrets are not shown", changes),
    ("undeclared objects stay unless their kind is owned in full", ownership),
    ("a fault in a reference is found before anything is written", references),
    ("an export of a realm is a declaration of it", export),
    ("an adopted realm has nothing to do, and is made again on an empty server", adopt),
    ("a saved plan is refused when the realm moved", seals),
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
    assert_eq!(plan.count(plan::Operation::Delete), 2);
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
    let raw = realm.post_for("/partial-export?exportClients=true&exportGroupsAndRoles=true");
    for declared in [raw, realm.export(false)] {
        let text = realm.plan_text(declared);
        assert!(text.contains("0 to add, 0 to change, 0 to delete"), "{text}");
    }
}

/// Only what was chosen is exported; with ownership marks a plan has nothing to do, and what somebody adds is seen.
fn adopt(server: &Server) {
    let empty = server.realm("empty");
    empty.settle(json!({}));
    assert_eq!(empty.export(false), json!({"realm": empty.name}), "a new realm is nothing but its name");
    let realm = server.realm("adopt");
    realm.settle(everything());
    let adopted = realm.export(true);
    assert!(adopted.to_string().len() < 2 * everything().to_string().len(), "it is minimal: {adopted}");
    for secret in ["app-secret", "smtp-secret", "gh-secret"] {
        assert!(!adopted.to_string().contains(secret), "{secret} is in the export");
    }
    assert!(realm.try_plan(adopted.clone()).expect("plans").is_empty(), "{}", realm.plan_text(adopted));
    realm.post("/clients", json!({"clientId": "by hand"}));
    let text = realm.plan_text(adopted.clone());
    assert!(text.contains("- client by hand"), "{text}");
    // On an empty server it makes the realm again.
    let second = server.realm("adopt-again");
    let mut given = adopted.clone();
    // What nobody can read has to be given.
    given["smtpServer"]["password"] = "smtp-secret".into();
    given["identityProviders"][0]["config"]["clientSecret"] = "gh-secret".into();
    second.settle(given);
    let mut again = second.export(true);
    again["realm"] = adopted["realm"].clone();
    let text = |value: &Json| serde_json::to_string_pretty(value).expect("is JSON").replace(&second.name, &realm.name);
    assert_eq!(text(&again), text(&adopted));
}

/// A saved plan is carried out once, and refused when the realm moved.
fn seals(server: &Server) {
    let realm = server.realm("seals");
    realm.settle(json!({"groups": [{"name": "a"}]}));
    let declaration = json!({"realm": realm.name, "groups": [{"name": "a", "description": "x"}, {"name": "b"}]});
    let client = server.client();
    let ask = |operation: Operation| hostler::keycloak::blocking::run(|| perform(&client, &operation, None));
    let planned = ask(Operation::Plan { declaration: declaration.clone() }).expect("plans");
    let planned: Planned = serde_json::from_value(planned).expect("is a plan");
    let apply = || ask(Operation::Apply { declaration: declaration.clone(), seal: Some(planned.seal.clone()), made: Default::default() });
    realm.post("/groups", json!({"name": "c"}));
    let refusal = apply().expect_err("it moved").to_string();
    assert!(refusal.contains("was changed by somebody else"), "{refusal}");
    let id = by(&realm.get("/groups"), "name", "c")["id"].as_str().expect("has one").to_owned();
    realm.delete_at(&format!("/groups/{id}"));
    apply().expect("it is as it was");
    assert!(apply().expect_err("it was carried out").to_string().contains("was changed"));
}
