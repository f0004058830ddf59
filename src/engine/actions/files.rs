//! Actions that take files from the project to the host: what they share, and the two that do no more. The content is read here and
//! announced by its hash.

use std::io::Read;
use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::base::Map;
use crate::engine::call::Call;
use crate::engine::outcome::Outcome;
use crate::system::accounts::with_home;
use crate::vault;

/// What goes to the host: bytes made here, or a file that is sent as it is, by pieces.
pub(super) enum Content {
    Bytes(Vec<u8>),
    File { path: PathBuf, sha1: String, sha256: String },
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Content::Bytes(bytes)
    }
}

/// Announces content to the host, which asks for it when it does not have it.
pub(super) fn announce(call: &Call<'_>, args: &mut Map, content: impl Into<Content>) {
    match content.into() {
        Content::Bytes(bytes) => {
            args.insert("content_sha1", hex::encode(Sha1::digest(&bytes)));
            args.insert("content_hash", call.run.blobs.put(bytes));
        }
        Content::File { path, sha1, sha256 } => {
            call.run.blobs.put_file(&sha256, path);
            args.insert("content_sha1", sha1);
            args.insert("content_hash", sha256);
        }
    }
}

/// Larger files are not read for a task that is sent ahead: it would be for nothing if it comes otherwise.
const LARGEST_READ_TWICE: u64 = 4 << 20;

/// Files up to this size travel with their task.
const SMALL: u64 = 32 << 10;

/// The file that a `src` means, searched as Ansible searches.
pub(super) fn find(call: &Call<'_>, kind: &str, src: &str) -> Result<PathBuf, Box<Outcome>> {
    if call.scope.rehearsal.as_ref().is_some_and(|unfinished| !unfinished.may_read_files()) {
        return Err(Box::new(Outcome::failed("files are not read yet")));
    }
    let home = std::env::var("HOME").ok();
    let src = &with_home(src, home.as_deref());
    let found = call.context.search.find(kind, Path::new(src));
    found.ok_or_else(|| Box::new(call.wrong("src", not_found(call, kind, src))))
}

/// What ansible-core says about a file that is nowhere.
pub(super) fn not_found(call: &Call<'_>, kind: &str, src: &str) -> String {
    let searched = call.context.search.candidates(kind, Path::new(src));
    let searched: Vec<String> = searched.iter().map(|path| path.display().to_string()).collect();
    format!(
        "Could not find or access '{src}'\nSearched in:\n\t{} on the Ansible Controller.\nIf you are using a module and expect the file to exist on the remote, see the remote_src option",
        searched.join("\n\t")
    )
}

/// A file's bytes, decrypted when it is a vault and that is wanted.
pub(super) fn read(call: &Call<'_>, path: &Path, decrypt: bool) -> Result<Vec<u8>, Box<Outcome>> {
    require_worth(call, path)?;
    let bytes = std::fs::read(path).map_err(|error| unreadable(call, path, &error))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) if decrypt && vault::is_vault(text) => open_vault(call, path, text),
        _ => Ok(bytes),
    }
}

/// A rehearsal reads no large file.
fn require_worth(call: &Call<'_>, path: &Path) -> Result<(), Box<Outcome>> {
    match &call.scope.rehearsal {
        Some(unfinished) if size_of(path) > LARGEST_READ_TWICE => {
            unfinished.give_up();
            Err(Box::new(Outcome::failed("large files are not read yet")))
        }
        _ => Ok(()),
    }
}

fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(u64::MAX, |found| found.len())
}

/// A file as it is sent: decrypted when it is a vault and that is wanted, else not even read into memory as a whole.
pub(super) fn source(call: &Call<'_>, path: &Path, decrypt: bool) -> Result<Content, Box<Outcome>> {
    require_worth(call, path)?;
    if size_of(path) <= SMALL {
        return read(call, path, decrypt).map(Content::Bytes);
    }
    let wrong = |error: std::io::Error| unreadable(call, path, &error);
    let mut file = std::fs::File::open(path).map_err(wrong)?;
    let (mut sha1, mut sha256, mut is_begun) = (Sha1::new(), Sha256::new(), false);
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let count = file.read(&mut buffer).map_err(wrong)?;
        if !is_begun && decrypt && buffer[..count].starts_with(vault::MARK.as_bytes()) {
            return read(call, path, true).map(Content::Bytes);
        }
        if count == 0 {
            break;
        }
        is_begun = true;
        sha1.update(&buffer[..count]);
        sha256.update(&buffer[..count]);
    }
    let (sha1, sha256) = (hex::encode(sha1.finalize()), hex::encode(sha256.finalize()));
    Ok(Content::File { path: path.to_owned(), sha1, sha256 })
}

fn unreadable(call: &Call<'_>, path: &Path, error: &std::io::Error) -> Box<Outcome> {
    Box::new(call.wrong("src", format!("cannot read `{}`: {}", path.display(), crate::system::error::plain(error))))
}

fn open_vault(call: &Call<'_>, path: &Path, text: &str) -> Result<Vec<u8>, Box<Outcome>> {
    if !call.run.controller.has_secrets {
        let message = format!("A vault password or secret must be specified to decrypt {}", path.display());
        return Err(Box::new(call.wrong("src", message)));
    }
    let opened = (call.run.controller.decrypt)(text);
    opened.map(|secret| secret.expose().as_bytes().to_vec()).map_err(|error| Box::new(Outcome::error(error)))
}

fn mode_of(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).ok().map(|found| format!("0{:o}", found.permissions().mode() & 0o7777))
}

/// `mode: preserve` means the mode that the source has here.
pub(super) fn settle_mode(args: &mut Map, path: &Path) {
    if args.text("mode") == Some("preserve")
        && let Some(mode) = mode_of(path)
    {
        args.insert("mode", mode);
    }
}

/// `script`: a file of the project's runs on the host.
pub async fn script(call: &Call<'_>) -> Outcome {
    let mut args = call.args.clone();
    let text = match (call.text("_raw_params"), call.text("cmd")) {
        (None, None) => return Outcome::failed("one of the following is required: _raw_params, cmd"),
        (Some(_), Some(_)) => return Outcome::failed("parameters are mutually exclusive: _raw_params|cmd"),
        (free, cmd) => free.or(cmd).unwrap_or_default(),
    };
    let words = crate::system::split_words(&text);
    let Some(program) = words.first() else { return Outcome::failed("the script to run is not named") };
    let path = match find(call, "files", program) {
        Ok(path) => path,
        Err(outcome) => return *outcome,
    };
    match read(call, &path, call.flag("decrypt", true)) {
        Err(outcome) => *outcome,
        Ok(content) => {
            args.insert("content_hash", call.run.blobs.put(content));
            call.finish("ansible.builtin.script", args).await
        }
    }
}

/// `unarchive`: an archive of the project's, unless it is on the host already.
pub async fn unarchive(call: &Call<'_>) -> Outcome {
    let mut args = call.args.clone();
    let Some(src) = call.text("src") else { return Outcome::failed("src (or content) and dest are required") };
    let on_host = call.flag("remote_src", false) || !call.flag("copy", true) || src.contains("://");
    if !on_host {
        let path = match find(call, "files", &src) {
            Ok(path) => path,
            Err(outcome) => return *outcome,
        };
        match source(call, &path, call.flag("decrypt", true)) {
            Ok(content) => announce(call, &mut args, content),
            Err(outcome) => return *outcome,
        }
        args.remove("content_sha1");
    }
    args.remove("decrypt");
    call.finish("ansible.builtin.unarchive", args).await
}
