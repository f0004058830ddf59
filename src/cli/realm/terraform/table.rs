//! What becomes of each resource of the provider `keycloak/keycloak`, and of those of its fields whose name does not tell: others are Keycloak's
//! own names written with underscores.

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
    /// It ties things together that are declared elsewhere: see `links`.
    Link,
}

impl Place {
    /// The kind whose fields it has.
    pub fn kind(self) -> Kind {
        match self {
            Place::Realm | Place::Link => Kind::Realm,
            Place::Client => Kind::Client,
            Place::ClientScope => Kind::ClientScope,
            Place::Role => Kind::RealmRole,
            Place::Group => Kind::Group,
            Place::User => Kind::User,
            Place::Mapper(_) => Kind::ClientMapper,
        }
    }
}

/// The resources, without their `keycloak_`.
pub const RESOURCES: [(&str, Place); 32] = [
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

/// A secret: it is not copied, and whatever is there stays.
pub const SECRET: &str = "(secret)";
/// Told elsewhere, or Terraform's own.
pub const NOTHING: &str = "-";

/// Fields by resource: a path of the representation, whose first part may be a map. The blocks of a resource are in the name, with dots; a name
/// that ends in a dot is the block.
pub const FIELDS: [(&str, &str, &str); 62] = [
    ("", "id", NOTHING),
    ("", "realm_id", NOTHING),
    ("", "import", NOTHING),
    ("", "extra_config.", "attributes/"),
    ("", "attributes.", "attributes/"),
    ("realm", "internal_id", NOTHING),
    ("realm", "terraform_deletion_protection", NOTHING),
    ("realm", "user_managed_access", "userManagedAccessAllowed"),
    ("realm", "oauth2_device_code_lifespan", "oauth2DeviceCodeLifespan"),
    ("realm", "default_default_client_scopes", "defaultDefaultClientScopes"),
    ("realm", "default_optional_client_scopes", "defaultOptionalClientScopes"),
    ("realm", "internationalization.supported_locales", "supportedLocales"),
    ("realm", "internationalization.default_locale", "defaultLocale"),
    ("realm", "smtp_server.auth.username", "smtpServer/user"),
    ("realm", "smtp_server.auth.password", SECRET),
    ("realm", "smtp_server.", "smtpServer/"),
    ("realm", "security_defenses.headers.x_xss_protection", "browserSecurityHeaders/xXSSProtection"),
    ("realm", "security_defenses.headers.", "browserSecurityHeaders/"),
    ("realm", "security_defenses.brute_force_detection.max_login_failures", "failureFactor"),
    ("realm", "security_defenses.brute_force_detection.failure_reset_time_seconds", "maxDeltaTimeSeconds"),
    ("realm", "security_defenses.brute_force_detection.", ""),
    ("openid_client", "resource_server_id", NOTHING),
    ("openid_client", "service_account_user_id", NOTHING),
    ("openid_client", "access_type", NOTHING),
    ("openid_client", "client_secret", SECRET),
    ("openid_client", "valid_redirect_uris", "redirectUris"),
    ("openid_client", "valid_post_logout_redirect_uris", "attributes/post.logout.redirect.uris"),
    ("openid_client", "frontchannel_logout_enabled", "frontchannelLogout"),
    ("openid_client", "frontchannel_logout_url", "attributes/frontchannel.logout.url"),
    ("openid_client", "pkce_code_challenge_method", "attributes/pkce.code.challenge.method"),
    ("openid_client", "access_token_lifespan", "attributes/access.token.lifespan"),
    ("openid_client", "client_session_idle_timeout", "attributes/client.session.idle.timeout"),
    ("openid_client", "client_session_max_lifespan", "attributes/client.session.max.lifespan"),
    ("openid_client", "client_offline_session_idle_timeout", "attributes/client.offline.session.idle.timeout"),
    ("openid_client", "client_offline_session_max_lifespan", "attributes/client.offline.session.max.lifespan"),
    ("openid_client", "login_theme", "attributes/login_theme"),
    ("openid_client", "exclude_session_state_from_auth_response", "attributes/exclude.session.state.from.auth.response"),
    ("openid_client", "use_refresh_tokens", "attributes/use.refresh.tokens"),
    ("openid_client", "use_refresh_tokens_client_credentials", "attributes/client_credentials.use_refresh_token"),
    ("openid_client", "oauth2_device_authorization_grant_enabled", "attributes/oauth2.device.authorization.grant.enabled"),
    ("openid_client", "oauth2_device_code_lifespan", "attributes/oauth2.device.code.lifespan"),
    ("openid_client", "oauth2_device_polling_interval", "attributes/oauth2.device.polling.interval"),
    ("openid_client", "display_on_consent_screen", "attributes/display.on.consent.screen"),
    ("openid_client", "consent_screen_text", "attributes/consent.screen.text"),
    ("openid_client", "backchannel_logout_url", "attributes/backchannel.logout.url"),
    ("openid_client", "backchannel_logout_session_required", "attributes/backchannel.logout.session.required"),
    ("openid_client", "backchannel_logout_revoke_offline_sessions", "attributes/backchannel.logout.revoke.offline.tokens"),
    ("openid_client_scope", "consent_screen_text", "attributes/consent.screen.text"),
    ("openid_client_scope", "include_in_token_scope", "attributes/include.in.token.scope"),
    ("openid_client_scope", "gui_order", "attributes/gui.order"),
    ("role", "client_id", NOTHING),
    ("role", "composite_roles", NOTHING),
    ("group", "parent_id", NOTHING),
    ("group", "path", NOTHING),
    ("user", "initial_password.value", SECRET),
    ("user", "initial_password.temporary", NOTHING),
    ("mapper", "client_id", NOTHING),
    ("mapper", "client_scope_id", NOTHING),
    ("mapper", "config.", "config/"),
    ("mapper", "protocol", "protocol"),
    ("mapper", "protocol_mapper", "protocolMapper"),
    ("mapper", "role_id", NOTHING),
];

/// Fields of mappers, in the words of their configuration.
pub const MAPPER_CONFIG: [(&str, &str); 19] = [
    ("claim_name", "claim.name"),
    ("claim_value", "claim.value"),
    ("claim_value_type", "jsonType.label"),
    ("multivalued", "multivalued"),
    ("aggregate_attributes", "aggregate.attrs"),
    ("full_path", "full.path"),
    ("user_attribute", "user.attribute"),
    ("user_property", "user.attribute"),
    ("session_note", "user.session.note"),
    ("included_client_audience", "included.client.audience"),
    ("included_custom_audience", "included.custom.audience"),
    ("realm_role_prefix", "usermodel.realmRoleMapping.rolePrefix"),
    ("client_role_prefix", "usermodel.clientRoleMapping.rolePrefix"),
    ("client_id_for_role_mappings", "usermodel.clientRoleMapping.clientId"),
    ("add_to_id_token", "id.token.claim"),
    ("add_to_access_token", "access.token.claim"),
    ("add_to_userinfo", "userinfo.token.claim"),
    ("add_to_token_introspection", "introspection.token.claim"),
    ("add_to_lightweight_claim", "lightweight.claim"),
];
