//! What plugin files need of the template engine: handed in, since the engine stands beside this folder and not below it.

use crate::base::{Diagnostic, Node, Value};

use super::files::Variables;

/// Renders what plugin files such as `constructed` hold.
pub trait Expressions {
    /// The value of a bare Jinja expression.
    ///
    /// # Errors
    /// When it is no expression, or something in it is undefined.
    fn evaluate(&self, expression: &str, origin: &Node, variables: &Variables) -> Result<Value, Diagnostic>;

    /// A node with all templates in it rendered. Variables that are templates are rendered when they are touched.
    ///
    /// # Errors
    /// As for [`Expressions::evaluate`].
    fn render(&self, source: &Node, variables: &Variables) -> Result<Value, Diagnostic>;

    /// What `-e` gives: plugin files see it when they ask for it.
    fn extra_variables(&self) -> &Variables;
}
