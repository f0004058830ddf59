//! `ansible.posix.authorized_key`: public keys may log in as a user, or may not.

use std::path::{Path, PathBuf};

use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Attributes, Failure, Mode, Result, System, User, WriteFile};

pub struct AuthorizedKey;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Adds public keys to a user's `authorized_keys`, or removes them.
    pub struct AuthorizedKeyArgs {
        /// The user.
        user: String,
        /// The keys, one a line, or a URL that gives them.
        key: String,
        /// The file; `~USER/.ssh/authorized_keys` when not given.
        path: Option<PathBuf>,
        /// Make the file's folder and see to its owner and mode.
        manage_dir: bool = true,
        /// Whether the keys are to be there.
        state: State = State::Present,
        /// What the keys may do, as sshd reads it before a key.
        key_options: Option<String>,
        /// Remove all other keys.
        exclusive: bool = false,
        /// Check the certificate of a URL's server.
        validate_certs: bool = true,
        /// Comment to write after the keys.
        comment: Option<String>,
        /// Follow a link at the file.
        follow: bool = false,
    }
}

impl Module for AuthorizedKey {
    const NAME: &'static str = "ansible.posix.authorized_key";
    type Args = AuthorizedKeyArgs;

    fn run(args: AuthorizedKeyArgs, sys: &mut System) -> Result<Output> {
        let Some(user) = sys.query_user(&args.user)? else {
            return Err(Failure::new(format!("Failed to lookup user {}: there is no such user on this host", args.user)).at("user"));
        };
        let given = match ["http://", "https://", "file://"].iter().any(|scheme| args.key.starts_with(scheme)) {
            true => String::from_utf8_lossy(&fetched(&args, sys)?).into_owned(),
            false => args.key.clone(),
        };
        let wanted = wanted(&args, &given)?;
        let path = args.path.clone().unwrap_or_else(|| Path::new(&user.home).join(".ssh/authorized_keys"));
        let old = if sys.query_file(&path)?.is_some() { sys.query_text(&path)? } else { String::new() };
        let new = decide(&args, &old, &wanted);
        if args.manage_dir && args.state == State::Present {
            prepare_folder(&path, &user, sys)?;
        }
        let attributes = owned(&user, 0o600);
        if new != old {
            sys.write_file(WriteFile::new(&path, new).attributes(attributes).replace_link(!args.follow))?;
        } else if sys.query_file(&path)?.is_some() && args.manage_dir {
            let target = sys.query_canonical(&path)?;
            sys.set_attributes(&target, &attributes)?;
        }
        Ok(Output::new()
            .with("user", args.user)
            .with("key", args.key)
            .with("keyfile", path.to_string_lossy().into_owned())
            .with("state", args.state.as_str())
            .with("exclusive", args.exclusive)
            .with("key_options", args.key_options))
    }
}

fn fetched(args: &AuthorizedKeyArgs, sys: &mut System) -> Result<Vec<u8>> {
    match args.key.strip_prefix("file://") {
        Some(path) => Ok(sys.query_content(Path::new(path))?.to_vec()),
        None => crate::modules::network::download(&args.key, args.validate_certs, sys),
    }
}

fn owned(user: &User, mode: u32) -> Attributes {
    Attributes { owner: Some(user.uid.to_string()), group: Some(user.gid.to_string()), mode: Some(Mode::Octal(mode)), flags: None }
}

/// sshd refuses keys in a folder that others may write to.
fn prepare_folder(path: &Path, user: &User, sys: &mut System) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    sys.make_directory(folder, &owned(user, 0o700)).map(drop)
}

/// One line of the file, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    options: String,
    kind: String,
    blob: String,
    comment: String,
}

impl Key {
    /// `None` for comments, empty lines and what is no key.
    fn read(line: &str) -> Option<Key> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (options, rest) = match is_kind(line.split_whitespace().next()?) {
            true => ("", line),
            false => line.split_at(end_of_options(line)),
        };
        let mut words = rest.trim_start().splitn(3, char::is_whitespace);
        let (kind, blob) = (words.next()?, words.next()?);
        let comment = words.next().unwrap_or_default().trim();
        is_kind(kind).then(|| Key { options: options.trim().into(), kind: kind.into(), blob: blob.into(), comment: comment.into() })
    }

    fn line(&self) -> String {
        let parts = [&self.options, &self.kind, &self.blob, &self.comment];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }
}

fn is_kind(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-sha2-"].iter().any(|start| word.starts_with(start))
}

/// Where options end: at the first space outside of quotes.
fn end_of_options(line: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (index, c) in line.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ' ' | '\t' if !quoted => return index,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    line.len()
}

fn wanted(args: &AuthorizedKeyArgs, given: &str) -> Result<Vec<Key>> {
    let lines = given.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.map(|line| {
        let mut key = Key::read(line).ok_or_else(|| {
            let start: String = line.chars().take(20).collect();
            Failure::new(format!("invalid key specified: `{start}…` is no public key; a key begins with its type, such as `ssh-ed25519`"))
                .at("key")
        })?;
        if let Some(options) = &args.key_options {
            key.options.clone_from(options);
        }
        if let Some(comment) = &args.comment {
            key.comment.clone_from(comment);
        }
        Ok(key)
    });
    keys.collect()
}

/// The file as it is to be: keys in their places, new ones at the end.
fn decide(args: &AuthorizedKeyArgs, old: &str, wanted: &[Key]) -> String {
    let mut lines: Vec<String> = old.lines().map(Into::into).collect();
    let has = |line: &str, key: &Key| Key::read(line).is_some_and(|found| found.blob == key.blob);
    match args.state {
        State::Absent => lines.retain(|line| !wanted.iter().any(|key| has(line, key))),
        State::Present => {
            for key in wanted {
                match lines.iter_mut().find(|line| has(line, key)) {
                    Some(line) if Key::read(line).as_ref() == Some(key) => {}
                    Some(line) => *line = key.line(),
                    None => lines.push(key.line()),
                }
            }
            if args.exclusive {
                lines.retain(|line| Key::read(line).is_none_or(|found| wanted.iter().any(|key| key.blob == found.blob)));
            }
        }
    }
    if lines == old.lines().collect::<Vec<_>>() {
        return old.to_owned();
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::{Overlay, User};
    use std::path::Path;

    fn machine(before: Option<&str>) -> Machine {
        let alice = User { name: "alice".into(), uid: 1000, gid: 1000, home: "/home/alice".into(), ..User::default() };
        let overlay = Overlay::empty().with_directory("/home/alice").with_user(alice);
        Machine::new(match before {
            Some(text) => overlay.with_file("/home/alice/.ssh/authorized_keys", text),
            None => overlay,
        })
    }

    fn keys(machine: &Machine) -> String {
        machine.sys.query_text(Path::new("/home/alice/.ssh/authorized_keys")).expect("reads")
    }

    #[test]
    fn a_first_key_makes_the_folder_for_its_owner_alone() {
        let mut machine = machine(None);
        machine.task("authorized_key: { user: alice, key: 'ssh-ed25519 AAAA alice@laptop' }").expect("runs");
        assert_eq!(keys(&machine), "ssh-ed25519 AAAA alice@laptop\n");
        let folder = machine.sys.query_link(Path::new("/home/alice/.ssh")).expect("looks").expect("is there");
        assert_eq!((folder.mode, folder.uid), (0o700, 1000));
    }

    #[test]
    fn options_of_a_key_are_changed_in_its_place() {
        let mut machine = machine(Some("# mine\ncommand=\"echo a b\" ssh-rsa 1 x\nssh-rsa 2 y\n"));
        machine.task("authorized_key: { user: alice, key: 'ssh-rsa 1 x', key_options: no-pty }").expect("runs");
        assert_eq!(keys(&machine), "# mine\nno-pty ssh-rsa 1 x\nssh-rsa 2 y\n");
    }

    #[test]
    fn keys_are_removed_and_exclusive_removes_all_others() {
        let mut machine = machine(Some("ssh-rsa 1\nssh-rsa 2\nssh-rsa 3\n"));
        machine.task("authorized_key: { user: alice, key: ssh-rsa 1, state: absent }").expect("runs");
        machine.task("authorized_key: { user: alice, key: ssh-rsa 3, exclusive: true }").expect("runs");
        assert_eq!(keys(&machine), "ssh-rsa 3\n");
    }

    #[test]
    fn what_is_no_key_and_nobodys_key_is_refused() {
        let mut machine = machine(None);
        assert!(machine.refusal("authorized_key: { user: alice, key: hello }").starts_with("invalid key specified"));
        assert!(machine.refusal("authorized_key: { user: bob, key: ssh-rsa 1 }").starts_with("Failed to lookup user bob"));
    }
}
