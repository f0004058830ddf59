//! What becomes of each resource of the provider `keycloak/keycloak`.

use crate::keycloak::kind::Kind;

/// Where a resource goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Realm,
    Client,
    ClientScope,
    Role,
    Group,
    User,
    /// A mapper of a client or a client scope, of this type.
    Mapper(&'static str),
    IdentityProvider,
    /// A mapper of an identity provider.
    ProviderMapper,
    RequiredAction,
    Organization,
    /// A flow, a step of one, or the configuration of a step: see `parts`.
    Flow,
    Localization,
    UserProfile,
    /// A realm key that the server makes, of this provider.
    Key(&'static str),
    /// Users that are somebody else's.
    Federation,
    /// A mapper of a federation, of this provider.
    FederationMapper(&'static str),
    /// It ties things together that are declared elsewhere: see `links`.
    Link,
}

impl Place {
    /// The kind whose fields it has.
    pub fn kind(self) -> Kind {
        match self {
            Place::Realm | Place::Link | Place::Localization => Kind::Realm,
            Place::Client => Kind::Client,
            Place::ClientScope => Kind::ClientScope,
            Place::Role => Kind::RealmRole,
            Place::Group => Kind::Group,
            Place::User => Kind::User,
            Place::Mapper(_) => Kind::ClientMapper,
            Place::IdentityProvider => Kind::IdentityProvider,
            Place::ProviderMapper => Kind::IdentityProviderMapper,
            Place::RequiredAction => Kind::RequiredAction,
            Place::Organization => Kind::Organization,
            Place::Flow => Kind::Flow,
            Place::UserProfile => Kind::UserProfile,
            Place::Key(_) | Place::Federation | Place::FederationMapper(_) => Kind::Component,
        }
    }
}

/// The resources, without their `keycloak_`.
pub const RESOURCES: [(&str, Place); 73] = [
    ("realm", Place::Realm),
    ("openid_client", Place::Client),
    ("openid_client_scope", Place::ClientScope),
    ("role", Place::Role),
    ("group", Place::Group),
    ("user", Place::User),
    ("generic_protocol_mapper", Place::Mapper("")),
    ("openid_user_attribute_protocol_mapper", Place::Mapper("oidc-usermodel-attribute-mapper")),
    ("openid_user_property_protocol_mapper", Place::Mapper("oidc-usermodel-property-mapper")),
    ("openid_group_membership_protocol_mapper", Place::Mapper("oidc-group-membership-mapper")),
    ("openid_full_name_protocol_mapper", Place::Mapper("oidc-full-name-mapper")),
    ("openid_hardcoded_claim_protocol_mapper", Place::Mapper("oidc-hardcoded-claim-mapper")),
    ("openid_hardcoded_role_protocol_mapper", Place::Mapper("oidc-hardcoded-role-mapper")),
    ("openid_audience_protocol_mapper", Place::Mapper("oidc-audience-mapper")),
    ("openid_audience_resolve_protocol_mapper", Place::Mapper("oidc-audience-resolve-mapper")),
    ("openid_user_realm_role_protocol_mapper", Place::Mapper("oidc-usermodel-realm-role-mapper")),
    ("openid_user_client_role_protocol_mapper", Place::Mapper("oidc-usermodel-client-role-mapper")),
    ("openid_user_session_note_protocol_mapper", Place::Mapper("oidc-usersessionmodel-note-mapper")),
    ("openid_sub_protocol_mapper", Place::Mapper("oidc-sub-mapper")),
    ("realm_events", Place::Realm),
    ("authentication_bindings", Place::Realm),
    ("realm_localization", Place::Localization),
    ("saml_client", Place::Client),
    ("saml_client_scope", Place::ClientScope),
    ("saml_user_attribute_protocol_mapper", Place::Mapper("saml-user-attribute-mapper")),
    ("saml_user_property_protocol_mapper", Place::Mapper("saml-user-property-mapper")),
    ("oidc_identity_provider", Place::IdentityProvider),
    ("saml_identity_provider", Place::IdentityProvider),
    ("oidc_google_identity_provider", Place::IdentityProvider),
    ("oidc_facebook_identity_provider", Place::IdentityProvider),
    ("oidc_github_identity_provider", Place::IdentityProvider),
    ("attribute_importer_identity_provider_mapper", Place::ProviderMapper),
    ("attribute_to_role_identity_provider_mapper", Place::ProviderMapper),
    ("hardcoded_attribute_identity_provider_mapper", Place::ProviderMapper),
    ("hardcoded_group_identity_provider_mapper", Place::ProviderMapper),
    ("hardcoded_role_identity_provider_mapper", Place::ProviderMapper),
    ("user_template_importer_identity_provider_mapper", Place::ProviderMapper),
    ("custom_identity_provider_mapper", Place::ProviderMapper),
    ("required_action", Place::RequiredAction),
    ("organization", Place::Organization),
    ("authentication_flow", Place::Flow),
    ("authentication_subflow", Place::Flow),
    ("authentication_execution", Place::Flow),
    ("authentication_execution_config", Place::Flow),
    ("realm_user_profile", Place::UserProfile),
    ("realm_keystore_aes_generated", Place::Key("aes-generated")),
    ("realm_keystore_ecdsa_generated", Place::Key("ecdsa-generated")),
    ("realm_keystore_hmac_generated", Place::Key("hmac-generated")),
    ("realm_keystore_rsa_generated", Place::Key("rsa-generated")),
    ("ldap_user_federation", Place::Federation),
    ("ldap_custom_mapper", Place::FederationMapper("")),
    ("ldap_full_name_mapper", Place::FederationMapper("full-name-ldap-mapper")),
    ("ldap_group_mapper", Place::FederationMapper("group-ldap-mapper")),
    ("ldap_hardcoded_attribute_mapper", Place::FederationMapper("hardcoded-ldap-attribute-mapper")),
    ("ldap_hardcoded_group_mapper", Place::FederationMapper("hardcoded-ldap-group-mapper")),
    ("ldap_hardcoded_role_mapper", Place::FederationMapper("hardcoded-ldap-role-mapper")),
    ("ldap_msad_user_account_control_mapper", Place::FederationMapper("msad-user-account-control-mapper")),
    ("ldap_role_mapper", Place::FederationMapper("role-ldap-mapper")),
    ("ldap_user_attribute_mapper", Place::FederationMapper("user-attribute-ldap-mapper")),
    ("saml_client_default_scopes", Place::Link),
    ("group_roles", Place::Link),
    ("group_memberships", Place::Link),
    ("user_roles", Place::Link),
    ("user_groups", Place::Link),
    ("default_groups", Place::Link),
    ("default_roles", Place::Link),
    ("openid_client_default_scopes", Place::Link),
    ("openid_client_optional_scopes", Place::Link),
    ("realm_default_client_scopes", Place::Link),
    ("realm_optional_client_scopes", Place::Link),
    ("openid_client_service_account_role", Place::Link),
    ("openid_client_service_account_realm_role", Place::Link),
    ("generic_role_mapper", Place::Link),
];
