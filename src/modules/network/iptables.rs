//! `ansible.builtin.iptables`: a rule, a chain or a policy of the kernel's packet filter, until the next boot.

use crate::base::Value;
use crate::modules::module_args;
use crate::modules::{Module, Output, Rule, choices};
use crate::system::{Command, Effect, Failure, Result, System};

use super::iptables_rule::{RuleOptions, rule_words};

pub struct Iptables;

choices! {
    pub enum State { Present = "present", Absent = "absent" }
}

choices! {
    pub enum Action { Append = "append", Insert = "insert" }
}

choices! {
    pub enum Table { Filter = "filter", Nat = "nat", Mangle = "mangle", Raw = "raw", Security = "security" }
}

choices! {
    pub enum IpVersion { V4 = "ipv4", V6 = "ipv6", Both = "both" }
}

choices! {
    pub enum Policy { Accept = "ACCEPT", Drop = "DROP", Queue = "QUEUE", Return = "RETURN" }
}

module_args! {
    /// Adds a rule to a chain or removes it, makes a chain or removes it, sets a chain's policy, or empties chains.
    pub struct IptablesArgs {
        /// The table.
        table: Table = Table::Filter,
        /// Whether the rule or chain is to be there.
        state: State = State::Present,
        /// Where in the chain a new rule goes.
        action: Action = Action::Append,
        /// Which addresses the rule is for.
        ip_version: IpVersion = IpVersion::V4,
        /// The chain.
        chain: Option<String>,
        /// The place of a rule that is inserted.
        rule_num: Option<String>,
        /// Seconds to wait for the lock on the tables.
        wait: Option<String>,
        /// Remove all rules of the chain, or of all chains.
        flush: bool = false,
        /// What becomes of packets that no rule decides.
        policy: Option<Policy>,
        /// Without a rule, make or remove the chain itself.
        chain_management: bool = false,
        /// Do not look up names.
        numeric: bool = false,
    }
    flatten { rule: RuleOptions }
    rules [
        Rule::Exclusive(&["set_dscp_mark", "set_dscp_mark_class"]),
        Rule::Exclusive(&["flush", "policy"]),
        Rule::RequiredIf("jump", "TEE", &["gateway"]),
        Rule::RequiredIf("jump", "tee", &["gateway"]),
    ]
}

impl Module for Iptables {
    const NAME: &'static str = "ansible.builtin.iptables";
    type Args = IptablesArgs;

    fn run(mut args: IptablesArgs, sys: &mut System) -> Result<Output> {
        if args.chain.is_none() && !args.flush {
            return Err(Failure::new("flush is False but all of the following are missing: chain").at("chain"));
        }
        if args.rule.log_prefix.is_some() || args.rule.log_level.is_some() {
            match args.rule.jump.as_deref() {
                None => args.rule.jump = Some("LOG".into()),
                Some("LOG") => {}
                Some(_) => return Err(Failure::new("Logging options can only be used with the LOG jump target.").at("jump")),
            }
        }
        let versions: &[bool] = match args.ip_version {
            IpVersion::V4 => &[false],
            IpVersion::V6 => &[true],
            IpVersion::Both => &[false, true],
        };
        let words = rule_words(&args.rule, args.ip_version == IpVersion::V6)?;
        for v6 in versions {
            let words = rule_words(&args.rule, *v6)?;
            Filter { args: &args, program: if *v6 { "ip6tables" } else { "iptables" }, words }.settle(sys)?;
        }
        Ok(Output::new()
            .with("ip_version", args.ip_version.as_str())
            .with("table", args.table.as_str())
            .with("chain", args.chain)
            .with("flush", args.flush)
            .with("rule", words.join(" "))
            .with("state", args.state.as_str())
            .with("chain_management", args.chain_management)
            .with("wait", args.wait))
    }
}

struct Filter<'a> {
    args: &'a IptablesArgs,
    program: &'static str,
    words: Vec<String>,
}

impl Filter<'_> {
    fn settle(&self, sys: &mut System) -> Result<()> {
        let args = self.args;
        if args.flush {
            let name = self.record("flush", &[]);
            return self.change(self.command("-F"), name, None, sys);
        }
        if let Some(policy) = args.policy {
            let name = self.record("policy", &[]);
            let known = sys.query_record("iptables", &name, || self.policy(sys))?;
            return match known.as_ref().and_then(Value::as_str) == Some(policy.as_str()) {
                true => Ok(()),
                false => self.change(self.command("-P").arg(policy.as_str()), name, Some(policy.as_str().into()), sys),
            };
        }
        let present = args.state == State::Present;
        if self.words.is_empty() {
            let name = self.record("chain", &[]);
            let there = self.is_there(&name, self.numbered(self.command("-L")), sys)?;
            if there == present || !args.chain_management {
                return Ok(());
            }
            let flag = if present { "-N" } else { "-X" };
            return self.change(self.command(flag), name, present.then_some(true.into()), sys);
        }
        let name = self.record("rule", &self.words);
        let there = self.is_there(&name, self.command("-C").args(&self.words), sys)?;
        if there == present {
            return Ok(());
        }
        let flag = match (present, args.action) {
            (false, _) => "-D",
            (true, Action::Append) => "-A",
            (true, Action::Insert) => "-I",
        };
        self.change(self.command(flag).args(&self.words), name, present.then_some(true.into()), sys)
    }

    fn record(&self, what: &str, words: &[String]) -> String {
        let chain = self.args.chain.as_deref().unwrap_or_default();
        format!("{} {} {chain} {what} {}", self.program, self.args.table.as_str(), words.join(" ")).trim_end().to_owned()
    }

    fn command(&self, flag: &str) -> Command {
        let mut command = Command::new(self.program).args(["-t", self.args.table.as_str(), flag]).args(self.args.chain.as_deref());
        if flag == "-I" {
            command = command.args(self.args.rule_num.as_deref());
        }
        match self.args.wait.as_deref() {
            Some(seconds) => command.args(["-w", seconds]),
            None => command,
        }
    }

    fn numbered(&self, command: Command) -> Command {
        if self.args.numeric { command.arg("--numeric") } else { command }
    }

    fn is_there(&self, name: &str, look: Command, sys: &System) -> Result<bool> {
        let found = sys.query_record("iptables", name, || {
            match sys.query_command(look) {
                // The program may come with a package that is only planned; then there are no rules yet.
                Err(_) if sys.packages_are_planned() => Ok(None),
                completed => Ok(completed?.ok().then_some(Value::Bool(true))),
            }
        })?;
        Ok(found.is_some())
    }

    fn policy(&self, sys: &System) -> Result<Option<Value>> {
        let shown = sys.query_command(self.numbered(self.command("-L")))?.check("read the chain's policy")?.stdout_text();
        let policy = shown.lines().next().and_then(|line| line.split_once("(policy ")).map(|(_, rest)| rest);
        let policy = policy.map(|rest| rest.chars().take_while(char::is_ascii_uppercase).collect::<String>());
        policy.map_or_else(|| Err(Failure::new("Can't detect current policy")), |policy| Ok(Some(policy.into())))
    }

    fn change(&self, command: Command, name: String, value: Option<Value>, sys: &mut System) -> Result<()> {
        sys.mutate(command, Effect::Record { kind: "iptables", name, value }).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_rule_is_added_once_and_removed_again() {
        let mut machine = Machine::new(Overlay::empty());
        let rule = "chain: INPUT, protocol: tcp, destination_port: '22', ctstate: [NEW], jump: ACCEPT, comment: ssh";
        let ran = machine.task(&format!("iptables: {{ {rule} }}")).expect("runs");
        let expected = "-p tcp -j ACCEPT --destination-port 22 -m conntrack --ctstate NEW -m comment --comment ssh";
        assert_eq!(ran.output.values.text("rule"), Some(expected));
        assert_eq!(ran.effects.len(), 1);
        assert_eq!(machine.task(&format!("iptables: {{ {rule}, state: absent }}")).expect("runs").effects.len(), 1);
    }

    #[test]
    fn both_kinds_of_addresses_get_the_rule() {
        let mut machine = Machine::new(Overlay::empty());
        let ran = machine.task("iptables: { chain: INPUT, ip_version: both, in_interface: lo, jump: ACCEPT }").expect("runs");
        assert_eq!(ran.effects.len(), 2);
    }

    #[test]
    fn a_chain_is_made_only_when_asked() {
        let mut machine = Machine::new(Overlay::empty());
        assert!(machine.task("iptables: { chain: WEB }").expect("runs").effects.is_empty());
        assert_eq!(machine.task("iptables: { chain: WEB, chain_management: true }").expect("runs").effects.len(), 1);
    }

    #[test]
    fn a_rule_needs_its_chain_and_a_log_its_jump() {
        let mut machine = Machine::new(Overlay::empty());
        assert!(machine.refusal("iptables: { jump: DROP }").contains("missing: chain"));
        let message = machine.refusal("iptables: { chain: INPUT, log_prefix: x, jump: DROP }");
        assert_eq!(message, "Logging options can only be used with the LOG jump target.");
    }
}
