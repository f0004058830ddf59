//! `ansible.builtin.group`: a local group exists, with the gid asked for, or does not exist.

use crate::modules::{Module, Output, choices, module_args};
use crate::system::{self, Command, Effect, Failure, Result, System};

pub struct Group;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

module_args! {
    /// Makes a local group exist with the gid asked for, or not exist.
    pub struct GroupArgs {
        /// Name of the group.
        name: String,
        /// Group id to give it.
        gid: Option<u32>,
        /// Whether it should exist.
        state: State = State::Present,
        /// Take the gid from the range for system groups.
        system: bool = false,
        /// Use `lgroupadd` and its like even where groups come from elsewhere.
        local: bool = false,
        /// Allow a gid that another group has.
        non_unique: bool = false,
        /// Remove the group even when it is a user's primary group.
        force: bool = false,
        /// Lowest gid to choose from.
        gid_min: Option<u32>,
        /// Highest gid to choose from.
        gid_max: Option<u32>,
    }
}

impl Module for Group {
    const NAME: &'static str = "ansible.builtin.group";
    type Args = GroupArgs;

    fn run(args: GroupArgs, sys: &mut System) -> Result<Output> {
        let found = sys.query_group(&args.name)?;
        let holder = match args.gid {
            Some(gid) => sys.query_group_by_id(gid)?,
            None => None,
        };
        if let Some((command, effect)) = decide(&args, found.as_ref(), holder.as_ref())? {
            sys.mutate(command, effect)?;
        }
        let now = sys.query_group(&args.name)?;
        let output = Output::new().with("name", args.name).with("state", args.state.as_str()).with("system", args.system);
        Ok(match now {
            Some(group) => output.with("gid", group.gid),
            None => output,
        })
    }
}

fn decide(args: &GroupArgs, found: Option<&system::Group>, holder: Option<&system::Group>) -> Result<Option<(Command, Effect)>> {
    let effect = |state| Effect::Group { name: args.name.clone(), state };
    match (args.state, found) {
        (State::Absent, None) => Ok(None),
        (State::Absent, Some(_)) => {
            let force = args.force.then_some("-f");
            Ok(Some((Command::new(tool(args, "groupdel")).args(force).arg("--").arg(&args.name), effect(None))))
        }
        (State::Present, Some(group)) if args.gid.is_none_or(|gid| gid == group.gid) => Ok(None),
        (State::Present, found) => {
            if let Some(other) = holder.filter(|other| other.name != args.name && !args.non_unique) {
                let message = format!("gid `{}` already belongs to group `{}`", other.gid, other.name);
                return Err(Failure::new(message).at("gid"));
            }
            let program = if found.is_some() { "groupmod" } else { "groupadd" };
            let gid = args.gid.map(|gid| ["-g".to_owned(), gid.to_string()]).into_iter().flatten();
            let mut command = Command::new(tool(args, program)).args(gid).args(args.non_unique.then_some("-o"));
            if found.is_none() {
                command = command.args((args.system).then_some("-r"));
                for (key, bound) in [("GID_MIN", args.gid_min), ("GID_MAX", args.gid_max)] {
                    command = command.args(bound.map(|bound| ["-K".to_owned(), format!("{key}={bound}")]).into_iter().flatten());
                }
            }
            let members = found.map(|group| group.members.clone()).unwrap_or_default();
            // Without a gid asked for, the tool chooses one: the overlay then knows the group but not its number.
            let gid = args.gid.or(found.map(|group| group.gid)).unwrap_or(UNKNOWN_GID);
            let state = system::Group { name: args.name.clone(), gid, members };
            Ok(Some((command.arg("--").arg(&args.name), effect(Some(state)))))
        }
    }
}

/// What the overlay says of a gid that the tool would choose: the kernel's own "no such id".
const UNKNOWN_GID: u32 = u32::MAX - 1;

fn tool(args: &GroupArgs, name: &str) -> String {
    if args.local { format!("l{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::{Effect, Group, Overlay};

    #[test]
    fn a_wrong_gid_is_corrected_without_recreating_the_group() {
        let mut machine = Machine::new(Overlay::empty().with_group("web", 1001));
        let ran = machine.task("group: { name: web, gid: 2000 }").expect("runs");
        let web = Group { name: "web".into(), gid: 2000, members: Vec::new() };
        assert_eq!(ran.effects, [Effect::Group { name: "web".into(), state: Some(web) }]);
    }

    #[test]
    fn a_taken_gid_is_refused_before_groupadd_runs() {
        let mut machine = Machine::new(Overlay::empty().with_group("www", 2000));
        assert_eq!(machine.refusal("group: { name: web, gid: 2000 }"), "gid `2000` already belongs to group `www`");
    }

    #[test]
    fn a_group_that_is_not_wanted_goes() {
        let mut machine = Machine::new(Overlay::empty().with_group("web", 1001));
        let ran = machine.task("group: { name: web, state: absent }").expect("runs");
        assert_eq!(ran.effects, [Effect::Group { name: "web".into(), state: None }]);
    }
}
