//! Secrets that were made for a realm, written where its declaration wants them: before the server is told, to a file that only its owner
//! reads, encrypted where the declaration says so.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use super::remote;
use super::server::{Server, failed};
use crate::base::Diagnostic;
use crate::cli::failure::Failed;
use crate::keycloak::generated::{Generate, Made};
use crate::vault;

/// Makes what is due and writes it to its file, beside the declaration.
///
/// # Errors
/// The file can be read by others, cannot be read or written, or no vault password is given for it. Nothing is made then.
pub fn hand_out(due: &Generate, declaration: &Path, server: &Server) -> Result<Made, Failed> {
    let path = declaration.parent().unwrap_or(Path::new("")).join(&due.file);
    let shown = path.display();
    let found = match fs::metadata(&path) {
        Ok(metadata) if !due.vault && metadata.permissions().mode() & 0o077 != 0 => {
            let open = Diagnostic::error(format!("`{shown}` can be read by others than its owner: no secret is written to it"));
            return Err(open.help(format!("chmod 600 {shown}")).into());
        }
        Ok(_) => fs::read_to_string(&path).map_err(|error| Diagnostic::error(format!("`{shown}` cannot be read: {error}")))?,
        Err(_) => String::new(),
    };
    if !due.vault && !vault::is_vault(&found) {
        let (text, made) = due.fill(&found).map_err(failed)?;
        folder(&path)?;
        vault::files::write(&path, text.as_bytes()).map_err(|error| Diagnostic::error(error.to_string()))?;
        return Ok(made);
    }
    encrypted(due, &path, &found, server)
}

fn encrypted(due: &Generate, path: &Path, found: &str, server: &Server) -> Result<Made, Failed> {
    let refused = |error: vault::VaultError| {
        let refusal = Diagnostic::error(format!("`{}`: {error}", path.display()));
        Failed::from(refusal.help("give the vault password with `--vault-password-file FILE` or `--vault-id ID@FILE`"))
    };
    let secrets = remote::vault_secrets(server)?;
    if !found.is_empty() && !vault::is_vault(found) {
        let plain = Diagnostic::error(format!("`{}` is not encrypted, and the declaration wants it to be", path.display()));
        return Err(plain.help(format!("hostler vault encrypt {}", path.display())).into());
    }
    let plain = if found.is_empty() { String::new() } else { secrets.decrypt_text(found).map_err(refused)? };
    let (text, made) = due.fill(&plain).map_err(failed)?;
    // A file keeps the id that it was encrypted with.
    let id = if found.is_empty() { None } else { vault::vault_id(found).ok() };
    let (id, secret) = secrets.to_encrypt_with(id.as_deref()).or_else(|_| secrets.to_encrypt_with(None)).map_err(refused)?;
    let sealed = vault::encrypt(text.as_bytes(), secret, Some(id).filter(|id| *id != vault::DEFAULT_ID)).map_err(refused)?;
    folder(path)?;
    vault::files::write(path, sealed.as_bytes()).map_err(refused)?;
    Ok(made)
}

fn folder(path: &Path) -> Result<(), Failed> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) else { return Ok(()) };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Diagnostic::error(format!("the folder `{}` cannot be made: {error}", folder.display())).into())
}
