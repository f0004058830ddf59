//! Runs plays: what is asked for (`request`, `settings`), and later the strategies, host state, variables and controller-side actions.
//! Nothing here prints or knows a command line: it takes a request and makes events.

pub mod request;
pub mod setting_kinds;
pub mod settings;

pub use request::RunRequest;
pub use settings::Settings;
