//! What a run that was cut leaves of a flow it was building: the flow under the name that it has until it takes the other's place, and parts
//! that no flow uses. The server lists such parts nowhere but in an export, and says of their names that they are taken.

use std::collections::BTreeSet;

use super::Json;
use super::declaration::{Declaration, Ownership};
use super::flow::{self, Difference, Flow};
use super::kind::Kind;
use super::ledger::Ledger;
use super::model::{Key, Model, Name, Object};
use super::plan::{Action, Operation};

/// Ends the names of a flow that is to take another's place.
pub const NEXT: &str = " - next";

/// A part of no flow.
#[derive(Clone, PartialEq, Debug)]
pub struct Orphan {
    pub id: String,
    /// Its own, and those of the parts within it.
    pub aliases: Vec<String>,
}

/// The flow under the names it has until it takes the other's place.
pub fn renamed(flow: &Flow) -> Flow {
    let mut next = flow.clone();
    next.alias.push_str(NEXT);
    next.each_within(&mut |step| {
        // The alias of a configuration is unique in a realm too.
        let config = step.config.as_mut().map(|config| &mut config.alias);
        let part = step.flow.as_mut().map(|flow| &mut flow.alias);
        config.into_iter().chain(part).for_each(|alias| alias.push_str(NEXT));
    });
    next
}

/// The parts in an export's flat list that no flow uses.
pub fn orphans(flows: &[Json]) -> Vec<Orphan> {
    let inner = |alias: &str| -> Vec<&str> {
        let flow = flows.iter().find(|flow| flow["alias"] == alias);
        let steps = flow.and_then(|flow| flow["authenticationExecutions"].as_array()).into_iter().flatten();
        steps.filter_map(|step| step["flowAlias"].as_str()).collect()
    };
    let used: BTreeSet<&str> = flows.iter().filter_map(|flow| flow["alias"].as_str()).flat_map(inner).collect();
    let is_orphan = |flow: &&Json| flow["topLevel"] == false && flow["alias"].as_str().is_some_and(|alias| !used.contains(alias));
    let orphan = |flow: &Json| {
        let mut aliases = vec![flow["alias"].as_str()?];
        let mut next = 0;
        while let Some(alias) = aliases.get(next).copied() {
            let more: Vec<&str> = inner(alias).into_iter().filter(|alias| !aliases.contains(alias)).collect();
            aliases.extend(more);
            next += 1;
        }
        Some(Orphan { id: flow["id"].as_str()?.to_owned(), aliases: aliases.into_iter().map(str::to_owned).collect() })
    };
    flows.iter().filter(is_orphan).filter_map(orphan).collect()
}

/// The flow has the name of one that is to take a declared one's place.
pub fn is_shadow(declaration: &Declaration, name: &Name) -> bool {
    let flow = |alias: &str| declaration.model.get(Kind::Flow, &Key::of([alias])).is_some();
    name.kind == Kind::Flow && !flow(name.key.name()) && name.key.name().strip_suffix(NEXT).is_some_and(flow)
}

/// Deletions of what cut runs left of the declared flows, unless this plan takes it up; and of every orphan when all flows are owned.
pub fn deletions(declaration: &Declaration, live: &Model, plan: &[Action], ledger: &Ledger) -> Vec<Action> {
    let flows: Vec<Flow> = declaration.model.of_kind(Kind::Flow).filter_map(|(_, object)| Flow::from_body(&object.body)).collect();
    let ours: BTreeSet<String> = flows.iter().flat_map(|flow| [flow.aliases(), renamed(flow).aliases()].concat()).collect();
    let all = declaration.ownership(Kind::Flow) == Ownership::Full;
    let orphans = live.orphans.iter().filter(|orphan| all || orphan.aliases.iter().any(|alias| ours.contains(alias)));
    let orphans = orphans.map(|orphan| deletion(&orphan.aliases[0], "a part of no flow"));
    let shadow = |flow: &&Flow| {
        let name = Name::new(Kind::Flow, Key::of([format!("{}{NEXT}", flow.alias)]));
        let found = live.get(Kind::Flow, &name.key)?;
        (is_shadow(declaration, &name) && !is_taken_up(flow, found, plan, ledger)).then_some(name.key.name().to_owned())
    };
    let shadows = flows.iter().filter_map(|flow| shadow(&flow)).map(|alias| deletion(&alias, "left behind by a run that was cut"));
    orphans.chain(shadows.collect::<Vec<_>>()).collect()
}

fn is_taken_up(flow: &Flow, found: &Object, plan: &[Action], ledger: &Ledger) -> bool {
    let action = plan.iter().find(|action| action.name.kind == Kind::Flow && action.name.key.name() == flow.alias);
    match action.map(|action| action.operation) {
        Some(Operation::Rebuild) => true,
        Some(Operation::Create) => is_complete(flow, found, ledger),
        _ => false,
    }
}

/// What was found under the name for the time being is the flow as it is wanted, secrets of its steps too.
pub fn is_complete(flow: &Flow, found: &Object, ledger: &Ledger) -> bool {
    Flow::from_body(&found.body).is_some_and(|have| flow::difference(&half_renamed(flow, &have), &have, ledger) == Difference::None)
}

/// The flow under the names for the time being, but where `found` has final ones: a run may have been cut while it gave them.
fn half_renamed(flow: &Flow, found: &Flow) -> Flow {
    let mut next = renamed(flow);
    let (parts, configs) = (found.aliases(), found.config_aliases());
    next.each_within(&mut |step| {
        let keep = |alias: &mut String, there: &[String]| {
            if let Some(end) = alias.strip_suffix(NEXT).filter(|end| there.iter().any(|name| name == end)) {
                *alias = end.to_owned();
            }
        };
        if let Some(config) = &mut step.config {
            keep(&mut config.alias, &configs);
        }
        if let Some(inner) = &mut step.flow {
            keep(&mut inner.alias, &parts);
        }
    });
    next
}

fn deletion(alias: &str, note: &str) -> Action {
    Action { name: Name::new(Kind::Flow, Key::of([alias])), operation: Operation::Delete, changes: Vec::new(), note: Some(note.to_owned()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_that_no_flow_uses_is_found_with_what_is_in_it() {
        let flows = [
            json!({"id": "1", "alias": "top", "topLevel": true, "authenticationExecutions": [{"flowAlias": "used"}]}),
            json!({"id": "2", "alias": "used", "topLevel": false}),
            json!({"id": "3", "alias": "lost", "topLevel": false, "authenticationExecutions": [{"flowAlias": "lost inner"}]}),
            json!({"id": "4", "alias": "lost inner", "topLevel": false}),
        ];
        assert_eq!(orphans(&flows), [Orphan { id: "3".into(), aliases: vec!["lost".into(), "lost inner".into()] }]);
    }
}
