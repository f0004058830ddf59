//! Modules that a project brings along, on hosts: with a Python there and without one.

use std::path::Path;

use crate::support::lab::{bare_host, host_with_python};
use crate::support::oracle::oracle;
use crate::support::run::{Project, Ran};

const GREETING: &str = "def greeting(name):\n    return 'hello ' + name\n";

/// Writes its options down where the host's user may see it, unless in check mode.
const WRITES: &str = r#"#!/usr/bin/python
import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.greetings import greeting

module = AnsibleModule(
    argument_spec={"path": {"type": "path", "required": True}, "secret": {"type": "str", "no_log": True}},
    supports_check_mode=True,
)
path = module.params["path"]
changed = not os.path.exists(path)
if changed and not module.check_mode:
    with open(path, "w") as file:
        file.write(greeting(str(os.geteuid())))
with open("/proc/self/cmdline") as file:
    command = file.read()
module.exit_json(changed=changed, command=command, tmpdir=module.tmpdir)
"#;

const PLAY: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: By root\n      writes: {path: /tmp/by_root, secret: hush-hush}\n\
    \x20   - name: By nobody\n      writes: {path: /tmp/by_nobody}\n      become: true\n      become_method: su\n      become_user: nobody\n\
    \x20   - name: By a script\n      pairs: path=/tmp/by_script\n";

const PAIRS: &str =
    "#!/bin/sh\n. \"$1\"\ntest -e \"$path\" && { echo '{\"changed\": false}'; exit; }\ntouch \"$path\"\necho '{\"changed\": true}'\n";

/// Copies a file by way of its own and of Hostler's, asks a module of the project's, and brings a file back.
const CARRIES: &str = r#"
import tempfile

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    TRANSFERS_FILES = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        path, shell = self._task.args["path"], self._connection._shell
        there = self._transfer_data(shell.join_path(shell.tmpdir, "data"), "carried")
        self._fixup_perms2([shell.tmpdir, there])
        result.update(self._execute_module("copy", module_args={"src": there, "dest": path, "mode": "0644"}, task_vars=task_vars))
        wrote = self._execute_module("writes", module_args={"path": path + ".module"}, task_vars=task_vars)
        result["changed"] = result["changed"] or wrote["changed"]
        result["who"] = self._low_level_execute_command("id -un")["stdout"].strip()
        with tempfile.NamedTemporaryFile("r") as here:
            if not self._task.check_mode:
                self._connection.fetch_file(path, here.name)
            result["back"] = here.read()
        if "fail" in self._task.args:
            raise ValueError("as it was asked to")
        return result
"#;

const CARRY: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: By root\n      carries: {path: /tmp/by_root}\n\
    \x20   - name: By nobody\n      carries: {path: /tmp/by_nobody}\n      become: true\n      become_method: su\n      become_user: nobody\n";

fn project() -> Project {
    let mut project = Project::new();
    project.write("library/writes.py", WRITES);
    project.write("module_utils/greetings.py", GREETING);
    project.write("library/pairs", PAIRS);
    project.write("action_plugins/carries.py", CARRIES);
    // Modules in Python take what they share from the Ansible that is installed.
    let programs = oracle("python").parent().expect("a folder").display().to_string();
    project.environment.push(("PATH".into(), format!("{}:{programs}", std::env::var("PATH").unwrap_or_default())));
    project
}

fn play(project: &Project, inventory: &Path, arguments: &[&str]) -> Ran {
    project.play(PLAY, inventory, arguments)
}

#[test]
fn a_module_in_python_runs_where_there_is_one_and_leaves_nothing_but_what_it_makes() {
    let host = host_with_python();
    let (project, only) = (project(), ["--limit", host.name.as_str()]);
    host.run("usermod -d /srv/nobody -s /bin/sh nobody; mkdir /srv/nobody; chown nobody: /srv/nobody");

    let foreseen = play(&project, &host.inventory(), &[&only[..], &["--check"]].concat()).succeeded();
    assert_eq!(foreseen.changed().len(), 2, "check mode asks modules in Python, and leaves scripts alone");
    assert!(!host.check("ls /tmp | grep -q by_"), "check mode made something");

    let ran = play(&project, &host.inventory(), &only).succeeded();
    assert_eq!(ran.changed().len(), 3);
    assert_eq!(host.run("cat /tmp/by_root; echo; cat /tmp/by_nobody; stat -c ' %U' /tmp/by_nobody"), "hello 0\nhello 65534 nobody");
    let result = ran.results().next().expect("a result")["result"].clone();
    assert!(!result.to_string().contains("hush-hush"), "{result}");
    let folder = result["tmpdir"].as_str().expect("a folder");
    assert!(!host.check(&format!("test -e {folder}")), "its folder is gone");
    assert_eq!(host.run("ls -d /tmp/hostler-* /tmp/ansible* 2>/dev/null | wc -l"), "0");
    assert_eq!(host.run("ls -d ~/.cache/hostler/library-* | wc -l"), "1", "what modules share stays for the next run");

    play(&project, &host.inventory(), &only).changed_nothing();
}

#[test]
fn an_action_plugin_works_on_its_host_as_the_tasks_user_and_leaves_nothing_but_what_it_makes() {
    let host = host_with_python();
    let (project, only) = (project(), ["--limit", host.name.as_str()]);
    host.run("usermod -d /srv/nobody -s /bin/sh nobody; mkdir -p /srv/nobody; chown nobody: /srv/nobody; rm -f /tmp/by_*");

    let foreseen = project.play(CARRY, &host.inventory(), &[&only[..], &["--check"]].concat()).succeeded();
    assert_eq!(foreseen.changed().len(), 2, "what it would do is foreseen");
    assert!(!host.check("ls /tmp | grep -q by_"), "check mode made something");

    let ran = project.play(CARRY, &host.inventory(), &only).succeeded();
    assert_eq!(ran.changed().len(), 2);
    let results: Vec<_> = ran.results().map(|result| [result["result"]["who"].clone(), result["result"]["back"].clone()]).collect();
    assert_eq!(results, [["root", "carried"], ["nobody", "carried"]]);
    assert_eq!(host.run("cat /tmp/by_root /tmp/by_nobody; stat -c ' %U' /tmp/by_nobody"), "carriedcarried nobody");
    assert_eq!(host.run("cat /tmp/by_nobody.module"), "hello 65534");
    assert_eq!(host.run("ls -A ~/.ansible/tmp /tmp /var/tmp 2>/dev/null | grep -c ansible-tmp || true"), "0");

    project.play(CARRY, &host.inventory(), &only).changed_nothing();
}

#[test]
fn an_action_plugin_that_breaks_is_told_with_its_file_and_line() {
    let project = project();
    let inventory = project.write("hosts.ini", "here ansible_connection=local\n");
    let path = project.path("made").display().to_string();
    let tasks = format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - carries: {{path: {path}, fail: true}}\n");
    let ran = project.play(&tasks, &inventory, &[]).failed(2, &["as it was asked to"]);
    let places = ran.results().flat_map(|result| result["error"]["labels"].as_array().cloned().unwrap_or_default());
    let places: Vec<_> = places.map(|label| label["span"].clone()).collect();
    let plugin = places.iter().find(|span| span["file"].as_str().is_some_and(|file| file.ends_with("action_plugins/carries.py")));
    assert_eq!(plugin.map(|span| span["line"].clone()), Some(24.into()), "{places:?}");
}

#[test]
fn an_action_plugin_is_refused_before_any_host_where_no_ansible_is_installed() {
    let mut project = project();
    project.environment.push(("PATH".into(), "/nowhere".into()));
    let inventory = project.write("hosts.ini", "away ansible_host=192.0.2.1\n");
    let ran = project.play(CARRY, &inventory, &[]);
    ran.failed(4, &["\"line\":5,\"column\":7", "modules and plugins in Python need the library of ansible-core"]);
}

#[test]
fn a_host_without_python_runs_scripts_and_says_what_a_module_in_python_lacks() {
    let host = bare_host();
    let ran = play(&project(), &host.inventory(), &["--limit", host.name.as_str()]);
    let ran = ran.failed(2, &["the module is written in Python, and the host has no Python 3"]);
    assert!(ran.trouble().contains("python3"), "{}", ran.trouble());
}

#[test]
fn a_module_in_python_is_refused_before_any_host_where_no_ansible_is_installed() {
    let mut project = project();
    project.environment.push(("PATH".into(), "/nowhere".into()));
    let inventory = project.write("hosts.ini", "away ansible_host=192.0.2.1\n");
    let ran = play(&project, &inventory, &[]);
    ran.failed(4, &["\"line\":5,\"column\":7", "modules and plugins in Python need the library of ansible-core"]);
}

#[test]
fn a_misspelled_module_of_the_project_is_told_with_the_one_that_was_meant() {
    let project = project();
    let inventory = project.write("hosts.ini", "away ansible_host=192.0.2.1\n");
    let ran = project.play("- hosts: all\n  tasks:\n    - write: {path: /tmp/x}\n", &inventory, &[]);
    ran.failed(4, &["couldn't resolve module/action 'write'", "writes"]);
}

#[test]
fn a_filter_whose_file_cannot_be_loaded_is_told_with_the_reason() {
    let project = project();
    project.write("filter_plugins/ours.py", "import a_library_that_nobody_has\n");
    let inventory = project.write("hosts.ini", "here ansible_connection=local\n");
    let tasks = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: {msg: \"{{ 'x' | of_ours }}\"}\n";
    let ran = project.play(tasks, &inventory, &[]);
    let ran = ran.failed(2, &["ours.py", "No module named 'a_library_that_nobody_has'"]);
    assert!(ran.trouble().contains("no filter of this name was loaded"), "{}", ran.trouble());
}
