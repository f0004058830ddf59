//! What `pip` is asked for: a name with conditions on its version, and versions of Python packages by PEP 440.

use std::cmp::Ordering;

/// One thing to install: a package by name, or a place (path, URL) that only pip understands.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// As pip is to see it.
    pub text: String,
    /// The package's name by PEP 503 and the conditions on its version; `None`: a path or URL.
    pub package: Option<(String, Vec<(Operator, String)>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Compatible,
}

/// Operators, longer ones first: `<=` is not `<` with a version of `=…`.
const OPERATORS: &[(&str, Operator)] = &[
    ("===", Operator::Equal),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("~=", Operator::Compatible),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

/// A package's one name among its spellings: lower case, with single dashes.
pub fn canonical(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_lowercase()
}

impl Requirement {
    /// Reads `name[extra]>=1,<2; marker`; what is none is a path or URL.
    pub fn parse(text: &str) -> Requirement {
        let plain = text.split(';').next().unwrap_or_default();
        let split = plain.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(plain.len());
        let (name, rest) = plain.trim_start().split_at(split.min(plain.trim_start().len()));
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            Some((_, after)) => after.trim_start(),
            None => rest,
        };
        let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.ends_with(|c: char| c.is_ascii_alphanumeric());
        let conditions = conditions(rest);
        let package = conditions.filter(|_| is_name).map(|conditions| (canonical(name), conditions));
        Requirement { text: text.to_owned(), package }
    }

    /// With a version of its own: `1.2`, or conditions such as `>1,<2`.
    pub fn with_version(&self, version: &str) -> Requirement {
        let version = version.trim_start();
        let separator = if version.starts_with(|c: char| c.is_ascii_digit()) { "==" } else { "" };
        Requirement::parse(&format!("{}{separator}{version}", self.text))
    }

    pub fn has_condition(&self) -> bool {
        self.package.as_ref().is_some_and(|(_, conditions)| !conditions.is_empty())
    }

    /// Whether an installed version is enough.
    pub fn is_met_by(&self, version: &str) -> bool {
        let Some((_, conditions)) = &self.package else { return false };
        conditions.iter().all(|(operator, wanted)| holds(*operator, version, wanted))
    }

    /// Whether pip clones it: such a thing may change though its version does not.
    pub fn is_repository(&self) -> bool {
        ["svn+", "git+", "hg+", "bzr+"].iter().any(|scheme| self.text.starts_with(scheme))
    }
}

/// `>=1,<2`, with or without parentheses; `None`: something else.
fn conditions(text: &str) -> Option<Vec<(Operator, String)>> {
    let text = text.trim().trim_start_matches('(').trim_end_matches(')');
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(',').map(|part| condition(part.trim())).collect()
}

fn condition(text: &str) -> Option<(Operator, String)> {
    let (sign, operator) = OPERATORS.iter().find(|(sign, _)| text.starts_with(sign))?;
    let version = text[sign.len()..].trim();
    (!version.is_empty()).then(|| (*operator, version.to_owned()))
}

fn holds(operator: Operator, version: &str, wanted: &str) -> bool {
    if let Some(prefix) = wanted.strip_suffix(".*") {
        let (version, prefix) = (Version::parse(version).release, Version::parse(prefix).release);
        let same = (0..prefix.len()).all(|at| version.get(at).copied().unwrap_or(0) == prefix[at]);
        return same == (operator != Operator::NotEqual);
    }
    let order = Version::parse(version).cmp(&Version::parse(wanted));
    match operator {
        Operator::Equal => order == Ordering::Equal,
        Operator::NotEqual => order != Ordering::Equal,
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        Operator::GreaterOrEqual => order != Ordering::Less,
        Operator::Compatible => {
            let series = wanted.rsplit_once('.').map_or(wanted, |(series, _)| series);
            order != Ordering::Less && holds(Operator::Equal, version, &format!("{series}.*"))
        }
    }
}

/// A version by PEP 440, ready to compare; local parts (`+deb1`) do not count.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    epoch: u64,
    release: Vec<u64>,
    /// `dev`, `a`, `b`, `rc` come before the release (0), `post` after it.
    stage: Vec<(i8, u64)>,
}

impl Version {
    fn parse(text: &str) -> Version {
        let text = text.trim().trim_start_matches(['v', 'V']).to_lowercase();
        let text = text.split('+').next().unwrap_or_default();
        let (epoch, text) = text.split_once('!').map_or((0, text), |(epoch, rest)| (epoch.parse().unwrap_or(0), rest));
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let release = text[..end].split('.').filter(|part| !part.is_empty()).map(|part| part.parse().unwrap_or(0)).collect();
        Version { epoch, release, stage: stages(&text[end..]) }
    }
}

fn stages(text: &str) -> Vec<(i8, u64)> {
    let mut stages = Vec::new();
    let mut rest = text.trim_start_matches(['.', '-', '_']);
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let after = rest[word..].trim_start_matches(['.', '-', '_']);
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let rank = match &rest[..word] {
            "dev" => -4,
            "a" | "alpha" => -3,
            "b" | "beta" => -2,
            "rc" | "c" | "pre" | "preview" => -1,
            _ => 1,
        };
        stages.push((rank, after[..digits].parse().unwrap_or(0)));
        let next = after[digits..].trim_start_matches(['.', '-', '_']);
        if next.len() == rest.len() {
            break;
        }
        rest = next;
    }
    stages
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let part = |of: &[u64], at: usize| of.get(at).copied().unwrap_or(0);
        let length = self.release.len().max(other.release.len());
        let releases = (0..length).map(|at| part(&self.release, at).cmp(&part(&other.release, at)));
        let stage = |of: &[(i8, u64)], at: usize| of.get(at).copied().unwrap_or((0, 0));
        let stages = (0..self.stage.len().max(other.stage.len())).map(|at| stage(&self.stage, at).cmp(&stage(&other.stage, at)));
        std::iter::once(self.epoch.cmp(&other.epoch)).chain(releases).chain(stages).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Names as users give them: `a>1,<2` may have been split at its comma, which is put right here.
pub fn requirements(names: &[String]) -> Vec<Requirement> {
    let mut whole: Vec<String> = Vec::new();
    let mut in_brackets = false;
    for part in names.iter().flat_map(|name| name.split(',')) {
        let is_condition = OPERATORS.iter().any(|(sign, _)| part.trim_start().starts_with(sign));
        match whole.last_mut() {
            Some(last) if is_condition || in_brackets => {
                last.push(',');
                last.push_str(part);
            }
            _ => whole.push(part.to_owned()),
        }
        in_brackets = (in_brackets || part.contains('[')) && !part.contains(']');
    }
    whole.iter().map(|text| Requirement::parse(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_pep_440_has_them() {
        let ascending = ["1.0.dev1", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0.post1", "1.0.1", "1.10", "1!0.5"];
        for pair in ascending.windows(2) {
            assert!(Version::parse(pair[0]) < Version::parse(pair[1]), "{} is before {}", pair[0], pair[1]);
        }
        assert_eq!(Version::parse("1.0").cmp(&Version::parse("1.0.0+deb1")), Ordering::Equal);
    }

    #[test]
    fn a_requirement_tells_its_package_and_what_version_is_enough() {
        let read = Requirement::parse("Foo_Bar[extra] >=1.2,<2");
        assert_eq!(read.package.as_ref().map(|(name, _)| name.as_str()), Some("foo-bar"));
        assert!(read.is_met_by("1.10") && !read.is_met_by("2.0"));
        assert!(Requirement::parse("a~=1.4.2").is_met_by("1.4.9") && !Requirement::parse("a~=1.4.2").is_met_by("1.5"));
        assert!(Requirement::parse("a==1.*").is_met_by("1.9"));
        assert_eq!(Requirement::parse("git+https://example.org/a.git").package, None);
        assert_eq!(Requirement::parse("a").with_version("1.2").text, "a==1.2");
    }

    #[test]
    fn conditions_split_from_their_name_at_a_comma_come_back_to_it() {
        let names: Vec<String> = ["a>1", "<2", "b[x", "y]", "c>1,<3"].map(str::to_owned).to_vec();
        let texts: Vec<String> = requirements(&names).into_iter().map(|read| read.text).collect();
        assert_eq!(texts, ["a>1,<2", "b[x,y]", "c>1,<3"]);
    }
}
