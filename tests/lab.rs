//! The lab itself: `hostler lab`, and the hosts that all other behaviour tests run on.

use std::fs;
use std::path::Path;

use hostler::lab::{HostState, Lab, Release, UpOptions};

use crate::support::lab::{bare_host, host_with_python, hostler, lab, test_host, test_hosts};

/// What `hostler lab` with these arguments prints. It must succeed.
fn lab_says(lab: &str, arguments: &[&str]) -> String {
    let output = hostler().args(["lab", "--lab", lab]).args(arguments).output().expect("hostler starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn link_is_there(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).exists()
}

fn mounts_hold(path: &Path) -> bool {
    fs::read_to_string("/proc/self/mounts").unwrap().contains(path.to_str().unwrap())
}

#[test]
fn a_host_that_stopped_by_itself_is_seen() {
    let host = bare_host();
    let _ = host.try_run("systemctl --force --force poweroff");
    let state = || host.lab().ls().unwrap().into_iter().find(|listed| listed.name == host.name).unwrap().state;
    wait_until("the host is stopped", || state() == HostState::Stopped);
}

#[test]
fn an_unplugged_host_works_on_and_answers_when_it_is_plugged_in_again() {
    let host = bare_host();
    host.run("systemd-run -q sh -c 'sleep 2; echo done > /run/alone'");
    host.lab().set_plugged(&host.name, false).unwrap();
    let address = std::net::SocketAddr::from((host.address, 22));
    let second = std::time::Duration::from_secs(1);
    assert!(std::net::TcpStream::connect_timeout(&address, second).is_err());
    std::thread::sleep(second * 2);
    host.lab().set_plugged(&host.name, true).unwrap();
    // Its networkd drops the address with the cable, and takes it again when it sees the carrier.
    wait_until("the host answers again", || host.check("true"));
    assert_eq!(host.run("cat /run/alone"), "done");
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "{what}: not within 20 s");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn the_command_line_boots_lists_resets_and_throws_away() {
    let name = format!("t-verbs-{}", std::process::id());
    let said = lab_says(&name, &["up", "one"]);
    assert!(said.lines().last().unwrap().starts_with("one ") && said.trim_end().ends_with(" s"), "{said}");
    assert!(lab_says(&name, &["up", "one"]).contains("already"));

    let listed: serde_json::Value = serde_json::from_str(&lab_says(&name, &["ls", "--output", "json"])).unwrap();
    let host = &listed.as_array().unwrap()[0];
    assert_eq!((host["name"].as_str(), host["state"].as_str()), (Some("one"), Some("running")));
    let address = host["address"].as_str().unwrap().to_owned();

    lab_says(&name, &["ssh", "one", "touch", "/etc/kept"]);
    let key = lab_says(&name, &["ssh", "one", "cat", "/etc/ssh/ssh_host_ed25519_key.pub"]);
    assert!(lab_says(&name, &["inventory"]).contains(&format!("ansible_host: {address}\n")));
    let refused = hostler().args(["lab", "--lab", &name, "ssh", "one", "exit 7"]).status().unwrap();
    assert_eq!(refused.code(), Some(7), "the status is the command's");

    lab_says(&name, &["reset", "one"]);
    assert_eq!(lab_says(&name, &["ssh", "one", "ls /etc/kept 2>/dev/null || echo bare"]), "bare\n");
    assert_eq!(lab_says(&name, &["ssh", "one", "cat", "/etc/ssh/ssh_host_ed25519_key.pub"]), key);
    assert!(lab_says(&name, &["ls"]).contains(&address));

    let folder = Lab::open(&name).unwrap().folder();
    assert_eq!(lab_says(&name, &["down", "--all"]), "one              gone\n");
    assert_eq!(lab_says(&name, &["ls", "--output", "json"]), "[]\n");
    assert!(!folder.exists() && !mounts_hold(&folder));
}

#[test]
fn an_unknown_host_is_refused_with_those_there_are() {
    let host = bare_host();
    let output = hostler().args(["lab", "--lab", host.lab().name(), "reset", "nobody"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("has no host `nobody`") && said.contains(&host.name), "{said}");
}

#[test]
fn a_bare_host_has_sshd_and_systemd_and_no_python() {
    let host = bare_host();
    assert_eq!(host.run("systemctl is-system-running --wait"), "running");
    assert!(!host.check("command -v python3"));
    assert_eq!(host.run("hostname -f"), format!("{}.lab.test", host.name));
    assert_eq!(host.run("cat /etc/debian_version | cut -d. -f1"), "13");
}

#[test]
fn a_host_with_packages_starts_with_them() {
    assert!(host_with_python().run("python3 -c 'import apt, sys; print(sys.version)'").starts_with("3."));
}

#[test]
fn apt_installs_inside() {
    let host = bare_host();
    assert_eq!(host.run("(apt-get -qq update && apt-get -qq -y install hello) >/dev/null 2>&1; hello"), "Hello, world!");
}

#[test]
fn hosts_of_a_lab_reach_each_other_by_name_also_later_ones() {
    let lab = lab("names");
    let early = test_hosts(&lab, &["early"], &UpOptions::default()).remove(0);
    {
        let late = test_hosts(&lab, &["late"], &UpOptions::default()).remove(0);
        for (from, to) in [(&early, "late"), (&late, "early.lab.test")] {
            let banner = from.run(&format!("bash -c 'exec 3<>/dev/tcp/{to}/22; head -c 4 <&3'"));
            assert_eq!(banner, "SSH-", "{} to {to}", from.name);
        }
    }
    assert!(!early.check("getent hosts late"), "a host that is gone has no name");
}

#[test]
fn two_labs_do_not_share_a_network() {
    let (one, two) = (lab("net-one"), lab("net-two"));
    let first = test_hosts(&one, &["same"], &UpOptions::default()).remove(0);
    let second = test_hosts(&two, &["same"], &UpOptions::default()).remove(0);
    assert_ne!(first.address.octets()[2], second.address.octets()[2]);
}

#[test]
fn a_full_disk_is_full_and_keeps_no_other_host_from_booting() {
    let small = test_host("small", &UpOptions { disk: Some(40 << 20), ..UpOptions::default() });
    let output = small.try_run("LC_ALL=C dd if=/dev/zero of=/big bs=1M count=100");
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left on device"));
    bare_host().run("true");
}

#[test]
fn a_host_is_not_quietly_another_than_asked_for() {
    let host = bare_host();
    let options = UpOptions { image: Release::Bookworm, ..UpOptions::default() };
    let error = host.lab().up(std::slice::from_ref(&host.name), &options, &|_| {}).unwrap_err();
    assert!(matches!(error, hostler::lab::LabError::OtherOptions { .. }), "{error:?}");
}

#[test]
fn a_host_that_lost_its_power_is_seen_and_boots_again_with_its_disk() {
    let lab = lab("power");
    let host = test_hosts(&lab, &["weak"], &UpOptions::default()).remove(0);
    host.run("echo precious > /etc/kept; sync");
    lab.cut_power(&host.name).unwrap();
    assert_eq!(lab.ls().unwrap()[0].state, HostState::Stopped);

    // Another test's verb may be cleaning the same just now.
    wait_until("its disk is not mounted", || {
        Lab::open("any").unwrap();
        !mounts_hold(&lab.folder())
    });
    lab.up(std::slice::from_ref(&host.name), &UpOptions::default(), &|_| {}).unwrap();
    assert_eq!(host.run("cat /etc/kept"), "precious");
}

#[test]
fn a_lab_whose_process_died_is_gone_with_the_next_verb() {
    let lab = lab("crash");
    let host = test_hosts(&lab, &["left"], &UpOptions::default()).remove(0);
    let bridge = format!("hostler{}", host.address.octets()[2]);
    assert!(link_is_there(&bridge));

    let record = lab.folder().join("lab.json");
    let mut said: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    said["owner"]["started"] = 1.into();
    fs::write(&record, said.to_string()).unwrap();

    Lab::open("any").unwrap();
    assert!(!lab.folder().exists() && !mounts_hold(&lab.folder()) && !link_is_there(&bridge));
}

#[test]
fn a_lab_whose_folder_was_removed_by_hand_leaves_no_bridge_and_no_process() {
    let lab = lab("removed");
    let host = test_hosts(&lab, &["left"], &UpOptions::default()).remove(0);
    let [_, _, network, octet] = host.address.octets();
    let root = lab.folder().join("hosts/left/root");
    assert!(std::process::Command::new("umount").arg("-l").arg(&root).status().unwrap().success());
    fs::remove_dir_all(lab.folder()).unwrap();

    Lab::open("any").unwrap();
    assert!(!link_is_there(&format!("hostler{network}")) && !link_is_there(&format!("vb-hl{network}-{octet}")));
}

#[test]
fn the_inventory_holds_all_that_a_login_needs() {
    let host = bare_host();
    let text = fs::read_to_string(host.inventory()).unwrap();
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest.trim_start().lines().next().unwrap().to_owned()).unwrap();
    let (key, options) = (after("ansible_ssh_private_key_file: "), after("ansible_ssh_common_args: >-"));
    let mut ssh = std::process::Command::new("ssh");
    ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-i", &key, "-l", "root"]).args(options.split(' '));
    let output = ssh.arg(host.address.to_string()).arg("hostname").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), host.name, "{}", String::from_utf8_lossy(&output.stderr));
}
