//! The arguments that `hostler run`, `ansible-playbook` and `ansible` share, and what they say about settings.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::base::{Diagnostic, Redactor, Secret};
use crate::engine::Settings;
use crate::engine::request::ExtraVars;
use crate::engine::settings::Origin;
use crate::vault::{SecretSources, Secrets, gather};

use super::environment::Environment;
use super::extra_vars;
use super::failure::Failed;
use super::prompt;
use super::vault_sources::{VaultSources, gathered};

/// Which hosts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Hosts")]
pub struct HostArgs {
    /// Inventory file or folder, or host list with a comma
    #[arg(short, long, alias = "inventory-file", value_name = "PATH|a,b,")]
    pub inventory: Vec<String>,
    /// Keep to these hosts
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// List the hosts, and do nothing
    #[arg(long)]
    pub list_hosts: bool,
    /// Forget the facts kept of these hosts
    #[arg(long)]
    pub flush_cache: bool,
}

/// How to reach them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// Log in as this user
    #[arg(short = 'u', long = "user", value_name = "USER")]
    remote_user: Option<String>,
    /// Kind of connection: ssh, local
    #[arg(short, long, value_name = "KIND")]
    connection: Option<String>,
    /// Seconds that a connection may take
    #[arg(short = 'T', long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Key to log in with
    #[arg(long, alias = "key-file", value_name = "FILE")]
    private_key: Option<String>,
    /// Options for ssh, such as a ProxyJump
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    ssh_common_args: Option<String>,
    /// Further options for ssh
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    ssh_extra_args: Option<String>,
    // Nothing is copied by sftp or scp here.
    #[arg(long, hide = true, allow_hyphen_values = true)]
    sftp_extra_args: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    scp_extra_args: Option<String>,
    /// Ask for the SSH password
    #[arg(short = 'k', long, conflicts_with = "connection_password_file")]
    ask_pass: bool,
    /// Read it from a file, or from what a script prints
    #[arg(long, alias = "conn-pass-file", value_name = "FILE")]
    connection_password_file: Option<PathBuf>,
}

/// As whom to work there.
#[derive(Debug, Args)]
#[command(next_help_heading = "Privileges")]
pub struct BecomeArgs {
    /// Become another user (root) on the host
    #[arg(short, long = "become")]
    r#become: bool,
    /// By sudo, su or doas
    #[arg(long, value_name = "METHOD")]
    become_method: Option<String>,
    /// The user to become
    #[arg(long, value_name = "USER")]
    become_user: Option<String>,
    /// Ask for the password of become
    #[arg(short = 'K', long, conflicts_with = "become_password_file")]
    ask_become_pass: bool,
    /// Read it from a file, or from what a script prints
    #[arg(long, alias = "become-pass-file", value_name = "FILE")]
    become_password_file: Option<PathBuf>,
}

/// What the tasks get and how they are run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub struct TaskArgs {
    /// Set variables; may stand several times
    #[arg(short, long, value_name = "k=v|JSON|@FILE")]
    pub extra_vars: Vec<String>,
    /// Predict the changes, make none
    #[arg(short = 'C', long)]
    pub check: bool,
    /// Show what changes in files
    #[arg(short = 'D', long)]
    pub diff: bool,
    /// Hosts at the same time
    #[arg(short, long, value_name = "NUMBER")]
    forks: Option<usize>,
    // Modules are built in.
    #[arg(short = 'M', long, hide = true)]
    module_path: Vec<String>,
    #[command(flatten)]
    vault: VaultSources,
    /// Say more; up to -vvvv
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

/// The passwords of a run.
#[derive(Default)]
pub struct Passwords {
    pub connection: Option<Secret>,
    pub r#become: Option<Secret>,
}

/// Puts values of the command line over the settings.
pub struct Overrides<'a> {
    pub settings: &'a mut Settings,
    pub environment: &'a Environment,
}

impl Overrides<'_> {
    pub fn set(&mut self, name: &str, value: Option<impl ToString>) -> Result<(), Failed> {
        let Some(value) = value else { return Ok(()) };
        self.settings.set(name, &value.to_string(), Origin::CommandLine, &self.environment.paths()).map_err(Failed::from)
    }

    pub fn flag(&mut self, name: &str, given: bool) -> Result<(), Failed> {
        self.set(name, given.then_some(true))
    }
}

impl HostArgs {
    /// The inventories: those of the command line, else those of the settings that are there.
    pub fn sources(&self, settings: &Settings, environment: &Environment) -> Vec<String> {
        if self.inventory.is_empty() {
            let is_there = |path: &&String| settings.origin("DEFAULT_HOST_LIST") != &Origin::Default || std::path::Path::new(path).exists();
            return settings.inventory.0.iter().filter(is_there).cloned().collect();
        }
        let resolve = |text: &String| match text.contains(',') {
            true => text.clone(),
            false => environment.paths().resolve(&environment.expand(text)).to_string_lossy().into_owned(),
        };
        self.inventory.iter().map(resolve).collect()
    }
}

impl ConnectionArgs {
    pub fn apply(&self, over: &mut Overrides<'_>) -> Result<(), Failed> {
        over.set("DEFAULT_REMOTE_USER", self.remote_user.as_ref())?;
        over.set("DEFAULT_TRANSPORT", self.connection.as_ref())?;
        over.set("DEFAULT_TIMEOUT", self.timeout)?;
        over.set("DEFAULT_PRIVATE_KEY_FILE", self.private_key.as_ref())?;
        over.set("SSH_COMMON_ARGS", self.ssh_common_args.as_ref())?;
        over.set("SSH_EXTRA_ARGS", self.ssh_extra_args.as_ref())?;
        over.flag("DEFAULT_ASK_PASS", self.ask_pass)?;
        over.set("CONNECTION_PASSWORD_FILE", self.connection_password_file.as_ref().map(|path| path.display()))
    }
}

impl BecomeArgs {
    pub fn apply(&self, over: &mut Overrides<'_>) -> Result<(), Failed> {
        over.flag("DEFAULT_BECOME", self.r#become)?;
        over.set("DEFAULT_BECOME_METHOD", self.become_method.as_ref())?;
        over.set("DEFAULT_BECOME_USER", self.become_user.as_ref())?;
        over.flag("DEFAULT_BECOME_ASK_PASS", self.ask_become_pass)?;
        over.set("BECOME_PASSWORD_FILE", self.become_password_file.as_ref().map(|path| path.display()))
    }
}

impl TaskArgs {
    pub fn apply(&self, over: &mut Overrides<'_>) -> Result<(), Failed> {
        over.set("DEFAULT_FORKS", self.forks)?;
        if over.settings.forks == 0 {
            return Err(Failed::option("the number of hosts at the same time (--forks) must be at least 1"));
        }
        let verbosity = over.settings.verbosity.saturating_add(self.verbose);
        over.set("DEFAULT_VERBOSITY", (self.verbose > 0).then_some(verbosity))?;
        over.flag("DIFF_ALWAYS", self.diff)
    }

    pub fn extra_vars(&self, environment: &Environment) -> Result<Vec<ExtraVars>, Failed> {
        let mut all = Vec::new();
        let mut problems = Vec::new();
        for text in &self.extra_vars {
            match extra_vars::parse(text, environment) {
                Ok(vars) => all.extend(vars),
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(missing) = all.iter().filter_map(extra_vars::file).find(|path| !path.is_file()) {
            problems.push(Diagnostic::error(format!("the file `{}` of `-e` is not there", missing.display())));
        }
        if problems.is_empty() { Ok(all) } else { Err(Failed { diagnostics: problems, code: super::failure::BAD_OPTION }) }
    }

    /// The vault passwords, asked for or read; and warnings about sources that gave none.
    pub fn vault(&self, settings: &Settings) -> Result<(Secrets, Vec<Diagnostic>), Failed> {
        gathered(&self.vault.sources(settings))
    }
}

/// Asks for the passwords of connection and become, or reads them, and tells the redactor. That of become may stand in the environment too, as
/// pipelines have it; variables of a host go before it.
pub fn passwords(settings: &Settings, environment: &Environment, redactor: &Redactor) -> Result<Passwords, Failed> {
    let connection = match &settings.connection_password_file {
        Some(file) => Some(password_file(file)?),
        None if settings.ask_pass => Some(prompt::password_for("SSH password: ")?),
        None => None,
    };
    let question = if connection.is_some() { "BECOME password[defaults to SSH password]: " } else { "BECOME password: " };
    let r#become = match &settings.become_password_file {
        Some(file) => Some(password_file(file)?),
        None if settings.become_ask_pass => {
            Some(prompt::password_for(question)?).filter(|answer| !answer.expose().is_empty()).or_else(|| connection.clone())
        }
        None => environment.get("ANSIBLE_BECOME_PASS").filter(|text| !text.is_empty()).map(Secret::new),
    };
    connection.iter().chain(&r#become).for_each(|secret| redactor.learn(secret.expose()));
    Ok(Passwords { connection, r#become })
}

/// A password file's text, or what it prints when it can be executed.
fn password_file(path: &std::path::Path) -> Result<Secret, Failed> {
    let name = path.to_string_lossy().into_owned();
    let sources = SecretSources { password_files: vec![name], ..SecretSources::default() };
    let (secrets, _) = gather(&sources, &mut |_| Err(std::io::ErrorKind::Unsupported.into()))
        .map_err(|error| Diagnostic::error(error.to_string().replace("vault password", "password")))?;
    let (_, secret) = secrets.to_encrypt_with(None).map_err(|error| Diagnostic::error(error.to_string()))?;
    Ok(secret.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_become_may_stand_in_the_environment_and_a_file_goes_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (environment, redactor) = (
            Environment::new(folder.path().to_path_buf(), [("ANSIBLE_BECOME_PASS".to_owned(), "of the shell".to_owned())]),
            Redactor::default(),
        );
        let mut settings = Settings::new(folder.path());
        let of = |settings: &Settings| {
            let passwords = passwords(settings, &environment, &redactor).unwrap_or_else(|failed| panic!("{:?}", failed.diagnostics));
            passwords.r#become.map(|secret| secret.expose().to_owned())
        };
        assert_eq!(of(&settings).as_deref(), Some("of the shell"));
        let file = folder.path().join("password");
        std::fs::write(&file, "of the file\n").expect("writes");
        settings.become_password_file = Some(file);
        assert_eq!(of(&settings).as_deref(), Some("of the file"));
        assert!(!redactor.redact("it is of the shell").contains("of the shell"), "it is shown nowhere");
    }
}
