//! Every behaviour test, in one binary, so that the crate is linked once for all of them.

mod architecture;
mod keycloak;
mod lab;
mod mistakes;
mod report;
mod support;
mod templates;
