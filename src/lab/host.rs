//! One host of a lab: its record, its disk, and what makes a bare Debian this host.

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::container::Container;
use super::home::{make_private_folder, read_record, replace_file, write_record};
use super::image::Release;
use super::network::Network;
use super::process::{run, tool};
use super::{LabError, Result, machine, mounts};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    Running,
    Stopped,
}

/// A host as callers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub name: String,
    pub address: Ipv4Addr,
    pub state: HostState,
    /// The private key that root's login takes.
    pub key: PathBuf,
    /// The host's key, pinned.
    pub known_hosts: PathBuf,
    /// `ssh -F` this file reaches every host of the lab by name.
    pub ssh_config: PathBuf,
}

/// What is kept of a host on disk, from its first `up` on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub octet: u8,
    pub image: Release,
    pub packages: Vec<String>,
    pub disk: Option<u64>,
}

/// A host's folder and what is derived from it.
#[derive(Clone, Debug)]
pub struct Place {
    pub name: String,
    pub folder: PathBuf,
    pub network: Network,
    pub record: Record,
}

impl Place {
    const RECORD: &str = "host.json";

    pub fn load(hosts: &Path, name: &str, network: Network) -> Result<Option<Place>> {
        let folder = hosts.join(name);
        let record = read_record(&folder.join(Place::RECORD))?;
        Ok(record.map(|record| Place { name: name.to_owned(), folder, network, record }))
    }

    /// Makes the folder with record and host key, complete or not at all.
    pub fn create(hosts: &Path, name: &str, network: Network, record: Record) -> Result<Place> {
        let partial = hosts.join(format!(".{name}"));
        mounts::remove_folder(&partial)?;
        make_private_folder(&partial)?;
        write_record(&partial.join(Place::RECORD), &record)?;
        make_key(&partial.join("ssh_host_ed25519_key"), name)?;
        let folder = hosts.join(name);
        fs::rename(&partial, &folder).map_err(LabError::io("make the folder", &folder))?;
        Ok(Place { name: name.to_owned(), folder, network, record })
    }

    pub fn address(&self) -> Ipv4Addr {
        self.network.address(self.record.octet)
    }

    pub fn container(&self) -> Container {
        Container::named(self.network.machine(self.record.octet))
    }

    pub fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    pub fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }

    fn disk(&self) -> PathBuf {
        self.folder.join("disk")
    }

    /// The names of one host in `known_hosts`, `ssh_config` and `/etc/hosts`.
    pub fn names(&self) -> [String; 2] {
        [format!("{}.lab.test", self.name), self.name.clone()]
    }

    pub fn public_host_key(&self) -> Result<String> {
        let path = self.folder.join("ssh_host_ed25519_key.pub");
        let text = fs::read_to_string(&path).map_err(LabError::io("read", &path))?;
        Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
    }

    /// Throws the disk away: the next mount gives a bare host.
    pub fn wipe(&self) -> Result<()> {
        mounts::unmount_all(&self.root())?;
        mounts::remove_folder(&self.disk())
    }

    /// Mounts the disk. True when it is new, so that the host is bare and not this host yet.
    pub fn mount(&self, lower: &[PathBuf]) -> Result<bool> {
        let (disk, root) = (self.disk(), self.root());
        mounts::unmount_all(&root)?;
        make_private_folder(&disk)?;
        make_private_folder(&root)?;
        if let Some(bytes) = self.record.disk
            && !mounts::is_mounted(&disk)?
        {
            mounts::mount_tmpfs(bytes, &disk)?;
        }
        let (upper, work) = (disk.join("upper"), disk.join("work"));
        let fresh = !upper.exists();
        // What an overlay of before left in its work folder is of no use to the next one.
        mounts::remove_folder(&work)?;
        for folder in [&upper, &work] {
            fs::create_dir_all(folder).map_err(LabError::io("make the folder", folder))?;
        }
        fs::set_permissions(&upper, fs::Permissions::from_mode(0o755)).map_err(LabError::io("open", &upper))?;
        mounts::mount_overlay(lower, &upper, &work, &root)?;
        Ok(fresh)
    }

    /// Makes the mounted bare Debian this host. `login` is the public key that root's login takes.
    pub fn furnish(&self, login: &str, hosts_block: &str) -> Result<()> {
        let etc = self.root().join("etc");
        self.write("etc/hostname", &format!("{}\n", self.name), 0o644)?;
        let [full, short] = self.names();
        let hosts = format!("127.0.0.1 localhost\n127.0.1.1 {full} {short}\n\n{hosts_block}");
        self.write("etc/hosts", &hosts, 0o644)?;
        self.write("etc/resolv.conf", &machine::resolv_conf()?, 0o644)?;
        self.write("etc/machine-id", "", 0o444)?;
        let (address, gateway) = (self.address(), self.network.gateway());
        let network = format!("[Match]\nName=host0\n[Network]\nAddress={address}/24\nGateway={gateway}\nLinkLocalAddressing=no\n");
        self.write("etc/systemd/network/10-host0.network", &network, 0o644)?;
        let wanted = etc.join("systemd/system/multi-user.target.wants/systemd-networkd.service");
        match symlink("/usr/lib/systemd/system/systemd-networkd.service", &wanted) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(LabError::Io { action: "enable", path: wanted, source: error }),
            _ => Ok(()),
        }?;
        self.write("root/.ssh/authorized_keys", login, 0o600)?;
        for (file, mode) in [("ssh_host_ed25519_key", 0o600), ("ssh_host_ed25519_key.pub", 0o644)] {
            let kept = self.folder.join(file);
            let key = fs::read_to_string(&kept).map_err(LabError::io("read", &kept))?;
            self.write(&format!("etc/ssh/{file}"), &key, mode)?;
        }
        Ok(())
    }

    /// Tells the host, running or not, of the lab's hosts of now. Other lines of its `/etc/hosts` stay.
    pub fn tell_of_hosts(&self, block: &str) -> Result<()> {
        let path = self.root().join("etc/hosts");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // Not furnished yet, or the host has none: then it wants none.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(LabError::Io { action: "read", path, source }),
        };
        let told = with_block(&text, block);
        if told == text { Ok(()) } else { replace_file(&path, told.as_bytes()) }
    }

    fn write(&self, inside: &str, content: &str, mode: u32) -> Result<()> {
        let path = self.root().join(inside);
        let folder = path.parent().unwrap_or(&path);
        if !folder.exists() {
            fs::create_dir_all(folder).map_err(LabError::io("make the folder", folder))?;
            let private = if folder.ends_with(".ssh") { 0o700 } else { 0o755 };
            fs::set_permissions(folder, fs::Permissions::from_mode(private)).map_err(LabError::io("make the folder", folder))?;
        }
        // Renamed into place: a link that stands there is replaced, not followed out of the host.
        replace_file(&path, content.as_bytes())?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(LabError::io("write", &path))
    }
}

/// An ed25519 key without passphrase, and its public half.
pub fn make_key(path: &Path, comment: &str) -> Result<()> {
    run("make a key", tool("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(path)).map(drop)
}

const BLOCK_BEGIN: &str = "# hosts of the lab";
const BLOCK_END: &str = "# end of the lab";

/// The lab's part of `/etc/hosts`.
pub fn hosts_block(places: &[Place]) -> String {
    let lines: String = places.iter().map(|place| format!("{} {}\n", place.address(), place.names().join(" "))).collect();
    format!("{BLOCK_BEGIN}\n{lines}{BLOCK_END}\n")
}

fn with_block(text: &str, block: &str) -> String {
    let bounds = text.find(BLOCK_BEGIN).and_then(|begin| {
        let end = text[begin..].find(BLOCK_END)? + begin + BLOCK_END.len();
        Some((begin, text[end..].strip_prefix('\n').map_or(end, |_| end + 1)))
    });
    match bounds {
        Some((begin, end)) => format!("{}{block}{}", &text[..begin], &text[end..]),
        None if text.is_empty() || text.ends_with('\n') => format!("{text}{block}"),
        None => format!("{text}\n{block}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, octet: u8) -> Place {
        let record = Record { octet, image: Release::Trixie, packages: Vec::new(), disk: None };
        Place { name: name.into(), folder: PathBuf::from("/none"), network: Network::numbered(7), record }
    }

    #[test]
    fn the_labs_block_is_replaced_and_the_hosts_own_lines_stay() {
        let one = hosts_block(&[place("idp1", 10)]);
        let two = hosts_block(&[place("idp1", 10), place("acme", 11)]);
        let first = with_block("127.0.0.1 localhost\n", &one);
        let edited = format!("{first}192.0.2.9 own\n");
        let expected = "127.0.0.1 localhost\n# hosts of the lab\n10.66.7.10 idp1.lab.test idp1\n10.66.7.11 acme.lab.test acme\n\
            # end of the lab\n192.0.2.9 own\n";
        assert_eq!(with_block(&edited, &two), expected);
        assert_eq!(with_block(&with_block(&edited, &two), &two), expected, "saying it twice changes nothing");
    }

    #[test]
    fn a_file_without_final_newline_keeps_its_last_line() {
        assert_eq!(with_block("192.0.2.9 own", "block\n"), "192.0.2.9 own\nblock\n");
    }

    #[test]
    fn a_host_is_furnished_through_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let host = Place { folder: folder.path().to_owned(), ..place("idp1", 10) };
        fs::create_dir_all(host.root().join("etc")).unwrap();
        let outside = folder.path().join("outside");
        fs::write(&outside, "kept").unwrap();
        symlink(&outside, host.root().join("etc/resolv.conf")).unwrap();
        host.write("etc/resolv.conf", "nameserver 192.0.2.1\n", 0o644).unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "kept");
        assert_eq!(fs::read_to_string(host.root().join("etc/resolv.conf")).unwrap(), "nameserver 192.0.2.1\n");
    }
}
