//! What the command modules have in common: when not to run, and the shape of the result.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Zoned};

use crate::base::Value;
use crate::modules::Output;
use crate::system::{Command, Completed, Failure, Known, Result, System};

/// A command of the user's own and the conditions on it.
pub struct Run {
    pub command: Command,
    /// The command as the result shows it: text for a shell, a list otherwise.
    pub shown: Value,
    pub chdir: Option<PathBuf>,
    pub creates: Option<PathBuf>,
    pub removes: Option<PathBuf>,
    pub strip_empty_ends: bool,
}

impl Run {
    /// Runs it unless `creates` or `removes` says that it was run before; a non-zero exit is a failure that carries the whole result.
    pub fn run(mut self, sys: &mut System) -> Result<Output> {
        if let Some(chdir) = &self.chdir {
            self.command.working_directory = Some(require_folder(sys, chdir)?);
        }
        let folder = self.command.working_directory.clone();
        if let Some(reason) = done_before(sys, folder.as_deref(), self.creates.as_deref(), self.removes.as_deref())? {
            return Ok(self.not_run(sys, &reason));
        }
        let start = Zoned::now();
        let shown = self.shown.clone();
        let failed = |failure: Failure| failure.with("cmd", shown).with("stdout", "").with("stderr", "").context("Error executing command");
        let known = sys.execute(self.command).map_err(failed)?;
        let Known::Now(completed) = known else {
            let output = self_result(self.shown, Value::Int(0), "", "").with("start", Value::Null).with("end", Value::Null);
            let output = output.with("delta", Value::Null).message("Command would have run if not in check mode");
            // With a condition that does not hold yet it is known that the command would run.
            return Ok(if self.creates.is_none() && self.removes.is_none() { output.skipped() } else { output });
        };
        finish(self_result(self.shown, completed.rc.into(), "", ""), &completed, &start, self.strip_empty_ends)
    }

    fn not_run(self, sys: &System, reason: &str) -> Output {
        let did = if sys.backend().is_dry() { "Would" } else { "Did" };
        let output = self_result(self.shown, Value::Int(0), &format!("skipped, since {reason}"), "");
        let quoted = match reason.split_once(' ') {
            Some((path, rest)) => format!("'{path}' {rest}"),
            None => reason.to_owned(),
        };
        let output = output.with("start", Value::Null).with("end", Value::Null).with("delta", Value::Null);
        output.message(format!("{did} not run command since {quoted}"))
    }
}

fn self_result(shown: Value, rc: Value, stdout: &str, stderr: &str) -> Output {
    Output::new().with("cmd", shown).with("rc", rc).with("stdout", stdout).with("stderr", stderr).with("msg", "")
}

/// Adds what the program left to a result; a non-zero exit makes it a failure.
pub fn finish(mut output: Output, completed: &Completed, start: &Zoned, strip: bool) -> Result<Output> {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if strip { text.trim_end_matches(['\r', '\n']).to_owned() } else { text }
    };
    let elapsed = SignedDuration::try_from(completed.duration).unwrap_or_default();
    let end = start.checked_add(elapsed).unwrap_or_else(|_| start.clone());
    output = output
        .with("rc", completed.rc)
        .with("stdout", text(&completed.stdout))
        .with("stderr", text(&completed.stderr))
        .with("start", start.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string())
        .with("end", end.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string())
        .with("delta", delta(completed.duration));
    if completed.ok() {
        return Ok(output);
    }
    Err(failed(&output))
}

/// A result whose exit status is not zero, as a failure.
pub fn failed(output: &Output) -> Failure {
    let mut failure = Failure::new("non-zero return code");
    failure.values.extend(&output.values);
    failure.values.remove("msg");
    failure.with("changed", true)
}

/// A duration as Python prints a `timedelta`.
pub fn delta(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{}:{:02}:{:02}.{:06}", rest / 3600, rest / 60 % 60, rest % 60, duration.subsec_micros());
    match days {
        0 => clock,
        1 => format!("1 day, {clock}"),
        days => format!("{days} days, {clock}"),
    }
}

/// The folder to run in, which must be there.
pub fn require_folder(sys: &System, chdir: &Path) -> Result<PathBuf> {
    let folder = sys.absolute(chdir);
    match sys.query_file(&folder)? {
        Some(found) if found.is_directory() => Ok(folder),
        // What an earlier task of the same plan would have unpacked there is not known.
        None if sys.backend().is_dry() => Ok(folder),
        _ => {
            Err(Failure::new(format!("Unable to change directory before execution: there is no folder `{}`", folder.display())).at("chdir"))
        }
    }
}

/// Why a command need not run: `PATH exists` or `PATH does not exist`.
pub fn done_before(sys: &System, folder: Option<&Path>, creates: Option<&Path>, removes: Option<&Path>) -> Result<Option<String>> {
    let there = |path: &Path| -> Result<bool> {
        let path = folder.map_or_else(|| path.to_owned(), |folder| folder.join(path));
        Ok(!sys.query_glob(&path)?.is_empty())
    };
    if let Some(path) = creates
        && there(path)?
    {
        return Ok(Some(format!("{} exists", path.display())));
    }
    match removes {
        Some(path) if !there(path)? => Ok(Some(format!("{} does not exist", path.display()))),
        _ => Ok(None),
    }
}

/// What goes to the program's standard input.
pub fn input(stdin: Option<String>, add_newline: bool) -> Option<Vec<u8>> {
    let mut text = stdin?;
    if add_newline {
        text.push('\n');
    }
    Some(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn a_duration_is_printed_as_python_does() {
        assert_eq!(super::delta(Duration::from_micros(2345)), "0:00:00.002345");
        assert_eq!(super::delta(Duration::from_secs(90_061)), "1 day, 1:01:01.000000");
    }
}
