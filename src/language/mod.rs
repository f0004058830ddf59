//! Playbooks as typed plays, blocks, tasks and roles, with the place of every word kept. It reads files and imports statically; it renders
//! nothing itself (who needs a rendered file name gives a `Render`), runs nothing, and knows no host.

mod action;
mod arguments;
mod imports;
mod item;
mod keywords;
mod loader;
mod parser;
mod play;
mod playbook;
mod role;
mod role_finder;
mod role_name;
mod split;
mod task;
mod validation;

pub use arguments::{Arguments, is_one_expression, split_key_values, takes_free_text};
pub use item::{Block, Item, Scope, ScopeKind, Vars};
pub use keywords::{Keywords, reserved_name};
pub use loader::{DuplicateKeys, Loader, Unvault};
pub use parser::{Parser, Render, find_tasks, is_variable_name, with_file};
pub use play::{Play, roles_in};
pub use playbook::Entry;
pub use role::{Role, RoleRequest};
pub use role_finder::RoleFinder;
pub use task::{Action, Loop, Task};
