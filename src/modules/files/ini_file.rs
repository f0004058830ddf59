//! `community.general.ini_file`: an option in a section of an INI file has a value, or is not there.

use std::path::PathBuf;

use crate::base::{Map, Value};
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Failure, Result, System};

use super::attributes::{FileAttributes, followed, with_path_info};
use super::edit::{self, Writing};
use super::ini_lines::{Edit, Spacing, sections};

pub struct IniFile;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Sets or removes options and sections of an INI file; everything else stays as it is.
    pub struct IniFileArgs {
        /// The file.
        path | "dest": PathBuf,
        /// The section; without one, options before the first section.
        section: Option<String>,
        /// Options and values that tell sections of the same name apart.
        section_has_values: Option<Vec<Map>>,
        /// The option; without one the section itself.
        option: Option<String>,
        /// The value.
        value: Option<String>,
        /// Several values of an option that stands several times.
        values: Vec<String> = Vec::<String>::new(),
        /// Keep the old file under a dated name.
        backup: bool = false,
        /// Whether it is to be there.
        state: State = State::Present,
        /// Remove other occurrences of the option.
        exclusive: bool = true,
        /// Write `a=b` in place of `a = b`.
        no_extra_spaces: bool = false,
        /// Leave lines alone that differ in white space only.
        ignore_spaces: bool = false,
        /// Make the file when it does not exist.
        create: bool = true,
        /// Allow an option without a value.
        allow_no_value: bool = false,
        /// Take over a line that is commented out.
        modify_inactive_option: bool = true,
        /// Follow a link at the path.
        follow: bool = false,
    }
    flatten { file: FileAttributes }
    rules [Rule::Exclusive(&["value", "values"])]
}

impl Module for IniFile {
    const NAME: &'static str = "community.general.ini_file";
    type Args = IniFileArgs;

    fn run(mut args: IniFileArgs, sys: &mut System) -> Result<Output> {
        args.path = followed(sys, &args.path, args.follow)?;
        let shown = args.path.to_string_lossy().into_owned();
        let has_value = args.value.is_some() || !args.values.is_empty();
        if args.state == State::Present && args.option.is_some() && !has_value && !args.allow_no_value {
            let message = "Parameter 'value(s)' must be defined if state=present and allow_no_value=False";
            return Err(Failure::new(message).at("value"));
        }
        let exists = edit::exists(&args.path, sys)?;
        if !exists && !args.create {
            return Err(Failure::new(format!("Destination {shown} does not exist!")).with("rc", 257).at("path"));
        }
        let old = if exists { edit::read(&args.path, sys)? } else { String::new() };
        let (new, message) = decide(&args, &old)?;
        let writing = Writing { path: &args.path, file: &args.file, backup: args.backup, validate: None };
        let written = (new != old).then_some(new.as_str());
        let outcome = match (exists, written) {
            (false, None) => return Ok(Output::new().with("path", shown).message(message)),
            (_, written) => writing.finish(written, "", sys)?,
        };
        let output = Output::new().with("path", shown).message(message);
        let output = match outcome.backup_file {
            Some(backup) => output.with("backup_file", backup.to_string_lossy().into_owned()),
            None => output,
        };
        with_path_info(output, &args.path, sys)
    }
}

/// Every value asked for, once each.
fn values(args: &IniFileArgs) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for value in args.value.iter().chain(&args.values) {
        if !all.contains(value) {
            all.push(value.clone());
        }
    }
    all
}

fn decide(args: &IniFileArgs, old: &str) -> Result<(String, &'static str)> {
    let text = old.strip_prefix('\u{feff}').unwrap_or(old);
    let mut lines: Vec<String> = text.split_inclusive('\n').map(Into::into).collect();
    if let Some(last) = lines.last_mut()
        && !last.ends_with('\n')
    {
        last.push('\n');
    }
    let values = values(args);
    let conditions = conditions(args)?;
    let found = sections(&lines, args.section.as_deref())
        .into_iter()
        .find(|range| conditions.iter().all(|(option, wanted)| Edit::reader(option).holds(&lines[range.clone()], wanted)));
    let edit = args.option.as_deref().map(|option| Edit {
        option,
        spacing: if args.no_extra_spaces { Spacing::Tight } else { Spacing::Wide },
        ignore_spaces: args.ignore_spaces,
        allow_no_value: args.allow_no_value,
        revive: args.modify_inactive_option,
        exclusive: args.exclusive,
    });
    let message = match (args.state, found, edit) {
        (State::Present, Some(range), Some(edit)) => {
            let (inside, message) = edit.set(lines[range.clone()].to_vec(), values);
            lines.splice(range, inside);
            message
        }
        (State::Present, Some(_), None) => "OK",
        (State::Present, None, edit) => {
            lines.extend(args.section.as_ref().map(|section| format!("[{section}]\n")));
            for (option, wanted) in &conditions {
                lines.extend(wanted.iter().map(|value| format!("{option} = {value}\n")));
            }
            let added = edit.as_ref().map(|edit| edit.lines(&values)).unwrap_or_default();
            let message = if added.is_empty() { "only section added" } else { "section and option added" };
            lines.extend(added);
            message
        }
        (State::Absent, Some(range), Some(edit)) => {
            let inside = edit.unset(lines[range.clone()].to_vec(), &values);
            let changed = inside.len() != range.len();
            lines.splice(range, inside);
            if changed { "option changed" } else { "OK" }
        }
        (State::Absent, Some(range), None) if !range.is_empty() => {
            lines.drain(range);
            "section removed"
        }
        (State::Absent, _, _) => "OK",
    };
    let new = lines.concat();
    // What only lacks its last line break is left as it is.
    Ok(if message == "OK" { (old.to_owned(), message) } else { (new, message) })
}

fn conditions(args: &IniFileArgs) -> Result<Vec<(String, Vec<String>)>> {
    let all = args.section_has_values.iter().flatten().map(|condition| {
        let Some(option) = condition.get("option").map(Value::to_text) else {
            return Err(Failure::new("each of section_has_values needs an `option`").at("section_has_values"));
        };
        let listed = condition.get("values").and_then(Value::as_list).unwrap_or_default();
        let wanted = condition.get("value").into_iter().chain(listed).filter(|value| !value.is_null()).map(Value::to_text).collect();
        Ok((option, wanted))
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;
    use std::path::Path;

    fn edited(before: &str, options: &str) -> String {
        let mut machine = Machine::new(Overlay::empty().with_file("/f", before));
        machine.task(&format!("community.general.ini_file: {{ path: /f, {options} }}")).expect("runs");
        machine.sys.query_text(Path::new("/f")).expect("reads")
    }

    #[test]
    fn an_option_is_set_in_its_section_alone() {
        let before = "[a]\nx = 1\n\n[b]\nx = 1\n";
        assert_eq!(edited(before, "section: b, option: x, value: '2'"), "[a]\nx = 1\n\n[b]\nx = 2\n");
        assert_eq!(edited(before, "section: a, option: 'y', value: '2'"), "[a]\nx = 1\ny = 2\n\n[b]\nx = 1\n");
    }

    #[test]
    fn a_missing_section_is_added_with_its_option() {
        assert_eq!(edited("[a]\nx=1\n", "section: b, option: 'y', value: z, no_extra_spaces: true"), "[a]\nx=1\n[b]\ny=z\n");
        assert_eq!(edited("", "section: b, option: 'y', value: z"), "[b]\ny = z\n");
    }

    #[test]
    fn a_line_that_is_commented_out_is_taken_over_unless_told_otherwise() {
        assert_eq!(edited("[a]\n#x = 1\n", "section: a, option: x, value: '2'"), "[a]\nx = 2\n");
        let kept = edited("[a]\n#x = 1\ny = 1\n", "section: a, option: x, value: '2', modify_inactive_option: false");
        assert_eq!(kept, "[a]\n#x = 1\ny = 1\nx = 2\n");
    }

    #[test]
    fn several_values_stand_in_several_lines() {
        assert_eq!(edited("[a]\nx = 1\nx = 9\n", "section: a, option: x, values: ['1', '2']"), "[a]\nx = 1\nx = 2\n");
        assert_eq!(edited("[a]\nx = 1\n", "section: a, option: x, values: ['2'], exclusive: false"), "[a]\nx = 1\nx = 2\n");
    }

    #[test]
    fn options_and_sections_are_removed() {
        assert_eq!(edited("[a]\nx = 1\ny = 2\n", "section: a, option: x, state: absent"), "[a]\ny = 2\n");
        assert_eq!(edited("[a]\nx = 1\n[b]\ny = 2\n", "section: a, state: absent"), "[b]\ny = 2\n");
    }

    #[test]
    fn an_option_may_stand_before_all_sections_and_without_a_value() {
        assert_eq!(edited("x = 1\n[a]\n", "option: x, value: '2'"), "x = 2\n[a]\n");
        assert_eq!(
            edited("[mysqld]\nport = 1\n", "section: mysqld, option: skip-name, allow_no_value: true"),
            "[mysqld]\nport = 1\nskip-name\n"
        );
    }

    #[test]
    fn a_value_is_required_unless_none_is_allowed() {
        let mut machine = Machine::new(Overlay::empty());
        let message = machine.refusal("community.general.ini_file: { path: /f, section: a, option: x }");
        assert!(message.starts_with("Parameter 'value(s)' must be defined"), "{message}");
    }
}
