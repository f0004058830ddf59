//! `hostler.keycloak.realm`: a realm is as declared, or is gone.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::connection::{Account, authorities, failure};
use crate::base::{Map, Secret, Value};
use crate::keycloak::generated::{Generate, Made};
use crate::keycloak::{Client, Declaration, Plan, apply, blocking, render};
use crate::modules::{Module, Output, choices, module_args};

use crate::system::{Attributes, Diff, Failure, Mode, Result, System, WriteFile};

pub struct Realm;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Makes a Keycloak realm as declared, through the Admin API. The declaration is Keycloak's own representation of a realm (any export is
    /// one); only what it declares is compared and changed, and nothing is deleted unless `hostler.ownership` in it says so.
    pub struct RealmArgs {
        /// Where Keycloak answers, as seen from the host: `http://127.0.0.1:8080`.
        url: String,
        /// The realm, declared; for `state: absent` its name under `realm` is enough.
        realm: Map,
        /// The service account that plans and applies.
        auth_client_id: String,
        /// Its secret.
        auth_client_secret: Secret,
        /// The realm in which the service account lives.
        auth_realm: String = "master",
        /// A PEM file on the host with authorities to trust besides the public ones.
        ca_file: Option<PathBuf>,
        /// Whether the realm should exist.
        state: State = State::Present,
    }
}

/// The record of a realm as the last task left it.
pub(in crate::modules) const RECORD: &str = "keycloak realm";

impl Module for Realm {
    const NAME: &'static str = "hostler.keycloak.realm";
    type Args = RealmArgs;

    fn run(args: RealmArgs, sys: &mut System) -> Result<Output> {
        let account =
            Account { url: &args.url, realm: &args.auth_realm, client_id: &args.auth_client_id, client_secret: &args.auth_client_secret };
        let client = account.client(authorities(args.ca_file.as_deref(), sys)?)?;
        let declared = Value::from(args.realm).to_json();
        let mut declaration = Declaration::parse(&declared).map_err(failure)?;
        let place = format!("{}/{}", args.url.trim_end_matches('/'), declaration.realm);
        match args.state {
            State::Absent => absent(&client, &declaration.realm, &place, sys),
            State::Present => {
                let promised = account.is_only_promised(sys)?;
                let value = fingerprint(&declared.to_string(), &args.auth_client_secret);
                present(&client, &mut declaration, Target { place, value, promised }, sys)
            }
        }
    }
}

struct Target {
    place: String,
    value: Value,
    /// The service account is still to be made.
    promised: bool,
}

fn present(client: &Client, declaration: &mut Declaration, target: Target, sys: &mut System) -> Result<Output> {
    let known = sys.query_record(RECORD, &target.place, || Ok(None))?;
    if known.as_ref() == Some(&target.value) {
        return Ok(Output::new().with("realm", declaration.realm.as_str()));
    }
    let plan = planned(client, declaration, target.promised)?;
    plan.warnings.iter().for_each(|warning| sys.warn(warning.as_str()));
    if let Some(due) = &plan.generated {
        declaration.take(hand_out(due, sys)?);
    }
    if !plan.is_empty() {
        let (before, after) = render::before_and_after(&plan);
        sys.add_diff(Diff::text(format!("realm {}", declaration.realm), before, after));
        sys.mutate_record(RECORD, &target.place, Some(target.value), || {
            blocking::run(|| apply::apply(client, declaration)).map(|_| ()).map_err(failure)
        })?;
    }
    Ok(output(&plan))
}

/// Makes the secrets that are due and writes them to their file on the host, before Keycloak is told.
fn hand_out(due: &Generate, sys: &mut System) -> Result<Made> {
    let path = Path::new(&due.file);
    if due.vault || !path.is_absolute() {
        let text = "a play hands secrets out to a `file` on the host, with its full path: vault files are written by `hostler realm apply`";
        return Err(Failure::new(format!("`{}`: {text}", due.file)).at("realm"));
    }
    let found = sys.query_content(path).map(|content| String::from_utf8_lossy(&content).into_owned()).unwrap_or_default();
    let (text, made) = due.fill(&found).map_err(failure)?;
    let attributes = Attributes { mode: Some(Mode::Octal(0o600)), ..Attributes::default() };
    let mut file = WriteFile::new(path, text).attributes(attributes);
    file.secret = true;
    sys.write_file(file)?;
    Ok(made)
}

/// The plan; where no server answers yet, or the account is not there yet, everything is to be made. A real run then fails when it writes,
/// with the reason.
fn planned(client: &Client, declaration: &Declaration, promised: bool) -> Result<Plan> {
    if promised {
        return apply::preview_of_nothing(client, declaration).map_err(failure);
    }
    match blocking::run(|| apply::preview(client, declaration)) {
        Err(error) if error.is_unreachable() => apply::preview_of_nothing(client, declaration).map_err(failure),
        other => other.map_err(failure),
    }
}

fn output(plan: &Plan) -> Output {
    let objects = plan.actions.iter().map(|action| {
        let fields = Value::list(action.changes.iter().map(|change| change.path.as_str()));
        Value::map([
            ("object", Value::from(render::title(action, &plan.realm))),
            ("operation", action.operation.as_str().into()),
            ("fields", fields),
        ])
    });
    let summary = render::summary(plan);
    Output::new()
        .with("realm", plan.realm.as_str())
        .with("state", State::Present.as_str())
        .with("summary", summary.as_str())
        .with("plan", Value::list(objects))
        .with("plan_text", render::text(plan))
        .message(format!("realm {}: {summary}", plan.realm))
}

fn absent(client: &Client, realm: &str, place: &str, sys: &mut System) -> Result<Output> {
    let known = sys.query_record(RECORD, place, || {
        let there = blocking::run(|| apply::realm_exists(client, realm)).map_err(failure)?;
        Ok(there.then(|| Value::from(realm)))
    })?;
    if known.is_some() {
        sys.add_diff(Diff::text(format!("realm {realm}"), format!("realm {realm}\n"), ""));
        sys.mutate_record(RECORD, place, None, || blocking::run(|| apply::delete_realm(client, realm)).map(|_| ()).map_err(failure))?;
    }
    Ok(Output::new().with("realm", realm).with("state", State::Absent.as_str()))
}

/// Stands for a declaration in records: keyed, since declarations hold secrets.
fn fingerprint(declaration: &str, key: &Secret) -> Value {
    let mut hash = Sha256::new();
    hash.update(key.expose().as_bytes());
    hash.update([0]);
    hash.update(declaration.as_bytes());
    hex::encode(hash.finalize()).into()
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    /// A port on which nothing listens.
    const NOBODY: &str = "http://127.0.0.1:9";

    fn task(realm: &str) -> String {
        format!("hostler.keycloak.realm: {{ url: '{NOBODY}', auth_client_id: hostler, auth_client_secret: x, realm: {realm} }}")
    }

    #[test]
    fn before_there_is_a_server_a_dry_run_predicts_the_whole_realm() {
        let mut machine = Machine::new(Overlay::empty());
        let ran = machine.task(&task("{ realm: staff, groups: [{ name: Staff }] }")).expect("is predicted");
        assert_eq!(ran.effects.len(), 1);
        assert_eq!(ran.output.values.text("summary"), Some("2 to add, 0 to change, 0 to delete, 0 the same"));
    }

    #[test]
    fn secrets_that_are_made_go_to_a_private_file_before_the_realm_is_written() {
        let mut machine = Machine::new(Overlay::empty());
        let generate = |file: &str| format!("{{ {file}, clients: {{ app_secret: app }}, bytes: {{ cookie_secret: 32 }} }}");
        let task =
            |file: &str| task(&format!("{{ realm: staff, clients: [{{ clientId: app }}], hostler: {{ generate: {} }} }}", generate(file)));
        for file in ["file: secrets.yml", "vault: /etc/app/secrets.yml"] {
            let refusal = machine.refusal(&task(file));
            assert!(refusal.contains("with its full path"), "{refusal}");
        }
        let ran = machine.task(&task("file: /secrets.yml")).expect("is predicted");
        assert_eq!(ran.effects.len(), 2, "the file and the realm");
        let text = machine.sys.query_text(std::path::Path::new("/secrets.yml")).expect("is written");
        let secrets: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
        assert_eq!(secrets.len(), 2, "{text}");
        let shown = format!("{:?} {:?}", ran.output.values, machine.sys.diffs());
        assert!(shown.contains("cookie_secret") && !secrets.iter().any(|secret| shown.contains(secret)), "{shown}");
    }

    #[test]
    fn a_mistake_in_the_declaration_is_named_without_a_server() {
        let mut machine = Machine::new(Overlay::empty());
        let refusal = machine.refusal(&task("{ realm: staff, groups: [{ nam: Staff }] }"));
        assert_eq!(refusal, "the declaration of realm `staff` is wrong: a group under `/` has no `name`");
    }

    #[test]
    fn no_secret_of_the_declaration_is_in_the_result() {
        let mut machine = Machine::new(Overlay::empty());
        let ran = machine.task(&task("{ realm: staff, clients: [{ clientId: app, secret: hunter22 }], users: [{ username: ann, credentials: [{ type: password, value: hunter22 }] }] }"));
        let ran = ran.expect("is predicted");
        let shown = format!("{:?} {:?} {:?}", ran.output.values, ran.effects, machine.sys.diffs());
        assert!(!shown.contains("hunter22"), "{shown}");
    }
}
