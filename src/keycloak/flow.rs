//! Authentication flows as trees: read out of an export's flat list, compared, and told apart into what can be edited in place and what
//! needs a new flow.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

pub use super::authenticator::Config;
use super::compare::Change;
use super::ledger::Ledger;
use super::{Body, Json, fields};

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Flow {
    #[serde(skip)]
    pub id: Option<String>,
    pub alias: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub provider: String,
    #[serde(default)]
    pub built_in: bool,
    pub executions: Vec<Execution>,
}

/// A step of a flow: an authenticator, or a flow of its own (a form is both).
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Execution {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    pub requirement: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Config>,
}

/// What has to be done to a flow.
#[derive(Clone, PartialEq, Debug)]
pub enum Difference {
    None,
    /// Requirements, order, configuration, description: the flow and all that is bound to it stay.
    InPlace(Vec<Change>),
    /// Steps come, and all that are there stay: the new ones are added switched off, then put in their place and switched on.
    Extended(Vec<Change>),
    /// Steps go: a new flow is built beside it and takes its place.
    Rebuild(Vec<Change>),
}

const REQUIREMENTS: [&str; 4] = ["REQUIRED", "ALTERNATIVE", "CONDITIONAL", "DISABLED"];

impl Flow {
    pub fn to_body(&self) -> Body {
        match serde_json::to_value(self) {
            Ok(Json::Object(body)) => body,
            _ => Body::new(),
        }
    }

    pub fn from_body(body: &Body) -> Option<Flow> {
        serde_json::from_value(body.clone().into()).ok()
    }

    /// The steps as lines, one a step, indented by level: what a plan shows and what two flows are compared by.
    pub fn lines(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.write_lines(0, &mut out);
        out
    }

    fn write_lines(&self, level: usize, out: &mut Vec<String>) {
        for step in &self.executions {
            out.push(format!("{}{} {}", "  ".repeat(level), step.identity(), step.requirement));
            if let Some(flow) = &step.flow {
                flow.write_lines(level + 1, out);
            }
        }
    }

    /// The flow and those within it as an export has them: a flat list, and the configurations beside it.
    pub fn write_flat(&self, top: bool, flows: &mut Vec<Json>, configs: &mut Vec<Json>) {
        let place = flows.len();
        let mut body = Body::from_iter([("alias".to_owned(), self.alias.clone().into())]);
        body.extend(self.description.clone().map(|text| ("description".to_owned(), text.into())));
        body.insert("providerId".into(), self.provider.clone().into());
        if top {
            body.insert("topLevel".into(), true.into());
        }
        if self.built_in {
            body.insert("builtIn".into(), true.into());
        }
        flows.push(Json::Null);
        let steps: Vec<Json> = self.executions.iter().map(|step| step.flat(flows, configs)).collect();
        body.insert("authenticationExecutions".into(), steps.into());
        flows[place] = body.into();
    }

    /// How many steps there are on all levels.
    fn size(&self) -> usize {
        self.executions.iter().map(|step| 1 + step.flow.as_ref().map_or(0, Flow::size)).sum()
    }

    /// The configuration of this alias, on whatever level.
    pub fn config(&self, alias: &str) -> Option<&Config> {
        self.executions.iter().find_map(|step| match (&step.config, &step.flow) {
            (Some(config), _) if config.alias == alias => Some(config),
            (_, flow) => flow.as_ref()?.config(alias),
        })
    }

    /// The steps on all levels, each before those within it.
    pub fn each_within(&mut self, visit: &mut impl FnMut(&mut Execution)) {
        for step in &mut self.executions {
            visit(step);
            if let Some(flow) = &mut step.flow {
                flow.each_within(visit);
            }
        }
    }

    /// The aliases of the configurations on all levels.
    pub fn config_aliases(&self) -> Vec<String> {
        let inner = self.executions.iter().filter_map(|step| step.flow.as_ref()).flat_map(Flow::config_aliases);
        self.executions.iter().filter_map(|step| step.config.as_ref()).map(|config| config.alias.clone()).chain(inner).collect()
    }

    /// Every alias in the tree, its own first.
    pub fn aliases(&self) -> Vec<String> {
        let inner = self.executions.iter().filter_map(|step| step.flow.as_ref()).flat_map(Flow::aliases);
        std::iter::once(self.alias.clone()).chain(inner).collect()
    }
}

impl Execution {
    fn flat(&self, flows: &mut Vec<Json>, configs: &mut Vec<Json>) -> Json {
        let mut body = Body::new();
        body.extend(self.authenticator.clone().map(|name| ("authenticator".to_owned(), name.into())));
        if let Some(flow) = &self.flow {
            body.insert("flowAlias".into(), flow.alias.clone().into());
            flow.write_flat(false, flows, configs);
        }
        body.insert("requirement".into(), self.requirement.clone().into());
        if let Some(config) = &self.config {
            body.insert("authenticatorConfig".into(), config.alias.clone().into());
            configs.push(json!({"alias": config.alias, "config": config.config}));
        }
        body.into()
    }

    /// What tells a step from its siblings.
    pub fn identity(&self) -> &str {
        match (&self.flow, &self.authenticator) {
            (Some(flow), _) => &flow.alias,
            (None, Some(authenticator)) => authenticator,
            (None, None) => "",
        }
    }
}

/// Builds the trees of the top-level flows out of an export's flat lists, with what is wrong in them.
pub fn trees(flows: &[Json], configs: &[Json]) -> (Vec<Flow>, Vec<String>) {
    let mut builder = Builder { flows: BTreeMap::new(), configs: BTreeMap::new(), problems: Vec::new() };
    for flow in flows {
        let alias = flow["alias"].as_str().unwrap_or_default();
        if alias.is_empty() {
            builder.problems.push("a flow has no `alias`".into());
        } else if builder.flows.insert(alias, flow).is_some() {
            builder.problems.push(format!("flow {alias} is declared twice"));
        }
    }
    for config in configs {
        builder.configs.insert(config["alias"].as_str().unwrap_or_default(), config);
    }
    let inner: BTreeSet<&str> = flows.iter().flat_map(steps).filter_map(|step| step["flowAlias"].as_str()).collect();
    let is_top = |alias: &str, flow: &Json| flow["topLevel"].as_bool().unwrap_or(!inner.contains(alias));
    let tops: Vec<&str> = builder.flows.iter().filter(|(alias, flow)| is_top(alias, flow)).map(|(alias, _)| *alias).collect();
    let trees = tops.iter().filter_map(|alias| builder.tree(alias, &mut Vec::new())).collect();
    (trees, builder.problems)
}

fn steps(flow: &Json) -> &[Json] {
    flow["authenticationExecutions"].as_array().map_or(&[], Vec::as_slice)
}

struct Builder<'a> {
    flows: BTreeMap<&'a str, &'a Json>,
    configs: BTreeMap<&'a str, &'a Json>,
    problems: Vec<String>,
}

impl<'a> Builder<'a> {
    fn tree(&mut self, alias: &'a str, above: &mut Vec<&'a str>) -> Option<Flow> {
        let flow = *self.flows.get(alias)?;
        if above.contains(&alias) {
            self.problems.push(format!("flow {alias} contains itself"));
            return None;
        }
        above.push(alias);
        self.unknown_fields(&format!("flow {alias}"), flow, fields::FLOW);
        let mut steps: Vec<&Json> = steps(flow).iter().collect();
        if steps.iter().all(|step| step["priority"].is_i64()) {
            steps.sort_by_key(|step| step["priority"].as_i64());
        }
        let executions = steps.into_iter().filter_map(|step| self.execution(alias, step, above)).collect();
        above.pop();
        Some(Flow {
            id: flow["id"].as_str().map(str::to_owned),
            alias: alias.to_owned(),
            description: flow["description"].as_str().map(str::to_owned),
            provider: flow["providerId"].as_str().unwrap_or("basic-flow").to_owned(),
            built_in: flow["builtIn"].as_bool().unwrap_or(false),
            executions,
        })
    }

    fn execution(&mut self, owner: &str, step: &'a Json, above: &mut Vec<&'a str>) -> Option<Execution> {
        self.unknown_fields(&format!("a step of flow {owner}"), step, fields::EXECUTION);
        let requirement = step["requirement"].as_str().unwrap_or_default().to_owned();
        if !REQUIREMENTS.contains(&requirement.as_str()) {
            self.problems
                .push(format!("a step of flow {owner} has requirement `{requirement}`: one of {} is needed", REQUIREMENTS.join(", ")));
        }
        let flow = match step["flowAlias"].as_str() {
            Some(alias) => match self.tree(alias, above) {
                Some(flow) => Some(flow),
                None => {
                    self.problems.push(format!("flow {owner} uses flow `{alias}`, which is not declared"));
                    return None;
                }
            },
            None => None,
        };
        let authenticator = step["authenticator"].as_str().map(str::to_owned);
        if flow.is_none() && authenticator.is_none() {
            self.problems.push(format!("a step of flow {owner} names neither `authenticator` nor `flowAlias`"));
            return None;
        }
        Some(Execution { authenticator, flow, requirement, config: self.config(owner, step) })
    }

    fn config(&mut self, owner: &str, step: &Json) -> Option<Config> {
        let alias = step["authenticatorConfig"].as_str()?;
        let Some(config) = self.configs.get(alias) else {
            self.problems.push(format!("flow {owner} uses authenticator config `{alias}`, which is not declared"));
            return None;
        };
        let values = config["config"].as_object().into_iter().flatten();
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some(Config { alias: alias.to_owned(), config: values.map(|(key, value)| (key.clone(), text(value))).collect() })
    }

    fn unknown_fields(&mut self, place: &str, body: &Json, known: &[&str]) {
        for field in body.as_object().into_iter().flat_map(Body::keys).filter(|field| !known.contains(&field.as_str())) {
            self.problems.push(format!("{place} has no field `{field}`"));
        }
    }
}

/// What differs, and whether it can be edited where it is.
pub fn difference(declared: &Flow, live: &Flow, ledger: &Ledger) -> Difference {
    let lines = |flow: &Flow| flow.lines().into_iter().map(Json::from).collect();
    let steps = || vec![Change { path: "executions".into(), old: lines(live), new: lines(declared), secret: false }];
    match (keeps_steps(declared, live), declared.size() == live.size()) {
        (false, _) => Difference::Rebuild(steps()),
        (true, false) => Difference::Extended(steps()),
        (true, true) => {
            let mut changes = Vec::new();
            edits("", declared, live, ledger, &mut changes);
            if changes.is_empty() { Difference::None } else { Difference::InPlace(changes) }
        }
    }
}

/// Every step that is there has its counterpart in the declared flow.
fn keeps_steps(declared: &Flow, live: &Flow) -> bool {
    let pairs = pairs(declared, live);
    let inner_kept = |(want, have): &(&Execution, &Execution)| match (&want.flow, &have.flow) {
        (Some(want), Some(have)) => keeps_steps(want, have),
        (want, have) => want.is_none() && have.is_none(),
    };
    declared.provider == live.provider && pairs.len() == live.executions.len() && pairs.iter().all(inner_kept)
}

/// Steps of the one with their counterparts in the other; the n-th of equal ones with the n-th.
pub fn pairs<'a>(declared: &'a Flow, live: &'a Flow) -> Vec<(&'a Execution, &'a Execution)> {
    let mut left: Vec<&Execution> = live.executions.iter().collect();
    let mut out = Vec::new();
    for want in &declared.executions {
        if let Some(place) = left.iter().position(|have| have.identity() == want.identity()) {
            out.push((want, left.remove(place)));
        }
    }
    out
}

fn edits(prefix: &str, declared: &Flow, live: &Flow, ledger: &Ledger, out: &mut Vec<Change>) {
    let change = |path: String, old: Json, new: Json| Change { path, old, new, secret: false };
    if declared.description.is_some() && declared.description.as_deref().unwrap_or("") != live.description.as_deref().unwrap_or("") {
        out.push(change(format!("{prefix}description"), live.description.clone().into(), declared.description.clone().into()));
    }
    let order = |flow: &Flow| flow.executions.iter().map(|step| step.identity().to_owned()).collect::<Vec<_>>();
    if order(declared) != order(live) {
        out.push(change(format!("{prefix}order"), order(live).into(), order(declared).into()));
    }
    for (want, have) in pairs(declared, live) {
        let path = format!("{prefix}{}", want.identity());
        if want.requirement != have.requirement {
            out.push(change(format!("{path}: requirement"), have.requirement.clone().into(), want.requirement.clone().into()));
        }
        if let Some(config) = &want.config {
            out.extend(config.changes(&format!("{path}: config"), have.config.as_ref(), ledger));
        }
        if let (Some(want), Some(have)) = (&want.flow, &have.flow) {
            edits(&format!("{path} › "), want, have, ledger, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser(otp: &str, order: [i64; 2]) -> Vec<Json> {
        vec![
            json!({"alias": "mine", "topLevel": true, "providerId": "basic-flow", "authenticationExecutions": [
                {"authenticator": "auth-cookie", "requirement": "ALTERNATIVE", "priority": order[0]},
                {"flowAlias": "mine forms", "requirement": "ALTERNATIVE", "priority": order[1]},
            ]}),
            json!({"alias": "mine forms", "topLevel": false, "authenticationExecutions": [
                {"authenticator": "auth-username-password-form", "requirement": "REQUIRED", "priority": 1},
                {"authenticator": "auth-otp-form", "requirement": otp, "priority": 2},
            ]}),
        ]
    }

    fn tree(flows: &[Json]) -> Flow {
        trees(flows, &[]).0.remove(0)
    }

    fn compared(declared: &Flow, live: &Flow) -> Difference {
        difference(declared, live, &Ledger::open(None, &crate::base::Secret::new("x"), "staff"))
    }

    #[test]
    fn subflows_hang_under_the_step_that_uses_them() {
        let flow = tree(&browser("REQUIRED", [10, 20]));
        assert_eq!(
            flow.lines(),
            ["auth-cookie ALTERNATIVE", "mine forms ALTERNATIVE", "  auth-username-password-form REQUIRED", "  auth-otp-form REQUIRED"]
        );
    }

    #[test]
    fn a_requirement_and_an_order_are_edited_in_place() {
        let (live, declared) = (tree(&browser("REQUIRED", [10, 20])), tree(&browser("DISABLED", [20, 10])));
        let Difference::InPlace(changes) = compared(&declared, &live) else { panic!("not in place") };
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["order", "mine forms › auth-otp-form: requirement"]);
    }

    #[test]
    fn a_step_more_extends_a_flow_and_a_step_less_needs_a_new_one() {
        let live = tree(&browser("REQUIRED", [10, 20]));
        let mut declared = live.clone();
        declared.executions.push(Execution {
            authenticator: Some("identity-provider-redirector".into()),
            requirement: "ALTERNATIVE".into(),
            ..Default::default()
        });
        assert!(matches!(compared(&declared, &live), Difference::Extended(_)));
        assert!(matches!(compared(&live, &declared), Difference::Rebuild(_)));
        declared.executions.remove(0);
        assert!(matches!(compared(&declared, &live), Difference::Rebuild(_)), "one came and one went");
        assert_eq!(compared(&live, &live), Difference::None);
    }

    #[test]
    fn a_flow_within_itself_and_a_missing_one_are_refused() {
        let flows = [json!({"alias": "a", "topLevel": true, "authenticationExecutions": [
            {"flowAlias": "a", "requirement": "REQUIRED"}, {"flowAlias": "b", "requirement": "MAYBE"}]})];
        let problems = trees(&flows, &[]).1.join("\n");
        assert!(problems.contains("flow a contains itself"), "{problems}");
        assert!(problems.contains("flow `b`, which is not declared"), "{problems}");
        assert!(problems.contains("requirement `MAYBE`"), "{problems}");
    }
}
