//! Inventories: which hosts and groups there are, what they say about themselves, and which of them a pattern means.
//! Sources are INI, YAML, JSON scripts, lists of hosts, folders of these, and plugin files; `group_vars` and `host_vars` stand beside.
//! Merging variables and rendering them is the engine's: this folder keeps each layer with the place it was written at.

mod address;
mod constructed;
mod data;
mod dynamic;
mod error;
mod expressions;
mod files;
mod generator;
mod ini;
mod layers;
mod literal;
mod load;
mod patterns;
mod script;
mod structured;
mod toml;
mod words;

pub use address::host_and_port;
pub use data::{Group, Host, Inventory, LOCALHOST};
pub use error::InventoryError;
pub use expressions::Expressions;
pub use files::Variables;
pub use layers::{Layer, LayerKind};
pub use load::{GroupNames, LoadContext, Loaded};
pub use patterns::{Limit, Selection};

#[cfg(test)]
mod tests;
