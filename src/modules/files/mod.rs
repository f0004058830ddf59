//! Modules about files and folders. Owner, group and mode options are in `attributes`.

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[];
