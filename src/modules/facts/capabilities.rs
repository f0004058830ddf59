//! What a process of this account may do, as the kernel tells it: `ansible_system_capabilities`.

use crate::base::{Map, Value};

use super::reader::Reader;

/// The kernel's capabilities by their bits.
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

/// All of them is no limit: Ansible then says that they are not enforced, and lists none.
pub fn collect(host: &Reader, facts: &mut Map) {
    let status = host.text("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    let last = host.text("/proc/sys/kernel/cap_last_cap").and_then(|text| text.trim().parse::<u32>().ok()).unwrap_or(40);
    let (enforced, list) = match mask {
        None => ("N/A", Value::from("N/A")),
        Some(mask) if mask.count_ones() == last + 1 => ("False", Value::list(Vec::<Value>::new())),
        Some(mask) => ("True", Value::list(NAMES.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, name)| *name))),
    };
    facts.insert("system_capabilities_enforced", enforced);
    facts.insert("system_capabilities", list);
}

#[cfg(test)]
mod tests {
    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    fn facts(mask: &str) -> (String, String) {
        let overlay = Overlay::empty()
            .with_file("/proc/self/status", &format!("Name:\tagent\nCapEff:\t{mask}\n"))
            .with_file("/proc/sys/kernel/cap_last_cap", "40\n");
        let facts = Machine::new(overlay).task("setup: { gather_subset: ['!all', '!min', caps] }").expect("runs").output.facts;
        let text = |name: &str| facts.get(name).map(Value::to_repr).unwrap_or_default();
        (text("ansible_system_capabilities_enforced"), text("ansible_system_capabilities"))
    }

    #[test]
    fn an_account_with_every_capability_is_not_limited() {
        assert_eq!(facts("000001ffffffffff"), ("'False'".into(), "[]".into()));
        assert_eq!(facts("0000000000000401"), ("'True'".into(), "['cap_chown', 'cap_net_bind_service']".into()));
    }
}
