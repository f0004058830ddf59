//! Where in the file a mistake stands. The model has no places: it is cut from plain data. A mistake begins with the name of its object, and
//! the object's node is found again by that name.

use crate::base::{Diagnostic, Node, Span};

/// An object of the declaration, by the name that mistakes and plans give it.
struct Named<'n> {
    name: String,
    node: &'n Node,
}

/// Mistakes with their places, in the order of the file.
pub fn problems(node: &Node, problems: Vec<String>) -> Vec<Diagnostic> {
    let objects = objects(node);
    let mut found: Vec<(Span, Diagnostic)> = problems
        .into_iter()
        .map(|problem| {
            let span = place(node, &objects, &problem);
            (span.clone(), Diagnostic::error(problem).at(&span))
        })
        .collect();
    found.sort_by_key(|(span, _)| (span.line, span.column));
    found.into_iter().map(|(_, diagnostic)| diagnostic).collect()
}

/// The same for what is odd and no mistake.
pub fn warnings(node: &Node, warnings: &[String]) -> Vec<Diagnostic> {
    problems(node, warnings.to_vec()).into_iter().map(Diagnostic::as_warning).collect()
}

fn place(node: &Node, objects: &[Named<'_>], problem: &str) -> Span {
    let names = |named: &&Named<'_>| problem.strip_prefix(&named.name).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ':']));
    let all: Vec<&Named<'_>> = objects.iter().filter(names).collect();
    let longest = all.iter().map(|named| named.name.len()).max().unwrap_or(0);
    let mut same = all.into_iter().filter(|named| named.name.len() == longest);
    let first = same.next();
    // What is declared twice is wrong the second time.
    let owner = if problem.ends_with("declared twice") { same.next().or(first) } else { first };
    let within = owner.map_or(node, |named| named.node);
    quoted(problem).into_iter().find_map(|word| find(within, word)).unwrap_or_else(|| own(within))
}

/// A mapping begins at its first entry.
fn own(node: &Node) -> Span {
    node.as_map().and_then(|entries| entries.first()).map_or_else(|| node.span.clone(), |(key, _)| key.span.clone())
}

/// What stands in backticks, in order.
fn quoted(problem: &str) -> Vec<&str> {
    problem.split('`').skip(1).step_by(2).map(|word| word.rsplit('.').next().unwrap_or(word)).collect()
}

/// A key or a value of this text, the nearest to the top.
fn find(node: &Node, word: &str) -> Option<Span> {
    let mut level = vec![node];
    for _ in 0..6 {
        let mut next = Vec::new();
        for node in level {
            for (key, value) in node.as_map().unwrap_or_default() {
                if key.as_str() == Some(word) {
                    return Some(key.span.clone());
                }
                next.push(value);
            }
            next.extend(node.as_seq().unwrap_or_default());
        }
        if let Some(found) = next.iter().find(|value| value.as_str() == Some(word)) {
            return Some(found.span.clone());
        }
        level = next;
    }
    None
}

fn objects(node: &Node) -> Vec<Named<'_>> {
    let mut out = Vec::new();
    let lists = [
        ("authenticationFlows", "alias", "flow"),
        ("requiredActions", "alias", "required action"),
        ("identityProviders", "alias", "identity provider"),
        ("organizations", "alias", "organization"),
        ("workflows", "name", "workflow"),
        ("users", "username", "user"),
    ];
    for (section, key, noun) in lists {
        listed(node.get(section), key, noun, "", &mut out);
    }
    for (section, key, noun) in [("clients", "clientId", "client"), ("clientScopes", "name", "client scope")] {
        listed(node.get(section), key, noun, "", &mut out);
        for owner in items(node.get(section)) {
            inside(owner, key, &mut out);
        }
    }
    if let Some(roles) = node.get("roles") {
        listed(roles.get("realm"), "name", "role", "", &mut out);
        for (client, roles) in roles.get("client").and_then(Node::as_map).unwrap_or_default() {
            listed(Some(roles), "name", "client role", client.as_str().unwrap_or_default(), &mut out);
        }
    }
    for mapper in items(node.get("identityProviderMappers")) {
        let owner = mapper.get("identityProviderAlias").and_then(Node::as_str).unwrap_or_default();
        named(mapper, "name", "identity provider mapper", owner, &mut out);
    }
    for (sort, list) in node.get("components").and_then(Node::as_map).unwrap_or_default() {
        listed(Some(list), "name", "component", sort.as_str().unwrap_or_default(), &mut out);
    }
    groups(node.get("groups"), "", &mut out);
    if let Some(settings) = node.get("hostler") {
        shorthand(settings, &mut out);
    }
    out
}

/// Teams and pools, which stand in mappings.
fn shorthand<'n>(settings: &'n Node, out: &mut Vec<Named<'n>>) {
    let entries = |node: Option<&'n Node>| node.and_then(Node::as_map).unwrap_or_default().iter();
    let name = |key: &'n Node| key.as_str().unwrap_or_default();
    for (key, organization) in entries(settings.get("teams")) {
        out.push(Named { name: format!("teams of {}", name(key)), node: organization });
        for (team, body) in entries(organization.get("teams")) {
            // One without anything else to say is found by its name.
            let node = if body.as_map().is_some_and(|entries| !entries.is_empty()) { body } else { team };
            out.push(Named { name: format!("team /{}/{}", name(key), name(team)), node });
        }
    }
    for (key, _) in entries(settings.get("pools").and_then(|pools| pools.get("groups"))) {
        out.push(Named { name: format!("pool group {}", name(key)), node: key });
    }
}

fn items(node: Option<&Node>) -> &[Node] {
    node.and_then(Node::as_seq).unwrap_or_default()
}

fn listed<'n>(list: Option<&'n Node>, key: &str, noun: &str, owner: &str, out: &mut Vec<Named<'n>>) {
    for item in items(list) {
        named(item, key, noun, owner, out);
    }
}

fn named<'n>(item: &'n Node, key: &str, noun: &str, owner: &str, out: &mut Vec<Named<'n>>) {
    let Some(name) = item.get(key).and_then(Node::as_str) else { return };
    let owner = if owner.is_empty() { String::new() } else { format!("{owner}/") };
    out.push(Named { name: format!("{noun} {owner}{name}"), node: item });
}

/// What lives in a client or a client scope.
fn inside<'n>(owner: &'n Node, key: &str, out: &mut Vec<Named<'n>>) {
    let Some(name) = owner.get(key).and_then(Node::as_str) else { return };
    listed(owner.get("protocolMappers"), "name", "mapper", name, out);
    let Some(services) = owner.get("authorizationSettings") else { return };
    out.push(Named { name: format!("authorization settings {name}"), node: services });
    for (section, noun) in
        [("scopes", "authorization scope"), ("resources", "authorization resource"), ("policies", "authorization policy")]
    {
        listed(services.get(section), "name", noun, name, out);
    }
}

fn groups<'n>(list: Option<&'n Node>, above: &str, out: &mut Vec<Named<'n>>) {
    for group in items(list) {
        let Some(name) = group.get("name").and_then(Node::as_str) else { continue };
        let path = format!("{above}/{name}");
        out.push(Named { name: format!("group {path}"), node: group });
        groups(group.get("subGroups"), &path, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keycloak::{Declaration, Error};
    use crate::yaml;

    fn shown(text: &str) -> Vec<String> {
        let (node, _) = yaml::load_one(text, "staff.yml").expect("it is YAML");
        let Err(Error::Declaration { problems: found, .. }) = Declaration::parse(&node.to_value().to_json()) else { panic!("it is right") };
        problems(&node, found).iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn mistakes_in_teams_and_pools_are_shown_where_they_stand() {
        let text = "realm: staff\nhostler:\n  teams:\n    Acme:\n      teams:\n        manager:\n        Radar: {role: []}\n  pools:\n    clients: [a, b]\n    groups:\n      team-a: [team-b-h100]\nusers:\n- username: ann\n  groups: [/Acme/Radar/collaborator, /Acme/Radar/developer]\n";
        let found = shown(text);
        let places: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap_or_default()).collect();
        assert_eq!(places, ["staff.yml:6:9", "staff.yml:7:17", "staff.yml:11:7", "staff.yml:14:12"], "{found:#?}");
    }

    #[test]
    fn every_mistake_is_shown_where_it_stands() {
        let text = "realm: staff\ndisplayNam: x\nclients:\n- clientId: app\n  redirectUri: []\n- clientId: api\n  publicClient: true\n  secret: x\ngroups:\n- name: a\n- name: b\n  subGroups:\n  - name: c\n  - name: c\nusers: {}\n";
        let found = shown(text);
        let places: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap_or_default()).collect();
        assert_eq!(places, ["staff.yml:2:1", "staff.yml:5:3", "staff.yml:6:3", "staff.yml:14:5", "staff.yml:15:1"], "{found:#?}");
    }
}
