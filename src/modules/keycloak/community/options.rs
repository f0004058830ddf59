//! Options of the collection's modules, as one line of text each: `name kind[!][=default] [choice|choice] : what it is`. `!` is required. The
//! camel-cased form of a name is an alias of it, as in the collection.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::super::connection::{authorities, failure, record};
use crate::base::{Map, Secret, Value};
use crate::keycloak::{Body, Client, Grant, Json, Options};
use crate::modules::args::{ArgSpec, Given};
use crate::modules::coerce::{ArgKind, FromArg};
use crate::modules::module_args;
use crate::system::{Failure, Result, System};

module_args! {
    /// Who comes to Keycloak, and how.
    pub struct LoginArgs {
        /// URL of Keycloak.
        auth_keycloak_url | "url": String,
        /// The client to log in with.
        auth_client_id: String = "admin-cli",
        /// Its secret.
        auth_client_secret: Option<Secret>,
        /// The realm to log in to.
        auth_realm: Option<String>,
        /// A user to log in as.
        auth_username | "username": Option<String>,
        /// The user's password.
        auth_password | "password": Option<Secret>,
        /// An access token, instead of a login.
        token: Option<Secret>,
        /// A refresh token, instead of a login.
        refresh_token: Option<Secret>,
        /// Check the server's certificate.
        validate_certs: bool = true,
        /// Seconds that a request may take.
        connection_timeout: u64 = 10_u64,
        /// Trust this authority besides the public ones, PEM; an addition to the collection's options.
        ca_path: Option<PathBuf>,
    }
    accepts {
        /// What a request calls its program.
        http_agent: String,
    }
}

impl LoginArgs {
    /// What the account is called in records.
    pub fn record(&self) -> String {
        record(&self.auth_keycloak_url, self.auth_realm.as_deref().unwrap_or("master"), &self.auth_client_id)
    }

    pub fn client(self, sys: &System) -> Result<Client> {
        let grant = match (self.token, self.refresh_token, self.auth_username, self.auth_password) {
            (Some(token), ..) => Grant::Token(token),
            (None, Some(token), ..) => Grant::Refresh(token),
            (None, None, Some(user), Some(password)) => Grant::Password { user, password },
            _ => Grant::ClientCredentials,
        };
        if matches!(grant, Grant::ClientCredentials) && self.auth_client_secret.is_none() {
            return Err(Failure::new("nobody to log in as: give `auth_username` and `auth_password`, `auth_client_secret`, or `token`"));
        }
        let ca_pem = authorities(self.ca_path.as_deref(), sys)?;
        let options = Options {
            url: self.auth_keycloak_url,
            auth_realm: self.auth_realm.unwrap_or_else(|| "master".into()),
            client_id: self.auth_client_id,
            client_secret: self.auth_client_secret.unwrap_or_else(|| Secret::new("")),
            ca_pem,
            resolve: Vec::new(),
            // A first request after a start takes longer than the ten seconds that are the default.
            timeout: Duration::from_secs(self.connection_timeout.max(60)),
            grant,
            check_certificate: self.validate_certs,
        };
        Client::new(options).map_err(failure)
    }
}

/// The options in a text, parsed once for the life of the program.
pub fn specs(module: &'static str, text: &'static str) -> Vec<ArgSpec> {
    static KNOWN: OnceLock<Mutex<BTreeMap<&'static str, Vec<ArgSpec>>>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(module).or_insert_with(|| text.lines().map(str::trim).filter(|line| !line.is_empty()).map(spec).collect()).clone()
}

fn spec(line: &'static str) -> ArgSpec {
    let (head, doc) = line.split_once(" : ").unwrap_or((line, ""));
    let mut words = head.split_whitespace();
    let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or("str"));
    let (kind, default) = kind.split_once('=').map_or((kind, None), |(kind, default)| (kind, Some(default)));
    let required = kind.ends_with('!');
    let choices: Vec<&'static str> = words.next().map(|text| text.split('|').collect()).unwrap_or_default();
    let camel = camel(name);
    let aliases: Vec<&'static str> = if camel == name { Vec::new() } else { vec![Box::leak(camel.clone().into_boxed_str())] };
    let doc = if doc.is_empty() { Box::leak(format!("Keycloak's `{camel}`.").into_boxed_str()) } else { doc };
    ArgSpec {
        name,
        aliases: Vec::leak(aliases),
        kind: match kind.trim_end_matches('!') {
            "bool" => ArgKind::Bool,
            "int" => ArgKind::Int,
            "list" => ArgKind::List,
            "dict" => ArgKind::Mapping,
            "secret" => ArgKind::Secret,
            _ if !choices.is_empty() => ArgKind::Choice,
            _ => ArgKind::Text,
        },
        choices: Vec::leak(choices),
        required,
        default,
        doc,
    }
}

/// `redirect_uris` as Keycloak writes it: `redirectUris`.
pub fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut out, part| {
        let mut letters = part.chars();
        out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        out.extend(letters);
        out
    })
}

/// What a task gave, by the options' names.
pub struct Fields(Map);

impl Fields {
    pub fn take(given: &mut Given, specs: &[ArgSpec]) -> Result<Self> {
        let mut fields = Map::new();
        for spec in specs {
            let value = given.option::<Value>(spec.name, spec.aliases, Some(Value::Null))?;
            let value = match (value, spec.default) {
                (Value::Null, Some(default)) => Value::from(default),
                (value, _) => value,
            };
            if value.is_null() {
                if spec.required {
                    return Err(Failure::new(format!("missing required arguments: {}", spec.name)).at(spec.name));
                }
                continue;
            }
            let value = converted(&value, spec).map_err(|why| Failure::new(format!("argument '{}' {why}", spec.name)).at(spec.name))?;
            fields.insert(spec.name, value);
        }
        Ok(Fields(fields))
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.text(name).filter(|text| !text.is_empty())
    }

    /// A required text.
    pub fn need(&self, name: &'static str) -> Result<&str> {
        self.text(name).ok_or_else(|| Failure::new(format!("missing required arguments: {name}")).at(name))
    }

    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub fn json(&self, name: &str) -> Option<Json> {
        self.0.get(name).map(Value::to_json)
    }

    pub fn items(&self, name: &str) -> Vec<Json> {
        match self.json(name) {
            Some(Json::Array(items)) => items,
            _ => Vec::new(),
        }
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        self.items(name).iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn is_absent(&self) -> bool {
        self.text("state") == Some("absent")
    }

    pub fn as_json(&self) -> Json {
        Value::from(self.0.clone()).to_json()
    }

    /// The given options as fields of a representation, but for these.
    pub fn body(&self, except: &[&str]) -> Body {
        let own = self.0.iter().map(|(name, value)| (name.to_string(), value));
        own.filter(|(name, _)| !except.contains(&name.as_str()) && !matches!(name.as_str(), "state" | "realm" | "force"))
            .map(|(name, value)| (camel(&name), value.to_json()))
            .collect()
    }
}

fn converted(value: &Value, spec: &ArgSpec) -> std::result::Result<Value, String> {
    Ok(match spec.kind {
        ArgKind::Bool => bool::from_arg(value)?.into(),
        ArgKind::Int => i64::from_arg(value)?.into(),
        ArgKind::List => Value::list(Vec::<Value>::from_arg(value)?),
        ArgKind::Mapping => Map::from_arg(value)?.into(),
        ArgKind::Choice => {
            let text = String::from_arg(value)?;
            if !spec.choices.contains(&text.as_str()) {
                return Err(format!("is `{text}`, which is none of {}", spec.choices.join(", ")));
            }
            text.into()
        }
        _ => String::from_arg(value)?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_option() {
        let specs = specs("test", "redirect_uris list\nstate str=present present|absent : Whether it is there\nname str! : The name");
        assert_eq!((specs[0].name, specs[0].aliases, specs[0].kind), ("redirect_uris", &["redirectUris"][..], ArgKind::List));
        assert_eq!(
            (specs[1].default, specs[1].choices, specs[1].doc),
            (Some("present"), &["present", "absent"][..], "Whether it is there")
        );
        assert!(specs[2].required);
        assert_eq!(camel("web_authn_policy_rp_id"), "webAuthnPolicyRpId");
    }
}
