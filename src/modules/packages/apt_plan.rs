//! What there is to do for a list of package names: pure decisions over what is installed and what could be.

use crate::system::{Failure, Package, Result};

/// A name as a task writes it: `nginx`, `nginx=1.22*`, `nginx>=1.22`, `libc6:i386`, `nginx*`.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub name: String,
    pub architecture: Option<String>,
    pub version: Option<Version>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Version {
    /// Exactly this, or what the pattern matches.
    Is(String),
    AtLeast(String),
}

/// What apt could install for a name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    pub name: String,
    /// `None`: the name is virtual, or pinned away.
    pub version: Option<String>,
}

impl Wanted {
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let (name, version) = match (text.split_once(">="), text.split_once('=')) {
            (Some((name, version)), _) => (name, Some(Version::AtLeast(version.trim().to_owned()))),
            (None, Some((name, version))) => (name, Some(Version::Is(version.trim().to_owned()))),
            (None, None) => (text, None),
        };
        let (name, architecture) = match name.trim().split_once(':') {
            Some((name, architecture)) => (name, Some(architecture.to_owned())),
            None => (name.trim(), None),
        };
        let bad = |c: char| c.is_whitespace() || c == '/' || c == ',';
        if name.is_empty() || name.starts_with('-') || name.contains(bad) {
            return Err(Failure::new(format!("invalid package spec: {text}")).at("package"));
        }
        Ok(Wanted { name: name.to_owned(), architecture, version })
    }

    pub fn is_pattern(&self) -> bool {
        self.name.contains(['*', '?', '['])
    }

    /// The same wish for another name.
    pub fn named(&self, name: &str) -> Self {
        Wanted { name: name.to_owned(), ..self.clone() }
    }

    pub fn full_name(&self) -> String {
        self.architecture.as_ref().map_or_else(|| self.name.clone(), |architecture| format!("{}:{architecture}", self.name))
    }

    /// The installed package that answers to the name, or one that provides it.
    pub fn find<'a>(&self, installed: &'a [Package]) -> Option<&'a Package> {
        let fits = |package: &&Package| {
            // A package that is only believed has no architecture yet.
            let native = package.architecture.is_empty() || package.architecture == "all";
            self.architecture.as_ref().is_none_or(|architecture| native || package.architecture == *architecture || architecture == "any")
        };
        let own = installed.iter().filter(fits).find(|package| package.name == self.name);
        own.or_else(|| installed.iter().filter(fits).find(|package| self.version.is_none() && package.provides.contains(&self.name)))
    }

    /// As `apt-get install` takes it.
    pub fn argument(&self, version: Option<&str>) -> String {
        match (version, &self.version) {
            (Some(version), _) => format!("{}={version}", self.full_name()),
            (None, Some(Version::Is(version))) => format!("{}={version}", self.full_name()),
            _ => self.full_name(),
        }
    }
}

/// Whether a version matches what was asked for, wildcards included.
pub fn matches(pattern: &str, version: &str) -> bool {
    pattern == version || glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(version))
}

/// Candidates as `apt-cache policy` prints them.
pub fn parse_policy(text: &str) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            candidates.push(Candidate { name: name.to_owned(), version: None });
        } else if let (Some(version), Some(last)) = (line.trim().strip_prefix("Candidate: "), candidates.last_mut()) {
            last.version = (version != "(none)").then(|| version.to_owned());
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, provides: &[&str]) -> Package {
        let provides = provides.iter().map(|name| (*name).to_owned()).collect();
        Package { name: name.into(), version: version.into(), architecture: "amd64".into(), provides, ..Package::default() }
    }

    #[test]
    fn names_carry_versions_and_architectures() {
        let wanted = Wanted::parse("nginx=1.22*").expect("parses");
        assert_eq!((wanted.name.as_str(), &wanted.version), ("nginx", &Some(Version::Is("1.22*".into()))));
        assert_eq!(Wanted::parse("a>=2").expect("parses").version, Some(Version::AtLeast("2".into())));
        assert_eq!(Wanted::parse("libc6:i386").expect("parses").full_name(), "libc6:i386");
        assert!(Wanted::parse("-oDPkg::Pre-Invoke=x").is_err());
    }

    #[test]
    fn a_virtual_name_is_there_when_a_package_provides_it() {
        let installed = [package("postfix", "3.7", &["mail-transport-agent"])];
        assert!(Wanted::parse("mail-transport-agent").expect("parses").find(&installed).is_some());
        assert!(Wanted::parse("mail-transport-agent=1").expect("parses").find(&installed).is_none());
        assert!(Wanted::parse("postfix:i386").expect("parses").find(&installed).is_none());
    }

    #[test]
    fn candidates_are_read_from_apt_cache() {
        let text = "nginx:\n  Installed: (none)\n  Candidate: 1.22.1-9\n  Version table:\n     1.22.1-9 500\nmta:\n  Installed: (none)\n  Candidate: (none)\n";
        let found = parse_policy(text);
        assert_eq!(found[0], Candidate { name: "nginx".into(), version: Some("1.22.1-9".into()) });
        assert_eq!(found[1].version, None);
    }
}
