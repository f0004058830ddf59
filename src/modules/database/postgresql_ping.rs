//! `community.postgresql.postgresql_ping`: whether a server answers, and its version.

use crate::base::Value;
use crate::modules::{Module, Output, module_args};
use crate::system::{Result, System};

use super::connection::ConnectionArgs;

pub struct PostgresqlPing;

module_args! {
    /// Asks a PostgreSQL server for its version; a server that does not answer is no failure.
    pub struct PingArgs {
        /// Database to connect to.
        login_db | "db": String = "postgres",
    }
    flatten { connection: ConnectionArgs }
}

impl Module for PostgresqlPing {
    const NAME: &'static str = "community.postgresql.postgresql_ping";
    type Args = PingArgs;

    fn run(args: PingArgs, sys: &mut System) -> Result<Output> {
        let away = |why: &str| {
            Output::new().with("is_available", false).with("server_version", Value::map([("raw", "")])).with("conn_err_msg", why)
        };
        match sys.query_postgres(&args.connection.login(), &args.login_db, "SHOW server_version") {
            Ok(Some(found)) => {
                let version = found.rows.first().and_then(|row| row.first().cloned().flatten()).unwrap_or_default();
                let full = version.split(' ').next().unwrap_or_default().to_owned();
                let mut numbers = full.split('.').map(|part| Value::Int(part.parse().unwrap_or(0)));
                let parts = [
                    ("raw", Value::from(&version)),
                    ("full", Value::from(&full)),
                    ("major", numbers.next().unwrap_or_default()),
                    ("minor", numbers.next().unwrap_or_default()),
                ];
                Ok(Output::new().with("is_available", true).with("server_version", Value::map(parts)).with("conn_err_msg", ""))
            }
            Ok(None) => Ok(away("the server is only planned")),
            Err(failure) => Ok(away(&failure.message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_server_that_does_not_answer_is_told_and_no_failure() {
        let mut machine = Machine::new(Overlay::empty());
        let ran = machine.task("community.postgresql.postgresql_ping: { login_unix_socket: /nonexistent }").expect("runs");
        assert_eq!(ran.output.values.get("is_available"), Some(&Value::Bool(false)));
    }
}
