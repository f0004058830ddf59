//! Names that change: a group or a flow that is declared under another path or alias than it has keeps its id, its members and whoever is
//! bound to it. What was read is given the new names before it is compared, so the change of name is all that a plan shows of it.

use super::declaration::Declaration;
use super::error::{Error, Result};
use super::kind::Kind;
use super::model::{Key, Model, Name};
use super::{Body, Json};

/// Something that is to have another name.
#[derive(Clone, PartialEq, Debug)]
pub struct Move {
    pub kind: Kind,
    pub from: Key,
    pub to: Key,
}

impl Move {
    /// How the kind writes its keys: a path, an alias.
    fn shown(&self, key: &Key) -> String {
        if self.kind == Kind::Group { key.to_path() } else { key.name().to_owned() }
    }

    pub fn old_name(&self) -> String {
        self.shown(&self.from)
    }

    pub fn new_name(&self) -> String {
        self.shown(&self.to)
    }
}

/// Reads `hostler.moved`: for each section, old names and new ones.
pub fn declared(settings: &Json, problems: &mut Vec<String>) -> Vec<Move> {
    let mut moves = Vec::new();
    for (section, names) in settings.as_object().into_iter().flatten() {
        let kind = match section.as_str() {
            "groups" => Kind::Group,
            "authenticationFlows" => Kind::Flow,
            _ => {
                problems.push(format!("`hostler.moved` has no section `{section}`: it has `groups` and `authenticationFlows`"));
                continue;
            }
        };
        let key = |name: &str| if kind == Kind::Group { Key::from_path(name) } else { Key::of([name]) };
        for (from, to) in names.as_object().into_iter().flatten() {
            match to.as_str() {
                Some(to) => moves.push(Move { kind, from: key(from), to: key(to) }),
                None => problems.push(format!("`hostler.moved.{section}.{from}` must be the new name")),
            }
        }
    }
    moves
}

/// Gives what was read its new names, wherever they stand.
///
/// # Errors
/// When both the old and the new one are there: which of them is meant is not for us to say.
pub fn follow(declaration: &Declaration, model: &mut Model) -> Result<()> {
    for moved in &declaration.moved {
        if model.get(moved.kind, &moved.from).is_none() {
            continue;
        }
        if model.get(moved.kind, &moved.to).is_some() {
            let (old, new) = (Name::new(moved.kind, moved.from.clone()), Name::new(moved.kind, moved.to.clone()));
            return Err(Error::Refused(format!(
                "{old} cannot become {new}: both are there; delete one of them, or drop it from `hostler.moved`"
            )));
        }
        *model = rekeyed(std::mem::take(model), moved);
        model.moved.push(moved.clone());
    }
    Ok(())
}

fn rekeyed(model: Model, moved: &Move) -> Model {
    let mut out = Model::default();
    (out.version, out.orphans, out.moved) = (model.version.clone(), model.orphans.clone(), model.moved.clone());
    for (mut name, mut object) in model.into_objects() {
        if name.kind == moved.kind && name.key.0.starts_with(&moved.from.0) {
            name.key = Key([&moved.to.0[..], &name.key.0[moved.from.depth()..]].concat());
            if name.key == moved.to {
                object.body.insert(moved.kind.spec().key_field.into(), moved.to.name().into());
            }
        }
        refer(&name, &mut object.body, moved);
        out.insert(name, object);
    }
    out
}

/// Fields of other objects that speak of it.
fn refer(name: &Name, body: &mut Body, moved: &Move) {
    let (old, new) = (moved.old_name(), moved.new_name());
    let is_group = moved.kind == Kind::Group;
    let fields: &[&str] = match (name.kind, is_group) {
        (Kind::User | Kind::DefaultGroups, true) => &["groups"],
        (Kind::IdentityProviderMapper | Kind::AuthorizationPolicy, true) => &["config"],
        (Kind::Client, false) => &["authenticationFlowBindingOverrides"],
        (Kind::IdentityProvider, false) => &["firstBrokerLoginFlowAlias", "postBrokerLoginFlowAlias"],
        (Kind::Bindings, false) => return body.values_mut().for_each(|value| replace(value, &old, &new, false)),
        _ => return,
    };
    for field in fields {
        if let Some(value) = body.get_mut(*field) {
            replace(value, &old, &new, is_group);
        }
    }
}

/// Texts that are the old name, and with `paths` those that lie below it, also in JSON that is kept as text.
fn replace(value: &mut Json, old: &str, new: &str, paths: bool) {
    match value {
        Json::String(text) if text == old => *text = new.to_owned(),
        Json::String(text) if paths && text.starts_with(&format!("{old}/")) => text.replace_range(..old.len(), new),
        Json::String(text) if paths && text.starts_with('[') => {
            if let Ok(mut inner) = serde_json::from_str::<Json>(text) {
                replace(&mut inner, old, new, paths);
                *text = inner.to_string();
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| replace(item, old, new, paths)),
        Json::Object(map) => map.values_mut().for_each(|inner| replace(inner, old, new, paths)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keycloak::flatten;

    fn followed(live: Json, moved: Json) -> Result<Model> {
        let declared =
            json!({"realm": "staff", "groups": [{"name": "New", "subGroups": [{"name": "B"}]}], "hostler": {"moved": {"groups": moved}}});
        let declaration = Declaration::parse(&declared)?;
        let mut model = flatten::live(live.as_object().expect("a mapping"));
        follow(&declaration, &mut model).map(|()| model)
    }

    #[test]
    fn what_lies_in_a_moved_group_and_what_speaks_of_it_goes_with_it() {
        let live = json!({
            "groups": [{"id": "1", "name": "Old", "subGroups": [{"id": "2", "name": "A"}]}, {"name": "Older"}],
            "defaultGroups": ["/Old/A", "/Older"],
            "users": [{"username": "ann", "groups": ["/Old"]}],
        });
        let model = followed(live, json!({"/Old": "/New/B"})).expect("it is right");
        assert_eq!(model.get(Kind::Group, &Key::of(["New", "B", "A"])).and_then(|group| group.id.clone()).as_deref(), Some("2"));
        assert_eq!(model.get(Kind::Group, &Key::of(["New", "B"])).expect("is there").body["name"], "B");
        assert_eq!(model.get(Kind::DefaultGroups, &Key::default()).expect("is there").body["groups"], json!(["/New/B/A", "/Older"]));
        assert_eq!(model.get(Kind::User, &Key::of(["ann"])).expect("is there").body["groups"], json!(["/New/B"]));
    }

    #[test]
    fn a_move_onto_something_is_refused_and_one_that_is_done_is_nothing() {
        let both = followed(json!({"groups": [{"name": "Old"}, {"name": "New"}]}), json!({"/Old": "/New"}));
        assert!(both.map(|_| ()).expect_err("both are there").to_string().contains("group /Old cannot become group /New"));
        let done = followed(json!({"groups": [{"name": "New"}]}), json!({"/Old": "/New"})).expect("it is right");
        assert!(done.moved.is_empty());
        let nowhere = followed(json!({}), json!({"/Old": "/Gone"})).map(|_| ()).expect_err("nobody declares it").to_string();
        assert!(nowhere.contains("group /Gone, to which /Old is moved, is not declared"), "{nowhere}");
    }
}
