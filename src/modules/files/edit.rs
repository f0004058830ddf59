//! What the modules that edit a text file share: reading it, and writing it back with its attributes.

use std::path::{Path, PathBuf};

use crate::base::{Pattern, PatternFlags};
use crate::system::{Attributes, Failure, FileKind, Result, System, WriteFile};

use super::attributes::FileAttributes;
use super::text;

/// How an edited file is written.
pub struct Writing<'a> {
    pub path: &'a Path,
    pub file: &'a FileAttributes,
    pub backup: bool,
    pub validate: Option<&'a String>,
}

/// What came of it: the message for the result, and where the old file was kept.
pub struct Outcome {
    pub message: String,
    pub backup_file: Option<PathBuf>,
}

/// Refuses a folder; says whether there is a file.
pub fn exists(path: &Path, sys: &System) -> Result<bool> {
    match sys.query_file(path)? {
        Some(found) if found.is_directory() => {
            Err(Failure::new(format!("Path {} is a directory !", path.display())).with("rc", 256).at("path"))
        }
        found => Ok(found.is_some()),
    }
}

pub fn read(path: &Path, sys: &System) -> Result<String> {
    Ok(text::decode(&sys.query_content(path)?))
}

/// A pattern given as an option.
pub fn pattern(given: &str, flags: PatternFlags, option: &str) -> Result<Pattern> {
    Pattern::new(given, flags).map_err(|message| Failure::new(message).at(option))
}

/// What went wrong while a pattern was searched for.
pub fn searching(why: String) -> Failure {
    Failure::new(format!("the search was given up: {why}"))
}

impl Writing<'_> {
    /// Writes new text (`None`: it stays) and sets the attributes; missing folders are made.
    pub fn finish(&self, new: Option<&str>, message: &str, sys: &mut System) -> Result<Outcome> {
        let asked = self.file.wanted();
        let attributes_differ = self.attributes_differ(&asked, sys)?;
        let backup_file = match new {
            Some(new) => {
                if let Some(folder) = sys.absolute(self.path).parent() {
                    let doing = format!("Error creating {}", folder.display());
                    sys.make_directory(folder, &Attributes::default()).map_err(|failure| failure.context(&doing))?;
                }
                let file = WriteFile::new(self.path, text::encode(new))
                    .attributes(asked)
                    .backup(self.backup)
                    .validate(self.validate.cloned())
                    .in_place(self.file.may_write_in_place(sys));
                sys.write_file(file)?.backup_file
            }
            None => {
                if sys.query_file(self.path)?.is_some() {
                    let target = sys.query_canonical(self.path)?;
                    sys.set_attributes(&target, &asked)?;
                }
                None
            }
        };
        let mut message = message.to_owned();
        if attributes_differ {
            if !message.is_empty() {
                message.push_str(" and ");
            }
            message.push_str("ownership, perms or SE linux context changed");
        }
        Ok(Outcome { message, backup_file })
    }

    fn attributes_differ(&self, asked: &Attributes, sys: &System) -> Result<bool> {
        let before = match sys.query_file(self.path)? {
            Some(found) => (found.mode, found.uid, found.gid),
            None => (0o666 & !sys.umask(), sys.backend().effective_uid(), crate::system::local::effective_gid()),
        };
        Ok(sys.wanted_attributes(asked, before.0, before.1, before.2, FileKind::File)? != before)
    }
}
