//! A Keycloak realm as data: one client for the Admin API, one model (Keycloak's own representation, cut into objects by the kind table),
//! one reader, one diff, one apply. Modules, roles and the `realm` command are thin faces of it. Nothing here reads a host or a file, and
//! nothing prints; what is async is HTTP only.

pub mod access;
pub mod apply;
mod assemble;
mod authenticator;
pub mod blocking;
pub mod client;
pub mod compare;
pub mod declaration;
pub mod error;
pub mod export;
pub mod fields;
pub mod flatten;
mod flatten_nested;
pub mod flow;
mod fresh;
pub mod generated;
pub mod inspect;
pub mod kind;
mod kind_table;
pub mod ledger;
mod leftovers;
pub mod login;
pub mod maintenance;
pub mod model;
mod moves;
pub mod operation;
pub mod overlay;
pub mod plan;
pub mod reader;
pub mod reference;
pub mod references;
pub mod registration;
pub mod render;
pub mod seal;
pub mod shorthand;
pub mod tls;
pub mod token;

pub use client::{Client, Options};
pub use declaration::Declaration;
pub use error::{Error, Result};
pub(crate) use flatten_nested::ADMIN_PERMISSIONS;
pub use plan::Plan;
pub use token::Grant;

/// A JSON tree; Keycloak's representations are kept whole, so that no field is lost on the way.
pub type Json = serde_json::Value;
/// A JSON object.
pub type Body = serde_json::Map<String, Json>;

/// What Keycloak shows in place of a secret.
pub const MASK: &str = "**********";
