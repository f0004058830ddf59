//! Modules that talk to other machines: HTTP, git, ports. `http` is the one way to ask a web server; `tls` says whom it trusts.

pub mod get_url;
pub mod http;
pub mod multipart;
#[cfg(test)]
pub mod testing;
pub mod tls;
pub mod uri;

use super::registry::Entry;

pub use get_url::download;

pub(super) const MODULES: &[Entry] = &[Entry::of::<get_url::GetUrl>(), Entry::of::<uri::Uri>()];
