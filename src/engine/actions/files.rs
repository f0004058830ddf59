//! Actions that take files from the project to the host, or back: the content is read or rendered here and announced by its hash.

use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::base::{Map, Span, Value};
use crate::engine::call::Call;
use crate::engine::outcome::Outcome;
use crate::template::FileOptions;

/// Content that the controller holds, announced to the host.
fn announce(call: &Call<'_>, args: &mut Map, content: Vec<u8>) {
    args.insert("content_sha1", hex::encode(Sha1::digest(&content)));
    args.insert("content_hash", call.run.blobs.put(content));
}

/// The file that a `src` means, searched as Ansible searches.
fn find(call: &Call<'_>, kind: &str, src: &str) -> Result<PathBuf, Box<Outcome>> {
    let home = src.strip_prefix("~/").and_then(|rest| std::env::var("HOME").ok().map(|home| format!("{home}/{rest}")));
    let src = home.as_deref().unwrap_or(src);
    call.context.search.find(kind, Path::new(src)).ok_or_else(|| {
        let searched = call.context.search.candidates(kind, Path::new(src));
        let searched: Vec<String> = searched.iter().map(|path| path.display().to_string()).collect();
        let message = format!(
            "Could not find or access '{src}'\nSearched in:\n\t{} on the Ansible Controller.\nIf you are using a module and expect the file to exist on the remote, see the remote_src option",
            searched.join("\n\t")
        );
        Box::new(call.wrong("src", message))
    })
}

/// A file's bytes, decrypted when it is a vault and that is wanted.
fn read(call: &Call<'_>, path: &Path, decrypt: bool) -> Result<Vec<u8>, Box<Outcome>> {
    let bytes = std::fs::read(path)
        .map_err(|error| call.wrong("src", format!("cannot read `{}`: {}", path.display(), crate::system::error::plain(&error))))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) if decrypt && crate::vault::is_vault(text) => (call.run.controller.decrypt)(text)
            .map(|secret| secret.expose().as_bytes().to_vec())
            .map_err(|error| Box::new(Outcome::error(error))),
        _ => Ok(bytes),
    }
}

fn mode_of(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).ok().map(|found| format!("0{:o}", found.permissions().mode() & 0o7777))
}

/// `mode: preserve` means the mode that the source has here.
fn settle_mode(args: &mut Map, path: &Path) {
    if args.text("mode") == Some("preserve")
        && let Some(mode) = mode_of(path)
    {
        args.insert("mode", mode);
    }
}

/// `copy`.
pub async fn copy(call: &Call<'_>) -> Outcome {
    let mut args = call.args.clone();
    if call.flag("remote_src", false) {
        return call.module("ansible.builtin.copy", args).await;
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
        return call.module("ansible.builtin.copy", args).await;
    }
    let Some(src) = call.text("src") else { return Outcome::failed("src (or content) is required") };
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
    match read(call, &path, call.flag("decrypt", true)) {
        Err(outcome) => *outcome,
        Ok(content) => {
            settle_mode(&mut args, &path);
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            args.insert("_original_basename", name);
            announce(call, &mut args, content);
            call.module("ansible.builtin.copy", args).await
        }
    }
}

/// A folder: its files one by one, its empty folders and links too. `src/` means what is in it, `src` the folder itself.
async fn copy_folder(call: &Call<'_>, src: &str, root: &Path, args: Map) -> Outcome {
    let base = if src.ends_with('/') { root } else { root.parent().unwrap_or(root) };
    let dest = PathBuf::from(call.text("dest").unwrap_or_default());
    let follow = call.flag("local_follow", true);
    let mut total = Outcome::ok([("src", Value::from(src)), ("dest", dest.to_string_lossy().into_owned().into())].into_iter().collect());
    // The folder itself comes first, so that the destination is there before anything is put in it.
    let walk = walkdir::WalkDir::new(root).follow_links(follow).sort_by_file_name();
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return call.wrong("src", error.to_string()),
        };
        let target = dest.join(entry.path().strip_prefix(base).unwrap_or(entry.path())).to_string_lossy().into_owned();
        let outcome = if entry.file_type().is_dir() {
            call.module("ansible.builtin.file", folder_args(&args, target)).await
        } else if entry.file_type().is_symlink() {
            let link = std::fs::read_link(entry.path()).unwrap_or_default().to_string_lossy().into_owned();
            let mut own: Map = [("path", Value::from(target)), ("src", link.into()), ("state", "link".into())].into_iter().collect();
            own.insert("force", true);
            call.module("ansible.builtin.file", own).await
        } else {
            copy_one(call, entry.path(), target, &args).await
        };
        if outcome.failed || outcome.unreachable {
            return outcome;
        }
        total.changed |= outcome.changed;
        total.diffs.extend(outcome.diffs);
    }
    total
}

async fn copy_one(call: &Call<'_>, path: &Path, target: String, args: &Map) -> Outcome {
    let content = match read(call, path, call.flag("decrypt", true)) {
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
            announce(call, &mut args, text.into_bytes());
            call.module("ansible.builtin.template", args).await
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
    let scope = call.scope.with_locals(template_locals(call, path, dest));
    let span = Span::new(path.to_string_lossy().into_owned(), 1, 1);
    let mut context = scope.context();
    // A template finds others beside itself first.
    let mut roots: Vec<PathBuf> = path.parent().map(Path::to_owned).into_iter().collect();
    roots.extend(context.search.roots().iter().cloned());
    context.search = crate::template::SearchPath::new(roots);
    call.run.templar.render_file(text, &span, &options, &context).map_err(|error| Box::new(Outcome::error(error.into())))
}

/// Names that only templates see.
fn template_locals(call: &Call<'_>, path: &Path, dest: &str) -> Map {
    let given = call.source("src").map(|node| node.to_value().to_text()).unwrap_or_default();
    let mut names = crate::template::file_variables(&given, path, &call.run.request.settings.ansible_managed);
    names.insert("template_destpath", dest);
    names
}

/// `script`: a file of the project's runs on the host.
pub async fn script(call: &Call<'_>) -> Outcome {
    let mut args = call.args.clone();
    let text = match (call.text("_raw_params"), call.text("cmd")) {
        (None, None) => return Outcome::failed("one of the following is required: _raw_params, cmd"),
        (Some(_), Some(_)) => return Outcome::failed("parameters are mutually exclusive: _raw_params|cmd"),
        (free, cmd) => free.or(cmd).unwrap_or_default(),
    };
    let words = crate::system::files::split_words(&text);
    let Some(program) = words.first() else { return Outcome::failed("the script to run is not named") };
    let path = match find(call, "files", program) {
        Ok(path) => path,
        Err(outcome) => return *outcome,
    };
    match read(call, &path, call.flag("decrypt", true)) {
        Err(outcome) => *outcome,
        Ok(content) => {
            args.insert("content_hash", call.run.blobs.put(content));
            call.module("ansible.builtin.script", args).await
        }
    }
}

/// `unarchive`: an archive of the project's, unless it is on the host already.
pub async fn unarchive(call: &Call<'_>) -> Outcome {
    let mut args = call.args.clone();
    let Some(src) = call.text("src") else { return Outcome::failed("src (or content) and dest are required") };
    let on_host = call.flag("remote_src", false) || !call.flag("copy", true) || src.contains("://");
    if !on_host {
        let path = match find(call, "files", &src) {
            Ok(path) => path,
            Err(outcome) => return *outcome,
        };
        let content = match read(call, &path, call.flag("decrypt", true)) {
            Ok(content) => content,
            Err(outcome) => return *outcome,
        };
        args.insert("content_hash", call.run.blobs.put(content));
    }
    args.remove("decrypt");
    call.module("ansible.builtin.unarchive", args).await
}

/// `assemble`: fragments of the project's become one file of the host's.
pub async fn assemble(call: &Call<'_>) -> Outcome {
    let mut args = call.args.clone();
    let (Some(src), Some(_)) = (call.text("src"), call.text("dest")) else { return Outcome::failed("src and dest are required") };
    if call.flag("remote_src", true) {
        return call.module("ansible.builtin.assemble", args).await;
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
            call.module("ansible.builtin.copy", args).await
        }
    }
}

fn assembled(call: &Call<'_>, folder: &Path) -> Result<Vec<u8>, Box<Outcome>> {
    let pattern = match call.text("regexp") {
        Some(text) => Some(regex::Regex::new(&text).map_err(|error| Box::new(call.wrong("regexp", error.to_string())))?),
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
        if hidden || pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&name)) {
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

/// `fetch`: a file of the host's comes here, below a folder of its own unless `flat`.
pub async fn fetch(call: &Call<'_>) -> Outcome {
    let (Some(src), Some(dest)) = (call.text("src"), call.text("dest")) else { return Outcome::failed("src and dest are required") };
    if call.check {
        let mut outcome = Outcome::message("check mode not (yet) supported for this module");
        outcome.skipped = true;
        return outcome;
    }
    let args: Map = [("src", src.as_str())].into_iter().collect();
    let slurped = call.module("ansible.builtin.slurp", args).await;
    if slurped.unreachable {
        return slurped;
    }
    if slurped.failed {
        let message = slurped.values.text("msg").unwrap_or_default().to_owned();
        return match call.flag("fail_on_missing", true) {
            true => Outcome { failed: true, ..Outcome::message(message) }.with("file", src),
            false => Outcome::message(format!("{message}, not transferring, ignored")).with("file", src),
        };
    }
    store(call, &src, &dest, &slurped)
}

fn store(call: &Call<'_>, src: &str, dest: &str, slurped: &Outcome) -> Outcome {
    use base64::Engine;
    let encoded = slurped.values.text("content").unwrap_or_default();
    let Ok(content) = base64::engine::general_purpose::STANDARD.decode(encoded) else {
        return Outcome::failed("the host sent content that is no base64");
    };
    let name = Path::new(src).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let target = match (call.flag("flat", false), dest.ends_with('/')) {
        (true, true) => PathBuf::from(dest).join(name),
        (true, false) if Path::new(dest).is_dir() => {
            return call.wrong(
                "dest",
                "dest is an existing directory, append a forward slash to the dest if you want to fetch src into that directory",
            );
        }
        (true, false) => PathBuf::from(dest),
        (false, _) => PathBuf::from(dest).join(call.scope.host.name.as_ref()).join(beneath(src)),
    };
    let target = if target.is_absolute() { target } else { call.run.playbook_folder(&call.cursor.play.file).join(target) };
    let checksum = hex::encode(Sha1::digest(&content));
    let old = std::fs::read(&target).ok();
    let same = old.as_ref().is_some_and(|old| Sha256::digest(old) == Sha256::digest(&content));
    if !same {
        let written = target.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&target, &content));
        if let Err(error) = written {
            return call.wrong("dest", format!("cannot write `{}`: {}", target.display(), crate::system::error::plain(&error)));
        }
    }
    let mut outcome = Outcome::ok(Map::new())
        .with("dest", target.to_string_lossy().into_owned())
        .with("checksum", checksum.clone())
        .with("md5sum", Value::Null);
    if same {
        outcome.values.insert("file", src);
    } else {
        outcome.values.insert("remote_checksum", checksum);
        outcome.values.insert("remote_md5sum", Value::Null);
        outcome.changed = true;
    }
    outcome
}

/// A path of the host's as one below a folder of ours: it cannot lead out of it.
fn beneath(src: &str) -> PathBuf {
    Path::new(src).components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect()
}
