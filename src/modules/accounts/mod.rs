//! Modules about users, groups, their keys, passwords and limits, and the host's own name.

pub mod authorized_key;
mod getent;
mod group;
mod hostname;
mod htpasswd;
mod htpasswd_hash;
mod pam_limits;
mod user;
mod user_change;
mod user_home;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[
    Entry::of::<authorized_key::AuthorizedKey>(),
    Entry::of::<getent::Getent>(),
    Entry::of::<group::Group>(),
    Entry::of::<hostname::Hostname>(),
    Entry::of::<htpasswd::Htpasswd>(),
    Entry::of::<pam_limits::PamLimits>(),
    Entry::of::<user::User>(),
];
