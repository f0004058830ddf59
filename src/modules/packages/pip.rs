//! `ansible.builtin.pip`: packages of Python's own installer, for the whole host or in a virtual environment.

use std::path::{Path, PathBuf};

use crate::base::Value;
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::python::Pip;
use crate::system::split_words;
use crate::system::{Command, Completed, Failure, Known, Result, System};

use super::pip_requirement::{Requirement, canonical, requirements};

pub struct PipModule;

choices! {
    pub enum State { Absent = "absent", ForceReinstall = "forcereinstall", Latest = "latest", Present = "present" }
}

module_args! {
    /// Installs and removes Python packages with pip.
    pub struct PipArgs {
        /// Packages, each with conditions on its version, or paths and URLs.
        name: Option<Vec<String>>,
        /// Version of the one package.
        version: Option<String>,
        /// A file with requirements.
        requirements: Option<String>,
        /// Folder of the virtual environment to install to; made when it is not there.
        virtualenv: Option<PathBuf>,
        /// Let a new environment see the host's own packages.
        virtualenv_site_packages: bool = false,
        /// Command that makes an environment.
        virtualenv_command: String = "virtualenv",
        /// Python of a new environment.
        virtualenv_python: Option<String>,
        /// What should become of the packages.
        state: State = State::Present,
        /// Further words for pip.
        extra_args: Option<String>,
        /// Install in place, so that changes of the source count at once.
        editable: bool = false,
        /// Folder to run in.
        chdir: Option<PathBuf>,
        /// The pip to use.
        executable: Option<PathBuf>,
        /// Umask for what is installed, octal.
        umask: Option<String>,
        /// Install though the distribution manages this Python itself.
        break_system_packages: bool = false,
    }
    rules [
        Rule::OneOf(&["name", "requirements"]),
        Rule::Exclusive(&["name", "requirements"]),
        Rule::Exclusive(&["executable", "virtualenv"]),
    ]
}

impl Module for PipModule {
    const NAME: &'static str = "ansible.builtin.pip";
    type Args = PipArgs;

    fn run(args: PipArgs, sys: &mut System) -> Result<Output> {
        if args.state == State::Latest && args.version.is_some() {
            return Err(Failure::new("version is incompatible with state=latest").at("version"));
        }
        let wanted = wanted(&args)?;
        let environment = args.virtualenv.as_ref().map(|path| args.chdir.as_deref().unwrap_or(Path::new("")).join(path));
        let made = match &environment {
            Some(folder) => make_environment(folder, &args, sys)?,
            None => String::new(),
        };
        let output = Output::new()
            .with("name", args.name.clone().map(Value::list))
            .with("version", args.version.clone())
            .with("state", args.state)
            .with("requirements", args.requirements.clone())
            .with("virtualenv", environment.as_ref().map(|path| path.to_string_lossy().into_owned()));
        if !made.is_empty() && sys.backend().is_dry() {
            // What the new environment would hold is not known.
            return Ok(output);
        }
        let pip = pip(&args, environment.as_deref(), sys)?;
        let arguments = arguments(&args, &wanted);
        let command = Value::list(pip.command.argv_text().into_iter().chain(arguments.iter().cloned()));
        let planned = planned(&args, &wanted, &pip, sys)?;
        let compare = args.state != State::Absent && (args.requirements.is_some() || wanted.iter().any(Requirement::is_repository));
        let known = sys.change_python_packages(&pip, arguments, planned, compare)?;
        let Known::Now(done) = known else { return Ok(output.with("cmd", command)) };
        let text = format!("{made}{}", done.stdout_text());
        judge(&done, &args, &command, &text)?;
        Ok(output.with("cmd", command).with("stdout", text).with("stderr", done.stderr_text()))
    }
}

/// A failed pip is a failure, unless it only says that what is to go is not there.
fn judge(done: &Completed, args: &PipArgs, command: &Value, text: &str) -> Result<()> {
    let not_there = text.contains("not installed") || done.stderr_text().contains("not installed");
    if done.ok() || (done.rc == 1 && args.state == State::Absent && not_there) {
        return Ok(());
    }
    let mut message = String::new();
    if !text.is_empty() {
        message.push_str(&format!("stdout: {text}"));
    }
    if !done.stderr.is_empty() {
        message.push_str(&format!("\n:stderr: {}", done.stderr_text()));
    }
    Err(Failure::new(message).with("cmd", command.clone()))
}

fn wanted(args: &PipArgs) -> Result<Vec<Requirement>> {
    let mut wanted = requirements(args.name.as_deref().unwrap_or_default());
    if let Some(version) = &args.version {
        let refused = |message: &str| Failure::new(message).at("version");
        match wanted.as_mut_slice() {
            [one] if one.has_condition() => {
                return Err(refused(
                    "The 'version' argument conflicts with any version specifier provided along with a package name. Please keep the version specifier, but remove the 'version' argument.",
                ));
            }
            [one] => *one = one.with_version(version),
            [] => {}
            _ => {
                return Err(refused(
                    "'version' argument is ambiguous when installing multiple package distributions. Please specify version restrictions next to each package in 'name' argument.",
                ));
            }
        }
    }
    Ok(wanted)
}

/// Makes a virtual environment that is not there; what its maker said, or would have.
fn make_environment(folder: &Path, args: &PipArgs, sys: &mut System) -> Result<String> {
    if sys.query_file(&folder.join("bin/activate"))?.is_some() {
        return Ok(String::new());
    }
    let mut words = split_words(&args.virtualenv_command);
    let is_venv = words.windows(2).any(|pair| pair == ["-m", "venv"]) || words.first().is_some_and(|word| word.ends_with("pyvenv"));
    if is_venv && args.virtualenv_python.is_some() {
        let message = "virtualenv_python should not be used when using the venv module or pyvenv as virtualenv_command";
        return Err(Failure::new(message).at("virtualenv_python"));
    }
    if args.virtualenv_site_packages {
        words.push("--system-site-packages".into());
    }
    if !is_venv {
        words.push(format!("-p{}", args.virtualenv_python.as_deref().unwrap_or("python3")));
    }
    let mut command = Command { argv: words.into_iter().map(Into::into).collect(), ..Command::default() }.arg(folder);
    command.working_directory = args.chdir.clone();
    let place = folder.to_string_lossy().into_owned();
    let mut said = String::from("made");
    sys.change_record("python_environment", &place, Some(Value::Bool(true)), |sys| {
        said = sys.query_command(command)?.check("make the virtual environment")?.stdout_text();
        said.push('\n');
        Ok(())
    })?;
    Ok(said)
}

/// The pip of an environment, the one asked for, or the host's.
fn pip(args: &PipArgs, environment: Option<&Path>, sys: &System) -> Result<Pip> {
    let folder = environment.map(|environment| environment.join("bin"));
    let missing = |message: String| Failure::new(message).at("executable");
    let argv: Vec<String> = match (&folder, &args.executable) {
        (Some(folder), _) => {
            let found = ["pip3", "pip"].iter().map(|name| folder.join(name)).find(|path| matches!(sys.query_file(path), Ok(Some(_))));
            let found = found.ok_or_else(|| {
                let environment = environment.unwrap_or(folder).display();
                missing(format!(
                    "Unable to find pip in the virtualenv, {environment}, under any of these names: pip3, pip. Make sure pip is present in the virtualenv."
                ))
            })?;
            vec![found.to_string_lossy().into_owned()]
        }
        (None, Some(program)) => {
            let name = program.to_string_lossy();
            let found = sys.find_program(&name);
            let found = found.ok_or_else(|| missing(format!("Unable to find any of {name} to use.  pip needs to be installed.")))?;
            vec![found.to_string_lossy().into_owned()]
        }
        (None, None) => match sys.find_program("pip3") {
            Some(found) => vec![found.to_string_lossy().into_owned()],
            None if has_pip_module(sys) => ["python3", "-m", "pip"].map(str::to_owned).to_vec(),
            None => return Err(missing("Unable to find any of pip3 to use.  pip needs to be installed.".into())),
        },
    };
    let place = argv.join(" ");
    let mut command = Command { argv: argv.into_iter().map(Into::into).collect(), ..Command::default() };
    command.working_directory = Some(args.chdir.clone().unwrap_or_else(|| PathBuf::from("/tmp")));
    if let Some(umask) = &args.umask {
        let read = u32::from_str_radix(umask.trim_start_matches("0o"), 8);
        command.umask = Some(read.map_err(|_| Failure::new("umask must be an octal integer").at("umask"))?);
    }
    if args.break_system_packages {
        command = command.env("PIP_BREAK_SYSTEM_PACKAGES", "1");
    }
    if let Some(folder) = folder {
        let path = sys.query_environment("PATH").unwrap_or_default();
        command = command.env("PATH", &format!("{}:{path}", folder.display()));
    }
    Ok(Pip { command, place })
}

fn has_pip_module(sys: &System) -> bool {
    let asked = sys.query_command(Command::new("python3").args(["-m", "pip", "--version"]));
    asked.is_ok_and(|done| done.ok())
}

fn arguments(args: &PipArgs, wanted: &[Requirement]) -> Vec<String> {
    let verb: &[&str] = match args.state {
        State::Present => &["install"],
        State::Absent => &["uninstall", "-y"],
        State::Latest => &["install", "-U"],
        State::ForceReinstall => &["install", "-U", "--force-reinstall"],
    };
    let mut arguments: Vec<String> = verb.iter().map(|word| (*word).to_owned()).collect();
    let extra = split_words(args.extra_args.as_deref().unwrap_or_default());
    let needs_editable = args.editable && !extra.iter().any(|word| word == "-e");
    arguments.extend(extra);
    if needs_editable {
        arguments.push("-e".into());
    }
    arguments.extend(wanted.iter().map(|one| one.text.clone()));
    if let Some(file) = &args.requirements {
        arguments.extend(["-r".to_owned(), file.clone()]);
    }
    arguments
}

/// In check mode: what would be installed or removed. Where only pip could know, the request itself counts as the change.
fn planned(args: &PipArgs, wanted: &[Requirement], pip: &Pip, sys: &System) -> Result<Vec<(String, Option<String>)>> {
    if !sys.backend().is_dry() {
        return Ok(Vec::new());
    }
    let version = (args.state != State::Absent).then(String::new);
    if args.extra_args.is_some() || args.requirements.is_some() || matches!(args.state, State::Latest | State::ForceReinstall) {
        let what = args.requirements.clone().into_iter().chain(wanted.iter().map(|one| one.text.clone()));
        return Ok(what.map(|what| (what, version.clone())).collect());
    }
    let installed = sys.query_python_packages(pip)?;
    let mut planned = Vec::new();
    for one in wanted {
        let name = one.package.as_ref().map_or(one.text.clone(), |(name, _)| name.clone());
        let there = match sys.planned_python_package(pip, &name) {
            // A version that is only planned is the one asked for.
            Some(known) => known.is_some_and(|version| version.is_empty() || one.is_met_by(&version)),
            None => installed.iter().any(|(known, version)| canonical(known) == name && one.is_met_by(version)),
        };
        if there == (args.state == State::Absent) {
            planned.push((name, version.clone()));
        }
    }
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::{Completed, Overlay};

    fn machine() -> Machine {
        let package = |overlay: Overlay, name: &str, version: &str| {
            overlay.with_record("python_package", &format!("/srv/venv/bin/pip3/{name}"), version.into())
        };
        let overlay = Overlay::empty().with_file("/srv/venv/bin/activate", "").with_file("/srv/venv/bin/pip3", "");
        let overlay = package(package(overlay, "django", "1.11.1"), "zope-interface", "5");
        Machine::new(overlay.answer(|command| {
            let listed = command.argv_text() == ["/srv/venv/bin/pip3", "list", "--format=freeze"];
            listed.then(Completed::default)
        }))
    }

    #[test]
    fn only_what_is_missing_or_too_old_would_be_installed() {
        let mut machine = machine();
        let mut changes = |task: &str| machine.task(&format!("pip: {{ virtualenv: /srv/venv, {task} }}")).expect("runs").effects.len();
        assert_eq!(changes("name: [django, 'zope-interface>=4']"), 0);
        assert_eq!(changes("name: 'django>1.11.1,<2'"), 1);
        assert_eq!(changes("name: requests"), 1);
        assert_eq!(changes("name: zope_interface, state: absent"), 1);
    }

    #[test]
    fn a_new_environment_is_made_first() {
        let mut machine = machine();
        let ran = machine.task_once("pip: { virtualenv: /srv/new, name: a, virtualenv_command: python3 -m venv }").expect("runs");
        assert_eq!(ran.effects.len(), 1);
        assert_eq!(ran.output.values.get("virtualenv"), Some(&Value::from("/srv/new")));
    }

    #[test]
    fn contradicting_versions_are_refused() {
        let mut machine = machine();
        assert!(machine.refusal("pip: { name: 'a>1', version: '2' }").contains("conflicts with any version specifier"));
        assert!(machine.refusal("pip: { name: [a, b], version: '2' }").contains("ambiguous"));
        assert_eq!(machine.refusal("pip: { name: a, version: '2', state: latest }"), "version is incompatible with state=latest");
        assert_eq!(machine.refusal("pip: { name: a }"), "Unable to find any of pip3 to use.  pip needs to be installed.");
    }
}
