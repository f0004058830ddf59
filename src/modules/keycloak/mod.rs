//! Faces of `crate::keycloak` for tasks: the realm as declared, the service account, the proof of a login. What they ask of Keycloak goes
//! out from the host they run on, so the Admin API needs no way in from outside.

mod bootstrap;
pub(super) mod community;
mod connection;
mod operate;
mod realm;
mod registration;
mod verify;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[
    Entry::of::<bootstrap::Bootstrap>(),
    Entry::of::<operate::Operate>(),
    Entry::of::<realm::Realm>(),
    Entry::of::<registration::Registration>(),
    Entry::of::<verify::Verify>(),
];
