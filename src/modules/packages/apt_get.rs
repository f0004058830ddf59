//! How `apt-get` is called: its options, its environment, its lock, and its failures in the words that users know.

use std::time::Duration;

use crate::system::{Command, Completed, Effect, Failure, Known, Result, System};

/// The options that every call shares.
#[derive(Clone, Debug, Default)]
pub struct AptGet {
    pub dpkg_options: String,
    pub lock_timeout: i64,
    pub default_release: Option<String>,
    pub install_recommends: Option<bool>,
    pub force: bool,
    pub fix_broken: bool,
    pub autoremove: bool,
    pub fail_on_autoremove: bool,
    pub only_upgrade: bool,
    pub purge: bool,
    pub allow_unauthenticated: bool,
    pub allow_downgrade: bool,
    pub allow_change_held_packages: bool,
    pub policy_rc_d: Option<i64>,
}

/// A program of apt's family with the environment in which it asks nothing and speaks English.
pub fn quiet(program: &str) -> Command {
    let command = Command::new(program).env("DEBIAN_FRONTEND", "noninteractive").env("DEBIAN_PRIORITY", "critical");
    ["LC_ALL", "LANG", "LC_MESSAGES", "LANGUAGE"].into_iter().fold(command, |command, name| command.env(name, "C.UTF-8"))
}

impl AptGet {
    /// `apt-get ACTION` with every option, ready for package names.
    pub fn command(&self, action: &str) -> Command {
        let mut command = quiet("apt-get").arg("-y");
        for option in self.dpkg_options.split(',').map(str::trim).filter(|option| !option.is_empty()) {
            command = command.arg("-o").arg(format!("Dpkg::Options::=--{option}"));
        }
        command = command.arg("-o").arg(format!("DPkg::Lock::Timeout={}", self.lock_timeout));
        let switches = [
            (self.allow_unauthenticated || self.force, "--allow-unauthenticated"),
            (self.allow_downgrade || self.force, "--allow-downgrades"),
            (self.allow_change_held_packages || self.force, "--allow-change-held-packages"),
            (self.force, "--allow-remove-essential"),
            (self.autoremove, "--auto-remove"),
            (self.fail_on_autoremove, "--no-remove"),
            (self.fix_broken, "--fix-broken"),
            (self.only_upgrade, "--only-upgrade"),
            (self.purge, "--purge"),
        ];
        command = command.args(switches.into_iter().filter(|(wanted, _)| *wanted).map(|(_, switch)| switch));
        if let Some(recommends) = self.install_recommends {
            command = command.arg("-o").arg(format!("APT::Install-Recommends={}", if recommends { "yes" } else { "no" }));
        }
        if let Some(release) = &self.default_release {
            command = command.arg("-t").arg(release);
        }
        command.arg(action)
    }

    /// Runs it, waiting for the lock, with services kept from starting where `policy_rc_d` says so.
    pub fn change(&self, sys: &mut System, command: Command, named: Vec<Effect>) -> Result<Known<Completed>> {
        match self.policy_rc_d {
            None => self.unlocked(sys, command, named),
            Some(code) => {
                // The words tell one that was left by a run that was cut off from one of the host's own.
                let policy = format!("#!/bin/sh\n# Stands here while Hostler installs packages.\nexit {code}\n");
                sys.with_stand_in(std::path::Path::new("/usr/sbin/policy-rc.d"), &policy, 0o755, |sys| self.unlocked(sys, command, named))
            }
        }
    }

    fn unlocked(&self, sys: &mut System, command: Command, named: Vec<Effect>) -> Result<Known<Completed>> {
        // `apt-get` waits for dpkg's lock by itself; the lists and archives have locks that it does not wait for.
        for _ in 0..self.lock_timeout.max(0) {
            match sys.change_packages(command.clone(), named.clone()) {
                Err(failure) if is_locked(&failure.message) => sys.pause(Duration::from_secs(1)),
                Err(failure) if is_half_done(&failure.message) => {
                    self.finish_what_was_cut_off(sys)?;
                    break;
                }
                outcome => return outcome.map_err(|failure| explained(failure, self.lock_timeout)),
            }
        }
        sys.change_packages(command, named).map_err(|failure| explained(failure, self.lock_timeout))
    }

    fn finish_what_was_cut_off(&self, sys: &mut System) -> Result<()> {
        sys.warn("an earlier installation was cut off in the middle; it was finished first (`dpkg --configure -a`)");
        let mut command = quiet("dpkg");
        for option in self.dpkg_options.split(',').map(str::trim).filter(|option| !option.is_empty()) {
            command = command.arg(format!("--{option}"));
        }
        let command = Command { must_settle: true, ..command.arg("--configure").arg("-a") };
        sys.mutate(command.clone(), Effect::Command { argv: command.argv_text() }).map(drop)
    }
}

/// A power cut or a kill in the middle of an installation: apt refuses everything until it is finished.
fn is_half_done(message: &str) -> bool {
    message.contains("dpkg was interrupted, you must manually run")
}

pub fn is_locked(message: &str) -> bool {
    message.contains("Could not get lock")
        || message.contains("Unable to acquire the dpkg frontend lock")
        || message.contains("Unable to lock")
}

/// apt's failure in one sentence that names the package and the way out.
pub fn explained(mut failure: Failure, lock_timeout: i64) -> Failure {
    let message = failure.message.clone();
    let after = |marker: &str| message.split_once(marker).and_then(|(_, rest)| rest.lines().next()).map(|rest| rest.trim().to_owned());
    if is_locked(&message) {
        failure.message = format!(
            "another program holds the package lock and did not let go for {lock_timeout} s (lock_timeout): {}",
            message.lines().last().unwrap_or_default().trim()
        );
    } else if let Some(name) = after("Unable to locate package ") {
        failure.message = format!("No package matching '{name}' is available");
        failure.option = Some("package".into());
    } else if let Some(name) = message.split_once("Package '").and_then(|(_, rest)| rest.split_once("' has no installation candidate")) {
        failure.message = format!("No package matching '{}' is available", name.0);
        failure.option = Some("package".into());
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_switches_of_one_call() {
        let options = AptGet {
            dpkg_options: "force-confdef,force-confold".into(),
            lock_timeout: 60,
            install_recommends: Some(false),
            default_release: Some("bookworm-backports".into()),
            ..AptGet::default()
        };
        let argv = options.command("install").argv_text().join(" ");
        let expected = "apt-get -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=60 -o APT::Install-Recommends=no -t bookworm-backports install";
        assert_eq!(argv, expected);
    }

    #[test]
    fn failures_are_told_in_known_words() {
        let failure = explained(Failure::new("cannot run apt-get: E: Unable to locate package ngingx\n"), 60);
        assert_eq!(failure.message, "No package matching 'ngingx' is available");
        let failure = explained(Failure::new("cannot run apt-get: E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by 7"), 5);
        assert!(failure.message.contains("did not let go for 5 s"), "{}", failure.message);
    }
}
