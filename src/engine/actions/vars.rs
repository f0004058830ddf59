//! `set_fact`, `include_vars`, `set_stats`: variables from plays and files.

use std::path::{Path, PathBuf};

use crate::base::{Diagnostic, Map, Node, Value};
use crate::engine::call::Call;
use crate::engine::outcome::Outcome;
use crate::engine::settings::HashBehaviour;
use crate::engine::state::{lock, write};
use crate::language::{Vars, is_variable_name};

/// `set_fact`: values for the host, kept for the rest of the run.
pub fn set_fact(call: &Call<'_>) -> Outcome {
    let mut facts = Map::new();
    let cacheable = call.flag("cacheable", false);
    for (key, value) in call.args.iter() {
        let name = key.to_string();
        if name == "cacheable" {
            continue;
        }
        if name == "_raw_params" {
            return Outcome::failed("set_fact needs `name: value` pairs; free text is none");
        }
        if !is_settable(&name) {
            return call.wrong(&name, format!("Invalid variable name `{name}`."));
        }
        warn_if_reserved(call, &name);
        facts.insert(key.clone(), value.clone());
    }
    if facts.is_empty() {
        return Outcome::failed("No key/value pairs provided, at least one is required for this action to succeed");
    }
    if cacheable {
        call.scope.host.learn_facts(&facts);
        call.run.keep_facts(&call.scope.host);
    }
    let mut outcome = Outcome::ok(Map::new());
    outcome.facts = facts;
    outcome
}

fn warn_if_reserved(call: &Call<'_>, name: &str) {
    if call.scope.rehearsal.is_none()
        && let Some(warning) = crate::language::reserved_name(name, call.span())
    {
        call.run.warn(warning);
    }
}

/// Python's rule for names; its keywords are none.
fn is_settable(name: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
        "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
        "return", "try", "while", "with", "yield", "true", "false", "none",
    ];
    is_variable_name(name) && !KEYWORDS.contains(&name)
}

/// `set_stats`: numbers and texts for the end of the run.
pub fn set_stats(call: &Call<'_>) -> Outcome {
    let Some(Value::Map(data)) = call.args.get("data") else {
        return call.wrong("data", "The `data` option needs to be a dictionary/hash");
    };
    let aggregate = call.flag("aggregate", true);
    let per_host = call.flag("per_host", false);
    let owner = if per_host { call.scope.host.name.to_string() } else { "_run".to_owned() };
    let mut stats = lock(&call.run.custom_stats);
    let mut own = stats.get(&owner).and_then(Value::as_map).cloned().unwrap_or_default();
    for (key, value) in data.iter() {
        if !is_settable(&key.to_string()) {
            return call.wrong("data", format!("Invalid variable name `{key}`."));
        }
        let known = own.get_key(key).cloned();
        own.insert(key.clone(), known.filter(|_| aggregate).map_or_else(|| value.clone(), |known| added(&known, value)));
    }
    stats.insert(owner, own);
    let shown = Value::map([("aggregate", Value::Bool(aggregate)), ("data", Value::Map(data.clone())), ("per_host", per_host.into())]);
    Outcome::ok([("ansible_stats", shown)].into_iter().collect())
}

/// Numbers add up, lists and mappings grow, anything else is replaced.
fn added(known: &Value, value: &Value) -> Value {
    match (known, value) {
        (Value::Int(a), Value::Int(b)) => Value::Int(a + b),
        (Value::Float(a), Value::Float(b)) => Value::Float(a + b),
        (Value::Str(a), Value::Str(b)) => format!("{a}{b}").into(),
        (Value::List(a), Value::List(b)) => Value::list(a.iter().chain(b.iter()).cloned()),
        (Value::Map(a), Value::Map(b)) => {
            let mut merged = a.as_ref().clone();
            merged.extend(b);
            merged.into()
        }
        _ => value.clone(),
    }
}

/// `include_vars`: variables from a file or a folder of files, for the rest of the run.
pub fn include_vars(call: &Call<'_>) -> Outcome {
    match collect(call) {
        Ok((vars, files)) => remember(call, vars, &files),
        Err(diagnostic) => {
            let mut outcome = Outcome::error(diagnostic);
            outcome.values.insert("message", outcome.values.get("msg").cloned().unwrap_or_default());
            outcome.values.insert("ansible_included_var_files", Value::list(Vec::<Value>::new()));
            outcome
        }
    }
}

fn remember(call: &Call<'_>, vars: Vars, files: &[PathBuf]) -> Outcome {
    let shown = |vars: &Vars| {
        vars.iter()
            .map(|(name, node)| (name.to_string(), call.run.templar.render(node, &call.context).unwrap_or_else(|_| node.to_value())))
            .collect::<Map>()
    };
    let merges = match call.text("hash_behaviour").as_deref() {
        Some("merge") => true,
        Some(_) => false,
        None => call.run.request.settings.hash_behaviour == HashBehaviour::Merge,
    };
    let vars = match call.text("name") {
        Some(name) if !name.is_empty() => {
            let span = call.span().clone();
            let entries = vars.into_iter().map(|(name, node)| (Node::text(span.clone(), name), node)).collect();
            [(name.into(), Node::map(span, entries))].into_iter().collect()
        }
        _ => vars,
    };
    vars.keys().for_each(|name| warn_if_reserved(call, name));
    let mut outcome = Outcome::ok(Map::new());
    outcome.values.insert("ansible_included_var_files", Value::list(files.iter().map(|file| file.to_string_lossy().into_owned())));
    outcome.facts = shown(&vars);
    // What an encrypted file holds is nobody's to see, not even in part.
    outcome.is_secret = files.iter().any(|file| call.run.loader.is_encrypted(file));
    crate::engine::combine::extend(&mut write(&call.scope.host.included), vars, merges);
    outcome
}

type Collected = (Vars, Vec<PathBuf>);

fn collect(call: &Call<'_>) -> Result<Collected, Diagnostic> {
    let file = call.text("file").or_else(|| call.text("_raw_params"));
    match (file, call.text("dir")) {
        (Some(file), None) => {
            let path = call.context.search.find("vars", Path::new(&file));
            let path = path.ok_or_else(|| Diagnostic::error(super::files::not_found(call, "vars", &file)).at(call.span()))?;
            Ok((load(call, &path)?, vec![path]))
        }
        (None, Some(dir)) => folder(call, &dir),
        (Some(_), Some(_)) => {
            Err(Diagnostic::error("You are mixing file only and dir only arguments, these are incompatible").at(call.span()))
        }
        (None, None) if call.args.contains_key("file") => {
            Err(Diagnostic::error("Could not find file on the Ansible Controller: `file` is null").at(call.span()))
        }
        (None, None) => Err(Diagnostic::error("include_vars needs `file` or `dir`").at(call.span())),
    }
}

fn load(call: &Call<'_>, path: &Path) -> Result<Vars, Diagnostic> {
    let node = call.run.loader.load(path, Some(call.span()))?;
    if node.is_null() {
        return Ok(Vars::new());
    }
    let Some(entries) = node.as_map() else {
        return Err(Diagnostic::error(format!("{} must be stored as a dictionary/hash", path.display())).at(&node.span));
    };
    Ok(entries.iter().map(|(key, value)| (key.to_key().to_string().into(), value.clone())).collect())
}

fn folder(call: &Call<'_>, dir: &str) -> Result<Collected, Diagnostic> {
    let wrong = |message: String| Diagnostic::error(message).at(call.span());
    let role_first = call.context.search.candidates("vars", Path::new(dir));
    let folder = role_first.into_iter().find(|path| path.is_dir()).ok_or_else(|| wrong(format!("{dir} directory does not exist")))?;
    let list = |name: &str| -> Option<Vec<String>> {
        match call.args.get(name)? {
            Value::List(items) => Some(items.iter().map(Value::to_text).collect()),
            Value::Null => None,
            other => Some(other.to_text().split(',').map(|item| item.trim().to_owned()).collect()),
        }
    };
    let endings = list("extensions").unwrap_or_else(|| ["yaml", "yml", "json"].map(str::to_owned).to_vec());
    let ignored = list("ignore_files").unwrap_or_default();
    let matching = match call.text("files_matching") {
        Some(pattern) => Some(regex::Regex::new(&pattern).map_err(|error| wrong(format!("files_matching: {error}")))?),
        None => None,
    };
    let depth = call.args.get("depth").and_then(Value::as_int).filter(|depth| *depth > 0).unwrap_or(1000) as usize;
    let (mut vars, mut files) = (Vars::new(), Vec::new());
    let walk = walkdir::WalkDir::new(&folder).follow_links(true).min_depth(1).max_depth(depth).sort_by_file_name();
    for entry in walk.into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ending = entry.path().extension().map(|ending| ending.to_string_lossy().into_owned()).unwrap_or_default();
        let known = endings.iter().any(|known| known.trim_start_matches('.') == ending);
        if ignored.contains(&name) || matching.as_ref().is_some_and(|pattern| !pattern.is_match(&name)) {
            continue;
        }
        if !known {
            match call.flag("ignore_unknown_extensions", false) || matching.is_some() {
                true => continue,
                false => return Err(wrong(format!("{} does not have a valid extension: {}", entry.path().display(), endings.join(", ")))),
            }
        }
        vars.extend(load(call, entry.path())?);
        files.push(entry.path().to_owned());
    }
    Ok((vars, files))
}
