//! All groups of a realm that is too big for an export of them: the flat search in pages.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::{AT_ONCE, Reader};
use crate::keycloak::Json;
use crate::keycloak::client::Client;
use crate::keycloak::error::{Error, Result};
use crate::keycloak::model::Key;

/// Groups in one page of the flat search.
const PAGE: u64 = 500;
/// What finds every name: on 26.7 an asterisk, on 26.5 a percent sign, each of which finds nothing on the other.
const WILDCARDS: [&str; 2] = ["*", "%25"];

/// Every group on every level, with id and path alone, and the search that found them.
///
/// # Errors
/// They cannot be read.
pub async fn brief(client: &Client, realm: &str) -> Result<(String, Vec<Json>)> {
    let mut last = (String::new(), Vec::new());
    for wildcard in WILDCARDS {
        let search = format!("{realm}/groups?search={wildcard}&populateHierarchy=false&subGroupsCount=false");
        let found = client.list(&format!("{search}&briefRepresentation=true&max=1000000")).await?;
        let is_found = !found.is_empty();
        last = (search, found);
        if is_found {
            break;
        }
    }
    Ok(last)
}

impl Reader<'_> {
    /// All groups in full. The pages of the search are ordered by name alone and overlap where names are equal, so what is missing is
    /// fetched one by one.
    pub(super) async fn flat_groups(&self, count: u64) -> Result<Vec<(Key, Json)>> {
        let (search, brief) = brief(self.client, &self.realm).await?;
        if (brief.len() as u64) < count {
            // Somebody may be deleting groups at this moment.
            let now = self.client.get(&self.path("groups/count")).await?["count"].as_u64().unwrap_or(0);
            if (brief.len() as u64) < now {
                return Err(self.rights(&format!("it sees {} of {now} groups, `manage-users` is needed", brief.len())));
            }
        }
        let search = &search;
        let pages = stream::iter(0..(brief.len() as u64).div_ceil(PAGE)).map(|page| async move {
            self.client.list(&format!("{search}&briefRepresentation=false&first={}&max={PAGE}", page * PAGE)).await
        });
        let pages: Vec<Vec<Json>> = pages.buffer_unordered(AT_ONCE).try_collect().await?;
        let mut by_id: BTreeMap<String, Json> =
            pages.into_iter().flatten().filter_map(|group| Some((group["id"].as_str()?.to_owned(), group))).collect();
        let missing: Vec<String> =
            brief.iter().filter_map(|group| group["id"].as_str()).filter(|id| !by_id.contains_key(*id)).map(str::to_owned).collect();
        let fetched = stream::iter(missing).map(|id| async move {
            let group = self.client.find(&self.path(&format!("groups/{id}"))).await?;
            Ok::<_, Error>(group.map(|group| (id, group)))
        });
        let fetched: Vec<_> = fetched.buffer_unordered(AT_ONCE).try_collect().await?;
        by_id.extend(fetched.into_iter().flatten());
        Ok(by_id.values().filter_map(|group| Some((group_key(group, &by_id)?, group.clone()))).collect())
    }
}

/// The names from the top down: a path would be ambiguous where a name holds a slash.
fn group_key(group: &Json, by_id: &BTreeMap<String, Json>) -> Option<Key> {
    let mut names = vec![group["name"].as_str()?.to_owned()];
    let mut current = group;
    while let Some(parent) = current["parentId"].as_str().and_then(|id| by_id.get(id)) {
        names.push(parent["name"].as_str()?.to_owned());
        current = parent;
    }
    names.reverse();
    Some(Key(names))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_is_known_by_its_parents_and_not_by_its_path() {
        let groups = [json!({"id": "1", "name": "a/b"}), json!({"id": "2", "name": "c", "parentId": "1", "path": "/a/b/c"})];
        let by_id: BTreeMap<String, Json> =
            groups.iter().map(|group| (group["id"].as_str().expect("text").to_owned(), group.clone())).collect();
        assert_eq!(group_key(&groups[1], &by_id), Some(Key::of(["a/b", "c"])));
    }
}
