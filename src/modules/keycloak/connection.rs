//! What the modules share: who they come as, and errors of the realm as failures of a task.

use std::path::Path;

use crate::base::{Secret, Value};
use crate::keycloak::{Client, Error, Options};
use crate::system::{Failure, Result, System};

/// The record by which a dry run knows that an account is to be made.
pub const ACCOUNT: &str = "keycloak account";

/// The text of the authorities to trust besides the public ones.
pub fn authorities(file: Option<&Path>, sys: &System) -> Result<Option<Vec<u8>>> {
    match file {
        Some(path) => Ok(Some(sys.query_content(path)?.to_vec())),
        None => Ok(None),
    }
}

/// What an account is called in records.
pub fn record(url: &str, realm: &str, client_id: &str) -> String {
    format!("{}/{realm}/{client_id}", url.trim_end_matches('/'))
}

pub struct Account<'a> {
    pub url: &'a str,
    pub realm: &'a str,
    pub client_id: &'a str,
    pub client_secret: &'a Secret,
}

impl Account<'_> {
    pub fn client(&self, ca_pem: Option<Vec<u8>>) -> Result<Client> {
        let options = Options { ca_pem, ..Options::new(self.url, self.realm, self.client_id, self.client_secret.clone()) };
        Client::new(options).map_err(failure)
    }

    /// What the account is called in records.
    pub fn record(&self) -> String {
        record(self.url, self.realm, self.client_id)
    }

    /// An earlier task of a dry run would have made it: it cannot be asked anything yet.
    pub fn is_only_promised(&self, sys: &System) -> Result<bool> {
        Ok(sys.query_record(ACCOUNT, &self.record(), || Ok(None))?.is_some())
    }
}

pub fn failure(error: Error) -> Failure {
    let option = match &error {
        Error::Credentials { .. } => Some("auth_client_secret"),
        Error::Url(_) => Some("url"),
        Error::Authority(_) | Error::Certificate { .. } => Some("ca_file"),
        Error::Declaration { .. } => Some("realm"),
        _ => None,
    };
    let problems = match &error {
        Error::Declaration { problems, .. } => Some(Value::list(problems.iter().map(String::as_str))),
        _ => None,
    };
    let mut failure = Failure::new(error.to_string());
    failure.option = option.map(str::to_owned);
    match problems {
        Some(problems) => failure.with("problems", problems),
        None => failure,
    }
}
