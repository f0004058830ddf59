//! `community.postgresql.postgresql_privs`: rights on objects granted or revoked. Whether anything changes is read from the server: its lists
//! of rights before and after the statement, inside one transaction that is rolled back.

use crate::base::Value;
use crate::modules::{Module, Output, choices, module_args};
use crate::system::postgres::{quoted_name, quoted_text};
use crate::system::{Failure, Result, System};

use super::connection::ConnectionArgs;

pub struct PostgresqlPrivs;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

choices! {
    pub enum Kind {
        Table = "table",
        Sequence = "sequence",
        Function = "function",
        Procedure = "procedure",
        Database = "database",
        Schema = "schema",
        Language = "language",
        Tablespace = "tablespace",
        Type = "type",
        ForeignDataWrapper = "foreign_data_wrapper",
        ForeignServer = "foreign_server",
        Group = "group",
        DefaultPrivs = "default_privs",
        Parameter = "parameter",
    }
}

module_args! {
    /// Grants rights on PostgreSQL objects, or revokes them.
    pub struct PrivsArgs {
        /// Database to connect to.
        login_db | "database" | "db": String = "postgres",
        /// Whether the rights should be held.
        state: State = State::Present,
        /// The rights, such as `SELECT,INSERT` or `ALL`; none for memberships.
        privs | "priv": Option<Vec<String>>,
        /// What the objects are.
        r#type: Kind = Kind::Table,
        /// The objects, or `ALL_IN_SCHEMA`; a database when not given and the type is that.
        objs | "obj": Option<Vec<String>>,
        /// Schema of the objects.
        schema: Option<String>,
        /// The roles; `PUBLIC` is everybody.
        roles | "role": Vec<String>,
        /// Roles whose future objects are meant, for default_privs.
        target_roles: Option<Vec<String>>,
        /// Whether the roles may pass the rights on.
        grant_option | "admin_option": Option<bool>,
        /// Fail when a role does not exist.
        fail_on_role: bool = true,
    }
    flatten { connection: ConnectionArgs }
}

/// Every list of rights that is not the default one.
const RIGHTS: &str = "SELECT 'class ' || oid || coalesce(relacl::text, '') FROM pg_catalog.pg_class WHERE relacl IS NOT NULL \
    UNION ALL SELECT 'column ' || attrelid || ' ' || attnum || attacl::text FROM pg_catalog.pg_attribute WHERE attacl IS NOT NULL \
    UNION ALL SELECT 'proc ' || oid || proacl::text FROM pg_catalog.pg_proc WHERE proacl IS NOT NULL \
    UNION ALL SELECT 'schema ' || oid || nspacl::text FROM pg_catalog.pg_namespace WHERE nspacl IS NOT NULL \
    UNION ALL SELECT 'database ' || oid || datacl::text FROM pg_catalog.pg_database WHERE datacl IS NOT NULL \
    UNION ALL SELECT 'language ' || oid || lanacl::text FROM pg_catalog.pg_language WHERE lanacl IS NOT NULL \
    UNION ALL SELECT 'tablespace ' || oid || spcacl::text FROM pg_catalog.pg_tablespace WHERE spcacl IS NOT NULL \
    UNION ALL SELECT 'type ' || oid || typacl::text FROM pg_catalog.pg_type WHERE typacl IS NOT NULL \
    UNION ALL SELECT 'wrapper ' || oid || fdwacl::text FROM pg_catalog.pg_foreign_data_wrapper WHERE fdwacl IS NOT NULL \
    UNION ALL SELECT 'server ' || oid || srvacl::text FROM pg_catalog.pg_foreign_server WHERE srvacl IS NOT NULL \
    UNION ALL SELECT 'default ' || oid || defaclacl::text FROM pg_catalog.pg_default_acl \
    UNION ALL SELECT 'member ' || roleid || ' ' || member || admin_option FROM pg_catalog.pg_auth_members";

impl Module for PostgresqlPrivs {
    const NAME: &'static str = "community.postgresql.postgresql_privs";
    type Args = PrivsArgs;

    fn run(args: PrivsArgs, sys: &mut System) -> Result<Output> {
        let login = args.connection.login();
        let statements = statements(&args)?;
        let sql = statements.join("; ");
        let marked = |at: &str| format!("SELECT {} || row FROM ({RIGHTS}) rights (row)", quoted_text(at));
        let probe = format!("BEGIN; {}; {sql}; {}; ROLLBACK", marked("<"), marked(">"));
        let key = format!("{}/{} {sql}", login.place(), args.login_db);
        let done = sys.query_record("postgres rights", &key, || match sys.query_postgres(&login, &args.login_db, &probe) {
            Ok(None) => Ok(None),
            Ok(Some(found)) => {
                let texts: Vec<&str> = found.rows.iter().filter_map(|row| row.first()?.as_deref()).collect();
                let side = |mark: char| {
                    let mut rows: Vec<&str> = texts.iter().filter_map(|text| text.strip_prefix(mark)).collect();
                    rows.sort_unstable();
                    rows
                };
                Ok((side('<') == side('>')).then_some(Value::Bool(true)))
            }
            Err(failure) if !args.fail_on_role && failure.message.contains("does not exist") => Ok(Some(Value::Bool(true))),
            Err(failure) => Err(failure),
        })?;
        if done.is_none() {
            let run = || login.execute(&args.login_db, &format!("BEGIN; {sql}; COMMIT")).map(drop);
            sys.mutate_record("postgres rights", &key, Some(Value::Bool(true)), run)?;
        }
        Ok(Output::new().with("queries", Value::list(statements)))
    }
}

fn role(name: &str) -> String {
    if name.eq_ignore_ascii_case("public") { "PUBLIC".into() } else { quoted_name(name) }
}

fn statements(args: &PrivsArgs) -> Result<Vec<String>> {
    let roles: Vec<String> = args.roles.iter().map(|name| role(name.trim())).collect();
    let roles = roles.join(", ");
    if args.r#type == Kind::Group {
        let groups = args.objs.clone().ok_or_else(|| Failure::new("argument \"objs\" is required for type \"group\"").at("objs"))?;
        let groups: Vec<String> = groups.iter().map(|name| quoted_name(name.trim())).collect();
        return Ok(vec![membership(args, &groups.join(", "), &roles)]);
    }
    let privileges = privileges(args)?;
    let option = if args.grant_option == Some(true) { " WITH GRANT OPTION" } else { "" };
    let (grant, revoke_option) = (args.state == State::Present, args.grant_option == Some(false));
    if args.r#type == Kind::DefaultPrivs {
        return default_privileges(args, &privileges, &roles, option);
    }
    let on = objects(args)?;
    let mut statements = Vec::new();
    if grant {
        statements.push(format!("GRANT {privileges} ON {on} TO {roles}{option}"));
        if revoke_option {
            statements.push(format!("REVOKE GRANT OPTION FOR {privileges} ON {on} FROM {roles}"));
        }
    } else {
        statements.push(format!("REVOKE {privileges} ON {on} FROM {roles}"));
    }
    Ok(statements)
}

fn membership(args: &PrivsArgs, groups: &str, roles: &str) -> String {
    match (args.state, args.grant_option) {
        (State::Present, Some(true)) => format!("GRANT {groups} TO {roles} WITH ADMIN OPTION"),
        (State::Present, Some(false)) => format!("GRANT {groups} TO {roles}; REVOKE ADMIN OPTION FOR {groups} FROM {roles}"),
        (State::Present, None) => format!("GRANT {groups} TO {roles}"),
        (State::Absent, _) => format!("REVOKE {groups} FROM {roles}"),
    }
}

/// The rights as words of SQL: nothing else can stand there.
fn privileges(args: &PrivsArgs) -> Result<String> {
    let given = args.privs.clone().ok_or_else(|| Failure::new("argument \"privs\" is required").at("privs"))?;
    let words: Vec<String> = given.iter().map(|word| word.trim().to_uppercase().replace('_', " ")).collect();
    let is_word = |word: &String| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == ' ');
    match words.iter().find(|word| !is_word(word)) {
        Some(bad) => Err(Failure::new(format!("Invalid privs specified: {bad}")).at("privs")),
        None => Ok(words.join(", ")),
    }
}

fn objects(args: &PrivsArgs) -> Result<String> {
    let schema = args.schema.clone().unwrap_or_else(|| "public".into());
    let names = match (&args.objs, args.r#type) {
        (Some(names), _) => names.iter().map(|name| name.trim().to_owned()).collect(),
        (None, Kind::Database) => vec![args.login_db.clone()],
        (None, kind) => return Err(Failure::new(format!("argument \"objs\" is required for type \"{}\"", kind.as_str())).at("objs")),
    };
    let keyword = args.r#type.as_str().replace('_', " ").to_uppercase().replace("FOREIGN WRAPPER", "FOREIGN DATA WRAPPER");
    let in_schema = matches!(args.r#type, Kind::Table | Kind::Sequence | Kind::Function | Kind::Procedure | Kind::Type);
    if in_schema && names.iter().any(|name| name == "ALL_IN_SCHEMA") {
        return Ok(format!("ALL {keyword}S IN SCHEMA {}", quoted_name(&schema)));
    }
    let quoted: Vec<String> = names
        .iter()
        .map(|name| match args.r#type {
            // A colon stands for the comma between argument types, since commas separate objects.
            Kind::Function | Kind::Procedure => {
                let (name, arguments) = name.split_once('(').map_or((name.as_str(), ""), |(name, rest)| (name, rest.trim_end_matches(')')));
                let types: Vec<&str> = arguments.split(':').map(str::trim).filter(|kind| !kind.is_empty()).collect();
                let is_type = |kind: &&str| kind.chars().all(|c| c.is_alphanumeric() || " _[]\".".contains(c));
                let types: Vec<&str> = types.into_iter().filter(is_type).collect();
                format!("{}.{}({})", quoted_name(&schema), quoted_name(name), types.join(", "))
            }
            _ if in_schema => format!("{}.{}", quoted_name(&schema), quoted_name(name)),
            _ => quoted_name(name),
        })
        .collect();
    Ok(format!("{keyword} {}", quoted.join(", ")))
}

fn default_privileges(args: &PrivsArgs, privileges: &str, roles: &str, option: &str) -> Result<Vec<String>> {
    let owners = args.target_roles.as_ref().map(|names| names.iter().map(|name| quoted_name(name.trim())).collect::<Vec<_>>().join(", "));
    let owners = owners.map_or_else(String::new, |names| format!(" FOR ROLE {names}"));
    let schema = args.schema.as_ref().map_or_else(String::new, |schema| format!(" IN SCHEMA {}", quoted_name(schema)));
    let kinds = args.objs.clone().unwrap_or_else(|| vec!["TABLES".into()]);
    let known = ["TABLES", "SEQUENCES", "FUNCTIONS", "TYPES", "SCHEMAS", "ROUTINES"];
    let kinds: Vec<String> = match kinds.iter().any(|kind| kind.trim().eq_ignore_ascii_case("ALL_DEFAULT")) {
        true => ["TABLES", "SEQUENCES", "FUNCTIONS", "TYPES"].map(str::to_owned).to_vec(),
        false => kinds.iter().map(|kind| kind.trim().to_uppercase()).collect(),
    };
    if let Some(bad) = kinds.iter().find(|kind| !known.contains(&kind.as_str())) {
        return Err(Failure::new(format!("Invalid Object set specified: {bad}")).at("objs"));
    }
    let verb = |kind: &String| match args.state {
        State::Present => format!("GRANT {privileges} ON {kind} TO {roles}{option}"),
        State::Absent => format!("REVOKE {privileges} ON {kind} FROM {roles}"),
    };
    Ok(kinds.iter().map(|kind| format!("ALTER DEFAULT PRIVILEGES{owners}{schema} {}", verb(kind))).collect())
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    fn queries(options: &str) -> String {
        let mut machine = Machine::new(Overlay::empty());
        let task = format!("community.postgresql.postgresql_privs: {{ login_unix_socket: /nonexistent, login_db: app, {options} }}");
        let ran = machine.task(&task).expect("runs");
        assert_eq!(ran.effects.len(), 1);
        ran.output.values.get("queries").map(crate::base::Value::to_repr).unwrap_or_default()
    }

    #[test]
    fn rights_become_statements_with_every_name_quoted() {
        let made = queries("role: PUBLIC, type: database, privs: ALL, state: absent");
        assert_eq!(made, "['REVOKE ALL ON DATABASE \"app\" FROM PUBLIC']");
        let made = queries("roles: [a, b], objs: ALL_IN_SCHEMA, privs: 'SELECT,INSERT'");
        assert_eq!(made, "['GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA \"public\" TO \"a\", \"b\"']");
        let made = queries("role: a, type: default_privs, objs: TABLES, privs: SELECT, schema: s");
        assert_eq!(made, "['ALTER DEFAULT PRIVILEGES IN SCHEMA \"s\" GRANT SELECT ON TABLES TO \"a\"']");
        assert_eq!(queries("role: a, type: group, objs: admins"), "['GRANT \"admins\" TO \"a\"']");
    }

    #[test]
    fn a_right_that_is_no_word_is_refused() {
        let mut machine = Machine::new(Overlay::empty());
        let task = "community.postgresql.postgresql_privs: { role: a, type: database, privs: 'ALL; DROP TABLE x' }";
        assert!(machine.refusal(task).starts_with("Invalid privs specified"));
    }
}
