//! `ansible.builtin.known_hosts`: a server's key stands in a `known_hosts` file, or does not.

use std::path::PathBuf;

use base64::Engine as _;
use hmac::{Hmac, Mac};

use crate::base::Value;
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Attributes, Failure, Mode, Result, System, WriteFile};

pub struct KnownHosts;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Adds a server's key to a file of known hosts, or removes it.
    pub struct KnownHostsArgs {
        /// The server's name, as it stands in the file.
        name | "host": String,
        /// Its key, as `ssh-keyscan` prints it: name, type, key.
        key: Option<String>,
        /// The file.
        path: PathBuf = "~/.ssh/known_hosts",
        /// Write the name as a hash.
        hash_host: bool = false,
        /// Whether it is to be there.
        state: State = State::Present,
    }
}

impl Module for KnownHosts {
    const NAME: &'static str = "ansible.builtin.known_hosts";
    type Args = KnownHostsArgs;

    fn run(args: KnownHostsArgs, sys: &mut System) -> Result<Output> {
        let path = PathBuf::from(sys.expand_home(&args.path.to_string_lossy())?);
        let host = args.name.to_lowercase();
        let wanted = wanted(&args, &host)?;
        let old = if sys.query_file(&path)?.is_some() { sys.query_text(&path)? } else { String::new() };
        let new = match args.state {
            State::Present => match &wanted {
                Some((line, key)) => with_key(&old, &host, line, key),
                None => return Err(Failure::new("No key specified when adding a host").at("key")),
            },
            State::Absent => without(&old, &host, wanted.as_ref().map(|(_, key)| key)),
        };
        let shown = path.to_string_lossy().into_owned();
        let before_header = if sys.query_file(&path)?.is_some() { shown.as_str() } else { "/dev/null" };
        let difference = Value::map([("before_header", before_header), ("after_header", &shown), ("before", &old), ("after", &new)]);
        if new != old {
            let attributes = |mode| Attributes { mode: Some(Mode::Octal(mode)), ..Attributes::default() };
            if let Some(folder) = path.parent()
                && sys.query_file(folder)?.is_none()
            {
                sys.make_directory(folder, &attributes(0o700))?;
            }
            sys.write_file(WriteFile::new(&path, new))?;
        }
        Ok(Output::new()
            .with("name", args.name)
            .with("key", args.key)
            .with("path", shown)
            .with("diff", difference)
            .with("hash_host", args.hash_host)
            .with("state", args.state.as_str()))
    }
}

/// A key without the name it stands under.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key<'l> {
    marker: Option<&'l str>,
    hosts: &'l str,
    kind: &'l str,
    blob: &'l str,
}

impl<'l> Key<'l> {
    fn read(line: &'l str) -> Option<Key<'l>> {
        let mut words = line.split_whitespace().peekable();
        let marker = words.next_if(|word| word.starts_with('@'));
        let (hosts, kind, blob) = (words.next()?, words.next()?, words.next()?);
        (!hosts.starts_with('#')).then_some(Key { marker, hosts, kind, blob })
    }

    /// Whether it stands under this name: plainly, by a pattern, in a list, or hashed.
    fn is_of(&self, host: &str) -> bool {
        match self.hosts.strip_prefix("|1|") {
            Some(hashed) => hashed.split_once('|').is_some_and(|(salt, hash)| {
                let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).ok();
                decode(salt).zip(decode(hash)).is_some_and(|(salt, hash)| hash_of(host, &salt) == hash)
            }),
            None => {
                let matches = |pattern: &str| matches_name(pattern.to_lowercase().as_bytes(), host.as_bytes());
                let (except, of): (Vec<&str>, Vec<&str>) = self.hosts.split(',').partition(|pattern| pattern.starts_with('!'));
                of.into_iter().any(matches) && !except.into_iter().any(|pattern| matches(&pattern[1..]))
            }
        }
    }

    fn same_key(&self, other: &Key<'_>) -> bool {
        (self.marker, self.kind, self.blob) == (other.marker, other.kind, other.blob)
    }
}

/// A name against a pattern of OpenSSH: `*` is any text, `?` any character.
fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skipped| matches_name(rest, &name[skipped..])),
        ([b'?', rest @ ..], [_, others @ ..]) => matches_name(rest, others),
        ([letter, rest @ ..], [other, others @ ..]) if letter == other => matches_name(rest, others),
        _ => false,
    }
}

fn hash_of(host: &str, salt: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    Hmac::<sha1::Sha1>::new_from_slice(salt).map(|mac| mac.chain_update(host).finalize().into_bytes().to_vec()).unwrap_or_default()
}

/// The line to write and the same line as given, which is what is looked for.
fn wanted(args: &KnownHostsArgs, host: &str) -> Result<Option<(String, String)>> {
    let Some(given) = args.key.as_deref().map(str::trim).filter(|key| !key.is_empty()) else { return Ok(None) };
    if host.contains(',') {
        let message = "Comma separated list of names is not supported. Please pass a single name to lookup in the known_hosts file.";
        return Err(Failure::new(message).at("name"));
    }
    let key = Key::read(given).ok_or_else(|| Failure::new("the key is not as `ssh-keyscan` prints it: name, type, key").at("key"))?;
    if !key.is_of(host) {
        return Err(Failure::new("Host parameter does not match hashed host field in supplied key").at("key"));
    }
    if !args.hash_host || key.hosts.starts_with("|1|") {
        return Ok(Some((given.to_owned(), given.to_owned())));
    }
    let salt: [u8; 20] = rand::random();
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let hashed = format!("|1|{}|{}", encode(&salt), encode(&hash_of(host, &salt)));
    Ok(Some((given.replacen(key.hosts, &hashed, 1), given.to_owned())))
}

/// The file with the key in it: the same key is left alone, another of its type under this name gives way. Keys of authorities and those that
/// were revoked only ever go when they are named themselves.
fn with_key(old: &str, host: &str, line: &str, given: &str) -> String {
    let Some(wanted) = Key::read(given) else { return old.to_owned() };
    let is_hashed = |key: &Key<'_>| key.hosts.starts_with("|1|");
    let wants_hash = Key::read(line).as_ref().is_some_and(is_hashed);
    let mut out: Vec<&str> = old.lines().collect();
    for (at, text) in old.lines().enumerate() {
        let Some(key) = Key::read(text).filter(|key| key.is_of(host)) else { continue };
        let same_hosts = if is_hashed(&key) { wants_hash } else { !wants_hash && key.hosts == wanted.hosts };
        if same_hosts && key.same_key(&wanted) {
            return old.to_owned();
        }
        if key.marker.is_none() && key.kind == wanted.kind {
            out.remove(at);
            break;
        }
    }
    out.push(line);
    out.join("\n") + "\n"
}

/// The file without this key, or without any key of this name.
fn without(old: &str, host: &str, given: Option<&String>) -> String {
    let wanted = given.and_then(|given| Key::read(given));
    let goes =
        |line: &&str| Key::read(line).is_some_and(|key| key.is_of(host) && wanted.as_ref().is_none_or(|wanted| key.same_key(wanted)));
    let kept: Vec<&str> = old.split_inclusive('\n').filter(|line| !goes(line)).collect();
    kept.concat()
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;
    use std::path::Path;

    fn run(before: &str, options: &str) -> String {
        let mut machine = Machine::new(Overlay::empty().with_file("/k", before));
        machine.task(&format!("known_hosts: {{ path: /k, {options} }}")).expect("runs");
        machine.sys.query_text(Path::new("/k")).expect("reads")
    }

    #[test]
    fn a_key_is_added_once_and_replaced_when_it_changed() {
        assert_eq!(run("", "name: git.example, key: git.example ssh-rsa AAAA"), "git.example ssh-rsa AAAA\n");
        let before = "a ssh-rsa 1\ngit.example ssh-rsa OLD\n";
        assert_eq!(run(before, "name: git.example, key: git.example ssh-rsa NEW"), "a ssh-rsa 1\ngit.example ssh-rsa NEW\n");
        assert_eq!(run("a ssh-rsa 1\n", "name: a, key: a ssh-ed25519 2"), "a ssh-rsa 1\na ssh-ed25519 2\n");
    }

    #[test]
    fn keys_of_authorities_stay_beside_each_other() {
        let before = "@cert-authority *.example ssh-ed25519 1\n";
        let ca = run(before, "name: '*.example', key: '@cert-authority *.example ssh-ed25519 2'");
        assert_eq!(ca, "@cert-authority *.example ssh-ed25519 1\n@cert-authority *.example ssh-ed25519 2\n");
        assert_eq!(run(before, "name: a.example, key: a.example ssh-ed25519 3"), format!("{before}a.example ssh-ed25519 3\n"));
    }

    #[test]
    fn a_key_that_a_pattern_gives_to_the_name_gives_way() {
        assert_eq!(run("*.example ssh-rsa 1\n", "name: a.example, key: a.example ssh-rsa 2"), "a.example ssh-rsa 2\n");
        let others = "*.example,!a.example ssh-rsa 1\n";
        assert_eq!(run(others, "name: a.example, key: a.example ssh-rsa 2"), format!("{others}a.example ssh-rsa 2\n"));
    }

    #[test]
    fn a_hashed_name_is_found_again() {
        let hashed = run("", "name: git.example, key: git.example ssh-rsa AAAA, hash_host: true");
        assert!(hashed.starts_with("|1|") && !hashed.contains("git.example"), "{hashed}");
        assert_eq!(run(&hashed, "name: git.example, state: absent"), "");
    }

    #[test]
    fn a_key_of_another_host_is_refused() {
        let mut machine = Machine::new(Overlay::empty());
        let message = machine.refusal("known_hosts: { path: /k, name: a, key: b ssh-rsa AAAA }");
        assert_eq!(message, "Host parameter does not match hashed host field in supplied key");
        assert_eq!(machine.refusal("known_hosts: { path: /k, name: a }"), "No key specified when adding a host");
    }
}
