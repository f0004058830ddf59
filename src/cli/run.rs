//! `hostler run`, which is also `ansible-playbook`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::base::{Diagnostic, Redactor};
use crate::engine::request::{Mode, PlaySource, RunRequest};
use crate::engine::{Settings, settings::Origin};

use crate::report::terminal::Pause;

use super::arguments::{BecomeArgs, ConnectionArgs, HostArgs, Overrides, TaskArgs, passwords};
use super::environment::Environment;
use super::execute::{Output, Plan, execute, report};
use super::failure::{Failed, Outcome};
use super::prompt::Terminal;
use super::settings;

/// Run playbooks: make hosts what they say
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler run playbooks/site.yml -i inventory/demo.yml --check --diff")]
pub struct RunArgs {
    #[arg(required = true, value_name = "PLAYBOOK")]
    playbooks: Vec<String>,
    #[command(flatten)]
    hosts: HostArgs,
    /// Run only what has one of these tags
    #[arg(short, long, value_name = "TAGS", help_heading = "Tasks")]
    tags: Vec<String>,
    /// Leave out what has one of these tags
    #[arg(long, value_name = "TAGS", help_heading = "Tasks")]
    skip_tags: Vec<String>,
    /// Begin at the task of this name
    #[arg(long, value_name = "NAME", help_heading = "Tasks")]
    start_at_task: Option<String>,
    /// Confirm each task before it runs
    #[arg(long, help_heading = "Tasks")]
    step: bool,
    /// List the tasks, and do nothing
    #[arg(long, help_heading = "Tasks")]
    list_tasks: bool,
    /// List the tags, and do nothing
    #[arg(long, help_heading = "Tasks")]
    list_tags: bool,
    /// Check the files, and do nothing
    #[arg(long, help_heading = "Tasks")]
    syntax_check: bool,
    /// Run notified handlers of a host though a task failed
    #[arg(long, help_heading = "Tasks")]
    force_handlers: bool,
    #[command(flatten)]
    tasks: TaskArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    r#become: BecomeArgs,
    /// How to show the run
    #[arg(long, value_enum, help_heading = "Output")]
    output: Option<Output>,
    /// Keep nothing of this run in the history
    #[arg(long, help_heading = "Output")]
    no_history: bool,
}

/// Runs the playbooks. `is_link` when called as `ansible-playbook`: then the output is Ansible's on a terminal too, and so is check mode.
///
/// # Errors
/// The command line, the settings or the files are wrong.
pub fn run(args: RunArgs, is_link: bool) -> Outcome {
    let environment = Environment::current()?;
    let (mut settings, warnings) = settings::resolve(&environment)?;
    apply(&args, &mut settings, &environment)?;
    let output = args.output.unwrap_or_else(|| default_output(&args, &settings, is_link));
    let (sink, pause) = report(output, &settings, args.tasks.check)?;
    let keeps_history = !args.no_history;
    let unknown = unknown_plugins(&settings);
    let (mut request, vault_warnings) = request(args, settings, pause, &environment)?;
    request.foresees = !is_link;
    let warnings = warnings.into_iter().chain(vault_warnings).chain(unknown).collect();
    execute(request, Plan { sinks: vec![sink], keeps_history, warnings }, &environment)
}

fn apply(args: &RunArgs, settings: &mut Settings, environment: &Environment) -> Result<(), Failed> {
    let is_yaml = YAML_CALLBACK.contains(&settings.stdout_callback.as_str());
    let mut over = Overrides { settings, environment };
    over.set("CALLBACK_RESULT_FORMAT", is_yaml.then(|| "yaml".to_owned()))?;
    args.connection.apply(&mut over)?;
    args.r#become.apply(&mut over)?;
    args.tasks.apply(&mut over)?;
    over.set("TAGS_RUN", (!args.tags.is_empty()).then(|| args.tags.join(",")))?;
    over.set("TAGS_SKIP", (!args.skip_tags.is_empty()).then(|| args.skip_tags.join(",")))?;
    over.flag("DEFAULT_FORCE_HANDLERS", args.force_handlers)
}

fn default_output(args: &RunArgs, settings: &Settings, is_link: bool) -> Output {
    let only_lists = args.hosts.list_hosts || args.list_tasks || args.list_tags || args.syntax_check;
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let is_plain = is_link || only_lists || args.step || settings.verbosity > 0 || is_dumb;
    if !is_plain && std::io::stdout().is_terminal() { Output::Lanes } else { Output::Text }
}

fn request(
    args: RunArgs,
    settings: Settings,
    pause: Option<Pause>,
    environment: &Environment,
) -> Result<(RunRequest, Vec<Diagnostic>), Failed> {
    let playbooks = playbooks(&args.playbooks, environment)?;
    let redactor = Redactor::default();
    let extra_vars = args.tasks.extra_vars(environment)?;
    let (vault, vault_warnings) = args.tasks.vault(&settings)?;
    let needs_passwords = mode(&args) == Mode::Run;
    let passwords = if needs_passwords { passwords(&settings, environment, &redactor)? } else { Default::default() };
    let request = RunRequest {
        plays: playbooks,
        mode: mode(&args),
        inventory: args.hosts.sources(&settings, environment),
        limit: args.hosts.limit,
        extra_vars,
        vault,
        connection_password: passwords.connection,
        become_password: passwords.r#become,
        check: args.tasks.check,
        foresees: true,
        diff: settings.diff_always,
        start_at_task: args.start_at_task,
        step: args.step,
        flush_cache: args.hosts.flush_cache,
        redactor,
        console: Arc::new(Terminal { pause }),
        settings,
    };
    Ok((request, vault_warnings))
}

fn mode(args: &RunArgs) -> Mode {
    let (hosts, tasks, tags) = (args.hosts.list_hosts, args.list_tasks, args.list_tags);
    if hosts || tasks || tags {
        Mode::List { hosts, tasks, tags }
    } else if args.syntax_check {
        Mode::SyntaxCheck
    } else {
        Mode::Run
    }
}

/// The files, all of them there.
fn playbooks(names: &[String], environment: &Environment) -> Result<Vec<PlaySource>, Failed> {
    let paths: Vec<PathBuf> = names.iter().map(|name| environment.paths().resolve(&environment.expand(name))).collect();
    let problem = |(name, path): (&String, &PathBuf)| match path.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            Some(Diagnostic::error(format!("the playbook `{name}` is a folder")).help("name a file in it"))
        }
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let near = near(path);
            Some(Diagnostic::error(format!("the playbook `{name}` is not there")).did_you_mean(name, near.iter().map(String::as_str)))
        }
        Err(error) => Some(Diagnostic::error(format!("the playbook `{name}` cannot be read: {error}"))),
    };
    let problems: Vec<Diagnostic> = names.iter().zip(&paths).filter_map(problem).collect();
    if problems.is_empty() { Ok(paths.into_iter().map(PlaySource::File).collect()) } else { Err(problems.into()) }
}

/// The YAML files beside a file that is not there.
fn near(path: &std::path::Path) -> Vec<String> {
    let Some(Ok(entries)) = path.parent().map(std::fs::read_dir) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.path().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".yml") || name.ends_with(".yaml")).collect()
}

/// What `callback_result_format = yaml` replaces; many a project still asks for it.
const YAML_CALLBACK: [&str; 2] = ["yaml", "community.general.yaml"];

/// Plugins that the settings ask for and that do not exist here.
fn unknown_plugins(settings: &Settings) -> Vec<Diagnostic> {
    let name = settings.stdout_callback.as_str();
    let known = ["default", "ansible.builtin.default", "minimal", "ansible.builtin.minimal", "oneline", "ansible.builtin.oneline"];
    let output = (!known.contains(&name) && !YAML_CALLBACK.contains(&name)).then(|| {
        let default = "Ansible's default one is used; `--output json` gives one event a line";
        asked(settings, "DEFAULT_STDOUT_CALLBACK", format!("the output `{name}` (stdout_callback) is not known here, and {default}"))
    });
    let besides = (!settings.callbacks_enabled.is_empty()).then(|| {
        let names: Vec<String> = settings.callbacks_enabled.iter().map(|name| format!("`{name}`")).collect();
        asked(
            settings,
            "CALLBACKS_ENABLED",
            format!("callback plugins do not run here, and {} (callbacks_enabled) will not", names.join(", ")),
        )
    });
    let cache = settings.fact_caching.as_str();
    let cache = (!["memory", "jsonfile"].contains(&cache.strip_prefix("ansible.builtin.").unwrap_or(cache))).then(|| {
        let text =
            format!("the cache `{cache}` (fact_caching) is not known here, and facts live as long as the run; `jsonfile` keeps them");
        asked(settings, "CACHE_PLUGIN", text)
    });
    output.into_iter().chain(besides).chain(cache).collect()
}

/// A warning of a setting, at its place in the file.
fn asked(settings: &Settings, name: &str, text: String) -> Diagnostic {
    match settings.origin(name) {
        Origin::ConfigFile(span) => Diagnostic::warning(text).at(span),
        _ => Diagnostic::warning(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::settings::ResultFormat;

    /// The command line, on its own.
    #[derive(clap::Parser)]
    struct Alone {
        #[command(flatten)]
        run: RunArgs,
    }

    #[test]
    fn plugins_that_do_not_run_are_told_and_yaml_is_a_format_of_the_default_output() {
        let folder = tempfile::tempdir().expect("a folder");
        let asked = |stdout: &str| {
            let text = format!("[defaults]\nstdout_callback = {stdout}\ncallbacks_enabled = timer, profile_tasks\nfact_caching = redis\n");
            std::fs::write(folder.path().join("ansible.cfg"), text).expect("writes");
            let environment = Environment::new(folder.path().to_path_buf(), []);
            let (mut settings, _) = settings::resolve(&environment).expect("is valid");
            let args = <Alone as clap::Parser>::parse_from(["run", "site.yml"]).run;
            apply(&args, &mut settings, &environment).unwrap_or_else(|failed| panic!("{:?}", failed.diagnostics));
            let said: Vec<String> = unknown_plugins(&settings).iter().map(|warning| warning.message.clone()).collect();
            (settings.callback_result_format, said)
        };
        let (format, said) = asked("yaml");
        assert_eq!((format, said.len()), (ResultFormat::Yaml, 2));
        assert_eq!(said[0], "callback plugins do not run here, and `timer`, `profile_tasks` (callbacks_enabled) will not");
        assert!(said[1].starts_with("the cache `redis` (fact_caching) is not known here"), "{said:?}");
        let (format, said) = asked("dense");
        assert_eq!((format, said.len()), (ResultFormat::Json, 3));
        assert!(said[0].starts_with("the output `dense` (stdout_callback) is not known here"), "{said:?}");
    }

    #[test]
    fn a_playbook_that_is_not_there_is_told_with_the_one_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("site.yml"), "[]").expect("writes");
        let environment = Environment::new(folder.path().to_path_buf(), []);
        let name = folder.path().join("sit.yml").to_string_lossy().into_owned();
        let failed = playbooks(&[name], &environment).expect_err("is refused");
        assert!(failed.diagnostics[0].to_string().contains("did you mean"), "{:?}", failed.diagnostics);
    }
}
