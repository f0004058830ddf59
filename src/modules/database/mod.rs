//! Modules about databases, over their own protocols.

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[];
