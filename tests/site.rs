//! The whole of it, end to end: three bare hosts become a Keycloak that a user logs in to; then what comes after the first day. It is one
//! test, as each step stands on the one before: a site takes minutes to make.

use std::collections::BTreeSet;

use crate::roles;
use crate::support::run::{Done, Ran};
use crate::support::site::Site;

#[test]
fn bare_hosts_become_a_login_and_stay_one() {
    let site = Site::bare();
    let foreseen = check_mode_foresees_the_run_and_touches_nothing(&site);
    let before_the_interruption = an_interruption_says_what_it_left(&site);
    let rest = the_next_run_goes_on(&site);
    let done: BTreeSet<Done> = before_the_interruption.union(&rest).cloned().map(as_foreseen).collect();
    let differences: Vec<_> = foreseen.symmetric_difference(&done).map(|task| (task, foreseen.contains(task))).collect();
    assert!(differences.is_empty(), "foreseen (true) or done (false), and not both: {differences:#?}");

    site.run(&[]).changed_nothing();
    site.run(&["--check", "--diff"]).changed_nothing();
}

#[test]
fn a_site_that_stands_takes_a_change_and_each_role_proves_itself() {
    let site = Site::bare();
    site.run(&[]).succeeded();
    one_variable_changes_what_it_concerns(&site);
    roles::each_proves_itself(&site);
}

fn check_mode_foresees_the_run_and_touches_nothing(site: &Site) -> BTreeSet<Done> {
    let before = site.disks();
    let foreseen = site.run(&["--check", "--diff"]).succeeded().changed();
    for (host, after) in site.disks() {
        let was: BTreeSet<&String> = before[&host].iter().collect();
        let is: BTreeSet<&String> = after.iter().collect();
        let touched: Vec<_> = was.symmetric_difference(&is).collect();
        assert!(touched.is_empty(), "check mode touched {host}: {touched:#?}");
    }
    assert!(foreseen.len() > 80, "the whole run is foreseen, not {foreseen:#?}");
    foreseen
}

/// What a job did is told by the task that waits for it; check mode starts no job, and foresees it at the task that would.
fn as_foreseen((host, role, task): Done) -> Done {
    match task.as_str() {
        "Wait for the packages" => (host, role, "Begin to install the packages of all other roles".to_owned()),
        _ => (host, role, task),
    }
}

/// Ctrl-C in the worst moment: while dpkg unpacks.
fn an_interruption_says_what_it_left(site: &Site) -> BTreeSet<Done> {
    let mut running = site.start(&[]);
    running.wait_for_task("Install PostgreSQL");
    let unpacking = "timeout 200 sh -c \"until grep -q ' install postgresql-' /var/log/dpkg.log; do sleep 0.2; done\"";
    site.host("idp1").run(unpacking);
    running.interrupt();
    let ran: Ran = running.finish().failed(99, &["the run was interrupted by Ctrl-C", "run the same again"]);
    assert!(ran.count("idp1", "changed") > 10, "the recap tells what was done until then");
    ran.changed()
}

fn the_next_run_goes_on(site: &Site) -> BTreeSet<Done> {
    let ran = site.run(&["--diff"]).succeeded();
    let (status, token) = site.log_in("hostler-verify", &site.secret("demo-verify-password"));
    assert!(status == 200 && token["access_token"].is_string(), "{status}: {token}");
    // The first password of a person is right, and good for one thing: to choose another.
    let (_, answer) = site.log_in("ada", &site.secret("demo-first-password"));
    assert_eq!(answer["error_description"], "Account is not fully set up", "{answer}");
    let (_, answer) = site.log_in("ada", "wrong");
    assert_eq!(answer["error_description"], "Invalid user credentials", "{answer}");
    ran.changed()
}

fn one_variable_changes_what_it_concerns(site: &Site) {
    let memory = ["-e", "keycloak_heap_max=1100m"];
    let concerned: BTreeSet<Done> = ["Write the secrets", "Stop the old server", "Start the new server"]
        .map(|task| ("idp1".to_owned(), "keycloak".to_owned(), task.to_owned()))
        .into();
    let foreseen = site.run(&[&memory[..], &["--check"]].concat()).succeeded();
    assert_eq!(foreseen.changed(), concerned);
    assert_eq!(site.run(&memory).succeeded().changed(), concerned);
    assert!(site.host("idp1").run("ps -C java -o args=").contains("-Xmx1100m"));
    site.run(&memory).changed_nothing();
}
