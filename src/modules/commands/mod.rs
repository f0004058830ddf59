//! Modules that run what the user wrote: commands, shells, scripts.

mod async_status;
mod command;
mod custom;
mod expect;
mod outcome;
mod raw;
mod script;
mod shell;

use super::Module;
use super::registry::Entry;

pub use custom::prepare as prepare_custom;

/// The module that runs those which a project brings along.
pub const CUSTOM_MODULE: &str = custom::CustomModule::NAME;

pub(super) const MODULES: &[Entry] = &[
    Entry::of::<async_status::AsyncStatus>(),
    Entry::of::<command::RunCommand>(),
    Entry::of::<custom::CustomModule>(),
    Entry::of::<expect::Expect>(),
    Entry::of::<raw::Raw>(),
    Entry::of::<script::Script>(),
    Entry::of::<shell::Shell>(),
];
