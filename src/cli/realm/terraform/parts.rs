//! Resources that a declaration has in another shape than Terraform: identity providers with their mappers, flows with their steps, translations,
//! organizations.

use serde_json::json;

use super::fields::text_of;
use super::{Builder, Known, Resource};
use crate::keycloak::{Body, Json};

/// A step of a flow: it has its place among the others by its priority.
pub(super) struct Step {
    parent: String,
    priority: i64,
    /// Its own id, by which a configuration names it.
    id: String,
    body: Body,
}

impl Builder {
    pub(super) fn identity_provider(&mut self, resource: &Resource, mut body: Body) {
        if let Some(provider) = provider_of(resource) {
            body.insert("providerId".into(), provider.into());
        }
        if let Some(alias) = alias_of(resource) {
            body.insert("alias".into(), alias.into());
        }
        super::links::push(&mut self.realm, "identityProviders", body.into());
    }

    /// What type a mapper is, and under which names it keeps what it maps, hangs on the provider that it belongs to.
    pub(super) fn provider_mapper(&mut self, resource: &Resource, mut body: Body) {
        let alias = resource.text("identity_provider_alias").unwrap_or_default();
        let given = resource.text("identity_provider_mapper").map(str::to_owned);
        let Some(provider) = self.providers.get(alias).cloned().or_else(|| given.is_some().then(String::new)) else {
            return self.leave(resource, &format!("the identity provider `{alias}` is not in the file"));
        };
        let protocol = matches!(provider.as_str(), "oidc" | "saml" | "keycloak-oidc");
        let base = if provider == "saml" { "saml" } else { "oidc" };
        let session = resource.values.get("user_session") == Some(&Json::Bool(true));
        let (sort, names): (String, &[(&str, &str)]) = match resource.sort {
            "attribute_importer_identity_provider_mapper" if protocol => (
                format!("{base}-user-attribute-idp-mapper"),
                &[
                    ("user_attribute", "user.attribute"),
                    ("claim_name", "claim"),
                    ("attribute_name", "attribute.name"),
                    ("attribute_friendly_name", "attribute.friendly.name"),
                ],
            ),
            "attribute_importer_identity_provider_mapper" => {
                (format!("{provider}-user-attribute-mapper"), &[("user_attribute", "userAttribute"), ("claim_name", "jsonField")])
            }
            "attribute_to_role_identity_provider_mapper" => (
                format!("{base}-role-idp-mapper"),
                &[
                    ("role", "role"),
                    ("claim_name", "claim"),
                    ("claim_value", "claim.value"),
                    ("attribute_name", "attribute.name"),
                    ("attribute_value", "attribute.value"),
                    ("attribute_friendly_name", "attribute.friendly.name"),
                ],
            ),
            "hardcoded_attribute_identity_provider_mapper" => (
                if session { "hardcoded-user-session-attribute-idp-mapper" } else { "hardcoded-attribute-idp-mapper" }.to_owned(),
                &[("attribute_name", "attribute"), ("attribute_value", "attribute.value")],
            ),
            "hardcoded_role_identity_provider_mapper" => ("oidc-hardcoded-role-idp-mapper".to_owned(), &[("role", "role")]),
            "hardcoded_group_identity_provider_mapper" => ("oidc-hardcoded-group-idp-mapper".to_owned(), &[("group", "group")]),
            "user_template_importer_identity_provider_mapper" => (format!("{base}-username-idp-mapper"), &[("template", "template")]),
            _ => (given.unwrap_or_default(), &[]),
        };
        let config = body.entry("config").or_insert_with(|| json!({}));
        for (field, key) in names {
            if let (Some(text), Some(map)) = (resource.text(field), config.as_object_mut()) {
                map.insert((*key).to_owned(), text.into());
            }
        }
        body.insert("identityProviderMapper".into(), sort.into());
        body.insert("identityProviderAlias".into(), alias.into());
        super::links::push(&mut self.realm, "identityProviderMappers", body.into());
    }

    pub(super) fn organization(&mut self, resource: &Resource, mut body: Body) {
        let domains = resource.values.get("domain").and_then(Json::as_array);
        let domain = |block: &Json| json!({"name": block["name"], "verified": block["verified"]});
        body.insert("domains".into(), domains.into_iter().flatten().map(domain).collect());
        super::links::push(&mut self.realm, "organizations", body.into());
    }

    pub(super) fn localization(&mut self, resource: &Resource) {
        let texts = resource.values.get("texts").cloned().unwrap_or_else(|| json!({}));
        let all = self.realm.entry("localizationTexts").or_insert_with(|| json!({}));
        if let (Some(all), Some(locale)) = (all.as_object_mut(), resource.text("locale")) {
            all.insert(locale.to_owned(), texts);
        }
    }

    pub(super) fn flow_part(&mut self, resource: &Resource) {
        let flow = |top: bool| {
            let provider = resource.text("provider_id").unwrap_or("basic-flow");
            let mut body = Body::from_iter([("providerId".to_owned(), provider.into()), ("topLevel".to_owned(), top.into())]);
            body.extend(resource.text("description").map(|text| ("description".to_owned(), text.into())));
            body
        };
        let alias = resource.text("alias").unwrap_or_default().to_owned();
        match resource.sort {
            "authentication_flow" => drop(self.flows.insert(alias, flow(true))),
            "authentication_subflow" => {
                self.flows.insert(alias.clone(), flow(false));
                let mut step = json!({"authenticatorFlow": true, "flowAlias": alias});
                if let (Some(name), Some(step)) = (resource.text("authenticator"), step.as_object_mut()) {
                    step.insert("authenticator".into(), name.into());
                }
                self.step(resource, step);
            }
            "authentication_execution" => {
                let step = json!({"authenticatorFlow": false, "authenticator": resource.text("authenticator")});
                self.step(resource, step);
            }
            _ => {
                let config = resource.values.get("config").and_then(Json::as_object);
                let texts = config.into_iter().flatten().map(|(key, value)| (key.clone(), Json::from(text_of(value)))).collect::<Body>();
                let owner = resource.text("execution_id").unwrap_or_default().to_owned();
                self.configs.insert(owner, (resource.address.to_owned(), json!({"alias": alias, "config": texts})));
            }
        }
    }

    fn step(&mut self, resource: &Resource, mut body: Json) {
        body["requirement"] = resource.text("requirement").unwrap_or("DISABLED").into();
        let Json::Object(body) = body else { return };
        let parent = resource.text("parent_flow_alias").unwrap_or_default().to_owned();
        let managed = self.aliases.contains(&parent);
        if !managed {
            return self.leave(resource, &format!("its flow `{parent}` is not in the file"));
        }
        let priority = resource.values.get("priority").and_then(Json::as_i64).unwrap_or_default();
        self.steps.push(Step { parent, priority, id: resource.text("id").unwrap_or_default().to_owned(), body });
    }

    /// The flows as an export has them: each with its steps in order, the configurations beside them.
    pub(super) fn finish_flows(&mut self) {
        let mut steps = std::mem::take(&mut self.steps);
        steps.sort_by_key(|step| step.priority);
        let mut held = Vec::new();
        for step in &mut steps {
            if let Some((_, config)) = self.configs.remove(&step.id) {
                step.body.insert("authenticatorConfig".into(), config["alias"].clone());
                held.push(config);
            }
        }
        for (address, _) in std::mem::take(&mut self.configs).into_values() {
            self.left.push(format!("{address}: the step it configures is not in the file"));
        }
        let mut flows = Vec::new();
        for (alias, mut flow) in std::mem::take(&mut self.flows) {
            let own: Vec<&Body> = steps.iter().filter(|step| step.parent == alias).map(|step| &step.body).collect();
            flow.insert("authenticationExecutions".into(), json!(own));
            flow.insert("alias".into(), alias.into());
            flows.push(Json::from(flow));
        }
        for (section, list) in [("authenticationFlows", flows), ("authenticatorConfig", held)] {
            if !list.is_empty() {
                self.realm.insert(section.into(), list.into());
            }
        }
    }

    /// The flows of a client's own, by alias.
    pub(super) fn overrides(&mut self, resource: &Resource, body: &mut Body) {
        let block = resource.values.get("authentication_flow_binding_overrides").and_then(|blocks| blocks.get(0));
        let mut flows = Body::new();
        for (field, binding) in [("browser_id", "browser"), ("direct_grant_id", "direct_grant")] {
            let Some(id) = block.and_then(|block| block[field].as_str()).filter(|id| !id.is_empty()) else { continue };
            match self.known.get(id) {
                Some(Known::Flow(alias)) => drop(flows.insert(binding.to_owned(), alias.as_str().into())),
                _ => self.leave(resource, &format!("the flow of `authentication_flow_binding_overrides.{field}` is not in the file")),
            }
        }
        if !flows.is_empty() {
            body.insert("authenticationFlowBindingOverrides".into(), flows.into());
        }
    }
}

/// The alias of an identity provider; those of one vendor have that vendor's when none is given.
pub(super) fn alias_of<'a>(resource: &Resource<'a>) -> Option<&'a str> {
    resource.text("alias").or_else(|| provider_of(resource))
}

pub(super) fn provider_of<'a>(resource: &Resource<'a>) -> Option<&'a str> {
    let sort = resource.sort.strip_suffix("_identity_provider")?;
    resource.text("provider_id").or_else(|| Some(sort.strip_prefix("oidc_").unwrap_or(sort)))
}
