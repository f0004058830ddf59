//! A state of Terraform, as `terraform show -json` prints it, as a declaration that makes the same realm.

use hostler::keycloak::Json;
use serde_json::json;

use super::Claim;
use super::secrets::Cli;
use super::server::{Server, by};

pub const CLAIMS: &[Claim] = &[("a state of Terraform is converted, and made; what is not known is listed", converted)];

fn resource(sort: &str, name: &str, id: &str, mut values: Json) -> Json {
    values["id"] = id.into();
    let mode = if name.starts_with("data_") { "data" } else { "managed" };
    let provider = "registry.terraform.io/keycloak/keycloak";
    json!({"address": format!("keycloak_{sort}.{name}"), "mode": mode, "type": format!("keycloak_{sort}"), "name": name, "provider_name": provider,
        "values": values, "sensitive_values": {}})
}

fn state(realm: &str) -> Json {
    let of = |sort: &str, name: &str, id: &str, mut values: Json| {
        let field = if sort.contains("identity_provider") { "realm" } else { "realm_id" };
        values[field] = realm.into();
        resource(sort, name, id, values)
    };
    let smtp = json!([{"host": "mail.test", "port": "25", "from": "a@b.test", "ssl": false, "auth": [{"username": "postman", "password": "hunter22"}]}]);
    let headers = json!([{"x_frame_options": "DENY", "x_xss_protection": "1"}]);
    let settings = json!({
        "realm": realm, "enabled": true, "display_name": "{{ Staff }}", "access_token_lifespan": "1h30m0s", "login_theme": "", "internal_id": "i",
        "password_policy": "length(9)", "smtp_server": smtp, "attributes": {"ours": "1"}, "organizations_enabled": null,
        "security_defenses": [{"headers": headers, "brute_force_detection": [{"max_login_failures": 7, "failure_reset_time_seconds": 600}]}],
        "internationalization": [{"supported_locales": ["de", "en"], "default_locale": "en"}],
    });
    let client = json!({
        "client_id": "app", "name": "The app", "access_type": "CONFIDENTIAL", "client_secret": "hunter23", "standard_flow_enabled": true,
        "valid_redirect_uris": ["https://app.test/*"], "valid_post_logout_redirect_uris": ["https://app.test/out", "https://app.test/off"],
        "service_accounts_enabled": true, "service_account_user_id": "u-sa", "resource_server_id": "", "pkce_code_challenge_method": "S256",
        "extra_config": {"acr.loa.map": "{}"}, "authentication_flow_binding_overrides": [{"browser_id": "f-1", "direct_grant_id": ""}],
    });
    let claim =
        json!({"claim_name": "team", "add_to_id_token": true, "add_to_access_token": false, "user_attribute": "team", "multivalued": true});
    let with = |mut values: Json, field: &str, value: &str, name: &str| {
        values[field] = value.into();
        values["name"] = name.into();
        values
    };
    let inner = [
        of("group_roles", "devs", "l-1", json!({"group_id": "g-2", "role_ids": ["r-1", "r-2"], "exhaustive": true})),
        of("group_memberships", "devs", "l-2", json!({"group_id": "g-2", "members": ["ann"]})),
        of("openid_client_default_scopes", "app", "l-3", json!({"client_id": "c-1", "default_scopes": ["basic", "team"]})),
        of(
            "openid_client_service_account_role",
            "app",
            "l-4",
            json!({"service_account_user_id": "u-sa", "client_id": "c-9", "role": "view-users"}),
        ),
        of("default_groups", "all", "l-5", json!({"group_ids": ["g-1"]})),
        of("group_roles", "lost", "l-6", json!({"group_id": "g-1", "role_ids": ["r-9"]})),
    ];
    let root = [
        // Before its parent.
        of("group", "devs", "g-2", json!({"name": "devs", "parent_id": "g-1", "path": "/staff/devs"})),
        resource("realm", "staff", realm, settings),
        of("openid_client", "app", "c-1", client),
        of("openid_client", "data_realm_management", "c-9", json!({"client_id": "realm-management", "client_secret": "hunter24"})),
        of("role", "reader", "r-1", json!({"name": "reader", "description": "Reads", "attributes": {"a": "1##2"}})),
        of("role", "writer", "r-2", json!({"name": "writer", "client_id": "c-1", "composite_roles": ["r-1"]})),
        of("group", "staff", "g-1", json!({"name": "staff", "parent_id": "", "attributes": {"x": "y"}})),
        of(
            "user",
            "ann",
            "u-1",
            json!({"username": "ann", "enabled": true, "email": "a@a.test", "first_name": "A", "last_name": "B", "email_verified": true}),
        ),
        of("openid_client_scope", "team", "s-1", json!({"name": "team", "include_in_token_scope": true, "gui_order": 3})),
        of("openid_user_attribute_protocol_mapper", "team", "m-1", with(claim, "client_scope_id", "s-1", "team")),
        of("openid_hardcoded_role_protocol_mapper", "writer", "m-2", with(json!({"role_id": "r-2"}), "client_id", "c-1", "writer")),
        of("oidc_google_identity_provider", "google", "i-1", json!({"client_id": "x", "client_secret": "hunter25"})),
    ];
    json!({"format_version": "1.0", "terraform_version": "1.9.0", "values": {"root_module": {"resources": root, "child_modules": [{"resources": inner}]}}})
}

fn converted(server: &Server) {
    let realm = server.realm("terraform");
    let cli = Cli::new(server);
    let mut theirs = state(&realm.name);
    cli.write("state.json", &theirs.to_string());
    let convert = |more: &[&str]| {
        let output = cli.command(&[&["realm", "convert", "state.json", "-o", "ours.yml"][..], more].concat()).output().expect("starts");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (done, said) = convert(&[]);
    assert!(done, "{said}");
    for line in [
        "keycloak_oidc_google_identity_provider.google: resources of this type are not known here",
        "keycloak_openid_client.app: `client_secret` is secret and is not copied",
        "keycloak_openid_client.app: `authentication_flow_binding_overrides.browser_id` has no counterpart",
        "keycloak_realm.staff: `smtp_server.auth.password` is secret and is not copied",
        "keycloak_group_roles.lost: the role `r-9` of `role_ids` is not in the file",
    ] {
        assert!(said.contains(line), "no `{line}` in {said}");
    }
    assert_eq!(said.matches("warning").count(), 5, "{said}");
    assert!(!cli.read("ours.yml").contains("hunter"), "no secret is copied");
    let (code, said) = cli.realm(&["apply", "ours.yml", "--yes"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = cli.realm(&["plan", "ours.yml"]);
    assert_eq!(code, 0, "{said}");
    let settings = realm.get("");
    assert_eq!((&settings["displayName"], &settings["accessTokenLifespan"]), (&json!("{{ Staff }}"), &json!(5400)));
    assert_eq!((&settings["failureFactor"], &settings["maxDeltaTimeSeconds"]), (&json!(7), &json!(600)));
    assert_eq!(
        (&settings["smtpServer"]["user"], &settings["browserSecurityHeaders"]["xFrameOptions"]),
        (&json!("postman"), &json!("DENY"))
    );
    assert_eq!((&settings["attributes"]["ours"], &settings["defaultLocale"]), (&json!("1"), &json!("en")));
    let app = realm.client_named("app");
    assert_eq!((&app["publicClient"], &app["redirectUris"]), (&json!(false), &json!(["https://app.test/*"])));
    assert_eq!(app["attributes"]["post.logout.redirect.uris"], "https://app.test/out##https://app.test/off");
    assert_eq!(app["attributes"]["pkce.code.challenge.method"], "S256");
    let mut scopes: Vec<&str> = app["defaultClientScopes"].as_array().expect("a list").iter().filter_map(Json::as_str).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["basic", "team"]);
    assert_eq!(by(&app["protocolMappers"], "name", "writer")["config"]["role"], "app.writer");
    let team = by(&realm.get("/client-scopes"), "name", "team").clone();
    assert_eq!(by(&team["protocolMappers"], "name", "team")["config"]["claim.name"], "team");
    assert_eq!(team["attributes"]["include.in.token.scope"], "true");
    assert_eq!(realm.get("/roles/reader")["attributes"], json!({"a": ["1", "2"]}));
    let devs = realm.get("/group-by-path/staff/devs");
    assert_eq!((&devs["realmRoles"], &devs["clientRoles"]), (&json!(["reader"]), &json!({"app": ["writer"]})));
    assert_eq!(realm.get("/default-groups")[0]["path"], "/staff");
    let ann = realm.user_named("ann")["id"].as_str().expect("has one").to_owned();
    by(&realm.get(&format!("/users/{ann}/groups")), "path", "/staff/devs");
    let account = realm.get(&format!("/clients/{}/service-account-user", app["id"].as_str().expect("has one")));
    let roles = realm.get(&format!("/users/{}/role-mappings", account["id"].as_str().expect("has one")));
    assert_eq!(roles["clientMappings"]["realm-management"]["mappings"][0]["name"], "view-users");
    // A declaration is of one realm.
    let other = resource("realm", "other", "other", json!({"realm": "other"}));
    theirs["values"]["root_module"]["resources"].as_array_mut().expect("a list").push(other);
    cli.write("state.json", &theirs.to_string());
    let (done, said) = convert(&[]);
    assert!(!done && said.contains("other, t-terraform") && said.contains("--realm"), "{said}");
    assert!(convert(&["--realm", "other"]).0 && cli.read("ours.yml").contains("realm: other"), "{}", cli.read("ours.yml"));
}
