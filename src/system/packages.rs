//! Installed packages, as `dpkg` has them, and changes that `apt-get` makes.

use std::path::Path;

use crate::base::Value;

use super::System;
use super::command::{Command, Completed, Known, run_locally};
use super::effect::Effect;
use super::error::Result;

/// An installed package.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub architecture: String,
    pub category: String,
    /// Names that it stands for as well.
    pub provides: Vec<String>,
}

impl System {
    /// The installed package of this name (`name` or `name:arch`); `None`: not installed.
    pub fn query_package(&self, name: &str) -> Result<Option<Package>> {
        self.backend.package(name)
    }

    /// Every installed package, sorted by name.
    pub fn query_packages(&self) -> Result<Vec<Package>> {
        let mut all = self.backend.packages()?;
        all.sort_by(|a, b| (&a.name, &a.architecture).cmp(&(&b.name, &b.architecture)));
        Ok(all)
    }

    /// Runs `apt-get` with these arguments. What it did (installed, removed) becomes the effects, read from its own words; `named` are the
    /// changes asked for, which count though it should not tell them. In check mode `apt-get --simulate` says what would be done; when even
    /// that cannot know (the package's repository is only planned), `named` is believed.
    pub fn change_packages(&mut self, command: Command, named: Vec<Effect>) -> Result<Known<Completed>> {
        let dry = self.backend.is_dry();
        let mut asked = Command { must_settle: true, ..command };
        if dry {
            asked.argv.insert(1, "--simulate".into());
        }
        let outcome = self.ask_apt(asked).and_then(|completed| completed.check("run apt-get"));
        let completed = match outcome {
            Ok(completed) => completed,
            // On a machine in memory there is no apt-get to ask.
            Err(failure) if dry => {
                let unknown = failure.message.contains("Unable to locate") || failure.message.contains("no installation candidate");
                let version = failure.message.contains("was not found");
                if (unknown || version) && !self.repositories_are_planned() {
                    return Err(failure);
                }
                named.into_iter().try_for_each(|effect| self.note(effect))?;
                return Ok(Known::AfterApply);
            }
            Err(failure) => return Err(failure),
        };
        let mut effects = told_effects(&completed.stdout_text());
        for effect in named {
            if !effects.iter().any(|known| same_package(known, &effect)) {
                effects.push(effect);
            }
        }
        effects.into_iter().try_for_each(|effect| self.note(effect))?;
        Ok(if dry { Known::AfterApply } else { Known::Now(completed) })
    }

    /// Runs a program of apt's family that only reads. In check mode it leaves no cache on the host either.
    pub fn ask_apt(&self, mut command: Command) -> Result<Completed> {
        if self.backend.is_dry() {
            let options = ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="];
            command.argv.splice(1..1, options.map(Into::into));
        }
        self.query_command(command)
    }

    /// Whether an earlier task would change where packages come from: then the lists on the host say nothing about what there will be.
    pub fn repositories_are_planned(&self) -> bool {
        self.backend.is_imagined(Path::new("/etc/apt")) || matches!(self.backend.known_record("apt lists", "time"), Some(Some(_)))
    }

    /// Whether an earlier task would install packages. Nobody knows yet what they bring, so a folder, an account or a program that the host
    /// lacks may be theirs.
    pub fn packages_are_planned(&self) -> bool {
        self.backend.plans_packages()
    }

    /// Brings a cache up to date: no change of the host that a user would count. In check mode later queries see it as done.
    pub fn refresh(&mut self, command: Command, kind: &'static str, name: &str, value: Value) -> Result<Known<Completed>> {
        if self.backend.is_dry() {
            self.backend.apply(&Effect::Record { kind, name: name.to_owned(), value: Some(value) })?;
            return Ok(Known::AfterApply);
        }
        Ok(Known::Now(self.query_command(command)?))
    }
}

fn same_package(a: &Effect, b: &Effect) -> bool {
    matches!((a, b), (Effect::Package { name: a, version: new_a }, Effect::Package { name: b, version: new_b })
        if a == b && new_a.is_some() == new_b.is_some())
}

/// What `apt-get` says it did (`Setting up`, `Removing`) or would do (`Inst`, `Remv`).
fn told_effects(said: &str) -> Vec<Effect> {
    let mut effects: Vec<Effect> = Vec::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, version) = match words.as_slice() {
            ["Setting", "up", name, version, ..] => (name, Some(*version)),
            ["Inst", name, rest @ ..] => (name, rest.iter().find(|word| word.starts_with('(')).copied()),
            ["Removing", name, ..] | ["Remv", name, ..] | ["Purg", name, ..] => (name, None),
            ["Purging", "configuration", "files", "for", name, ..] => (name, None),
            _ => continue,
        };
        let name = name.split(':').next().unwrap_or_default().to_owned();
        let effect = Effect::Package { name, version: version.map(|version| version.trim_matches(['(', ')']).to_owned()) };
        if !effects.contains(&effect) {
            effects.push(effect);
        }
    }
    effects
}

const FORMAT: &str = "${db:Status-Status}\\t${Package}\\t${Version}\\t${Architecture}\\t${Section}\\t${Provides}\\n";

pub(super) fn local_package(name: &str) -> Result<Option<Package>> {
    let found = run_locally(&Command::new("dpkg-query").arg("--show").arg(format!("--showformat={FORMAT}")).arg("--").arg(name))?;
    Ok(parse_packages(&found.stdout_text()).into_iter().next())
}

pub(super) fn local_packages() -> Result<Vec<Package>> {
    let found = run_locally(&Command::new("dpkg-query").arg("--show").arg(format!("--showformat={FORMAT}")))?;
    Ok(parse_packages(&found.stdout_text()))
}

fn parse_packages(shown: &str) -> Vec<Package> {
    let fields = shown.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let packages = fields.filter_map(|fields| match fields.as_slice() {
        ["installed", name, version, architecture, category, provides] => Some(Package {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            architecture: (*architecture).to_owned(),
            category: (*category).to_owned(),
            provides: provides.split(',').filter_map(|name| name.split_whitespace().next()).map(str::to_owned).collect(),
        }),
        _ => None,
    });
    packages.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_says_becomes_effects() {
        let said = "Inst nginx-common (1.22.1-9 Debian:12 [all])\nInst nginx [1.20] (1.22.1-9 Debian:12 [amd64])\nConf nginx (1.22.1-9)\nRemv apache2 [2.4]\n";
        let package = |name: &str, version: Option<&str>| Effect::Package { name: name.into(), version: version.map(str::to_owned) };
        assert_eq!(
            told_effects(said),
            [package("nginx-common", Some("1.22.1-9")), package("nginx", Some("1.22.1-9")), package("apache2", None)]
        );
        let said = "Setting up libc6:amd64 (2.36-9) ...\nRemoving hello (2.10) ...\nPurging configuration files for hello (2.10) ...\n";
        assert_eq!(told_effects(said), [package("libc6", Some("2.36-9")), package("hello", None)]);
    }

    #[test]
    fn only_what_is_installed_counts_as_installed() {
        let shown = "installed\tmawk\t1.3\tamd64\tutils\tawk\nconfig-files\told\t1\tall\tmisc\t\n";
        let packages = parse_packages(shown);
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].provides, ["awk"]);
    }
}
