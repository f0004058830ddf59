//! Mounted file systems and block devices.

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::{Map, Value};

use super::reader::Reader;

pub fn collect(host: &Reader, facts: &mut Map) {
    let links = Links::read(host);
    facts.insert("mounts", mounts(host, &links));
    let devices: Map = host.names("/sys/block").into_iter().map(|name| (name.clone(), device(host, &links, &name))).collect();
    facts.insert("devices", devices);
    let all = links.kinds.iter().map(|(kind, of_device)| {
        let entries = of_device.iter().map(|(device, names)| (device.clone(), Value::list(names.clone())));
        (*kind, Value::map(entries))
    });
    facts.insert("device_links", Value::map(all));
    facts.insert("lvm", "N/A");
}

/// Names that udev gave to devices, by kind and device.
struct Links {
    kinds: BTreeMap<&'static str, BTreeMap<String, Vec<String>>>,
}

impl Links {
    fn read(host: &Reader) -> Self {
        let mut kinds = BTreeMap::new();
        for (kind, folder) in [("ids", "/dev/disk/by-id"), ("uuids", "/dev/disk/by-uuid"), ("labels", "/dev/disk/by-label")] {
            let mut of_device: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for name in host.names(folder) {
                if let Some(device) = host.link_name(&format!("{folder}/{name}")) {
                    of_device.entry(device).or_default().push(name);
                }
            }
            kinds.insert(kind, of_device);
        }
        let mut masters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for block in host.names("/sys/block") {
            for slave in host.names(&format!("/sys/block/{block}/slaves")) {
                masters.entry(slave).or_default().push(block.clone());
            }
        }
        kinds.insert("masters", masters);
        Links { kinds }
    }

    fn of(&self, device: &str) -> Value {
        Value::map(self.kinds.iter().map(|(kind, of_device)| (*kind, Value::list(of_device.get(device).cloned().unwrap_or_default()))))
    }

    fn uuid(&self, device: &str) -> Option<String> {
        self.kinds.get("uuids")?.get(device)?.first().cloned()
    }
}

fn mounts(host: &Reader, links: &Links) -> Value {
    let text = host.text("/etc/mtab").or_else(|| host.text("/proc/mounts")).unwrap_or_default();
    let mut mounts: Vec<Value> = Vec::new();
    for line in text.lines() {
        let fields: Vec<String> = line.split_whitespace().map(unescaped).collect();
        let [device, mount, kind, options, dump, pass] = fields.as_slice() else { continue };
        if !(device.starts_with('/') || device.contains(":/")) || kind == "none" {
            continue;
        }
        let mut entry: Map = [("mount", mount), ("device", device), ("fstype", kind), ("options", options)].into_iter().collect();
        entry.insert("dump", dump.parse::<i64>().unwrap_or(0));
        entry.insert("passno", pass.parse::<i64>().unwrap_or(0));
        let base = Path::new(device).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        add_space(host, mount, &mut entry);
        entry.insert("uuid", links.uuid(&base).unwrap_or_else(|| "N/A".into()));
        mounts.push(entry.into());
    }
    mounts.into()
}

fn add_space(host: &Reader, mount: &str, entry: &mut Map) {
    // A file system that another account mounted may not let us look: its sizes are left out.
    let Ok(space) = host.sys.query_space(Path::new(mount)) else { return };
    let numbers = [
        ("size_total", space.fragment * space.blocks),
        ("size_available", space.fragment * space.available),
        ("block_size", space.block),
        ("block_total", space.blocks),
        ("block_available", space.available),
        ("block_used", space.blocks.saturating_sub(space.available)),
        ("inode_total", space.inodes),
        ("inode_available", space.inodes_available),
        ("inode_used", space.inodes.saturating_sub(space.inodes_available)),
    ];
    for (name, number) in numbers {
        entry.insert(name, number);
    }
}

/// `\040` and its like as the characters they stand for.
fn unescaped(field: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let octal = (*first == b'\\' && tail.len() >= 3).then(|| std::str::from_utf8(&tail[..3]).ok()).flatten();
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn device(host: &Reader, links: &Links, name: &str) -> Value {
    let folder = format!("/sys/block/{name}");
    let read = |path: &str| host.text(&format!("{folder}/{path}"));
    let mut found = Map::new();
    // Ansible says 1 for every device of a kernel whose /sys/block holds links, which is every kernel in use.
    found.insert("virtual", 1);
    found.insert("links", links.of(name));
    for key in ["vendor", "model", "sas_address", "sas_device_handle"] {
        found.insert(key, read(&format!("device/{key}")));
    }
    if let Some(serial) = read("device/serial") {
        found.insert("serial", serial);
    }
    found.insert("removable", read("removable"));
    let discard =
        if read("queue/discard_max_hw_bytes").as_deref() == Some("0") { Some("0".into()) } else { read("queue/discard_granularity") };
    found.insert("support_discard", discard);
    let sector = read("queue/logical_block_size").unwrap_or_else(|| "512".into());
    let partitions = host.names(&folder).into_iter().filter(|entry| is_partition(entry, name));
    let partitions: Map = partitions.map(|entry| (entry.clone(), partition(host, links, &folder, &entry, &sector))).collect();
    found.insert("partitions", partitions);
    found.insert("rotational", read("queue/rotational"));
    let scheduler = read("queue/scheduler").unwrap_or_default();
    let chosen = scheduler.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(name, _)| name);
    found.insert("scheduler_mode", chosen);
    let (sectors, size) = size(host, &folder, &sector);
    found.insert("sectors", sectors);
    found.insert("sectorsize", sector);
    found.insert("size", size);
    found.insert("host", "");
    found.insert("holders", holders(host, &folder));
    found.into()
}

fn is_partition(entry: &str, device: &str) -> bool {
    let number = entry.strip_prefix(device).map(|rest| rest.strip_prefix('p').unwrap_or(rest));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn partition(host: &Reader, links: &Links, folder: &str, name: &str, sector: &str) -> Value {
    let own = format!("{folder}/{name}");
    let (sectors, size) = size(host, &own, sector);
    let mut found = Map::new();
    found.insert("links", links.of(name));
    found.insert("start", host.text(&format!("{own}/start")).unwrap_or_else(|| "0".into()));
    found.insert("sectorsize", sector.parse::<i64>().unwrap_or(512));
    found.insert("sectors", sectors);
    found.insert("size", size);
    found.insert("uuid", links.uuid(name));
    found.insert("holders", holders(host, &own));
    found.into()
}

/// Sectors of the device's own size, and the whole for people. The kernel counts in sectors of 512 bytes.
fn size(host: &Reader, folder: &str, sector: &str) -> (i64, String) {
    let bytes = host.number(&format!("{folder}/size")).unwrap_or(0) * 512;
    (bytes / sector.parse::<i64>().unwrap_or(512).max(1), human(bytes as f64))
}

fn human(bytes: f64) -> String {
    let units = [("ZB", 70), ("EB", 60), ("PB", 50), ("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10)];
    let unit = units.iter().find(|(_, power)| bytes >= 2f64.powi(*power));
    unit.map_or_else(|| format!("{bytes:.2} Bytes"), |(name, power)| format!("{:.2} {name}", bytes / 2f64.powi(*power)))
}

fn holders(host: &Reader, folder: &str) -> Value {
    let names = host.names(&format!("{folder}/holders")).into_iter().map(|name| match name.starts_with("dm-") {
        true => host.text(&format!("/sys/block/{name}/dm/name")).unwrap_or(name),
        false => name,
    });
    Value::list(names)
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_and_escaped_paths_are_written_as_ansible_does() {
        assert_eq!(super::human(274_877_906_944.0), "256.00 GB");
        assert_eq!(super::human(0.0), "0.00 Bytes");
        assert_eq!(super::unescaped(r"/mnt/a\040b"), "/mnt/a b");
        assert!(super::is_partition("sda1", "sda") && super::is_partition("nvme0n1p2", "nvme0n1") && !super::is_partition("size", "sda"));
    }
}
