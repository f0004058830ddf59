use super::*;

#[test]
fn the_recap_as_json_is_the_promised_line() {
    let stats = HostStats { ok: 3, changed: 1, ..HostStats::default() };
    let event = Event::Recap(Recap { hosts: [("idp1".into(), stats)].into_iter().collect(), custom: Map::new() });
    assert_eq!(
        serde_json::to_string(&event).expect("encodes"),
        r#"{"event":"recap","hosts":{"idp1":{"ok":3,"changed":1,"unreachable":0,"failed":0,"skipped":0,"rescued":0,"ignored":0}}}"#
    );
}

#[test]
fn an_event_survives_the_journal() {
    let mut result = TaskResult::new(TaskId(7), "web", Status::Failed, Value::map([("rc", 1), ("delta", 2)]));
    result.error = Some(Diagnostic::error("non-zero return code").at(&Span::new("site.yml", 4, 7)));
    result.item = Some(Value::list(["a"]));
    let event = Event::ItemResult(result);
    let text = serde_json::to_string(&event).expect("encodes");
    assert_eq!(serde_json::from_str::<Event>(&text).expect("decodes"), event);
}

#[test]
fn a_delegated_result_is_labelled_as_ansible_does() {
    let mut result = TaskResult::new(TaskId(1), "web", Status::Ok, Value::Null);
    assert_eq!(result.label(), "web");
    result.delegated_to = Some(Delegated { host: "db".into(), address: Some("10.0.0.2".into()) });
    assert_eq!(result.label(), "web -> db(10.0.0.2)");
    result.delegated_to = Some(Delegated { host: "db".into(), address: None });
    assert_eq!(result.label(), "web -> db");
    result.delegated_to = Some(Delegated { host: "web".into(), address: None });
    assert_eq!(result.label(), "web");
}
