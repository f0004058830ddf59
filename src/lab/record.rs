//! What is kept of a lab on disk, and the process it may belong to.

use serde::{Deserialize, Serialize};

/// What is kept of a lab on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LabRecord {
    pub network: u8,
    /// The process the lab ends with.
    pub owner: Option<Owner>,
}

/// A process, told apart from later ones of the same number by its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub pid: u32,
    pub started: u64,
}

impl Owner {
    pub fn this_process() -> Option<Owner> {
        Owner::of(std::process::id())
    }

    fn of(pid: u32) -> Option<Owner> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before it, in brackets, may hold spaces; the start is field 22 of the whole line.
        let started = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        Some(Owner { pid, started })
    }

    pub fn is_alive(&self) -> bool {
        Owner::of(self.pid).as_ref() == Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_of_its_number() {
        let me = Owner::this_process().unwrap();
        assert!(me.is_alive());
        assert!(!Owner { started: me.started + 1, ..me }.is_alive());
        assert!(!Owner { pid: u32::MAX, started: 1 }.is_alive());
    }
}
