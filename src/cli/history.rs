//! `hostler history`: what was run, where, and what it changed.

use clap::{Args, Subcommand, ValueEnum};
use jiff::tz::TimeZone;

use crate::base::Diagnostic;
use crate::history::store::{Run, Store};
use crate::report::past::{self, Filter};

use super::environment::Environment;
use super::execute::{open_history, screen};
use super::failure::{Outcome, print};
use super::settings;

/// What was run, where, and what it changed
#[derive(Debug, Args)]
#[command(after_help = "Example: hostler history show last --changed", args_conflicts_with_subcommands = true)]
pub struct HistoryArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The newest so many
    #[arg(short, long, default_value_t = 20, value_name = "NUMBER")]
    number: u32,
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What one run did, with the differences
    #[command(after_help = "Example: hostler history show 7f3a --host idp1 --task nginx")]
    Show {
        /// Its id, the beginning of it, or `last`
        run: String,
        /// On this host only
        #[arg(long, value_name = "HOST")]
        host: Option<String>,
        /// Only tasks with this in their name
        #[arg(long, value_name = "TEXT")]
        task: Option<String>,
        /// Only what changed or failed
        #[arg(long)]
        changed: bool,
        #[arg(long, value_enum, default_value = "text")]
        output: Format,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Shows the history.
///
/// # Errors
/// It cannot be read, or holds no such run.
pub fn run(args: HistoryArgs) -> Outcome {
    let environment = Environment::current()?;
    let mut store = open_history(&environment)?;
    match args.verb {
        None => list(&mut store, &args.list, &environment),
        Some(Verb::Show { run, host, task, changed, output }) => {
            let Some(found) = store.find(&run)? else {
                return Err(Diagnostic::error(format!("the history has no run `{run}`, or several that begin so"))
                    .command("hostler history")
                    .into());
            };
            show(&mut store, &found, &Filter { host, task, changed_only: changed }, output, &environment)
        }
    }
}

fn list(store: &mut Store, args: &ListArgs, environment: &Environment) -> Outcome {
    let runs = store.runs(args.number.into())?;
    if args.output == Format::Json {
        let runs: Vec<serde_json::Value> = runs.iter().map(run_as_json).collect();
        return print(&format!("{:#}\n", serde_json::Value::from(runs)));
    }
    let (settings, _) = settings::resolve(environment)?;
    past::list(&runs, &TimeZone::system(), &mut screen(&settings)?);
    Ok(0)
}

fn run_as_json(run: &Run) -> serde_json::Value {
    serde_json::json!({
        "id": run.started.id,
        "started": run.started.time,
        "finished": run.finished.map(|end| end / 1000),
        "exit_code": run.exit_code,
        "user": run.started.user,
        "directory": run.started.directory,
        "command": run.started.command,
        "check": run.started.check,
        "hosts": run.recap.as_ref().map(|recap| &recap.hosts),
    })
}

fn show(store: &mut Store, run: &Run, filter: &Filter, format: Format, environment: &Environment) -> Outcome {
    let events = store.events(&run.started.id)?;
    if format == Format::Json {
        let is_wanted =
            |host: Option<&std::sync::Arc<str>>| filter.host.as_deref().is_none_or(|wanted| host.is_none_or(|host| &**host == wanted));
        let lines = events.iter().filter(|kept| is_wanted(kept.event.host()));
        let lines: Result<String, serde_json::Error> = lines.map(|kept| Ok(serde_json::to_string(&kept.event)? + "\n")).collect();
        return print(&lines.map_err(|error| Diagnostic::error(format!("the run cannot be written as JSON: {error}")))?);
    }
    let (settings, _) = settings::resolve(environment)?;
    past::show(run, &events, filter, &TimeZone::system(), &mut screen(&settings)?);
    Ok(0)
}
