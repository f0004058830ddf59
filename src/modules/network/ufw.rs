//! `community.general.ufw`: rules, policies and logging of the firewall ufw, and whether it runs.

use std::path::Path;

use crate::base::Value;
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Command, Completed, Effect, Failure, Result, System};

use super::ufw_rule::{Direction, UfwRule, Verdict};

pub struct Ufw;

choices! {
    pub enum State { Disabled = "disabled", Enabled = "enabled", Reloaded = "reloaded", Reset = "reset" }
}

choices! {
    pub enum Policy { Allow = "allow", Deny = "deny", Reject = "reject" }
}

choices! {
    pub enum Logging { On = "on", Off = "off", Low = "low", Medium = "medium", High = "high", Full = "full" }
}

choices! {
    pub enum Place {
        FirstIpv4 = "first-ipv4",
        FirstIpv6 = "first-ipv6",
        LastIpv4 = "last-ipv4",
        LastIpv6 = "last-ipv6",
        Zero = "zero",
    }
}

module_args! {
    /// Manages the firewall ufw. What is asked for in one task is done in an order that locks nobody out: the firewall is enabled last.
    pub struct UfwArgs {
        /// `enabled`: it runs, now and after a restart, `disabled`: it does not, `reloaded`: it is loaded anew, `reset`: it is disabled and
        /// has no rules.
        state: Option<State>,
        /// What becomes of packets that no rule decides.
        default | "policy": Option<Policy>,
        /// What is logged.
        logging: Option<Logging>,
        /// Take the rule away.
        delete: bool = false,
        /// The place of a new rule, counted from 1.
        insert: Option<i64>,
        /// What the place is counted from.
        insert_relative_to: Place = Place::Zero,
    }
    flatten { rule: UfwRule }
    rules [Rule::OneOf(&["state", "default", "rule", "logging"])]
}

/// How a plan keeps what ufw will have been told.
const KIND: &str = "ufw";
/// What a plan keeps when all rules will have been taken away.
const RESET: &str = "reset";

impl Module for Ufw {
    const NAME: &'static str = "community.general.ufw";
    type Args = UfwArgs;

    fn run(args: UfwArgs, sys: &mut System) -> Result<Output> {
        args.rule.check()?;
        let mut told = Told { commands: Vec::new() };
        match args.state {
            Some(State::Reset) => {
                let effects = vec![record(RESET, Some(true.into())), record("enabled", None)];
                told.tell(&["--force", "reset"], effects, sys)?;
            }
            Some(State::Disabled) if is_enabled(sys)? => told.tell(&["--force", "disable"], vec![record("enabled", None)], sys)?,
            _ => {}
        }
        if let Some(policy) = args.default {
            set_policy(policy, args.rule.direction, &mut told, sys)?;
        }
        if let Some(logging) = args.logging {
            set_logging(logging, &mut told, sys)?;
        }
        if let Some(verdict) = args.rule.rule {
            set_rule(&args, verdict, &mut told, sys)?;
        }
        match args.state {
            Some(State::Enabled) if !is_enabled(sys)? => {
                told.tell(&["--force", "enable"], vec![record("enabled", Some(true.into()))], sys)?;
            }
            Some(State::Reloaded) => told.tell(&["--force", "reload"], vec![record("reloaded", Some(true.into()))], sys)?,
            _ => {}
        }
        let output = Output::new().with("commands", Value::list(told.commands));
        let status = sys.refresh(ufw().args(["status", "verbose"]), KIND, "asked", true.into())?;
        Ok(match status.now() {
            Some(status) => output.message(status.stdout_text().trim()),
            None => output,
        })
    }
}

fn ufw() -> Command {
    Command::new("ufw").env("LC_ALL", "C")
}

fn record(name: &str, value: Option<Value>) -> Effect {
    Effect::Record { kind: KIND, name: name.to_owned(), value }
}

/// What ufw was told, or in check mode would have been.
struct Told {
    commands: Vec<String>,
}

impl Told {
    fn tell(&mut self, words: &[&str], effects: Vec<Effect>, sys: &mut System) -> Result<()> {
        self.commands.push(format!("ufw {}", words.join(" ")));
        sys.mutate_all(ufw().args(words.iter().copied()), effects).map(drop)
    }
}

/// What ufw answers; `None` when its package is only planned.
fn ask(words: &[&str], sys: &System) -> Result<Option<Completed>> {
    match sys.query_command(ufw().args(words.iter().copied())) {
        Err(_) if sys.packages_are_planned() => Ok(None),
        answered => {
            let answered = answered?;
            match answered.ok() {
                true => Ok(Some(answered)),
                false => Err(Failure::new(answered.stderr_text().trim()).with("rc", answered.rc).at("rule")),
            }
        }
    }
}

fn is_enabled(sys: &System) -> Result<bool> {
    let known = sys.query_record(KIND, "enabled", || {
        let status = ask(&["status"], sys)?;
        Ok(status.filter(|status| status.stdout_text().starts_with("Status: active")).map(|_| Value::Bool(true)))
    })?;
    Ok(known.is_some())
}

/// A setting of one of ufw's files, without its quotes.
fn setting(file: &str, name: &str, sys: &System) -> Result<Option<String>> {
    if sys.query_file(Path::new(file))?.is_none() {
        return Ok(None);
    }
    let text = sys.query_text(Path::new(file))?;
    let found = text.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
    Ok(found.map(|value| value.trim_matches(['"', '\'', ' ']).to_lowercase()))
}

fn set_policy(policy: Policy, direction: Option<Direction>, told: &mut Told, sys: &mut System) -> Result<()> {
    let (direction, name) = match direction {
        None | Some(Direction::Incoming) => ("incoming", "DEFAULT_INPUT_POLICY"),
        Some(Direction::Outgoing) => ("outgoing", "DEFAULT_OUTPUT_POLICY"),
        Some(Direction::Routed) => ("routed", "DEFAULT_FORWARD_POLICY"),
        Some(_) => {
            let message =
                "For default, direction must be one of \"outgoing\", \"incoming\" and \"routed\", or direction must not be specified.";
            return Err(Failure::new(message).at("direction"));
        }
    };
    let key = format!("default {direction}");
    let known = sys.query_record(KIND, &key, || {
        let target = setting("/etc/default/ufw", name, sys)?;
        let policy = target.map(|target| match target.as_str() {
            "accept" => "allow",
            "drop" => "deny",
            _ => "reject",
        });
        Ok(policy.map(Value::from))
    })?;
    if known.as_ref().and_then(Value::as_str) == Some(policy.as_str()) {
        return Ok(());
    }
    told.tell(&["default", policy.as_str(), direction], vec![record(&key, Some(policy.into()))], sys)
}

fn set_logging(logging: Logging, told: &mut Told, sys: &mut System) -> Result<()> {
    let known = sys.query_record(KIND, "logging", || Ok(setting("/etc/ufw/ufw.conf", "LOGLEVEL", sys)?.map(Value::from)))?;
    let level = known.as_ref().and_then(Value::as_str).unwrap_or("off");
    let is_so = if logging == Logging::On { level != "off" } else { level == logging.as_str() };
    if is_so {
        return Ok(());
    }
    let after = if logging == Logging::On { "low" } else { logging.as_str() };
    told.tell(&["logging", logging.as_str()], vec![record("logging", Some(after.into()))], sys)
}

fn set_rule(args: &UfwArgs, verdict: Verdict, told: &mut Told, sys: &mut System) -> Result<()> {
    let words = args.rule.words(verdict);
    let route = args.rule.route.then_some("route");
    let mut command: Vec<String> = route.into_iter().map(str::to_owned).collect();
    if args.delete {
        command.push("delete".to_owned());
    } else if let Some(place) = place(args, sys)? {
        command.extend(["insert".to_owned(), place.to_string()]);
    }
    command.extend(words.iter().cloned());
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let key = format!("{}rule {}", route.map_or("", |_| "route "), words.join(" "));
    let is_reset = sys.query_record(KIND, RESET, || Ok(None))?.is_some();
    let known = sys.query_record(KIND, &key, || match is_reset {
        true => Ok(None),
        false => Ok((would_change(&command, sys)? == args.delete).then_some(Value::Bool(true))),
    })?;
    if known.is_some() != args.delete {
        return Ok(());
    }
    told.tell(&command, vec![record(&key, (!args.delete).then_some(true.into()))], sys)
}

/// Where the rules of a family of addresses are kept.
const RULES: [&str; 2] = ["/etc/ufw/user.rules", "/etc/ufw/user6.rules"];

/// The lines that say rules in ufw's own words.
fn tuples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("### tuple ###")).collect()
}

fn kept(file: &str, sys: &System) -> Result<String> {
    match sys.query_file(Path::new(file))? {
        Some(_) => sys.query_text(Path::new(file)),
        None => Ok(String::new()),
    }
}

/// Whether ufw, asked what a command would do, shows other rules than there are.
fn would_change(command: &[&str], sys: &System) -> Result<bool> {
    let words: Vec<&str> = std::iter::once("--dry-run").chain(command.iter().copied()).collect();
    let Some(shown) = ask(&words, sys)? else { return Ok(!command.contains(&"delete")) };
    let shown = shown.stdout_text();
    // It shows the whole of each file that it would write.
    for part in shown.split("*filter\n").skip(1) {
        let file = if part.starts_with(":ufw6-") { RULES[1] } else { RULES[0] };
        if tuples(part) != tuples(&kept(file, sys)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The number that a new rule is to get; none when it comes after all others anyway.
fn place(args: &UfwArgs, sys: &System) -> Result<Option<i64>> {
    let Some(insert) = args.insert else { return Ok(None) };
    let count = |file: &str| Ok(tuples(&kept(file, sys)?).len() as i64);
    let (four, six) = (count(RULES[0])?, count(RULES[1])?);
    let start = match args.insert_relative_to {
        Place::Zero => return Ok(Some(insert)),
        Place::FirstIpv4 => 1,
        Place::LastIpv4 => four.max(1),
        Place::FirstIpv6 => four + 1,
        Place::LastIpv6 => four + six.max(1),
    };
    Ok(Some(start + insert).filter(|place| *place <= four + six))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    fn machine() -> Machine {
        let overlay = Overlay::empty()
            .with_file("/etc/default/ufw", "IPV6=yes\nDEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_OUTPUT_POLICY=\"ACCEPT\"\n")
            .with_file("/etc/ufw/ufw.conf", "ENABLED=no\nLOGLEVEL=low\n");
        Machine::new(overlay)
    }

    fn commands(machine: &mut Machine, options: &str) -> Vec<String> {
        let ran = machine.task(&format!("community.general.ufw: {{ {options} }}")).expect("runs");
        let commands = ran.output.values.get("commands").and_then(Value::as_list).unwrap_or_default();
        assert_eq!(commands.is_empty(), ran.effects.is_empty());
        commands.iter().map(Value::to_text).collect()
    }

    #[test]
    fn a_firewall_is_enabled_last_and_each_thing_is_told_once() {
        let mut machine = machine();
        assert_eq!(
            commands(&mut machine, "state: enabled, policy: deny, logging: medium, rule: limit, port: ssh, proto: tcp, comment: hello you"),
            [
                "ufw default deny incoming",
                "ufw logging medium",
                "ufw limit from any to any port ssh proto tcp comment hello you",
                "ufw --force enable"
            ]
        );
        assert_eq!(commands(&mut machine, "logging: on"), Vec::<String>::new());
        assert_eq!(commands(&mut machine, "default: reject, direction: outgoing"), ["ufw default reject outgoing"]);
        assert_eq!(commands(&mut machine, "state: disabled"), ["ufw --force disable"]);
    }

    #[test]
    fn rules_are_said_in_the_words_of_ufw_and_taken_away_by_them() {
        let mut machine = machine();
        for (options, expected) in [
            (
                "rule: allow, interface: eth0, direction: in, proto: udp, src: 1.2.3.5, from_port: 5469, dest: 1.2.3.4, to_port: 5469, log: true",
                "ufw allow in on eth0 log from 1.2.3.5 port 5469 to 1.2.3.4 port 5469 proto udp",
            ),
            ("rule: deny, route: true, src: 192.0.2.0/24", "ufw route deny from 192.0.2.0/24 to any"),
            ("rule: allow, route: true, if_in: eth0, if_out: eth1", "ufw route allow in on eth0 out on eth1 from any to any"),
            ("rule: allow, app: OpenSSH", "ufw allow from any to any app OpenSSH"),
            ("rule: allow, port: 80, insert: 1", "ufw insert 1 allow from any to any port 80"),
            ("rule: allow, port: 80, delete: true", "ufw delete allow from any to any port 80"),
        ] {
            assert_eq!(commands(&mut machine, options), [expected]);
        }
        let reset = machine.task_once("community.general.ufw: { state: reset }").expect("runs");
        assert_eq!(reset.effects.len(), 2);
    }

    #[test]
    fn ufw_is_asked_what_it_would_change() {
        let rules = "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n";
        let shown = |rules: &str| Completed {
            stdout: format!("*filter\n:ufw-user-input - [0:0]\n{rules}COMMIT\n").into_bytes(),
            ..Completed::default()
        };
        let answers = move |command: &Command| match command.argv_text().join(" ") {
            asked if asked.ends_with("port 22") => Some(shown(rules)),
            asked if asked.ends_with("port 23") => Some(shown("")),
            asked if asked.ends_with("port 24") => {
                Some(Completed { stdout: b"Skipping adding existing rule\n".to_vec(), ..Completed::default() })
            }
            _ => Some(Completed { rc: 1, stderr: b"ERROR: Wrong number of arguments\n".to_vec(), ..Completed::default() }),
        };
        let sys = System::dry(Overlay::empty().with_file(RULES[0], rules).answer(answers));
        let change = |port: &str| would_change(&["allow", "to", "any", "port", port], &sys);
        assert!(!change("22").expect("is asked") && change("23").expect("is asked") && !change("24").expect("is asked"));
        assert_eq!(change("bad").expect_err("is refused").message, "ERROR: Wrong number of arguments");
    }

    #[test]
    fn a_place_is_counted_from_the_rules_of_a_family() {
        let tuple = "### tuple ### allow tcp 22\n";
        let sys = System::dry(Overlay::empty().with_file(RULES[0], &tuple.repeat(3)).with_file(RULES[1], &tuple.repeat(2)));
        let place_of = |insert: i64, relative: &str| {
            let given = [("rule", Value::from("deny")), ("insert", insert.into()), ("insert_relative_to", relative.into())];
            let args = <UfwArgs as crate::modules::ModuleArgs>::parse(given.into_iter().collect(), "ufw").expect("parses");
            place(&args, &sys).expect("counts")
        };
        let places = [(2, "zero"), (0, "first-ipv4"), (-1, "last-ipv4"), (0, "first-ipv6"), (0, "last-ipv6"), (1, "last-ipv6")];
        assert_eq!(places.map(|(insert, relative)| place_of(insert, relative)), [Some(2), Some(1), Some(2), Some(4), Some(5), None]);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let mut machine = machine();
        for (options, expected) in [
            ("port: 3", "one of the following is required: state, default, rule, logging"),
            ("rule: allow, interface: eth0", "required by 'interface': direction"),
            ("rule: allow, direction: in, interface_in: eth0", "mutually exclusive: direction|interface_in"),
            ("rule: allow, interface_in: eth0, interface_out: eth1", "Only route rules"),
            ("default: allow, direction: out", "For default, direction must be one of"),
        ] {
            let said = machine.refusal(&format!("community.general.ufw: {{ {options} }}"));
            assert!(said.contains(expected), "{said}");
        }
    }
}
