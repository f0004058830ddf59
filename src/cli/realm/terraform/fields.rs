//! What becomes of a field of a resource: where it goes in a representation, and how its value is written there.

use serde_json::json;

use super::rows::{FIELDS, IDENTIFIERS, IMPLIED, MAPPER_CONFIG, NOTHING, PROVIDER_CONFIG, RENAMED};
use super::table::Place;
use crate::keycloak::{Body, Json};

/// Where a field goes; none when nobody knows.
pub(super) fn target(sort: &str, place: Place, field: &str) -> Option<String> {
    let sort = owner(sort, place);
    let renamed = RENAMED.iter().fold(field.to_owned(), |name, (theirs, ours)| name.replace(theirs, ours));
    let row = |owner: &str| {
        let exact = FIELDS.iter().find(|(of, name, _)| *of == owner && *name == field);
        exact.or_else(|| FIELDS.iter().find(|(of, name, _)| *of == owner && name.ends_with('.') && field.starts_with(name)))
    };
    match row(sort).or_else(|| row("")) {
        Some((_, _, target)) if *target == NOTHING => Some(NOTHING.to_owned()),
        Some((of, name, target)) if name.ends_with('.') => {
            let rest = &field[name.len()..];
            // The keys of maps are somebody's own; those of blocks are Keycloak's.
            Some(if of.is_empty() || target.starts_with("config/") {
                format!("{target}{rest}")
            } else {
                format!("{target}{}", camel(rest))
            })
        }
        Some((_, _, target)) => Some((*target).to_owned()),
        None if sort == "mapper" => match MAPPER_CONFIG.iter().find(|(name, _)| *name == field) {
            Some((_, key)) => Some(format!("config/{key}")),
            None => (field == "name").then(|| field.to_owned()),
        },
        None if sort == "identity_provider" && PROVIDER_CONFIG.contains(&field) => Some(format!("config/{}", camel(field))),
        None if matches!(place, Place::Key(_) | Place::Federation | Place::FederationMapper(_)) => Some(match place {
            _ if field == "name" => field.to_owned(),
            Place::FederationMapper(_) => format!("config/{}", field.replace('_', ".")),
            // Blocks only group what is one configuration.
            _ => format!("config/{}", camel(field.rsplit('.').next().unwrap_or(field))),
        }),
        None => Some(camel(&renamed.replace('.', "_"))).filter(|name| place.kind().spec().fields.contains(&name.as_str())),
    }
}

/// Whose rows in the tables are a resource's: those of a kind share theirs.
fn owner(sort: &str, place: Place) -> &str {
    match place {
        Place::Mapper(_) => "mapper",
        Place::IdentityProvider => "identity_provider",
        Place::ProviderMapper => "provider_mapper",
        Place::Key(_) => "key",
        Place::Federation => "federation",
        Place::FederationMapper(_) => "federation_mapper",
        _ => sort,
    }
}

/// What the fields of a resource say besides.
pub(super) fn imply(body: &mut Body, sort: &str, place: Place, fields: &[(String, &Json)]) {
    let given = |name: &str| match name.strip_suffix('.') {
        Some(_) => fields.iter().any(|(field, _)| field.starts_with(name)),
        None => name.is_empty() || fields.iter().any(|(field, _)| field == name),
    };
    for (_, _, target, value) in IMPLIED.iter().filter(|(of, name, ..)| *of == owner(sort, place) && given(name)) {
        let value = if target.contains('/') { Json::from(*value) } else { json!(*value == "true") };
        put(body, place, target, &value);
    }
}

pub(super) fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |out, word| {
        let mut letters = word.chars();
        out + &letters.next().map(|letter| letter.to_uppercase().collect::<String>()).unwrap_or_default() + letters.as_str()
    })
}

pub(super) fn put(body: &mut Body, place: Place, target: &str, value: &Json) {
    let Some((map, key)) = target.split_once('/') else {
        let seconds = value.as_str().filter(|_| place == Place::Realm).and_then(seconds);
        body.insert(target.to_owned(), seconds.map_or_else(|| value.clone(), Json::from));
        return;
    };
    let value = match (place, value) {
        (Place::Key(_) | Place::Federation | Place::FederationMapper(_), value) => json!([configured(target, value)]),
        // Several values stand in one text.
        (Place::Role | Place::Group | Place::User | Place::Organization, value) => text_of(value).split("##").collect(),
        (Place::Client, value) if map == "authorizationSettings" => value.clone(),
        (Place::IdentityProvider, Json::Array(_)) => value.to_string().into(),
        (_, Json::Array(items)) => items.iter().map(text_of).collect::<Vec<_>>().join("##").into(),
        (_, value) => Json::from(identifier(target, text_of(value))),
    };
    if let Some(map) = body.entry(map).or_insert_with(|| json!({})).as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

/// A value of a component's configuration.
fn configured(target: &str, value: &Json) -> String {
    match value {
        Json::Array(items) => {
            items.iter().map(text_of).collect::<Vec<_>>().join(if target == "config/userObjectClasses" { ", " } else { "," })
        }
        Json::String(text) if ["config/connectionTimeout", "config/readTimeout", "config/maxLifespan"].contains(&target) => {
            seconds(text).map_or_else(|| text.clone(), |seconds| (seconds * 1000).to_string())
        }
        value => identifier(target, text_of(value)),
    }
}

/// What Keycloak has for a word of Terraform's.
fn identifier(target: &str, word: String) -> String {
    let words = IDENTIFIERS.iter().find(|(of, _)| *of == target).map(|(_, words)| *words).unwrap_or_default();
    words.iter().find(|(theirs, _)| *theirs == word).map_or(word, |(_, ours)| (*ours).to_owned())
}

/// Whether a state has several values in no order where Keycloak has them in one: WebAuthn offers its algorithms as they are listed.
pub(super) fn is_unordered(field: &str, value: &Json) -> bool {
    field.ends_with(".signature_algorithms") && value.as_array().is_some_and(|items| items.len() > 1)
}

/// Whether it is what the provider says of a server that has no such field.
pub(super) fn says_nothing(field: &str, value: &Json) -> bool {
    field.ends_with(".discoverable_credential") && value == "not specified"
}

/// A value where Keycloak keeps texts only.
pub(super) fn text_of(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A duration as Go writes it, `1h30m0s`.
fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut digits) = (0, String::new());
    for letter in text.chars() {
        let unit = match letter {
            '0'..='9' => {
                digits.push(letter);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total += std::mem::take(&mut digits).parse::<u64>().ok()? * unit;
    }
    (digits.is_empty() && !text.is_empty()).then_some(total)
}

/// What says something.
pub(super) fn told<const N: usize>(fields: [(&str, Json); N]) -> Json {
    let is_empty = |value: &Json| match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    };
    fields.into_iter().filter(|(_, value)| !is_empty(value)).map(|(name, value)| (name.to_owned(), value)).collect::<Body>().into()
}
