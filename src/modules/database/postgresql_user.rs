//! `community.postgresql.postgresql_user`: a role exists as asked, or does not exist.

use crate::base::{Map, Secret, Value};
use crate::modules::{Module, Output, choices, module_args};
use crate::system::postgres::{PostgresLogin, quoted_name, quoted_text};
use crate::system::{Failure, Result, System};

use super::connection::ConnectionArgs;
use super::scram;

pub struct PostgresqlUser;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Makes a PostgreSQL role that can log in exist as asked, or not exist.
    pub struct UserArgs {
        /// Name of the role.
        name | "user": String,
        /// Whether it should exist.
        state: State = State::Present,
        /// Its password, plain or as the server stores it; it is stored with SCRAM and never sent plain.
        password: Option<Secret>,
        /// Leave an existing role's password alone.
        no_password_changes: bool = false,
        /// Its attributes: `CREATEDB,NOSUPERUSER` and the like.
        role_attr_flags: String = "",
        /// When its password expires.
        expires: Option<String>,
        /// Most connections at a time.
        conn_limit: Option<i64>,
        /// Its comment.
        comment: Option<String>,
        /// Database to connect to.
        login_db | "db": String = "postgres",
        /// Fail when a role that others depend on cannot be removed.
        fail_on_user | "fail_on_role": bool = true,
    }
    accepts {
        /// Whether to store the password encrypted, which happens in any case.
        encrypted: bool,
    }
    flatten { connection: ConnectionArgs }
}

/// An attribute's name, the catalogue's column for it, and the word for the opposite.
const ATTRIBUTES: [(&str, &str); 7] = [
    ("SUPERUSER", "rolsuper"),
    ("CREATEROLE", "rolcreaterole"),
    ("CREATEDB", "rolcreatedb"),
    ("INHERIT", "rolinherit"),
    ("LOGIN", "rolcanlogin"),
    ("REPLICATION", "rolreplication"),
    ("BYPASSRLS", "rolbypassrls"),
];

impl Module for PostgresqlUser {
    const NAME: &'static str = "community.postgresql.postgresql_user";
    type Args = UserArgs;

    fn run(args: UserArgs, sys: &mut System) -> Result<Output> {
        let login = args.connection.login();
        let key = format!("{}/{}", login.place(), args.name);
        let flags = flags(&args.role_attr_flags)?;
        let found = sys.query_record("postgres role", &key, || read(&args, &login, sys))?;
        let name = quoted_name(&args.name);
        let mut shown = Vec::new();
        match (args.state, found) {
            (State::Absent, None) => {}
            (State::Absent, Some(_)) => {
                shown.push(format!("DROP USER {name}"));
                let dropped = sys.mutate_record("postgres role", &key, None, || login.execute(&args.login_db, &shown[0]).map(drop));
                match dropped {
                    Err(failure) if !args.fail_on_user => sys.warn(failure.message),
                    outcome => outcome?,
                }
            }
            (State::Present, found) => {
                let (sql, after) = present(&args, &flags, found.as_ref());
                if let Some(sql) = sql {
                    shown.push(sql.replace(after.text("password").filter(|text| !text.is_empty()).unwrap_or("\0"), "********"));
                    sys.mutate_record("postgres role", &key, Some(after.into()), || login.execute(&args.login_db, &sql).map(drop))?;
                }
            }
        }
        Ok(Output::new().with("user", args.name).with("queries", Value::list(shown)))
    }
}

/// `CREATEDB,NOSUPERUSER` as names with yes or no.
fn flags(text: &str) -> Result<Vec<(&'static str, &'static str, bool)>> {
    let words = text.split([',', ' ']).map(|word| word.trim().to_uppercase()).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let known = |name: &str| ATTRIBUTES.iter().find(|(known, _)| *known == name).copied();
            let found = known(&word).map(|found| (found, true)).or_else(|| Some((known(word.strip_prefix("NO")?)?, false)));
            let ((name, column), wanted) = found.ok_or_else(|| {
                let all: Vec<&str> = ATTRIBUTES.iter().map(|(name, _)| *name).collect();
                Failure::new(format!("Invalid role_attr_flags specified: {word}; there are {} and each with NO", all.join(", ")))
                    .at("role_attr_flags")
            })?;
            Ok((name, column, wanted))
        })
        .collect()
}

fn read(args: &UserArgs, login: &PostgresLogin, sys: &System) -> Result<Option<Value>> {
    let name = quoted_text(&args.name);
    let columns: Vec<String> = ATTRIBUTES.iter().map(|(_, column)| format!("r.{column}::text AS {column}")).collect();
    // Only a superuser sees stored passwords; others see that there is one.
    let sql = |catalogue: &str, password: &str| {
        format!(
            "SELECT {}, r.rolconnlimit::text AS conn_limit, r.rolvaliduntil::text AS expires, {password} AS password, \
             pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment FROM pg_catalog.{catalogue} r WHERE r.rolname = {name}",
            columns.join(", ")
        )
    };
    let found = match sys.query_postgres(login, &args.login_db, &sql("pg_authid", "r.rolpassword")) {
        Err(failure) if failure.values.text("sqlstate") == Some("42501") => {
            sys.query_postgres(login, &args.login_db, &sql("pg_roles", "NULL::text"))?
        }
        found => found?,
    };
    let Some(found) = found else { return Ok(None) };
    let columns = found.columns;
    Ok(found.rows.into_iter().next().map(|row| Value::map(columns.into_iter().zip(row))))
}

/// The statement that makes the role as asked, and what it is afterwards.
fn present(args: &UserArgs, flags: &[(&str, &str, bool)], found: Option<&Value>) -> (Option<String>, Map) {
    let mut now: Map = match found {
        Some(Value::Map(map)) => map.as_ref().clone(),
        _ => Map::new(),
    };
    let mut clauses = Vec::new();
    for (name, column, wanted) in flags {
        let has = now.text(column).map(|text| text == "true" || text == "t");
        if has != Some(*wanted) {
            clauses.push(format!("{}{name}", if *wanted { "" } else { "NO" }));
            now.insert(*column, if *wanted { "true" } else { "false" });
        }
    }
    if let Some(password) = &args.password {
        let kept = now.text("password").unwrap_or_default();
        let keeps = found.is_some() && (args.no_password_changes || scram::matches(kept, &args.name, password.expose()));
        let clears = password.expose().is_empty();
        let is_cleared = clears && found.is_some() && kept.is_empty();
        if !keeps && !is_cleared {
            let stored = match (clears, scram::is_stored(password.expose())) {
                (true, _) => String::new(),
                (false, true) => password.expose().to_owned(),
                (false, false) => scram::stored(password.expose()),
            };
            clauses.push(if clears { "PASSWORD NULL".into() } else { format!("ENCRYPTED PASSWORD {}", quoted_text(&stored)) });
            now.insert("password", stored);
        }
    }
    if let Some(limit) = args.conn_limit.filter(|limit| now.text("conn_limit") != Some(limit.to_string().as_str())) {
        clauses.push(format!("CONNECTION LIMIT {limit}"));
        now.insert("conn_limit", limit.to_string());
    }
    if let Some(expires) = args.expires.as_ref().filter(|expires| !same_moment(now.text("expires"), expires)) {
        clauses.push(format!("VALID UNTIL {}", quoted_text(expires)));
        now.insert("expires", expires.as_str());
    }
    let name = quoted_name(&args.name);
    let mut statements = Vec::new();
    match (found.is_some(), clauses.is_empty()) {
        (false, true) => statements.push(format!("CREATE USER {name}")),
        (false, false) => statements.push(format!("CREATE USER {name} WITH {}", clauses.join(" "))),
        (true, false) => statements.push(format!("ALTER USER {name} WITH {}", clauses.join(" "))),
        (true, true) => {}
    }
    if let Some(comment) = args.comment.as_ref().filter(|comment| now.text("comment").unwrap_or_default() != comment.as_str()) {
        statements.push(format!("COMMENT ON ROLE {name} IS {}", quoted_text(comment)));
        now.insert("comment", comment.as_str());
    }
    ((!statements.is_empty()).then(|| statements.join("; ")), now)
}

/// The server writes a moment its own way: `2030-01-01` is `2030-01-01 00:00:00+00`.
fn same_moment(has: Option<&str>, wanted: &str) -> bool {
    has.is_some_and(|has| has == wanted || has.starts_with(wanted) || has.replace("+00", "").trim_end_matches(" 00:00:00") == wanted)
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_role_is_made_once_and_its_password_is_shown_nowhere() {
        let mut machine = Machine::new(Overlay::empty());
        let task = "community.postgresql.postgresql_user: { name: keycloak, password: s3cret-pass, role_attr_flags: 'NOSUPERUSER,CREATEDB', login_unix_socket: /nonexistent }";
        let ran = machine.task(task).expect("runs");
        let shown = format!("{:?}", ran.output.values);
        assert!(shown.contains("CREATE USER") && shown.contains("NOSUPERUSER CREATEDB"), "{shown}");
        assert!(!shown.contains("s3cret-pass") && !shown.contains("SCRAM"), "{shown}");
        assert!(!format!("{:?}", ran.effects).contains("s3cret-pass"));
        let other = task.replace("s3cret-pass", "another-one");
        assert_eq!(machine.task(&other).expect("runs").effects.len(), 1);
    }

    #[test]
    fn an_unknown_attribute_is_refused() {
        let mut machine = Machine::new(Overlay::empty());
        let refused =
            machine.refusal("community.postgresql.postgresql_user: { name: a, role_attr_flags: FLY, login_unix_socket: /nonexistent }");
        assert!(refused.starts_with("Invalid role_attr_flags specified: FLY"), "{refused}");
    }
}
