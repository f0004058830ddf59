//! Where passwords come from: `--vault-id [label@]source`, password files, scripts, `*-client` scripts, and a question to the user.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use zeroize::Zeroizing;

use crate::base::{Diagnostic, Secret};

use super::envelope::{DEFAULT_ID, is_vault};
use super::error::VaultError;
use super::secrets::Secrets;

/// The sources that ask the user: by id, and in the words that `--ask-vault-pass` has always used.
const ASK: &str = "prompt";
const ASK_VAULT_PASS: &str = "prompt_ask_vault_pass";
/// By this exit code a client script says that it knows no password for the id.
const UNKNOWN_ID: i32 = 2;

const BUSY_TRIES: usize = 20;
const BUSY_PAUSE: std::time::Duration = std::time::Duration::from_millis(25);

/// What was asked for on the command line and in the settings. The settings' identities come first in `ids`.
#[derive(Clone, Debug, Default)]
pub struct SecretSources {
    /// `label@source` or `source`, where the source is a file, a script or `prompt`.
    pub ids: Vec<String>,
    pub password_files: Vec<String>,
    /// `--ask-vault-pass`.
    pub ask: bool,
    /// Ask when nothing else is given: for commands that cannot do without.
    pub ask_if_none: bool,
    /// Passwords to encrypt with are asked for twice.
    pub is_new: bool,
    /// Only the passwords of its own id may open a vault text (`ANSIBLE_VAULT_ID_MATCH`).
    pub id_must_match: bool,
}

/// Asks the user for a text that is not shown, with a prompt like `Vault password (prod): `.
pub type Prompt<'a> = dyn FnMut(&str) -> std::io::Result<String> + 'a;

/// Reads every source. One that fails is a warning as long as another one gives a password.
///
/// # Errors
/// When sources were given and none of them works, or the user gives no password.
pub fn gather(sources: &SecretSources, prompt: &mut Prompt) -> Result<(Secrets, Vec<Diagnostic>), VaultError> {
    let mut slugs = sources.ids.clone();
    slugs.extend(sources.password_files.iter().map(|file| format!("{DEFAULT_ID}@{file}")));
    if sources.ask || (slugs.is_empty() && sources.ask_if_none) {
        slugs.push(format!("{DEFAULT_ID}@{ASK_VAULT_PASS}"));
    }
    let mut secrets = Secrets::default();
    secrets.id_must_match = sources.id_must_match;
    let mut failures = Vec::new();
    for slug in &slugs {
        let (label, source) = slug.split_once('@').map_or((None, slug.as_str()), |(label, source)| (Some(label), source));
        let id = label.filter(|label| !label.is_empty()).unwrap_or(DEFAULT_ID);
        if id.contains(';') {
            return Err(VaultError::Source(format!("`{id}` is no vault id: the character `;` cannot be in one")));
        }
        let found = match source {
            ASK | ASK_VAULT_PASS => ask(id, source == ASK, sources.is_new, prompt).map_err(VaultError::Source).map(Some)?,
            file => match from_file(file, label, &secrets) {
                Ok(secret) => Some(secret),
                Err(failure) => {
                    failures.push(format!("{} ({id}): {failure}", what_failed(file)));
                    None
                }
            },
        };
        if let Some(secret) = found {
            secrets.add(id, secret);
        }
    }
    if secrets.is_empty() && !failures.is_empty() {
        return Err(VaultError::Source(failures.join("; ")));
    }
    Ok((secrets, failures.into_iter().map(Diagnostic::warning).collect()))
}

/// What could not be done with a source, in ansible-core's words.
fn what_failed(file: &str) -> &'static str {
    match std::fs::metadata(full_path(file)) {
        Ok(found) if !found.is_dir() => "Error in vault password file loading",
        _ => "Error getting vault password file",
    }
}

fn ask(id: &str, with_id: bool, is_new: bool, prompt: &mut Prompt) -> Result<Secret, String> {
    let texts: &[String] = &match (is_new, with_id) {
        (false, true) => vec![format!("Vault password ({id}): ")],
        (false, false) => vec!["Vault password: ".to_owned()],
        (true, true) => vec![format!("New vault password ({id}): "), format!("Confirm new vault password ({id}): ")],
        (true, false) => vec!["New Vault password: ".to_owned(), "Confirm New Vault password: ".to_owned()],
    };
    let mut answers = Vec::new();
    for text in texts {
        let answer = Zeroizing::new(prompt(text).map_err(|error| format!("no vault password could be asked for the id `{id}`: {error}"))?);
        if answer.trim().is_empty() {
            return Err(format!("the vault password for the id `{id}` is empty"));
        }
        answers.push(Secret::new(answer.trim()));
    }
    if answers.iter().any(|answer| *answer != answers[0]) {
        return Err(format!("the two passwords for the vault id `{id}` are not the same"));
    }
    Ok(answers.swap_remove(0))
}

/// A file's password; a password file may itself be encrypted with a password given before it.
fn from_file(name: &str, label: Option<&str>, known: &Secrets) -> Result<Secret, String> {
    let path = full_path(name);
    let shown = path.display();
    let metadata = std::fs::metadata(&path).map_err(|error| format!("the vault password file `{shown}` cannot be read: {error}"))?;
    if metadata.is_dir() {
        return Err(format!("the vault password file `{shown}` is a directory"));
    }
    if metadata.permissions().mode() & 0o111 != 0 {
        return from_script(&path, label);
    }
    let bytes = Zeroizing::new(std::fs::read(&path).map_err(|error| format!("the vault password file `{shown}` cannot be read: {error}"))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("the vault password file `{shown}` is not UTF-8 text"))?.trim();
    if is_vault(text) {
        let plain = known
            .decrypt_text(text)
            .map(Zeroizing::new)
            .map_err(|error| format!("the vault password file `{shown}` is encrypted: {error}"))?;
        return password(&plain, &path);
    }
    password(text, &path)
}

fn password(text: &str, path: &Path) -> Result<Secret, String> {
    match text.trim_matches(['\r', '\n']) {
        "" => Err(format!("the vault password from `{}` is empty", path.display())),
        text => Ok(Secret::new(text)),
    }
}

fn from_script(path: &Path, label: Option<&str>) -> Result<Secret, String> {
    let shown = path.display();
    let is_client = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("-client"));
    let mut command = Command::new(path);
    if let Some(label) = label.filter(|label| is_client && !label.is_empty()) {
        command.args(["--vault-id", label]);
    }
    // A plain script may talk to the user over stderr; a client script's words go into the error.
    let stderr = if is_client { Stdio::piped() } else { Stdio::inherit() };
    let output = run(command.stdin(Stdio::inherit()).stderr(stderr)).map_err(|error| {
        format!(
            "the vault password script `{shown}` does not run: {error}; if it is a password file and no script, remove its executable bit"
        )
    })?;
    check(&output, path, label)?;
    let stdout = Zeroizing::new(output.stdout);
    let text = std::str::from_utf8(&stdout).map_err(|_| format!("what the vault password script `{shown}` prints is not UTF-8 text"))?;
    password(text, path)
}

/// Runs the script; one that is being written this very moment is tried again.
fn run(command: &mut Command) -> std::io::Result<Output> {
    for _ in 0..BUSY_TRIES {
        match command.output() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::sleep(BUSY_PAUSE),
            result => return result,
        }
    }
    command.output()
}

fn check(output: &Output, path: &Path, label: Option<&str>) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let (shown, id) = (path.display(), label.unwrap_or(DEFAULT_ID));
    match output.status.code() {
        Some(UNKNOWN_ID) => Err(format!("the vault password script `{shown}` knows no password for the vault id `{id}`{said}")),
        _ => Err(format!("the vault password script `{shown}` failed for the vault id `{id}` ({}){said}", output.status)),
    }
}

/// The path made absolute, so that a script is never looked for in `PATH`; a leading `~/` is the home directory.
fn full_path(name: &str) -> PathBuf {
    let expanded = match (name.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(name),
    };
    std::path::absolute(&expanded).unwrap_or(expanded)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(folder: &Path, name: &str, text: &str, mode: u32) -> String {
        let path = folder.join(name);
        let mut file = std::fs::File::create(&path).expect("creates");
        file.write_all(text.as_bytes()).expect("writes");
        file.set_permissions(std::fs::Permissions::from_mode(mode)).expect("sets the mode");
        path.to_string_lossy().into_owned()
    }

    fn nobody(_: &str) -> std::io::Result<String> {
        Err(std::io::Error::other("nobody is there to ask"))
    }

    fn password_of<'a>(secrets: &'a Secrets, id: &str) -> &'a str {
        secrets.to_encrypt_with(Some(id)).expect("is there").1.expose()
    }

    #[test]
    fn files_scripts_and_client_scripts_give_passwords() {
        let folder = tempfile::tempdir().expect("a folder");
        let plain = file(folder.path(), "plain", " from a file \n", 0o600);
        let script = file(folder.path(), "script.sh", "#!/bin/sh\necho from a script\n", 0o700);
        let client = file(folder.path(), "my-client.sh", "#!/bin/sh\necho \"for $2\"\n", 0o700);
        let sources =
            SecretSources { ids: vec![format!("s@{script}"), format!("c@{client}")], password_files: vec![plain], ..Default::default() };
        let (secrets, warnings) = gather(&sources, &mut nobody).expect("all are read");
        assert!(warnings.is_empty());
        assert_eq!(secrets.ids(), ["s", "c", "default"]);
        assert_eq!(["s", "c", "default"].map(|id| password_of(&secrets, id)), ["from a script", "for c", "from a file"]);
    }

    #[test]
    fn a_source_that_fails_is_a_warning_beside_one_that_works_and_an_error_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let good = file(folder.path(), "good", "x", 0o600);
        let client = file(folder.path(), "no-client", "#!/bin/sh\necho who is $2 >&2; exit 2\n", 0o700);
        let mut sources =
            SecretSources { ids: vec![format!("a@{client}"), format!("b@{good}"), "c@/no/such".into()], ..Default::default() };
        let (secrets, warnings) = gather(&sources, &mut nobody).expect("one works");
        assert_eq!(secrets.ids(), ["b"]);
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].message.ends_with("knows no password for the vault id `a`: who is a"), "{}", warnings[0]);
        sources.ids.remove(1);
        let error = gather(&sources, &mut nobody).expect_err("none works").to_string();
        assert!(error.contains("`/no/such` cannot be read"), "{error}");
    }

    #[test]
    fn a_password_file_may_be_encrypted_with_an_earlier_password() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = file(folder.path(), "first", "one", 0o600);
        let sealed = super::super::encrypt(b"two\n", &Secret::new("one"), None).expect("encrypts");
        let second = file(folder.path(), "second", &sealed, 0o600);
        let sources = SecretSources { ids: vec![format!("a@{first}"), format!("b@{second}")], ..Default::default() };
        let (secrets, _) = gather(&sources, &mut nobody).expect("both are read");
        assert_eq!(password_of(&secrets, "b"), "two");
    }

    #[test]
    fn the_user_is_asked_in_ansibles_words_and_twice_for_a_new_password() {
        let mut asked = Vec::new();
        let mut answer = |text: &str| {
            asked.push(text.to_owned());
            Ok("pw".to_owned())
        };
        let sources = SecretSources { ids: vec!["prod@prompt".into()], ask: true, ..Default::default() };
        assert_eq!(gather(&sources, &mut answer).expect("answers").0.ids(), ["prod", "default"]);
        let new = SecretSources { ask_if_none: true, is_new: true, ..Default::default() };
        gather(&new, &mut answer).expect("answers");
        assert_eq!(asked, ["Vault password (prod): ", "Vault password: ", "New Vault password: ", "Confirm New Vault password: "]);
        let mut answers = ["one", "two"].into_iter();
        let error = gather(&new, &mut |_| Ok(answers.next().unwrap_or_default().to_owned())).expect_err("they differ");
        assert!(error.to_string().contains("not the same"));
    }
}
