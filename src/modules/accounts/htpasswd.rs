//! `community.general.htpasswd`: users and their passwords in a file that a web server asks.

use std::path::PathBuf;

use crate::base::Secret;
use crate::modules::files::attributes::FileAttributes;
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Attributes, Failure, Result, System, WriteFile};

use super::htpasswd_hash::{Scheme, is_of};

pub struct Htpasswd;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Adds a user to a file of passwords for basic authentication, or removes one. The password is hashed on the host.
    pub struct HtpasswdArgs {
        /// The file.
        path | "dest" | "destfile": PathBuf,
        /// Name of the user.
        name | "username": String,
        /// The password; not needed where the user is there already.
        password: Option<Secret>,
        /// How to hash it: `apr_md5_crypt`, `bcrypt`, `ldap_sha1`, `md5_crypt`, `plaintext`, `sha256_crypt` or `sha512_crypt`. The password
        /// of a user that is there is not hashed anew.
        hash_scheme | "crypt_scheme": String = "apr_md5_crypt",
        /// Whether the user is to be there.
        state: State = State::Present,
        /// Make the file when it does not exist.
        create: bool = true,
    }
    flatten { file: FileAttributes }
}

impl Module for Htpasswd {
    const NAME: &'static str = "community.general.htpasswd";
    type Args = HtpasswdArgs;

    fn run(args: HtpasswdArgs, sys: &mut System) -> Result<Output> {
        let (path, name) = (args.path.display().to_string(), args.name.as_str());
        if name.is_empty() || name.contains([':', '\n', '\r', '\0']) || name.starts_with('#') {
            return Err(Failure::new(format!("user contains invalid characters: `{name}`")).at("name"));
        }
        let scheme = Scheme::by_name(&args.hash_scheme).map_err(|message| Failure::new(message).at("hash_scheme"))?;
        let before = match sys.query_file(&args.path)? {
            Some(_) => Some(sys.query_text(&args.path)?),
            None => None,
        };
        let text = before.as_deref().unwrap_or_default();
        let known = text.lines().find_map(|line| hash_of(line, name));
        let (after, message) = match (args.state, known) {
            (State::Absent, None) if before.is_none() => {
                sys.warn(format!("{path} does not exist"));
                return Ok(Output::new().message(format!("{name} not present")));
            }
            (State::Absent, None) => (text.to_owned(), format!("{name} not present")),
            (State::Absent, Some(_)) => (with(text, name, None), format!("Remove {name}")),
            (State::Present, _) if before.is_none() && !args.create => {
                return Err(Failure::new(format!("Destination {path} does not exist")).at("path"));
            }
            (State::Present, known) => match (&args.password, known) {
                (None, None) => return Err(Failure::new(format!("`{name}` is not there yet: give a `password`")).at("password")),
                (None, Some(_)) => (text.to_owned(), format!("{name} already present")),
                (Some(password), Some(known)) if is_of(known, password.expose()) => (text.to_owned(), format!("{name} already present")),
                (Some(password), _) => {
                    let hash = scheme.hash(password.expose()).map_err(|why| Failure::new(format!("cannot hash the password: {why}")))?;
                    let message = if before.is_some() { format!("Add/update {name}") } else { format!("Created {path} and added {name}") };
                    (with(text, name, Some(&hash)), message)
                }
            },
        };
        if let Some(folder) = args.path.parent() {
            sys.make_directory(folder, &Attributes::default())?;
        }
        let content_differs = before.as_deref() != Some(&after);
        let in_place = args.file.may_write_in_place(sys);
        // Whoever sees a hash may guess the password at leisure.
        let written = sys.write_file(WriteFile::new(&args.path, after).attributes(args.file.wanted()).secret(true).in_place(in_place))?;
        let suffix = if written.changed && !content_differs { " and ownership, perms or SE linux context changed" } else { "" };
        Ok(Output::new().message(format!("{message}{suffix}")))
    }
}

/// The hash on a line that is this user's.
fn hash_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.strip_prefix(name)?.strip_prefix(':').map(str::trim_end)
}

/// The file with this hash for the user, or without the user.
fn with(text: &str, name: &str, hash: Option<&str>) -> String {
    let mut after = String::new();
    let mut line = hash.map(|hash| format!("{name}:{hash}\n"));
    for old in text.split_inclusive('\n') {
        match hash_of(old, name) {
            Some(_) => after.push_str(&line.take().unwrap_or_default()),
            None => after.push_str(old),
        }
    }
    if let Some(line) = line {
        if !after.is_empty() && !after.ends_with('\n') {
            after.push('\n');
        }
        after.push_str(&line);
    }
    after
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    const BEFORE: &str = "# users\nann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\nbob:plain";

    fn machine() -> Machine {
        Machine::new(Overlay::empty().with_file("/etc/users", BEFORE))
    }

    fn text(machine: &Machine) -> String {
        machine.sys.query_text(Path::new("/etc/users")).expect("reads")
    }

    #[test]
    fn a_user_is_added_kept_changed_and_removed_and_others_stay() {
        let mut machine = machine();
        let message = |machine: &mut Machine, options: &str| {
            let ran = machine.task(&format!("community.general.htpasswd: {{ path: /etc/users, {options} }}")).expect("runs");
            assert!(machine.sys.diffs().iter().all(|diff| diff.before.is_empty() && diff.after.is_empty()), "no hash is shown");
            (ran.effects.len(), ran.output.values.text("msg").unwrap_or_default().to_owned())
        };
        assert_eq!(message(&mut machine, "name: ann, password: secret"), (0, "ann already present".into()));
        assert_eq!(message(&mut machine, "name: bob, password: plain"), (0, "bob already present".into()));
        assert_eq!(message(&mut machine, "name: eve, password: x, hash_scheme: plaintext"), (1, "Add/update eve".into()));
        assert_eq!(text(&machine), format!("{BEFORE}\neve:x\n"));
        assert_eq!(message(&mut machine, "name: ann, password: new, hash_scheme: plaintext"), (1, "Add/update ann".into()));
        assert_eq!(message(&mut machine, "name: bob, state: absent"), (1, "Remove bob".into()));
        assert_eq!(message(&mut machine, "name: bo, state: absent"), (0, "bo not present".into()));
        assert_eq!(text(&machine), "# users\nann:new\neve:x\n");
        let attributes = message(&mut machine, "name: ann, mode: '0640'");
        assert_eq!(attributes, (1, "ann already present and ownership, perms or SE linux context changed".into()));
        let made = machine.task("community.general.htpasswd: { path: /etc/own/users, name: ann, password: x }").expect("runs");
        assert_eq!(made.output.values.text("msg"), Some("Created /etc/own/users and added ann"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut machine = machine();
        for (options, expected) in [
            ("path: /etc/users, name: 'a:b', password: x", "invalid characters"),
            ("path: /etc/users, name: eve", "give a `password`"),
            ("path: /etc/none, name: eve, password: x, create: false", "Destination /etc/none does not exist"),
            ("path: /etc/users, name: eve, password: x, hash_scheme: des_crypt", "not hashed with `des_crypt`"),
        ] {
            let said = machine.refusal(&format!("community.general.htpasswd: {{ {options} }}"));
            assert!(said.contains(expected), "{said}");
        }
    }
}
