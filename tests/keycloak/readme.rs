//! The commands of the examples' README, as a user types them from the top of the repository: they are read out of it.

use std::path::Path;
use std::process::Command;

use hostler::keycloak::{Json, apply, blocking};
use serde_json::json;

use super::Claim;
use super::server::Server;

pub const CLAIMS: &[Claim] = &[("the commands of the examples' README do what it says", walk)];

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const REALMS: [&str; 6] = ["archlinux", "osmo", "acme", "initech", "documents", "platform-one"];
/// What they leave on the host.
const LEFT: &str = "rm -rf /etc/keycloak/organizations /root/archlinux-secrets.yml";

/// The commands by the heading they stand under: indented lines, and commands within a line.
fn commands(readme: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in readme.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            sections.push((heading, Vec::new()));
        }
        let Some((_, found)) = sections.last_mut() else { continue };
        match line.strip_prefix("    ") {
            Some(command) => found.push(command),
            None => found.extend(line.split('`').skip(1).step_by(2).filter(|code| code.starts_with("bin/hostler "))),
        }
    }
    sections
}

/// What the README says of the host of `make demo` holds for the test's own host: a copy of the repository's files, with that host's address.
fn repository(server: &Server, inventory: &Path, host: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for part in ["inventory", "playbooks", "roles", "ansible.cfg"] {
        let copied = Command::new("cp").arg("-r").arg(format!("{ROOT}/{part}")).arg(at(part)).status().expect("cp starts");
        assert!(copied.success(), "{part} is not copied");
    }
    std::fs::create_dir_all(at("bin")).expect("makes it");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hostler"), at("bin/hostler")).expect("links");
    let lab: Json = serde_saphyr::from_str(&std::fs::read_to_string(inventory).expect("is there")).expect("is YAML");
    let mut variables = lab["all"]["vars"].clone();
    variables["ansible_host"] = lab["all"]["hosts"][host]["ansible_host"].clone();
    variables["keycloak_realm_service_client_id"] = "boot".into();
    variables["keycloak_hostname"] = server.url.as_str().into();
    std::fs::create_dir_all(at("inventory/host_vars/idp1")).expect("makes it");
    std::fs::write(at("inventory/host_vars/idp1/lab.yml"), variables.to_string()).expect("writes");
    // The service account's secret lies where `make demo` keeps it.
    std::fs::create_dir_all(at("state")).expect("makes it");
    std::fs::write(at("state/keycloak-service-secret"), "boot-secret\n").expect("writes");
    folder
}

fn walk(server: &Server) {
    let Some((inventory, host)) = &server.inventory else { return assert!(std::env::var_os("HOSTLER_TEST_KEYCLOAK").is_some()) };
    let readme = std::fs::read_to_string(format!("{ROOT}/inventory/realms/README.md")).expect("is there");
    let folder = repository(server, inventory, host);
    let type_in = |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(folder.path()).stdin(std::process::Stdio::null());
        shell
            .env("HOSTLER_STATE_DIR", folder.path().join("state"))
            .env("HOME", folder.path())
            .env("NO_COLOR", "1")
            .env_remove("ANSIBLE_CONFIG");
        let output = shell.output().expect("sh starts");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap_or(-1), said)
    };
    let clean = || {
        for realm in REALMS {
            blocking::run(|| async { apply::delete_realm(&server.client(), realm).await }).expect("it is gone");
        }
        let (code, said) = type_in(&format!("bin/hostler do idp1 -i inventory/demo.yml -m ansible.builtin.shell -a '{LEFT}'"));
        assert_eq!(code, 0, "{said}");
    };
    clean();
    let (on, _) = readme.split_once("ON=\"").and_then(|(_, rest)| rest.split_once('"')).expect("it says where Keycloak is");
    let sections = commands(&readme);
    assert_eq!(sections.iter().filter(|(_, commands)| !commands.is_empty()).count(), 5, "five documents: {sections:?}");
    for (heading, command) in sections.iter().flat_map(|(heading, commands)| commands.iter().map(move |command| (heading, *command))) {
        // Who types it answers the question; here nobody does.
        let command = command.replacen(" realm apply ", " realm apply --yes ", 1);
        let (code, said) = type_in(&format!("ON='{on}'\n{command}"));
        let is_plan = command.contains(" realm plan ");
        assert_eq!(code, if is_plan { 2 } else { 0 }, "{heading}: {command}\n{said}");
        if command.contains(" --check") || command.contains(" playbooks/realm.yml ") {
            assert!(said.contains("changed=0"), "it is as declared already: {command}\n{said}");
        }
    }
    for realm in REALMS {
        assert!(blocking::run(|| async { apply::realm_exists(&server.client(), realm).await }).expect("it answers"), "{realm}");
    }
    let values: Json =
        serde_saphyr::from_str(&std::fs::read_to_string(folder.path().join("osmo-values.yml")).expect("is written")).expect("is YAML");
    let issuer = values["sidecars"]["envoy"]["jwt"]["providers"][0]["issuer"].clone();
    assert_eq!(issuer, json!(format!("{}/realms/osmo", server.url)));
    clean();
}
