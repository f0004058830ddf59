//! Modules about services, jobs and kernel settings.

mod cron;
mod service;
mod service_facts;
mod sysctl;
mod systemd_service;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[
    Entry::of::<cron::Cron>(),
    Entry::of::<service::Service>(),
    Entry::of::<service_facts::ServiceFacts>(),
    Entry::of::<sysctl::Sysctl>(),
    Entry::of::<systemd_service::SystemdService>(),
];
