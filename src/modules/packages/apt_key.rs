//! `ansible.builtin.apt_key`: keys that apt trusts. Keyrings are read and written here, so that no `gpg` is needed on the host.

use std::path::{Path, PathBuf};

use crate::base::Value;
use crate::modules::network::download;
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Attributes, Failure, Mode, Result, System, WriteFile};

use super::openpgp::{PublicKey, read_keys};

pub struct AptKey;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Adds a key to a keyring of apt, or removes it. On Debian 13 and later name a `keyring`, or better use
    /// `ansible.builtin.deb822_repository` with `signed_by`.
    pub struct AptKeyArgs {
        /// Fingerprint of the key, or its long or short id: what is trusted already is not fetched again.
        id: Option<String>,
        /// The key itself, armoured.
        data: Option<String>,
        /// A file on the host with the key.
        file: Option<PathBuf>,
        /// The keyring that is to hold it; without one the keys that apt trusts for every repository.
        keyring: Option<PathBuf>,
        /// Where to fetch the key from.
        url: Option<String>,
        /// A key server to fetch it from by its `id`.
        keyserver: Option<String>,
        /// Check the server's certificate.
        validate_certs: bool = true,
        /// Whether it is to be trusted.
        state: State = State::Present,
    }
    rules [
        Rule::Exclusive(&["data", "file", "keyserver", "url"]),
        Rule::RequiredIf("state", "absent", &["id"]),
    ]
}

/// Where `apt-key` keeps keys that are trusted for every repository.
const TRUSTED: &str = "/etc/apt/trusted.gpg";
const TRUSTED_PARTS: &str = "/etc/apt/trusted.gpg.d";

impl Module for AptKey {
    const NAME: &'static str = "ansible.builtin.apt_key";
    type Args = AptKeyArgs;

    fn run(args: AptKeyArgs, sys: &mut System) -> Result<Output> {
        if args.keyring.is_none() && sys.find_program("apt-key").is_none() && !sys.packages_are_planned() {
            let message = "there is no `apt-key` on this host, as on Debian since 13: use `ansible.builtin.deb822_repository` with `signed_by`, or name a `keyring`";
            return Err(Failure::new(message).at("keyring"));
        }
        let id = args.id.as_deref().map(key_id).transpose()?;
        match (args.state, id) {
            (State::Absent, id) => remove(&args, &id.unwrap_or_default(), sys),
            (State::Present, id) => add(&args, id.as_deref(), sys),
        }
    }
}

fn add(args: &AptKeyArgs, id: Option<&str>, sys: &mut System) -> Result<Output> {
    let rings = Keyring::all(args.keyring.as_deref(), sys)?;
    let trusted = || rings.iter().flat_map(|ring| &ring.keys);
    if let Some(id) = id.filter(|id| trusted().any(|key| key.is(id))) {
        return Ok(told(args, id, &rings));
    }
    let (keys, source) = fetch(args, id, sys)?;
    let Some(first) = keys.first() else {
        return Err(Failure::new(format!("there is no public key in {source}")));
    };
    if let Some(id) = id
        && !keys.iter().any(|key| key.is(id))
    {
        return Err(Failure::new(format!("{source} holds the key {} and not `{id}`", first.fingerprints[0])).at("id"));
    }
    let output = told(args, id.unwrap_or(last(&first.fingerprints[0], LONG)), &rings);
    let new: Vec<PublicKey> = keys.into_iter().filter(|key| !trusted().any(|known| known.is(&key.fingerprints[0]))).collect();
    if new.is_empty() {
        return Ok(output);
    }
    let path = args.keyring.clone().unwrap_or_else(|| PathBuf::from(TRUSTED));
    let mut keys = rings.into_iter().find(|ring| ring.path == path).map_or_else(Vec::new, |ring| ring.keys);
    keys.extend(new);
    Keyring { path, keys }.write(sys)?;
    with_after(args, id, output, sys)
}

fn remove(args: &AptKeyArgs, id: &str, sys: &mut System) -> Result<Output> {
    let rings = Keyring::all(args.keyring.as_deref(), sys)?;
    let output = told(args, id, &rings);
    let holding: Vec<Keyring> = rings.into_iter().filter(|ring| ring.keys.iter().any(|key| key.is(id))).collect();
    if holding.is_empty() {
        return Ok(output);
    }
    if let Some(key) = holding.iter().flat_map(|ring| &ring.keys).find(|key| key.is(id) && !key.fingerprints[0].ends_with(id)) {
        let message = format!("`{id}` is a subkey of {}: a key is removed by its own id", key.fingerprints[0]);
        return Err(Failure::new(message).at("id"));
    }
    for mut ring in holding {
        ring.keys.retain(|key| !key.is(id));
        ring.write(sys)?;
    }
    with_after(args, Some(id), output, sys)
}

/// An id as keys are compared with it: upper-case hex.
fn key_id(given: &str) -> Result<String> {
    let id = given.trim().to_uppercase();
    let id = id.strip_prefix("0X").unwrap_or(&id).replace(' ', "");
    let is_id = matches!(id.len(), 8 | 16 | 40) && id.chars().all(|c| c.is_ascii_hexdigit());
    is_id.then_some(id).ok_or_else(|| Failure::new(format!("Invalid key_id: `{given}` is no id and no fingerprint of a key")).at("id"))
}

/// Digits of a long id and of a short one.
const LONG: usize = 16;
const SHORT: usize = 8;

fn last(id: &str, digits: usize) -> &str {
    &id[id.len().saturating_sub(digits)..]
}

/// What playbooks read: the key's ids, and those of all keys there are before.
fn told(args: &AptKeyArgs, id: &str, rings: &[Keyring]) -> Output {
    let given = args.id.clone().unwrap_or_else(|| id.to_owned());
    let output = Output::new().with("id", given).with("key_id", id).with("fp", last(id, LONG)).with("short_id", last(id, SHORT));
    output.with("before", ids(rings, id))
}

fn with_after(args: &AptKeyArgs, id: Option<&str>, output: Output, sys: &System) -> Result<Output> {
    Ok(output.with("after", ids(&Keyring::all(args.keyring.as_deref(), sys)?, id.unwrap_or_default())))
}

/// The ids of keys and subkeys, short ones where a short one was asked for.
fn ids(rings: &[Keyring], asked: &str) -> Value {
    let digits = if asked.len() == SHORT { SHORT } else { LONG };
    let fingerprints = rings.iter().flat_map(|ring| &ring.keys).flat_map(|key| &key.fingerprints);
    Value::list(fingerprints.map(|fingerprint| last(fingerprint, digits).to_owned()))
}

struct Keyring {
    path: PathBuf,
    keys: Vec<PublicKey>,
}

impl Keyring {
    /// The keyring that was named, else all that apt trusts for every repository.
    fn all(named: Option<&Path>, sys: &System) -> Result<Vec<Keyring>> {
        let paths = match named {
            Some(path) => vec![path.to_owned()],
            None => {
                let mut paths = vec![PathBuf::from(TRUSTED)];
                if sys.query_file(Path::new(TRUSTED_PARTS))?.is_some() {
                    paths
                        .extend(sys.query_directory(Path::new(TRUSTED_PARTS))?.into_iter().map(|name| Path::new(TRUSTED_PARTS).join(name)));
                }
                paths.retain(|path| path.extension().is_some_and(|ending| ending == "gpg" || ending == "asc"));
                paths
            }
        };
        let mut rings = Vec::new();
        for path in paths {
            if sys.query_file(&path)?.is_some() {
                match read_keys(&sys.query_content(&path)?) {
                    Ok(keys) => rings.push(Keyring { path, keys }),
                    // apt too passes over a part that it cannot read.
                    Err(_) if path.starts_with(TRUSTED_PARTS) && named.is_none() => {}
                    Err(why) => return Err(no_keyring(&path.display().to_string(), &why)),
                }
            }
        }
        Ok(rings)
    }

    /// Writes it; one without a key is removed.
    fn write(self, sys: &mut System) -> Result<()> {
        if self.keys.is_empty() {
            return sys.remove(&self.path).map(drop);
        }
        let bytes: Vec<u8> = self.keys.into_iter().flat_map(|key| key.bytes).collect();
        if self.path.extension().is_some_and(|ending| ending == "asc") {
            let message = format!("`{}` would be an armoured keyring, and this one is binary: name it `.gpg`", self.path.display());
            return Err(Failure::new(message).at("keyring"));
        }
        // apt reads it as a user of its own.
        let attributes = Attributes { mode: Some(Mode::Octal(0o644)), ..Attributes::default() };
        sys.write_file(WriteFile::new(self.path, bytes).attributes(attributes)).map(drop)
    }
}

fn no_keyring(what: &str, why: &str) -> Failure {
    Failure::new(format!("`{what}` is no keyring: {why}"))
}

/// The keys that a task brings, and what they came from.
fn fetch(args: &AptKeyArgs, id: Option<&str>, sys: &mut System) -> Result<(Vec<PublicKey>, String)> {
    let (content, source) = if let Some(data) = &args.data {
        (data.clone().into_bytes(), "`data`".to_owned())
    } else if let Some(file) = &args.file {
        (sys.query_content(file)?.to_vec(), format!("`{}`", file.display()))
    } else if let Some(url) = &args.url {
        (download(url, args.validate_certs, sys)?, format!("`{url}`"))
    } else if let Some(server) = &args.keyserver {
        let Some(id) = id else {
            return Err(Failure::new("a key server gives a key by its `id`: name that").at("keyserver"));
        };
        (download(&lookup(server, id)?, args.validate_certs, sys)?, format!("`{server}`"))
    } else {
        return Err(Failure::new("the key is not trusted yet: say where it comes from with `data`, `file`, `url` or `keyserver`").at("id"));
    };
    let keys = read_keys(&content).map_err(|why| no_keyring(source.trim_matches('`'), &why))?;
    Ok((keys, source))
}

/// Where a key server gives a key (HKP).
fn lookup(server: &str, id: &str) -> Result<String> {
    let (scheme, host) = server.split_once("://").unwrap_or(("hkp", server));
    let host = host.trim_end_matches('/');
    let (scheme, port) = match scheme {
        "hkp" if host.contains(':') => ("http", ""),
        "hkp" => ("http", ":11371"),
        "hkps" | "https" => ("https", ""),
        "http" => ("http", ""),
        other => return Err(Failure::new(format!("a key server is asked by hkp, hkps, http or https, not by `{other}`")).at("keyserver")),
    };
    Ok(format!("{scheme}://{host}{port}/pks/lookup?op=get&options=mr&search=0x{id}"))
}

#[cfg(test)]
mod tests {
    use super::super::openpgp::tests::{ONE, ONE_ID, TWO, TWO_ID};
    use super::*;
    use crate::modules::network::testing::{Server, reply};
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    const RING: &str = "/etc/apt/keyrings/probe.gpg";

    fn machine() -> Machine {
        let overlay = Overlay::empty().with_directory("/etc/apt/keyrings").with_file("/tmp/one.asc", ONE).with_file("/tmp/two.asc", TWO);
        Machine::new(overlay)
    }

    fn ring(machine: &Machine) -> Vec<String> {
        let keys = read_keys(&machine.sys.query_content(Path::new(RING)).expect("reads")).expect("is a keyring");
        keys.into_iter().map(|key| key.fingerprints[0].clone()).collect()
    }

    #[test]
    fn keys_are_added_to_a_keyring_without_apt_key_and_taken_away() {
        let mut machine = machine();
        let ran = machine.task(&format!("apt_key: {{ file: /tmp/one.asc, keyring: {RING} }}")).expect("runs");
        assert_eq!(ran.effects.len(), 1);
        let told = ["id", "key_id", "fp", "short_id"].map(|name| ran.output.values.text(name).unwrap_or_default());
        assert_eq!(told, ["139DB1CBFC637BC7", "139DB1CBFC637BC7", "139DB1CBFC637BC7", "FC637BC7"]);
        assert_eq!(ran.output.values.get("after"), Some(&Value::list(["139DB1CBFC637BC7", "B50C08BA52D57B21"])));
        machine.task(&format!("apt_key: {{ file: /tmp/two.asc, id: '0x{}', keyring: {RING} }}", TWO_ID.to_lowercase())).expect("runs");
        assert_eq!(ring(&machine), [ONE_ID, TWO_ID]);
        let subkey = machine.refusal(&format!("apt_key: {{ id: B50C08BA52D57B21, keyring: {RING}, state: absent }}"));
        assert!(subkey.contains(&format!("a subkey of {ONE_ID}")), "{subkey}");
        machine.task(&format!("apt_key: {{ id: '{ONE_ID}', keyring: {RING}, state: absent }}")).expect("runs");
        assert_eq!(ring(&machine), [TWO_ID]);
        machine.task(&format!("apt_key: {{ id: '{TWO_ID}', keyring: {RING}, state: absent }}")).expect("runs");
        assert!(machine.sys.query_file(Path::new(RING)).expect("looks").is_none());
    }

    #[test]
    fn without_a_keyring_the_host_must_have_apt_key() {
        let said = machine().refusal("apt_key: { file: /tmp/one.asc }");
        assert!(said.contains("no `apt-key`") && said.contains("ansible.builtin.deb822_repository"), "{said}");
        let mut older = Machine::new(Overlay::empty().with_file("/tmp/one.asc", ONE).with_directory("/etc/apt"));
        older.task("file: { path: /usr/bin, state: directory }").expect("runs");
        older.task("copy: { content: x, dest: /usr/bin/apt-key, mode: '0755' }").expect("runs");
        older.task("apt_key: { file: /tmp/one.asc }").expect("runs");
        assert!(older.sys.query_file(Path::new(TRUSTED)).expect("looks").is_some());
        assert_eq!(older.task(&format!("apt_key: {{ id: {ONE_ID}, state: absent }}")).expect("runs").effects.len(), 1);
    }

    #[test]
    fn a_key_server_is_asked_once_and_must_give_the_key_that_was_asked_for() {
        let server = Server::start(|_| reply("200 OK", ONE));
        let mut machine = machine();
        let from = format!("keyserver: '{}', keyring: {RING}", server.url.trim_end_matches('/'));
        assert!(machine.refusal(&format!("apt_key: {{ id: {TWO_ID}, {from} }}")).contains(&format!("and not `{TWO_ID}`")));
        machine.task(&format!("apt_key: {{ id: {ONE_ID}, {from} }}")).expect("runs");
        assert_eq!(server.asked().len(), 2, "the second run knows it");
        assert!(server.asked()[1].contains(&format!("/pks/lookup?op=get&options=mr&search=0x{ONE_ID}")));
        assert_eq!(
            lookup("keyserver.test", "AB").ok().as_deref(),
            Some("http://keyserver.test:11371/pks/lookup?op=get&options=mr&search=0xAB")
        );
        assert_eq!(
            lookup("hkps://keyserver.test", "AB").ok().as_deref(),
            Some("https://keyserver.test/pks/lookup?op=get&options=mr&search=0xAB")
        );
        assert!(lookup("ldap://keyserver.test", "AB").is_err());
    }

    #[test]
    fn what_cannot_be_trusted_is_refused() {
        let mut machine = machine();
        let refused = [
            (format!("id: {ONE_ID}"), "say where it comes from"),
            ("data: hello".to_owned(), "`data` is no keyring: there is no public key in it"),
            ("id: xyz, file: /tmp/one.asc".to_owned(), "Invalid key_id"),
            ("keyserver: keyserver.test".to_owned(), "name that"),
            ("state: absent".to_owned(), "missing: id"),
        ];
        for (options, expected) in refused {
            let said = machine.refusal(&format!("apt_key: {{ {options}, keyring: {RING} }}"));
            assert!(said.contains(expected), "{said}");
        }
        assert!(machine.refusal("apt_key: { file: /tmp/one.asc, keyring: /etc/apt/keyrings/probe.asc }").contains("name it `.gpg`"));
    }
}
