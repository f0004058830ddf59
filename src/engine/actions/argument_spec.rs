//! `validate_argument_spec`: variables against the spec of a role's entry point.

use crate::base::{Map, Value};
use crate::engine::call::Call;
use crate::engine::outcome::Outcome;
use crate::modules::FromArg;
use crate::modules::coerce::truth;
use crate::template::{OMIT, Variable, Variables};

/// Checks what the variables say, and what the role was given, against `argument_spec`.
pub fn validate(call: &Call<'_>) -> Outcome {
    let Some(Value::Map(specs)) = call.args.get("argument_spec") else {
        return call.wrong("argument_spec", "`argument_spec` is a mapping of options and what they must be");
    };
    let mut given = Map::new();
    for name in specs.keys().map(ToString::to_string) {
        match variable(call, &name) {
            Ok(Some(value)) => drop(given.insert(name, value)),
            Ok(None) => {}
            Err(outcome) => return *outcome,
        }
    }
    if let Some(Value::Map(provided)) = call.args.get("provided_arguments") {
        given.extend(provided);
    }
    let context = call.args.get("validate_args_context").cloned().unwrap_or_else(|| Value::Map(Map::new().into()));
    let mut errors = Vec::new();
    check_all(specs, &given, "", &mut errors);
    if errors.is_empty() {
        return Outcome::message("The arg spec validation passed").with("validate_args_context", context);
    }
    Outcome::failed(format!("Validation of arguments failed:\n{}", errors.join("\n")))
        .with("argument_spec_data", Value::Map(specs.clone()))
        .with("argument_errors", Value::list(errors))
        .with("validate_args_context", context)
}

fn variable(call: &Call<'_>, name: &str) -> Result<Option<Value>, Box<Outcome>> {
    let value = match call.scope.get(name) {
        Some(Variable::Value(value)) => value,
        Some(Variable::Source(node)) => match call.run.templar.render(&node, &call.context) {
            Ok(value) => value,
            Err(error) => return Err(Box::new(Outcome::error(error.into()))),
        },
        Some(Variable::Scope(_)) | None => return Ok(None),
    };
    Ok((value.as_str() != Some(OMIT)).then_some(value))
}

fn check_all(specs: &Map, given: &Map, within: &str, errors: &mut Vec<String>) {
    let mut missing = Vec::new();
    for (name, spec) in specs.iter() {
        let name = name.to_string();
        let Value::Map(spec) = spec else { continue };
        let aliases: Vec<String> = spec.get("aliases").and_then(Value::as_list).unwrap_or_default().iter().map(Value::to_text).collect();
        let value = std::iter::once(&name).chain(&aliases).find_map(|known| given.get(known));
        match value {
            // Null is as good as nothing, but not where a value is asked for.
            Some(Value::Null) if spec.get("required").and_then(truth) != Some(true) => {}
            None if spec.get("required").and_then(truth) == Some(true) => missing.push(name),
            None => {}
            Some(value) => check_one(&name, spec, value, within, errors),
        }
    }
    missing.sort();
    if !missing.is_empty() {
        errors.insert(0, format!("missing required arguments: {}{}", missing.join(", "), found_in(within)));
    }
}

/// Where an option of options stands, which is told after what is wrong.
fn found_in(within: &str) -> String {
    if within.is_empty() { String::new() } else { format!(" found in {}", within.replace('.', " -> ")) }
}

fn check_one(name: &str, spec: &Map, value: &Value, within: &str, errors: &mut Vec<String>) {
    let place = if within.is_empty() { name.to_owned() } else { format!("{within}.{name}") };
    let found = found_in(within);
    let kind = spec.text("type").unwrap_or("str");
    if !is_a(kind, value) {
        errors.push(format!(
            "argument '{name}' is of type {} and we were unable to convert to {kind}{found}: {} cannot be converted to {}",
            value.type_name(),
            unconvertible(kind, value),
            with_article(kind)
        ));
        return;
    }
    check_choices(name, spec, value, &found, errors);
    if kind == "list"
        && let (Some(element), Some(items)) = (spec.text("elements"), value.as_list())
    {
        for item in items.iter().filter(|item| !is_a(element, item)) {
            errors.push(format!(
                "Elements value for option '{name}'{found} is of type {} and we were unable to convert to {element}: {} cannot be converted to {}",
                item.type_name(),
                item.to_repr(),
                with_article(element)
            ));
        }
    }
    let Some(Value::Map(inner)) = spec.get("options") else { return };
    let maps = match value {
        Value::List(items) => items.iter().filter_map(Value::as_map).collect(),
        other => other.as_map().into_iter().collect::<Vec<_>>(),
    };
    for map in maps {
        let unknown: Vec<String> = map.keys().map(ToString::to_string).filter(|key| !is_named(inner, key)).collect();
        if !unknown.is_empty() {
            let supported = inner.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let unknown = unknown.iter().map(|key| format!("{place}.{key}")).collect::<Vec<_>>().join(", ");
            errors.push(format!("{unknown}. Supported parameters include: {supported}."));
        }
        check_all(inner, map, &place, errors);
    }
}

fn is_named(specs: &Map, key: &str) -> bool {
    let is_alias =
        |spec: &Value| spec.get("aliases").and_then(Value::as_list).unwrap_or_default().iter().any(|alias| alias.as_str() == Some(key));
    specs.contains_key(key) || specs.values().any(is_alias)
}

fn check_choices(name: &str, spec: &Map, value: &Value, found: &str, errors: &mut Vec<String>) {
    let Some(choices) = spec.get("choices").and_then(Value::as_list) else { return };
    let texts: Vec<String> = choices.iter().map(Value::to_text).collect();
    let values: Vec<&Value> = value.as_list().map_or_else(|| vec![value], |items| items.iter().collect());
    let wrong: Vec<String> = values.iter().map(|value| value.to_text()).filter(|text| !texts.contains(text)).collect();
    if !wrong.is_empty() {
        let one = if value.as_list().is_some() { "one or more of" } else { "one of" };
        errors.push(format!("value of {name} must be {one}: {}, got: {}{found}", texts.join(", "), wrong.join(", ")));
    }
}

/// A value as ansible-core names it when it fits no type: null by its class, or as the text that a number was tried from.
fn unconvertible(kind: &str, value: &Value) -> String {
    match (value, kind) {
        (Value::Null, "int") => "\"None\"".into(),
        (Value::Null, _) => "<class 'NoneType'>".into(),
        _ => value.to_repr(),
    }
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// Whether a value is of this type, or becomes one as Ansible's options do.
fn is_a(kind: &str, value: &Value) -> bool {
    let is_plain = !matches!(value, Value::List(_) | Value::Map(_));
    match kind {
        "bool" => truth(value).is_some(),
        "int" => i64::from_arg(value).is_ok(),
        "float" => value.to_text().trim().parse::<f64>().is_ok(),
        "dict" => value.as_map().is_some() || value.as_str().is_some_and(|text| text.contains('=') || text.trim_start().starts_with('{')),
        "list" => value.as_list().is_some() || (value.as_map().is_none() && !value.is_null()),
        "path" | "bytes" | "bits" => is_plain,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(specs: &str, given: &str) -> Vec<String> {
        let map = |text: &str| match crate::yaml::load_one(text, "<test>").expect("is YAML").0.to_value() {
            Value::Map(map) => map.as_ref().clone(),
            _ => Map::new(),
        };
        let mut errors = Vec::new();
        check_all(&map(specs), &map(given), "", &mut errors);
        errors
    }

    #[test]
    fn what_is_missing_or_of_the_wrong_kind_is_named() {
        assert_eq!(errors("{port: {type: int, required: true}}", "{}"), ["missing required arguments: port"]);
        assert_eq!(errors("{port: {type: int, required: true}}", "{port: '80'}"), Vec::<String>::new());
        let wrong = errors("{port: {type: int}}", "{port: eighty}");
        assert!(wrong[0].starts_with("argument 'port' is of type str and we were unable to convert to int"), "{wrong:?}");
        assert_eq!(errors("{size: {choices: [s, m]}}", "{size: x}"), ["value of size must be one of: s, m, got: x"]);
    }

    #[test]
    fn options_inside_options_are_checked_too() {
        let specs = "{db: {type: dict, options: {name: {required: true}, port: {type: int}}}}";
        assert_eq!(errors(specs, "{db: {port: 1}}"), ["missing required arguments: name found in db"]);
        let nested = "{db: {type: dict, options: {tls: {type: dict, options: {key: {required: true}}}}}}";
        assert_eq!(errors(nested, "{db: {tls: {}}}"), ["missing required arguments: key found in db -> tls"]);
        assert_eq!(errors(specs, "{db: {name: a, prt: 1}}"), ["db.prt. Supported parameters include: name, port."]);
    }
}
