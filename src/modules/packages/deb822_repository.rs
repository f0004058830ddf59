//! `ansible.builtin.deb822_repository`: a repository of apt in the newer form, one file with fields each.

use std::path::{Path, PathBuf};

use crate::base::Value;
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Attributes, Command, Failure, Mode, Result, System, WriteFile};

pub struct Deb822Repository;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

choices! {
    pub enum SourceType { Deb = "deb", DebSrc = "deb-src" }
}

module_args! {
    /// Writes a repository of apt as a `.sources` file, with its key.
    pub struct Deb822Args {
        /// Name of the repository; its file is named after it.
        name: String,
        /// Whether it should be there.
        state: State = State::Present,
        /// Use indexes by their hash.
        by_hash: Option<bool>,
        /// Whether a release may lack its date.
        check_date: Option<bool>,
        /// Whether a release expires.
        check_valid_until: Option<bool>,
        /// Accept it though its release file is not signed well.
        allow_insecure: Option<bool>,
        /// Accept weak hashes.
        allow_weak: Option<bool>,
        /// Accept a release that was signed before.
        allow_downgrade_to_insecure: Option<bool>,
        /// Architectures.
        architectures: Option<Vec<String>>,
        /// Components.
        components: Option<Vec<String>>,
        /// Most seconds that a date may lie ahead.
        date_max_future: Option<i64>,
        /// Whether apt reads it.
        enabled: Option<bool>,
        /// Path of the file of changes.
        inrelease_path: Option<String>,
        /// Languages of translations.
        languages: Option<Vec<String>>,
        /// Mode of the file.
        mode: Option<Mode>,
        /// Whether to use differences of indexes.
        pdiffs: Option<bool>,
        /// Its key: a path, a fingerprint, an address, or the armoured key itself.
        signed_by: Option<String>,
        /// Suites.
        suites: Option<Vec<String>>,
        /// Which of its targets to use.
        targets: Option<Vec<String>>,
        /// Trust it without a signature.
        trusted: Option<bool>,
        /// Kinds of packages.
        types: Option<Vec<SourceType>>,
        /// Addresses.
        uris: Option<Vec<String>>,
        /// Seconds that a release is valid at most.
        valid_until_max: Option<i64>,
        /// Seconds that a release is valid at least.
        valid_until_min: Option<i64>,
    }
    accepts {
        /// Install python3-debian; not needed here.
        install_python_debian: bool,
    }
}

impl Module for Deb822Repository {
    const NAME: &'static str = "ansible.builtin.deb822_repository";
    type Args = Deb822Args;

    fn run(args: Deb822Args, sys: &mut System) -> Result<Output> {
        let slug: String = args.name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
        let path = PathBuf::from(format!("/etc/apt/sources.list.d/{slug}.sources"));
        let keys = ["asc", "gpg"].map(|ending| PathBuf::from(format!("/etc/apt/keyrings/{slug}.{ending}")));
        let output = Output::new().with("dest", path.to_string_lossy().into_owned());
        if args.state == State::Absent {
            sys.remove(&path)?;
            for key in &keys {
                sys.remove(key)?;
            }
            return Ok(output.with("repo", Value::Null).with("key_filename", Value::Null));
        }
        let missing: Vec<&str> = [("uris", args.uris.is_some()), ("suites", args.suites.is_some())]
            .iter()
            .filter(|(_, given)| !given)
            .map(|(name, _)| *name)
            .collect();
        if !missing.is_empty() {
            return Err(Failure::new(format!("state is present but all of the following are missing: {}", missing.join(", "))));
        }
        let key = match args.signed_by.as_deref() {
            Some(signed) => Some(key(signed, &keys, sys)?),
            None => None,
        };
        let text = render(&args, key.as_ref());
        let mode = args.mode.clone().unwrap_or(Mode::Octal(0o644));
        sys.make_directory(Path::new("/etc/apt/sources.list.d"), &Attributes::default())?;
        sys.write_file(WriteFile::new(&path, text.clone()).attributes(Attributes { mode: Some(mode), ..Attributes::default() }))?;
        let file = match key {
            Some(Key::File(path)) => Value::from(path.to_string_lossy().into_owned()),
            _ => Value::Null,
        };
        Ok(output.with("repo", text).with("key_filename", file))
    }
}

enum Key {
    File(PathBuf),
    /// A fingerprint, or the key itself, written into the file.
    Text(String),
}

fn key(signed: &str, places: &[PathBuf; 2], sys: &mut System) -> Result<Key> {
    if signed.contains("://") {
        // An address is fetched once: the key of a repository does not change under its name.
        if let Some(there) = places.iter().find(|path| matches!(sys.query_file(path), Ok(Some(_)))) {
            return Ok(Key::File(there.clone()));
        }
        let content = fetch(signed, sys)?;
        let is_armoured = content.starts_with(b"-----BEGIN PGP");
        let path = if is_armoured || content.is_empty() { &places[0] } else { &places[1] };
        sys.make_directory(Path::new("/etc/apt/keyrings"), &Attributes { mode: Some(Mode::Octal(0o755)), ..Attributes::default() })?;
        sys.write_file(WriteFile::new(path, content).attributes(Attributes { mode: Some(Mode::Octal(0o644)), ..Attributes::default() }))?;
        return Ok(Key::File(path.clone()));
    }
    if signed.starts_with('/') {
        return Ok(Key::File(PathBuf::from(signed)));
    }
    Ok(Key::Text(signed.to_owned()))
}

/// Fetched by apt's own downloader, which knows the host's proxies and certificates.
fn fetch(url: &str, sys: &System) -> Result<Vec<u8>> {
    let folder = sys.query_command(Command::new("mktemp").arg("--directory"))?.check("make a folder for the key")?.stdout_text();
    let path = Path::new(folder.trim()).join("key");
    let download = super::apt_get::quiet("/usr/lib/apt/apt-helper").arg("download-file").arg(url).arg(&path);
    let outcome = sys.query_command(download)?.check(&format!("download the key `{url}`"));
    let content = outcome.and_then(|_| Ok(sys.query_command(Command::new("cat").arg(&path))?.stdout));
    sys.query_command(Command::new("rm").arg("-r").arg("--").arg(folder.trim()))?;
    content
}

fn render(args: &Deb822Args, key: Option<&Key>) -> String {
    let words = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(" "));
    let flag = |flag: Option<bool>| flag.map(|flag| if flag { "yes".to_owned() } else { "no".to_owned() });
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let types =
        args.types.as_ref().map_or_else(|| "deb".to_owned(), |types| types.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" "));
    let signed = key.map(|key| match key {
        Key::File(path) => path.to_string_lossy().into_owned(),
        Key::Text(text) if text.contains('\n') => {
            let lines = text.trim().lines().map(|line| if line.trim().is_empty() { " .".to_owned() } else { format!(" {line}") });
            format!("\n{}", lines.collect::<Vec<_>>().join("\n"))
        }
        Key::Text(text) => text.clone(),
    });
    let fields = [
        ("Allow-Downgrade-To-Insecure", flag(args.allow_downgrade_to_insecure)),
        ("Allow-Insecure", flag(args.allow_insecure)),
        ("Allow-Weak", flag(args.allow_weak)),
        ("Architectures", words(&args.architectures)),
        ("By-Hash", flag(args.by_hash)),
        ("Check-Date", flag(args.check_date)),
        ("Check-Valid-Until", flag(args.check_valid_until)),
        ("Components", words(&args.components)),
        ("Date-Max-Future", number(args.date_max_future)),
        ("Enabled", flag(args.enabled)),
        ("InRelease-Path", args.inrelease_path.clone()),
        ("Languages", words(&args.languages)),
        ("X-Repolib-Name", Some(args.name.clone())),
        ("PDiffs", flag(args.pdiffs)),
        ("Signed-By", signed),
        ("Suites", words(&args.suites)),
        ("Targets", words(&args.targets)),
        ("Trusted", flag(args.trusted)),
        ("Types", Some(types)),
        ("URIs", words(&args.uris)),
        ("Valid-Until-Max", number(args.valid_until_max)),
        ("Valid-Until-Min", number(args.valid_until_min)),
    ];
    let lines = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
    lines.map(|(name, value)| if value.starts_with('\n') { format!("{name}:{value}\n") } else { format!("{name}: {value}\n") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn the_file_has_the_fields_asked_for() {
        let mut machine = Machine::new(Overlay::empty());
        let task = "deb822_repository: { name: My Repo, uris: https://a.example.org, suites: [trixie], components: main, signed_by: /etc/k.asc, enabled: true }";
        let ran = machine.task(task).expect("runs");
        let path = ran.output.values.text("dest").unwrap_or_default().to_owned();
        assert_eq!(path, "/etc/apt/sources.list.d/my-repo.sources");
        let text = machine.sys.query_text(Path::new(&path)).expect("is there");
        let expected = "Components: main\nEnabled: yes\nX-Repolib-Name: My Repo\nSigned-By: /etc/k.asc\nSuites: trixie\nTypes: deb\nURIs: https://a.example.org\n";
        assert_eq!(text, expected);
        assert_eq!(machine.task("deb822_repository: { name: My Repo, state: absent }").expect("runs").effects.len(), 1);
    }
}
