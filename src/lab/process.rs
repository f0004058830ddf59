//! Running the machine's own tools, and saying well what failed.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{LabError, Result};

/// Every program the lab calls, with the Debian package it is in.
const TOOLS: [(&str, &str); 10] = [
    ("mmdebstrap", "mmdebstrap"),
    ("systemd-nspawn", "systemd-container"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("unshare", "util-linux"),
    ("setsid", "util-linux"),
    ("mount", "mount"),
    ("chroot", "coreutils"),
];

/// Where Debian keeps them: `/usr/sbin` is not on the PATH of every user who calls sudo.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A command for one of the tools, with Debian's folders on its path and untranslated messages.
pub fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:{}", FOLDERS.join(":"))).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Refuses, with the packages to install, when tools are missing.
pub fn require_tools() -> Result<()> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders: Vec<&Path> = path.split(':').chain(FOLDERS).filter(|folder| !folder.is_empty()).map(Path::new).collect();
    let missing: Vec<_> = TOOLS.iter().filter(|(tool, _)| !folders.iter().any(|folder| folder.join(tool).exists())).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    Err(LabError::MissingTools {
        tools: missing.iter().map(|(tool, _)| format!("`{tool}`")).collect::<Vec<_>>().join(", "),
        packages: packages.join(" "),
    })
}

/// Runs to the end and gives its standard output. `action` completes "cannot …".
pub fn run(action: &str, command: &mut Command) -> Result<String> {
    run_with_input(action, command, "")
}

/// The same, with text on standard input.
pub fn run_with_input(action: &str, command: &mut Command, input: &str) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |said: String| LabError::Command { action: action.to_owned(), program: program.clone(), said };
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| failed(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(|error| failed(error.to_string()))?;
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = last_lines(&String::from_utf8_lossy(&output.stderr), 6);
    Err(failed(if said.is_empty() { output.status.to_string() } else { said }))
}

/// The end of a long output, which is where programs say why they failed.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_told_with_its_own_last_words() {
        let error = run("look", tool("sh").args(["-c", "echo one; echo two >&2; exit 3"])).unwrap_err();
        let LabError::Command { action, program, said } = error else { panic!("{error:?}") };
        assert_eq!((action.as_str(), program.as_str(), said.as_str()), ("look", "sh", "two"));
    }

    #[test]
    fn a_silent_failure_is_told_by_its_status() {
        let LabError::Command { said, .. } = run("look", tool("sh").args(["-c", "exit 3"])).unwrap_err() else { panic!() };
        assert_eq!(said, "exit status: 3");
    }

    #[test]
    fn input_reaches_the_command() {
        assert_eq!(run_with_input("echo", &mut tool("cat"), "hello").unwrap(), "hello");
    }
}
