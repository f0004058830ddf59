//! Users and their roles.

use serde_json::json;

use super::groups::{change, client_id, role_names, roles_onto};
use super::options::Fields;
use super::{Asked, Face};
use crate::keycloak::client::encode;
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Model, Name};
use crate::keycloak::{Body, Client, Json, blocking};
use crate::modules::Output;
use crate::modules::keycloak::connection::failure;
use crate::system::{Failure, Result, System};

pub struct User;

impl Face for User {
    const NAME: &'static str = "community.general.keycloak_user";
    const ABOUT: &'static str = "Makes a user of a realm exist with these groups, attributes and credentials, or not at all.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether the user exists
        realm str=master : The realm
        username str! : Name of the user
        id str : The user's id; the name is used
        enabled bool
        email_verified bool
        first_name str
        last_name str
        email str
        federation_link str
        service_account_client_id str : Makes no difference: service accounts come with their clients
        client_consents list : Makes no difference: consents are the user's own
        groups list : Groups, each a `name` (or path) and a `state`
        credentials list : Credentials, each with `type`, `value`, `temporary`
        required_actions list : What a new user has to do at first
        federated_identities list : Identities that a new user is linked to
        attributes list : Attributes, each with `name`, `values`, `state`
        access dict : Makes no difference
        disableable_credential_types list : Makes no difference
        origin str : Makes no difference
        self str : Makes no difference
        force bool=false : Makes no difference: a user is changed where it differs
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let username = given.need("username")?.to_lowercase();
        let except = [
            "id",
            "groups",
            "attributes",
            "access",
            "client_consents",
            "disableable_credential_types",
            "origin",
            "self",
            "service_account_client_id",
            "federated_identities",
        ];
        let target = Name::new(Kind::User, Key::of([username.as_str()]));
        let known = live.get(target.kind, &target.key).map(|object| object.body.clone());
        let mut user = given.body(&except);
        user.insert("username".into(), username.as_str().into());
        if !given.items("groups").is_empty() {
            let mut groups = known.as_ref().and_then(|body| body.get("groups")).cloned().unwrap_or_default();
            for group in given.items("groups") {
                let path = group_path(group["name"].as_str().unwrap_or_default(), live);
                change(&mut groups, &path.into(), group["state"] != "absent");
            }
            user.insert("groups".into(), groups);
        }
        if !given.items("attributes").is_empty() {
            let attributes = given.items("attributes").into_iter().map(|attribute| {
                let name = attribute["name"].as_str().unwrap_or_default().to_owned();
                (name, if attribute["state"] == "absent" { Json::Null } else { attribute["values"].clone() })
            });
            user.insert("attributes".into(), Json::Object(attributes.collect()));
        }
        // A new user may log in, unless the task says otherwise.
        if known.is_none() {
            user.entry("enabled").or_insert(Json::Bool(true));
        }
        let declaration = Body::from_iter([("users".to_owned(), json!([user]))]);
        Ok(Asked { declaration, target: Some(target), absent: given.is_absent(), what: format!("User {username}"), ..Asked::default() })
    }
}

/// A group by its path, or by its name where only one has it.
fn group_path(name: &str, live: &Model) -> String {
    if name.starts_with('/') {
        return name.to_owned();
    }
    let found = live.of_kind(Kind::Group).find(|(key, _)| key.name() == name);
    found.map_or_else(|| format!("/{name}"), |(key, _)| key.to_path())
}

pub struct UserRoleMapping;

impl Face for UserRoleMapping {
    const NAME: &'static str = "community.general.keycloak_user_rolemapping";
    const ABOUT: &'static str = "Gives a user or a service account roles of the realm or of a client, or takes them away.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether the user has the roles
        realm str=master : The realm
        target_username str : The user
        uid str : The user's id; not known before the user is: give the name
        service_account_user_client_id str : The client whose service account it is
        client_id str : The client whose roles they are; realm roles without it
        cid str : Its id, instead of its clientId
        roles list : The roles, each with `name` or `id`
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let username = match (given.text("target_username"), given.text("service_account_user_client_id")) {
            (Some(name), _) => name.to_lowercase(),
            (None, Some(client)) => format!("service-account-{}", client.to_lowercase()),
            (None, None) => {
                let message = "one of the following is required: target_username, service_account_user_client_id";
                return Err(Failure::new(message).at("target_username"));
            }
        };
        let client = match given.has("client_id") || given.has("cid") {
            true => Some(client_id(given, live)?),
            false => None,
        };
        let target = Name::new(Kind::User, Key::of([username.as_str()]));
        let known = live.get(target.kind, &target.key).map(|object| object.body.clone());
        if known.is_none() && !live.is_empty() {
            return Err(Failure::new(format!("there is no user `{username}`")).at("target_username"));
        }
        let mut user = Body::from_iter([("username".to_owned(), username.as_str().into())]);
        roles_onto(&mut user, known.unwrap_or_default(), client.as_deref(), &role_names(given, live), !given.is_absent());
        let declaration = Body::from_iter([("users".to_owned(), json!([user]))]);
        Ok(Asked { declaration, target: Some(target), what: format!("Roles of user {username}"), ..Asked::default() })
    }
}

pub struct ActionsEmail;

impl Face for ActionsEmail {
    const NAME: &'static str = "community.general.keycloak_user_execute_actions_email";
    const ABOUT: &'static str = "Sends a user a mail with a link to required actions. Each run sends one, and is a change.";
    const OPTIONS: &'static str = "
        realm str=master : The realm
        username str : The user
        id str : The user's id, instead of the name
        actions list : The actions; UPDATE_PASSWORD unless said otherwise
        client_id str : The client to return to
        redirect_uri str : Where to return to
        lifespan int : Seconds that the link is good for
    ";

    fn ask(_: &Fields, _: &Model) -> Result<Asked> {
        Ok(Asked::default())
    }

    fn run(given: &Fields, client: &Client, sys: &mut System) -> Result<Output> {
        let realm = format!("/admin/realms/{}", encode(given.text("realm").unwrap_or("master")));
        let actions = match given.texts("actions") {
            some if !some.is_empty() => some,
            _ => vec!["UPDATE_PASSWORD".to_owned()],
        };
        let user = match given.text("id") {
            Some(id) => id.to_owned(),
            None => {
                let name = given.need("username")?;
                let path = format!("{realm}/users?exact=true&username={}", encode(name));
                let found = blocking::run(|| client.list(&path)).map_err(failure)?;
                let id = found.first().and_then(|user| user["id"].as_str()).map(str::to_owned);
                id.ok_or_else(|| Failure::new(format!("there is no user `{name}`")).at("username"))?
            }
        };
        let options = [("client_id", given.text("client_id")), ("redirect_uri", given.text("redirect_uri"))];
        let mut query: Vec<String> = options.iter().filter_map(|(name, value)| Some(format!("{name}={}", encode((*value)?)))).collect();
        query.extend(given.json("lifespan").map(|seconds| format!("lifespan={seconds}")));
        let path = format!("{realm}/users/{user}/execute-actions-email?{}", query.join("&"));
        let body = json!(actions);
        sys.mutate_record(super::RECORD, &path, Some(true.into()), || blocking::run(|| client.put(&path, &body)).map_err(failure))?;
        Ok(Output::new().with("user_id", user).with("actions", actions).message("the mail is sent"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keycloak::flatten;

    #[test]
    fn a_group_is_meant_by_its_path_or_by_a_name_that_one_has() {
        let realm = json!({"groups": [{"name": "a", "subGroups": [{"name": "b"}]}]});
        let live = flatten::live(realm.as_object().expect("a mapping"));
        assert_eq!(
            (group_path("b", &live), group_path("/x", &live), group_path("new", &live)),
            ("/a/b".into(), "/x".into(), "/new".into())
        );
    }
}
