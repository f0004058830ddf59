//! The realm itself, its components and identity providers.

use serde_json::json;

use super::options::{Fields, camel};
use super::{Asked, Face, declare, promised};
use crate::base::Value;
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Model, Name};
use crate::keycloak::{Body, Client, Declaration, Json, apply, blocking};
use crate::modules::Output;
use crate::modules::keycloak::connection::failure;
use crate::system::{Diff, Result, System};

const FEDERATION: &str = "org.keycloak.storage.UserStorageProvider";
const LDAP_MAPPER: &str = "org.keycloak.storage.ldap.mappers.LDAPStorageMapper";
const KEYS: &str = "org.keycloak.keys.KeyProvider";

pub struct Realm;

impl Face for Realm {
    const NAME: &'static str = "community.general.keycloak_realm";
    const ABOUT: &'static str = "Makes a realm exist with these settings, or not at all.";
    const OPTIONS: &'static str = include_str!("realm_options.txt");

    fn realm(given: &Fields) -> String {
        given.text("realm").or_else(|| given.text("id")).unwrap_or("master").to_owned()
    }

    fn ask(given: &Fields, _: &Model) -> Result<Asked> {
        let realm = Self::realm(given);
        let declaration = given.body(&["id", "default_roles", "not_before"]);
        let target = Some(Name::new(Kind::Realm, Key::default()));
        Ok(Asked { declaration, target, what: format!("Realm {realm}"), ..Asked::default() })
    }

    /// A realm can be made and deleted, which no other object of a declaration can be asked.
    fn run(given: &Fields, client: &Client, sys: &mut System) -> Result<Output> {
        let realm = Self::realm(given);
        let place = promised::place(client, &realm);
        let exists = sys.query_record(promised::REALM, &place, || {
            let there = blocking::run(|| apply::realm_exists(client, &realm)).map_err(failure)?;
            Ok(there.then(|| Value::from(true)))
        })?;
        match (given.is_absent(), exists.is_some()) {
            (true, false) => Ok(Output::new()
                .with("end_state", Value::from_json(json!({})))
                .message(format!("Realm {realm} does not exist, doing nothing."))),
            (true, true) => {
                sys.add_diff(Diff::text(format!("realm {realm}"), format!("realm {realm}\n"), ""));
                sys.mutate_record(promised::REALM, &place, None, || {
                    blocking::run(|| apply::delete_realm(client, &realm)).map(|_| ()).map_err(failure)
                })?;
                Ok(Output::new().with("end_state", Value::from_json(json!({}))).message(format!("Realm {realm} has been deleted.")))
            }
            (false, true) if exists == Some(super::mark(given)) => Ok(Output::new().message(format!("Realm {realm} is as it should be."))),
            (false, true) => declare::<Self>(given, client, sys),
            (false, false) => {
                let mut body = Self::ask(given, &Model::default())?.declaration;
                body.insert("realm".into(), realm.as_str().into());
                let proposed = Json::from(body.clone());
                let declaration = Declaration::parse(&body.into()).map_err(failure)?;
                sys.add_diff(Diff::text(format!("realm {realm}"), "", format!("realm {realm}\n")));
                sys.mutate_record(promised::REALM, &place, Some(super::mark(given)), || {
                    blocking::run(|| apply::apply(client, &declaration)).map(|_| ()).map_err(failure)
                })?;
                let end = Value::from_json(super::masked(proposed));
                Ok(Output::new().with("end_state", end).message(format!("Realm {realm} has been created.")))
            }
        }
    }
}

/// Values of a component's `config`: lists of text, keys as Keycloak has them.
fn config(given: Option<Json>) -> Json {
    let Some(Json::Object(map)) = given else { return json!({}) };
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let entry = |(key, value): (String, Json)| match value {
        Json::Null => (key, Json::Null),
        Json::Array(items) => (key, items.iter().map(text).collect()),
        other => (key, json!([text(&other)])),
    };
    Json::Object(map.into_iter().map(entry).collect())
}

fn component(provider_type: &str, body: Body, absent: bool, what: &str) -> Asked {
    let name = body.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
    let target = Name::new(Kind::Component, Key::of([provider_type, name.as_str()]));
    let declaration = Body::from_iter([("components".to_owned(), json!({provider_type: [body]}))]);
    Asked { declaration, target: Some(target), absent, what: format!("{what} {name}"), ..Asked::default() }
}

pub struct Component;

impl Face for Component {
    const NAME: &'static str = "community.general.keycloak_component";
    const ABOUT: &'static str = "Makes a component of a realm exist with this configuration, or not at all.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether it exists
        name str! : Its name
        parent_id str! : The realm
        provider_id str! : What provides it
        provider_type str! : What kind of thing it is
        config dict : Its configuration
    ";

    fn ask(given: &Fields, _: &Model) -> Result<Asked> {
        let mut body = Body::from_iter([
            ("name".to_owned(), given.need("name")?.into()),
            ("providerId".to_owned(), given.need("provider_id")?.into()),
        ]);
        body.insert("config".into(), config(given.json("config")));
        Ok(component(given.need("provider_type")?, body, given.is_absent(), "Component"))
    }
}

pub struct RealmKey;

impl Face for RealmKey {
    const NAME: &'static str = "community.general.keycloak_realm_key";
    const ABOUT: &'static str =
        "Makes a key of a realm exist, or not. A private key that Keycloak shows masked is written again only when it is another one.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether it exists
        name str! : Its name
        force bool=false : Makes no difference: a changed key is seen as changed
        parent_id str! : The realm
        provider_id str=rsa rsa|rsa-enc|rsa-generated|rsa-enc-generated|ecdsa-generated|ecdh-generated|eddsa-generated|hmac-generated|aes-generated|java-keystore : The kind of key
        config dict : `active`, `enabled`, `priority`, `algorithm`, `private_key`, `certificate` and what else the kind has
    ";

    fn ask(given: &Fields, _: &Model) -> Result<Asked> {
        let Json::Object(values) = config(given.json("config")) else { return Ok(Asked::default()) };
        let values: Body = values.into_iter().map(|(key, value)| (camel(&key), value)).collect();
        let body = Body::from_iter([
            ("name".to_owned(), given.need("name")?.into()),
            ("providerId".to_owned(), given.need("provider_id")?.into()),
            ("config".to_owned(), values.into()),
        ]);
        Ok(component(KEYS, body, given.is_absent(), "Realm key"))
    }
}

pub struct UserFederation;

impl Face for UserFederation {
    const NAME: &'static str = "community.general.keycloak_user_federation";
    const ABOUT: &'static str = "Makes a user federation (LDAP, Kerberos, SSSD) of a realm exist with its mappers, or not at all.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether it exists
        realm str=master : The realm
        id str : Its id; the name is used
        name str : Its name
        provider_id str : What provides it: ldap, kerberos, sssd
        provider_type str=org.keycloak.storage.UserStorageProvider : What kind of thing it is
        parent_id str : The realm's id; not needed
        remove_unspecified_mappers bool=true : Delete mappers that are not named here
        bind_credential_update_mode str=always always|only_indirect : Makes no difference: a changed password is seen as changed
        config dict : Its configuration
        mappers list : Mappers, each with `name`, `providerId`, `providerType`, `config`
    ";

    fn ask(given: &Fields, _: &Model) -> Result<Asked> {
        let mut body = Body::from_iter([("name".to_owned(), given.need("name")?.into())]);
        body.extend(given.text("provider_id").map(|id| ("providerId".to_owned(), id.into())));
        if given.has("config") {
            body.insert("config".into(), config(given.json("config")));
        }
        let mut inner = Body::new();
        for mapper in given.items("mappers") {
            let sort = mapper["providerType"].as_str().unwrap_or(LDAP_MAPPER).to_owned();
            let made = json!({"name": mapper["name"], "providerId": mapper["providerId"], "config": config(mapper.get("config").cloned())});
            let list = inner.entry(sort).or_insert_with(|| json!([]));
            list.as_array_mut().into_iter().for_each(|list| list.push(made.clone()));
        }
        if !inner.is_empty() {
            body.insert("subComponents".into(), inner.into());
        }
        Ok(component(given.text("provider_type").unwrap_or(FEDERATION), body, given.is_absent(), "User federation"))
    }
}

pub struct IdentityProvider;

impl Face for IdentityProvider {
    const NAME: &'static str = "community.general.keycloak_identity_provider";
    const ABOUT: &'static str = "Makes an identity provider of a realm exist with its mappers, or not at all.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether it exists
        realm str=master : The realm
        alias str! : Its alias
        display_name str : What it is called on the screen
        enabled bool
        store_token bool
        add_read_token_role_on_create bool
        trust_email bool
        link_only bool
        first_broker_login_flow_alias str
        post_broker_login_flow_alias str
        authenticate_by_default bool
        provider_id str : What provides it: oidc, saml, github, …
        config dict : Its configuration
        mappers list : Mappers, each with `name`, `identityProviderMapper`, `config`
    ";

    fn ask(given: &Fields, _: &Model) -> Result<Asked> {
        let alias = given.need("alias")?;
        let mut provider = given.body(&["mappers"]);
        if let Some(Json::Object(values)) = provider.get_mut("config") {
            // The collection spells some of them its own way.
            let own = [("hide_on_login_page", "hideOnLoginPage"), ("gui_order", "guiOrder"), ("sync_mode", "syncMode")];
            for (theirs, keycloaks) in own {
                if let Some(value) = values.remove(theirs) {
                    values.insert(keycloaks.into(), value);
                }
            }
        }
        let mappers: Vec<Json> = given
            .items("mappers")
            .into_iter()
            .map(|mapper| json!({"name": mapper["name"], "identityProviderAlias": alias, "identityProviderMapper": mapper["identityProviderMapper"], "config": mapper["config"]}))
            .collect();
        let mut declaration = Body::from_iter([("identityProviders".to_owned(), json!([provider]))]);
        if !mappers.is_empty() && !given.is_absent() {
            declaration.insert("identityProviderMappers".into(), mappers.into());
        }
        let target = Some(Name::new(Kind::IdentityProvider, Key::of([alias])));
        Ok(Asked { declaration, target, absent: given.is_absent(), what: format!("Identity provider {alias}"), ..Asked::default() })
    }
}

pub struct UserProfile;

impl Face for UserProfile {
    const NAME: &'static str = "community.general.keycloak_userprofile";
    const ABOUT: &'static str = "Makes the user profile of a realm hold these attributes and groups.";
    const OPTIONS: &'static str = "
        state str=present present|absent : `absent` is refused: a realm always has a profile
        realm str : The realm
        parent_id str : The realm, under its other name
        provider_id str=declarative-user-profile : Makes no difference
        provider_type str=org.keycloak.userprofile.UserProfileProvider : Makes no difference
        config dict : `kc_user_profile_config`, a list of one profile
    ";

    fn ask(given: &Fields, _: &Model) -> Result<Asked> {
        if given.is_absent() {
            return Err(crate::system::Failure::new("a realm always has a user profile: name what its attributes should be").at("state"));
        }
        let config = given.json("config").unwrap_or_default();
        let profile = config.get("kc_user_profile_config").or_else(|| config.get("kcUserProfileConfig")).cloned().unwrap_or_default();
        let profile = if profile.is_array() { profile[0].clone() } else { profile };
        let declaration = Body::from_iter([("userProfile".to_owned(), camelled(profile))]);
        let target = Some(Name::new(Kind::UserProfile, Key::default()));
        Ok(Asked { declaration, target, what: "User profile".into(), ..Asked::default() })
    }
}

/// The collection writes a profile's fields with underscores. Names of validators have dashes, and stay.
fn camelled(value: Json) -> Json {
    match value {
        Json::Object(map) => Json::Object(
            map.into_iter().filter(|(_, inner)| !inner.is_null()).map(|(key, inner)| (profile_key(&key), camelled(inner))).collect(),
        ),
        Json::Array(items) => items.into_iter().map(camelled).collect(),
        other => other,
    }
}

fn profile_key(key: &str) -> String {
    let validators = [
        "person_name_prohibited_characters",
        "up_username_not_idn_homograph",
        "username_prohibited_characters",
        "local_date",
        "lexicographical",
    ];
    if validators.contains(&key) { key.replace('_', "-") } else { camel(key) }
}

pub struct Localization;

impl Face for Localization {
    const NAME: &'static str = "community.general.keycloak_realm_localization";
    const ABOUT: &'static str = "Makes the texts of a language of a realm say these things, or takes them out.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether the texts are there
        realm str! : The realm
        parent_id str : The realm, under its other name
        locale str! : The language
        overrides list : Texts, each with `key` and `value`
        append bool=true : Leave other texts of the language alone
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let locale = given.need("locale")?;
        let target = Name::new(Kind::Localization, Key::of([locale]));
        let known = live.get(target.kind, &target.key).map(|object| object.body.clone()).unwrap_or_default();
        let wanted: Body = given
            .items("overrides")
            .iter()
            .filter_map(|entry| {
                Some((entry["key"].as_str()?.to_owned(), if given.is_absent() { Json::Null } else { entry["value"].clone() }))
            })
            .collect();
        let mut texts: Body = wanted.into_iter().filter(|(key, value)| !value.is_null() || known.contains_key(key)).collect();
        if !given.flag("append") && !given.is_absent() {
            let gone: Vec<String> = known.keys().filter(|key| !texts.contains_key(*key)).cloned().collect();
            texts.extend(gone.into_iter().map(|key| (key, Json::Null)));
        }
        let declaration = Body::from_iter([("localizationTexts".to_owned(), json!({locale: texts}))]);
        let all = given.is_absent() && given.items("overrides").is_empty();
        Ok(Asked { declaration, target: Some(target), absent: all, what: format!("Texts of {locale}"), ..Asked::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_lists_of_text() {
        assert_eq!(
            config(Some(json!({"enabled": true, "priority": 5, "a": ["x"]}))),
            json!({"enabled": ["true"], "priority": ["5"], "a": ["x"]})
        );
    }

    #[test]
    fn a_profile_is_spelled_as_keycloak_spells_it() {
        let given = json!({"unmanaged_attribute_policy": "ENABLED", "attributes": [{"display_name": "x", "validations": {"username_prohibited_characters": {}}}]});
        let expected = json!({"unmanagedAttributePolicy": "ENABLED", "attributes": [{"displayName": "x", "validations": {"username-prohibited-characters": {}}}]});
        assert_eq!(camelled(given), expected);
    }
}
