//! `debug`, `assert`, `fail`.

use crate::base::{Diagnostic, Node, NodeKind, Value};
use crate::engine::call::Call;
use crate::engine::keywords::list_of;
use crate::engine::outcome::Outcome;
use crate::engine::words::Failing;
use crate::modules::FromArg;
use crate::template::OMIT;

/// `debug`: a message, or a variable by its expression.
pub fn debug(call: &Call<'_>) -> Outcome {
    let var = match variable(call) {
        Ok(var) => var,
        Err(outcome) => return *outcome,
    };
    let message = call.args.get("msg").filter(|message| message.as_str() != Some(OMIT));
    if message.is_some() && var.is_some() {
        return call.wrong("msg", "parameters are mutually exclusive: msg|var");
    }
    let verbosity = match call.args.get("verbosity").filter(|value| !value.is_null()).map_or(Ok(0), i64::from_arg) {
        Ok(verbosity) => verbosity,
        Err(why) => return call.wrong("verbosity", format!("argument 'verbosity' {why}")),
    };
    if verbosity > i64::from(call.run.request.settings.verbosity) {
        let mut outcome = Outcome::ok([("skipped_reason", Value::from("Verbosity threshold not met."))].into_iter().collect());
        outcome.skipped = true;
        return outcome;
    }
    let Some(var) = var.filter(|var| !var.is_null() && var.as_str() != Some("")) else {
        let message = message.cloned().unwrap_or_else(|| "Hello world!".into());
        return Outcome::ok([("msg", message)].into_iter().collect()).always_shown();
    };
    let text = match &var.kind {
        NodeKind::Str(text, _) => text,
        NodeKind::Unsafe(_) | NodeKind::Data(Value::Str(_)) => {
            let message = "Error while resolving `var` expression: Encountered untrusted template or expression.";
            return Outcome::unprepared(Failing::Task, Diagnostic::error(message).at(&var.span));
        }
        _ => {
            let (kind, value) = (var.to_value().type_name(), var.to_value().to_repr());
            let why =
                format!("unable to convert to _check_type_str_no_conversion: '{value}' is not a string and conversion is not allowed");
            return call.wrong("var", format!("argument 'var' is of type {kind} and we were {why}"));
        }
    };
    let (value, warning) = match call.run.templar.evaluate(text, &var.span, &call.context) {
        Ok(value) if value.as_str() == Some(OMIT) => {
            let warning = "The result of the `var` expression could not be omitted; a placeholder was used instead.";
            ("<<Omit>>".into(), Some(warning.to_owned()))
        }
        Ok(value) => (value, None),
        Err(error) if error.is_undefined() => {
            let why = format!("error 1 - {}", crate::engine::words::reason(&error.into()));
            (format!("<< {why} >>").into(), Some(format!("Encountered 1 template error.\n{why}")))
        }
        Err(error) => return Outcome::error(error.into()),
    };
    let mut outcome = Outcome::ok([(text.to_string(), value)].into_iter().collect()).always_shown();
    outcome.warnings.extend(warning);
    outcome
}

/// The option `var`, from the task or from a mapping that stands for all of its options; `None` when it is omitted.
fn variable(call: &Call<'_>) -> Result<Option<Node>, Box<Outcome>> {
    let traced = |node: &Node| {
        let failing = Failing::Option { action: "ansible.builtin.debug", option: "var" };
        let rendered = call.run.templar.render_traced(node, &call.context);
        rendered.map_err(|error| Box::new(Outcome::unprepared(failing, error.into())))
    };
    let var = match (call.source("var"), call.args.get("var")) {
        (Some(node), _) => traced(node)?,
        (None, Some(value)) => match whole(call).and_then(|whole| whole.get("var").cloned()) {
            Some(node) => traced(&node)?,
            None => Node::data(call.span().clone(), value.clone()),
        },
        (None, None) => return Ok(None),
    };
    Ok((var.to_value().as_str() != Some(OMIT)).then_some(var))
}

/// The mapping that stands for all options of a task, as the project's own files have it.
fn whole(call: &Call<'_>) -> Option<Node> {
    call.run.templar.source_behind(call.task.action.arguments.whole.last()?, &call.context)
}

/// `assert`: every condition of `that` holds.
pub fn assert(call: &Call<'_>) -> Outcome {
    let behind = |node: &Node| call.run.templar.source_behind(node, &call.context);
    let of_whole = || whole(call).and_then(|whole| whole.get("that").cloned());
    let Some(that) = call.source("that").cloned().or_else(of_whole) else {
        return call.wrong("that", "missing required arguments: that");
    };
    if let Some(wrong) = ["fail_msg", "msg", "success_msg"].into_iter().find_map(|option| wrong_message(call, option)) {
        return wrong;
    }
    if let Some(Err(why)) = call.args.get("quiet").map(bool::from_arg) {
        return call.wrong("quiet", format!("argument 'quiet' {why}"));
    }
    let quiet = call.flag("quiet", false);
    // A variable may hold the list of conditions.
    let conditions = behind(&that).filter(|source| source.as_seq().is_some()).unwrap_or(that);
    // Nothing at all is one condition, and an empty one.
    let conditions = if conditions.is_null() { vec![conditions] } else { list_of(&conditions) };
    for condition in conditions {
        let verdict = call.run.condition(&condition, &call.context).map_err(Diagnostic::from);
        match verdict {
            Ok(true) => {}
            Ok(false) => {
                let message = call.args.get("fail_msg").or_else(|| call.args.get("msg")).cloned();
                let message = message.unwrap_or_else(|| "Assertion failed".into());
                let mut outcome =
                    Outcome::failed("").with("msg", message).with("evaluated_to", false).with("assertion", condition.to_value());
                outcome.error = Some(Diagnostic::error("the assertion does not hold").at(&condition.span));
                return if quiet { outcome } else { outcome.always_shown() };
            }
            Err(error) => {
                return Outcome::unprepared(Failing::Condition, error);
            }
        }
    }
    let message = call.args.get("success_msg").cloned().unwrap_or_else(|| "All assertions passed".into());
    let outcome = Outcome::ok([("msg", message)].into_iter().collect());
    if quiet { outcome } else { outcome.always_shown() }
}

/// What is wrong with a message of `assert`: it is text, or a list of it.
fn wrong_message(call: &Call<'_>, option: &str) -> Option<Outcome> {
    let is_text = |value: &Value| value.as_str().is_some();
    match call.args.get(option)? {
        Value::Null | Value::Str(_) => None,
        Value::List(lines) if lines.iter().all(is_text) => None,
        other => {
            let why = "unable to convert to str_or_list_of_str: a string or list of strings is required";
            Some(call.wrong(option, format!("argument '{option}' is of type {} and we were {why}", other.type_name())))
        }
    }
}

/// `fail`.
pub fn fail(call: &Call<'_>) -> Outcome {
    let message = call.args.get("msg").cloned().unwrap_or_else(|| "Failed as requested from task".into());
    let text = message.to_text();
    let error = Diagnostic::error(text.clone()).at(&call.task.span);
    Outcome { error: Some(error), ..Outcome::failed("").with("msg", message) }
}
