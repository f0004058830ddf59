//! Lookups in files: `file`, `template`, `fileglob`, `first_found`, `unvault`, and finding the files themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Diagnostic, Key, Node, Span};
use crate::vault;

use super::super::context::{Context, FileOptions, Variable, Variables};
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::filters::paths;
use super::super::scope::Scope;
use super::{Lookup, Options, lookup};

pub(crate) const LOOKUPS: &[Lookup] = &[
    lookup("file", file),
    lookup("unvault", unvault),
    lookup("template", template),
    lookup("fileglob", file_glob),
    lookup("first_found", first_found),
];

/// The file of a name: in the search path, or from the home folder with `~`.
pub(crate) fn find(scope: &Scope, kind: &str, name: &str) -> Outcome<PathBuf> {
    let name = paths::with_home(name, scope);
    let search = &scope.context.search;
    search.find(kind, Path::new(&name)).ok_or_else(|| {
        let tried: Vec<String> = search.candidates(kind, Path::new(&name)).iter().map(|path| format!("`{}`", path.display())).collect();
        // ansible-core's words, which scripts look for.
        let fault = Fault::failed(match kind {
            "templates" => format!("the template file {name} could not be found for the lookup"),
            _ => format!("Unable to access the file `{name}`: File not found. Use -vvvvv to see paths searched."),
        });
        if tried.is_empty() { fault } else { fault.help(format!("it was searched as {}", tried.join(", "))) }
    })
}

/// A file's text; vault text is decrypted.
pub(crate) fn read(scope: &Scope, path: &Path) -> Outcome<Arc<str>> {
    let bytes = std::fs::read(path).map_err(|error| Fault::failed(format!("`{}` cannot be read: {error}", path.display())))?;
    let text: Arc<str> = String::from_utf8(bytes).map_err(|_| Fault::failed(format!("`{}` is no UTF-8 text", path.display())))?.into();
    if vault::is_vault(&text) {
        return scope.templar.decrypt(&text, &scope.context);
    }
    Ok(text)
}

/// The same in another encoding than UTF-8.
pub(crate) fn read_in(scope: &Scope, path: &Path, encoding: &str) -> Outcome<Arc<str>> {
    let name: String = encoding.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    match name.as_str() {
        "utf8" | "u8" => read(scope, path),
        "iso88591" | "latin1" | "l1" => {
            let bytes = std::fs::read(path).map_err(|error| Fault::failed(format!("`{}` cannot be read: {error}", path.display())))?;
            // Every byte is the character of its number.
            Ok(bytes.into_iter().map(char::from).collect::<String>().into())
        }
        _ => Err(Fault::failed(format!("unknown encoding: {encoding}")).help("utf-8 and iso-8859-1 are known")),
    }
}

fn texts(terms: &[Val]) -> Outcome<Vec<Arc<str>>> {
    terms.iter().map(|term| term.clone().present()?.text()).collect()
}

fn file(terms: Vec<Val>, options: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let (strip_end, strip_start) = (options.flag("rstrip", true)?, options.flag("lstrip", false)?);
    let contents = texts(&terms)?.into_iter().map(|name| {
        let text = read(scope, &find(scope, "files", &name)?)?;
        let text = if strip_start { text.trim_start() } else { &text };
        Ok(Val::str(if strip_end { text.trim_end() } else { text }))
    });
    contents.collect()
}

fn unvault(terms: Vec<Val>, _: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    texts(&terms)?.into_iter().map(|name| Ok(Val::Str(read(scope, &find(scope, "files", &name)?)?))).collect()
}

/// Variables given to a template on top of those there are.
struct Over {
    own: Val,
    below: Arc<dyn Variables>,
}

impl Variables for Over {
    fn get(&self, name: &str) -> Option<Variable> {
        if let Val::Map(own) = &self.own
            && let Ok(Some(value)) = own.get(&Key::from(name))
            && let Ok(value) = value.to_value()
        {
            return Some(Variable::Value(value));
        }
        self.below.get(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.below.names();
        if let Val::Map(own) = &self.own {
            names.extend(own.keys().iter().map(ToString::to_string));
        }
        names
    }
}

fn template(terms: Vec<Val>, options: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let mut style = FileOptions::default();
    let choose = |name: &str, slot: &mut String| -> Outcome<()> {
        if let Some(text) = options.text(name)? {
            *slot = text.to_string();
        }
        Ok(())
    };
    choose("variable_start_string", &mut style.variable_start)?;
    choose("variable_end_string", &mut style.variable_end)?;
    choose("comment_start_string", &mut style.comment_start)?;
    choose("comment_end_string", &mut style.comment_end)?;
    style.trim_blocks = options.flag("trim_blocks", true)?;
    style.lstrip_blocks = options.flag("lstrip_blocks", false)?;
    let variables = match options.get("template_vars") {
        Some(own @ Val::Map(_)) => Arc::new(Over { own: own.clone(), below: scope.context.variables.clone() }),
        _ => scope.context.variables.clone(),
    };
    let mut rendered = Vec::new();
    for name in texts(&terms)? {
        let path = find(scope, "templates", &name)?;
        let text = read(scope, &path)?;
        let mut own = crate::template::file_variables(&name, &path);
        if variables.get("ansible_managed").is_none() {
            let setting = (scope.context.controller.setting)("DEFAULT_MANAGED_STR").map(|value| value.to_text()).unwrap_or_default();
            let render = |text: &str| {
                let node = Node::text(Span::origin("<ansible_managed>"), text);
                scope.templar.render(&node, &scope.context).map(|value| value.to_text()).map_err(Diagnostic::from)
            };
            let managed = crate::template::managed(&setting, &name, &path, render);
            own.insert("ansible_managed", managed.map_err(|error| Fault::failed(error.message))?);
        }
        let about = Over { own: Val::from_value(&own.into()), below: variables.clone() };
        let context: Context = scope.context.with_variables(Arc::new(about));
        let inner = Scope::new(scope.templar.clone(), context);
        let value = scope.templar.run_file(&inner, &text, &style, &Span::of_file(&path))?;
        // As ansible-core: a template that is one expression keeps its type.
        rendered.push(value.present()?);
    }
    Ok(rendered)
}

fn file_glob(terms: Vec<Val>, _: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let mut found = Vec::new();
    for term in texts(&terms)? {
        let pattern = paths::with_home(&term, scope);
        for candidate in scope.context.search.candidates("files", Path::new(&pattern)) {
            let files = paths::files_matching(&candidate.to_string_lossy())?;
            if !files.is_empty() {
                found.extend(files.into_iter().map(Val::str));
                break;
            }
        }
    }
    Ok(found)
}

const NAME_MARKS: &[char] = &[',', ';'];
const PATH_MARKS: &[char] = &[',', ':', ';'];

/// The first of several files that exists. Terms may be names, lists of them, or mappings with `files`, `paths` and `skip`.
fn first_found(terms: Vec<Val>, options: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let kind = options.text("subdir")?.unwrap_or_else(|| "files".into());
    let mut skip = options.flag("skip", false)?;
    let drop_undefined = options.flag("omit_undefined", false)?;
    let terms = if terms.is_empty() { options.get("files").map_or(Ok(Vec::new()), |files| split(files, NAME_MARKS))? } else { terms };
    let default_paths = options.get("paths").map_or(Ok(Vec::new()), |paths| split(paths, PATH_MARKS))?;
    let mut names = Vec::new();
    candidates(&terms, &default_paths, drop_undefined, &mut skip, &mut names)?;
    for name in &names {
        if let Some(path) = scope.context.search.find(&kind, Path::new(&paths::with_home(name, scope))) {
            return Ok(vec![Val::str(paths::normalized(&path.to_string_lossy()))]);
        }
    }
    if skip {
        return Ok(Vec::new());
    }
    Err(Fault::failed("No file was found when using first_found.")
        .help(format!("it was looked for `{}`; `skip=True` allows none", names.join("`, `"))))
}

/// A list, or names in one text with one of the marks between them.
fn split(value: &Val, marks: &[char]) -> Outcome<Vec<Val>> {
    match value {
        Val::Str(text) => Ok(text.split(marks).map(|part| Val::str(part.trim())).collect()),
        other => other.iterate(),
    }
}

fn candidates(terms: &[Val], paths: &[Val], drop_undefined: bool, skip: &mut bool, names: &mut Vec<String>) -> Outcome<()> {
    for term in terms {
        match term {
            Val::Missing(fault) if drop_undefined && fault.is_undefined() => {}
            Val::Missing(fault) => return Err(fault.clone()),
            Val::Map(dict) => {
                let part = |name: &str| dict.get(&Key::from(name));
                if let Some(value) = part("skip")? {
                    *skip = value.truth()?;
                }
                let files = match part("files")? {
                    Some(Val::Missing(fault)) if drop_undefined && fault.is_undefined() => continue,
                    files => files.map_or(Ok(Vec::new()), |files| split(&files, NAME_MARKS))?,
                };
                let own_paths = part("paths")?.map_or(Ok(paths.to_vec()), |paths| split(&paths, PATH_MARKS))?;
                candidates(&files, &own_paths, drop_undefined, skip, names)?;
            }
            Val::List(_) | Val::Tuple(_) => candidates(&term.iterate()?, paths, drop_undefined, skip, names)?,
            Val::Str(name) if paths.is_empty() => names.push(name.to_string()),
            Val::Str(name) => {
                for path in paths {
                    names.push(format!("{}/{name}", path.text()?.trim_end_matches('/')));
                }
            }
            other => return Err(Fault::failed(format!("a name, a list or a mapping is expected, not `{}`", other.type_name()))),
        }
    }
    Ok(())
}
