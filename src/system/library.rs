//! Files that a program of the project's needs around it: laid out in a private folder for as long as it runs, over a library that stays on
//! the host for the next time.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::error::{Failure, Result};
use super::{System, local};

/// A file of the project's: where it is laid out, and what is in it.
pub type Brought = (PathBuf, Arc<Vec<u8>>);

impl System {
    /// Lays out files for the time that `work` takes, in a private folder that is gone afterwards; folders of the library are seen through
    /// it. Nothing of the host changes by this, so it is done in check mode too.
    pub fn with_files<T>(
        &mut self,
        files: &[Brought],
        library: Option<&Path>,
        work: impl FnOnce(&mut System, &Path) -> Result<T>,
    ) -> Result<T> {
        let parent = self.context.temporary_directory.clone().unwrap_or_else(std::env::temp_dir);
        let folder = local::private_folder(&parent).map_err(|error| Failure::io("make a folder in", &parent, &error))?;
        let laid = lay_out(&folder, files, library).map_err(|error| Failure::io("lay out files in", &folder, &error));
        let outcome = laid.and_then(|()| work(self, &folder));
        fs::remove_dir_all(&folder).map_err(|error| Failure::io("remove", &folder, &error))?;
        outcome
    }

    /// The folder of a library, which is kept under the SHA-256 of its archive (tar and gzip) in the cache of this account.
    pub fn library(&mut self, sha256: &str) -> Result<PathBuf> {
        let cache = cache_folder()?;
        let folder = cache.join(format!("library-{sha256}"));
        if folder.is_dir() {
            return Ok(folder);
        }
        let archive = self.blob(sha256)?;
        let wrong = |error: std::io::Error| Failure::io("unpack a library to", &folder, &error);
        let fresh = local::private_folder(&cache).map_err(wrong)?;
        tar::Archive::new(flate2::read::GzDecoder::new(archive.as_slice())).unpack(&fresh).map_err(wrong)?;
        match fs::rename(&fresh, &folder) {
            Ok(()) => Ok(folder),
            // Another agent of this account was faster.
            Err(_) if folder.is_dir() => {
                fs::remove_dir_all(&fresh).map_err(wrong)?;
                Ok(folder)
            }
            Err(error) => Err(wrong(error)),
        }
    }
}

/// The first place that is this account's alone: where the agent is too, see `wire::bootstrap`. What somebody else could have put there
/// is not run.
fn cache_folder() -> Result<PathBuf> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache"))).map(|cache| cache.join("hostler"));
    let places = home.into_iter().chain([PathBuf::from(format!("/var/tmp/hostler-{}", nix::unistd::geteuid()))]);
    let make = |path: &Path| fs::DirBuilder::new().recursive(true).mode(0o700).create(path).is_ok();
    places.into_iter().find(|path| make(path) && is_ours_alone(path)).ok_or_else(|| {
        Failure::new(
            "there is no folder for what modules in Python share: neither ~/.cache nor /var/tmp can be written by this account alone",
        )
    })
}

fn is_ours_alone(folder: &Path) -> bool {
    let ours = nix::unistd::geteuid().as_raw();
    fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir() && found.uid() == ours && found.mode() & 0o022 == 0)
}

fn lay_out(folder: &Path, files: &[Brought], library: Option<&Path>) -> std::io::Result<()> {
    for (path, content) in files {
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(std::io::Error::other(format!("`{}` is no path below a folder", path.display())));
        }
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        local::write_program(&path, content)?;
    }
    library.map_or(Ok(()), |library| see_through(library, folder))
}

/// Links everything of the library that is not there; folders that both have become one.
fn see_through(library: &Path, folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(library)? {
        let entry = entry?;
        let here = folder.join(entry.file_name());
        match fs::symlink_metadata(&here) {
            Err(_) => symlink(entry.path(), &here)?,
            Ok(found) if found.is_dir() && entry.file_type()?.is_dir() => see_through(&entry.path(), &here)?,
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Packs files as a library's archive: the same bytes for the same files.
///
/// # Errors
/// A path is too long for an archive.
pub fn pack(files: &[(PathBuf, Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        // Python keeps what it compiled for as long as the time of the source stays.
        header.set_mtime(1);
        archive.append_data(&mut header, path, content.as_slice())?;
    }
    let mut packed = archive.into_inner()?;
    packed.flush()?;
    packed.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_over_the_library_and_are_gone_afterwards() {
        let library = tempfile::tempdir().expect("folder");
        fs::create_dir_all(library.path().join("a/b")).expect("makes");
        fs::write(library.path().join("a/one"), "library").expect("writes");
        fs::write(library.path().join("a/two"), "library").expect("writes");
        fs::write(library.path().join("a/b/three"), "library").expect("writes");
        let files = [(PathBuf::from("a/one"), Arc::new(b"own".to_vec()))];
        let mut sys = System::local();
        let read = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).expect("reads");
        let (folder, seen) = sys
            .with_files(&files, Some(library.path()), |_, folder| {
                Ok((folder.to_owned(), ["a/one", "a/two", "a/b/three"].map(|name| read(folder, name))))
            })
            .expect("lays out");
        assert_eq!(seen, ["own", "library", "library"]);
        assert!(!folder.exists());
        assert_eq!(read(library.path(), "a/one"), "library");
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_not_ours_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("folder");
        assert!(is_ours_alone(folder.path()));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("is opened");
        assert!(!is_ours_alone(folder.path()));
        let link = folder.path().join("link");
        symlink("/", &link).expect("links");
        assert!(!is_ours_alone(&link));
    }

    #[test]
    fn a_path_that_leads_out_of_the_folder_is_refused() {
        let files = [(PathBuf::from("../planted"), Arc::new(b"x".to_vec()))];
        let refusal = System::local().with_files(&files, None, |_, _| Ok(())).expect_err("is refused");
        assert!(refusal.message.contains("is no path below a folder"), "{}", refusal.message);
    }
}
