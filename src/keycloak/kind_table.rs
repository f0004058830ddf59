//! The kind table: for each kind of object what names it, where it lives in the API, what its PUT needs, and how its fields compare.
//! Facts are those of Keycloak 26.7.3, tried request by request.

use super::fields;
use super::kind::{Kind, Nulls, Put, Spec};

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

const AUTHORIZATION: Spec = Spec { section: "authorizationSettings", ..NONE };

pub static SPECS: [Spec; 30] = [
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
        ignored: &["id", "access", "notBefore", "registeredNodes", "origin", "registrationAccessToken"],
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
        ignored: &["id", "groups"],
        lists: &["attributes"],
        keyed: &[("domains", "name")],
        links: &["identityProviders", "members"],
        collection: "organizations",
        item: "organizations/{id}",
        not_in_put: &["members", "identityProviders", "groups"],
        ..NONE
    },
    Spec {
        kind: Kind::OrganizationGroup,
        noun: "organization group",
        section: "organizations",
        fields: fields::ORGANIZATION_GROUP,
        ignored: &["id", "path", "parentId", "subGroupCount", "access", "realmRoles", "clientRoles"],
        links: &["members"],
        lists: &["attributes"],
        put: Put::Own,
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
    Spec {
        kind: Kind::AuthorizationSettings,
        noun: "authorization settings",
        fields: fields::AUTHORIZATION_SETTINGS,
        item: "clients/{client}/authz/resource-server",
        ..AUTHORIZATION
    },
    Spec {
        kind: Kind::AuthorizationScope,
        noun: "authorization scope",
        fields: fields::AUTHORIZATION_SCOPE,
        put: Put::Own,
        ..AUTHORIZATION
    },
    Spec {
        kind: Kind::AuthorizationResource,
        noun: "authorization resource",
        fields: fields::AUTHORIZATION_RESOURCE,
        ignored: &["id", "_id", "owner"],
        lists: &["attributes"],
        put: Put::Own,
        ..AUTHORIZATION
    },
    Spec {
        kind: Kind::AuthorizationPolicy,
        noun: "authorization policy",
        fields: fields::AUTHORIZATION_POLICY,
        texts: &["config"],
        put: Put::Own,
        ..AUTHORIZATION
    },
    Spec {
        kind: Kind::Workflow,
        noun: "workflow",
        section: "workflows",
        ignored: &["id", "state"],
        collection: "workflows",
        item: "workflows/{id}",
        ..NONE
    },
];
