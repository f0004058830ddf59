//! Lookups in tables: `csvfile` and `ini`.

use std::sync::Arc;

use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::regex;
use super::super::scope::Scope;
use super::{Lookup, Options, files, lookup, parameters};

pub(crate) const LOOKUPS: &[Lookup] = &[lookup("csvfile", csv_file), lookup("ini", ini)];

/// An option that may stand in the term, in old style.
fn option(options: &Options, pairs: &[(String, String)], name: &str, usual: &str) -> Outcome<Arc<str>> {
    if let Some((_, value)) = pairs.iter().find(|(known, _)| known == name) {
        return Ok(value.as_str().into());
    }
    Ok(options.text(name)?.unwrap_or_else(|| usual.into()))
}

const CSV_OPTIONS: &[&str] = &["col", "default", "delimiter", "encoding", "file", "keycol"];

fn csv_file(terms: Vec<Val>, options: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let mut found = Vec::new();
    let no_key = || Fault::failed("Search key is required but was not found");
    if terms.is_empty() {
        return Err(no_key());
    }
    for term in terms {
        let (key, pairs) = parameters::parse(&term.text()?);
        if key.is_empty() {
            return Err(no_key());
        }
        if let Some((unknown, _)) = pairs.iter().find(|(name, _)| !CSV_OPTIONS.contains(&name.as_str())) {
            return Err(Fault::failed(format!("{unknown} is not a valid option")).did_you_mean(unknown, CSV_OPTIONS.iter().copied()));
        }
        let option = |name: &str, usual: &str| option(&options, &pairs, name, usual);
        let delimiter = match option("delimiter", "TAB")?.as_ref() {
            "TAB" | "\\t" | "\t" => '\t',
            other => other.chars().next().ok_or_else(|| Fault::failed("the delimiter is empty"))?,
        };
        let column = |name: &str, usual: &str| -> Outcome<usize> {
            let text = option(name, usual)?;
            text.parse().map_err(|_| {
                let message = format!("Config '{name}' for 'csvfile' lookup plugin from 'Direct' has an invalid value: Invalid value provided for 'int': '{text}'");
                Fault::failed(message).help("it is the number of a column")
            })
        };
        let (value_column, key_column) = (column("col", "1")?, column("keycol", "0")?);
        let name = option("file", "ansible.csv")?;
        let path = files::find(scope, "files", &name).map_err(|fault| {
            let words = format!("{}: No such file or directory", fault.message());
            Fault::failed(words)
        })?;
        let text = files::read_in(scope, &path, &option("encoding", "utf-8")?)?;
        let row = rows(&text, delimiter).into_iter().find(|row| row.get(key_column).is_some_and(|cell| *cell == key));
        match row {
            Some(row) => {
                let cell =
                    row.get(value_column).ok_or_else(|| Fault::failed(format!("the row of `{key}` has no column {value_column}")))?;
                found.push(Val::str(cell.as_str()));
            }
            None => match (pairs.iter().find(|(name, _)| name == "default"), options.get("default")) {
                (Some((_, default)), _) => found.push(Val::str(default.as_str())),
                (None, Some(Val::List(list))) => found.extend(list.items()?),
                (None, Some(Val::Null) | None) => {}
                (None, Some(default)) => found.push(default.clone()),
            },
        }
    }
    Ok(found)
}

/// Rows of cells; a cell in double quotes may hold delimiters, newlines and doubled quotes.
fn rows(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            c if c == delimiter && !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

type Section = (String, Vec<(String, Option<String>)>);

const INI_OPTIONS: &[&str] =
    &["allow_no_value", "allow_none", "case_sensitive", "default", "encoding", "file", "interpolation", "re", "section", "type"];

fn ini(terms: Vec<Val>, options: Options, scope: &Arc<Scope>) -> Outcome<Vec<Val>> {
    let mut found = Vec::new();
    for term in terms {
        let text = term.text()?;
        let (key, pairs) = parameters::parse(&text);
        if let Some((unknown, _)) = pairs.iter().find(|(name, _)| !INI_OPTIONS.contains(&name.as_str())) {
            let message = format!("'{unknown}' is not a valid option.");
            return Err(Fault::failed(message).did_you_mean(unknown, INI_OPTIONS.iter().copied()));
        }
        if key.is_empty() && !pairs.is_empty() {
            return Err(Fault::failed(format!("No key to look up was provided as first term within string inline options: {text}")));
        }
        let option = |name: &str, usual: &str| option(&options, &pairs, name, usual);
        let is_properties = option("type", "ini")?.as_ref() == "properties";
        let case_sensitive = flag(&option("case_sensitive", "false")?);
        let name = option("file", "ansible.ini")?;
        let path = files::find(scope, "files", &name)?;
        let text = files::read_in(scope, &path, &option("encoding", "utf-8")?)?;
        let wanted = if is_properties { "java_properties".into() } else { option("section", "global")? };
        let sections = sections(&text, is_properties, case_sensitive)
            .map_err(|why| Fault::failed(format!("Duplicate option in '{}': {why}", path.display())))?;
        let section = sections.iter().find(|(name, _)| *name == wanted.as_ref());
        let (_, entries) = section.ok_or_else(|| {
            Fault::failed(format!("No section '{wanted}' in '{}'", path.display()))
                .did_you_mean(&wanted, sections.iter().map(|(name, _)| name.as_str()))
        })?;
        let may_be_empty = flag(&option("allow_none", "false")?) || flag(&option("allow_no_value", "false")?);
        let mut all = sections.iter().flat_map(|(_, entries)| entries);
        if let Some((key, _)) = all.find(|(_, value)| value.is_none()).filter(|_| !may_be_empty) {
            return Err(Fault::failed(format!("Source contains parsing errors: '{}': the key '{key}' has no value", path.display()))
                .help("with `allow_none=true` a key may have none"));
        }
        let defaults = sections.iter().find(|(name, _)| name == "DEFAULT").map_or(&[][..], |(_, entries)| entries);
        let key = if case_sensitive { key } else { key.to_lowercase() };
        if flag(&option("re", "false")?) {
            let pattern = regex::compile(&format!("\\A(?:{key})"), false, false)?;
            for (name, value) in entries {
                if regex::is_match(&pattern, name)? {
                    found.push(Val::str(value.clone().unwrap_or_default()));
                }
            }
            continue;
        }
        let value = entries.iter().chain(defaults).rev().find(|(name, _)| *name == key);
        match (value, option("default", "")?) {
            (Some((_, Some(value))), _) if flag(&option("interpolation", "true")?) => {
                found.push(Val::str(interpolated(value, entries, defaults, 0)?));
            }
            (Some((_, Some(value))), _) => found.push(Val::str(value.as_str())),
            (Some((_, None)), _) => {}
            (None, default) => found.push(Val::Str(default)),
        }
    }
    Ok(found)
}

fn flag(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "yes" | "on" | "1" | "true")
}

/// What `configparser` reads: sections, `=` or `:`, comments with `#` and `;`, indented lines that go on with a value.
///
/// # Errors
/// A section has a key twice: with which, where.
fn sections(text: &str, is_properties: bool, case_sensitive: bool) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    if is_properties {
        sections.push(("java_properties".into(), Vec::new()));
    }
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push((name.to_owned(), Vec::new()));
            continue;
        }
        let Some((section, entries)) = sections.last_mut() else {
            continue;
        };
        if line.starts_with([' ', '\t'])
            && let Some((_, Some(value))) = entries.last_mut()
        {
            value.push('\n');
            value.push_str(trimmed);
            continue;
        }
        let (name, value) = match trimmed.find(['=', ':']) {
            Some(at) => (trimmed[..at].trim_end(), Some(trimmed[at + 1..].trim_start().to_owned())),
            None => (trimmed, None),
        };
        let name = if case_sensitive { name.to_owned() } else { name.to_lowercase() };
        if entries.iter().any(|(known, _)| *known == name) {
            return Err(format!("line {} gives '{name}' of section '{section}' again", number + 1));
        }
        entries.push((name, value));
    }
    Ok(sections)
}

/// `%(other)s` is the value of another key, `%%` a percent sign.
fn interpolated(value: &str, entries: &[(String, Option<String>)], defaults: &[(String, Option<String>)], depth: usize) -> Outcome<String> {
    if depth > 10 {
        return Err(Fault::failed("the values refer to each other in a circle"));
    }
    let mut out = String::new();
    let mut rest = value;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(next) = after.strip_prefix('%') {
            out.push('%');
            rest = next;
        } else if let Some((name, next)) = after.strip_prefix('(').and_then(|inner| inner.split_once(")s")) {
            let found = entries.iter().chain(defaults).rev().find(|(known, _)| known == &name.to_lowercase() || known == name);
            let found = found.ok_or_else(|| Fault::failed(format!("the value refers to `{name}`, which is not there")))?;
            out.push_str(&interpolated(found.1.as_deref().unwrap_or_default(), entries, defaults, depth + 1)?);
            rest = next;
        } else {
            return Err(Fault::failed(format!("`%` in `{value}` must be followed by `%` or `(`")).help("double the `%`"));
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_cells_hold_delimiters() {
        assert_eq!(
            rows("a,\"b,\"\"c\"\"\"\nd,e\n", ','),
            [vec!["a".to_owned(), "b,\"c\"".to_owned()], vec!["d".to_owned(), "e".to_owned()]]
        );
    }

    #[test]
    fn values_refer_to_each_other() {
        let sections = sections("[web]\nroot = /srv\nlog: %(root)s/log\n  more\n", false, false).expect("reads");
        let (_, entries) = &sections[0];
        let value = entries[1].1.as_deref().expect("has a value");
        assert_eq!(interpolated(value, entries, &[], 0).ok().as_deref(), Some("/srv/log\nmore"));
    }

    #[test]
    fn a_key_stands_once_in_its_section() {
        assert!(sections("[web]\nport = 1\n[db]\nport = 2\n", false, false).is_ok());
        let why = sections("[web]\nport = 1\nPORT = 2\n", false, false).expect_err("is twice there");
        assert_eq!(why, "line 3 gives 'port' of section 'web' again");
        assert!(sections("[web]\nport = 1\nPORT = 2\n", false, true).is_ok());
    }
}
