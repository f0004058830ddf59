//! A lab's bridge and its /24 out of 10.66.0.0/16, with a way out through this machine.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::process::{run, run_with_input, tool};
use super::{LabError, Result};

/// What an interface's alias says, so that a bridge whose lab is gone is known as ours.
const OWNER: &str = "hostler lab ";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    number: u8,
}

impl Network {
    pub fn numbered(number: u8) -> Network {
        Network { number }
    }

    pub fn number(self) -> u8 {
        self.number
    }

    /// At most 10 characters; the kernel allows 15.
    pub fn bridge(self) -> String {
        format!("hostler{}", self.number)
    }

    pub fn address(self, octet: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 66, self.number, octet)
    }

    /// This machine on the bridge.
    pub fn gateway(self) -> Ipv4Addr {
        self.address(1)
    }

    /// The container's name and, with `vb-` before it, its link's: unique on the machine and short enough for one.
    pub fn machine(self, octet: u8) -> String {
        format!("hl{}-{octet}", self.number)
    }

    /// A bridge of the lab in that folder, the first free one from the preferred number on.
    pub fn allocate(lab: &Path, preferred: u8, taken: &[u8]) -> Result<Network> {
        let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
        for step in 0..=u8::MAX {
            let network = Network { number: preferred.wrapping_add(step) };
            if taken.contains(&network.number) || network.bridge_owner().is_some() || overlaps(&routes, network.address(0)) {
                continue;
            }
            // Another user's lab may have taken it since: the kernel decides, by the bridge's name.
            if network.add_bridge(lab).is_ok() {
                network.raise(lab, "")?;
                return Ok(network);
            }
        }
        Err(LabError::NoFreeNetwork)
    }

    /// Makes bridge, address, forwarding and masquerading as they should be; quick when they are.
    pub fn raise(self, lab: &Path, lab_name: &str) -> Result<()> {
        match self.bridge_owner() {
            None => self.add_bridge(lab)?,
            Some(owner) if owner == lab => {}
            Some(_) => return Err(LabError::NetworkTaken { lab: lab_name.to_owned(), number: self.number }),
        }
        let (bridge, gateway) = (self.bridge(), format!("{}/24", self.gateway()));
        run("give the lab's bridge its address", tool("ip").args(["address", "replace", &gateway, "dev", &bridge]))?;
        run("start the lab's bridge", tool("ip").args(["link", "set", &bridge, "up"]))?;
        let forward = Path::new("/proc/sys/net/ipv4/ip_forward");
        fs::write(forward, "1").map_err(LabError::io("turn on forwarding in", forward))?;
        // Declared before it is deleted, so that the delete never fails: nft's way to replace a table.
        let rules = format!(
            "table ip {bridge}\ndelete table ip {bridge}\ntable ip {bridge} {{\n  chain out {{\n    type nat hook postrouting priority 100;\n    \
             ip saddr {subnet}/24 oifname != \"{bridge}\" masquerade\n  }}\n}}\n",
            subnet = self.address(0)
        );
        run_with_input("let the lab's hosts reach out", tool("nft").args(["-f", "-"]), &rules)?;
        Ok(())
    }

    /// Removes bridge and rules; what is gone already is fine.
    pub fn lower(self) -> Result<()> {
        let bridge = self.bridge();
        remove_link(&bridge)?;
        run_with_input("remove the lab's rules", tool("nft").args(["-f", "-"]), &format!("table ip {bridge}\ndelete table ip {bridge}\n"))?;
        Ok(())
    }

    fn add_bridge(self, lab: &Path) -> Result<()> {
        let bridge = self.bridge();
        run("add the lab's bridge", tool("ip").args(["link", "add", &bridge, "type", "bridge"]))?;
        let alias = format!("{OWNER}{}", lab.display());
        run("mark the lab's bridge", tool("ip").args(["link", "set", &bridge, "alias", &alias])).map(drop)
    }

    /// The folder of the lab whose bridge it is; an empty path for a stranger's; nothing when there is no such bridge.
    fn bridge_owner(self) -> Option<PathBuf> {
        bridge_owner(&self.bridge())
    }
}

fn bridge_owner(bridge: &str) -> Option<PathBuf> {
    let alias = fs::read_to_string(Path::new("/sys/class/net").join(bridge).join("ifalias")).ok()?;
    Some(alias.trim_end().strip_prefix(OWNER).map(PathBuf::from).unwrap_or_default())
}

/// The networks on this machine whose lab's folder is gone.
pub fn orphans() -> Vec<Network> {
    let links = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let numbers = links.filter_map(|link| link.file_name().to_str()?.strip_prefix("hostler")?.parse().ok());
    let networks = numbers.map(|number| Network { number });
    networks.filter(|network| network.bridge_owner().is_some_and(|lab| lab.is_absolute() && !lab.exists())).collect()
}

/// Removes an interface if it is there.
pub fn remove_link(name: &str) -> Result<()> {
    let there = || Path::new("/sys/class/net").join(name).exists();
    if !there() {
        return Ok(());
    }
    match run("remove a stale link", tool("ip").args(["link", "delete", name])) {
        Err(error) if there() => Err(error),
        _ => Ok(()),
    }
}

/// Whether a route other than the default one leads into the /24 at `network`, in the kernel's table (hexadecimal, host byte order).
fn overlaps(routes: &str, network: Ipv4Addr) -> bool {
    let field = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::swap_bytes);
    routes.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (Some(to), Some(mask)) = (fields.get(1).and_then(|f| field(f)), fields.get(7).and_then(|f| field(f))) else { return false };
        let common = mask & 0xffff_ff00;
        mask != 0 && to & common == u32::from(network) & common
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
        eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n\
        other 0005420A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n\
        part 8007420A 00000000 0001 0 0 0 C0FFFFFF 0 0 0\n";

    #[test]
    fn a_network_that_a_route_leads_into_is_not_taken() {
        assert!(overlaps(ROUTES, Ipv4Addr::new(10, 66, 5, 0)));
        assert!(overlaps(ROUTES, Ipv4Addr::new(10, 66, 7, 0)), "a smaller network inside");
        assert!(!overlaps(ROUTES, Ipv4Addr::new(10, 66, 6, 0)), "the default route is no hindrance");
        assert!(overlaps("head\nvpn 0000420A 0 0 0 0 0 0000FFFF 0 0 0\n", Ipv4Addr::new(10, 66, 6, 0)), "a larger network around");
    }

    #[test]
    fn names_fit_the_kernels_fifteen_characters() {
        let network = Network::numbered(255);
        assert_eq!(network.bridge(), "hostler255");
        assert!(format!("vb-{}", network.machine(250)).len() <= 15);
    }
}
