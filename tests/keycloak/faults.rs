//! A server that misbehaves: restarts, answers late, closes connections, answers with pages.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hostler::base::Secret;
use hostler::keycloak::login::{Login, log_in};
use hostler::keycloak::{Client, Error, Options};
use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

fn client(url: &str) -> Client {
    let options = Options { timeout: Duration::from_secs(5), ..Options::new(url, "master", "hostler", Secret::new("s")) };
    Client::new(options).expect("the options are right")
}

fn token(value: &str, life: u64) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"access_token": value, "expires_in": life}))
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/realms/master/protocol/openid-connect/token"))
        .respond_with(token("t1", 60))
        .mount(&server)
        .await;
    server
}

/// Answers the n-th request with the n-th template, and the last one from then on.
fn in_turn(templates: Vec<ResponseTemplate>) -> impl Fn(&Request) -> ResponseTemplate {
    let count = AtomicU32::new(0);
    move |_: &Request| {
        let turn = count.fetch_add(1, Ordering::SeqCst) as usize;
        templates[turn.min(templates.len() - 1)].clone()
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let server = server().await;
    let turns = vec![
        ResponseTemplate::new(503),
        ResponseTemplate::new(429).insert_header("retry-after", "0"),
        ResponseTemplate::new(502),
        ResponseTemplate::new(200).set_body_json(json!([])),
    ];
    Mock::given(path("/admin/realms")).respond_with(in_turn(turns)).expect(4).mount(&server).await;
    assert_eq!(client(&server.uri()).get("/admin/realms").await.expect("in the end"), json!([]));
}

#[tokio::test]
async fn a_write_that_may_have_arrived_is_not_sent_twice() {
    let server = server().await;
    Mock::given(method("POST")).and(path("/admin/realms")).respond_with(ResponseTemplate::new(504)).expect(1).mount(&server).await;
    let error = client(&server.uri()).post("/admin/realms", &json!({})).await.expect_err("it fails");
    assert!(matches!(error, Error::Api { status: 504, .. }), "{error}");
}

#[tokio::test]
async fn a_crowd_of_requests_fetches_one_token() {
    let server = MockServer::start().await;
    let slow = token("t1", 60).set_delay(Duration::from_millis(200));
    Mock::given(method("POST")).and(path("/realms/master/protocol/openid-connect/token")).respond_with(slow).expect(1).mount(&server).await;
    Mock::given(path("/admin/x"))
        .and(header("authorization", "Bearer t1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!(1)))
        .mount(&server)
        .await;
    let client = client(&server.uri());
    let all = futures_util::future::join_all((0..20).map(|_| client.get("/admin/x"))).await;
    assert!(all.into_iter().all(|answer| answer.is_ok()));
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_after_it_was_refused() {
    let server = MockServer::start().await;
    let tokens = in_turn(vec![token("t1", 60), token("t2", 0), token("t3", 60)]);
    Mock::given(method("POST")).and(path("/realms/master/protocol/openid-connect/token")).respond_with(tokens).mount(&server).await;
    let answers = |request: &Request| match request.headers.get("authorization").and_then(|value| value.to_str().ok()) {
        Some("Bearer t1") => ResponseTemplate::new(401).set_body_json(json!({"error": "HTTP 401 Unauthorized"})),
        Some(bearer) => ResponseTemplate::new(200).set_body_json(json!(bearer)),
        None => ResponseTemplate::new(400),
    };
    Mock::given(path("/admin/x")).respond_with(answers).mount(&server).await;
    let client = client(&server.uri());
    assert_eq!(client.get("/admin/x").await.expect("a new token"), json!("Bearer t2"));
    assert_eq!(client.get("/admin/x").await.expect("t2 lives no second"), json!("Bearer t3"));
    assert_eq!(client.get("/admin/x").await.expect("t3 lives on"), json!("Bearer t3"));
}

#[tokio::test]
async fn a_page_instead_of_json_is_named_with_its_title() {
    let server = server().await;
    let page = ResponseTemplate::new(200).set_body_string("<html><title>Welcome to nginx</title></html>");
    Mock::given(path("/admin/realms")).respond_with(page).mount(&server).await;
    let error = client(&server.uri()).get("/admin/realms").await.expect_err("it is no JSON").to_string();
    assert!(error.contains("HTML page (`Welcome to nginx`)"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_away_is_not_bad_credentials() {
    let server = MockServer::start().await;
    let away = json!({"error": "unauthorized_client", "error_description": "Unexpected error when authenticating client"});
    let turns = vec![ResponseTemplate::new(400).set_body_json(away), token("t1", 60)];
    Mock::given(method("POST")).and(path("/realms/master/protocol/openid-connect/token")).respond_with(in_turn(turns)).mount(&server).await;
    assert!(client(&server.uri()).log_in().await.is_ok());
}

#[tokio::test]
async fn wrong_credentials_are_said_at_once_and_name_the_client() {
    let server = MockServer::start().await;
    let refused = ResponseTemplate::new(401)
        .set_body_json(json!({"error": "invalid_client", "error_description": "Invalid client or Invalid client credentials"}));
    Mock::given(method("POST"))
        .and(path("/realms/master/protocol/openid-connect/token"))
        .respond_with(refused)
        .expect(1)
        .mount(&server)
        .await;
    let error = client(&server.uri()).log_in().await.expect_err("it is refused").to_string();
    assert!(error.contains("`hostler`") && error.contains("Invalid client"), "{error}");
}

#[tokio::test]
async fn nothing_that_listens_is_said_without_waiting() {
    let begin = std::time::Instant::now();
    let error = client("http://127.0.0.1:9").log_in().await.expect_err("nobody is there");
    assert!(error.is_unreachable() && begin.elapsed() < Duration::from_secs(3), "{error}");
}

#[test]
fn an_authority_file_without_a_certificate_is_refused() {
    let options =
        Options { ca_pem: Some(b"not a certificate".to_vec()), ..Options::new("https://idp.test", "master", "hostler", Secret::new("s")) };
    let error = Client::new(options).map(|_| ()).expect_err("it is none").to_string();
    assert_eq!(error, "the CA file is not usable: it holds no PEM certificate");
}

/// A realm whose login form answers the n-th filling with the n-th template; the client takes no passwords itself.
async fn login_form(filled: impl Fn(&str) -> Vec<ResponseTemplate>, times: u64) -> (MockServer, Login) {
    let server = MockServer::start().await;
    let not_this_grant = ResponseTemplate::new(400).set_body_json(json!({"error": "unauthorized_client"}));
    Mock::given(path("/realms/r/protocol/openid-connect/token")).respond_with(not_this_grant).mount(&server).await;
    Mock::given(path("/realms/r/protocol/openid-connect/auth")).respond_with(form(&server.uri(), "")).mount(&server).await;
    Mock::given(method("POST")).and(path("/form")).respond_with(in_turn(filled(&server.uri()))).expect(times).mount(&server).await;
    let login = Login {
        url: server.uri(),
        realm: "r".into(),
        client_id: "app".into(),
        client_secret: None,
        username: "ann".into(),
        password: Secret::new("pw"),
        redirect_uri: Some("https://app.test/cb".into()),
        scope: "openid".into(),
        ca_pem: None,
        resolve: Vec::new(),
    };
    (server, login)
}

fn form(server: &str, complaint: &str) -> ResponseTemplate {
    let page = format!(
        r#"<form id="kc-form-login" action="{server}/form"><input name="username"><input name="password"><span id="input-error">{complaint}</span>"#
    );
    ResponseTemplate::new(200).set_body_string(page)
}

#[tokio::test]
async fn a_login_form_that_comes_back_without_a_complaint_is_filled_again() {
    let onward = ResponseTemplate::new(302).insert_header("location", "https://app.test/cb?state=x");
    let (_server, login) = login_form(|server| vec![form(server, ""), onward.clone()], 2).await;
    // The second filling leads on to the client, where this server's part ends.
    let error = log_in(&login).await.expect_err("the state is another one").to_string();
    assert!(error.contains("another state"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_sent_once() {
    let (_server, login) = login_form(|server| vec![form(server, "Invalid username or password.")], 1).await;
    let error = log_in(&login).await.expect_err("it is wrong").to_string();
    assert!(error.contains("Invalid username or password."), "{error}");
}
