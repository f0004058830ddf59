//! Inventory scripts: programs that print JSON on `--list`, and on `--host NAME` when the list came without variables.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::base::{Diagnostic, Node, Span};
use crate::yaml;

use super::data::Inventory;
use super::structured;

pub(super) fn read(inventory: &mut Inventory, path: &Path) -> Result<(), Diagnostic> {
    let document = output(path, &["--list"])?;
    let without_variables: Vec<Arc<str>> = structured::read_script_output(inventory, &document)?;
    for host in without_variables {
        let document = output(path, &["--host", &host])?;
        if !document.is_null() {
            structured::put_script_host(inventory, &host, &document)?;
        }
    }
    Ok(())
}

fn output(path: &Path, arguments: &[&str]) -> Result<Node, Diagnostic> {
    let shown = format!("{} {}", path.display(), arguments.join(" "));
    let failed = |message: String| Diagnostic::error(message).at(&Span::of_file(path));
    let output = Command::new(path).args(arguments).stdin(Stdio::null()).output().map_err(|error| {
        failed(format!("the inventory script does not run: {error}")).help("if it is no script, remove its executable bit")
    })?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let with_stderr = |diagnostic: Diagnostic| if said.is_empty() { diagnostic } else { diagnostic.cause(said.clone()) };
    if !output.status.success() {
        return Err(with_stderr(failed(format!("the inventory script `{shown}` failed: {}", output.status))));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| failed(format!("what `{shown}` prints is not UTF-8 text")))?;
    if text.trim().is_empty() && arguments[0] == "--host" {
        return Ok(Node::null(Span::of_file(path)));
    }
    let name = format!("<output of {shown}>");
    match yaml::load_json(&text, &name) {
        Some(document) => Ok(document),
        None => Err(with_stderr(failed(format!("what `{shown}` prints is no JSON")))),
    }
}
