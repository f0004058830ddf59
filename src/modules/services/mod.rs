//! Modules about services and units.

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[];
