//! The same on Keycloak 26.5.6: what its API has in common with 26.7, and a clear word on what it lacks.

use serde_json::json;

use super::declared::{self, everything};
use super::server::{Server, with};
use super::{Claim, access, flows, hold, interrupted, keeps, kinds, traps};

const VERSION: &str = "26.5.6";

/// Those whose subject the older server has, and has in its own way.
const SHARED: [&str; 19] = [
    "a realm of every kind is made, and the second run is quiet",
    "changed fields are changed and shown, secrets are not shown",
    "undeclared objects stay unless their kind is owned in full",
    "an adopted realm has nothing to do, and is made again on an empty server",
    "authorization services of every type of policy are made, changed and deleted, and quiet in between",
    "permissions of administrators name what they are about",
    "who has what is explained, and what a token lacks",
    "endpoints and groups are listed",
    "a change of a client keeps its authorization services, secret and undeclared mappers",
    "a change of a user keeps e-mail, names and undeclared attributes",
    "a change of a component keeps its bind credential",
    "an organization keeps its domains",
    "a mask is never written",
    "more groups than an export can carry are read by pages, with none lost or doubled",
    "a flow with other steps takes the old one's place and all its bindings",
    "a flow that gains steps keeps its id and its bindings",
    "a group that is renamed and moved keeps its id, its members and what is in it",
    "a user logs in by password and by the form, and has the groups",
    "a small realm is planned with ten requests at most, and nothing to do writes nothing",
];

const OWN: &[Claim] = &[("what the server lacks is named", lacking), ("a realm is destroyed, and destroyed again", destroyed)];

#[test]
fn claims_that_matter_hold_on_the_older_keycloak_too() {
    let _turn = crate::support::turn();
    let server = match std::env::var("HOSTLER_TEST_KEYCLOAK_OLDER") {
        Ok(url) => Server::at(url),
        Err(_) => Server::of_version(VERSION),
    };
    let all = [declared::CLAIMS, kinds::CLAIMS, traps::CLAIMS, flows::CLAIMS, keeps::CLAIMS, access::CLAIMS, interrupted::CLAIMS].concat();
    let shared: Vec<Claim> = all.into_iter().filter(|(name, _)| SHARED.contains(name)).collect();
    assert_eq!(shared.len(), SHARED.len(), "a claim that stands above is called otherwise now");
    hold(&server, &[&shared[..], OWN].concat());
}

fn lacking(server: &Server) {
    let realm = server.realm("older");
    let refusal = |declared| realm.try_apply(declared).map(|_| ()).expect_err("it has none").to_string();
    let workflow =
        with("workflows", json!([{"name": "idle", "on": "user_authenticated", "steps": [{"uses": "disable-user", "after": "30d"}]}]));
    let text = refusal(workflow.clone());
    assert!(text.contains("this Keycloak has no workflows: 26.7 has them"), "{text}");
    let text = realm.try_plan(workflow).map(|_| ()).expect_err("it has none").to_string();
    assert!(text.contains("this Keycloak has no workflows"), "at the plan, once the realm is there: {text}");
    let text = refusal(
        json!({"organizationsEnabled": true, "organizations": [{"name": "Acme", "alias": "acme", "domains": ["acme.test"], "groups": [{"name": "Team"}]}]}),
    );
    assert!(text.contains("this Keycloak has no groups of organizations"), "{text}");
}

fn destroyed(server: &Server) {
    let realm = server.realm("older-gone");
    realm.settle(everything());
    let client = server.client();
    let delete = || hostler::keycloak::blocking::run(|| hostler::keycloak::apply::delete_realm(&client, &realm.name)).expect("deletes");
    assert_eq!((delete(), delete()), (true, false));
}
