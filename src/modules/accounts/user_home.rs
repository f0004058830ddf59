//! An account's home folder, with the skeleton's files, and its SSH key.

use std::path::{Path, PathBuf};

use crate::base::Value;
use crate::modules::Output;
use crate::system::{Attributes, Command, Effect, Failure, FileKind, Mode, Result, System, User, WriteFile};

use super::user::UserArgs;

/// Makes the home folder when it is not there; parents that are missing belong to root.
pub fn create(args: &UserArgs, user: &User, sys: &mut System) -> Result<()> {
    let home = Path::new(&user.home);
    if user.home.is_empty() || !home.is_absolute() || sys.query_link(home)?.is_some() {
        return Ok(());
    }
    if let Some(parent) = home.parent() {
        sys.make_directory(parent, &Attributes::default())?;
    }
    let owned = |mode: u32| Attributes {
        owner: Some(user.uid.to_string()),
        group: Some(user.gid.to_string()),
        mode: Some(Mode::Octal(mode)),
        ..Attributes::default()
    };
    sys.make_directory(home, &owned(home_mode(args, sys)))?;
    let skeleton = args.skeleton.clone().unwrap_or_else(|| PathBuf::from("/etc/skel"));
    if matches!(sys.query_file(&skeleton)?, Some(found) if found.is_directory()) {
        copy(&skeleton, home, &owned, sys)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, owned: &dyn Fn(u32) -> Attributes, sys: &mut System) -> Result<()> {
    for name in sys.query_directory(from)? {
        let (source, target) = (from.join(&name), to.join(&name));
        let Some(found) = sys.query_link(&source)? else { continue };
        match found.kind {
            FileKind::Directory => {
                sys.make_directory(&target, &owned(found.mode))?;
                copy(&source, &target, owned, sys)?;
            }
            FileKind::File => {
                let content = sys.query_content(&source)?;
                sys.write_file(WriteFile::shared(&target, content).attributes(owned(found.mode)))?;
            }
            FileKind::Symlink => {
                let link = sys.query_link_target(&source)?;
                sys.make_symlink(&target, &link)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The mode that useradd would give: from the option, else `HOME_MODE`, else `UMASK` of login.defs.
fn home_mode(args: &UserArgs, sys: &System) -> u32 {
    let octal = |text: &str| u32::from_str_radix(text, 8).ok();
    if let Some(umask) = args.umask.as_deref().and_then(octal) {
        return 0o777 & !umask;
    }
    let definitions = sys.query_text(Path::new("/etc/login.defs")).unwrap_or_default();
    let setting = |name: &str| {
        let mut lines = definitions.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.find_map(|words| (words.first() == Some(&name)).then(|| octal(words.get(1)?)).flatten())
    };
    setting("HOME_MODE").or_else(|| setting("UMASK").map(|umask| 0o777 & !umask)).unwrap_or(0o755)
}

/// Makes a key pair unless there is one, and tells the public half.
pub fn generate_key(args: &UserArgs, user: &User, sys: &mut System, mut output: Output) -> Result<Output> {
    let kind = args.ssh_key_type.clone();
    let file = args.ssh_key_file.clone().unwrap_or_else(|| PathBuf::from(format!(".ssh/id_{kind}")));
    let path = Path::new(&user.home).join(file);
    let shown = path.to_string_lossy().into_owned();
    let public = format!("{shown}.pub");
    // Links count, wherever they lead: in a home, their owner may have put them there for us to write through.
    let there = sys.query_record("ssh key", &shown, || Ok(sys.query_link(&path)?.map(|_| Value::Bool(true))))?.is_some();
    let is_half_there = !there && sys.query_link(Path::new(&public))?.is_some();
    if is_half_there && !args.force {
        let why = format!("`{public}` is there, and its private key is not: remove it, or let `force` replace it");
        return Err(Failure::new(why).at("generate_ssh_key"));
    }
    let must_make = !there || args.force;
    if must_make {
        if let Some(folder) = path.parent().filter(|folder| !matches!(sys.query_file(folder), Ok(Some(_)))) {
            let owner = Attributes {
                owner: Some(user.uid.to_string()),
                group: Some(user.gid.to_string()),
                mode: Some(Mode::Octal(0o700)),
                ..Attributes::default()
            };
            sys.make_directory(folder, &owner)?;
        }
        make_key(args, user, &path, there || is_half_there, sys)?;
    } else {
        sys.warn(format!("Found existing ssh key private file \"{shown}\", no force, so skipping ssh-keygen generation"));
    }
    if let Ok(text) = sys.query_text(Path::new(&public)) {
        output = output.with("ssh_public_key", text.trim_end());
        let fingerprint = sys.query_command(Command::new("ssh-keygen").arg("-l").arg("-f").arg(&public))?;
        output = output.with("ssh_fingerprint", fingerprint.stdout_text().trim());
    }
    Ok(output.with("ssh_key_file", shown))
}

fn make_key(args: &UserArgs, user: &User, path: &Path, replaces: bool, sys: &mut System) -> Result<()> {
    let host = sys.query_text(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    let comment = args.ssh_key_comment.clone().unwrap_or_else(|| format!("ansible-generated on {}", host.trim()));
    let mut command = Command::new("ssh-keygen").arg("-q").arg("-t").arg(&args.ssh_key_type).arg("-C").arg(comment).arg("-f").arg(path);
    if args.ssh_key_bits > 0 {
        command = command.arg("-b").arg(args.ssh_key_bits.to_string());
    }
    let effect = Effect::Record { kind: "ssh key", name: path.to_string_lossy().into_owned(), value: Some(Value::Bool(true)) };
    if replaces {
        sys.remove(path)?;
        sys.remove(Path::new(&format!("{}.pub", path.display())))?;
    }
    match &args.ssh_key_passphrase {
        None => drop(sys.mutate(command.arg("-N").arg(""), effect)?),
        Some(passphrase) => {
            // ssh-keygen asks a helper for the passphrase, so that it does not stand among the arguments.
            let helper = b"#!/bin/sh\nprintf '%s\\n' \"$KEY_PASSPHRASE\"\n";
            sys.with_program(helper, "askpass", |sys, program| {
                let command = command
                    .env("SSH_ASKPASS", &program.to_string_lossy())
                    .env("SSH_ASKPASS_REQUIRE", "force")
                    .env("KEY_PASSPHRASE", passphrase.expose());
                sys.mutate(command, effect)
            })?;
        }
    }
    let owner = Attributes { owner: Some(user.uid.to_string()), group: Some(user.gid.to_string()), ..Attributes::default() };
    for file in [path.to_owned(), PathBuf::from(format!("{}.pub", path.display()))] {
        if sys.query_link(&file)?.is_some() {
            sys.set_attributes(&file, &owner)?;
        }
    }
    Ok(())
}
