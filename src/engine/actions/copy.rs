//! `copy`: a file, a folder or text of the project's comes to be on the host.

use std::path::{Path, PathBuf};

use crate::base::{Map, Value};
use crate::engine::call::Call;
use crate::engine::outcome::Outcome;

use super::files::{announce, find, settle_mode, source};

/// `copy`.
pub async fn copy(call: &Call<'_>) -> Outcome {
    let mut args = call.args.clone();
    if call.flag("remote_src", false) {
        return call.finish("ansible.builtin.copy", args).await;
    }
    if let Some(content) = args.get("content").cloned().filter(|content| !content.is_null()) {
        if call.text("src").is_some() {
            return Outcome::failed("src and content are mutually exclusive");
        }
        // Structured content is written as JSON, as Ansible does.
        let text = match content {
            Value::Map(_) | Value::List(_) => content.to_json().to_string(),
            other => other.to_text(),
        };
        if call.text("dest").is_some_and(|dest| dest.ends_with('/')) {
            return Outcome::failed("can not use content with a dir as dest");
        }
        args.remove("content");
        announce(call, &mut args, text.into_bytes());
        return call.finish("ansible.builtin.copy", args).await;
    }
    let Some(src) = call.text("src").filter(|src| !src.is_empty()) else { return Outcome::failed("src (or content) is required") };
    if call.text("dest").is_none() {
        return Outcome::failed("dest is required");
    }
    let path = match find(call, "files", &src) {
        Ok(path) => path,
        Err(outcome) => return *outcome,
    };
    if path.is_dir() {
        return copy_folder(call, &src, &path, args).await;
    }
    match source(call, &path, call.flag("decrypt", true)) {
        Err(outcome) => *outcome,
        Ok(content) => {
            settle_mode(&mut args, &path);
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            args.insert("_original_basename", name);
            announce(call, &mut args, content);
            call.finish("ansible.builtin.copy", args).await
        }
    }
}

/// A folder: its files one by one, its empty folders and links too. `src/` means what is in it, `src` the folder itself.
async fn copy_folder(call: &Call<'_>, src: &str, root: &Path, args: Map) -> Outcome {
    let base = if src.ends_with('/') { root } else { root.parent().unwrap_or(root) };
    let dest = PathBuf::from(call.text("dest").unwrap_or_default());
    let follow = call.flag("local_follow", true);
    let mut total = Outcome::ok([("src", Value::from(src)), ("dest", dest.to_string_lossy().into_owned().into())].into_iter().collect());
    let mut new_folders: Vec<PathBuf> = Vec::new();
    // Whether each task is looked at alone: what is in a folder that would be made would be made too.
    let is_alone = call.check && !(call.run.request.check && call.run.request.foresees);
    // The folder itself comes first, so that the destination is there before anything is put in it.
    // A folder's own files come before its folders.
    let walk = walkdir::WalkDir::new(root).follow_links(follow).sort_by_key(|entry| (entry.path().is_dir(), entry.file_name().to_owned()));
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => match error.path().filter(|path| path.is_symlink()) {
                // A link that leads round to a folder above it, or nowhere, is copied as the link that it is.
                Some(link) => {
                    let outcome = copy_link(call, link, &dest.join(link.strip_prefix(base).unwrap_or(link))).await;
                    if outcome.failed || outcome.unreachable {
                        return outcome;
                    }
                    total.changed |= outcome.changed;
                    continue;
                }
                _ => return call.wrong("src", error.to_string()),
            },
        };
        if new_folders.iter().any(|folder| entry.path().starts_with(folder)) {
            // What cannot be read cannot be copied, wherever it goes.
            match entry.file_type().is_file().then(|| source(call, entry.path(), call.flag("decrypt", true))) {
                Some(Err(outcome)) => return *outcome,
                Some(Ok(_)) | None => continue,
            }
        }
        let target = dest.join(entry.path().strip_prefix(base).unwrap_or(entry.path())).to_string_lossy().into_owned();
        let is_new = is_alone && entry.file_type().is_dir() && !is_there(call, &target).await;
        let outcome = if entry.file_type().is_dir() {
            call.module("ansible.builtin.file", folder_args(&args, target)).await
        } else if entry.file_type().is_symlink() {
            copy_link(call, entry.path(), Path::new(&target)).await
        } else {
            copy_one(call, entry.path(), target, &args).await
        };
        if outcome.failed || outcome.unreachable {
            return outcome;
        }
        if is_new {
            new_folders.push(entry.path().to_owned());
        }
        total.changed |= outcome.changed;
        total.diffs.extend(outcome.diffs);
    }
    total
}

async fn is_there(call: &Call<'_>, path: &str) -> bool {
    let found = call.module("ansible.builtin.stat", [("path", path)].into_iter().collect()).await;
    found.values.get("stat").and_then(|stat| stat.as_map()?.get("exists")?.as_bool()).unwrap_or(false)
}

async fn copy_link(call: &Call<'_>, link: &Path, target: &Path) -> Outcome {
    let source = std::fs::read_link(link).unwrap_or_default().to_string_lossy().into_owned();
    let path = target.to_string_lossy().into_owned();
    let mut own: Map = [("path", Value::from(path)), ("src", source.into()), ("state", "link".into())].into_iter().collect();
    own.insert("force", true);
    own.insert("follow", false);
    call.module("ansible.builtin.file", own).await
}

async fn copy_one(call: &Call<'_>, path: &Path, target: String, args: &Map) -> Outcome {
    let content = match source(call, path, call.flag("decrypt", true)) {
        Ok(content) => content,
        Err(outcome) => return *outcome,
    };
    let mut own = args.clone();
    own.remove("src");
    own.insert("dest", target);
    settle_mode(&mut own, path);
    announce(call, &mut own, content);
    call.module("ansible.builtin.copy", own).await
}

fn folder_args(args: &Map, path: String) -> Map {
    let mut own: Map = [("path", Value::from(path)), ("state", "directory".into())].into_iter().collect();
    for name in ["owner", "group"] {
        own.extend(&args.get(name).cloned().map(|value| (name, value)).into_iter().collect());
    }
    if let Some(mode) = args.get("directory_mode") {
        own.insert("mode", mode.clone());
    }
    own
}
