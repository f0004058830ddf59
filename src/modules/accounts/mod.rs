//! Modules about users, groups, their keys, and the host's own name.

pub mod authorized_key;
mod getent;
mod group;
mod hostname;
mod user;
mod user_change;
mod user_home;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[
    Entry::of::<authorized_key::AuthorizedKey>(),
    Entry::of::<getent::Getent>(),
    Entry::of::<group::Group>(),
    Entry::of::<hostname::Hostname>(),
    Entry::of::<user::User>(),
];
