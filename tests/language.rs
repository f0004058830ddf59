//! The language as a whole: playbooks of our own, run by real ansible-core and by Hostler, with the same tasks in the same order, the same
//! results and the same exit code.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::oracle::oracle;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language")
}

fn run(mut command: Command, arguments: &[&str]) -> Output {
    // Where hosts leave files for each other.
    let meeting = tempfile::tempdir().expect("a folder");
    command.env("MEETING", meeting.path());
    command.args(["-i", "hosts.ini"]).args(arguments).current_dir(folder());
    command.env("ANSIBLE_ROLES_PATH", "roles").env("ANSIBLE_DEPRECATION_WARNINGS", "false").env_remove("ANSIBLE_CONFIG");
    command.env("ANSIBLE_PYTHON_INTERPRETER", oracle("python")).env("ANSIBLE_NOCOLOR", "1");
    // Modules in Python take what they share from the Ansible that is installed.
    let programs = oracle("python").parent().map(Path::to_owned).unwrap_or_default();
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:{}", programs.display()));
    command.output().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"))
}

fn hostler() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostler"));
    command.args(["run", "--no-history"]);
    command
}

/// Hostler under Ansible's name, with its own state in the folder.
fn link(folder: &Path) -> Command {
    let link = folder.join("ansible-playbook");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hostler"), &link).expect("a link");
    let mut command = Command::new(link);
    command.env("HOSTLER_STATE", folder);
    command
}

/// What a run showed: banners, and below each the hosts' results, whatever order they came in.
fn story(output: &Output) -> Vec<String> {
    const BEGINNINGS: &[&str] = &["PLAY ", "TASK ", "RUNNING HANDLER ", "NO MORE HOSTS"];
    const RESULTS: &[&str] = &["ok: ", "changed: ", "skipping: ", "fatal: ", "failed: ", "included: ", "...ignoring", "FAILED - RETRYING"];
    let text = String::from_utf8_lossy(&output.stdout);
    let mut story: Vec<Vec<String>> = Vec::new();
    let mut is_kept = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let starts = |words: &[&str]| words.iter().any(|word| line.starts_with(word));
        if starts(BEGINNINGS) {
            story.push(vec![line.trim_end_matches('*').trim_end().to_owned()]);
            is_kept = false;
        } else if starts(RESULTS) || line.contains(": ok=") {
            // Of a failure the first line is enough: its words are compared by the playbooks themselves.
            let is_failure = starts(&["fatal: ", "failed: "]);
            let line = if is_failure { line.split(" => ").next().unwrap_or(line) } else { line };
            story.last_mut().expect("results stand below a banner").push(in_order(line.trim_end()));
            is_kept = !is_failure;
        } else if line.starts_with('[') || line.starts_with("Origin: ") {
            is_kept = false;
        } else if is_kept && let Some(result) = story.last_mut().and_then(|part| part.last_mut()) {
            result.push_str(line);
        }
    }
    for part in &mut story {
        part[1..].sort();
    }
    story.into_iter().flatten().collect()
}

/// `included: FILE for HOSTS`: ansible-core names the hosts as their results came in.
fn in_order(line: &str) -> String {
    let Some((file, hosts)) = line.strip_prefix("included: ").and_then(|rest| rest.rsplit_once(" for ")) else { return line.to_owned() };
    let mut hosts: Vec<&str> = hosts.split(", ").collect();
    hosts.sort_unstable();
    format!("included: {file} for {}", hosts.join(", "))
}

fn compare(arguments: &[&str]) {
    compare_with(hostler(), arguments);
}

fn compare_with(command: Command, arguments: &[&str]) {
    let theirs = run(Command::new(oracle("ansible-playbook")), arguments);
    let ours = run(command, arguments);
    let (expected, found) = (story(&theirs), story(&ours));
    let complaints = String::from_utf8_lossy(&ours.stderr);
    assert_eq!(found.join("\n"), expected.join("\n"), "{arguments:?}: ours differs from ansible-core's\n{complaints}");
    assert_eq!(ours.status.code(), theirs.status.code(), "{arguments:?}: the exit code\n{complaints}");
}

#[test]
fn blocks_rescue_and_hosts_end_as_in_ansible() {
    compare(&["blocks.yml"]);
}

#[test]
fn actions_take_odd_input_as_in_ansible() {
    compare(&["actions.yml"]);
}

#[test]
fn modules_that_the_project_brings_run_as_in_ansible() {
    compare(&["custom.yml"]);
    compare(&["custom.yml", "--diff"]);
}

#[test]
fn plugins_that_the_project_brings_are_called_as_in_ansible() {
    compare(&["plugins.yml"]);
}

#[test]
fn action_plugins_of_the_project_run_as_in_ansible() {
    compare(&["action_plugins.yml"]);
    let folder = tempfile::tempdir().expect("a folder");
    compare_with(link(folder.path()), &["--check", "--diff", "action_plugins.yml"]);
}

#[test]
fn options_that_cannot_be_taken_are_told_in_ansibles_words() {
    compare(&["arguments.yml"]);
}

#[test]
fn lookups_and_actions_refuse_as_in_ansible() {
    compare(&["lookups.yml"]);
}

#[test]
fn a_role_of_a_collection_has_two_names_as_in_ansible() {
    compare(&["collection.yml"]);
}

#[test]
fn a_play_may_be_of_a_group_that_an_earlier_one_makes() {
    compare(&["groups.yml"]);
}

#[test]
fn what_an_encrypted_file_holds_is_not_shown_as_in_ansible() {
    compare(&["-v", "--vault-password-file", "vars/password", "sealed.yml"]);
}

#[test]
fn a_slow_lookup_ends_with_the_run_at_ctrl_c() {
    let folder = tempfile::tempdir().expect("a folder");
    let mark = folder.path().join("pid");
    let play = folder.path().join("slow.yml");
    let command = format!("sleep 600 & echo $! > {}.new; mv {}.new {}; wait", mark.display(), mark.display(), mark.display());
    let text = format!(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - debug:\n        msg: \"{{{{ lookup('pipe', '{command}') }}}}\"\n"
    );
    std::fs::write(&play, text).expect("writes");
    let mut command = hostler();
    command.arg(&play).env("HOSTLER_STATE", folder.path()).stdout(std::process::Stdio::piped());
    let mut run = command.spawn().expect("runs");
    while !mark.exists() {
        assert!(run.try_wait().expect("is there").is_none(), "the run ended before its lookup began");
        std::thread::yield_now();
    }
    let sleeper = std::fs::read_to_string(&mark).expect("reads");
    Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("signals");
    let output = run.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(99));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("fatal: "), "{output:?}");
    // Who was killed is there until its parent, or init, has seen it.
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", sleeper.trim())).unwrap_or_default();
    assert!(state().is_empty() || state().contains(") Z "), "{}", state());
}

#[test]
fn handlers_run_as_in_ansible() {
    compare(&["handlers.yml"]);
}

#[test]
fn handlers_of_imported_roles_are_found_and_those_without_a_name_are_told_of() {
    compare(&["imported_handlers.yml"]);
    let ours = run(hostler(), &["imported_handlers.yml"]);
    let complaints = String::from_utf8_lossy(&ours.stderr);
    assert!(complaints.contains("Handler 'of {{ nowhere }}' is unusable"), "{complaints}");
}

#[test]
fn a_block_a_role_and_a_flush_are_no_handlers_as_in_ansible() {
    let folder = tempfile::tempdir().expect("a folder");
    for (handler, why) in [
        ("block: [{block: [{debug: }]}]", "Using a block as a handler is not supported."),
        ("include_role: {name: notifies}", "Using 'include_role' as a handler is not supported."),
        ("import_role: {name: notifies}", "Using 'import_role' as a handler is not supported."),
        ("meta: flush_handlers", "flush_handlers cannot be used as a handler"),
    ] {
        let play = folder.path().join("play.yml");
        let task = "{debug: , changed_when: true, notify: wanted}";
        std::fs::write(
            &play,
            format!("- {{hosts: web1, gather_facts: false, tasks: [{task}], handlers: [{{name: wanted, {handler}}}]}}\n"),
        )
        .expect("writes");
        let play = play.to_string_lossy();
        for command in [Command::new(oracle("ansible-playbook")), hostler()] {
            let output = run(command, &[&play]);
            let complaints = String::from_utf8_lossy(&output.stderr);
            assert!(complaints.contains(why) && !output.status.success(), "{handler}: {complaints}");
        }
    }
}

#[test]
fn debug_and_conditions_tell_the_projects_text_from_data_as_in_ansible() {
    compare(&["debug.yml"]);
}

#[test]
fn files_of_variables_and_logins_are_found_as_in_ansible() {
    compare(&["found.yml"]);
}

#[test]
fn a_password_file_of_the_settings_counts_beside_one_of_the_command_line() {
    for command in [Command::new(oracle("ansible-playbook")), hostler()] {
        let mut command = command;
        command.env("ANSIBLE_VAULT_PASSWORD_FILE", "vars/password");
        let output = run(command, &["--vault-password-file", "hosts.ini", "sealed_vars.yml"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn notified_handlers_are_told_of_where_debugging_is_asked_for() {
    let mut command = hostler();
    command.env("ANSIBLE_DEBUG", "1");
    let output = run(command, &["imported_handlers.yml"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.matches("META: triggered running handlers for web1").count(), 2, "{text}");
}

#[test]
fn a_vault_password_that_is_wrong_ends_a_run_as_in_ansible() {
    compare_with(link(tempfile::tempdir().expect("a folder").path()), &["--vault-password-file", "hosts.ini", "sealed_vars.yml"]);
}

#[test]
fn meta_tasks_steer_plays_as_in_ansible() {
    compare(&["meta.yml"]);
}

#[test]
fn loops_and_retries_remember_as_in_ansible() {
    compare(&["loops.yml"]);
}

#[test]
fn failures_have_ansibles_words() {
    compare(&["messages.yml"]);
}

#[test]
fn roles_run_once_and_check_their_arguments_as_in_ansible() {
    compare(&["roles.yml"]);
}

#[test]
fn too_many_failures_end_a_play_as_in_ansible() {
    compare(&["fatal.yml"]);
}

#[test]
fn jobs_are_told_of_as_in_ansible() {
    compare(&["jobs.yml"]);
}

#[test]
fn a_handler_that_nobody_has_ends_the_run_as_in_ansible() {
    let theirs = run(Command::new(oracle("ansible-playbook")), &["missing_handler.yml"]);
    let ours = run(hostler(), &["missing_handler.yml"]);
    for output in [&theirs, &ours] {
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(complaints.contains("The requested handler 'nobody' was not found"), "{complaints}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("never"));
    }
    assert_eq!(ours.status.code(), theirs.status.code());
}

#[test]
fn a_limit_that_leaves_nobody_is_refused_as_in_ansible() {
    compare(&["--limit", "db", "blocks.yml"]);
}

#[test]
fn a_run_starts_at_the_named_task_on_every_host() {
    compare(&["--start-at-task", "second", "start.yml"]);
    // Hosts that do not wait for each other come to it each by itself.
    let free = run(hostler(), &["--start-at-task", "sec*", "-e", "strategy=free", "start.yml"]);
    let text = String::from_utf8_lossy(&free.stdout);
    for host in ["web1", "web2", "web3"] {
        let tasks = if host == "web1" { 3 } else { 2 };
        assert!(text.contains(&format!("{host}                       : ok={tasks} ")), "{text}");
    }
}

#[test]
fn the_strategies_of_mitogen_are_the_orders_of_tasks_that_they_make_fast() {
    let ours = |strategy: &str| run(hostler(), &["-e", &format!("strategy={strategy}"), "start.yml"]);
    for (theirs, plain) in
        [("mitogen_linear", "linear"), ("mitogen", "linear"), ("mitogen_free", "free"), ("mitogen_host_pinned", "host_pinned")]
    {
        let (theirs, plain) = (ours(theirs), ours(plain));
        // How often a task's name is shown hangs on who is the faster one.
        let recap = |output: &Output| String::from_utf8_lossy(&output.stdout).split("PLAY RECAP").last().map(str::to_owned);
        assert_eq!(theirs.status.code(), Some(0), "{}", String::from_utf8_lossy(&theirs.stderr));
        assert_eq!(recap(&theirs), recap(&plain));
    }
    assert_eq!(ours("mitogen_quick").status.code(), Some(1));
}

#[test]
fn a_task_to_start_at_that_nobody_has_is_refused_with_the_one_that_was_meant() {
    let refused = run(hostler(), &["--start-at-task", "secnd", "start.yml"]);
    let complaints = String::from_utf8_lossy(&refused.stderr);
    assert!(complaints.contains("no task is named `secnd`") && complaints.contains("did you mean `second`?"), "{complaints}");
    assert_eq!((refused.status.code(), refused.stdout.is_empty()), (Some(1), true));
}

#[test]
fn what_runs_once_fails_for_all_as_in_ansible() {
    compare(&["run_once.yml"]);
    compare(&["run_once_nested.yml"]);
}

#[test]
fn a_play_of_lost_hosts_only_does_not_end_the_run_as_in_ansible() {
    compare(&["lost.yml"]);
}

#[test]
fn failed_hosts_run_their_handlers_where_force_handlers_says_so_as_in_ansible() {
    compare(&["forced.yml"]);
}

#[test]
fn an_include_of_what_is_not_there_fails_as_in_ansible() {
    compare(&["absent.yml"]);
    compare(&["broken_include.yml"]);
}

#[test]
fn hosts_that_share_a_machine_work_side_by_side_as_in_ansible() {
    compare(&["side_by_side.yml"]);
}

#[test]
fn tasks_are_delegated_as_in_ansible() {
    compare(&["delegation.yml"]);
}

#[test]
fn this_machines_tasks_run_in_the_playbooks_folder_as_in_ansible() {
    compare(&["elsewhere/here.yml"]);
}

#[test]
fn under_ansibles_name_check_mode_looks_at_each_task_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    compare_with(link(folder.path()), &["--check", "check.yml"]);
}

#[test]
fn under_ansibles_name_mistakes_are_told_in_ansibles_form() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(link(folder.path()), &["broken_include.yml"]);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(complaints.contains("[ERROR]: Could not find specified file in role: tasks/nowhere\nOrigin: "), "{complaints}");
    let mut again = Command::new(folder.path().join("ansible-playbook"));
    again.env("HOSTLER_STATE", folder.path());
    let output = run(again, &["nowhere.yml"]);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("[ERROR]: "), "{output:?}");
}
