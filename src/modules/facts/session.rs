//! The small facts: clock, environment, account, kernel command line, resolver, security modules, host keys.

use std::path::Path;

use crate::base::{Map, Value};

use super::capabilities;
use super::reader::Reader;

/// Runs one of the small collectors by its name; a name that needs nothing here adds nothing.
pub fn collect(host: &Reader, name: &str, facts: &mut Map) {
    match name {
        "date_time" => date_time(host, facts),
        "env" => drop(facts.insert("env", Value::map(host.sys.query_environment_all()))),
        "user" => user(host, facts),
        "cmdline" => command_line(host, facts),
        "dns" => resolver(host, facts),
        "ssh_pub_keys" => host_keys(host, facts),
        "caps" => capabilities::collect(host, facts),
        "apparmor" => {
            let status = if host.exists("/sys/kernel/security/apparmor") { "enabled" } else { "disabled" };
            facts.insert("apparmor", Value::map([("status", status)]));
        }
        "selinux" => selinux(host, facts),
        "fips" => drop(facts.insert("fips", host.text("/proc/sys/crypto/fips_enabled").as_deref() == Some("1"))),
        "chroot" => drop(facts.insert("is_chroot", is_chroot(host))),
        "systemd" => systemd(host, facts),
        "python" => python(host, facts),
        "iscsi" => drop(facts.insert("iscsi_iqn", initiator(host).unwrap_or_default())),
        "nvme" => drop(facts.insert("hostnqn", host.text("/etc/nvme/hostnqn").unwrap_or_default())),
        _ => {}
    }
}

fn date_time(host: &Reader, facts: &mut Map) {
    let now = host.sys.query_time();
    let utc = now.with_time_zone(jiff::tz::TimeZone::UTC);
    let epoch = now.timestamp().as_second().to_string();
    let formats = [
        ("year", "%Y"),
        ("month", "%m"),
        ("weekday", "%A"),
        ("weekday_number", "%w"),
        ("weeknumber", "%W"),
        ("day", "%d"),
        ("hour", "%H"),
        ("minute", "%M"),
        ("second", "%S"),
        ("date", "%Y-%m-%d"),
        ("time", "%H:%M:%S"),
        ("iso8601_basic", "%Y%m%dT%H%M%S%6f"),
        ("iso8601_basic_short", "%Y%m%dT%H%M%S"),
        ("tz", "%Z"),
        ("tz_offset", "%z"),
    ];
    let mut all: Map = formats.iter().map(|(name, format)| (*name, now.strftime(format).to_string())).collect();
    all.insert("epoch", epoch.clone());
    all.insert("epoch_int", epoch);
    all.insert("iso8601_micro", utc.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
    all.insert("iso8601", utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    all.insert("tz_dst", summer_name(&now));
    facts.insert("date_time", all);
}

/// The zone's name in summer, or its only name.
fn summer_name(now: &jiff::Zoned) -> String {
    let names = [1i8, 7].into_iter().filter_map(|month| {
        let moment = now.with().month(month).day(1).build().ok()?;
        let info = now.time_zone().to_offset_info(moment.timestamp());
        Some((info.dst().is_dst(), info.abbreviation().to_owned()))
    });
    let names: Vec<(bool, String)> = names.collect();
    let summer = names.iter().find(|(is_dst, _)| *is_dst).or(names.first());
    summer.map(|(_, name)| name.clone()).unwrap_or_default()
}

fn user(host: &Reader, facts: &mut Map) {
    let status = host.text("/proc/self/status").unwrap_or_default();
    let ids = |name: &str| -> Vec<i64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    };
    let (users, groups) = (ids("Uid:"), ids("Gid:"));
    let at = |ids: &[i64], index: usize| ids.get(index).copied().unwrap_or_else(|| i64::from(host.sys.backend().effective_uid()));
    let account = host.sys.query_user_by_id(host.sys.backend().effective_uid()).ok().flatten().unwrap_or_default();
    facts.insert("user_id", account.name);
    facts.insert("user_uid", account.uid);
    facts.insert("user_gid", account.gid);
    facts.insert("user_gecos", account.comment);
    facts.insert("user_dir", account.home);
    facts.insert("user_shell", account.shell);
    facts.insert("real_user_id", at(&users, 0));
    facts.insert("effective_user_id", at(&users, 1));
    facts.insert("real_group_id", at(&groups, 0));
    facts.insert("effective_group_id", at(&groups, 1));
}

fn command_line(host: &Reader, facts: &mut Map) {
    let Some(text) = host.text("/proc/cmdline") else { return };
    let (mut last, mut all) = (Map::new(), Map::new());
    for word in crate::system::split_words(&text) {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Value::from(value)),
            None => (word.as_str(), Value::Bool(true)),
        };
        last.insert(key, value.clone());
        // `proc_cmdline` keeps every value of a repeated word.
        let merged = match all.get(key) {
            Some(Value::List(items)) => Value::list(items.iter().cloned().chain([value])),
            Some(before) if !matches!(value, Value::Bool(_)) => Value::list([before.clone(), value]),
            _ => value,
        };
        all.insert(key, merged);
    }
    facts.insert("cmdline", last);
    facts.insert("proc_cmdline", all);
}

fn resolver(host: &Reader, facts: &mut Map) {
    let text = host.text("/etc/resolv.conf").unwrap_or_default();
    let mut dns = Map::new();
    let mut servers: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
        let mut words = line.split_whitespace();
        let Some(keyword) = words.next() else { continue };
        let rest: Vec<&str> = words.collect();
        match keyword {
            "nameserver" => servers.extend(rest.iter().map(|server| (*server).to_owned())),
            "domain" => drop(rest.first().map(|domain| dns.insert("domain", *domain))),
            "search" | "sortlist" => drop(dns.insert(keyword, Value::list(rest))),
            "options" => {
                let options = rest.iter().map(|option| match option.split_once(':') {
                    Some((name, value)) if !value.is_empty() => (name, Value::from(value)),
                    Some((name, _)) => (name, true.into()),
                    None => (*option, true.into()),
                });
                dns.insert("options", Value::map(options));
            }
            _ => {}
        }
        if !servers.is_empty() {
            dns.insert("nameservers", Value::list(servers.clone()));
        }
    }
    facts.insert("dns", dns);
}

fn host_keys(host: &Reader, facts: &mut Map) {
    for folder in ["/etc/ssh", "/etc/openssh", "/etc"] {
        let mut any = false;
        for algorithm in ["dsa", "rsa", "ecdsa", "ed25519"] {
            let Some(text) = host.text(&format!("{folder}/ssh_host_{algorithm}_key.pub")) else { continue };
            let mut words = text.split_whitespace();
            if let (Some(kind), Some(key)) = (words.next(), words.next()) {
                facts.insert(format!("ssh_host_key_{algorithm}_public"), key);
                facts.insert(format!("ssh_host_key_{algorithm}_public_keytype"), kind);
                any = true;
            }
        }
        if any {
            return;
        }
    }
}

fn selinux(host: &Reader, facts: &mut Map) {
    // Reading SELinux's state takes no library of the host: the kernel shows it in its file system.
    let state = match host.text("/sys/fs/selinux/enforce") {
        None => Value::map([("status", "disabled")]),
        Some(enforce) => {
            let config = host.text("/etc/selinux/config").unwrap_or_default();
            let setting = |name: &str| config.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('=').map(str::to_owned));
            Value::map([
                ("status", "enabled".to_owned()),
                ("mode", if enforce == "1" { "enforcing" } else { "permissive" }.to_owned()),
                ("config_mode", setting("SELINUX").unwrap_or_else(|| "unknown".into())),
                ("policyvers", host.text("/sys/fs/selinux/policyvers").unwrap_or_else(|| "unknown".into())),
                ("type", setting("SELINUXTYPE").unwrap_or_else(|| "unknown".into())),
            ])
        }
    };
    facts.insert("selinux", state);
    facts.insert("selinux_python_present", true);
}

fn is_chroot(host: &Reader) -> bool {
    let place = |path: &str| host.sys.query_file(Path::new(path)).ok().flatten().map(|found| (found.inode, found.device));
    match (place("/"), place("/proc/1/root/.")) {
        (Some(own), Some(first)) => own != first,
        _ => false,
    }
}

fn systemd(host: &Reader, facts: &mut Map) {
    if !host.exists("/run/systemd/system") {
        return;
    }
    let Some(text) = host.output(&["systemctl", "--version"]) else { return };
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.split(' ').nth(1)?.parse::<i64>().ok());
    let mut systemd = Map::new();
    systemd.insert("features", lines.next().unwrap_or_default());
    systemd.insert("version", version);
    facts.insert("systemd", systemd);
}

/// The Python that scripts of the user's own may run with, where there is one; nothing here needs it. Its name tells its version.
fn python(host: &Reader, facts: &mut Map) {
    let Some(path) = host.sys.find_program("python3") else { return };
    let real = host.sys.query_canonical(&path).unwrap_or_else(|_| path.clone());
    let name = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut python: Map = [("executable", path.to_string_lossy().into_owned()), ("type", "cpython".to_owned())].into_iter().collect();
    if let Some((major, minor)) = name.strip_prefix("python").and_then(|version| version.split_once('.')) {
        let number = |text: &str| text.parse::<i64>().ok();
        python.insert("version", Value::map([("major", number(major)), ("minor", number(minor))]));
        facts.insert("python_version", format!("{major}.{minor}"));
    }
    facts.insert("python", python);
}

fn initiator(host: &Reader) -> Option<String> {
    let text = host.text("/etc/iscsi/initiatorname.iscsi")?;
    text.lines().find_map(|line| line.strip_prefix("InitiatorName=").map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Overlay, System};

    fn facts_of(name: &str, overlay: Overlay) -> Map {
        let mut facts = Map::new();
        collect(&Reader { sys: &System::dry(overlay) }, name, &mut facts);
        facts
    }

    #[test]
    fn the_kernel_command_line_keeps_repeated_words_apart() {
        let facts = facts_of("cmdline", Overlay::empty().with_file("/proc/cmdline", "quiet console=tty0 console=ttyS0\n"));
        assert_eq!(facts.get("cmdline").map(Value::to_repr).as_deref(), Some("{'quiet': True, 'console': 'ttyS0'}"));
        assert_eq!(facts.get("proc_cmdline").map(Value::to_repr).as_deref(), Some("{'quiet': True, 'console': ['tty0', 'ttyS0']}"));
    }

    #[test]
    fn the_resolver_file_is_read_by_its_keywords() {
        let text = "# x\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nsearch a.org b.org\noptions ndots:2 rotate\n";
        let facts = facts_of("dns", Overlay::empty().with_file("/etc/resolv.conf", text));
        let expected = "{'nameservers': ['10.0.0.1', '10.0.0.2'], 'search': ['a.org', 'b.org'], 'options': {'ndots': '2', 'rotate': True}}";
        assert_eq!(facts.get("dns").map(Value::to_repr).as_deref(), Some(expected));
    }

    #[test]
    fn the_clock_is_told_in_every_form() {
        let facts = facts_of("date_time", Overlay::empty());
        let Some(Value::Map(clock)) = facts.get("date_time") else { panic!("{facts:?}") };
        assert_eq!(clock.text("iso8601_basic").map(str::len), Some("20261122T160332304398".len()));
        assert_eq!(clock.text("tz_offset").map(str::len), Some(5));
    }
}
