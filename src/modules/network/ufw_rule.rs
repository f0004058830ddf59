//! A rule of ufw as options of a task, and as ufw's own words.

use crate::modules::{choices, module_args};
use crate::system::{Failure, Result};

choices! {
    pub enum Verdict { Allow = "allow", Deny = "deny", Limit = "limit", Reject = "reject" }
}

choices! {
    pub enum Direction { In = "in", Incoming = "incoming", Out = "out", Outgoing = "outgoing", Routed = "routed" }
}

choices! {
    pub enum Protocol {
        Any = "any", Tcp = "tcp", Udp = "udp", Ipv6 = "ipv6", Esp = "esp", Ah = "ah", Gre = "gre", Igmp = "igmp", Vrrp = "vrrp",
    }
}

module_args! {
    /// What a rule of ufw is about.
    pub struct UfwRule {
        /// What becomes of the packets.
        rule: Option<Verdict>,
        /// Which way packets go; for `default` one of `incoming`, `outgoing` and `routed`.
        direction: Option<Direction>,
        /// The rule is for packets that are passed on.
        route: bool = false,
        /// Log new connections.
        log: bool = false,
        /// The interface; `direction` says which way.
        interface | "if": Option<String>,
        /// The interface that packets come in by.
        interface_in | "if_in": Option<String>,
        /// The interface that packets go out by.
        interface_out | "if_out": Option<String>,
        /// Where packets come from.
        from_ip | "from" | "src": String = "any",
        /// The port they come from.
        from_port: Option<String>,
        /// Where packets go.
        to_ip | "dest" | "to": String = "any",
        /// The port they go to.
        to_port | "port": Option<String>,
        /// Their protocol.
        proto | "protocol": Option<Protocol>,
        /// An application's profile of `/etc/ufw/applications.d`, in place of ports.
        name | "app": Option<String>,
        /// A comment on the rule.
        comment: Option<String>,
    }
}

impl UfwRule {
    /// Refuses what contradicts itself.
    pub fn check(&self) -> Result<()> {
        if self.interface.is_some() && self.direction.is_none() {
            return Err(Failure::new("missing parameter(s) required by 'interface': direction").at("direction"));
        }
        for (name, given) in [("interface_in", &self.interface_in), ("interface_out", &self.interface_out)] {
            let other = [("direction", self.direction.is_some()), ("interface", self.interface.is_some())];
            if let (Some(_), Some((other, _))) = (given, other.iter().find(|(_, given)| *given)) {
                return Err(Failure::new(format!("parameters are mutually exclusive: {other}|{name}")).at(name));
            }
        }
        if self.interface_in.is_some() && self.interface_out.is_some() && !self.route {
            return Err(Failure::new("Only route rules can combine interface_in and interface_out").at("interface_out"));
        }
        Ok(())
    }

    /// The words of the rule, without what is to become of it.
    pub fn words(&self, verdict: Verdict) -> Vec<String> {
        let way = self.direction.map(|direction| match direction {
            Direction::In | Direction::Incoming => "in",
            Direction::Out | Direction::Outgoing => "out",
            Direction::Routed => "routed",
        });
        let mut words = vec![verdict.as_str()];
        match way {
            Some(way) => words.extend(through(way, self.interface.as_ref()).unwrap_or_else(|| vec![way])),
            None => {
                let interfaces = [through("in", self.interface_in.as_ref()), through("out", self.interface_out.as_ref())];
                words.extend(interfaces.into_iter().flatten().flatten());
            }
        }
        words.extend(self.log.then_some("log"));
        let named = [
            ("from", Some(self.from_ip.as_str())),
            ("port", self.from_port.as_deref()),
            ("to", Some(self.to_ip.as_str())),
            ("port", self.to_port.as_deref()),
            ("proto", self.proto.map(Protocol::as_str)),
            ("app", self.name.as_deref()),
            ("comment", self.comment.as_deref()),
        ];
        words.extend(named.into_iter().filter_map(|(name, value)| Some([name, value?])).flatten());
        words.into_iter().map(str::to_owned).collect()
    }
}

fn through<'a>(way: &'a str, interface: Option<&'a String>) -> Option<Vec<&'a str>> {
    interface.map(|interface| vec![way, "on", interface.as_str()])
}
