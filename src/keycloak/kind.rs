//! The kinds of objects in a realm, and what the kind table says of each.

use serde::{Deserialize, Serialize};

use super::kind_table::SPECS;

/// The kinds, in the order in which they are written; deletions go the other way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Kind {
    Realm,
    EventsConfig,
    UserProfile,
    Component,
    Localization,
    Flow,
    RequiredAction,
    ClientScope,
    ClientScopeMapper,
    /// Before the clients: a new client is given the realm's scopes.
    RealmScopes,
    RealmRole,
    Client,
    ClientMapper,
    ClientRole,
    ScopeMapping,
    Group,
    DefaultGroups,
    IdentityProvider,
    IdentityProviderMapper,
    Bindings,
    ClientProfiles,
    ClientPolicies,
    Organization,
    OrganizationGroup,
    User,
    AuthorizationSettings,
    AuthorizationScope,
    AuthorizationResource,
    /// Policies and permissions: to Keycloak they are one, told apart by their type.
    AuthorizationPolicy,
    Workflow,
}

/// What servers may lack, in the words of the error that says so.
pub const ORGANIZATION_GROUPS: &str = "groups of organizations: 26.7 has them, 26.5 does not";
pub const WORKFLOWS: &str = "workflows: 26.7 has them, on 26.5 they are a preview to switch on with `--features=workflows`";

/// How an update is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// Read the object, lay the declared fields over it, send all of it back: its PUT loses what is omitted.
    Whole,
    /// Written by code of its own.
    Own,
}

/// What a field that is declared as null becomes in the body of a PUT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nulls {
    /// The key is left out: the PUT replaces the map.
    Drop,
    /// The null is sent: the PUT merges the map.
    Keep,
    /// An empty list is sent: the PUT merges the map and takes a null for "unchanged".
    EmptyList,
}

pub struct Spec {
    pub kind: Kind,
    /// How a plan names one of them.
    pub noun: &'static str,
    /// The section of the declaration that holds them; ownership is set by it.
    pub section: &'static str,
    pub key_field: &'static str,
    /// Every field of the representation; empty where any is taken.
    pub fields: &'static [&'static str],
    /// Fields that are the server's own: accepted in a declaration (an export has them), never compared, never sent.
    pub ignored: &'static [&'static str],
    /// Fields that only count when the object is made.
    pub initial: &'static [&'static str],
    /// Fields that are written through endpoints of their own.
    pub links: &'static [&'static str],
    /// Maps from text to text: numbers and booleans of a declaration become text.
    pub texts: &'static [&'static str],
    /// Maps from text to lists of text.
    pub lists: &'static [&'static str],
    /// Lists of objects, with the field that tells them apart.
    pub keyed: &'static [(&'static str, &'static str)],
    /// Secrets, as dotted paths.
    pub secrets: &'static [&'static str],
    /// Where a POST makes one: `{parent}` is the parent's id, `{owner}` the first part of the key, `{name}` the last.
    pub collection: &'static str,
    /// Where one is read, written and deleted; `{id}` is its id.
    pub item: &'static str,
    /// Fields that a PUT of the whole must not carry.
    pub not_in_put: &'static [&'static str],
    pub put: Put,
    pub nulls: Nulls,
}

impl Kind {
    pub fn spec(self) -> &'static Spec {
        &SPECS[self as usize]
    }

    pub fn all() -> impl DoubleEndedIterator<Item = Kind> {
        SPECS.iter().map(|spec| spec.kind)
    }

    /// The kind that an object of this kind lives in.
    pub fn parent(self) -> Option<Kind> {
        match self {
            Kind::ClientMapper | Kind::ClientRole => Some(Kind::Client),
            Kind::ClientScopeMapper => Some(Kind::ClientScope),
            Kind::IdentityProviderMapper => Some(Kind::IdentityProvider),
            Kind::Group => Some(Kind::Group),
            Kind::AuthorizationScope | Kind::AuthorizationResource | Kind::AuthorizationPolicy => Some(Kind::Client),
            _ => None,
        }
    }

    /// After which kind its links are written: composites need every role there is.
    pub fn links_after(self) -> Kind {
        match self {
            Kind::RealmRole | Kind::ClientRole => Kind::ClientRole,
            // Members of organizations are users, and those of their groups are members of the organization.
            Kind::Organization => Kind::User,
            Kind::OrganizationGroup => Kind::AuthorizationSettings,
            other => other,
        }
    }

    /// Written one after another: in parallel the server loses updates of these silently, or answers with conflicts.
    pub fn is_serial(self) -> bool {
        matches!(self, Kind::Flow | Kind::RealmScopes | Kind::DefaultGroups | Kind::Component | Kind::RequiredAction | Kind::ScopeMapping)
    }

    /// Belongs to the authorization services of a client.
    pub fn is_authorization(self) -> bool {
        matches!(self, Kind::AuthorizationSettings | Kind::AuthorizationScope | Kind::AuthorizationResource | Kind::AuthorizationPolicy)
    }

    /// There is one in a realm, always: it is changed, never made or deleted.
    pub fn is_single(self) -> bool {
        matches!(
            self,
            Kind::EventsConfig
                | Kind::UserProfile
                | Kind::RealmScopes
                | Kind::DefaultGroups
                | Kind::Bindings
                | Kind::ClientProfiles
                | Kind::ClientPolicies
                | Kind::AuthorizationSettings
        )
    }
}

impl Spec {
    pub fn is_link(&self, field: &str) -> bool {
        self.links.contains(&field)
    }

    pub fn is_secret(&self, path: &str) -> bool {
        self.secrets.contains(&path)
    }
}

/// Lists whose order counts; all other lists of scalars are sets.
pub fn is_ordered(field: &str) -> bool {
    matches!(field, "webAuthnPolicySignatureAlgorithms" | "webAuthnPolicyPasswordlessSignatureAlgorithms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_kinds() {
        for (place, kind) in Kind::all().enumerate() {
            assert_eq!(kind as usize, place, "{kind:?}");
        }
        assert_eq!(Kind::all().count(), Kind::Workflow as usize + 1);
    }

    #[test]
    fn every_generic_kind_can_be_written() {
        for spec in Kind::all().map(Kind::spec).filter(|spec| spec.put == Put::Whole) {
            assert!(!spec.item.is_empty(), "{} has no path", spec.noun);
            assert_eq!(spec.collection.is_empty(), spec.kind.is_single(), "{}", spec.noun);
        }
    }

    #[test]
    fn what_is_named_in_the_table_is_a_field() {
        for spec in Kind::all().map(Kind::spec).filter(|spec| !spec.fields.is_empty()) {
            let named = spec.links.iter().chain(spec.texts).chain(spec.lists).chain(spec.initial);
            for field in named {
                assert!(spec.fields.contains(field), "{}: {field}", spec.noun);
            }
        }
    }
}
