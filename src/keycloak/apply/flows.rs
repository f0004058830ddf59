//! Flows: made, edited where they are, or built anew beside the old one and swapped in, so that at no moment anybody is locked out. A crash
//! leaves a flow with [`NEXT`] in its name, which the next run takes up or removes.

use futures_util::future::BoxFuture;
use serde_json::json;

use super::{Executor, body_of};
use crate::keycloak::client::encode;
use crate::keycloak::error::{Error, Result};
use crate::keycloak::flow::{self, Config, Difference, Execution, Flow, pairs};
use crate::keycloak::kind::Kind;
use crate::keycloak::leftovers::{self, NEXT, renamed};
use crate::keycloak::model::{Key, Name, Object};
use crate::keycloak::plan::Action;
use crate::keycloak::render;
use crate::keycloak::{Body, Json};

const BOUND: [&str; 2] = ["firstBrokerLoginFlowAlias", "postBrokerLoginFlowAlias"];

impl Executor<'_> {
    pub(super) async fn create_flow(&self, name: &Name, flow: &Flow) -> Result<()> {
        // An earlier run was cut between the deletion of the old flow and the renaming of the new one.
        let id = match self.shadow(flow) {
            Some((id, true)) => {
                self.rename(&id, flow).await?;
                id
            }
            _ => self.build(flow).await?,
        };
        self.learn_id(name, id);
        Ok(())
    }

    /// Makes a flow with all that is in it; the steps stand as they are meant to from the first moment.
    async fn build(&self, flow: &Flow) -> Result<String> {
        let body = json!({"alias": flow.alias, "description": flow.description.as_deref().unwrap_or(""), "providerId": flow.provider,
            "topLevel": true, "builtIn": false});
        let created = self.client.post(&self.path("authentication/flows"), &body).await?;
        let id = created.id.ok_or_else(|| no_id(flow))?;
        self.fill(&id, flow).await?;
        Ok(id)
    }

    fn fill<'f>(&'f self, id: &'f str, flow: &'f Flow) -> BoxFuture<'f, Result<()>> {
        Box::pin(async move {
            for (place, step) in flow.executions.iter().enumerate() {
                self.add_step(id, &flow.alias, step, priority(place)).await?;
            }
            Ok(())
        })
    }

    async fn add_step(&self, parent: &str, parent_alias: &str, step: &Execution, priority: usize) -> Result<()> {
        if let Some(flow) = &step.flow {
            return self.add_part(parent_alias, step, flow, priority).await;
        }
        let body = json!({"parentFlow": parent, "authenticator": step.authenticator, "requirement": step.requirement, "priority": priority,
            "authenticatorFlow": false});
        let created = self.client.post(&self.path("authentication/executions"), &body).await?;
        if let (Some(config), Some(id)) = (&step.config, created.id) {
            self.add_config(&id, config).await?;
        }
        Ok(())
    }

    /// A flow within a flow, made together with its step: alone for a moment, it would be a part of no flow, which somebody may sweep, and
    /// a step that points to nothing makes the realm unreadable. It counts when all is in it.
    async fn add_part(&self, parent_alias: &str, step: &Execution, flow: &Flow, priority: usize) -> Result<()> {
        let path = self.path(&format!("authentication/flows/{}/executions", encode(parent_alias)));
        let body = json!({"alias": flow.alias, "type": flow.provider, "provider": step.authenticator.as_deref().unwrap_or(""),
            "description": flow.description.as_deref().unwrap_or("")});
        let created = self.client.post(&format!("{path}/flow"), &body).await?;
        let id = created.id.ok_or_else(|| no_id(flow))?;
        self.fill(&id, flow).await?;
        let rows = self.client.list(&path).await?;
        let row = rows.into_iter().find(|row| row["flowId"] == id.as_str()).ok_or_else(|| no_id(flow))?;
        let mut body = body_of(row);
        body.insert("requirement".into(), step.requirement.as_str().into());
        body.insert("priority".into(), priority.into());
        self.client.put(&path, &body.into()).await
    }

    async fn add_config(&self, execution: &str, config: &Config) -> Result<()> {
        let path = self.path(&format!("authentication/executions/{execution}/config"));
        let values: Body = config.unmasked().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        self.client.post(&path, &json!({"alias": config.alias, "config": values})).await?;
        config.record(&Body::new(), &mut self.ledger());
        Ok(())
    }

    /// Requirements, order, descriptions and configuration, where they are.
    pub(super) async fn edit_flow(&self, name: &Name, object: &Object) -> Result<()> {
        let live = self.live.get(Kind::Flow, &name.key).and_then(|object| Flow::from_body(&object.body));
        let (Some(want), Some(have)) = (Flow::from_body(&object.body), live) else { return Ok(()) };
        let path = self.path(&format!("authentication/flows/{}/executions", encode(&want.alias)));
        let listed = self.client.list(&path).await?;
        let mut rest = listed.as_slice();
        let placed = place(&have, &mut rest);
        let difference = flow::difference(&want, &have, &self.ledger());
        if let Difference::Extended(_) = difference {
            return self.extend(&self.need(name, Kind::Flow, &name.key)?, &want, &have, &placed).await;
        }
        self.edit_level(&path, &want, &have, &placed).await?;
        if want.description.is_some() && want.description != have.description {
            let id = self.need(name, Kind::Flow, &name.key)?;
            self.put_flow(&id, &want, &want.alias, true).await?;
        }
        Ok(())
    }

    /// Adds the steps that are missing, each with all that is in it and switched off, after those that are there. The next round puts them
    /// in their place and switches them on.
    fn extend<'f>(&'f self, id: &'f str, want: &'f Flow, have: &'f Flow, placed: &'f [Placed]) -> BoxFuture<'f, Result<()>> {
        Box::pin(async move {
            let known = pairs(want, have);
            let mut last = placed.iter().filter_map(|found| found.row["priority"].as_u64()).max().unwrap_or(0) as usize;
            for step in want.executions.iter().filter(|step| !known.iter().any(|(other, _)| std::ptr::eq(*step, *other))) {
                last += priority(0);
                self.add_step(id, &want.alias, &Execution { requirement: "DISABLED".into(), ..step.clone() }, last).await?;
            }
            for (step, known) in known {
                let found = row_of(have, known, placed)?;
                if let (Some(want), Some(have)) = (&step.flow, &known.flow) {
                    self.extend(found.row["flowId"].as_str().unwrap_or_default(), want, have, &found.inner).await?;
                }
            }
            Ok(())
        })
    }

    fn edit_level<'f>(&'f self, path: &'f str, want: &'f Flow, have: &'f Flow, placed: &'f [Placed]) -> BoxFuture<'f, Result<()>> {
        Box::pin(async move {
            let reordered = !want.executions.iter().map(Execution::identity).eq(have.executions.iter().map(Execution::identity));
            let mut rows = Vec::new();
            for (index, (step, known)) in pairs(want, have).into_iter().enumerate() {
                let found = row_of(have, known, placed)?;
                if reordered || step.requirement != known.requirement {
                    let mut body = body_of(found.row.clone());
                    body.insert("requirement".into(), step.requirement.as_str().into());
                    if reordered {
                        body.insert("priority".into(), priority(index).into());
                    }
                    rows.push((step.requirement == "DISABLED", body));
                }
                let differs = |config: &&Config| !config.changes("", known.config.as_ref(), &self.ledger()).is_empty();
                if let Some(config) = step.config.as_ref().filter(differs) {
                    self.put_config(&found.row, config).await?;
                }
                if let (Some(want), Some(have)) = (&step.flow, &known.flow) {
                    if want.description.is_some() && want.description != have.description {
                        let id = found.row["flowId"].as_str().unwrap_or_default();
                        self.put_flow(id, want, &want.alias, false).await?;
                    }
                    self.edit_level(path, want, have, &found.inner).await?;
                }
            }
            // What is within is ready. Steps are switched on before others are switched off: at no moment is there none.
            rows.sort_by_key(|(is_off, _)| *is_off);
            for (_, body) in rows {
                self.client.put(path, &body.into()).await?;
            }
            Ok(())
        })
    }

    async fn put_config(&self, row: &Json, config: &Config) -> Result<()> {
        let Some(id) = row["authenticationConfig"].as_str() else {
            return self.add_config(row["id"].as_str().unwrap_or_default(), config).await;
        };
        // The PUT replaces the whole map, and takes a mask for the secret that is there.
        let path = self.path(&format!("authentication/config/{id}"));
        let mut body = body_of(self.client.get(&path).await?);
        let found = body.remove("config").map(body_of).unwrap_or_default();
        let mut values = found.clone();
        values.extend(config.unmasked().map(|(key, value)| (key.clone(), value.as_str().into())));
        body.insert("alias".into(), config.alias.as_str().into());
        body.insert("config".into(), values.into());
        self.client.put(&path, &body.into()).await?;
        config.record(&found, &mut self.ledger());
        Ok(())
    }

    /// The PUT of a flow needs every field, or answers with a conflict that is none.
    pub(super) async fn put_flow(&self, id: &str, flow: &Flow, alias: &str, top: bool) -> Result<()> {
        let body = json!({"id": id, "alias": alias, "description": flow.description.as_deref().unwrap_or(""), "providerId": flow.provider,
            "topLevel": top, "builtIn": flow.built_in});
        self.client.put(&self.path(&format!("authentication/flows/{id}")), &body).await
    }

    /// A new flow takes the old one's place: built in full, bound wherever the old one is, and only then the old one goes.
    pub(super) async fn rebuild_flow(&self, name: &Name, object: &Object) -> Result<()> {
        let Some(want) = Flow::from_body(&object.body) else { return Ok(()) };
        let old = self.need(name, Kind::Flow, &name.key)?;
        let next = renamed(&want);
        let new = match self.shadow(&want) {
            Some((id, true)) => id,
            Some((id, false)) => {
                // Left by a run with another declaration: whoever is bound to it goes back first.
                self.rebind(&id, &next.alias, &old, &want.alias).await?;
                self.client.delete(&self.path(&format!("authentication/flows/{id}")), None).await?;
                self.build(&next).await?
            }
            None => self.build(&next).await?,
        };
        self.rebind(&old, &want.alias, &new, &next.alias).await?;
        self.client.delete(&self.path(&format!("authentication/flows/{old}")), None).await?;
        self.rename(&new, &want).await?;
        self.learn_id(name, new);
        Ok(())
    }

    /// A flow that an earlier run left behind, and whether it is what is wanted now.
    fn shadow(&self, flow: &Flow) -> Option<(String, bool)> {
        let next = renamed(flow);
        let found = self.live.get(Kind::Flow, &Key::of([next.alias.clone()]))?;
        Some((found.id.clone()?, leftovers::is_complete(flow, found, &self.ledger())))
    }

    /// Frees the names that leftovers hold, since they may be needed: deletes parts that no flow uses, and renames those of a flow that has
    /// to wait for its deletion until nobody is bound to it. Answers the other deletions.
    pub(super) async fn sweep<'p>(&self, deletions: Vec<&'p Action>) -> Result<Vec<&'p Action>> {
        let orphan = |action: &Action| {
            self.live.orphans.iter().find(|orphan| action.name.kind == Kind::Flow && orphan.aliases[0] == action.name.key.name())
        };
        let (orphans, others): (Vec<&Action>, Vec<&Action>) = deletions.into_iter().partition(|action| orphan(action).is_some());
        for orphan in orphans.into_iter().filter_map(orphan) {
            // Safe only because nothing uses it: a part that is used has to go with its step.
            self.client.delete(&self.path(&format!("authentication/flows/{}", orphan.id)), None).await?;
        }
        for shadow in others.iter().filter(|action| leftovers::is_shadow(self.declaration, &action.name)) {
            self.free_names(&shadow.name).await.map_err(|error| error.of(render::title(shadow, &self.declaration.realm)))?;
        }
        Ok(others)
    }

    /// Renames the parts of a leftover flow that have names without [`NEXT`].
    async fn free_names(&self, leftover: &Name) -> Result<()> {
        let found = self.live.get(leftover.kind, &leftover.key).and_then(|object| Flow::from_body(&object.body));
        let taken = found.map(|flow| [flow.aliases(), flow.config_aliases()].concat()).unwrap_or_default();
        let other = |name: &str| {
            let mut other = (!name.ends_with(NEXT)).then(|| format!("{name}{NEXT}"))?;
            while taken.contains(&other) {
                other.push_str(NEXT);
            }
            Some(other)
        };
        self.rename_parts(leftover.key.name(), other).await.map(|_| ())
    }

    /// One that a cut run left goes when nobody is bound to it any more.
    pub(super) async fn delete_flow(&self, name: &Name) -> Result<()> {
        let id = self.need(name, Kind::Flow, &name.key)?;
        let place = name.key.name().strip_suffix(NEXT).and_then(|alias| Some((alias, self.id(Kind::Flow, &Key::of([alias]))?)));
        if let Some((alias, new)) = place {
            self.rebind(&id, name.key.name(), &new, alias).await?;
        }
        self.client.delete(&self.path(&format!("authentication/flows/{id}")), None).await
    }

    /// Binds the realm, its clients and its identity providers to another flow.
    async fn rebind(&self, old: &str, old_alias: &str, new: &str, new_alias: &str) -> Result<()> {
        self.write_row(|settings| {
            let bound = settings.iter().filter(|(field, value)| field.ends_with("Flow") && **value == old_alias);
            bound.map(|(field, _)| (field.clone(), new_alias.into())).collect()
        })
        .await?;
        for client in self.client.list(&self.path("clients")).await? {
            self.rebind_client(client, old, new).await?;
        }
        for provider in self.client.list(&self.path("identity-provider/instances?max=100000")).await? {
            if BOUND.iter().any(|field| provider[*field] == old_alias) {
                let path = self.path(&format!("identity-provider/instances/{}", encode(provider["alias"].as_str().unwrap_or_default())));
                let mut body = body_of(self.client.get(&path).await?);
                for field in BOUND.iter().filter(|field| provider[**field] == old_alias) {
                    body.insert((*field).to_owned(), new_alias.into());
                }
                self.client.put(&path, &body.into()).await?;
            }
        }
        Ok(())
    }

    async fn rebind_client(&self, client: Json, old: &str, new: &str) -> Result<()> {
        let mut body = body_of(client);
        let Some(Json::Object(overrides)) = body.get_mut("authenticationFlowBindingOverrides") else { return Ok(()) };
        if !overrides.values().any(|flow| flow == old) {
            return Ok(());
        }
        overrides.values_mut().filter(|flow| **flow == old).for_each(|flow| *flow = new.into());
        for field in Kind::Client.spec().not_in_put {
            body.remove(*field);
        }
        let id = body.get("id").and_then(Json::as_str).unwrap_or_default().to_owned();
        self.client.put(&self.path(&format!("clients/{id}")), &body.into()).await
    }

    /// Gives a flow and all within it their final names; bindings follow.
    async fn rename(&self, id: &str, flow: &Flow) -> Result<()> {
        let last = |name: &str| name.strip_suffix(NEXT).map(str::to_owned);
        for config in self.rename_parts(&renamed(flow).alias, last).await? {
            if let Some(config) = flow.config(&config) {
                config.record(&Body::new(), &mut self.ledger());
            }
        }
        self.put_flow(id, flow, &flow.alias, true).await
    }

    /// Gives the parts of a flow and the configurations of its steps the names that `other` has for them; answers those of the configurations.
    async fn rename_parts(&self, alias: &str, other: impl Fn(&str) -> Option<String>) -> Result<Vec<String>> {
        let path = self.path(&format!("authentication/flows/{}/executions", encode(alias)));
        let mut configs = Vec::new();
        for mut row in self.client.list(&path).await? {
            if let (Some(config), Some(id)) = (row["alias"].as_str().and_then(&other), row["authenticationConfig"].as_str()) {
                let config_path = self.path(&format!("authentication/config/{id}"));
                let mut body = body_of(self.client.get(&config_path).await?);
                body.insert("alias".into(), config.as_str().into());
                self.client.put(&config_path, &body.into()).await?;
                configs.push(config);
            }
            let is_part = row["authenticationFlow"].as_bool().unwrap_or(false);
            if let Some(name) = row["displayName"].as_str().filter(|_| is_part).and_then(&other) {
                // Only the full row renames; a shorter one is taken and does nothing.
                row["displayName"] = name.into();
                self.client.put(&path, &row).await?;
            }
        }
        Ok(configs)
    }
}

fn no_id(flow: &Flow) -> Error {
    Error::Refused(format!("Keycloak named no id for the new flow `{}`", flow.alias))
}

/// Gaps between priorities, so that a step can be put between two others by hand.
fn priority(place: usize) -> usize {
    (place + 1) * 10
}

/// A step with its row in the server's flat list.
struct Placed {
    row: Json,
    inner: Vec<Placed>,
}

/// The row of a step of this flow.
fn row_of<'p>(flow: &Flow, step: &Execution, placed: &'p [Placed]) -> Result<&'p Placed> {
    let found = flow.executions.iter().position(|other| std::ptr::eq(other, step)).and_then(|at| placed.get(at));
    found.ok_or_else(|| Error::Refused(format!("flow `{}` changed while it was read", flow.alias)))
}

/// The rows of a flow's steps: the list is the tree, walked from the top.
fn place(flow: &Flow, rest: &mut &[Json]) -> Vec<Placed> {
    let mut out = Vec::new();
    for step in &flow.executions {
        let Some((row, after)) = rest.split_first() else { break };
        *rest = after;
        let inner = step.flow.as_ref().map(|flow| place(flow, rest)).unwrap_or_default();
        out.push(Placed { row: row.clone(), inner });
    }
    out
}
