//! PostgreSQL, spoken to directly: over its socket as the account the agent runs as, or over TCP with a password. Statements that change
//! something run inside `System::mutate_record`; queries answer `None` in check mode while the server or database is only planned.

use std::path::Path;

use sqlx::postgres::{PgConnectOptions, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, Column, Connection, PgConnection, Row, ValueRef};

use crate::base::Secret;

use super::System;
use super::error::{Failure, Result};
use super::host::addresses_of;

/// How to reach a server and who to be there.
#[derive(Clone, Debug)]
pub struct PostgresLogin {
    /// A host name or address; empty: the socket.
    pub host: String,
    /// Folder of the socket; empty: the usual one.
    pub socket: String,
    pub port: u16,
    pub user: String,
    pub password: Option<Secret>,
    /// Refuse a connection without TLS.
    pub require_tls: bool,
    /// A role to become after the login.
    pub session_role: Option<String>,
}

/// What a statement gave: column names and texts of each row, and how many rows it touched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostgresRows {
    pub columns: Vec<String>,
    pub types: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
    pub touched: u64,
}

impl PostgresLogin {
    /// Where the server is, for messages and for what a plan remembers.
    pub fn place(&self) -> String {
        if self.host.is_empty() { format!("socket:{}", self.port) } else { format!("{}:{}", self.host, self.port) }
    }

    /// Runs statements in one connection and gives the rows of all of them.
    pub fn fetch(&self, database: &str, sql: &str) -> Result<PostgresRows> {
        self.with_connection(database, |runtime, connection| {
            let rows: Vec<PgRow> = runtime.block_on(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut *connection))?;
            text_rows(&rows)
        })
    }

    /// Runs statements for what they do; gives the number of rows touched.
    pub fn execute(&self, database: &str, sql: &str) -> Result<u64> {
        self.with_connection(database, |runtime, connection| {
            let done = runtime.block_on(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *connection))?;
            Ok(done.rows_affected())
        })
    }

    /// A thread of its own, so that nothing depends on whether the caller stands in a runtime.
    fn with_connection<T: Send>(
        &self,
        database: &str,
        work: impl FnOnce(&tokio::runtime::Runtime, &mut PgConnection) -> std::result::Result<T, sqlx::Error> + Send,
    ) -> Result<T> {
        let options = self.options(database)?;
        let role = self.session_role.as_ref().map(|role| format!("SET ROLE {}", quoted_name(role)));
        let run = move || -> std::result::Result<T, sqlx::Error> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let mut connection = runtime.block_on(PgConnection::connect_with(&options))?;
            if let Some(role) = role {
                runtime.block_on(sqlx::raw_sql(AssertSqlSafe(role)).execute(&mut connection))?;
            }
            let outcome = work(&runtime, &mut connection);
            // The work is done or has failed by now; how the connection ends changes nothing.
            runtime.block_on(connection.close()).unwrap_or_default();
            outcome
        };
        let outcome = std::thread::scope(|scope| scope.spawn(run).join());
        let outcome = outcome.map_err(|_| Failure::new("the connection to PostgreSQL broke off"))?;
        outcome.map_err(|error| self.failed(database, &error))
    }

    fn options(&self, database: &str) -> Result<PgConnectOptions> {
        let mut options = PgConnectOptions::new_without_pgpass().username(&self.user).database(database).port(self.port);
        options = match self.host.as_str() {
            "" => options.socket(if self.socket.is_empty() { "/var/run/postgresql" } else { &self.socket }),
            name => options.host(&addresses_of(name)?[0].to_string()),
        };
        if let Some(password) = &self.password {
            options = options.password(password.expose());
        }
        Ok(options.ssl_mode(if self.require_tls { PgSslMode::Require } else { PgSslMode::Prefer }))
    }

    fn failed(&self, database: &str, error: &sqlx::Error) -> Failure {
        match error {
            sqlx::Error::Database(said) => {
                let code = said.code().map(|code| code.into_owned()).unwrap_or_default();
                let way_out = match code.as_str() {
                    "28P01" => "; check `login_user` and `login_password`",
                    "28000" => "; pg_hba.conf there says who may log in, from where and how",
                    _ => "",
                };
                Failure::new(format!("PostgreSQL on {} refused: {}{way_out}", self.place(), said.message())).with("sqlstate", code)
            }
            other => {
                let place = self.place();
                let message =
                    format!("cannot connect to database `{database}` on {place} as `{}`: {other}; is PostgreSQL running there?", self.user);
                Failure::new(message).with("unreachable_server", true)
            }
        }
    }
}

fn text_rows(rows: &[PgRow]) -> std::result::Result<PostgresRows, sqlx::Error> {
    let mut all = PostgresRows { touched: rows.len() as u64, ..PostgresRows::default() };
    for row in rows {
        if all.columns.is_empty() {
            all.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
            all.types = row.columns().iter().map(|column| column.type_info().to_string()).collect();
        }
        // The simple protocol gives every value as text.
        let texts = (0..row.len()).map(|index| {
            let value = row.try_get_raw(index)?;
            if value.is_null() { Ok(None) } else { value.as_str().map(|text| Some(text.to_owned())).map_err(sqlx::Error::Decode) }
        });
        all.rows.push(texts.collect::<std::result::Result<Vec<_>, sqlx::Error>>()?);
    }
    Ok(all)
}

/// A name as SQL takes it whatever it holds.
pub fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\"").replace('\0', ""))
}

/// A text as SQL takes it whatever it holds.
pub fn quoted_text(text: &str) -> String {
    let escaped = text.replace('\'', "''").replace('\0', "");
    if escaped.contains('\\') { format!(" E'{}'", escaped.replace('\\', "\\\\")) } else { format!("'{escaped}'") }
}

impl System {
    /// What statements answer. `None` in check mode when the server, database or role is not there yet: an earlier task would bring it.
    pub fn query_postgres(&self, login: &PostgresLogin, database: &str, sql: &str) -> Result<Option<PostgresRows>> {
        match login.fetch(database, sql) {
            Ok(rows) => Ok(Some(rows)),
            Err(failure) if self.backend().is_dry() && is_missing(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Whether a socket of the server is there.
    pub fn has_postgres_socket(&self, login: &PostgresLogin) -> bool {
        let folder = if login.socket.is_empty() { "/var/run/postgresql" } else { &login.socket };
        matches!(self.query_file(&Path::new(folder).join(format!(".s.PGSQL.{}", login.port))), Ok(Some(_)))
    }
}

/// No server, or a database, role or object that does not exist.
fn is_missing(failure: &Failure) -> bool {
    let code = failure.values.text("sqlstate").unwrap_or_default();
    failure.values.contains_key("unreachable_server") || matches!(code, "3D000" | "28000" | "42704" | "3F000" | "42P01")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_quoted_whatever_they_hold() {
        assert_eq!(quoted_name(r#"a"b"#), r#""a""b""#);
        assert_eq!(quoted_text("it's"), "'it''s'");
        assert_eq!(quoted_text(r"a\'b"), r" E'a\\''b'");
    }

    #[test]
    fn a_server_that_is_not_there_fails_for_real_and_is_believed_in_a_plan() {
        let login = PostgresLogin {
            host: String::new(),
            socket: "/nonexistent".into(),
            port: 1,
            user: "x".into(),
            password: None,
            require_tls: false,
            session_role: None,
        };
        let dry = System::dry(crate::system::Overlay::empty());
        assert_eq!(dry.query_postgres(&login, "postgres", "SELECT 1").expect("is believed"), None);
        let failure = System::local().query_postgres(&login, "postgres", "SELECT 1").expect_err("fails");
        assert!(failure.message.contains("cannot connect to database `postgres`"), "{}", failure.message);
    }
}
