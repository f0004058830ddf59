//! A login as a user sees it, through the public URL: by password grant where the client allows it, else through the login form with the
//! authorization code flow and PKCE.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use sha2::{Digest, Sha256};

use super::client::encode;
use super::error::{Error, Result};
use super::tls::http_client;
use super::token::{html_title, message_of};
use super::{Body, Json};
use crate::base::Secret;

pub struct Login {
    pub url: String,
    pub realm: String,
    pub client_id: String,
    pub client_secret: Option<Secret>,
    pub username: String,
    pub password: Secret,
    /// Where the client lets Keycloak send the code; needed for the login form only.
    pub redirect_uri: Option<String>,
    pub scope: String,
    pub ca_pem: Option<Vec<u8>>,
    pub resolve: Vec<(String, SocketAddr)>,
}

/// What the token says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoggedIn {
    pub claims: Body,
    pub groups: Vec<String>,
    /// `password` or `code`.
    pub grant: &'static str,
}

struct Session<'a> {
    login: &'a Login,
    http: reqwest::Client,
    base: String,
    cookies: BTreeMap<String, String>,
}

struct Page {
    status: u16,
    location: Option<String>,
    text: String,
}

/// Logs in and reads the token.
///
/// # Errors
/// When the server cannot be reached, the login is refused, or the token is another issuer's.
pub async fn log_in(login: &Login) -> Result<LoggedIn> {
    let http = http_client(login.ca_pem.as_deref(), &login.resolve, Duration::from_secs(30))?;
    let base = format!("{}/realms/{}", login.url.trim_end_matches('/'), encode(&login.realm));
    let mut session = Session { login, http, base, cookies: BTreeMap::new() };
    let (tokens, grant) = match session.password_grant().await? {
        Some(tokens) => (tokens, "password"),
        None => (session.code_flow().await?, "code"),
    };
    session.read(&tokens, grant)
}

impl Session<'_> {
    fn failed(&self, message: impl Into<String>) -> Error {
        Error::Login { user: self.login.username.clone(), message: message.into() }
    }

    fn token_url(&self) -> String {
        format!("{}/protocol/openid-connect/token", self.base)
    }

    /// `None` when the client does not allow this grant.
    async fn password_grant(&mut self) -> Result<Option<Json>> {
        let form = vec![
            ("grant_type".to_owned(), "password".to_owned()),
            ("username".to_owned(), self.login.username.clone()),
            ("password".to_owned(), self.login.password.expose().to_owned()),
            ("scope".to_owned(), self.login.scope.clone()),
        ];
        let (status, answer) = self.tokens(form).await?;
        match (status, answer["error"].as_str()) {
            (200, _) => Ok(Some(answer)),
            // 401: who asks is not known. 400: this grant is not for this client.
            (401, Some("unauthorized_client" | "invalid_client")) => {
                Err(self.failed(format!("the client `{}` or its secret is wrong", self.login.client_id)))
            }
            (_, Some("unauthorized_client")) => Ok(None),
            (_, Some("invalid_grant")) if message_of(&answer).contains("not fully set up") => {
                Err(self
                    .failed("a required action is waiting (a temporary password has to be changed first): verify with a user who has none"))
            }
            (404, _) => Err(self.failed(format!("there is no realm `{}` at {}", self.login.realm, self.login.url))),
            _ => Err(self.failed(message_of(&answer))),
        }
    }

    async fn tokens(&mut self, mut form: Vec<(String, String)>) -> Result<(u16, Json)> {
        form.push(("client_id".into(), self.login.client_id.clone()));
        if let Some(secret) = &self.login.client_secret {
            form.push(("client_secret".into(), secret.expose().to_owned()));
        }
        let url = self.token_url();
        let request = self.http.post(&url).header("accept", "application/json").form(&form);
        let page = self.send(&url, request).await?;
        let answer =
            serde_json::from_str(&page.text).map_err(|_| Error::Html { url, status: page.status, title: html_title(&page.text) })?;
        Ok((page.status, answer))
    }

    async fn send(&mut self, url: &str, request: reqwest::RequestBuilder) -> Result<Page> {
        let unreachable = |cause: reqwest::Error| Error::unanswered(url, &cause);
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) };
        let answer = request.send().await.map_err(unreachable)?;
        for cookie in answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()) {
            if let Some((name, value)) = cookie.split(';').next().and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Page { status: answer.status().as_u16(), location, text: answer.text().await.map_err(unreachable)? })
    }

    async fn code_flow(&mut self) -> Result<Json> {
        let Some(redirect_uri) = self.login.redirect_uri.clone() else {
            return Err(self.failed(format!(
                "the client `{}` takes no passwords itself, so the login form is used: give a `redirect_uri` that the client allows",
                self.login.client_id
            )));
        };
        let (verifier, state) = (random(), random());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let query = [
            ("response_type", "code"),
            ("client_id", &self.login.client_id),
            ("redirect_uri", &redirect_uri),
            ("scope", &self.login.scope),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query: Vec<String> = query.iter().map(|(key, value)| format!("{key}={}", encode(value))).collect();
        let url = format!("{}/protocol/openid-connect/auth?{}", self.base, query.join("&"));
        let page = self.send(&url, self.http.get(&url)).await?;
        let page = self.fill_forms(page).await?;
        let code = self.code(&page, &redirect_uri, &state)?;
        let form = vec![
            ("grant_type".to_owned(), "authorization_code".to_owned()),
            ("code".to_owned(), code),
            ("redirect_uri".to_owned(), redirect_uri),
            ("code_verifier".to_owned(), verifier),
        ];
        match self.tokens(form).await? {
            (200, answer) => Ok(answer),
            (_, answer) => Err(self.failed(message_of(&answer))),
        }
    }

    /// Fills the login form; where the realm asks for the name first (as with organizations), the one and then the other. A form that comes
    /// back without a complaint is filled again, as a person would: the flow was replaced while it was open (seen on 26.7.3).
    async fn fill_forms(&mut self, first: Page) -> Result<Page> {
        let Some(mut action) = form_action(&first.text) else { return Err(self.failed(no_form(&first))) };
        let mut page = first;
        for _ in 0..3 {
            let asks_password = asks_password(&page.text);
            let mut form = vec![("username", self.login.username.as_str()), ("credentialId", "")];
            if asks_password {
                form.push(("password", self.login.password.expose()));
            }
            page = self.send(&action, self.http.post(&action).form(&form)).await?;
            match form_action(&page.text) {
                Some(next) if page.location.is_none() && (!asks_password || asks_again(&page.text)) => action = next,
                _ => break,
            }
        }
        Ok(page)
    }

    fn code(&self, page: &Page, redirect_uri: &str, state: &str) -> Result<String> {
        let Some(location) = page.location.as_deref().filter(|_| (300..400).contains(&page.status)) else {
            return Err(self.failed(notice(&page.text)));
        };
        if !location.starts_with(redirect_uri) {
            let action = location.split("execution=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or("an unknown one");
            return Err(self.failed(format!("a required action is waiting ({action}): verify with a user who has none")));
        }
        let parsed = url::Url::parse(location).map_err(|_| self.failed("the answer to the login is no URL"))?;
        let value = |key: &str| parsed.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned());
        if value("state").as_deref() != Some(state) {
            return Err(self.failed("the answer carries another state than the question"));
        }
        value("code").ok_or_else(|| self.failed(value("error_description").or(value("error")).unwrap_or_else(|| "no code came".into())))
    }

    fn read(&self, tokens: &Json, grant: &'static str) -> Result<LoggedIn> {
        let access = tokens["access_token"].as_str().and_then(claims).ok_or_else(|| self.failed("the access token cannot be read"))?;
        let id = tokens["id_token"].as_str().and_then(claims).unwrap_or_default();
        let issuer = access.get("iss").and_then(Json::as_str).unwrap_or_default();
        if issuer != self.base {
            return Err(self.failed(format!("the token's issuer is `{issuer}`, not `{}`: check Keycloak's `hostname`", self.base)));
        }
        let list = |claims: &Body| claims.get("groups").and_then(Json::as_array).cloned();
        let groups = list(&access).or_else(|| list(&id)).unwrap_or_default();
        Ok(LoggedIn { groups: groups.iter().filter_map(Json::as_str).map(str::to_owned).collect(), claims: access, grant })
    }
}

/// Why no login form came: Keycloak sends what is wrong with the question to the client, in the redirect.
fn no_form(page: &Page) -> String {
    let location = page.location.as_deref().and_then(|location| url::Url::parse(location).ok());
    let said = |key: &str| location.as_ref()?.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned());
    let elsewhere = location.as_ref().map(|location| format!("{}{}", location.host_str().unwrap_or_default(), location.path()));
    match (said("error_description").or_else(|| said("error")), elsewhere) {
        (Some(error), _) => format!("no login form came: {error}"),
        (None, Some(place)) => format!("no login form came, the browser is sent on to `{place}`: is there a default identity provider?"),
        (None, None) => format!("no login form came, but {}{}: {}", page.status, html_title(&page.text), notice(&page.text)),
    }
}

fn random() -> String {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The payload of a JWT. It came from the token endpoint itself, over TLS: its signature is not needed to trust it.
fn claims(token: &str) -> Option<Body> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// Where the login form is sent.
fn form_action(page: &str) -> Option<String> {
    let form = page.split_once("kc-form-login").map(|(_, rest)| rest).unwrap_or(page);
    let action = form.split_once("action=\"")?.1.split('"').next()?;
    Some(action.replace("&amp;", "&"))
}

fn asks_password(page: &str) -> bool {
    page.contains("name=\"password\"")
}

/// The login form once more, and nothing wrong with what was filled in.
fn asks_again(page: &str) -> bool {
    asks_password(page) && complaint(page).is_none()
}

/// What a page of Keycloak tells its reader: the alert, else the title.
fn notice(page: &str) -> String {
    complaint(page).unwrap_or_else(|| format!("the login page stays{}", html_title(page)))
}

fn complaint(page: &str) -> Option<String> {
    let markers = ["id=\"input-error\"", "kc-feedback-text", "class=\"instruction\"", "id=\"input-error-username\""];
    markers.iter().find_map(|marker| {
        let after = page.split_once(marker)?.1;
        let inner = after.split_once('>')?.1.split('<').next()?.trim();
        (!inner.is_empty()).then(|| inner.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_login_page_is_found() {
        let page = r#"<form id="kc-form-login" onsubmit="x" action="https://idp/authenticate?session_code=a&amp;tab_id=b" method="post">"#;
        assert_eq!(form_action(page).as_deref(), Some("https://idp/authenticate?session_code=a&tab_id=b"));
        assert_eq!(form_action("<html></html>"), None);
    }

    #[test]
    fn the_page_says_why() {
        let page = r#"<span id="input-error" class="x" aria-live="polite">
            Invalid username or password.
        </span>"#;
        assert_eq!(notice(page), "Invalid username or password.");
    }

    #[test]
    fn a_token_is_read() {
        let token = format!("h.{}.s", URL_SAFE_NO_PAD.encode(r#"{"iss":"x","groups":["/a"]}"#));
        assert_eq!(claims(&token).expect("it is one")["groups"][0], "/a");
        assert_eq!(claims("nonsense"), None);
    }
}
