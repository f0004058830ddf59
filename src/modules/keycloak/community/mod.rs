//! `community.general.keycloak_*` under their own names and options: thin faces of the one model. Each turns its options into a piece of a
//! declaration; reading, comparing and writing are those of every other way in. So they are quiet on the second run, right in check mode, and
//! write only what differs, where the originals report a change each time in places.

mod authorization;
mod clients;
mod flows;
mod groups;
mod information;
mod options;
mod promised;
mod realms;
mod users;

use std::marker::PhantomData;

use serde_json::json;

use self::options::{Fields, LoginArgs};
use super::connection::failure;
use crate::base::{Map, Value};
use crate::keycloak::declaration::{Declaration, Ownership};
use crate::keycloak::model::{Model, Name};
use crate::keycloak::{Body, Client, Json, MASK, apply, blocking, reader, render};
use crate::modules::args::{ArgSpec, Given, ModuleArgs, Rule};
use crate::modules::registry::Entry;
use crate::modules::{Module, Output};
use crate::system::{Diff, Failure, Result, System};

pub(in crate::modules) const MODULES: &[Entry] = &[
    Entry::of::<Community<authorization::Scope>>(),
    Entry::of::<Community<authorization::CustomPolicy>>(),
    Entry::of::<Community<authorization::Permission>>(),
    Entry::of::<Community<authorization::PermissionInfo>>(),
    Entry::of::<Community<clients::ClientFace>>(),
    Entry::of::<Community<clients::ClientScope>>(),
    Entry::of::<Community<clients::ClientScopeType>>(),
    Entry::of::<Community<clients::RoleScope>>(),
    Entry::of::<Community<clients::Template>>(),
    Entry::of::<Community<flows::Authentication>>(),
    Entry::of::<Community<flows::RequiredActions>>(),
    Entry::of::<Community<groups::Group>>(),
    Entry::of::<Community<groups::Role>>(),
    Entry::of::<Community<groups::ClientRoleMapping>>(),
    Entry::of::<Community<groups::RealmRoleMapping>>(),
    Entry::of::<Community<information::ClientSecret>>(),
    Entry::of::<Community<information::ComponentInfo>>(),
    Entry::of::<Community<information::KeysInfo>>(),
    Entry::of::<Community<information::RealmInfo>>(),
    Entry::of::<Community<information::Regenerate>>(),
    Entry::of::<Community<realms::Component>>(),
    Entry::of::<Community<realms::IdentityProvider>>(),
    Entry::of::<Community<realms::Localization>>(),
    Entry::of::<Community<realms::Realm>>(),
    Entry::of::<Community<realms::RealmKey>>(),
    Entry::of::<Community<realms::UserFederation>>(),
    Entry::of::<Community<realms::UserProfile>>(),
    Entry::of::<Community<users::ActionsEmail>>(),
    Entry::of::<Community<users::User>>(),
    Entry::of::<Community<users::UserRoleMapping>>(),
];

/// One of the collection's modules.
pub trait Face: 'static {
    const NAME: &'static str;
    const ABOUT: &'static str;
    /// One option a line: see `options`.
    const OPTIONS: &'static str;
    /// It asks, and changes nothing.
    const READS: bool = false;

    /// The realm that a task is about.
    fn realm(given: &Fields) -> String {
        given.text("realm").or_else(|| given.text("parent_id")).unwrap_or("master").to_owned()
    }

    /// The piece of a declaration that the options mean, given what is there. Called with an empty realm first, to know what has to be read.
    ///
    /// # Errors
    /// The options contradict each other, or what is there.
    fn ask(given: &Fields, live: &Model) -> Result<Asked>;

    /// What the module does when it is none of the declaring ones.
    ///
    /// # Errors
    /// As the module has them.
    fn run(given: &Fields, client: &Client, sys: &mut System) -> Result<Output> {
        declare::<Self>(given, client, sys)
    }
}

/// What a task asks for.
#[derive(Default)]
pub struct Asked {
    /// Sections of a realm.
    pub declaration: Body,
    /// The object that `existing` and `end_state` show.
    pub target: Option<Name>,
    /// It is to go.
    pub absent: bool,
    /// Lists only grow.
    pub additive: bool,
    /// What messages call it.
    pub what: String,
}

pub struct Community<F>(PhantomData<F>);

pub struct Arguments<F> {
    login: LoginArgs,
    fields: Fields,
    face: PhantomData<F>,
}

impl<F: Face> ModuleArgs for Arguments<F> {
    fn specs() -> Vec<ArgSpec> {
        let mut specs = LoginArgs::specs();
        // A user's module means the user by `username`, not the one who logs in.
        let own = options::specs(F::NAME, F::OPTIONS);
        for spec in &mut specs {
            if spec.aliases.iter().any(|alias| own.iter().any(|option| option.name == *alias)) {
                spec.aliases = &[];
            }
        }
        specs.extend(own);
        specs
    }

    fn rules() -> &'static [Rule] {
        &[Rule::Together(&["auth_username", "auth_password"])]
    }

    fn doc() -> &'static str {
        F::ABOUT
    }

    fn take(given: &mut Given) -> Result<Self> {
        let fields = Fields::take(given, &options::specs(F::NAME, F::OPTIONS))?;
        Ok(Arguments { login: LoginArgs::take(given)?, fields, face: PhantomData })
    }
}

impl<F: Face> Module for Community<F> {
    const NAME: &'static str = F::NAME;
    type Args = Arguments<F>;

    fn run(args: Self::Args, sys: &mut System) -> Result<Output> {
        let account = args.login.record();
        let client = args.login.client(sys)?;
        F::run(&args.fields, &client, sys)
            .or_else(|failure| promised::Promised { client: &client, account: &account }.predict::<F>(&args.fields, sys, failure))
    }
}

const RECORD: &str = "keycloak object";

fn declare<F: Face + ?Sized>(given: &Fields, client: &Client, sys: &mut System) -> Result<Output> {
    let realm = &F::realm(given);
    let wanted = declaration(F::ask(given, &Model::default())?, realm)?.1;
    let (place, mark) = (place::<F>(realm), mark(given));
    if sys.query_record(RECORD, &place, || Ok(None))? == Some(mark.clone()) {
        return Ok(Output::new().with("end_state", Value::Map(std::sync::Arc::new(Map::new()))));
    }
    let Some(reading) = blocking::run(|| reader::read(client, &wanted)).map_err(failure)? else {
        return Err(Failure::new(format!("there is no realm `{realm}`, or the account may not see it")).at("realm"));
    };
    let (asked, declaration) = declaration(F::ask(given, &reading.model)?, realm)?;
    let existing = shown(&reading.model, asked.target.as_ref());
    let plan = apply::compare(client, &declaration, Some(&reading)).map_err(failure)?;
    let proposed = asked.target.as_ref().and_then(|name| declaration.model.get(name.kind, &name.key)).map(|object| object.body.clone());
    let output = Output::new().with("existing", Value::from_json(existing.clone()));
    let output = output.with("proposed", Value::from_json(masked(proposed.clone().unwrap_or_default().into())));
    if plan.is_empty() {
        let state = if asked.absent { "does not exist, doing nothing." } else { "is as it should be." };
        return Ok(output.with("end_state", Value::from_json(existing)).message(format!("{} {state}", asked.what)));
    }
    let (before, after) = render::before_and_after(&plan);
    sys.add_diff(Diff::text(asked.what.clone(), before, after));
    let mut end = None;
    sys.mutate_record(RECORD, &place, Some(mark), || {
        blocking::run(|| apply::apply(client, &declaration)).map_err(failure)?;
        let now = blocking::run(|| reader::read(client, &declaration)).map_err(failure)?;
        end = now.map(|reading| shown(&reading.model, asked.target.as_ref()));
        Ok(())
    })?;
    let verb = match (asked.absent, existing.as_object().is_some_and(Body::is_empty)) {
        (true, _) => "has been deleted",
        (false, true) => "has been created",
        (false, false) => "has been updated",
    };
    let end = end.unwrap_or_else(|| if asked.absent { json!({}) } else { masked(proposed.unwrap_or_default().into()) });
    Ok(output.with("end_state", Value::from_json(end)).message(format!("{} {verb}", asked.what)))
}

/// What a dry run calls the last thing that a module has done to a realm.
fn place<F: Face + ?Sized>(realm: &str) -> String {
    format!("{realm} {}", F::NAME)
}

/// Stands for a task's options.
fn mark(given: &Fields) -> Value {
    Value::from(format!("{:x}", fingerprint(&given.as_json())))
}

fn declaration(mut asked: Asked, realm: &str) -> Result<(Asked, Declaration)> {
    let mut body = std::mem::take(&mut asked.declaration);
    body.insert("realm".into(), realm.into());
    let mut declaration = Declaration::parse(&body.into()).map_err(failure)?;
    if asked.additive {
        declaration.default_ownership = Ownership::NoDelete;
    }
    if let Some(target) = asked.target.as_ref().filter(|_| asked.absent) {
        declaration.model.remove(target);
        declaration.absent.push(target.clone());
    }
    Ok((asked, declaration))
}

/// An object as the server shows it, secrets masked; empty when it is not there.
fn shown(model: &Model, target: Option<&Name>) -> Json {
    let Some((name, object)) = target.and_then(|name| Some((name, model.get(name.kind, &name.key)?))) else { return json!({}) };
    let mut body = object.body.clone();
    if let Some(id) = &object.id {
        body.insert("id".into(), id.as_str().into());
    }
    if name.kind == crate::keycloak::kind::Kind::Group {
        body.insert("path".into(), name.key.to_path().into());
    }
    masked(body.into())
}

/// Without the secrets: a result is shown and kept.
fn masked(mut value: Json) -> Json {
    fn walk(value: &mut Json) {
        match value {
            Json::Object(map) => map.iter_mut().for_each(|(key, inner)| match key.as_str() {
                "secret"
                | "clientSecret"
                | "bindCredential"
                | "password"
                | "privateKey"
                | "private_key"
                | "saml.signing.private.key"
                | "saml.encryption.private.key"
                | "keystorePassword"
                | "keyPassword"
                    if !inner.is_null() =>
                {
                    *inner = if inner.is_array() { json!([MASK]) } else { MASK.into() };
                }
                "credentials" => *inner = json!([]),
                _ => walk(inner),
            }),
            Json::Array(items) => items.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

fn fingerprint(json: &Json) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    json.to_string().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_result_never_holds_a_secret() {
        let shown = masked(json!({"secret": "s", "config": {"bindCredential": ["s"], "a": 1}, "credentials": [{"value": "s"}]}));
        assert_eq!(shown, json!({"secret": MASK, "config": {"bindCredential": [MASK], "a": 1}, "credentials": []}));
    }

    #[test]
    fn options_are_those_of_the_collection() {
        let mut machine = Machine::new(Overlay::empty());
        let login = "auth_keycloak_url: 'http://127.0.0.1:9', auth_client_id: a, auth_client_secret: b";
        let refusal = machine.refusal(&format!("community.general.keycloak_role: {{ {login}, name: a, descripton: x }}"));
        assert!(refusal.contains("Did you mean `description`?"), "{refusal}");
        let refusal = machine.refusal(&format!("community.general.keycloak_role: {{ {login}, name: a }}"));
        assert!(refusal.contains("does not answer"), "{refusal}");
        let refusal = machine.refusal(&format!("community.general.keycloak_clienttemplate: {{ {login}, name: a }}"));
        assert!(refusal.contains("client scopes"), "{refusal}");
    }
}
