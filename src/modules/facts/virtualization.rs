//! Whether the host is a guest, of what, and what it could host itself.

use std::collections::BTreeSet;

use crate::base::{Map, Value};

use super::reader::Reader;

#[derive(Default)]
struct Found {
    kind: Option<(String, &'static str)>,
    guest: BTreeSet<String>,
    host: BTreeSet<String>,
}

impl Found {
    fn guest(&mut self, technology: &str) {
        self.guest.insert(technology.to_owned());
        self.kind.get_or_insert_with(|| (technology.to_owned(), "guest"));
    }

    fn host(&mut self, technology: &str) {
        self.host.insert(technology.to_owned());
        self.kind.get_or_insert_with(|| (technology.to_owned(), "host"));
    }
}

pub fn collect(host: &Reader, facts: &mut Map) {
    let mut found = Found::default();
    containers(host, &mut found);
    machines(host, &mut found);
    kernel(host, &mut found);
    let (kind, role) = found.kind.unwrap_or_else(|| ("NA".into(), "NA"));
    facts.insert("virtualization_type", kind);
    facts.insert("virtualization_role", role);
    facts.insert("virtualization_tech_guest", Value::list(found.guest));
    facts.insert("virtualization_tech_host", Value::list(found.host));
}

fn containers(host: &Reader, found: &mut Found) {
    for line in host.text("/proc/1/cgroup").unwrap_or_default().lines() {
        let docker_scope = || line.split("/docker-").nth(1).is_some_and(|rest| rest.contains(".scope"));
        match () {
            () if line.contains("/docker/") || docker_scope() => found.guest("docker"),
            () if line.contains("/lxc/") || line.contains("/machine.slice/machine-lxc") => found.guest("lxc"),
            () if line.contains("/system.slice/containerd.service") => found.guest("containerd"),
            () => {}
        }
    }
    for variable in host.text("/proc/1/environ").unwrap_or_default().split('\0') {
        match variable.strip_prefix("container=") {
            Some("lxc") => found.guest("lxc"),
            Some("podman") => found.guest("podman"),
            _ => {}
        }
        if variable.strip_prefix("container=").is_some_and(|value| !value.is_empty()) {
            found.guest("container");
        }
    }
    if host.exists("/proc/vz") && !host.exists("/proc/lve") {
        if host.exists("/proc/bc") { found.host("openvz") } else { found.guest("openvz") }
    }
    let systemd = host.text("/run/systemd/container");
    if let Some(name) = &systemd {
        found.guest(name);
    }
    if host.exists("/.dockerenv") || host.exists("/.dockerinit") {
        found.guest("docker");
    }
    if systemd.is_some() || ["docker", "lxc", "podman", "openvz", "containerd"].iter().any(|name| found.guest.contains(*name)) {
        found.guest.insert("container".into());
    }
}

fn machines(host: &Reader, found: &mut Found) {
    if host.exists("/proc/xen") {
        let is_host = host.text("/proc/xen/capabilities").is_some_and(|text| text.contains("control_d"));
        if is_host {
            found.host("xen");
        } else {
            found.kind.get_or_insert_with(|| ("xen".into(), "guest"));
        }
    }
    let dmi = |name: &str| host.text(&format!("/sys/devices/virtual/dmi/id/{name}")).unwrap_or_default();
    let (product, vendor, bios) = (dmi("product_name"), dmi("sys_vendor"), dmi("bios_vendor"));
    match product.as_str() {
        "KVM" | "KVM Server" | "Bochs" | "AHV" | "CloudStack KVM Hypervisor" => found.guest("kvm"),
        "OpenStack Compute" | "OpenStack Nova" => found.guest("openstack"),
        "RHEV Hypervisor" if vendor == "Red Hat" => found.guest("RHEV"),
        name if name.starts_with("VMware") => found.guest("VMware"),
        _ => {}
    }
    match bios.as_str() {
        "Xen" => found.guest("xen"),
        "innotek GmbH" => found.guest("virtualbox"),
        "Amazon EC2" | "DigitalOcean" | "Hetzner" | "Linode" => found.guest("kvm"),
        _ => {}
    }
    match vendor.as_str() {
        "oVirt" => found.guest("oVirt"),
        "Red Hat" if dmi("product_family") == "RHV" => found.guest("RHV"),
        "QEMU" | "Amazon EC2" | "DigitalOcean" | "Google" | "Scaleway" | "Nutanix" => found.guest("kvm"),
        "KubeVirt" => found.guest("KubeVirt"),
        "Microsoft Corporation" => found.guest("VirtualPC"),
        "Parallels Software International Inc." => found.guest("parallels"),
        "OpenStack Foundation" => found.guest("openstack"),
        _ => {}
    }
}

fn kernel(host: &Reader, found: &mut Found) {
    for line in host.text("/proc/cpuinfo").unwrap_or_default().lines() {
        let (key, value) = line.split_once(':').map_or((line, ""), |(key, value)| (key.trim(), value));
        match key {
            "model name" if value.contains("QEMU Virtual CPU") => found.guest("kvm"),
            "model name" if value.contains("UML") => found.guest("uml"),
            "vendor_id" if value.contains("User Mode Linux") => found.guest("uml"),
            _ => {}
        }
    }
    let modules = host.text("/proc/modules").unwrap_or_default();
    let loaded = |name: &str| modules.lines().any(|line| line.split(' ').next() == Some(name));
    if loaded("kvm") {
        found.host("kvm");
    }
    if loaded("vboxdrv") {
        found.host("virtualbox");
    }
    if loaded("virtio") {
        found.host.insert("kvm".into());
        found.kind.get_or_insert_with(|| ("kvm".into(), "guest"));
    }
    if host.exists("/dev/kvm") {
        found.host("kvm");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Overlay, System};

    fn facts_of(overlay: Overlay) -> Map {
        let mut facts = Map::new();
        collect(&Reader { sys: &System::dry(overlay) }, &mut facts);
        facts
    }

    #[test]
    fn the_innermost_container_wins_and_the_rest_is_listed() {
        let facts = facts_of(Overlay::empty().with_file("/run/systemd/container", "systemd-nspawn\n").with_file("/dev/kvm", ""));
        assert_eq!(facts.text("virtualization_type"), Some("systemd-nspawn"));
        assert_eq!(facts.text("virtualization_role"), Some("guest"));
        assert_eq!(facts.get("virtualization_tech_host"), Some(&Value::list(["kvm"])));
    }

    #[test]
    fn bare_metal_says_so() {
        assert_eq!(facts_of(Overlay::empty()).text("virtualization_type"), Some("NA"));
    }
}
