//! What ansible-core 2.19 says in `msg` when a task cannot be carried out: playbooks and people's own scripts read these words. Diagnostics
//! keep ours, with the place.

use crate::base::Diagnostic;

/// What could not be done; the reason comes behind it.
#[derive(Clone, Copy, Debug)]
pub enum Failing<'a> {
    /// The loop, `delegate_to` and what else has no words of its own.
    Task,
    Condition,
    Keyword(&'a str),
    /// An option of an action.
    Option {
        action: &'a str,
        option: &'a str,
    },
}

/// The `msg` of a task that failed before its action could.
pub fn task_failed(what: Failing<'_>, why: &Diagnostic) -> String {
    let why = reason(why);
    match what {
        Failing::Task => format!("Task failed: {why}"),
        Failing::Condition => format!("Task failed: {}", condition_failed(&why)),
        Failing::Keyword(word) => format!("Task failed: Error processing keyword '{word}': {why}"),
        Failing::Option { action, option } => {
            format!("Task failed: Finalization of task args for '{action}' failed: Error while resolving value for '{option}': {why}")
        }
    }
}

/// What stands in `changed_when_result` and `failed_when_result` when they cannot be evaluated.
pub fn condition_failed(why: &str) -> String {
    // What is wrong with the condition as a whole has no words before it.
    if ["Conditional expressions", "Conditional result", "Empty conditional", "Encountered untrusted"]
        .iter()
        .any(|beginning| why.starts_with(beginning))
    {
        return why.to_owned();
    }
    format!("Error while evaluating conditional: {why}")
}

/// A diagnostic's own words with its causes, as ansible-core puts them: names in straight quotes, plugins by their full names.
pub fn reason(diagnostic: &Diagnostic) -> String {
    let mut text = plugin_words(&diagnostic.message);
    for cause in &diagnostic.causes {
        text.push_str(": ");
        text.push_str(cause);
    }
    text.replace('`', "'")
}

fn plugin_words(message: &str) -> String {
    for kind in ["filter", "test", "lookup"] {
        if let Some(name) = message.strip_prefix(&format!("there is no {kind} `")) {
            let name = name.trim_end_matches('`');
            return match kind {
                "lookup" => format!("The lookup plugin '{name}' was not found."),
                _ => format!("Syntax error in template: No {kind} named '{name}'."),
            };
        }
        let brought = message.strip_prefix("the project's ");
        let Some((name, why)) = brought.unwrap_or(message).strip_prefix(&format!("{kind} `")).and_then(|rest| rest.split_once("`: "))
        else {
            continue;
        };
        let name = match kind {
            "lookup" => name.to_owned(),
            _ if name.contains('.') || brought.is_some() => name.to_owned(),
            _ => format!("ansible.builtin.{name}"),
        };
        return format!("The {kind} plugin '{name}' failed: {why}");
    }
    match message {
        "division by zero" => "Error rendering template: division by zero".to_owned(),
        other => match other.strip_prefix("the value ") {
            Some(rest) => format!("The value {rest}."),
            None => other.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_playbooks_look_for() {
        let undefined = Diagnostic::error("`nope` is undefined");
        assert_eq!(task_failed(Failing::Task, &undefined), "Task failed: 'nope' is undefined");
        assert_eq!(task_failed(Failing::Condition, &undefined), "Task failed: Error while evaluating conditional: 'nope' is undefined");
        let option = Failing::Option { action: "ansible.builtin.debug", option: "msg" };
        let filter = Diagnostic::error("filter `unique`: `int` object is not iterable");
        assert_eq!(
            task_failed(option, &filter),
            "Task failed: Finalization of task args for 'ansible.builtin.debug' failed: Error while resolving value for 'msg': \
             The filter plugin 'ansible.builtin.unique' failed: 'int' object is not iterable"
        );
        let odd =
            Diagnostic::error("Conditional result (True) was derived from value of type `str`. Conditionals must have a boolean result.");
        assert!(task_failed(Failing::Condition, &odd).starts_with("Task failed: Conditional result (True) was derived"));
        assert_eq!(reason(&Diagnostic::error("there is no lookup `x`")), "The lookup plugin 'x' was not found.");
        assert_eq!(reason(&Diagnostic::error("there is no filter `x`")), "Syntax error in template: No filter named 'x'.");
    }
}
