//! Filters on paths. They work on text, except `realpath`, `relpath` of relative paths, `expanduser`, `expandvars` and `fileglob`, which look at the controller.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::arguments::Arguments;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::scope::Scope;
use super::{Filter, filter};

pub(crate) const FILTERS: &[Filter] = &[
    filter("basename", |arguments, _| simple(arguments, |path| path.rsplit('/').next().unwrap_or("").to_owned())),
    filter("dirname", |arguments, _| simple(arguments, dirname)),
    filter("normpath", |arguments, _| simple(arguments, normalized)),
    filter("splitext", split_extension),
    filter("expanduser", expand_user),
    filter("expandvars", expand_variables),
    filter("realpath", real_path),
    filter("relpath", relative_path),
    filter("path_join", join),
    filter("commonpath", common),
    filter("win_basename", |arguments, _| simple(arguments, |path| split_windows(path).1)),
    filter("win_dirname", |arguments, _| simple(arguments, |path| split_windows(path).0)),
    filter("win_splitdrive", split_drive),
    filter("fileglob", glob),
];

fn simple(arguments: Arguments, change: fn(&str) -> String) -> Outcome<Val> {
    Ok(Val::str(change(&arguments.bind(["path"])?.text(0)?)))
}

fn dirname(path: &str) -> String {
    let Some((head, _)) = path.rsplit_once('/') else {
        return String::new();
    };
    let head = &path[..head.len() + 1];
    if head.chars().all(|c| c == '/') { head.to_owned() } else { head.trim_end_matches('/').to_owned() }
}

/// Python's `os.path.normpath`.
pub(crate) fn normalized(path: &str) -> String {
    if path.is_empty() {
        return ".".into();
    }
    // POSIX keeps exactly two leading slashes apart.
    let root = match path.bytes().take_while(|byte| *byte == b'/').count() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if root.is_empty() && parts.last().is_none_or(|last| *last == "..") => parts.push(".."),
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let joined = format!("{root}{}", parts.join("/"));
    if joined.is_empty() { ".".into() } else { joined }
}

fn split_extension(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let path = arguments.bind(["path"])?.text(0)?;
    let name_start = path.rfind('/').map_or(0, |at| at + 1);
    let leading_dots = path[name_start..].bytes().take_while(|byte| *byte == b'.').count();
    let (root, extension) = match path[name_start + leading_dots..].rfind('.') {
        Some(at) => path.split_at(name_start + leading_dots + at),
        None => (path.as_ref(), ""),
    };
    Ok(Val::tuple(vec![Val::str(root), Val::str(extension)]))
}

fn expand_user(arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Val> {
    Ok(Val::str(with_home(&arguments.bind(["path"])?.text(0)?, scope)))
}

/// A leading `~` as the home folder of who runs this, `~user` as that of the user.
pub(crate) fn with_home(path: &str, scope: &Scope) -> String {
    crate::system::accounts::with_home(path, scope.context.controller.environment.get("HOME").map(AsRef::as_ref))
}

/// `$NAME` and `${NAME}`; unknown ones stay as they are.
fn expand_variables(arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Val> {
    let text = arguments.bind(["path"])?.text(0)?;
    let environment = &scope.context.controller.environment;
    let mut out = String::new();
    let mut rest = text.as_ref();
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, length) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let length = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
                (&after[..length], length)
            }
        };
        match environment.get(name) {
            Some(value) => out.push_str(value),
            None => out.push_str(&rest[at..at + 1 + length]),
        }
        rest = &after[length..];
    }
    out.push_str(rest);
    Ok(Val::str(out))
}

fn absolute(path: &str, scope: &Scope) -> PathBuf {
    PathBuf::from(normalized(&scope.context.controller.directory.join(path).to_string_lossy()))
}

/// Links are followed as far as the path exists.
fn real_path(arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Val> {
    let path = scope.context.controller.directory.join(arguments.bind(["path"])?.text(0)?.as_ref());
    let mut missing = Vec::new();
    let mut known: &Path = &path;
    loop {
        if let Ok(real) = known.canonicalize() {
            let whole = missing.iter().rev().fold(real, |path: PathBuf, part| path.join(part));
            return Ok(Val::str(normalized(&whole.to_string_lossy())));
        }
        match (known.parent(), known.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name.to_owned());
                known = parent;
            }
            _ => return Ok(Val::str(normalized(&path.to_string_lossy()))),
        }
    }
}

fn relative_path(arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["path", "start"])?;
    let (path, start) = (absolute(&bound.text(0)?, scope), absolute(&bound.text_or(1, ".")?, scope));
    let (path, start): (Vec<_>, Vec<_>) = (path.components().collect(), start.components().collect());
    let common = path.iter().zip(&start).take_while(|(left, right)| left == right).count();
    let up = std::iter::repeat_n("..".to_owned(), start.len() - common);
    let down = path[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let parts: Vec<String> = up.chain(down).collect();
    Ok(Val::str(if parts.is_empty() { ".".to_owned() } else { parts.join("/") }))
}

/// Python's `os.path.join`: an absolute part drops what is before it.
fn join(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["paths"])?;
    let parts = match bound.required(0)? {
        Val::Str(path) => return Ok(Val::Str(path.clone())),
        other => other.iterate()?,
    };
    let mut joined = String::new();
    for part in parts {
        let Val::Str(part) = &part else {
            return Err(Fault::failed(format!("paths are text, not `{}`", part.type_name())));
        };
        if part.starts_with('/') {
            joined.clear();
        } else if !joined.is_empty() && !joined.ends_with('/') {
            joined.push('/');
        }
        joined.push_str(part);
    }
    Ok(Val::str(joined))
}

fn common(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let paths = arguments.bind(["paths"])?.items(0)?.iter().map(Val::text).collect::<Outcome<Vec<_>>>()?;
    let Some(first) = paths.first() else {
        return Err(Fault::failed("there are no paths"));
    };
    if paths.iter().any(|path| path.starts_with('/') != first.starts_with('/')) {
        return Err(Fault::failed("absolute and relative paths have nothing in common"));
    }
    let parts = |path: &str| path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect::<Vec<_>>();
    let shared = paths.iter().skip(1).fold(parts(first), |shared, path| {
        let other = parts(path);
        shared.into_iter().zip(other).take_while(|(left, right)| left == right).map(|(left, _)| left).collect()
    });
    Ok(Val::str(format!("{}{}", if first.starts_with('/') { "/" } else { "" }, shared.join("/"))))
}

fn drive(path: &str) -> (&str, &str) {
    match path.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => path.split_at(2),
        [b'\\' | b'/', b'\\' | b'/', ..] => {
            let is_separator = |c: char| c == '\\' || c == '/';
            let host_end = path[2..].find(is_separator).map(|at| at + 2);
            let share_end = host_end.and_then(|end| path[end + 1..].find(is_separator).map(|at| at + end + 1));
            match (host_end, share_end) {
                (Some(_), Some(end)) => path.split_at(end),
                (Some(_), None) => (path, ""),
                _ => ("", path),
            }
        }
        _ => ("", path),
    }
}

fn split_windows(path: &str) -> (String, String) {
    let (drive, rest) = drive(path);
    let at = rest.rfind(['\\', '/']).map_or(0, |at| at + 1);
    let (head, name) = rest.split_at(at);
    let trimmed = head.trim_end_matches(['\\', '/']);
    (format!("{drive}{}", if trimmed.is_empty() { head } else { trimmed }), name.to_owned())
}

fn split_drive(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let path = arguments.bind(["path"])?.text(0)?;
    let (drive, rest) = drive(&path);
    Ok(Val::tuple(vec![Val::str(drive), Val::str(rest)]))
}

fn glob(arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Val> {
    let pattern = arguments.bind(["pathname"])?.text(0)?;
    let found = files_matching(&scope.context.controller.directory.join(pattern.as_ref()).to_string_lossy())?;
    Ok(Val::list(found.into_iter().map(Val::str).collect()))
}

/// The regular files a shell pattern matches.
pub(crate) fn files_matching(pattern: &str) -> Outcome<Vec<String>> {
    let options = glob::MatchOptions { require_literal_leading_dot: true, require_literal_separator: true, case_sensitive: true };
    let found = glob::glob_with(pattern, options).map_err(|error| Fault::failed(format!("`{pattern}` is no file pattern: {error}")))?;
    Ok(found.flatten().filter(|path| path.is_file()).map(|path| path.to_string_lossy().into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalized_without_touching_the_disk() {
        assert_eq!(normalized("/a/./b/../c//d/"), "/a/c/d");
        assert_eq!(normalized("../a/.."), "..");
        assert_eq!(normalized(""), ".");
    }

    #[test]
    fn the_folder_of_a_path_has_no_slash_at_its_end() {
        assert_eq!(dirname("/a/b/"), "/a/b");
        assert_eq!(dirname("/a"), "/");
        assert_eq!(dirname("a"), "");
    }
}
