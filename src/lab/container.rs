//! One booted container: its control group, its start and its end. The control group says whether it runs, so no pid file can lie.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::network::remove_link;
use super::process::{run, tool};
use super::{LabError, Result, mounts};

/// The parent of every lab host's control group.
const SLICE: &str = "hostler-lab";

/// Runs in a mount namespace of its own. nspawn wants a unified hierarchy at the usual place, which a hybrid machine does not have. The
/// other hosts' disks are let go of there, so that they can be thrown away while this host runs. Each boot has a control group, since nspawn
/// names the groups in it alike for every container; whoever boots again is in another one beside it, as a group with groups in it holds no
/// processes. nspawn that keeps its unit asks for another boot by ending with 133.
const LAUNCH: &str = r#"
group=/sys/fs/cgroup/$1 labs=$2 root=$3 machine=$4 bridge=$5
umount -R /sys/fs/cgroup 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 1
mkdir -p "$group/launch" && echo $$ > "$group/launch/cgroup.procs" || exit 1
for controller in $(cat "$group/cgroup.controllers"); do
  echo "+$controller" 2>/dev/null > "$group/cgroup.subtree_control"
done
while read -r _ at _; do
  case $at in "$root") ;; "$labs"/*) umount -l "$at" ;; esac
done < /proc/self/mounts
while :; do
  mkdir "$group/boot" || exit 1
  sh -c 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"' sh "$group/boot" systemd-nspawn --register=no --keep-unit --boot \
    --directory="$root" --machine="$machine" --network-bridge="$bridge" --resolv-conf=off
  [ $? = 133 ] || exit 1
  find "$group/boot" -depth -type d -exec rmdir {} +
done
"#;

#[derive(Clone, Debug)]
pub struct Container {
    machine: String,
}

impl Container {
    pub fn named(machine: String) -> Container {
        Container { machine }
    }

    fn group(&self) -> String {
        format!("{SLICE}/{}", self.machine)
    }

    fn group_folder(&self) -> Result<PathBuf> {
        Ok(mounts::cgroup2()?.join(self.group()))
    }

    /// Whether any of its processes lives.
    pub fn is_running(&self) -> Result<bool> {
        let events = fs::read_to_string(self.group_folder()?.join("cgroup.events")).unwrap_or_default();
        Ok(events.lines().any(|line| line == "populated 1"))
    }

    /// Boots what is at `root`, detached from this process. Its console goes to a file. It is not up yet on return.
    pub fn boot(&self, labs: &Path, root: &Path, bridge: &str, console: &Path) -> Result<()> {
        self.remove_traces()?;
        let group = self.group_folder()?;
        fs::create_dir_all(&group).map_err(LabError::io("make the control group", &group))?;
        delegate_controllers(&group);
        let log = File::create(console).map_err(LabError::io("write", console))?;
        let errors = log.try_clone().map_err(LabError::io("write", console))?;
        let mut command = tool("setsid");
        command.args(["--fork", "unshare", "--mount", "sh", "-c", LAUNCH, "sh"]).arg(self.group()).arg(labs).arg(root);
        command.arg(&self.machine).arg(bridge).stdout(Stdio::from(log)).stderr(Stdio::from(errors));
        let status = command.status().map_err(LabError::io("start", Path::new("setsid")))?;
        if !status.success() {
            return Err(LabError::Command { action: "boot".into(), program: "setsid".into(), said: status.to_string() });
        }
        self.wait_until(true, Duration::from_secs(10)).map(drop)
    }

    /// Ends all of its processes at once, as a power cut does, and removes what it had on this machine.
    pub fn kill(&self, host: &str) -> Result<()> {
        let group = self.group_folder()?;
        if self.is_running()? {
            let kill = group.join("cgroup.kill");
            fs::write(&kill, "1").map_err(LabError::io("stop the processes of", &group))?;
            if !self.wait_until(false, Duration::from_secs(60))? {
                return Err(LabError::DoesNotStop { name: host.to_owned() });
            }
        }
        self.remove_traces()
    }

    pub fn set_link(&self, up: bool) -> Result<()> {
        let (link, state) = (self.link(), if up { "up" } else { "down" });
        run("change the host's link", tool("ip").args(["link", "set", &link, state])).map(drop)
    }

    /// This machine's end of the container's cable, as nspawn names it.
    fn link(&self) -> String {
        format!("vb-{}", self.machine)
    }

    /// The link and the control group that a dead container may leave.
    pub fn remove_traces(&self) -> Result<()> {
        remove_link(&self.link())?;
        remove_group(&self.group_folder()?)
    }

    fn wait_until(&self, running: bool, limit: Duration) -> Result<bool> {
        let end = Instant::now() + limit;
        while self.is_running()? != running {
            if Instant::now() > end {
                return Ok(false);
            }
            sleep(Duration::from_millis(5));
        }
        Ok(true)
    }
}

/// The containers of one network that this machine still has a control group of.
pub fn left_on(prefix: &str) -> Result<Vec<Container>> {
    let entries = fs::read_dir(mounts::cgroup2()?.join(SLICE)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter(|name| name.starts_with(prefix)).map(Container::named).collect())
}

/// Memory and task limits of units work inside where the machine's own systemd leaves the controllers to us.
fn delegate_controllers(group: &Path) {
    let Some(parent) = group.parent() else { return };
    let controllers = fs::read_to_string(parent.join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        // One that is in use elsewhere is refused; the host boots without it.
        let _ = fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

/// Control groups are removed from the leaves up; the files in them are the kernel's.
fn remove_group(group: &Path) -> Result<()> {
    if !group.exists() {
        return Ok(());
    }
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.path().is_dir()) {
        remove_group(&entry.path())?;
    }
    match run("remove a control group", tool("rmdir").arg(group)) {
        // Another verb of the same lab clears up after the same dead host.
        Err(_) if !group.exists() => Ok(()),
        outcome => outcome.map(drop),
    }
}
