//! `community.general.modprobe`: whether a module of the kernel is loaded, now and after a restart.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::base::Value;
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Attributes, Command, Effect, Failure, Result, System, WriteFile, split_words};

pub struct Modprobe;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

choices! {
    pub enum Persistent { Disabled = "disabled", Absent = "absent", Present = "present" }
}

module_args! {
    /// Loads a module of the kernel or unloads it, and keeps that for the next start.
    pub struct ModprobeArgs {
        /// Name of the kernel module.
        name: String,
        /// Its parameters.
        params: String = "",
        /// What files of `/etc/modules-load.d` and `/etc/modprobe.d` say: `present`: it is loaded at the next start with these parameters,
        /// `absent`: lines that load it are commented out, `disabled`: they stay as they are.
        persistent: Persistent = Persistent::Disabled,
        /// Whether it is to be loaded.
        state: State = State::Present,
    }
}

impl Module for Modprobe {
    const NAME: &'static str = "community.general.modprobe";
    type Args = ModprobeArgs;

    fn run(args: ModprobeArgs, sys: &mut System) -> Result<Output> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if args.name.is_empty() || args.name.starts_with('-') || !args.name.chars().all(is_name) {
            return Err(Failure::new(format!("`{}` is not the name of a kernel module", args.name)).at("name"));
        }
        let module = KernelModule { name: args.name, params: args.params };
        match args.state {
            State::Present => module.load(sys)?,
            State::Absent => module.unload(sys)?,
        }
        match args.persistent {
            Persistent::Disabled => {}
            Persistent::Present => module.keep(sys)?,
            Persistent::Absent => module.forget(sys)?,
        }
        Ok(Output::new().with("name", module.name).with("params", module.params).with("state", args.state.as_str()))
    }
}

const LOADED: &str = "/etc/modules-load.d";
const OPTIONS: &str = "/etc/modprobe.d";

struct KernelModule {
    name: String,
    params: String,
}

impl KernelModule {
    /// The kernel writes each `-` as `_`.
    fn kernel_name(&self) -> String {
        self.name.replace('-', "_")
    }

    fn is_loaded(&self, sys: &System) -> Result<bool> {
        let found = sys.query_record("kernel module", &self.kernel_name(), || Ok(self.is_in_kernel(sys)?.then_some(Value::Bool(true))))?;
        Ok(found.is_some())
    }

    fn is_in_kernel(&self, sys: &System) -> Result<bool> {
        let name = self.kernel_name();
        let read = |path: &Path| match sys.query_file(path)? {
            Some(_) => sys.query_text(path),
            None => Ok(String::new()),
        };
        let loaded = read(Path::new("/proc/modules"))?;
        if loaded.lines().any(|line| line.split(' ').next() == Some(&name)) {
            return Ok(true);
        }
        let release = read(Path::new("/proc/sys/kernel/osrelease"))?;
        let built_in = read(&Path::new("/lib/modules").join(release.trim()).join("modules.builtin"))?;
        let file = format!("{name}.ko");
        Ok(built_in.lines().any(|line| line.rsplit('/').next().is_some_and(|last| last.replace('-', "_") == file)))
    }

    fn load(&self, sys: &mut System) -> Result<()> {
        if self.is_loaded(sys)? {
            return Ok(());
        }
        let command = Command::new("modprobe").arg("--").arg(&self.name).args(split_words(&self.params));
        self.change(command, Some(Value::Bool(true)), sys)
    }

    fn unload(&self, sys: &mut System) -> Result<()> {
        if !self.is_loaded(sys)? {
            return Ok(());
        }
        self.change(Command::new("modprobe").arg("--remove").arg("--").arg(&self.name), None, sys)
    }

    fn change(&self, command: Command, value: Option<Value>, sys: &mut System) -> Result<()> {
        sys.mutate(command, Effect::Record { kind: "kernel module", name: self.kernel_name(), value }).map(drop)
    }

    /// Has it loaded at each start, with these parameters and no others.
    fn keep(&self, sys: &mut System) -> Result<()> {
        let is_kept = self.files(LOADED, sys)?.iter().any(|(_, text)| text.lines().any(|line| self.is_loaded_by(line)));
        if !is_kept {
            self.put(LOADED, |line| self.is_loaded_by(line), &format!("{}\n", self.name), sys)?;
        }
        let wanted: BTreeSet<String> = split_words(&self.params).into_iter().collect();
        let files = self.files(OPTIONS, sys)?;
        let lines = files.iter().flat_map(|(_, text)| text.lines());
        let kept: BTreeSet<String> = lines.filter_map(|line| self.options_of(line)).flatten().collect();
        if kept != wanted {
            let lines: String = wanted.iter().map(|param| format!("options {} {param}\n", self.name)).collect();
            let others = files.into_iter().filter(|(path, _)| *path != self.own(OPTIONS)).collect();
            self.comment_out(others, |line| self.options_of(line).is_some(), sys)?;
            self.put(OPTIONS, |line| self.options_of(line).is_some(), &lines, sys)?;
        }
        Ok(())
    }

    /// Takes it out of every file.
    fn forget(&self, sys: &mut System) -> Result<()> {
        self.comment_out(self.files(LOADED, sys)?, |line| self.is_loaded_by(line), sys)?;
        self.comment_out(self.files(OPTIONS, sys)?, |line| self.options_of(line).is_some(), sys)
    }

    /// The file of a folder that is this module's own.
    fn own(&self, folder: &str) -> PathBuf {
        Path::new(folder).join(format!("{}.conf", self.name))
    }

    /// Puts lines into its own file, in place of those that are there of this kind, be they commented out or not.
    fn put(&self, folder: &str, is_one: impl Fn(&str) -> bool, lines: &str, sys: &mut System) -> Result<()> {
        let own = self.own(folder);
        let before = match sys.query_file(&own)? {
            Some(_) => sys.query_text(&own)?,
            None if lines.is_empty() => return Ok(()),
            None => String::new(),
        };
        sys.make_directory(Path::new(folder), &Attributes::default())?;
        let kept: String = before.split_inclusive('\n').filter(|line| !is_one(line.trim_start_matches('#'))).collect();
        let gap = if kept.is_empty() || kept.ends_with('\n') { "" } else { "\n" };
        sys.write_file(WriteFile::new(own, format!("{kept}{gap}{lines}"))).map(drop)
    }

    fn comment_out(&self, files: Vec<(PathBuf, String)>, is_one: impl Fn(&str) -> bool, sys: &mut System) -> Result<()> {
        let commented = |line: &str| if is_one(line) { format!("#{line}") } else { line.to_owned() };
        for (path, text) in files {
            sys.write_file(WriteFile::new(path, text.split_inclusive('\n').map(commented).collect::<String>()))?;
        }
        Ok(())
    }

    /// The configuration files of a folder, with their texts.
    fn files(&self, folder: &str, sys: &System) -> Result<Vec<(PathBuf, String)>> {
        let folder = Path::new(folder);
        if sys.query_file(folder)?.is_none() {
            return Ok(Vec::new());
        }
        let mut files = Vec::new();
        for name in sys.query_directory(folder)? {
            let path = folder.join(name);
            if path.extension().is_some_and(|ending| ending == "conf") && sys.query_file(&path)?.is_some_and(|found| found.is_file()) {
                let text = sys.query_text(&path)?;
                files.push((path, text));
            }
        }
        Ok(files)
    }

    fn is_loaded_by(&self, line: &str) -> bool {
        line.split(['#', ';']).next().unwrap_or_default().trim() == self.name
    }

    /// The parameters that a line of `/etc/modprobe.d` gives it.
    fn options_of(&self, line: &str) -> Option<Vec<String>> {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let is_ours = words.next() == Some("options") && words.next() == Some(&self.name);
        is_ours.then(|| words.map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    fn text(machine: &Machine, path: &str) -> String {
        machine.sys.query_text(Path::new(path)).expect("reads")
    }

    #[test]
    fn a_module_is_loaded_once_and_kept_with_its_parameters() {
        let mut machine = Machine::new(Overlay::empty().with_directory("/etc/modprobe.d"));
        let task = |params: &str| format!("community.general.modprobe: {{ name: dummy, params: '{params}', persistent: present }}");
        // It is loaded, and each file written.
        assert_eq!(machine.task(&task("numdummies=2 x=1")).expect("runs").effects.len(), 4);
        assert_eq!(text(&machine, "/etc/modules-load.d/dummy.conf"), "dummy\n");
        assert_eq!(text(&machine, "/etc/modprobe.d/dummy.conf"), "options dummy numdummies=2\noptions dummy x=1\n");
        machine.task(&task("numdummies=3")).expect("runs");
        assert_eq!(text(&machine, "/etc/modprobe.d/dummy.conf"), "options dummy numdummies=3\n");
        machine
            .task("copy: { content: \"blacklist other\\noptions dummy numdummies=3\\n\", dest: /etc/modprobe.d/dummy.conf }")
            .expect("runs");
        assert_eq!(machine.task(&task("numdummies=4")).expect("runs").effects.len(), 1);
        assert_eq!(text(&machine, "/etc/modprobe.d/dummy.conf"), "blacklist other\noptions dummy numdummies=4\n");
        let gone = "community.general.modprobe: { name: dummy, state: absent, persistent: absent }";
        assert_eq!(machine.task(gone).expect("runs").effects.len(), 3);
        assert_eq!(text(&machine, "/etc/modules-load.d/dummy.conf"), "#dummy\n");
        assert_eq!(text(&machine, "/etc/modprobe.d/dummy.conf"), "blacklist other\n#options dummy numdummies=4\n");
        assert_eq!(machine.task(&task("")).expect("runs").effects.len(), 2);
        assert_eq!(text(&machine, "/etc/modules-load.d/dummy.conf"), "dummy\n");
        assert_eq!(text(&machine, "/etc/modprobe.d/dummy.conf"), "blacklist other\n#options dummy numdummies=4\n");
    }

    #[test]
    fn what_is_kept_in_a_file_of_another_name_counts_and_other_lines_stay() {
        let overlay = Overlay::empty()
            .with_record("kernel module", "nf_conntrack", true.into())
            .with_file("/etc/modules-load.d/all.conf", "# mine\nnf-conntrack ; tables\nloop\n")
            .with_file("/etc/modprobe.d/all.conf", "options loop max=1\nblacklist nf-conntrack\n");
        let mut machine = Machine::new(overlay);
        let kept = machine.task("community.general.modprobe: { name: nf-conntrack, persistent: present }").expect("runs");
        assert_eq!(kept.effects.len(), 0);
        machine.task("community.general.modprobe: { name: nf-conntrack, persistent: absent }").expect("runs");
        assert_eq!(text(&machine, "/etc/modules-load.d/all.conf"), "# mine\n#nf-conntrack ; tables\nloop\n");
        assert_eq!(text(&machine, "/etc/modprobe.d/all.conf"), "options loop max=1\nblacklist nf-conntrack\n");
        assert!(machine.refusal("community.general.modprobe: { name: '-r x' }").contains("not the name of a kernel module"));
    }
}
