//! `ansible.builtin.apt`: packages on Debian and Ubuntu, with one call of `apt-get` for all of them.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::base::Value;
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Command, Completed, Diff, Effect, Failure, Known, Package, Result, System};

use super::apt_get::{AptGet, explained, is_locked, quiet};
use super::apt_plan::{Candidate, Version, Wanted, matches, parse_policy};

pub struct Apt;

choices! {
    pub enum State { Present = "present", Absent = "absent", Latest = "latest", BuildDep = "build-dep", Fixed = "fixed" }
}

choices! {
    pub enum Upgrade { No = "no", Yes = "yes", Safe = "safe", Full = "full", Dist = "dist" }
}

module_args! {
    /// Installs, upgrades and removes packages on Debian and its like.
    pub struct AptArgs {
        /// Package names; each may carry a version (`nginx=1.22*`, `nginx>=1.22`) or wildcards.
        package | "name" | "pkg": Option<Vec<String>>,
        /// What the packages should be.
        state: State = State::Present,
        /// Fetch the package lists first.
        update_cache | "update-cache": Option<bool>,
        /// How often to try to fetch the lists.
        update_cache_retries: i64 = 5,
        /// Longest pause between two tries, in seconds.
        update_cache_retry_max_delay: i64 = 12,
        /// Lists younger than this many seconds are fresh enough.
        cache_valid_time: i64 = 0,
        /// Remove configuration files too.
        purge: bool = false,
        /// A package file on the host, or its URL.
        deb: Option<PathBuf>,
        /// Release to take packages from.
        default_release | "default-release": Option<String>,
        /// Whether recommended packages come along; apt's own setting when not given.
        install_recommends | "install-recommends": Option<bool>,
        /// Go on where apt would refuse: unsigned, downgraded, held or essential packages.
        force: bool = false,
        /// Upgrade what is installed.
        upgrade: Upgrade = Upgrade::No,
        /// Options for dpkg, without their dashes, separated by commas.
        dpkg_options: String = "force-confdef,force-confold",
        /// Remove packages that nothing needs any more.
        autoremove: bool = false,
        /// Remove archives that can no longer be fetched.
        autoclean: bool = false,
        /// Fail rather than remove a package that nothing needs any more.
        fail_on_autoremove: bool = false,
        /// Exit status of `/usr/sbin/policy-rc.d` while packages are installed; 101 keeps services from starting.
        policy_rc_d: Option<i64>,
        /// Upgrade only what is installed already.
        only_upgrade: bool = false,
        /// Remove all archives.
        clean: bool = false,
        /// Install packages whose origin cannot be verified.
        allow_unauthenticated | "allow-unauthenticated": bool = false,
        /// Allow an older version to replace a newer one.
        allow_downgrade | "allow-downgrade" | "allow_downgrades" | "allow-downgrades": bool = false,
        /// Change held packages.
        allow_change_held_packages: bool = false,
        /// Seconds to wait for another program to let go of the package lock.
        lock_timeout: i64 = 60,
    }
    accepts {
        /// Use apt-get rather than aptitude, which is what happens here in any case.
        force_apt_get: bool,
        /// Install python3-apt; not needed here.
        auto_install_module_deps: bool,
    }
    rules [
        Rule::Exclusive(&["deb", "package"]),
        Rule::OneOf(&["autoremove", "autoclean", "clean", "deb", "package", "update_cache", "cache_valid_time", "upgrade"]),
    ]
}

impl Module for Apt {
    const NAME: &'static str = "ansible.builtin.apt";
    type Args = AptArgs;

    fn run(args: AptArgs, sys: &mut System) -> Result<Output> {
        apply(args, sys)
    }
}

/// The whole task: clean, refresh the lists, then packages.
pub fn apply(args: AptArgs, sys: &mut System) -> Result<Output> {
    let apt = options(&args);
    if args.clean {
        clean(sys)?;
    }
    let has_work = args.package.is_some() || args.deb.is_some() || args.upgrade != Upgrade::No;
    let mut output = Output::new();
    if args.update_cache.unwrap_or(args.cache_valid_time > 0) {
        let updated = refresh(&args, sys, has_work)?;
        output = output.with("cache_updated", updated).with("cache_update_time", lists_time(sys)?);
    } else {
        output = output.with("cache_updated", false).with("cache_update_time", lists_time(sys)?);
    }
    let names = args.package.clone().unwrap_or_default();
    let names: Vec<&str> = names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
    let done = match () {
        () if args.upgrade != Upgrade::No => Some(upgrade(&apt, args.upgrade, sys)?),
        () if args.state == State::Latest && names.contains(&"*") => Some(upgrade(&apt, Upgrade::Yes, sys)?),
        () if let Some(deb) = &args.deb => install_file(&apt, deb, args.state, sys)?,
        () if args.state == State::BuildDep => Some(apt.change(sys, apt.command("build-dep").args(names), Vec::new())?),
        () if !names.is_empty() => packages(&apt, &args, &names, sys)?,
        () if args.state == State::Fixed => {
            Some(apt.change(sys, AptGet { fix_broken: true, ..apt.clone() }.command("install"), Vec::new())?)
        }
        () => None,
    };
    if !has_work && args.autoremove {
        apt.change(sys, apt.command("autoremove"), Vec::new())?;
    }
    if args.autoclean && !has_work {
        autoclean(sys)?;
    }
    show_diff(sys);
    Ok(match done.and_then(Known::now) {
        Some(completed) => output.with("stdout", completed.stdout_text()).with("stderr", completed.stderr_text()),
        None => output,
    })
}

fn options(args: &AptArgs) -> AptGet {
    AptGet {
        dpkg_options: args.dpkg_options.clone(),
        lock_timeout: args.lock_timeout,
        default_release: args.default_release.clone(),
        install_recommends: args.install_recommends,
        force: args.force,
        fix_broken: args.state == State::Fixed,
        autoremove: args.autoremove,
        fail_on_autoremove: args.fail_on_autoremove,
        only_upgrade: args.only_upgrade,
        purge: args.purge,
        allow_unauthenticated: args.allow_unauthenticated,
        allow_downgrade: args.allow_downgrade,
        allow_change_held_packages: args.allow_change_held_packages,
        policy_rc_d: args.policy_rc_d,
    }
}

const LISTS: &str = "/var/lib/apt/lists";
const STAMP: &str = "/var/lib/apt/periodic/update-success-stamp";

/// When the package lists were fetched, in seconds since 1970; 0: never.
fn lists_time(sys: &System) -> Result<i64> {
    let modified = |path: &str| -> Result<Option<Value>> {
        let found = sys.query_file(Path::new(path))?;
        Ok(found.and_then(|found| found.modified.duration_since(UNIX_EPOCH).ok()).map(|since| Value::Int(since.as_secs() as i64)))
    };
    let time = sys.query_record("apt lists", "time", || match modified(STAMP)? {
        Some(time) => Ok(Some(time)),
        // A folder without lists has a time too, but nothing was fetched.
        None if sys.query_glob(Path::new("/var/lib/apt/lists/*_Packages*"))?.is_empty() => Ok(None),
        None => modified(LISTS),
    })?;
    Ok(match time {
        Some(Value::Int(time)) => time,
        _ => 0,
    })
}

/// Fetches the lists unless they are fresh; says whether it did. It counts as a change only when nothing else was asked for.
fn refresh(args: &AptArgs, sys: &mut System, has_work: bool) -> Result<bool> {
    let now = sys.query_time().timestamp().as_second();
    let age = now - lists_time(sys)?;
    if args.cache_valid_time > 0 && age <= args.cache_valid_time {
        return Ok(false);
    }
    let update = || quiet("apt-get").arg("-o").arg(format!("DPkg::Lock::Timeout={}", args.lock_timeout)).arg("update");
    let mut delay = 1;
    let mut waited = 0;
    let mut tries = 0;
    loop {
        let outcome = sys.refresh(update(), "apt lists", "time", Value::Int(now))?;
        let Known::Now(completed) = outcome else { break };
        match completed.check("fetch the package lists") {
            Ok(_) => break,
            Err(failure) if is_locked(&failure.message) && waited < args.lock_timeout => {
                waited += 1;
                sys.pause(Duration::from_secs(1));
            }
            Err(failure) => {
                tries += 1;
                if is_locked(&failure.message) || tries >= args.update_cache_retries.max(1) {
                    return Err(failed_update(failure, args.lock_timeout));
                }
                sys.pause(Duration::from_secs(delay.min(args.update_cache_retry_max_delay).max(0) as u64));
                delay *= 2;
            }
        }
    }
    let touch = Command::new("touch").arg(LISTS);
    // apt leaves the folder's time alone when every list was up to date.
    sys.refresh(touch, "apt lists", "time", Value::Int(now))?;
    if !has_work {
        sys.mutate_record("apt lists", "time", Some(Value::Int(now)), || Ok(()))?;
    }
    Ok(true)
}

fn failed_update(failure: Failure, lock_timeout: i64) -> Failure {
    if is_locked(&failure.message) {
        return explained(failure, lock_timeout);
    }
    failure.context("Failed to update apt cache")
}

fn clean(sys: &mut System) -> Result<()> {
    let archives = sys.query_glob(Path::new("/var/cache/apt/archives/*.deb"))?;
    if archives.is_empty() {
        return Ok(());
    }
    let effects = archives.into_iter().map(|path| Effect::File(crate::system::FileChange::Remove { path })).collect();
    sys.mutate_all(quiet("apt-get").arg("clean"), effects)?;
    Ok(())
}

fn autoclean(sys: &mut System) -> Result<()> {
    let planned = sys.ask_apt(quiet("apt-get").arg("--simulate").arg("autoclean"))?.check("run apt-get autoclean")?;
    let doomed: Vec<String> = planned.stdout_text().lines().filter_map(|line| line.strip_prefix("Del ").map(str::to_owned)).collect();
    if doomed.is_empty() {
        return Ok(());
    }
    let effects = doomed.into_iter().map(|name| Effect::Record { kind: "apt archive", name, value: None }).collect();
    sys.mutate_all(quiet("apt-get").arg("-y").arg("autoclean"), effects)?;
    Ok(())
}

fn upgrade(apt: &AptGet, kind: Upgrade, sys: &mut System) -> Result<Known<Completed>> {
    let command = match kind {
        Upgrade::Full | Upgrade::Dist => apt.command("dist-upgrade"),
        _ => apt.command("upgrade").arg("--with-new-pkgs"),
    };
    apt.change(sys, command, Vec::new())
}

fn packages(apt: &AptGet, args: &AptArgs, names: &[&str], sys: &mut System) -> Result<Option<Known<Completed>>> {
    let installed = sys.query_packages()?;
    let wanted = names.iter().map(|name| Wanted::parse(name)).collect::<Result<Vec<_>>>()?;
    let wanted = expand_patterns(wanted, args.state, &installed, sys)?;
    if args.state == State::Absent {
        return remove(apt, &wanted, &installed, sys);
    }
    let candidates = match args.state == State::Latest {
        true => policy(apt, &wanted, sys)?,
        false => Vec::new(),
    };
    let mut arguments = Vec::new();
    let mut effects = Vec::new();
    for wish in &wanted {
        let found = wish.find(&installed);
        if (args.only_upgrade && found.is_none()) || is_satisfied(wish, found, args.state, &candidates, sys)? {
            continue;
        }
        let version = match &wish.version {
            Some(Version::Is(version)) if !version.contains(['*', '?', '[']) => version.clone(),
            _ => candidates.iter().find(|known| known.name == wish.name).and_then(|known| known.version.clone()).unwrap_or_default(),
        };
        effects.push(Effect::Package { name: wish.name.clone(), version: Some(version) });
        arguments.push(wish.argument(None));
    }
    if arguments.is_empty() {
        return if args.state == State::Fixed { Ok(Some(apt.change(sys, apt.command("install"), Vec::new())?)) } else { Ok(None) };
    }
    Ok(Some(apt.change(sys, apt.command("install").args(arguments), effects)?))
}

fn is_satisfied(wish: &Wanted, found: Option<&Package>, state: State, candidates: &[Candidate], sys: &System) -> Result<bool> {
    let Some(found) = found else { return Ok(false) };
    match &wish.version {
        // What is only believed has no version to compare.
        Some(_) if found.version.is_empty() => Ok(true),
        Some(Version::Is(pattern)) => Ok(matches(pattern, &found.version)),
        Some(Version::AtLeast(least)) => is_at_least(&found.version, least, sys),
        None if state == State::Latest => {
            let candidate = candidates.iter().find(|known| known.name == wish.name).and_then(|known| known.version.as_deref());
            Ok(found.version.is_empty() || candidate.is_none_or(|version| version == found.version))
        }
        None => Ok(true),
    }
}

fn is_at_least(version: &str, least: &str, sys: &System) -> Result<bool> {
    Ok(sys.query_command(Command::new("dpkg").args(["--compare-versions", version, "ge", least]))?.ok())
}

fn policy(apt: &AptGet, wanted: &[Wanted], sys: &System) -> Result<Vec<Candidate>> {
    let mut command = quiet("apt-cache");
    if let Some(release) = &apt.default_release {
        command = command.arg("-t").arg(release);
    }
    let shown = sys.ask_apt(command.arg("policy").args(wanted.iter().map(|wish| wish.name.clone())))?.check("ask apt-cache")?;
    let candidates = parse_policy(&shown.stdout_text());
    if let Some(missing) = wanted.iter().find(|wish| !candidates.iter().any(|known| known.name == wish.name))
        && !sys.repositories_are_planned()
    {
        return Err(Failure::new(format!("No package matching '{}' is available", missing.name)).at("package"));
    }
    Ok(candidates)
}

/// Names with wildcards as the names they match: of all packages there are, or of the installed ones when they are to go.
fn expand_patterns(wanted: Vec<Wanted>, state: State, installed: &[Package], sys: &System) -> Result<Vec<Wanted>> {
    if !wanted.iter().any(Wanted::is_pattern) {
        return Ok(wanted);
    }
    let known: Vec<String> = match state {
        State::Absent => installed.iter().map(|package| package.name.clone()).collect(),
        _ => sys.ask_apt(quiet("apt-cache").arg("pkgnames"))?.check("ask apt-cache")?.stdout_text().lines().map(str::to_owned).collect(),
    };
    let mut expanded: Vec<Wanted> = Vec::new();
    for wish in wanted {
        if !wish.is_pattern() {
            expanded.push(wish);
            continue;
        }
        let before = expanded.len();
        expanded.extend(known.iter().filter(|name| matches(&wish.name, name)).map(|name| wish.named(name)));
        if expanded.len() == before && state != State::Absent {
            return Err(Failure::new(format!("No package(s) matching '{}' available", wish.name)).at("package"));
        }
    }
    Ok(expanded)
}

fn remove(apt: &AptGet, wanted: &[Wanted], installed: &[Package], sys: &mut System) -> Result<Option<Known<Completed>>> {
    let mut doomed: Vec<&Wanted> =
        wanted.iter().filter(|wish| installed.iter().any(|package| package.name == wish.name && wish.find(installed).is_some())).collect();
    // A removed package whose configuration is still there is purged too.
    let leftovers = if apt.purge { leftovers(wanted, sys)? } else { Vec::new() };
    doomed.extend(wanted.iter().filter(|wish| leftovers.contains(&wish.name)));
    if doomed.is_empty() {
        return Ok(None);
    }
    let effects = doomed.iter().map(|wish| Effect::Package { name: wish.name.clone(), version: None }).collect();
    let command = apt.command("remove").args(doomed.iter().map(|wish| wish.full_name()));
    Ok(Some(apt.change(sys, command, effects)?))
}

fn leftovers(wanted: &[Wanted], sys: &System) -> Result<Vec<String>> {
    let query = Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status} ${Package}\\n", "--"]);
    let shown = sys.query_command(query.args(wanted.iter().map(|wish| wish.full_name())));
    // On a machine in memory there is no dpkg to ask, and nothing left over; what this plan removed is gone already.
    let Ok(shown) = shown else { return Ok(Vec::new()) };
    let names = shown.stdout_text();
    let names = names.lines().filter_map(|line| line.strip_prefix("config-files ").map(str::to_owned));
    let mut left = Vec::new();
    for name in names {
        if sys.query_record("package configuration", &name, || Ok(Some(Value::Bool(true))))?.is_some()
            && sys.query_package(&name)?.is_none()
        {
            left.push(name);
        }
    }
    Ok(left)
}

/// A package file: its own name and version decide whether it is there already.
fn install_file(apt: &AptGet, deb: &Path, state: State, sys: &mut System) -> Result<Option<Known<Completed>>> {
    if state != State::Present {
        return Err(Failure::new("deb only supports state=present").at("deb"));
    }
    let text = deb.to_string_lossy();
    let path = match text.contains("://") {
        true => fetch_file(&text, sys)?,
        false => sys.absolute(deb),
    };
    let field = |name: &str| -> Result<String> {
        let shown = sys.query_command(Command::new("dpkg-deb").arg("--field").arg(&path).arg(name))?;
        Ok(shown.check(&format!("read the package file `{}`", path.display()))?.stdout_text().trim().to_owned())
    };
    let (name, version) = (field("Package")?, field("Version")?);
    if sys.query_package(&name)?.is_some_and(|found| found.version == version) {
        return Ok(None);
    }
    let effect = Effect::Package { name, version: Some(version) };
    Ok(Some(apt.change(sys, apt.command("install").arg(&path), vec![effect])?))
}

/// Fetches a package file with apt's own downloader, which knows the host's proxies and certificates.
fn fetch_file(url: &str, sys: &System) -> Result<PathBuf> {
    let name = url.rsplit('/').next().filter(|name| name.ends_with(".deb")).unwrap_or("package.deb");
    let folder = sys.query_command(Command::new("mktemp").arg("--directory"))?.check("make a folder for the download")?.stdout_text();
    let path = Path::new(folder.trim()).join(name);
    let download = quiet("/usr/lib/apt/apt-helper").arg("download-file").arg(url).arg(&path);
    sys.query_command(download)?.check(&format!("download `{url}`"))?;
    Ok(path)
}

fn show_diff(sys: &mut System) {
    let line = |effect: &Effect| match effect {
        Effect::Package { name, version: Some(version) } => Some(format!("+ {name} {version}\n")),
        Effect::Package { name, version: None } => Some(format!("- {name}\n")),
        _ => None,
    };
    let prepared: String = sys.effects().iter().filter_map(line).collect();
    if !prepared.is_empty() {
        sys.add_diff(Diff { prepared: Some(prepared), ..Diff::default() });
    }
}

#[cfg(test)]
mod tests {
    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::{Completed, Effect, Overlay};

    fn installed(name: &str) -> Effect {
        Effect::Package { name: name.into(), version: Some(String::new()) }
    }

    #[test]
    fn what_is_installed_is_left_alone_and_the_rest_is_installed_in_one_call() {
        let mut machine = Machine::new(Overlay::empty().with_package("curl", "8.0"));
        let ran = machine.task("apt: { name: [curl, nginx, rsync], update_cache: true, cache_valid_time: 3600 }").expect("runs");
        assert_eq!(ran.effects, [installed("nginx"), installed("rsync")]);
    }

    #[test]
    fn a_package_that_is_only_planned_is_there_for_the_next_task() {
        let mut machine = Machine::new(Overlay::empty());
        machine.task("apt: { name: nginx }").expect("runs");
        let ran = machine.task("apt: { name: nginx, state: absent }").expect("runs");
        assert_eq!(ran.effects, [Effect::Package { name: "nginx".into(), version: None }]);
    }

    #[test]
    fn an_installed_version_that_the_pattern_matches_is_enough() {
        let mut machine = Machine::new(Overlay::empty().with_package("nginx", "1.22.1-9"));
        assert_eq!(machine.task("apt: { name: 'nginx=1.22*' }").expect("runs").effects, []);
        let ran = machine.task("apt: { name: nginx=1.24 }").expect("runs");
        assert_eq!(ran.effects, [Effect::Package { name: "nginx".into(), version: Some("1.24".into()) }]);
    }

    #[test]
    fn the_newest_is_installed_only_when_there_is_a_newer_one() {
        let policy = "curl:\n  Candidate: 8.0\nnginx:\n  Candidate: 1.24\n";
        let answer = move |command: &crate::system::Command| {
            (command.program() == "apt-cache").then(|| Completed { stdout: policy.into(), ..Completed::default() })
        };
        let mut machine = Machine::new(Overlay::empty().with_package("curl", "8.0").with_package("nginx", "1.22").answer(answer));
        let ran = machine.task("apt: { name: [curl, nginx], state: latest }").expect("runs");
        assert_eq!(ran.effects, [Effect::Package { name: "nginx".into(), version: Some("1.24".into()) }]);
    }

    #[test]
    fn a_package_that_does_not_exist_is_refused_unless_its_repository_is_only_planned() {
        let answer = |command: &crate::system::Command| {
            (command.program() == "apt-get").then(|| Completed {
                rc: 100,
                stderr: "E: Unable to locate package ngingx\n".into(),
                ..Completed::default()
            })
        };
        let mut machine = Machine::new(Overlay::empty().answer(answer));
        assert_eq!(machine.refusal("apt: { name: ngingx }"), "No package matching 'ngingx' is available");
        let mut machine = Machine::new(Overlay::empty().with_file("/etc/apt/sources.list.d/own.list", "deb x").answer(answer));
        assert_eq!(machine.task("apt: { name: ngingx }").expect("runs").effects, [installed("ngingx")]);
    }

    #[test]
    fn fetching_the_lists_counts_when_nothing_else_was_asked_for() {
        let mut machine = Machine::new(Overlay::empty());
        let ran = machine.task("apt: { update_cache: true, cache_valid_time: 600 }").expect("runs");
        assert_eq!(ran.effects.len(), 1);
        assert_eq!(ran.output.values.get("cache_updated"), Some(&Value::Bool(true)));
    }

    #[test]
    fn an_option_is_not_taken_for_a_package_name() {
        let mut machine = Machine::new(Overlay::empty());
        assert!(machine.refusal("apt: { name: '-oAPT::Update::Pre-Invoke::=x' }").starts_with("invalid package spec"));
        assert!(machine.refusal("apt: { state: present }").starts_with("one of the following is required"));
    }
}
