//! What a lab host takes over from this machine: the Debian mirror, apt's settings, name servers, certificate authorities.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{LabError, Result};

/// For a machine whose apt sources name no mirror: the list that its owner keeps for apt.
const DEFAULT_MIRROR: &str = "mirror+file:/etc/apt/mirrorlist";
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The mirror this machine installs Debian from.
pub fn mirror() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap_or_default().trim_matches('"').to_owned();
    let mut texts: Vec<(PathBuf, String)> = Vec::new();
    let files = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    for path in files.chain([PathBuf::from("/etc/apt/sources.list")]) {
        texts.push((path.clone(), fs::read_to_string(path).unwrap_or_default()));
    }
    texts.sort();
    texts.iter().find_map(|(_, text)| mirror_in(text, &codename)).unwrap_or_else(|| DEFAULT_MIRROR.to_owned())
}

/// The first source of the release's `main`, in either of apt's two formats.
fn mirror_in(text: &str, codename: &str) -> Option<String> {
    let one_line = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let rest = match words.as_slice() {
            ["deb", option, rest @ ..] if option.starts_with('[') => {
                // Options may hold spaces up to the closing bracket.
                let end = if option.ends_with(']') { 0 } else { rest.iter().position(|word| word.ends_with(']'))? + 1 };
                &rest[end..]
            }
            ["deb", rest @ ..] => rest,
            _ => return None,
        };
        match rest {
            [uri, suite, components @ ..] if *suite == codename && components.contains(&"main") => Some((*uri).to_owned()),
            _ => None,
        }
    });
    let stanzas = text.split("\n\n").filter_map(|stanza| {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::split_whitespace));
        let holds = |name: &str, value: &str| field(name).is_some_and(|mut words| words.any(|word| word == value));
        let wanted = holds("Types", "deb") && holds("Suites", codename) && holds("Components", "main") && !holds("Enabled", "no");
        if wanted { field("URIs").and_then(|mut uris| uris.next()).map(str::to_owned) } else { None }
    });
    one_line.chain(stanzas).next()
}

/// The files of this machine's apt settings that say how to reach a mirror.
pub fn apt_settings() -> Vec<PathBuf> {
    let entries = fs::read_dir("/etc/apt/apt.conf.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let proxy = || fs::read_to_string(path).is_ok_and(|text| text.to_lowercase().contains("proxy"));
            path.is_file() && (name.starts_with("99") || proxy())
        })
        .collect();
    files.sort();
    files
}

/// Name servers that a host on the lab's bridge can reach: systemd-resolved's own address is of this machine only.
pub fn resolv_conf() -> Result<String> {
    let path = Path::new("/etc/resolv.conf");
    let text = fs::read_to_string(path).map_err(LabError::io("read", path))?;
    if !only_loopback(&text) {
        return Ok(text);
    }
    Ok(fs::read_to_string("/run/systemd/resolve/resolv.conf").unwrap_or(text))
}

fn only_loopback(resolv_conf: &str) -> bool {
    let mut servers = resolv_conf.lines().filter_map(|line| line.strip_prefix("nameserver")).map(str::trim).peekable();
    servers.peek().is_some() && servers.all(|server| server.starts_with("127.") || server == "::1")
}

/// The certificates this machine trusts beyond those that Debian ships: a company's proxy, for one. Without them a host could not
/// fetch over https what this machine can.
pub fn own_authorities() -> Vec<String> {
    let shipped = walkdir::WalkDir::new("/usr/share/ca-certificates").into_iter().flatten();
    let texts = shipped.filter(|entry| entry.file_type().is_file()).filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let known: BTreeSet<String> = texts.flat_map(|text| certificates(&text)).collect();
    let bundle = fs::read_to_string(BUNDLE).unwrap_or_default();
    certificates(&bundle).into_iter().filter(|certificate| !known.contains(certificate)).collect()
}

fn certificates(bundle: &str) -> Vec<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let bodies = bundle.split(BEGIN).skip(1).filter_map(|rest| rest.split_once(END));
    bodies.map(|(body, _)| format!("{BEGIN}\n{}\n{END}\n", body.split_whitespace().collect::<Vec<_>>().join("\n"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_read_from_deb822_sources_and_not_from_strangers() {
        let text = "Types: deb\nURIs: https://deb.example.test/node\nSuites: nodistro\nComponents: main\n\n\
            Types: deb\n# a comment\nURIs: http://mirror.example.test/debian\nSuites: bookworm bookworm-updates\nComponents: main\n";
        assert_eq!(mirror_in(text, "bookworm").as_deref(), Some("http://mirror.example.test/debian"));
        assert_eq!(mirror_in(text, "trixie"), None);
    }

    #[test]
    fn the_mirror_is_read_from_one_line_sources_with_options() {
        let text = "# deb http://old.example.test/debian bookworm main\n\
            deb [arch=amd64 signed-by=/k.gpg] http://mirror.example.test/debian bookworm main contrib\n";
        assert_eq!(mirror_in(text, "bookworm").as_deref(), Some("http://mirror.example.test/debian"));
        let security = "deb http://security.example.test/debian-security bookworm-security main\n";
        assert_eq!(mirror_in(security, "bookworm"), None);
    }

    #[test]
    fn a_name_server_of_this_machine_only_is_noticed() {
        assert!(only_loopback("nameserver 127.0.0.53\noptions edns0\n"));
        assert!(!only_loopback("nameserver 127.0.0.1\nnameserver 192.0.2.1\n"));
        assert!(!only_loopback("search example.test\n"));
    }

    #[test]
    fn certificates_compare_equal_however_their_lines_end() {
        let unix = "-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----\n";
        assert_eq!(certificates(unix), certificates(&format!("# name\r\n{}", unix.replace('\n', "\r\n"))));
        assert_eq!(certificates(unix).len(), 1);
    }
}
