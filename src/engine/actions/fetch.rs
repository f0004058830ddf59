//! `fetch`: a file of the host's comes here.

use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::base::{Map, Value};
use crate::engine::call::Call;
use crate::engine::outcome::Outcome;
use crate::system::Checksum;

/// `fetch`: a file of the host's comes here, below a folder of its own unless `flat`.
pub async fn fetch(call: &Call<'_>) -> Outcome {
    for (name, what) in [("src", "source"), ("dest", "dest")] {
        if call.args.get(name).is_some_and(|value| !value.is_null() && value.as_str().is_none()) {
            return call.wrong(name, format!("Invalid type supplied for {what} option, it must be a string"));
        }
    }
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
        let why = slurped.values.text("msg").unwrap_or_default();
        // Without `become` ansible-core looks at the file first, and that is what it is not allowed to do.
        let why = match call.place().is_ok_and(|place| place.becoming.is_none()) && why.starts_with("File is not readable") {
            true => format!("Failed to get information on remote file ({src}): Permission denied"),
            false => why.to_owned(),
        };
        return not_fetched(&why, call.flag("fail_on_missing", true)).with("file", src);
    }
    store(call, &src, &dest, &slurped)
}

/// Why nothing was brought, in Ansible's words; a failure unless the file may be missing.
fn not_fetched(why: &str, failed: bool) -> Outcome {
    let message = match () {
        () if why.contains("not found") => "the remote file does not exist, not transferring, ignored".to_owned(),
        () if why.starts_with("Source is a directory") => {
            let ignored = if failed { "" } else { ", not transferring, ignored" };
            format!("remote file is a directory, fetch cannot work on directories{ignored}")
        }
        () if why.starts_with("Failed to get information") && !failed => format!("{why}, ignored"),
        () => why.to_owned(),
    };
    Outcome { failed, ..Outcome::message(message) }
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
            return call.wrong("dest", "dest is an existing directory, use a trailing slash if you want to fetch src into that directory");
        }
        (true, false) => PathBuf::from(dest),
        (false, _) => PathBuf::from(dest).join(call.scope.host.name.as_ref()).join(beneath(src)),
    };
    let target = if target.is_absolute() { target } else { call.run.playbook_folder(&call.cursor.play.file).join(target) };
    if target.is_dir() {
        let message = format!(
            "calculated dest '{}' is an existing directory, use another path that does not point to an existing directory",
            target.display()
        );
        return call.wrong("dest", message);
    }
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
        .with("md5sum", Checksum::Md5.of(&content));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_told_in_the_same_words_whether_it_may_be_missing_or_not() {
        for failed in [true, false] {
            let outcome = not_fetched("File not found: /x", failed);
            assert_eq!(outcome.values.text("msg"), Some("the remote file does not exist, not transferring, ignored"));
            assert_eq!(outcome.failed, failed);
        }
        let closed = "Failed to get information on remote file (/x): Permission denied";
        assert_eq!(not_fetched(closed, true).values.text("msg"), Some(closed));
        assert_eq!(not_fetched(closed, false).values.text("msg"), Some(&*format!("{closed}, ignored")));
        let folder = not_fetched("Source is a directory and must be a file: /x", false);
        assert_eq!(
            folder.values.text("msg"),
            Some("remote file is a directory, fetch cannot work on directories, not transferring, ignored")
        );
    }
}
