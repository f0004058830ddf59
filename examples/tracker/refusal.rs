//! Why somebody does not get what they asked for, and with which HTTP status.

use std::io::Write;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use crate::web::page;

#[derive(Debug, Error)]
pub enum Refusal {
    /// 400: the answer to a login cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// 403: this user may not.
    #[error("{0}")]
    Denied(String),
    /// 502: Keycloak cannot be asked.
    #[error("the identity provider does not answer as it should: {0}")]
    Provider(String),
    /// 500
    #[error("the database fails: {0}")]
    Database(#[from] sqlx::Error),
    /// 503
    #[error("too many logins are under way")]
    Busy,
}

pub type Result<T> = std::result::Result<T, Refusal>;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Refusal::Unusable(_) => StatusCode::BAD_REQUEST,
            Refusal::Denied(_) => StatusCode::FORBIDDEN,
            Refusal::Provider(_) => StatusCode::BAD_GATEWAY,
            Refusal::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        let _ = writeln!(std::io::stderr(), "{} {self}", status.as_u16());
        // Details of what is broken inside are for the log alone.
        let said =
            if status.is_server_error() { "Something is broken here; it was written to the log.".to_owned() } else { self.to_string() };
        let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
        page(status, &title, &format!("<p id=\"reason\">{}</p><p><a href=\"/\">Back</a></p>", crate::web::escaped(&said))).into_response()
    }
}
