//! YAML as PyYAML reads and writes it (YAML 1.1, SafeLoader, libyaml's events), with the place of every node kept.
//! Here live the loader, the resolution of plain scalars, the words for YAML mistakes and the emitter.
//! What a document means (plays, inventories, variables) does not belong here, and nothing here reads a file.

mod compose;

pub mod emit;
mod explain;
mod json;
mod mistakes;
mod parts;
mod resolve;

pub use emit::{YamlStyle, node_to_yaml, to_yaml};
pub use resolve::{Resolved, resolve};

use crate::base::{Diagnostic, Node, Span};

/// A stream's documents, and what is odd about them but no error (a key that stands twice).
#[derive(Debug)]
pub struct Loaded {
    pub documents: Vec<Node>,
    pub warnings: Vec<Diagnostic>,
}

/// Loads a stream of documents. `file` is the name that spans carry.
///
/// JSON is read as JSON first, as ansible-core does: `1e5` is a number there and text in YAML 1.1.
///
/// # Errors
/// One diagnostic with place, cause in plain words and the usual fix.
pub fn load(text: &str, file: &str) -> Result<Loaded, Diagnostic> {
    if let Some(document) = json::load(text, file) {
        return Ok(Loaded { documents: vec![document], warnings: Vec::new() });
    }
    compose::compose(text, file)
}

/// Loads text that must be JSON (what programs print); nothing when it is none.
pub fn load_json(text: &str, file: &str) -> Option<Node> {
    json::load(text, file)
}

/// Loads the single document of a file; an empty file is null.
///
/// # Errors
/// As [`load`], and when the stream holds a second document.
pub fn load_one(text: &str, file: &str) -> Result<(Node, Vec<Diagnostic>), Diagnostic> {
    let Loaded { mut documents, warnings } = load(text, file)?;
    if let Some(second) = documents.get(1) {
        return Err(Diagnostic::error("a single document is expected here, and this is the start of a second one")
            .at(&second.span)
            .help("remove the `---` line before it, or move what follows to a file of its own"));
    }
    let node = documents.pop().unwrap_or_else(|| Node::null(Span::new(file, 1, 1)));
    Ok((node, warnings))
}

#[cfg(test)]
mod tests;
