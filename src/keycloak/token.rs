//! The bearer token: fetched by client credentials, renewed at 70 % of its life, one request at a time for it however many wait.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::Json;
use super::error::{Error, Result};
use crate::base::Secret;

/// Who asks for tokens, and where.
pub struct Account {
    pub token_url: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub grant: Grant,
}

/// How somebody comes to a token.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Grant {
    /// A service account.
    #[default]
    ClientCredentials,
    Password {
        user: String,
        password: Secret,
    },
    Refresh(Secret),
    /// A token from elsewhere: used as long as it is good.
    Token(Secret),
}

struct Token {
    value: Secret,
    renew_at: Instant,
}

pub struct TokenSource {
    account: Account,
    current: Mutex<Option<Token>>,
}

impl TokenSource {
    pub fn new(account: Account) -> Self {
        TokenSource { account, current: Mutex::new(None) }
    }

    pub fn account(&self) -> &Account {
        &self.account
    }

    /// A token that is good for a while. The lock is held while one is fetched, so a crowd of writers makes one request.
    pub async fn get(&self, http: &reqwest::Client) -> Result<Secret> {
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref().filter(|token| Instant::now() < token.renew_at) {
            return Ok(token.value.clone());
        }
        let token = self.fetch(http).await?;
        let value = token.value.clone();
        *current = Some(token);
        Ok(value)
    }

    /// Forgets a token that the server no longer takes.
    pub async fn reject(&self, value: &Secret) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|token| token.value == *value) {
            *current = None;
        }
    }

    async fn fetch(&self, http: &reqwest::Client) -> Result<Token> {
        let mut attempt = 0u32;
        loop {
            let error = match self.fetch_once(http).await {
                Err(error) if worth_another_try(&error) => error,
                other => return other,
            };
            attempt += 1;
            // A server that has just become ready answers 503 for a while.
            let most = if matches!(error, Error::Html { status: 503, .. }) { 12 } else { 5 };
            if attempt >= most {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(150 << attempt.min(5))).await;
        }
    }

    async fn fetch_once(&self, http: &reqwest::Client) -> Result<Token> {
        let account = &self.account;
        let mut form = vec![("client_id", account.client_id.as_str())];
        match &account.grant {
            Grant::Token(token) => return Ok(Token { value: token.clone(), renew_at: Instant::now() + Duration::from_secs(3600) }),
            Grant::ClientCredentials => form.push(("grant_type", "client_credentials")),
            Grant::Refresh(token) => form.extend([("grant_type", "refresh_token"), ("refresh_token", token.expose())]),
            Grant::Password { user, password } => {
                form.extend([("grant_type", "password"), ("username", user.as_str()), ("password", password.expose())]);
            }
        }
        if !account.client_secret.expose().is_empty() {
            form.push(("client_secret", account.client_secret.expose()));
        }
        let unreachable = |cause: reqwest::Error| Error::unanswered(account.token_url.as_str(), &cause);
        let answer = http.post(&account.token_url).header("accept", "application/json").form(&form).send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(unreachable)?;
        let Ok(body) = serde_json::from_str::<Json>(&text) else {
            return Err(Error::Html { url: account.token_url.clone(), status, title: html_title(&text) });
        };
        let Some(token) = body["access_token"].as_str() else { return Err(self.refusal(status, &body)) };
        let life = Duration::from_secs(body["expires_in"].as_u64().unwrap_or(60));
        Ok(Token { value: Secret::new(token), renew_at: Instant::now() + life.mul_f64(0.7) })
    }

    fn refusal(&self, status: u16, body: &Json) -> Error {
        let message = message_of(body);
        // While its database is away Keycloak answers 400 `unauthorized_client` to good credentials too (seen on 26.7.3).
        let database_away = status == 400 && message.contains("Unexpected error when authenticating client");
        let bad = matches!(status, 400 | 401 | 403) && !database_away;
        if bad {
            return Error::Credentials { client: self.account.client_id.clone(), url: self.account.token_url.clone(), message };
        }
        Error::Api { method: "POST", path: self.account.token_url.clone(), status, message }
    }
}

fn worth_another_try(error: &Error) -> bool {
    match error {
        // Nothing listens: the caller decides whether to wait.
        Error::Unreachable { sent, .. } => *sent,
        Error::Api { status, .. } => matches!(status, 400 | 429 | 500..=599),
        Error::Html { status, .. } => matches!(status, 429 | 502..=504),
        _ => false,
    }
}

/// The text in any of Keycloak's four shapes of an error.
pub fn message_of(body: &Json) -> String {
    let text = |key: &str| body[key].as_str().filter(|text| !text.is_empty());
    match (text("errorMessage"), text("error"), text("error_description")) {
        (Some(message), _, _) => match text("field") {
            Some(field) => format!("{message} (field `{field}`)"),
            None => message.to_owned(),
        },
        (None, Some(error), Some(description)) => format!("{description} ({error})"),
        (None, Some(error), None) => error.to_owned(),
        (None, None, Some(description)) => description.to_owned(),
        (None, None, None) => "no reason given".into(),
    }
}

/// The title of an HTML page, in brackets and with a space before it; empty when it has none.
pub fn html_title(text: &str) -> String {
    let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).map(|(title, _)| title.trim());
    match title {
        Some(title) if !title.is_empty() && title.len() < 120 => format!(" (`{title}`)"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_shape_of_error_gives_its_text() {
        assert_eq!(
            message_of(&json!({"errorMessage": "Top level group named 'a' already exists."})),
            "Top level group named 'a' already exists."
        );
        assert_eq!(message_of(&json!({"error": "HTTP 401 Unauthorized"})), "HTTP 401 Unauthorized");
        assert_eq!(message_of(&json!({"error": "conflict", "error_description": "Duplicate"})), "Duplicate (conflict)");
        assert_eq!(message_of(&json!({"field": "email", "errorMessage": "invalid"})), "invalid (field `email`)");
    }

    #[test]
    fn a_page_gives_its_title() {
        assert_eq!(html_title("<html><title>502 Bad Gateway</title>"), " (`502 Bad Gateway`)");
        assert_eq!(html_title("<html>"), "");
    }
}
