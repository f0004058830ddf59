//! Secrets: given in the ways that Ansible has, or made by Hostler and handed out once; and shown nowhere.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use hostler::keycloak::Json;

use super::Claim;
use super::server::Server;

pub const CLAIMS: &[Claim] = &[
    ("secrets are given by a vault, the environment, a file or a command, and are shown nowhere", given),
    ("secrets that are made are handed out once to a private file, before the server is told", to_a_file),
    ("secrets that are made are handed out to a vault file, and to none that others can read", to_a_vault),
];

/// `hostler realm` as typed, asking the server directly, in a folder of its own.
pub struct Cli<'a> {
    pub server: &'a Server,
    pub folder: tempfile::TempDir,
}

impl<'a> Cli<'a> {
    pub fn new(server: &'a Server) -> Self {
        Cli { server, folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("writes");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect("is there")
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostler"));
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null()).env("NO_COLOR", "1");
        for home in ["HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            command.env(home, self.folder.path());
        }
        command
    }

    /// The exit code, and all that was said.
    pub fn realm(&self, words: &[&str]) -> (i32, String) {
        let mut command = self.command(&["realm"]);
        command.args(words).args(["--url", &self.server.url, "--client-id", "boot"]).env("HOSTLER_REALM_SECRET", "boot-secret");
        let output = command.env("APP_SECRET", "of-the-environment").output().expect("it starts");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap_or(-1), said)
    }
}

/// The command lines of all processes, for as long as something is done.
fn command_lines<T>(work: impl FnOnce() -> T) -> (T, BTreeSet<String>) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                for entry in std::fs::read_dir("/proc").expect("there is one").flatten() {
                    seen.extend(std::fs::read(entry.path().join("cmdline")).ok().map(|text| String::from_utf8_lossy(&text).into_owned()));
                }
                std::thread::yield_now();
            }
            seen
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        (result, watcher.join().expect("it watches"))
    })
}

/// No file below a folder has one of these texts, but for the files that are meant to.
pub fn shown_nowhere(folder: &Path, secrets: &[&str], meant: &[&str]) {
    for entry in std::fs::read_dir(folder).expect("is a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            shown_nowhere(&path, secrets, meant);
        } else if !meant.contains(&name.as_str()) {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
            let found = secrets.iter().find(|secret| text.contains(**secret));
            assert!(found.is_none(), "{found:?} is in {}", path.display());
        }
    }
}

fn given(server: &Server) {
    let realm = server.realm("given");
    let cli = Cli::new(server);
    cli.write("password", "of-all-vaults");
    let sealed = cli.command(&["vault", "encrypt_string", "--vault-password-file", "password", "of-the-vault-1"]).output().expect("starts");
    let sealed = String::from_utf8_lossy(&sealed.stdout).replace('\n', "\n      ");
    cli.write("secret.txt", "of-the-file-12\n");
    cli.write("giver", "#!/bin/sh\necho of-the-command\n");
    let declared = format!(
        "realm: {}\nclients:\n  - clientId: vault\n    secret: {}\n  - clientId: environment\n    secret: \"{{{{ lookup('env', 'APP_SECRET') }}}}\"\n  \
         - clientId: file\n    secret: \"{{{{ lookup('file', 'secret.txt') }}}}\"\n  - clientId: command\n    secret: \"{{{{ lookup('pipe', 'sh ./giver') }}}}\"\n",
        realm.name,
        sealed.trim_end()
    );
    cli.write("staff.yml", &declared);
    let vault = ["--vault-password-file", "password"];
    let ((code, said), lines) = command_lines(|| {
        let (code, planned) = cli.realm(&[&["plan", "staff.yml", "--out", "staff.plan"][..], &vault].concat());
        assert_eq!(code, 2, "{planned}");
        let (code, applied) = cli.realm(&[&["apply", "staff.plan", "--yes"][..], &vault].concat());
        (code, planned + &applied)
    });
    assert_eq!(code, 0, "{said}");
    let secrets = ["of-the-vault-1", "of-the-environment", "of-the-file-12", "of-the-command"];
    for (client, secret) in ["vault", "environment", "file", "command"].iter().zip(secrets) {
        assert_eq!(realm.client_named(client)["secret"], secret, "{client}");
        assert!(!said.contains(secret), "{secret} in {said}");
        assert!(!lines.iter().any(|line| line.contains(secret)), "{secret} is in an argument");
    }
    shown_nowhere(cli.folder.path(), &secrets, &["secret.txt", "giver"]);
    let (code, said) = cli.realm(&[&["plan", "staff.yml"][..], &vault].concat());
    assert_eq!(code, 0, "{said}");
    // What is not declared is not managed.
    cli.write("staff.yml", &format!("realm: {}\nclients: [{{ clientId: vault, name: Same secret }}]\n", realm.name));
    let (code, said) = cli.realm(&["apply", "staff.yml", "--yes"]);
    assert_eq!((code, &realm.client_named("vault")["secret"]), (0, &Json::from("of-the-vault-1")), "{said}");
}

fn declaration(realm: &str, generate: &str) -> String {
    let clients = "clients: [{ clientId: app }, { clientId: other }]";
    format!(
        "realm: {realm}\n{clients}\nhostler:\n  generate: {{ {generate}, clients: {{ app_secret: app }}, bytes: {{ cookie_secret: 32 }} }}\n"
    )
}

fn variables(text: &str) -> Json {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn to_a_file(server: &Server) {
    let realm = server.realm("made");
    let cli = Cli::new(server);
    cli.write("app.yml", &declaration(&realm.name, "file: secrets/app.yml"));
    let (code, said) = cli.realm(&["plan", "app.yml", "--out", "app.plan"]);
    assert!(code == 2 && said.contains("+ secrets/app.yml   handed out once, mode 0600"), "{said}");
    assert!(said.contains("app_secret      the secret of client app") && said.contains("2 to hand out"), "{said}");
    assert!(!cli.folder.path().join("secrets").exists(), "a plan makes nothing");
    // A run that was cut after the file was written goes on with what the file has.
    std::fs::create_dir(cli.folder.path().join("secrets")).expect("makes it");
    cli.write("secrets/app.yml", "# kept\napp_secret: of-the-run-that-was-cut\n");
    let (code, said) = cli.realm(&["apply", "app.plan", "--yes"]);
    assert!(code == 1 && said.contains("can be read by others") && said.contains("chmod 600"), "{said}");
    std::fs::set_permissions(cli.folder.path().join("secrets/app.yml"), PermissionsExt::from_mode(0o600)).expect("sets it");
    let ((code, said), lines) = command_lines(|| cli.realm(&["apply", "app.plan", "--yes"]));
    assert!(code == 0 && said.contains("they are not shown again"), "{said}");
    let text = cli.read("secrets/app.yml");
    let secrets = variables(&text);
    assert!(text.starts_with("# kept\n"), "{text}");
    assert_eq!(
        (&realm.client_named("app")["secret"], &secrets["app_secret"]),
        (&Json::from("of-the-run-that-was-cut"), &Json::from("of-the-run-that-was-cut"))
    );
    let cookie = secrets["cookie_secret"].as_str().expect("is text").to_owned();
    assert!(cookie.len() == 44 && cookie.ends_with('='), "32 bytes in base64: {cookie}");
    let mode = std::fs::metadata(cli.folder.path().join("secrets/app.yml")).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!said.contains(&cookie) && !lines.iter().any(|line| line.contains(&cookie)), "{said}");
    shown_nowhere(cli.folder.path(), &[&cookie, "of-the-run-that-was-cut"], &["app.yml"]);
    assert!(!realm.get("").to_string().contains(&cookie), "the realm keeps a keyed hash, not the secret");
    // Once: whoever took the file away has the secrets.
    std::fs::remove_file(cli.folder.path().join("secrets/app.yml")).expect("is there");
    let (code, said) = cli.realm(&["plan", "app.yml"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = cli.realm(&["apply", "app.yml", "--yes"]);
    assert!(code == 0 && !cli.folder.path().join("secrets/app.yml").exists(), "{said}");
    // A client that somebody deleted is made anew, with a new secret.
    let id = realm.client_named("app")["id"].as_str().expect("has one").to_owned();
    realm.delete_at(&format!("/clients/{id}"));
    let (code, said) = cli.realm(&["apply", "app.yml", "--yes", "--output", "json"]);
    let secrets = variables(&cli.read("secrets/app.yml"));
    assert!(code == 0 && secrets["cookie_secret"].is_null(), "{said}");
    assert_eq!(realm.client_named("app")["secret"], secrets["app_secret"]);
    assert!(!said.contains(secrets["app_secret"].as_str().expect("is text")), "{said}");
}

fn to_a_vault(server: &Server) {
    let realm = server.realm("sealed");
    let cli = Cli::new(server);
    cli.write("app.yml", &declaration(&realm.name, "vault: vars.yml"));
    cli.write("password", "of-all-vaults");
    let (code, said) = cli.realm(&["apply", "app.yml", "--yes"]);
    assert!(code == 1 && said.contains("--vault-password-file"), "{said}");
    assert!(realm_is_absent(server, &realm.name), "nothing was done");
    let vault = ["--vault-password-file", "password"];
    cli.write("vars.yml", "kept: 1\n");
    let (code, said) = cli.realm(&[&["apply", "app.yml", "--yes"][..], &vault].concat());
    assert!(code == 1 && said.contains("is not encrypted"), "{said}");
    let sealed = cli.command(&["vault", "encrypt", "vars.yml", "--vault-password-file", "password"]).output().expect("starts");
    assert!(sealed.status.success());
    let (code, said) = cli.realm(&[&["apply", "app.yml", "--yes"][..], &vault].concat());
    assert_eq!(code, 0, "{said}");
    assert!(cli.read("vars.yml").starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
    let plain = cli.command(&["vault", "view", "vars.yml", "--vault-password-file", "password"]).output().expect("starts");
    let secrets = variables(&String::from_utf8_lossy(&plain.stdout));
    assert_eq!(secrets["kept"], 1);
    assert_eq!(realm.client_named("app")["secret"], secrets["app_secret"]);
    let secret = secrets["app_secret"].as_str().expect("is text");
    shown_nowhere(cli.folder.path(), &[secret, secrets["cookie_secret"].as_str().expect("is text")], &[]);
    assert_eq!(cli.realm(&["plan", "app.yml"]).0, 0, "nobody needs the vault for a plan");
}

fn realm_is_absent(server: &Server, name: &str) -> bool {
    let client = server.client();
    !hostler::keycloak::blocking::run(|| hostler::keycloak::apply::realm_exists(&client, name)).expect("it answers")
}
