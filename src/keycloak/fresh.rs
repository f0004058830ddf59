//! A realm as Keycloak makes it when it is given nothing but a name, as 26.7.3 and 26.5.6 exported it: what an export leaves out, and what nobody's
//! declaration deletes.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::json;

use super::flatten;
use super::kind::Kind;
use super::model::{Model, Name};
use super::{Body, Json};

const EXPORT: &str = include_str!("fresh.json");
/// Of 26.5, which has fewer kinds of events, other default scopes and other names for some settings.
const EXPORT_26_5: &str = include_str!("fresh-26.5.json");
/// Stands for the realm's name in it.
const NAME: &str = "@realm@";

/// The realm of this name as a server of this version makes it; of the newest that we know, when none is given.
pub fn model(realm: &str, version: Option<&str>) -> Model {
    let minor = version.and_then(|version| version.strip_prefix("26.")?.split('.').next()?.parse::<u32>().ok());
    let export = if minor.is_some_and(|minor| minor <= 5) { EXPORT_26_5 } else { EXPORT };
    let text = export.replace(&format!("default-roles-{NAME}"), &format!("default-roles-{}", realm.to_lowercase())).replace(NAME, realm);
    match serde_json::from_str(&text) {
        Ok(Json::Object(body)) => flatten::live(&body),
        _ => Model::default(),
    }
}

/// Whether every realm is born with it; the default roles, which are named after the realm, are not told by this.
pub fn has(name: &Name) -> bool {
    static NAMES: OnceLock<BTreeSet<Name>> = OnceLock::new();
    let names = |version| model("any", Some(version)).into_objects().map(|(name, _)| name);
    NAMES.get_or_init(|| ["26.5", "26.7"].into_iter().flat_map(names).collect()).contains(name)
}

/// What an object of this kind has when it is made with nothing but its name.
pub fn defaults(kind: Kind) -> Body {
    let defaults = match kind {
        Kind::Client => json!({
            "surrogateAuthRequired": false, "enabled": true, "alwaysDisplayInConsole": false, "clientAuthenticatorType": "client-secret",
            "bearerOnly": false, "consentRequired": false, "standardFlowEnabled": true, "implicitFlowEnabled": false,
            "directAccessGrantsEnabled": false, "serviceAccountsEnabled": false, "publicClient": false, "frontchannelLogout": false,
            "protocol": "openid-connect", "attributes": {"realm_client": "false"}, "fullScopeAllowed": true, "nodeReRegistrationTimeout": -1,
        }),
        Kind::IdentityProvider => json!({
            "enabled": true, "storeToken": false, "addReadTokenRoleOnCreate": false, "trustEmail": false, "authenticateByDefault": false,
            "linkOnly": false, "hideOnLogin": false,
        }),
        Kind::Organization => json!({"enabled": true}),
        _ => json!({}),
    };
    match defaults {
        Json::Object(body) => body,
        _ => Body::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keycloak::model::Key;

    #[test]
    fn a_new_realm_has_its_own_name_everywhere() {
        let model = model("Staff", None);
        assert!(model.get(Kind::RealmRole, &Key::of(["default-roles-staff"])).is_some());
        let account = model.get(Kind::Client, &Key::of(["account"])).expect("every realm has it");
        assert_eq!(account.body["baseUrl"], "/realms/Staff/account/");
        assert!(has(&Name::new(Kind::Flow, Key::of(["browser"]))));
        assert!(!has(&Name::new(Kind::Client, Key::of(["app"]))));
    }
}
