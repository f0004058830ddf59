//! `community.postgresql.postgresql_db`: a database exists as asked, or does not exist.

use crate::base::{Map, Value};
use crate::modules::{Module, Output, choices, module_args};
use crate::system::postgres::{PostgresLogin, quoted_name, quoted_text};
use crate::system::{Failure, Result, System};

use super::connection::ConnectionArgs;

pub struct PostgresqlDb;

choices! {
    pub enum State { Present = "present", Absent = "absent", Dump = "dump", Restore = "restore", Rename = "rename" }
}

module_args! {
    /// Makes a PostgreSQL database exist as asked, or not exist.
    pub struct DbArgs {
        /// Name of the database.
        name | "db": String,
        /// Whether it should exist. Dumps are made by `pg_dump`, which is a command.
        state: State = State::Present,
        /// Role that owns it.
        owner: Option<String>,
        /// Database it is made from.
        template: Option<String>,
        /// Its encoding.
        encoding: Option<String>,
        /// Its sort order.
        lc_collate: Option<String>,
        /// Its character classes.
        lc_ctype: Option<String>,
        /// Most connections at a time.
        conn_limit: Option<String>,
        /// Tablespace it lives in.
        tablespace: Option<String>,
        /// Remove it even while somebody is connected.
        force: bool = false,
        /// Its comment.
        comment: Option<String>,
        /// Database to connect to.
        maintenance_db: String = "postgres",
    }
    flatten { connection: ConnectionArgs }
}

impl Module for PostgresqlDb {
    const NAME: &'static str = "community.postgresql.postgresql_db";
    type Args = DbArgs;

    fn run(args: DbArgs, sys: &mut System) -> Result<Output> {
        let login = args.connection.login();
        let key = format!("{}/{}", login.place(), args.name);
        let found = sys.query_record("postgres database", &key, || read(&args, &login, sys))?;
        let (statements, after) = match (args.state, found) {
            (State::Present, found) => present(&args, found.as_ref())?,
            (State::Absent, None) => (Vec::new(), None),
            (State::Absent, Some(_)) => {
                let force = if args.force { " WITH (FORCE)" } else { "" };
                (vec![format!("DROP DATABASE {}{force}", quoted_name(&args.name))], None)
            }
            (state, _) => {
                let message = format!("state `{}` is not supported; use pg_dump or pg_restore by the `command` module", state.as_str());
                return Err(Failure::new(message).at("state"));
            }
        };
        if !statements.is_empty() {
            // CREATE DATABASE cannot share a transaction, so each statement goes alone.
            let run = || statements.iter().try_for_each(|statement| login.execute(&args.maintenance_db, statement).map(drop));
            sys.mutate_record("postgres database", &key, after, run)?;
        }
        Ok(Output::new().with("db", args.name).with("executed_commands", Value::list(statements)))
    }
}

/// Owner, encoding, locale and limits of a database, as the server has them.
fn read(args: &DbArgs, login: &PostgresLogin, sys: &System) -> Result<Option<Value>> {
    let sql = format!(
        "SELECT pg_catalog.pg_get_userbyid(d.datdba) AS owner, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS lc_collate, \
         d.datctype AS lc_ctype, d.datconnlimit::text AS conn_limit, t.spcname AS tablespace, \
         pg_catalog.shobj_description(d.oid, 'pg_database') AS comment \
         FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = {}",
        quoted_text(&args.name)
    );
    let Some(found) = sys.query_postgres(login, &args.maintenance_db, &sql)? else { return Ok(None) };
    let columns = found.columns;
    Ok(found.rows.into_iter().next().map(|row| Value::map(columns.into_iter().zip(row))))
}

/// Statements that make the database as asked, and what it is afterwards.
fn present(args: &DbArgs, found: Option<&Value>) -> Result<(Vec<String>, Option<Value>)> {
    let name = quoted_name(&args.name);
    let mut now: Map = match found {
        Some(Value::Map(map)) => map.as_ref().clone(),
        _ => Map::new(),
    };
    let mut statements = Vec::new();
    if found.is_none() {
        statements.push(create_statement(args));
        let texts = [("encoding", &args.encoding), ("lc_collate", &args.lc_collate), ("lc_ctype", &args.lc_ctype), ("owner", &args.owner)];
        for (key, text) in texts.into_iter().chain([("conn_limit", &args.conn_limit), ("tablespace", &args.tablespace)]) {
            now.insert(key, text.clone());
        }
    }
    let fixed = [("encoding", &args.encoding), ("lc_collate", &args.lc_collate), ("lc_ctype", &args.lc_ctype)];
    for (key, wanted) in fixed {
        if let (Some(wanted), Some(has)) = (wanted, now.text(key))
            && !same(key, wanted, has)
        {
            let message = format!("changing {key} is not supported: database `{}` has `{has}`, `{wanted}` is asked for", args.name);
            return Err(Failure::new(message).at(key));
        }
    }
    let changeable = [
        ("owner", &args.owner, "OWNER TO", true),
        ("conn_limit", &args.conn_limit, "CONNECTION LIMIT", false),
        ("tablespace", &args.tablespace, "SET TABLESPACE", true),
    ];
    for (key, wanted, clause, is_name) in changeable {
        if let Some(wanted) = wanted
            && now.text(key) != Some(wanted)
        {
            let value = if is_name { quoted_name(wanted) } else { number(wanted)? };
            statements.push(format!("ALTER DATABASE {name} {clause} {value}"));
            now.insert(key, wanted.as_str());
        }
    }
    if let Some(comment) = &args.comment
        && now.text("comment").unwrap_or_default() != comment
    {
        statements.push(format!("COMMENT ON DATABASE {name} IS {}", quoted_text(comment)));
        now.insert("comment", comment.as_str());
    }
    Ok((statements, Some(now.into())))
}

fn create_statement(args: &DbArgs) -> String {
    let mut statement = format!("CREATE DATABASE {}", quoted_name(&args.name));
    let names = [("OWNER", &args.owner), ("TEMPLATE", &args.template), ("TABLESPACE", &args.tablespace)];
    for (clause, value) in names.iter().filter_map(|(clause, value)| value.as_ref().map(|value| (clause, value))) {
        statement.push_str(&format!(" {clause} {}", quoted_name(value)));
    }
    let texts = [("ENCODING", &args.encoding), ("LC_COLLATE", &args.lc_collate), ("LC_CTYPE", &args.lc_ctype)];
    for (clause, value) in texts.iter().filter_map(|(clause, value)| value.as_ref().map(|value| (clause, value))) {
        statement.push_str(&format!(" {clause} {}", quoted_text(value)));
    }
    if let Some(limit) = args.conn_limit.as_ref().and_then(|limit| limit.parse::<i64>().ok()) {
        statement.push_str(&format!(" CONNECTION LIMIT {limit}"));
    }
    statement
}

fn number(text: &str) -> Result<String> {
    text.parse::<i64>().map(|number| number.to_string()).map_err(|_| Failure::new(format!("`{text}` is not a number")).at("conn_limit"))
}

/// Encodings have several spellings (`UTF8`, `utf-8`), locales too (`C.UTF-8`, `C.utf8`).
fn same(_key: &str, a: &str, b: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    plain(a) == plain(b)
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_database_is_made_once_on_a_server_that_is_only_planned() {
        let mut machine = Machine::new(Overlay::empty());
        let task = "community.postgresql.postgresql_db: { name: keycloak, owner: keycloak, encoding: UTF8, lc_collate: C.UTF-8, template: template0, login_unix_socket: /nonexistent }";
        let ran = machine.task(task).expect("runs");
        let commands = ran.output.values.get("executed_commands").map(crate::base::Value::to_repr).unwrap_or_default();
        assert!(commands.contains(r#"CREATE DATABASE "keycloak" OWNER "keycloak" TEMPLATE "template0" ENCODING"#), "{commands}");
        let ran = machine
            .task("community.postgresql.postgresql_db: { name: keycloak, owner: other, login_unix_socket: /nonexistent }")
            .expect("runs");
        assert_eq!(ran.effects.len(), 1);
        let refused =
            machine.refusal("community.postgresql.postgresql_db: { name: keycloak, encoding: LATIN1, login_unix_socket: /nonexistent }");
        assert!(refused.starts_with("changing encoding is not supported"), "{refused}");
        let ran = machine
            .task("community.postgresql.postgresql_db: { name: keycloak, state: absent, login_unix_socket: /nonexistent }")
            .expect("runs");
        assert_eq!(ran.effects.len(), 1);
    }
}
