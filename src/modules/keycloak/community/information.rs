//! What only reads, and the making of a new secret.

use serde_json::json;

use super::options::Fields;
use super::{Asked, Face};
use crate::base::Value;
use crate::keycloak::client::encode;
use crate::keycloak::model::Model;
use crate::keycloak::{Client, Json, blocking};
use crate::modules::Output;
use crate::modules::keycloak::connection::failure;
use crate::system::{Failure, Result, System};

fn get(client: &Client, path: &str) -> Result<Json> {
    blocking::run(|| client.get(path)).map_err(failure)
}

fn realm_path(given: &Fields) -> String {
    let realm = given.text("realm").or_else(|| given.text("parent_id")).unwrap_or("master");
    format!("/admin/realms/{}", encode(realm))
}

/// The path of the client that a task means.
fn client_path(given: &Fields, client: &Client) -> Result<String> {
    let realm = realm_path(given);
    if let Some(id) = given.text("id") {
        return Ok(format!("{realm}/clients/{}", encode(id)));
    }
    let name = given.need("client_id")?;
    let found = get(client, &format!("{realm}/clients?clientId={}", encode(name)))?;
    match found[0]["id"].as_str() {
        Some(id) => Ok(format!("{realm}/clients/{id}")),
        None => Err(Failure::new(format!("there is no client `{name}`")).at("client_id")),
    }
}

macro_rules! asks {
    ($face:ident, $name:literal, $about:literal, $options:literal, $reads:literal, $run:expr) => {
        pub struct $face;

        impl Face for $face {
            const NAME: &'static str = $name;
            const ABOUT: &'static str = $about;
            const OPTIONS: &'static str = $options;
            const READS: bool = $reads;

            fn ask(_: &Fields, _: &Model) -> Result<Asked> {
                Ok(Asked::default())
            }

            fn run(given: &Fields, client: &Client, sys: &mut System) -> Result<Output> {
                let run: fn(&Fields, &Client, &mut System) -> Result<Output> = $run;
                run(given, client, sys)
            }
        }
    };
}

asks! {
    ClientSecret,
    "community.general.keycloak_clientsecret_info",
    "Reads the secret of a client. Set `no_log` on the task: it is in the result.",
    "
        realm str=master : The realm
        id str : Id of the client
        client_id str : Its clientId, instead of the id
    ",
    true,
    |given, client, _| {
        let secret = get(client, &format!("{}/client-secret", client_path(given, client)?))?;
        Ok(Output::new().with("clientsecret_info", Value::from_json(secret)).message("Get client secret successful"))
    }
}

asks! {
    Regenerate,
    "community.general.keycloak_clientsecret_regenerate",
    "Gives a client a new secret, each time. Set `no_log` on the task: it is in the result.",
    "
        realm str=master : The realm
        id str : Id of the client
        client_id str : Its clientId, instead of the id
    ",
    false,
    |given, client, sys| {
        let path = format!("{}/client-secret", client_path(given, client)?);
        let mut made = Json::Null;
        sys.mutate_record(super::RECORD, &path, Some(true.into()), || {
            let nothing = json!({});
            made = blocking::run(|| client.post(&path, &nothing)).map_err(failure)?.body;
            Ok(())
        })?;
        Ok(Output::new().with("end_state", Value::from_json(made)).message("New client secret has been generated"))
    }
}

asks! {
    RealmInfo,
    "community.general.keycloak_realm_info",
    "Reads what a realm tells everybody: its name, public key and addresses.",
    "
        realm str=master : The realm
    ",
    true,
    |given, client, _| {
        let info = get(client, &format!("/realms/{}", encode(given.text("realm").unwrap_or("master"))))?;
        Ok(Output::new().with("realm_info", Value::from_json(info)).message("Get realm public info successful"))
    }
}

asks! {
    KeysInfo,
    "community.general.keycloak_realm_keys_metadata_info",
    "Reads which keys a realm has, and which of them sign.",
    "
        realm str=master : The realm
    ",
    true,
    |given, client, _| {
        let keys = get(client, &format!("{}/keys", realm_path(given)))?;
        Ok(Output::new().with("keys_metadata", Value::from_json(keys)).message("Get realm keys metadata successful"))
    }
}

asks! {
    ComponentInfo,
    "community.general.keycloak_component_info",
    "Reads components of a realm: keys, federations, policies.",
    "
        realm str! : The realm
        name str : Only of this name
        provider_type str : Only of this type
        parent_id str : Only of this parent
    ",
    true,
    |given, client, _| {
        let filters = [("name", given.text("name")), ("type", given.text("provider_type")), ("parent", given.text("parent_id"))];
        let query: Vec<String> = filters.iter().filter_map(|(name, value)| Some(format!("{name}={}", encode((*value)?)))).collect();
        let realm = format!("/admin/realms/{}", encode(given.need("realm")?));
        let found = get(client, &format!("{realm}/components?{}", query.join("&")))?;
        Ok(Output::new().with("components", Value::from_json(found)))
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_client_must_be_named() {
        let mut machine = Machine::new(Overlay::empty());
        let login = "auth_keycloak_url: 'http://127.0.0.1:9', auth_client_id: a, auth_client_secret: b";
        let refusal = machine.refusal(&format!("community.general.keycloak_clientsecret_info: {{ {login} }}"));
        assert_eq!(refusal, "missing required arguments: client_id");
        let refusal = machine.refusal(&format!("community.general.keycloak_realm_info: {{ {login} }}"));
        assert!(refusal.contains("does not answer"), "{refusal}");
    }
}
