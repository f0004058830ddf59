//! Modules that talk to other machines: HTTP, git, ports, firewalls. `http` is the one way to ask a web server; `tls` says whom it trusts.

pub mod get_url;
pub mod git;
pub mod git_repository;
mod hosts_file;
pub mod http;
pub mod iptables;
pub mod iptables_rule;
pub mod known_hosts;
pub mod multipart;
pub mod subversion;
#[cfg(test)]
pub mod testing;
pub mod tls;
mod ufw;
mod ufw_rule;
pub mod uri;

use super::registry::Entry;

pub use get_url::download;

pub(super) const MODULES: &[Entry] = &[
    Entry::of::<get_url::GetUrl>(),
    Entry::of::<git::Git>(),
    Entry::of::<iptables::Iptables>(),
    Entry::of::<known_hosts::KnownHosts>(),
    Entry::of::<subversion::Subversion>(),
    Entry::of::<ufw::Ufw>(),
    Entry::of::<uri::Uri>(),
];
