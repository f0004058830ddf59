//! The process's surroundings, read once: home, working folder, environment variables.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use crate::base::Diagnostic;
use crate::engine::settings::Paths;

#[derive(Clone, Debug)]
pub struct Environment {
    pub home: PathBuf,
    pub directory: PathBuf,
    pub user: String,
    variables: HashMap<String, String>,
}

impl Environment {
    /// # Errors
    /// There is no working folder: it was removed.
    pub fn current() -> Result<Self, Diagnostic> {
        let directory = std::env::current_dir().map_err(|error| {
            Diagnostic::error(format!("the working folder cannot be used: {error}")).help("change to a folder that exists")
        })?;
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(Environment::new(directory, variables))
    }

    pub fn new(directory: PathBuf, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables: HashMap<String, String> = variables.into_iter().collect();
        let home = variables.get("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
        let user = ["USER", "LOGNAME"].iter().find_map(|name| variables.get(*name)).cloned().unwrap_or_default();
        Environment { home, directory, user, variables }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The same, with a variable set.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// What a path on the command line or in the environment is relative to.
    pub fn paths(&self) -> Paths<'_> {
        Paths { home: &self.home, directory: &self.directory }
    }

    pub fn paths_from<'a>(&'a self, directory: &'a Path) -> Paths<'a> {
        Paths { home: &self.home, directory }
    }

    /// `$NAME` and `${NAME}` filled in; unknown names stay as they are, as Python's `expandvars` does.
    pub fn expand(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('$') {
            out.push_str(&rest[..start]);
            let after = &rest[start + 1..];
            let (name, length) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                Some((name, _)) => (name, name.len() + 2),
                None => {
                    let end = after.find(|character: char| !character.is_ascii_alphanumeric() && character != '_').unwrap_or(after.len());
                    (&after[..end], end)
                }
            };
            match self.get(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&rest[start..=start + length]),
            }
            rest = &after[length..];
        }
        out + rest
    }
}

/// The columns that banners fill: Ansible takes the terminal's minus one, and 79 at least.
pub fn banner_width() -> usize {
    terminal_width().map_or(79, |columns| columns.saturating_sub(1).max(79))
}

/// The columns of the terminal that standard output is, when it is one.
pub fn terminal_width() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_unknown_ones_left() {
        let environment = Environment::new("/srv".into(), [("A".to_owned(), "x".to_owned()), ("HOME".to_owned(), "/home/ann".to_owned())]);
        assert_eq!(environment.expand("$A/${A}b/$NOPE/${NOPE}/$"), "x/xb/$NOPE/${NOPE}/$");
        assert_eq!(environment.home, Path::new("/home/ann"));
    }
}
