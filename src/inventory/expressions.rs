//! What plugin files need of the template engine: handed in, since the engine stands beside this folder and not below it.

use crate::base::{Diagnostic, Map, Node, Value};

/// Renders what plugin files such as `constructed` hold.
pub trait Expressions {
    /// The value of a bare Jinja expression.
    ///
    /// # Errors
    /// When it is no expression, or something in it is undefined.
    fn evaluate(&self, expression: &str, origin: &Node, variables: &Map) -> Result<Value, Diagnostic>;

    /// A node with all templates in it rendered.
    ///
    /// # Errors
    /// As for [`Expressions::evaluate`].
    fn render(&self, source: &Node, variables: &Map) -> Result<Value, Diagnostic>;
}
