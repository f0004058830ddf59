//! The example application with a stand-in for Keycloak, which says what a real one never would.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::http::client;
use crate::support::tracker::{Place, Tracker};

const CLIENT: &str = "openid_security_tracker";
const SECRET: &str = "a secret: with / and +";

#[tokio::test]
async fn whoever_the_provider_vouches_for_is_let_in() {
    let mut idp = Idp::start().await;
    let shown = idp.log_in(&Case::default()).await;
    assert_eq!((shown.status, shown.location.as_deref()), (303, Some("/")), "{}", shown.page);
    let page = idp.get("/", &[("session", &shown.cookies["session"])]).await.page;
    assert!(page.contains("ann") && page.contains("reporter"), "{page}");
}

#[tokio::test]
async fn the_question_has_state_nonce_and_a_challenge_that_only_this_application_can_meet() {
    let mut idp = Idp::start().await;
    let begun = idp.begin().await;
    for (name, value) in [("response_type", "code"), ("client_id", CLIENT), ("code_challenge_method", "S256")] {
        assert_eq!(begun.query[name], value);
    }
    assert!(begun.query["scope"].split(' ').any(|scope| scope == "openid"));
    assert_eq!(begun.query["redirect_uri"], format!("{}/callback", idp.tracker.url));
    let other = idp.begin().await;
    for name in ["state", "nonce", "code_challenge"] {
        assert!(begun.query[name].len() >= 43, "{name} can be guessed");
        assert_ne!(begun.query[name], other.query[name], "{name} is used twice");
    }
    idp.answer(&begun, &Case::default()).await;
    assert_eq!(idp.callback(&begun, "code=the-code").await.status, 303);
    let requests = idp.server.received_requests().await.expect("they are kept");
    let traded = requests.iter().find(|request| request.url.path() == "/token").expect("it asked for tokens");
    let form: HashMap<String, String> = url::form_urlencoded::parse(&traded.body).into_owned().collect();
    assert_eq!((form["grant_type"].as_str(), form["code"].as_str()), ("authorization_code", "the-code"));
    assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"])), begun.query["code_challenge"]);
    let expected = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{CLIENT}:a+secret%3A+with+%2F+and+%2B")));
    assert_eq!(traded.headers["authorization"], expected.as_str());
}

#[tokio::test]
async fn an_id_token_that_proves_nothing_is_refused() {
    let mut idp = Idp::start().await;
    let claims = |change: fn(&mut Json)| Case { claims: Some(change), ..Case::default() };
    let signed = |sign: Sign| Case { sign, ..Case::default() };
    for (what, case) in [
        ("signed with another key", signed(|idp, payload| idp.jwt(&json!({"alg": "ES256", "kid": "key"}), payload, &Idp::key()))),
        ("of an unknown key", signed(|idp, payload| idp.jwt(&json!({"alg": "ES256", "kid": "other"}), payload, &idp.key))),
        ("without a key's name", signed(|idp, payload| idp.jwt(&json!({"alg": "ES256"}), payload, &idp.key))),
        ("without a signature", signed(|_, payload| format!("{}.{}.", part(&json!({"alg": "none", "kid": "key"})), part(payload)))),
        (
            "whose signature was cut off",
            signed(|_, payload| format!("{}.{}.", part(&json!({"alg": "ES256", "kid": "key"})), part(payload))),
        ),
        ("signed with the public key as a password", signed(Idp::with_public_key)),
        ("that is no token", signed(|_, _| "nonsense".to_owned())),
        ("of another issuer", claims(|claims| claims["iss"] = "https://elsewhere.test/realms/archlinux".into())),
        ("without an issuer", claims(|claims| remove(claims, "iss"))),
        ("for another application", claims(|claims| claims["aud"] = "openid_wiki".into())),
        ("for other applications", claims(|claims| claims["aud"] = json!(["openid_wiki", "account"]))),
        ("for nobody", claims(|claims| remove(claims, "aud"))),
        ("that was made for another client", claims(|claims| claims["azp"] = "openid_wiki".into())),
        ("that is too old", claims(|claims| claims["exp"] = (now() - 3600).into())),
        ("that never ends", claims(|claims| remove(claims, "exp"))),
        ("that ends some day", claims(|claims| claims["exp"] = "tomorrow".into())),
        ("of another login", claims(|claims| claims["nonce"] = "another".into())),
        ("of no login", claims(|claims| remove(claims, "nonce"))),
        ("of nobody", claims(|claims| remove(claims, "sub"))),
    ] {
        let shown = idp.log_in(&case).await;
        assert_eq!(shown.status, 400, "a token {what}: {}", shown.page);
        assert!(shown.page.contains("the ID token is not accepted"), "a token {what}: {}", shown.page);
        assert!(!shown.cookies.contains_key("session"), "a token {what} gives a session");
    }
}

#[tokio::test]
async fn a_user_of_whom_too_little_or_the_wrong_is_told_is_refused() {
    let mut idp = Idp::start().await;
    let info = |change: fn(&mut Json)| Case { userinfo: Some(change), ..Case::default() };
    for (what, status, reason, case) in [
        ("no sub", 400, "`sub`", info(|info| remove(info, "sub"))),
        ("no e-mail", 400, "`email`", info(|info| remove(info, "email"))),
        ("an empty e-mail", 400, "`email`", info(|info| info["email"] = "".into())),
        ("no name", 400, "`preferred_username`", info(|info| remove(info, "preferred_username"))),
        ("no groups", 400, "`groups`", info(|info| remove(info, "groups"))),
        ("another user", 400, "another user", info(|info| info["sub"] = "id-of-bob".into())),
        ("nothing of the e-mail", 403, "not verified", info(|info| remove(info, "email_verified"))),
        ("an unverified e-mail", 403, "not verified", info(|info| info["email_verified"] = false.into())),
        ("no group that counts", 403, "no group", info(|info| info["groups"] = json!(["/Arch Linux Staff"]))),
        ("a group's last name only", 403, "no group", info(|info| info["groups"] = json!(["Reporters", "/Reporters"]))),
        ("no user information", 400, "no user information", Case { userinfo_status: 401, ..Case::default() }),
        ("a code that is not accepted", 400, "not accepted", Case { token_status: 400, ..Case::default() }),
    ] {
        let shown = idp.log_in(&case).await;
        assert_eq!(shown.status, status, "{what}: {}", shown.page);
        assert!(shown.page.contains(reason), "{what}: {}", shown.page);
        assert!(!shown.cookies.contains_key("session"), "{what}: gives a session");
    }
}

#[tokio::test]
async fn a_provider_that_is_broken_is_not_the_users_fault() {
    let mut idp = Idp::start().await;
    for case in [Case { token_status: 500, ..Case::default() }, Case { userinfo_status: 503, ..Case::default() }] {
        let shown = idp.log_in(&case).await;
        assert_eq!(shown.status, 502, "{}", shown.page);
        assert!(!shown.page.contains("http"), "the page tells what is inside: {}", shown.page);
    }
    let other = Idp::start().await;
    other.server.reset().await;
    let liar = json!({"issuer": "https://elsewhere.test", "authorization_endpoint": "x", "token_endpoint": "x", "userinfo_endpoint": "x",
        "jwks_uri": "x"});
    other.mount("/.well-known/openid-configuration", ResponseTemplate::new(200).set_body_json(liar)).await;
    assert_eq!(other.get("/login", &[]).await.status, 502);
}

#[tokio::test]
async fn only_the_browser_that_began_a_login_ends_it_and_once() {
    let mut idp = Idp::start().await;
    let (mine, other) = (idp.begin().await, idp.begin().await);
    idp.answer(&mine, &Case::default()).await;
    let state = &mine.query["state"];
    let answer = format!("/callback?code=x&state={state}");
    assert_eq!(idp.get(&answer, &[]).await.status, 400, "a browser that began nothing");
    assert_eq!(idp.get(&answer, &[("login", &other.query["state"])]).await.status, 400, "a browser that began another login");
    assert_eq!(idp.get("/callback?code=x&state=forged", &[("login", "forged")]).await.status, 400, "a state that nobody was given");
    assert_eq!(idp.callback(&mine, "code=x").await.status, 303);
    assert_eq!(idp.callback(&mine, "code=x").await.status, 400, "the same answer twice");
    assert_eq!(idp.callback(&other, "error=access_denied").await.status, 403, "the provider refuses");
}

#[tokio::test]
async fn an_address_belongs_to_one_user_and_may_be_handed_on() {
    let mut idp = Idp::start().await;
    let bob: fn(&mut Json) = |claims| claims["sub"] = "id-of-bob".into();
    let claims_ann: fn(&mut Json) = |info| {
        info["sub"] = "id-of-bob".into();
        info["preferred_username"] = "bob".into();
        info["email"] = "ANN@archlinux.test".into();
    };
    let as_bob = Case { claims: Some(bob), userinfo: Some(claims_ann), ..Case::default() };
    assert_eq!(idp.log_in(&Case::default()).await.status, 303);
    let shown = idp.log_in(&as_bob).await;
    assert_eq!(shown.status, 403);
    assert!(shown.page.contains("belongs to another user"), "{}", shown.page);
    let moved: fn(&mut Json) = |info| info["email"] = "ann@example.test".into();
    assert_eq!(idp.log_in(&Case { userinfo: Some(moved), ..Case::default() }).await.status, 303);
    assert_eq!(idp.log_in(&as_bob).await.status, 303, "nobody has the address any more");
}

#[tokio::test]
async fn what_a_user_is_called_is_text_and_not_a_page() {
    let mut idp = Idp::start().await;
    let named: fn(&mut Json) = |info| info["preferred_username"] = "<script>alert(1)</script>".into();
    let shown = idp.log_in(&Case { userinfo: Some(named), ..Case::default() }).await;
    let page = idp.get("/", &[("session", &shown.cookies["session"])]).await.page;
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"), "{page}");
}

type Sign = fn(&Idp, &Json) -> String;

/// A login, and what is out of the ordinary with it.
struct Case {
    claims: Option<fn(&mut Json)>,
    sign: Sign,
    userinfo: Option<fn(&mut Json)>,
    token_status: u16,
    userinfo_status: u16,
}

impl Default for Case {
    fn default() -> Case {
        let sign: Sign = |idp, payload| idp.jwt(&json!({"alg": "ES256", "kid": "key"}), payload, &idp.key);
        Case { claims: None, sign, userinfo: None, token_status: 200, userinfo_status: 200 }
    }
}

/// The stand-in, and the application that asks it.
struct Idp {
    server: MockServer,
    tracker: Tracker,
    key: EcdsaKeyPair,
    http: reqwest::Client,
}

/// A browser on its way to the login form.
struct BegunLogin {
    query: HashMap<String, String>,
}

/// What a browser is shown.
struct Shown {
    status: u16,
    location: Option<String>,
    cookies: HashMap<String, String>,
    page: String,
}

impl Idp {
    async fn start() -> Idp {
        let server = MockServer::start().await;
        let tracker = Place::own().boot(&server.uri(), SECRET);
        let idp = Idp { server, tracker, key: Idp::key(), http: client() };
        idp.mount_discovery().await;
        idp
    }

    fn key() -> EcdsaKeyPair {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).expect("a key")
    }

    fn jwt(&self, header: &Json, payload: &Json, key: &EcdsaKeyPair) -> String {
        let message = format!("{}.{}", part(header), part(payload));
        let signature = key.sign(&SystemRandom::new(), message.as_bytes()).expect("signs");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The classic: a symmetric algorithm, with what everybody may read as its password.
    fn with_public_key(&self, payload: &Json) -> String {
        let message = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "key"})), part(payload));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.key.public_key().as_ref());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, message.as_bytes())))
    }

    async fn mount(&self, at: &str, answer: ResponseTemplate) {
        Mock::given(path(at)).respond_with(answer).mount(&self.server).await;
    }

    async fn mount_discovery(&self) {
        let issuer = self.server.uri();
        let endpoints = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"), "jwks_uri": format!("{issuer}/keys"),
        });
        self.mount("/.well-known/openid-configuration", ResponseTemplate::new(200).set_body_json(endpoints)).await;
    }

    async fn begin(&self) -> BegunLogin {
        let shown = self.get("/login", &[]).await;
        let location = url::Url::parse(&shown.location.unwrap_or_else(|| panic!("no redirect: {}", shown.page))).expect("a URL");
        let query: HashMap<String, String> = location.query_pairs().into_owned().collect();
        assert_eq!(shown.cookies["login"], query["state"]);
        BegunLogin { query }
    }

    /// From now on the stand-in answers so.
    async fn answer(&mut self, begun: &BegunLogin, case: &Case) {
        let mut claims = json!({
            "iss": self.server.uri(), "aud": CLIENT, "azp": CLIENT, "sub": "id-of-ann", "exp": now() + 300, "iat": now(),
            "nonce": begun.query["nonce"],
        });
        let mut userinfo = json!({
            "sub": "id-of-ann", "email": "ann@archlinux.test", "email_verified": true, "preferred_username": "ann",
            "groups": ["/Arch Linux Staff/Developers", "/Arch Linux Staff/Security Team/Reporters", "/Arch Linux Staff/Bug Wranglers"],
        });
        if let Some(change) = case.claims {
            change(&mut claims);
        }
        if let Some(change) = case.userinfo {
            change(&mut userinfo);
        }
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "key", "x": x, "y": y}]});
        let tokens = json!({"access_token": "access", "token_type": "Bearer", "id_token": (case.sign)(self, &claims)});
        self.server.reset().await;
        self.mount("/keys", ResponseTemplate::new(200).set_body_json(keys)).await;
        self.mount("/token", ResponseTemplate::new(case.token_status).set_body_json(tokens)).await;
        self.mount("/userinfo", ResponseTemplate::new(case.userinfo_status).set_body_json(userinfo)).await;
        self.mount_discovery().await;
    }

    /// The browser comes back with this.
    async fn callback(&self, begun: &BegunLogin, answer: &str) -> Shown {
        let state = &begun.query["state"];
        self.get(&format!("/callback?{answer}&state={state}"), &[("login", state)]).await
    }

    async fn log_in(&mut self, case: &Case) -> Shown {
        let begun = self.begin().await;
        self.answer(&begun, case).await;
        self.callback(&begun, "code=x").await
    }

    async fn get(&self, at: &str, cookies: &[(&str, &str)]) -> Shown {
        let mut asked = self.http.get(format!("{}{at}", self.tracker.url));
        for (name, value) in cookies {
            asked = asked.header("cookie", format!("{name}={value}"));
        }
        let answer = asked.send().await.expect("the application answers");
        let text = |value: &reqwest::header::HeaderValue| value.to_str().expect("is text").to_owned();
        let cookies = answer.headers().get_all("set-cookie").iter().map(text).collect::<Vec<_>>();
        assert!(cookies.iter().all(|cookie| cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax")), "{cookies:?}");
        let pair =
            |cookie: &String| cookie.split(';').next().and_then(|pair| pair.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned()));
        Shown {
            status: answer.status().as_u16(),
            location: answer.headers().get("location").map(text),
            cookies: cookies.iter().filter_map(pair).collect(),
            page: answer.text().await.expect("a page"),
        }
    }
}

fn part(json: &Json) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn remove(object: &mut Json, key: &str) {
    object.as_object_mut().expect("a map").remove(key).expect("it is there");
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64
}
