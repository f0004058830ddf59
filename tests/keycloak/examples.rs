//! The realms that are shipped as examples, as their README has them: each is made by the command line from its own file, quiet, adopted, and
//! made again on an empty server.

use std::collections::BTreeMap;

use hostler::keycloak::{Json, reference};
use serde_json::json;

use super::Claim;
use super::secrets::Cli;
use super::server::{Realm, Server, by};

pub const CLAIMS: &[Claim] = &[
    ("the realm of Arch Linux is made as its document asks, and adopted", arch_linux),
    ("the realm of OSMO is imported, retargeted and verified as its document asks", osmo),
    ("the groups of Platform One are made as their document asks, and adopted", platform_one),
    ("every example of the reference is made, and quiet", of_reference),
    ("a file of keycloak-config-cli is converted, and made", converted),
];

const REALMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/inventory/realms");

/// A shipped realm with its expressions filled in, for tests that are about something else: nothing is made or handed out.
pub fn shipped(file: &str) -> Json {
    let text = std::fs::read_to_string(format!("{REALMS}/{file}")).expect("it is there");
    let (mut filled, mut rest) = (String::new(), text.as_str());
    while let Some((before, after)) = rest.split_once("{{") {
        let (expression, after) = after.split_once("}}").expect("an expression ends");
        filled.push_str(before);
        filled.push_str(if expression.contains("osmo_domain") { "osmo.lab.test" } else { "filled-in" });
        rest = after;
    }
    let mut realm: Json = serde_saphyr::from_str(&(filled + rest)).expect("it is YAML");
    if let Some(settings) = realm["hostler"].as_object_mut() {
        settings.remove("generate");
        if let Some(base) = settings.get_mut("base") {
            let export = std::fs::read_to_string(format!("{REALMS}/osmo-export.json")).expect("it is there");
            *base = serde_json::from_str(&export).expect("it is JSON");
        }
    }
    realm
}

/// An example of the repository under a name of this test's own, with the folder of its generated secrets.
struct Example<'a> {
    cli: Cli<'a>,
    realm: Realm<'a>,
    file: &'static str,
    given: Vec<String>,
}

impl<'a> Example<'a> {
    fn new(server: &'a Server, file: &'static str, given: &[&str]) -> Self {
        let cli = Cli::new(server);
        let name = file.trim_end_matches(".yml");
        let realm = server.realm(name);
        let text = std::fs::read_to_string(format!("{REALMS}/{file}")).expect("the example is there");
        let renamed = text.replacen(&format!("\nrealm: {name}\n"), &format!("\nrealm: {}\n", realm.name), 1);
        assert_ne!(renamed, text, "{file} is not named after its realm");
        cli.write(file, &renamed);
        let state = format!("hostler_state_dir={}", cli.folder.path().join("state").display());
        let folder = format!("inventory_dir={}", concat!(env!("CARGO_MANIFEST_DIR"), "/inventory"));
        Example { given: [state, folder].into_iter().chain(given.iter().map(|text| (*text).to_owned())).collect(), cli, realm, file }
    }

    fn run(&self, verb: &[&str]) -> (i32, String) {
        let mut words = vec![verb[0], self.file];
        words.extend(&verb[1..]);
        words.extend(self.given.iter().flat_map(|text| ["-e", text.as_str()]));
        self.cli.realm(&words)
    }

    fn must(&self, verb: &[&str]) -> String {
        let (code, said) = self.run(verb);
        assert_eq!(code, 0, "{verb:?}: {said}");
        said
    }

    /// What was made for it: passwords and secrets by file, and by variable.
    fn secrets(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(self.cli.folder.path().join("state")).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(entry.path()).expect("is text");
            match serde_saphyr::from_str::<Json>(&text) {
                Ok(Json::Object(variables)) => {
                    found.extend(variables.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned())));
                }
                _ => drop(found.insert(entry.file_name().to_string_lossy().into_owned(), text.trim().to_owned())),
            }
        }
        found
    }

    /// Made, quiet, adopted with nothing left to do, and made again elsewhere with what nobody can read given.
    fn whole(&self) {
        let planned = self.run(&["plan"]);
        assert_eq!(planned.0, 2, "{}", planned.1);
        let applied = self.must(&["apply", "--yes"]);
        let again = self.must(&["plan"]);
        assert!(again.contains("0 to add, 0 to change, 0 to delete"), "{again}");
        let adopted = self.realm.is_adopted_and_made_again();
        for (name, secret) in self.secrets() {
            for text in [&planned.1, &applied, &again, &adopted.to_string()] {
                assert!(!text.contains(&secret), "{name} is shown in {text}");
            }
        }
    }
}

fn count(value: &Json) -> usize {
    value.as_array().map_or(0, Vec::len)
}

fn arch_linux(server: &Server) {
    let example = Example::new(server, "archlinux.yml", &[]);
    example.whole();
    let realm = &example.realm;
    let settings = realm.get("");
    for (field, value) in [
        ("displayNameHtml", json!("<div class=\"kc-logo-text\"><span>Arch Linux</span></div>")),
        ("rememberMe", json!(true)),
        ("resetPasswordAllowed", json!(true)),
        ("verifyEmail", json!(true)),
        ("loginWithEmailAllowed", json!(true)),
        ("registrationAllowed", json!(false)),
        ("passwordPolicy", json!("length(8) and notUsername(undefined)")),
        ("ssoSessionIdleTimeout", json!(3600)),
        ("ssoSessionMaxLifespan", json!(86400)),
        ("ssoSessionIdleTimeoutRememberMe", json!(604_800)),
        ("ssoSessionMaxLifespanRememberMe", json!(2_592_000)),
        ("offlineSessionIdleTimeout", json!(2_592_000)),
        ("actionTokenGeneratedByUserLifespan", json!(3600)),
        ("webAuthnPolicyRpEntityName", json!("Arch Linux SSO")),
        ("loginTheme", json!("keycloak.v2")),
        ("accountTheme", json!("keycloak.v3")),
        ("adminTheme", json!("keycloak.v2")),
        ("emailTheme", json!("keycloak")),
        ("bruteForceProtected", json!(true)),
        ("failureFactor", json!(30)),
        ("waitIncrementSeconds", json!(60)),
        ("maxFailureWaitSeconds", json!(900)),
        ("maxDeltaTimeSeconds", json!(43200)),
        ("browserFlow", json!("Arch Browser")),
        ("registrationFlow", json!("Arch Registration")),
        ("resetCredentialsFlow", json!("Arch Reset Credentials")),
        ("eventsExpiration", json!(7_889_238)),
        ("adminEventsEnabled", json!(true)),
        ("adminEventsDetailsEnabled", json!(true)),
    ] {
        assert_eq!(settings[field], value, "{field}");
    }
    assert_eq!(settings["smtpServer"]["password"], hostler::keycloak::MASK);
    assert_eq!(settings["browserSecurityHeaders"].as_object().map(serde_json::Map::len), Some(7));
    assert_eq!(count(&settings["eventsListeners"]), 2);
    // One name, several parents, each group with what its own place says.
    assert_eq!(realm.get("/groups/count")["count"], 29);
    for path in [
        "Arch Linux Staff/Wiki/Admins",
        "Arch Linux Staff/Forum/Admins",
        "Arch Linux Staff/Security Team/Reporters",
        "External Contributors/Security Team/Reporters",
    ] {
        assert_eq!(realm.get(&format!("/group-by-path/{}", path.replace(' ', "%20")))["path"], format!("/{path}"));
    }
    for (path, role) in
        [("Arch%20Linux%20Staff/DevOps", "DevOps"), ("Arch%20Linux%20Staff", "Staff"), ("External%20Contributors", "External Contributor")]
    {
        assert_eq!(realm.get(&format!("/group-by-path/{path}"))["realmRoles"], json!([role]));
    }
    arch_flows(realm);
    let github = realm.get("/identity-provider/instances/github");
    assert_eq!(
        (&github["postBrokerLoginFlowAlias"], &github["config"]["clientSecret"]),
        (&json!("Arch Post Broker"), &json!("**********"))
    );
    let profile = realm.get("/users/profile");
    assert_eq!(count(&profile["attributes"]), 5);
    assert_eq!(by(&profile["attributes"], "name", "pgp_fingerprint")["permissions"]["edit"], json!(["admin"]));
    let actions = realm.get("/authentication/required-actions");
    assert_eq!(by(&actions, "alias", "TERMS_AND_CONDITIONS")["priority"], 60);
    let secrets = example.secrets();
    let mine = realm.get("/clients?first=0&max=100");
    let ours: Vec<&Json> = mine
        .as_array()
        .expect("a list")
        .iter()
        .filter(|client| client["clientId"].as_str().is_some_and(|id| id.starts_with("openid_") || id.starts_with("saml_")))
        .collect();
    assert_eq!(ours.iter().filter(|client| client["protocol"] == "openid-connect").count(), 9);
    for client in ours.iter().filter(|client| client["publicClient"] == false && client["protocol"] == "openid-connect") {
        let id = client["clientId"].as_str().expect("has one").trim_start_matches("openid_");
        assert_eq!(client["secret"].as_str(), secrets.get(&format!("archlinux_{id}_secret")).map(String::as_str), "{id} was handed out");
    }
    let saml = realm.client_named("saml_gitlab");
    assert_eq!((&saml["protocol"], &saml["attributes"]["saml.assertion.signature"]), (&json!("saml"), &json!("true")));
    let mapper = |client: &str, name: &str| by(&realm.client_named(client)["protocolMappers"], "name", name)["protocolMapper"].clone();
    assert_eq!(mapper("openid_hedgedoc", "username"), "oidc-usermodel-property-mapper");
    assert_eq!(mapper("openid_grafana", "roles"), "oidc-usermodel-realm-role-mapper");
}

fn arch_flows(realm: &Realm<'_>) {
    let flows = realm.get("/authentication/flows");
    let ours: Vec<&str> = flows
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|flow| flow["alias"].as_str())
        .filter(|alias| alias.starts_with("Arch "))
        .collect();
    assert_eq!(ours.len(), 4);
    let (mut subflows, mut steps, mut configs) = (0, 0, 0);
    for alias in ours {
        for step in realm.get(&format!("/authentication/flows/{}/executions", alias.replace(' ', "%20"))).as_array().expect("a list") {
            if step["authenticationFlow"] == true {
                subflows += 1
            } else {
                steps += 1
            }
            configs += usize::from(step["authenticationConfig"].is_string());
        }
    }
    assert_eq!((subflows, steps, configs), (8, 19, 1));
    let browser = realm.get("/authentication/flows/Arch%20Browser/executions");
    let shape: Vec<(u64, &str, &str)> = browser
        .as_array()
        .expect("a list")
        .iter()
        .map(|step| {
            let name = step["providerId"].as_str().or(step["displayName"].as_str()).unwrap_or_default();
            (step["level"].as_u64().unwrap_or(0), name, step["requirement"].as_str().unwrap_or_default())
        })
        .collect();
    let wanted = [
        (0, "auth-cookie", "ALTERNATIVE"),
        (0, "identity-provider-redirector", "ALTERNATIVE"),
        (0, "Password and 2FA", "ALTERNATIVE"),
        (1, "auth-username-password-form", "REQUIRED"),
        (1, "2FA", "REQUIRED"),
        (2, "webauthn-authenticator", "ALTERNATIVE"),
        (2, "auth-otp-form", "ALTERNATIVE"),
        (2, "OTP Default", "ALTERNATIVE"),
        (3, "auth-otp-form", "REQUIRED"),
    ];
    assert_eq!(shape, wanted);
    let reset = realm.get("/authentication/flows/Arch%20Reset%20Credentials/executions");
    assert_eq!(by(&reset, "displayName", "Reset 2FA")["requirement"], "CONDITIONAL");
    by(&reset, "providerId", "conditional-user-configured");
}

fn osmo(server: &Server) {
    let example = Example::new(server, "osmo.yml", &["osmo_domain=osmo.corp.test"]);
    example.whole();
    let realm = &example.realm;
    let secrets = example.secrets();
    // The export's mask was never written: the secret was made, and handed out.
    assert_eq!(realm.client_named("osmo-browser-flow")["secret"].as_str(), secrets.get("osmo_client_secret").map(String::as_str));
    assert_eq!(secrets["osmo_cookie_secret"].len(), 44);
    for client in ["osmo-browser-flow", "osmo-device"] {
        let found = realm.client_named(client);
        for field in ["rootUrl", "baseUrl", "adminUrl"] {
            assert_eq!(found[field], "https://osmo.corp.test", "{client} {field}");
        }
        assert_eq!(
            (&found["redirectUris"], &found["webOrigins"]),
            (&json!(["https://osmo.corp.test/*"]), &json!(["https://osmo.corp.test"]))
        );
        let id = found["id"].as_str().expect("has one").to_owned();
        let roles = realm.get(&format!("/clients/{id}/roles"));
        for role in ["osmo-admin", "osmo-user", "osmo-team-a", "osmo-ml-team"] {
            by(&roles, "name", role);
        }
        let mapper = by(&found["protocolMappers"], "name", "roles");
        assert_eq!(
            (&mapper["protocolMapper"], &mapper["config"]["claim.name"]),
            (&json!("oidc-usermodel-client-role-mapper"), &json!("roles"))
        );
    }
    let device = realm.client_named("osmo-device");
    assert_eq!(
        (&device["publicClient"], &device["attributes"]["oauth2.device.authorization.grant.enabled"]),
        (&json!(true), &json!("true"))
    );
    let group = realm.get("/group-by-path/OSMO%20ML%20Team");
    assert_eq!(group["clientRoles"], json!({"osmo-browser-flow": ["osmo-ml-team"], "osmo-device": ["osmo-ml-team"]}));
    let ravi = realm.user_named("ravi");
    assert_eq!((&ravi["enabled"], &ravi["requiredActions"]), (&json!(true), &json!(["UPDATE_PASSWORD"])), "the password is temporary");
    let mappers = realm.get("/identity-provider/instances/corp/mappers");
    assert_eq!(by(&mappers, "name", "team A")["config"]["group"], "/OSMO team-a");
    osmo_questions(&example);
    // An existing realm: what was changed by hand comes back, as a diff.
    let mut changed = device;
    changed["redirectUris"] = json!(["http://localhost:8080/*"]);
    realm.put(&format!("/clients/{}", changed["id"].as_str().expect("has one")), changed.clone());
    let (code, said) = example.run(&["plan"]);
    assert!(code == 2 && said.contains("~ client osmo-device") && said.contains("0 to add, 1 to change, 0 to delete"), "{said}");
    example.must(&["apply", "--yes"]);
}

/// What is asked of a realm that is there: endpoints as Helm values, verification with reasons, access and offboarding.
fn osmo_questions(example: &Example<'_>) {
    let (cli, realm) = (&example.cli, &example.realm);
    let clients = ["--client", "osmo-browser-flow", "--client", "osmo-device"];
    let (code, values) = cli.realm(&[&["endpoints", &realm.name, "--output", "helm"][..], &clients].concat());
    let values: Json = serde_saphyr::from_str(&values).unwrap_or_else(|error| panic!("{code} {error}: {values}"));
    let issuer = values["oauth2"]["issuer"].as_str().expect("has one").to_owned();
    assert!(issuer.ends_with(&format!("/realms/{}", realm.name)), "{issuer}");
    for (endpoint, path) in [("token", "token"), ("auth", "auth"), ("jwks", "certs"), ("device", "auth/device"), ("logout", "logout")] {
        assert_eq!(values["oauth2"][format!("{endpoint}Endpoint")], format!("{issuer}/protocol/openid-connect/{path}"));
    }
    let audiences: Vec<&str> =
        values["jwt"]["providers"].as_array().expect("a list").iter().filter_map(|one| one["aud"].as_str()).collect();
    assert_eq!(audiences, ["osmo-browser-flow", "osmo-device"]);
    osmo_values(cli, realm, &clients);
    let verify = |user: &str| {
        cli.realm(&[&["verify", &realm.name, "--user", user, "--no-login", "--claim", "roles", "--output", "json"][..], &clients].concat())
            .1
    };
    let said = verify("ravi");
    let ravi: Json = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(ravi["user"]["groups"], json!(["/OSMO team-a", "/User"]));
    for client in ravi["clients"].as_array().expect("a list") {
        let mut roles: Vec<&str> = client["claims"]["roles"].as_array().expect("a list").iter().filter_map(Json::as_str).collect();
        roles.sort_unstable();
        assert_eq!(roles, ["osmo-team-a", "osmo-user"], "the token says it: {client}");
        assert!(client["scopes"].as_array().expect("a list").contains(&json!("roles")), "{client}");
    }
    assert!(ravi["obstacles"].to_string().contains("UPDATE_PASSWORD"), "{ravi}");
    // Trouble: without its mapper the claim is gone, and the check says which client lacks what.
    let browser = realm.client_named("osmo-browser-flow");
    let mapper = by(&browser["protocolMappers"], "name", "roles")["id"].as_str().expect("has one").to_owned();
    realm.delete_at(&format!("/clients/{}/protocol-mappers/models/{mapper}", browser["id"].as_str().expect("has one")));
    let said = verify("ravi");
    assert!(said.contains("osmo-browser-flow") && said.contains("no claim `roles`"), "{said}");
    example.must(&["apply", "--yes"]);
    assert!(!verify("ravi").contains("no claim `roles`"));
    let (_, review) = cli.realm(&["access", &realm.name, "--role", "osmo-device/osmo-team-a"]);
    assert!(review.contains("ravi") && review.contains("/OSMO team-a") && !review.contains("olga"), "{review}");
    let (_, leaving) = cli.realm(&["access", &realm.name, "--user", "ravi"]);
    assert!(leaving.contains("/User") && leaving.contains("osmo-browser-flow/osmo-user"), "{leaving}");
}

/// As the README has it: the endpoints as JSON are the variables of a template for OSMO's charts.
fn osmo_values(cli: &Cli<'_>, realm: &Realm<'_>, clients: &[&str]) {
    let (code, endpoints) = cli.realm(&[&["endpoints", &realm.name, "--output", "json"][..], clients].concat());
    assert_eq!(code, 0, "{endpoints}");
    cli.write("endpoints.json", &endpoints);
    let task = format!("src={REALMS}/osmo-values.yml.j2 dest={}", cli.folder.path().join("values.yml").display());
    let done = cli.command(&["do", "localhost", "-m", "template", "-a", &task, "-e", "@endpoints.json"]).output().expect("starts");
    assert!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    let values: Json = serde_saphyr::from_str(&cli.read("values.yml")).expect("is YAML");
    let facts: Json = serde_json::from_str(&endpoints).expect("is JSON");
    let auth = &values["services"]["service"]["auth"];
    for (theirs, ours) in [
        ("device_endpoint", "deviceEndpoint"),
        ("browser_endpoint", "authEndpoint"),
        ("token_endpoint", "tokenEndpoint"),
        ("logout_endpoint", "logoutEndpoint"),
    ] {
        assert_eq!(auth[theirs], facts[ours], "{theirs}");
    }
    let providers = values["sidecars"]["envoy"]["jwt"]["providers"].as_array().expect("a list");
    let audiences: Vec<&str> = providers.iter().filter_map(|one| one["audience"].as_str()).collect();
    assert_eq!(audiences, ["osmo-browser-flow", "osmo-device", "osmo"]);
    assert_eq!((&providers[0]["issuer"], &providers[0]["jwks_uri"]), (&facts["issuer"], &facts["jwksEndpoint"]));
}

fn platform_one(server: &Server) {
    let example = Example::new(server, "platform-one.yml", &[]);
    example.whole();
    let realm = &example.realm;
    for path in
        ["Acme/Products/Radar/developer", "Acme/Products/Sonar/roles/release-manager", "Initech/Reports/collaborator", "IL4%20Authorized"]
    {
        realm.get(&format!("/group-by-path/{path}"));
    }
    let (code, said) = example.cli.realm(&["groups", &realm.name, "--output", "json"]);
    let groups: Json = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{code} {error}: {said}"));
    assert_eq!(by(&groups, "path", "/Acme/Platform/developer")["id"], realm.get("/group-by-path/Acme/Platform/developer")["id"]);
}

fn of_reference(server: &Server) {
    let realm = server.realm("reference");
    for (kind, example) in reference::examples() {
        let (mut given, mut rest) = (String::new(), example);
        while let Some((before, after)) = rest.split_once("{{") {
            given.push_str(&format!("{before}given-Secret-1"));
            rest = after.split_once("}}").expect("an expression ends").1;
        }
        let declared: Json = serde_saphyr::from_str(&(given + rest)).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        if let Err(error) = realm.try_apply(declared.clone()) {
            panic!("the example of {kind:?} fails: {error}");
        }
        let again = realm.try_plan(declared).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert!(again.is_empty(), "the example of {kind:?} is not quiet: {}", hostler::keycloak::render::text(&again));
    }
}

fn converted(server: &Server) {
    let realm = server.realm("converted");
    let cli = Cli::new(server);
    let theirs = json!({
        "realm": realm.name, "displayName": "{{ braces }} of $(env:HOME:-nobody)",
        "clients": [{"clientId": "app", "secret": "$(env:APP_SECRET)", "redirectUris": ["https://app.test/*"]}],
        "users": [{"username": "ann", "userLabel": "x"}],
    });
    cli.write("theirs.json", &theirs.to_string());
    let said = cli.command(&["realm", "convert", "theirs.json", "-o", "ours.yml"]).output().expect("starts");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("warning: user ann has no field `userLabel`") && said.contains("theirs.json:1:"), "{said}");
    let ours = cli.read("ours.yml");
    assert!(ours.replace("''", "'").contains("lookup('ansible.builtin.env', 'APP_SECRET')"), "{ours}");
    cli.write("ours.yml", &ours.lines().filter(|line| !line.contains("userLabel")).map(|line| format!("{line}\n")).collect::<String>());
    let (code, said) = cli.realm(&["apply", "ours.yml", "--yes"]);
    assert_eq!((code, &realm.client_named("app")["secret"]), (0, &json!("of-the-environment")), "{said}");
    assert!(
        realm.get("")["displayName"].as_str().is_some_and(|name| name.starts_with("{{ braces }} of /")),
        "{}",
        realm.get("")["displayName"]
    );
    let refused = {
        cli.write("main.tf", "resource \"keycloak_realm\" \"a\" {}\n");
        cli.command(&["realm", "convert", "main.tf"]).output().expect("starts")
    };
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("hostler realm adopt"));
}
