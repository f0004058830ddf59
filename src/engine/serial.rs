//! `serial`: a play's hosts in batches.

use std::sync::Arc;

use crate::base::{Diagnostic, Value};
use crate::language::Play;
use crate::template::Context;

use super::play::render;
use super::state::Run;

type Result<T> = std::result::Result<T, Diagnostic>;

/// `serial`: a number, a percentage, or a list of them; the last one repeats.
pub(super) fn batches(run: &Run, play: &Play, context: &Context, hosts: &[Arc<str>]) -> Result<Vec<Vec<Arc<str>>>> {
    let sizes: Vec<String> = match render(run, play, "serial", context)? {
        None => return Ok(vec![hosts.to_vec()]),
        Some(Value::List(items)) => items.iter().map(Value::to_text).collect(),
        Some(value) => vec![value.to_text()],
    };
    let mut sizes = sizes.iter().map(|size| batch_size(size, hosts.len(), play)).collect::<Result<Vec<_>>>()?.into_iter();
    let mut rest = hosts;
    let mut batches = Vec::new();
    let mut size = rest.len();
    while !rest.is_empty() {
        size = sizes.next().unwrap_or(size);
        let count = if size == 0 { rest.len() } else { size.min(rest.len()) };
        batches.push(rest[..count].to_vec());
        rest = &rest[count..];
    }
    Ok(batches)
}

fn batch_size(text: &str, hosts: usize, play: &Play) -> Result<usize> {
    let place = play.keyword("serial").map_or(&play.span, |node| &node.span);
    let wrong = || Diagnostic::error(format!("`serial` is a number or a percentage, not `{text}`")).at(place);
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent: f64 = percent.trim().parse().map_err(|_| wrong())?;
            Ok(((hosts as f64 * percent / 100.0) as usize).max(1))
        }
        None => text.trim().parse::<i64>().map(|size| size.max(0) as usize).map_err(|_| wrong()),
    }
}
