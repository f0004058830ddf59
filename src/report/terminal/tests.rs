use indicatif::ProgressDrawTarget;

use super::*;
use crate::base::Span;
use crate::history::event::{HostStats, PlayStarted, RunStarted};

fn task(id: u64, role: Option<&str>, name: &str, action: &str) -> Event {
    Event::TaskStarted(TaskStarted {
        id: TaskId(id),
        name: name.to_owned(),
        role: role.map(Into::into),
        action: action.into(),
        span: Span::new("roles/web/tasks/main.yml", 4, 3),
        is_handler: false,
        is_loop: false,
        is_include: false,
        arguments: None,
        check: false,
    })
}

fn done(id: u64, status: Status, map: &[(&str, &str)]) -> TaskResult {
    TaskResult::new(TaskId(id), "idp1", status, Value::map(map.iter().copied()))
}

fn shown(events: &[Event]) -> String {
    let (screen, out, err) = Screen::captured();
    let options = Options { width: 80, ..Options::default() };
    let mut terminal = Terminal::with_lanes(screen, options, Lanes::on(ProgressDrawTarget::hidden(), 80));
    events.iter().for_each(|event| terminal.event(event));
    let text = format!("{}{}", out.text(), err.text());
    // How long it took is the machine's affair.
    regex::Regex::new(r"(?m)\d\.\d s$").expect("is valid").replace_all(&text, "0.0 s").into_owned()
}

fn play() -> Event {
    let hosts = vec!["idp1".into()];
    Event::PlayStarted(PlayStarted { name: "Identity provider".into(), hosts, roles: 2, tasks: 3, strategy: "linear".into(), check: false })
}

#[test]
fn a_run_leaves_its_sections_and_what_changed() {
    let run = RunStarted {
        id: "7f3a".into(),
        command: vec![],
        time: 0,
        user: String::new(),
        directory: String::new(),
        check: false,
        diff: false,
    };
    let stats = HostStats { ok: 3, changed: 2, ..HostStats::default() };
    let mut said = done(3, Status::Ok, &[("msg", "https://idp.lab.test")]);
    said.show = Show::Always;
    let events = [
        Event::RunStarted(run),
        play(),
        task(1, Some("common"), "Write", "copy"),
        Event::HostTaskStarted { task: TaskId(1), host: "idp1".into() },
        Event::HostResult(done(1, Status::Changed, &[("dest", "/etc/motd")])),
        task(2, Some("nginx"), "Start", "service"),
        Event::HostResult(done(2, Status::Changed, &[("name", "nginx"), ("state", "started")])),
        task(3, None, "Say", "debug"),
        Event::HostResult(said),
        Event::Recap(Recap { hosts: [("idp1".into(), stats)].into_iter().collect(), ..Recap::default() }),
    ];
    insta::assert_snapshot!(shown(&events), @r"
    play  Identity provider                              1 host   2 roles   3 tasks
      common        ✓  1 ok   1 changed                                       0.0 s
      nginx         ✓  1 ok   1 changed                                       0.0 s
      https://idp.lab.test

    idp1   ok 3   changed 2   failed 0                                        0.0 s
    changed  /etc/motd · nginx (started)
    run 7f3a · hostler history show 7f3a
    ");
}

#[test]
fn a_failure_is_told_at_once_with_its_place() {
    let events = [
        play(),
        task(1, Some("web"), "Wait until the server is ready", "uri"),
        Event::HostResult(done(1, Status::Failed, &[("msg", "not ready after 120 s\ncheck is DOWN")])),
    ];
    insta::assert_snapshot!(shown(&events), @r"
    play  Identity provider                              1 host   2 roles   3 tasks

    ✗ idp1   web : Wait until the server is ready      roles/web/tasks/main.yml:4:3
      not ready after 120 s
      check is DOWN
    ");
}

#[test]
fn a_failure_that_is_let_pass_is_one_line() {
    let mut failed = done(1, Status::Failed, &[("msg", "no\nmore")]);
    failed.ignored = true;
    let text = shown(&[play(), task(1, Some("web"), "Try", "command"), Event::HostResult(failed)]);
    assert!(text.contains(" ! idp1   web : Try   ignored: no\n"), "{text}");
}
