use super::*;
use crate::base::{Diagnostic, Span};

fn task(id: u64, name: &str, action: &str) -> Event {
    Event::TaskStarted(TaskStarted {
        id: TaskId(id),
        name: name.to_owned(),
        role: None,
        action: action.into(),
        span: Span::new("/srv/site.yml", 4, 7),
        is_handler: false,
        is_loop: false,
        is_include: false,
        arguments: None,
        check: false,
    })
}

fn result(id: u64, status: Status, map: &[(&str, Value)]) -> TaskResult {
    TaskResult::new(TaskId(id), "h1", status, Value::map(map.iter().map(|(key, value)| (*key, value.clone()))))
}

fn shown(events: &[Event], options: Options) -> String {
    let (screen, out, err) = Screen::captured();
    let mut plain = Plain::new(screen, options);
    events.iter().for_each(|event| plain.event(event));
    format!("{}{}", out.text(), err.text()).trim_start_matches('\n').to_owned()
}

#[test]
fn banners_are_filled_to_the_width() {
    let play = PlayStarted { name: "all".into(), hosts: vec![], roles: 0, tasks: 1, strategy: "linear".into(), check: false };
    let text = shown(&[Event::PlayStarted(play), task(1, "Ok", "command")], Options::default());
    assert_eq!(text, format!("PLAY [all] {}\n\nTASK [Ok] {}\n", "*".repeat(69), "*".repeat(70)));
}

#[test]
fn an_error_is_explained_once_and_each_host_shows_its_result() {
    let failed = |host: &str| {
        let mut failed = result(1, Status::Failed, &[("msg", "no".into()), ("changed", false.into())]);
        failed.host = host.into();
        failed.ignored = true;
        failed.error = Some(Diagnostic::error("Task failed: no"));
        Event::HostResult(failed)
    };
    let text = shown(&[task(1, "Fails", "fail"), failed("h1"), failed("h2")], Options::default());
    insta::assert_snapshot!(text, @r#"
    TASK [Fails] *******************************************************************
    [ERROR]: Task failed: no
    fatal: [h1]: FAILED! => {"changed": false, "msg": "no"}
    ...ignoring
    fatal: [h2]: FAILED! => {"changed": false, "msg": "no"}
    ...ignoring
    "#);
}

#[test]
fn hidden_hosts_hide_the_banner_too() {
    let options = Options { display_ok_hosts: false, display_skipped_hosts: false, ..Options::default() };
    let events = [
        task(1, "Quiet", "command"),
        Event::HostResult(result(1, Status::Ok, &[])),
        task(2, "Loud", "command"),
        Event::HostResult(result(2, Status::Changed, &[])),
        Event::HostResult(result(2, Status::Skipped, &[])),
    ];
    insta::assert_snapshot!(shown(&events, options), @r"
    TASK [Loud] ********************************************************************
    changed: [h1]
    ");
}

#[test]
fn debug_shows_what_it_was_asked_for_and_nothing_else() {
    let mut said = result(1, Status::Ok, &[("msg", "hi".into()), ("changed", false.into())]);
    said.show = Show::Always;
    let mut variable = result(1, Status::Ok, &[("x", 1.into()), ("changed", false.into())]);
    variable.show = Show::Always;
    let events = [task(1, "debug", "debug"), Event::HostResult(said), Event::HostResult(variable)];
    insta::assert_snapshot!(shown(&events, Options::default()), @r#"
    TASK [debug] *******************************************************************
    ok: [h1] => {
        "msg": "hi"
    }
    ok: [h1] => {
        "x": 1
    }
    "#);
}

#[test]
fn the_recap_is_in_columns_and_sorted() {
    let stats = HostStats { ok: 29, changed: 12, skipped: 3, rescued: 1, ignored: 7, ..HostStats::default() };
    let hosts = [("un".into(), HostStats { unreachable: 1, ..HostStats::default() }), ("h1".into(), stats)];
    let text = shown(&[Event::Recap(Recap { hosts: hosts.into_iter().collect(), custom: Map::new() })], Options::default());
    assert_eq!(
        text.lines().skip(1).collect::<Vec<_>>(),
        [
            "h1                         : ok=29   changed=12   unreachable=0    failed=0    skipped=3    rescued=1    ignored=7   ",
            "un                         : ok=0    changed=0    unreachable=1    failed=0    skipped=0    rescued=0    ignored=0   ",
            "",
        ]
    );
}

#[test]
fn a_free_play_names_its_task_when_the_first_result_comes() {
    let play = PlayStarted { name: "p".into(), hosts: vec![], roles: 0, tasks: 1, strategy: "free".into(), check: false };
    let events = [
        Event::PlayStarted(play),
        task(1, "A", "command"),
        task(2, "B", "command"),
        Event::HostResult(result(2, Status::Changed, &[])),
        Event::HostResult(result(1, Status::Changed, &[])),
    ];
    let text = shown(&events, Options::default());
    let order: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("TASK [")).map(|line| &line[..1]).collect();
    assert_eq!(order, ["B", "A"]);
}
