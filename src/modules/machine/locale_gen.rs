//! `community.general.locale_gen`: which locales are generated.

use std::path::Path;

use crate::base::Value;
use crate::modules::{Module, Output, choices, module_args};
use crate::system::{Command, Effect, Failure, Result, System, WriteFile};

pub struct LocaleGen;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Generates locales, or takes them away.
    pub struct LocaleGenArgs {
        /// Names of locales with their encoding, such as `de_CH.UTF-8`.
        name: Vec<String>,
        /// Whether they are to be there.
        state: State = State::Present,
    }
}

const LIST: &str = "/etc/locale.gen";
/// What the package `locales` can generate.
const SUPPORTED: &str = "/usr/share/i18n/SUPPORTED";
/// How a plan keeps what will have been generated.
const KIND: &str = "locale";

impl Module for LocaleGen {
    const NAME: &'static str = "community.general.locale_gen";
    type Args = LocaleGenArgs;

    fn run(args: LocaleGenArgs, sys: &mut System) -> Result<Output> {
        let output = Output::new().with("name", Value::list(args.name.clone())).with("mechanism", "glibc").with("ubuntu_mode", false);
        let list = match sys.query_file(Path::new(LIST))? {
            Some(_) => Some(sys.query_text(Path::new(LIST))?),
            None if sys.packages_are_planned() => None,
            None => return Err(Failure::new(format!("`{LIST}` is not there: install the package `locales`"))),
        };
        let wanted = args.state == State::Present;
        let supported = known_lines(list.as_deref(), sys)?;
        let is_known = |name: &&str| supported.iter().any(|line| is_of(line, name));
        let unknown: Vec<&str> = args.name.iter().map(String::as_str).filter(|name| !is_known(name)).collect();
        if list.is_some() && !unknown.is_empty() {
            let message = format!("The following locales you have entered are not available on your system: {}", unknown.join(", "));
            return Err(Failure::new(message).at("name"));
        }
        let mut differing = Vec::new();
        for name in &args.name {
            if is_generated(name, sys)? != wanted {
                differing.push(name.as_str());
            }
        }
        if differing.is_empty() {
            return Ok(output);
        }
        if let Some(list) = list {
            let edited = if wanted { with_lines(&list, &differing, &supported) } else { without_lines(&list, &differing) };
            sys.write_file(WriteFile::new(LIST, edited))?;
        }
        let record = |name: &&str| Effect::Record { kind: KIND, name: normal(name), value: wanted.then_some(Value::Bool(true)) };
        sys.mutate_all(Command::new("locale-gen"), differing.iter().map(record).collect())?;
        Ok(output)
    }
}

/// The lines, a locale and its encoding each, that can be generated: those of the package's list and those that the host's own has.
fn known_lines(list: Option<&str>, sys: &System) -> Result<Vec<String>> {
    let supported = match sys.query_file(Path::new(SUPPORTED))? {
        Some(_) => sys.query_text(Path::new(SUPPORTED))?,
        None => String::new(),
    };
    let lines = supported.lines().chain(list.unwrap_or_default().lines());
    Ok(lines.filter_map(entry).map(str::to_owned).collect())
}

/// A line that names a locale, whether it is commented out or not.
fn entry(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(['#', ' ', '\t']).trim_end();
    (line.split_whitespace().count() == 2).then_some(line)
}

fn is_of(line: &str, name: &str) -> bool {
    line.split_whitespace().next().is_some_and(|locale| normal(locale) == normal(name))
}

/// The list with a line for each of these, in the place where it stood commented out.
fn with_lines(list: &str, names: &[&str], supported: &[String]) -> String {
    let mut edited = String::new();
    let mut found: Vec<&str> = Vec::new();
    for line in list.split_inclusive('\n') {
        match entry(line).and_then(|entry| names.iter().find(|name| is_of(entry, name)).map(|name| (entry, name))) {
            Some((entry, name)) => {
                found.push(name);
                edited.push_str(&format!("{entry}\n"));
            }
            None => edited.push_str(line),
        }
    }
    if !edited.is_empty() && !edited.ends_with('\n') {
        edited.push('\n');
    }
    let missing = names.iter().filter(|name| !found.contains(name));
    for line in missing.filter_map(|name| supported.iter().find(|line| is_of(line, name))) {
        edited.push_str(&format!("{line}\n"));
    }
    edited
}

/// The list with the lines of these commented out.
fn without_lines(list: &str, names: &[&str]) -> String {
    let comment = |line: &str| {
        let is_active = !line.trim_start().starts_with('#');
        let is_one = entry(line).is_some_and(|entry| names.iter().any(|name| is_of(entry, name)));
        if is_active && is_one { format!("# {line}") } else { line.to_owned() }
    };
    list.split_inclusive('\n').map(comment).collect()
}

/// A name as libc compares it: `de_CH.UTF-8` is `de_CH.utf8`.
fn normal(name: &str) -> String {
    let (name, modifier) = name.split_once('@').map_or((name, None), |(name, modifier)| (name, Some(modifier)));
    let normal = match name.split_once('.') {
        Some((language, encoding)) => {
            let encoding: String = encoding.chars().filter(char::is_ascii_alphanumeric).collect();
            format!("{language}.{}", encoding.to_lowercase())
        }
        None => name.to_owned(),
    };
    modifier.map_or(normal.clone(), |modifier| format!("{normal}@{modifier}"))
}

fn is_generated(name: &str, sys: &System) -> Result<bool> {
    let name = normal(name);
    let found = sys.query_record(KIND, &name, || {
        let all = sys.query_command(Command::new("locale").arg("-a"))?.check("list locales")?.stdout_text();
        Ok(all.lines().any(|line| normal(line.trim()) == name).then_some(Value::Bool(true)))
    })?;
    Ok(found.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    const BEFORE: &str = "# This file lists locales.\n\n# de_CH ISO-8859-1\n# de_CH.UTF-8 UTF-8\nen_GB.UTF-8 UTF-8\n";

    fn machine() -> Machine {
        let overlay =
            Overlay::empty().with_file(LIST, BEFORE).with_file(SUPPORTED, "de_CH ISO-8859-1\nde_CH.UTF-8 UTF-8\nnl_NL@euro ISO-8859-15\n");
        Machine::new(overlay.with_record(KIND, "en_GB.utf8", true.into()))
    }

    fn list(machine: &Machine) -> String {
        machine.sys.query_text(Path::new(LIST)).expect("reads")
    }

    #[test]
    fn a_locale_is_uncommented_and_generated_and_commented_out_again() {
        let mut machine = machine();
        let ran = machine.task("community.general.locale_gen: { name: de_CH.UTF-8 }").expect("runs");
        assert_eq!(ran.effects.len(), 2);
        assert_eq!(ran.output.values.text("mechanism"), Some("glibc"));
        assert_eq!(list(&machine), BEFORE.replace("# de_CH.UTF-8", "de_CH.UTF-8"));
        machine.task("community.general.locale_gen: { name: de_CH.utf8, state: absent }").expect("runs");
        assert_eq!(list(&machine), BEFORE);
    }

    #[test]
    fn several_are_generated_at_once_and_one_that_is_not_listed_is_added() {
        let mut machine = machine();
        let ran = machine.task("community.general.locale_gen: { name: [nl_NL@euro, en_GB.UTF-8, de_CH] }").expect("runs");
        assert_eq!(ran.effects.len(), 3, "one line list, two locales");
        assert_eq!(list(&machine), format!("{}nl_NL@euro ISO-8859-15\n", BEFORE.replace("# de_CH ISO", "de_CH ISO")));
    }

    #[test]
    fn what_cannot_be_generated_is_refused() {
        assert!(
            machine()
                .refusal("community.general.locale_gen: { name: [xx_XX.UTF-8, de_CH.UTF-8] }")
                .ends_with("on your system: xx_XX.UTF-8")
        );
        let mut bare = Machine::new(Overlay::empty());
        assert!(bare.refusal("community.general.locale_gen: { name: de_CH.UTF-8 }").contains("install the package `locales`"));
        let mut planned = Machine::new(Overlay::empty().with_package("locales", "2"));
        planned.task("community.general.locale_gen: { name: de_CH.UTF-8 }").expect("the package is planned");
    }
}
