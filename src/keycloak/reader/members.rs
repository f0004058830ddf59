//! Who is in the groups whose members a declaration has rules for: one request a group, and none without such rules.

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::{AT_ONCE, Reader};
use crate::keycloak::error::{Error, Result};
use crate::keycloak::kind::Kind;
use crate::keycloak::model::Model;
use crate::keycloak::shorthand::Members;

impl Reader<'_> {
    pub(super) async fn members(&self, model: &Model) -> Result<Members> {
        let watched = self.declaration.shorthand.watched().into_iter();
        let groups = watched.filter_map(|key| Some((model.get(Kind::Group, &key)?.id.clone()?, key)));
        let reads = stream::iter(groups).map(|(id, key)| async move {
            let path = self.path(&format!("groups/{id}/members?briefRepresentation=true&max=1000000"));
            let users = self.client.list(&path).await.map_err(self.needs("view-users"))?;
            let names = users.iter().filter_map(|user| user["username"].as_str()).map(str::to_owned).collect();
            Ok::<_, Error>((key, names))
        });
        reads.buffer_unordered(AT_ONCE).try_collect().await
    }
}
