//! Modules that run what the user wrote: commands, shells, scripts.

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[];
