//! What every layer speaks: values, places in source files, errors that know their place, secrets, Python's patterns.
//! No I/O lives here, and nothing that knows Ansible's plays or a host.

pub mod boolean;
pub mod crypt;
pub mod diagnostic;
pub mod pattern;
pub mod secret;
pub mod source;
pub mod span;
pub mod value;

pub use boolean::truth;
pub use diagnostic::{Diagnostic, Help, Label, Severity, closest};
pub use pattern::{Pattern, PatternFlags};
pub use secret::{Redactor, Secret};
pub use source::{Node, NodeKind};
pub use span::Span;
pub use value::{Key, Map, Value};
