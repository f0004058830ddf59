//! `template`: a template of the project's is rendered here, and its text comes to be on the host.

use std::path::{Path, PathBuf};

use crate::base::{Diagnostic, Map, Node, Span};
use crate::engine::call::Call;
use crate::engine::outcome::Outcome;
use crate::engine::words::Failing;
use crate::system::System;
use crate::template::{FileOptions, Variables as _};

use super::files::{announce, find, read, settle_mode};

/// `template`.
pub async fn template(call: &Call<'_>) -> Outcome {
    let (Some(src), Some(dest)) = (call.text("src"), call.text("dest")) else {
        return Outcome::failed("src and dest are required");
    };
    let path = match find(call, "templates", &src) {
        Ok(path) if path.is_file() => path,
        Ok(path) => return call.wrong("src", format!("`{}` is a folder, not a template", path.display())),
        Err(outcome) => return *outcome,
    };
    let rendered = read(call, &path, true).and_then(|bytes| {
        let text = String::from_utf8(bytes).map_err(|_| Box::new(call.wrong("src", format!("`{}` is not UTF-8 text", path.display()))))?;
        render(call, &path, &text, &dest)
    });
    match rendered {
        Err(outcome) => *outcome,
        Ok(text) => {
            let mut args = call.args.clone();
            for own in TEMPLATE_OPTIONS {
                args.remove(own);
            }
            settle_mode(&mut args, &path);
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            args.insert("_original_basename", name);
            let encoding = call.text("output_encoding").filter(|name| !name.is_empty()).unwrap_or_else(|| "utf-8".into());
            let content = match System::local().encode(&encoding, &text) {
                Ok(Some(content)) => content,
                Ok(None) => return call.wrong("output_encoding", format!("the text cannot be written in the encoding `{encoding}`")),
                Err(failure) => return call.wrong("output_encoding", failure.message),
            };
            announce(call, &mut args, content);
            call.finish("ansible.builtin.template", args).await
        }
    }
}

/// Options of `template` that are used up here.
const TEMPLATE_OPTIONS: &[&str] = &[
    "block_start_string",
    "block_end_string",
    "variable_start_string",
    "variable_end_string",
    "comment_start_string",
    "comment_end_string",
    "trim_blocks",
    "lstrip_blocks",
    "newline_sequence",
    "output_encoding",
];

fn render(call: &Call<'_>, path: &Path, text: &str, dest: &str) -> Result<String, Box<Outcome>> {
    let mut options = FileOptions { keep_trailing_newline: true, ..FileOptions::default() };
    let set = |name: &str, field: &mut String| {
        if let Some(given) = call.text(name) {
            *field = given;
        }
    };
    set("block_start_string", &mut options.block_start);
    set("block_end_string", &mut options.block_end);
    set("variable_start_string", &mut options.variable_start);
    set("variable_end_string", &mut options.variable_end);
    set("comment_start_string", &mut options.comment_start);
    set("comment_end_string", &mut options.comment_end);
    set("newline_sequence", &mut options.newline_sequence);
    options.newline_sequence = match options.newline_sequence.as_str() {
        "\\n" => "\n".into(),
        "\\r" => "\r".into(),
        "\\r\\n" => "\r\n".into(),
        _ => options.newline_sequence,
    };
    options.trim_blocks = call.flag("trim_blocks", options.trim_blocks);
    options.lstrip_blocks = call.flag("lstrip_blocks", options.lstrip_blocks);
    let scope = call.scope.with_locals(template_locals(call, path, dest)?);
    let span = Span::new(path.to_string_lossy().into_owned(), 1, 1);
    let mut context = scope.context();
    // A template finds others beside itself first.
    let mut roots: Vec<PathBuf> = path.parent().map(Path::to_owned).into_iter().collect();
    roots.extend(context.search.roots().iter().cloned());
    context.search = crate::template::SearchPath::new(roots);
    call.run.templar.render_file(text, &span, &options, &context).map_err(|error| Box::new(Outcome::error(error.into())))
}

/// Names that only templates see. A variable `ansible_managed` of the user's own is stronger than the setting.
fn template_locals(call: &Call<'_>, path: &Path, dest: &str) -> Result<Map, Box<Outcome>> {
    let given = call.text("src").unwrap_or_default();
    let mut names = crate::template::file_variables(&given, path);
    names.insert("template_destpath", dest);
    if call.scope.get("ansible_managed").is_none() {
        let render = |text: &str| {
            let node = Node::text(Span::origin("<ansible_managed>"), text);
            call.run.templar.render(&node, &call.context).map(|value| value.to_text()).map_err(Diagnostic::from)
        };
        let managed = crate::template::managed(&call.run.request.settings.ansible_managed, &given, path, render);
        names.insert("ansible_managed", managed.map_err(|error| Box::new(Outcome::unprepared(Failing::Task, error)))?);
    }
    Ok(names)
}
