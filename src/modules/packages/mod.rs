//! Modules about packages and where they come from.

mod alternatives;
mod alternatives_group;
mod apt;
mod apt_get;
mod apt_key;
mod apt_plan;
mod apt_repository;
mod deb822_repository;
mod debconf;
mod dpkg_selections;
mod openpgp;
mod package;
mod package_facts;
mod pip;
mod pip_requirement;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[
    Entry::of::<alternatives::Alternatives>(),
    Entry::of::<apt::Apt>(),
    Entry::of::<apt_key::AptKey>(),
    Entry::of::<apt_repository::AptRepository>(),
    Entry::of::<deb822_repository::Deb822Repository>(),
    Entry::of::<debconf::Debconf>(),
    Entry::of::<dpkg_selections::DpkgSelections>(),
    Entry::of::<package::AnyPackage>(),
    Entry::of::<package_facts::PackageFacts>(),
    Entry::of::<pip::PipModule>(),
];
