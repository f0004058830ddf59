//! The verbs: up, ls, reset, down, ssh, inventory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::access::Access;
use super::home::{Home, Lock, NETWORKS, folders_in, make_private_folder, read_record, replace_file, write_record};
use super::host::{Host, HostState, Place, Record, hosts_block, make_key};
use super::image::{self, Release};
use super::network::Network;
use super::process::require_tools;
use super::record::{LabRecord, Owner};
use super::{LabError, Result, login, mounts, sweep};

const FIRST_OCTET: u8 = 10;
const LAST_OCTET: u8 = 249;

/// What happens during a verb, told as it happens. It may come from several threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Once a machine and release; takes half a minute.
    BuildingImage { release: Release },
    /// Once for each list of packages.
    InstallingPackages { packages: Vec<String> },
    /// The host takes logins.
    Ready { host: String, took: Duration },
    /// The host ran already.
    Unchanged { host: String },
    /// The host and its disk are gone.
    Gone { host: String },
}

/// Who is told.
pub type Watch<'a> = &'a (dyn Fn(&Event) + Sync);

/// What a new host is made of. A host that exists keeps what it was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpOptions {
    pub image: Release,
    /// Debian packages a host starts with, from a cached layer.
    pub packages: Vec<String>,
    /// At most so many bytes can be written to its disk, which then lies in memory and does not outlive this machine's boot.
    pub disk: Option<u64>,
}

/// One lab of this machine.
#[derive(Clone, Debug)]
pub struct Lab {
    home: Home,
    name: String,
    owner: Option<Owner>,
}

impl Lab {
    /// The lab of that name in `$HOSTLER_LAB_DIR` or `~/.cache/hostler/lab`; it comes to be with its first host. Cleans up what crashes left.
    /// Fails without root or without the tools.
    pub fn open(name: &str) -> Result<Lab> {
        Lab::open_checked(None, name)
    }

    /// The same in a folder of the caller's choice.
    pub fn open_in(folder: &Path, name: &str) -> Result<Lab> {
        Lab::open_checked(Some(folder), name)
    }

    fn open_checked(folder: Option<&Path>, name: &str) -> Result<Lab> {
        if !rustix::process::geteuid().is_root() {
            return Err(LabError::NotRoot);
        }
        check_name(name)?;
        require_tools()?;
        let home = folder.map_or_else(Home::from_environment, Home::at)?;
        sweep::sweep(&home)?;
        Ok(Lab { home, name: name.to_owned(), owner: None })
    }

    /// Lets the lab end with this process: whoever opens a lab later removes it, should this process have died without doing so.
    pub fn owned_by_this_process(mut self) -> Lab {
        self.owner = Owner::this_process();
        self
    }

    pub(super) fn for_cleaning(home: &Home, name: &str) -> Lab {
        Lab { home: home.clone(), name: name.to_owned(), owner: None }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn folder(&self) -> PathBuf {
        self.home.lab(&self.name)
    }

    fn hosts_folder(&self) -> PathBuf {
        self.folder().join("hosts")
    }

    fn access(&self) -> Access {
        Access::of(&self.folder())
    }

    pub(super) fn record(&self) -> Result<Option<LabRecord>> {
        read_record(&self.folder().join("lab.json"))
    }

    fn lock_lab(&self) -> Result<Lock> {
        self.home.lock(&self.name)
    }

    /// Never waited for while the lab's own lock is held.
    fn lock_host(&self, host: &str) -> Result<Lock> {
        self.home.lock(&self.host_lock(host))
    }

    pub(super) fn host_lock(&self, host: &str) -> String {
        format!("{}.{host}", self.name)
    }

    pub(super) fn places(&self) -> Result<Vec<Place>> {
        let Some(record) = self.record()? else { return Ok(Vec::new()) };
        let network = Network::numbered(record.network);
        let names = folders_in(&self.hosts_folder())?;
        let places: Result<Vec<Option<Place>>> = names.iter().map(|name| Place::load(&self.hosts_folder(), name, network)).collect();
        Ok(places?.into_iter().flatten().collect())
    }

    fn place(&self, name: &str) -> Result<Place> {
        let mut places = self.places()?;
        match places.iter().position(|place| place.name == name) {
            Some(index) => Ok(places.swap_remove(index)),
            None => {
                let known = places.into_iter().map(|place| place.name).collect();
                Err(LabError::NoSuchHost { lab: self.name.clone(), name: name.to_owned(), known })
            }
        }
    }

    fn host(&self, place: &Place) -> Result<Host> {
        let access = self.access();
        let state = if place.container().is_running()? { HostState::Running } else { HostState::Stopped };
        let (name, address) = (place.name.clone(), place.address());
        Ok(Host { name, address, state, key: access.key, known_hosts: access.known_hosts, ssh_config: access.ssh_config })
    }

    /// The lab's hosts by name.
    pub fn ls(&self) -> Result<Vec<Host>> {
        self.places()?.iter().map(|place| self.host(place)).collect()
    }

    /// Hosts of these names that take logins: new ones are made, stopped ones booted, running ones left. All of them boot at once.
    pub fn up(&self, names: &[String], options: &UpOptions, watch: Watch<'_>) -> Result<Vec<Host>> {
        names.iter().try_for_each(|name| check_name(name))?;
        options.packages.iter().try_for_each(|package| image::check_package_name(package))?;
        let names: Vec<String> = unique(names);
        let places = self.allocate(&names, options)?;
        // Once and before the hosts, so that it is told once.
        for place in &places {
            image::layers(&self.home, place.record.image, &place.record.packages, watch)?;
        }
        let booted: Vec<Result<Host>> = thread::scope(|scope| {
            let threads: Vec<_> = places.iter().map(|place| scope.spawn(move || self.up_one(place, watch))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        booted.into_iter().collect()
    }

    /// Gives each name its folder and address, and makes it known to the others.
    fn allocate(&self, names: &[String], options: &UpOptions) -> Result<Vec<Place>> {
        let _lock = self.lock_lab()?;
        let network = self.raise_network()?;
        make_private_folder(&self.hosts_folder())?;
        let mut used: BTreeSet<u8> = self.places()?.iter().map(|place| place.record.octet).collect();
        let mut places = Vec::new();
        for name in names {
            let place = match Place::load(&self.hosts_folder(), name, network)? {
                Some(place) => self.check_options(place, options)?,
                None => {
                    let free = (FIRST_OCTET..=LAST_OCTET).find(|octet| !used.contains(octet));
                    let octet = free.ok_or_else(|| LabError::NoFreeAddress { lab: self.name.clone() })?;
                    used.insert(octet);
                    let UpOptions { image, packages, disk } = options.clone();
                    Place::create(&self.hosts_folder(), name, network, Record { octet, image, packages, disk })?
                }
            };
            places.push(place);
        }
        self.tell_everybody()?;
        Ok(places)
    }

    fn check_options(&self, place: Place, options: &UpOptions) -> Result<Place> {
        let made_of = UpOptions { image: place.record.image, packages: place.record.packages.clone(), disk: place.record.disk };
        // Asking for nothing special takes the host as it is.
        if *options == UpOptions::default() || *options == made_of {
            return Ok(place);
        }
        Err(LabError::OtherOptions { lab: self.name.clone(), name: place.name })
    }

    fn raise_network(&self) -> Result<Network> {
        let folder = self.folder();
        if let Some(record) = self.record()? {
            let network = Network::numbered(record.network);
            network.raise(&folder, &self.name)?;
            return Ok(network);
        }
        // One at a time, so that two new labs of this user do not choose the same.
        let _lock = self.home.lock(NETWORKS)?;
        make_private_folder(&folder)?;
        if !self.access().key.exists() {
            make_key(&self.access().key, &format!("hostler lab {}", self.name))?;
        }
        let mut taken = Vec::new();
        for other in folders_in(&self.home.labs())? {
            taken.extend(Lab::for_cleaning(&self.home, &other).record()?.map(|record| record.network));
        }
        let network = Network::allocate(&folder, preferred_network(&self.name), &taken)?;
        write_record(&folder.join("lab.json"), &LabRecord { network: network.number(), owner: self.owner.clone() })?;
        Ok(network)
    }

    /// Needs the lab's lock.
    fn tell_everybody(&self) -> Result<()> {
        let places = self.places()?;
        self.access().write(&places)?;
        let block = hosts_block(&places);
        for place in places.iter() {
            if mounts::is_mounted(&place.root())? {
                // A host whose disk is full, perhaps on purpose, must not keep others from booting.
                let _ = place.tell_of_hosts(&block);
            }
        }
        Ok(())
    }

    fn up_one(&self, place: &Place, watch: Watch<'_>) -> Result<Host> {
        let start = Instant::now();
        let _lock = self.lock_host(&place.name)?;
        // It may have been thrown away while this waited.
        let place = self.place(&place.name)?;
        if place.container().is_running()? {
            watch(&Event::Unchanged { host: place.name.clone() });
            return self.host(&place);
        }
        self.boot(&place, start, watch)
    }

    /// Needs the host's lock.
    fn boot(&self, place: &Place, start: Instant, watch: Watch<'_>) -> Result<Host> {
        let lower = image::layers(&self.home, place.record.image, &place.record.packages, watch)?;
        if place.mount(&lower)? {
            let _lock = self.lock_lab()?;
            place.furnish(&self.access().public_key()?, &hosts_block(&self.places()?))?;
        }
        place.container().boot(&self.home.labs(), &place.root(), &place.network.bridge(), &place.console())?;
        login::wait(place, &self.access())?;
        watch(&Event::Ready { host: place.name.clone(), took: start.elapsed() });
        self.host(place)
    }

    /// Makes a host bare again: same name, address and host key, new disk.
    pub fn reset(&self, name: &str, watch: Watch<'_>) -> Result<Host> {
        let start = Instant::now();
        self.place(name)?;
        let _host = self.lock_host(name)?;
        let place = self.place(name)?;
        {
            let _lab = self.lock_lab()?;
            self.raise_network()?;
        }
        place.container().kill(name)?;
        place.wipe()?;
        self.boot(&place, start, watch)
    }

    /// Cuts a host's power: it stays in the lab, with its disk, and `up` boots it again.
    pub fn cut_power(&self, name: &str) -> Result<()> {
        self.place(name)?;
        let _lock = self.lock_host(name)?;
        self.place(name)?.container().kill(name)
    }

    /// Takes a running host off the network, or puts it back; what it does goes on. It answers again a moment after this returns.
    pub fn set_plugged(&self, name: &str, plugged: bool) -> Result<()> {
        self.place(name)?.container().set_link(plugged)
    }

    /// Throws hosts away; with the last one, the lab.
    pub fn down(&self, names: &[String], watch: Watch<'_>) -> Result<()> {
        // All names are checked before anything is thrown away.
        names.iter().try_for_each(|name| self.place(name).map(drop))?;
        let names = unique(names);
        thread::scope(|scope| {
            let threads: Vec<_> = names.iter().map(|name| scope.spawn(move || self.down_one(name, watch))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        let lock = self.lock_lab()?;
        if self.places()?.is_empty() { self.remove(lock) } else { self.tell_everybody() }
    }

    /// Throws the whole lab away.
    pub fn down_all(&self, watch: Watch<'_>) -> Result<()> {
        let names: Vec<String> = self.places()?.into_iter().map(|place| place.name).collect();
        self.down(&names, watch)
    }

    fn down_one(&self, name: &str, watch: Watch<'_>) -> Result<()> {
        let lock = self.lock_host(name)?;
        // Another process may have been quicker.
        let Ok(place) = self.place(name) else { return Ok(()) };
        place.container().kill(name)?;
        place.wipe()?;
        mounts::remove_folder(&place.folder)?;
        watch(&Event::Gone { host: name.to_owned() });
        lock.retire()
    }

    /// Removes a lab without hosts.
    fn remove(&self, lock: Lock) -> Result<()> {
        if let Some(record) = self.record()? {
            Network::numbered(record.network).lower()?;
        }
        mounts::remove_folder(&self.folder())?;
        lock.retire()
    }

    /// The user's `ssh` to a host, ready to run.
    pub fn ssh(&self, name: &str) -> Result<Command> {
        self.place(name)?;
        Ok(self.access().ssh(name))
    }

    /// An inventory of the lab's hosts with all that a login needs.
    pub fn inventory(&self) -> Result<String> {
        Ok(self.access().inventory(&self.places()?))
    }

    /// Writes the same as `FOLDER/HOST/lab.yml` for each host, for an inventory that has this `host_vars` folder beside it.
    pub fn write_host_variables(&self, folder: &Path) -> Result<()> {
        for place in self.places()? {
            let folder = folder.join(&place.name);
            std::fs::create_dir_all(&folder).map_err(LabError::io("make the folder", &folder))?;
            replace_file(&folder.join("lab.yml"), self.access().host_variables(&place).as_bytes())?;
        }
        Ok(())
    }
}

fn unique(names: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.iter().filter(|name| seen.insert(name.as_str())).cloned().collect()
}

/// A lab's usual network follows from its name, so that a lab made anew has the addresses of before when they are free.
fn preferred_network(name: &str) -> u8 {
    if name == "default" { 0 } else { name.bytes().fold(17, |hash: u8, byte| hash.wrapping_mul(31).wrapping_add(byte)) }
}

fn check_name(name: &str) -> Result<()> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = name.len() <= 30 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(letters) && !name.ends_with('-');
    if good { Ok(()) } else { Err(LabError::BadName { name: name.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_host_name_is_refused() {
        for good in ["a", "idp1", "web-2"] {
            check_name(good).unwrap();
        }
        for bad in ["", "1a", "-a", "a-", "A", "a.b", "a/b", "../x", &"a".repeat(31)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_given_twice_is_one_host() {
        assert_eq!(unique(&["b".into(), "a".into(), "b".into()]), ["b", "a"]);
    }
}
