//! An apply that something comes between: a restart of the server, a cut, somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hostler::keycloak::apply::{Terms, apply_on_terms};
use hostler::keycloak::operation::Progress;
use hostler::keycloak::{Declaration, Json, blocking};
use serde_json::json;
use tokio::sync::Notify;

use super::Claim;
use super::declared::everything;
use super::server::{Realm, Server, by};

pub const CLAIMS: &[Claim] = &[
    ("an apply that is cut at any kind is mended by running again", cut),
    ("what somebody changes during an apply is read again, and what is theirs stays", meddled),
    ("an apply outlasts a restart of the server, with nothing lost and nothing doubled", restart),
    ("a small realm is planned with ten requests at most, and nothing to do writes nothing", requests),
    ("what a plan asks grows with groups and roles, not with users, and misses nobody", many_users),
];

/// Applies until the progress has named so many lines; answers them.
fn apply_until(server: &Server, realm: &Realm, mut declared: Json, last: usize) -> Vec<String> {
    declared["realm"] = realm.name.as_str().into();
    let declaration = Declaration::parse(&declared).expect("is right");
    let (stop, said) = (Arc::new(Notify::new()), Arc::new(std::sync::Mutex::new(Vec::new())));
    let (stopper, teller) = (stop.clone(), said.clone());
    let progress: Progress = Arc::new(move |line: &str| {
        let mut lines = teller.lock().expect("nobody panics with it");
        lines.push(line.to_owned());
        if lines.len() == last {
            stopper.notify_one();
        }
    });
    let client = server.client();
    let ended = blocking::run(|| async {
        let apply = apply_on_terms(&client, &declaration, Terms { progress: Some(&progress), seal: None });
        tokio::select! {
            biased;
            () = stop.notified() => Ok(()),
            result = apply => result.map(|_| ()),
        }
    });
    ended.unwrap_or_else(|error| panic!("the apply fails: {error}"));
    let lines = said.lock().expect("nobody panics with it");
    lines.clone()
}

fn cut(server: &Server) {
    let all = {
        let realm = server.realm("cut-none");
        apply_until(server, &realm, everything(), usize::MAX)
    };
    for expected in ["writing realm t-cut-none", "writing flow staff browser", "writing client app (1 of 2)", "writing user ann (1 of 3)"] {
        assert!(all.iter().any(|line| line == expected), "no `{expected}` in {all:#?}");
    }
    for last in (2..all.len()).step_by(4) {
        let realm = server.realm("cut");
        apply_until(server, &realm, everything(), last);
        realm.settle(everything());
        let steps = realm.get("/authentication/flows/staff%20browser/executions");
        assert_eq!(steps.as_array().map(Vec::len), Some(7), "after a cut at line {last}: {steps}");
        let keys = realm.get("/components?type=org.keycloak.keys.KeyProvider");
        assert_eq!(keys.as_array().expect("a list").iter().filter(|key| key["name"] == "ec").count(), 1);
    }
}

fn groups(count: usize) -> Json {
    let group = |number| json!({"name": format!("g{number}"), "attributes": {"n": number}, "realmRoles": ["member"]});
    json!({"roles": {"realm": [{"name": "member"}]}, "groups": (0..count).map(group).collect::<Vec<_>>()})
}

fn wait_for_groups(realm: &Realm, count: u64) {
    while realm.get("/groups/count")["count"].as_u64().unwrap_or(0) < count {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn meddled(server: &Server) {
    let realm = server.realm("meddled");
    realm.settle(json!({}));
    std::thread::scope(|scope| {
        let apply = scope.spawn(|| realm.apply(groups(80)));
        wait_for_groups(&realm, 10);
        let found = realm.get("/groups");
        realm.delete_at(&format!("/groups/{}", found[3]["id"].as_str().expect("has one")));
        realm.post("/groups", json!({"name": "theirs"}));
        apply.join().expect("it ends well");
    });
    realm.settle(groups(80));
    assert_eq!(realm.get("/groups/count")["count"], 81);
    by(&realm.get("/groups"), "name", "theirs");
}

fn restart(server: &Server) {
    let realm = server.realm("restart");
    realm.settle(json!({}));
    std::thread::scope(|scope| {
        let apply = scope.spawn(|| realm.apply(groups(400)));
        wait_for_groups(&realm, 20);
        assert!(!apply.is_finished(), "there is something left to write");
        server.restart();
        let ended = apply.join();
        // Whatever came of it, the next claim finds a server.
        server.wait();
        ended.expect("it ends well");
    });
    assert!(realm.try_plan(groups(400)).expect("plans").is_empty());
    assert_eq!(realm.get("/groups/count")["count"], 400);
}

fn requests(server: &Server) {
    let realm = server.realm("requests");
    let mut declared = everything();
    declared.as_object_mut().expect("a mapping").remove("users");
    realm.settle(declared.clone());
    declared["realm"] = realm.name.as_str().into();
    let declaration = Declaration::parse(&declared).expect("is right");
    let counted = AtomicUsize::new(0);
    for apply in [false, true] {
        let client = server.client();
        let plan = match apply {
            true => blocking::run(|| hostler::keycloak::apply::apply(&client, &declaration)),
            false => blocking::run(|| hostler::keycloak::apply::preview(&client, &declaration)),
        };
        assert!(plan.expect("plans").is_empty());
        let (now, before) = (client.requests() as usize, counted.swap(client.requests() as usize, Ordering::Relaxed));
        assert!(now <= 10 && (!apply || now == before), "{now} requests, {before} for the plan");
    }
}

fn many_users(server: &Server) {
    let realm = server.realm("users");
    let declared = |many: usize| {
        let user = |n: usize| {
            json!({"username": format!("user{n:03}"), "enabled": true, "groups": [format!("/g{}", n % 3)], "realmRoles": ["reader"],
                "clientRoles": {"app": ["writer"]}})
        };
        json!({
            "realm": realm.name, "clients": [{"clientId": "app"}],
            "roles": {"realm": [{"name": "reader"}, {"name": "other"}], "client": {"app": [{"name": "writer"}]}},
            "groups": [{"name": "g0"}, {"name": "g1"}, {"name": "g2"}, {"name": "theirs"}],
            "users": (0..many).map(user).collect::<Vec<_>>(),
        })
    };
    let asked = |many: usize| {
        let (client, declaration) = (server.client(), Declaration::parse(&declared(many)).expect("is right"));
        let plan = blocking::run(|| hostler::keycloak::apply::preview(&client, &declaration)).expect("plans");
        assert!(plan.is_empty(), "{}", hostler::keycloak::render::text(&plan));
        client.requests()
    };
    realm.settle(declared(70));
    let few = asked(70);
    realm.settle(declared(140));
    assert_eq!(asked(140), few);
    // Others fill the first page of a group: who comes after them is still seen.
    let others: Vec<Json> = (0..1010).map(|n| json!({"username": format!("a{n:04}"), "enabled": true, "groups": ["/g0"]})).collect();
    realm.post("/partialImport", json!({"ifResourceExists": "FAIL", "users": others}));
    assert_eq!(asked(140), few + 1, "a page more of the group");
    // What somebody gave to a user or took away is a change, also where nothing declares it for any user.
    let id = |body: &Json| body["id"].as_str().expect("has one").to_owned();
    let (one, two) = (id(&realm.user_named("user030")), id(&realm.user_named("user031")));
    realm.post(&format!("/users/{one}/role-mappings/realm"), json!([realm.get("/roles/other")]));
    realm.put(&format!("/users/{one}/groups/{}", id(&realm.get("/group-by-path/theirs"))), json!({}));
    realm.delete_at(&format!("/users/{two}/groups/{}", id(&realm.get("/group-by-path/g1"))));
    let text = realm.plan_text(declared(140));
    for line in ["- other", "- /theirs", "+ /g1", "0 to add, 2 to change, 0 to delete"] {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
    realm.settle(declared(140));
}
