//! Names with wildcards, as a shell expands them: `*`, `?` and `[…]` within one folder level, hidden names only when asked for by a dot.

use std::path::{Component, Path, PathBuf};

use super::System;
use super::error::Result;

impl System {
    /// Paths that match a pattern, sorted; a pattern without wildcards gives itself when it is there (a dangling link is there too).
    pub fn query_glob(&self, pattern: &Path) -> Result<Vec<PathBuf>> {
        let pattern = self.absolute(pattern);
        let mut found = vec![PathBuf::from("/")];
        for component in pattern.components() {
            let Component::Normal(name) = component else {
                if component == Component::ParentDir {
                    found.iter_mut().for_each(|path| path.push(".."));
                }
                continue;
            };
            let name = name.to_string_lossy();
            found = match name.contains(['*', '?', '[']) {
                true => found.iter().flat_map(|folder| self.matching(folder, &name)).collect(),
                false => found.into_iter().map(|folder| folder.join(name.as_ref())).collect(),
            };
        }
        found.retain(|path| matches!(self.query_link(path), Ok(Some(_))));
        Ok(found)
    }

    fn matching(&self, folder: &Path, pattern: &str) -> Vec<PathBuf> {
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
        let Ok(matcher) = glob::Pattern::new(pattern) else { return Vec::new() };
        // A folder that cannot be listed matches nothing, as in a shell.
        let names = self.query_directory(folder).unwrap_or_default();
        let names = names.into_iter().filter(|name| matcher.matches_with(&name.to_string_lossy(), options));
        names.map(|name| folder.join(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use crate::system::{Overlay, System};

    #[test]
    fn wildcards_match_within_a_level_and_skip_hidden_names() {
        let sys = System::dry(Overlay::empty().with_file("/srv/a.txt", "").with_file("/srv/.b.txt", "").with_file("/srv/deep/c.txt", ""));
        let found = |pattern: &str| sys.query_glob(Path::new(pattern)).expect("globs");
        assert_eq!(found("/srv/*.txt"), [PathBuf::from("/srv/a.txt")]);
        assert_eq!(found("/*/deep/?.txt"), [PathBuf::from("/srv/deep/c.txt")]);
        assert!(found("/srv/missing").is_empty());
        assert_eq!(found("/srv/deep/../a.txt"), [PathBuf::from("/srv/deep/../a.txt")]);
    }
}
