//! The keywords of plays, blocks, tasks and roles: which word may stand where, as ansible-core 2.19 has it.

use crate::base::{Diagnostic, Node};

/// Words that every object takes and that tasks inherit.
const COMMON: &[&str] = &[
    "any_errors_fatal",
    "become",
    "become_exe",
    "become_flags",
    "become_method",
    "become_user",
    "check_mode",
    "collections",
    "connection",
    "debugger",
    "diff",
    "environment",
    "ignore_errors",
    "ignore_unreachable",
    "module_defaults",
    "name",
    "no_log",
    "port",
    "remote_user",
    "run_once",
    "tags",
    "throttle",
    "timeout",
    "vars",
];

const PLAY: &[&str] = &[
    "fact_path",
    "force_handlers",
    "gather_facts",
    "gather_subset",
    "gather_timeout",
    "handlers",
    "hosts",
    "max_fail_percentage",
    "order",
    "post_tasks",
    "pre_tasks",
    "roles",
    "serial",
    "strategy",
    "tasks",
    "user",
    "vars_files",
    "vars_prompt",
];

const BLOCK: &[&str] = &["always", "block", "delegate_facts", "delegate_to", "notify", "rescue", "when"];

const TASK: &[&str] = &[
    "action",
    "args",
    "async",
    "changed_when",
    "delay",
    "delegate_facts",
    "delegate_to",
    "failed_when",
    "listen",
    "local_action",
    "loop",
    "loop_control",
    "notify",
    "poll",
    "register",
    "retries",
    "until",
    "when",
];

const ROLE: &[&str] = &["delegate_facts", "delegate_to", "role", "when"];

/// What an object is, for messages and for the words it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    Play,
    Block,
    Task,
    Role,
}

impl Object {
    fn own(self) -> &'static [&'static str] {
        match self {
            Object::Play => PLAY,
            Object::Block => BLOCK,
            Object::Task => TASK,
            Object::Role => ROLE,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Object::Play => "Play",
            Object::Block => "Block",
            Object::Task => "Task",
            Object::Role => "RoleDefinition",
        }
    }

    pub fn takes(self, word: &str) -> Option<&'static str> {
        let with = |table: &'static [&'static str]| table.iter().copied().find(|known| *known == word);
        with(COMMON).or_else(|| with(self.own()))
    }

    pub fn words(self) -> impl Iterator<Item = &'static str> {
        COMMON.iter().chain(self.own()).copied()
    }
}

/// Whether a word is a keyword anywhere: such names make confusing variables.
fn is_keyword(word: &str) -> bool {
    COMMON.iter().chain(PLAY).chain(BLOCK).chain(TASK).chain(ROLE).any(|known| *known == word)
}

/// Names that templates have from the start: a variable of that name hides one, or is hidden.
const GLOBALS: &[&str] = &[
    "cycler",
    "dict",
    "finalize",
    "joiner",
    "lipsum",
    "local_action",
    "lookup",
    "namespace",
    "now",
    "q",
    "query",
    "range",
    "undef",
    "with_",
];

/// The warning about a variable whose name means something else already.
pub fn reserved_name(name: &str, span: &crate::base::Span) -> Option<Diagnostic> {
    let is_reserved = GLOBALS.contains(&name) || (is_keyword(name) && !matches!(name, "vars" | "gather_subset"));
    is_reserved.then(|| Diagnostic::warning(format!("Found variable using reserved name '{name}'.")).at(span))
}

/// The keywords that were written on one object.
#[derive(Clone, Debug, Default)]
pub struct Keywords(Vec<(&'static str, Node)>);

impl Keywords {
    pub fn get(&self, word: &str) -> Option<&Node> {
        self.0.iter().rev().find(|(known, _)| *known == word).map(|(_, node)| node)
    }

    pub fn set(&mut self, word: &'static str, node: Node) {
        self.0.push((word, node));
    }

    pub fn remove(&mut self, word: &str) {
        self.0.retain(|(known, _)| *known != word);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Node)> {
        self.0.iter().map(|(word, node)| (*word, node))
    }

    /// The same for what `apply` gives to an include's tasks.
    pub fn split_block(entries: &[(Node, Node)]) -> (Keywords, Vec<(String, Node, Node)>) {
        Keywords::split(Object::Block, entries)
    }

    /// The keywords among the entries of a mapping, and the entries that are none.
    pub fn split(object: Object, entries: &[(Node, Node)]) -> (Keywords, Vec<(String, Node, Node)>) {
        let (mut keywords, mut others) = (Keywords::default(), Vec::new());
        for (key, value) in entries {
            let word = key.to_key().to_string();
            match object.takes(&word) {
                Some(known) => keywords.set(known, value.clone()),
                None => others.push((word, key.clone(), value.clone())),
            }
        }
        (keywords, others)
    }
}

/// The refusal of a word that an object does not take.
pub fn not_a_keyword(object: Object, word: &str, key: &Node) -> Diagnostic {
    Diagnostic::error(format!("'{word}' is not a valid attribute for a {}", object.name())).at(&key.span).did_you_mean(word, object.words())
}
