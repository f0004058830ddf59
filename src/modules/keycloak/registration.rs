//! `hostler.keycloak.registration`: a client through dynamic registration, with what the server answers kept in a file.

use std::path::{Path, PathBuf};

use super::connection::{Account, authorities, failure};
use crate::base::{Map, Secret, Value};
use crate::keycloak::registration::{self, Outcome, Stored};
use crate::keycloak::{Error, Json, blocking};
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Attributes, Failure, Mode, Result, System, WriteFile};

pub struct Registration;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Makes a client through OpenID Connect dynamic client registration. The first time an initial access token is made for it; from then on
    /// the registration token is used that the server gave last. All that the server answers (client id, secret, address, token) is kept in a
    /// file that only its owner reads; a token that is no longer good is replaced.
    pub struct RegistrationArgs {
        /// Where Keycloak answers, as seen from the host.
        url: String,
        /// The realm of the client.
        realm: String,
        /// The client, in the words of OpenID Connect registration: `client_name`, `redirect_uris`, `grant_types`, …
        client: Map = Map::new(),
        /// The file that keeps the registration: JSON, mode 0600.
        store: PathBuf,
        /// The service account.
        auth_client_id: String,
        /// Its secret.
        auth_client_secret: Secret,
        /// The realm in which the service account lives.
        auth_realm: String = "master",
        /// A PEM file on the host with authorities to trust besides the public ones.
        ca_file: Option<PathBuf>,
        /// Whether the client should exist.
        state: State = State::Present,
    }
}

const RECORD: &str = "keycloak registration";

impl Module for Registration {
    const NAME: &'static str = "hostler.keycloak.registration";
    type Args = RegistrationArgs;

    fn run(args: RegistrationArgs, sys: &mut System) -> Result<Output> {
        let account =
            Account { url: &args.url, realm: &args.auth_realm, client_id: &args.auth_client_id, client_secret: &args.auth_client_secret };
        let client = account.client(authorities(args.ca_file.as_deref(), sys)?)?;
        let stored = stored(&args.store, sys)?;
        if args.state == State::Absent {
            let Some(stored) = stored else { return Ok(Output::new()) };
            sys.mutate_record(RECORD, &stored.client_id, None, || {
                blocking::run(|| registration::deregister(&client, &args.realm, &stored)).map_err(failure)
            })?;
            sys.remove(&args.store)?;
            return Ok(Output::new().with("client_id", stored.client_id).message("the client is deleted"));
        }
        let Json::Object(wanted) = Value::from(args.client).to_json() else { return Ok(Output::new()) };
        let place = args.store.to_string_lossy().into_owned();
        let value = Value::from(Json::Object(wanted.clone()).to_string());
        if sys.query_record(RECORD, &place, || Ok(None))?.as_ref() == Some(&value) {
            return Ok(Output::new());
        }
        let outcome = match blocking::run(|| registration::look(&client, &args.realm, &wanted, stored.as_ref())) {
            // In a dry run the server may be one that only the real run brings; a real run fails below, where it writes.
            Err(error) if error.is_unreachable() => Outcome::Registered,
            other => other.map_err(failure)?,
        };
        let mut known = stored.clone();
        if outcome != Outcome::Same {
            let mut answers = Vec::new();
            let result = sys.mutate_record(RECORD, &place, Some(value), || {
                let mut keep = |answer: &Stored| {
                    answers.push(answer.clone());
                    Ok::<(), Error>(())
                };
                blocking::run(|| registration::register(&client, &args.realm, &wanted, stored.as_ref(), &mut keep))
                    .map(|_| ())
                    .map_err(failure)
            });
            // What came is kept also when a later step failed.
            if let Some(last) = answers.pop() {
                write(&args.store, &last, sys)?;
                known = Some(last);
            }
            result?;
        }
        let output = Output::new().with("outcome", described(outcome));
        Ok(match known {
            Some(known) => output.with("client_id", known.client_id).with("registration_client_uri", known.registration_client_uri),
            None => output,
        })
    }
}

fn described(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Same => "unchanged",
        Outcome::Registered => "registered",
        Outcome::Updated => "updated",
        Outcome::TokenRenewed => "token renewed",
    }
}

fn stored(path: &Path, sys: &System) -> Result<Option<Stored>> {
    let Ok(content) = sys.query_content(path) else { return Ok(None) };
    let parsed = serde_json::from_slice(&content);
    parsed
        .map(Some)
        .map_err(|_| Failure::new(format!("`{}` holds no registration: move it away to register anew", path.display())).at("store"))
}

fn write(path: &Path, stored: &Stored, sys: &mut System) -> Result<()> {
    let text = serde_json::to_string_pretty(stored).unwrap_or_default() + "\n";
    let attributes = Attributes { mode: Some(Mode::Octal(0o600)), ..Attributes::default() };
    let mut file = WriteFile::new(path, text).attributes(attributes);
    file.secret = true;
    sys.write_file(file).map(drop)
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    const TASK: &str = "url: 'http://127.0.0.1:9', realm: a, store: /etc/app/registration.json, auth_client_id: a, auth_client_secret: b";

    #[test]
    fn a_dry_run_before_there_is_a_server_predicts_a_registration() {
        let mut machine = Machine::new(Overlay::empty());
        let ran =
            machine.task(&format!("hostler.keycloak.registration: {{ {TASK}, client: {{ client_name: app }} }}")).expect("is predicted");
        assert_eq!(ran.output.values.text("outcome"), Some("registered"));
        let gone = machine.task(&format!("hostler.keycloak.registration: {{ {TASK}, state: absent }}")).expect("nothing is there");
        assert!(gone.effects.is_empty());
    }
}
