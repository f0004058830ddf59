//! Jinja2 as ansible-core 2.19 has it: rendering of project source into data, expressions, conditions, filters, tests and lookups.
//!
//! A text is parsed by minijinja's parser (`parse`, `lower`) into `code`, and evaluated here (`eval`, `exec`), because Ansible's templates need what
//! minijinja's machine does not have: undefined names that travel through filters until `default` catches them, values that are rendered only when
//! they are touched, mutable lists, Python's types and messages with a place in the source. Nothing here knows plays, tasks or hosts; files and
//! commands are touched by `lookups` and the file filters only, on the controller.

mod arguments;
mod code;
mod condition;
mod containers;
mod context;
mod data;
mod engine;
mod error;
mod eval;
mod exec;
mod fault;
mod file_variables;
mod filters;
mod format;
mod functions;
mod header;
mod inherit;
mod json;
mod locate;
mod lookups;
mod lower;
mod methods;
mod names;
mod needed;
mod number;
mod object;
mod operate;
mod parse;
mod plugins;
mod random;
mod regex;
mod scope;
mod tests;
mod trust;

pub use context::{Beyond, Context, Controller, Decrypt, FileOptions, Permit, ReadSetting, SearchPath, Variable, Variables};
pub use engine::Templar;
pub use error::{Error, ErrorKind};
pub use file_variables::{file_variables, managed};
pub use names::NameKind;
pub use plugins::{CallPlugin, PluginCall, PluginVariables};

/// What the name `omit` stands for once it is data. The engine drops arguments with this value; inside containers it is dropped already.
pub const OMIT: &str = "__omit_place_holder__8d1f6a52c0b74e13";
