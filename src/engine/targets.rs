//! Whether the plays can reach anybody, before any host is touched: a limit that leaves nobody, a pattern with a mistyped name, a task to start at that
//! is not there.

use std::sync::Arc;

use glob::Pattern;

use crate::base::{Diagnostic, Help};
use crate::inventory::Limit;
use crate::language::{Entry, Task};

use super::keywords::list_of;
use super::lists;
use super::request::PlaySource;
use super::settings::OnMismatch;
use super::state::{Run, read};

/// Looks at the limit and at every pattern that is plain text.
///
/// # Errors
/// `--limit` leaves no host, or a pattern names nothing that is there but nearly something.
pub fn check(run: &Run, playbooks: &[(Arc<str>, Vec<Entry>)]) -> Result<(), Diagnostic> {
    let inventory = read(&run.inventory);
    if let Some(limit) = run.request.limit.as_deref().filter(|_| inventory.hosts().next().is_some()) {
        let limit = Limit::parse(limit)?;
        let is_adhoc = matches!(run.request.plays.as_slice(), [PlaySource::Built { .. }]);
        let patterns = if is_adhoc { plain_patterns(playbooks) } else { vec!["all".to_owned()] };
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let selection = inventory.select(&patterns, Some(&limit))?;
        if selection.hosts.is_empty() {
            let mut error = Diagnostic::error("Specified inventory, host pattern and/or --limit leaves us with no hosts to target.");
            error.help.extend(selection.unmatched.into_iter().flat_map(|warning| warning.help));
            return Err(error);
        }
    }
    if run.request.settings.host_pattern_mismatch == OnMismatch::Ignore {
        return Ok(());
    }
    let mut makes_groups = false;
    for entry in playbooks.iter().flat_map(|(_, entries)| entries) {
        // Plays before it may have made the group by then.
        if makes_groups {
            return Ok(());
        }
        makes_groups = lists::every_task(&entry.play).iter().any(|task| may_make_groups(task));
        for node in list_of(&entry.play.hosts).iter().filter(|node| !node.is_template()) {
            let selection = inventory.select(&[&node.to_value().to_text()], None).map_err(|error| error.at(&node.span))?;
            let pattern = node.to_value().to_text();
            let mistyped = selection.unmatched.into_iter().find(|warning| warning.help.iter().any(|help| is_typo(&pattern, help)));
            if let Some(warning) = mistyped.filter(|_| selection.hosts.is_empty()) {
                return Err(warning.as_error().at(&node.span));
            }
        }
    }
    Ok(())
}

/// Whether a task may bring groups or hosts that the inventory does not have: by itself, or by what it includes.
fn may_make_groups(task: &Task) -> bool {
    task.is_include() || task.is_meta() || matches!(task.short_action(), "add_host" | "group_by") || task.action.name.contains("{{")
}

/// Looks for the task of `--start-at-task` among those that are known before the run, which are those it can be.
///
/// # Errors
/// No task has the name.
pub fn check_start(run: &Run, playbooks: &[(Arc<str>, Vec<Entry>)]) -> Result<(), Diagnostic> {
    let Some(wanted) = run.request.start_at_task.as_deref() else { return Ok(()) };
    let tasks = playbooks.iter().flat_map(|(_, entries)| entries).flat_map(|entry| lists::every_task(&entry.play));
    let titles: Vec<String> = tasks.map(|task| lists::title(&task)).collect();
    let names = || titles.iter().map(|title| title.split_once(" : ").map_or(title.as_str(), |(_, name)| name));
    let is_wanted = |name: &str| name.contains("{{") || name == wanted || Pattern::new(wanted).is_ok_and(|pattern| pattern.matches(name));
    if names().chain(titles.iter().map(String::as_str)).any(is_wanted) {
        return Ok(());
    }
    let error = Diagnostic::error(format!("no task is named `{wanted}` (`--start-at-task`)")).did_you_mean(wanted, names());
    Err(error.help("`--list-tasks` shows the names; a task of an `include_*` cannot be started at"))
}

/// Names that differ in their numbers only (`web1`, `web2`) are no typos of each other.
fn is_typo(pattern: &str, help: &Help) -> bool {
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    matches!(help, Help::DidYouMean(name) if letters(name) != letters(pattern))
}

fn plain_patterns(playbooks: &[(Arc<str>, Vec<Entry>)]) -> Vec<String> {
    let entries = playbooks.iter().flat_map(|(_, entries)| entries);
    entries.flat_map(|entry| list_of(&entry.play.hosts)).map(|node| node.to_value().to_text()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_names_are_no_typos_of_each_other() {
        assert!(is_typo("webservrs", &Help::DidYouMean("webservers".into())));
        assert!(!is_typo("web2", &Help::DidYouMean("web1".into())));
    }
}
