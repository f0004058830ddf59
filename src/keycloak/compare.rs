//! What differs between a declared object and the one that is there. Only declared fields count.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::kind::{Kind, Spec, is_ordered};
use super::ledger::Ledger;
use super::model::Name;
use super::{Body, Json, MASK};

/// One field that is to change. A secret's values are not in it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Change {
    pub path: String,
    pub old: Json,
    pub new: Json,
    pub secret: bool,
}

/// Compares one object.
pub struct Comparison<'a> {
    pub name: &'a Name,
    pub ledger: &'a Ledger,
    /// Sets only grow: what is there and not declared stays (`no-delete`).
    pub additive: bool,
    /// Lists of objects are as declared: what is there and not declared goes (`full`).
    pub exact: bool,
    /// Members of sets that the server adds by itself: they may be there undeclared.
    pub tolerated: &'a BTreeSet<String>,
}

impl Comparison<'_> {
    fn spec(&self) -> &'static Spec {
        self.name.kind.spec()
    }

    pub fn changes(&self, declared: &Body, live: &Body) -> Vec<Change> {
        let mut out = Vec::new();
        for (field, want) in declared {
            if self.spec().initial.contains(&field.as_str()) {
                continue;
            }
            if self.name.kind == Kind::User && field == "credentials" {
                self.credentials(want, &mut out);
                continue;
            }
            let have = live.get(field).unwrap_or(&Json::Null);
            match self.spec().keyed.iter().find(|(keyed, _)| keyed == field) {
                Some((_, key)) => self.keyed(field, key, want, have, &mut out),
                None => self.value(field, want, have, &mut out),
            }
        }
        out
    }

    fn value(&self, path: &str, want: &Json, have: &Json, out: &mut Vec<Change>) {
        if self.spec().is_secret(path) || is_mask(have) || is_mask(want) {
            return self.secret(path, want, have, out);
        }
        match (want, have) {
            (Json::Object(want), Json::Object(have)) => self.fields(path, want, have, out),
            (Json::Object(want), Json::Null) if !want.is_empty() => self.fields(path, want, &Body::new(), out),
            (Json::Array(wanted), Json::Array(_) | Json::Null) if is_set(path, wanted) => self.set(path, wanted, have, out),
            (Json::Array(wanted), Json::Array(had)) if wanted.len() == had.len() => {
                for (index, (want, have)) in wanted.iter().zip(had).enumerate() {
                    self.value(&format!("{path}[{index}]"), want, have, out);
                }
            }
            _ if same(want, have) => {}
            _ => out.push(Change { path: path.to_owned(), old: have.clone(), new: want.clone(), secret: false }),
        }
    }

    fn fields(&self, path: &str, want: &Body, have: &Body, out: &mut Vec<Change>) {
        for (field, inner) in want {
            self.value(&format!("{path}.{field}"), inner, have.get(field).unwrap_or(&Json::Null), out);
        }
    }

    fn keyed(&self, path: &str, key: &str, want: &Json, have: &Json, out: &mut Vec<Change>) {
        for item in want.as_array().map_or(&[][..], Vec::as_slice) {
            let label = format!("{path}[{}]", item[key].as_str().unwrap_or_default());
            let found = have.as_array().and_then(|known| known.iter().find(|candidate| candidate[key] == item[key]));
            match found {
                Some(found) => self.value(&label, item, found, out),
                None => out.push(Change { path: label, old: Json::Null, new: item.clone(), secret: false }),
            }
        }
        let declared = |item: &&Json| want.as_array().is_some_and(|items| items.iter().any(|other| other[key] == item[key]));
        for gone in have.as_array().into_iter().flatten().filter(|item| self.exact && !declared(item)) {
            let label = format!("{path}[{}]", gone[key].as_str().unwrap_or_default());
            out.push(Change { path: label, old: gone.clone(), new: Json::Null, secret: false });
        }
    }

    fn set(&self, path: &str, wanted: &[Json], have: &Json, out: &mut Vec<Change>) {
        let had = have.as_array().map_or(&[][..], Vec::as_slice);
        let wanted_texts: BTreeSet<String> = wanted.iter().map(text).collect();
        let is_kept = |item: &&Json| self.additive || self.tolerated.contains(&text(item));
        let kept: Vec<&Json> = had.iter().filter(|item| !wanted_texts.contains(&text(item))).filter(is_kept).collect();
        let target: Vec<Json> = wanted.iter().chain(kept).cloned().collect();
        let (before, after): (BTreeSet<String>, BTreeSet<String>) = (had.iter().map(text).collect(), target.iter().map(text).collect());
        if before != after {
            out.push(Change { path: path.to_owned(), old: have.clone(), new: target.into(), secret: false });
        }
    }

    /// A readable secret is compared, a masked one looked up in the ledger, and a declared mask means: whatever is there.
    fn secret(&self, path: &str, want: &Json, have: &Json, out: &mut Vec<Change>) {
        let wanted = single(want);
        let unchanged = match (wanted, single(have)) {
            (Some(MASK), _) => true,
            (None | Some(""), None | Some("")) => true,
            (Some(wanted), Some(MASK)) => self.ledger.knows(self.name, path, wanted),
            (wanted, had) => wanted == had,
        };
        if !unchanged {
            out.push(Change { path: path.to_owned(), old: Json::Null, new: Json::Null, secret: true });
        }
    }

    /// A temporary password is only for the making of a user: it is the user's to change. A permanent one is kept as declared.
    fn credentials(&self, want: &Json, out: &mut Vec<Change>) {
        for credential in want.as_array().map_or(&[][..], Vec::as_slice) {
            let Some(value) = permanent_password(credential) else { continue };
            if !self.ledger.knows(self.name, PASSWORD, value) {
                out.push(Change { path: PASSWORD.to_owned(), old: Json::Null, new: Json::Null, secret: true });
            }
        }
    }
}

/// How a user's password is called in changes and in the ledger.
pub const PASSWORD: &str = "password";

/// The declared password of a credential that is to stay as it is declared.
pub fn permanent_password(credential: &Json) -> Option<&str> {
    let temporary = credential["temporary"].as_bool().unwrap_or(false);
    let is_password = credential["type"].as_str().unwrap_or(PASSWORD) == PASSWORD;
    credential["value"].as_str().filter(|value| is_password && !temporary && *value != MASK)
}

fn single(value: &Json) -> Option<&str> {
    match value {
        Json::String(text) => Some(text),
        Json::Array(items) => items.first().and_then(Json::as_str),
        _ => None,
    }
}

fn is_mask(value: &Json) -> bool {
    single(value) == Some(MASK)
}

fn is_set(path: &str, items: &[Json]) -> bool {
    !is_ordered(path) && items.iter().all(|item| !item.is_object() && !item.is_array())
}

/// A scalar as text: `"300"` and `300` are the same to Keycloak.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        // A list of nothing that is kept as text is left out by the server.
        Json::String(text) => matches!(text.as_str(), "" | "false" | "[]" | "{}"),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
        Json::Bool(true) | Json::Number(_) => false,
    }
}

/// Equal for Keycloak: absent is empty, numbers may be text, JSON in a string is compared as JSON, `a##b` is a set.
pub(super) fn same(want: &Json, have: &Json) -> bool {
    if want == have {
        return true;
    }
    if have.is_null() || want.is_null() {
        return is_empty(want) && is_empty(have);
    }
    match (want, have) {
        (Json::Object(_), _) | (_, Json::Object(_)) | (Json::Array(_), _) | (_, Json::Array(_)) => false,
        _ => {
            let (want, have) = (text(want), text(have));
            want == have || same_json(&want, &have) || same_joined(&want, &have)
        }
    }
}

fn same_json(want: &str, have: &str) -> bool {
    let parse = |text: &str| text.trim_start().starts_with(['{', '[']).then(|| serde_json::from_str::<Json>(text).ok()).flatten();
    matches!((parse(want), parse(have)), (Some(want), Some(have)) if in_order(&want, true) == in_order(&have, true))
}

/// JSON in one fixed order: keys sorted, lists of scalars sorted.
pub(super) fn canonical(value: &Json) -> String {
    in_order(value, false)
}

/// With `sets`, lists of objects are sorted too: what is kept as JSON in a text is a set (roles of a policy, groups of one).
fn in_order(value: &Json, sets: bool) -> String {
    match value {
        Json::Object(map) => {
            let mut entries: Vec<String> = map.iter().map(|(key, inner)| format!("{key:?}:{}", in_order(inner, sets))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
        Json::Array(items) => {
            let mut texts: Vec<String> = items.iter().map(|item| in_order(item, sets)).collect();
            if items.iter().all(|item| !item.is_array() && (sets || !item.is_object())) {
                texts.sort();
            }
            format!("[{}]", texts.join(","))
        }
        scalar => scalar.to_string(),
    }
}

/// Keycloak joins lists in client attributes with `##` (post-logout redirect URIs).
fn same_joined(want: &str, have: &str) -> bool {
    let split = |text: &str| text.split("##").map(str::to_owned).collect::<BTreeSet<_>>();
    want.contains("##") && split(want) == split(have)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::Secret;
    use crate::keycloak::model::Key;

    fn changes(kind: Kind, declared: Json, live: Json) -> Vec<Change> {
        let ledger = Ledger::open(None, &Secret::new("x"), "staff");
        let name = Name::new(kind, Key::of(["x"]));
        let comparison = Comparison { name: &name, ledger: &ledger, additive: false, exact: false, tolerated: &BTreeSet::new() };
        comparison.changes(declared.as_object().expect("a mapping"), live.as_object().expect("a mapping"))
    }

    fn paths(kind: Kind, declared: Json, live: Json) -> Vec<String> {
        changes(kind, declared, live).into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn only_declared_fields_count() {
        assert!(changes(Kind::Client, json!({"clientId": "app"}), json!({"clientId": "app", "enabled": false})).is_empty());
        assert_eq!(
            paths(Kind::Client, json!({"enabled": true, "attributes": {"a": "1"}}), json!({"attributes": {"a": "2", "b": "3"}})),
            ["enabled", "attributes.a"]
        );
    }

    #[test]
    fn sets_have_no_order_and_ordered_lists_have_one() {
        assert!(changes(Kind::Client, json!({"redirectUris": ["b", "a"]}), json!({"redirectUris": ["a", "b"]})).is_empty());
        let (want, have) =
            (json!({"webAuthnPolicySignatureAlgorithms": ["b", "a"]}), json!({"webAuthnPolicySignatureAlgorithms": ["a", "b"]}));
        assert!(!changes(Kind::Realm, want, have).is_empty());
    }

    #[test]
    fn json_in_a_string_is_compared_as_json() {
        let want = json!({"config": {"claims": "[{\"b\": 1, \"a\": [2, 1]}]"}});
        assert!(changes(Kind::ClientMapper, want, json!({"config": {"claims": "[{\"a\":[1,2],\"b\":1}]"}})).is_empty());
    }

    #[test]
    fn a_list_of_nothing_in_a_text_is_empty() {
        assert!(changes(Kind::AuthorizationPolicy, json!({"config": {"resources": "[]"}}), json!({"config": {}})).is_empty());
    }

    #[test]
    fn absent_is_empty() {
        assert!(changes(Kind::Client, json!({"description": "", "webOrigins": [], "bearerOnly": false}), json!({})).is_empty());
        let none = json!({"config": {"resources": "[]"}});
        assert!(changes(Kind::AuthorizationPolicy, none.clone(), json!({"config": {}})).is_empty());
        assert!(!changes(Kind::AuthorizationPolicy, none, json!({"config": {"resources": "[\"a\"]"}})).is_empty());
    }

    #[test]
    fn a_secret_that_can_be_read_is_compared_and_never_shown() {
        assert!(changes(Kind::Client, json!({"secret": "abc"}), json!({"secret": "abc"})).is_empty());
        let found = changes(Kind::Client, json!({"secret": "new"}), json!({"secret": "old"}));
        assert_eq!(found, [Change { path: "secret".into(), old: Json::Null, new: Json::Null, secret: true }]);
    }

    #[test]
    fn a_declared_mask_is_never_a_change() {
        assert!(changes(Kind::Client, json!({"secret": MASK}), json!({"secret": "old"})).is_empty());
        assert!(changes(Kind::Component, json!({"config": {"bindCredential": [MASK]}}), json!({})).is_empty());
    }

    #[test]
    fn a_masked_secret_is_looked_up_in_the_ledger() {
        let name = Name::new(Kind::Realm, Key::default());
        let mut ledger = Ledger::open(None, &Secret::new("x"), "staff");
        let (want, have) = (json!({"smtpServer": {"password": "p"}}), json!({"smtpServer": {"password": MASK}}));
        let (want, have) = (want.as_object().expect("a mapping"), have.as_object().expect("a mapping"));
        let none = BTreeSet::new();
        assert_eq!(
            Comparison { name: &name, ledger: &ledger, additive: false, exact: false, tolerated: &none }.changes(want, have).len(),
            1
        );
        ledger.record(&name, "smtpServer.password", "p");
        assert!(
            Comparison { name: &name, ledger: &ledger, additive: false, exact: false, tolerated: &none }.changes(want, have).is_empty()
        );
    }

    #[test]
    fn a_temporary_password_is_the_users_own_after_the_first_time() {
        assert!(changes(Kind::User, json!({"credentials": [{"type": "password", "value": "x", "temporary": true}]}), json!({})).is_empty());
        assert_eq!(paths(Kind::User, json!({"credentials": [{"type": "password", "value": "x"}]}), json!({})), ["password"]);
    }

    #[test]
    fn a_list_that_is_owned_in_full_loses_what_is_not_declared() {
        let ledger = Ledger::open(None, &Secret::new("x"), "staff");
        let name = Name::new(Kind::UserProfile, Key::default());
        let (want, have) = (json!({"attributes": [{"name": "a"}]}), json!({"attributes": [{"name": "a"}, {"name": "b"}]}));
        let (want, have) = (want.as_object().expect("a mapping"), have.as_object().expect("a mapping"));
        let changes =
            |exact| Comparison { name: &name, ledger: &ledger, additive: false, exact, tolerated: &BTreeSet::new() }.changes(want, have);
        assert_eq!((changes(false).len(), changes(true)[0].path.as_str()), (0, "attributes[b]"));
    }

    #[test]
    fn an_additive_set_only_grows() {
        let ledger = Ledger::open(None, &Secret::new("x"), "staff");
        let name = Name::new(Kind::Group, Key::of(["x"]));
        let comparison = Comparison { name: &name, ledger: &ledger, additive: true, exact: false, tolerated: &BTreeSet::new() };
        let (want, have) = (json!({"realmRoles": ["a"]}), json!({"realmRoles": ["b"]}));
        let found = comparison.changes(want.as_object().expect("a mapping"), have.as_object().expect("a mapping"));
        assert_eq!(found[0].new, json!(["a", "b"]));
    }
}
