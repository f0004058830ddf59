//! `hostler realm convert`: a file of keycloak-config-cli, or what `terraform show -json` prints, as a declaration. The former is a realm's
//! representation already; its placeholders become expressions, and texts that only look like expressions are kept from being rendered.

use std::path::{Path, PathBuf};

use clap::Args;

use super::file::write_private;
use super::{as_yaml, locate, terraform};
use crate::base::Diagnostic;
use crate::cli::failure::{Failed, Outcome, print, warn};
use crate::keycloak::{Declaration, Error, Json};
use crate::yaml;

#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// A file of keycloak-config-cli, YAML or JSON; or what `terraform show -json` prints of a state or a plan
    file: PathBuf,
    /// Which realm, where a file of Terraform has several
    #[arg(long, value_name = "NAME")]
    realm: Option<String>,
    /// Where the declaration goes [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// # Errors
/// The file cannot be read, or is no representation of a realm.
pub fn convert(args: &ConvertArgs) -> Outcome {
    let name = args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).map_err(|error| Diagnostic::error(format!("`{name}` cannot be read: {error}")))?;
    if args.file.extension().is_some_and(|end| end == "tf" || end == "tfstate") {
        return Err(not_one(&args.file));
    }
    let (node, _) = yaml::load_one(&text, &name)?;
    let source = node.to_value().to_json();
    if terraform::is_one(&source) {
        return of_terraform(&source, &name, args);
    }
    if source.get("realm").is_none() {
        return Err(not_one(&args.file));
    }
    let mut left = Vec::new();
    let converted = converted(source, &mut left);
    // What keycloak-config-cli takes and Keycloak does not is told at its place, and is for people to decide.
    let mut odd: Vec<Diagnostic> = match Declaration::parse(&converted) {
        Err(Error::Declaration { problems, .. }) => locate::warnings(&node, &problems),
        _ => Vec::new(),
    };
    odd.extend(left.iter().map(|text| Diagnostic::warning(format!("`{text}` has no counterpart and is left as it is")).at(&node.span)));
    warn(&odd);
    write(converted, args)
}

fn of_terraform(source: &Json, name: &str, args: &ConvertArgs) -> Outcome {
    let found = terraform::convert(source, args.realm.as_deref())?;
    let problems = match Declaration::parse(&found.declaration) {
        Err(Error::Declaration { problems, .. }) => problems,
        _ => Vec::new(),
    };
    let odd: Vec<Diagnostic> = found.left.iter().chain(&problems).map(|text| Diagnostic::warning(format!("{name}: {text}"))).collect();
    warn(&odd);
    write(as_texts(found.declaration), args)
}

/// No text of it is an expression.
fn as_texts(source: Json) -> Json {
    match source {
        Json::Object(map) => map.into_iter().map(|(key, value)| (key, as_texts(value))).collect::<serde_json::Map<_, _>>().into(),
        Json::Array(items) => items.into_iter().map(as_texts).collect(),
        Json::String(text) => literal(&text).into(),
        other => other,
    }
}

fn write(declaration: Json, args: &ConvertArgs) -> Outcome {
    let out = as_yaml(declaration);
    match &args.out {
        Some(path) => write_private(path, &out).map(|()| 0),
        None => print(&out),
    }
}

fn not_one(path: &Path) -> Failed {
    let other = Diagnostic::error(format!("`{}` is no representation of a realm: it names no `realm`", path.display()));
    other
        .help("of Terraform, give what `terraform show -json` prints; `hostler realm adopt REALM` writes a declaration of any realm")
        .into()
}

fn converted(source: Json, left: &mut Vec<String>) -> Json {
    match source {
        Json::Object(map) => map.into_iter().map(|(key, value)| (key, converted(value, left))).collect::<serde_json::Map<_, _>>().into(),
        Json::Array(items) => items.into_iter().map(|item| converted(item, left)).collect(),
        Json::String(text) => expression(&text, left).into(),
        other => other,
    }
}

/// `$(env:NAME)` and `$(file:UTF-8:PATH)` as lookups; what is no placeholder stays a text.
fn expression(text: &str, left: &mut Vec<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, placeholder, after)) = next(rest) {
        out.push_str(&literal(before));
        match lookup(placeholder) {
            Some(lookup) => out.push_str(&format!("{{{{ {lookup} }}}}")),
            None => {
                left.push(format!("$({placeholder})"));
                out.push_str(&literal(&format!("$({placeholder})")));
            }
        }
        rest = after;
    }
    out + &literal(rest)
}

fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("$(")?;
    let (placeholder, after) = rest.split_once(')')?;
    Some((before, placeholder, after))
}

fn lookup(placeholder: &str) -> Option<String> {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let (kind, argument) = placeholder.split_once(':')?;
    let (argument, default) = match argument.split_once(":-") {
        Some((argument, default)) => (argument, format!(" | default({}, true)", quoted(default))),
        None => (argument, String::new()),
    };
    match kind {
        "env" => Some(format!("lookup('ansible.builtin.env', {}){default}", quoted(argument))),
        "file" => {
            let path = argument.split_once(':').map_or(argument, |(_, path)| path);
            Some(format!("lookup('ansible.builtin.file', {}){default}", quoted(path)))
        }
        _ => None,
    }
}

/// A text that holds braces of its own, such as a theme's, is not rendered.
fn literal(text: &str) -> String {
    if text.contains("{{") || text.contains("{%") || text.contains("{#") {
        format!("{{% raw %}}{text}{{% endraw %}}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn placeholders_become_lookups_and_braces_stay_braces() {
        let mut left = Vec::new();
        let source = json!({
            "realm": "$(env:REALM:-staff)", "displayName": "a $(env:ONE) b $(file:UTF-8:/run/it's) c",
            "attributes": {"x": "{{ not ours }} $(env:Y)", "n": 3, "z": "$(base64Encoder:a)"},
        });
        let expected = json!({
            "realm": "{{ lookup('ansible.builtin.env', 'REALM') | default('staff', true) }}",
            "displayName": "a {{ lookup('ansible.builtin.env', 'ONE') }} b {{ lookup('ansible.builtin.file', '/run/it\\'s') }} c",
            "attributes": {"x": "{% raw %}{{ not ours }} {% endraw %}{{ lookup('ansible.builtin.env', 'Y') }}", "n": 3, "z": "$(base64Encoder:a)"},
        });
        assert_eq!(converted(source, &mut left), expected);
        assert_eq!(left, ["$(base64Encoder:a)"]);
    }
}
