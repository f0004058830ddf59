//! Modules about files and folders. Owner, group and mode options are in `attributes`, times in `times`.
//! The halves of `copy`, `template` and `fetch` that run on the controller are the engine's.

pub mod attributes;
pub mod copy;
pub mod copy_tree;
pub mod file;
pub mod file_links;
pub mod template;
pub mod times;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[Entry::of::<copy::Copy>(), Entry::of::<file::File>(), Entry::of::<template::Template>()];
