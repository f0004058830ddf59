//! Ansible Vault 1.1 and 1.2 (AES256): its envelope, its cipher, the secrets that open it and where they come from, and what
//! `ansible-vault` does with files. Nothing here knows plays or inventories, parses options, or shows a secret.

mod cipher;
mod envelope;
mod error;
pub mod files;
mod secrets;
mod sources;

pub use envelope::{DEFAULT_ID, MARK, is_vault, vault_id};
pub use error::VaultError;
pub use secrets::{Opened, Seal, Secrets, encrypt, encrypt_with_salt};
pub use sources::{Prompt, SecretSources, gather};
