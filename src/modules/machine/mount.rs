//! `ansible.posix.mount`: what is mounted, and what fstab says.

use std::path::{Path, PathBuf};

use crate::base::Map;
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Attributes, Command, Effect, Failure, FileChange, Result, System, WriteFile};

use super::fstab::{self, Entry};
use super::mount_point::MountPoint;

pub struct Mount;

choices! {
    pub enum State {
        /// Neither mounted nor in fstab, and its folder gone.
        Absent = "absent",
        /// Not in fstab, whether it is mounted or not.
        AbsentFromFstab = "absent_from_fstab",
        /// In fstab and mounted.
        Mounted = "mounted",
        /// In fstab, whether it is mounted or not.
        Present = "present",
        /// Not mounted; fstab stays.
        Unmounted = "unmounted",
        /// Mounted anew with what fstab says.
        Remounted = "remounted",
        /// Mounted, and fstab stays.
        Ephemeral = "ephemeral",
    }
}

module_args! {
    /// Mounts file systems and keeps their lines in fstab.
    pub struct MountArgs {
        /// Where it is mounted.
        path | "name": PathBuf,
        /// What is mounted: a device, a network share, a folder.
        src: Option<PathBuf>,
        /// Type of the file system.
        fstype: Option<String>,
        /// Options, separated by commas.
        opts: Option<String>,
        /// Do not show the options anywhere: there is a password among them.
        opts_no_log: bool = false,
        /// Whether dump saves it.
        dump: String = "0",
        /// When it is checked at boot.
        passno: String = "0",
        /// What should be so. `mounted`: in fstab and mounted. `present`: in fstab. `ephemeral`: mounted. `unmounted`: not mounted.
        /// `absent`: neither, and its folder gone. `absent_from_fstab`: not in fstab. `remounted`: mounted anew.
        state: State,
        /// The file to keep its line in; `/etc/fstab` when not given.
        fstab: Option<String>,
        /// Mount it at boot; if not, `noauto` is added to the options.
        boot: bool = true,
        /// Keep the old file under a dated name.
        backup: bool = false,
    }
    rules [
        Rule::RequiredIf("state", "mounted", &["src", "fstype"]),
        Rule::RequiredIf("state", "present", &["src", "fstype"]),
        Rule::RequiredIf("state", "ephemeral", &["src", "fstype"]),
    ]
}

impl Module for Mount {
    const NAME: &'static str = "ansible.posix.mount";
    type Args = MountArgs;

    fn run(args: MountArgs, sys: &mut System) -> Result<Output> {
        let job = Job::new(args);
        let backup = match job.args.state {
            State::Present => job.configure(sys)?.backup,
            State::Mounted => job.mount_for_good(sys)?,
            State::Ephemeral => job.mount_for_now(sys)?,
            State::Unmounted => job.unmount(sys)?,
            State::Remounted => job.remount_again(sys)?,
            State::AbsentFromFstab => job.forget(sys)?.1,
            State::Absent => job.end(sys)?,
        };
        Ok(job.output(backup))
    }
}

/// A task, with the line that it asks for.
struct Job {
    args: MountArgs,
    entry: Entry,
    fstab: PathBuf,
    point: MountPoint,
}

/// What became of fstab.
struct Configured {
    before: Option<String>,
    changed: bool,
    backup: Option<PathBuf>,
}

impl Job {
    fn new(args: MountArgs) -> Job {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut options = args.opts.clone().unwrap_or_else(|| "defaults".to_owned());
        if !args.boot && args.state != State::Ephemeral && !options.split(',').any(|option| option == "noauto") {
            options.push_str(",noauto");
        }
        let entry = Entry {
            source: args.src.as_deref().map(text).unwrap_or_default(),
            path: text(&args.path),
            kind: args.fstype.clone().unwrap_or_default(),
            options,
            dump: args.dump.clone(),
            pass: args.passno.clone(),
        };
        let fstab = args.fstab.clone().map_or_else(|| PathBuf::from("/etc/fstab"), PathBuf::from);
        let point = MountPoint { path: args.path.clone() };
        Job { args, entry, fstab, point }
    }

    fn output(&self, backup: Option<PathBuf>) -> Output {
        let mut values = Map::new();
        values.insert("name", self.entry.path.as_str());
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        for (name, value) in [("src", given(&self.entry.source)), ("fstype", given(&self.entry.kind))] {
            if let Some(value) = value {
                values.insert(name, value);
            }
        }
        let options = if self.args.opts_no_log { "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" } else { self.entry.options.as_str() };
        values.insert("opts", options);
        values.insert("dump", self.entry.dump.as_str());
        values.insert("passno", self.entry.pass.as_str());
        values.insert("fstab", self.fstab.to_string_lossy().into_owned());
        values.insert("boot", if self.args.boot { "yes" } else { "no" });
        values.insert("backup_file", backup.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default());
        Output::new().with_all(&values)
    }

    fn read_fstab(&self, sys: &System) -> Result<Option<String>> {
        match sys.query_file(&self.fstab)? {
            Some(_) => sys.query_text(&self.fstab).map(Some),
            None => Ok(None),
        }
    }

    fn write_fstab(&self, before: Option<String>, after: String, sys: &mut System) -> Result<Configured> {
        if before.as_deref().unwrap_or_default() == after {
            return Ok(Configured { before, changed: false, backup: None });
        }
        if let Some(folder) = self.fstab.parent() {
            sys.make_directory(folder, &Attributes::default())?;
        }
        let file = WriteFile::new(&self.fstab, after).backup(self.args.backup).secret(self.args.opts_no_log);
        let backup = sys.write_file(file)?.backup_file;
        Ok(Configured { before, changed: true, backup })
    }

    fn configure(&self, sys: &mut System) -> Result<Configured> {
        let before = self.read_fstab(sys)?;
        let after = fstab::set(before.as_deref().unwrap_or_default(), &self.entry);
        self.write_fstab(before, after, sys)
    }

    /// Takes the line away; says whether there was one.
    fn forget(&self, sys: &mut System) -> Result<(bool, Option<PathBuf>)> {
        let Some(before) = self.read_fstab(sys)? else { return Ok((false, None)) };
        let source = (!self.entry.source.is_empty()).then_some(self.entry.source.as_str());
        let after = fstab::unset(&before, &self.entry.path, source);
        let done = self.write_fstab(Some(before), after, sys)?;
        Ok((done.changed, done.backup))
    }

    fn mount_for_good(&self, sys: &mut System) -> Result<Option<PathBuf>> {
        let made = self.make_folder(sys)?;
        let done = self.configure(sys)?;
        let outcome = match self.point.mounted(sys)? {
            None => self.point.mount(&self.entry, sys),
            // No remount leads a bound folder elsewhere.
            Some(mounted) if self.entry.is_bound() && !self.point.is_source(&mounted, &self.entry.source, sys)? => {
                self.point.umount(sys).and_then(|()| self.point.mount(&self.entry, sys))
            }
            Some(_) if done.changed => self.point.renew(&self.entry, sys),
            Some(_) => Ok(()),
        };
        if let Err(failure) = outcome {
            // A line that cannot be mounted may keep the host from its next start.
            match done.before {
                _ if !done.changed => {}
                Some(before) => drop(sys.write_file(WriteFile::new(&self.fstab, before).secret(self.args.opts_no_log))?),
                None => drop(sys.remove(&self.fstab)?),
            }
            self.remove_folders(&made, sys)?;
            return Err(failure);
        }
        Ok(done.backup)
    }

    fn mount_for_now(&self, sys: &mut System) -> Result<Option<PathBuf>> {
        let Some(mounted) = self.point.mounted(sys)? else {
            let made = self.make_folder(sys)?;
            if let Err(failure) = self.point.mount(&self.entry, sys) {
                self.remove_folders(&made, sys)?;
                return Err(failure);
            }
            return Ok(None);
        };
        if !self.point.is_source(&mounted, &self.entry.source, sys)? {
            let (path, other) = (&self.entry.path, mounted.text("src").unwrap_or_default());
            let message = format!("`{path}` has another source mounted already, `{other}`: unmount it first, or name another path");
            return Err(Failure::new(message).at("src"));
        }
        self.point.remount(&self.entry, sys)?;
        Ok(None)
    }

    fn unmount(&self, sys: &mut System) -> Result<Option<PathBuf>> {
        if self.point.mounted(sys)?.is_some() {
            self.point.umount(sys)?;
        }
        Ok(None)
    }

    fn remount_again(&self, sys: &mut System) -> Result<Option<PathBuf>> {
        let Some(mounted) = self.point.mounted(sys)? else {
            return Err(Failure::new(format!("Error remounting {0}: `{0}` is not mounted", self.entry.path)).at("path"));
        };
        let known = fstab::find(&self.read_fstab(sys)?.unwrap_or_default(), &self.entry.path);
        let mut entry = known.unwrap_or_else(|| Entry {
            source: mounted.text("src").unwrap_or_default().to_owned(),
            kind: mounted.text("fstype").unwrap_or_default().to_owned(),
            options: "defaults".to_owned(),
            ..self.entry.clone()
        });
        match &self.args.opts {
            Some(options) => {
                entry.options = format!("{},{options}", entry.options);
                self.point.remount(&entry, sys)?;
            }
            None => self.point.renew(&entry, sys)?,
        }
        Ok(None)
    }

    /// Unmounts what fstab names, takes its line away and removes its folder.
    fn end(&self, sys: &mut System) -> Result<Option<PathBuf>> {
        let (was_there, backup) = self.forget(sys)?;
        if !was_there {
            return Ok(None);
        }
        if self.point.mounted(sys)?.is_some() {
            self.point.umount(sys)?;
        }
        let path = &self.args.path;
        if sys.query_file(path)?.is_some_and(|found| found.is_directory()) {
            let gone = Effect::File(FileChange::Remove { path: path.clone() });
            // Never more than an empty folder.
            sys.mutate(Command::new("rmdir").arg("--").arg(path), gone).map_err(|failure| self.point.told("rmdir", failure))?;
        }
        Ok(backup)
    }

    /// Makes the folder when it is missing; gives the folders made, the deepest first.
    fn make_folder(&self, sys: &mut System) -> Result<Vec<PathBuf>> {
        let path = &self.args.path;
        if sys.query_link(path)?.is_some() {
            return Ok(Vec::new());
        }
        let missing = path.ancestors().take_while(|folder| matches!(sys.query_link(folder), Ok(None))).map(Path::to_owned).collect();
        sys.make_directory(path, &Attributes::default())?;
        Ok(missing)
    }

    /// Takes back what `make_folder` made; a folder that is not empty stays.
    fn remove_folders(&self, made: &[PathBuf], sys: &System) -> Result<()> {
        made.iter().try_for_each(|folder| sys.query_command(Command::new("rmdir").arg("--").arg(folder)).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    const FSTAB: &str = "# the disks\n/dev/a / ext4 defaults 0 1\n";
    const SCRATCH: &str = "path: /mnt/scratch, src: tmpfs, fstype: tmpfs, opts: 'size=1m'";

    fn machine() -> Machine {
        Machine::new(Overlay::empty().with_file("/etc/fstab", FSTAB).with_directory("/mnt"))
    }

    fn fstab(machine: &Machine) -> String {
        machine.sys.query_text(Path::new("/etc/fstab")).expect("reads")
    }

    #[test]
    fn a_file_system_is_mounted_for_good_and_taken_away_again() {
        let mut machine = machine();
        let ran = machine.task(&format!("ansible.posix.mount: {{ {SCRATCH}, state: mounted }}")).expect("runs");
        // The folder, the line, the mount.
        assert_eq!(ran.effects.len(), 3);
        assert_eq!(fstab(&machine), format!("{FSTAB}tmpfs /mnt/scratch tmpfs size=1m 0 0\n"));
        let told = ["name", "src", "fstype", "opts", "dump", "passno", "fstab", "boot"].map(|name| ran.output.values.text(name));
        assert_eq!(told.map(Option::unwrap_or_default).join(" "), "/mnt/scratch tmpfs tmpfs size=1m 0 0 /etc/fstab yes");
        assert_eq!(machine.task("ansible.posix.mount: { path: /mnt/scratch, state: unmounted }").expect("runs").effects.len(), 1);
        machine.task(&format!("ansible.posix.mount: {{ {SCRATCH}, state: mounted }}")).expect("runs");
        assert_eq!(machine.task("ansible.posix.mount: { path: /mnt/scratch, state: absent }").expect("runs").effects.len(), 3);
        assert_eq!(fstab(&machine), FSTAB);
        assert!(machine.sys.query_file(Path::new("/mnt/scratch")).expect("looks").is_none());
    }

    #[test]
    fn a_line_alone_is_kept_and_removed_and_boot_adds_noauto() {
        let mut machine = machine();
        machine.task(&format!("ansible.posix.mount: {{ {SCRATCH}, state: present, boot: false }}")).expect("runs");
        assert_eq!(fstab(&machine), format!("{FSTAB}tmpfs /mnt/scratch tmpfs size=1m,noauto 0 0\n"));
        machine.task(&format!("ansible.posix.mount: {{ {SCRATCH}, state: present, dump: 1 }}")).expect("runs");
        assert_eq!(fstab(&machine), format!("{FSTAB}tmpfs /mnt/scratch tmpfs size=1m 1 0\n"));
        machine.task("ansible.posix.mount: { path: /mnt/scratch, state: absent_from_fstab }").expect("runs");
        assert_eq!(fstab(&machine), FSTAB);
        assert!(machine.refusal("ansible.posix.mount: { path: /x, state: present, src: a }").contains("missing: fstype"));
    }

    #[test]
    fn a_mount_for_now_leaves_fstab_alone_and_overrides_no_other() {
        let mut machine = machine();
        let now = format!("ansible.posix.mount: {{ {SCRATCH}, state: ephemeral }}");
        assert_eq!(machine.task_once(&now).expect("runs").effects.len(), 2);
        assert_eq!(machine.task_once(&now).expect("runs").effects.len(), 1, "it is mounted anew each time");
        assert_eq!(fstab(&machine), FSTAB);
        let other = "ansible.posix.mount: { path: /mnt/scratch, src: /dev/b, fstype: ext4, state: ephemeral }";
        assert!(machine.refusal(other).contains("has another source mounted already, `tmpfs`"));
        assert_eq!(machine.task_once("ansible.posix.mount: { path: /mnt/scratch, state: remounted }").expect("runs").effects.len(), 1);
        assert!(machine.refusal("ansible.posix.mount: { path: /mnt, state: remounted }").contains("not mounted"));
    }

    #[test]
    fn options_that_hold_a_password_are_shown_nowhere() {
        let mut machine = machine();
        let options = "path: /mnt/share, src: //host/a, fstype: cifs, opts: 'password=hush', opts_no_log: true";
        let ran = machine.task(&format!("ansible.posix.mount: {{ {options}, state: present }}")).expect("runs");
        assert!(fstab(&machine).contains("password=hush"));
        assert!(!crate::base::Value::from(ran.output.values).to_repr().contains("hush"));
        let given: Map = serde_saphyr::from_str(&format!("{{ {options} }}")).expect("is YAML");
        assert!(!crate::modules::find(Mount::NAME).expect("is known").invocation(&given).to_repr().contains("hush"));
    }
}
