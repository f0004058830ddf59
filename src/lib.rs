//! Hostler: an orchestrator and provisioning agent that speaks Ansible's language.
//!
//! From the ground up, each room uses those of the floors below it: `base`; `wire`, `system`, `yaml`, `vault`; `language`, `template`, `inventory`,
//! `keycloak`; `modules`; `agent`, `transport`, `history`; `report`; `engine`, `lab`; `cli`. `tests/architecture.rs` holds the code to it.

pub mod agent;
pub mod base;
pub mod cli;
pub mod engine;
pub mod history;
pub mod inventory;
pub mod keycloak;
pub mod lab;
pub mod language;
pub mod modules;
pub mod report;
pub mod system;
pub mod template;
pub mod transport;
pub mod vault;
pub mod wire;
pub mod yaml;
