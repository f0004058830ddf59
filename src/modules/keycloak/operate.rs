//! `hostler.keycloak.operate`: one operation of `hostler realm`, carried out on the host where the Admin API is.

use std::path::PathBuf;

use super::connection::{Account, authorities, failure};
use crate::base::{Map, Secret, Value};
use crate::keycloak::operation::{Operation, perform};
use crate::keycloak::{Json, blocking};
use crate::modules::{Module, Output, module_args};
use crate::system::{Failure, Result, System};

pub struct Operate;

module_args! {
    /// Carries out one operation of the command `hostler realm` on the host: a plan, an apply, an export. `hostler realm --on HOST` uses it;
    /// plays use `hostler.keycloak.realm`.
    pub struct OperateArgs {
        /// Where Keycloak answers, as seen from the host.
        url: String,
        /// The service account.
        auth_client_id: String,
        /// Its secret.
        auth_client_secret: Secret,
        /// The realm in which the service account lives.
        auth_realm: String = "master",
        /// The text of authorities to trust besides the public ones, PEM.
        ca_pem: Option<String>,
        /// A PEM file on the host with the same.
        ca_file: Option<PathBuf>,
        /// What to do: `operation` names it, the rest are its fields.
        operation: Map,
    }
}

impl Module for Operate {
    const NAME: &'static str = "hostler.keycloak.operate";
    type Args = OperateArgs;

    fn run(args: OperateArgs, sys: &mut System) -> Result<Output> {
        let operation = Value::from(args.operation).to_json();
        let operation: Operation = serde_json::from_value(operation)
            .map_err(|error| Failure::new(format!("the operation is none that this program knows: {error}")).at("operation"))?;
        let account =
            Account { url: &args.url, realm: &args.auth_realm, client_id: &args.auth_client_id, client_secret: &args.auth_client_secret };
        let ca_pem = match args.ca_pem {
            Some(text) => Some(text.into_bytes()),
            None => authorities(args.ca_file.as_deref(), sys)?,
        };
        let client = account.client(ca_pem)?;
        let progress = sys.context().output.clone();
        let ask = || blocking::run(|| perform(&client, &operation, progress.as_ref())).map_err(failure);
        let mut answer = Json::Null;
        match operation.writes() {
            Some(realm) => {
                let place = format!("{}/{realm}", args.url.trim_end_matches('/'));
                sys.mutate_record("keycloak operation", &place, Some(Value::from(true)), || {
                    answer = ask()?;
                    Ok(())
                })?;
            }
            None => answer = ask()?,
        }
        Ok(Output::new().with("answer", Value::from_json(answer)))
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    const ACCOUNT: &str = "url: 'http://127.0.0.1:9', auth_client_id: a, auth_client_secret: hunter22";

    #[test]
    fn an_unknown_operation_and_an_absent_server_are_told() {
        let mut machine = Machine::new(Overlay::empty());
        let refusal = machine.refusal(&format!("hostler.keycloak.operate: {{ {ACCOUNT}, operation: {{ operation: fly }} }}"));
        assert!(refusal.contains("unknown variant `fly`"), "{refusal}");
        let refusal = machine.refusal(&format!("hostler.keycloak.operate: {{ {ACCOUNT}, operation: {{ operation: export, realm: a }} }}"));
        assert!(refusal.contains("does not answer") && !refusal.contains("hunter22"), "{refusal}");
    }

    #[test]
    fn a_dry_run_writes_nothing() {
        let mut machine = Machine::new(Overlay::empty());
        let task = format!("hostler.keycloak.operate: {{ {ACCOUNT}, operation: {{ operation: destroy, realm: a }} }}");
        assert_eq!(machine.task_once(&task).expect("no server is asked").effects.len(), 1);
    }
}
