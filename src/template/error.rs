//! What a rendering that failed says: a kind for the engine to decide by, and a diagnostic for people.

use std::fmt;

use crate::base::Diagnostic;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A name or an attribute that does not exist was used.
    Undefined { name: String },
    /// The text is no template.
    Syntax,
    /// A filter, test, lookup or operator refused.
    Failed,
}

/// Why nothing could be rendered. The diagnostic's first place is inside the template.
#[derive(Clone, Debug)]
pub struct Error {
    pub kind: ErrorKind,
    pub diagnostic: Box<Diagnostic>,
}

impl Error {
    pub fn failed(diagnostic: Diagnostic) -> Self {
        Error { kind: ErrorKind::Failed, diagnostic: Box::new(diagnostic) }
    }

    pub fn is_undefined(&self) -> bool {
        matches!(self.kind, ErrorKind::Undefined { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostic.fmt(f)
    }
}

impl std::error::Error for Error {}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        *error.diagnostic
    }
}
