//! The conditions of `find`: names, age, size, mode and content.

use std::path::Path;
use std::time::SystemTime;

use crate::base::{Pattern, PatternFlags, Value};
use crate::system::{Decoded, Failure, Metadata, Mode, Result, System};

use super::edit;
use super::find::{AgeStamp, FindArgs};
use super::stat_values::seconds;

/// The conditions, ready to ask.
pub(super) struct Filter {
    patterns: Vec<Pattern>,
    excludes: Vec<Pattern>,
    contains: Option<Pattern>,
    whole_file: bool,
    encoding: Option<String>,
    age: Option<i64>,
    stamp: AgeStamp,
    size: Option<i64>,
    mode: Option<u32>,
    exact_mode: bool,
    now: f64,
}

impl Filter {
    pub(super) fn new(args: &FindArgs) -> Result<Self> {
        let compile = |given: &String, option: &str| {
            let anchored = if args.use_regex { format!("^(?:{given})") } else { shell_pattern(given) };
            edit::pattern(&anchored, PatternFlags::default(), option)
        };
        let all = |given: &[String], option: &'static str| given.iter().map(|given| compile(given, option)).collect::<Result<Vec<_>>>();
        let contains = match &args.contains {
            Some(given) if args.read_whole_file => Some(edit::pattern(given, PatternFlags::default(), "contains")?),
            Some(given) => Some(edit::pattern(&format!("^(?:{given})"), PatternFlags::default(), "contains")?),
            None => None,
        };
        if let Some(limit) = args.limit.filter(|limit| *limit <= 0) {
            return Err(Failure::new(format!("limit cannot be {limit} (use None for unlimited)")).at("limit"));
        }
        Ok(Filter {
            patterns: all(&args.patterns, "patterns")?,
            excludes: all(args.excludes.as_deref().unwrap_or_default(), "excludes")?,
            contains,
            whole_file: args.read_whole_file,
            encoding: args.encoding.clone(),
            age: amount(args.age.as_deref(), &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)], "age")?,
            stamp: args.age_stamp,
            size: amount(args.size.as_deref(), &[("b", 1), ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("t", 1 << 40)], "size")?,
            mode: mode(args.mode.as_ref())?,
            exact_mode: args.exact_mode,
            now: seconds(SystemTime::now()),
        })
    }

    pub(super) fn takes(&self, name: &str, found: &Metadata) -> Result<bool> {
        let any = |patterns: &[Pattern]| {
            patterns.iter().try_fold(false, |yes, pattern| Ok::<_, Failure>(yes || pattern.is_found(name).map_err(edit::searching)?))
        };
        if !(self.patterns.is_empty() || any(&self.patterns)?) || any(&self.excludes)? {
            return Ok(false);
        }
        let time = match self.stamp {
            AgeStamp::Access => found.accessed,
            AgeStamp::Change => found.changed,
            AgeStamp::Modification => found.modified,
        };
        let within = |limit: Option<i64>, value: f64| match limit {
            None => true,
            Some(limit) if limit >= 0 => value >= limit as f64,
            Some(limit) => value <= -limit as f64,
        };
        let mode_fits = self.mode.is_none_or(|mode| if self.exact_mode { found.mode == mode } else { found.mode & mode != 0 });
        let size_fits = !found.is_file() || within(self.size, found.size as f64);
        Ok(within(self.age, self.now - seconds(time)) && size_fits && mode_fits)
    }

    pub(super) fn content(&self, path: &Path, sys: &System) -> Result<bool> {
        let Some(contains) = &self.contains else { return Ok(true) };
        let Ok(bytes) = sys.query_content(path) else { return Ok(false) };
        let encoding = self.encoding.as_deref();
        let text = match sys.decode(encoding.unwrap_or("utf-8"), &bytes)? {
            Decoded::Text(text) => text.replace("\r\n", "\n"),
            Decoded::UnknownEncoding => {
                return Err(Failure::new(format!("unknown encoding: {}", encoding.unwrap_or_default())).at("encoding"));
            }
            Decoded::Invalid => {
                let encoding = encoding.unwrap_or("None (default determined by the Python built-in function \"open\")");
                let place = path.display();
                return Err(Failure::new(format!(
                    "Failed to read the file {place} due to an encoding error. current encoding: {encoding}"
                )));
            }
        };
        if self.whole_file {
            return contains.is_found(&text).map_err(edit::searching);
        }
        text.split_inclusive('\n').try_fold(false, |yes, line| Ok(yes || contains.is_found(line).map_err(edit::searching)?))
    }
}

/// `3`, `-3d`, `10k` as a number of units.
fn amount(given: Option<&str>, units: &[(&str, i64)], option: &'static str) -> Result<Option<i64>> {
    let Some(given) = given else { return Ok(None) };
    let text = given.to_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let factor = if unit.is_empty() { Some(1) } else { units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor) };
    match (digits.parse::<i64>(), factor) {
        (Ok(number), Some(factor)) => Ok(Some(number.saturating_mul(factor))),
        _ => Err(Failure::new(format!("failed to process {option}")).with(option, given).at(option)),
    }
}

fn mode(given: Option<&Value>) -> Result<Option<u32>> {
    match given {
        None => Ok(None),
        Some(Value::Str(text)) if text.is_empty() => Ok(None),
        Some(Value::Str(text)) => {
            let mode = Mode::parse(text).and_then(|mode| mode.apply(0, false)).map_err(|message| Failure::new(message).at("mode"))?;
            Ok(Some(mode))
        }
        Some(other) => {
            let message = format!("argument 'mode' is not a string and conversion is not allowed, value is of type {}", other.type_name());
            Err(Failure::new(message).at("mode"))
        }
    }
}

/// A shell pattern as a regular expression over a whole name: `*`, `?`, `[…]`, `[!…]`.
fn shell_pattern(pattern: &str) -> String {
    let characters: Vec<char> = pattern.chars().collect();
    let mut out = String::from("(?s)^");
    let mut index = 0;
    while index < characters.len() {
        match characters[index] {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                let skip = if characters.get(index + 1) == Some(&'!') { 2 } else { 1 };
                let close = (index + skip + 1..characters.len()).find(|at| characters[*at] == ']');
                match close {
                    Some(close) => {
                        let inside: String = characters[index + skip..close].iter().collect();
                        let negation = if skip == 2 { "^" } else { "" };
                        out.push_str(&format!("[{negation}{}]", inside.replace('\\', "\\\\")));
                        index = close;
                    }
                    None => out.push_str(r"\["),
                }
            }
            c if c.is_ascii_punctuation() && c != '_' => out.extend(['\\', c]),
            c => out.push(c),
        }
        index += 1;
    }
    out.push_str(r"\Z");
    out
}
