//! What the behaviour tests share.

pub mod lab;
pub mod oracle;
pub mod run;
pub mod site;
