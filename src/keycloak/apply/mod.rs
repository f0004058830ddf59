//! Makes a realm as declared. A round reads, plans and writes; what was lost to a concurrent write, or sent into a closing connection, is
//! decided by the next round's reading, so a cut anywhere is repaired by running again. No write is made that a plan did not name.

mod authorization;
mod entities;
mod flows;
mod links;
mod organizations;
mod row;
mod teller;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use serde_json::json;

use super::client::{Client, encode};
use super::compare::{PASSWORD, permanent_password};
use super::declaration::Declaration;
use super::error::{Error, Result};
use super::generated;
use super::kind::Kind;
use super::ledger::{ATTRIBUTE, Ledger};
use super::model::{Key, Model, Name, Object};
use super::operation::Progress;
use super::plan::{Action, Operation, Plan, plan};
use super::reader::{Reading, read};
use super::seal::Seal;
use super::shorthand::Members;
use super::{Body, Json, MASK, render};
use teller::Teller;

/// Writes at once: what the server was measured to gain from.
const AT_ONCE: usize = 8;
/// Rounds of reading and writing until the realm must be as declared.
const ROUNDS: usize = 5;

/// Reads the realm and says what is to be done; writes nothing.
///
/// # Errors
/// When the realm cannot be read in full, or the declaration contradicts it.
pub async fn preview(client: &Client, declaration: &Declaration) -> Result<Plan> {
    client.log_in().await?;
    let reading = read(client, declaration).await?;
    compare(client, declaration, reading.as_ref())
}

/// The plan for a server that is not there yet: everything is to be made.
pub fn preview_of_nothing(client: &Client, declaration: &Declaration) -> Result<Plan> {
    compare(client, declaration, None)
}

/// The plan for what was read.
///
/// # Errors
/// As [`plan`].
pub fn compare(client: &Client, declaration: &Declaration, reading: Option<&Reading>) -> Result<Plan> {
    let mut plan = plan(declaration, reading.map(|reading| &reading.model), &ledger(client, declaration, reading))?;
    plan.warnings = match reading {
        Some(reading) => declaration.keeps_its_rules(&reading.model, &reading.members)?,
        None => declaration.keeps_its_rules(&Model::default(), &Members::new())?,
    };
    Ok(plan)
}

fn ledger(client: &Client, declaration: &Declaration, reading: Option<&Reading>) -> Ledger {
    Ledger::open(reading.and_then(|reading| reading.ledger.as_deref()), client.secret(), &declaration.realm)
}

/// Makes the realm as declared and answers what was done: the plan of the first round.
///
/// # Errors
/// The first write that the server refuses, named by its object; or what is left when the rounds are over.
pub async fn apply(client: &Client, declaration: &Declaration) -> Result<Plan> {
    apply_on_terms(client, declaration, Terms::default()).await
}

/// What an apply is bound to, and who is told how it goes.
#[derive(Clone, Copy, Default)]
pub struct Terms<'a> {
    /// The declaration as data, and the seal of a saved plan.
    pub seal: Option<(&'a Json, &'a Seal)>,
    pub progress: Option<&'a Progress>,
}

/// As [`apply`], on terms.
///
/// # Errors
/// As `apply`; and when the seal of a saved plan is broken.
pub async fn apply_on_terms(client: &Client, declaration: &Declaration, terms: Terms<'_>) -> Result<Plan> {
    client.log_in().await?;
    let mut reading = read(client, declaration).await?;
    if let Some((json, seal)) = terms.seal {
        unbroken(seal, &Seal::new(json, reading.as_ref(), client.secret()), &declaration.realm)?;
    }
    let first = compare(client, declaration, reading.as_ref())?;
    if first.is_empty() {
        return Ok(first);
    }
    declaration.has_made(first.generated.as_ref())?;
    if reading.is_none() {
        create_realm(client, declaration).await?;
        reading = read(client, declaration).await?;
    }
    // Why a write of the last round was lost.
    let mut lost = None;
    for round in 0..ROUNDS {
        let Some(current) = reading.as_ref() else {
            return Err(Error::Refused(format!("realm `{}` is gone while it is being written", declaration.realm)));
        };
        let next = compare(client, declaration, Some(current))?;
        if next.is_empty() {
            return Ok(first);
        }
        if round + 1 == ROUNDS {
            if let Some(error) = lost {
                return Err(error);
            }
            return Err(Error::Unsettled { realm: declaration.realm.clone(), left: left(&next) });
        }
        lost = Executor::new(client, declaration, current, terms.progress).run(&next).await?;
        tokio::time::sleep(Duration::from_millis(if round == 0 { 0 } else { 200 << round })).await;
        reading = read(client, declaration).await?;
    }
    Ok(first)
}

fn unbroken(planned: &Seal, now: &Seal, realm: &str) -> Result<()> {
    let moved = match (planned.declaration == now.declaration, planned.realm == now.realm) {
        (true, true) => return Ok(()),
        (false, _) => "the declaration is another one than the plan was made of, or the service account has another secret".to_owned(),
        (true, false) => format!("realm `{realm}` was changed by somebody else since the plan was made"),
    };
    Err(Error::Refused(format!("{moved}: nothing was done; make a new plan")))
}

fn left(plan: &Plan) -> String {
    let field = |action: &Action| action.changes.first().map(|change| format!(" ({})", change.path)).unwrap_or_default();
    let names: Vec<String> =
        plan.actions.iter().take(5).map(|action| format!("{}{}", render::title(action, &plan.realm), field(action))).collect();
    names.join(", ")
}

/// A new realm, with no more than its name: what Keycloak puts into it is read before the rest is written.
async fn create_realm(client: &Client, declaration: &Declaration) -> Result<()> {
    let settings = declaration.model.get(Kind::Realm, &Key::default());
    let enabled = settings.and_then(|object| object.body.get("enabled")).cloned().unwrap_or(Json::Bool(true));
    match client.post("/admin/realms", &json!({"realm": declaration.realm, "enabled": enabled})).await {
        // Somebody was faster, or the answer of our own first try was lost.
        Err(error) if error.needs_reread() => Ok(()),
        other => other.map(|_| ()).map_err(|error| error.of(format!("realm {}", declaration.realm))),
    }
}

pub async fn realm_exists(client: &Client, realm: &str) -> Result<bool> {
    Ok(client.find(&format!("/admin/realms/{}", encode(realm))).await?.is_some())
}

/// Deletes the realm, with everything in it; one that is not there is deleted already.
pub async fn delete_realm(client: &Client, realm: &str) -> Result<bool> {
    if !realm_exists(client, realm).await? {
        return Ok(false);
    }
    client.delete(&format!("/admin/realms/{}", encode(realm)), None).await?;
    Ok(true)
}

/// One round of writing.
struct Executor<'a> {
    client: &'a Client,
    declaration: &'a Declaration,
    live: &'a Model,
    realm: String,
    realm_id: &'a str,
    ids: Mutex<HashMap<Name, String>>,
    ledger: Mutex<Ledger>,
    /// Held by who writes the realm's own row.
    row: tokio::sync::Mutex<()>,
    progress: Option<&'a Progress>,
}

impl<'a> Executor<'a> {
    fn new(client: &'a Client, declaration: &'a Declaration, reading: &'a Reading, progress: Option<&'a Progress>) -> Self {
        let ids = reading.model.iter().filter_map(|(name, object)| Some((name.clone(), object.id.clone()?))).collect();
        Executor {
            client,
            declaration,
            live: &reading.model,
            realm: format!("/admin/realms/{}", encode(&declaration.realm)),
            realm_id: &reading.realm_id,
            ids: Mutex::new(ids),
            ledger: Mutex::new(ledger(client, declaration, Some(reading))),
            row: tokio::sync::Mutex::default(),
            progress,
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.realm)
    }

    fn id(&self, kind: Kind, key: &Key) -> Option<String> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).get(&Name::new(kind, key.clone())).cloned()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn_id(&self, name: &Name, id: String) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), id);
    }

    /// The id of what `name` needs.
    fn need(&self, name: &Name, kind: Kind, key: &Key) -> Result<String> {
        let missing = || Error::Reference { object: name.to_string(), needs: Name::new(kind, key.clone()).to_string() };
        self.id(kind, key).ok_or_else(missing)
    }

    /// Writes the plan, kind by kind; stops the round at the first kind in which a write was lost, and answers why it was. The ledger is
    /// kept in any case.
    async fn run(&self, plan: &Plan) -> Result<Option<Error>> {
        let written = self.write_all(plan).await;
        generated::record(self.declaration, &mut self.ledger());
        let kept = self.keep_ledger().await;
        written.and_then(|lost| kept.map(|()| lost))
    }

    async fn write_all(&self, plan: &Plan) -> Result<Option<Error>> {
        let (deletions, writes): (Vec<&Action>, Vec<&Action>) =
            plan.actions.iter().partition(|action| action.operation == Operation::Delete);
        let deletions = match self.sweep(deletions).await {
            Err(lost) if lost.needs_reread() => return Ok(Some(lost)),
            swept => swept?,
        };
        for kind in Kind::all() {
            let of_kind: Vec<&Action> = writes.iter().copied().filter(|action| action.name.kind == kind).collect();
            let ranks: BTreeSet<usize> = of_kind.iter().map(|action| self.rank(action)).collect();
            for rank in ranks {
                let level = of_kind.iter().copied().filter(|action| self.rank(action) == rank).collect();
                if let Some(lost) = self.batch(level, kind.is_serial(), Part::Body).await? {
                    return Ok(Some(lost));
                }
            }
            let linked = writes.iter().copied().filter(|action| action.name.kind.links_after() == kind).collect();
            if let Some(lost) = self.batch(linked, kind.is_serial(), Part::Links).await? {
                return Ok(Some(lost));
            }
        }
        self.batch(deletions, true, Part::Body).await
    }

    /// Objects of a lower rank are written first: owners before what lives in them.
    fn rank(&self, action: &Action) -> usize {
        authorization::rank(action, self.declaration.model.get(action.name.kind, &action.name.key))
    }

    /// Writes a batch; answers the first write that was lost: the realm has to be read again.
    async fn batch(&self, actions: Vec<&Action>, serial: bool, part: Part) -> Result<Option<Error>> {
        let at_once = if serial { 1 } else { AT_ONCE };
        let teller = Teller::new(self.progress, part, actions.len());
        let writes = stream::iter(actions).map(|action| async {
            teller.begins(action, &self.declaration.realm);
            self.write(action, part).await
        });
        let results: Vec<Result<()>> = writes.buffer_unordered(at_once).collect().await;
        let (lost, fatal): (Vec<Error>, Vec<Error>) = results.into_iter().filter_map(Result::err).partition(Error::needs_reread);
        match fatal.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(lost.into_iter().next()),
        }
    }

    async fn write(&self, action: &Action, part: Part) -> Result<()> {
        let name = &action.name;
        let result = match (part, action.operation, self.declaration.model.get(name.kind, &name.key)) {
            (Part::Body, Operation::Delete, _) => self.delete(name).await,
            // What else differs of something that moves is for the next round.
            (Part::Links, Operation::Delete | Operation::Move, _) | (_, _, None) => Ok(()),
            (Part::Links, _, Some(object)) => self.links(action, object).await,
            (Part::Body, Operation::Create, Some(object)) => self.create(name, object).await,
            (Part::Body, Operation::Update, Some(object)) => self.update(action, object).await,
            (Part::Body, Operation::Rebuild, Some(object)) => self.rebuild_flow(name, object).await,
            (Part::Body, Operation::Move, Some(_)) => self.rename_object(name).await,
        };
        result.map_err(|error| error.of(render::title(action, &self.declaration.realm)))?;
        if part == Part::Links && !matches!(action.operation, Operation::Delete | Operation::Move) {
            self.record_secrets(action);
        }
        Ok(())
    }

    /// Notes the secrets that are now applied, those that the server only shows masked.
    fn record_secrets(&self, action: &Action) {
        let name = &action.name;
        let Some(object) = self.declaration.model.get(name.kind, &name.key) else { return };
        let mut ledger = self.ledger();
        for change in action.changes.iter().filter(|change| change.secret) {
            if let Some(value) = secret_value(object, &change.path) {
                ledger.record(name, &change.path, &value);
            }
        }
    }

    async fn keep_ledger(&self) -> Result<()> {
        let text = self.ledger().changed_text();
        let Some(text) = text else { return Ok(()) };
        self.write_row(|settings| {
            // A PUT of one attribute replaces all.
            let mut attributes = settings.get("attributes").and_then(Json::as_object).cloned().unwrap_or_default();
            attributes.insert(ATTRIBUTE.into(), text.into());
            Body::from_iter([("attributes".to_owned(), attributes.into())])
        })
        .await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Body,
    Links,
}

/// The declared secret at a path of the form `field` or `field.key`, where the key itself may have dots.
fn secret_value(object: &Object, path: &str) -> Option<String> {
    if path == PASSWORD {
        let credentials = object.body.get("credentials")?.as_array()?;
        return credentials.iter().find_map(permanent_password).map(str::to_owned);
    }
    // A client's secret can be read back: no hash of it is kept.
    if path == "secret" {
        return None;
    }
    let value = match path.split_once('.') {
        Some((field, key)) => object.body.get(field)?.get(key)?,
        None => object.body.get(path)?,
    };
    let text = match value {
        Json::Array(items) => items.first()?.as_str()?,
        other => other.as_str()?,
    };
    (text != MASK && !text.is_empty()).then(|| text.to_owned())
}

/// Keys and values of an object, as owned JSON.
fn body_of(value: Json) -> Body {
    match value {
        Json::Object(body) => body,
        _ => Body::new(),
    }
}
