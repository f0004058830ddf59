//! `ansible.builtin.cron`: jobs and variables in a crontab, each under a comment line with its name.

use std::path::{Path, PathBuf};

use crate::base::Value;
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Command, Diff, Effect, Failure, Result, System, WriteFile};

pub struct Cron;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

choices! {
    pub enum Special {
        Reboot = "reboot",
        Yearly = "yearly",
        Annually = "annually",
        Monthly = "monthly",
        Weekly = "weekly",
        Daily = "daily",
        Hourly = "hourly",
    }
}

module_args! {
    /// Keeps jobs and variables in a user's crontab or in a file of /etc/cron.d.
    pub struct CronArgs {
        /// Name of the job, kept in a comment above it; or of the variable.
        name: String,
        /// Whose crontab; in a file of /etc/cron.d: who runs the job.
        user: Option<String>,
        /// The command, or the variable's value.
        job | "value": Option<String>,
        /// A file to keep it in; a bare name is one of /etc/cron.d.
        cron_file: Option<PathBuf>,
        /// Whether it should be there.
        state: State = State::Present,
        /// Keep a copy of the crontab before it is changed.
        backup: bool = false,
        /// Minute.
        minute: String = "*",
        /// Hour.
        hour: String = "*",
        /// Day of the month.
        day | "dom": String = "*",
        /// Month.
        month: String = "*",
        /// Day of the week.
        weekday | "dow": String = "*",
        /// A time with a name, instead of the five.
        special_time: Option<Special>,
        /// Keep the job as a comment, so that it does not run.
        disabled: bool = false,
        /// It is a variable, not a job.
        env: bool = false,
        /// Put the variable after this one.
        insertafter: Option<String>,
        /// Put the variable before this one.
        insertbefore: Option<String>,
    }
    rules [Rule::Exclusive(&["insertafter", "insertbefore"])]
}

const MARK: &str = "#Ansible: ";

impl Module for Cron {
    const NAME: &'static str = "ansible.builtin.cron";
    type Args = CronArgs;

    fn run(args: CronArgs, sys: &mut System) -> Result<Output> {
        refuse(&args)?;
        let place = Place::of(&args);
        if let Place::File(path) = &place {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                let rule = "solely of upper- and lower-case letters, digits, underscores, and hyphens";
                sys.warn(format!("Filename portion of cron_file (\"{name}\") should consist {rule}"));
            }
        }
        let before = place.read(sys)?;
        let after = edit(&args, &before)?;
        let mut output = Output::new();
        if after != before {
            if args.backup {
                output = back_up(&before, sys, output)?;
            }
            place.write(&before, &after, sys)?;
        }
        if let Some(file) = &args.cron_file {
            output = output.with("cron_file", file.to_string_lossy().into_owned()).with("state", args.state);
        }
        let jobs: Vec<&str> = after.lines().filter_map(|line| line.strip_prefix(MARK)).collect();
        let variables: Vec<&str> = after.lines().filter_map(variable).collect();
        Ok(output.with("jobs", Value::list(jobs)).with("envs", Value::list(variables)))
    }
}

fn refuse(args: &CronArgs) -> Result<()> {
    let fail = |message: &str, option: &str| Err(Failure::new(message).at(option));
    let times = [&args.minute, &args.hour, &args.day, &args.month, &args.weekday];
    if args.cron_file.as_deref() == Some(Path::new("/etc/crontab")) {
        return fail("Will not manage /etc/crontab via cron_file, see documentation.", "cron_file");
    }
    if args.special_time.is_some() && times.iter().any(|time| *time != "*") {
        return fail("You cannot combine special_time with any of the time or day/date parameters.", "special_time");
    }
    if args.env && args.name.contains(' ') {
        return fail("Invalid name for environment variable", "name");
    }
    if args.state == State::Absent {
        return Ok(());
    }
    if args.cron_file.is_some() && args.user.is_none() {
        return fail("To use cron_file=... parameter you must specify user=... as well", "user");
    }
    if args.job.is_none() {
        return fail("You must specify 'job' to install a new cron job or variable", "job");
    }
    if (args.insertafter.is_some() || args.insertbefore.is_some()) && !args.env {
        return fail("Insertafter and insertbefore parameters are valid only with env=yes", "insertafter");
    }
    Ok(())
}

/// Where the lines are: a file, or a user's crontab, which only `crontab` may touch.
enum Place {
    File(PathBuf),
    User(Option<String>),
}

impl Place {
    fn of(args: &CronArgs) -> Place {
        match &args.cron_file {
            Some(file) if file.is_absolute() => Place::File(file.clone()),
            Some(file) => Place::File(Path::new("/etc/cron.d").join(file)),
            None => Place::User(args.user.clone()),
        }
    }

    fn command(user: &Option<String>) -> Command {
        let switch = user.as_ref().map(|user| ["-u".to_owned(), user.clone()]).into_iter().flatten();
        Command::new("crontab").args(switch)
    }

    fn read(&self, sys: &System) -> Result<String> {
        match self {
            Place::File(path) => match sys.query_file(path)? {
                Some(_) => sys.query_text(path),
                None => Ok(String::new()),
            },
            Place::User(user) => {
                let known = sys.query_record("crontab", user.as_deref().unwrap_or_default(), || {
                    let shown = sys.query_command(Place::command(user).arg("-l"))?;
                    match shown.rc {
                        // Nobody's crontab is an empty one.
                        0 => Ok(Some(shown.stdout_text().into())),
                        1 => Ok(None),
                        _ => Err(Failure::new(format!("Unable to read crontab: {}", shown.stderr_text().trim()))),
                    }
                })?;
                Ok(known.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned())
            }
        }
    }

    fn write(&self, before: &str, after: &str, sys: &mut System) -> Result<()> {
        match self {
            Place::File(path) if after.trim().is_empty() => sys.remove(path).map(drop),
            Place::File(path) => sys.write_file(WriteFile::new(path, after)).map(drop),
            Place::User(user) => {
                let name = user.clone().unwrap_or_default();
                let effect = Effect::Record { kind: "crontab", name, value: Some(after.into()) };
                sys.mutate(Place::command(user).arg("-").stdin(after), effect)?;
                sys.add_diff(Diff::text("crontab", before, after));
                Ok(())
            }
        }
    }
}

fn back_up(before: &str, sys: &mut System, output: Output) -> Result<Output> {
    let path = sys.keep_aside("crontab", before)?;
    Ok(match path {
        Some(path) => output.with("backup_file", path.to_string_lossy().into_owned()),
        None => output,
    })
}

fn variable(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    (!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some(name)
}

/// The job's line.
fn job_line(args: &CronArgs) -> String {
    let job = args.job.as_deref().unwrap_or_default().trim_matches(['\r', '\n']);
    let disabled = if args.disabled { "#" } else { "" };
    let time = match args.special_time {
        Some(special) => format!("@{}", special.as_str()),
        None => [&args.minute, &args.hour, &args.day, &args.month, &args.weekday].map(String::as_str).join(" "),
    };
    match (&args.cron_file, &args.user) {
        (Some(_), Some(user)) => format!("{disabled}{time} {user} {job}"),
        _ => format!("{disabled}{time} {job}"),
    }
}

fn edit(args: &CronArgs, before: &str) -> Result<String> {
    let mut lines: Vec<String> = before.lines().filter(|line| !is_header(line)).map(str::to_owned).collect();
    if args.env {
        edit_variable(args, &mut lines)?;
    } else {
        edit_job(args, &mut lines);
    }
    let mut after = lines.join("\n");
    if !after.is_empty() {
        after.push('\n');
    }
    let unheaded: String = before.lines().filter(|line| !is_header(line)).map(|line| format!("{line}\n")).collect();
    Ok(if after == unheaded && before.ends_with('\n') { before.to_owned() } else { after })
}

/// The lines that `crontab -l` puts on top by itself.
fn is_header(line: &str) -> bool {
    line.starts_with("# DO NOT EDIT THIS FILE")
        || (line.starts_with("# (") && (line.contains("installed on") || line.contains("Cron version")))
}

fn edit_job(args: &CronArgs, lines: &mut Vec<String>) {
    let comment = format!("{MARK}{}", args.name);
    let wanted = job_line(args);
    let present = args.state == State::Present;
    match lines.iter().position(|line| *line == comment) {
        Some(place) => {
            let has_job = lines.len() > place + 1;
            if has_job {
                lines.remove(place + 1);
            }
            if present {
                lines.insert(place + 1, wanted);
            } else {
                lines.remove(place);
            }
        }
        // The same job without its name gets the name.
        None if present => match lines.iter().position(|line| *line == wanted) {
            Some(place) if place > 0 && lines[place - 1].starts_with(MARK.trim_end()) => lines[place - 1] = comment,
            Some(place) => lines.insert(place, comment),
            None => lines.extend([comment, wanted]),
        },
        None => {}
    }
}

fn edit_variable(args: &CronArgs, lines: &mut Vec<String>) -> Result<()> {
    let of = |lines: &[String], name: &str| lines.iter().position(|line| variable(line) == Some(name));
    let wanted = format!("{}=\"{}\"", args.name, args.job.as_deref().unwrap_or_default());
    match (of(lines, &args.name), args.state) {
        (Some(place), State::Present) => lines[place] = wanted,
        (Some(place), State::Absent) => drop(lines.remove(place)),
        (None, State::Absent) => {}
        (None, State::Present) => {
            let other = args.insertafter.as_ref().map(|name| (name, 1)).or(args.insertbefore.as_ref().map(|name| (name, 0)));
            let place = match other {
                None => 0,
                Some((name, offset)) => {
                    let found = of(lines, name).ok_or_else(|| Failure::new(format!("Variable named '{name}' not found.")))?;
                    found + offset
                }
            };
            lines.insert(place, wanted);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_job_stands_under_its_name_and_is_replaced_in_place() {
        let mut machine = Machine::new(Overlay::empty());
        machine.task("cron: { name: dump, minute: '5', hour: '2', job: /usr/bin/dump }").expect("runs");
        let ran = machine.task("cron: { name: dump, special_time: daily, job: /usr/bin/dump }").expect("runs");
        let text = Effect::Record { kind: "crontab", name: String::new(), value: Some("#Ansible: dump\n@daily /usr/bin/dump\n".into()) };
        assert_eq!(ran.effects, [text]);
        assert_eq!(ran.output.values.get("jobs"), Some(&Value::list(["dump"])));
        let ran = machine.task("cron: { name: dump, state: absent }").expect("runs");
        assert_eq!(ran.effects.len(), 1);
    }

    #[test]
    fn a_file_of_cron_d_names_the_user_and_goes_when_it_is_empty() {
        let mut machine = Machine::new(Overlay::empty().with_directory("/etc/cron.d"));
        machine.task("cron: { name: a, cron_file: own, user: root, job: 'true', disabled: true }").expect("runs");
        let path = Path::new("/etc/cron.d/own");
        assert_eq!(machine.sys.query_text(path).expect("reads"), "#Ansible: a\n#* * * * * root true\n");
        machine.task("cron: { name: a, cron_file: own, state: absent }").expect("runs");
        assert!(machine.sys.query_file(path).expect("looks").is_none());
    }

    #[test]
    fn variables_stand_on_top_or_where_asked() {
        let mut machine = Machine::new(Overlay::empty());
        machine.task("cron: { name: PATH, env: true, job: /bin }").expect("runs");
        let ran = machine.task("cron: { name: MAILTO, env: true, job: root, insertafter: PATH }").expect("runs");
        assert_eq!(ran.output.values.get("envs"), Some(&Value::list(["PATH", "MAILTO"])));
        assert!(machine.refusal("cron: { name: X, env: true, job: a, insertbefore: NOPE }").contains("'NOPE' not found"));
    }

    #[test]
    fn two_times_are_refused() {
        let mut machine = Machine::new(Overlay::empty());
        assert!(machine.refusal("cron: { name: a, job: b, special_time: daily, hour: '1' }").starts_with("You cannot combine"));
        assert!(machine.refusal("cron: { name: a }").contains("You must specify 'job'"));
    }
}
