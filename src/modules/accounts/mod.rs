//! Modules about users, groups and their keys.

mod group;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[Entry::of::<group::Group>()];
