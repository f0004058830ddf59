//! The example application, `examples/tracker`, with the realm of Arch Linux and a real browser.

use hostler::keycloak::Json;
use serde_json::json;

use super::Claim;
use super::examples::shipped;
use super::server::{Realm, Server, by};
use crate::support::browser::Browser;
use crate::support::http::blocking_client;
use crate::support::tracker::{Place, Tracker};

pub const CLAIMS: &[Claim] = &[
    ("an application makes its user at the first login, and refreshes role and e-mail at every one", refreshed),
    ("an application's permissions are cumulative: each role may what those below it may", cumulative),
    ("an application refuses whom it must not let in, and a login that did not begin in this browser", refused),
];

const PASSWORD: &str = "correct-horse-9";
const SECRET: &str = "a secret: with / and +";

const REPORTERS: &str = "/Arch Linux Staff/Security Team/Reporters";
const MODERATORS: &str = "/Arch Linux Staff/Forum/Mods";
const MEMBERS: &str = "/Arch Linux Staff/Security Team/Members";

/// The realm as it is shipped, and over it what the example's README applies to try it.
fn arch<'a>(server: &'a Server, name: &str, place: &Place, users: Json) -> Realm<'a> {
    let mut shipped = shipped("archlinux.yml");
    let clients = shipped["clients"].as_array_mut().expect("a list");
    let tracker = clients.iter_mut().find(|client| client["clientId"] == "openid_security_tracker").expect("there is one");
    tracker["secret"] = SECRET.into();
    let mut tried: Json = serde_saphyr::from_str(include_str!("../../examples/tracker/try.yml")).expect("it is YAML");
    tried["clients"][0]["redirectUris"] = json!([format!("{}/callback", place.url())]);
    tried["users"] = users;
    let realm = server.realm(name);
    realm.apply(shipped);
    realm.settle(tried);
    realm
}

fn user(name: &str, groups: &[&str]) -> Json {
    json!({
        "username": name, "enabled": true, "email": format!("{name}@archlinux.test"), "emailVerified": true, "groups": groups,
        "firstName": "Given", "lastName": "Family",
        "credentials": [{"type": "password", "value": PASSWORD, "temporary": false}],
    })
}

fn boot(server: &Server, realm: &Realm<'_>, place: &Place) -> Tracker {
    place.boot(&format!("{}/realms/{}", server.url, realm.name), SECRET)
}

/// Through the login form.
fn log_in(browser: &Browser, tracker: &Tracker, name: &str) {
    browser.visit(&tracker.url);
    browser.click("#login");
    browser.fill("#username", name);
    browser.fill("#password", PASSWORD);
    browser.click("#kc-login");
}

fn group_of(realm: &Realm<'_>, path: &str) -> String {
    let found = realm.get(&format!("/group-by-path{}", path.replace(' ', "%20")));
    found["id"].as_str().expect("has one").to_owned()
}

fn refreshed(server: &Server) {
    let place = Place::own();
    let realm = arch(server, "tracker", &place, json!([user("ann", &[REPORTERS])]));
    let (tracker, browser) = (boot(server, &realm, &place), Browser::start());
    let shown = || ["#user", "#email", "#role"].map(|selector| browser.text(selector));

    log_in(&browser, &tracker, "ann");
    assert_eq!(shown(), ["ann", "ann@archlinux.test", "reporter"]);
    let first = browser.cookie("session");

    let mut ann = realm.user_named("ann");
    let id = ann["id"].as_str().expect("has one").to_owned();
    let membership = |path: &str| format!("/users/{id}/groups/{}", group_of(&realm, path));
    realm.put(&membership(MEMBERS), json!({}));
    ann["email"] = "ann@example.test".into();
    realm.put(&format!("/users/{id}"), ann);
    browser.visit(&tracker.url);
    assert_eq!(shown()[2], "reporter", "a role changes at a login, not before");

    // Keycloak knows the browser: no form this time.
    browser.visit(&format!("{}/login", tracker.url));
    assert_eq!(shown(), ["ann", "ann@example.test", "security team"], "in two groups, the higher role counts");
    assert_ne!(browser.cookie("session"), first);
    let with = |session: &str| {
        let asked = blocking_client().get(&tracker.url);
        asked.header("cookie", format!("session={session}")).send().and_then(reqwest::blocking::Response::text).expect("it answers")
    };
    assert!(!with(&first).contains("ann"), "the first session's token still works");
    assert!(with(&browser.cookie("session")).contains("ann"));

    // The last group that counts is taken away, then the last one of all: Keycloak leaves the claim out.
    for (kept, status, reason) in [
        (Some(MODERATORS), 403, "ann is in no group that has a role here"),
        (None, 400, "the identity provider does not tell the user's `groups`"),
    ] {
        realm.put(&membership(REPORTERS), json!({}));
        browser.visit(&format!("{}/login", tracker.url));
        assert!(["reporter", "security team"].contains(&shown()[2].as_str()));
        for path in [MEMBERS, REPORTERS, MODERATORS] {
            realm.delete_at(&membership(path));
        }
        if let Some(path) = kept {
            realm.put(&membership(path), json!({}));
        }
        browser.visit(&format!("{}/login", tracker.url));
        assert_eq!(browser.page("#reason"), (status, reason.to_owned()));
        browser.visit(&tracker.url);
        assert_eq!(browser.text("#login"), "Log in", "the earlier session outlives the refusal");
    }

    realm.put(&membership(REPORTERS), json!({}));
    browser.visit(&format!("{}/login", tracker.url));
    assert_eq!(shown()[2], "reporter");
    browser.click("#logout");
    assert_eq!(browser.text("#login"), "Log in");
}

fn cumulative(server: &Server) {
    let place = Place::own();
    let roles = [
        ("ada", "/Arch Linux Staff/DevOps", "administrator", 4),
        ("sam", MEMBERS, "security team", 3),
        // The same leaf name under another parent.
        ("rob", "/External Contributors/Security Team/Reporters", "reporter", 2),
        ("gus", "/Arch Linux Staff/Developers", "guest", 1),
    ];
    let users: Vec<Json> = roles.iter().map(|(name, group, ..)| user(name, &[group])).collect();
    let realm = arch(server, "roles", &place, users.into());
    let tracker = boot(server, &realm, &place);
    // From the last one up, so that the administrator sees them all.
    for (name, _, role, pages) in roles.into_iter().rev() {
        let browser = Browser::start();
        log_in(&browser, &tracker, name);
        assert_eq!(browser.text("#role"), role);
        for (index, page) in ["/advisories", "/report", "/edit", "/users"].into_iter().enumerate() {
            browser.visit(&format!("{}{page}", tracker.url));
            let expected = if index < pages { 200 } else { 403 };
            assert_eq!(browser.status(), expected, "{name} at {page}: {}", browser.text("body"));
        }
        if role == "administrator" {
            let listed = browser.text("body");
            let all = roles.iter().all(|(name, _, role, _)| listed.contains(&format!("{name} · {name}@archlinux.test · {role}")));
            assert!(all, "{listed}");
        }
    }
}

fn refused(server: &Server) {
    let place = Place::own();
    let mut unproven = user("unproven", &[REPORTERS]);
    unproven["emailVerified"] = false.into();
    let users = json!([unproven, user("elsewhere", &[MODERATORS]), user("twin", &[REPORTERS])]);
    let realm = arch(server, "refused", &place, users);
    let tracker = boot(server, &realm, &place);
    for (name, status, reason) in [
        ("unproven", 403, "the e-mail address unproven@archlinux.test is not verified"),
        ("elsewhere", 403, "elsewhere is in no group that has a role here"),
    ] {
        let browser = Browser::start();
        log_in(&browser, &tracker, name);
        assert_eq!(browser.page("#reason"), (status, reason.to_owned()), "{name}");
        browser.visit(&tracker.url);
        assert_eq!(browser.text("#login"), "Log in", "{name} has a session");
    }

    let browser = Browser::start();
    log_in(&browser, &tracker, "twin");
    assert_eq!(browser.text("#role"), "reporter");
    // Somebody else gets the address of a user who left.
    let twin = realm.user_named("twin")["id"].as_str().expect("has one").to_owned();
    realm.delete_at(&format!("/users/{twin}"));
    realm.post("/users", user("twin", &[REPORTERS]));
    let browser = Browser::start();
    log_in(&browser, &tracker, "twin");
    let reason = "the e-mail address twin@archlinux.test belongs to another user here";
    assert_eq!(browser.page("#reason"), (403, reason.to_owned()));

    // A realm that keeps addresses to itself.
    let scopes = realm.get("/client-scopes");
    let scope = by(&scopes, "name", "email");
    let id = |value: &Json| value["id"].as_str().expect("has one").to_owned();
    realm.delete_at(&format!(
        "/client-scopes/{}/protocol-mappers/models/{}",
        id(scope),
        id(by(&scope["protocolMappers"], "name", "email"))
    ));
    browser.visit(&format!("{}/login", tracker.url));
    let reason = "the identity provider does not tell the user's `email`";
    assert_eq!(browser.page("#reason"), (400, reason.to_owned()));

    // A login of somebody's own, brought into another browser.
    for answer in ["state=forged&code=x", "code=x", "state=&code=x"] {
        browser.visit(&format!("{}/callback?{answer}", tracker.url));
        let reason = "this is no answer to a login that began in this browser";
        assert_eq!(browser.page("#reason"), (400, reason.to_owned()), "{answer}");
    }
}
