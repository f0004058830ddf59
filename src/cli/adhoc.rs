//! `hostler do`, which is also `ansible`: one task on some hosts, without a playbook.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::base::{Diagnostic, Node, Redactor, Span, Value};
use crate::engine::Settings;
use crate::engine::request::{Mode, PlaySource, RunRequest};
use crate::history::event::{Event, Sink};
use crate::report::adhoc::AdHoc;
use crate::report::dump;
use crate::report::json::Json;
use crate::yaml;

use super::arguments::{BecomeArgs, ConnectionArgs, HostArgs, Overrides, TaskArgs, passwords};
use super::environment::Environment;
use super::execute::{Output, Plan, execute, options, screen};
use super::failure::{Failed, Outcome};
use super::prompt::Terminal;
use super::settings;

/// Actions that need a play around them.
const NOT_ALONE: &[&str] = &["import_playbook"];
/// Actions that do nothing without arguments.
const NEED_ARGUMENTS: &[&str] = &["command", "shell", "raw", "script", "win_command", "win_shell"];

/// Run one task on some hosts
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler do web -i inventory -b -m service -a 'name=nginx state=restarted'")]
pub struct AdHocArgs {
    /// Host pattern
    #[arg(value_name = "PATTERN")]
    pattern: String,
    /// Module to run
    #[arg(short, long, value_name = "MODULE", help_heading = "Task")]
    module_name: Option<String>,
    /// Its options: k=v …, JSON, or the command line of `command`
    #[arg(short = 'a', long = "args", value_name = "ARGS", allow_hyphen_values = true, help_heading = "Task")]
    module_args: Option<String>,
    /// Run it beside, for at most so many seconds
    #[arg(short = 'B', long, value_name = "SECONDS", help_heading = "Task")]
    background: Option<u64>,
    /// Look at it so often (0: never)
    #[arg(short = 'P', long, value_name = "SECONDS", help_heading = "Task")]
    poll: Option<u64>,
    /// Seconds that it may take
    #[arg(long, value_name = "SECONDS", help_heading = "Task")]
    task_timeout: Option<u64>,
    /// Folder to stand in for a playbook's: for roles, group_vars …
    #[arg(long, value_name = "FOLDER", help_heading = "Task")]
    playbook_dir: Option<String>,
    #[command(flatten)]
    hosts: HostArgs,
    #[command(flatten)]
    tasks: TaskArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    r#become: BecomeArgs,
    /// One line for each host
    #[arg(short, long, help_heading = "Output")]
    one_line: bool,
    /// Write each host's result to a file in this folder
    #[arg(short, long, value_name = "FOLDER", help_heading = "Output")]
    tree: Option<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, help_heading = "Output")]
    output: Option<Output>,
    /// Keep nothing of this run in the history
    #[arg(long, help_heading = "Output")]
    no_history: bool,
}

/// Runs the task.
///
/// # Errors
/// The command line or the settings are wrong.
pub fn run(args: AdHocArgs) -> Outcome {
    let environment = Environment::current()?;
    let (mut settings, warnings) = settings::resolve(&environment)?;
    let mut over = Overrides { settings: &mut settings, environment: &environment };
    args.connection.apply(&mut over)?;
    args.r#become.apply(&mut over)?;
    args.tasks.apply(&mut over)?;
    let play = play(&args, &settings)?;
    let directory =
        args.playbook_dir.as_deref().map_or_else(|| environment.directory.clone(), |folder| environment.paths().resolve(folder));
    let sinks = sinks(&args, &settings)?;
    let redactor = Redactor::default();
    let (vault, vault_warnings) = args.tasks.vault(&settings)?;
    let passwords = passwords(&settings, &environment, &redactor)?;
    let request = RunRequest {
        plays: vec![PlaySource::Built { plays: play, directory }],
        mode: if args.hosts.list_hosts { Mode::List { hosts: true, tasks: false, tags: false } } else { Mode::Run },
        inventory: args.hosts.sources(&settings, &environment),
        extra_vars: args.tasks.extra_vars(&environment)?,
        limit: args.hosts.limit,
        vault,
        connection_password: passwords.connection,
        become_password: passwords.r#become,
        check: args.tasks.check,
        foresees: true,
        diff: settings.diff_always,
        start_at_task: None,
        step: false,
        flush_cache: args.hosts.flush_cache,
        redactor,
        console: Arc::new(Terminal::default()),
        settings,
    };
    let warnings = warnings.into_iter().chain(vault_warnings).collect();
    execute(request, Plan { sinks, keeps_history: !args.no_history, warnings }, &environment)
}

fn sinks(args: &AdHocArgs, settings: &Settings) -> Result<Vec<Box<dyn Sink>>, Failed> {
    let screen = screen(settings)?;
    let one_line = args.one_line || is_one_line(settings);
    let mut sinks: Vec<Box<dyn Sink>> = vec![match args.output {
        Some(Output::Json) => Box::new(Json::new(screen)),
        Some(Output::Text | Output::Lanes) | None => Box::new(AdHoc::new(screen, options(settings, args.tasks.check), one_line)),
    }];
    if let Some(folder) = &args.tree {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|error| Diagnostic::error(format!("the folder `{}` of --tree cannot be made: {error}", folder.display())))?;
        sinks.push(Box::new(Tree { folder: folder.clone() }));
    }
    Ok(sinks)
}

/// Whether the settings ask for one line a host.
fn is_one_line(settings: &Settings) -> bool {
    settings.load_callback_plugins && settings.stdout_callback == "oneline"
}

/// The play: as if a file held it.
fn play(args: &AdHocArgs, settings: &Settings) -> Result<Node, Failed> {
    let module = args.module_name.as_deref().unwrap_or(&settings.module_name);
    let short = module.strip_prefix("ansible.builtin.").or_else(|| module.strip_prefix("ansible.legacy.")).unwrap_or(module);
    if NOT_ALONE.contains(&short) {
        return Err(Failed::option(format!("`{module}` needs a play around it: write it in a playbook")));
    }
    let given = args.module_args.as_deref().or(settings.module_args.as_deref()).unwrap_or_default();
    if given.is_empty() && !args.hosts.list_hosts && NEED_ARGUMENTS.contains(&short) {
        return Err(Failed::option(format!("`{module}` needs arguments: -a '…'")));
    }
    let span = Span::origin(&format!("<adhoc '{module}' task>"));
    let text = |text: &str| Node::text(span.clone(), text);
    let number = |number: u64| Node::data(span.clone(), Value::Int(i64::try_from(number).unwrap_or(i64::MAX)));
    let arguments = if given.starts_with('{') && given.ends_with('}') && serde_json::from_str::<serde_json::Value>(given).is_ok() {
        yaml::load_one(given, &span.file)?.0
    } else if given.is_empty() {
        Node::null(span.clone())
    } else {
        text(given)
    };
    let mut task = vec![(text(module), arguments)];
    task.extend(args.task_timeout.map(|seconds| (text("timeout"), number(seconds))));
    if let Some(seconds) = args.background {
        task.push((text("async"), number(seconds)));
        task.push((text("poll"), number(args.poll.unwrap_or(settings.poll_interval))));
    }
    let play = vec![
        (text("name"), text("Ansible Ad-Hoc")),
        (text("hosts"), text(&args.pattern)),
        (text("gather_facts"), Node::data(span.clone(), false.into())),
        (text("tasks"), Node::seq(span.clone(), vec![Node::map(span.clone(), task)])),
    ];
    Ok(Node::seq(span.clone(), vec![Node::map(span.clone(), play)]))
}

/// Keeps each host's result in a file of its name.
struct Tree {
    folder: PathBuf,
}

impl Sink for Tree {
    fn event(&mut self, event: &Event) {
        let Event::HostResult(result) = event else { return };
        // A host's name is not allowed to lead out of the folder.
        let name = result.host.replace('/', "_");
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.folder.join(name));
        let written = file.and_then(|mut file| file.write_all(dump::json(&result.result, None).as_bytes()));
        if let Err(error) = written {
            let message = format!("the result of `{}` cannot be written to `{}`: {error}", result.host, self.folder.display());
            super::failure::show(&Diagnostic::warning(message).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: AdHocArgs,
    }

    fn made(words: &[&str]) -> Result<String, Failed> {
        let args = Cli::parse_from(std::iter::once("ansible").chain(words.iter().copied())).args;
        play(&args, &Settings::new(std::path::Path::new("/root"))).map(|node| node.to_value().to_repr())
    }

    #[test]
    fn the_task_is_a_play_of_its_own() {
        assert_eq!(
            made(&["web", "-m", "service", "-a", "name=nginx state=restarted", "-B", "60"]).expect("is valid"),
            "[{'name': 'Ansible Ad-Hoc', 'hosts': 'web', 'gather_facts': False, 'tasks': [{'service': 'name=nginx state=restarted', 'async': 60, 'poll': 15}]}]"
        );
        assert!(made(&["all", "-m", "debug", "-a", r#"{"msg": [1]}"#]).expect("is valid").contains("{'debug': {'msg': [1]}}"));
    }

    #[test]
    fn the_look_that_is_set_counts_where_callbacks_are_loaded() {
        let mut settings = Settings::new(std::path::Path::new("/root"));
        settings.stdout_callback = "oneline".into();
        assert!(!is_one_line(&settings));
        settings.load_callback_plugins = true;
        assert!(is_one_line(&settings));
    }

    #[test]
    fn what_needs_a_play_or_arguments_is_refused() {
        assert!(made(&["all", "-m", "import_playbook", "-a", "site.yml"]).is_err());
        assert!(made(&["all"]).expect_err("command without a command").diagnostics[0].message.contains("needs arguments"));
    }
}
