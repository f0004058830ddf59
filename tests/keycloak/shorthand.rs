//! Teams and pools on a real server: what a short declaration becomes, what a plan refuses and what it tells, and that no group is ever
//! made anew.

use hostler::keycloak::Json;
use hostler::keycloak::operation::Operation;
use serde_json::json;

use super::Claim;
use super::secrets::Cli;
use super::server::{Realm, Server, by};

pub const CLAIMS: &[Claim] = &[
    ("a team's users are either the one or the other, fit the seats, and have the environment's group", teams),
    ("groups keep their ids whatever is changed around them", ids),
    ("a role without a twin is told at plan", pools),
];

fn user(realm: &Realm<'_>, name: &str, groups: &[&str]) {
    realm.post("/users", json!({"username": name, "enabled": true, "groups": groups}));
}

fn teams(server: &Server) {
    let realm = server.realm("seats");
    let cli = Cli::new(server);
    let declared = |seats: &str, more: &str| {
        let team = "Products/Radar: { environment: IL2 Authorized, roles: [release] }\n        Platform:\n";
        cli.write(
            "one.yml",
            &format!(
                "realm: {}\nhostler:\n  teams:\n    Acme:\n      seats: {{ {seats} }}\n      teams:\n        {team}{more}",
                realm.name
            ),
        );
    };
    declared("collaborator: 2, developer: 2", "");
    let (code, said) = cli.realm(&["apply", "one.yml", "--yes"]);
    assert_eq!(code, 0, "{said}");
    for path in ["Acme/Products/Radar/collaborator", "Acme/Products/Radar/roles/release", "Acme/Platform/developer", "IL2%20Authorized"] {
        realm.get(&format!("/group-by-path/{path}"));
    }
    assert_eq!(cli.realm(&["plan", "one.yml"]).0, 0);
    user(&realm, "ann", &["/Acme/Products/Radar/developer"]);
    user(&realm, "bob", &["/Acme/Products/Radar/developer", "/IL2 Authorized"]);
    user(&realm, "cid", &["/IL2 Authorized"]);
    let (code, said) = cli.realm(&["plan", "one.yml"]);
    assert!(code == 0 && said.contains("these of its users are not in it: ann"), "{said}");
    assert!(said.contains("one.yml:7:") && said.contains("in no team that works there: cid"), "{said}");
    // A third one, in the other team: distinct users of the organization count.
    user(&realm, "dan", &["/Acme/Platform/developer", "/Acme/Products/Radar/developer"]);
    let (code, said) = cli.realm(&["plan", "one.yml"]);
    assert!(code == 1 && said.contains("teams of Acme have 3 users as developer, and 2 seats"), "{said}");
    assert!(said.contains("one.yml:5:"), "{said}");
    declared("collaborator: 2, developer: 2, over: warn", "");
    let (code, said) = cli.realm(&["plan", "one.yml"]);
    assert!(code == 0 && said.contains("3 users as developer, and 2 seats"), "{said}");
    declared("collaborator: 2, developer: 3", "");
    assert_eq!(cli.realm(&["plan", "one.yml"]).0, 0);
    // Somebody made a user both: a plan refuses, and a declaration that says which is the cure.
    user(&realm, "eve", &["/Acme/Platform/developer", "/Acme/Platform/collaborator"]);
    declared("collaborator: 2, developer: 4", "");
    let (code, said) = cli.realm(&["plan", "one.yml"]);
    assert!(code == 1 && said.contains("team /Acme/Platform: user eve is in") && said.contains("one.yml:8:9"), "{said}");
    declared("collaborator: 2, developer: 4", "users: [{ username: eve, groups: [/Acme/Platform/collaborator] }]\n");
    let (code, said) = cli.realm(&["apply", "one.yml", "--yes"]);
    assert_eq!(code, 0, "{said}");
    let id = realm.user_named("eve")["id"].as_str().expect("has one").to_owned();
    assert_eq!(realm.get(&format!("/users/{id}/groups")).as_array().map(Vec::len), Some(1));
    declared("developer: 4", "users: [{ username: eve, groups: [/Acme/Platform/collaborator, /Acme/Platform/developer] }]\n");
    let (code, said) = cli.realm(&["plan", "one.yml"]);
    assert!(code == 1 && said.contains("user eve is in") && said.contains("one.yml:9:"), "{said}");
    // What somebody made by hand inside a team is told.
    let radar = realm.get("/group-by-path/Acme/Platform")["id"].as_str().expect("has one").to_owned();
    realm.post(&format!("/groups/{radar}/children"), json!({"name": "manager"}));
    declared("developer: 4", "");
    let (code, said) = cli.realm(&["plan", "one.yml"]);
    assert!(code == 0 && said.contains("warning: group /Acme/Platform/manager: `manager` is kept"), "{said}");
}

fn ids(server: &Server) {
    let realm = server.realm("ids");
    let with = |teams: Json| json!({"hostler": {"teams": {"Acme": {"teams": teams}}}});
    realm.settle(with(json!({"Platform": null, "Products/Radar": null})));
    let paths = |realm: &Realm<'_>| -> Json { realm.ask(Operation::Groups { realm: realm.name.clone() }) };
    let before = paths(&realm);
    by(&before, "path", "/Acme/Products/Radar/developer");
    realm.settle(with(json!({"Platform": {"roles": ["release"], "environment": "IL4"}, "Products/Radar": null, "Products/Sonar": null})));
    let mut full = with(json!({"Platform": null, "Products/Radar": null}));
    full["hostler"]["ownership"] = json!({"groups": "full"});
    realm.settle(full);
    assert_eq!(paths(&realm), before, "what was added is gone, and the rest is what it was");
}

fn pools(server: &Server) {
    let realm = server.realm("pools");
    let cli = Cli::new(server);
    let clients = "clients: [{ clientId: browser }, { clientId: device, publicClient: true }]";
    let declared = |more: &str| {
        let pools = "hostler: { pools: { clients: [browser, device], groups: { team-a: [team-a-h100] } } }";
        cli.write("osmo.yml", &format!("realm: {}\n{clients}\n{pools}\n{more}", realm.name));
    };
    declared("");
    let (code, said) = cli.realm(&["apply", "osmo.yml", "--yes"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(realm.get("/group-by-path/OSMO%20team-a")["clientRoles"], json!({"browser": ["osmo-team-a"], "device": ["osmo-team-a"]}));
    let (code, said) = cli.realm(&["plan", "osmo.yml"]);
    assert_eq!((code, said.contains('!')), (0, false), "{said}");
    let id = realm.client_named("browser")["id"].as_str().expect("has one").to_owned();
    realm.post(&format!("/clients/{id}/roles"), json!({"name": "osmo-by-hand"}));
    let (code, said) = cli.realm(&["plan", "osmo.yml"]);
    assert!(code == 0 && said.contains("warning: client role browser/osmo-by-hand has no twin at client `device`"), "{said}");
    declared("roles: { client: { device: [{ name: team-b }] } }\n");
    let (code, said) = cli.realm(&["plan", "osmo.yml"]);
    assert!(code == 1 && said.contains("client role device/team-b lacks the prefix `osmo-`") && said.contains("osmo.yml:4:"), "{said}");
}
