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
fn modules_for_the_machine_as_a_whole_do_what_they_say_and_once() {
    let host = host(&["gpg", "locales", "tzdata"]);
    host.run("echo '# the disks' > /etc/fstab");
    assert_eq!(holds(&host, "machine.yml", &[]).changed().len(), 13);
    let is = [
        ("df --output=fstype,size /mnt/scratch/deep | tail -1 | tr -s ' '", "tmpfs 1024"),
        ("cat '/mnt/a place/file'", "inside"),
        (
            "cat /etc/fstab",
            "# the disks\ntmpfs /mnt/scratch/deep tmpfs size=1m 0 0\n/srv /mnt/a\\040place none bind 0 0\n\
             /dev/sdz1 /mnt/later ext4 defaults,noauto 0 2",
        ),
        ("date -d '2026-07-01 12:00 UTC' +'%H %Z'; tail -1 /etc/adjtime", "14 CEST\nLOCAL"),
        ("timedatectl show -p Timezone -p LocalRTC --value", "Europe/Berlin\nyes"),
        ("LC_ALL=de_CH.UTF-8 locale -k d_fmt; locale -a | grep -c '^nl_NL@euro$'", "d_fmt=\"%d.%m.%Y\"\n1"),
        ("cat /etc/modules-load.d/dummy.conf /etc/modprobe.d/dummy.conf", "dummy\noptions dummy numdummies=2"),
        ("readlink -f /usr/bin/probe /usr/bin/probe-too", "/usr/local/bin/probe2\n/usr/local/bin/probe1"),
        ("update-alternatives --query probe | grep -E 'Status|Priority'", "Status: manual\nPriority: 50\nPriority: 5"),
        (
            "gpg --show-keys --with-colons /etc/apt/keyrings/probe.gpg 2>/dev/null | grep -cE '^(pub|sub).*(139DB1CBFC637BC7|B50C08BA52D57B21)'",
            "2",
        ),
    ];
    for (command, expected) in is {
        assert_eq!(host.run(command), expected, "{command}");
    }
    assert_eq!(
        host.run("su -s /bin/sh -c 'ulimit -n' nobody; stat -c %a /etc/probe.passwd; cut -d: -f1 /etc/probe.passwd"),
        "512\n640\nann\nbob"
    );
    let hash = host.run("grep ^ann: /etc/probe.passwd").replace("ann:", "");
    let salt = hash.split('$').nth(2).unwrap_or_default();
    assert_eq!(host.run(&format!("openssl passwd -apr1 -salt '{salt}' hush")), hash);
    mounts_of_now_are_changed_and_refused(&host);

    assert_eq!(holds(&host, "undo_machine.yml", &[]).changed().len(), 9);
    assert_eq!(host.run("cat /etc/fstab /etc/adjtime; ls /mnt; cat /srv/file"), "# the disks\n0.0 0 0\n0\nUTC\nscratch\ninside");
    assert_eq!(host.run("locale -a | grep -c _ || true; cat /etc/modules-load.d/dummy.conf"), "0\n#dummy");
    assert!(!host.check("ls /etc/apt/keyrings/probe.gpg || ls /usr/bin/probe || ls /usr/bin/probe-too || grep bob /etc/probe.passwd"));
}

/// What a second run would do again, and what cannot be mounted.
fn mounts_of_now_are_changed_and_refused(host: &TestHost) {
    let project = Project::new();
    let run = |task: &str| {
        let play = format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - {task}\n");
        project.play(&play, &host.inventory(), &["--limit", &host.name])
    };
    let size = || host.run("df --output=size /mnt/scratch/deep | tail -1 | tr -d ' '");
    run("ansible.posix.mount: {path: /mnt/scratch/deep, src: tmpfs, fstype: tmpfs, opts: size=2m, state: ephemeral}").succeeded();
    assert_eq!(size(), "2048");
    run("ansible.posix.mount: {path: /mnt/scratch/deep, state: remounted}").succeeded();
    assert_eq!(size(), "1024", "as fstab says");
    run("ansible.posix.mount: {path: /mnt/a place, src: /opt, fstype: none, opts: 'bind,ro', state: mounted}").succeeded();
    assert_eq!(
        host.run("touch '/mnt/a place/x' 2>/dev/null || echo refused; ls '/mnt/a place'; mount | grep -c 'a place'"),
        "refused\nfile\n1"
    );
    let fstab = host.run("cat /etc/fstab");
    let other = "ansible.posix.mount: {path: /mnt/scratch/deep, src: /srv, fstype: none, opts: bind, state: ephemeral}";
    run(other).failed(2, &["has another source mounted already, `tmpfs`"]);
    run("ansible.posix.mount: {path: /mnt/bad/deep, src: /dev/none, fstype: ext4, state: mounted}")
        .failed(2, &["Error mounting /mnt/bad/deep: "]);
    assert_eq!(host.run("cat /etc/fstab; ls /mnt | grep bad || true"), fstab, "what failed left nothing");
    run("ansible.builtin.apt_key: {data: x}").failed(2, &["no `apt-key` on this host", "ansible.builtin.deb822_repository"]);
    run("community.general.timezone: {name: Europe/Nowhere}").failed(2, &["given timezone \"Europe/Nowhere\" is not available"]);
    run("community.general.locale_gen: {name: xx_XX.UTF-8}").failed(2, &["not available on your system: xx_XX.UTF-8"]);
}

#[test]
fn a_firewall_is_told_what_it_is_to_do_and_once() {
    let host = host(&["ufw"]);
    assert_eq!(holds(&host, "firewall.yml", &[]).changed().len(), 6);
    let is = [
        (
            "ufw status verbose | head -3",
            "Status: active\nLogging: on (medium)\nDefault: deny (incoming), allow (outgoing), reject (routed)",
        ),
        (
            "grep -h tuple /etc/ufw/user.rules",
            "### tuple ### allow tcp 8000:8010 0.0.0.0/0 any 0.0.0.0/0 in\n\
             ### tuple ### limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in comment=68656c6c6f20796f75\n\
             ### tuple ### deny_log udp 514 0.0.0.0/0 any 192.0.2.4 in\n\
             ### tuple ### route:allow any any 0.0.0.0/0 any 0.0.0.0/0 in_eth0!out_eth1",
        ),
        ("iptables -S ufw-user-input | grep -c 'dport 22 .*recent'", "2"),
    ];
    for (command, expected) in is {
        assert_eq!(host.run(command), expected, "{command}");
    }
    let project = Project::new();
    let play = "- hosts: all\n  gather_facts: false\n  tasks:\n    - community.general.ufw: {rule: allow, port: bad port}\n";
    project.play(play, &host.inventory(), &["--limit", &host.name]).failed(2, &["ERROR: "]);

    assert_eq!(holds(&host, "undo_firewall.yml", &[]).changed().len(), 2);
    assert_eq!(host.run("ufw status; grep -c 192.0.2.4 /etc/ufw/user.rules || true"), "Status: inactive\n0");
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
