//! Processors, memory, firmware, uptime and load.

use std::collections::BTreeMap;

use crate::base::{Map, Value};

use super::reader::Reader;

pub fn collect(host: &Reader, facts: &mut Map) {
    processors(host, facts);
    memory(host, facts);
    firmware(host, facts);
    let uptime = host.text("/proc/uptime");
    let seconds = uptime.as_deref().and_then(|text| text.split('.').next()?.parse::<i64>().ok());
    if let Some(seconds) = seconds {
        facts.insert("uptime_seconds", seconds);
    }
}

pub fn load_average(host: &Reader, facts: &mut Map) {
    let text = host.text("/proc/loadavg").unwrap_or_default();
    let numbers: Vec<f64> = text.split_whitespace().take(3).filter_map(|number| number.parse().ok()).collect();
    if let [one, five, fifteen] = numbers.as_slice() {
        facts.insert("loadavg", Value::map([("1m", *one), ("5m", *five), ("15m", *fifteen)]));
    }
}

fn processors(host: &Reader, facts: &mut Map) {
    let Some(text) = host.text("/proc/cpuinfo") else { return };
    let mut listed: Vec<&str> = Vec::new();
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    let mut sockets: Vec<(&str, i64)> = Vec::new();
    let mut cores: Vec<(&str, i64)> = Vec::new();
    let (mut socket, mut core) = ("0", "0");
    for line in text.lines() {
        let (key, value) = line.split_once(':').map_or((line.trim(), ""), |(key, value)| (key.trim(), value.trim()));
        match key {
            "flags" => drop(facts.insert("flags", Value::list(value.split_whitespace()))),
            "model name" | "Processor" | "vendor_id" | "cpu" | "Vendor" | "processor" => {
                listed.push(value);
                *counts.entry(key).or_default() += 1;
            }
            "physical id" => {
                socket = value;
                remember(&mut sockets, value, 1, false);
            }
            "core id" => {
                core = value;
                remember(&mut cores, value, 1, false);
            }
            "cpu cores" => remember(&mut sockets, socket, value.parse().unwrap_or(1), true),
            "siblings" => remember(&mut cores, core, value.parse().unwrap_or(1), true),
            _ => {}
        }
    }
    let count = |key: &str| counts.get(key).copied().unwrap_or(0);
    let seen = match count("vendor_id") {
        0 => count("processor").max(1),
        vendors if vendors == count("model name") => vendors,
        _ => listed.len() as i64,
    };
    let packages = if sockets.is_empty() { seen } else { sockets.len() as i64 };
    let per_package = sockets.first().map_or(1, |(_, cores)| (*cores).max(1));
    let siblings = cores.first().map_or(1, |(_, siblings)| *siblings);
    let threads = (siblings as f64 / per_package as f64).round_ties_even() as i64;
    facts.insert("processor", Value::list(listed));
    facts.insert("processor_count", packages);
    facts.insert("processor_cores", per_package);
    facts.insert("processor_threads_per_core", threads);
    facts.insert("processor_vcpus", threads * packages * per_package);
    facts.insert("processor_nproc", host.sys.query_processors());
}

fn remember<'a>(known: &mut Vec<(&'a str, i64)>, id: &'a str, number: i64, overwrite: bool) {
    match known.iter_mut().find(|(other, _)| *other == id) {
        Some(entry) if overwrite => entry.1 = number,
        Some(_) => {}
        None => known.push((id, number)),
    }
}

fn memory(host: &Reader, facts: &mut Map) {
    let Some(text) = host.text("/proc/meminfo") else { return };
    let megabytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_whitespace().next()?.parse::<i64>().ok()? / 1024)
    };
    let field = |name: &str| megabytes(name).unwrap_or(0);
    for (fact, name) in [("memtotal_mb", "MemTotal"), ("memfree_mb", "MemFree"), ("swaptotal_mb", "SwapTotal"), ("swapfree_mb", "SwapFree")]
    {
        facts.insert(fact, field(name));
    }
    let (total, free) = (field("MemTotal"), field("MemFree"));
    let unused = field("Cached") + free + field("Buffers");
    let swap = (field("SwapTotal"), field("SwapFree"));
    let sizes = [
        ("real", Value::map([("total", total), ("used", total - free), ("free", free)])),
        ("nocache", Value::map([("free", unused), ("used", total - unused)])),
        ("swap", Value::map([("total", swap.0), ("free", swap.1), ("used", swap.0 - swap.1), ("cached", field("SwapCached"))])),
    ];
    facts.insert("memory_mb", Value::map(sizes));
}

/// The DMI names of the chassis types, from the specification's list.
const FORM_FACTORS: &[&str] = &[
    "Unknown",
    "Other",
    "Unknown",
    "Desktop",
    "Low Profile Desktop",
    "Pizza Box",
    "Mini Tower",
    "Tower",
    "Portable",
    "Laptop",
    "Notebook",
    "Hand Held",
    "Docking Station",
    "All In One",
    "Sub Notebook",
    "Space-saving",
    "Lunch Box",
    "Main Server Chassis",
    "Expansion Chassis",
    "Sub Chassis",
    "Bus Expansion Chassis",
    "Peripheral Chassis",
    "RAID Chassis",
    "Rack Mount Chassis",
    "Sealed-case PC",
    "Multi-system",
    "CompactPCI",
    "AdvancedTCA",
    "Blade",
    "Blade Enclosure",
    "Tablet",
    "Convertible",
    "Detachable",
    "IoT Gateway",
    "Embedded PC",
    "Mini PC",
    "Stick PC",
];

fn firmware(host: &Reader, facts: &mut Map) {
    let same = [
        "bios_date",
        "bios_vendor",
        "bios_version",
        "board_asset_tag",
        "board_name",
        "board_serial",
        "board_vendor",
        "board_version",
        "chassis_asset_tag",
        "chassis_serial",
        "chassis_vendor",
        "chassis_version",
        "product_name",
        "product_serial",
        "product_uuid",
        "product_version",
    ];
    let read = |name: &str| host.text(&format!("/sys/devices/virtual/dmi/id/{name}"));
    for name in same {
        facts.insert(name, read(name).unwrap_or_else(|| "NA".into()));
    }
    facts.insert("system_vendor", read("sys_vendor").unwrap_or_else(|| "NA".into()));
    let chassis = read("chassis_type").map(|number| {
        let known = number.parse::<usize>().ok().and_then(|index| FORM_FACTORS.get(index));
        known.map_or_else(|| format!("unknown ({number})"), |name| (*name).to_owned())
    });
    facts.insert("form_factor", chassis.unwrap_or_else(|| "NA".into()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Overlay, System};

    #[test]
    fn processors_are_counted_in_packages_cores_and_threads() {
        let one = |number: u32, core: u32| {
            format!(
                "processor\t: {number}\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\nphysical id\t: 0\nsiblings\t: 4\ncore id\t: {core}\ncpu cores\t: 2\nflags\t: fpu vme\n\n"
            )
        };
        let text: String = [(0, 0), (1, 0), (2, 1), (3, 1)].map(|(number, core)| one(number, core)).concat();
        let mut facts = Map::new();
        processors(&Reader { sys: &System::dry(Overlay::empty().with_file("/proc/cpuinfo", &text)) }, &mut facts);
        let number = |name: &str| facts.get(name).cloned();
        assert_eq!(number("processor_count"), Some(1.into()));
        assert_eq!(number("processor_cores"), Some(2.into()));
        assert_eq!(number("processor_threads_per_core"), Some(2.into()));
        assert_eq!(number("processor_vcpus"), Some(4.into()));
    }
}
