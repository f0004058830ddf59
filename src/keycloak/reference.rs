//! The reference of the declaration, made from the kind table: what each kind is called, where it stands, which fields it has and how they
//! count, with an example. docs/reference/realm.md is this text; a test compares them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::kind::{Kind, Spec};

#[derive(Debug, Deserialize)]
struct Entry {
    about: String,
    example: String,
}

fn entries() -> &'static BTreeMap<String, Entry> {
    static ENTRIES: OnceLock<BTreeMap<String, Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| serde_saphyr::from_str(include_str!("reference.yml")).unwrap_or_default())
}

/// An example of each kind: the sections of a declaration, as YAML, without the realm's name.
pub fn examples() -> impl Iterator<Item = (Kind, &'static str)> {
    Kind::all().filter_map(|kind| Some((kind, entries().get(&format!("{kind:?}"))?.example.as_str())))
}

/// The whole page.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Reference: what a realm's declaration may have\n\n\
         Generated from the kind table (src/keycloak/kind_table.rs) and its examples (src/keycloak/reference.yml). What counts and whose it is stands in\n\
         [the realm](../realm.md). Kinds are in the order in which they are written; deletions go the other way. The fields are those of Keycloak 26.7.3.\n\n",
    );
    for kind in Kind::all() {
        let (spec, Some(entry)) = (kind.spec(), entries().get(&format!("{kind:?}"))) else { continue };
        out.push_str(&format!("## {}\n\n{}\n\n```yaml\n{}```\n\n", capital(spec.noun_here()), entry.about, entry.example));
        out.push_str(&table(spec));
    }
    out
}

impl Spec {
    /// Mappers of clients and of client scopes are both called so in plans.
    fn noun_here(&self) -> &'static str {
        match self.kind {
            Kind::ClientMapper => "mapper of a client",
            Kind::ClientScopeMapper => "mapper of a client scope",
            _ => self.noun,
        }
    }
}

fn table(spec: &Spec) -> String {
    let single = spec.kind.is_single() || spec.kind == Kind::Realm;
    let path = if spec.item.is_empty() { String::new() } else { format!("`{}`", spec.item) };
    let owned = if spec.section.is_empty() || single { String::new() } else { format!("`hostler.ownership.{}`", spec.section) };
    let secrets: Vec<&str> = spec.secrets.to_vec();
    let keyed: Vec<String> = spec.keyed.iter().map(|(field, key)| format!("{field} (by {key})")).collect();
    let own: Vec<&str> = spec.fields.iter().copied().filter(|field| !spec.ignored.contains(field) && !sections().contains(field)).collect();
    let rows = [
        ("told apart by", if single { "there is one".to_owned() } else { format!("`{}`", spec.key_field) }),
        ("owned with", owned),
        ("in the Admin API", path),
        ("fields", if spec.fields.is_empty() { "those of the representation".into() } else { names(&own) }),
        ("taken and left alone", names(spec.ignored)),
        ("count at the making only", names(spec.initial)),
        ("secrets", names(&secrets)),
        ("merged by name", keyed.join(", ")),
        ("may have numbers and booleans for text", names(spec.texts)),
        ("may have one value for a list", names(spec.lists)),
    ];
    let rows = rows.into_iter().filter(|(_, text)| !text.is_empty()).map(|(label, text)| format!("| {label} | {text} |\n"));
    format!("| | |\n|-|-|\n{}\n", rows.collect::<String>())
}

/// What the realm's representation holds of other kinds: it stands with those.
fn sections() -> Vec<&'static str> {
    let kinds = Kind::all().filter(|kind| *kind != Kind::Realm).map(|kind| kind.spec().section);
    kinds
        .chain(["authenticatorConfig", "clientScopeMappings", "hostler", "defaultDefaultClientScopes", "defaultOptionalClientScopes"])
        .collect()
}

fn names(fields: &[&str]) -> String {
    fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keycloak::{Declaration, Json};

    #[test]
    fn every_kind_has_an_example_that_declares_one_of_it() {
        let all: Vec<(Kind, &str)> = examples().collect();
        assert_eq!(all.len(), Kind::all().count(), "src/keycloak/reference.yml lacks a kind");
        assert_eq!(all.len(), entries().len(), "src/keycloak/reference.yml has a kind that there is not");
        for (kind, example) in all {
            let mut json: Json = serde_saphyr::from_str(example).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
            json["realm"] = "staff".into();
            let declaration = Declaration::parse(&json).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
            assert!(declaration.declares(kind), "the example of {kind:?} declares none");
        }
    }

    #[test]
    fn the_reference_in_docs_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/realm.md");
        let text = markdown();
        if std::env::var_os("HOSTLER_UPDATE_DOCS").is_some() {
            std::fs::write(path, &text).expect("it can be written");
        }
        let there = std::fs::read_to_string(path).unwrap_or_default();
        assert!(there == text, "docs/reference/realm.md is not what the kind table says: HOSTLER_UPDATE_DOCS=1 cargo test --lib reference");
    }
}
