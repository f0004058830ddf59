//! Groups of organizations, and who is a member of what: endpoints below the organization.

use serde_json::json;

use super::{Executor, body_of};
use crate::keycloak::error::Result;
use crate::keycloak::kind::Kind;
use crate::keycloak::kind::ORGANIZATION_GROUPS;
use crate::keycloak::model::{Key, Name, Object};
use crate::keycloak::overlay::overlay;
use crate::keycloak::plan::Operation;
use crate::keycloak::{Body, Json};

impl Executor<'_> {
    pub(super) async fn write_organization_group(&self, name: &Name, object: &Object, operation: Operation) -> Result<()> {
        let organization = self.need(name, Kind::Organization, &Key::of([name.key.owner()]))?;
        let base = self.path(&format!("organizations/{organization}/groups"));
        let mut body = Body::new();
        if operation == Operation::Create {
            overlay(name.kind.spec(), &mut body, &object.body);
            let path = match name.key.depth() {
                2 => base,
                _ => format!("{base}/{}/children", self.need(name, Kind::OrganizationGroup, &name.key.parent())?),
            };
            let created = self.client.post(&path, &body.into()).await.map_err(|error| error.without(ORGANIZATION_GROUPS))?;
            if let Some(id) = created.id {
                self.learn_id(name, id);
            }
            return Ok(());
        }
        let path = format!("{base}/{}", self.need(name, name.kind, &name.key)?);
        body = body_of(self.client.get(&path).await?);
        let wanted = self.wanted(name.kind, &body, &object.body).into_owned();
        overlay(name.kind.spec(), &mut body, &wanted);
        self.client.put(&path, &body.into()).await
    }

    pub(super) async fn delete_organization_group(&self, name: &Name) -> Result<()> {
        let organization = self.need(name, Kind::Organization, &Key::of([name.key.owner()]))?;
        let group = self.need(name, name.kind, &name.key)?;
        self.client.delete(&self.path(&format!("organizations/{organization}/groups/{group}")), None).await
    }

    /// Members of an organization, or of one of its groups: users by name.
    pub(super) async fn members(&self, name: &Name, add: Vec<String>, remove: Vec<String>) -> Result<()> {
        let organization = self.need(name, Kind::Organization, &Key::of([name.key.owner()]))?;
        let base = self.path(&format!("organizations/{organization}"));
        let group = match name.kind {
            Kind::OrganizationGroup => Some(self.need(name, name.kind, &name.key)?),
            _ => None,
        };
        for (users, adds) in [(remove, false), (add, true)] {
            for user in users {
                let id = self.user_id(name, &user).await?;
                match (&group, adds) {
                    (Some(group), true) => self.client.put(&format!("{base}/groups/{group}/members/{id}"), &json!({})).await?,
                    (Some(group), false) => self.client.delete(&format!("{base}/groups/{group}/members/{id}"), None).await?,
                    (None, true) => self.client.post(&format!("{base}/members"), &Json::String(id)).await.map(|_| ())?,
                    (None, false) => self.client.delete(&format!("{base}/members/{id}"), None).await?,
                }
            }
        }
        Ok(())
    }
}
