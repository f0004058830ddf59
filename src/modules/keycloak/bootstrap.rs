//! `hostler.keycloak.bootstrap`: the temporary admin client of a new Keycloak is replaced by a permanent service account.

use std::path::PathBuf;

use super::connection::{ACCOUNT, Account, authorities, failure};
use crate::base::{Secret, Value};
use crate::keycloak::access::{self, ServiceAccount};
use crate::keycloak::{Error, blocking};
use crate::modules::{Module, Output, module_args};
use crate::system::{Result, System};

pub struct Bootstrap;

module_args! {
    /// Makes the permanent service account of a new Keycloak with its bootstrap client, then deletes the bootstrap client. When the account
    /// already works and the bootstrap client is gone, nothing is done.
    pub struct BootstrapArgs {
        /// Where Keycloak answers, as seen from the host.
        url: String,
        /// The client of `KC_BOOTSTRAP_ADMIN_CLIENT_ID`.
        bootstrap_client_id: Option<String>,
        /// Its secret; without it only the service account is tried.
        bootstrap_client_secret: Option<Secret>,
        /// The service account to have.
        service_client_id: String,
        /// Its secret.
        service_client_secret: Secret,
        /// What it may do: realm roles of its realm, client roles as `client/role`. Who may create realms may manage those it made.
        roles: Vec<String> = vec!["create-realm".to_owned()],
        /// The realm in which both live.
        auth_realm: String = "master",
        /// A PEM file on the host with authorities to trust besides the public ones.
        ca_file: Option<PathBuf>,
    }
}

impl Module for Bootstrap {
    const NAME: &'static str = "hostler.keycloak.bootstrap";
    type Args = BootstrapArgs;

    fn run(args: BootstrapArgs, sys: &mut System) -> Result<Output> {
        let ca_pem = authorities(args.ca_file.as_deref(), sys)?;
        let account = Account {
            url: &args.url,
            realm: &args.auth_realm,
            client_id: &args.service_client_id,
            client_secret: &args.service_client_secret,
        };
        let output = Output::new().with("client_id", args.service_client_id.as_str());
        if account.is_only_promised(sys)? {
            return Ok(output);
        }
        let service = account.client(ca_pem.clone())?;
        let bootstrap = match (&args.bootstrap_client_id, &args.bootstrap_client_secret) {
            (Some(id), Some(secret)) if !secret.expose().is_empty() => {
                let temporary = Account { url: &args.url, realm: &args.auth_realm, client_id: id, client_secret: secret };
                Some((id, temporary.client(ca_pem)?))
            }
            _ => None,
        };
        let found = match blocking::run(|| access::look(&service, bootstrap.as_ref().map(|(_, client)| client))) {
            // No server yet: a dry run goes on, a real one fails where it writes.
            Err(Error::Unreachable { .. }) => access::Bootstrap { account: true, leftover: true },
            other => other.map_err(failure)?,
        };
        if !found.is_done() {
            let wanted = ServiceAccount {
                client_id: args.service_client_id.clone(),
                client_secret: args.service_client_secret.clone(),
                roles: args.roles.clone(),
            };
            let value = Value::list(args.roles.iter().map(String::as_str));
            sys.mutate_record(ACCOUNT, &account.record(), Some(value), || match &bootstrap {
                Some((id, client)) => blocking::run(|| access::establish(client, id, &args.auth_realm, &wanted)).map_err(failure),
                None => blocking::run(|| service.log_in()).map_err(failure),
            })?;
        }
        Ok(output.with("created", found.account).with("bootstrap_removed", found.leftover))
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn before_there_is_a_server_a_dry_run_promises_the_account_to_later_tasks() {
        let mut machine = Machine::new(Overlay::empty());
        let url = "http://127.0.0.1:9";
        let ran = machine.task(&format!(
            "hostler.keycloak.bootstrap: {{ url: '{url}', bootstrap_client_id: b, bootstrap_client_secret: b, service_client_id: hostler, service_client_secret: s }}"
        ));
        assert_eq!(ran.expect("is predicted").effects.len(), 1);
    }
}
