//! What a command that does not succeed leaves behind: diagnostics for people, and Ansible's exit code.

use std::io::{self, IsTerminal, Write};

use crate::base::Diagnostic;
use crate::report::{context, diagnostic};

/// Ansible: `ExitCode.GENERIC_ERROR`.
pub const GENERIC: u8 = 1;
/// Ansible: `ExitCode.INVALID_CLI_OPTION`.
pub const BAD_OPTION: u8 = 5;

/// What a command came to: its exit code, or why it did not run.
pub type Outcome = Result<u8, Failed>;

#[derive(Debug)]
pub struct Failed {
    pub diagnostics: Vec<Diagnostic>,
    pub code: u8,
}

impl Failed {
    /// The command line itself is wrong.
    pub fn option(message: impl Into<String>) -> Self {
        Failed { diagnostics: vec![Diagnostic::error(message)], code: BAD_OPTION }
    }
}

impl From<Diagnostic> for Failed {
    fn from(diagnostic: Diagnostic) -> Self {
        Failed { diagnostics: vec![diagnostic], code: GENERIC }
    }
}

impl From<Vec<Diagnostic>> for Failed {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Failed { diagnostics, code: GENERIC }
    }
}

/// Tells people, on standard error.
pub fn show(failed: &Failed) -> u8 {
    let mut stderr = io::stderr().lock();
    let colored = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let is_link = super::called::called_as().is_some();
    for diagnostic in &failed.diagnostics {
        // Nobody is left to be told when standard error is closed.
        let text = match is_link {
            true => context::finding(diagnostic),
            false => diagnostic::render(diagnostic, 120, colored),
        };
        let _closed = writeln!(stderr, "{text}");
    }
    failed.code
}

/// Tells people, as Ansible does before it can do anything at all; gives the exit code.
pub fn refuse_to_start(why: &str) -> u8 {
    // Nobody is left to be told when standard error is closed.
    let _closed = writeln!(io::stderr().lock(), "ERROR: {why}");
    GENERIC
}

/// Tells people what is odd, on standard error.
pub fn warn(warnings: &[Diagnostic]) {
    // How a warning is shown is how a failure is; the exit code is what it lacks.
    show(&Failed { diagnostics: warnings.to_vec(), code: 0 });
}

/// Writes to standard output; a reader who has left (`| head`) ends the command quietly.
pub fn print(text: &str) -> Outcome {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(0),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(Diagnostic::error(format!("standard output cannot be written: {error}")).into()),
    }
}
