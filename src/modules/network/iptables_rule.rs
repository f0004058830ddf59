//! A rule's options, and the words of `iptables` that they are.

use crate::base::{Map, Value};
use crate::modules::{choices, module_args};
use crate::system::{Failure, Result};

choices! {
    pub enum Syn { Ignore = "ignore", Match = "match", Negate = "negate" }
}

choices! {
    pub enum SetFlags {
        Src = "src",
        Dst = "dst",
        SrcDst = "src,dst",
        DstSrc = "dst,src",
        SrcSrc = "src,src",
        DstDst = "dst,dst",
    }
}

module_args! {
    /// What a rule looks at and what it does.
    pub struct RuleOptions {
        /// Protocol; `!` before it means any other, here and below.
        protocol: Option<String>,
        /// Source address or network.
        source: Option<String>,
        /// New source (SNAT).
        to_source: Option<String>,
        /// Destination address or network.
        destination: Option<String>,
        /// New destination (DNAT).
        to_destination: Option<String>,
        /// Extensions to load.
        r#match: Vec<String> = Vec::<String>::new(),
        /// `flags` to look at and `flags_set` that must be set.
        tcp_flags: Option<Map>,
        /// What to do with the packet.
        jump: Option<String>,
        /// Where TEE sends the copy.
        gateway: Option<String>,
        /// Prefix of log lines.
        log_prefix: Option<String>,
        /// Level of log lines.
        log_level: Option<String>,
        /// Chain to go on in.
        goto: Option<String>,
        /// Interface the packet came in by.
        in_interface: Option<String>,
        /// Interface the packet goes out by.
        out_interface: Option<String>,
        /// Only fragments after the first.
        fragment: Option<String>,
        /// Packet and byte counters to begin with.
        set_counters: Option<String>,
        /// Source port or range.
        source_port: Option<String>,
        /// Destination port or range.
        destination_port: Option<String>,
        /// Several destination ports.
        destination_ports: Vec<String> = Vec::<String>::new(),
        /// New ports (REDIRECT, MASQUERADE).
        to_ports: Option<String>,
        /// DSCP mark to set.
        set_dscp_mark: Option<String>,
        /// DSCP class to set.
        set_dscp_mark_class: Option<String>,
        /// Comment of the rule.
        comment: Option<String>,
        /// States of the connection.
        ctstate: Vec<String> = Vec::<String>::new(),
        /// Range of source addresses.
        src_range: Option<String>,
        /// Range of destination addresses.
        dst_range: Option<String>,
        /// Name of an ipset.
        match_set: Option<String>,
        /// Which addresses are looked up in the set.
        match_set_flags: Option<SetFlags>,
        /// Matches per time.
        limit: Option<String>,
        /// Matches at once.
        limit_burst: Option<String>,
        /// User of the sending program.
        uid_owner: Option<String>,
        /// Group of the sending program.
        gid_owner: Option<String>,
        /// Answer of REJECT.
        reject_with: Option<String>,
        /// Kind of ICMP packet.
        icmp_type: Option<String>,
        /// First packets of a TCP connection.
        syn: Syn = Syn::Ignore,
    }
}

/// The words, in the order that the reference has them.
pub fn rule_words(rule: &RuleOptions, v6: bool) -> Result<Vec<String>> {
    if (rule.set_dscp_mark.is_some() || rule.set_dscp_mark_class.is_some()) && rule.jump.is_none() {
        return Err(Failure::new("missing parameter(s) required by 'set_dscp_mark': jump").at("jump"));
    }
    let mut words = Words::default();
    words.option("-p", &rule.protocol);
    words.option("-s", &rule.source);
    words.option("-d", &rule.destination);
    rule.r#match.iter().for_each(|name| words.option("-m", &Some(name.clone())));
    words.tcp_flags(rule.tcp_flags.as_ref());
    words.option("-j", &rule.jump);
    if rule.jump.as_deref().is_some_and(|jump| jump.eq_ignore_ascii_case("tee")) {
        words.option("--gateway", &rule.gateway);
    }
    words.option("--log-prefix", &rule.log_prefix);
    words.option("--log-level", &rule.log_level);
    words.option("--to-destination", &rule.to_destination);
    if !rule.destination_ports.is_empty() {
        words.all(&["-m", "multiport"]);
        words.list("--dports", &rule.destination_ports);
    }
    words.option("--to-source", &rule.to_source);
    words.option("-g", &rule.goto);
    words.option("-i", &rule.in_interface);
    words.option("-o", &rule.out_interface);
    words.option("-f", &rule.fragment);
    words.option("-c", &rule.set_counters);
    words.option("--source-port", &rule.source_port);
    words.option("--destination-port", &rule.destination_port);
    words.option("--to-ports", &rule.to_ports);
    words.dscp("--set-dscp", &rule.set_dscp_mark, rule);
    words.dscp("--set-dscp-class", &rule.set_dscp_mark_class, rule);
    match rule.syn {
        Syn::Match => words.all(&["--syn"]),
        Syn::Negate => words.all(&["!", "--syn"]),
        Syn::Ignore => {}
    }
    words.matches(rule);
    words.owners(rule);
    if rule.jump.is_none() && rule.reject_with.is_some() {
        words.all(&["-j", "REJECT"]);
    }
    words.option("--reject-with", &rule.reject_with);
    words.option(if v6 { "--icmpv6-type" } else { "--icmp-type" }, &rule.icmp_type);
    if rule.comment.as_ref().is_some_and(|comment| !comment.is_empty()) {
        words.all(&["-m", "comment"]);
    }
    words.option("--comment", &rule.comment);
    Ok(words.0)
}

#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn all(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(|word| (*word).to_owned()));
    }

    /// A flag with its value; a `!` before the value goes before the flag.
    fn option(&mut self, flag: &str, value: &Option<String>) {
        let Some(value) = value.as_deref().filter(|value| !value.is_empty()) else { return };
        match value.strip_prefix('!') {
            Some(rest) => self.all(&["!", flag, rest.trim_start()]),
            None => self.all(&[flag, value]),
        }
    }

    fn list(&mut self, flag: &str, values: &[String]) {
        if !values.is_empty() {
            self.all(&[flag, &values.join(",")]);
        }
    }

    fn tcp_flags(&mut self, given: Option<&Map>) {
        let named = |key: &str| -> Option<String> {
            let value = given?.get(key)?;
            Some(value.as_list().map_or_else(|| value.to_text(), |items| items.iter().map(Value::to_text).collect::<Vec<_>>().join(",")))
        };
        if let (Some(flags), Some(set)) = (named("flags"), named("flags_set")) {
            self.all(&["--tcp-flags", &flags, &set]);
        }
    }

    fn dscp(&mut self, flag: &str, value: &Option<String>, rule: &RuleOptions) {
        self.option(flag, value);
        if value.is_some() && !rule.jump.as_deref().is_some_and(|jump| jump.eq_ignore_ascii_case("dscp")) {
            self.all(&["-j", "DSCP"]);
        }
    }

    fn matches(&mut self, rule: &RuleOptions) {
        let loaded = |name: &str| rule.r#match.iter().any(|known| known == name);
        match (loaded("conntrack"), loaded("state"), rule.ctstate.is_empty()) {
            (true, _, _) => self.list("--ctstate", &rule.ctstate),
            (_, true, _) => self.list("--state", &rule.ctstate),
            (_, _, false) => {
                self.all(&["-m", "conntrack"]);
                self.list("--ctstate", &rule.ctstate);
            }
            _ => {}
        }
        if !loaded("iprange") && (rule.src_range.is_some() || rule.dst_range.is_some()) {
            self.all(&["-m", "iprange"]);
        }
        self.option("--src-range", &rule.src_range);
        self.option("--dst-range", &rule.dst_range);
        if let Some(set) = &rule.match_set {
            if !loaded("set") {
                self.all(&["-m", "set"]);
            }
            self.option("--match-set", &Some(set.clone()));
            if let Some(flags) = rule.match_set_flags {
                self.all(&[flags.as_str()]);
            }
        }
        if rule.limit.is_some() || rule.limit_burst.is_some() {
            self.all(&["-m", "limit"]);
        }
        self.option("--limit", &rule.limit);
        self.option("--limit-burst", &rule.limit_burst);
    }

    fn owners(&mut self, rule: &RuleOptions) {
        for (flag, owner) in [("--uid-owner", &rule.uid_owner), ("--gid-owner", &rule.gid_owner)] {
            if owner.is_some() {
                self.all(&["-m", "owner"]);
                self.option(flag, owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::ModuleArgs;

    fn words(options: &[(&str, Value)]) -> String {
        let given = options.iter().cloned().collect();
        rule_words(&RuleOptions::parse(given, "iptables").expect("reads"), false).expect("is a rule").join(" ")
    }

    #[test]
    fn a_negation_goes_before_its_flag() {
        assert_eq!(words(&[("source", "!10.0.0.0/8".into()), ("jump", "DROP".into())]), "! -s 10.0.0.0/8 -j DROP");
    }

    #[test]
    fn extensions_are_loaded_where_options_need_them() {
        let ports = Value::list(["80", "443"]);
        assert_eq!(words(&[("destination_ports", ports), ("limit", "2/s".into())]), "-m multiport --dports 80,443 -m limit --limit 2/s");
        assert_eq!(words(&[("match", Value::list(["state"])), ("ctstate", Value::list(["NEW"]))]), "-m state --state NEW");
    }

    #[test]
    fn a_refusal_is_a_rejection_by_default() {
        assert_eq!(words(&[("reject_with", "tcp-reset".into())]), "-j REJECT --reject-with tcp-reset");
    }
}
