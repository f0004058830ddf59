//! `is version`: versions compared loosely (as distutils did), strictly, as semantic versions or by PEP 440.

use std::cmp::Ordering;

use super::super::arguments::Arguments;
use super::super::fault::{Fault, Outcome};
use super::{Test, test};

pub(crate) const TESTS: &[Test] =
    &[test("version", |arguments, _| version(arguments)), test("version_compare", |arguments, _| version(arguments))];

fn version(arguments: Arguments) -> Outcome<bool> {
    let bound = arguments.bind(["value", "version", "operator", "strict", "version_type"])?;
    let (left, right) = (bound.text(0)?, bound.text(1)?);
    for (text, what) in [(&left, "Input version value"), (&right, "Version parameter to compare against")] {
        if text.is_empty() {
            return Err(Fault::failed(format!("{what} cannot be empty")));
        }
    }
    let kind = bound.some_text(4)?;
    if bound.some(3).is_some() && kind.is_some() {
        return Err(Fault::failed("`strict` and `version_type` exclude each other"));
    }
    let compare: fn(&str, &str) -> Option<Ordering> = match (kind.as_deref(), bound.flag(3, false)?) {
        (None | Some("loose"), false) => |left, right| loose(left, right),
        (Some("strict"), _) | (None, true) => |left, right| Some(strict(left)?.cmp(&strict(right)?)),
        (Some("semver" | "semantic"), _) => semantic,
        (Some("pep440"), _) => |left, right| Some(pep440(left)?.cmp(&pep440(right)?)),
        (Some(other), _) => {
            let known = ["loose", "strict", "semver", "semantic", "pep440"];
            return Err(Fault::failed(format!("there is no version type `{other}`")).did_you_mean(other, known));
        }
    };
    let Some(order) = compare(&left, &right) else {
        return Err(Fault::failed(format!("the versions `{left}` and `{right}` cannot be compared")));
    };
    match bound.text_or(2, "eq")?.as_ref() {
        "==" | "=" | "eq" => Ok(order.is_eq()),
        "!=" | "<>" | "ne" => Ok(order.is_ne()),
        "<" | "lt" => Ok(order.is_lt()),
        "<=" | "le" => Ok(order.is_le()),
        ">" | "gt" => Ok(order.is_gt()),
        ">=" | "ge" => Ok(order.is_ge()),
        other => Err(Fault::failed(format!("there is no operator `{other}`")).help("use `==`, `!=`, `<`, `<=`, `>` or `>=`")),
    }
}

/// A part of a loose version.
#[derive(PartialEq)]
enum Part {
    Number(u64),
    Text(String),
}

/// Numbers and letters apart, dots dropped. A number and a text at the same place have no order, as in Python.
fn loose(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (loose_parts(left), loose_parts(right));
    for (left, right) in left.iter().zip(&right) {
        let order = match (left, right) {
            (Part::Number(left), Part::Number(right)) => left.cmp(right),
            (Part::Text(left), Part::Text(right)) => left.cmp(right),
            _ => return None,
        };
        if order.is_ne() {
            return Some(order);
        }
    }
    Some(left.len().cmp(&right.len()))
}

fn loose_parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same: fn(char) -> bool = match first {
            '0'..='9' => |c| c.is_ascii_digit(),
            'a'..='z' => |c| c.is_ascii_lowercase(),
            '.' => |c| c == '.',
            _ => |c| !(c.is_ascii_digit() || c.is_ascii_lowercase() || c == '.'),
        };
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(if first == '.' { 1 } else { end });
        match part.parse::<u64>() {
            Ok(number) => parts.push(Part::Number(number)),
            Err(_) if part == "." => {}
            Err(_) => parts.push(Part::Text(part.to_owned())),
        }
        rest = after;
    }
    parts
}

/// Two or three numbers, and `a1` or `b2` for a pre-release, which comes before the release.
fn strict(text: &str) -> Option<([u64; 3], (u8, u64))> {
    let end = text.find(['a', 'b']).unwrap_or(text.len());
    let (numbers, pre) = text.split_at(end);
    let numbers: Vec<u64> = numbers.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let numbers = match numbers[..] {
        [major, minor] => [major, minor, 0],
        [major, minor, patch] => [major, minor, patch],
        _ => return None,
    };
    let pre = match pre.split_at_checked(1) {
        None => (2, 0),
        Some((letter, number)) => (u8::from(letter == "b"), number.parse().ok()?),
    };
    Some((numbers, pre))
}

fn semantic(left: &str, right: &str) -> Option<Ordering> {
    let parse = |text: &str| {
        let text = text.split('+').next()?.to_owned();
        let (core, pre) = text.split_once('-').map_or((text.as_str(), None), |(core, pre)| (core, Some(pre.to_owned())));
        let numbers: Vec<u64> = core.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        (numbers.len() == 3).then_some((numbers, pre))
    };
    let ((left, left_pre), (right, right_pre)) = (parse(left)?, parse(right)?);
    Some(left.cmp(&right).then_with(|| match (left_pre, right_pre) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => pre_releases(&left, &right),
    }))
}

fn pre_releases(left: &str, right: &str) -> Ordering {
    let (left, right): (Vec<&str>, Vec<&str>) = (left.split('.').collect(), right.split('.').collect());
    for (left, right) in left.iter().zip(&right) {
        let order = match (left.parse::<u64>(), right.parse::<u64>()) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => left.cmp(right),
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

/// What a PEP 440 version is compared by: epoch, release without zeros at its end, pre-release, post-release, dev-release, local part.
type Pep440 = (u64, Vec<u64>, (u8, u64), Option<u64>, (u8, u64), Vec<(u8, u64, String)>);

fn pep440(text: &str) -> Option<Pep440> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_prefix('v').unwrap_or(&text);
    let (text, local) = text.split_once('+').map_or((text, ""), |(text, local)| (text, local));
    let (epoch, rest) = match text.split_once('!') {
        Some((epoch, rest)) => (epoch.parse().ok()?, rest),
        None => (0, text),
    };
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let (release, mut rest) = rest.split_at(end);
    let mut release: Vec<u64> = release.trim_end_matches('.').split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    while release.len() > 1 && release.last() == Some(&0) {
        release.pop();
    }
    let pre = suffix(&mut rest, &[("alpha", 0), ("a", 0), ("beta", 1), ("b", 1), ("preview", 2), ("pre", 2), ("rc", 2), ("c", 2)]);
    let post = suffix(&mut rest, &[("post", 0), ("rev", 0), ("r", 0)]).map(|(_, number)| number);
    let dev = suffix(&mut rest, &[("dev", 0)]);
    if !rest.trim_start_matches(['.', '-', '_']).is_empty() {
        return None;
    }
    // A development release alone comes before every pre-release; a release comes after them.
    let pre = match (pre, post, dev) {
        (Some((kind, number)), _, _) => (kind + 1, number),
        (None, None, Some(_)) => (0, 0),
        _ => (9, 0),
    };
    let dev = dev.map_or((1, 0), |(_, number)| (0, number));
    let local = local.split(['.', '-', '_']).filter(|part| !part.is_empty());
    let local = local.map(|part| part.parse().map_or_else(|_| (0, 0, part.to_owned()), |number| (1, number, String::new()))).collect();
    Some((epoch, release, pre, post, dev, local))
}

fn suffix(rest: &mut &str, names: &[(&str, u8)]) -> Option<(u8, u64)> {
    let trimmed = rest.trim_start_matches(['.', '-', '_']);
    let (after, kind) = names.iter().find_map(|(name, kind)| Some((trimmed.strip_prefix(name)?, *kind)))?;
    let after = after.trim_start_matches(['.', '-', '_']);
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let number = after[..end].parse().unwrap_or(0);
    *rest = &after[end..];
    Some((kind, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_versions_compare_number_by_number() {
        assert_eq!(loose("1.10", "1.9"), Some(Ordering::Greater));
        assert_eq!(loose("24.04", "24.4"), Some(Ordering::Equal));
        assert_eq!(loose("1.0", "1.0.1"), Some(Ordering::Less));
        assert_eq!(loose("1.a", "1.1"), None);
    }

    #[test]
    fn a_pre_release_comes_before_its_release() {
        assert_eq!(semantic("1.0.0-rc.1", "1.0.0"), Some(Ordering::Less));
        assert_eq!(semantic("1.0.0-alpha.2", "1.0.0-alpha.10"), Some(Ordering::Less));
        assert!(pep440("1.0rc1") < pep440("1.0"));
        assert!(pep440("1.0.dev1") < pep440("1.0a1"));
        assert!(pep440("1.0.post1") > pep440("1.0"));
        assert!(strict("1.5b3") < strict("1.5.0"));
    }
}
