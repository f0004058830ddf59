//! Flows: edited where they are, replaced without a moment in which nobody can log in, mended after a cut.

use hostler::keycloak::Json;
use serde_json::json;

use super::Claim;
use super::server::{Realm, Server, by};

pub const CLAIMS: &[Claim] = &[
    ("requirement, order and configuration of a flow are edited in place", in_place),
    ("a flow that gains steps keeps its id and its bindings", extended),
    ("a flow with other steps takes the old one's place and all its bindings", rebuilt),
    ("a cut between building and swapping is mended by the next run", cut),
    ("a cut between swapping and renaming is mended by the next run, also when all flows are owned", cut_late),
    ("a cut within the renaming is mended by the next run, also one with another declaration", cut_renaming),
    ("parts that a cut run left are swept, and no longer take names", orphans),
    ("a flow that something is bound to is not deleted", bound),
    ("a built-in flow is not rebuilt", built_in),
    ("a secret of a step's configuration is written when it changes, also when the flow is rebuilt, and only then", secret_of_a_step),
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

/// Steps on both levels, one of them a flow with a configured step in it, put first and in between.
fn extended(server: &Server) {
    let realm = server.realm("flow-extend");
    realm.settle(flow("DISABLED", None));
    let before = realm.get("/authentication/flows/mine/executions");
    let old = id_of(&realm.get("/authentication/flows"), "mine");
    let mut declared = flow("REQUIRED", None);
    let flows = declared["authenticationFlows"].as_array_mut().expect("a list");
    let more = json!({"flowAlias": "mine more", "requirement": "ALTERNATIVE"});
    flows[0]["authenticationExecutions"].as_array_mut().expect("a list").insert(0, more);
    let step = json!({"authenticator": "auth-recovery-authn-code-form", "requirement": "DISABLED"});
    flows[1]["authenticationExecutions"].as_array_mut().expect("a list").insert(1, step);
    let inner = json!({"authenticator": "identity-provider-redirector", "requirement": "ALTERNATIVE", "authenticatorConfig": "there"});
    flows.push(json!({"alias": "mine more", "providerId": "basic-flow", "topLevel": false, "authenticationExecutions": [inner]}));
    declared["authenticatorConfig"].as_array_mut().expect("a list").push(json!({"alias": "there", "config": {"defaultProvider": "two"}}));
    let text = realm.plan_text(declared.clone());
    assert!(text.contains("~ flow mine") && text.contains("+ mine more ALTERNATIVE"), "{text}");
    realm.settle(declared);
    assert_eq!(id_of(&realm.get("/authentication/flows"), "mine"), old, "the flow is the same");
    let steps = realm.get("/authentication/flows/mine/executions");
    let shown: Vec<&str> =
        steps.as_array().expect("a list").iter().filter_map(|step| step["providerId"].as_str().or(step["displayName"].as_str())).collect();
    let expected = [
        "mine more",
        "identity-provider-redirector",
        "auth-cookie",
        "identity-provider-redirector",
        "mine forms",
        "auth-username-password-form",
        "auth-recovery-authn-code-form",
        "auth-otp-form",
    ];
    assert_eq!(shown, expected);
    let cookie = |steps: &Json| by(steps, "providerId", "auth-cookie")["id"].clone();
    assert_eq!(cookie(&before), cookie(&steps), "whoever is about to log in is not disturbed");
    assert_eq!(realm.client_named("app")["authenticationFlowBindingOverrides"]["browser"], old.as_str());
}

/// The flow with a step in place of another one.
fn other_steps() -> Json {
    let mut declared = flow("REQUIRED", Some(json!({"authenticator": "auth-spnego", "requirement": "DISABLED"})));
    declared["authenticationFlows"][0]["authenticationExecutions"].as_array_mut().expect("a list").remove(0);
    declared
}

fn rebuilt(server: &Server) {
    let realm = server.realm("flow-rebuild");
    realm.settle(flow("DISABLED", None));
    let old = id_of(&realm.get("/authentication/flows"), "mine");
    realm.settle(other_steps());
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
    realm.settle(other_steps());
    assert_mended(&realm);
    // And one that is not needed any more, with the old declaration in force again.
    realm.post("/authentication/flows", json!({"alias": "mine - next", "providerId": "basic-flow", "topLevel": true, "builtIn": false}));
    realm.put("", json!({"realm": realm.name, "browserFlow": "mine - next"}));
    let mut unbound = other_steps();
    unbound.as_object_mut().expect("a mapping").remove("browserFlow");
    let text = realm.plan_text(unbound.clone());
    assert!(text.contains("- flow mine - next   left behind by a run that was cut"), "{text}");
    realm.settle(unbound);
    assert_mended(&realm);
}

fn assert_mended(realm: &Realm) {
    let flows = realm.get("/authentication/flows");
    assert!(flows.as_array().expect("a list").iter().all(|flow| flow["alias"] != "mine - next"));
    assert_eq!(realm.get("")["browserFlow"], "mine");
}

/// The flow with a step in place of another one, with these names ended by ` - next`.
fn shadow(names: &[&str]) -> Json {
    let text =
        names.iter().fold(other_steps().to_string(), |text, name| text.replace(&format!("\"{name}\""), &format!("\"{name} - next\"")));
    serde_json::from_str(&text).expect("is JSON")
}

/// The old flow is gone, and not all parts of the new one have their names.
fn cut_renaming(server: &Server) {
    for names in [&["mine"][..], &["mine", "mine forms"], &["mine", "where"]] {
        for declared in [other_steps(), flow("DISABLED", None)] {
            let realm = server.realm("flow-cut-renaming");
            realm.settle(shadow(names));
            let new = id_of(&realm.get("/authentication/flows"), "mine - next");
            realm.settle(declared.clone());
            assert_mended(&realm);
            let is_taken_up = id_of(&realm.get("/authentication/flows"), "mine") == new;
            assert_eq!(is_taken_up, declared == other_steps(), "{names:?}");
        }
    }
}

/// Everything is bound to the new flow, which stands there in full, and the old one is gone or not yet.
fn cut_late(server: &Server) {
    for old_is_gone in [false, true] {
        let realm = server.realm("flow-cut-late");
        realm.settle(flow("DISABLED", None));
        realm.settle(shadow(&["mine", "mine forms", "where"]));
        if old_is_gone {
            let old = id_of(&realm.get("/authentication/flows"), "mine");
            realm.delete_at(&format!("/authentication/flows/{old}"));
        }
        let new = id_of(&realm.get("/authentication/flows"), "mine - next");
        let mut declared = other_steps();
        declared["hostler"] = json!({"ownership": {"authenticationFlows": "full"}});
        realm.settle(declared);
        assert_mended(&realm);
        assert_eq!(id_of(&realm.get("/authentication/flows"), "mine"), new, "what was built is taken up");
        assert_eq!(realm.client_named("app")["authenticationFlowBindingOverrides"]["browser"], new.as_str());
    }
}

fn orphans(server: &Server) {
    let realm = server.realm("flow-orphans");
    realm.settle(json!({}));
    for alias in ["mine forms", "not ours"] {
        realm.post("/authentication/flows", json!({"alias": alias, "providerId": "basic-flow", "topLevel": false, "builtIn": false}));
    }
    let text = realm.plan_text(flow("DISABLED", None));
    assert!(text.contains("- flow mine forms   a part of no flow") && !text.contains("not ours"), "{text}");
    realm.settle(flow("DISABLED", None));
    by(&realm.get("/authentication/flows/mine/executions"), "displayName", "mine forms");
    let mut owned = flow("DISABLED", None);
    owned["hostler"] = json!({"ownership": {"authenticationFlows": "full"}});
    assert!(realm.plan_text(owned.clone()).contains("- flow not ours   a part of no flow"));
    realm.settle(owned);
}

fn bound(server: &Server) {
    let realm = server.realm("flow-bound");
    realm.settle(flow("DISABLED", None));
    let refusal = |declared: Json| realm.try_plan(declared).map(|_| ()).expect_err("it is bound").to_string();
    let absent = json!({"absent": {"authenticationFlows": ["mine"]}});
    let text = refusal(json!({"hostler": absent}));
    assert!(text.contains("flow mine cannot be deleted") && text.contains("is bound to it"), "{text}");
    let text = refusal(
        json!({"hostler": absent, "browserFlow": "browser", "identityProviders": [{"alias": "github", "postBrokerLoginFlowAlias": ""}]}),
    );
    assert!(text.contains("of client app"), "{text}");
    realm.settle(json!({
        "hostler": {"absent": {"authenticationFlows": ["mine"], "clients": ["app"]}},
        "browserFlow": "browser",
        "identityProviders": [{"alias": "github", "postBrokerLoginFlowAlias": ""}]}));
}

fn built_in(server: &Server) {
    let realm = server.realm("flow-built-in");
    realm.settle(json!({}));
    let declared = json!({"authenticationFlows": [{"alias": "browser", "topLevel": true, "authenticationExecutions": [{"authenticator": "auth-cookie", "requirement": "REQUIRED"}]}]});
    let refusal = realm.try_apply(declared).map(|_| ()).expect_err("it is refused").to_string();
    assert!(refusal.contains("built-in flow `browser`"), "{refusal}");
}

fn secret_of_a_step(server: &Server) {
    let realm = server.realm("flow-secret");
    let declared = |secret: &str, more: &[&str]| {
        let mut steps = vec![json!({"flowAlias": "ours form", "authenticator": "registration-page-form", "requirement": "REQUIRED"})];
        steps.extend(more.iter().map(|step| json!({"authenticator": step, "requirement": "DISABLED"})));
        json!({
            "authenticationFlows": [
                {"alias": "ours", "providerId": "basic-flow", "topLevel": true, "authenticationExecutions": steps},
                {"alias": "ours form", "providerId": "form-flow", "authenticationExecutions": [
                    {"authenticator": "registration-user-creation", "requirement": "REQUIRED"},
                    {"authenticator": "registration-recaptcha-action", "requirement": "REQUIRED", "authenticatorConfig": "captcha"}]}],
            "authenticatorConfig": [{"alias": "captcha", "config": {"site.key": "ours", "secret.key": secret}}],
        })
    };
    let secret = "     ours form › registration-recaptcha-action: config.secret.key   (secret, changes)";
    realm.settle(declared("captcha-one", &["auth-cookie"]));
    let text = realm.plan_text(declared("captcha-two", &["auth-cookie"]));
    assert!(text.contains(secret) && !text.contains("captcha-two") && !text.contains("executions"), "{text}");
    realm.settle(declared("captcha-two", &["auth-cookie"]));
    assert!(realm.plan_text(declared("captcha-one", &["auth-cookie"])).contains(secret), "the last one applied counts");
    // Built anew beside the old one, with a third secret.
    realm.settle(declared("captcha-three", &[]));
    assert!(realm.plan_text(declared("captcha-two", &[])).contains(secret));
    // Another field alone leaves the secret as it is, and a mask stands for whatever is there.
    let mut other = declared(hostler::keycloak::MASK, &[]);
    other["authenticatorConfig"][0]["config"]["site.key"] = "theirs".into();
    realm.settle(other);
    let mut again = declared("captcha-three", &[]);
    again["authenticatorConfig"][0]["config"]["site.key"] = "theirs".into();
    assert!(realm.try_plan(again).expect("plans").is_empty());
    assert!(!realm.get("").to_string().contains("captcha-three"), "the realm keeps a keyed hash, not the secret");
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
        // Extended twice, and built anew three times; again, until somebody has logged in meanwhile, however slow the machine is.
        let (one, other) = ("identity-provider-redirector", "auth-spnego");
        for round in 0.. {
            for steps in [&[one][..], &[other], &[one, other], &[one], &[]] {
                realm.apply(declared(steps));
            }
            if round > 20 || logins.load(Ordering::Relaxed) >= 3 {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        let failures = user.join().expect("it ends");
        assert_eq!(failures, Vec::<String>::new());
    });
    assert!(logins.load(Ordering::Relaxed) >= 3);
}
