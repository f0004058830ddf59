//! Flows: edited where they are, replaced without a moment in which nobody can log in, mended after a cut.

use hostler::keycloak::Json;
use serde_json::json;

use super::Claim;
use super::server::{Server, by};

pub const CLAIMS: &[Claim] = &[
    ("requirement, order and configuration of a flow are edited in place", in_place),
    ("a flow with other steps takes the old one's place and all its bindings", rebuilt),
    ("a cut between building and swapping is mended by the next run", cut),
    ("a built-in flow is not rebuilt", built_in),
    ("somebody who logs in all the time is never locked out while the flow is rebuilt", never_locked_out),
];

fn flow(otp: &str, more: Option<Json>) -> Json {
    let mut steps = vec![
        json!({"authenticator": "auth-cookie", "requirement": "ALTERNATIVE"}),
        json!({"authenticator": "identity-provider-redirector", "requirement": "ALTERNATIVE", "authenticatorConfig": "where"}),
        json!({"flowAlias": "mine forms", "requirement": "ALTERNATIVE"}),
    ];
    steps.extend(more);
    json!({
        "browserFlow": "mine",
        "authenticationFlows": [
            {"alias": "mine", "providerId": "basic-flow", "topLevel": true, "authenticationExecutions": steps},
            {"alias": "mine forms", "providerId": "basic-flow", "topLevel": false, "authenticationExecutions": [
                {"authenticator": "auth-username-password-form", "requirement": "REQUIRED"},
                {"authenticator": "auth-otp-form", "requirement": otp}]}],
        "authenticatorConfig": [{"alias": "where", "config": {"defaultProvider": "one"}}],
        "clients": [{"clientId": "app", "publicClient": true, "redirectUris": ["http://localhost/*"], "authenticationFlowBindingOverrides": {"browser": "mine"}}],
        "identityProviders": [{"alias": "github", "providerId": "github", "postBrokerLoginFlowAlias": "mine", "config": {"clientId": "c"}}],
    })
}

fn id_of(flows: &Json, alias: &str) -> String {
    by(flows, "alias", alias)["id"].as_str().expect("has one").to_owned()
}

fn in_place(server: &Server) {
    let realm = server.realm("flow-edit");
    realm.settle(flow("DISABLED", None));
    let id = id_of(&realm.get("/authentication/flows"), "mine");
    let mut declared = flow("REQUIRED", None);
    declared["authenticationFlows"][0]["authenticationExecutions"].as_array_mut().expect("a list").reverse();
    declared["authenticatorConfig"][0]["config"]["defaultProvider"] = "two".into();
    declared["authenticationFlows"][0]["description"] = "said".into();
    realm.settle(declared);
    assert_eq!(id_of(&realm.get("/authentication/flows"), "mine"), id, "the flow is the same");
    let steps = realm.get("/authentication/flows/mine/executions");
    assert_eq!(steps[0]["displayName"], "mine forms");
    assert_eq!(by(&steps, "providerId", "auth-otp-form")["requirement"], "REQUIRED");
}

fn rebuilt(server: &Server) {
    let realm = server.realm("flow-rebuild");
    realm.settle(flow("DISABLED", None));
    let old = id_of(&realm.get("/authentication/flows"), "mine");
    realm.settle(flow("REQUIRED", Some(json!({"authenticator": "auth-spnego", "requirement": "DISABLED"}))));
    let flows = realm.get("/authentication/flows");
    let new = id_of(&flows, "mine");
    assert_ne!(new, old);
    assert!(flows.as_array().expect("a list").iter().all(|flow| flow["alias"] != "mine - next"));
    assert_eq!(realm.get("")["browserFlow"], "mine");
    assert_eq!(realm.client_named("app")["authenticationFlowBindingOverrides"]["browser"], new.as_str());
    assert_eq!(realm.get("/identity-provider/instances/github")["postBrokerLoginFlowAlias"], "mine");
    let steps = realm.get("/authentication/flows/mine/executions");
    by(&steps, "displayName", "mine forms");
    assert_eq!(by(&steps, "providerId", "identity-provider-redirector")["alias"], "where");
}

fn cut(server: &Server) {
    let realm = server.realm("flow-cut");
    realm.settle(flow("DISABLED", None));
    // What a run leaves that was cut after it had built a part of the new flow, with another declaration, and had bound the realm to it.
    realm.post("/authentication/flows", json!({"alias": "mine - next", "providerId": "basic-flow", "topLevel": true, "builtIn": false}));
    realm.put("", json!({"realm": realm.name, "browserFlow": "mine - next"}));
    realm.settle(flow("REQUIRED", Some(json!({"authenticator": "auth-spnego", "requirement": "DISABLED"}))));
    let flows = realm.get("/authentication/flows");
    assert!(flows.as_array().expect("a list").iter().all(|flow| flow["alias"] != "mine - next"));
    assert_eq!(realm.get("")["browserFlow"], "mine");
}

fn built_in(server: &Server) {
    let realm = server.realm("flow-built-in");
    realm.settle(json!({}));
    let declared = json!({"authenticationFlows": [{"alias": "browser", "topLevel": true, "authenticationExecutions": [{"authenticator": "auth-cookie", "requirement": "REQUIRED"}]}]});
    let refusal = realm.try_apply(declared).map(|_| ()).expect_err("it is refused").to_string();
    assert!(refusal.contains("built-in flow `browser`"), "{refusal}");
}

fn never_locked_out(server: &Server) {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    let realm = server.realm("flow-logins");
    let declared = |steps: &[&str]| {
        let mut executions = vec![json!({"authenticator": "auth-cookie", "requirement": "ALTERNATIVE"})];
        executions.extend(steps.iter().map(|step| json!({"authenticator": step, "requirement": "DISABLED"})));
        executions.push(json!({"flowAlias": "our forms", "requirement": "ALTERNATIVE"}));
        json!({
            "authenticationFlows": [
                {"alias": "ours", "providerId": "basic-flow", "topLevel": true, "authenticationExecutions": executions},
                {"alias": "our forms", "providerId": "basic-flow", "authenticationExecutions": [{"authenticator": "auth-username-password-form", "requirement": "REQUIRED"}]},
            ],
            "browserFlow": "ours",
            "clients": [{"clientId": "app", "publicClient": true, "redirectUris": ["https://app.test/cb"]}],
            "users": [{"username": "ann", "enabled": true, "email": "a@a.test", "firstName": "A", "lastName": "B", "credentials": [{"type": "password", "value": "ann-password", "temporary": false}]}],
        })
    };
    realm.settle(declared(&[]));
    let login = hostler::keycloak::login::Login {
        url: server.url.clone(),
        realm: realm.name.clone(),
        client_id: "app".into(),
        client_secret: None,
        username: "ann".into(),
        password: hostler::base::Secret::new("ann-password"),
        redirect_uri: Some("https://app.test/cb".into()),
        scope: "openid".into(),
        ca_pem: None,
        resolve: Vec::new(),
    };
    let (done, logins) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let user = scope.spawn(|| {
            let mut failures = Vec::new();
            while !done.load(Ordering::Relaxed) {
                match hostler::keycloak::blocking::run(|| hostler::keycloak::login::log_in(&login)) {
                    Ok(_) => logins.fetch_add(1, Ordering::Relaxed),
                    Err(error) => {
                        failures.push(error.to_string());
                        0
                    }
                };
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            failures
        });
        for steps in [&["identity-provider-redirector"][..], &["identity-provider-redirector", "auth-spnego"], &[]] {
            realm.apply(declared(steps));
        }
        done.store(true, Ordering::Relaxed);
        let failures = user.join().expect("it ends");
        assert_eq!(failures, Vec::<String>::new());
    });
    assert!(logins.load(Ordering::Relaxed) >= 3);
}
