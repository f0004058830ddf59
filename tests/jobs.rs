//! Jobs of `async`: they run on when the run has ended, and another run finds them.

use crate::support::lab::bare_host;
use crate::support::run::{Project, wait_until};

#[test]
fn a_job_outlives_its_run_and_another_run_reads_what_came_of_it() {
    let host = bare_host();
    let project = Project::new();
    let only = ["--limit", host.name.as_str()];
    let start = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: Job\n      ansible.builtin.shell: sleep 4; id -un > /tmp/who; echo made\n\
                 \x20     become: true\n      become_method: su\n      become_user: nobody\n      async: 60\n      poll: 0\n";
    host.run("usermod -d /srv/nobody -s /bin/sh nobody; mkdir /srv/nobody; chown nobody: /srv/nobody");
    let ran = project.play(start, &host.inventory(), &only).succeeded();
    let job = ran.results().next().expect("a result")["result"]["ansible_job_id"].as_str().expect("a job").to_owned();
    assert!(!host.check("test -e /tmp/who"), "the run did not wait for it");
    assert_eq!(host.run(&format!("stat -c %a /srv/nobody/.ansible_async/{job}")), "600", "its result is its user's own");

    let ask = |more: &str| {
        format!(
            "- hosts: all\n  gather_facts: false\n  become: true\n  become_method: su\n  become_user: nobody\n  tasks:\n\
             \x20   - ansible.builtin.async_status: {{jid: {job}{more}}}\n"
        )
    };
    let until = ask("") + "      register: status\n      until: status is finished\n      retries: 40\n      delay: 0.5\n";
    let ran = project.play(&until, &host.inventory(), &only).succeeded();
    let result = &ran.results().next().expect("a result")["result"];
    assert_eq!((result["stdout"].as_str(), result["finished"].as_bool()), (Some("made"), Some(true)), "{result}");
    assert_eq!(host.run("cat /tmp/who"), "nobody");
    wait_until("the job's process is gone", 10, || !host.check("pgrep -f 'agent --job'"));

    project.play(&ask(", mode: cleanup"), &host.inventory(), &only).succeeded();
    assert_eq!(host.run("ls /srv/nobody/.ansible_async"), "");
    project.play(&ask(""), &host.inventory(), &only).failed(2, &["could not find job"]);
}
