//! Every behaviour test, in one binary, so that the crate is linked once for all of them.

mod lab;
mod support;
