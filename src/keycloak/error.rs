//! What can go wrong between us and a realm.

/// Everything that fails here, fails with this.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{url}` does not answer: {cause}")]
    Unreachable {
        url: String,
        cause: String,
        /// The request may have been carried out: it was sent, and the answer was lost.
        sent: bool,
    },
    #[error("`{url}` shows a certificate that is not trusted: {cause}; give the file of its authority as `ca_file`")]
    Certificate { url: String, cause: String },
    #[error("`{url}` answered {status} with an HTML page{title}, not JSON: is this the address of Keycloak itself?")]
    Html { url: String, status: u16, title: String },
    #[error("Keycloak refuses the client `{client}` at `{url}`: {message}; check `auth_client_id`, `auth_client_secret` and `auth_realm`")]
    Credentials { client: String, url: String, message: String },
    #[error("{method} {path} answered {status}: {message}")]
    Api { method: &'static str, path: String, status: u16, message: String },
    #[error(
        "the service account may not read all of realm `{realm}`: {missing}; grant it, since what cannot be seen would be planned as absent"
    )]
    Rights { realm: String, missing: String },
    #[error("the declaration of realm `{realm}` is wrong: {}", .problems.join("; "))]
    Declaration { realm: String, problems: Vec<String> },
    #[error("the CA file is not usable: {0}")]
    Authority(String),
    #[error("`{0}` is not a URL of an HTTP server")]
    Url(String),
    #[error("{object}: {cause}")]
    Object { object: String, cause: Box<Error> },
    #[error("{object} needs {needs}, which neither the realm nor the declaration has")]
    Reference { object: String, needs: String },
    #[error("realm `{realm}` took the writes and still differs: {left}; the server ignores these values or somebody else changes them")]
    Unsettled { realm: String, left: String },
    #[error("this Keycloak has no {0}")]
    Unsupported(&'static str),
    #[error("{0}")]
    Refused(String),
    #[error("login as `{user}` failed: {message}")]
    Login { user: String, message: String },
}

impl Error {
    /// A request that has no answer.
    pub fn unanswered(url: impl Into<String>, error: &reqwest::Error) -> Self {
        let (url, cause) = (url.into(), root_cause(error));
        match cause.contains("peer certificate") {
            true => Error::Certificate { url, cause },
            false => Error::Unreachable { url, cause, sent: !error.is_connect() },
        }
    }

    /// Lost to a concurrent write, or sent into a closing connection: reading again tells what became of it.
    pub fn needs_reread(&self) -> bool {
        match self {
            // What it was about was made, or deleted, by somebody else meanwhile; or a proxy gave up on it.
            Error::Api { status: 404 | 409 | 502 | 504, .. } | Error::Html { status: 502 | 504, .. } => true,
            // Both are what the server says when two writes of one object meet, among others.
            Error::Api { status: 500, message, .. } => {
                message.contains("Database operation failed") || message.contains("Failed to update realm")
            }
            // Says nothing of why; a second one of that name is refused so.
            Error::Api { status: 400, message, .. } => message.starts_with("Failed to add mapper") || message.contains("already exists"),
            Error::Unreachable { sent, .. } => *sent,
            Error::Object { cause, .. } => cause.needs_reread(),
            _ => false,
        }
    }

    pub fn is_missing(&self) -> bool {
        match self {
            Error::Api { status: 404, .. } => true,
            Error::Object { cause, .. } => cause.is_missing(),
            _ => false,
        }
    }

    pub fn is_forbidden(&self) -> bool {
        matches!(self, Error::Api { status: 403, .. })
    }

    /// For an endpoint that only newer servers have: what it is for.
    pub fn without(self, what: &'static str) -> Self {
        match self {
            Error::Api { status: 404 | 405 | 501, .. } => Error::Unsupported(what),
            other => other,
        }
    }

    /// The server is not there at the moment: nothing listens, or a proxy answers in its place.
    pub fn is_away(&self) -> bool {
        match self {
            Error::Unreachable { .. } => true,
            Error::Html { status, .. } | Error::Api { status, .. } => matches!(status, 502..=504),
            _ => false,
        }
    }

    /// Nothing listens there, or not yet.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Error::Unreachable { .. })
    }

    /// Names the object that was being written.
    pub fn of(self, object: impl Into<String>) -> Self {
        match self {
            named @ (Error::Object { .. } | Error::Reference { .. }) => named,
            other => Error::Object { object: object.into(), cause: Box::new(other) },
        }
    }
}

/// The innermost cause of a failed request: `error sending request` alone helps nobody.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    if error.is_timeout() && !text.contains("timed out") { format!("timed out ({text})") } else { text }
}
