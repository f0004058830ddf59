//! What can go wrong in a lab, with the way out.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::Diagnostic;

#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("the lab needs root, since it mounts file systems and boots containers")]
    NotRoot,
    #[error("the lab needs what is not installed here: {tools}")]
    MissingTools { tools: String, packages: String },
    #[error("`{name}` cannot name a lab or one of its hosts")]
    BadName { name: String },
    #[error("`{name}` is no Debian package name")]
    BadPackage { name: String },
    #[error("`{name}` is no image of the lab")]
    UnknownRelease { name: String },
    #[error("the lab folder `{}` has a character that mount options cannot hold", path.display())]
    BadFolder { path: PathBuf },
    #[error("lab `{lab}` has no host `{name}`")]
    NoSuchHost { lab: String, name: String, known: Vec<String> },
    #[error("host `{name}` is in lab `{lab}` already, with other options")]
    OtherOptions { lab: String, name: String },
    #[error("lab `{lab}` holds no free address, all 240 are in use")]
    NoFreeAddress { lab: String },
    #[error("none of the 256 networks 10.66.N.0/24 is free on this machine")]
    NoFreeNetwork,
    #[error("network 10.66.{number}.0/24 of lab `{lab}` is now used by something else on this machine")]
    NetworkTaken { lab: String, number: u8 },
    #[error("this machine has no control groups v2 (no `cgroup2` in /proc/self/mounts)")]
    NoCgroup2,
    #[error("something is still mounted under `{}`", path.display())]
    StillMounted { path: PathBuf },
    #[error("host `{name}` does not stop")]
    DoesNotStop { name: String },
    #[error("host `{name}` stopped while it booted")]
    BootFailed { name: String, console: PathBuf, said: String },
    #[error("host `{name}` booted but gave no login within {seconds} s")]
    NoLogin { name: String, seconds: u64, console: PathBuf, said: String },
    #[error("cannot {action}: `{program}` failed")]
    Command { action: String, program: String, said: String },
    #[error("cannot {action} `{}`", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("`{}` is not what the lab writes there", path.display())]
    BadRecord { path: PathBuf, source: serde_json::Error },
}

impl LabError {
    /// For `map_err`: a file operation that failed, with what it was for.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LabError {
        let path = path.to_owned();
        move |source| LabError::Io { action, path, source }
    }

    fn cause(&self) -> Option<String> {
        match self {
            LabError::BootFailed { said, .. } | LabError::NoLogin { said, .. } | LabError::Command { said, .. } => {
                Some(said.clone()).filter(|said| !said.is_empty())
            }
            LabError::Io { source, .. } => Some(source.to_string()),
            LabError::BadRecord { source, .. } => Some(source.to_string()),
            _ => None,
        }
    }

    fn help(&self) -> Option<String> {
        let text = match self {
            LabError::NotRoot => "run it as root: `sudo hostler lab …`".to_owned(),
            LabError::MissingTools { packages, .. } => format!("`apt-get install {packages}`"),
            LabError::BadName { .. } => "use 1 to 30 lower-case letters, digits and `-`, beginning with a letter".to_owned(),
            LabError::BadPackage { .. } => "name packages as `apt-get install` does, separated by commas".to_owned(),
            LabError::UnknownRelease { .. } => "the images are `trixie` (Debian 13) and `bookworm` (Debian 12)".to_owned(),
            LabError::BadFolder { .. } => {
                "point `HOSTLER_LAB_DIR` to a folder without spaces, commas, colons, quotes and backslashes".to_owned()
            }
            LabError::NoSuchHost { name, known, .. } if known.is_empty() => format!("`hostler lab up {name}` makes it"),
            LabError::NoSuchHost { name, known, .. } => {
                format!(
                    "there is {}; `hostler lab up {name}` makes it",
                    known.iter().map(|host| format!("`{host}`")).collect::<Vec<_>>().join(", ")
                )
            }
            LabError::OtherOptions { name, .. } => format!("`hostler lab down {name}` throws it away first, or choose another name"),
            LabError::NoFreeAddress { .. } => "`hostler lab down NAME…` frees some".to_owned(),
            LabError::NoFreeNetwork => "`hostler lab down --all`, with `--lab` for each lab, frees some".to_owned(),
            LabError::NetworkTaken { .. } => "`hostler lab down --all` and `up` again moves the lab to a free network".to_owned(),
            LabError::NoCgroup2 => "the lab needs systemd's unified or hybrid hierarchy, as Debian has it".to_owned(),
            LabError::StillMounted { path } => {
                format!("leave that folder (a shell, a backup?) and run it again; `findmnt -R {}` shows it", path.display())
            }
            LabError::DoesNotStop { .. } => {
                "one of its processes hangs in the kernel: `ps axo pid,stat,cmd | grep ' D'` shows it".to_owned()
            }
            LabError::BootFailed { console, .. } | LabError::NoLogin { console, .. } => {
                format!("its console is in `{}`", console.display())
            }
            LabError::BadRecord { path, .. } => format!("remove `{}` and run it again", path.display()),
            LabError::Io { action: "mount", .. } => {
                "the lab's folder must lie on ext4, xfs, btrfs or tmpfs, which `HOSTLER_LAB_DIR` chooses; another overlay cannot hold it"
                    .to_owned()
            }
            LabError::Command { .. } | LabError::Io { .. } => return None,
        };
        Some(text)
    }
}

impl From<LabError> for Diagnostic {
    fn from(error: LabError) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(error.to_string());
        if let Some(cause) = error.cause() {
            diagnostic = diagnostic.cause(cause);
        }
        match error.help() {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_to_do() {
        let said =
            Diagnostic::from(LabError::MissingTools { tools: "`nft`, `ip`".into(), packages: "nftables iproute2".into() }).to_string();
        assert_eq!(said, "the lab needs what is not installed here: `nft`, `ip` (`apt-get install nftables iproute2`)");
    }

    #[test]
    fn an_unknown_host_is_answered_with_those_there_are() {
        let error = LabError::NoSuchHost { lab: "demo".into(), name: "idp2".into(), known: vec!["idp1".into(), "acme".into()] };
        let said = Diagnostic::from(error).to_string();
        assert!(said.contains("lab `demo` has no host `idp2`") && said.contains("there is `idp1`, `acme`"), "{said}");
    }
}
