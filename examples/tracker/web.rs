//! The pages, and the two cookies: `login` while somebody is at Keycloak's form, `session` afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::provider::{Login, Provider, Question};
use crate::refusal::{Refusal, Result};
use crate::roles::{PERMISSIONS, Permission, Roles};
use crate::users::{SESSION, User, Users};

pub struct App {
    pub provider: Provider,
    pub users: Users,
    pub roles: Roles,
    /// Browsers come by HTTPS: cookies go no other way.
    pub secure: bool,
    pub begun: Begun,
}

pub fn routes(app: Arc<App>) -> Router {
    let mut router =
        Router::new().route("/", get(home)).route("/login", get(login)).route("/callback", get(callback)).route("/logout", post(logout));
    for permission in PERMISSIONS {
        let page = move |state: State<Arc<App>>, headers: HeaderMap| permitted(state, headers, permission);
        router = router.route(permission.path(), get(page));
    }
    router.with_state(app)
}

/// Logins that have begun and not ended, by their state.
#[derive(Default)]
pub struct Begun(Mutex<HashMap<String, (Question, Instant)>>);

impl Begun {
    /// Seconds that somebody may take for the login form.
    const TIME: u32 = 600;
    /// More at a time than this are somebody's attempt to fill the memory.
    const MOST: usize = 10_000;

    fn is_young(since: Instant) -> bool {
        since.elapsed() < Duration::from_secs(Begun::TIME.into())
    }

    fn add(&self, question: Question) -> Result<()> {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|_, (_, since)| Begun::is_young(*since));
        if begun.len() >= Begun::MOST {
            return Err(Refusal::Busy);
        }
        begun.insert(question.state.clone(), (question, Instant::now()));
        Ok(())
    }

    /// Each can be taken once.
    fn take(&self, state: &str) -> Option<Question> {
        let (question, since) = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(state)?;
        Begun::is_young(since).then_some(question)
    }
}

async fn login(State(app): State<Arc<App>>) -> Result<impl IntoResponse> {
    let (question, url) = app.provider.ask().await?;
    let cookie = app.cookie("login", &question.state, Begun::TIME);
    app.begun.add(question)?;
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to(url.as_str())))
}

/// How Keycloak sends the browser back.
#[derive(Deserialize)]
struct Answer {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

async fn callback(State(app): State<Arc<App>>, headers: HeaderMap, Query(answer): Query<Answer>) -> Result<impl IntoResponse> {
    // The state must be the one that this browser was sent away with: else somebody could log others in as themselves.
    let mine = answer.state.filter(|state| cookie(&headers, "login").is_some_and(|sent| sent == state));
    let question = mine.and_then(|state| app.begun.take(&state));
    let question = question.ok_or_else(|| Refusal::Unusable("this is no answer to a login that began in this browser".into()))?;
    if let Some(error) = answer.error {
        return Err(Refusal::Denied(format!("the identity provider refuses the login: {error}")));
    }
    let code = answer.code.ok_or_else(|| Refusal::Unusable("the login's answer has no code".into()))?;
    let login = app.provider.identify(&question, &code).await?;
    let token = match app.admit(&login).await {
        Ok(token) => token,
        Err(refusal) => {
            // Also where the user is logged in elsewhere, with a role from better days.
            app.users.log_out(&login.sub).await?;
            return Err(refusal);
        }
    };
    let cookies = [app.cookie("session", &token, SESSION), app.cookie("login", "", 0)];
    Ok((AppendHeaders(cookies.map(|cookie| (header::SET_COOKIE, cookie))), Redirect::to("/")))
}

/// Ends the session here. The one at Keycloak goes on: other applications use it too.
async fn logout(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<impl IntoResponse> {
    if let Some(user) = app.user(&headers).await? {
        app.users.log_out(&user.sub).await?;
    }
    Ok((AppendHeaders([(header::SET_COOKIE, app.cookie("session", "", 0))]), Redirect::to("/")))
}

async fn home(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<impl IntoResponse> {
    let Some(user) = app.user(&headers).await? else {
        return Ok(page(StatusCode::OK, "Security tracker", "<p><a id=\"login\" href=\"/login\">Log in</a></p>"));
    };
    let list: String = PERMISSIONS
        .into_iter()
        .map(|permission| match user.role.may(permission) {
            true => format!("<li><a href=\"{}\">{}</a></li>", permission.path(), permission.name()),
            false => format!("<li class=\"no\">{}</li>", permission.name()),
        })
        .collect();
    let body = format!(
        "<p><b id=\"user\">{}</b> · <span id=\"email\">{}</span> · <span id=\"role\">{}</span></p><ul>{list}</ul>
         <form method=\"post\" action=\"/logout\"><button id=\"logout\">Log out</button></form>",
        escaped(&user.username),
        escaped(&user.email),
        user.role.name(),
    );
    Ok(page(StatusCode::OK, "Security tracker", &body))
}

async fn permitted(State(app): State<Arc<App>>, headers: HeaderMap, permission: Permission) -> Result<impl IntoResponse> {
    let user = app.user(&headers).await?.ok_or_else(|| Refusal::Denied("log in first".into()))?;
    if !user.role.may(permission) {
        return Err(Refusal::Denied(format!("a {} may not {}", user.role.name(), permission.name())));
    }
    let body = match permission {
        Permission::ManageUsers => app.users.all().await?.iter().map(row).collect(),
        _ => format!("<p id=\"done\">You may {}.</p>", permission.name()),
    };
    Ok(page(StatusCode::OK, permission.name(), &format!("{body}<p><a href=\"/\">Back</a></p>")))
}

fn row(user: &User) -> String {
    format!("<p class=\"user\">{} · {} · {}</p>", escaped(&user.username), escaped(&user.email), user.role.name())
}

impl App {
    /// Lets in whoever logged in, if they may; gives the token of their session.
    async fn admit(&self, login: &Login) -> Result<String> {
        let identity = self.provider.describe(login).await?;
        let role = self.roles.of(&identity.groups);
        let role = role.ok_or_else(|| Refusal::Denied(format!("{} is in no group that has a role here", identity.username)))?;
        self.users.log_in(&identity, role).await
    }

    async fn user(&self, headers: &HeaderMap) -> Result<Option<User>> {
        match cookie(headers, "session") {
            Some(token) => self.users.by_session(token).await,
            None => Ok(None),
        }
    }

    /// `Lax`: sent along when Keycloak sends the browser back, and not with forms of other sites.
    fn cookie(&self, name: &str, value: &str, seconds: u32) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// A whole page; `title` and `body` are HTML.
pub fn page(status: StatusCode, title: &str, body: &str) -> impl IntoResponse + use<> {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let style = "body{font:16px/1.5 sans-serif;max-width:40em;margin:3em auto;padding:0 1em}.no{color:#999;text-decoration:line-through}";
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{style}</style></head>\
         <body><h1>{title}</h1>{body}</body></html>"
    );
    (status, headers, Html(html))
}

/// Text within HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
