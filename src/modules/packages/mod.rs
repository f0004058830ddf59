//! Modules about packages and their sources.

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[];
