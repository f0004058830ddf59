//! Who may do what: the service account, the login of a user, a caller that sees too little.

use hostler::base::Secret;
use hostler::keycloak::access::{ServiceAccount, establish, look};
use hostler::keycloak::login::{Login, log_in};
use hostler::keycloak::{Client, Declaration, Error, apply, blocking, render};
use serde_json::json;

use super::Claim;
use super::declared::everything;
use super::server::Server;

pub const CLAIMS: &[Claim] = &[
    ("the bootstrap client makes the service account and deletes itself, once", bootstrap),
    ("the service account with create-realm alone makes and keeps a realm", least),
    ("the roles that the docs name are enough for a realm that is there", documented_roles),
    ("a caller that sees too little is told so, and nothing is planned", blind),
    ("a user logs in by password and by the form, and has the groups", login),
];

fn temporary(server: &Server, id: &str) -> Client {
    let admin = server.client();
    let made = json!({"clientId": id, "secret": "temporary", "serviceAccountsEnabled": true, "publicClient": false});
    blocking::run(|| async {
        for left in admin.list(&format!("/admin/realms/master/clients?clientId={id}")).await? {
            admin.delete(&format!("/admin/realms/master/clients/{}", left["id"].as_str().unwrap_or_default()), None).await?;
        }
        let client = admin.post("/admin/realms/master/clients", &made).await?.id.expect("has one");
        let user = admin.get(&format!("/admin/realms/master/clients/{client}/service-account-user")).await?;
        let role = admin.get("/admin/realms/master/roles/admin").await?;
        let path = format!("/admin/realms/master/users/{}/role-mappings/realm", user["id"].as_str().unwrap_or_default());
        admin.post(&path, &json!([{"id": role["id"], "name": "admin"}])).await
    })
    .expect("the temporary client is made");
    server.client_as("master", id, "temporary")
}

fn account() -> ServiceAccount {
    ServiceAccount { client_id: "t-hostler".into(), client_secret: Secret::new("t-hostler-secret"), roles: vec!["create-realm".into()] }
}

/// The account as a fresh server's bootstrap makes it.
fn established(server: &Server) -> Client {
    let (temporary, account) = (temporary(server, "t-bootstrap"), account());
    blocking::run(|| establish(&temporary, "t-bootstrap", "master", &account)).expect("it is made");
    server.client_as("master", "t-hostler", "t-hostler-secret")
}

fn bootstrap(server: &Server) {
    let admin = server.client();
    let gone = |id: &str| {
        blocking::run(|| async {
            for left in admin.list(&format!("/admin/realms/master/clients?clientId={id}")).await? {
                admin.delete(&format!("/admin/realms/master/clients/{}", left["id"].as_str().unwrap_or_default()), None).await?;
            }
            Ok(())
        })
        .expect("cleans");
    };
    gone("t-hostler");
    let temporary = temporary(server, "t-bootstrap");
    let service = server.client_as("master", "t-hostler", "t-hostler-secret");
    let found = blocking::run(|| look(&service, Some(&temporary))).expect("looks");
    assert!(found.account && found.leftover);
    let account = account();
    blocking::run(|| establish(&temporary, "t-bootstrap", "master", &account)).expect("it is made");
    // Fresh clients: the old ones hold tokens.
    let (service, temporary) =
        (server.client_as("master", "t-hostler", "t-hostler-secret"), server.client_as("master", "t-bootstrap", "temporary"));
    assert!(blocking::run(|| look(&service, Some(&temporary))).expect("looks").is_done());
    let wrong = server.client_as("master", "t-hostler", "wrong");
    let refusal = blocking::run(|| look(&wrong, None)).expect_err("it may not log in");
    assert!(matches!(refusal, Error::Credentials { .. }), "{refusal}");
}

fn least(server: &Server) {
    let client = established(server);
    let realm = server.realm("least");
    let mut declared = everything();
    declared["realm"] = realm.name.as_str().into();
    // Roles of the realm's own administration only its administrator may grant.
    declared["users"][2]["clientRoles"] = json!({});
    let declaration = Declaration::parse(&declared).expect("is right");
    blocking::run(|| apply::apply(&client, &declaration)).unwrap_or_else(|error| panic!("{error}"));
    assert!(blocking::run(|| apply::preview(&client, &declaration)).expect("plans").is_empty());
}

/// The roles in the sentence of docs/realm.md, no more and no less.
fn documented_roles(server: &Server) {
    let realm = server.realm("documented");
    let mut declared = everything();
    declared["users"][2]["clientRoles"] = json!({});
    // More than there are groups and roles: those are then asked for their users.
    let one = |name: String| {
        json!({"username": name, "email": format!("{name}@staff.test"), "firstName": "M", "lastName": "N", "groups": ["/Staff"],
            "realmRoles": ["reporter"]})
    };
    let many = (0..80).map(|number| one(format!("many-{number}")));
    declared["users"].as_array_mut().expect("a list").extend(many);
    let mut first = declared.clone();
    first["clients"]
        .as_array_mut()
        .expect("a list")
        .push(json!({"clientId": "planner", "secret": "planner-secret", "serviceAccountsEnabled": true}));
    realm.settle(first);
    let docs = include_str!("../../docs/realm.md").replace('\n', " ");
    let sentence = docs
        .split("an account needs the realm's roles")
        .nth(1)
        .and_then(|rest| rest.split("are declared").next())
        .expect("the docs say it");
    let roles: Vec<&str> = sentence.split('`').skip(1).step_by(2).flat_map(str::split_whitespace).collect();
    assert_eq!(roles.len(), 6, "{roles:?}");
    let user = realm.user_named("service-account-planner")["id"].as_str().expect("has one").to_owned();
    let management = realm.client_named("realm-management")["id"].as_str().expect("has one").to_owned();
    for role in roles {
        let role = realm.get(&format!("/clients/{management}/roles/{role}"));
        realm.post(&format!("/users/{user}/role-mappings/clients/{management}"), json!([{"id": role["id"], "name": role["name"]}]));
    }
    declared["realm"] = realm.name.as_str().into();
    declared["failureFactor"] = 7.into();
    declared["clients"][0]["description"] = "by the planner".into();
    declared["groups"][0]["attributes"]["org"] = json!(["z"]);
    declared["eventsExpiration"] = 99.into();
    let declaration = Declaration::parse(&declared).expect("is right");
    let planner = server.client_as(&realm.name, "planner", "planner-secret");
    blocking::run(|| apply::apply(&planner, &declaration)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(realm.get("")["failureFactor"], 7);
    let plan = || blocking::run(|| apply::preview(&planner, &declaration)).unwrap_or_else(|error| panic!("{error}"));
    assert!(plan().is_empty(), "{}", render::text(&plan()));
    let (role, group) = (realm.get("/roles/reporter"), realm.get("/group-by-path/Staff"));
    let id = |number: usize| realm.user_named(&format!("many-{number}"))["id"].as_str().expect("has one").to_owned();
    realm.delete_with(&format!("/users/{}/role-mappings/realm", id(7)), Some(json!([role])));
    realm.delete_at(&format!("/users/{}/groups/{}", id(9), group["id"].as_str().expect("has one")));
    let text = render::text(&plan());
    assert!(text.contains("user many-7") && text.contains("user many-9") && text.contains("2 to change"), "{text}");
}

fn blind(server: &Server) {
    let realm = server.realm("blind");
    realm.settle(
        json!({"groups": [{"name": "a"}], "clients": [{"clientId": "viewer", "secret": "viewer-secret", "serviceAccountsEnabled": true}]}),
    );
    let viewer = realm.user_named("service-account-viewer")["id"].as_str().expect("has one").to_owned();
    let management = realm.client_named("realm-management")["id"].as_str().expect("has one").to_owned();
    let grant = |role: &str| {
        let role = realm.get(&format!("/clients/{management}/roles/{role}"));
        realm.post(&format!("/users/{viewer}/role-mappings/clients/{management}"), json!([{"id": role["id"], "name": role["name"]}]));
    };
    let declared = json!({"realm": realm.name, "users": [{"username": "ann"}]});
    let declaration = Declaration::parse(&declared).expect("is right");
    for role in ["query-users", "query-groups", "view-realm", "manage-realm", "view-clients"] {
        grant(role);
        let client = server.client_as(&realm.name, "viewer", "viewer-secret");
        let refusal = blocking::run(|| apply::preview(&client, &declaration)).map(|_| ()).expect_err("it sees too little");
        assert!(matches!(refusal, Error::Rights { .. }), "with {role}: {refusal}");
    }
}

fn login(server: &Server) {
    let realm = server.realm("login");
    let mut declared = everything();
    declared["clients"][0]["redirectUris"] = json!(["https://app.test/*", "https://app.test/cb"]);
    // The flow of the fixture sends everybody on to an identity provider.
    declared["browserFlow"] = "browser".into();
    realm.settle(declared);
    let login = |client: &str, secret: Option<&str>, user: &str, password: &str| Login {
        url: server.url.clone(),
        realm: realm.name.clone(),
        client_id: client.into(),
        client_secret: secret.map(Secret::new),
        username: user.into(),
        password: Secret::new(password),
        redirect_uri: Some(if client == "app" { "https://app.test/cb" } else { "http://localhost:8000" }.into()),
        scope: "openid groups".into(),
        ca_pem: None,
        resolve: Vec::new(),
    };
    let claims = |login: Login| blocking::run(|| log_in(&login));
    // A second factor is a default required action here; the checker has none waiting once it is taken from the user.
    let checker = realm.user_named("checker")["id"].as_str().expect("has one").to_owned();
    realm.put(&format!("/users/{checker}"), json!({"requiredActions": []}));
    let by_password = claims(login("app", Some("app-secret-1"), "checker", "checker-password")).expect("logs in");
    assert_eq!(by_password.grant, "password");
    assert!(by_password.groups.contains(&"/Staff".to_owned()), "{:?}", by_password.groups);
    let by_form = claims(login("kubectl", None, "checker", "checker-password")).expect("logs in");
    assert_eq!(by_form.grant, "code");
    let refused = |login: Login| claims(login).map(|_| ()).expect_err("it is refused").to_string();
    assert!(refused(login("app", Some("app-secret-1"), "checker", "wrong")).contains("Invalid user credentials"));
    assert!(refused(login("app", Some("wrong"), "checker", "x")).contains("its secret is wrong"));
    assert!(refused(login("app", Some("app-secret-1"), "ann", "first-password")).contains("required action is waiting"));
    assert!(refused(login("kubectl", None, "ann", "first-password")).contains("required action is waiting"));
    let mut other = login("app", Some("app-secret-1"), "checker", "checker-password");
    other.url = format!("{}/", server.url);
    assert!(claims(other).is_ok(), "a slash at the end of the URL does no harm");
}
