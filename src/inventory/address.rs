//! Host names as inventories and patterns write them: names, IPv4 and IPv6 addresses, ports, and ranges in brackets.

use std::sync::LazyLock;

use regex::Regex;

use super::error::InventoryError;

const MOST_HOSTS: usize = 65_536;

/// What is wrong with a range that counts through nothing.
pub(super) const NOT_COUNTABLE: &str = "must be of numbers or single letters";

const NUMBERS: &str = r"\[[0-9]+:[0-9]+(?::[0-9]+)?\]";
const HEX_NUMBERS: &str = r"\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]";
const LETTERS: &str = r"\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]";

static IPV4: LazyLock<Regex> = LazyLock::new(|| {
    let part = format!(r"(?:[01]?[0-9]{{1,2}}|2[0-4][0-9]|25[0-5]|{NUMBERS})");
    pattern(&format!(r"(?i)^(?:{part}\.){{3}}{part}$"))
});
static IPV6: LazyLock<Regex> = LazyLock::new(|| {
    let part = format!(r"(?:[0-9a-f]{{1,4}}|{HEX_NUMBERS})");
    let mut forms =
        vec![format!("(?:{part}:){{7}}{part}"), format!("(?:{part}:){{1,6}}:"), format!(":(?::{part}){{1,6}}"), format!("{part}?::")];
    forms.extend((1..=6).map(|before| format!("(?:{part}:){{{before}}}(?::{part}){{1,{}}}", 7 - before)));
    for prefix in ["(?:0:){6}", "::(?:ffff:)?", "(?:0:){5}ffff:"] {
        forms.push(format!(r"{prefix}(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}"));
    }
    pattern(&format!("(?i)^(?:{})$", forms.join("|")))
});
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    let label = format!(r"(?:\w|{LETTERS})(?:[\w-]|{LETTERS})*");
    pattern(&format!(r"(?i)^{label}(?:\.{label})*$"))
});
static BRACKETED_WITH_PORT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\[(.+)\]:([0-9]+)$"));
static WITH_PORT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)$"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

/// Splits a host pattern into host (still with its ranges) and port.
///
/// # Errors
/// When it is no name, address or range.
pub(super) fn split_port(text: &str) -> Result<(&str, Option<u16>), InventoryError> {
    let wrong = || InventoryError::Address(text.to_owned());
    let captures = BRACKETED_WITH_PORT.captures(text).or_else(|| WITH_PORT.captures(text));
    let (host, port) = match captures.and_then(|captures| Some((captures.get(1)?.as_str(), captures.get(2)?.as_str()))) {
        Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
        None => (text, None),
    };
    // A label ends with a letter or digit: the one rule that needs a look back.
    let is_name = NAME.is_match(host) && host.split('.').all(|label| !label.ends_with(['_', '-']));
    if is_name || IPV4.is_match(host) || IPV6.is_match(host) { Ok((host, port)) } else { Err(wrong()) }
}

/// A host and its port as `host:port` writes them; `None`: it is no name, address or range.
pub fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    split_port(text).ok().filter(|(host, _)| !host.contains('[')).map(|(host, port)| (host.to_owned(), port))
}

/// Whether a host is named by its address.
pub(super) fn is_ip(host: &str) -> bool {
    IPV4.is_match(host) || IPV6.is_match(host)
}

/// The hosts that a pattern of an inventory stands for, and their port. What is no address is taken for a name as it stands.
///
/// # Errors
/// When a range in it is wrong.
pub(super) fn expand(pattern: &str) -> Result<(Vec<String>, Option<u16>), InventoryError> {
    let (host, port) = split_port(pattern).unwrap_or((pattern, None));
    let mut hosts = Vec::new();
    expand_into(host, pattern, &mut hosts)?;
    Ok((hosts, port))
}

fn expand_into(host: &str, whole: &str, hosts: &mut Vec<String>) -> Result<(), InventoryError> {
    let Some((head, rest)) = host.split_once('[') else {
        if hosts.len() >= MOST_HOSTS {
            return Err(InventoryError::RangeTooLong(whole.to_owned()));
        }
        hosts.push(host.to_owned());
        return Ok(());
    };
    let wrong = |problem| InventoryError::Range { pattern: whole.to_owned(), problem };
    let (range, tail) = rest.split_once(']').ok_or_else(|| wrong("is not closed"))?;
    for item in items(range).map_err(wrong)? {
        if hosts.len() >= MOST_HOSTS {
            return Err(InventoryError::RangeTooLong(whole.to_owned()));
        }
        expand_into(&format!("{head}{item}{tail}"), whole, hosts)?;
    }
    Ok(())
}

/// What `begin:end` or `begin:end:step` counts through: numbers with the zeros of the begin, or letters.
fn items(range: &str) -> Result<Vec<String>, &'static str> {
    let bounds: Vec<&str> = range.split(':').collect();
    let (begin, end, step) = match bounds[..] {
        [begin, end] => (begin, end, 1),
        [begin, end, step] => (begin, end, step.parse().ok().filter(|step| *step > 0).ok_or("has a step that is no number above 0")?),
        _ => return Err("must be begin:end or begin:end:step"),
    };
    let begin = if begin.is_empty() { "0" } else { begin };
    if end.is_empty() {
        return Err("has no end: host range must specify end value");
    }
    let width = if begin.starts_with('0') && begin.len() > 1 { begin.len() } else { 0 };
    if width > 0 && width != end.len() {
        return Err("needs a begin and an end of the same length when the begin has a leading zero");
    }
    let letters: Vec<char> = ('a'..='z').chain('A'..='Z').collect();
    let letter = |text: &str| letters.iter().position(|letter| text.chars().eq([*letter]));
    if let (Some(first), Some(last)) = (letter(begin), letter(end)) {
        if first > last {
            return Err("must have a begin before its end");
        }
        return Ok(letters[first..=last].iter().step_by(step).map(char::to_string).collect());
    }
    let number = |text: &str| text.parse::<u64>().map_err(|_| NOT_COUNTABLE);
    let (first, last) = (number(begin)?, number(end)?);
    Ok((first..=last).step_by(step).take(MOST_HOSTS + 1).map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(pattern: &str) -> Vec<String> {
        expand(pattern).expect("is right").0
    }

    #[test]
    fn names_addresses_and_ports_are_told_apart() {
        for (text, host, port) in [
            ("web1", "web1", None),
            ("web1:22", "web1", Some(22)),
            ("10.0.0.1:2222", "10.0.0.1", Some(2222)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[2001:db8::1]:22", "2001:db8::1", Some(22)),
            ("::ffff:192.0.2.3", "::ffff:192.0.2.3", None),
            ("db[01:10]-x", "db[01:10]-x", None),
            ("f_o-o.example", "f_o-o.example", None),
        ] {
            assert_eq!(split_port(text), Ok((host, port)), "{text}");
        }
        for text in ["a b", "-x", "x-", "web*", "a:b", "a..b", ""] {
            assert!(split_port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_count_with_zeros_steps_and_letters() {
        assert_eq!(hosts("w[01:03]"), ["w01", "w02", "w03"]);
        assert_eq!(hosts("w[1:6:2].x"), ["w1.x", "w3.x", "w5.x"]);
        assert_eq!(hosts("[a:c]"), ["a", "b", "c"]);
        assert_eq!(hosts("w[:1]-[x:y]"), ["w0-x", "w0-y", "w1-x", "w1-y"]);
        assert_eq!(expand("w[1:2]:22"), Ok((vec!["w1".into(), "w2".into()], Some(22))));
        assert_eq!(hosts("w[2:1]"), [""; 0]);
    }

    #[test]
    fn wrong_ranges_are_refused() {
        for (pattern, problem) in [
            ("w[01:1]", "same length"),
            ("w[1:]", "no end"),
            ("w[b:a]", "before"),
            ("w[1:2:0]", "step"),
            ("w[1:2:3:4]", "begin:end"),
            ("w[1", "closed"),
            ("w[1:x]", "numbers"),
        ] {
            let error = expand(pattern).expect_err(pattern).to_string();
            assert!(error.contains(problem), "{error}");
        }
        assert_eq!(expand("w[1:9999999999]"), Err(InventoryError::RangeTooLong("w[1:9999999999]".into())));
    }
}
