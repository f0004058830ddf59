//! Sections of a play, for positions.

pub const FACTS: usize = 0;
pub const PRE_TASKS: usize = 1;
pub const ROLES: usize = 3;
pub const TASKS: usize = 4;
pub const POST_TASKS: usize = 6;
/// Handlers at the end of the section before.
pub const FLUSH: usize = 1;
