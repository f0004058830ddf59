//! Examples that are plays: a realm for each organization of a platform, and permissions by the collection's own module. They run over the link on
//! the host of Keycloak, as `make demo`'s host would.

use std::path::PathBuf;
use std::process::Output;

use hostler::keycloak::{Json, apply, blocking};
use serde_json::json;

use super::Claim;
use super::secrets::{Cli, shown_nowhere};
use super::server::{Server, by};

pub const CLAIMS: &[Claim] = &[
    ("each organization of a platform has its realm and registered clients, and leaves without a trace", platform_mesh),
    ("a realm from a play hands its secrets out on the host, and the journal has none", from_a_play),
    ("permissions are made by the collection's module, unchanged the second time, and right in check mode", permissions),
];

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A shipped play against the host of the server.
struct Play<'a> {
    cli: Cli<'a>,
    inventory: PathBuf,
    host: String,
    playbook: &'static str,
}

impl<'a> Play<'a> {
    /// None where a server was given without its host.
    fn new(server: &'a Server, playbook: &'static str) -> Option<Self> {
        let (inventory, host) = server.inventory.clone()?;
        let cli = Cli::new(server);
        let variables = json!({
            "keycloak_realm_service_client_id": "boot", "keycloak_realm_service_client_secret": "boot-secret",
            "keycloak_hostname": server.url,
        });
        cli.write("groups.yml", &json!({"all": {"children": {"idp": {"hosts": {&host: null}, "vars": variables}}}}).to_string());
        Some(Play { cli, inventory, host, playbook })
    }

    fn run(&self, more: &[&str]) -> Output {
        let playbook = format!("{ROOT}/playbooks/{}", self.playbook);
        let mut command = self.cli.command(&["run", &playbook, "-i"]);
        command.arg(&self.inventory).args(["-i", "groups.yml"]).args(more).output().expect("it starts")
    }

    fn must(&self, more: &[&str]) -> String {
        let output = self.run(more);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{more:?}: {said}");
        said
    }

    fn refused(&self, more: &[&str]) -> String {
        let output = self.run(more);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "{more:?}: {said}");
        said
    }

    /// A command on the host, and what it printed; not kept in the journal, which must have no secret.
    fn on_host(&self, line: &str) -> String {
        let mut command = self.cli.command(&["do", &self.host, "-i"]);
        let output =
            command.arg(&self.inventory).args(["--no-history", "-m", "ansible.builtin.shell", "-a", line]).output().expect("it starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn platform_mesh(server: &Server) {
    let Some(play) = Play::new(server, "platform-mesh.yml") else { return assert!(std::env::var_os("HOSTLER_TEST_KEYCLOAK").is_some()) };
    let get = |path: &str| blocking::run(|| async { server.client().get(path).await }).unwrap_or_else(|error| panic!("{path}: {error}"));
    let folder = "/root/organizations";
    let organizations = |list: Json, absent: Json| {
        let variables = json!({
            "organizations": list, "organizations_absent": absent, "organizations_base": "portal.test",
            "organizations_denied": ["welcome"], "organizations_dir": folder,
        });
        play.cli.write("organizations.yml", &variables.to_string());
    };
    let file = format!("organizations_file={}", play.cli.folder.path().join("organizations.yml").display());
    let with = ["-e", file.as_str()];
    play.on_host(&format!("rm -rf {folder}"));
    let made = [server.realm("acme"), server.realm("initech")];
    for name in ["", "master", "welcome", "Not A Name"] {
        organizations(json!([{"name": name}]), json!([]));
        assert!(play.refused(&with).contains("cannot be an organization"), "{name}");
    }
    let acme = json!({"name": "t-acme", "redirect_uris": ["https://acme.partner.test/*"]});
    let reports = json!({"redirect_uris": ["https://reports.test/*"], "grant_types": ["authorization_code"]});
    let initech = json!({"name": "t-initech", "registration_allowed": true, "smtp": {"host": "mail.test", "port": 25, "from": "a@b.test"}, "clients": {"reports": reports}});
    organizations(json!([acme, initech]), json!([]));
    let said = play.must(&with);
    assert!(!said.contains("registration_access_token\": \"ey"), "no token is shown");
    let said = play.must(&with);
    assert!(said.contains("changed=0"), "the second run is quiet: {said}");
    let settings = get("/admin/realms/t-acme");
    for (field, value) in [
        ("accessTokenLifespan", json!(28_800)),
        ("ssoSessionIdleTimeout", json!(28_800)),
        ("registrationEmailAsUsername", json!(true)),
        ("loginWithEmailAllowed", json!(true)),
        ("registrationAllowed", json!(false)),
    ] {
        assert_eq!(settings[field], value, "{field}");
    }
    assert_eq!(get("/admin/realms/t-initech")["smtpServer"]["host"], "mail.test");
    let clients = |realm: &str| get(&format!("/admin/realms/{realm}/clients"));
    let all = clients("t-acme");
    let portal = by(&all, "name", "t-acme");
    assert_eq!(portal["redirectUris"].as_array().map(Vec::len), Some(2), "{portal}");
    assert_eq!(portal["attributes"]["post.logout.redirect.uris"], "https://t-acme.portal.test/logout*");
    assert_eq!(portal["publicClient"], false);
    let kubectl = by(&all, "name", "kubectl");
    assert_eq!((&kubectl["publicClient"], kubectl["redirectUris"].as_array().map(Vec::len)), (&json!(true), Some(2)));
    // The status names the clients and where their secrets are, and has none; the trust names all audiences.
    let status = play.on_host(&format!("cat {folder}/status.yml"));
    assert!(
        status.contains(portal["clientId"].as_str().expect("has one")) && status.contains("/root/organizations/t-initech/reports.json"),
        "{status}"
    );
    assert!(!status.contains(portal["secret"].as_str().expect("has one")), "{status}");
    let trust = play.on_host(&format!("cat {folder}/t-acme/authentication.yml"));
    for text in [
        &format!("{}/realms/t-acme", server.url),
        portal["clientId"].as_str().expect("has one"),
        kubectl["clientId"].as_str().expect("has one"),
        "claim: email",
        "claim: groups",
    ] {
        assert!(trust.contains(text), "no {text} in {trust}");
    }
    assert!(play.on_host(&format!("stat -c %a {folder} {folder}/t-acme/kubectl.json")).contains("700\n600"));
    let token = play.on_host(&format!("cat {folder}/t-acme/kubectl.json"));
    let token =
        token.split("registration_access_token\": \"").nth(1).and_then(|rest| rest.split('"').next()).expect("it is stored").to_owned();
    shown_nowhere(play.cli.folder.path(), &[portal["secret"].as_str().expect("has one"), &token, "boot-secret"], &["groups.yml"]);
    for realm in &made {
        let adopted = realm.is_adopted_and_made_again();
        assert!(!adopted.to_string().contains(portal["secret"].as_str().expect("has one")), "{adopted}");
    }
    // An update uses the registration token and keeps the one that comes back; one that is no longer good is replaced.
    let stored = || play.on_host(&format!("cat {folder}/t-acme/t-acme.json"));
    let before = stored();
    let moved = json!({"name": "t-acme", "redirect_uris": ["https://other.partner.test/*"]});
    organizations(json!([moved, initech]), json!([]));
    play.must(&with);
    assert_ne!(stored(), before, "the token was rotated");
    play.on_host(&format!("sed -i 's/registration_access_token\": \"/&x/' {folder}/t-acme/t-acme.json"));
    let broken = stored();
    play.must(&with);
    assert_ne!(stored(), broken, "the token was replaced");
    assert!(play.must(&with).contains("changed=0"));
    let all = clients("t-acme");
    assert!(by(&all, "name", "t-acme")["redirectUris"].to_string().contains("other.partner.test"));
    // A client that is no longer declared goes, with its secret.
    organizations(json!([moved, {"name": "t-initech"}]), json!([]));
    play.must(&with);
    assert!(!clients("t-initech").to_string().contains("\"reports\""));
    assert!(play.on_host(&format!("ls {folder}/t-initech")).lines().all(|line| line != "reports.json"));
    // A realm that is somebody else's is not taken.
    play.on_host(&format!("mv {folder}/t-initech {folder}/away"));
    assert!(play.refused(&with).contains("already, and it was not made"));
    play.on_host(&format!("mv {folder}/away {folder}/t-initech"));
    // They leave: also one whose realm went first, and again when nothing is left.
    blocking::run(|| async { apply::delete_realm(&server.client(), "t-initech").await }).expect("it goes");
    organizations(json!([]), json!(["t-acme", "t-initech"]));
    play.must(&with);
    assert!(play.must(&with).contains("changed=0"));
    for realm in ["t-acme", "t-initech"] {
        assert!(!blocking::run(|| async { apply::realm_exists(&server.client(), realm).await }).expect("it answers"));
    }
    assert!(play.on_host(&format!("ls {folder}")).contains("status.yml"));
    assert!(!play.on_host(&format!("ls {folder}")).contains("t-acme"));
    play.on_host(&format!("rm -rf {folder}"));
}

fn from_a_play(server: &Server) {
    let Some(play) = Play::new(server, "realm.yml") else { return assert!(std::env::var_os("HOSTLER_TEST_KEYCLOAK").is_some()) };
    let realm = server.realm("play");
    let text = std::fs::read_to_string(format!("{ROOT}/inventory/realms/osmo.yml")).expect("the example is there");
    play.cli.write("osmo.yml", &text.replacen("\nrealm: osmo\n", &format!("\nrealm: {}\n", realm.name), 1));
    let folder = play.cli.folder.path().display().to_string();
    let variables = json!({
        "keycloak_realm_file": format!("{folder}/osmo.yml"), "hostler_state_dir": format!("{folder}/state"),
        "osmo_export": format!("{ROOT}/inventory/realms/osmo-export.json"), "osmo_secrets_file": "/root/osmo-secrets.yml",
    });
    play.cli.write("variables.json", &variables.to_string());
    let with = ["-e", "@variables.json", "--diff"];
    play.on_host("rm -f /root/osmo-secrets.yml");
    let predicted = play.must(&[&with[..], &["--check"]].concat());
    assert!(predicted.contains("changed=1") && predicted.contains("osmo_client_secret"), "{predicted}");
    assert!(play.on_host("ls /root/osmo-secrets.yml").contains("No such file"), "a dry run hands nothing out");
    let said = predicted + &play.must(&with);
    assert!(play.must(&with).contains("changed=0"), "the second run is quiet");
    let handed_out = play.on_host("cat /root/osmo-secrets.yml; stat -c %a /root/osmo-secrets.yml");
    let secrets: Vec<&str> = handed_out.split('"').skip(1).step_by(2).collect();
    assert!(secrets.len() == 2 && handed_out.trim_end().ends_with("600"), "{handed_out}");
    assert_eq!(realm.client_named("osmo-browser-flow")["secret"], secrets[0]);
    assert!(!secrets.iter().any(|secret| said.contains(secret)), "{said}");
    shown_nowhere(play.cli.folder.path(), &[&secrets[..], &["boot-secret"]].concat(), &["groups.yml"]);
    play.on_host("rm -f /root/osmo-secrets.yml");
}

fn permissions(server: &Server) {
    let Some(play) = Play::new(server, "permissions.yml") else { return assert!(std::env::var_os("HOSTLER_TEST_KEYCLOAK").is_some()) };
    let realm = server.realm("documents");
    let name = format!("permissions_realm={}", realm.name);
    let with = ["-e", name.as_str()];
    let predicted = play.must(&[&with[..], &["--check"]].concat());
    assert!(predicted.contains("changed=2"), "a dry run before there is a realm predicts it: {predicted}");
    play.must(&with);
    let said = play.must(&with);
    assert!(said.contains("changed=0"), "the second run is quiet: {said}");
    assert!(play.must(&[&with[..], &["--check"]].concat()).contains("changed=0"), "and a dry run predicts nothing");
    let api = realm.client_named("documents")["id"].as_str().expect("has one").to_owned();
    let permission = |name: &str| realm.get(&format!("/clients/{api}/authz/resource-server/permission/search?name={name}"));
    assert_eq!((&permission("read")["type"], &permission("read")["decisionStrategy"]), (&json!("scope"), &json!("AFFIRMATIVE")));
    assert_eq!(permission("everything")["type"], "resource");
    // Changed by hand: a dry run says so and does nothing, a run mends it.
    let mut changed = permission("read");
    changed["decisionStrategy"] = "CONSENSUS".into();
    realm.put(
        &format!("/clients/{api}/authz/resource-server/permission/scope/{}", changed["id"].as_str().expect("has one")),
        changed.clone(),
    );
    assert!(play.must(&[&with[..], &["--check"]].concat()).contains("changed=1"));
    assert_eq!(permission("read")["decisionStrategy"], "CONSENSUS");
    assert!(play.must(&with).contains("changed=1"));
    assert_eq!(permission("read")["decisionStrategy"], "AFFIRMATIVE");
    realm.is_adopted_and_made_again();
}
