//! Modules that do nothing to the host: they answer, or wait.

mod ping;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[Entry::of::<ping::Ping>()];
