//! A server that misbehaves: restarts, answers late, closes connections, answers with pages.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
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

#[tokio::test]
async fn a_reading_that_failed_inside_the_server_is_tried_again_and_a_write_is_not() {
    let server = server().await;
    let failed = || ResponseTemplate::new(500).set_body_json(json!({"error": "unknown_error"}));
    let turns = vec![failed(), failed(), ResponseTemplate::new(200).set_body_json(json!([]))];
    Mock::given(method("GET")).and(path("/admin/x")).respond_with(in_turn(turns)).expect(3).mount(&server).await;
    Mock::given(method("PUT")).and(path("/admin/x")).respond_with(failed()).expect(1).mount(&server).await;
    let client = client(&server.uri());
    assert_eq!(client.get("/admin/x").await.expect("in the end"), json!([]));
    let error = client.put("/admin/x", &json!({})).await.expect_err("it fails").to_string();
    assert_eq!(error, "PUT /admin/x answered 500: unknown_error");
}

/// The token is out and a proxy answers for the server that restarts.
#[tokio::test]
async fn a_restart_is_outlasted_also_when_the_token_has_to_be_fetched_anew() {
    let server = MockServer::start().await;
    let away = || ResponseTemplate::new(502).set_body_string("<html><title>502 Bad Gateway</title>");
    let mut tokens = vec![token("t1", 0)];
    tokens.extend((0..7).map(|_| away()));
    tokens.push(token("t2", 60));
    Mock::given(method("POST"))
        .and(path("/realms/master/protocol/openid-connect/token"))
        .respond_with(in_turn(tokens))
        .mount(&server)
        .await;
    let answers = vec![ResponseTemplate::new(200).set_body_json(json!(1)), away(), ResponseTemplate::new(200).set_body_json(json!(2))];
    Mock::given(path("/admin/x")).respond_with(in_turn(answers)).mount(&server).await;
    let client = client(&server.uri());
    assert_eq!(client.get("/admin/x").await.expect("it is there"), json!(1));
    assert_eq!(client.get("/admin/x").await.expect("it is there again"), json!(2));
}

#[tokio::test]
async fn a_write_that_a_proxy_gave_up_on_is_for_a_new_reading_to_decide() {
    let server = server().await;
    let page = ResponseTemplate::new(502).set_body_string("<html><title>502 Bad Gateway</title>");
    Mock::given(method("POST")).respond_with(page).up_to_n_times(1).with_priority(9).mount(&server).await;
    let error = client(&server.uri()).post("/admin/realms/r/groups", &json!({"name": "g"})).await.expect_err("nobody knows");
    assert!(error.needs_reread() && error.to_string().contains("502 Bad Gateway"), "{error}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_said_and_a_write_is_not_sent_twice() {
    let server = server().await;
    let late = ResponseTemplate::new(201).set_delay(Duration::from_secs(30));
    Mock::given(method("POST")).and(path("/admin/realms")).respond_with(late).expect(1).mount(&server).await;
    let options = Options { timeout: Duration::from_millis(300), ..Options::new(server.uri(), "master", "hostler", Secret::new("s")) };
    let error = Client::new(options).expect("the options are right").post("/admin/realms", &json!({})).await.expect_err("it is late");
    assert!(error.needs_reread() && error.to_string().contains("timed out"), "{error}");
}

/// Takes requests and closes the connection without an answer, but for the last of so many; counts those to `/admin`.
fn closes_connections(before: u32) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let (address, count) = (listener.local_addr().expect("has one"), Arc::new(AtomicU32::new(0)));
    let counted = count.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut text = Vec::new();
            let mut part = [0; 4096];
            while !text.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(length) if length > 0 => text.extend(&part[..length]),
                    _ => break,
                }
            }
            let text = String::from_utf8_lossy(&text).into_owned();
            let is_token = text.starts_with("POST /realms/");
            if is_token || counted.fetch_add(1, Ordering::SeqCst) >= before {
                let body = if is_token { r#"{"access_token": "t1", "expires_in": 60}"# } else { "[]" };
                // The client may have gone.
                let _gone = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            }
        }
    });
    (address, count)
}

#[tokio::test]
async fn a_connection_that_closes_is_opened_again_for_a_reading_and_not_for_a_write() {
    let (address, count) = closes_connections(2);
    assert_eq!(client(&format!("http://{address}")).get("/admin/x").await.expect("in the end"), json!([]));
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let (address, count) = closes_connections(2);
    let asked = client(&format!("http://{address}")).ask("/admin/x", &json!({})).await;
    assert_eq!((asked.expect("a question by POST is a reading too"), count.load(Ordering::SeqCst)), (json!([]), 3));
    let (address, count) = closes_connections(2);
    let error = client(&format!("http://{address}")).post("/admin/x", &json!({})).await.expect_err("nobody knows");
    assert!(error.needs_reread(), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 1, "it may have been carried out");
}

/// A server with a certificate of an authority that nobody knows.
fn unknown_authority() -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("makes one");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("has some");
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key.into()).expect("the key is right");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("has one");
    std::thread::spawn(move || {
        let config = Arc::new(config);
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut session = rustls::ServerConnection::new(config.clone()).expect("the configuration is right");
            // The client ends it.
            let _refused = session.complete_io(&mut stream);
        }
    });
    let other = rcgen::generate_simple_self_signed(vec!["other".into()]).expect("makes one");
    (address, other.cert.pem())
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_named_and_not_waited_for() {
    let (address, other) = unknown_authority();
    let url = format!("https://localhost:{}", address.port());
    for ca_pem in [None, Some(other.into_bytes())] {
        let options =
            Options { ca_pem, resolve: vec![("localhost".into(), address)], ..Options::new(&url, "master", "hostler", Secret::new("s")) };
        let error = Client::new(options).expect("the options are right").log_in().await.expect_err("nobody vouches for it");
        assert!(matches!(error, Error::Certificate { .. }) && error.to_string().contains("ca_file"), "{error}");
    }
}
