//! Bad input and bad luck: each ends in a message that says what happened, where, and what to do, and the next run goes on.
//!
//! Faults that need the whole site are in `roles.rs`, those of the realm in `keycloak/faults.rs`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use hostler::lab::UpOptions;

use crate::support::lab::{TestHost, bare_host, lab, test_host, test_hosts};
use crate::support::run::{Project, wait_until};

const PING: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n";

/// The lab's inventory with some of its words replaced.
fn inventory_but(project: &Project, host: &TestHost, replace: &str, by: &str) -> std::path::PathBuf {
    let text = std::fs::read_to_string(host.inventory()).expect("the inventory can be read");
    assert!(text.contains(replace), "no `{replace}` in {text}");
    project.write("inventory.yml", &text.replace(replace, by))
}

/// What of the inventory belongs to one host.
fn only(host: &TestHost) -> [&str; 2] {
    ["--limit", &host.name]
}

#[test]
fn a_host_that_cannot_be_reached_is_named_with_the_cause_and_the_way_out() {
    let host = bare_host();
    let project = Project::new();
    let address = format!("ansible_host: {}", host.address);

    let wrong_name = inventory_but(&project, &host, &address, "ansible_host: nowhere.invalid");
    let said = ["Could not resolve hostname nowhere.invalid", "check `ansible_host`", "play.yml:4"];
    project.play(PING, &wrong_name, &only(&host)).failed(4, &said);

    let [a, b, c, _] = host.address.octets();
    let dead = inventory_but(&project, &host, &address, &format!("ansible_host: {a}.{b}.{c}.251"));
    project.play(PING, &dead, &[&only(&host)[..], &["-T", "2"]].concat()).failed(4, &["is the host up, is `ansible_host` right"]);

    let closed = inventory_but(&project, &host, &address, &format!("{address}\n      ansible_port: 9"));
    project.play(PING, &closed, &only(&host)).failed(4, &["Connection refused", "does sshd run there, and is `ansible_port` right"]);

    project.play(PING, &host.inventory(), &only(&host)).succeeded();
}

#[test]
fn a_wrong_key_is_told_from_a_host_that_is_another() {
    let host = bare_host();
    let project = Project::new();
    let text = std::fs::read_to_string(host.inventory()).expect("the inventory can be read");
    let key = text.lines().find_map(|line| line.trim().strip_prefix("ansible_ssh_private_key_file: ")).expect("a key").to_owned();
    let other = project.path("other-key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&other).status().expect("ssh-keygen starts");
    assert!(made.success());
    let wrong = inventory_but(&project, &host, &key, &other.to_string_lossy());
    let said = ["Permission denied", "takes none of the keys", "`ansible_ssh_private_key_file`"];
    project.play(PING, &wrong, &only(&host)).failed(4, &said);

    host.run("rm /etc/ssh/ssh_host_*; ssh-keygen -A >/dev/null; systemctl restart ssh");
    let said = ["REMOTE HOST IDENTIFICATION HAS CHANGED", "ssh-keygen -R"];
    project.play(PING, &host.inventory(), &only(&host)).failed(4, &said);
}

#[test]
fn a_disk_that_is_too_small_for_the_agent_is_said() {
    let host = test_host("tiny", &UpOptions { disk: Some(24 << 20), ..UpOptions::default() });
    let project = Project::new();
    project.play(PING, &host.inventory(), &only(&host)).failed(4, &["the agent could not be written whole on the host", "make room"]);
    assert!(!host.check("ls /root/.cache/hostler/.agent* /root/.cache/hostler/agent-*"), "nothing half-written is left");
}

#[test]
fn a_full_disk_is_named_with_its_file_and_the_next_run_goes_on() {
    let host = bare_host();
    let project = Project::new();
    host.run("mkdir /srv/small && mount -t tmpfs -o size=256k none /srv/small && mount -t tmpfs -o size=8k none /var/cache/apt/archives");
    project.write("files/large", &"0123456789abcdef".repeat(40_000));
    pack(&project.path("files"), "large", "files/large.tar", &project);
    let play = |task: &str| format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - {task}\n");
    let copy = play("ansible.builtin.copy: {src: files/large, dest: /srv/small/large, mode: '0644'}");
    let unpack = play("ansible.builtin.unarchive: {src: files/large.tar, dest: /srv/small}");
    let install = play("ansible.builtin.apt: {name: hello, update_cache: true, install_recommends: false}");

    let run = |text: &str| project.play(text, &host.inventory(), &only(&host));
    run(&copy).failed(2, &["play.yml:4", "/srv/small/large", "No space left on device"]);
    assert_eq!(host.run("ls -A /srv/small"), "", "nothing half-written is left");
    run(&unpack).failed(2, &["play.yml:4", "/srv/small/large", "No space left on device"]);
    run(&install).failed(2, &["play.yml:4", "/var/cache/apt/archives"]);

    host.run("umount /srv/small /var/cache/apt/archives");
    for text in [copy, unpack, install] {
        run(&text).succeeded();
    }
    assert_eq!(host.run("hello; stat -c %s /srv/small/large"), "Hello, world!\n640000");
}

fn pack(folder: &Path, name: &str, archive: &str, project: &Project) {
    let made = Command::new("tar").arg("-C").arg(folder).arg("-caf").arg(project.path(archive)).arg(name).status();
    assert!(made.expect("tar starts").success());
}

/// Answers every request with these bytes.
fn serve(content: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let _read = stream.read(&mut request);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
            let _sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&content));
        }
    });
    port
}

fn sha256(content: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(content))
}

#[test]
fn an_archive_with_a_wrong_checksum_is_refused_from_a_file_and_from_a_server() {
    let host = bare_host();
    let project = Project::new();
    project.write("release/keycloak-1.0/version.txt", "1.0\n");
    let tar = project.path("release.tar.gz");
    pack(&project.path("release"), "keycloak-1.0", "release.tar.gz", &project);
    let content = std::fs::read(&tar).expect("the archive");
    let (right, wrong) = (sha256(&content), sha256(b"another"));
    let url = format!("http://{}:{}/keycloak.tar.gz", gateway(&host), serve(content));
    let play = |archive: &str, sum: &str| {
        format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.file: {{path: /opt/kc, state: directory, mode: '0755'}}\n\
             \x20   - ansible.builtin.import_role: {{name: keycloak, tasks_from: unpack}}\n      vars: {{keycloak_home: /opt/kc, keycloak_version: '1.0', \
             keycloak_archive: '{archive}', keycloak_archive_sha256: '{sum}'}}\n"
        )
    };
    let run = |archive: &str, sum: &str| project.play(&play(archive, sum), &host.inventory(), &only(&host));
    let file = tar.to_string_lossy().into_owned();

    let said = ["roles/keycloak/tasks/unpack.yml", "has the SHA-256", &right, &wrong, "get the archive of Keycloak 1.0 again"];
    run(&file, &wrong).failed(2, &said);
    run("/nowhere/keycloak.tar.gz", &right).failed(2, &["/nowhere/keycloak.tar.gz is not there"]);
    run(&url, &wrong).failed(2, &["roles/keycloak/tasks/unpack.yml", "checksum", &right]);
    assert_eq!(host.run("ls -A /opt/kc"), "", "what was refused is not kept");

    run(&url, &right).succeeded();
    assert_eq!(host.run("cat /opt/kc/keycloak-1.0/version.txt"), "1.0");
    run(&file, &right).changed_nothing();
}

#[test]
fn an_option_that_keycloak_no_longer_has_is_refused_with_its_successor() {
    let host = bare_host();
    let play = "- hosts: all\n  tasks:\n    - ansible.builtin.import_role: {name: keycloak, tasks_from: install}\n      \
                vars: {keycloak_options: {proxy: edge, log-level: info}}\n";
    let said = ["roles/keycloak/tasks/install.yml", "has no option proxy (`keycloak_options`)", "`keycloak_proxy_headers`"];
    Project::new().play(play, &host.inventory(), &only(&host)).failed(2, &said);
    assert!(!host.check("test -e /opt/keycloak"), "nothing was begun");
}

#[test]
fn a_database_that_is_not_there_or_refuses_is_named() {
    let host = bare_host();
    let project = Project::new();
    let play = |connection: &str| {
        format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - community.postgresql.postgresql_db: {{name: app{connection}}}\n")
    };
    let run = |connection: &str| project.play(&play(connection), &host.inventory(), &only(&host));
    run("").failed(2, &["play.yml:4", "cannot connect to database", "socket", "is PostgreSQL running there?"]);
    run(", login_host: 127.0.0.1, login_password: x").failed(2, &["127.0.0.1:5432", "is PostgreSQL running there?"]);
}

const CERTIFICATE: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: controller_secrets}
- hosts: all
  roles: [common]
- hosts: acme
  roles: [lab_acme]
- hosts: web
  tasks:
    - ansible.builtin.import_role: {name: nginx, tasks_from: http}
    - ansible.builtin.import_role: {name: certbot}
";

fn certificate_variables(folder: &Path, acme: &TestHost, web: &TestHost) -> String {
    let folder = folder.display();
    format!(
        "controller_secrets_dir: {folder}\ncontroller_secrets_certificates: [acme.lab.test]\n\
         lab_acme_hostname: acme.lab.test\nlab_acme_answer: {}\nlab_acme_certificate: {folder}/acme.lab.test.crt\n\
         lab_acme_key: {folder}/acme.lab.test.key\ncertbot_domains: [web.lab.test]\ncertbot_server: https://acme.lab.test:14000/dir\n\
         certbot_ca_certificate: {folder}/ca.crt\ncommon_hosts_entries: [{{address: {}, names: [acme.lab.test]}}]\n",
        web.address, acme.address
    )
}

#[test]
fn an_acme_server_that_fails_or_rejects_nonces_is_said_and_overcome() {
    let packages = ["certbot", "nginx", "pebble"].map(String::from).to_vec();
    let hosts = test_hosts(&lab("acme"), &["acme", "web"], &UpOptions { packages, ..UpOptions::default() });
    let (acme, web) = (&hosts[0], &hosts[1]);
    let project = Project::new();
    let variables = certificate_variables(&project.path("secrets"), acme, web);
    project.write("group_vars/all.yml", &variables);
    let run = |arguments: &[&str]| project.play(CERTIFICATE, &web.inventory(), arguments);

    let said = [
        "roles/certbot/tasks/main.yml",
        "no certificate for web.lab.test from https://acme.lab.test:14000/dir after 2 tries",
        "then run again",
    ];
    run(&["-e", "lab_acme_reject_nonces_percent=100", "-e", "certbot_tries=2"]).failed(2, &[&said[..], &["nonce"]].concat());

    acme.run("systemctl stop pebble");
    let away = ["-e", "certbot_tries=2", "-e", "lab_acme_reject_nonces_percent=100", "--limit", "web"];
    run(&away).failed(2, &[&said[..], &["Connection refused"]].concat());

    // One in four is rejected: enough that certbot alone often gives up.
    run(&["-e", "lab_acme_reject_nonces_percent=25", "-e", "certbot_tries=20"]).succeeded();
    assert!(
        web.run("openssl x509 -noout -subject -ext subjectAltName -in /etc/letsencrypt/live/web.lab.test/cert.pem")
            .contains("web.lab.test")
    );
    run(&["-e", "lab_acme_reject_nonces_percent=25"]).changed_nothing();
}

/// A static glibc that asks the host's name services loads the host's libraries and dies of it. So nothing here may ask.
#[test]
fn the_agent_works_where_names_come_from_systemd_and_sssd() {
    let packages = ["libnss-resolve", "libnss-systemd", "libnss-sss", "libnss-myhostname"].map(String::from).to_vec();
    let host = test_host("names", &UpOptions { packages, ..UpOptions::default() });
    let services = "passwd: files systemd sss\\ngroup: files systemd sss\\nshadow: files systemd sss\\nhosts: resolve [!UNAVAIL=return] files myhostname dns\\n";
    host.run(&format!("printf '{services}' > /etc/nsswitch.conf"));
    let project = Project::new();
    let port = serve(b"found".to_vec());
    let play = format!(
        "- hosts: all\n  tasks:\n    - ansible.builtin.user: {{name: app, shell: /bin/sh}}\n    - ansible.builtin.group: {{name: team}}\n\
         \x20   - ansible.builtin.copy: {{content: x, dest: /srv/x, owner: app, group: team, mode: '0640'}}\n\
         \x20   - ansible.builtin.getent: {{database: passwd, key: app}}\n\
         \x20   - ansible.builtin.command: id -un\n      become: true\n      become_user: app\n      become_method: ansible.builtin.su\n      when: not ansible_check_mode\n\
         \x20   - ansible.builtin.lineinfile: {{path: /etc/hosts, line: '{} files.lab.test'}}\n\
         \x20   - ansible.builtin.get_url: {{url: 'http://files.lab.test:{port}/x', dest: /srv/got, mode: '0644'}}\n\
         \x20   - ansible.builtin.wait_for: {{host: files.lab.test, port: {port}, timeout: 5}}\n",
        gateway(&host)
    );
    let run = |arguments: &[&str]| project.play(&play, &host.inventory(), &[&only(&host)[..], arguments].concat());
    run(&["--check"]).succeeded();
    run(&[]).succeeded();
    assert_eq!(host.run("stat -c '%U %G' /srv/x; cat /srv/got"), "app team\nfound");
}

fn gateway(host: &TestHost) -> String {
    let [a, b, c, _] = host.address.octets();
    format!("{a}.{b}.{c}.1")
}

#[test]
fn an_installation_that_was_cut_off_is_finished_by_the_next_run() {
    let host = bare_host();
    let project = Project::new();
    host.run("apt-get -qq update");
    let play = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.apt: {name: hello, install_recommends: false, policy_rc_d: 101}\n";
    // What a power cut leaves: dpkg's journal of an unfinished step, and the file that keeps services from starting.
    host.run("apt-get -qq -y install sl >/dev/null 2>&1; sed -n '/^Package: sl$/,/^$/p' /var/lib/dpkg/status > /var/lib/dpkg/updates/0000");
    host.run("printf '#!/bin/sh\\n# Stands here while Hostler installs packages.\\nexit 101\\n' > /usr/sbin/policy-rc.d");
    assert!(!host.check("apt-get -qq -y install cowsay"), "apt itself refuses");
    let ran = project.play(play, &host.inventory(), &only(&host)).succeeded();
    let warnings = ran.results().next().expect("a result")["result"]["warnings"].to_string();
    assert!(warnings.contains("was cut off"), "{warnings}");
    assert_eq!(host.run("hello; ls /usr/sbin/policy-rc.d 2>/dev/null || echo gone"), "Hello, world!\ngone");
    wait_until("dpkg has nothing left to do", 5, || host.run("dpkg --audit; ls /var/lib/dpkg/updates").is_empty());
}
