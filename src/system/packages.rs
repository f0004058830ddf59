//! Installed packages, as `dpkg` has them.

use super::System;
use super::command::{Command, run_locally};
use super::error::Result;

/// An installed package.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Package {
    pub name: String,
    pub version: String,
}

impl System {
    /// The installed package of this name (`name` or `name:arch`); `None`: not installed.
    pub fn query_package(&self, name: &str) -> Result<Option<Package>> {
        self.backend.package(name)
    }
}

pub(super) fn local_package(name: &str) -> Result<Option<Package>> {
    let query = Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status} ${Version}\n", "--"]).arg(name);
    let found = run_locally(&query)?;
    let text = found.stdout_text();
    let version = text.lines().find_map(|line| line.strip_prefix("installed "));
    Ok(version.map(|version| Package { name: name.to_owned(), version: version.trim().to_owned() }))
}
