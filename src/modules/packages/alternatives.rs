//! `community.general.alternatives`: which of several programs a generic name leads to.

use std::path::PathBuf;

use crate::base::{Map, Value};
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Command, Diff, Effect, Failure, Result, System};

use super::alternatives_group::{Alternative, Group};

pub struct Alternatives;

choices! {
    pub enum State { Present = "present", Selected = "selected", Auto = "auto", Absent = "absent" }
}

module_args! {
    /// Manages the links of `update-alternatives`: what a generic name such as `editor` leads to.
    pub struct AlternativesArgs {
        /// The generic name.
        name: String,
        /// The program that the name is to lead to.
        path: Option<PathBuf>,
        /// A family of alternatives; only RHEL and its like have them.
        family: Option<String>,
        /// The link that leads to the program; needed where the name is not known yet.
        link: Option<PathBuf>,
        /// The alternative's priority: the highest is taken in auto mode. A new one has 50.
        priority: Option<i64>,
        /// `present`: it is there, `selected`: and the name leads to it, `auto`: and the name leads to the one of highest priority,
        /// `absent`: it is not there.
        state: State = State::Selected,
        /// Links that go along with it, each with `name`, `link` and `path`.
        subcommands | "slaves": Option<Vec<Map>>,
    }
    rules [Rule::OneOf(&["path", "family"])]
}

/// How a plan keeps a group, as `update-alternatives --query` would tell it.
const KIND: &str = "alternatives";

impl Module for Alternatives {
    const NAME: &'static str = "community.general.alternatives";
    type Args = AlternativesArgs;

    fn run(args: AlternativesArgs, sys: &mut System) -> Result<Output> {
        let (None, Some(path)) = (&args.family, &args.path) else {
            let message = "alternatives have no families on Debian: name the program with `path`";
            return Err(Failure::new(message).at("family"));
        };
        if args.name.starts_with('-') {
            return Err(Failure::new(format!("`{}` is not the name of an alternative", args.name)).at("name"));
        }
        let path = path.to_string_lossy().into_owned();
        let name = args.name.as_str();
        let before = query(name, sys)?;
        let mut done: Vec<String> = Vec::new();
        let mut after = before.clone();
        if args.state == State::Absent {
            if let Some(group) = before.clone().filter(|group| group.find(&path).is_some()) {
                after = change(name, &["--remove", name, &path], group.without(&path), sys)?;
                done.push(format!("Remove alternative '{path}' from '{name}'."));
            }
        } else {
            let group = install(&args, &path, before.clone(), sys)?;
            if before.as_ref() != Some(&group) {
                done.push(format!("Install alternative '{path}' for '{name}'."));
            }
            after = Some(group.clone());
            if args.state == State::Selected && group.value.as_deref() != Some(path.as_str()) {
                after = change(name, &["--set", name, &path], Some(group.selected(&path)), sys)?;
                done.push(format!("Set alternative '{path}' for '{name}'."));
            } else if args.state == State::Auto && !group.is_auto {
                after = change(name, &["--auto", name], Some(group.automatic()), sys)?;
                done.push(format!("Set alternative to auto for '{name}'."));
            }
        }
        if after != before {
            let told = |group: Option<Group>| group.map(|group| group.told()).unwrap_or_default();
            sys.add_diff(Diff::text(format!("alternatives of {name}"), told(before), told(after)));
        }
        Ok(Output::new().message(done.join(" ")))
    }
}

/// The group with the alternative as asked.
fn install(args: &AlternativesArgs, path: &str, group: Option<Group>, sys: &mut System) -> Result<Group> {
    let known = group.as_ref().and_then(|group| group.find(path));
    let link = args.link.as_ref().map(|link| link.to_string_lossy().into_owned());
    let subcommands = args.subcommands.as_deref().map(Subcommand::read_all).transpose()?;
    let is_as_asked = known.is_some_and(|known| {
        args.priority.is_none_or(|priority| priority == known.priority)
            && subcommands.as_ref().is_none_or(|all| group.as_ref().is_some_and(|group| Subcommand::of(group, known) == *all))
    });
    if let (Some(group), true) = (&group, is_as_asked) {
        return Ok(group.clone());
    }
    if sys.query_file(path.as_ref())?.is_none() && !sys.packages_are_planned() {
        return Err(Failure::new(format!("Specified path {path} does not exist")).at("path"));
    }
    let Some(link) = link.or_else(|| group.as_ref().map(|group| group.link.clone())) else {
        let message = "Needed to install the alternative, but unable to do so as we are missing the link";
        return Err(Failure::new(message).at("link"));
    };
    let priority = args.priority.or(known.map(|known| known.priority)).unwrap_or(50);
    let followers = match (subcommands, &group, known) {
        (Some(all), ..) => all,
        (None, Some(group), Some(known)) => Subcommand::of(group, known),
        (None, ..) => Vec::new(),
    };
    let mut command: Vec<String> = ["--install", &link, &args.name, path].map(str::to_owned).into();
    command.push(priority.to_string());
    for follower in &followers {
        command.extend(["--slave", &follower.link, &follower.name, &follower.path].map(str::to_owned));
    }
    let mut after = group.unwrap_or_else(|| Group::new(&args.name, &link));
    after.link = link;
    after.followers.extend(followers.iter().map(|follower| (follower.name.clone(), follower.link.clone())));
    let paths = followers.into_iter().map(|follower| (follower.name, follower.path)).collect();
    after.put(Alternative { path: path.to_owned(), priority, followers: paths });
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    change(&args.name, &command, Some(after.clone()), sys)?;
    Ok(after)
}

/// A link that goes along with an alternative.
#[derive(PartialEq)]
struct Subcommand {
    name: String,
    link: String,
    path: String,
}

impl Subcommand {
    fn read(given: &Map) -> Result<Subcommand> {
        let part = |name: &str| {
            let missing = || Failure::new(format!("missing required arguments: {name} found in subcommands")).at("subcommands");
            given.get(name).filter(|value| !value.is_null()).map(Value::to_text).ok_or_else(missing)
        };
        Ok(Subcommand { name: part("name")?, link: part("link")?, path: part("path")? })
    }

    /// Sorted by name, as `of` gives them.
    fn read_all(given: &[Map]) -> Result<Vec<Subcommand>> {
        let mut all: Vec<Subcommand> = given.iter().map(Subcommand::read).collect::<Result<_>>()?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Those that an alternative has.
    fn of(group: &Group, alternative: &Alternative) -> Vec<Subcommand> {
        let all = alternative.followers.iter().map(|(name, path)| Subcommand {
            name: name.clone(),
            link: group.followers.get(name).cloned().unwrap_or_default(),
            path: path.clone(),
        });
        all.collect()
    }
}

fn query(name: &str, sys: &System) -> Result<Option<Group>> {
    let told = sys.query_record(KIND, name, || {
        let told = sys.query_command(Command::new("update-alternatives").arg("--query").arg(name).env("LC_ALL", "C"))?;
        match told.ok() {
            true => Ok(Some(told.stdout_text().into())),
            false if told.stderr_text().contains("no alternatives for") => Ok(None),
            false => told.check("ask update-alternatives").map(|_| None),
        }
    })?;
    Ok(told.as_ref().and_then(Value::as_str).map(Group::read))
}

/// Changes a group, and gives it back as it is afterwards.
fn change(name: &str, arguments: &[&str], after: Option<Group>, sys: &mut System) -> Result<Option<Group>> {
    let value = after.as_ref().map(|group| group.told().into());
    let command = Command::new("update-alternatives").args(arguments.iter().copied());
    sys.mutate(command, Effect::Record { kind: KIND, name: name.to_owned(), value })?;
    Ok(after)
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    const EDITOR: &str = "Name: editor\nLink: /usr/bin/editor\nSlaves:\n editor.1.gz /usr/share/man/man1/editor.1.gz\nStatus: auto\n\
                          Best: /bin/nano\nValue: /bin/nano\n\nAlternative: /bin/nano\nPriority: 40\nSlaves:\n editor.1.gz /usr/share/man/man1/nano.1.gz\n";

    fn machine() -> Machine {
        let overlay = ["/bin/nano", "/usr/bin/vim.tiny"].iter().fold(Overlay::empty(), |overlay, program| overlay.with_file(program, ""));
        Machine::new(overlay.with_record(super::KIND, "editor", EDITOR.into()))
    }

    fn changes(machine: &mut Machine, options: &str) -> usize {
        machine.task(&format!("community.general.alternatives: {{ {options} }}")).expect("runs").effects.len()
    }

    fn group(machine: &Machine) -> Option<super::Group> {
        super::query("editor", &machine.sys).expect("is told")
    }

    #[test]
    fn an_alternative_is_installed_selected_given_back_to_auto_and_removed() {
        let mut machine = machine();
        let vim = "name: editor, path: /usr/bin/vim.tiny";
        assert_eq!(changes(&mut machine, "name: editor, path: /bin/nano"), 0);
        assert_eq!(changes(&mut machine, &format!("{vim}, priority: 15, state: present")), 1);
        assert_eq!(group(&machine).and_then(|group| group.value).as_deref(), Some("/bin/nano"));
        assert_eq!(changes(&mut machine, vim), 1);
        let chosen = group(&machine).expect("is there");
        assert_eq!((chosen.value.as_deref(), chosen.is_auto), (Some("/usr/bin/vim.tiny"), false));
        assert_eq!(changes(&mut machine, &format!("{vim}, state: auto")), 1);
        assert_eq!(group(&machine).and_then(|group| group.value).as_deref(), Some("/bin/nano"));
        assert_eq!(changes(&mut machine, &format!("{vim}, priority: 99, state: auto")), 1);
        assert_eq!(group(&machine).and_then(|group| group.value).as_deref(), Some("/usr/bin/vim.tiny"));
        assert_eq!(changes(&mut machine, &format!("{vim}, state: absent")), 1);
        assert_eq!(changes(&mut machine, "name: editor, path: /bin/nano, state: absent"), 1);
        assert_eq!(group(&machine), None);
    }

    #[test]
    fn a_new_name_needs_a_link_and_brings_its_subcommands() {
        let mut machine = machine();
        assert!(machine.refusal("community.general.alternatives: { name: pager, path: /bin/nano }").contains("we are missing the link"));
        let own = "name: pager, path: /bin/nano, link: /usr/bin/pager";
        let manual = "subcommands: [{name: pager.1.gz, link: /usr/share/man/man1/pager.1.gz, path: /usr/share/man/man1/nano.1.gz}]";
        assert_eq!(changes(&mut machine, own), 1);
        assert_eq!(changes(&mut machine, &format!("{own}, {manual}")), 1);
        assert_eq!(changes(&mut machine, own), 0);
        assert_eq!(changes(&mut machine, &format!("{own}, slaves: []")), 1);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut machine = machine();
        let refused = [
            ("name: editor, path: /bin/none", "Specified path /bin/none does not exist"),
            ("name: java, family: java-11", "no families on Debian"),
            ("name: editor", "one of the following is required: path, family"),
            ("name: editor, path: /bin/nano, subcommands: [{name: x, link: /x}]", "missing required arguments: path"),
        ];
        for (options, expected) in refused {
            let said = machine.refusal(&format!("community.general.alternatives: {{ {options} }}"));
            assert!(said.contains(expected), "{said}");
        }
    }
}
