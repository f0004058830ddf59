//! From a request to a run: opens the history, starts the journal with the reports that are wanted, and calls the engine.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;

use crate::base::Diagnostic;
use crate::engine::request::{Mode, RunRequest};
use crate::engine::{self, Settings};
use crate::history::event::{Event, RunStarted, Sink};
use crate::history::store::{Store, default_file, random_id};
use crate::history::{Journal, Keeper};
use crate::report::json::Json;
use crate::report::plain::Plain;
use crate::report::screen::Log;
use crate::report::terminal::{self, Pause};
use crate::report::{Options, Screen};

use super::environment::{Environment, banner_width, terminal_width};
use super::failure::Outcome;

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    // Comments, not help: one of them would double the length of every `--help`.
    // Ansible's own lines.
    Text,
    // One event a line.
    Json,
    // A lane for each host, on a terminal.
    Lanes,
}

/// What a run needs beside its request.
pub struct Plan {
    pub sinks: Vec<Box<dyn Sink>>,
    pub keeps_history: bool,
    /// Warnings from before the run, such as those of ansible.cfg.
    pub warnings: Vec<Diagnostic>,
}

/// The history that is set: a PostgreSQL URL or a folder in `HOSTLER_STATE`, else the user's state folder.
///
/// # Errors
/// It cannot be opened.
pub fn open_history(environment: &Environment) -> Result<Store, Diagnostic> {
    let state = environment.get("HOSTLER_STATE").filter(|text| !text.is_empty());
    match state {
        Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => Store::connect(url),
        folder => {
            let folder = folder.map(|folder| environment.paths().resolve(&environment.expand(folder)));
            let xdg = environment.get("XDG_STATE_HOME").map(Path::new).filter(|path| path.is_absolute());
            Store::open(&default_file(folder.as_deref(), xdg, &environment.home))
        }
    }
}

/// Runs it.
///
/// # Errors
/// The history cannot be opened.
pub fn execute(request: RunRequest, plan: Plan, environment: &Environment) -> Outcome {
    let mut store = (plan.keeps_history && request.mode == Mode::Run).then(|| open_history(environment)).transpose()?;
    let id = match &mut store {
        Some(store) => store.new_id()?,
        None => random_id(4),
    };
    let begun = Instant::now();
    let (journal, keeper): (Journal, Keeper) = Journal::start(store, plan.sinks, request.redactor.clone());
    journal.event(Event::RunStarted(RunStarted {
        id: id.into(),
        command: command_line(std::env::args()),
        time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX)),
        user: who(environment),
        directory: environment.directory.to_string_lossy().into_owned(),
        check: request.check,
        diff: request.diff,
    }));
    plan.warnings.into_iter().for_each(|warning| journal.event(Event::warning(warning)));
    let exit_code = engine::run(request, &journal);
    journal.event(Event::RunFinished { exit_code, milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX) });
    drop(journal);
    // A history that could not be written was said while it ran; the run itself has its own exit code.
    let _written = keeper.finish();
    Ok(exit_code)
}

/// The command line for the history. What `-e` sets may be secret.
fn command_line(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut hide_next = false;
    for word in arguments {
        let shown = match word.split_once('=') {
            _ if hide_next && !word.starts_with('@') => "…".to_owned(),
            Some(("--extra-vars", value)) if !value.starts_with('@') => "--extra-vars=…".to_owned(),
            _ if word.starts_with("-e") && word.len() > 2 && !word.starts_with("-e@") && !word.starts_with("--") => "-e…".to_owned(),
            _ => word.clone(),
        };
        hide_next = word == "-e" || word == "--extra-vars";
        words.push(shown);
    }
    words
}

/// The report for the reader, and how to take it out of the way of a question.
///
/// # Errors
/// The file of `log_path` cannot be written.
pub fn report(output: Output, settings: &Settings, check: bool) -> Result<(Box<dyn Sink>, Option<Pause>), Diagnostic> {
    let screen = screen(settings)?;
    let options = options(settings, check);
    Ok(match output {
        Output::Json => (Box::new(Json::new(screen)), None),
        Output::Text => (Box::new(Plain::new(screen, options)), None),
        Output::Lanes => {
            let width = terminal_width().unwrap_or(80);
            let terminal = terminal::Terminal::new(screen, Options { width, ..options });
            let pause = terminal.pause();
            (Box::new(terminal), Some(pause))
        }
    })
}

/// Standard output and error, with colours where they are wanted and `log_path` beside them.
///
/// # Errors
/// The file of `log_path` cannot be written.
pub fn screen(settings: &Settings) -> Result<Screen, Diagnostic> {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let colored = settings.force_color || (!settings.nocolor && !is_dumb && std::io::stdout().is_terminal());
    let screen = Screen::standard(colored);
    let Some(path) = &settings.log_path else { return Ok(screen) };
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    log.map(|file| screen.with_log(Log::new(Box::new(file), account())))
        .map_err(|error| Diagnostic::error(format!("the log `{}` (log_path) cannot be written: {error}", path.display())))
}

/// What the settings say about reports.
pub fn options(settings: &Settings, check: bool) -> Options {
    Options {
        verbosity: settings.verbosity,
        log_verbosity: settings.log_verbosity,
        width: banner_width(),
        check,
        display_skipped_hosts: settings.display_skipped_hosts,
        display_ok_hosts: settings.display_ok_hosts,
        display_failed_stderr: settings.display_failed_stderr,
        show_custom_stats: settings.show_custom_stats,
        show_per_host_start: settings.show_per_host_start,
        check_mode_markers: settings.check_mode_markers,
        show_task_path_on_failure: settings.show_task_path_on_failure,
        deprecation_warnings: settings.deprecation_warnings,
        verbose_to_stderr: settings.verbose_to_stderr,
        yaml_results: settings.callback_result_format == crate::engine::settings::ResultFormat::Yaml,
        pretty_results: settings.callback_format_pretty,
        diff_context: settings.diff_context,
        ansible_errors: super::called::called_as().is_some(),
    }
}

/// Who is at the keyboard. A service or a container may have no `USER`; the account says it then.
fn who(environment: &Environment) -> String {
    match environment.user.is_empty() {
        false => environment.user.clone(),
        true => account(),
    }
}

/// The account that this process runs as.
fn account() -> String {
    crate::system::System::local().user_name(rustix::process::getuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &[&str]) -> String {
        command_line(words.iter().map(|word| (*word).to_owned())).join(" ")
    }

    #[test]
    fn what_e_sets_is_not_kept() {
        assert_eq!(shown(&["hostler", "run", "-e", "pw=x", "a.yml"]), "hostler run -e … a.yml");
        assert_eq!(shown(&["hostler", "--extra-vars=pw=x", "-epw=x", "-e", "@vars.yml"]), "hostler --extra-vars=… -e… -e @vars.yml");
    }
}
