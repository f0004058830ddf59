//! The cached images that hosts start from: a bare Debian, and layers with packages over it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::home::{Home, make_private_folder};
use super::operations::{Event, Watch};
use super::process::{run, tool};
use super::{LabError, Result, machine, mounts};

/// What a bare server has: sshd, and no Python.
const BARE: &str = "systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,ca-certificates,procps";
/// Counted up when what is done to an image changes, so that older ones are not used.
const RECIPE: u32 = 1;

/// Debian releases there is an image of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Release {
    #[default]
    Trixie,
    Bookworm,
}

impl Release {
    pub fn name(self) -> &'static str {
        match self {
            Release::Trixie => "trixie",
            Release::Bookworm => "bookworm",
        }
    }
}

impl FromStr for Release {
    type Err = LabError;

    fn from_str(name: &str) -> Result<Release> {
        [Release::Trixie, Release::Bookworm]
            .into_iter()
            .find(|release| release.name() == name)
            .ok_or_else(|| LabError::UnknownRelease { name: name.to_owned() })
    }
}

/// The folders of an image, topmost first, for an overlay's `lowerdir`. What is not in the cache yet is built.
pub fn layers(home: &Home, release: Release, packages: &[String], watch: Watch<'_>) -> Result<Vec<PathBuf>> {
    let base = Base::of_this_machine(release);
    let base_folder = ensure(home, &base.key(), watch, &Event::BuildingImage { release }, |partial| base.build(partial))?;
    if packages.is_empty() {
        return Ok(vec![base_folder]);
    }
    let mut sorted = packages.to_vec();
    sorted.sort();
    sorted.dedup();
    let key = format!("{}+{}", base.key(), digest(&sorted.join(",")));
    let event = Event::InstallingPackages { packages: sorted.clone() };
    let layer = ensure(home, &key, watch, &event, |partial| install(&base_folder, &sorted, partial))?;
    Ok(vec![layer, base_folder])
}

/// Builds an image beside its place and moves it there, once for everybody who waits for it.
fn ensure(home: &Home, key: &str, watch: Watch<'_>, event: &Event, build: impl Fn(&Path) -> Result<PathBuf>) -> Result<PathBuf> {
    let folder = home.images().join(key);
    if folder.exists() {
        return Ok(folder);
    }
    let _lock = home.lock(&format!("image.{key}"))?;
    if folder.exists() {
        return Ok(folder);
    }
    watch(event);
    let partial = home.images().join(format!(".{key}"));
    mounts::remove_folder(&partial)?;
    make_private_folder(&partial)?;
    let built = build(&partial)?;
    fs::rename(&built, &folder).map_err(LabError::io("move the finished image to", &folder))?;
    mounts::remove_folder(&partial)?;
    Ok(folder)
}

/// Removes what an interrupted build left.
pub fn sweep(home: &Home) -> Result<()> {
    let entries = fs::read_dir(home.images()).map_err(LabError::io("read", &home.images()))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(key) = name.strip_prefix('.') else { continue };
        if let Some(_lock) = home.try_lock(&format!("image.{key}"))? {
            mounts::remove_folder(&entry.path())?;
        }
    }
    Ok(())
}

/// A bare Debian, and what of this machine it depends on.
struct Base {
    release: Release,
    mirror: String,
    settings: Vec<PathBuf>,
    authorities: Vec<String>,
}

impl Base {
    fn of_this_machine(release: Release) -> Base {
        Base { release, mirror: machine::mirror(), settings: machine::apt_settings(), authorities: machine::own_authorities() }
    }

    /// Another mirror, setting or authority gives another image.
    fn key(&self) -> String {
        let settings: Vec<String> = self.settings.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect();
        let recipe = format!("{RECIPE}\n{BARE}\n{}\n{}\n{}", self.mirror, settings.concat(), self.authorities.concat());
        format!("{}-{}", self.release.name(), digest(&recipe))
    }

    fn build(&self, partial: &Path) -> Result<PathBuf> {
        let root = partial.join("root");
        let mut command = tool("mmdebstrap");
        command.args(["--variant=minbase", "--format=directory"]).arg(format!("--include={BARE}"));
        command.args(self.settings.iter().map(|file| format!("--aptopt={}", file.display())));
        command.arg(self.release.name()).arg(&root).arg(&self.mirror);
        run(&format!("build the image of Debian {}", self.release.name()), &mut command)?;
        self.trust_authorities(&root)?;
        // Timers that take apt's lock at a random moment, and keys that every host would share.
        remove_matching(&root.join("etc/systemd/system/timers.target.wants"), "apt-daily")?;
        remove_matching(&root.join("etc/ssh"), "ssh_host_")?;
        Ok(root)
    }

    fn trust_authorities(&self, root: &Path) -> Result<()> {
        let folder = root.join("usr/local/share/ca-certificates");
        fs::create_dir_all(&folder).map_err(LabError::io("make the folder", &folder))?;
        for (index, certificate) in self.authorities.iter().enumerate() {
            let path = folder.join(format!("lab-machine-{index}.crt"));
            fs::write(&path, certificate).map_err(LabError::io("write", &path))?;
        }
        if !self.authorities.is_empty() {
            run("trust this machine's authorities in the image", tool("chroot").arg(root).arg("update-ca-certificates"))?;
        }
        Ok(())
    }
}

/// Installs packages over a base, in a process tree of its own that dies with this one. Nothing starts: systemd does not run in there.
fn install(base: &Path, packages: &[String], partial: &Path) -> Result<PathBuf> {
    const IN_CHROOT: &str = "export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && \
        apt-get -qq -y --no-install-recommends install -- \"$@\" && apt-get clean && rm -rf /var/lib/apt/lists/*";
    const MOUNTED: &str = r#"root=$1; shift
mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && exec chroot "$root" "$@""#;
    let [upper, work, root] = ["upper", "work", "root"].map(|name| partial.join(name));
    for folder in [&upper, &work, &root] {
        fs::create_dir(folder).map_err(LabError::io("make the folder", folder))?;
    }
    // The top folder of the upper layer becomes `/` of every host over it.
    fs::set_permissions(&upper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).map_err(LabError::io("open", &upper))?;
    mounts::mount_overlay(&[base.to_owned()], &upper, &work, &root)?;
    let names = root.join("etc/resolv.conf");
    fs::write(&names, machine::resolv_conf()?).map_err(LabError::io("write", &names))?;
    let mut command = tool("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", MOUNTED, "sh"]).arg(&root);
    command.args(["sh", "-c", IN_CHROOT, "sh"]).args(packages);
    run(&format!("install {} in an image", packages.join(", ")), &mut command)?;
    remove_matching(&root.join("etc/systemd/system/timers.target.wants"), "apt-daily")?;
    mounts::unmount_all(&root)?;
    Ok(upper)
}

fn remove_matching(folder: &Path, prefix: &str) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(LabError::io("read", folder))?;
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)) {
        fs::remove_file(entry.path()).map_err(LabError::io("remove", &entry.path()))?;
    }
    Ok(())
}

/// Refuses what apt would take for an option.
pub fn check_package_name(name: &str) -> Result<()> {
    let first = name.chars().next().is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit());
    if first && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.:=~".contains(c)) {
        return Ok(());
    }
    Err(LabError::BadPackage { name: name.to_owned() })
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(5).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(mirror: &str) -> Base {
        Base { release: Release::Trixie, mirror: mirror.to_owned(), settings: Vec::new(), authorities: Vec::new() }
    }

    #[test]
    fn another_mirror_gives_another_image() {
        assert_eq!(base("http://a.test/debian").key(), base("http://a.test/debian").key());
        assert_ne!(base("http://a.test/debian").key(), base("http://b.test/debian").key());
        assert!(base("http://a.test/debian").key().starts_with("trixie-"));
    }

    #[test]
    fn an_option_is_no_package_name() {
        check_package_name("python3-apt").unwrap();
        check_package_name("g++").unwrap();
        for bad in ["", "-oDebug=1", "a b", "a;b", "A"] {
            assert!(check_package_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_interrupted_build_is_swept_and_a_running_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        for key in ["trixie-dead", "trixie-busy"] {
            fs::create_dir(home.images().join(format!(".{key}"))).unwrap();
        }
        let _busy = home.lock("image.trixie-busy").unwrap();
        sweep(&home).unwrap();
        assert!(!home.images().join(".trixie-dead").exists());
        assert!(home.images().join(".trixie-busy").exists());
    }
}
