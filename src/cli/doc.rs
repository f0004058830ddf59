//! `hostler doc`, which is also `ansible-doc`: what a module does and takes, from its own declaration.

use clap::Args;

use crate::base::{Diagnostic, Map, Value};
use crate::modules::{self, ArgKind, ArgSpec, Entry, Rule};
use crate::report::dump;

use super::failure::{Failed, Outcome, print};

/// What a module does, and its options
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler doc copy")]
pub struct DocArgs {
    #[arg(value_name = "MODULE", required_unless_present = "list")]
    modules: Vec<String>,
    /// List the modules there are
    #[arg(short, long)]
    list: bool,
    /// Only an example to copy
    #[arg(short, long)]
    snippet: bool,
    /// As JSON
    #[arg(short, long)]
    json: bool,
    /// Kind of plugin: module is the only one
    #[arg(short = 't', long = "type", value_name = "KIND", default_value = "module", hide = true)]
    kind: String,
}

/// Shows the pages.
///
/// # Errors
/// There is no such module.
pub fn run(args: DocArgs) -> Outcome {
    if args.kind != "module" {
        return Err(Failed::option(format!("there are no pages for `{}` here: only for modules", args.kind)));
    }
    if args.list {
        return print(&if args.json { list_json() } else { list() });
    }
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for name in &args.modules {
        match modules::find(name) {
            Some(entry) => found.push(entry),
            None => problems.push(unknown(name)),
        }
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    if args.json {
        return print(&(dump::json(&Value::map(found.iter().map(|entry| (entry.name, as_data(entry)))), Some(4)) + "\n"));
    }
    let pages: Vec<String> = found.iter().map(|entry| if args.snippet { example(entry) } else { page(entry) }).collect();
    print(&pages.join("\n"))
}

fn unknown(name: &str) -> Diagnostic {
    let names = modules::all().iter().flat_map(|entry| [entry.name, entry.short_name()]);
    Diagnostic::error(format!("there is no module `{name}`")).did_you_mean(name, names).command("hostler doc --list")
}

fn list() -> String {
    let width = modules::all().iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let line = |entry: &&Entry| format!("{:<width$}  {}\n", entry.name, first_sentence(&paragraph((entry.doc)())));
    modules::all().iter().map(line).collect()
}

fn list_json() -> String {
    dump::json(&Value::map(modules::all().iter().map(|entry| (entry.name, first_sentence(&paragraph((entry.doc)()))))), Some(4)) + "\n"
}

fn first_sentence(text: &str) -> String {
    text.split_inclusive(". ").next().unwrap_or_default().trim().trim_end_matches('.').to_owned()
}

/// A text of the code as one line.
fn paragraph(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn page(entry: &Entry) -> String {
    let mut out = format!("{}\n\n", entry.name);
    for part in (entry.doc)().split("\n\n") {
        out.push_str(&wrapped(&paragraph(part), 2, 92));
        out.push('\n');
    }
    out.push_str(&format!("Example\n\n{}\n", indented(&example(entry), 2)));
    let specs = (entry.specs)();
    if !specs.is_empty() {
        out.push_str("Options (= is required)\n\n");
    }
    let (required, others): (Vec<&ArgSpec>, Vec<&ArgSpec>) = specs.iter().partition(|spec| spec.required);
    for spec in required.into_iter().chain(others) {
        let mark = if spec.required { '=' } else { '-' };
        let traits = traits(spec);
        if spec.name.len() + traits.len() < 84 {
            out.push_str(&format!("  {mark} {}  {traits}\n", spec.name));
        } else {
            out.push_str(&format!("  {mark} {}\n{}", spec.name, wrapped(&traits, 6, 92)));
        }
        out.push_str(&wrapped(&paragraph(spec.doc), 6, 92));
    }
    let rules: Vec<String> = (entry.rules)().iter().map(rule).collect();
    if !rules.is_empty() {
        out.push_str(&format!("\nRules\n\n{}", rules.join("")));
    }
    out
}

/// Type, default, choices and aliases in brackets.
fn traits(spec: &ArgSpec) -> String {
    let mut parts = vec![spec.kind.name().to_owned()];
    if !spec.choices.is_empty() {
        parts.push(format!("one of {}", spec.choices.join(", ")));
    }
    if let Some(default) = spec.shown_default() {
        parts.push(format!("default {default}"));
    }
    if !spec.aliases.is_empty() {
        parts.push(format!("also {}", spec.aliases.join(", ")));
    }
    format!("[{}]", parts.join("; "))
}

fn rule(rule: &Rule) -> String {
    let text = match rule {
        Rule::Exclusive(names) => format!("at most one of {}", names.join(", ")),
        Rule::OneOf(names) => format!("at least one of {}", names.join(", ")),
        Rule::Together(names) => format!("all or none of {}", names.join(", ")),
        Rule::RequiredIf(name, value, names) => format!("{name} = {value} needs {}", names.join(", ")),
    };
    wrapped(&text, 2, 92)
}

/// A task with the options that it cannot do without.
fn example(entry: &Entry) -> String {
    let specs = (entry.specs)();
    if specs.iter().any(|spec| spec.name == "_raw_params") {
        return format!("- name: Run it\n  {}: uptime\n", entry.name);
    }
    let required: Vec<&ArgSpec> = specs.iter().filter(|spec| spec.required).collect();
    let shown: Vec<&ArgSpec> = if required.is_empty() { specs.iter().take(1).collect() } else { required };
    let name = first_sentence(&paragraph((entry.doc)())).replace('`', "");
    // What stands behind a colon or comma is detail.
    let head = format!("- name: {}\n  {}:\n", name.split([':', ';', ',']).next().unwrap_or(&name), entry.name);
    shown.iter().fold(head, |out, spec| out + &format!("    {}: {}\n", spec.name, example_value(spec)))
}

fn example_value(spec: &ArgSpec) -> String {
    if let Some(choice) = spec.choices.first() {
        return (*choice).to_owned();
    }
    match spec.kind {
        ArgKind::Bool => "true".to_owned(),
        ArgKind::Int => "1".to_owned(),
        ArgKind::Float => "1.0".to_owned(),
        ArgKind::Path => "/path/to/it".to_owned(),
        ArgKind::Mode => "\"0644\"".to_owned(),
        ArgKind::List => "[one, two]".to_owned(),
        ArgKind::Mapping => "{key: value}".to_owned(),
        ArgKind::Secret => "\"{{ from_the_vault }}\"".to_owned(),
        ArgKind::Text | ArgKind::Raw | ArgKind::Choice => spec.name.trim_start_matches('_').to_owned(),
    }
}

fn as_data(entry: &Entry) -> Value {
    let option = |spec: &ArgSpec| {
        let mut map = Map::new();
        map.insert("description", paragraph(spec.doc));
        map.insert("type", spec.kind.name());
        map.insert("required", spec.required);
        if !spec.choices.is_empty() {
            map.insert("choices", Value::list(spec.choices.iter().copied()));
        }
        if !spec.aliases.is_empty() {
            map.insert("aliases", Value::list(spec.aliases.iter().copied()));
        }
        if let Some(default) = spec.shown_default() {
            map.insert("default", default);
        }
        (spec.name, Value::from(map))
    };
    let options = Value::map((entry.specs)().iter().map(option));
    let doc = [("module", Value::from(entry.short_name())), ("short_description", first_sentence(&paragraph((entry.doc)())).into())];
    let rest = [("description", Value::from(paragraph((entry.doc)()))), ("options", options)];
    Value::map([("doc", Value::map(doc.into_iter().chain(rest))), ("examples", example(entry).into())])
}

fn wrapped(text: &str, margin: usize, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + word.chars().count() >= width - margin {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines.iter().map(|line| format!("{:margin$}{line}\n", "")).collect()
}

fn indented(text: &str, margin: usize) -> String {
    text.lines().map(|line| format!("{:margin$}{line}\n", "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn every_module_has_a_page_whose_example_is_valid_yaml() {
        for entry in modules::all() {
            let page = page(entry);
            assert!(page.starts_with(entry.name) && page.contains("Example"), "{page}");
            let (node, _) = yaml::load_one(&example(entry), "<example>").unwrap_or_else(|error| panic!("{}: {error}", entry.name));
            assert!(node.as_seq().is_some_and(|tasks| tasks[0].get(entry.name).is_some()), "{}", entry.name);
            assert!(page.lines().all(|line| line.chars().count() <= 100), "{page}");
        }
    }

    #[test]
    fn a_mistyped_module_is_told_with_the_right_name() {
        assert!(unknown("grup").to_string().contains("did you mean `group`?"));
    }
}
