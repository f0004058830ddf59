//! `extra_opts` of `unarchive`: the options of `tar` that have a meaning here.

use crate::system::{Failure, Result};

#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// Leading folders to drop.
    pub strip: usize,
    pub exclude: Vec<String>,
    /// Give entries to the owners they had (root only).
    pub same_owner: bool,
    /// Keep modes as packed, without the umask (root only).
    pub same_permissions: bool,
}

impl Options {
    pub fn read(given: &[String]) -> Result<Options> {
        let mut options = Options { strip: 0, exclude: Vec::new(), same_owner: true, same_permissions: true };
        let mut words = given.iter().map(|word| word.trim()).filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            let (name, attached) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let mut value = || attached.or_else(|| words.next()).unwrap_or_default().trim_matches(['\'', '"']).to_owned();
            match name {
                "--strip-components" | "--strip" => {
                    let number = value();
                    options.strip = number
                        .parse()
                        .map_err(|_| Failure::new(format!("`--strip-components` takes a number, not `{number}`")).at("extra_opts"))?;
                }
                "--exclude" => options.exclude.push(value()),
                "--no-same-owner" => options.same_owner = false,
                "--same-owner" => options.same_owner = true,
                "--no-same-permissions" => options.same_permissions = false,
                // What is done anyway.
                "-p" | "--preserve-permissions" | "--same-permissions" | "--overwrite" | "--wildcards" | "-o" | "-q" | "-oq" => {}
                _ => {
                    let known = "--strip-components, --exclude, --same-owner, --no-same-owner, --no-same-permissions";
                    return Err(Failure::new(format!("`{word}` in extra_opts is not supported; these are: {known}")).at("extra_opts"));
                }
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_attached_or_follow() {
        let read = |words: &[&str]| Options::read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(&["--strip-components=1"]).expect("reads").strip, 1);
        assert_eq!(read(&["--strip-components", "2", "--exclude=*.md"]).expect("reads").exclude, ["*.md"]);
        assert!(read(&["--to-command=sh"]).expect_err("is refused").message.contains("`--to-command=sh`"));
    }
}
