//! Interfaces, addresses and default routes: attributes from `/sys/class/net`, addresses from one call of `ip -json`.

use std::net::Ipv4Addr;

use crate::base::{Map, Value};

use super::reader::Reader;

pub fn collect(host: &Reader, facts: &mut Map) {
    let addresses = addresses(host);
    let mut defaults = [default_route(host, "-4", "8.8.8.8"), default_route(host, "-6", "2404:6800:400a:800::1012")];
    let (mut all4, mut all6) = (Vec::new(), Vec::new());
    let names: Vec<String> =
        host.names("/sys/class/net").into_iter().filter(|name| host.exists(&format!("/sys/class/net/{name}/flags"))).collect();
    for name in &names {
        let mut interface = attributes(host, name);
        for address in addresses.iter().filter(|address| address.interface == *name) {
            if address.is_v6 {
                add_v6(address, &mut interface, &mut defaults[1], &mut all6);
            } else {
                add_v4(address, &mut interface, &mut defaults[0], &mut all4);
            }
        }
        features(host, name, &mut interface);
        facts.insert(name.replace(':', "_"), interface);
    }
    let [v4, v6] = defaults;
    facts.insert("interfaces", Value::list(names));
    facts.insert("default_ipv4", v4);
    facts.insert("default_ipv6", v6);
    facts.insert("all_ipv4_addresses", Value::list(all4));
    facts.insert("all_ipv6_addresses", Value::list(all6));
    let reachable = [("ipv4", reachable(host, "-4")), ("ipv6", reachable(host, "-6"))];
    facts.insert("locally_reachable_ips", Value::map(reachable));
    facts.insert("fibre_channel_wwn", Value::list(Vec::<Value>::new()));
}

struct Address {
    interface: String,
    label: String,
    is_v6: bool,
    address: String,
    prefix: u32,
    broadcast: String,
    scope: String,
    secondary: bool,
}

fn addresses(host: &Reader) -> Vec<Address> {
    let shown = host.output(&["ip", "-json", "addr", "show"]).unwrap_or_default();
    let Ok(serde_json::Value::Array(interfaces)) = serde_json::from_str(&shown) else { return Vec::new() };
    let text = |value: &serde_json::Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for interface in &interfaces {
        let name = text(interface, "ifname");
        for entry in interface["addr_info"].as_array().into_iter().flatten() {
            let label = text(entry, "label");
            found.push(Address {
                label: if label.is_empty() { name.clone() } else { label },
                interface: name.clone(),
                is_v6: entry["family"] == "inet6",
                address: text(entry, "local"),
                prefix: entry["prefixlen"].as_u64().unwrap_or(32) as u32,
                broadcast: text(entry, "broadcast"),
                scope: text(entry, "scope"),
                secondary: entry["secondary"].as_bool().unwrap_or(false),
            });
        }
    }
    found
}

fn add_v4(address: &Address, interface: &mut Map, default: &mut Map, all: &mut Vec<String>) {
    let Ok(bits) = address.address.parse::<Ipv4Addr>().map(u32::from) else { return };
    let mask = u32::MAX.checked_shl(32 - address.prefix.min(32)).unwrap_or(0);
    let shape = [
        ("address", address.address.clone()),
        ("broadcast", address.broadcast.clone()),
        ("netmask", Ipv4Addr::from(mask).to_string()),
        ("network", Ipv4Addr::from(bits & mask).to_string()),
        ("prefix", address.prefix.to_string()),
    ];
    let entry: Map = shape.into_iter().collect();
    if default.text("address") == Some(address.address.as_str()) {
        for name in ["broadcast", "netmask", "network", "prefix"] {
            default.insert(name, entry.get(name).cloned().unwrap_or_default());
        }
        inherit(default, interface);
        default.insert("alias", address.label.as_str());
    }
    if !address.address.starts_with("127.") {
        all.push(address.address.clone());
    }
    if !address.secondary && !interface.contains_key("ipv4") {
        interface.insert("ipv4", entry);
    } else {
        push(interface, "ipv4_secondaries", entry.into());
    }
}

fn add_v6(address: &Address, interface: &mut Map, default: &mut Map, all: &mut Vec<String>) {
    let shape = [("address", address.address.clone()), ("prefix", address.prefix.to_string()), ("scope", address.scope.clone())];
    let entry: Map = shape.into_iter().collect();
    if default.text("address") == Some(address.address.as_str()) {
        for name in ["prefix", "scope"] {
            default.insert(name, entry.get(name).cloned().unwrap_or_default());
        }
        inherit(default, interface);
    }
    if address.address != "::1" {
        all.push(address.address.clone());
    }
    push(interface, "ipv6", entry.into());
}

fn inherit(default: &mut Map, interface: &Map) {
    for name in ["macaddress", "mtu", "type"] {
        default.insert(name, interface.get(name).cloned().unwrap_or_default());
    }
}

fn push(map: &mut Map, name: &str, entry: Value) {
    let mut items = match map.get(name) {
        Some(Value::List(items)) => items.as_ref().clone(),
        _ => Vec::new(),
    };
    items.push(entry);
    map.insert(name, Value::list(items));
}

/// Interface, source address and gateway of the way out.
fn default_route(host: &Reader, family: &str, target: &str) -> Map {
    let mut route = Map::new();
    let Some(text) = host.output(&["ip", family, "route", "get", target]) else { return route };
    let words: Vec<&str> = text.lines().next().unwrap_or_default().split_whitespace().collect();
    if words.first() != Some(&target) {
        return route;
    }
    for pair in words.windows(2) {
        match pair {
            ["dev", name] => route.insert("interface", *name),
            ["src", address] => route.insert("address", *address),
            ["via", gateway] if *gateway != target => route.insert("gateway", *gateway),
            _ => None,
        };
    }
    route
}

fn reachable(host: &Reader, family: &str) -> Value {
    let text = host.output(&["ip", family, "route", "show", "table", "local"]).unwrap_or_default();
    let mut found: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(address) = line.strip_prefix("local ").and_then(|rest| rest.split_whitespace().next())
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    Value::list(found)
}

fn attributes(host: &Reader, name: &str) -> Map {
    let folder = format!("/sys/class/net/{name}");
    let read = |path: &str| host.text(&format!("{folder}/{path}"));
    let mut interface = Map::new();
    interface.insert("device", name);
    if let Some(mac) = read("address").filter(|mac| mac != "00:00:00:00:00:00") {
        interface.insert("macaddress", mac);
    }
    if let Some(mtu) = host.number(&format!("{folder}/mtu")) {
        interface.insert("mtu", mtu);
    }
    if let Some(state) = read("operstate") {
        interface.insert("active", state != "down");
    }
    if let Some(module) = host.link_name(&format!("{folder}/device/driver/module")) {
        interface.insert("module", module);
    }
    let kind = read("type").unwrap_or_default();
    let kinds = [("1", "ether"), ("32", "infiniband"), ("512", "ppp"), ("772", "loopback"), ("65534", "tunnel")];
    interface.insert("type", kinds.iter().find(|(number, _)| *number == kind).map_or("unknown", |(_, kind)| kind));
    if host.exists(&format!("{folder}/bridge")) {
        interface.insert("type", "bridge");
        interface.insert("interfaces", Value::list(host.names(&format!("{folder}/brif"))));
        interface.insert("id", read("bridge/bridge_id").unwrap_or_default());
        interface.insert("stp", read("bridge/stp_state").as_deref() == Some("1"));
    }
    bonding(host, &folder, &mut interface);
    if let Some(id) = host.link_name(&format!("{folder}/device")) {
        interface.insert("pciid", id);
    }
    if let Some(speed) = host.number(&format!("{folder}/speed")) {
        interface.insert("speed", speed);
    }
    let flags = read("flags").and_then(|flags| u32::from_str_radix(flags.trim_start_matches("0x"), 16).ok()).unwrap_or(0);
    interface.insert("promisc", flags & 0x100 != 0);
    interface
}

fn bonding(host: &Reader, folder: &str, interface: &mut Map) {
    let read = |path: &str| host.text(&format!("{folder}/{path}"));
    if host.exists(&format!("{folder}/bonding")) {
        interface.insert("type", "bonding");
        interface.insert("slaves", Value::list(read("bonding/slaves").unwrap_or_default().split_whitespace()));
        for name in ["mode", "miimon", "lacp_rate"] {
            let text = read(&format!("bonding/{name}")).unwrap_or_default();
            interface.insert(name, text.split_whitespace().next().unwrap_or_default());
        }
        if let Some(primary) = read("bonding/primary") {
            interface.insert("primary", primary);
            if let Some(active) = read("bonding/all_slaves_active") {
                interface.insert("all_slaves_active", active == "1");
            }
        }
    }
    if let Some(address) = read("bonding_slave/perm_hwaddr") {
        interface.insert("perm_macaddress", address);
    }
}

/// What `ethtool` tells, where it is installed.
fn features(host: &Reader, name: &str, interface: &mut Map) {
    let Some(text) = host.output(&["ethtool", "-k", name]) else { return };
    let pairs = text.lines().filter(|line| !line.trim_end().ends_with(':')).filter_map(|line| line.split_once(": "));
    let features: Map = pairs.map(|(key, value)| (key.trim().replace('-', "_"), value.trim())).collect();
    interface.insert("features", features);
    let Some(text) = host.output(&["ethtool", "-T", name]) else { return };
    let after = |prefix: &str| {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter_map(|word| word.strip_prefix(prefix));
        Value::list(words.map(str::to_lowercase))
    };
    interface.insert("timestamping", after("SOF_TIMESTAMPING_"));
    interface.insert("hw_timestamp_filters", after("HWTSTAMP_FILTER_"));
    if let Some(number) = text.lines().find_map(|line| line.strip_prefix("PTP Hardware Clock: ")?.trim().parse::<i64>().ok()) {
        interface.insert("phc_index", number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Attributes, Completed, Mode, Overlay, System};

    #[test]
    fn an_address_gives_network_and_mask_and_the_default_route_knows_its_interface() {
        let overlay = Overlay::empty()
            .with_file("/usr/bin/ip", "")
            .with_file("/sys/class/net/eth0/flags", "0x1003\n")
            .with_file("/sys/class/net/eth0/mtu", "1500\n")
            .with_file("/sys/class/net/eth0/type", "1\n")
            .answer(|command| {
                let argv = command.argv_text().join(" ");
                let stdout = match () {
                    () if argv.contains("addr show") => {
                        r#"[{"ifname":"eth0","addr_info":[{"family":"inet","local":"10.0.1.5","prefixlen":23,"broadcast":"10.0.1.255","scope":"global","label":"eth0"}]}]"#
                    }
                    () if argv.contains("8.8.8.8") => "8.8.8.8 via 10.0.0.1 dev eth0 src 10.0.1.5 uid 0\n",
                    () => "",
                };
                Some(Completed { stdout: stdout.into(), ..Completed::default() })
            });
        let mut sys = System::dry(overlay);
        let executable = Attributes { mode: Some(Mode::Octal(0o755)), ..Attributes::default() };
        sys.set_attributes(std::path::Path::new("/usr/bin/ip"), &executable).expect("sets");
        let mut facts = Map::new();
        collect(&Reader { sys: &sys }, &mut facts);
        let Some(Value::Map(default)) = facts.get("default_ipv4") else { panic!("{facts:?}") };
        assert_eq!(default.text("network"), Some("10.0.0.0"));
        assert_eq!(default.text("netmask"), Some("255.255.254.0"));
        assert_eq!(default.text("gateway"), Some("10.0.0.1"));
        assert_eq!(default.text("type"), Some("ether"));
        assert_eq!(facts.get("all_ipv4_addresses"), Some(&Value::list(["10.0.1.5"])));
    }
}
