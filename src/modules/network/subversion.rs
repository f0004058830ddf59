//! `ansible.builtin.subversion`: a folder holds a Subversion repository at a revision, by the host's own `svn`.

use std::path::PathBuf;

use crate::base::{Secret, Value};
use crate::modules::{Module, Output, module_args};
use crate::system::{Command, Completed, Failure, Result, System};

pub struct Subversion;

module_args! {
    /// Checks a Subversion repository out, updates a working copy, or exports files.
    pub struct SubversionArgs {
        /// The folder.
        dest: Option<PathBuf>,
        /// URL of the repository.
        repo | "name" | "repository": String,
        /// The revision.
        revision | "rev" | "version": String = "HEAD",
        /// Throw away local modifications; overwrite when exporting.
        force: bool = false,
        /// User name.
        username: Option<String>,
        /// Password; given to `svn` on its standard input.
        password: Option<Secret>,
        /// The `svn` program.
        executable: Option<PathBuf>,
        /// Export files without the working copy's own data.
        export: bool = false,
        /// Check out when there is no working copy yet.
        checkout: bool = true,
        /// Update a working copy.
        update: bool = true,
        /// Switch a working copy to the URL.
        switch: bool = true,
        /// Make a folder that is there a working copy.
        in_place: bool = false,
        /// Refuse a server's certificate that cannot be checked.
        validate_certs: bool = false,
    }
}

impl Module for Subversion {
    const NAME: &'static str = "ansible.builtin.subversion";
    type Args = SubversionArgs;

    fn run(args: SubversionArgs, sys: &mut System) -> Result<Output> {
        let svn = Svn::new(&args, sys)?;
        if args.dest.is_none() && (args.checkout || args.update || args.export) {
            let message = "the destination directory must be specified unless checkout=no, update=no, and export=no";
            return Err(Failure::new(message).at("dest"));
        }
        if !args.export && !args.update && !args.checkout {
            return Ok(Output::new().with("after", svn.info(&args.repo, None, sys)?.map(|info| info.revision)));
        }
        let there = sys.query_file(&PathBuf::from(&svn.dest))?.is_some();
        if args.export || !there {
            if !args.export && !args.checkout {
                return Ok(Output::new());
            }
            return svn.fresh(args.export, there, sys);
        }
        match svn.info(&svn.dest, None, sys)? {
            Some(_) if !args.update => Ok(Output::new()),
            Some(before) => svn.update(before, sys),
            None if args.in_place => {
                svn.change(&["checkout", "--force", "-r", &args.revision, &args.repo, &svn.dest], sys)?;
                if args.force && svn.is_modified(sys)? {
                    svn.change(&["revert", "-R", &svn.dest], sys)?;
                }
                svn.result(None, sys)
            }
            None => {
                Err(Failure::new(format!("ERROR: {} folder already exists, but its not a subversion repository.", svn.dest)).at("dest"))
            }
        }
    }
}

/// What `svn info` tells, as whole lines where results have them so.
struct Info {
    revision: String,
    url: String,
    last_changed: String,
}

struct Svn<'a> {
    args: &'a SubversionArgs,
    program: PathBuf,
    dest: String,
}

impl<'a> Svn<'a> {
    fn new(args: &'a SubversionArgs, sys: &System) -> Result<Self> {
        let program = args.executable.clone().or_else(|| sys.find_program("svn"));
        let program = program.ok_or_else(|| {
            Failure::new("there is no `svn` on this host; install the package `subversion` first, or name it by `executable`")
                .at("executable")
        })?;
        let dest = args.dest.as_ref().map(|dest| dest.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Svn { args, program, dest })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program).args(["--non-interactive", "--no-auth-cache"]);
        if !self.args.validate_certs {
            command = command.arg("--trust-server-cert");
        }
        if let Some(user) = &self.args.username {
            command = command.args(["--username", user]);
        }
        if let Some(password) = &self.args.password {
            command = command.arg("--password-from-stdin").stdin(password.expose());
        }
        command.args(words.iter().copied()).env("LC_ALL", "C").env("LANGUAGE", "C")
    }

    fn ask(&self, words: &[&str], sys: &System) -> Result<Completed> {
        sys.query_command(self.command(words))
    }

    fn change(&self, words: &[&str], sys: &mut System) -> Result<()> {
        let command = self.command(words);
        let (doing, value) = (format!("svn {}", words.first().unwrap_or(&"")), Value::from(self.args.revision.as_str()));
        sys.change_record("subversion", &self.dest, Some(value), |sys| sys.query_command(command)?.check(&doing).map(drop))
    }

    /// `None`: that is no repository and no working copy.
    fn info(&self, of: &str, revision: Option<&str>, sys: &System) -> Result<Option<Info>> {
        let words: Vec<&str> = ["info"].into_iter().chain(revision.into_iter().flat_map(|revision| ["-r", revision])).chain([of]).collect();
        let said = self.ask(&words, sys)?;
        if !said.ok() {
            return Ok(None);
        }
        let text = said.stdout_text();
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        Ok(Some(Info { revision: line("Revision:"), url: line("URL:"), last_changed: line("Last Changed Rev:") }))
    }

    fn is_modified(&self, sys: &System) -> Result<bool> {
        let said = self.ask(&["status", "--quiet", "--ignore-externals", &self.dest], sys)?.check("svn status")?;
        Ok(said.stdout_text().lines().any(|line| !line.is_empty() && !line.starts_with(['?', 'X'])))
    }

    fn fresh(&self, export: bool, there: bool, sys: &mut System) -> Result<Output> {
        let verb = if export { "export" } else { "checkout" };
        let force = (export && self.args.force).then_some("--force");
        if export && there && !self.args.force {
            let message = format!("`{}` is there already; with `force: true` the export overwrites it", self.dest);
            return Err(Failure::new(message).at("force"));
        }
        let words: Vec<&str> = [verb].into_iter().chain(force).chain(["-r", &self.args.revision, &self.args.repo, &self.dest]).collect();
        self.change(&words, sys)?;
        if export { Ok(Output::new()) } else { self.result(None, sys) }
    }

    fn update(&self, before: Info, sys: &mut System) -> Result<Output> {
        let modified = self.is_modified(sys)?;
        if modified && !self.args.force {
            return Err(Failure::new("ERROR: modified files exist in the repository.").at("force"));
        }
        let plain = |url: &str| url.trim_start_matches("URL:").trim().trim_end_matches('/').to_owned();
        let moved = self.args.switch && plain(&before.url) != plain(&self.args.repo);
        let source = if self.args.switch { &self.args.repo } else { &self.dest };
        let Some(wanted) = self.info(source, Some(&self.args.revision), sys)? else {
            return Err(
                Failure::new(format!("`{}` has no revision `{}`, or cannot be reached", self.args.repo, self.args.revision)).at("revision")
            );
        };
        if moved {
            self.change(&["switch", "--revision", &self.args.revision, &self.args.repo, &self.dest], sys)?;
        }
        if modified {
            self.change(&["revert", "-R", &self.dest], sys)?;
        }
        if moved || wanted.last_changed != before.last_changed {
            self.change(&["update", "-r", &self.args.revision, &self.dest], sys)?;
        }
        self.result(Some(before), sys)
    }

    fn result(&self, before: Option<Info>, sys: &System) -> Result<Output> {
        let pair = |info: Info| Value::list([info.revision, info.url]);
        let after = self.info(&self.dest, None, sys)?;
        Ok(Output::new().with("before", before.map(pair)).with("after", after.map(pair)))
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::{Completed, Overlay};

    fn machine(changed: &'static str) -> Machine {
        let overlay = Overlay::empty().with_file("/usr/bin/svn", "").with_directory("/srv/wc").answer(move |command| {
            let words = command.argv_text();
            let is_dest = words.last().is_some_and(|word| word == "/srv/wc");
            let last = if is_dest { "4" } else { changed };
            let text = format!("URL: http://host/repo\nRevision: 7\nLast Changed Rev: {last}\n");
            let stdout = if words.contains(&"info".to_owned()) { text } else { String::new() };
            Some(Completed { stdout: stdout.into_bytes(), ..Completed::default() })
        });
        Machine::new(overlay)
    }

    const TASK: &str = "subversion: { repo: 'http://host/repo', dest: /srv/wc, executable: /usr/bin/svn }";

    #[test]
    fn a_working_copy_without_news_is_left_alone() {
        let ran = machine("4").task(TASK).expect("runs");
        assert!(ran.effects.is_empty());
        assert_eq!(
            ran.output.values.get("after").map(|after| after.to_repr()).as_deref(),
            Some("['Revision: 7', 'URL: http://host/repo']")
        );
    }

    #[test]
    fn a_newer_revision_is_taken_over() {
        assert_eq!(machine("5").task_once(TASK).expect("runs").effects.len(), 1);
    }

    #[test]
    fn a_fresh_checkout_is_a_change() {
        let task = "subversion: { repo: 'http://host/repo', dest: /srv/new, executable: /usr/bin/svn }";
        assert_eq!(machine("5").task_once(task).expect("runs").effects.len(), 1);
    }
}
