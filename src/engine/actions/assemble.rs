//! `assemble`: fragments of the project's become one file of the host's.

use std::path::{Path, PathBuf};

use crate::base::Pattern;
use crate::engine::call::Call;
use crate::engine::outcome::Outcome;

use super::files::{announce, find, read};

/// `assemble`: fragments of the project's become one file of the host's.
pub async fn assemble(call: &Call<'_>) -> Outcome {
    let mut args = call.args.clone();
    let (Some(src), Some(_)) = (call.text("src"), call.text("dest")) else { return Outcome::failed("src and dest are required") };
    if call.flag("remote_src", true) {
        return call.finish("ansible.builtin.assemble", args).await;
    }
    let folder = match find(call, "files", &src) {
        Ok(folder) if folder.is_dir() => folder,
        Ok(folder) => return call.wrong("src", format!("Source ({}) is not a directory", folder.display())),
        Err(outcome) => return *outcome,
    };
    match assembled(call, &folder) {
        Err(outcome) => *outcome,
        Ok(content) => {
            for own in ["src", "delimiter", "regexp", "remote_src", "ignore_hidden", "decrypt"] {
                args.remove(own);
            }
            announce(call, &mut args, content);
            call.finish("ansible.builtin.copy", args).await
        }
    }
}

fn assembled(call: &Call<'_>, folder: &Path) -> Result<Vec<u8>, Box<Outcome>> {
    let pattern = match call.text("regexp") {
        Some(text) => Some(Pattern::plain(&text).map_err(|why| Box::new(call.wrong("regexp", why)))?),
        None => None,
    };
    let delimiter = call.text("delimiter").map(|text| text.replace("\\n", "\n"));
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    names.sort();
    let mut content: Vec<u8> = Vec::new();
    let mut needs_break = false;
    for path in names.iter().filter(|path| path.is_file()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let hidden = call.flag("ignore_hidden", false) && name.starts_with('.');
        let fits = pattern.as_ref().map_or(Ok(true), |pattern| pattern.is_found(&name));
        if hidden || !fits.map_err(|why| Box::new(call.wrong("regexp", why)))? {
            continue;
        }
        let bytes = read(call, path, call.flag("decrypt", true))?;
        if needs_break && !content.ends_with(b"\n") {
            content.push(b'\n');
        }
        if let Some(delimiter) = delimiter.as_ref().filter(|_| needs_break) {
            content.extend_from_slice(delimiter.as_bytes());
            if !delimiter.ends_with('\n') {
                content.push(b'\n');
            }
        }
        content.extend_from_slice(&bytes);
        needs_break = true;
    }
    Ok(content)
}
