//! Secrets that are made for a realm and handed out once. A declaration names the file that takes them, under `hostler.generate`; a client's
//! secret is made when the client is, any other (a key for cookies, that Keycloak does not know) when the ledger has never heard of it.
//! They are written to that file before Keycloak is told, so a run that was cut in between goes on with what the file has.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::RngCore;
use serde::{Deserialize, Serialize};

use super::declaration::{Declaration, is_template};
use super::error::{Error, Result};
use super::kind::Kind;
use super::ledger::Ledger;
use super::model::{Key, Model, Name};
use super::{Body, Json};
use crate::yaml;

/// What is to be made, and where it goes. In a plan: what is to be made now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Generate {
    pub file: String,
    /// The file is encrypted with the vault password.
    pub vault: bool,
    /// By the name of the variable that the file gets.
    pub secrets: BTreeMap<String, Wanted>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// The secret of this client.
    Client(String),
    /// So many random bytes, in base64.
    Bytes(usize),
}

/// Secrets by the name of their variable.
pub type Made = BTreeMap<String, String>;

const FEWEST_BYTES: u64 = 16;
const MOST_BYTES: u64 = 1024;
/// As much as Keycloak's own have.
const CLIENT_BYTES: usize = 48;

impl Generate {
    /// Reads `hostler.generate`.
    pub fn parse(json: &Json, problems: &mut Vec<String>) -> Option<Self> {
        let mut told = |text: &str| problems.push(format!("`hostler.generate` {text}"));
        let Some(body) = json.as_object() else {
            told("is a mapping: `file` or `vault`, and `clients` or `bytes`");
            return None;
        };
        for field in body.keys().filter(|field| !["file", "vault", "clients", "bytes"].contains(&field.as_str())) {
            told(&format!("has no field `{field}`: it has `file` or `vault`, `clients` and `bytes`"));
        }
        let (file, vault) = match (body.get("file"), body.get("vault")) {
            (Some(Json::String(file)), None) => (file.clone(), false),
            (None, Some(Json::String(file))) => (file.clone(), true),
            _ => {
                told("names one file: either `file` or, to have it encrypted, `vault`");
                return None;
            }
        };
        let mut secrets = BTreeMap::new();
        for (variable, client) in body.get("clients").and_then(Json::as_object).into_iter().flatten() {
            match client.as_str() {
                Some(client) => drop(secrets.insert(variable.clone(), Wanted::Client(client.to_owned()))),
                None => told(&format!("has for the variable `{variable}` no client's name")),
            }
        }
        for (variable, bytes) in body.get("bytes").and_then(Json::as_object).into_iter().flatten() {
            match bytes.as_u64() {
                Some(bytes @ FEWEST_BYTES..=MOST_BYTES) => drop(secrets.insert(variable.clone(), Wanted::Bytes(bytes as usize))),
                _ => told(&format!("makes {FEWEST_BYTES} to {MOST_BYTES} bytes for the variable `{variable}`, not {bytes}")),
            }
        }
        for variable in secrets.keys().filter(|variable| !is_variable(variable)) {
            told(&format!("cannot name a variable `{variable}`"));
        }
        Some(Generate { file, vault, secrets })
    }

    /// A client whose secret is made is declared, has a secret at all, and is given no other.
    pub fn contradictions(&self, model: &Model, problems: &mut Vec<String>) {
        for wanted in self.secrets.values() {
            let Wanted::Client(id) = wanted else { continue };
            if is_template(&Json::from(id.as_str())) {
                continue;
            }
            let Some(client) = model.get(Kind::Client, &Key::of([id.as_str()])) else {
                problems.push(format!("`hostler.generate` makes a secret for client `{id}`, which is not declared"));
                continue;
            };
            if client.body.get("publicClient") == Some(&Json::Bool(true)) {
                problems.push(format!("client {id} is public: `hostler.generate` makes no secret for it"));
            }
            if client.body.get("secret").and_then(Json::as_str).is_some_and(|secret| secret != super::MASK) {
                problems.push(format!("client {id} is given a `secret`, and `hostler.generate` makes one"));
            }
        }
    }

    /// What is to be made now; none when all of it was handed out.
    pub fn due(&self, live: &Model, ledger: &Ledger) -> Option<Generate> {
        let is_due = |(variable, wanted): &(&String, &Wanted)| match wanted {
            Wanted::Client(id) => live.get(Kind::Client, &Key::of([id.as_str()])).is_none(),
            Wanted::Bytes(_) => !ledger.has(&realm(), &field(variable)),
        };
        let secrets: BTreeMap<_, _> =
            self.secrets.iter().filter(is_due).map(|(variable, wanted)| (variable.clone(), wanted.clone())).collect();
        (!secrets.is_empty()).then(|| Generate { file: self.file.clone(), vault: self.vault, secrets })
    }

    /// The file's new text, and the secrets: those that it has already, of a run that was cut, and new ones for the rest.
    ///
    /// # Errors
    /// The text is not a mapping of variables.
    pub fn fill(&self, text: &str) -> Result<(String, Made)> {
        let wrong = || Error::Refused(format!("`{}` is no file of variables: nothing is added to it", self.file));
        let known = match text.trim().is_empty() {
            true => Body::new(),
            false => match yaml::load_one(text, &self.file).map_err(|_| wrong())?.0.to_value().to_json() {
                Json::Object(known) => known,
                Json::Null => Body::new(),
                _ => return Err(wrong()),
            },
        };
        let mut text = text.to_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let mut made = Made::new();
        for (variable, wanted) in &self.secrets {
            let secret = match known.get(variable).and_then(Json::as_str) {
                Some(secret) => secret.to_owned(),
                None => {
                    let secret = wanted.make();
                    text.push_str(&format!("{variable}: \"{secret}\"\n"));
                    secret
                }
            };
            made.insert(variable.clone(), secret);
        }
        Ok((text, made))
    }
}

impl Wanted {
    fn make(&self) -> String {
        let mut bytes = vec![0; if let Wanted::Bytes(count) = self { *count } else { CLIENT_BYTES }];
        rand::rng().fill_bytes(&mut bytes);
        match self {
            Wanted::Client(_) => URL_SAFE_NO_PAD.encode(bytes),
            Wanted::Bytes(_) => STANDARD.encode(bytes),
        }
    }

    /// For people.
    pub fn described(&self) -> String {
        match self {
            Wanted::Client(id) => format!("the secret of client {id}"),
            Wanted::Bytes(count) => format!("{count} random bytes in base64"),
        }
    }
}

impl Declaration {
    /// Takes the secrets that were made and handed out, to apply them.
    pub fn take(&mut self, made: Made) {
        let wanted = self.generate.iter().flat_map(|generate| generate.secrets.iter());
        for (variable, wanted) in wanted {
            let (Wanted::Client(id), Some(secret)) = (wanted, made.get(variable)) else { continue };
            if let Some(client) = self.model.get_mut(&Name::new(Kind::Client, Key::of([id.as_str()]))) {
                client.body.insert("secret".into(), secret.as_str().into());
                client.body.entry("publicClient").or_insert(Json::Bool(false));
            }
        }
        self.made = made;
    }

    /// # Errors
    /// Something is to be made, and whoever applies has not handed it out.
    pub fn has_made(&self, due: Option<&Generate>) -> Result<()> {
        match due.and_then(|due| due.secrets.keys().find(|variable| !self.made.contains_key(*variable))) {
            Some(variable) => {
                Err(Error::Refused(format!("`{variable}` is to be generated, and nobody has handed it out: nothing was done; plan again")))
            }
            None => Ok(()),
        }
    }
}

/// Notes what was handed out, so that it is not made again.
pub fn record(declaration: &Declaration, ledger: &mut Ledger) {
    let secrets = declaration.generate.iter().flat_map(|generate| generate.secrets.iter());
    for (variable, _) in secrets.filter(|(_, wanted)| matches!(wanted, Wanted::Bytes(_))) {
        if let Some(secret) = declaration.made.get(variable) {
            ledger.record(&realm(), &field(variable), secret);
        }
    }
}

fn realm() -> Name {
    Name::new(Kind::Realm, Key::default())
}

fn field(variable: &str) -> String {
    format!("generated.{variable}")
}

fn is_variable(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::Secret;

    fn osmo() -> Json {
        json!({
            "realm": "osmo",
            "clients": [{"clientId": "browser"}],
            "hostler": {"generate": {"file": "secrets.yml", "clients": {"browser_secret": "browser"}, "bytes": {"cookie_secret": 32}}},
        })
    }

    fn generate() -> Generate {
        Declaration::parse(&osmo()).expect("it is right").generate.expect("it has one")
    }

    #[test]
    fn a_file_that_has_a_secret_already_keeps_it_and_gets_the_rest() {
        let (text, made) = generate().fill("# ours\nbrowser_secret: of-the-run-that-was-cut").expect("fills");
        assert_eq!(made["browser_secret"], "of-the-run-that-was-cut");
        assert_eq!(STANDARD.decode(&made["cookie_secret"]).expect("is base64").len(), 32);
        assert_eq!(text, format!("# ours\nbrowser_secret: of-the-run-that-was-cut\ncookie_secret: \"{}\"\n", made["cookie_secret"]));
        assert_eq!(generate().fill(&text).expect("fills").1, made);
        assert_ne!(generate().fill("").expect("fills").1["browser_secret"], generate().fill("").expect("fills").1["browser_secret"]);
        assert!(generate().fill("- a list").is_err());
    }

    #[test]
    fn what_was_handed_out_is_not_due_again() {
        let mut ledger = Ledger::open(None, &Secret::new("x"), "osmo");
        assert_eq!(generate().due(&Model::default(), &ledger).expect("is due").secrets.len(), 2);
        let mut declaration = Declaration::parse(&osmo()).expect("it is right");
        assert!(declaration.has_made(Some(&generate())).is_err());
        declaration.take(generate().fill("").expect("fills").1);
        declaration.has_made(Some(&generate())).expect("it has");
        record(&declaration, &mut ledger);
        assert_eq!(generate().due(&declaration.model, &ledger), None);
        // Another service account cannot check the hash; that there is one is enough.
        let text = ledger.changed_text();
        assert!(generate().due(&declaration.model, &Ledger::open(text.as_deref(), &Secret::new("y"), "osmo")).is_none());
    }

    #[test]
    fn what_contradicts_itself_is_found_without_a_server() {
        let found = |generate: Json, client: Json| match Declaration::parse(
            &json!({"realm": "a", "clients": [client], "hostler": {"generate": generate}}),
        ) {
            Err(Error::Declaration { problems, .. }) => problems.join("; "),
            _ => String::new(),
        };
        let one = |generate: Json| found(generate, json!({"clientId": "app"}));
        assert!(one(json!({"clients": {"a": "app"}})).contains("names one file"));
        assert!(one(json!({"file": "a", "vault": "b"})).contains("names one file"));
        assert!(one(json!({"file": "a", "bytes": {"a": 8}})).contains("16 to 1024 bytes"));
        assert!(one(json!({"file": "a", "bytes": {"a b": 32}})).contains("cannot name a variable `a b`"));
        assert!(one(json!({"file": "a", "clients": {"a": "other"}})).contains("`other`, which is not declared"));
        assert!(one(json!({"file": "a", "client": {"a": "app"}})).contains("no field `client`"));
        let app = json!({"file": "a", "clients": {"a": "app"}});
        assert!(found(app.clone(), json!({"clientId": "app", "secret": "given"})).contains("is given a `secret`"));
        assert!(found(app, json!({"clientId": "app", "publicClient": true})).contains("is public"));
    }
}
