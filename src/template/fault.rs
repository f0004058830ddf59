//! Why an expression has no value. A fault is a value, too: an undefined name travels through attributes, filters and calls until something uses it,
//! so that `default` and `is defined` can still catch it (ansible-core 2.19 calls this a marker).

use std::sync::Arc;

use crate::base::source::Style;
use crate::base::{Diagnostic, Help, Span};

use super::code::{Code, Position};
use super::error::{Error, ErrorKind};
use super::locate;
use super::scope::Scope;

#[derive(Clone)]
pub(crate) struct Fault(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    cause: Cause,
    place: Option<Place>,
    /// A position found by the parser, which does not know where the text was written.
    position: Option<Position>,
    plugin: Option<String>,
    /// The uses that led here through other variables, innermost first.
    trail: Vec<(Arc<str>, Place)>,
    causes: Vec<String>,
    help: Vec<Help>,
    /// Where names that could have been meant are found.
    scope: Option<Arc<Scope>>,
}

#[derive(Clone)]
enum Cause {
    Name(Arc<str>),
    Attribute {
        owner: &'static str,
        name: Arc<str>,
        known: Vec<String>,
    },
    Hint(String),
    /// An inline `if` that was false and has no `else`: nothing, where text is made of it.
    Nothing,
    Failed(String),
    Syntax(String),
}

/// Text that is being rendered, and where it was written.
#[derive(Clone)]
pub(crate) struct Origin {
    pub span: Span,
    pub style: Style,
    pub code: Arc<Code>,
}

/// A position in a text that is being rendered.
#[derive(Clone)]
pub(crate) struct Place {
    pub origin: Origin,
    pub position: Position,
}

impl Fault {
    fn new(cause: Cause) -> Self {
        Fault(Arc::new(Inner {
            cause,
            place: None,
            position: None,
            plugin: None,
            trail: Vec::new(),
            causes: Vec::new(),
            help: Vec::new(),
            scope: None,
        }))
    }

    /// A filter, test or operator refuses. The message is one lower-case sentence.
    pub fn failed(message: impl Into<String>) -> Self {
        Fault::new(Cause::Failed(message.into()))
    }

    pub fn syntax(message: impl Into<String>) -> Self {
        Fault::new(Cause::Syntax(message.into()))
    }

    /// `undef(hint=…)` and what else is undefined without being a name.
    pub fn undefined(hint: impl Into<String>) -> Self {
        Fault::new(Cause::Hint(hint.into()))
    }

    pub fn nothing() -> Self {
        Fault::new(Cause::Nothing)
    }

    /// Whether it is empty text and false rather than an error.
    pub fn is_nothing(&self) -> bool {
        matches!(self.0.cause, Cause::Nothing)
    }

    pub fn name(name: Arc<str>, scope: &Arc<Scope>) -> Self {
        let mut fault = Fault::new(Cause::Name(name));
        fault.inner().scope = Some(scope.clone());
        fault
    }

    pub fn attribute(owner: &'static str, name: impl Into<Arc<str>>, known: Vec<String>) -> Self {
        Fault::new(Cause::Attribute { owner, name: name.into(), known })
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    /// Whether `default` may replace it: something does not exist, as opposed to something that went wrong.
    pub fn is_undefined(&self) -> bool {
        matches!(self.0.cause, Cause::Name(_) | Cause::Attribute { .. } | Cause::Hint(_) | Cause::Nothing)
    }

    /// The undefined name, for `mandatory`.
    pub fn undefined_name(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Name(name) | Cause::Attribute { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Where the parser stopped.
    pub fn at_position(mut self, position: Position) -> Self {
        self.inner().position = Some(position);
        self
    }

    /// A text that could not be parsed, at its place.
    pub fn in_text(self, origin: &Origin) -> Self {
        let position = self.0.position.unwrap_or_default();
        self.at(origin, position)
    }

    /// The place, unless an inner one is known.
    pub fn at(mut self, origin: &Origin, position: Position) -> Self {
        if self.0.place.is_none() {
            self.inner().place = Some(Place { origin: origin.clone(), position });
        }
        self
    }

    /// Remembers that a variable whose own text failed was used here.
    pub fn through(mut self, name: &Arc<str>, origin: &Origin, position: Position) -> Self {
        if self.0.place.is_some() && self.0.trail.len() < 16 {
            self.inner().trail.push((name.clone(), Place { origin: origin.clone(), position }));
        } else if self.0.place.is_none() {
            self.inner().place = Some(Place { origin: origin.clone(), position });
        }
        self
    }

    /// Names the filter, test or lookup that refused, once.
    pub fn in_plugin(mut self, kind: &str, name: &str) -> Self {
        if self.0.place.is_none() && self.0.plugin.is_none() && matches!(self.0.cause, Cause::Failed(_)) {
            self.inner().plugin = Some(format!("{kind} `{name}`"));
        }
        self
    }

    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.inner().causes.push(cause.into());
        self
    }

    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.inner().help.push(Help::Text(text.into()));
        self
    }

    pub fn did_you_mean<'a>(mut self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        if let Some(close) = crate::base::closest(name, known) {
            self.inner().help.push(Help::DidYouMean(close.to_owned()));
        }
        self
    }

    pub fn message(&self) -> String {
        match &self.0.cause {
            Cause::Name(name) => format!("`{name}` is undefined"),
            Cause::Attribute { owner, name, .. } => format!("object of type `{owner}` has no attribute `{name}`"),
            Cause::Nothing => "the inline `if` was false and has no `else`".into(),
            Cause::Hint(text) | Cause::Failed(text) | Cause::Syntax(text) => match &self.0.plugin {
                Some(plugin) => format!("{plugin}: {text}"),
                None => text.clone(),
            },
        }
    }

    fn kind(&self) -> ErrorKind {
        match &self.0.cause {
            Cause::Name(name) | Cause::Attribute { name, .. } => ErrorKind::Undefined { name: name.to_string() },
            Cause::Hint(_) | Cause::Nothing => ErrorKind::Undefined { name: String::new() },
            Cause::Failed(_) => ErrorKind::Failed,
            Cause::Syntax(_) => ErrorKind::Syntax,
        }
    }

    fn suggestions(&self) -> Vec<Help> {
        let close = match &self.0.cause {
            Cause::Name(name) => self.0.scope.as_ref().and_then(|scope| {
                let names = scope.context.variables.names();
                crate::base::closest(name, names.iter().map(String::as_str)).map(str::to_owned)
            }),
            Cause::Attribute { name, known, .. } => crate::base::closest(name, known.iter().map(String::as_str)).map(str::to_owned),
            _ => None,
        };
        close.map(Help::DidYouMean).into_iter().collect()
    }

    /// The error as the engine sees it. `fallback` is the place of the whole text, for faults that belong to no position in it.
    pub fn into_error(self, fallback: &Span) -> Error {
        let mut diagnostic = Diagnostic::error(self.message());
        diagnostic = match &self.0.place {
            Some(place) => diagnostic.at(&locate::span(place)),
            None => diagnostic.at(fallback),
        };
        for (name, place) in &self.0.trail {
            diagnostic = diagnostic.label(&locate::span(place), format!("needed by `{name}`, used here"));
        }
        diagnostic.causes = self.0.causes.clone();
        diagnostic.help = self.0.help.iter().cloned().chain(self.suggestions()).collect();
        Error { kind: self.kind(), diagnostic: Box::new(diagnostic) }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let mut fault = match error.kind {
            ErrorKind::Undefined { name } if !name.is_empty() => Fault::undefined(error.diagnostic.message.clone()),
            ErrorKind::Undefined { .. } => Fault::undefined(error.diagnostic.message.clone()),
            ErrorKind::Syntax => Fault::syntax(error.diagnostic.message.clone()),
            ErrorKind::Failed => Fault::failed(error.diagnostic.message.clone()),
        };
        fault.inner().causes = error.diagnostic.causes.clone();
        fault.inner().help = error.diagnostic.help.clone();
        fault
    }
}

impl From<Diagnostic> for Fault {
    fn from(diagnostic: Diagnostic) -> Self {
        let mut fault = Fault::failed(diagnostic.message);
        fault.inner().causes = diagnostic.causes;
        fault.inner().help = diagnostic.help;
        fault
    }
}

pub(crate) type Outcome<T> = Result<T, Fault>;
