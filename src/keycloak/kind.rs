//! The kind table: for each kind of object what names it, where it lives in the API, what its PUT needs, and how its fields compare.
//! Facts are those of Keycloak 26.7.3, tried request by request.

use super::fields;

/// The kinds, in the order in which they are written; deletions go the other way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
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
    User,
}

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

const NONE: Spec = Spec {
    kind: Kind::Realm,
    noun: "",
    section: "",
    key_field: "name",
    fields: &[],
    ignored: &["id"],
    initial: &[],
    links: &[],
    texts: &[],
    lists: &[],
    keyed: &[],
    secrets: &[],
    collection: "",
    item: "",
    not_in_put: &[],
    put: Put::Whole,
    nulls: Nulls::Drop,
};

const MAPPER: Spec = Spec { noun: "mapper", fields: fields::MAPPER, texts: &["config"], ignored: &["id", "consentRequired"], ..NONE };
const ROLE: Spec = Spec {
    noun: "role",
    section: "roles",
    fields: fields::ROLE,
    ignored: &["id", "composite", "clientRole", "containerId"],
    links: &["composites"],
    lists: &["attributes"],
    collection: "roles",
    item: "roles-by-id/{id}",
    not_in_put: &["composites", "composite"],
    ..NONE
};

static SPECS: [Spec; 24] = [
    Spec {
        kind: Kind::Realm,
        noun: "realm",
        section: "realm",
        key_field: "realm",
        fields: fields::REALM,
        ignored: &["id", "keycloakVersion", "defaultRole", "notBefore", "requiredCredentials", "adminPermissionsClient"],
        texts: &["attributes", "smtpServer", "browserSecurityHeaders"],
        secrets: &["smtpServer.password", "smtpServer.authTokenClientSecret"],
        put: Put::Own,
        ..NONE
    },
    Spec { kind: Kind::EventsConfig, noun: "events config", section: "events", item: "events/config", ..NONE },
    Spec {
        kind: Kind::UserProfile,
        noun: "user profile",
        section: "userProfile",
        keyed: &[("attributes", "name"), ("groups", "name")],
        item: "users/profile",
        ..NONE
    },
    Spec {
        kind: Kind::Component,
        noun: "component",
        section: "components",
        fields: fields::COMPONENT,
        ignored: &["id", "parentId"],
        lists: &["config"],
        secrets: &["config.bindCredential", "config.privateKey", "config.secret", "config.keystorePassword", "config.keyPassword"],
        collection: "components",
        item: "components/{id}",
        nulls: Nulls::EmptyList,
        ..NONE
    },
    Spec { kind: Kind::Localization, noun: "localization", section: "localizationTexts", put: Put::Own, ..NONE },
    Spec { kind: Kind::Flow, noun: "flow", section: "authenticationFlows", key_field: "alias", put: Put::Own, ..NONE },
    Spec {
        kind: Kind::RequiredAction,
        noun: "required action",
        section: "requiredActions",
        key_field: "alias",
        fields: fields::REQUIRED_ACTION,
        texts: &["config"],
        collection: "authentication/register-required-action",
        item: "authentication/required-actions/{name}",
        ..NONE
    },
    Spec {
        kind: Kind::ClientScope,
        noun: "client scope",
        section: "clientScopes",
        fields: fields::CLIENT_SCOPE,
        texts: &["attributes"],
        collection: "client-scopes",
        item: "client-scopes/{id}",
        not_in_put: &["protocolMappers"],
        nulls: Nulls::Keep,
        ..NONE
    },
    Spec {
        kind: Kind::ClientScopeMapper,
        section: "clientScopes",
        collection: "client-scopes/{parent}/protocol-mappers/models",
        item: "client-scopes/{parent}/protocol-mappers/models/{id}",
        ..MAPPER
    },
    Spec { kind: Kind::RealmScopes, noun: "realm scopes", section: "realmScopes", links: &["default", "optional"], put: Put::Own, ..NONE },
    Spec { kind: Kind::RealmRole, ..ROLE },
    Spec {
        kind: Kind::Client,
        noun: "client",
        section: "clients",
        key_field: "clientId",
        fields: fields::CLIENT,
        ignored: &["id", "access", "notBefore", "registeredNodes", "origin", "registrationAccessToken", "authorizationSettings"],
        links: &["defaultClientScopes", "optionalClientScopes"],
        texts: &["attributes"],
        secrets: &["secret", "attributes.saml.signing.private.key", "attributes.saml.encryption.private.key"],
        collection: "clients",
        item: "clients/{id}",
        // A list of mappers replaces all of them; the scope lists are ignored by the PUT.
        not_in_put: &["protocolMappers", "defaultClientScopes", "optionalClientScopes", "access", "origin", "authorizationSettings"],
        nulls: Nulls::Keep,
        ..NONE
    },
    Spec {
        kind: Kind::ClientMapper,
        section: "clients",
        collection: "clients/{parent}/protocol-mappers/models",
        item: "clients/{parent}/protocol-mappers/models/{id}",
        ..MAPPER
    },
    Spec { kind: Kind::ClientRole, noun: "client role", collection: "clients/{parent}/roles", ..ROLE },
    Spec { kind: Kind::ScopeMapping, noun: "scope mapping", section: "scopeMappings", links: &["realm", "clients"], put: Put::Own, ..NONE },
    Spec {
        kind: Kind::Group,
        noun: "group",
        section: "groups",
        fields: fields::GROUP,
        ignored: &["id", "path", "parentId", "subGroupCount", "access"],
        links: &["realmRoles", "clientRoles"],
        lists: &["attributes"],
        collection: "groups",
        item: "groups/{id}",
        not_in_put: &["subGroups", "realmRoles", "clientRoles", "access", "subGroupCount"],
        ..NONE
    },
    Spec { kind: Kind::DefaultGroups, noun: "default groups", section: "defaultGroups", links: &["groups"], put: Put::Own, ..NONE },
    Spec {
        kind: Kind::IdentityProvider,
        noun: "identity provider",
        section: "identityProviders",
        key_field: "alias",
        fields: fields::IDENTITY_PROVIDER,
        ignored: &["internalId", "types", "updateProfileFirstLoginMode"],
        texts: &["config"],
        secrets: &["config.clientSecret"],
        collection: "identity-provider/instances",
        item: "identity-provider/instances/{name}",
        ..NONE
    },
    Spec {
        kind: Kind::IdentityProviderMapper,
        noun: "identity provider mapper",
        section: "identityProviderMappers",
        fields: fields::IDENTITY_PROVIDER_MAPPER,
        texts: &["config"],
        collection: "identity-provider/instances/{owner}/mappers",
        item: "identity-provider/instances/{owner}/mappers/{id}",
        ..NONE
    },
    Spec { kind: Kind::Bindings, noun: "flow bindings", section: "bindings", put: Put::Own, ..NONE },
    Spec {
        kind: Kind::ClientProfiles,
        noun: "client profiles",
        section: "clientProfiles",
        ignored: &["globalProfiles"],
        keyed: &[("profiles", "name")],
        item: "client-policies/profiles",
        not_in_put: &["globalProfiles"],
        ..NONE
    },
    Spec {
        kind: Kind::ClientPolicies,
        noun: "client policies",
        section: "clientPolicies",
        ignored: &["globalPolicies"],
        keyed: &[("policies", "name")],
        item: "client-policies/policies",
        not_in_put: &["globalPolicies"],
        ..NONE
    },
    Spec {
        kind: Kind::Organization,
        noun: "organization",
        section: "organizations",
        key_field: "alias",
        fields: fields::ORGANIZATION,
        ignored: &["id", "members", "groups"],
        lists: &["attributes"],
        keyed: &[("domains", "name")],
        links: &["identityProviders"],
        collection: "organizations",
        item: "organizations/{id}",
        not_in_put: &["members", "identityProviders", "groups"],
        ..NONE
    },
    Spec {
        kind: Kind::User,
        noun: "user",
        section: "users",
        key_field: "username",
        fields: fields::USER,
        ignored: &[
            "id",
            "access",
            "createdTimestamp",
            "totp",
            "self",
            "origin",
            "notBefore",
            "disableableCredentialTypes",
            "serviceAccountClientId",
        ],
        initial: &["requiredActions", "federatedIdentities"],
        links: &["groups", "realmRoles", "clientRoles", "credentials"],
        lists: &["attributes"],
        collection: "users",
        item: "users/{id}",
        not_in_put: &["access", "requiredActions", "credentials", "groups", "realmRoles", "clientRoles", "userProfileMetadata"],
        ..NONE
    },
];

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
            _ => None,
        }
    }

    /// After which kind its links are written: composites need every role there is.
    pub fn links_after(self) -> Kind {
        match self {
            Kind::RealmRole | Kind::ClientRole => Kind::ClientRole,
            other => other,
        }
    }

    /// Written one after another: in parallel the server loses updates of these silently, or answers with conflicts.
    pub fn is_serial(self) -> bool {
        matches!(self, Kind::Flow | Kind::RealmScopes | Kind::DefaultGroups | Kind::Component | Kind::RequiredAction | Kind::ScopeMapping)
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
        assert_eq!(Kind::all().count(), Kind::User as usize + 1);
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
