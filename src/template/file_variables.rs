//! What a template file can read about itself. Ansible: `generate_ansible_template_vars`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::base::source::is_template;
use crate::base::{Diagnostic, Map, Value};

/// Names that only templates see. `given` is the path as it was asked for.
pub fn file_variables(given: &str, path: &Path) -> Map {
    let about = About::of(path);
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let moment = |time: &jiff::Zoned| time.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string();
    [
        ("template_host", Value::from(about.host)),
        ("template_path", given.into()),
        ("template_mtime", moment(&about.modified).into()),
        ("template_uid", about.owner.into()),
        ("template_run_date", moment(&jiff::Zoned::now()).into()),
        ("template_fullpath", full.to_string_lossy().into_owned().into()),
        ("template_destpath", "".into()),
    ]
    .into_iter()
    .collect()
}

struct About {
    host: String,
    owner: String,
    modified: jiff::Zoned,
}

impl About {
    fn of(path: &Path) -> Self {
        let found = std::fs::metadata(path).ok();
        let modified = found.as_ref().map(|found| jiff::Timestamp::new(found.mtime(), found.mtime_nsec() as i32));
        let modified = modified.and_then(Result::ok).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        About {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            owner: found.as_ref().map_or_else(String::new, |found| crate::system::System::local().user_name(found.uid())),
            modified: modified.to_zoned(jiff::tz::TimeZone::system()),
        }
    }
}

/// The text of the setting `ansible_managed` for a template: `{file}`, `{uid}`, `{host}` and what `strftime` knows are put in; what is doubled,
/// `{{{{ … }}}}`, is a template for `render`. Names of files are only text in it.
///
/// # Errors
/// A name in braces is none of those, or what `render` says.
pub fn managed(
    setting: &str,
    given: &str,
    path: &Path,
    render: impl FnOnce(&str) -> Result<String, Diagnostic>,
) -> Result<String, Diagnostic> {
    let about = About::of(path);
    // Private characters stand for the names until all else is done.
    let names = [("file", '\u{f8f0}', given), ("uid", '\u{f8f1}', &*about.owner), ("host", '\u{f8f2}', &*about.host)];
    let mut text = String::new();
    let mut rest = setting;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}').filter(|_| brace == "{") else {
            return Err(Diagnostic::error("the setting `ansible_managed` has a single brace: double it"));
        };
        let Some((_, mark, _)) = names.iter().find(|(known, ..)| *known == name) else {
            let known = names.map(|(known, ..)| known);
            return Err(Diagnostic::error(format!("the setting `ansible_managed` knows no `{{{name}}}`")).did_you_mean(name, known));
        };
        text.push(*mark);
        rest = after;
    }
    text.push_str(rest);
    let text = super::methods::time::strftime_zoned(&about.modified, &text).unwrap_or(text);
    let text = if is_template(&text) { render(&text)? } else { text };
    Ok(names.iter().fold(text, |text, (_, mark, name)| text.replace(*mark, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_managed_text_names_the_file_which_is_never_a_template() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.j2");
        std::fs::write(&path, "").expect("writes");
        let text = managed("{file} %Y {{{{ 1 + 1 }}}} {{{{ 2 }}}}", "%Y {{ 1 % 0 }}", &path, |text| Ok(text.replace("{{ 1 + 1 }}", "2")));
        let year = jiff::Zoned::now().year();
        assert_eq!(text.expect("renders"), format!("%Y {{{{ 1 % 0 }}}} {year} 2 {{{{ 2 }}}}"));
        assert!(managed("{nope}", "", &path, |text| Ok(text.to_owned())).is_err());
    }
}
