//! What the behaviour tests share.

pub mod browser;
pub mod http;
pub mod lab;
pub mod oracle;
pub mod run;
pub mod site;
pub mod tracker;
