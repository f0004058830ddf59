//! Filters with regular expressions.

use std::sync::Arc;

use fancy_regex::Captures;

use super::super::arguments::Arguments;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::regex;
use super::super::scope::Scope;
use super::{Filter, filter};

pub(crate) const FILTERS: &[Filter] =
    &[filter("regex_replace", replace), filter("regex_search", search), filter("regex_findall", find_all), filter("regex_escape", escape)];

fn replace(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "pattern", "replacement", "ignorecase", "multiline", "count", "mandatory_count"])?;
    let text = bound.text_or(0, "")?;
    let pattern = bound.text_or(1, "")?;
    let compiled = regex::compile(&pattern, bound.flag(3, false)?, bound.flag(4, false)?)?;
    let count = usize::try_from(bound.int_or(5, 0)?).unwrap_or(0);
    let (replaced, matches) = regex::replace(&compiled, &text, &bound.text_or(2, "")?, count)?;
    match bound.int_or(6, 0)? {
        wanted if wanted != 0 && wanted != matches as i64 => {
            Err(Fault::failed(format!("`{pattern}` should match {wanted} times, but matches {matches} times")))
        }
        _ => Ok(Val::str(replaced)),
    }
}

/// The match, or the groups that are asked for as `'\1'` and `'\g<name>'`; none where nothing matches.
fn search(mut arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let flag = |value: Option<Val>| value.map_or(Ok(false), |value| value.truth());
    let (ignore_case, multiline) = (flag(arguments.take("ignorecase"))?, flag(arguments.take("multiline"))?);
    let mut positional = arguments.positional.into_iter();
    let text = positional.next().unwrap_or(Val::Null).text()?;
    let pattern = positional.next().ok_or_else(|| Fault::failed("the regular expression is missing"))?.text()?;
    let mut groups = Vec::new();
    for group in positional {
        groups.push(group_name(&group.text()?)?);
    }
    let compiled = regex::compile(&pattern, ignore_case, multiline)?;
    let Some(captures) = regex::captures(&compiled, &text)? else {
        return Ok(Val::Null);
    };
    if groups.is_empty() {
        return Ok(Val::str(captures.get(0).map_or("", |whole| whole.as_str())));
    }
    groups.iter().map(|group| taken(&captures, group)).collect::<Outcome<Vec<_>>>().map(Val::list)
}

/// A group, or none when it took no part.
fn taken(captures: &Captures<'_, str>, name: &str) -> Outcome<Val> {
    match name.parse::<usize>() {
        Ok(number) if number < captures.len() => Ok(captures.get(number).map_or(Val::Null, |found| Val::str(found.as_str()))),
        _ => regex::group(captures, name).map(Val::str),
    }
}

fn group_name(text: &str) -> Outcome<String> {
    let name = match text.strip_prefix("\\g<") {
        Some(rest) => rest.strip_suffix('>'),
        None => text.strip_prefix('\\').filter(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())),
    };
    name.map(str::to_owned).ok_or_else(|| Fault::failed(format!("`{text}` names no group")).help(r"write '\1' or '\g<name>'"))
}

fn find_all(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["value", "regex", "multiline", "ignorecase"])?;
    let text = bound.text(0)?;
    let compiled = regex::compile(&bound.text(1)?, bound.flag(3, false)?, bound.flag(2, false)?)?;
    let found = regex::all(&compiled, &text)?.into_iter().map(|captures| {
        let part = |index: usize| Val::str(captures.get(index).map_or("", |found| found.as_str()));
        match captures.len() {
            0 | 1 => part(0),
            2 => part(1),
            groups => Val::tuple((1..groups).map(part).collect::<Vec<_>>()),
        }
    });
    Ok(Val::list(found.collect()))
}

fn escape(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["string", "re_type"])?;
    let text = bound.text(0)?;
    match bound.text_or(1, "python")?.as_ref() {
        "python" => Ok(Val::str(regex::escape(&text))),
        "posix_basic" => {
            let escaped = text.chars().flat_map(|c| if r"].[^$*\".contains(c) { vec!['\\', c] } else { vec![c] });
            Ok(Val::str(escaped.collect::<String>()))
        }
        other => Err(Fault::failed(format!("the regular expressions of `{other}` are not known")).help("use `python` or `posix_basic`")),
    }
}
