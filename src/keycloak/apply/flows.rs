//! Flows: made, edited where they are, or built anew beside the old one and swapped in, so that at no moment anybody is locked out. A crash
//! leaves a flow with [`NEXT`] in its name, which the next run takes up or removes.

use futures_util::future::BoxFuture;
use serde_json::json;

use super::{Executor, body_of};
use crate::keycloak::client::encode;
use crate::keycloak::error::{Error, Result};
use crate::keycloak::flow::{self, Config, Difference, Execution, Flow, pairs};
use crate::keycloak::kind::Kind;
use crate::keycloak::model::{Key, Name, Object};
use crate::keycloak::{Body, Json, MASK};

/// Ends the names of a flow that is to take another's place.
const NEXT: &str = " - next";
const BOUND: [&str; 2] = ["firstBrokerLoginFlowAlias", "postBrokerLoginFlowAlias"];

impl Executor<'_> {
    pub(super) async fn create_flow(&self, name: &Name, flow: &Flow) -> Result<()> {
        // An earlier run was cut between the deletion of the old flow and the renaming of the new one.
        let id = match self.shadow(flow) {
            Some((id, true)) => {
                self.rename(&id, flow).await?;
                id
            }
            _ => self.build(flow, true).await?,
        };
        self.learn_id(name, id);
        Ok(())
    }

    /// Makes a flow with all that is in it; the steps stand as they are meant to from the first moment.
    fn build<'f>(&'f self, flow: &'f Flow, top: bool) -> BoxFuture<'f, Result<String>> {
        Box::pin(async move {
            let body = json!({"alias": flow.alias, "description": flow.description.as_deref().unwrap_or(""), "providerId": flow.provider,
                "topLevel": top, "builtIn": false});
            let created = self.client.post(&self.path("authentication/flows"), &body).await?;
            let id = created.id.ok_or_else(|| Error::Refused(format!("Keycloak named no id for the new flow `{}`", flow.alias)))?;
            for (place, step) in flow.executions.iter().enumerate() {
                self.add_step(&id, step, place).await?;
            }
            Ok(id)
        })
    }

    async fn add_step(&self, parent: &str, step: &Execution, place: usize) -> Result<()> {
        let mut body = body_of(json!({"parentFlow": parent, "requirement": step.requirement, "priority": priority(place),
            "authenticatorFlow": step.flow.is_some()}));
        if let Some(authenticator) = &step.authenticator {
            body.insert("authenticator".into(), authenticator.as_str().into());
        }
        if let Some(flow) = &step.flow {
            body.insert("flowId".into(), self.build(flow, false).await?.into());
        }
        let created = self.client.post(&self.path("authentication/executions"), &body.into()).await?;
        if let (Some(config), Some(id)) = (&step.config, created.id) {
            self.add_config(&id, config).await?;
        }
        Ok(())
    }

    async fn add_config(&self, execution: &str, config: &Config) -> Result<()> {
        let path = self.path(&format!("authentication/executions/{execution}/config"));
        let values: Body = unmasked(config).map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        self.client.post(&path, &json!({"alias": config.alias, "config": values})).await.map(|_| ())
    }

    /// Requirements, order, descriptions and configuration, where they are.
    pub(super) async fn edit_flow(&self, name: &Name, object: &Object) -> Result<()> {
        let live = self.live.get(Kind::Flow, &name.key).and_then(|object| Flow::from_body(&object.body));
        let (Some(want), Some(have)) = (Flow::from_body(&object.body), live) else { return Ok(()) };
        let path = self.path(&format!("authentication/flows/{}/executions", encode(&want.alias)));
        let listed = self.client.list(&path).await?;
        let mut rest = listed.as_slice();
        let placed = place(&have, &mut rest);
        self.edit_level(&path, &want, &have, &placed).await?;
        if want.description.is_some() && want.description != have.description {
            let id = self.need(name, Kind::Flow, &name.key)?;
            self.put_flow(&id, &want, &want.alias, true).await?;
        }
        Ok(())
    }

    fn edit_level<'f>(&'f self, path: &'f str, want: &'f Flow, have: &'f Flow, placed: &'f [Placed]) -> BoxFuture<'f, Result<()>> {
        Box::pin(async move {
            let reordered = !want.executions.iter().map(Execution::identity).eq(have.executions.iter().map(Execution::identity));
            for (index, (step, known)) in pairs(want, have).into_iter().enumerate() {
                let Some(found) = have.executions.iter().position(|other| std::ptr::eq(other, known)).and_then(|at| placed.get(at)) else {
                    return Err(Error::Refused(format!("flow `{}` changed while it was read", want.alias)));
                };
                if reordered || step.requirement != known.requirement {
                    let mut body = body_of(found.row.clone());
                    body.insert("requirement".into(), step.requirement.as_str().into());
                    if reordered {
                        body.insert("priority".into(), priority(index).into());
                    }
                    self.client.put(path, &body.into()).await?;
                }
                if let Some(config) = step.config.as_ref().filter(|config| Some(*config) != known.config.as_ref()) {
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
            Ok(())
        })
    }

    async fn put_config(&self, row: &Json, config: &Config) -> Result<()> {
        let Some(id) = row["authenticationConfig"].as_str() else {
            return self.add_config(row["id"].as_str().unwrap_or_default(), config).await;
        };
        // The PUT replaces the whole map.
        let path = self.path(&format!("authentication/config/{id}"));
        let mut body = body_of(self.client.get(&path).await?);
        let mut values = body.remove("config").map(body_of).unwrap_or_default();
        values.extend(unmasked(config).map(|(key, value)| (key.clone(), value.as_str().into())));
        body.insert("alias".into(), config.alias.as_str().into());
        body.insert("config".into(), values.into());
        self.client.put(&path, &body.into()).await
    }

    /// The PUT of a flow needs every field, or answers with a conflict that is none.
    async fn put_flow(&self, id: &str, flow: &Flow, alias: &str, top: bool) -> Result<()> {
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
                self.build(&next, true).await?
            }
            None => self.build(&next, true).await?,
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
        let have = Flow::from_body(&found.body)?;
        Some((found.id.clone()?, flow::difference(&next, &have) == Difference::None))
    }

    /// Binds the realm, its clients and its identity providers to another flow.
    async fn rebind(&self, old: &str, old_alias: &str, new: &str, new_alias: &str) -> Result<()> {
        let settings = self.client.get(&self.realm).await?;
        let bound = settings.as_object().into_iter().flatten().filter(|(field, value)| field.ends_with("Flow") && *value == old_alias);
        let mut body: Body = bound.map(|(field, _)| (field.clone(), new_alias.into())).collect();
        if !body.is_empty() {
            body.insert("realm".into(), self.declaration.realm.as_str().into());
            self.client.put(&self.realm, &body.into()).await?;
        }
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
        let path = self.path(&format!("authentication/flows/{}/executions", encode(&format!("{}{NEXT}", flow.alias))));
        for mut row in self.client.list(&path).await? {
            if let (Some(config), Some(id)) =
                (row["alias"].as_str().and_then(|alias| alias.strip_suffix(NEXT)), row["authenticationConfig"].as_str())
            {
                let config_path = self.path(&format!("authentication/config/{id}"));
                let mut body = body_of(self.client.get(&config_path).await?);
                body.insert("alias".into(), config.into());
                self.client.put(&config_path, &body.into()).await?;
            }
            let inner = row["authenticationFlow"].as_bool().unwrap_or(false);
            let Some(alias) = row["displayName"].as_str().filter(|_| inner).and_then(|name| name.strip_suffix(NEXT)).map(str::to_owned)
            else {
                continue;
            };
            // Only the full row renames; a shorter one is taken and does nothing.
            row["displayName"] = alias.into();
            self.client.put(&path, &row).await?;
        }
        self.put_flow(id, flow, &flow.alias, true).await
    }
}

/// The values that may be written: a mask stands for whatever is there.
fn unmasked(config: &Config) -> impl Iterator<Item = (&String, &String)> {
    config.config.iter().filter(|(_, value)| *value != MASK)
}

/// Gaps between priorities, so that a step can be put between two others by hand.
fn priority(place: usize) -> usize {
    (place + 1) * 10
}

/// The flow under the names it has until it takes the other's place.
fn renamed(flow: &Flow) -> Flow {
    let mut next = flow.clone();
    next.alias.push_str(NEXT);
    // The alias of a configuration is unique in a realm too.
    for config in next.executions.iter_mut().filter_map(|step| step.config.as_mut()) {
        config.alias.push_str(NEXT);
    }
    for inner in next.executions.iter_mut().filter_map(|step| step.flow.as_mut()) {
        *inner = renamed(inner);
    }
    next
}

/// A step with its row in the server's flat list.
struct Placed {
    row: Json,
    inner: Vec<Placed>,
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
