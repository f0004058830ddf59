//! What a declaration may say shorter, under `hostler`: another representation that it stands on (`base`), the groups of organizations and
//! their teams (`teams`), roles and groups for pools (`pools`). Each becomes objects of the model like any that are declared at length, and
//! brings the checks of its own rules. Mistakes are refused; what only the realm shows and no declaration decides is a warning.

mod base;
mod pools;
mod teams;

use std::collections::{BTreeMap, BTreeSet};

use self::pools::Pools;
use self::teams::Teams;
use super::declaration::Declaration;
use super::error::{Error, Result};
use super::flatten::Flattened;
use super::kind::Kind;
use super::model::{Key, Model, Name, Object};
use super::{Body, Json};

/// Who is in a group, by the group's key: user names.
pub type Members = BTreeMap<Key, BTreeSet<String>>;

/// The shorthand of one declaration.
#[derive(Clone, Debug, Default)]
pub struct Shorthand {
    teams: Option<Teams>,
    pools: Option<Pools>,
}

/// What a rule finds.
#[derive(Debug, Default)]
pub struct Findings {
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
}

impl Shorthand {
    /// Reads the section `hostler` and adds to the model what it stands for; what is declared at length stays as it is.
    pub fn expand(settings: &Body, realm: &str, flattened: &mut Flattened) -> Self {
        let problems = &mut flattened.problems;
        let teams = settings.get("teams").and_then(|json| Teams::parse(json, problems));
        let pools = settings.get("pools").and_then(|json| Pools::parse(json, problems));
        if let Some(teams) = &teams {
            teams.expand(&mut flattened.model);
        }
        if let Some(pools) = &pools {
            pools.expand(&mut flattened.model, &mut flattened.problems);
        }
        if let Some(json) = settings.get("base") {
            base::lay_under(json, realm, flattened);
        }
        Shorthand { teams, pools }
    }

    /// The groups whose members have to be known.
    pub fn watched(&self) -> Vec<Key> {
        self.teams.as_ref().map(Teams::watched).unwrap_or_default()
    }

    /// What the declaration alone, or with a realm that was read, breaks of the rules.
    pub fn check(&self, declared: &Model, live: Option<(&Model, &Members)>) -> Findings {
        let mut findings = Findings::default();
        if let Some(teams) = &self.teams {
            teams.check(declared, live, &mut findings);
        }
        if let (Some(pools), Some((live, _))) = (&self.pools, live) {
            pools.check(declared, live, &mut findings);
        }
        findings
    }
}

impl Declaration {
    /// The warnings for a realm that was read; none for one that is still to be made.
    ///
    /// # Errors
    /// The realm and the declaration together break a rule.
    pub fn keeps_its_rules(&self, live: &Model, members: &Members) -> Result<Vec<String>> {
        let findings = self.shorthand.check(&self.model, Some((live, members)));
        match findings.problems.is_empty() {
            true => Ok(findings.warnings),
            false => Err(Error::Declaration { realm: self.realm.clone(), problems: findings.problems }),
        }
    }
}

/// A group with nothing but its name, and the groups above it.
fn add_group(model: &mut Model, key: &Key) {
    for depth in 1..=key.depth() {
        let key = Key(key.0[..depth].to_vec());
        let body = Body::from_iter([("name".to_owned(), Json::from(key.name()))]);
        model.insert(Name::new(Kind::Group, key), Object { id: None, body });
    }
}

fn texts(json: Option<&Json>) -> Vec<String> {
    match json {
        Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        Some(Json::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    }
}
