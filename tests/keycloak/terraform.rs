//! A state of Terraform, as `terraform show -json` prints it, as a declaration that makes the same realm.

use hostler::keycloak::Json;
use serde_json::json;

use super::Claim;
use super::secrets::Cli;
use super::server::{Realm, Server, by};

pub const CLAIMS: &[Claim] = &[("a state that Terraform wrote is converted, and made; what is not known is listed", converted)];

/// The state that OpenTofu 1.10.10 and the provider 5.9.0 left after they had made a realm on Keycloak 26.7.3: `show -json`, its secrets replaced,
/// and without what tells of the provider.
const STATE: &str = include_str!("terraform.json");

fn resource(sort: &str, name: &str, values: Json) -> Json {
    json!({"address": format!("keycloak_{sort}.{name}"), "mode": "managed", "type": format!("keycloak_{sort}"), "name": name, "values": values,
        "sensitive_values": {}})
}

fn converted(server: &Server) {
    let realm = server.realm("terraform");
    let cli = Cli::new(server);
    let mut theirs: Json = serde_json::from_str(STATE).expect("JSON");
    let root = &mut theirs["values"]["root_module"];
    // What a state may have besides: resources of a module, and what points to nothing.
    let lost = json!({"realm_id": "t-terraform", "group_id": "g-1", "role_ids": ["r-9"]});
    let elsewhere =
        json!({"realm_id": "t-terraform", "parent_flow_alias": "browser", "authenticator": "auth-cookie", "requirement": "REQUIRED"});
    root["child_modules"] = json!([{"resources": [
        resource("group", "g", json!({"realm_id": "t-terraform", "id": "g-1", "name": "of a module"})),
        resource("group_roles", "lost", lost),
        resource("authentication_execution", "elsewhere", elsewhere),
        resource("users_permissions", "all", json!({"realm_id": "t-terraform", "enabled": true})),
    ]}]);
    cli.write("state.json", &theirs.to_string());
    let convert = |more: &[&str]| {
        let output = cli.command(&[&["realm", "convert", "state.json", "-o", "ours.yml"][..], more].concat()).output().expect("starts");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (done, said) = convert(&[]);
    assert!(done, "{said}");
    let secret = "`client_secret` is secret and is not copied";
    let unordered = "has no order there, and one in Keycloak: it is not copied";
    let listed = [
        ("authentication_execution.elsewhere", "its flow `browser` is not in the file"),
        ("group_roles.lost", "the role `r-9` of `role_ids` is not in the file"),
        ("ldap_user_federation.ldap", "`bind_credential` is secret and is not copied"),
        ("oidc_google_identity_provider.google", secret),
        ("oidc_identity_provider.partner", secret),
        ("openid_client.api", secret),
        ("openid_client.app", secret),
        ("openid_client.guarded", "`authorization.keep_defaults = false` has no counterpart"),
        ("openid_client.guarded", secret),
        ("realm.staff", "`smtp_server.auth.password` is secret and is not copied"),
        ("realm.staff", &format!("`web_authn_passwordless_policy.signature_algorithms` {unordered}")),
        ("realm.staff", &format!("`web_authn_policy.signature_algorithms` {unordered}")),
        ("saml_client.wiki", "`signing_private_key` is secret and is not copied"),
        ("users_permissions.all", "resources of this type are not known here"),
        ("user.ann", "`initial_password.value` is secret and is not copied"),
        ("user_roles.bob", "`exhaustive = false` has no counterpart"),
    ];
    for (address, why) in listed {
        assert!(said.contains(&format!("keycloak_{address}: {why}")), "no `{address}: {why}` in {said}");
    }
    assert_eq!(said.matches("warning").count(), listed.len(), "{said}");
    assert!(!cli.read("ours.yml").contains("hunter"), "no secret is copied");
    let (code, said) = cli.realm(&["apply", "ours.yml", "--yes"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = cli.realm(&["plan", "ours.yml"]);
    assert_eq!(code, 0, "{said}");
    has_settings(&realm);
    has_clients(&realm);
    has_people(&realm);
    has_providers_and_flows(&realm);
    has_components_and_profile(&realm);
    has_authorization(&realm);
    // A declaration is of one realm.
    let other = resource("realm", "other", json!({"realm": "other", "id": "other"}));
    theirs["values"]["root_module"]["resources"].as_array_mut().expect("a list").push(other);
    cli.write("state.json", &theirs.to_string());
    let (done, said) = convert(&[]);
    assert!(!done && said.contains("other, t-terraform") && said.contains("--realm"), "{said}");
    assert!(convert(&["--realm", "other"]).0 && cli.read("ours.yml").contains("realm: other"), "{}", cli.read("ours.yml"));
}

fn has_settings(realm: &Realm) {
    let settings = realm.get("");
    let has = |field: &str, value: Json| assert_eq!(settings[field], value, "{field}");
    has("displayName", json!("{{ Staff }}"));
    has("accessTokenLifespan", json!(5400));
    has("bruteForceProtected", json!(true));
    has("failureFactor", json!(7));
    has("maxDeltaTimeSeconds", json!(600));
    has("internationalizationEnabled", json!(true));
    has("defaultLocale", json!("en"));
    has("otpPolicyDigits", json!(8));
    has("webAuthnPolicyRpEntityName", json!("Staff"));
    // The bindings, and not the flows that the realm's own resource has as well.
    has("browserFlow", json!("ours"));
    assert_eq!((&settings["smtpServer"]["user"], &settings["smtpServer"]["auth"]), (&json!("postman"), &json!("true")));
    assert_eq!(settings["browserSecurityHeaders"]["xFrameOptions"], "DENY");
    assert_eq!(settings["attributes"]["ours"], "1");
    let events = realm.get("/events/config");
    let mut types: Vec<&str> = events["enabledEventTypes"].as_array().expect("a list").iter().filter_map(Json::as_str).collect();
    types.sort_unstable();
    assert_eq!((types, &events["eventsExpiration"]), (vec!["LOGIN", "LOGOUT"], &json!(3600)));
    assert_eq!(realm.get("/localization/en")["greeting"], "Hello");
    let terms = realm.get("/authentication/required-actions/TERMS_AND_CONDITIONS");
    assert_eq!((&terms["name"], &terms["enabled"], &terms["defaultAction"]), (&json!("Terms"), &json!(true), &json!(true)));
}

fn has_clients(realm: &Realm) {
    let app = realm.client_named("app");
    assert_eq!((&app["publicClient"], &app["redirectUris"]), (&json!(false), &json!(["https://app.test/*"])));
    assert_eq!(app["attributes"]["post.logout.redirect.uris"], "https://app.test/off##https://app.test/out");
    assert_eq!(app["attributes"]["pkce.code.challenge.method"], "S256");
    let flows = realm.get("/authentication/flows");
    assert_eq!(app["authenticationFlowBindingOverrides"]["browser"], by(&flows, "alias", "ours")["id"]);
    let mut scopes: Vec<&str> = app["defaultClientScopes"].as_array().expect("a list").iter().filter_map(Json::as_str).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["basic", "team"]);
    assert_eq!(by(&app["protocolMappers"], "name", "writer")["config"]["role"], "app.writer");
    let account = realm.get(&format!("/clients/{}/service-account-user", app["id"].as_str().expect("has one")));
    let roles = realm.get(&format!("/users/{}/role-mappings", account["id"].as_str().expect("has one")));
    assert_eq!(roles["clientMappings"]["realm-management"]["mappings"][0]["name"], "view-users");
    let team = by(&realm.get("/client-scopes"), "name", "team").clone();
    assert_eq!(by(&team["protocolMappers"], "name", "team")["config"]["claim.name"], "team");
    // A scope has no text for consent, so it is not asked for: without a word Keycloak would.
    assert_eq!(
        (&team["attributes"]["include.in.token.scope"], &team["attributes"]["display.on.consent.screen"]),
        (&json!("true"), &json!("false"))
    );
    let page = realm.client_named("page");
    assert_eq!((&page["publicClient"], realm.client_named("api")["bearerOnly"].clone()), (&json!(true), json!(true)));
    assert_eq!(by(&page["protocolMappers"], "name", "app roles")["config"]["usermodel.clientRoleMapping.clientId"], "app");
    let wiki = realm.client_named("https://wiki.test/saml");
    let has = |name: &str, value: &str| assert_eq!(wiki["attributes"][name], value, "{name}");
    has("saml_assertion_consumer_url_post", "https://wiki.test/acs");
    has("saml_signature_canonicalization_method", "http://www.w3.org/2001/10/xml-exc-c14n#");
    has("saml.encryption.digestMethod", "http://www.w3.org/2001/04/xmlenc#sha256");
    has("saml.encryption.keyAlgorithm", "http://www.w3.org/2009/xmlenc11#rsa-oaep");
    assert_eq!(by(&wiki["protocolMappers"], "name", "mail")["config"]["attribute.name"], "mail");
}

fn has_people(realm: &Realm) {
    assert_eq!(realm.get("/roles/reader")["attributes"], json!({"a": ["1", "2"]}));
    let devs = realm.get("/group-by-path/staff/devs");
    assert_eq!((&devs["realmRoles"], &devs["clientRoles"]), (&json!(["reader"]), &json!({"app": ["writer"]})));
    assert_eq!(realm.get("/group-by-path/of%20a%20module")["name"], "of a module");
    assert_eq!(realm.get("/default-groups")[0]["path"], "/staff");
    let composites = realm.get("/roles/default-roles-t-terraform/composites");
    by(&composites, "name", "reader");
    let ann = realm.user_named("ann")["id"].as_str().expect("has one").to_owned();
    by(&realm.get(&format!("/users/{ann}/groups")), "path", "/staff/devs");
    let organizations = realm.get("/organizations");
    let acme = by(&organizations, "alias", "acme");
    assert_eq!(acme["domains"], json!([{"name": "acme.test", "verified": true}]));
}

fn has_providers_and_flows(realm: &Realm) {
    let providers = realm.get("/identity-provider/instances");
    let partner = by(&providers, "alias", "partner");
    assert_eq!((&partner["providerId"], &partner["trustEmail"]), (&json!("oidc"), &json!(true)));
    assert_eq!((&partner["config"]["tokenUrl"], &partner["config"]["syncMode"]), (&json!("https://partner.test/token"), &json!("FORCE")));
    assert_eq!(by(&providers, "alias", "google")["config"]["hostedDomain"], "staff.test");
    assert_eq!(by(&providers, "alias", "old")["config"]["entityId"], "https://old.test/entity");
    let mappers = realm.get("/identity-provider/instances/partner/mappers");
    let mail = by(&mappers, "name", "mail");
    assert_eq!((&mail["identityProviderMapper"], &mail["config"]["claim"]), (&json!("oidc-user-attribute-idp-mapper"), &json!("upn")));
    assert_eq!(by(&mappers, "name", "reader")["config"]["role"], "reader");
    assert_eq!(by(&mappers, "name", "name")["config"]["template"], "${CLAIM.upn}");
    let steps = realm.get("/authentication/flows/ours/executions");
    let shown: Vec<(&str, &str, i64)> = (steps.as_array().expect("a list").iter())
        .map(|step| {
            let name = step["providerId"].as_str().or(step["displayName"].as_str()).expect("has one");
            (name, step["requirement"].as_str().expect("has one"), step["level"].as_i64().expect("a number"))
        })
        .collect();
    let expected = [
        ("auth-cookie", "ALTERNATIVE", 0),
        ("identity-provider-redirector", "ALTERNATIVE", 0),
        ("ours forms", "ALTERNATIVE", 0),
        ("auth-username-password-form", "REQUIRED", 1),
    ];
    assert_eq!(shown, expected);
    let config = steps[1]["authenticationConfig"].as_str().expect("has one");
    assert_eq!(realm.get(&format!("/authentication/config/{config}"))["config"]["defaultProvider"], "partner");
}

fn has_components_and_profile(realm: &Realm) {
    let components = realm.get("/components");
    let ldap = by(&components, "name", "ldap");
    let config = |name: &str| ldap["config"][name][0].as_str().unwrap_or_default();
    assert_eq!((config("connectionUrl"), config("searchScope"), config("authType")), ("ldap://ldap.test", "1", "simple"));
    assert_eq!((config("usernameLDAPAttribute"), config("useTruststoreSpi")), ("uid", "ldapsOnly"));
    let phone = by(&components, "name", "phone");
    assert_eq!((&phone["parentId"], &phone["providerId"]), (&ldap["id"], &json!("user-attribute-ldap-mapper")));
    assert_eq!(
        (&phone["config"]["ldap.attribute"][0], &phone["config"]["user.model.attribute"][0]),
        (&json!("telephoneNumber"), &json!("phone"))
    );
    let key = by(&components, "name", "ours rsa");
    assert_eq!((&key["providerId"], &key["config"]["priority"][0]), (&json!("rsa-generated"), &json!("200")));
    let profile = realm.get("/users/profile");
    let team = by(&profile["attributes"], "name", "team");
    assert_eq!((&team["displayName"], &team["validations"]["length"]["max"]), (&json!("Team"), &json!("20")));
    assert_eq!(team["permissions"]["edit"], json!(["admin"]));
}

fn has_authorization(realm: &Realm) {
    let id = realm.client_named("guarded")["id"].as_str().expect("has one").to_owned();
    let services = realm.get(&format!("/clients/{id}/authz/resource-server/settings"));
    assert_eq!((&services["policyEnforcementMode"], &services["decisionStrategy"]), (&json!("ENFORCING"), &json!("UNANIMOUS")));
    by(&services["scopes"], "name", "view");
    let doc = by(&services["resources"], "name", "doc");
    assert_eq!((&doc["uris"], &doc["scopes"][0]["name"]), (&json!(["/doc/*"]), &json!("view")));
    let config = |policy: &str, name: &str| -> Json {
        let text = by(&services["policies"], "name", policy)["config"][name].as_str().unwrap_or_default().to_owned();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{policy}: {error}: {text}"))
    };
    assert_eq!(config("readers", "roles"), json!([{"id": "reader", "required": true}]));
    assert_eq!((config("see", "resources"), config("see", "applyPolicies")), (json!(["doc"]), json!(["readers"])));
}
