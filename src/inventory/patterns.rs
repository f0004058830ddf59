//! Which hosts a pattern means: names, wildcards, `~regex`, `a:b`, `a,b`, `!x`, `&y`, `group[0]`, `group[1:3]`, and `--limit` with `@file`.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use regex::Regex;

use crate::base::Diagnostic;

use super::address;
use super::data::{Inventory, LOCALHOST};

static SUBSCRIPT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(.+)\[(?:(-?[0-9]+)|([0-9]+)([:-])([0-9]*))\]$"));
static PARTS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?:[^\s:\[\]]|\[[^\]]*\])+"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

type Names = Vec<Arc<str>>;

/// What `--limit` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    patterns: Vec<String>,
}

impl Limit {
    /// Reads a limit; `@name` is a file with a pattern a line.
    ///
    /// # Errors
    /// When such a file cannot be read.
    pub fn parse(text: &str) -> Result<Limit, Diagnostic> {
        let mut patterns = Vec::new();
        for part in split(text) {
            let Some(file) = part.strip_prefix('@') else {
                patterns.push(part);
                continue;
            };
            let unreadable = |cause: String| Diagnostic::error(format!("cannot read the limit file `{file}`")).cause(cause);
            if Path::new(file).is_dir() {
                return Err(Diagnostic::error(format!("Limit starting with \"@\" must be a file, not a directory: `{file}`")));
            }
            let lines = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
            patterns.extend(lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
        }
        Ok(Limit { patterns })
    }
}

/// The hosts that patterns mean, and the patterns that mean none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    pub hosts: Names,
    /// A warning for each name that matches nothing; what becomes of it is up to the setting `HOST_PATTERN_MISMATCH`.
    pub unmatched: Vec<Diagnostic>,
}

impl Inventory {
    /// The hosts that a pattern means, in Ansible's order.
    ///
    /// # Errors
    /// When a pattern cannot be understood, or has a subscript that no host has.
    pub fn hosts_matching(&self, pattern: &str) -> Result<Names, Diagnostic> {
        self.select(&[pattern], None).map(|selection| selection.hosts)
    }

    /// The hosts that patterns mean within a limit.
    ///
    /// # Errors
    /// When a pattern cannot be understood, or has a subscript that no host has.
    pub fn select(&self, patterns: &[&str], limit: Option<&Limit>) -> Result<Selection, Diagnostic> {
        let mut unmatched = Vec::new();
        let parts: Vec<String> = patterns.iter().flat_map(|pattern| split(pattern)).collect();
        let mut hosts = self.evaluate(&parts, &mut unmatched)?;
        if let Some(limit) = limit {
            let allowed: HashSet<Arc<str>> = self.evaluate(&limit.patterns, &mut unmatched)?.into_iter().collect();
            hosts.retain(|host| allowed.contains(host));
        }
        let mut seen = HashSet::new();
        hosts.retain(|host| seen.insert(host.clone()));
        Ok(Selection { hosts, unmatched })
    }

    /// First what is named, then what it must also be (`&`), then what it must not be (`!`).
    fn evaluate(&self, patterns: &[String], unmatched: &mut Vec<Diagnostic>) -> Result<Names, Diagnostic> {
        let is_plain = |pattern: &&String| !pattern.starts_with(['!', '&']);
        let mut hosts: Names = Vec::new();
        let plain: Vec<&str> = patterns.iter().filter(is_plain).map(String::as_str).collect();
        for pattern in if plain.is_empty() { vec!["all"] } else { plain } {
            match self.hosts.get(pattern) {
                Some(host) => hosts.push(host.name.clone()),
                None => hosts.extend(self.matches(pattern, unmatched)?),
            }
        }
        for pattern in patterns.iter().filter_map(|pattern| pattern.strip_prefix('&')) {
            let also: HashSet<_> = self.matches(pattern, unmatched)?.into_iter().collect();
            hosts.retain(|host| also.contains(host));
        }
        for pattern in patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')) {
            let never: HashSet<_> = self.matches(pattern, unmatched)?.into_iter().collect();
            hosts.retain(|host| !never.contains(host));
        }
        Ok(hosts)
    }

    /// The hosts of one pattern, which may end in a subscript.
    fn matches(&self, pattern: &str, unmatched: &mut Vec<Diagnostic>) -> Result<Names, Diagnostic> {
        let captures = if pattern.starts_with('~') { None } else { SUBSCRIPT.captures(pattern) };
        let Some(captures) = captures else { return self.named(pattern, unmatched) };
        let hosts = self.named(captures.get(1).map_or("", |part| part.as_str()), unmatched)?;
        if hosts.is_empty() {
            return Ok(hosts);
        }
        let number = |index: usize| captures.get(index).and_then(|part| part.as_str().parse::<i64>().ok());
        let last = hosts.len() as i64 - 1;
        let (first, end) = match (number(2), number(3), number(5)) {
            (Some(index), _, _) => (if index < 0 { index + last + 1 } else { index }, None),
            // As in Ansible, an end of 0 is no end: `x[1:0]` is `x[1]`.
            (None, Some(first), Some(0)) => (first, None),
            (None, Some(first), end) => (first, Some(end.unwrap_or(last))),
            (None, None, _) => return Ok(hosts),
        };
        let Some(end) = end else {
            let host = usize::try_from(first).ok().and_then(|index| hosts.get(index)).cloned();
            return host
                .map(|host| vec![host])
                .ok_or_else(|| Diagnostic::error(format!("no host matches `{pattern}`: it has {} hosts, counted from 0", hosts.len())));
        };
        Ok(hosts.into_iter().skip(first as usize).take((end + 1 - first).max(0) as usize).collect())
    }

    /// The hosts of the groups of this name, and the hosts of this name.
    fn named(&self, pattern: &str, unmatched: &mut Vec<Diagnostic>) -> Result<Names, Diagnostic> {
        let matcher = Matcher::new(pattern)?;
        let groups: Vec<&Arc<str>> = match &matcher {
            Matcher::Exact(name) => self.groups.get_key_value(*name).map(|(name, _)| name).into_iter().collect(),
            _ => self.groups.keys().filter(|name| matcher.is_match(name)).collect(),
        };
        let mut hosts: Names = groups.iter().flat_map(|group| self.hosts_of(group)).collect();
        if groups.is_empty() || pattern.starts_with('~') || pattern.contains(['.', '?', '*', '[']) {
            match &matcher {
                Matcher::Exact(name) => hosts.extend(self.hosts.get(*name).map(|host| host.name.clone())),
                _ => hosts.extend(self.hosts.keys().filter(|name| matcher.is_match(name)).cloned()),
            }
        }
        if hosts.is_empty() && LOCALHOST.contains(&pattern) {
            hosts.extend(self.host(pattern).map(|host| host.name.clone()));
        }
        if hosts.is_empty() && groups.is_empty() && pattern != "all" {
            let known = self.hosts.keys().chain(self.groups.keys()).map(AsRef::as_ref);
            unmatched.push(
                Diagnostic::warning(format!("Could not match supplied host pattern, ignoring: {pattern}")).did_you_mean(pattern, known),
            );
        }
        Ok(hosts)
    }
}

/// Splits at commas; without one, at colons that are no part of an address or a range.
fn split(pattern: &str) -> Vec<String> {
    let parts: Vec<&str> = if pattern.contains(',') {
        pattern.split(',').collect()
    } else if address::split_port(pattern).is_ok() {
        vec![pattern]
    } else {
        PARTS.find_iter(pattern).map(|part| part.as_str()).collect()
    };
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

enum Matcher<'a> {
    Exact(&'a str),
    Wildcard(Regex),
    Regex(Box<fancy_regex::Regex>),
}

impl<'a> Matcher<'a> {
    fn new(pattern: &'a str) -> Result<Matcher<'a>, Diagnostic> {
        let wrong = |cause: String| Diagnostic::error(format!("`{pattern}` is no host pattern")).cause(cause);
        if let Some(regex) = pattern.strip_prefix('~') {
            let regex = fancy_regex::Regex::new(&format!(r"\A(?:{regex})")).map_err(|error| wrong(error.to_string()))?;
            return Ok(Matcher::Regex(Box::new(regex)));
        }
        if pattern.contains(['*', '?', '[']) {
            return Regex::new(&wildcard(pattern)).map(Matcher::Wildcard).map_err(|error| wrong(error.to_string()));
        }
        Ok(Matcher::Exact(pattern))
    }

    fn is_match(&self, name: &str) -> bool {
        match self {
            Matcher::Exact(exact) => *exact == name,
            Matcher::Wildcard(regex) => regex.is_match(name),
            Matcher::Regex(regex) => regex.is_match(name).unwrap_or(false),
        }
    }
}

/// Python's `fnmatch` as a regular expression. A bracket that is never closed is itself.
fn wildcard(pattern: &str) -> String {
    let mut regex = String::from(r"(?s)\A");
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => {
                let body = rest.strip_prefix('!').unwrap_or(rest);
                // A `]` at the start is one of the characters.
                let close = body.char_indices().skip(1).find(|(_, c)| *c == ']').map(|(index, _)| index + (rest.len() - body.len()));
                let Some(close) = close else {
                    regex.push_str(r"\[");
                    continue;
                };
                let set = rest[..close].replace('\\', r"\\").replace('[', r"\[").replace('&', r"\&").replace('~', r"\~");
                match set.strip_prefix('!') {
                    Some(set) => regex.push_str(&format!("[^{}]", set.replace('^', r"\^"))),
                    None => regex.push_str(&format!("[{}]", set.replace('^', r"\^"))),
                }
                rest = &rest[close + 1..];
            }
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push_str(r"\z");
    regex
}
