//! The roles, proven by the thing itself on hosts where the site stands; and what all roles have in common.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::support::oracle::oracle;
use crate::support::run::wait_until;
use crate::support::site::{Site, repository};

/// What a sysadmin would try; called on a site that is up.
pub fn each_proves_itself(site: &Site) {
    only_ssh_http_and_https_are_open(site);
    only_public_paths_are_exposed(site);
    a_certificate_renews_and_nginx_serves_it(site);
    a_line_arrives_after_the_receiver_was_down(site);
    brute_force_is_banned_and_the_ban_ends(site);
    a_server_that_does_not_become_ready_says_why_and_recovers(site);
    a_backup_host_that_is_away_is_named_and_comes_back(site);
    a_restore_logs_in_again(site);
}

fn only_ssh_http_and_https_are_open(site: &Site) {
    let host = site.host("idp1");
    let (next, open) = (AtomicU16::new(1), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for _ in 0..400 {
            scope.spawn(|| {
                loop {
                    let port = next.fetch_add(1, Ordering::SeqCst);
                    if port > 10_000 {
                        return;
                    }
                    let address = SocketAddr::from((host.address, port));
                    if TcpStream::connect_timeout(&address, Duration::from_millis(800)).is_ok() {
                        open.lock().expect("lock").insert(port);
                    }
                }
            });
        }
    });
    assert_eq!(open.into_inner().expect("lock"), BTreeSet::from([22, 80, 443]));
    // They do listen, but inside.
    assert!(host.check("bash -c 'for port in 5432 8080 9000; do exec 3<>/dev/tcp/127.0.0.1/$port || exit 1; done'"));
    assert!(host.run("nft list chain inet hostler input").contains("policy drop"));
    let from_store = "timeout 2 bash -c 'exec 3<>/dev/tcp/idp1/8080'";
    assert!(!site.host("store").check(from_store) && site.host("store").check(&from_store.replace("8080", "443")));
}

fn only_public_paths_are_exposed(site: &Site) {
    for path in
        ["admin/", "admin/master/console/", "admin/realms/demo", "metrics", "health", "health/ready", "js/keycloak.js", "%61dmin/", "x"]
    {
        let (status, _) = site.curl(&["--path-as-is", &format!("https://idp.lab.test/{path}")]);
        assert_eq!(status, 404, "/{path}");
    }
    let (status, _) = site.curl(&["--path-as-is", "https://idp.lab.test/realms/../admin/"]);
    assert!(status >= 400, "a path with dots leads out of /realms/: {status}");
    let (status, found) = site.curl(&["https://idp.lab.test/realms/demo/.well-known/openid-configuration"]);
    assert!(status == 200 && found.contains("\"issuer\":\"https://idp.lab.test/realms/demo\""), "{found}");
    let (status, headers) = site.curl(&["-I", "http://idp.lab.test/realms/demo?a=b"]);
    assert!(status == 301 && headers.contains("https://idp.lab.test/realms/demo?a=b"), "{headers}");
    // What a client says about where it comes from does not count.
    let lies = ["-H", "X-Forwarded-Host: evil.test", "-H", "X-Forwarded-For: 1.2.3.4", "-H", "Forwarded: host=evil.test"];
    let (_, found) = site.curl(&[&lies[..], &["https://idp.lab.test/realms/demo/.well-known/openid-configuration"]].concat());
    assert!(found.contains("\"issuer\":\"https://idp.lab.test/realms/demo\"") && !found.contains("evil.test"), "{found}");
    let (_, headers) = site.curl(&["-I", "https://idp.lab.test/realms/demo"]);
    assert!(headers.to_lowercase().contains("strict-transport-security: max-age=31536000"), "{headers}");
}

fn a_certificate_renews_and_nginx_serves_it(site: &Site) {
    let host = site.host("idp1");
    assert_eq!(host.run("systemctl is-active certbot.timer"), "active");
    let served =
        || host.run("echo | openssl s_client -connect 127.0.0.1:443 -servername idp.lab.test 2>/dev/null | openssl x509 -noout -serial");
    let before = served();
    // The ACME server rejects some nonces on purpose: the timer would try again.
    let renew = "REQUESTS_CA_BUNDLE=/etc/letsencrypt/acme-ca.crt certbot renew -q --force-renewal";
    host.run(&format!("for try in 1 2 3 4 5; do {renew} && exit 0; done; exit 1"));
    wait_until("nginx serves the new certificate", 10, || served() != before);
    assert_eq!(site.log_in("hostler-verify", &site.secret("demo-verify-password")).0, 200);
    // The timer's own service trusts the ACME server too: there is nothing to renew, and it says so by ending well.
    host.run("systemctl start certbot.service");
}

fn a_line_arrives_after_the_receiver_was_down(site: &Site) {
    let (idp, store) = (site.host("idp1"), site.host("store"));
    let arrived =
        |line: &str| store.check(&format!("journalctl --directory=/var/log/journal/remote --no-pager --output=cat | grep -qx {line}"));
    idp.run("logger line-while-it-is-up");
    wait_until("a line arrives", 40, || arrived("line-while-it-is-up"));
    store.run("systemctl stop stunnel@journal");
    idp.run("logger line-while-it-is-down");
    wait_until("the sender notices", 40, || idp.run("systemctl show -P NRestarts systemd-journal-upload") != "0");
    assert!(!arrived("line-while-it-is-down"));
    store.run("systemctl start stunnel@journal");
    wait_until("the line arrives when the receiver is back", 60, || arrived("line-while-it-is-down"));
    // Who has no certificate of the CA sends nothing.
    let answer = site.host("acme").run("echo x | timeout 5 openssl s_client -quiet -connect store.lab.test:19532 2>&1 || true");
    assert!(answer.contains("alert") || answer.contains("handshake"), "{answer}");
}

fn brute_force_is_banned_and_the_ban_ends(site: &Site) {
    let (idp, attacker) = (site.host("idp1"), site.host("acme"));
    let set = |what: &str| idp.run(&format!("fail2ban-client get {what}"));
    assert_eq!(["keycloak maxretry", "keycloak findtime", "keycloak bantime"].map(set), ["5", "900", "86400"]);
    assert_eq!(["sshd maxretry", "sshd findtime", "sshd bantime"].map(set), ["5", "900", "86400"]);
    // A day is long for a test.
    idp.run("fail2ban-client set keycloak bantime 8");
    let body = "client_id=hostler-verify&grant_type=password&username=mallory&password=guess";
    let request = format!(
        "POST /realms/demo/protocol/openid-connect/token HTTP/1.1\\r\\nHost: idp.lab.test\\r\\nConnection: close\\r\\n\
         Content-Type: application/x-www-form-urlencoded\\r\\nContent-Length: {}\\r\\n\\r\\n{body}",
        body.len()
    );
    let guess =
        format!("printf '{request}' | timeout 10 openssl s_client -quiet -connect idp.lab.test:443 -servername idp.lab.test 2>/dev/null");
    let reaches = || attacker.check("timeout 2 bash -c 'exec 3<>/dev/tcp/idp.lab.test/443'");
    assert!(attacker.run(&format!("{guess} | cat")).contains("invalid_grant"), "a guess is refused");
    attacker.run(&format!("for n in 1 2 3 4; do {guess} >/dev/null || true; done"));
    wait_until("the fifth failure bans", 20, || !reaches());
    assert!(idp.run("fail2ban-client status keycloak").contains(&attacker.address.to_string()));
    assert_eq!(site.log_in("hostler-verify", &site.secret("demo-verify-password")).0, 200, "others still get in");
    wait_until("the ban ends", 40, reaches);
    idp.run("fail2ban-client set keycloak bantime 86400");
}

/// A database that refuses is why Keycloak does not start.
fn a_server_that_does_not_become_ready_says_why_and_recovers(site: &Site) {
    let wrong = ["--tags", "keycloak", "-e", "keycloak_db_password=wrong-one", "-e", "keycloak_ready_seconds=25"];
    let said = [
        "roles/keycloak/tasks/ready.yml",
        "Keycloak is not ready after 25 s",
        "password authentication failed for user",
        "correct the cause and run again",
    ];
    site.run(&wrong).failed(2, &said);
    site.run(&["--tags", "keycloak"]).succeeded();
    assert_eq!(site.log_in("hostler-verify", &site.secret("demo-verify-password")).0, 200);
}

fn a_backup_host_that_is_away_is_named_and_comes_back(site: &Site) {
    let (idp, store) = (site.host("idp1"), site.host("store"));
    idp.run("rm /var/lib/backup/last-success");
    let backup = ["--tags", "backup", "--limit", "idp1"];
    store.lab().set_plugged(&store.name, false).expect("the plug is pulled");
    let ran = site.run(&backup);
    store.lab().set_plugged(&store.name, true).expect("the plug is put back");
    ran.failed(2, &["roles/backup/tasks/first.yml", "no backup of idp1 to store.lab.test", "bring the backup host back and run again"]);
    wait_until("the store answers again", 20, || store.check("true"));
    site.run(&backup).succeeded();
    idp.run("test -s /var/lib/backup/last-success");
}

fn a_restore_logs_in_again(site: &Site) {
    let host = site.host("idp1");
    host.run("/usr/local/sbin/backup-now");
    host.run("systemctl stop keycloak && dropdb --username=postgres --force keycloak && rm -r /etc/letsencrypt/live /opt/keycloak/current/data/*");
    host.run("/usr/local/sbin/backup-restore");
    wait_until("Keycloak is ready", 200, || host.check("bash -c 'exec 3<>/dev/tcp/127.0.0.1/9000'"));
    wait_until("a user logs in again", 100, || site.log_in("hostler-verify", &site.secret("demo-verify-password")).0 == 200);
    assert_eq!(host.run("psql --username=postgres --tuples-only --no-align -c 'show server_encoding' keycloak"), "UTF8");
    site.run(&["-e", "keycloak_heap_max=1024m"]).changed_nothing();
}

fn roles() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository().join("roles")).expect("roles");
    let mut roles: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    roles.sort();
    roles
}

fn yaml(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn keys(value: &serde_json::Value) -> BTreeSet<String> {
    value.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn every_role_says_the_same_in_its_defaults_its_specification_and_its_table() {
    for role in roles() {
        let name = role.file_name().expect("a name").to_string_lossy().into_owned();
        let defaults = keys(&yaml(&role.join("defaults/main.yml")));
        let specification = yaml(&role.join("meta/argument_specs.yml"));
        let mut specified = BTreeSet::new();
        for (entry, said) in specification["argument_specs"].as_object().expect("entries") {
            let file = role.join(format!("tasks/{entry}.yml"));
            assert!(file.exists(), "{name}: the entry `{entry}` has no {}", file.display());
            specified.extend(keys(&said["options"]));
        }
        let readme = std::fs::read_to_string(role.join("README.md")).expect("a README");
        let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let is_variable = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let table: BTreeSet<String> = rows.filter(is_variable).map(str::to_owned).collect();
        assert_eq!(defaults, specified, "{name}: defaults and argument_specs");
        assert_eq!(table, specified, "{name}: the table of the README and argument_specs");
        for variable in &specified {
            assert!(variable.starts_with(&name), "{name}: `{variable}` does not begin with the role's name");
        }
    }
}

/// The modules that are not part of ansible-core, as empty files where it looks for collections: it then finds the names, which is all that
/// a syntax check wants of them.
fn collections(folder: &Path) {
    let of_roles = roles().into_iter().flat_map(|role| ["tasks", "handlers"].map(|part| role.join(part)));
    let folders = of_roles.chain(["playbooks", "playbooks/tasks"].map(|part| repository().join(part)));
    for path in folders.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten()).map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(path).expect("a file of tasks");
        let named = text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_suffix(':'));
        for module in named.filter(|name| name.split('.').count() == 3 && !name.starts_with("ansible.builtin.")) {
            let [namespace, collection, module] = module.split('.').collect::<Vec<_>>()[..] else { continue };
            let modules = folder.join("ansible_collections").join(namespace).join(collection).join("plugins/modules");
            std::fs::create_dir_all(&modules).expect("a folder");
            std::fs::write(modules.join(format!("{module}.py")), "").expect("a file");
        }
    }
}

#[test]
fn real_ansible_accepts_every_playbook() {
    let home = tempfile::tempdir().expect("a folder");
    collections(home.path());
    for entry in std::fs::read_dir(repository().join("playbooks")).expect("playbooks") {
        let playbook = entry.expect("an entry").path();
        if playbook.is_dir() {
            continue;
        }
        for inventory in ["inventory/demo.yml", "inventory/own/hosts.yml"] {
            let mut ansible = Command::new(oracle("ansible-playbook"));
            ansible.arg("--syntax-check").arg(&playbook).args(["-i", inventory]).current_dir(repository());
            let output = ansible
                .env("ANSIBLE_HOME", home.path())
                .env("ANSIBLE_COLLECTIONS_PATH", home.path())
                .output()
                .expect("the reference starts");
            assert!(output.status.success(), "{}: {}", playbook.display(), String::from_utf8_lossy(&output.stderr));
        }
    }
}
