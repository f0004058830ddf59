//! Authorization services: scopes, policies of one's own, permissions.

use serde_json::json;

use super::options::Fields;
use super::{Asked, Face, declare};
use crate::base::Value;
use crate::keycloak::inspect::permission;
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Model, Name};
use crate::keycloak::{Body, Client, Json, blocking};
use crate::modules::Output;
use crate::modules::keycloak::connection::failure;
use crate::system::{Failure, Result, System};

/// A declaration of one object of a client's authorization services.
fn about(client: &str, section: &str, kind: Kind, body: Body, absent: bool, what: String) -> Asked {
    let target = Name::new(kind, Key::of([client, body.get("name").and_then(Json::as_str).unwrap_or_default()]));
    let settings = json!({"clientId": client, "authorizationSettings": {section: [body]}});
    let declaration = Body::from_iter([("clients".to_owned(), json!([settings]))]);
    Asked { declaration, target: Some(target), absent, what, ..Asked::default() }
}

/// The client must be there and have authorization services: they are not switched on in passing.
fn services(client: &str, live: &Model) -> Result<()> {
    if live.is_empty() || live.get(Kind::AuthorizationSettings, &Key::of([client])).is_some() {
        return Ok(());
    }
    let message = match live.get(Kind::Client, &Key::of([client])) {
        None => format!("there is no client `{client}`"),
        Some(_) => format!("the client `{client}` has no authorization services: switch them on with `authorization_services_enabled`"),
    };
    Err(Failure::new(message).at("client_id"))
}

pub struct Scope;

impl Face for Scope {
    const NAME: &'static str = "community.general.keycloak_authz_authorization_scope";
    const ABOUT: &'static str = "Makes an authorization scope of a client exist, or not.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether it exists
        name str! : Its name
        display_name str : What it is called on the screen
        icon_uri str : Its picture
        client_id str! : The client
        realm str! : The realm
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let client = given.need("client_id")?;
        services(client, live)?;
        let what = format!("Authorization scope {}", given.need("name")?);
        Ok(about(client, "scopes", Kind::AuthorizationScope, given.body(&["client_id"]), given.is_absent(), what))
    }
}

pub struct CustomPolicy;

impl Face for CustomPolicy {
    const NAME: &'static str = "community.general.keycloak_authz_custom_policy";
    const ABOUT: &'static str = "Makes a policy of a client exist whose type somebody added to the server, or not.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether it exists
        name str! : Its name
        policy_type str! : Its type, such as script-policy-1.js
        client_id str! : The client
        realm str! : The realm
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let client = given.need("client_id")?;
        services(client, live)?;
        let body =
            Body::from_iter([("name".to_owned(), given.need("name")?.into()), ("type".to_owned(), given.need("policy_type")?.into())]);
        let what = format!("Policy {}", given.need("name")?);
        Ok(about(client, "policies", Kind::AuthorizationPolicy, body, given.is_absent(), what))
    }
}

pub struct Permission;

impl Face for Permission {
    const NAME: &'static str = "community.general.keycloak_authz_permission";
    const ABOUT: &'static str = "Makes a permission of a client exist that binds policies to resources or scopes, or not. Nothing is written when it is so already.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether it exists
        name str! : Its name
        description str : What it is for
        permission_type str! resource|scope : Whether it is about resources or about scopes
        decision_strategy str=UNANIMOUS UNANIMOUS|AFFIRMATIVE|CONSENSUS : How several policies decide
        resources list : The resources; at most one for a permission about scopes
        scopes list : The scopes; none for a permission about resources
        policies list : The policies that decide
        client_id str! : The client
        realm str! : The realm
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let (client, name) = (given.need("client_id")?, given.need("name")?);
        services(client, live)?;
        let what = format!("Permission {name}");
        let sort = given.need("permission_type")?;
        if given.is_absent() {
            let body = Body::from_iter([("name".to_owned(), name.into()), ("type".to_owned(), sort.into())]);
            return Ok(about(client, "policies", Kind::AuthorizationPolicy, body, true, what));
        }
        let (resources, scopes, policies) = (given.texts("resources"), given.texts("scopes"), given.texts("policies"));
        shape(sort, &resources, &scopes)?;
        if !live.is_empty() {
            belongs(client, live, &resources, &scopes)?;
        }
        let mut config = json!({"applyPolicies": policies, "resources": resources});
        if sort == "scope" {
            config["scopes"] = scopes.into();
        }
        let mut body = Body::from_iter([
            ("name".to_owned(), name.into()),
            ("type".to_owned(), sort.into()),
            ("decisionStrategy".to_owned(), given.need("decision_strategy")?.into()),
            ("config".to_owned(), config),
        ]);
        body.extend(given.text("description").map(|text| ("description".to_owned(), text.into())));
        Ok(about(client, "policies", Kind::AuthorizationPolicy, body, false, what))
    }

    fn run(given: &Fields, client: &Client, sys: &mut System) -> Result<Output> {
        let output = declare::<Self>(given, client, sys)?;
        let state = if given.is_absent() { json!({}) } else { described(given, client)? };
        // In a dry run a new one is not there to be described.
        Ok(if state.is_null() { output } else { output.with("end_state", Value::from_json(state)) })
    }
}

fn shape(sort: &str, resources: &[String], scopes: &[String]) -> Result<()> {
    let wrong = |message: &str, option: &str| Err(Failure::new(message).at(option));
    match sort {
        "scope" if scopes.is_empty() => wrong("a permission of type `scope` needs at least one of `scopes`", "scopes"),
        "scope" if resources.len() > 1 => wrong("a permission of type `scope` takes at most one of `resources`", "resources"),
        "resource" if resources.is_empty() => wrong("a permission of type `resource` needs at least one of `resources`", "resources"),
        "resource" if !scopes.is_empty() => wrong("a permission of type `resource` takes no `scopes`", "scopes"),
        _ => Ok(()),
    }
}

/// Each scope of a permission about a resource must be one of the resource's.
fn belongs(client: &str, live: &Model, resources: &[String], scopes: &[String]) -> Result<()> {
    for resource in resources {
        let Some(found) = live.get(Kind::AuthorizationResource, &Key::of([client, resource])) else {
            return Err(Failure::new(format!("the client `{client}` has no resource `{resource}`")).at("resources"));
        };
        let has = |scope: &String| {
            found.body.get("scopes").and_then(Json::as_array).is_some_and(|list| list.iter().any(|known| *known == **scope))
        };
        if let Some(foreign) = scopes.iter().find(|scope| !has(scope)) {
            return Err(Failure::new(format!("the resource `{resource}` does not include the scope `{foreign}`")).at("scopes"));
        }
    }
    Ok(())
}

/// A permission as Keycloak has it, with the ids of what it binds; empty when it is not there.
fn described(given: &Fields, client: &Client) -> Result<Json> {
    let (realm, owner, name) = (given.need("realm")?, given.need("client_id")?, given.need("name")?);
    blocking::run(|| permission(client, realm, owner, name)).map(Option::unwrap_or_default).map_err(failure)
}

pub struct PermissionInfo;

impl Face for PermissionInfo {
    const NAME: &'static str = "community.general.keycloak_authz_permission_info";
    const ABOUT: &'static str = "Reads a permission of a client.";
    const OPTIONS: &'static str = "
        name str! : Its name
        client_id str! : The client
        realm str! : The realm
    ";
    const READS: bool = true;

    fn ask(_: &Fields, _: &Model) -> Result<Asked> {
        Ok(Asked::default())
    }

    fn run(given: &Fields, client: &Client, _: &mut System) -> Result<Output> {
        let state = described(given, client)?;
        Ok(Output::new().with("queried_state", Value::from_json(state)).message(format!("Queried permission {}", given.need("name")?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_takes_what_it_can_use() {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        assert!(shape("scope", &list(&["r"]), &list(&["s"])).is_ok());
        for (sort, resources, scopes) in
            [("scope", &[][..], &[][..]), ("scope", &["a", "b"], &["s"]), ("resource", &[], &[]), ("resource", &["a"], &["s"])]
        {
            assert!(shape(sort, &list(resources), &list(scopes)).is_err(), "{sort} {resources:?} {scopes:?}");
        }
    }
}
