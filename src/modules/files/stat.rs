//! `ansible.builtin.stat`: what is at a path.

use std::path::{Path, PathBuf};

use crate::base::{Map, Value};
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Checksum, Command, Result, System};

use super::stat_values::stat_values;

pub struct Stat;

choices! {
    pub enum Algorithm {
        Md5 = "md5",
        Sha1 = "sha1",
        Sha224 = "sha224",
        Sha256 = "sha256",
        Sha384 = "sha384",
        Sha512 = "sha512",
    }
}

impl Algorithm {
    pub(super) fn checksum(self) -> Checksum {
        match self {
            Algorithm::Md5 => Checksum::Md5,
            Algorithm::Sha1 => Checksum::Sha1,
            Algorithm::Sha224 => Checksum::Sha224,
            Algorithm::Sha256 => Checksum::Sha256,
            Algorithm::Sha384 => Checksum::Sha384,
            Algorithm::Sha512 => Checksum::Sha512,
        }
    }
}

module_args! {
    /// Tells what is at a path: kind, owner, mode, size, times, checksum.
    pub struct StatArgs {
        /// The path.
        path | "dest" | "name": PathBuf,
        /// Tell of what a link points to.
        follow: bool = false,
        /// Compute a file's checksum.
        get_checksum: bool = true,
        /// Ask the `file` program for the kind of content.
        get_mime | "mime" | "mime_type" | "mime-type": bool = true,
        /// Ask `lsattr` for the flags.
        get_attributes | "attr" | "attributes": bool = true,
        /// Which checksum.
        checksum_algorithm | "checksum" | "checksum_algo": Algorithm = Algorithm::Sha1,
    }
}

impl Module for Stat {
    const NAME: &'static str = "ansible.builtin.stat";
    type Args = StatArgs;

    fn run(args: StatArgs, sys: &mut System) -> Result<Output> {
        let path = &args.path;
        let found = if args.follow { sys.query_file(path)? } else { sys.query_link(path)? };
        let Some(found) = found else {
            return Ok(Output::new().with("stat", Value::map([("exists", false)])));
        };
        let mut values = stat_values(&found, sys);
        for (name, number) in [("blocks", found.blocks), ("block_size", found.block_size), ("device_type", found.stands_for)] {
            values.insert(name, number);
        }
        values.insert("exists", true);
        values.insert("path", path.to_string_lossy().into_owned());
        let access = sys.query_access(path)?;
        values.insert("readable", access.readable);
        values.insert("writeable", access.writeable);
        values.insert("executable", access.executable);
        if found.is_symlink() {
            let target = sys.query_link_target(path)?;
            let source = sys.query_canonical(path).unwrap_or_else(|_| sys.absolute(path).parent().unwrap_or(path).join(&target));
            values.insert("lnk_source", source.to_string_lossy().into_owned());
            values.insert("lnk_target", target.to_string_lossy().into_owned());
        }
        if args.get_checksum && found.is_file() && access.readable {
            values.insert("checksum", sys.query_checksum(path, args.checksum_algorithm.checksum())?);
        }
        if args.get_mime {
            add_mime(&mut values, path, sys);
        }
        if args.get_attributes {
            add_flags(&mut values, path, sys);
        }
        Ok(Output::new().with("stat", values))
    }
}

/// What the `file` program says; `unknown` where there is none.
fn add_mime(values: &mut Map, path: &Path, sys: &System) {
    let said = sys.find_program("file").and_then(|program| {
        let command = Command::new(program).args(["--brief", "--mime-type", "--mime-encoding", "--"]).arg(path);
        sys.query_command(command).ok().filter(|completed| completed.ok())
    });
    let text = said.map(|completed| completed.stdout_text()).unwrap_or_default();
    let (mime, charset) = text.trim().split_once("; charset=").unwrap_or(("unknown", "unknown"));
    values.insert("mimetype", mime);
    values.insert("charset", charset);
}

fn add_flags(values: &mut Map, path: &Path, sys: &System) {
    let said = sys.find_program("lsattr").and_then(|program| {
        let command = Command::new(program).args(["-v", "-d", "--"]).arg(path);
        sys.query_command(command).ok().filter(|completed| completed.ok())
    });
    let text = said.map(|completed| completed.stdout_text()).unwrap_or_default();
    let mut words = text.split_whitespace();
    values.insert("version", words.next());
    let flags = words.next().unwrap_or_default().replace('-', "");
    values.insert("attributes", Value::list(flags.chars().filter_map(flag_name)));
    values.insert("attr_flags", flags);
}

/// The names that Ansible gives to `chattr` flags.
fn flag_name(flag: char) -> Option<&'static str> {
    Some(match flag {
        'A' => "noatime",
        'a' => "append",
        'c' => "compressed",
        'C' => "nocow",
        'd' => "nodump",
        'D' => "dirsync",
        'e' => "extents",
        'E' => "encrypted",
        'h' => "blocksize",
        'i' => "immutable",
        'I' => "indexed",
        'j' => "journalled",
        'N' => "inline",
        's' => "zero",
        'S' => "synchronous",
        't' => "notail",
        'T' => "blockroot",
        'u' => "undelete",
        'X' => "compressedraw",
        'Z' => "compresseddirty",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    fn stat(path: &str) -> Value {
        let overlay = Overlay::empty().with_file("/srv/a", "abc").with_symlink("/srv/l", "a");
        let ran = Machine::new(overlay).task(&format!("stat: {{ path: {path} }}")).expect("runs");
        ran.output.values.get("stat").cloned().expect("has stat")
    }

    #[test]
    fn a_file_is_told_of_with_its_checksum() {
        let told = stat("/srv/a");
        assert_eq!(told.get("checksum").and_then(Value::as_str), Some("a9993e364706816aba3e25717850c26c9cd0d89d"));
        assert_eq!(told.get("mode").and_then(Value::as_str), Some("0644"));
        assert_eq!((told.get("isreg"), told.get("xusr")), (Some(&true.into()), Some(&false.into())));
        assert_eq!((told.get("blocks"), told.get("device_type")), (Some(&1.into()), Some(&0.into())));
        assert_eq!(told.get("pw_name").and_then(Value::as_str), Some("root"));
    }

    #[test]
    fn a_link_is_told_of_as_a_link_with_its_target() {
        let told = stat("/srv/l");
        assert_eq!(told.get("islnk"), Some(&true.into()));
        assert_eq!(told.get("lnk_source").and_then(Value::as_str), Some("/srv/a"));
        assert_eq!(told.get("lnk_target").and_then(Value::as_str), Some("a"));
    }

    #[test]
    fn nothing_is_no_failure() {
        assert_eq!(stat("/nowhere").to_repr(), "{'exists': False}");
    }
}
