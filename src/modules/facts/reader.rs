//! Reading small texts of the host without a word when they are not there: a fact that cannot be had is left out.

use std::path::Path;
use std::time::Duration;

use crate::system::{Command, System};

/// The host as facts read it.
pub struct Reader<'a> {
    pub sys: &'a System,
}

impl Reader<'_> {
    /// A file's text, trimmed; `None` when it is missing, unreadable or empty.
    pub fn text(&self, path: &str) -> Option<String> {
        let text = self.sys.query_text(Path::new(path)).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub fn number(&self, path: &str) -> Option<i64> {
        self.text(path)?.parse().ok()
    }

    pub fn exists(&self, path: &str) -> bool {
        matches!(self.sys.query_file(Path::new(path)), Ok(Some(_)))
    }

    /// Names in a folder; none when it is missing.
    pub fn names(&self, path: &str) -> Vec<String> {
        let names = self.sys.query_directory(Path::new(path)).unwrap_or_default();
        names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// The last part of what a link points to.
    pub fn link_name(&self, path: &str) -> Option<String> {
        let target = self.sys.query_link_target(Path::new(path)).ok()?;
        target.file_name().map(|name| name.to_string_lossy().into_owned())
    }

    /// What a program says when it exits with 0 within two seconds.
    pub fn output(&self, argv: &[&str]) -> Option<String> {
        let (program, arguments) = argv.split_first()?;
        let program = self.sys.find_program(program)?;
        let command = Command::new(program).args(arguments.iter().copied()).env("LC_ALL", "C").timeout(Duration::from_secs(2));
        let completed = self.sys.query_command(command).ok()?;
        completed.ok().then(|| completed.stdout_text())
    }
}
