//! The reference: real ansible-core, which says what a playbook means.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program of the reference (`ansible-playbook`). `make test` installs it and names its folder in `HOSTLER_ORACLE`.
pub fn oracle(program: &str) -> PathBuf {
    let folder = match std::env::var_os("HOSTLER_ORACLE") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").expect("a home folder")).join(".cache/hostler/oracle"),
    };
    let path = folder.join("bin").join(program);
    assert!(path.exists(), "the reference is not at {}: `make test` installs it, or name its folder in HOSTLER_ORACLE", path.display());
    path
}

/// Runs a playbook with the reference on this machine; a callback plugin in the folder may write what happened.
pub fn run_playbook(folder: &Path, playbook: &str, callback: &str) {
    let output = Command::new(oracle("ansible-playbook"))
        .args(["-i", "localhost,", "-c", "local", playbook])
        .current_dir(folder)
        .env("ANSIBLE_CALLBACK_PLUGINS", folder)
        .env("ANSIBLE_STDOUT_CALLBACK", callback)
        .env("ANSIBLE_LOCALHOST_WARNING", "false")
        .env("ANSIBLE_DEPRECATION_WARNINGS", "false")
        .env("ANSIBLE_HOME", folder.join("home"))
        .output()
        .expect("the reference starts");
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
