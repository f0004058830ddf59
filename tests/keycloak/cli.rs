//! `hostler realm` as typed, through the SSH link to the host of Keycloak.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value as Json, json};

use super::Claim;
use super::server::Server;

pub const CLAIMS: &[Claim] = &[("the command line plans, saves, applies and adopts through the link, and asks first", through_the_link)];

struct Cli<'a> {
    inventory: &'a Path,
    host: &'a str,
    folder: &'a Path,
}

impl Cli<'_> {
    fn run(&self, words: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostler"));
        command.arg("realm").args(words).arg("-i").arg(self.inventory).current_dir(self.folder).stdin(Stdio::null());
        command.env("HOSTLER_REALM_SECRET", "boot-secret").env("NO_COLOR", "1");
        let Output { status, stdout, stderr } = command.output().expect("it starts");
        (status.code().unwrap_or(-1), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
    }

    fn on(&self, words: &[&str]) -> (i32, String) {
        let mut all = words.to_vec();
        all.extend(["--on", self.host, "--client-id", "boot"]);
        self.run(&all)
    }
}

fn through_the_link(server: &Server) {
    let Some((inventory, host)) = &server.inventory else { return assert!(std::env::var_os("HOSTLER_TEST_KEYCLOAK").is_some()) };
    let realm = server.realm("cli");
    let folder = tempfile::tempdir().expect("a folder");
    let cli = Cli { inventory, host, folder: folder.path() };
    let declared = |shown: &str| {
        let text =
            json!({"realm": realm.name, "displayName": shown, "clients": [{"clientId": "app", "secret": "{{ app_secret }}"}]}).to_string();
        std::fs::write(folder.path().join("staff.yml"), text).expect("writes");
    };
    let vars = ["-e", "app_secret=hunter22-hunter22"];
    let plan = |more: &[&str]| cli.on(&[&["plan", "staff.yml"][..], &vars, more].concat());
    let apply = |file: &str, more: &[&str]| cli.on(&[&["apply", file][..], &vars, more].concat());
    declared("One");
    let (code, text) = plan(&["--out", "staff.plan"]);
    assert!(code == 2 && text.contains("+ client app"), "{code} {text}");
    let saved = std::fs::read_to_string(folder.path().join("staff.plan")).expect("is saved");
    assert!(!saved.contains("hunter22"), "{saved}");
    let (code, text) = apply("staff.plan", &[]);
    assert!(code == 1 && text.contains("`--yes` is needed"), "{code} {text}");
    let (code, text) = apply("staff.plan", &["--yes"]);
    assert!(code == 0 && text.contains("is as declared"), "{code} {text}");
    assert_eq!(realm.client_named("app")["secret"], "hunter22-hunter22");
    let (code, text) = apply("staff.plan", &["--yes"]);
    assert!(code == 1 && text.contains("changed by somebody else"), "{code} {text}");
    assert_eq!(plan(&[]).0, 0);
    declared("Two");
    let (code, text) = plan(&["--output", "json"]);
    let json: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((code, &json["actions"][0]["changes"][0]["new"]), (2, &json!("Two")));
    let (code, text) = cli.on(&["adopt", &realm.name, "-o", "realms"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = cli.on(&["plan", &format!("realms/{}.yml", realm.name)]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = cli.on(&["destroy", &realm.name]);
    assert_eq!(code, 1, "{text}");
    let (code, text) = cli.on(&["destroy", &realm.name, "--yes"]);
    assert!(code == 0 && text.contains("is deleted"), "{code} {text}");
    let (code, text) = cli.on(&["destroy", &realm.name, "--yes"]);
    assert!(code == 0 && text.contains("there is no realm"), "{code} {text}");
    std::fs::write(folder.path().join("wrong.yml"), "realm: x\ndisplayNam: a\nclients:\n- clientId: b\n  secre: c\n").expect("writes");
    let (code, text) = cli.on(&["plan", "wrong.yml"]);
    assert!(code == 1 && text.contains("wrong.yml:2:1") && text.contains("wrong.yml:5:3"), "{code} {text}");
}
