//! Ansible's lines as we write them, against Ansible's own: the reference runs a playbook and records its events beside its output; the same
//! events through `Plain` must give the same text.

use std::path::{Path, PathBuf};
use std::process::Command;

use hostler::history::event::{Event, Sink};
use hostler::report::plain::Plain;
use hostler::report::{Options, Screen};

const RECORDER: &str = include_str!("support/reference/recorder.py");

const PLAYBOOK: &str = r#"
- name: Shapes of results
  hosts: all
  gather_facts: false
  tasks:
    - name: Says
      debug: {msg: ["a", {b: [1, 2.5], c: "x\ny", u: "é", n: null}]}
    - debug: {var: inventory_hostname}
    - name: Left out
      command: "true"
      when: false
    - name: Items
      command: {argv: [echo, "{{ item }}"]}
      loop: [a, {b: 1}, it's]
      when: item != 'a'
      loop_control: {label: "<{{ item }}>"}
    - name: No item
      command: "true"
      loop: [1, 2]
      when: item > 2
    - name: Fails and goes on
      fail: {msg: "no: \"way\""}
      ignore_errors: true
    - name: Items that fail
      command: test {{ item }} = 1
      loop: [1, 2]
      ignore_errors: true
    - name: Hidden
      command: echo secret
      loop: [1]
      no_log: true
    - name: Writes
      copy: {content: "one\ntwo", dest: "{{ playbook_dir }}/out.txt"}
      diff: true
      notify: Told
    - name: Folder
      file: {path: "{{ playbook_dir }}/folder", state: directory}
      diff: true
    - name: Again and again
      command: "false"
      register: tried
      until: tried is success
      retries: 2
      delay: 0
      ignore_errors: true
    - name: In a block
      block:
        - name: Breaks
          assert: {that: 1 == 2, fail_msg: bad}
      rescue:
        - name: Mends
          debug: {msg: mended}
    - name: Elsewhere
      command: echo hi
      delegate_to: localhost
    - name: Included
      include_tasks: more.yml
      loop: [1, 2]
    - name: Stats
      set_stats: {data: {a: 1}}
    - name: Last
      command: sh -c "echo out; echo err >&2; exit 3"
  handlers:
    - name: Told
      debug: {msg: told}
- hosts: nobody
  tasks: []
- name: After a failure
  hosts: all
  gather_facts: false
  strategy: free
  tasks:
    - debug: {msg: nobody is left}
"#;

const MORE: &str = "- name: More\n  debug: {msg: \"more {{ item }}\"}\n";

/// The reference's interpreter folder: `make test` installs it and says where.
fn oracle() -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default().join(".cache/hostler/oracle");
    std::env::var_os("HOSTLER_ORACLE").map_or_else(home, PathBuf::from)
}

/// The reference's output, and what ours is for the same events.
fn both(arguments: &[&str], settings: &[(&str, &str)], options: Options) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writes");
    let python = oracle().join("bin/python");
    std::fs::create_dir(folder.path().join("plugins")).expect("makes");
    write("plugins/recorder.py", RECORDER);
    write("site.yml", PLAYBOOK);
    write("more.yml", MORE);
    write("hosts", &format!("web ansible_connection=local ansible_python_interpreter={}\n", python.display()));
    let record = folder.path().join("record.json");
    let output = Command::new(oracle().join("bin/ansible-playbook"))
        .args(["-i", "hosts", "site.yml"])
        .args(arguments)
        .current_dir(folder.path())
        .env("HOSTLER_RECORD", &record)
        .env("ANSIBLE_CALLBACK_PLUGINS", folder.path().join("plugins"))
        .env("ANSIBLE_STDOUT_CALLBACK", "recorder")
        .envs(settings.iter().copied())
        .output()
        .unwrap_or_else(|error| panic!("the reference does not run ({error}); tools/oracle.sh installs it"));
    let theirs = String::from_utf8_lossy(&output.stdout).into_owned();
    (theirs, ours(&record, options))
}

fn ours(record: &Path, options: Options) -> String {
    let (screen, out, _) = Screen::captured();
    let mut plain = Plain::new(screen, options);
    let text = std::fs::read_to_string(record).expect("the reference recorded its events");
    for line in text.lines() {
        let event: Event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        plain.event(&event);
    }
    out.text()
}

#[test]
fn a_run_looks_as_the_reference_shows_it() {
    let (theirs, ours) = both(&[], &[], Options::default());
    assert!(theirs.contains("PLAY RECAP"), "{theirs}");
    assert_eq!(ours, theirs);
}

#[test]
fn options_change_what_is_shown_as_they_do_in_the_reference() {
    let settings = [
        ("ANSIBLE_DISPLAY_OK_HOSTS", "no"),
        ("ANSIBLE_DISPLAY_SKIPPED_HOSTS", "no"),
        ("ANSIBLE_SHOW_CUSTOM_STATS", "yes"),
        ("ANSIBLE_SHOW_TASK_PATH_ON_FAILURE", "yes"),
    ];
    let options = Options {
        display_ok_hosts: false,
        display_skipped_hosts: false,
        show_custom_stats: true,
        show_task_path_on_failure: true,
        ..Options::default()
    };
    let (theirs, ours) = both(&[], &settings, options);
    assert_eq!(ours, theirs);
}

#[test]
fn one_v_shows_results() {
    let (theirs, ours) = both(&["-v"], &[], Options { verbosity: 1, ..Options::default() });
    // What it says about its own configuration is not an event.
    let theirs = theirs.split_once('\n').map(|(_, rest)| rest).unwrap_or_default();
    assert_eq!(ours, theirs);
}

#[test]
fn results_can_be_yaml() {
    let options = Options { yaml_results: true, verbosity: 1, ..Options::default() };
    let (theirs, ours) = both(&["-v"], &[("ANSIBLE_CALLBACK_RESULT_FORMAT", "yaml")], options);
    let theirs = theirs.split_once('\n').map(|(_, rest)| rest).unwrap_or_default();
    assert_eq!(ours, theirs);
}
