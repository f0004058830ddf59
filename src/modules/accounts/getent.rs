//! `ansible.builtin.getent`: an entry of a name service database, as the fact `getent_DATABASE`.

use crate::base::{Map, Value};
use crate::modules::{Module, Output, module_args};
use crate::system::{Command, Failure, Result, System};

pub struct Getent;

module_args! {
    /// Looks up an entry in a database of the host's name service (passwd, group, hosts, services …).
    pub struct GetentArgs {
        /// The database.
        database: String,
        /// The entry's key; all entries when not given.
        key: Option<String>,
        /// The name service to ask, such as `files`.
        service: Option<String>,
        /// What separates the fields; the database's own separator when not given.
        split: Option<String>,
        /// Fail when the key is not there; else the fact is null.
        fail_key: bool = true,
    }
}

impl Module for Getent {
    const NAME: &'static str = "ansible.builtin.getent";
    type Args = GetentArgs;

    fn run(args: GetentArgs, sys: &mut System) -> Result<Output> {
        let service = args.service.as_ref().map(|service| ["-s".to_owned(), service.clone()]).into_iter().flatten();
        let command = Command::new("getent").args(service).arg(&args.database).args(args.key.clone());
        let found = sys.query_command(command)?;
        let colons = ["passwd", "shadow", "group", "gshadow"].contains(&args.database.as_str());
        let separator = args.split.clone().or_else(|| colons.then(|| ":".to_owned()));
        let fact = format!("getent_{}", args.database);
        let facts = |value: Value| Output::new().with_facts([(fact.as_str(), value)].into_iter().collect());
        let fail = |message: &str| Err(Failure::new(message).with("rc", found.rc));
        if let (2, Some(key)) = (found.rc, &args.key)
            && let Some(line) = known_entry(&args.database, key, sys)?
        {
            return Ok(facts(entries(&line, Some(":")).into()));
        }
        match (found.rc, &args.key) {
            (0, _) => Ok(facts(entries(&found.stdout_text(), separator.as_deref()).into())),
            (1, _) => fail("Missing arguments, or database unknown."),
            (2, Some(key)) if !args.fail_key => {
                let nothing: Map = [(key.as_str(), Value::Null)].into_iter().collect();
                Ok(facts(nothing.into()).message("One or more supplied key could not be found in the database."))
            }
            (2, _) => fail("One or more supplied key could not be found in the database."),
            (3, _) => fail("Enumeration not supported on this database."),
            _ => fail("Unexpected failure!"),
        }
    }
}

/// An account that the name service does not have and the system does: an earlier task would make it.
fn known_entry(database: &str, key: &str, sys: &System) -> Result<Option<String>> {
    Ok(match database {
        "passwd" => sys.query_user(key)?.map(|user| {
            let (uid, gid) = (user.uid, user.gid);
            format!("{}:x:{uid}:{gid}:{}:{}:{}", user.name, user.comment, user.home, user.shell)
        }),
        "group" => sys.query_group(key)?.map(|group| format!("{}:x:{}:{}", group.name, group.gid, group.members.join(","))),
        _ => None,
    })
}

/// Lines as key and fields. A key that comes again gives a list of all its entries.
fn entries(text: &str, separator: Option<&str>) -> Map {
    let mut entries = Map::new();
    let mut repeated: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = match separator {
            Some(separator) => line.split(separator).collect(),
            None => line.split_whitespace().collect(),
        };
        let Some((key, rest)) = fields.split_first() else { continue };
        let value = Value::list(rest.to_vec());
        let merged = match entries.get(key) {
            None => value,
            Some(Value::List(before)) if repeated.iter().any(|known| known == key) => Value::list(before.iter().cloned().chain([value])),
            Some(before) => {
                repeated.push((*key).to_owned());
                Value::list([before.clone(), value])
            }
        };
        entries.insert(*key, merged);
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::testing::Machine;
    use crate::system::{Completed, Overlay};

    #[test]
    fn fields_are_split_as_the_database_has_them() {
        let passwd = entries("root:x:0:0:root:/root:/bin/bash\n", Some(":"));
        assert_eq!(passwd.get("root"), Some(&Value::list(["x", "0", "0", "root", "/root", "/bin/bash"])));
        let hosts = entries("127.0.0.1 localhost\n127.0.0.1 web\n", None);
        assert_eq!(hosts.get("127.0.0.1"), Some(&Value::list([Value::list(["localhost"]), Value::list(["web"])])));
    }

    #[test]
    fn a_missing_key_fails_or_is_null() {
        let answer = |command: &Command| (command.program() == "getent").then(|| Completed { rc: 2, ..Completed::default() });
        let mut machine = Machine::new(Overlay::empty().answer(answer));
        assert!(machine.refusal("getent: { database: passwd, key: nobody9 }").contains("could not be found"));
        assert!(machine.task("getent: { database: passwd, key: root }").is_ok(), "an account that is only planned is found");
        let facts = machine.task("getent: { database: passwd, key: nobody9, fail_key: false }").expect("runs").output.facts;
        assert_eq!(facts.get("getent_passwd").map(Value::to_repr).as_deref(), Some("{'nobody9': None}"));
    }
}
