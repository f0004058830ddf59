//! `ansible.cfg`: which one is read, and its text as entries with places.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::base::{Diagnostic, Span};

use super::environment::Environment;

/// One `key = value` of a section.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `section:key`, the key in lower case.
    pub key: String,
    pub value: String,
    pub span: Span,
}

/// The file that Ansible would read, and a warning when the one in the working folder is not trusted.
pub fn find(environment: &Environment) -> (Option<PathBuf>, Option<Diagnostic>) {
    let paths = environment.paths();
    let named = environment.get("ANSIBLE_CONFIG").map(|text| {
        let path = paths.resolve(&environment.expand(text));
        if path.is_dir() { path.join("ansible.cfg") } else { path }
    });
    let here = environment.directory.join("ansible.cfg");
    // Whoever may write to the folder could make this run anything.
    let is_public = std::fs::metadata(&environment.directory).is_ok_and(|metadata| metadata.permissions().mode() & 0o002 != 0);
    let candidates = [
        named.clone(),
        (!is_public).then(|| here.clone()),
        Some(environment.home.join(".ansible.cfg")),
        Some(PathBuf::from("/etc/ansible/ansible.cfg")),
    ];
    let found = candidates
        .into_iter()
        .flatten()
        .find(|path| std::fs::File::open(path).is_ok_and(|file| file.metadata().is_ok_and(|metadata| !metadata.is_dir())));
    let was_skipped = is_public && here.exists() && (named.is_none() || named != found);
    let warning = was_skipped.then(|| {
        Diagnostic::warning(format!("`{}` is not read: everybody may write to its folder", here.display()))
            .help("take the write permission for others off the folder (chmod o-w), or name the file in ANSIBLE_CONFIG")
    });
    (found, warning)
}

/// Reads the entries, as Python's ConfigParser has them: `=` or `:`, `#` and `;` comments, values that go on over indented lines.
///
/// # Errors
/// The file cannot be read, or a line is neither section, entry nor comment.
pub fn read(path: &Path) -> Result<Vec<Entry>, Diagnostic> {
    let name = path.to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).map_err(|error| Diagnostic::error(format!("`{name}` cannot be read: {error}")))?;
    parse(&text, &name)
}

fn parse(text: &str, name: &str) -> Result<Vec<Entry>, Diagnostic> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = None;
    let mut goes_on = false;
    for (number, raw) in (1u32..).zip(text.lines()) {
        let line = without_comment(raw);
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start().len();
        let place = |column: usize| Span::new(name, number, u32::try_from(column + 1).unwrap_or(1));
        if trimmed.is_empty() {
            goes_on = goes_on && raw.trim().starts_with(['#', ';']);
            continue;
        }
        if indent > 0
            && goes_on
            && let Some(last) = entries.last_mut()
        {
            last.value.push('\n');
            last.value.push_str(trimmed);
            continue;
        }
        if let Some(title) = trimmed.strip_prefix('[') {
            let title = title
                .split_once(']')
                .ok_or_else(|| Diagnostic::error("the section has no `]`").at(&place(indent)).help("write it as `[defaults]`"))?;
            section = Some(title.0.to_owned());
            goes_on = false;
            continue;
        }
        let Some(section) = &section else {
            return Err(Diagnostic::error("an entry stands before the first section")
                .at(&place(indent))
                .help("begin the file with `[defaults]`"));
        };
        let Some(separator) = line.find(['=', ':']) else {
            return Err(Diagnostic::error(format!("`{trimmed}` is no entry")).at(&place(indent)).help("write `key = value`"));
        };
        let value = line[separator + 1..].trim();
        let column = line.len() - line[separator + 1..].trim_start().len();
        entries.push(Entry {
            key: format!("{section}:{}", line[..separator].trim().to_ascii_lowercase()),
            value: unquote(value).to_owned(),
            span: place(column).with_length(u32::try_from(value.chars().count()).unwrap_or(0)),
        });
        goes_on = true;
    }
    Ok(entries)
}

/// A line whose first character is `#` or `;`, or what follows a `;` behind a blank.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    match line.match_indices(';').find(|(index, _)| line[..*index].ends_with([' ', '\t'])) {
        Some((index, _)) => &line[..index],
        None => line,
    }
}

fn unquote(text: &str) -> &str {
    ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_their_section_and_place() {
        let text = "# hi\n[defaults]\nforks = 7 ; many\nRoles_Path: a:\n    b\n; x\n\n[diff]\nalways='yes'\n";
        let entries = parse(text, "ansible.cfg").expect("is valid");
        let shown: Vec<(&str, &str, u32, u32)> =
            entries.iter().map(|entry| (&*entry.key, &*entry.value, entry.span.line, entry.span.column)).collect();
        assert_eq!(shown, [("defaults:forks", "7", 3, 9), ("defaults:roles_path", "a:\nb", 4, 13), ("diff:always", "yes", 9, 8)]);
    }

    #[test]
    fn a_line_that_is_nothing_is_refused_with_its_place() {
        let error = parse("[defaults]\nforks\n", "ansible.cfg").expect_err("is refused");
        assert_eq!(error.to_string(), "ansible.cfg:2:1: `forks` is no entry (write `key = value`)");
        assert!(parse("forks = 1\n", "ansible.cfg").is_err());
    }

    #[test]
    fn a_config_in_a_folder_that_everybody_may_write_to_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ansible.cfg"), "[defaults]\n").expect("writes");
        let environment =
            Environment::new(folder.path().to_path_buf(), [("HOME".to_owned(), folder.path().join("home").to_string_lossy().into_owned())]);
        assert_eq!(find(&environment).0, Some(folder.path().join("ansible.cfg")));
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).expect("changes");
        let (found, warning) = find(&environment);
        assert_ne!(found, Some(folder.path().join("ansible.cfg")));
        assert!(warning.expect("is said").message.contains("everybody may write"));
    }
}
