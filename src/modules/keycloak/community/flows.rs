//! Authentication flows and required actions.

use serde_json::json;

use super::options::Fields;
use super::{Asked, Face};
use crate::keycloak::flow::{Config, Execution, Flow};
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Model, Name};
use crate::keycloak::{Body, Json};
use crate::system::{Failure, Result};

pub struct Authentication;

impl Face for Authentication {
    const NAME: &'static str = "community.general.keycloak_authentication";
    const ABOUT: &'static str = "Makes an authentication flow exist with these steps, or not at all. A flow that is bound keeps serving logins while its steps change.";
    const OPTIONS: &'static str = "
        state str=present present|absent : Whether the flow exists
        realm str! : The realm
        alias str! : Its alias
        description str : What it is for
        provider_id str basic-flow|client-flow : The kind of flow
        copy_from str : Start with the steps of this flow
        authentication_executions list : Steps: `providerId` or `subFlowType` with `displayName`, `requirement`, `flowAlias` (the flow it stands in), `authenticationConfig`, `index`
        force bool=false : Makes no difference: a flow that differs is built anew beside the old one
    ";

    fn ask(given: &Fields, live: &Model) -> Result<Asked> {
        let alias = given.need("alias")?;
        let target = Name::new(Kind::Flow, Key::of([alias]));
        let known = live.get(target.kind, &target.key).and_then(|object| Flow::from_body(&object.body));
        let mut flow = match (known, given.text("copy_from")) {
            (Some(known), _) if !given.has("authentication_executions") => known,
            (_, Some(from)) => copy(from, alias, live)?,
            _ => Flow { alias: alias.to_owned(), provider: "basic-flow".into(), ..Flow::default() },
        };
        flow.built_in = false;
        flow.description = given.text("description").map(str::to_owned).or(flow.description);
        flow.provider = given.text("provider_id").map_or(flow.provider, str::to_owned);
        for step in given.items("authentication_executions") {
            put(&mut flow, alias, &step)?;
        }
        let (mut flows, mut configs) = (Vec::new(), Vec::new());
        flow.write_flat(true, &mut flows, &mut configs);
        let declaration =
            Body::from_iter([("authenticationFlows".to_owned(), flows.into()), ("authenticatorConfig".to_owned(), configs.into())]);
        Ok(Asked {
            declaration,
            target: Some(target),
            absent: given.is_absent(),
            what: format!("Authentication flow {alias}"),
            ..Asked::default()
        })
    }
}

/// A flow under another name; what is in it is named after it, as Keycloak does it.
fn copy(from: &str, alias: &str, live: &Model) -> Result<Flow> {
    let found = live.get(Kind::Flow, &Key::of([from])).and_then(|object| Flow::from_body(&object.body));
    match found {
        Some(flow) => Ok(renamed(flow, from, alias)),
        None if live.is_empty() => Ok(Flow { alias: alias.to_owned(), provider: "basic-flow".into(), ..Flow::default() }),
        None => Err(Failure::new(format!("there is no flow `{from}` to copy")).at("copy_from")),
    }
}

fn renamed(mut flow: Flow, from: &str, to: &str) -> Flow {
    let top = flow.alias == from;
    flow.alias = if top { to.to_owned() } else { format!("{to} {}", flow.alias) };
    flow.built_in = false;
    for step in &mut flow.executions {
        step.flow = step.flow.take().map(|inner| renamed(inner, from, to));
        if let Some(config) = &mut step.config {
            config.alias = format!("{to} {}", config.alias);
        }
    }
    flow
}

/// Puts a step into the flow that its `flowAlias` names, or changes the one that is there.
fn put(flow: &mut Flow, top: &str, step: &Json) -> Result<()> {
    let place = step["flowAlias"].as_str().unwrap_or(top).to_owned();
    let Some(owner) = within(flow, &place) else {
        return Err(Failure::new(format!("a step stands in flow `{place}`, which stands nowhere above it")).at("authentication_executions"));
    };
    let requirement = step["requirement"].as_str().unwrap_or("DISABLED").to_owned();
    let name = step["displayName"].as_str();
    let wanted = match (step["providerId"].as_str(), name) {
        (Some(provider), _) => Execution { authenticator: Some(provider.to_owned()), requirement, config: config(step), flow: None },
        (None, Some(name)) => {
            let provider = step["subFlowType"].as_str().unwrap_or("basic-flow").to_owned();
            let authenticator = (provider == "form-flow").then(|| "registration-page-form".to_owned());
            let flow = Flow { alias: name.to_owned(), provider, ..Flow::default() };
            Execution { authenticator, flow: Some(flow), requirement, config: None }
        }
        (None, None) => return Err(Failure::new("a step names neither `providerId` nor `displayName`").at("authentication_executions")),
    };
    let known = owner.executions.iter().position(|other| other.identity() == wanted.identity());
    let mut wanted = wanted;
    if let Some(known) = known.map(|known| owner.executions.remove(known)) {
        wanted.config = wanted.config.or(known.config);
        wanted.flow = known.flow.or(wanted.flow);
    }
    let index = step["index"].as_u64().map(|index| index as usize).or(known);
    match index.filter(|index| *index <= owner.executions.len()) {
        Some(index) => owner.executions.insert(index, wanted),
        None => owner.executions.push(wanted),
    }
    Ok(())
}

fn within<'f>(flow: &'f mut Flow, alias: &str) -> Option<&'f mut Flow> {
    if flow.alias == alias {
        return Some(flow);
    }
    flow.executions.iter_mut().filter_map(|step| step.flow.as_mut()).find_map(|inner| within(inner, alias))
}

fn config(step: &Json) -> Option<Config> {
    let given = step.get("authenticationConfig")?.as_object()?;
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values = given.get("config")?.as_object()?.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    Some(Config { alias: given.get("alias")?.as_str()?.to_owned(), config: values })
}

pub struct RequiredActions;

impl Face for RequiredActions {
    const NAME: &'static str = "community.general.keycloak_authentication_required_actions";
    const ABOUT: &'static str = "Makes required actions of a realm be set up like this, or not be there.";
    const OPTIONS: &'static str = "
        state str! present|absent : Whether they are there
        realm str! : The realm
        required_actions list : Actions, each with `alias`, `providerId`, `name`, `enabled`, `defaultAction`, `priority`, `config`
    ";

    fn ask(given: &Fields, _: &Model) -> Result<Asked> {
        let actions: Vec<Json> = given
            .items("required_actions")
            .into_iter()
            .map(|action| {
                Json::Object(
                    action
                        .as_object()
                        .into_iter()
                        .flatten()
                        .filter(|(_, value)| !value.is_null())
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect(),
                )
            })
            .collect();
        let what = "Required actions".to_owned();
        if !given.is_absent() {
            return Ok(Asked { declaration: Body::from_iter([("requiredActions".to_owned(), actions.into())]), what, ..Asked::default() });
        }
        let names: Vec<Json> = actions.iter().map(|action| action["alias"].clone()).collect();
        let declaration = Body::from_iter([("hostler".to_owned(), json!({"absent": {"requiredActions": names}}))]);
        Ok(Asked { declaration, what, ..Asked::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_find_their_flow_and_keep_their_order() {
        let mut flow = Flow { alias: "mine".into(), ..Flow::default() };
        let steps = [
            json!({"providerId": "auth-cookie", "requirement": "ALTERNATIVE"}),
            json!({"displayName": "forms", "subFlowType": "basic-flow", "requirement": "ALTERNATIVE"}),
            json!({"providerId": "auth-username-password-form", "requirement": "REQUIRED", "flowAlias": "forms"}),
            json!({"providerId": "identity-provider-redirector", "requirement": "ALTERNATIVE", "index": 1}),
            json!({"providerId": "auth-cookie", "requirement": "REQUIRED"}),
        ];
        for step in &steps {
            put(&mut flow, "mine", step).expect("has a place");
        }
        let expected = [
            "auth-cookie REQUIRED",
            "identity-provider-redirector ALTERNATIVE",
            "forms ALTERNATIVE",
            "  auth-username-password-form REQUIRED",
        ];
        assert_eq!(flow.lines(), expected);
        assert!(put(&mut flow, "mine", &json!({"providerId": "x", "flowAlias": "nowhere"})).is_err());
    }
}
