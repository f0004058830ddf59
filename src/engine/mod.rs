//! Runs plays: what is asked for (`request`, `settings`), the run and its plays (`start`, `play`), strategies (`gate`), a host's way through a
//! play (`cursor`, `includes`, `handlers`, `meta`), one task on one host (`task`, `call`, `ask`, `actions`), what is sent before its time (`ahead`), and variables.
//! Nothing here prints or knows a command line: it takes a request and makes events.

mod actions;
mod aftermath;
mod ahead;
mod announce;
mod ask;
mod becoming;
mod call;
mod combine;
mod connections;
mod cursor;
mod fact_cache;
mod facts;
mod gate;
mod handlers;
mod hostless;
mod includes;
pub mod inventories;
mod keywords;
mod library;
mod lists;
mod loops;
mod magic;
mod meta;
mod outcome;
mod place;
mod play;
mod precedence;
mod preflight;
mod prompts;
pub mod request;
mod section;
mod selection;
mod serial;
pub mod setting_kinds;
pub mod settings;
mod start;
mod state;
mod step;
mod targets;
mod task;
mod variables;
mod words;

pub use request::RunRequest;
pub use settings::Settings;
pub use start::run;
