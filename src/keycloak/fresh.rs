//! A realm as Keycloak makes it when it is given nothing but a name, as 26.7.3 exported it: what an export leaves out, and what nobody's
//! declaration deletes.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::json;

use super::flatten;
use super::kind::Kind;
use super::model::{Model, Name};
use super::{Body, Json};

const EXPORT: &str = include_str!("fresh.json");
/// Stands for the realm's name in it.
const NAME: &str = "@realm@";

/// The realm of this name as it is born.
pub fn model(realm: &str) -> Model {
    let text = EXPORT.replace(&format!("default-roles-{NAME}"), &format!("default-roles-{}", realm.to_lowercase())).replace(NAME, realm);
    match serde_json::from_str(&text) {
        Ok(Json::Object(body)) => flatten::live(&body),
        _ => Model::default(),
    }
}

/// Whether every realm is born with it; the default roles, which are named after the realm, are not told by this.
pub fn has(name: &Name) -> bool {
    static NAMES: OnceLock<BTreeSet<Name>> = OnceLock::new();
    NAMES.get_or_init(|| model("any").iter().map(|(name, _)| name.clone()).collect()).contains(name)
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
        let model = model("Staff");
        assert!(model.get(Kind::RealmRole, &Key::of(["default-roles-staff"])).is_some());
        let account = model.get(Kind::Client, &Key::of(["account"])).expect("every realm has it");
        assert_eq!(account.body["baseUrl"], "/realms/Staff/account/");
        assert!(has(&Name::new(Kind::Flow, Key::of(["browser"]))));
        assert!(!has(&Name::new(Kind::Client, Key::of(["app"]))));
    }
}
