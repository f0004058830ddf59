//! Masking secrets in events, before they are written or shown.

use std::borrow::Cow;

use crate::base::{Diagnostic, Redactor};

use super::event::{Event, TaskResult};

impl Event {
    /// Masks every known secret in the parts that can hold text from hosts, templates or the command line.
    pub fn redact(&mut self, redactor: &Redactor) {
        let text = |text: &mut String| {
            if let Cow::Owned(masked) = redactor.redact(text) {
                *text = masked;
            }
        };
        match self {
            Event::RunStarted(run) => run.command.iter_mut().for_each(text),
            Event::PlayStarted(play) => text(&mut play.name),
            Event::TaskStarted(task) => {
                text(&mut task.name);
                if let Some(arguments) = &mut task.arguments {
                    arguments.iter_mut().for_each(|(_, value)| *value = redactor.redact_value(value));
                }
            }
            Event::Output { line, .. } => text(line),
            Event::ItemResult(result) | Event::HostResult(result) => result.redact(redactor),
            Event::Retry { result, .. } => *result = redactor.redact_value(result),
            Event::Included { item: Some(item), .. } => *item = redactor.redact_value(item),
            Event::Link { detail, .. } => text(detail),
            Event::Notice(notice) => redact_diagnostic(&mut notice.diagnostic, redactor),
            Event::Finding { diagnostic } => redact_diagnostic(diagnostic, redactor),
            Event::Message { text: message, .. } => text(message),
            Event::Recap(recap) => recap.custom.iter_mut().for_each(|(_, value)| *value = redactor.redact_value(value)),
            Event::PlaybookStarted { .. }
            | Event::NoHostsMatched
            | Event::NoHostsRemaining
            | Event::HostTaskStarted { .. }
            | Event::Async { .. }
            | Event::Included { item: None, .. }
            | Event::HandlerNotified { .. }
            | Event::Refused { .. }
            | Event::RunFinished { .. } => {}
        }
    }
}

impl TaskResult {
    fn redact(&mut self, redactor: &Redactor) {
        self.result = redactor.redact_value(&self.result);
        self.diffs.iter_mut().for_each(|diff| *diff = redactor.redact_value(diff));
        if let Some(item) = &mut self.item {
            *item = redactor.redact_value(item);
        }
        self.notices.iter_mut().for_each(|notice| redact_diagnostic(&mut notice.diagnostic, redactor));
        if let Some(error) = &mut self.error {
            redact_diagnostic(error, redactor);
        }
    }
}

fn redact_diagnostic(diagnostic: &mut Diagnostic, redactor: &Redactor) {
    let labels = diagnostic.labels.iter_mut().map(|label| &mut label.text);
    for text in std::iter::once(&mut diagnostic.message).chain(diagnostic.causes.iter_mut()).chain(labels) {
        if let Cow::Owned(masked) = redactor.redact(text) {
            *text = masked;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Value;
    use crate::history::event::{Status, TaskId};

    #[test]
    fn a_secret_is_masked_in_every_part_of_a_result() {
        let redactor = Redactor::default();
        redactor.learn("hunter22");
        let mut result = TaskResult::new(TaskId(1), "web", Status::Failed, Value::map([("msg", "pw hunter22")]));
        result.diffs = vec![Value::map([("before", "hunter22\n")])];
        result.item = Some("hunter22".into());
        result.error = Some(Diagnostic::error("no hunter22").cause("hunter22"));
        let mut event = Event::HostResult(result);
        event.redact(&redactor);
        assert!(!serde_json::to_string(&event).expect("encodes").contains("hunter22"));
    }
}
