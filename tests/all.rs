//! Every behaviour test, in one binary, so that the crate is linked once for all of them.

mod ahead;
mod architecture;
mod custom;
mod faults;
mod jobs;
mod keycloak;
mod lab;
mod language;
mod mistakes;
mod modules;
mod reattach;
mod report;
mod roles;
mod site;
mod support;
mod templates;
mod tracker;
