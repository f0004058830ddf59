//! Modules that do nothing to the host: they answer, or wait.

mod ping;
mod wait_for;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[Entry::of::<ping::Ping>(), Entry::of::<wait_for::WaitFor>()];
