//! Modules that tell about the host: `setup` and its parts, one file a subject. They change nothing.

mod capabilities;
mod devices;
mod hardware;
mod local;
mod network;
mod platform;
mod reader;
mod session;
mod setup;
mod subsets;
mod virtualization;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[Entry::of::<setup::Setup>()];
