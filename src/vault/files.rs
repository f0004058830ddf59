//! What `ansible-vault` does with files. Every write is a fresh 0600 file that is renamed into place, so a crash leaves the old one;
//! plain text for an editor stands in a 0700 folder and is overwritten before it is removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rand::RngCore;
use zeroize::Zeroizing;

use super::envelope::is_vault;
use super::error::VaultError;
use super::secrets::{Opened, Seal, Secrets, encrypt};

const PASSES: usize = 3;

fn failed(action: &str, path: &Path, error: &dyn std::fmt::Display) -> VaultError {
    VaultError::File(format!("cannot {action} `{}`: {error}", path.display()))
}

/// A file as bytes; `-` is standard input.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let result = if path == Path::new("-") {
        io::stdin().read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    result.map_err(|error| failed("read", path, &error))?;
    Ok(bytes)
}

/// Writes a file in one step; `-` is standard output. An existing file keeps its mode, a new one is 0600.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    if path == Path::new("-") {
        let mut stdout = io::stdout().lock();
        return stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| failed("write", path, &error));
    }
    // A link is followed: the file it names is what is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    replace(&target, bytes).map_err(|error| failed("write", path, &error))
}

fn replace(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mode = fs::metadata(target).map_or(0o600, |metadata| metadata.permissions().mode() & 0o7777);
    let name = target.file_name().ok_or_else(|| io::Error::other("it names no file"))?.to_string_lossy();
    let fresh = target.with_file_name(format!(".{name}.{:016x}", rand::rng().next_u64()));
    let result = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&fresh, target)
    })();
    if result.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    result
}

/// Opens an encrypted file.
///
/// # Errors
/// [`VaultError`], with the name of the file.
pub fn open(path: &Path, secrets: &Secrets) -> Result<Opened, VaultError> {
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| failed("decrypt", path, &VaultError::NotVault))?;
    secrets.open(text).map_err(|error| failed("decrypt", path, &error))
}

/// Encrypts a file in place, or to `output`.
///
/// # Errors
/// When it is encrypted already, or cannot be read or written.
pub fn encrypt_file(path: &Path, output: Option<&Path>, seal: &Seal) -> Result<(), VaultError> {
    let sealed = seal.encrypt(&read(path)?).map_err(|error| failed("encrypt", path, &error))?;
    write(output.unwrap_or(path), sealed.as_bytes())
}

/// Decrypts a file in place, or to `output`.
///
/// # Errors
/// As [`open`], and when it cannot be written.
pub fn decrypt_file(path: &Path, output: Option<&Path>, secrets: &Secrets) -> Result<(), VaultError> {
    let plain = Zeroizing::new(open(path, secrets)?.plain);
    write(output.unwrap_or(path), &plain)
}

/// Encrypts a file again with another password. Without a new id it becomes one of none.
///
/// # Errors
/// As [`open`], and when it cannot be written.
pub fn rekey_file(path: &Path, secrets: &Secrets, seal: &Seal) -> Result<(), VaultError> {
    let plain = Zeroizing::new(open(path, secrets)?.plain);
    write(path, seal.encrypt(&plain)?.as_bytes())
}

/// Opens a new file in the editor and encrypts what is saved.
///
/// # Errors
/// When the file is there already, or the editor does not run.
pub fn create_file(path: &Path, seal: &Seal, editor: &mut Editor) -> Result<(), VaultError> {
    if path.exists() {
        return Err(VaultError::File(format!("`{}` is there already: use `edit`", path.display())));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| failed("create", folder, &error))?;
    }
    let plain = edited(path, b"", editor)?;
    write(path, seal.encrypt(&plain)?.as_bytes())
}

/// Opens an encrypted file in the editor, and encrypts it again with its own id and password if it changed. Says whether it did.
///
/// # Errors
/// As [`open`], and when the editor does not run.
pub fn edit_file(path: &Path, secrets: &Secrets, editor: &mut Editor) -> Result<bool, VaultError> {
    let Opened { plain, id, secret } = open(path, secrets)?;
    let before = Zeroizing::new(plain);
    let after = edited(path, &before, editor)?;
    if *after == *before {
        return Ok(false);
    }
    if std::str::from_utf8(&after).is_ok_and(is_vault) {
        return Err(failed("encrypt", path, &VaultError::AlreadyEncrypted));
    }
    write(path, encrypt(&after, &secret, Some(&id))?.as_bytes())?;
    Ok(true)
}

/// Runs the user's editor on a file and comes back when it is closed.
pub type Editor<'a> = dyn FnMut(&Path) -> io::Result<()> + 'a;

fn edited(path: &Path, before: &[u8], editor: &mut Editor) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let scratch = Scratch::new(path, before).map_err(|error| failed("prepare the editing of", path, &error))?;
    editor(&scratch.file).map_err(|error| failed("edit", path, &error))?;
    read(&scratch.file)
}

/// Plain text on disk, for the time of an edit.
struct Scratch {
    folder: PathBuf,
    file: PathBuf,
}

impl Scratch {
    fn new(like: &Path, bytes: &[u8]) -> io::Result<Scratch> {
        let folder = std::env::temp_dir().join(format!("hostler-edit-{:016x}", rand::rng().next_u64()));
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        // The same ending, so that the editor knows the language.
        let ending = like.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
        let scratch = Scratch { file: folder.join(format!("vault{ending}")), folder };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&scratch.file)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Editors leave swap and backup files beside the file: all of the folder goes.
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let _ = shred(&entry.path());
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn shred(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let length = file.metadata()?.len() as usize;
    let mut noise = vec![0; length];
    for _ in 0..PASSES {
        rand::rng().fill_bytes(&mut noise);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&noise)?;
        file.sync_data()?;
    }
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add("prod", Secret::new("pw"));
        secrets
    }

    fn seal(password: &str, id: Option<&str>) -> Seal {
        Seal { secret: Secret::new(password), id: id.map(str::to_owned), salt: None }
    }

    #[test]
    fn the_same_salt_makes_the_same_text() {
        let salted = Seal { salt: Some("salty".into()), ..seal("pw", None) };
        let text = salted.encrypt(b"a").expect("encrypts");
        assert_eq!(salted.encrypt(b"a").expect("encrypts"), text);
        assert_ne!(seal("pw", None).encrypt(b"a").expect("encrypts"), text);
        assert_eq!(secrets().decrypt_text(&text).expect("opens"), "a");
    }

    #[test]
    fn a_file_goes_in_and_out_and_keeps_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.yml");
        fs::write(&path, "a: 1\n").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("sets the mode");
        encrypt_file(&path, None, &seal("pw", Some("prod"))).expect("encrypts");
        assert!(fs::read_to_string(&path).expect("reads").starts_with("$ANSIBLE_VAULT;1.2;AES256;prod\n"));
        assert!(encrypt_file(&path, None, &seal("pw", None)).is_err(), "twice");
        decrypt_file(&path, None, &secrets()).expect("decrypts");
        assert_eq!(fs::read_to_string(&path).expect("reads"), "a: 1\n");
        assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).expect("reads").count(), 1, "no scratch file stays");
    }

    #[test]
    fn an_edit_keeps_the_id_and_leaves_no_plain_text_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.yml");
        let mut seen = PathBuf::new();
        create_file(&path, &seal("pw", Some("prod")), &mut |scratch: &Path| {
            seen = scratch.to_owned();
            assert_eq!(fs::metadata(scratch)?.permissions().mode() & 0o777, 0o600);
            fs::write(scratch, "one\n")
        })
        .expect("creates");
        assert!(!seen.exists() && !seen.parent().expect("has a folder").exists());
        let before = fs::read(&path).expect("reads");
        assert!(!edit_file(&path, &secrets(), &mut |_| Ok(())).expect("edits"), "an edit without a change writes nothing");
        assert_eq!(fs::read(&path).expect("reads"), before);
        assert!(edit_file(&path, &secrets(), &mut |scratch| fs::write(scratch, "two\n")).expect("edits"));
        let opened = open(&path, &secrets()).expect("opens");
        assert_eq!((opened.plain.as_slice(), opened.id.as_str()), (&b"two\n"[..], "prod"));
        assert!(create_file(&path, &seal("pw", None), &mut |_| Ok(())).is_err(), "it is there already");
    }

    #[test]
    fn rekeying_shuts_the_old_password_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.yml");
        write(&path, b"x").expect("writes");
        assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        encrypt_file(&path, None, &seal("pw", None)).expect("encrypts");
        rekey_file(&path, &secrets(), &seal("new", Some("prod"))).expect("rekeys");
        let error = open(&path, &secrets()).expect_err("the old one is out");
        assert!(error.to_string().contains("f.yml") && error.to_string().contains("`prod`"), "{error}");
    }
}
