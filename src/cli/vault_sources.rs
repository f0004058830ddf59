//! The options that say where vault passwords come from, for every command that has them.

use clap::Args;

use crate::base::Diagnostic;
use crate::engine::Settings;
use crate::vault::{SecretSources, Secrets, gather};

use super::failure::{Failed, warn};
use super::prompt;

/// Where vault passwords come from.
#[derive(Clone, Debug, Default, Args)]
pub struct VaultSources {
    /// Vault password source
    #[arg(long, value_name = "[ID@]FILE|prompt")]
    vault_id: Vec<String>,
    /// Vault password, or a script that prints it
    #[arg(long, alias = "vault-pass-file", value_name = "FILE")]
    vault_password_file: Vec<String>,
    /// Ask for the vault password
    #[arg(short = 'J', long, alias = "ask-vault-pass", conflicts_with = "vault_password_file")]
    ask_vault_password: bool,
}

impl VaultSources {
    /// The sources of the command line and the settings.
    pub fn sources(&self, settings: &Settings) -> SecretSources {
        let set = settings.vault_password_file.iter().map(|path| path.to_string_lossy().into_owned());
        SecretSources {
            ids: settings.vault_identity_list.iter().chain(&self.vault_id).cloned().collect(),
            password_files: self.vault_password_file.iter().cloned().chain(set).collect(),
            ask: self.ask_vault_password || settings.ask_vault_pass,
            id_must_match: settings.vault_id_match,
            ..SecretSources::default()
        }
    }
}

/// Asks for and reads all passwords; sources that gave none become warnings.
pub fn gathered(sources: &SecretSources) -> Result<(Secrets, Vec<Diagnostic>), Failed> {
    let mut ask = |question: &str| prompt::password(question).map(|secret| secret.expose().to_owned());
    gather(sources, &mut ask).map_err(|error| Diagnostic::error(error.to_string()).into())
}

/// The same; the warnings go to standard error.
pub fn secrets(sources: &SecretSources) -> Result<Secrets, Failed> {
    let (secrets, warnings) = gathered(sources)?;
    warn(&warnings);
    Ok(secrets)
}
