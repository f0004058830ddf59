use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::base::{Map, Value};
use crate::history::event::{Status, TaskId, TaskResult};

fn started(id: &str) -> Event {
    Event::RunStarted(RunStarted {
        id: id.into(),
        command: vec!["hostler".into(), "run".into(), "site.yml".into()],
        time: 1,
        user: "ann".into(),
        directory: "/srv".into(),
        check: false,
        diff: false,
    })
}

fn changed(task: u64) -> Event {
    Event::HostResult(TaskResult::new(TaskId(task), "web", Status::Changed, Value::map([("rc", 0)])))
}

#[test]
fn a_run_that_was_killed_keeps_what_it_wrote() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state/history.db");
    let mut store = Store::open(&file).expect("opens");
    store.append(&[started("7f3a"), changed(1)]).expect("writes");
    store.append(&[changed(2)]).expect("writes");
    // As after SIGKILL: nothing is closed, and another process looks.
    std::mem::forget(store);
    let mut again = Store::open(&file).expect("opens");
    let run = again.find("7f").expect("reads").expect("is there");
    assert_eq!((&*run.started.id, run.finished), ("7f3a", None));
    let events: Vec<Event> = again.events("7f3a").expect("reads").into_iter().map(|kept| kept.event).collect();
    assert_eq!(events, [started("7f3a"), changed(1), changed(2)]);
}

#[test]
fn a_batch_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(&folder.path().join("history.db")).expect("opens");
    store.append(&[started("aaaa")]).expect("writes");
    let error = store.append(&[changed(1), started("aaaa")]).expect_err("the id is taken");
    assert!(error.message.contains("cannot be written"), "{error}");
    assert_eq!(store.events("aaaa").expect("reads").len(), 1);
    store.append(&[changed(2)]).expect("goes on after it");
    assert_eq!(store.events("aaaa").expect("reads").len(), 2);
}

#[test]
fn the_end_and_the_recap_are_found_in_the_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(&folder.path().join("history.db")).expect("opens");
    let recap = Recap { hosts: [("web".into(), Default::default())].into_iter().collect(), custom: Map::new() };
    store.append(&[started("aaaa"), Event::Recap(recap.clone()), Event::RunFinished { exit_code: 2, milliseconds: 5 }]).expect("writes");
    let runs = store.runs(10).expect("reads");
    assert_eq!((runs.len(), runs[0].exit_code, &runs[0].recap), (1, Some(2), &Some(recap)));
    assert!(runs[0].finished.is_some());
    assert_eq!(store.find("last").expect("reads").map(|run| run.started.id), Some("aaaa".into()));
}

#[test]
fn only_its_owner_may_read_a_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state/history.db");
    let mut store = Store::open(&file).expect("opens");
    store.append(&[started("aaaa")]).expect("writes");
    let mode = |path: &Path| std::fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("state")), 0o700);
    for entry in std::fs::read_dir(folder.path().join("state")).expect("reads") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn an_event_without_a_run_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(&folder.path().join("history.db")).expect("opens");
    let error = store.append(&[changed(1)]).expect_err("is refused");
    assert!(error.message.contains("before the start of its run"), "{error}");
}

#[test]
fn the_password_of_a_database_is_not_in_its_error() {
    let error = Store::connect("postgres://ann:hunter22@127.0.0.1:1/history").err().expect("nobody listens there");
    assert!(!error.to_string().contains("hunter22"), "{error}");
}
