//! The object itself: made, changed, deleted, each kind with what its endpoint needs.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Executor, body_of};
use crate::keycloak::client::encode;
use crate::keycloak::declaration::Ownership;
use crate::keycloak::error::{Error, Result};
use crate::keycloak::flow::Flow;
use crate::keycloak::kind::{Kind, Put, Spec, WORKFLOWS};
use crate::keycloak::model::{Key, Name, Object};
use crate::keycloak::overlay::{grown, overlay, without_masks};
use crate::keycloak::plan::{Action, Operation};
use crate::keycloak::{Body, Json, MASK};

impl Executor<'_> {
    /// A path of the kind table with its places filled in.
    fn filled(&self, name: &Name, template: &str) -> Result<String> {
        let mut path = template.replace("{name}", &encode(name.key.name())).replace("{owner}", &encode(name.key.owner()));
        if path.contains("{parent}") {
            let parent = name.kind.parent().unwrap_or(name.kind);
            path = path.replace("{parent}", &self.need(name, parent, &name.key.parent())?);
        }
        if path.contains("{client}") {
            path = path.replace("{client}", &self.need(name, Kind::Client, &Key::of([name.key.owner()]))?);
        }
        if path.contains("{id}") {
            path = path.replace("{id}", &self.need(name, name.kind, &name.key)?);
        }
        Ok(self.path(&path))
    }

    pub(super) async fn create(&self, name: &Name, object: &Object) -> Result<()> {
        match name.kind {
            Kind::Flow => match Flow::from_body(&object.body) {
                Some(flow) => self.create_flow(name, &flow).await,
                None => Ok(()),
            },
            Kind::Localization => self.texts(name, &object.body).await,
            Kind::RequiredAction => self.register_action(name, object).await,
            Kind::AuthorizationScope | Kind::AuthorizationResource | Kind::AuthorizationPolicy => {
                self.write_authorization(name, object, Operation::Create).await
            }
            Kind::OrganizationGroup => self.write_organization_group(name, object, Operation::Create).await,
            _ => self.post(name, object).await,
        }
    }

    async fn post(&self, name: &Name, object: &Object) -> Result<()> {
        let spec = name.kind.spec();
        let collection = match name.kind {
            Kind::Group if name.key.depth() > 1 => "groups/{parent}/children",
            _ => spec.collection,
        };
        let mut body = body_of(without_masks(&Json::Object(object.body.clone())));
        // What a POST takes of the links is sent with it; the rest is linked when all of it exists.
        let taken: &[&str] = match name.kind {
            Kind::Client => &["defaultClientScopes", "optionalClientScopes"],
            Kind::User => &["groups", "credentials"],
            _ => &[],
        };
        body.retain(|field, value| !value.is_null() && (!spec.is_link(field) || taken.contains(&field.as_str())));
        self.complete(name, &mut body)?;
        if name.kind == Kind::Component {
            body.insert("id".into(), own_id(self.realm_id, &name.key).into());
        }
        let created = self.client.post(&self.filled(name, collection)?, &body.into()).await;
        let created = created.map_err(|error| if name.kind == Kind::Workflow { error.without(WORKFLOWS) } else { error })?;
        let id = match name.kind {
            // The location of a role holds its name.
            Kind::RealmRole | Kind::ClientRole => {
                let role = self.client.get(&format!("{}/{}", self.filled(name, collection)?, encode(name.key.name()))).await?;
                role["id"].as_str().map(str::to_owned)
            }
            _ => created.id,
        };
        if let Some(id) = id {
            self.learn_id(name, id);
        }
        Ok(())
    }

    /// Fields that a body needs and a declaration does not have, and names that the API wants as ids.
    fn complete(&self, name: &Name, body: &mut Body) -> Result<()> {
        match name.kind {
            Kind::Component => {
                let parent = match name.key.depth() {
                    // A component within another: `[type, name, inner type, inner name]`.
                    4.. => self.need(name, Kind::Component, &name.key.parent().parent())?,
                    _ => self.realm_id.to_owned(),
                };
                body.insert("parentId".into(), parent.into());
            }
            Kind::ClientMapper | Kind::ClientScopeMapper => {
                body.entry("protocol").or_insert_with(|| "openid-connect".into());
            }
            Kind::Client => {
                if let Some(Json::Object(overrides)) = body.get_mut("authenticationFlowBindingOverrides") {
                    for (_, flow) in overrides.iter_mut().filter(|(_, flow)| flow.as_str().is_some_and(|alias| !alias.is_empty())) {
                        let alias = flow.as_str().unwrap_or_default();
                        // What was read holds ids already.
                        if let Some(id) = self.id(Kind::Flow, &Key::of([alias])) {
                            *flow = id.into();
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn update(&self, action: &Action, object: &Object) -> Result<()> {
        let name = &action.name;
        let spec = name.kind.spec();
        match name.kind {
            Kind::Realm | Kind::Bindings => self.update_settings(action, object).await,
            Kind::Localization => self.texts(name, &object.body).await,
            Kind::Flow => self.edit_flow(name, object).await,
            Kind::AuthorizationScope | Kind::AuthorizationResource | Kind::AuthorizationPolicy => {
                self.write_authorization(name, object, Operation::Update).await
            }
            Kind::OrganizationGroup if action.changes.iter().any(|change| !is_linked(name.kind, &change.path)) => {
                self.write_organization_group(name, object, Operation::Update).await
            }
            _ if spec.put == Put::Own || action.changes.iter().all(|change| is_linked(name.kind, &change.path)) => Ok(()),
            _ => self.put_whole(name, object).await,
        }
    }

    /// The declared fields, where sets only grow with what is there.
    pub(super) fn wanted<'b>(&self, kind: Kind, read: &Body, declared: &'b Body) -> Cow<'b, Body> {
        match self.declaration.grows(kind) {
            true => Cow::Owned(grown(read, declared)),
            false => Cow::Borrowed(declared),
        }
    }

    /// Reads the object, lays the declared fields over it, and sends all of it back.
    async fn put_whole(&self, name: &Name, object: &Object) -> Result<()> {
        let spec = name.kind.spec();
        let path = self.filled(name, spec.item)?;
        let mut body = body_of(match name.kind {
            Kind::ClientMapper | Kind::ClientScopeMapper | Kind::IdentityProviderMapper | Kind::Component => self.client.get(&path).await?,
            Kind::User => self.client.get(&format!("{path}?userProfileMetadata=false")).await?,
            _ => self.client.get(&path).await?,
        });
        let wanted = self.wanted(name.kind, &body, &object.body).into_owned();
        overlay(spec, &mut body, &wanted);
        if self.declaration.ownership(name.kind) == Ownership::Full {
            keep_declared(spec, &mut body, &object.body);
        }
        // An export's mask stands for "keep"; as a client's secret it would be stored as it is.
        if name.kind == Kind::Client && body.get("secret").is_some_and(|secret| secret == MASK) {
            body.remove("secret");
        }
        self.complete(name, &mut body)?;
        self.client.put(&path, &body.into()).await
    }

    /// Fields of the realm's own row: those that change, since others may have changed meanwhile.
    async fn update_settings(&self, action: &Action, object: &Object) -> Result<()> {
        let kind = action.name.kind;
        let is_changed =
            |field: &str| action.changes.iter().any(|change| change.path == field || change.path.starts_with(&format!("{field}.")));
        self.write_row(|settings| {
            let written = |(field, value): (&String, &Json)| {
                let mut read: Body = settings.get(field).map(|known| (field.clone(), known.clone())).into_iter().collect();
                let declared = Body::from_iter([(field.clone(), value.clone())]);
                let wanted = self.wanted(kind, &read, &declared).into_owned();
                overlay(kind.spec(), &mut read, &wanted);
                // A null is taken for "unchanged": an empty text unsets.
                (field.clone(), read.remove(field).filter(|value| !value.is_null()).unwrap_or_else(|| "".into()))
            };
            object.body.iter().filter(|(field, _)| is_changed(field)).map(written).collect()
        })
        .await
    }

    /// Another name or place for something that keeps its id.
    pub(super) async fn rename_object(&self, name: &Name) -> Result<()> {
        let Some(from) = self.live.moved.iter().find(|moved| moved.kind == name.kind && moved.to == name.key).map(|moved| &moved.from)
        else {
            return Ok(());
        };
        let id = self.need(name, name.kind, &name.key)?;
        if name.kind == Kind::Flow {
            let found = self.live.get(Kind::Flow, &name.key).and_then(|object| Flow::from_body(&object.body));
            return match found {
                Some(flow) => self.put_flow(&id, &flow, name.key.name(), true).await,
                None => Ok(()),
            };
        }
        if from.parent() != name.key.parent() {
            let path = match name.key.depth() {
                1 => self.path("groups"),
                _ => self.path(&format!("groups/{}/children", self.need(name, Kind::Group, &name.key.parent())?)),
            };
            self.client.post(&path, &json!({"id": id, "name": from.name()})).await?;
        }
        if from.name() != name.key.name() {
            self.put_whole(name, &Object { id: None, body: body_of(json!({"name": name.key.name()})) }).await?;
        }
        Ok(())
    }

    async fn texts(&self, name: &Name, texts: &Body) -> Result<()> {
        let path = self.path(&format!("localization/{}", encode(name.key.name())));
        let set: Body = texts.iter().filter(|(_, text)| !text.is_null()).map(|(key, text)| (key.clone(), text.clone())).collect();
        // One request for all texts: single ones in parallel are lost in silence.
        self.client.post(&path, &set.into()).await?;
        for (key, _) in texts.iter().filter(|(_, text)| text.is_null()) {
            self.client.delete(&format!("{path}/{}", encode(key)), None).await?;
        }
        Ok(())
    }

    async fn register_action(&self, name: &Name, object: &Object) -> Result<()> {
        let provider = object.body.get("providerId").and_then(Json::as_str).unwrap_or(name.key.name());
        let shown = object.body.get("name").and_then(Json::as_str).unwrap_or(name.key.name());
        self.client.post(&self.path("authentication/register-required-action"), &json!({"providerId": provider, "name": shown})).await?;
        self.put_whole(name, object).await
    }

    pub(super) async fn delete(&self, name: &Name) -> Result<()> {
        if name.kind.is_authorization() {
            return self.delete_authorization(name).await;
        }
        if name.kind == Kind::OrganizationGroup {
            return self.delete_organization_group(name).await;
        }
        let path = match name.kind {
            Kind::Flow => return self.delete_flow(name).await,
            Kind::Localization => self.path(&format!("localization/{}", encode(name.key.name()))),
            kind if kind.spec().item.is_empty() => return Err(Error::Refused(format!("{name} cannot be deleted"))),
            kind => self.filled(name, kind.spec().item)?,
        };
        self.client.delete(&path, None).await
    }
}

/// The id of a component: of its place alone. Names of components are not unique to Keycloak, ids are, so of two that are made at once, or
/// twice because an answer was lost, the second is refused.
fn own_id(realm_id: &str, key: &Key) -> String {
    let mut place = Sha256::new();
    for part in [realm_id].into_iter().chain(key.0.iter().map(String::as_str)) {
        place.update((part.len() as u64).to_be_bytes());
        place.update(part);
    }
    URL_SAFE_NO_PAD.encode(&place.finalize()[..16])
}

/// Takes out of lists of objects what is not declared.
fn keep_declared(spec: &Spec, body: &mut Body, declared: &Body) {
    for (field, key) in spec.keyed {
        if let (Some(Json::Array(items)), Some(Json::Array(wanted))) = (body.get_mut(*field), declared.get(*field)) {
            items.retain(|item| wanted.iter().any(|other| other[*key] == item[*key]));
        }
    }
}

/// The change is written through an endpoint of its own.
fn is_linked(kind: Kind, path: &str) -> bool {
    let field = path.split(['.', '[']).next().unwrap_or(path);
    kind.spec().is_link(field) || (kind == Kind::User && path == crate::keycloak::compare::PASSWORD)
}
