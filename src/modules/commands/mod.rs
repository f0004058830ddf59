//! Modules that run what the user wrote: commands, shells, scripts.

mod async_status;
mod command;
mod expect;
mod outcome;
mod raw;
mod script;
mod shell;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[
    Entry::of::<async_status::AsyncStatus>(),
    Entry::of::<command::RunCommand>(),
    Entry::of::<expect::Expect>(),
    Entry::of::<raw::Raw>(),
    Entry::of::<script::Script>(),
    Entry::of::<shell::Shell>(),
];
