//! Send-ahead: tasks reach the host before those before them are done, and nobody sees a difference.

use std::path::Path;

use serde_json::Value as Json;

use crate::support::lab::{TestHost, bare_host};
use crate::support::run::{Project, Ran, wait_until};

/// A run that waits for each task before it sends the next one.
fn patiently(project: &mut Project, run: impl FnOnce(&Project) -> Ran) -> Ran {
    project.environment.push(("HOSTLER_NO_SEND_AHEAD".into(), "1".into()));
    let ran = run(project);
    project.environment.pop();
    ran
}

/// What a run told, without times, numbers of processes and the like.
fn story(ran: &Ran) -> Vec<Json> {
    const OWN: &[&str] = &[
        "milliseconds",
        "time",
        "start",
        "end",
        "delta",
        "elapsed",
        "command",
        "directory",
        "ansible_facts",
        "atime",
        "mtime",
        "ctime",
        "ino",
        "inode",
        "ansible_job_id",
        "results_file",
        "backup_file",
        "pid",
        "erased",
        "job",
        "child_pid",
        "stdout_time",
    ];
    fn strip(value: &mut Json) {
        match value {
            Json::Object(map) => {
                map.retain(|name, _| !OWN.contains(&name.as_str()));
                map.values_mut().for_each(strip);
            }
            Json::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut events: Vec<Json> = ran.events.iter().filter(|event| event["event"] != "run_started").cloned().collect();
    events.iter_mut().for_each(strip);
    events
}

fn assert_same(ahead: &Ran, patient: &Ran, what: &str) {
    let (ahead_story, patient_story) = (story(ahead), story(patient));
    for (index, (one, other)) in ahead_story.iter().zip(&patient_story).enumerate() {
        assert_eq!(one, other, "{what}: event {index} differs (left: sent ahead)\n{}", ahead.trouble());
    }
    assert_eq!(ahead_story.len(), patient_story.len(), "{what}: one run has more events");
    assert_eq!(ahead.code, patient.code, "{what}: the exit code\n{}", ahead.trouble());
}

fn only(host: &TestHost) -> [&str; 2] {
    ["--limit", &host.name]
}

#[test]
fn the_language_is_the_same_for_a_host_that_is_sent_tasks_ahead() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language");
    let mut project = Project::new();
    project.environment.push(("ANSIBLE_ROLES_PATH".into(), folder.join("roles").to_string_lossy().into_owned()));
    let mut playbooks: Vec<_> = std::fs::read_dir(&folder).expect("the folder").flatten().map(|entry| entry.path()).collect();
    playbooks.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    playbooks.sort();
    for playbook in playbooks {
        for host in ["web1", "web2", "web3"] {
            let arguments = ["--limit", host, "--no-history"];
            let inventory = folder.join("hosts.ini");
            let ahead = project.run(&playbook, &inventory, &arguments);
            let slow = patiently(&mut project, |project| project.run(&playbook, &inventory, &arguments));
            assert_same(&ahead, &slow, &format!("{} on {host}", playbook.display()));
        }
    }
}

/// Many kinds of tasks; each leaves its number, so that the order is seen on the host.
const KINDS: &str = r#"
- hosts: all
  gather_facts: true
  vars:
    log: /srv/order
    greeting: "{{ word }} there"
    word: hello
  pre_tasks:
    - ansible.builtin.file: {path: /srv/order, state: touch, mode: '0644'}
      changed_when: false
  tasks:
    - ansible.builtin.shell: "echo 1 >> {{ log }}"
    - ansible.builtin.lineinfile: {path: "{{ log }}", line: "{{ item }}"}
      loop: ["2", "3"]
      notify: noted
    - ansible.builtin.copy: {src: files/plain, dest: /srv/plain, mode: '0600'}
      notify: noted
    - ansible.builtin.template: {src: files/greeting.j2, dest: /srv/greeting, mode: '0644'}
    - ansible.builtin.set_fact: {word: goodbye}
    - ansible.builtin.template: {src: files/greeting.j2, dest: /srv/greeting, mode: '0644'}
    - ansible.builtin.debug: {msg: "{{ greeting }}"}
    - ansible.builtin.command: cat /srv/greeting
      register: read
      changed_when: false
    - ansible.builtin.command: echo {{ read.stdout }}
      register: again
      changed_when: again.rc == 0
    - ansible.builtin.assert: {that: again.stdout == 'goodbye there on ' ~ ansible_facts.hostname}
    - ansible.builtin.command: "false"
      register: wrong
      failed_when: wrong.rc == 7
    - ansible.builtin.command: "false"
      ignore_errors: true
    - ansible.builtin.shell: "echo 4 >> {{ log }}"
      when: wrong.rc == 1
    - ansible.builtin.shell: "echo never >> {{ log }}"
      when: wrong.rc == 2
    - ansible.builtin.include_tasks: more.yml
    - ansible.builtin.shell: "test -e /srv/tried || { touch /srv/tried; exit 1; }"
      register: tried
      until: tried is success
      retries: 2
      delay: 0
    - ansible.builtin.command: sleep 0
      timeout: 20
    - ansible.builtin.command: id -un
      become: true
      become_method: su
      become_user: nobody
      register: me
      ignore_errors: true
    - ansible.builtin.shell: "echo delegated >> {{ log }}"
      delegate_to: "{{ inventory_hostname }}"
    - ansible.builtin.command: echo secret
      no_log: true
    - ansible.builtin.script: files/script.sh
    - ansible.builtin.shell: "echo once >> {{ log }}"
      run_once: true
    - ansible.builtin.shell: "echo {{ item.0 }}{{ item.1 }} >> {{ log }}"
      with_together: [[a, b], [c, d]]
      loop_control: {label: "{{ item.0 }}"}
    - ansible.builtin.shell: "test {{ item }} != y"
      loop: [x, y, z]
      register: some
      ignore_errors: true
    - ansible.builtin.shell: "echo {{ item.rc }} >> {{ log }}"
      loop: "{{ some.results }}"
    - block:
        - ansible.builtin.shell: "echo in >> {{ log }}"
        - ansible.builtin.shell: "echo out >> {{ log }}; exit 3"
        - ansible.builtin.shell: "echo never >> {{ log }}"
        - ansible.builtin.copy: {content: x, dest: /srv/never, mode: '0644'}
      rescue:
        - ansible.builtin.shell: "echo rescued {{ ansible_failed_result.rc }} >> {{ log }}"
        - ansible.builtin.shell: "echo rescued again >> {{ log }}"
      always:
        - ansible.builtin.shell: "echo always >> {{ log }}"
    - ansible.builtin.meta: flush_handlers
    - ansible.builtin.getent: {database: passwd, key: root}
    - ansible.builtin.shell: "echo {{ getent_passwd.root[5] | default('?') }} >> {{ log }}"
    - ansible.builtin.copy: {content: "{{ lookup('pipe', 'echo piped') }}\n", dest: /srv/piped, mode: '0644'}
    - ansible.builtin.stat: {path: /srv/piped}
      check_mode: true
    - ansible.builtin.file: {path: /srv/unreal, state: touch, mode: '0644'}
      check_mode: true
    - ansible.builtin.command: ls /srv
      register: there
    - ansible.builtin.shell: "echo last >> {{ log }}"
      notify: [noted, listened]
    - ansible.builtin.meta: end_host
      when: there.stdout is search('unreal')
  post_tasks:
    - ansible.builtin.shell: "cat {{ log }}"
      register: order
    - ansible.builtin.debug: {var: order.stdout_lines}
  handlers:
    - name: noted
      ansible.builtin.shell: "echo noted >> {{ log }}"
    - name: second
      listen: listened
      ansible.builtin.shell: "echo second >> {{ log }}"
      notify: third
    - name: third
      ansible.builtin.shell: "echo third >> {{ log }}"
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {content: "{{ word }}", dest: /srv/word, mode: '0644'}
    - ansible.builtin.shell: "echo before >> /srv/order"
    - ansible.builtin.shell: "echo failed >> /srv/order; exit 1"
    - ansible.builtin.shell: "echo never >> /srv/order"
    - ansible.builtin.file: {path: /srv/never, state: touch, mode: '0644'}
"#;

fn write_kinds(project: &Project) {
    project.write("files/plain", "plain\n");
    project.write("files/greeting.j2", "{{ greeting }} on {{ inventory_hostname if false else ansible_facts.hostname }}");
    project.write("files/script.sh", "#!/bin/sh\necho script >> /srv/order\n");
    let more = "- ansible.builtin.shell: \"echo included >> {{ log }}\"\n- ansible.builtin.shell: \"echo included too >> {{ log }}\"\n";
    project.write("more.yml", more);
}

#[test]
fn every_kind_of_task_ends_the_same_and_in_the_same_order() {
    let host = bare_host();
    let mut project = Project::new();
    write_kinds(&project);
    let clean = || host.run("rm -rf /srv/*");
    for arguments in [&[][..], &["--check"], &["-e", "word=given"]] {
        for strategy in ["linear", "free", "host_pinned"] {
            let play = KINDS.replace("- hosts: all\n", &format!("- hosts: all\n  strategy: {strategy}\n"));
            let arguments = [&only(&host)[..], arguments].concat();
            clean();
            let slow = patiently(&mut project, |project| project.play(&play, &host.inventory(), &arguments));
            let left = host.run("cat /srv/* 2>/dev/null; ls /srv");
            clean();
            let ahead = project.play(&play, &host.inventory(), &arguments);
            assert_same(&ahead, &slow, &format!("{strategy} {arguments:?}"));
            assert_eq!(host.run("cat /srv/* 2>/dev/null; ls /srv"), left, "{strategy} {arguments:?}");
        }
    }
    clean();
    let ran = project.play(KINDS, &host.inventory(), &only(&host));
    assert_eq!(ran.code, Some(2), "{}", ran.trouble());
    let order = host.run("cat /srv/order").replace('\n', ", ");
    let expected = "1, 2, 3, 4, included, included too, delegated, script, once, ac, bd, 0, 1, 0, in, out, rescued 3, rescued again, always, \
                    noted, /bin/bash, last, noted, second, third, before, failed";
    assert_eq!(order, expected);
    assert!(!host.check("test -e /srv/never"), "what came after a failure was not begun");
}

const LONG: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - name: Long
      ansible.builtin.command: sleep 3
    - ansible.builtin.copy: {content: '{{ inventory_hostname }}', dest: /srv/after, mode: '0644'}
    - ansible.builtin.file: {path: /srv/folder, state: directory, mode: '0755'}
";

#[test]
fn a_host_goes_on_while_its_controller_says_nothing() {
    let host = bare_host();
    let project = Project::new();
    let playbook = project.write("play.yml", LONG);
    let mut running = project.start(&playbook, &host.inventory(), &only(&host));
    running.wait_for_task("Long");
    wait_until("the task runs on the host", 90, || host.check("pgrep -x sleep"));
    running.signal(nix::sys::signal::Signal::SIGSTOP);
    wait_until("the tasks after it have run", 20, || host.check("test -d /srv/folder"));
    running.signal(nix::sys::signal::Signal::SIGCONT);
    let ran = running.finish().succeeded();
    assert_eq!(ran.count(&host.name, "changed"), 3);
    assert_eq!(host.run("cat /srv/after"), host.name);
}

#[test]
fn ctrl_c_ends_the_task_and_begins_none_of_those_sent_ahead() {
    let host = bare_host();
    let project = Project::new();
    let playbook = project.write("play.yml", &LONG.replace("sleep 3", "sleep 300"));
    let mut running = project.start(&playbook, &host.inventory(), &only(&host));
    running.wait_for_task("Long");
    wait_until("the task runs on the host", 90, || host.check("pgrep -x sleep"));
    running.interrupt();
    let ran = running.finish();
    assert_eq!(ran.code, Some(99), "{}", ran.trouble());
    wait_until("the host has nothing of it left", 20, || !host.check("pgrep -x sleep || pgrep -f 'agent-[0-9a-f]* agent'"));
    assert_eq!(host.run("ls /srv"), "", "nothing sent ahead was begun");
}

#[test]
fn a_play_that_another_host_ends_tells_what_was_done_until_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = Project::new();
    let inventory = project.write("hosts", "a ansible_connection=local\nb ansible_connection=local\n");
    let path = folder.path().display();
    let play = format!(
        "- hosts: all\n  strategy: free\n  gather_facts: false\n  tasks:\n\
         \x20   - ansible.builtin.meta: end_play\n      when: inventory_hostname == 'b' and lookup('pipe', 'sleep 1') == ''\n\
         {}",
        (0..30)
            .map(|number| format!("    - ansible.builtin.shell: echo {number} >> {path}/{{{{ inventory_hostname }}}}; sleep 0.1\n"))
            .collect::<String>()
    );
    let ran = project.play(&play, &inventory, &[]).succeeded();
    let done = std::fs::read_to_string(folder.path().join("a")).unwrap_or_default().lines().count();
    assert_eq!(ran.count("a", "changed"), done as u64, "what was done is what is told");
    assert!(done < 30, "the play was ended before its time");
}
