//! What the application is told, in YAML. The client's secret is not among it: it comes from the environment.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::roles::Roles;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The realm, as its tokens name it: `https://idp.example.org/realms/staff`.
    pub issuer: String,
    pub client_id: String,
    /// Where browsers find this application. Keycloak sends them back to `/callback` below it.
    pub public_url: String,
    /// Plain HTTP: a proxy in front of it does TLS.
    pub listen: SocketAddr,
    /// An SQLite file, made when it is not there.
    pub database: PathBuf,
    pub roles: Roles,
}

impl Settings {
    pub fn read(path: &Path) -> Result<Settings, Box<dyn Error>> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
    }
}
