//! What is wrong with an inventory.

use crate::base::{Diagnostic, Span};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    #[error("the group `{0}` cannot be a child of itself")]
    OwnChild(String),
    #[error("the group `{child}` cannot be a child of `{parent}`: `{parent}` is below `{child}` already")]
    Loop { parent: String, child: String },
    #[error("`ansible_group_priority` of the group `{group}` is `{text}`, which is no whole number")]
    Priority { group: String, text: String },
    #[error("`{0}` is no host name, address or range of them")]
    Address(String),
    #[error("the range in `{pattern}` {problem}")]
    Range { pattern: String, problem: &'static str },
    #[error("the range in `{0}` stands for more than 65536 hosts")]
    RangeTooLong(String),
}

impl InventoryError {
    pub fn at(&self, span: &Span) -> Diagnostic {
        Diagnostic::error(self.to_string()).at(span)
    }
}
