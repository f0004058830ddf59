//! The realms that are shipped as examples: each is made, quiet, adopted, and made again on an empty server.

use hostler::keycloak::Json;
use serde_json::json;

use super::Claim;
use super::server::{Realm, Server, by};

pub const CLAIMS: &[Claim] = &[
    ("the realm of Arch Linux is made as its document asks, and adopted", arch_linux),
    ("the realms of the other documents are made as they ask, and adopted", others),
];

/// A declaration with every expression filled in, as a play would.
fn declared(text: &str) -> Json {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (expression, after) = after.split_once("}}").expect("an expression ends");
        out.push_str(before);
        let is_secret = expression.contains("secret") || expression.contains("password");
        out.push_str(if is_secret { "filled-in-secret" } else { "filled-in-name" });
        rest = after;
    }
    serde_saphyr::from_str(&(out + rest)).expect("it is YAML")
}

/// Made, quiet, adopted, and made again elsewhere with what nobody can read given.
fn whole<'a>(server: &'a Server, name: &str, declared: &Json) -> Realm<'a> {
    let realm = server.realm(name);
    realm.settle(declared.clone());
    let adopted = realm.export(true);
    assert!(!adopted.to_string().contains("filled-in-secret"), "{adopted}");
    assert!(realm.try_plan(adopted.clone()).expect("plans").is_empty(), "{}", realm.plan_text(adopted));
    let second = server.realm(&format!("{name}-again"));
    let given = adopted.to_string().replace(hostler::keycloak::MASK, "filled-in-secret");
    second.settle(serde_json::from_str(&given).expect("is JSON"));
    let text = |value: Json, name: &str| serde_json::to_string_pretty(&value).expect("is JSON").replace(name, "NAME");
    assert_eq!(text(second.export(true), &second.name), text(adopted, &realm.name));
    realm
}

fn arch_linux(server: &Server) {
    let realm = whole(server, "arch", &declared(include_str!("../../inventory/realms/archlinux.yml")));
    let settings = realm.get("");
    for (field, value) in [
        ("ssoSessionIdleTimeout", json!(3600)),
        ("ssoSessionMaxLifespan", json!(86400)),
        ("ssoSessionIdleTimeoutRememberMe", json!(604_800)),
        ("ssoSessionMaxLifespanRememberMe", json!(2_592_000)),
        ("failureFactor", json!(30)),
        ("passwordPolicy", json!("length(8) and notUsername(undefined)")),
        ("registrationAllowed", json!(false)),
        ("browserFlow", json!("Arch Browser")),
        ("registrationFlow", json!("Arch Registration")),
        ("resetCredentialsFlow", json!("Arch Reset Credentials")),
        ("eventsExpiration", json!(7_889_238)),
        ("adminEventsDetailsEnabled", json!(true)),
    ] {
        assert_eq!(settings[field], value, "{field}");
    }
    // One name, several parents, each group with what its own place says.
    for path in [
        "Arch Linux Staff/Wiki/Admins",
        "Arch Linux Staff/Forum/Admins",
        "Arch Linux Staff/Security Team/Reporters",
        "External Contributors/Security Team/Reporters",
    ] {
        assert_eq!(realm.get(&format!("/group-by-path/{}", path.replace(' ', "%20")))["path"], format!("/{path}"));
    }
    assert_eq!(realm.get("/group-by-path/Arch%20Linux%20Staff/DevOps")["realmRoles"], json!(["DevOps"]));
    let flow = realm.get("/authentication/flows/Arch%20Browser/executions");
    let steps: Vec<(u64, String)> = flow
        .as_array()
        .expect("a list")
        .iter()
        .map(|step| (step["level"].as_u64().unwrap_or(0), step["requirement"].as_str().unwrap_or_default().to_owned()))
        .collect();
    assert_eq!(steps.len(), 9, "{flow}");
    assert_eq!(steps.iter().map(|(level, _)| *level).max(), Some(3));
    assert_eq!(realm.get("/identity-provider/instances/github")["postBrokerLoginFlowAlias"], "Arch Post Broker");
    by(&realm.get("/users/profile")["attributes"], "name", "pgp_fingerprint");
    assert_eq!(by(&realm.get("/authentication/required-actions"), "alias", "TERMS_AND_CONDITIONS")["priority"], 60);
    let saml = realm.client_named("saml_gitlab");
    assert_eq!((&saml["protocol"], &saml["attributes"]["saml.assertion.signature"]), (&json!("saml"), &json!("true")));
}

fn others(server: &Server) {
    let osmo = whole(server, "osmo", &declared(include_str!("../../inventory/realms/osmo.yml")));
    for client in ["osmo-browser-flow", "osmo-device"] {
        let id = osmo.client_named(client)["id"].as_str().expect("has one").to_owned();
        by(&osmo.get(&format!("/clients/{id}/roles")), "name", "osmo-team-a");
        by(&osmo.get(&format!("/clients/{id}/protocol-mappers/models")), "name", "roles");
    }
    let group = osmo.get("/group-by-path/OSMO%20team-a");
    assert_eq!(group["clientRoles"], json!({"osmo-browser-flow": ["osmo-team-a"], "osmo-device": ["osmo-team-a"]}));
    let teams = whole(server, "teams", &declared(include_str!("../../inventory/realms/platform-one.yml")));
    teams.get("/group-by-path/Acme/Products/Radar/developer");
    let mesh = whole(server, "mesh", &declared(include_str!("../../inventory/realms/platform-mesh.yml")));
    let settings = mesh.get("");
    assert_eq!((&settings["accessTokenLifespan"], &settings["ssoSessionIdleTimeout"]), (&json!(28_800), &json!(28_800)));
    assert_eq!((&settings["registrationEmailAsUsername"], &settings["registrationAllowed"]), (&json!(true), &json!(false)));
}
