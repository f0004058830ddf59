//! The conversation with Keycloak: where its endpoints are, a login that begins, a login that ends.

use std::error::Error;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rand::RngCore;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::refusal::{Refusal, Result};
use crate::settings::Settings;
use crate::signature;

pub struct Provider {
    http: reqwest::Client,
    issuer: String,
    client_id: String,
    client_secret: String,
    redirect_uri: String,
    /// Asked for at the first login, so that this application may start before Keycloak does.
    endpoints: OnceCell<Endpoints>,
}

#[derive(Deserialize)]
struct Endpoints {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
    jwks_uri: String,
}

/// What is remembered of a login while the user is at Keycloak's form.
pub struct Question {
    /// Comes back with the answer: shows that the answer belongs to this browser's question.
    pub state: String,
    /// Comes back inside the ID token: shows that the token was made for this question.
    nonce: String,
    /// Only who asked knows it: a code that somebody caught on its way is worth nothing (PKCE).
    verifier: String,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct IdToken {
    sub: String,
    nonce: Option<String>,
    azp: Option<String>,
}

/// What Keycloak says of a user; what must be there is checked in [`Userinfo::identity`].
#[derive(Deserialize)]
struct Userinfo {
    sub: Option<String>,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    preferred_username: Option<String>,
    groups: Option<Vec<String>>,
}

/// Somebody has proven who they are.
pub struct Login {
    /// Keycloak's own id of the user: the only thing that never changes hands.
    pub sub: String,
    access_token: String,
}

/// A user, complete.
pub struct Identity {
    pub sub: String,
    pub email: String,
    pub username: String,
    /// Full paths: `/Arch Linux Staff/Security Team/Members`.
    pub groups: Vec<String>,
}

impl Provider {
    pub fn new(settings: &Settings, client_secret: String) -> reqwest::Result<Provider> {
        // Whoever was here before this program has chosen already: just as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        signature::use_ring();
        // No redirects: a provider that answers with one must not be able to send this server's requests elsewhere.
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).redirect(reqwest::redirect::Policy::none());
        Ok(Provider {
            http: http.build()?,
            issuer: settings.issuer.clone(),
            client_id: settings.client_id.clone(),
            client_secret,
            redirect_uri: format!("{}/callback", settings.public_url.trim_end_matches('/')),
            endpoints: OnceCell::new(),
        })
    }

    /// A new question, and the address at Keycloak that the browser takes it to.
    pub async fn ask(&self) -> Result<(Question, Url)> {
        let question = Question { state: random(), nonce: random(), verifier: random() };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&question.verifier));
        let endpoint = &self.endpoints().await?.authorization_endpoint;
        let mut url = Url::parse(endpoint).map_err(|error| Refusal::Provider(format!("`{endpoint}`: {error}")))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", "openid email profile")
            .append_pair("state", &question.state)
            .append_pair("nonce", &question.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok((question, url))
    }

    /// Who logged in, from the code that the browser brought back.
    pub async fn identify(&self, question: &Question, code: &str) -> Result<Login> {
        let tokens = self.tokens(question, code).await?;
        let id_token = tokens.id_token.ok_or_else(|| unusable("no ID token came"))?;
        Ok(Login { sub: self.check(&id_token, question).await?, access_token: tokens.access_token })
    }

    /// What Keycloak tells of who logged in.
    pub async fn describe(&self, login: &Login) -> Result<Identity> {
        let asked = self.http.get(&self.endpoints().await?.userinfo_endpoint).bearer_auth(&login.access_token);
        self.answer::<Userinfo>(asked).await?.ok_or_else(|| unusable("no user information came"))?.identity(&login.sub)
    }

    /// Trades the code for tokens.
    async fn tokens(&self, question: &Question, code: &str) -> Result<Tokens> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &question.verifier),
        ];
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let asked = self.http.post(&self.endpoints().await?.token_endpoint);
        // RFC 6749, 2.3.1: id and secret are form-encoded before they become a user and a password.
        let asked = asked.basic_auth(encoded(&self.client_id), Some(encoded(&self.client_secret))).form(&form);
        self.answer(asked).await?.ok_or_else(|| unusable("the login's code is not accepted: it is used, too old, or not for this login"))
    }

    /// Signature, issuer, audience, expiry and nonce of an ID token: only then it says who the user is.
    async fn check(&self, token: &str, question: &Question) -> Result<String> {
        let bad = |why: &dyn std::fmt::Display| unusable(format!("the ID token is not accepted: {why}"));
        let header = jsonwebtoken::decode_header(token).map_err(|error| bad(&error))?;
        // Never what the token asks for: only algorithms with a public key, so that nobody signs with what everybody knows.
        if ![Algorithm::RS256, Algorithm::ES256].contains(&header.alg) {
            return Err(bad(&"its algorithm is neither RS256 nor ES256"));
        }
        // Asked for at each login: keys that were rotated a moment ago are right at once.
        let asked = self.http.get(&self.endpoints().await?.jwks_uri);
        let keys: JwkSet = self.answer(asked).await?.ok_or_else(|| Refusal::Provider("no keys came".into()))?;
        let key = header.kid.and_then(|kid| keys.find(&kid).cloned()).ok_or_else(|| bad(&"its key is unknown"))?;
        let key = DecodingKey::from_jwk(&key).map_err(|error| bad(&error))?;

        let mut validation = Validation::new(header.alg);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.client_id]);
        let claims = jsonwebtoken::decode::<IdToken>(token, &key, &validation).map_err(|error| bad(&error))?.claims;
        if claims.nonce.as_deref() != Some(&question.nonce) {
            return Err(bad(&"its nonce is another login's"));
        }
        if claims.azp.is_some_and(|party| party != self.client_id) {
            return Err(bad(&"it was made for another client"));
        }
        Ok(claims.sub)
    }

    async fn endpoints(&self) -> Result<&Endpoints> {
        let discover = async || {
            let asked = self.http.get(format!("{}/.well-known/openid-configuration", self.issuer));
            let found: Endpoints = self.answer(asked).await?.ok_or_else(|| Refusal::Provider("there is no such realm".into()))?;
            if found.issuer != self.issuer {
                return Err(Refusal::Provider(format!("it calls itself `{}`, not `{}`", found.issuer, self.issuer)));
            }
            Ok(found)
        };
        self.endpoints.get_or_try_init(discover).await
    }

    /// The JSON of an answer; nothing when what was asked is refused.
    async fn answer<T: DeserializeOwned>(&self, asked: reqwest::RequestBuilder) -> Result<Option<T>> {
        let answer = asked.send().await.map_err(|error| Refusal::Provider(said(&error)))?;
        if answer.status().is_client_error() {
            return Ok(None);
        }
        let answer = answer.error_for_status().map_err(|error| Refusal::Provider(said(&error)))?;
        answer.json().await.map(Some).map_err(|error| Refusal::Provider(said(&error)))
    }
}

impl Userinfo {
    /// What this application cannot do without.
    fn identity(self, sub: &str) -> Result<Identity> {
        let missing = |claim: &str| unusable(format!("the identity provider does not tell the user's `{claim}`"));
        let given = |claim: &str, value: Option<String>| value.filter(|value| !value.is_empty()).ok_or_else(|| missing(claim));
        let found = Identity {
            sub: given("sub", self.sub)?,
            email: given("email", self.email)?,
            username: given("preferred_username", self.preferred_username)?,
            groups: self.groups.ok_or_else(|| missing("groups"))?,
        };
        if found.sub != sub {
            return Err(unusable("the user information is another user's than the ID token"));
        }
        if !self.email_verified {
            return Err(Refusal::Denied(format!("the e-mail address {} is not verified", found.email)));
        }
        Ok(found)
    }
}

fn unusable(why: impl Into<String>) -> Refusal {
    Refusal::Unusable(why.into())
}

/// An error with what caused it.
fn said(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {}", said(cause)))
}

/// 256 bits that nobody can guess.
pub fn random() -> String {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
