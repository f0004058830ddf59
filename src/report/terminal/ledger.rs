//! The names of what changed, for the last lines of a run.

use indexmap::IndexSet;
use unicode_width::UnicodeWidthStr;

use crate::base::Value;
use crate::history::event::{TaskResult, TaskStarted};

use super::text::shortened;

/// What changed in a run, each thing once, in order.
#[derive(Default)]
pub struct Ledger {
    names: IndexSet<String>,
}

impl Ledger {
    pub fn changed(&mut self, task: Option<&TaskStarted>, result: &TaskResult) {
        self.names.insert(name(task, result));
    }

    /// ` changed  /etc/a · nginx.service · 57 more`, in one line.
    pub fn summary(&self, width: usize) -> Option<String> {
        let (first, others) = (self.names.first()?, self.names.iter().skip(1));
        let mut line = format!(" changed  {}", shortened(first, width.saturating_sub(24).max(20)));
        let mut shown = 1;
        for name in others {
            let left = self.names.len() - shown - 1;
            let tail = if left > 0 { format!(" · {left} more") } else { String::new() };
            if line.width() + 3 + name.width() + tail.width() > width {
                break;
            }
            line.push_str(&format!(" · {name}"));
            shown += 1;
        }
        let left = self.names.len() - shown;
        Some(if left > 0 { format!("{line} · {left} more") } else { line })
    }
}

/// The thing that a result is about: its file, unit or name; else what the task is called.
fn name(task: Option<&TaskStarted>, result: &TaskResult) -> String {
    let text = |key: &str| result.result.get(key).and_then(Value::as_str).filter(|text| !text.is_empty() && !text.contains('\n'));
    let action = task.map_or("", |task| task.action.rsplit('.').next().unwrap_or(&task.action));
    if let Some(path) = ["dest", "path"].iter().find_map(|key| text(key)) {
        return path.to_owned();
    }
    let state = text("state").map(|state| format!(" ({state})")).unwrap_or_default();
    match (action, text("name")) {
        ("service" | "systemd" | "systemd_service", Some(unit)) => format!("{unit}{state}"),
        ("user" | "group", Some(name)) => format!("{action} {name}"),
        _ => task.map_or_else(|| action.to_owned(), |task| task.name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::event::{Status, TaskId};

    fn file(path: &str) -> TaskResult {
        TaskResult::new(TaskId(1), "web", Status::Changed, Value::map([("dest", path)]))
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.summary(80), None);
        for number in 0..30 {
            ledger.changed(None, &file(&format!("/etc/service/{number}.conf")));
            ledger.changed(None, &file(&format!("/etc/service/{number}.conf")));
        }
        let line = ledger.summary(80).expect("something changed");
        assert_eq!(line, " changed  /etc/service/0.conf · /etc/service/1.conf · 28 more");
    }
}
