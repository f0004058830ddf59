//! `pause`: for a time, or until somebody answers.

use std::time::{Duration, Instant};

use crate::base::{Diagnostic, Value};
use crate::engine::call::Call;
use crate::engine::outcome::Outcome;
use crate::engine::request::{Keys, Typed};
use crate::history::event::Event;
use crate::modules::coerce::FromArg;

/// How the keys of a running time are explained, in ansible-core's words.
const CONTROLS: &str = "(ctrl+C then 'C' = continue early, ctrl+C then 'A' = abort)\r";
const QUESTION: &str = "Press enter to continue, Ctrl+C to interrupt";

/// For how long: in the unit that was asked for.
struct Span {
    seconds: u64,
    unit: &'static str,
}

/// `pause`.
pub async fn pause(call: &Call<'_>) -> Outcome {
    let span = match span(call) {
        Ok(span) => span,
        Err(outcome) => return *outcome,
    };
    if let Some(echo) = call.args.get("echo").filter(|value| !value.is_null())
        && let Err(why) = bool::from_arg(echo)
    {
        return call.wrong("echo", format!("argument 'echo' {why}"));
    }
    let (begun, begun_at) = (Instant::now(), now());
    let answer = match wait(call, span.as_ref()).await {
        Ok(answer) => answer,
        Err(error) => return Outcome::error(error),
    };
    let passed = begun.elapsed().as_secs_f64();
    let (amount, unit) = match &span {
        Some(Span { unit: "seconds", .. }) => (passed, "seconds"),
        _ => (passed / 60.0, "minutes"),
    };
    let amount = Value::Float((amount * 100.0).round() / 100.0).to_text();
    let values = [
        ("delta", Value::Int(passed as i64)),
        ("echo", call.flag("echo", true).into()),
        ("rc", Value::Int(0)),
        ("start", begun_at.into()),
        ("stderr", "".into()),
        ("stdout", format!("Paused for {amount} {unit}").into()),
        ("stop", now().into()),
        ("user_input", answer.into()),
    ];
    Outcome::ok(values.into_iter().collect())
}

fn now() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

fn span(call: &Call<'_>) -> Result<Option<Span>, Box<Outcome>> {
    let number = |name: &'static str| -> Result<Option<i64>, Box<Outcome>> {
        let Some(value) = call.args.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        let whole = match value {
            Value::Float(number) => Some(*number as i64),
            other => other.to_text().trim().parse().ok(),
        };
        whole.map(Some).ok_or_else(|| {
            let text = value.to_text();
            let why = format!("unable to convert to int: invalid literal for int() with base 10: '{text}'");
            Box::new(call.wrong(name, format!("argument '{name}' is of type {} and we were {why}", value.type_name())))
        })
    };
    let span = |seconds: i64, unit| Some(Span { seconds: u64::try_from(seconds).unwrap_or(0).max(1), unit });
    match (number("minutes")?, number("seconds")?) {
        (Some(_), Some(_)) => Err(Box::new(call.wrong("seconds", "parameters are mutually exclusive: minutes|seconds"))),
        (Some(minutes), None) => Ok(span(minutes.saturating_mul(60), "minutes")),
        (None, Some(seconds)) => Ok(span(seconds, "seconds")),
        (None, None) => Ok(None),
    }
}

/// What was answered; nothing when only time was to pass.
async fn wait(call: &Call<'_>, span: Option<&Span>) -> Result<String, Diagnostic> {
    let echo = call.flag("echo", true);
    let hidden = if echo { "" } else { " (output is hidden)" };
    let (_, title) = call.cursor.title(call.task);
    let question = |text: &str| format!("[{}]\n{text}{hidden}:", title.trim());
    let own = call.text("prompt").filter(|text| !text.is_empty());
    let mut shown = question(own.as_deref().unwrap_or(QUESTION));
    let mut keys = Keys { echo: echo && span.is_none(), ..Keys::default() };
    if let Some(span) = span {
        say(call, format!("Pausing for {} seconds{hidden}", span.seconds));
        match own {
            Some(_) => say(call, CONTROLS.to_owned()),
            None => shown = CONTROLS.to_owned(),
        }
        keys = Keys { limit: Some(Duration::from_secs(span.seconds)), ends: Some(Vec::new()), ..keys };
    }
    if !call.run.request.console.is_interactive() {
        match span {
            Some(span) => tokio::time::sleep(Duration::from_secs(span.seconds)).await,
            None => call.run.warn(Diagnostic::warning("Not waiting for response to prompt as stdin is not interactive")),
        }
        return Ok(String::new());
    }
    say(call, shown);
    match read(call, &keys)? {
        Typed::Text(text) => Ok(if span.is_none() { text } else { String::new() }),
        Typed::Interrupted => {
            say(call, "Press 'C' to continue the play or 'A' to abort \r".to_owned());
            match read(call, &Keys { interrupt: Some(b'a'), ends: Some(vec![b'c']), limit: None, ..keys })? {
                Typed::Text(text) => Ok(text),
                Typed::Interrupted => Err(Diagnostic::error("user requested abort!").at(&call.task.span)),
            }
        }
    }
}

fn say(call: &Call<'_>, text: String) {
    call.run.event(Event::Message { text, verbosity: 0 });
}

fn read(call: &Call<'_>, keys: &Keys) -> Result<Typed, Diagnostic> {
    call.run.journal.flush();
    let typed = tokio::task::block_in_place(|| call.run.request.console.keys(keys));
    typed.map_err(|error| Diagnostic::error(format!("the terminal cannot be read: {error}")).at(&call.task.span))
}
