//! One event a line as JSON, for programs. The recap is the last line.

use crate::history::event::{Event, Sink};

use super::screen::Screen;

pub struct Json {
    screen: Screen,
}

impl Json {
    pub fn new(screen: Screen) -> Self {
        Json { screen }
    }
}

impl Sink for Json {
    fn event(&mut self, event: &Event) {
        // The exit code says what the end of the run would: the recap stays last.
        if matches!(event, Event::RunFinished { .. }) {
            return;
        }
        match serde_json::to_string(event) {
            Ok(line) => self.screen.line(&line, None),
            Err(error) => self.screen.error_line(&format!("an event cannot be written as JSON: {error}"), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::event::{HostStats, Recap};

    #[test]
    fn every_line_is_an_event_and_the_recap_is_the_last() {
        let (screen, out, _) = Screen::captured();
        let mut json = Json::new(screen);
        let hosts = [("idp1".into(), HostStats::default())].into_iter().collect();
        json.event(&Event::NoHostsMatched);
        json.event(&Event::Recap(Recap { hosts, ..Recap::default() }));
        json.event(&Event::RunFinished { exit_code: 0, milliseconds: 3 });
        let names: Vec<String> = out
            .text()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("is JSON")["event"].as_str().expect("has a name").to_owned())
            .collect();
        assert_eq!(names, ["no_hosts_matched", "recap"]);
    }
}
