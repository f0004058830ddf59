//! What `gather_subset` asks for: names of collectors, with Ansible's rules for `all`, `min` and `!`.

use std::collections::BTreeSet;

use crate::system::{Failure, Result};

/// The collectors that run whatever is asked, unless `!min` says otherwise.
const MINIMAL: &[&str] = &[
    "apparmor",
    "caps",
    "cmdline",
    "date_time",
    "distribution",
    "dns",
    "env",
    "fips",
    "local",
    "lsb",
    "pkg_mgr",
    "platform",
    "python",
    "selinux",
    "service_mgr",
    "ssh_pub_keys",
    "user",
];

/// The others, with the names of single facts that ask for them as well.
const OTHERS: &[(&str, &[&str])] = &[
    ("chroot", &["is_chroot"]),
    ("facter", &[]),
    ("fibre_channel_wwn", &[]),
    ("hardware", &["processor", "processor_cores", "processor_count", "mounts", "devices", "dmi", "memory", "uptime"]),
    ("iscsi", &[]),
    ("loadavg", &[]),
    ("network", &["interfaces", "default_ipv4", "default_ipv6", "all_ipv4_addresses", "all_ipv6_addresses"]),
    ("nvme", &[]),
    ("ohai", &[]),
    ("systemd", &[]),
    ("virtual", &["virtualization_type", "virtualization_role", "virtualization_tech_guest", "virtualization_tech_host"]),
];

/// Single facts that a minimal collector gives.
const SINGLE: &[(&str, &str)] = &[
    ("architecture", "platform"),
    ("kernel", "platform"),
    ("kernel_version", "platform"),
    ("machine", "platform"),
    ("machine_id", "platform"),
    ("system", "platform"),
    ("python_version", "platform"),
    ("distribution_major_version", "distribution"),
    ("distribution_release", "distribution"),
    ("distribution_version", "distribution"),
    ("os_family", "distribution"),
    ("effective_group_ids", "user"),
    ("effective_user_id", "user"),
    ("real_user_id", "user"),
    ("user_dir", "user"),
    ("user_gecos", "user"),
    ("user_gid", "user"),
    ("user_id", "user"),
    ("user_shell", "user"),
    ("user_uid", "user"),
    ("ssh_host_key_dsa_public", "ssh_pub_keys"),
    ("ssh_host_key_ecdsa_public", "ssh_pub_keys"),
    ("ssh_host_key_ed25519_public", "ssh_pub_keys"),
    ("ssh_host_key_rsa_public", "ssh_pub_keys"),
    ("ssh_host_pub_keys", "ssh_pub_keys"),
    ("system_capabilities", "caps"),
    ("system_capabilities_enforced", "caps"),
];

/// The collector that a name means; `None`: there is none of that name.
fn collector(name: &str) -> Option<&'static str> {
    let minimal = MINIMAL.iter().copied().find(|known| *known == name);
    let other = || OTHERS.iter().find(|(known, facts)| *known == name || facts.contains(&name)).map(|(known, _)| *known);
    minimal.or_else(other).or_else(|| SINGLE.iter().find(|(fact, _)| *fact == name).map(|(_, known)| *known))
}

/// The collectors to run for a `gather_subset`. An unknown name is refused; an unknown name after `!` is ignored.
pub fn collectors(asked: &[String]) -> Result<BTreeSet<&'static str>> {
    let all = || MINIMAL.iter().copied().chain(OTHERS.iter().map(|(name, _)| *name));
    let mut wanted: BTreeSet<&'static str> = MINIMAL.iter().copied().collect();
    let mut excluded: BTreeSet<&'static str> = BTreeSet::new();
    let mut explicit: BTreeSet<&'static str> = BTreeSet::new();
    for name in asked.iter().map(|name| name.trim()) {
        match name {
            "all" => wanted.extend(all()),
            "min" => wanted.extend(MINIMAL),
            "!all" => excluded.extend(OTHERS.iter().map(|(name, _)| *name)),
            "!min" => excluded.extend(MINIMAL),
            _ => match name.strip_prefix('!') {
                Some(name) => excluded.extend(collector(name)),
                None => {
                    let known = collector(name).ok_or_else(|| unknown(name, all().collect()))?;
                    explicit.insert(known);
                    wanted.insert(known);
                }
            },
        }
    }
    if asked.is_empty() {
        wanted.extend(all());
    }
    wanted.retain(|name| explicit.contains(name) || !excluded.contains(name));
    Ok(wanted)
}

fn unknown(name: &str, known: Vec<&str>) -> Failure {
    let allowed = known.join(", ");
    Failure::new(format!("Bad subset '{name}' given to Ansible. gather_subset options allowed: all, {allowed}")).at("gather_subset")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(asked: &[&str]) -> BTreeSet<&'static str> {
        collectors(&asked.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).expect("known names")
    }

    #[test]
    fn the_rules_for_all_min_and_not_are_ansibles() {
        assert!(of(&["all"]).contains("hardware") && of(&["all"]).contains("platform"));
        assert!(!of(&["!all"]).contains("hardware") && of(&["!all"]).contains("platform"));
        assert_eq!(of(&["!all", "!min", "network"]), BTreeSet::from(["network"]));
        assert!(!of(&["!hardware"]).contains("hardware"));
        assert!(of(&["!all", "mounts"]).contains("hardware"));
        assert!(!of(&["!all", "network", "!network"]).is_empty());
    }

    #[test]
    fn an_unknown_subset_is_refused_but_not_an_unknown_exclusion() {
        assert!(collectors(&["nonsense".into()]).is_err());
        assert!(collectors(&["!nonsense".into()]).is_ok());
    }
}
