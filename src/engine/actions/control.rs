//! `debug`, `assert`, `fail`.

use crate::base::{Diagnostic, Node, NodeKind, Value};
use crate::engine::call::Call;
use crate::engine::keywords::list_of;
use crate::engine::outcome::Outcome;
use crate::engine::words::Failing;

/// `debug`: a message, or a variable by its expression.
pub fn debug(call: &Call<'_>) -> Outcome {
    let verbosity = call.args.get("verbosity").and_then(Value::as_int).unwrap_or(0);
    if verbosity > i64::from(call.run.request.settings.verbosity) {
        let mut outcome = Outcome::ok([("skipped_reason", Value::from("Verbosity threshold not met."))].into_iter().collect());
        outcome.skipped = true;
        return outcome;
    }
    let Some(var) = call.source("var") else {
        let message = call.args.get("msg").cloned().unwrap_or_else(|| "Hello world!".into());
        return Outcome::ok([("msg", message)].into_iter().collect()).always_shown();
    };
    let (name, value) = match &var.kind {
        NodeKind::Str(text, _) if !var.is_template() => (text.to_string(), call.run.templar.evaluate(text, &var.span, &call.context)),
        _ => (var.to_value().to_text(), call.run.templar.render(var, &call.context)),
    };
    let value = match value {
        Ok(value) => value,
        Err(error) if error.is_undefined() => {
            let error: Diagnostic = error.into();
            format!("<< error 1 - {} >>", crate::engine::words::reason(&error)).into()
        }
        Err(error) => return Outcome::error(error.into()),
    };
    Outcome::ok([(name, value)].into_iter().collect()).always_shown()
}

/// `assert`: every condition of `that` holds.
pub fn assert(call: &Call<'_>) -> Outcome {
    let behind = |node: &Node| call.run.templar.source_behind(node, &call.context);
    let of_whole = || call.task.action.arguments.whole.as_ref().and_then(behind).and_then(|whole| whole.get("that").cloned());
    let Some(that) = call.source("that").cloned().or_else(of_whole) else {
        return call.wrong("that", "conditional required in \"that\" string");
    };
    let quiet = call.flag("quiet", false);
    // A variable may hold the list of conditions.
    let conditions = behind(&that).filter(|source| source.as_seq().is_some()).unwrap_or(that);
    for condition in list_of(&conditions) {
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

/// `fail`.
pub fn fail(call: &Call<'_>) -> Outcome {
    let message = call.args.get("msg").cloned().unwrap_or_else(|| "Failed as requested from task".into());
    let text = message.to_text();
    let error = Diagnostic::error(text.clone()).at(&call.task.span);
    Outcome { error: Some(error), ..Outcome::failed("").with("msg", message) }
}
