//! Settings from ansible.cfg and the environment. The command line is put over them by each command.

use std::collections::HashMap;

use crate::base::Diagnostic;
use crate::engine::Settings;
use crate::engine::settings::{Origin, Setting, TABLE};

use super::config_file::{self, Entry};
use super::environment::Environment;

/// The settings, and warnings about where they come from.
///
/// # Errors
/// Everything that is wrong in ansible.cfg and the environment, at once.
pub fn resolve(environment: &Environment) -> Result<(Settings, Vec<Diagnostic>), Vec<Diagnostic>> {
    let (file, warning) = config_file::find(environment);
    let mut problems = Vec::new();
    let mut entries = HashMap::new();
    if let Some(path) = &file {
        match config_file::read(path) {
            Ok(read) => entries.extend(read.into_iter().map(|entry| (entry.key.clone(), entry))),
            Err(problem) => return Err(vec![problem]),
        }
    }
    let mut settings = Settings::new(&environment.home);
    for row in TABLE {
        problems.extend(resolve_one(row, &entries, environment, &mut settings).err());
        if row.name == "ANSIBLE_HOME" && settings.origin(row.name) != &Origin::Default {
            follow_home(&mut settings);
        }
    }
    settings.config_file = file;
    if problems.is_empty() { Ok((settings, warning.into_iter().collect())) } else { Err(problems) }
}

fn resolve_one(
    row: &Setting,
    entries: &HashMap<String, Entry>,
    environment: &Environment,
    settings: &mut Settings,
) -> Result<(), Diagnostic> {
    for name in row.environment {
        let Some(text) = environment.get(name) else { continue };
        // https://no-color.org: any text but the empty one.
        let text = if *name == "NO_COLOR" && !text.is_empty() { "true" } else { text };
        if text.is_empty() && row.type_name != "string" {
            continue;
        }
        let text = expand(row, text, environment);
        return settings.set(row.name, &text, Origin::Environment(name), &environment.paths());
    }
    let Some(entry) = row.keys.iter().find_map(|key| entries.get(*key)) else { return Ok(()) };
    let file = std::path::Path::new(&*entry.span.file);
    let directory = file.parent().unwrap_or(&environment.directory);
    let text = expand(row, &entry.value, environment);
    settings.set(row.name, &text, Origin::ConfigFile(entry.span.clone()), &environment.paths_from(directory))
}

/// Paths may hold environment variables and `{{CWD}}`.
fn expand(row: &Setting, text: &str, environment: &Environment) -> String {
    if !row.type_name.starts_with("path") {
        return text.to_owned();
    }
    environment.expand(text).replace("{{CWD}}", &environment.directory.to_string_lossy())
}

/// The defaults that lie in the user's Ansible folder move with it.
fn follow_home(settings: &mut Settings) {
    settings.roles_path[0] = settings.home.join("roles");
    settings.collections_path[0] = settings.home.join("collections");
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn environment(folder: &Path, variables: &[(&str, &str)]) -> Environment {
        let home = ("HOME".to_owned(), "/home/ann".to_owned());
        Environment::new(
            folder.to_path_buf(),
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain([home]),
        )
    }

    #[test]
    fn the_environment_wins_over_the_file_and_each_remembers() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ansible.cfg"), "[defaults]\nforks = 7\nroles_path = roles\nremote_user = deploy\n")
            .expect("writes");
        let (settings, warnings) =
            resolve(&environment(folder.path(), &[("ANSIBLE_FORKS", "9"), ("NO_COLOR", "please")])).expect("is valid");
        assert_eq!((settings.forks, settings.nocolor, warnings.len()), (9, true, 0));
        assert_eq!(settings.origin("DEFAULT_FORKS"), &Origin::Environment("ANSIBLE_FORKS"));
        assert_eq!(settings.roles_path, [folder.path().join("roles")]);
        assert_eq!(settings.remote_user.as_deref(), Some("deploy"));
        assert!(matches!(settings.origin("DEFAULT_REMOTE_USER"), Origin::ConfigFile(span) if span.line == 4));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ansible.cfg"), "[defaults]\nforks = many\ngathering = smrt\n").expect("writes");
        let problems = resolve(&environment(folder.path(), &[("ANSIBLE_TIMEOUT", "soon")])).expect_err("is refused");
        let text: Vec<String> =
            problems.iter().map(|problem| problem.to_string().replace(&*folder.path().to_string_lossy(), "DIR")).collect();
        insta::assert_snapshot!(text.join("\n"), @"
        DIR/ansible.cfg:2:9: setting `DEFAULT_FORKS`: `many` is not a whole number
        DIR/ansible.cfg:3:13: setting `DEFAULT_GATHERING`: `smrt` is none of implicit, explicit, smart; did you mean `smart`?
        setting `DEFAULT_TIMEOUT`: `soon` is not a whole number: from the environment variable ANSIBLE_TIMEOUT
        ");
    }

    #[test]
    fn roles_follow_ansible_home() {
        let folder = tempfile::tempdir().expect("a folder");
        let (settings, _) = resolve(&environment(folder.path(), &[("ANSIBLE_HOME", "/opt/a")])).expect("is valid");
        assert_eq!(settings.roles_path[0], PathBuf::from("/opt/a/roles"));
    }
}
