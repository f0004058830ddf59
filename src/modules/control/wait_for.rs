//! `ansible.builtin.wait_for`: a port opens or closes, a file comes or goes, a text appears, connections end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::base::{Map, Value};
use crate::modules::{Module, Output, Rule, choices, module_args};
use crate::system::{Failure, Result, System};

pub struct WaitFor;

choices! {
    pub enum State { Started = "started", Stopped = "stopped", Present = "present", Absent = "absent", Drained = "drained" }
}

module_args! {
    /// Waits until a port, a file or a text is as asked, or for a time.
    pub struct WaitForArgs {
        /// Host of the port.
        host: String = "127.0.0.1",
        /// Seconds to wait at most.
        timeout: u64 = 300u64,
        /// Seconds that one try to connect may take.
        connect_timeout: u64 = 5u64,
        /// Seconds to wait before the first look.
        delay: u64 = 0u64,
        /// The port.
        port: Option<u32>,
        /// Connection states that count as active, for `drained`.
        active_connection_states: Vec<String> = ["ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "SYN_RECV", "SYN_SENT", "TIME_WAIT"].map(str::to_owned).to_vec(),
        /// The file.
        path: Option<PathBuf>,
        /// A pattern to be found in the file, or in what the port says.
        search_regex: Option<String>,
        /// What to wait for.
        state: State = State::Started,
        /// Addresses whose connections do not count, for `drained`.
        exclude_hosts: Vec<String> = Vec::<String>::new(),
        /// Seconds between two looks.
        sleep: u64 = 1u64,
        /// What to say when the time is up.
        msg: Option<String>,
    }
    rules [Rule::Exclusive(&["port", "path"])]
}

impl Module for WaitFor {
    const NAME: &'static str = "ansible.builtin.wait_for";
    type Args = WaitForArgs;

    fn run(args: WaitForArgs, sys: &mut System) -> Result<Output> {
        refuse(&args)?;
        if !sys.can_wait() {
            return Ok(Output::new().message("there is nothing to wait for in check mode").skipped());
        }
        let pattern = args.search_regex.as_deref().map(compile).transpose()?;
        let start = Instant::now();
        sys.pause(Duration::from_secs(args.delay));
        let end = start + Duration::from_secs(args.timeout.max(args.delay));
        let mut found: Option<(Value, Value)> = None;
        if args.port.is_none() && args.path.is_none() {
            // Nothing to look at: a wait for the time itself, after the delay.
            sys.pause(Duration::from_secs(args.timeout));
        }
        loop {
            if is_so(&args, pattern.as_ref(), end, sys, &mut found)? {
                break;
            }
            if Instant::now() >= end {
                return Err(Failure::new(timeout_message(&args)).with("elapsed", start.elapsed().as_secs()));
            }
            sys.pause(Duration::from_secs(args.sleep).min(end.saturating_duration_since(Instant::now())));
        }
        let (groups, names) = found.unwrap_or_else(|| (Value::list(Vec::<Value>::new()), Map::new().into()));
        Ok(Output::new()
            .with("state", args.state)
            .with("port", args.port)
            .with("search_regex", args.search_regex.clone())
            .with("match_groups", groups)
            .with("match_groupdict", names)
            .with("path", args.path.as_ref().map(|path| path.to_string_lossy().into_owned()))
            .with("elapsed", start.elapsed().as_secs()))
    }
}

fn refuse(args: &WaitForArgs) -> Result<()> {
    if args.path.is_some() && args.state == State::Stopped {
        return Err(Failure::new("state=stopped should only be used for checking a port in the wait_for module")
            .at("state")
            .with("elapsed", 0));
    }
    if args.path.is_some() && args.state == State::Drained {
        return Err(Failure::new("state=drained should only be used for checking a port in the wait_for module")
            .at("state")
            .with("elapsed", 0));
    }
    if !args.exclude_hosts.is_empty() && args.state != State::Drained {
        return Err(Failure::new("exclude_hosts should only be with state=drained").at("exclude_hosts").with("elapsed", 0));
    }
    let known = STATES.map(|(_, name)| name);
    if let Some(unknown) = args.active_connection_states.iter().find(|name| !known.contains(&name.as_str())) {
        let message = format!("unknown active_connection_state ({unknown}) in list of active_connection_states");
        return Err(Failure::new(message).at("active_connection_states").with("elapsed", 0));
    }
    Ok(())
}

fn compile(pattern: &str) -> Result<fancy_regex::Regex> {
    // Python's `$` and `^` at every line, as the module asks for.
    fancy_regex::Regex::new(&format!("(?m){pattern}"))
        .map_err(|error| Failure::new(format!("`{pattern}` is no regular expression: {error}")).at("search_regex"))
}

type Found = Option<(Value, Value)>;

fn is_so(args: &WaitForArgs, pattern: Option<&fancy_regex::Regex>, end: Instant, sys: &System, found: &mut Found) -> Result<bool> {
    let wait = Duration::from_secs(args.connect_timeout);
    let port = args.port.and_then(|port| u16::try_from(port).ok());
    match (args.state, &args.path, port) {
        (State::Absent | State::Stopped, Some(path), _) => Ok(sys.query_link(path)?.is_none() && sys.query_file(path)?.is_none()),
        (State::Absent | State::Stopped, None, Some(port)) => Ok(!sys.query_port(&args.host, port, wait)?),
        (State::Started | State::Present, Some(path), _) => file_is_so(path, pattern, sys, found),
        (State::Started | State::Present, None, Some(port)) => match pattern {
            None => sys.query_port(&args.host, port, wait),
            Some(pattern) => sys.read_port(&args.host, port, wait, end, |text| {
                *found = captured(pattern, &String::from_utf8_lossy(text));
                found.is_some()
            }),
        },
        (State::Drained, _, Some(port)) => Ok(active_connections(args, port, sys) == 0),
        _ => Ok(true),
    }
}

fn file_is_so(path: &Path, pattern: Option<&fancy_regex::Regex>, sys: &System, found: &mut Found) -> Result<bool> {
    if sys.query_file(path)?.is_none() {
        return Ok(false);
    }
    let Some(pattern) = pattern else { return Ok(true) };
    // A file that is being replaced may be away for a moment.
    let Ok(text) = sys.query_text(path) else { return Ok(false) };
    *found = captured(pattern, &text);
    Ok(found.is_some())
}

/// The groups of the first match: in order, and by name.
fn captured(pattern: &fancy_regex::Regex, text: &str) -> Found {
    let captures = pattern.captures(text).ok().flatten()?;
    let group = |index: usize| captures.get(index).map_or(Value::Null, |found| found.as_str().into());
    let groups = Value::list((1..captures.len()).map(group));
    let names = pattern.capture_names().enumerate().filter_map(|(index, name)| Some((name?, group(index))));
    Some((groups, Value::map(names)))
}

/// The kernel's numbers for the states of a connection.
const STATES: [(&str, &str); 11] = [
    ("01", "ESTABLISHED"),
    ("02", "SYN_SENT"),
    ("03", "SYN_RECV"),
    ("04", "FIN_WAIT1"),
    ("05", "FIN_WAIT2"),
    ("06", "TIME_WAIT"),
    ("07", "CLOSE"),
    ("08", "CLOSE_WAIT"),
    ("09", "LAST_ACK"),
    ("0A", "LISTEN"),
    ("0B", "CLOSING"),
];

fn active_connections(args: &WaitForArgs, port: u16, sys: &System) -> usize {
    let is_active = |number: &str| {
        let name = STATES.iter().find(|(known, _)| *known == number).map(|(_, name)| *name);
        name.is_some_and(|name| args.active_connection_states.iter().any(|active| active == name))
    };
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| sys.query_text(Path::new(path)).unwrap_or_default());
    let excluded: Vec<String> = args.exclude_hosts.iter().filter_map(|host| kernel_address(host)).collect();
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    let active = lines.filter(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, state, ..] = fields.as_slice() else { return false };
        let here = local.rsplit_once(':').and_then(|(_, number)| u16::from_str_radix(number, 16).ok()) == Some(port);
        let address = remote.rsplit_once(':').map_or("", |(address, _)| address);
        here && is_active(state) && !excluded.iter().any(|known| address.ends_with(known.as_str()))
    });
    active.count()
}

/// An IPv4 address as the kernel writes it in its tables.
fn kernel_address(host: &str) -> Option<String> {
    let address: std::net::Ipv4Addr = host.parse().ok()?;
    Some(format!("{:08X}", u32::from_le_bytes(address.octets())))
}

fn timeout_message(args: &WaitForArgs) -> String {
    if let Some(message) = &args.msg {
        return message.clone();
    }
    let place = match (&args.path, args.port) {
        (Some(path), _) => path.to_string_lossy().into_owned(),
        (None, port) => format!("{}:{}", args.host, port.unwrap_or_default()),
    };
    match (args.state, &args.path, &args.search_regex) {
        (State::Absent | State::Stopped, Some(_), _) => format!("Timeout when waiting for {place} to be absent."),
        (State::Absent | State::Stopped, None, _) => format!("Timeout when waiting for {place} to stop."),
        (State::Drained, _, _) => format!("Timeout when waiting for {place} to drain"),
        (_, _, Some(pattern)) => format!("Timeout when waiting for search string {pattern} in {place}"),
        (_, Some(_), None) => format!("Timeout when waiting for file {place}"),
        (_, None, None) => format!("Timeout when waiting for {place}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::modules::find;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    fn really(yaml: &str) -> Result<Output> {
        let arguments: Map = serde_saphyr::from_str(yaml).expect("yaml");
        (find("wait_for").expect("is there").run)(arguments, &mut System::local())
    }

    #[test]
    fn an_open_port_is_found_and_what_it_says_is_searched() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
        let port = listener.local_addr().expect("has one").port();
        let server = std::thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                stream.expect("connects").write_all(b"220 mail.example.org ready\r\n").expect("writes");
            }
        });
        really(&format!("{{ port: {port}, timeout: 5 }}")).expect("is open");
        let found = really(&format!("{{ port: {port}, timeout: 5, search_regex: '220 (?P<name>\\S+)' }}")).expect("is found").values;
        assert_eq!(found.get("match_groupdict").map(Value::to_repr).as_deref(), Some("{'name': 'mail.example.org'}"));
        server.join().expect("ends");
        let failure = really(&format!("{{ port: {port}, timeout: 1, msg: too late }}")).expect_err("is closed");
        assert_eq!(failure.message, "too late");
        really(&format!("{{ port: {port}, state: stopped, timeout: 5 }}")).expect("is closed");
    }

    #[test]
    fn a_file_is_waited_for_with_its_text() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("log");
        std::fs::write(&path, "one\nready: 7\n").expect("writes");
        let shown = path.display();
        let found = really(&format!("{{ path: {shown}, search_regex: '^ready: (\\d)$', timeout: 2 }}")).expect("is found").values;
        assert_eq!(found.get("match_groups"), Some(&Value::list(["7"])));
        let failure = really(&format!("{{ path: {shown}, state: absent, timeout: 0 }}")).expect_err("is there");
        assert!(failure.message.ends_with("to be absent."), "{}", failure.message);
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_a_plan_does_not_wait() {
        let mut machine = Machine::new(Overlay::empty());
        assert!(machine.refusal("wait_for: { path: /x, state: stopped }").contains("checking a port"));
        assert!(machine.task("wait_for: { port: 80 }").expect("runs").output.skipped);
    }
}
