//! The demo's three hosts with inventory and secrets of a test's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use hostler::lab::UpOptions;
use serde_json::Value as Json;

use super::lab::{TestHost, lab, test_hosts};
use super::run::{Project, Ran, Running};

pub const KEYCLOAK: &str = "26.7.3";
const NAMES: [&str; 3] = ["idp1", "acme", "store"];

pub struct Site {
    pub project: Project,
    pub inventory: PathBuf,
    hosts: Vec<TestHost>,
    _turn: std::sync::MutexGuard<'static, ()>,
}

impl Site {
    /// Bare hosts: sshd and nothing else.
    pub fn bare() -> Site {
        let turn = super::turn();
        let mut project = Project::new();
        let hosts = test_hosts(&lab("site"), &NAMES, &UpOptions::default());
        copy_folder(&repository().join("inventory"), &project.path("inventory"));
        hosts[0].lab().write_host_variables(&project.path("inventory/host_vars")).expect("the lab's variables are written");
        let state = project.path("state").to_string_lossy().into_owned();
        project.environment.push(("HOSTLER_STATE_DIR".into(), state));
        project.environment.push(("HOSTLER_KEYCLOAK_ARCHIVE".into(), archive()));
        let inventory = project.path("inventory/demo.yml");
        Site { project, inventory, hosts, _turn: turn }
    }

    pub fn host(&self, name: &str) -> &TestHost {
        self.hosts.iter().find(|host| host.name == name).expect("a host of the site")
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        self.project.start(&repository().join("playbooks/site.yml"), &self.inventory, arguments)
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).finish()
    }

    /// What the hosts have on their disks: each path with its kind, owner, mode and, but for folders, size and times. Left out: what the
    /// system itself writes while it runs, and the agent's own cache.
    pub fn disks(&self) -> BTreeMap<String, Vec<String>> {
        let left_out = ["/proc", "/sys", "/run", "/tmp", "/dev", "/root/.cache", "/var/log/journal", "/var/lib/systemd"];
        let left_out = left_out.map(|path| format!("-path {path}")).join(" -o ");
        let find = format!(
            "find / -xdev \\( {left_out} \\) -prune -o -type d -printf '%p %y %m %U %G\\n' -o -printf '%p %y %m %U %G %s %T@ %C@ %l\\n' | sort"
        );
        self.hosts.iter().map(|host| (host.name.clone(), host.run(&find).lines().map(str::to_owned).collect())).collect()
    }

    /// A secret that the first run generated.
    pub fn secret(&self, name: &str) -> String {
        std::fs::read_to_string(self.project.path("state").join(name)).expect("the secret is kept").trim().to_owned()
    }

    /// The public address as a browser finds it; gives the status and the body.
    pub fn curl(&self, arguments: &[&str]) -> (u16, String) {
        let address = self.host("idp1").address;
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "20", "--noproxy", "*", "--write-out", "\n%{http_code}", "--cacert"]);
        curl.arg(self.project.path("state/acme-root.pem"));
        for port in [80, 443] {
            curl.arg("--resolve").arg(format!("idp.lab.test:{port}:{address}"));
        }
        let output = curl.args(arguments).output().expect("curl starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = said.rsplit_once('\n').unwrap_or_default();
        assert!(output.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        (status.parse().expect("a status"), body.to_owned())
    }

    /// Asks for a token with a password: a login without a browser.
    pub fn log_in(&self, user: &str, password: &str) -> (u16, Json) {
        let form = format!("client_id=hostler-verify&grant_type=password&scope=openid&username={user}&password={password}");
        let (status, body) = self.curl(&["--data", &form, "https://idp.lab.test/realms/demo/protocol/openid-connect/token"]);
        (status, serde_json::from_str(&body).unwrap_or(Json::String(body)))
    }
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Keycloak's archive, from the cache.
pub fn archive() -> String {
    let output = Command::new("sh").arg(repository().join("tools/get-keycloak.sh")).arg(KEYCLOAK).output().expect("the script starts");
    assert!(output.status.success(), "no Keycloak archive: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Copies a folder, but for variables that a lab of the user's wrote into it.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true if entry.file_name() == "host_vars" => {}
            true => copy_folder(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("the file can be copied")),
        }
    }
}
