//! Throw-away hosts for tests. A lab that does not come up fails the test: nothing is skipped.
//!
//! Each test process has a lab of its own; a host is thrown away when its [`TestHost`] is dropped, also by a panic, and the lab goes with
//! its last host. Should the process be killed, the next one that opens any lab removes what it left.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use hostler::lab::{Host, Lab, UpOptions};

/// A running lab host, thrown away at the end.
pub struct TestHost {
    lab: Lab,
    host: Host,
}

/// A Debian 13 with sshd and nothing else.
pub fn bare_host() -> TestHost {
    test_host("bare", &UpOptions::default())
}

/// The same with Python, for ansible-core to work on.
pub fn host_with_python() -> TestHost {
    test_host("python", &UpOptions { packages: vec!["python3".into(), "python3-apt".into()], ..UpOptions::default() })
}

/// A host made of what the options say, with a name of its own in this process's lab.
pub fn test_host(kind: &str, options: &UpOptions) -> TestHost {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let name = format!("{kind}{}", COUNT.fetch_add(1, Ordering::Relaxed));
    test_hosts(&lab("shared"), &[&name], options).remove(0)
}

/// Hosts of given names in a lab of the caller's own.
pub fn test_hosts(lab: &Lab, names: &[&str], options: &UpOptions) -> Vec<TestHost> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let hosts = lab.up(&names, options, &|_| {}).unwrap_or_else(|error| fail(error));
    hosts.into_iter().map(|host| TestHost { lab: lab.clone(), host }).collect()
}

/// A lab for this process and purpose only. It begins with its first host and ends with its last.
pub fn lab(purpose: &str) -> Lab {
    let name = format!("t-{purpose}-{}", std::process::id());
    Lab::open(&name).unwrap_or_else(|error| fail(error)).owned_by_this_process()
}

fn fail(error: hostler::lab::LabError) -> ! {
    panic!("the lab fails: {}", hostler::base::Diagnostic::from(error))
}

impl TestHost {
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Runs a command line as root over ssh and gives its output; any status but 0 fails the test.
    pub fn run(&self, command: &str) -> String {
        let output = self.try_run(command);
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "`{command}` on {} gave {}:\n{said}{complained}", self.name, output.status);
        said.trim_end().to_owned()
    }

    /// The same, whatever the status.
    pub fn try_run(&self, command: &str) -> Output {
        let mut ssh = self.lab.ssh(&self.name).unwrap_or_else(|error| fail(error));
        ssh.arg(command).stdin(Stdio::null()).output().expect("ssh starts")
    }

    /// Whether a command on the host succeeds.
    pub fn check(&self, command: &str) -> bool {
        self.try_run(command).status.success()
    }

    /// The lab's inventory, in a file that lives as long as the lab.
    pub fn inventory(&self) -> PathBuf {
        let path = self.lab.folder().join("inventory.yml");
        std::fs::write(&path, self.lab.inventory().unwrap_or_else(|error| fail(error))).expect("the lab's folder can be written");
        path
    }
}

impl Deref for TestHost {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        let gone = self.lab.down(std::slice::from_ref(&self.host.name), &|_| {});
        let gone_already = matches!(gone, Err(hostler::lab::LabError::NoSuchHost { .. }));
        if let Err(error) = gone
            && !gone_already
            && !std::thread::panicking()
        {
            fail(error)
        }
    }
}

/// The program under test.
pub fn hostler() -> Command {
    Command::new(env!("CARGO_BIN_EXE_hostler"))
}
