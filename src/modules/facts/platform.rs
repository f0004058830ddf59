//! What the host is: kernel, names, distribution, package and service manager.

use crate::base::{Map, Value};

use super::reader::Reader;

pub fn names(host: &Reader, facts: &mut Map) {
    let kernel = |name: &str| host.text(&format!("/proc/sys/kernel/{name}"));
    let node = kernel("hostname").unwrap_or_else(|| "localhost".into());
    let fqdn = fully_qualified(host, &node);
    let machine = kernel("arch").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let userspace = if cfg!(target_pointer_width = "64") { "64" } else { "32" };
    let architecture = if matches!(machine.as_str(), "i486" | "i586" | "i686") { "i386".to_owned() } else { machine.clone() };
    facts.insert("system", kernel("ostype").unwrap_or_else(|| "Linux".into()));
    facts.insert("kernel", kernel("osrelease").unwrap_or_default());
    facts.insert("kernel_version", kernel("version").unwrap_or_default());
    facts.insert("machine", machine);
    facts.insert("architecture", architecture.clone());
    facts.insert("userspace_bits", userspace);
    facts.insert("userspace_architecture", architecture);
    facts.insert("hostname", node.split('.').next().unwrap_or_default());
    facts.insert("domain", fqdn.split_once('.').map_or("", |(_, domain)| domain));
    facts.insert("fqdn", fqdn);
    facts.insert("nodename", node);
    if let Some(id) = host.text("/etc/machine-id").or_else(|| host.text("/var/lib/dbus/machine-id")) {
        facts.insert("machine_id", id);
    }
}

/// The full name as Python's `getfqdn` finds it: the first dotted name that the host's own address has.
fn fully_qualified(host: &Reader, node: &str) -> String {
    let hosts = host.text("/etc/hosts").unwrap_or_default();
    let canonical = from_lines(&hosts, node).or_else(|| {
        // Other sources than the file are asked only when there are any: a look-up may wait.
        let sources = host.text("/etc/nsswitch.conf").unwrap_or_default();
        let line = sources.lines().find_map(|line| line.trim().strip_prefix("hosts:").map(str::to_owned))?;
        line.split_whitespace().any(|source| source != "files").then_some(())?;
        let forward = host.output(&["getent", "ahosts", node])?;
        let address = forward.split_whitespace().next()?.to_owned();
        let names = from_address(&hosts, &address).or_else(|| from_address(&host.output(&["getent", "hosts", &address])?, &address));
        names.map(|names| qualified(&names))
    });
    canonical.unwrap_or_else(|| node.to_owned())
}

fn from_lines(hosts: &str, node: &str) -> Option<String> {
    let address = entries(hosts).find(|(_, names)| names.contains(&node)).map(|(address, _)| address)?;
    from_address(hosts, address).map(|names| qualified(&names))
}

fn from_address(hosts: &str, address: &str) -> Option<Vec<String>> {
    entries(hosts).find(|(known, _)| *known == address).map(|(_, names)| names.into_iter().map(str::to_owned).collect())
}

fn entries(hosts: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    hosts.lines().filter_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let address = words.next()?;
        let names: Vec<&str> = words.collect();
        (!names.is_empty()).then_some((address, names))
    })
}

fn qualified(names: &[String]) -> String {
    names.iter().find(|name| name.contains('.')).or(names.first()).cloned().unwrap_or_default()
}

/// `KEY=value` and `KEY="value"` lines.
pub fn assignments(text: &str) -> Vec<(&str, String)> {
    let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
    pairs.map(|(key, value)| (key, value.trim().trim_matches(['"', '\'']).to_owned())).collect()
}

pub fn distribution(host: &Reader, facts: &mut Map) {
    let release = host.text("/etc/os-release").or_else(|| host.text("/usr/lib/os-release")).unwrap_or_default();
    let release = assignments(&release);
    let field = |name: &str| release.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
    let id = field("ID").unwrap_or_else(|| "linux".into());
    let name = distribution_name(&id, field("NAME").as_deref().unwrap_or("Linux"));
    let mut version = field("VERSION_ID").unwrap_or_else(|| "NA".into());
    let mut codename = field("VERSION_CODENAME").unwrap_or_else(|| "NA".into());
    // Debian tells its point release only here; testing and unstable have words instead of a number.
    if id == "debian"
        && let Some(full) = host.text("/etc/debian_version")
    {
        match full.starts_with(|c: char| c.is_ascii_digit()) {
            true => version = full,
            false if codename == "NA" => codename = full.split('/').next().unwrap_or_default().to_owned(),
            false => {}
        }
    }
    let family = family(&id, field("ID_LIKE").as_deref().unwrap_or_default(), &name);
    let mut parts = version.split('.');
    facts.insert("distribution", name.clone());
    facts.insert("distribution_release", codename);
    facts.insert("distribution_major_version", parts.next().unwrap_or("NA"));
    if let Some(minor) = parts.next() {
        facts.insert("distribution_minor_version", minor);
    }
    facts.insert("distribution_version", version);
    facts.insert("distribution_file_variety", family_variety(&name));
    facts.insert("distribution_file_path", "/etc/os-release");
    facts.insert("distribution_file_parsed", true);
    facts.insert("os_family", family);
}

fn distribution_name(id: &str, name: &str) -> String {
    let known = match id {
        "debian" => "Debian",
        "ubuntu" => "Ubuntu",
        "raspbian" => "Debian",
        "linuxmint" => "Linux Mint",
        "kali" => "Kali",
        "devuan" => "Devuan",
        "pop" => "Pop!_OS",
        "fedora" => "Fedora",
        "rhel" => "RedHat",
        "centos" => "CentOS",
        "rocky" => "Rocky",
        "almalinux" => "AlmaLinux",
        "ol" => "OracleLinux",
        "amzn" => "Amazon",
        "alpine" => "Alpine",
        "arch" => "Archlinux",
        "sles" => "SLES",
        _ => name,
    };
    known.to_owned()
}

fn family_variety(name: &str) -> &str {
    if matches!(name, "Ubuntu" | "Kali" | "Devuan" | "Linux Mint") { "Debian" } else { name }
}

fn family(id: &str, like: &str, name: &str) -> String {
    let all: Vec<&str> = std::iter::once(id).chain(like.split_whitespace()).collect();
    let of = |names: &[&str]| all.iter().any(|id| names.contains(id));
    let known = match () {
        () if of(&["debian", "ubuntu", "raspbian", "kali", "devuan"]) => "Debian",
        () if of(&["rhel", "fedora", "centos", "amzn"]) => "RedHat",
        () if of(&["suse", "sles", "opensuse"]) => "Suse",
        () if of(&["arch"]) => "Archlinux",
        () if of(&["alpine"]) => "Alpine",
        () => name,
    };
    known.to_owned()
}

pub fn lsb(host: &Reader, facts: &mut Map) {
    let mut found: Vec<(&str, String)> = Vec::new();
    // Debian's own is a shell script over this very file, which takes longer than all other facts together.
    let script = host.sys.find_program("lsb_release").and_then(|path| host.text(&path.to_string_lossy()));
    if let (Some(script), Some(release)) = (&script, host.text("/etc/os-release"))
        && script.starts_with("#!/bin/sh")
    {
        let release: Map = assignments(&release).into_iter().collect();
        let mut id = release.text("ID").unwrap_or_default().to_owned();
        if let Some(name) = release.text("NAME").filter(|name| name.eq_ignore_ascii_case(&id)) {
            id = name.to_owned();
        } else if let Some(first) = id.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let fields = [("PRETTY_NAME", "description"), ("VERSION_ID", "release"), ("VERSION_CODENAME", "codename")];
        found.push(("id", id));
        found.extend(fields.iter().map(|(key, name)| (*name, release.text(key).unwrap_or("n/a").to_owned())));
    } else if let Some(text) = script.and_then(|_| host.output(&["lsb_release", "-a"])) {
        let fields = [("Distributor ID", "id"), ("Description", "description"), ("Release", "release"), ("Codename", "codename")];
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        found.extend(lines.filter_map(|(key, value)| {
            let (_, name) = fields.iter().find(|(title, _)| *title == key.trim())?;
            Some((*name, value.trim().to_owned()))
        }));
    } else if let Some(text) = host.text("/etc/lsb-release") {
        let fields = [
            ("DISTRIB_ID", "id"),
            ("DISTRIB_RELEASE", "release"),
            ("DISTRIB_DESCRIPTION", "description"),
            ("DISTRIB_CODENAME", "codename"),
        ];
        let pairs = assignments(&text).into_iter();
        found = pairs.filter_map(|(key, value)| Some((fields.iter().find(|(field, _)| *field == key)?.1, value))).collect();
    }
    let mut lsb: Map = found.into_iter().collect();
    if let Some(release) = lsb.text("release").map(str::to_owned) {
        lsb.insert("major_release", release.split('.').next().unwrap_or_default());
    }
    facts.insert("lsb", lsb);
}

pub fn package_manager(host: &Reader, facts: &mut Map) {
    let managers = [
        ("/usr/bin/apt-get", "apt"),
        ("/usr/bin/dnf", "dnf"),
        ("/usr/bin/yum", "yum"),
        ("/sbin/apk", "apk"),
        ("/usr/bin/pacman", "pacman"),
        ("/usr/bin/zypper", "zypper"),
    ];
    let found = managers.iter().find(|(path, _)| host.exists(path)).map_or("unknown", |(_, name)| name);
    facts.insert("pkg_mgr", found);
}

pub fn service_manager(host: &Reader, facts: &mut Map) {
    let first = host.text("/proc/1/comm").filter(|name| name != "init" && !name.ends_with("sh"));
    let renamed = first.map(|name| match name.as_str() {
        "procd" => "openwrt_init".to_owned(),
        "runit-init" => "runit".into(),
        "svscan" => "svc".into(),
        "openrc-init" => "openrc".into(),
        _ => name,
    });
    let by_folder = || match () {
        () if host.sys.find_program("systemctl").is_some()
            && (host.exists("/run/systemd/system") || host.link_name("/sbin/init").as_deref() == Some("systemd")) =>
        {
            "systemd"
        }
        () if host.exists("/sbin/openrc") => "openrc",
        () if host.exists("/etc/init.d") => "sysvinit",
        () => "service",
    };
    facts.insert("service_mgr", renamed.map_or_else(|| Value::from(by_folder()), Value::from));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Overlay, System};

    fn facts_of(overlay: Overlay, collect: fn(&Reader, &mut Map)) -> Map {
        let mut facts = Map::new();
        collect(&Reader { sys: &System::dry(overlay) }, &mut facts);
        facts
    }

    #[test]
    fn debian_tells_its_point_release_and_family() {
        let overlay = Overlay::empty()
            .with_file("/etc/os-release", "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n")
            .with_file("/etc/debian_version", "12.11\n");
        let facts = facts_of(overlay, distribution);
        assert_eq!(facts.text("distribution"), Some("Debian"));
        assert_eq!(facts.text("distribution_version"), Some("12.11"));
        assert_eq!(facts.text("distribution_major_version"), Some("12"));
        assert_eq!(facts.text("os_family"), Some("Debian"));
    }

    #[test]
    fn the_full_name_is_the_first_dotted_one_of_the_hosts_address() {
        let overlay = |hosts: &str| Overlay::empty().with_file("/proc/sys/kernel/hostname", "idp1\n").with_file("/etc/hosts", hosts);
        let facts = facts_of(overlay("127.0.0.1 localhost\n127.0.1.1 idp1.example.org idp1\n"), names);
        assert_eq!((facts.text("fqdn"), facts.text("domain")), (Some("idp1.example.org"), Some("example.org")));
        let facts = facts_of(overlay("127.0.0.1 localhost idp1\n"), names);
        assert_eq!((facts.text("fqdn"), facts.text("domain")), (Some("localhost"), Some("")));
        let facts = facts_of(overlay(""), names);
        assert_eq!(facts.text("fqdn"), Some("idp1"));
    }
}
