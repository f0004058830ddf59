//! `ansible.builtin.user`: a local account exists as asked, or does not exist.

use std::path::PathBuf;

use crate::base::Secret;
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Command, Effect, Failure, Result, System};

use super::{user_change, user_home};

pub struct User;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

choices! {
    pub enum UpdatePassword { Always = "always", OnCreate = "on_create" }
}

module_args! {
    /// Makes a local account exist as asked, or not exist.
    pub struct UserArgs {
        /// Name of the account.
        name | "user": String,
        /// Whether it should exist.
        state: State = State::Present,
        /// Its uid.
        uid: Option<u32>,
        /// Allow a uid that another account has.
        non_unique: bool = false,
        /// Its primary group, by name or gid.
        group: Option<String>,
        /// Its further groups; an empty list removes it from all.
        groups: Option<Vec<String>>,
        /// Add the groups rather than replace those it has.
        append: bool = false,
        /// Its description (GECOS).
        comment: Option<String>,
        /// Its home folder.
        home: Option<PathBuf>,
        /// Its login shell.
        shell: Option<PathBuf>,
        /// Its password, as a hash.
        password: Option<Secret>,
        /// Lock or unlock the password.
        password_lock: Option<bool>,
        /// Set the password each time it differs, or only when the account is made.
        update_password: UpdatePassword = UpdatePassword::Always,
        /// Most days between two changes of the password.
        password_expire_max: Option<i64>,
        /// Fewest days between two changes of the password.
        password_expire_min: Option<i64>,
        /// Days of warning before the password expires.
        password_expire_warn: Option<i64>,
        /// Days after which an account with an expired password is closed.
        password_expire_account_disable: Option<i64>,
        /// When the account expires, in seconds since 1970; a negative number: never.
        expires: Option<f64>,
        /// With `absent`: remove it even while it is logged in. With `generate_ssh_key`: replace the key.
        force: bool = false,
        /// With `absent`: remove its home folder and mail too.
        remove: bool = false,
        /// Make the home folder when it is not there.
        create_home | "createhome": bool = true,
        /// Move the old home folder's contents to a new `home`.
        move_home: bool = false,
        /// Folder whose files a new home folder gets.
        skeleton: Option<PathBuf>,
        /// Make a system account.
        system: bool = false,
        /// Make a key pair for SSH.
        generate_ssh_key: Option<bool>,
        /// Bits of the key; 0: the usual number for its type.
        ssh_key_bits: i64 = 0,
        /// Type of the key.
        ssh_key_type: String = "rsa",
        /// File of the private key, relative to the home folder.
        ssh_key_file: Option<PathBuf>,
        /// Comment of the key.
        ssh_key_comment: Option<String>,
        /// Passphrase of the key.
        ssh_key_passphrase: Option<Secret>,
        /// Umask for a new home folder.
        umask: Option<String>,
        /// Local accounts even where others come from elsewhere: useradd and usermod make no other.
        local: bool = false,
        /// Lowest uid to choose from.
        uid_min: Option<u32>,
        /// Highest uid to choose from.
        uid_max: Option<u32>,
    }
    accepts {
        /// For BSD.
        login_class: String,
        /// For macOS.
        hidden: bool,
        /// For SELinux.
        seuser: String,
        /// For Solaris.
        profile: String,
        /// For Solaris.
        authorization: String,
        /// For Solaris.
        role: String,
    }
}

impl Module for User {
    const NAME: &'static str = "ansible.builtin.user";
    type Args = UserArgs;

    fn run(args: UserArgs, sys: &mut System) -> Result<Output> {
        let elsewhere = [("umask", args.umask.is_some()), ("uid_min", args.uid_min.is_some()), ("uid_max", args.uid_max.is_some())];
        if let Some((option, _)) = elsewhere.iter().find(|(_, given)| args.local && *given) {
            return Err(Failure::new(format!("'{option}' can not be used with 'local'")).at(*option));
        }
        let found = sys.query_user(&args.name)?;
        let output = Output::new().with("name", args.name.clone()).with("state", args.state.as_str());
        if args.state == State::Absent {
            if found.is_some() {
                remove(&args, sys)?;
            }
            return Ok(output.with("force", args.force).with("remove", args.remove));
        }
        warn_of_plain_password(&args, sys);
        if args.append && args.groups.is_none() {
            sys.warn("'append' is set, but no 'groups' are specified. Use 'groups' for appending new groups.");
        }
        let output = match &found {
            None => {
                user_change::create(&args, sys)?;
                output.with("system", args.system).with("create_home", args.create_home)
            }
            Some(user) => {
                user_change::modify(&args, user, sys)?;
                output.with("append", args.append).with("move_home", args.move_home)
            }
        };
        user_change::set_password_expiry(&args, sys)?;
        let user = sys.query_user(&args.name)?.ok_or_else(|| Failure::new(format!("failed to look up user name: {}", args.name)))?;
        if args.create_home {
            user_home::create(&args, &user, sys)?;
        }
        let mut output = output
            .with("uid", user.uid)
            .with("group", user.gid)
            .with("comment", user.comment.clone())
            .with("home", user.home.clone())
            .with("shell", user.shell.clone());
        if let Some(groups) = &args.groups {
            output = output.with("groups", groups.join(","));
        }
        if args.password.is_some() {
            output = output.with("password", "NOT_LOGGING_PASSWORD");
        }
        if args.generate_ssh_key == Some(true) {
            output = user_home::generate_key(&args, &user, sys, output)?;
        }
        Ok(output)
    }
}

fn remove(args: &UserArgs, sys: &mut System) -> Result<()> {
    let switches = [(args.force, "-f"), (args.remove, "-r")];
    let command = Command::new("userdel").args(switches.into_iter().filter(|(wanted, _)| *wanted).map(|(_, switch)| switch));
    let mut effects = vec![Effect::User { name: args.name.clone(), state: None }];
    // The account's own group goes with it, and it leaves every other.
    for mut group in sys.query_groups()? {
        if group.members.contains(&args.name) {
            group.members.retain(|member| *member != args.name);
            effects.push(Effect::Group { name: group.name.clone(), state: Some(group) });
        }
    }
    sys.mutate_all(command.arg("--").arg(&args.name), effects)?;
    Ok(())
}

fn warn_of_plain_password(args: &UserArgs, sys: &mut System) {
    if args.password.as_ref().is_some_and(|password| !looks_hashed(password.expose())) {
        sys.warn("The input password appears not to have been hashed. The 'password' argument must be encrypted for this module to work properly.");
    }
}

/// Whether a password is a hash with its method in front, of the method's own length and alphabet, or one of the texts that close an account.
fn looks_hashed(password: &str) -> bool {
    if password.is_empty() || matches!(password, "*" | "!" | "*************") {
        return true;
    }
    let fields: Vec<&str> = password.split('$').collect();
    let (Some(method), Some(hash), true) = (fields.get(1), fields.last(), fields.len() >= 3) else { return false };
    let length = match *method {
        "1" => Some(22),
        "5" | "y" => Some(43),
        "6" => Some(86),
        _ => None,
    };
    let in_alphabet = hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'='));
    !password.contains([':', '*', '!']) && in_alphabet && length.is_none_or(|length| hash.len() == length)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::{Effect, Overlay, User};

    fn machine() -> Machine {
        let web = User { name: "web".into(), uid: 1000, gid: 1000, home: "/home/web".into(), shell: "/bin/sh".into(), ..User::default() };
        let overlay = Overlay::empty().with_directory("/home/web").with_group("web", 1000).with_group("ssl", 200).with_group("www", 201);
        Machine::new(overlay.with_user(web))
    }

    #[test]
    fn a_new_account_gets_its_home_with_the_skeleton() {
        let mut machine = Machine::new(Overlay::empty().with_directory("/home").with_file("/etc/skel/.profile", "x"));
        let ran = machine.task("user: { name: anna, uid: 1001, shell: /bin/bash }").expect("runs");
        assert_eq!(ran.output.values.get("uid"), Some(&Value::Int(1001)));
        assert!(machine.sys.query_file(Path::new("/home/anna/.profile")).expect("looks").is_some());
    }

    #[test]
    fn groups_replace_and_append_adds() {
        let mut machine = machine();
        machine.task("user: { name: web, groups: [ssl] }").expect("runs");
        machine.task("user: { name: web, groups: www, append: true }").expect("runs");
        let members = |machine: &Machine, group: &str| machine.sys.query_group(group).expect("asks").expect("is there").members;
        assert_eq!((members(&machine, "ssl"), members(&machine, "www")), (vec!["web".to_owned()], vec!["web".to_owned()]));
        machine.task("user: { name: web, groups: www }").expect("runs");
        assert!(members(&machine, "ssl").is_empty());
        assert_eq!(machine.refusal("user: { name: anna, umask: '077', local: true }"), "'umask' can not be used with 'local'");
        machine.task_once("user: { name: web, append: true }").expect("runs");
        assert!(machine.sys.warnings()[0].starts_with("'append' is set, but no 'groups' are specified"));
    }

    #[test]
    fn a_key_is_not_made_through_a_link_that_somebody_planted() {
        let public = "/home/web/.ssh/id_rsa.pub";
        let planted = || {
            let web = User { name: "web".into(), uid: 1000, gid: 1000, home: "/home/web".into(), ..User::default() };
            let overlay = Overlay::empty().with_directory("/home/web/.ssh").with_user(web).with_file("/etc/passwd", "root");
            Machine::new(overlay.with_symlink(public, "/etc/passwd"))
        };
        assert!(planted().refusal("user: { name: web, generate_ssh_key: true }").contains("its private key is not"));
        let mut machine = planted();
        machine.task_once("user: { name: web, generate_ssh_key: true, force: true }").expect("runs");
        assert!(machine.sys.query_link(Path::new(public)).expect("looks").is_none(), "the link is gone before a key is made");
    }

    #[test]
    fn only_what_differs_is_changed() {
        let mut machine = machine();
        assert_eq!(machine.task("user: { name: web, uid: 1000, shell: /bin/sh, home: /home/web }").expect("runs").effects, []);
        let ran = machine.task("user: { name: web, comment: The web, shell: /usr/sbin/nologin }").expect("runs");
        assert_eq!(ran.effects.len(), 1);
        assert_eq!(ran.output.values.text("comment"), Some("The web"));
    }

    #[test]
    fn a_password_is_set_once_and_not_shown() {
        let mut machine = machine();
        let ran = machine.task("user: { name: web, password: $6$salt$hash }").expect("runs");
        assert_eq!(ran.effects.len(), 1);
        assert_eq!(ran.output.values.text("password"), Some("NOT_LOGGING_PASSWORD"));
        assert_eq!(machine.task("user: { name: web, password: $6$other$x, update_password: on_create }").expect("runs").effects, []);
        assert_eq!(machine.task("user: { name: web, password_lock: true }").expect("runs").effects.len(), 1);
    }

    #[test]
    fn a_group_that_is_not_there_is_refused() {
        assert_eq!(machine().refusal("user: { name: web, groups: [nope] }"), "Group nope does not exist");
    }

    #[test]
    fn an_account_that_is_not_wanted_goes() {
        let mut machine = machine();
        let ran = machine.task("user: { name: web, state: absent, remove: true }").expect("runs");
        assert_eq!(ran.effects, [Effect::User { name: "web".into(), state: None }]);
    }

    #[test]
    fn a_password_that_is_no_hash_is_warned_of() {
        let sha512 = format!("$6$rounds=656000$salt${}", "a".repeat(86));
        let yescrypt = format!("$y$j9T$salt${}", "b".repeat(43));
        for fine in [sha512.as_str(), &yescrypt, "!", "*", "$2b$12$abcdefghijklmnopqrstuv"] {
            assert!(super::looks_hashed(fine), "{fine}");
        }
        for plain in ["plaintext", "a$b", &sha512.replacen("aaaaa", "+++++", 1), &sha512[..sha512.len() - 1], "$6$a:b$c"] {
            assert!(!super::looks_hashed(plain), "{plain}");
        }
    }
}
