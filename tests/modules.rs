//! Modules on real hosts without Python: what check mode foresees is what is done, what is done is there, and nothing is done twice.

use std::path::Path;

use hostler::lab::UpOptions;

use crate::support::lab::{TestHost, test_host};
use crate::support::run::{Project, Ran};

fn host(packages: &[&str]) -> TestHost {
    let packages = packages.iter().map(|name| (*name).to_owned()).collect();
    test_host("modules", &UpOptions { packages, ..UpOptions::default() })
}

/// Runs a playbook of `tests/modules` in check mode, for good, and once more.
fn holds(host: &TestHost, name: &str, variables: &[&str]) -> Ran {
    let project = Project::new();
    let playbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules").join(name);
    let run = |more: &[&str]| {
        let arguments: Vec<&str> = ["--limit", &host.name].iter().chain(variables).chain(more).copied().collect();
        project.run(&playbook, &host.inventory(), &arguments)
    };
    let foreseen = run(&["--check"]).succeeded().changed();
    let ran = run(&[]).succeeded();
    assert_eq!(foreseen, ran.changed(), "what was foreseen, and what was done");
    run(&[]).changed_nothing();
    run(&["--check"]).changed_nothing();
    ran
}

#[test]
fn modules_for_files_and_accounts_do_what_they_say_and_once() {
    let host = host(&["cron"]);
    let folder = tempfile::tempdir().expect("a folder");
    let fetched = folder.path().join("fetched");
    let ran = holds(&host, "files.yml", &["-e", &format!("fetched={}", fetched.display())]);
    assert_eq!(ran.changed().len(), 22);
    let is = [
        ("getent passwd probe", "probe:x:2300:2300:A probe:/srv/probe:/bin/sh"),
        ("getent group probes", "probes:x:2300:"),
        ("stat -c '%U %a' /srv/probe/.ssh/authorized_keys", "probe 600"),
        ("stat -c '%F %U %a' /srv/probe/parts", "directory probe 750"),
        ("readlink /srv/probe/link", "parts"),
        ("cat /srv/probe/assembled", "one\ntwo for True"),
        ("cat /srv/probe/whole", "eins\ntwo\nthree\n# BEGIN ANSIBLE MANAGED BLOCK\nfour\n# END ANSIBLE MANAGED BLOCK"),
        ("stat -c %a /srv/probe/whole", "600"),
        ("cat /srv/probe/ini", "[main]\ncolor = blue"),
        ("ssh-keygen -F peer.test -f /srv/probe/known | grep -c ed25519", "1"),
        ("openssl pkey -in /srv/probe/key.pem -noout -text | grep -c prime256v1", "1"),
        ("stat -c %a /srv/probe/key.pem", "600"),
        ("cat /srv/probe/inside/it", "from the archive"),
        ("cat /etc/hostname; uname -n", "probe.lab.test\nprobe.lab.test"),
        ("cat /proc/sys/net/ipv4/ip_local_port_range", "20000\t60000"),
        ("crontab -u probe -l", "#Ansible: probe\n7 4 * * * true"),
        ("ls -d '/srv/probe/made by command'", "/srv/probe/made by command"),
        ("cat /srv/probe/by-shell /srv/probe/by-script", "by shell\nby script"),
    ];
    for (command, expected) in is {
        assert_eq!(host.run(command), expected, "{command}");
    }
    assert_eq!(std::fs::read_to_string(&fetched).expect("it was fetched").trim(), host.run("cat /etc/debian_version"));

    assert_eq!(holds(&host, "undo.yml", &[]).changed().len(), 11);
    assert!(!host.check("getent passwd probe || getent group probes || ls /srv/probe/parts || crontab -u probe -l"));
    assert_eq!(host.run("cat /srv/probe/whole /srv/probe/ini"), "eins\ntwo");
}

#[test]
fn modules_for_packages_services_and_the_network_do_what_they_say_and_once() {
    let host = host(&["cron"]);
    holds(&host, "services.yml", &[]);
    holds(&host, "network.yml", &[]);
    let is = [
        ("dpkg-query -W -f '${Status}' nano", "hold ok installed"),
        ("debconf-get-selections 2>/dev/null | grep -c nothing || echo get tzdata/Areas | debconf-communicate", "0\n0 Europe"),
        ("cat /etc/apt/sources.list.d/probe.list", "deb [trusted=yes] file:/srv/packages ./"),
        ("grep -c '^URIs: file:/srv/packages' /etc/apt/sources.list.d/probe-two.sources", "1"),
        ("systemctl is-active probe; systemctl is-enabled probe", "active\nenabled"),
        ("systemctl is-active cron; systemctl is-enabled cron || true", "inactive\ndisabled"),
        ("git -C /srv/clone log -1 --format=%s", "one"),
        ("cat /srv/got", "hello"),
    ];
    for (command, expected) in is {
        assert_eq!(host.run(&format!("{command} || true")), expected, "{command}");
    }

    host.run("cd /tmp && apt-get -qq download hello && mv hello_*.deb /srv/probe.deb");
    assert_eq!(holds(&host, "undo_services.yml", &[]).changed().len(), 8);
    assert!(!host.check("which git || ls /etc/apt/sources.list.d/probe* || systemctl is-active probe"));
    assert_eq!(host.run("systemctl is-active cron; hello -g there"), "active\nthere");
}

#[test]
fn modules_for_postgresql_do_what_they_say_and_once() {
    let host = host(&["postgresql"]);
    holds(&host, "database.yml", &[]);
    let asked = |query: &str| host.run(&format!("su postgres -c \"psql -Atc \\\"{query}\\\" probe\""));
    assert_eq!(asked("select rolconnlimit, rolcanlogin from pg_roles where rolname = 'probe'"), "3|t");
    assert_eq!(asked("show server_encoding"), "UTF8");
    assert_eq!(asked("select has_database_privilege('public', 'probe', 'CREATE')"), "t");

    assert_eq!(holds(&host, "undo_database.yml", &[]).changed().len(), 3);
    assert_eq!(host.run("su postgres -c \"psql -Atc '\\\\du probe'\"; su postgres -c 'psql -Atl' | grep -c '^probe' || true"), "0");
}

#[test]
fn a_host_reboots_and_the_run_goes_on() {
    let host = host(&[]);
    let project = Project::new();
    let before = host.run("cat /proc/1/stat | cut -d' ' -f22");
    let play = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.reboot: {reboot_timeout: 120}\n\
                \x20   - ansible.builtin.shell: cut -d' ' -f22 /proc/1/stat\n";
    let ran = project.play(play, &host.inventory(), &["--limit", &host.name]).succeeded();
    let after = ran.results().last().expect("a result")["result"]["stdout"].clone();
    assert_ne!(after, before.as_str(), "it is the same start of the host's first process");
}
