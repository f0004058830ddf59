//! Modules about PostgreSQL: databases, roles, rights, statements. They speak to the server through `System`; nothing here is on the host's
//! disk.

mod connection;
mod postgresql_db;
mod postgresql_ping;
mod postgresql_privs;
mod postgresql_query;
mod postgresql_user;
mod scram;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[
    Entry::of::<postgresql_db::PostgresqlDb>(),
    Entry::of::<postgresql_ping::PostgresqlPing>(),
    Entry::of::<postgresql_privs::PostgresqlPrivs>(),
    Entry::of::<postgresql_query::PostgresqlQuery>(),
    Entry::of::<postgresql_user::PostgresqlUser>(),
];
