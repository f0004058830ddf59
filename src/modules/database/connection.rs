//! The options that every PostgreSQL module shares: where the server is and who to be there.

use crate::base::{Map, Secret};
use crate::modules::{choices, module_args};
use crate::system::postgres::PostgresLogin;

choices! {
    pub enum TlsMode {
        Disable = "disable",
        Allow = "allow",
        Prefer = "prefer",
        Require = "require",
        VerifyCa = "verify-ca",
        VerifyFull = "verify-full",
    }
}

module_args! {
    /// How to reach a PostgreSQL server.
    pub struct ConnectionArgs {
        /// Role to log in as; with peer authentication the task must run as the account of that name (`become_user: postgres`).
        login_user | "login": String = "postgres",
        /// Its password.
        login_password: Option<Secret>,
        /// Host of the server; the socket when not given.
        login_host | "host": String = "",
        /// Folder of the server's socket.
        login_unix_socket | "unix_socket": String = "",
        /// Port of the server.
        login_port | "port": u32 = 5432u32,
        /// Whether the connection must be encrypted.
        ssl_mode: TlsMode = TlsMode::Prefer,
        /// Role to become after the login.
        session_role: Option<String>,
    }
    accepts {
        /// File of the authority's certificate.
        ca_cert | "ssl_rootcert": String,
        /// File of the client's certificate.
        ssl_cert: String,
        /// File of the client's key.
        ssl_key: String,
        /// Further parameters of the connection.
        connect_params: Map,
        /// Whether to look for dangerous texts; every name and text is quoted here.
        trust_input: bool,
    }
}

impl ConnectionArgs {
    pub fn login(&self) -> PostgresLogin {
        let is_socket = self.login_host.starts_with('/');
        PostgresLogin {
            host: if is_socket { String::new() } else { self.login_host.clone() },
            socket: if is_socket { self.login_host.clone() } else { self.login_unix_socket.clone() },
            port: u16::try_from(self.login_port).unwrap_or(5432),
            user: self.login_user.clone(),
            password: self.login_password.clone(),
            require_tls: matches!(self.ssl_mode, TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull),
            session_role: self.session_role.clone(),
        }
    }
}
