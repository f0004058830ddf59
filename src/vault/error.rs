//! Why a vault stays closed.

use crate::base::{Diagnostic, Span};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("this is not vault text: it does not start with `$ANSIBLE_VAULT`")]
    NotVault,
    #[error("the vault text is damaged: {0}")]
    Damaged(&'static str),
    #[error("the vault cipher `{0}` is not supported: only AES256 is")]
    Cipher(String),
    #[error("Attempting to decrypt but no vault secrets found: this is encrypted with the vault id `{0}`")]
    NoSecrets(String),
    #[error("the vault id `{wanted}` is not among the ids given ({}), and only a matching id may open it", list(.known))]
    NoMatch { wanted: String, known: Vec<String> },
    #[error("Decryption failed (no vault secrets were found that could decrypt): this is encrypted with the vault id `{wanted}`, tried were {}", list(.tried))]
    Wrong { wanted: String, tried: Vec<String> },
    #[error("the input is encrypted already")]
    AlreadyEncrypted,
    #[error("{0}")]
    Source(String),
    #[error("{0}")]
    File(String),
}

fn list(ids: &[String]) -> String {
    if ids.is_empty() { "none".into() } else { ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ") }
}

impl VaultError {
    /// The error at the place of the vault text, with the way out.
    pub fn diagnostic(&self, span: &Span) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.to_string()).at(span);
        match self {
            VaultError::NoSecrets(id) => {
                diagnostic.help(format!("give it with `--vault-id {id}@FILE`, `--vault-password-file FILE` or `--ask-vault-pass`"))
            }
            VaultError::NoMatch { wanted, known } => diagnostic.did_you_mean(wanted, known.iter().map(String::as_str)),
            VaultError::Wrong { wanted, tried } if !tried.contains(wanted) => {
                diagnostic.help(format!("no password was given for `{wanted}`: add `--vault-id {wanted}@FILE`"))
            }
            VaultError::Wrong { .. } => {
                diagnostic.help("the password file may be an old one, or the text may be cut: compare it with its last working version")
            }
            VaultError::Damaged(_) => {
                diagnostic.help("all lines of the text as `ansible-vault` printed it are needed, each of the same indentation")
            }
            _ => diagnostic,
        }
    }
}
