//! What `terraform show -json` prints of the provider `keycloak/keycloak`, as a declaration: `table` says what becomes of each resource and field.
//! Resources name each other by id, which the file has. Secrets are not copied; what has no place in a declaration is listed.

mod authorization;
mod components;
mod fields;
mod links;
mod parts;
mod rows;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use self::fields::{imply, is_unordered, put, says_nothing, target};
use self::rows::{NOTHING, SECRET};
use self::table::{Place, RESOURCES};
use crate::base::Diagnostic;
use crate::keycloak::{Body, Json};

/// A declaration, and what of the file is not in it.
pub struct Converted {
    pub declaration: Json,
    pub left: Vec<String>,
}

/// Whether it is a state or a plan of Terraform, as JSON.
pub fn is_one(source: &Json) -> bool {
    source.get("format_version").is_some() && (source.get("values").is_some() || source.get("planned_values").is_some())
}

/// The resources of one realm.
///
/// # Errors
/// The file has none of Keycloak, or those of several realms and `realm` names none of them.
pub fn convert(source: &Json, realm: Option<&str>) -> Result<Converted, Diagnostic> {
    let mut all = Vec::new();
    for part in ["/values/root_module", "/planned_values/root_module", "/prior_state/values/root_module"] {
        source.pointer(part).into_iter().for_each(|module| resources(module, &mut all));
    }
    let realms: BTreeSet<&str> = all.iter().filter_map(Resource::realm).collect();
    let names: Vec<&str> = realms.iter().copied().collect();
    let realm = match (realm, names.as_slice()) {
        (Some(wanted), _) if realms.contains(wanted) => wanted,
        (None, [only]) => only,
        (_, []) => return Err(Diagnostic::error("no resource of `keycloak/keycloak` is in the file")),
        _ => {
            let error = Diagnostic::error(format!("the file has the realms {}", names.join(", ")));
            return Err(error.help("name one with `--realm`: a declaration is of one realm"));
        }
    };
    let of_realm = || all.iter().filter(|resource| resource.realm() == Some(realm));
    let mut builder = Builder { known: BTreeMap::new(), ..Builder::default() };
    // Parents of groups come in any order.
    for _ in 0..all.len().min(20) {
        of_realm().for_each(|resource| builder.learn(resource));
    }
    let mut managed: Vec<&Resource> = of_realm().filter(|resource| resource.is_managed).collect();
    // The realm has fields that other resources set too, as its flows: those are the ones meant.
    managed.sort_by_key(|resource| resource.sort != "realm");
    let mut seen = BTreeSet::new();
    for resource in managed.into_iter().filter(|resource| seen.insert(resource.address)) {
        builder.add(resource);
    }
    Ok(builder.finish(realm))
}

/// A resource as Terraform shows it.
struct Resource<'a> {
    address: &'a str,
    /// Its type without `keycloak_`.
    sort: &'a str,
    values: &'a Body,
    sensitive: &'a Json,
    /// Data sources only tell what others point to.
    is_managed: bool,
}

impl<'a> Resource<'a> {
    fn text(&self, field: &str) -> Option<&'a str> {
        self.values.get(field)?.as_str().filter(|text| !text.is_empty())
    }

    /// Half of the provider calls it `realm`, half `realm_id`.
    fn realm(&self) -> Option<&'a str> {
        // Identity providers, their mappers and organizations have it in `realm`, as the realm has its own name.
        self.text("realm_id").or_else(|| self.text("realm"))
    }

    fn texts(&self, field: &str) -> Vec<&'a str> {
        self.values.get(field).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
    }

    /// Fields that are set, those of blocks with the block's name and a dot before theirs.
    fn fields(&self) -> Vec<(String, &'a Json)> {
        let mut out = Vec::new();
        flatten("", self.values, &mut out);
        out
    }
}

fn resources<'a>(module: &'a Json, out: &mut Vec<Resource<'a>>) {
    for resource in module["resources"].as_array().into_iter().flatten() {
        let (Some(sort), Some(address), Some(values)) =
            (resource["type"].as_str(), resource["address"].as_str(), resource["values"].as_object())
        else {
            continue;
        };
        if let Some(sort) = sort.strip_prefix("keycloak_") {
            let is_managed = resource["mode"] != "data";
            out.push(Resource { address, sort, values, sensitive: &resource["sensitive_values"], is_managed });
        }
    }
    module["child_modules"].as_array().into_iter().flatten().for_each(|module| resources(module, out));
}

fn flatten<'a>(prefix: &str, values: &'a Body, out: &mut Vec<(String, &'a Json)>) {
    for (field, value) in values {
        let name = format!("{prefix}{field}");
        let blocks = value.as_array().filter(|items| items.len() == 1).and_then(|items| items[0].as_object());
        match (value, blocks) {
            (Json::Object(inner), _) | (_, Some(inner)) => flatten(&format!("{name}."), inner, out),
            (Json::Null, _) => {}
            (Json::String(text), _) if text.is_empty() => {}
            (Json::Array(items), _) if items.is_empty() => {}
            _ => out.push((name, value)),
        }
    }
}

/// What an id stands for.
#[derive(Clone)]
enum Known {
    Client(String),
    Scope(String),
    /// Of a client, or of the realm.
    Role(Option<String>, String),
    Group(Vec<String>),
    User(String),
    Flow(String),
    Federation(String),
    /// A scope, resource, policy or permission of authorization services.
    Authorization(String),
}

#[derive(Default)]
struct Builder {
    known: BTreeMap<String, Known>,
    realm: Body,
    clients: BTreeMap<String, Body>,
    scopes: BTreeMap<String, Body>,
    roles: BTreeMap<(Option<String>, String), Body>,
    groups: BTreeMap<Vec<String>, Body>,
    users: BTreeMap<String, Body>,
    /// Keys and federations, by provider type and name.
    components: BTreeMap<(&'static str, String), Body>,
    /// The type of each identity provider, by its alias.
    providers: BTreeMap<String, String>,
    /// The aliases of all flows, before they are added.
    aliases: BTreeSet<String>,
    flows: BTreeMap<String, Body>,
    steps: Vec<parts::Step>,
    /// The configurations of steps by the step's id, with the address they have in the file.
    configs: BTreeMap<String, (String, Json)>,
    left: Vec<String>,
}

impl Builder {
    /// Notes what the id of a resource stands for, as far as what it points to is known.
    fn learn(&mut self, resource: &Resource) {
        if let (Some(alias), Some(provider)) = (parts::alias_of(resource), parts::provider_of(resource)) {
            self.providers.insert(alias.to_owned(), provider.to_owned());
        }
        if resource.is_managed && matches!(resource.sort, "authentication_flow" | "authentication_subflow") {
            self.aliases.extend(resource.text("alias").map(str::to_owned));
        }
        let Some(known) = self.named(resource) else { return };
        if let (Known::Client(client), Some(user)) = (&known, resource.text("service_account_user_id")) {
            self.known.insert(user.to_owned(), Known::User(format!("service-account-{client}")));
        }
        if let Some(id) = resource.text("id") {
            self.known.insert(id.to_owned(), known);
        }
    }

    fn named(&self, resource: &Resource) -> Option<Known> {
        let name = || resource.text("name").map(str::to_owned);
        match resource.sort {
            "openid_client" | "saml_client" => Some(Known::Client(resource.text("client_id")?.to_owned())),
            "openid_client_scope" | "saml_client_scope" => Some(Known::Scope(name()?)),
            "user" => Some(Known::User(resource.text("username")?.to_owned())),
            "openid_client_service_account_user" => Some(Known::User(resource.text("username")?.to_owned())),
            sort if authorization::is_part(sort) => Some(Known::Authorization(name()?)),
            "ldap_user_federation" => Some(Known::Federation(name()?)),
            "authentication_flow" => Some(Known::Flow(resource.text("alias")?.to_owned())),
            "role" => match resource.text("client_id") {
                None => Some(Known::Role(None, name()?)),
                Some(id) => match self.known.get(id)? {
                    Known::Client(client) => Some(Known::Role(Some(client.clone()), name()?)),
                    _ => None,
                },
            },
            "group" => match resource.text("parent_id") {
                None => Some(Known::Group(vec![name()?])),
                Some(id) => match self.known.get(id)? {
                    Known::Group(path) => Some(Known::Group(path.iter().cloned().chain([name()?]).collect())),
                    _ => None,
                },
            },
            _ => None,
        }
    }

    fn leave(&mut self, resource: &Resource, why: &str) {
        self.left.push(format!("{}: {why}", resource.address));
    }

    /// What a field of a resource points to.
    fn pointed(&mut self, resource: &Resource, field: &str) -> Option<Known> {
        let id = resource.text(field)?;
        let found = self.known.get(id).cloned();
        if found.is_none() {
            self.leave(resource, &format!("what `{field}` points to is not in the file"));
        }
        found
    }

    fn add(&mut self, resource: &Resource) {
        let Some((_, place)) = RESOURCES.iter().find(|(sort, _)| *sort == resource.sort) else {
            return self.leave(resource, "resources of this type are not known here");
        };
        match place {
            Place::Link => return self.link(resource),
            Place::Flow => return self.flow_part(resource),
            Place::Localization => return self.localization(resource),
            Place::UserProfile => return self.user_profile(resource),
            Place::Authorization => return self.authorization(resource),
            _ => {}
        }
        let mut body = self.body(resource, *place);
        match (place, self.named(resource)) {
            (Place::Realm, _) => self.realm.extend(body),
            (Place::Mapper(provider), _) => {
                if !provider.is_empty() {
                    body.insert("protocolMapper".into(), (*provider).into());
                }
                body.entry("protocol").or_insert(protocol(resource.sort).into());
                self.mapper(resource, body);
            }
            (Place::Client, Some(Known::Client(id))) => {
                body.insert("protocol".into(), protocol(resource.sort).into());
                if let Some(access) = resource.text("access_type") {
                    body.insert("publicClient".into(), (access == "PUBLIC").into());
                    body.insert("bearerOnly".into(), (access == "BEARER-ONLY").into());
                }
                self.overrides(resource, &mut body);
                self.keeps_defaults(resource);
                self.client(&id).extend(body);
            }
            (Place::ClientScope, Some(Known::Scope(name))) => {
                body.insert("protocol".into(), protocol(resource.sort).into());
                self.scope(&name).extend(body);
            }
            (Place::Role, Some(Known::Role(client, name))) => {
                self.composites(resource, &mut body);
                self.roles.entry((client, name)).or_default().extend(body);
            }
            (Place::Group, Some(Known::Group(path))) => self.groups.entry(path).or_default().extend(body),
            (Place::User, Some(Known::User(name))) => self.user(&name).extend(body),
            (Place::IdentityProvider, _) => self.identity_provider(resource, body),
            (Place::ProviderMapper, _) => self.provider_mapper(resource, body),
            (Place::RequiredAction, _) => links::push(&mut self.realm, "requiredActions", body.into()),
            (Place::Organization, _) => self.organization(resource, body),
            (Place::Key(provider), _) => self.key(provider, body),
            (Place::Federation, _) => self.federation(body),
            (Place::FederationMapper(provider), _) => self.federation_mapper(resource, provider, body),
            _ => self.leave(resource, "its name, or what it belongs to, is not in the file"),
        }
    }

    /// The fields of a resource, by the table.
    fn body(&mut self, resource: &Resource, place: Place) -> Body {
        let mut body = Body::new();
        let fields = resource.fields();
        for (field, value) in fields.iter().filter(|(field, value)| !says_nothing(field, value)) {
            if is_unordered(field, value) {
                self.leave(resource, &format!("`{field}` has no order there, and one in Keycloak: it is not copied"));
                continue;
            }
            let sensitive = resource.sensitive.get(field).is_some_and(|mark| *mark == true);
            match target(resource.sort, place, field).filter(|target| target == NOTHING || target == SECRET || !sensitive) {
                Some(target) if target == NOTHING => {}
                Some(target) if target != SECRET => put(&mut body, place, &target, value),
                Some(_) => {
                    self.leave(resource, &format!("`{field}` is secret and is not copied: whatever is there stays, docs/realm.md, secrets"))
                }
                None if sensitive => self.leave(resource, &format!("`{field}` is sensitive and is not copied")),
                None => self.leave(resource, &format!("`{field}` is not known here")),
            }
        }
        imply(&mut body, resource.sort, place, &fields);
        body
    }

    fn client(&mut self, id: &str) -> &mut Body {
        self.clients.entry(id.to_owned()).or_insert_with(|| Body::from_iter([("clientId".to_owned(), id.into())]))
    }

    fn scope(&mut self, name: &str) -> &mut Body {
        self.scopes.entry(name.to_owned()).or_insert_with(|| Body::from_iter([("name".to_owned(), name.into())]))
    }

    fn user(&mut self, name: &str) -> &mut Body {
        self.users.entry(name.to_owned()).or_insert_with(|| Body::from_iter([("username".to_owned(), name.into())]))
    }

    fn finish(mut self, realm: &str) -> Converted {
        self.finish_flows();
        self.finish_components();
        let mut out = Body::from_iter([("realm".to_owned(), Json::from(realm))]);
        out.append(&mut self.realm);
        out.insert("realm".into(), realm.into());
        let (mut of_realm, mut of_clients) = (Vec::new(), BTreeMap::<String, Vec<Json>>::new());
        for ((client, name), mut role) in std::mem::take(&mut self.roles) {
            role.insert("name".into(), name.into());
            match client {
                None => of_realm.push(Json::from(role)),
                Some(client) => of_clients.entry(client).or_default().push(role.into()),
            }
        }
        let list = |bodies: BTreeMap<String, Body>| bodies.into_values().map(Json::from).collect::<Vec<_>>();
        let groups = nested(&self.groups, &[]);
        let sections = [
            ("clientScopes", list(self.scopes).into()),
            ("clients", list(self.clients).into()),
            ("groups", groups),
            ("users", list(self.users).into()),
        ];
        out.extend(sections.into_iter().filter(|(_, list): &(_, Json)| *list != json!([])).map(|(name, list)| (name.to_owned(), list)));
        let roles = [("realm", json!(of_realm)), ("client", json!(of_clients))];
        let roles: Body = roles
            .into_iter()
            .filter(|(_, held)| *held != json!([]) && *held != json!({}))
            .map(|(name, held)| (name.to_owned(), held))
            .collect();
        if !roles.is_empty() {
            out.insert("roles".into(), roles.into());
        }
        Converted { declaration: out.into(), left: self.left }
    }
}

/// The groups below a path, each with those below it; one that only others stand in is there by its name.
fn nested(groups: &BTreeMap<Vec<String>, Body>, above: &[String]) -> Json {
    let below: BTreeSet<&String> = groups.keys().filter(|path| path.starts_with(above)).filter_map(|path| path.get(above.len())).collect();
    let group = |name: &String| {
        let path: Vec<String> = above.iter().chain([name]).cloned().collect();
        let mut body = groups.get(&path).cloned().unwrap_or_default();
        body.insert("name".into(), name.as_str().into());
        let inner = nested(groups, &path);
        if inner != json!([]) {
            body.insert("subGroups".into(), inner);
        }
        Json::from(body)
    };
    below.into_iter().map(group).collect()
}

fn protocol(sort: &str) -> &'static str {
    if sort.starts_with("saml_") { "saml" } else { "openid-connect" }
}
