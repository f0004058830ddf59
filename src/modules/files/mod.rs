//! Modules about files and folders. Owner, group and mode options are in `attributes`, times in `times`, what editors of text share in
//! `edit`. The halves of `copy`, `template` and `fetch` that run on the controller are the engine's.

pub mod archive;
pub mod assemble;
pub mod attributes;
pub mod blockinfile;
pub mod copy;
pub mod copy_tree;
pub mod edit;
pub mod fetch;
pub mod file;
pub mod file_links;
pub mod find;
mod find_filter;
pub mod ini_file;
pub mod ini_lines;
pub mod lineinfile;
pub mod replace;
pub mod slurp;
pub mod stat;
pub mod stat_values;
pub mod tempfile;
pub mod template;
pub mod text;
pub mod times;
pub mod unarchive;
pub mod unarchive_options;

pub(super) use attributes::path_info;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] = &[
    Entry::of::<assemble::Assemble>(),
    Entry::of::<blockinfile::BlockInFile>(),
    Entry::of::<copy::Copy>(),
    Entry::of::<fetch::Fetch>(),
    Entry::of::<file::File>(),
    Entry::of::<find::Find>(),
    Entry::of::<ini_file::IniFile>(),
    Entry::of::<lineinfile::LineInFile>(),
    Entry::of::<replace::Replace>(),
    Entry::of::<slurp::Slurp>(),
    Entry::of::<stat::Stat>(),
    Entry::of::<tempfile::TempFile>(),
    Entry::of::<template::Template>(),
    Entry::of::<unarchive::Unarchive>(),
];
