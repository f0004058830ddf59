//! An error, warning or note that knows where it belongs. Only `report` and `cli` turn one into text for people.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::span::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    Error,
    Warning,
    Note,
}

/// A place with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// The way out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Help {
    /// A name close to the one that was not found.
    DidYouMean(String),
    /// A command to type.
    Command(String),
    /// Advice in words.
    Text(String),
}

/// One finding: one lower-case sentence without a full stop, its places (the first is where the caret goes), what caused it, the way out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub severity: Severity,
    pub message: String,
    pub labels: Vec<Label>,
    pub causes: Vec<String>,
    pub help: Vec<Help>,
}

impl Diagnostic {
    pub fn error(message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Error, message: message.into(), labels: Vec::new(), causes: Vec::new(), help: Vec::new() }
    }

    pub fn warning(message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(message) }
    }

    /// The same words as a warning.
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same words as an error.
    pub fn as_error(mut self) -> Self {
        self.severity = Severity::Error;
        self
    }

    pub fn at(self, span: &Span) -> Self {
        self.label(span, "")
    }

    pub fn label(mut self, span: &Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span: span.clone(), text: text.into() });
        self
    }

    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(Help::Text(text.into()));
        self
    }

    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.help.push(Help::Command(command.into()));
        self
    }

    /// Adds "did you mean", when one of the names that exist is close to the one that was written.
    pub fn did_you_mean<'a>(mut self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        if let Some(close) = closest(name, known) {
            self.help.push(Help::DidYouMean(close.to_owned()));
        }
        self
    }

    /// The first place, where the caret goes.
    pub fn span(&self) -> Option<&Span> {
        self.labels.first().map(|label| &label.span)
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(span) = self.span() {
            write!(f, "{span}: ")?;
        }
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        for help in &self.help {
            match help {
                Help::DidYouMean(name) => write!(f, " (did you mean `{name}`?)")?,
                Help::Command(command) => write!(f, " (try: {command})")?,
                Help::Text(text) => write!(f, " ({text})")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// The known name that is nearest to a mistyped one, if any is near enough to be meant.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_name_and_a_stranger_finds_none() {
        assert_eq!(closest("pakage", ["package", "name", "state"]), Some("package"));
        assert_eq!(closest("zzzzzz", ["package", "name", "state"]), None);
    }
}
