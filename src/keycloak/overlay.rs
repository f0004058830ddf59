//! Declared fields: brought into Keycloak's own shape, and laid over what was read.

use serde_json::json;

use super::kind::{Kind, Nulls, Spec, is_ordered};
use super::{Body, Json, MASK};

/// Brings a body into the shape in which the server keeps it: maps of text hold text, maps of lists hold lists.
pub fn normalize(spec: &Spec, body: &mut Body) {
    for field in spec.texts {
        if let Some(Json::Object(map)) = body.get_mut(*field) {
            map.values_mut().for_each(to_text);
        }
    }
    for field in spec.lists {
        if let Some(Json::Object(map)) = body.get_mut(*field) {
            map.values_mut().for_each(to_list);
        }
    }
    for (field, key) in spec.keyed {
        if let Some(Json::Array(items)) = body.get_mut(*field) {
            // `domains: [a.test]` for `domains: [{name: a.test}]`.
            items.iter_mut().filter(|item| item.is_string()).for_each(|item| *item = json!({ *key: item.take() }));
        }
    }
    if spec.kind == Kind::User {
        // A user's e-mail is kept in lower case.
        if let Some(Json::String(email)) = body.get_mut("email") {
            *email = email.to_lowercase();
        }
    }
}

fn to_text(value: &mut Json) {
    match value {
        Json::Bool(_) | Json::Number(_) => *value = value.to_string().into(),
        // A template of a `config` often gives structure where Keycloak keeps JSON as text.
        Json::Array(_) | Json::Object(_) => *value = value.to_string().into(),
        Json::Null | Json::String(_) => {}
    }
}

fn to_list(value: &mut Json) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(to_text),
        Json::Null => {}
        single => {
            to_text(single);
            *single = json!([single.take()]);
        }
    }
}

/// Lays declared fields over what was read: maps merge, everything else is replaced. Links and what counts only at the making stay out; a
/// mask changes nothing.
pub fn overlay(spec: &Spec, read: &mut Body, declared: &Body) {
    for (field, value) in declared {
        if spec.is_link(field) || spec.initial.contains(&field.as_str()) {
            continue;
        }
        match (spec.keyed.iter().find(|(keyed, _)| keyed == field), read.get_mut(field), value) {
            (Some((_, key)), Some(Json::Array(known)), Json::Array(items)) => lay_keyed(spec, key, known, items),
            _ => lay(spec, read, field, value),
        }
    }
    read.retain(|field, _| !spec.not_in_put.contains(&field.as_str()));
}

/// The declared fields of an object whose sets only grow: each list of plain values with what was read of it.
pub fn grown(read: &Body, declared: &Body) -> Body {
    let is_plain = |items: &[Json]| items.iter().all(|item| !item.is_object() && !item.is_array());
    let field = |(field, want): (&String, &Json)| {
        let value = match (read.get(field), want) {
            (Some(Json::Object(read)), Json::Object(want)) => grown(read, want).into(),
            (Some(Json::Array(known)), Json::Array(items)) if !is_ordered(field) && is_plain(known) && is_plain(items) => {
                items.iter().chain(known.iter().filter(|item| !items.contains(item))).cloned().collect()
            }
            _ => want.clone(),
        };
        (field.clone(), value)
    };
    declared.iter().map(field).collect()
}

fn lay(spec: &Spec, read: &mut Body, field: &str, value: &Json) {
    match (read.get_mut(field), value) {
        (_, Json::String(text)) if text == MASK => {}
        (Some(Json::Object(known)), Json::Object(map)) => {
            for (key, inner) in map {
                lay(spec, known, key, inner);
            }
        }
        (_, Json::Null) => match spec.nulls {
            Nulls::Drop => {
                read.remove(field);
            }
            Nulls::Keep => {
                read.insert(field.to_owned(), Json::Null);
            }
            Nulls::EmptyList => {
                read.insert(field.to_owned(), json!([]));
            }
        },
        _ => {
            read.insert(field.to_owned(), without_masks(value));
        }
    }
}

/// Items found by their key are merged, new ones are added at the end, unnamed ones stay.
fn lay_keyed(spec: &Spec, key: &str, known: &mut Vec<Json>, items: &[Json]) {
    for item in items {
        let place = known.iter().position(|candidate| candidate[key] == item[key]);
        match (place.and_then(|place| known[place].as_object_mut()), item.as_object()) {
            (Some(found), Some(fields)) => fields.iter().for_each(|(field, value)| lay(spec, found, field, value)),
            _ => known.push(without_masks(item)),
        }
    }
}

/// The value without masked entries: a mask that is sent to be made would be stored as the secret itself.
pub fn without_masks(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let kept = map.iter().filter(|(_, inner)| inner.as_str() != Some(MASK) && !is_masked_list(inner));
            Json::Object(kept.map(|(key, inner)| (key.clone(), without_masks(inner))).collect())
        }
        Json::Array(items) => items.iter().map(without_masks).collect(),
        other => other.clone(),
    }
}

fn is_masked_list(value: &Json) -> bool {
    value.as_array().is_some_and(|items| items.len() == 1 && items[0] == MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(kind: Kind, read: Json, declared: Json) -> Json {
        let (Json::Object(mut read), Json::Object(mut declared)) = (read, declared) else { unreachable!("both are mappings") };
        normalize(kind.spec(), &mut declared);
        overlay(kind.spec(), &mut read, &declared);
        read.into()
    }

    #[test]
    fn undeclared_fields_are_sent_back_as_they_were_read() {
        let read = json!({"clientId": "app", "authorizationServicesEnabled": true, "attributes": {"a": "1"}, "secret": "real"});
        let sent = laid(Kind::Client, read, json!({"clientId": "app", "enabled": false, "attributes": {"b": 2}}));
        let expected = json!({"clientId": "app", "authorizationServicesEnabled": true, "attributes": {"a": "1", "b": "2"}, "secret": "real", "enabled": false});
        assert_eq!(sent, expected);
    }

    #[test]
    fn sets_that_only_grow_keep_what_was_read() {
        let (Json::Object(read), Json::Object(declared)) =
            (json!({"uris": ["a", "b"], "attributes": {"x": ["1"]}}), json!({"uris": ["c", "a"], "attributes": {"x": ["2"]}, "name": "n"}))
        else {
            unreachable!("both are mappings")
        };
        let expected = json!({"uris": ["c", "a", "b"], "attributes": {"x": ["2", "1"]}, "name": "n"});
        assert_eq!(Json::from(grown(&read, &declared)), expected);
    }

    #[test]
    fn a_mask_is_never_sent() {
        let sent = laid(Kind::Client, json!({"clientId": "app", "secret": "real"}), json!({"secret": MASK}));
        assert_eq!(sent["secret"], "real");
        assert_eq!(
            without_masks(&json!({"secret": MASK, "config": {"bindCredential": [MASK], "a": ["b"]}})),
            json!({"config": {"a": ["b"]}})
        );
    }

    #[test]
    fn a_put_of_a_client_carries_no_mappers() {
        let sent =
            laid(Kind::Client, json!({"protocolMappers": [{"name": "x"}], "defaultClientScopes": ["email"]}), json!({"enabled": true}));
        assert_eq!(sent, json!({"enabled": true}));
    }

    #[test]
    fn null_deletes_as_the_kind_needs_it() {
        assert_eq!(
            laid(Kind::Client, json!({"attributes": {"a": "1"}}), json!({"attributes": {"a": null}})),
            json!({"attributes": {"a": null}})
        );
        assert_eq!(laid(Kind::Group, json!({"attributes": {"a": ["1"]}}), json!({"attributes": {"a": null}})), json!({"attributes": {}}));
        assert_eq!(laid(Kind::Component, json!({"config": {"a": ["1"]}}), json!({"config": {"a": null}})), json!({"config": {"a": []}}));
    }

    #[test]
    fn a_profile_attribute_is_merged_by_its_name() {
        let read = json!({"attributes": [{"name": "email", "multivalued": false}], "unmanagedAttributePolicy": "ENABLED"});
        let sent = laid(Kind::UserProfile, read, json!({"attributes": [{"name": "email", "displayName": "Mail"}, {"name": "team"}]}));
        let attributes = json!([{"name": "email", "multivalued": false, "displayName": "Mail"}, {"name": "team"}]);
        assert_eq!(sent, json!({"attributes": attributes, "unmanagedAttributePolicy": "ENABLED"}));
    }
}
