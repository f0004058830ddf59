//! Modules that read the host and change nothing.

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[];
