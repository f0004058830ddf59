//! `ansible.builtin.git`: a folder holds a repository at a version, by the host's own `git`.

use std::path::{Path, PathBuf};

use crate::base::Value;
use crate::modules::{Module, Output, Rule, module_args};
use crate::system::{Command, Failure, Result, System, WriteFile};

use super::git_repository::{Repository, ssh_command};

pub struct Git;

module_args! {
    /// Clones a repository, or brings a clone to a version.
    pub struct GitArgs {
        /// The folder.
        dest: Option<PathBuf>,
        /// The repository: a URL, or a path of the host.
        repo | "name": String,
        /// A branch, a tag, a commit, or `HEAD`.
        version: String = "HEAD",
        /// Name of the remote.
        remote: String = "origin",
        /// A further ref to fetch.
        refspec: Option<String>,
        /// A repository of the host to borrow objects from.
        reference: Option<String>,
        /// Throw away local modifications.
        force: bool = false,
        /// How many commits of the history to fetch.
        depth: Option<u32>,
        /// Clone when there is no repository yet.
        clone: bool = true,
        /// Fetch what is new.
        update: bool = true,
        /// Require a good signature of the commit or tag.
        verify_commit: bool = false,
        /// Fingerprints of keys that may have signed; any key when not given.
        gpg_allowlist | "gpg_whitelist": Vec<String> = Vec::<String>::new(),
        /// Take any host key of the server.
        accept_hostkey: bool = false,
        /// Take the server's host key when none is known.
        accept_newhostkey: bool = false,
        /// Private key to log in with.
        key_file: Option<PathBuf>,
        /// Options for ssh.
        ssh_opts: Option<String>,
        /// The `git` program.
        executable: Option<PathBuf>,
        /// Without a work tree.
        bare: bool = false,
        /// Submodules too.
        recursive: bool = true,
        /// Only the history of one branch.
        single_branch: bool = false,
        /// Submodules at the newest of their branch.
        track_submodules: bool = false,
        /// Mask of permissions that new files do not get, in quotes.
        umask: Option<Value>,
        /// Archive of the work tree to write: `.tar`, `.tgz`, `.tar.gz` or `.zip`.
        archive: Option<PathBuf>,
        /// Folder to put before every path of the archive.
        archive_prefix: Option<String>,
        /// Where to keep the repository itself, apart from the work tree.
        separate_git_dir: Option<PathBuf>,
    }
    rules [
        Rule::Exclusive(&["separate_git_dir", "bare"]),
        Rule::Exclusive(&["accept_hostkey", "accept_newhostkey"]),
    ]
}

impl Module for Git {
    const NAME: &'static str = "ansible.builtin.git";
    type Args = GitArgs;

    fn run(args: GitArgs, sys: &mut System) -> Result<Output> {
        if args.archive_prefix.is_some() && args.archive.is_none() {
            return Err(Failure::new("missing parameter(s) required by 'archive_prefix': archive").at("archive"));
        }
        if args.executable.is_none() && sys.find_program("git").is_none() && sys.packages_are_planned() {
            return planned(&args, sys);
        }
        let repository = repository(&args, sys)?;
        let Some(dest) = args.dest.clone() else {
            if args.clone {
                return Err(Failure::new("the destination directory must be specified unless clone=no").at("dest"));
            }
            let after = repository.remote_revision(sys)?;
            return Ok(Output::new().with("before", None::<String>).with("after", after));
        };
        let output = match repository.exists(sys)? {
            false if !args.clone => {
                let after = repository.remote_revision(sys)?;
                return Ok(Output::new().with("before", None::<String>).with("after", after));
            }
            false => cloned(&repository, sys)?,
            true if !args.update => {
                let revision = repository.revision(sys)?;
                Output::new().with("before", revision.clone()).with("after", revision)
            }
            true => updated(&args, &repository, &dest, sys)?,
        };
        match &args.archive {
            Some(archive) => archived(&args, &repository, archive, output, sys),
            None => Ok(output),
        }
    }
}

/// `git` itself only comes with a package that is planned: the clone will be made then.
fn planned(args: &GitArgs, sys: &mut System) -> Result<Output> {
    if let Some(dest) = &args.dest {
        let name = sys.absolute(dest).to_string_lossy().into_owned();
        sys.change_record("git", &name, Some(args.version.as_str().into()), |_| Ok(()))?;
    }
    Ok(Output::new().with("before", None::<String>).with("after", args.version.as_str()))
}

fn repository(args: &GitArgs, sys: &System) -> Result<Repository> {
    let program = match &args.executable {
        Some(program) => program.clone(),
        None => sys.find_program("git").ok_or_else(|| {
            Failure::new("there is no `git` on this host; install the package `git` first, or name it by `executable`").at("executable")
        })?,
    };
    let umask = match &args.umask {
        None => None,
        Some(Value::Str(text)) => {
            let mask = u32::from_str_radix(text.trim_start_matches("0o"), 8);
            Some(mask.map_err(|_| Failure::new("umask must be an octal integer").at("umask"))?)
        }
        Some(_) => return Err(Failure::new("umask must be defined as a quoted octal integer").at("umask")),
    };
    let expanded = sys.expand_home(&args.repo)?;
    // Without a scheme, a path would be cloned whole in spite of `depth`.
    let url = if expanded.starts_with('/') { format!("file://{expanded}") } else { args.repo.clone() };
    Ok(Repository {
        program,
        url,
        dest: args.dest.as_deref().map(|dest| sys.absolute(dest)).unwrap_or_default(),
        remote: args.remote.clone(),
        version: args.version.clone(),
        refspec: args.refspec.clone(),
        reference: args.reference.clone(),
        depth: args.depth.filter(|depth| *depth > 0),
        bare: args.bare,
        recursive: args.recursive && !args.bare,
        single_branch: args.single_branch,
        track_submodules: args.track_submodules,
        force: args.force,
        separate_git_dir: args.separate_git_dir.clone(),
        verify: args.verify_commit.then(|| args.gpg_allowlist.clone()),
        umask,
        ssh: ssh_command(args.ssh_opts.as_deref(), args.accept_hostkey, args.accept_newhostkey, args.key_file.as_deref()),
    })
}

fn cloned(repository: &Repository, sys: &mut System) -> Result<Output> {
    let wanted = repository.remote_revision(sys)?;
    sys.change_record("git", &repository.name(), Some(wanted.into()), |sys| repository.clone_it(sys))?;
    Ok(Output::new().with("before", None::<String>).with("after", repository.revision(sys)?))
}

fn updated(args: &GitArgs, repository: &Repository, dest: &Path, sys: &mut System) -> Result<Output> {
    let before = repository.revision(sys)?;
    let output = Output::new().with("before", before.clone());
    let modified = repository.is_modified(sys)?;
    if modified && !args.force {
        let message = format!("Local modifications exist in the destination: {} (force=no).", dest.display());
        return Err(Failure::new(message).with("before", before).at("force"));
    }
    let moved = repository.is_moved(sys)?;
    let output = output.with("remote_url_changed", moved);
    let wanted = repository.wanted_revision(sys)?;
    let submodules = repository.submodules_differ(sys)?;
    if Some(&wanted) != before.as_ref() || modified || moved || submodules || !repository.is_on_version(sys)? {
        sys.change_record("git", &repository.name(), Some(wanted.into()), |sys| repository.update(sys))?;
    }
    let output = if submodules { output.with("submodules_changed", true) } else { output };
    let output = match modified {
        true => output.message(format!("Local modifications exist in the destination: {}", dest.display())),
        false => output,
    };
    Ok(output.with("after", repository.revision(sys)?))
}

/// Writes the archive; `git` makes the same bytes of the same commit, so it is written only when something differs.
fn archived(args: &GitArgs, repository: &Repository, archive: &Path, output: Output, sys: &mut System) -> Result<Output> {
    let name = archive.to_string_lossy();
    let format = [(".tar.gz", "tar.gz"), (".tgz", "tar.gz"), (".gz", "tar.gz"), (".zip", "zip"), (".tar", "tar")];
    let Some((_, format)) = format.iter().find(|(ending, _)| name.ends_with(ending)) else {
        return Err(Failure::new(format!("Unable to get file extension from archive file name : {name}")).at("archive"));
    };
    let prefix = args.archive_prefix.as_ref().map(|prefix| format!("--prefix={}/", prefix.trim_end_matches('/')));
    let command: Command = repository.git(&["archive", &format!("--format={format}")]).args(prefix).arg("HEAD");
    let made = sys.query_command(command)?;
    if !made.ok() {
        let message = format!("Failed to perform archive operation: {}", made.stderr_text().trim());
        return Err(Failure::new(message).at("archive"));
    }
    sys.write_file(WriteFile::new(archive, made.stdout))?;
    Ok(output.with("archive", name.into_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use crate::base::Value;
    use crate::modules::testing::Machine;
    use crate::system::{Overlay, System};

    fn git(folder: &Path, arguments: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"];
        let done = Command::new("git").args(identity).args(arguments).current_dir(folder).output().expect("git starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn commit(folder: &Path, content: &str) {
        std::fs::write(folder.join("file"), content).expect("writes");
        git(folder, &["add", "."]);
        git(folder, &["commit", "-q", "-m", content]);
    }

    #[test]
    fn a_repository_is_cloned_followed_and_put_to_a_version() {
        let folder = tempfile::tempdir().expect("folder");
        let (source, dest) = (folder.path().join("source"), folder.path().join("dest"));
        std::fs::create_dir(&source).expect("makes");
        git(&source, &["init", "-q"]);
        commit(&source, "one");
        git(&source, &["tag", "v1"]);
        let mut machine = Machine { sys: System::local() };
        let task = |more: &str| format!("git: {{ repo: {}, dest: {}, {more} }}", source.display(), dest.display());
        let ran = machine.task(&task("")).expect("clones");
        assert_eq!((ran.output.values.get("before"), ran.effects.len()), (Some(&Value::Null), 1));
        commit(&source, "two");
        assert_eq!(machine.task(&task("")).expect("updates").effects.len(), 1);
        assert_eq!(std::fs::read_to_string(dest.join("file")).expect("reads"), "two");
        machine.task(&task("version: v1")).expect("checks out");
        assert_eq!(std::fs::read_to_string(dest.join("file")).expect("reads"), "one");
        std::fs::write(dest.join("file"), "mine").expect("writes");
        assert!(machine.refusal(&task("version: v1")).starts_with("Local modifications exist"));
        machine.task(&task("version: main, force: true")).expect("resets");
        assert_eq!(std::fs::read_to_string(dest.join("file")).expect("reads"), "two");
    }

    #[test]
    fn a_clone_is_planned_before_git_is_there() {
        let mut machine = Machine::new(Overlay::empty().with_package("git", ""));
        let task = "git: { repo: 'https://git.example/x.git', dest: /opt/x }";
        assert_eq!(machine.task_once(task).expect("is planned").effects.len(), 1);
    }

    #[test]
    fn a_repository_that_cannot_be_reached_is_a_failure() {
        let folder = tempfile::tempdir().expect("folder");
        let mut machine = Machine { sys: System::local() };
        let message = machine.refusal(&format!("git: {{ repo: /nowhere/at/all, dest: {}/x }}", folder.path().display()));
        assert!(message.contains("file:///nowhere/at/all"), "{message}");
    }
}
