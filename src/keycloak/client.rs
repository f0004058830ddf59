//! The Admin API over HTTP: paths in, JSON out, with the retries that are safe.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use reqwest::Method;

use super::Json;
use super::error::{Error, Result};
use super::tls::{http_client, unchecked_client};
use super::token::{Account, Grant, TokenSource, html_title, message_of};
use crate::base::Secret;

/// How often a request is sent at most to a server that is busy.
const ATTEMPTS: u32 = 6;
/// How often to one that has answered before and is away: with the waits between them more than four minutes, longer than a restart.
const AWAY_ATTEMPTS: u32 = 36;
/// The longest wait between two attempts, in seconds.
const LONGEST_WAIT: u64 = 9;

/// Where Keycloak is, and as whom we come.
pub struct Options {
    pub url: String,
    pub auth_realm: String,
    pub client_id: String,
    pub client_secret: Secret,
    /// PEM text of the authorities to trust besides the public ones.
    pub ca_pem: Option<Vec<u8>>,
    pub resolve: Vec<(String, SocketAddr)>,
    pub timeout: Duration,
    pub grant: Grant,
    /// Off only for the modules that have the option: whoever stands between may then be anybody.
    pub check_certificate: bool,
}

impl Options {
    /// A service account at a server, with nothing special.
    pub fn new(url: impl Into<String>, auth_realm: impl Into<String>, client_id: impl Into<String>, client_secret: Secret) -> Self {
        Options {
            url: url.into(),
            auth_realm: auth_realm.into(),
            client_id: client_id.into(),
            client_secret,
            ca_pem: None,
            resolve: Vec::new(),
            timeout: Duration::from_secs(300),
            grant: Grant::ClientCredentials,
            check_certificate: true,
        }
    }
}

/// A client for one server and one service account. Clones share connections and token.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    base: String,
    http: reqwest::Client,
    tokens: TokenSource,
    requests: AtomicU32,
    /// It has answered once: from then on, nothing listening means that it restarts.
    answered: AtomicBool,
}

/// What a POST made.
#[derive(Debug, Default)]
pub struct Created {
    /// From `Location`, or from the body where the server answers with one.
    pub id: Option<String>,
    pub body: Json,
}

struct Answer {
    status: u16,
    location: Option<String>,
    retry_after: Option<u64>,
    text: String,
}

enum Outcome {
    Done(Answer),
    /// Worth another try, after so many seconds where the server names them.
    Again(Error, Option<u64>),
    /// Nobody listens, or only a proxy answers: it restarts.
    Away(Error, Option<u64>),
    Failed(Error),
}

/// What it means to send a request twice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// It changes nothing.
    Reading,
    /// The second one changes nothing more.
    Harmless,
    /// One whose answer is lost may have been carried out, and another would do it again: only a new reading can tell.
    Never,
}

impl Client {
    /// # Errors
    /// When the URL or the CA text is not usable. No request is made.
    pub fn new(options: Options) -> Result<Self> {
        let base = options.url.trim_end_matches('/').to_owned();
        let parsed = url::Url::parse(&base).map_err(|_| Error::Url(options.url.clone()))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() {
            return Err(Error::Url(options.url));
        }
        let http = match options.check_certificate {
            true => http_client(options.ca_pem.as_deref(), &options.resolve, options.timeout)?,
            false => unchecked_client(options.timeout)?,
        };
        let token_url = format!("{base}/realms/{}/protocol/openid-connect/token", encode(&options.auth_realm));
        let tokens = TokenSource::new(Account {
            token_url,
            client_id: options.client_id,
            client_secret: options.client_secret,
            grant: options.grant,
        });
        Ok(Client { inner: Arc::new(Inner { base, http, tokens, requests: AtomicU32::new(0), answered: AtomicBool::new(false) }) })
    }

    /// The service account's secret: the key from which the ledger of applied secrets derives its own.
    pub fn secret(&self) -> &Secret {
        let account = self.inner.tokens.account();
        match &account.grant {
            Grant::Password { password, .. } => password,
            _ => &account.client_secret,
        }
    }

    /// How many requests were made so far, those for tokens not counted.
    pub fn requests(&self) -> u32 {
        self.inner.requests.load(Ordering::Relaxed)
    }

    /// Logs in: tells bad credentials and an absent server before anything else is asked.
    pub async fn log_in(&self) -> Result<()> {
        self.inner.tokens.get(&self.inner.http).await.map(|_| ())
    }

    pub async fn get(&self, path: &str) -> Result<Json> {
        let answer = self.request(Method::GET, path, None, Repeat::Reading).await?;
        parse(&answer, &self.url(path))
    }

    /// As `get`, with `None` for what does not exist.
    pub async fn find(&self, path: &str) -> Result<Option<Json>> {
        match self.get(path).await {
            Err(error) if error.is_missing() => Ok(None),
            other => other.map(Some),
        }
    }

    /// A list; an answer that is no list counts as empty.
    pub async fn list(&self, path: &str) -> Result<Vec<Json>> {
        Ok(match self.get(path).await? {
            Json::Array(items) => items,
            _ => Vec::new(),
        })
    }

    /// Asks by a POST that changes nothing; tried again as a GET is.
    pub async fn ask(&self, path: &str, body: &Json) -> Result<Json> {
        let answer = self.request(Method::POST, path, Some(body), Repeat::Reading).await?;
        parse(&answer, &self.url(path))
    }

    pub async fn post(&self, path: &str, body: &Json) -> Result<Created> {
        let answer = self.request(Method::POST, path, Some(body), Repeat::Never).await?;
        let text = if answer.text.trim().is_empty() { Json::Null } else { parse(&answer, &self.url(path))? };
        let located = answer.location.as_deref().and_then(|location| location.rsplit('/').next()).map(str::to_owned);
        let id = located.or_else(|| text["id"].as_str().map(str::to_owned));
        Ok(Created { id, body: text })
    }

    pub async fn put(&self, path: &str, body: &Json) -> Result<()> {
        self.request(Method::PUT, path, Some(body), Repeat::Harmless).await.map(|_| ())
    }

    /// Deletes; what is already gone is success.
    pub async fn delete(&self, path: &str, body: Option<&Json>) -> Result<()> {
        match self.request(Method::DELETE, path, body, Repeat::Harmless).await {
            Err(error) if error.is_missing() => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// One request with another token than the account's own: an endpoint that knows tokens of its own kind.
    ///
    /// # Errors
    /// As `get`; nothing is tried again.
    pub async fn request_as(&self, method: &'static str, path: &str, body: Option<&Json>, token: &Secret) -> Result<Json> {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
        let answer = self.send(&method, path, body, token).await.map_err(|cause| Error::unanswered(self.url(path), &cause))?;
        if answer.status >= 300 {
            return Err(self.error(&method, path, &answer));
        }
        parse(&answer, &self.url(path))
    }

    /// The whole address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.inner.base)
    }

    async fn request(&self, method: Method, path: &str, body: Option<&Json>, repeat: Repeat) -> Result<Answer> {
        let mut attempt = 0;
        loop {
            let (error, most, after) = match self.attempt(&method, path, body, repeat).await {
                Outcome::Done(answer) => return Ok(answer),
                Outcome::Failed(error) => return Err(error),
                Outcome::Again(error, after) => (error, ATTEMPTS, after),
                Outcome::Away(error, after) => (error, AWAY_ATTEMPTS, after),
            };
            attempt += 1;
            if attempt >= most {
                return Err(error);
            }
            let longest = Duration::from_secs(LONGEST_WAIT);
            let wait =
                after.map_or(Duration::from_millis(50 << attempt.min(10)).min(longest), |seconds| Duration::from_secs(seconds.min(20)));
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, method: &Method, path: &str, body: Option<&Json>, repeat: Repeat) -> Outcome {
        let token = match self.inner.tokens.get(&self.inner.http).await {
            Ok(token) => token,
            Err(error) if self.has_answered() && error.is_away() => return Outcome::Away(error, None),
            Err(error) => return Outcome::Failed(error),
        };
        let answer = match self.send(method, path, body, &token).await {
            Ok(answer) => answer,
            Err(cause) => {
                let sent = !cause.is_connect();
                let error = Error::unanswered(self.url(path), &cause);
                if !error.is_unreachable() {
                    return Outcome::Failed(error);
                }
                let again = sent && repeat != Repeat::Never && !cause.is_timeout();
                return match (again, !sent && self.has_answered()) {
                    (_, true) => Outcome::Away(error, None),
                    (true, false) => Outcome::Again(error, None),
                    (false, false) => Outcome::Failed(error),
                };
            }
        };
        if answer.status < 300 {
            self.inner.answered.store(true, Ordering::Relaxed);
            return Outcome::Done(answer);
        }
        if answer.status == 401 {
            // The token ran out, or the server was given new keys. A client that is gone fails at the next fetch with its own words.
            self.inner.tokens.reject(&token).await;
            return Outcome::Again(self.error(method, path, &answer), Some(0));
        }
        let error = self.error(method, path, &answer);
        // One that a proxy gave up on may have been carried out all the same.
        let repeatable = repeat != Repeat::Never;
        match answer.status {
            503 if self.has_answered() => Outcome::Away(error, answer.retry_after),
            502 | 504 if repeatable && self.has_answered() => Outcome::Away(error, answer.retry_after),
            429 | 503 => Outcome::Again(error, answer.retry_after),
            502 | 504 if repeatable => Outcome::Again(error, answer.retry_after),
            // A reading that failed inside the server; a write that did is for the caller to look at.
            500 if repeat == Repeat::Reading => Outcome::Again(error, None),
            _ => Outcome::Failed(error),
        }
    }

    fn has_answered(&self) -> bool {
        self.inner.answered.load(Ordering::Relaxed)
    }

    async fn send(&self, method: &Method, path: &str, body: Option<&Json>, token: &Secret) -> Result<Answer, reqwest::Error> {
        self.inner.requests.fetch_add(1, Ordering::Relaxed);
        // Without `Accept`, some endpoints of 26.7 answer YAML.
        let mut request =
            self.inner.http.request(method.clone(), self.url(path)).header("accept", "application/json").bearer_auth(token.expose());
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (location, retry_after) = (header("location"), header("retry-after").and_then(|text| text.parse().ok()));
        Ok(Answer { status: response.status().as_u16(), location, retry_after, text: response.text().await? })
    }

    fn error(&self, method: &Method, path: &str, answer: &Answer) -> Error {
        if answer.text.trim_start().starts_with('<') {
            return Error::Html { url: self.url(path), status: answer.status, title: html_title(&answer.text) };
        }
        let message = serde_json::from_str::<Json>(&answer.text).map_or_else(|_| "no reason given".into(), |body| message_of(&body));
        let method = match *method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PUT => "PUT",
            _ => "DELETE",
        };
        Error::Api { method, path: path.to_owned(), status: answer.status, message }
    }
}

fn parse(answer: &Answer, url: &str) -> Result<Json> {
    // A search that finds nothing is 204 in places.
    if answer.text.trim().is_empty() {
        return Ok(Json::Null);
    }
    serde_json::from_str(&answer.text).map_err(|_| Error::Html {
        url: url.to_owned(),
        status: answer.status,
        title: html_title(&answer.text),
    })
}

/// One segment of a path, percent-encoded.
pub fn encode(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
