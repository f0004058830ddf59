//! Connections that are lost: the host works on, the run goes on, and nothing is left behind.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::lab::{TestHost, bare_host};
use crate::support::run::{Project, Running, wait_until};

/// A long task, and some after it; what is written twice would be seen.
const PLAY: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - name: Long
      ansible.builtin.shell: sleep 6; echo long >> /srv/done
    - ansible.builtin.shell: echo after >> /srv/done
      register: after
    - ansible.builtin.shell: echo {{ after.rc }} >> /srv/done
    - ansible.builtin.copy: {content: '{{ lookup(\"pipe\", \"head -c 200000 /dev/zero | tr \\\\\\\\0 x\") }}', dest: /srv/large, mode: '0644'}
    - ansible.builtin.shell: id -un >> /srv/done
      become: true
      become_method: su
      become_user: nobody
      become_flags: -s /bin/sh
";

fn start(project: &Project, host: &TestHost, arguments: &[&str]) -> Running {
    host.run("touch /srv/done; chmod 666 /srv/done");
    let playbook = project.write("play.yml", PLAY);
    let mut running = project.start(&playbook, &host.inventory(), &[&["--limit", &host.name], arguments].concat());
    running.wait_for_task("Long");
    wait_until("the task runs on the host", 90, || host.check("pgrep -x sleep"));
    running
}

fn assert_done(host: &TestHost) {
    assert_eq!(host.run("cat /srv/done; stat -c %s /srv/large"), "long\nafter\n0\nnobody\n200000", "each task ran once");
}

fn assert_nothing_left(host: &TestHost) {
    let left = "pgrep -f 'agent-[0-9a-f]+ agent' || ls -d /root/.cache/hostler/link-* /srv/nobody/.cache/hostler/link-* 2>/dev/null";
    wait_until("no agent and no socket is left", 20, || !host.check(left));
}

/// Kills the programs on this machine that hold a connection to the host.
fn kill_connections(host: &TestHost) {
    let listed = Command::new("ss").args(["-Htnp", "dst", &host.address.to_string()]).output().expect("ss starts");
    let text = String::from_utf8(listed.stdout).expect("text");
    let pids = text.split("pid=").skip(1).filter_map(|rest| rest.split(',').next()?.parse().ok());
    let killed = pids.filter(|pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), Signal::SIGKILL).is_ok()).count();
    assert!(killed > 0, "nothing was connected to {}: {text}", host.address);
}

fn home_for_nobody(host: &TestHost) {
    host.run("usermod -d /srv/nobody nobody; mkdir /srv/nobody; chown nobody: /srv/nobody");
}

#[test]
fn a_run_whose_connection_is_killed_goes_on_as_if_nothing_had_been() {
    let host = bare_host();
    home_for_nobody(&host);
    let project = Project::new();
    let running = start(&project, &host, &[]);
    kill_connections(&host);
    std::thread::sleep(Duration::from_secs(2));
    kill_connections(&host);
    let ran = running.finish().succeeded();
    assert_eq!(ran.count(&host.name, "changed"), 5);
    assert_done(&host);
    assert_nothing_left(&host);
}

#[test]
fn a_run_whose_connection_hangs_notices_and_goes_on_when_the_host_is_back() {
    let host = bare_host();
    home_for_nobody(&host);
    let project = Project::new();
    let noticing = ["-e", "ansible_ssh_extra_args='-o ServerAliveInterval=1 -o ServerAliveCountMax=2'", "-T", "3"];
    let running = start(&project, &host, &noticing);
    host.lab().set_plugged(&host.name, false).expect("unplugged");
    std::thread::sleep(Duration::from_secs(8));
    host.lab().set_plugged(&host.name, true).expect("plugged in");
    let ran = running.finish().succeeded();
    assert_eq!(ran.count(&host.name, "changed"), 5);
    assert_done(&host);
    assert_nothing_left(&host);
}

#[test]
fn an_agent_whose_controller_does_not_come_back_ends_after_the_running_task() {
    let host = bare_host();
    let mut project = Project::new();
    project.environment.push(("HOSTLER_AGENT_GRACE".into(), "1".into()));
    let running = start(&project, &host, &[]);
    running.signal(Signal::SIGKILL);
    assert_eq!(running.finish().code, None);
    assert_nothing_left(&host);
    assert_eq!(host.run("cat /srv/done"), "long", "the task that ran was finished, and none was begun after it");
}

#[test]
fn an_interrupted_run_ends_the_programs_and_leaves_nothing() {
    let host = bare_host();
    let project = Project::new();
    let running = start(&project, &host, &[]);
    running.interrupt();
    assert_eq!(running.finish().code, Some(99));
    assert!(!host.check("pgrep -x sleep"), "the program was ended with the run");
    assert_nothing_left(&host);
    assert_eq!(host.run("cat /srv/done"), "");
}
