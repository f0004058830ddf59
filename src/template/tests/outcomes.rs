//! Tests of task results, texts, lists and secrets, as ansible-core adds them.

use std::sync::Arc;

use crate::vault;

use super::super::arguments::Arguments;
use super::super::containers::Dict;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::scope::Scope;
use super::super::{number, operate, regex};
use super::{Test, seeing_missing, test};
use crate::base::Key;

pub(crate) const TESTS: &[Test] = &[
    test("failed", |arguments, _| failed(arguments)),
    test("failure", |arguments, _| failed(arguments)),
    test("succeeded", |arguments, _| failed(arguments).map(|failed| !failed)),
    test("success", |arguments, _| failed(arguments).map(|failed| !failed)),
    test("successful", |arguments, _| failed(arguments).map(|failed| !failed)),
    test("unreachable", |arguments, _| flag(&result(arguments)?, "unreachable")),
    test("reachable", |arguments, _| flag(&result(arguments)?, "unreachable").map(|unreachable| !unreachable)),
    test("timedout", |arguments, _| timed_out(&result(arguments)?)),
    test("changed", |arguments, _| changed(&result(arguments)?)),
    test("change", |arguments, _| changed(&result(arguments)?)),
    test("skipped", |arguments, _| flag(&result(arguments)?, "skipped")),
    test("skip", |arguments, _| flag(&result(arguments)?, "skipped")),
    test("finished", |arguments, _| flag_or(&result(arguments)?, "finished", true)),
    test("started", |arguments, _| flag_or(&result(arguments)?, "started", true)),
    test("match", |arguments, _| matches(arguments, Anchor::Start)),
    test("search", |arguments, _| matches(arguments, Anchor::Anywhere)),
    test("regex", |arguments, _| matches(arguments, Anchor::Named)),
    test("any", |arguments, _| quantified(arguments, true)),
    test("all", |arguments, _| quantified(arguments, false)),
    test("truthy", |arguments, _| truthy(arguments)),
    test("falsy", |arguments, _| truthy(arguments).map(|truthy| !truthy)),
    test("nan", |arguments, _| not_a_number(arguments)),
    test("isnan", |arguments, _| not_a_number(arguments)),
    test("subset", |arguments, _| subset(arguments, false)),
    test("issubset", |arguments, _| subset(arguments, false)),
    test("superset", |arguments, _| subset(arguments, true)),
    test("issuperset", |arguments, _| subset(arguments, true)),
    seeing_missing("vault_encrypted", vault_encrypted),
    test("uri", |arguments, _| uri(arguments, |_, _| true)),
    test("url", |arguments, _| uri(arguments, |scheme, host| !host.is_empty() || scheme == "file")),
    test("urn", |arguments, _| uri(arguments, |scheme, _| scheme == "urn")),
];

fn result(arguments: Arguments) -> Outcome<Dict> {
    match arguments.bind(["result"])?.required(0)? {
        Val::Map(dict) => Ok(dict.clone()),
        other => Err(Fault::failed(format!("the result of a task is expected, not `{}`", other.type_name()))
            .help("is this the variable of `register`?")),
    }
}

fn entry(result: &Dict, name: &str) -> Outcome<Option<Val>> {
    result.get(&Key::from(name))
}

fn flag(result: &Dict, name: &str) -> Outcome<bool> {
    flag_or(result, name, false)
}

fn flag_or(result: &Dict, name: &str, absent: bool) -> Outcome<bool> {
    entry(result, name)?.map_or(Ok(absent), |value| value.truth())
}

fn failed(arguments: Arguments) -> Outcome<bool> {
    flag(&result(arguments)?, "failed")
}

fn timed_out(result: &Dict) -> Outcome<bool> {
    match entry(result, "timedout")? {
        Some(Val::Map(details)) => Ok(entry(&details, "period")?.is_some()),
        _ => Ok(false),
    }
}

/// Of a loop, any item's.
fn changed(result: &Dict) -> Outcome<bool> {
    if entry(result, "changed")?.is_none()
        && let Some(Val::List(items)) = entry(result, "results")?
        && matches!(items.get(0)?, Some(Val::Map(_)))
    {
        for item in items.items()? {
            if let Val::Map(item) = item
                && flag(&item, "changed")?
            {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    flag(result, "changed")
}

#[derive(Clone, Copy, PartialEq)]
enum Anchor {
    Start,
    Anywhere,
    /// The argument `match_type` says.
    Named,
}

fn matches(arguments: Arguments, anchor: Anchor) -> Outcome<bool> {
    let bound = match anchor {
        Anchor::Named => arguments.bind(["value", "pattern", "ignorecase", "multiline", "match_type"])?,
        _ => {
            let bound = arguments.bind(["value", "pattern", "ignorecase", "multiline"])?;
            return matched(&bound.text(0)?, &bound.text_or(1, "")?, bound.flag(2, false)?, bound.flag(3, false)?, anchor, false);
        }
    };
    let (anchor, whole) = match bound.text_or(4, "search")?.as_ref() {
        "search" => (Anchor::Anywhere, false),
        "match" => (Anchor::Start, false),
        "fullmatch" => (Anchor::Start, true),
        other => return Err(Fault::failed(format!("`match_type` must be `search`, `match` or `fullmatch`, not `{other}`"))),
    };
    matched(&bound.text(0)?, &bound.text_or(1, "")?, bound.flag(2, false)?, bound.flag(3, false)?, anchor, whole)
}

fn matched(text: &str, pattern: &str, ignore_case: bool, multiline: bool, anchor: Anchor, whole: bool) -> Outcome<bool> {
    let pattern = match (anchor, whole) {
        (Anchor::Start, true) => format!("\\A(?:{pattern})\\Z"),
        (Anchor::Start, false) => format!("\\A(?:{pattern})"),
        _ => pattern.to_owned(),
    };
    regex::is_match(&*regex::compile(&pattern, ignore_case, multiline)?, text)
}

fn quantified(arguments: Arguments, any: bool) -> Outcome<bool> {
    for item in arguments.bind(["iterable"])?.items(0)? {
        if item.truth()? == any {
            return Ok(any);
        }
    }
    Ok(!any)
}

fn truthy(arguments: Arguments) -> Outcome<bool> {
    let bound = arguments.bind(["value", "convert_bool"])?;
    let value = bound.required(0)?;
    if bound.flag(1, false)?
        && let Val::Str(text) = value
    {
        match text.to_lowercase().as_str() {
            "yes" | "on" | "1" | "true" | "t" | "y" => return Ok(true),
            "no" | "off" | "0" | "false" | "f" | "n" => return Ok(false),
            _ => {}
        }
    }
    value.truth()
}

fn not_a_number(arguments: Arguments) -> Outcome<bool> {
    let bound = arguments.bind(["x"])?;
    let value = bound.required(0)?;
    Ok(number::of(value).is_some_and(|number| number.float().is_nan()))
}

fn subset(arguments: Arguments, reversed: bool) -> Outcome<bool> {
    let bound = arguments.bind(["a", "b"])?;
    let (small, large) = if reversed { (bound.items(1)?, bound.items(0)?) } else { (bound.items(0)?, bound.items(1)?) };
    'items: for item in &small {
        for other in &large {
            if operate::equal(item, other)? {
                continue 'items;
            }
        }
        return Ok(false);
    }
    Ok(true)
}

/// Vault text, and the plain text that comes out of a variable behind `!vault`.
fn vault_encrypted(arguments: Arguments, scope: &Arc<Scope>) -> Outcome<bool> {
    Ok(match arguments.bind(["value"])?.required(0)? {
        Val::Missing(fault) => return Err(fault.clone()),
        Val::Str(text) => vault::is_vault(text) || scope.templar.is_decrypted(text),
        _ => false,
    })
}

/// Whether text may be a URI of the schemes wanted (any text may, where none is named), and more of its scheme and host. A scheme is
/// implied where none is written.
fn uri(arguments: Arguments, is: fn(&str, &str) -> bool) -> Outcome<bool> {
    let bound = arguments.bind(["value", "schemes"])?;
    let Val::Str(text) = bound.required(0)? else { return Ok(false) };
    // Line breaks and tabs are no part of a URI.
    let text: String = text.chars().filter(|c| !"\t\r\n".contains(*c)).collect();
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => (String::new(), text.as_str()),
    };
    let host = rest.strip_prefix("//").map_or("", |rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    if host.contains('[') != host.contains(']') {
        return Ok(false);
    }
    let wanted = match bound.some(1) {
        Some(schemes) => schemes.iterate()?.iter().map(Val::text).collect::<Outcome<Vec<_>>>()?,
        None => Vec::new(),
    };
    Ok((wanted.is_empty() || wanted.iter().any(|wanted| **wanted == *scheme)) && is(&scheme, host))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}
