//! Owner, group and mode of files: as users write them, and as the kernel has them.

use crate::base::Value;

use super::error::{Failure, Result};
use super::{FileKind, System};

/// A mode as a playbook writes it: octal, or symbolic as `chmod` reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    Octal(u32),
    Symbolic(String),
    /// `preserve`: the mode of the source, settled on the controller.
    Preserve,
}

/// What a task asks of a file's attributes; `None` leaves as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    pub owner: Option<String>,
    pub group: Option<String>,
    pub mode: Option<Mode>,
    /// `chattr` flags: `+i`, `-i`, `=Ai`.
    pub flags: Option<String>,
}

impl Mode {
    /// Reads a mode from an argument: numbers are taken as they are (YAML has already read `0644` as octal), text is octal or symbolic.
    pub fn from_value(value: &Value) -> std::result::Result<Mode, String> {
        match value {
            Value::Int(number) if (0..=0o7777).contains(number) => Ok(Mode::Octal(*number as u32)),
            Value::Str(text) if text.as_ref() == "preserve" => Ok(Mode::Preserve),
            Value::Str(text) => Mode::parse(text),
            other => Err(format!("`{}` is not a mode; write an octal number in quotes such as \"0644\"", other.to_text())),
        }
    }

    pub fn parse(text: &str) -> std::result::Result<Mode, String> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return match u32::from_str_radix(digits, 8) {
                Ok(mode) if mode <= 0o7777 => Ok(Mode::Octal(mode)),
                _ => Err(format!("`{text}` is not an octal mode")),
            };
        }
        let mode = Mode::Symbolic(text.to_owned());
        mode.apply(0, false)?;
        Ok(mode)
    }

    /// The permission bits after this mode was asked for on top of `current`. Symbolic modes are applied as `chmod` does, without the umask.
    pub fn apply(&self, current: u32, is_directory: bool) -> std::result::Result<u32, String> {
        match self {
            Mode::Octal(mode) => Ok(*mode),
            Mode::Preserve => Ok(current),
            Mode::Symbolic(text) => text.split(',').try_fold(current, |mode, clause| apply_clause(clause, mode, is_directory)),
        }
    }
}

fn apply_clause(clause: &str, current: u32, is_directory: bool) -> std::result::Result<u32, String> {
    let bad = || format!("`{clause}` is not a symbolic mode such as `u=rw,g+r,o-x`");
    let split = clause.find(['+', '-', '=']).ok_or_else(bad)?;
    let (who, mut rest) = clause.split_at(split);
    let who: &str = if who.is_empty() { "a" } else { who };
    if !who.chars().all(|c| "ugoa".contains(c)) {
        return Err(bad());
    }
    let mut mode = current;
    while !rest.is_empty() {
        let operator = rest.as_bytes()[0];
        rest = &rest[1..];
        let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
        let (permissions, further) = rest.split_at(end);
        rest = further;
        let mask = who_mask(who);
        let bits = permission_bits(permissions, who, mode, is_directory).ok_or_else(bad)?;
        mode = match operator {
            b'+' => mode | bits,
            b'-' => mode & !bits,
            _ => (mode & !mask) | bits,
        };
    }
    Ok(mode)
}

fn who_mask(who: &str) -> u32 {
    who.chars().fold(0, |mask, c| {
        mask | match c {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            _ => 0o7777,
        }
    })
}

fn permission_bits(permissions: &str, who: &str, mode: u32, is_directory: bool) -> Option<u32> {
    let spread = |three: u32| {
        who.chars().fold(0, |bits, c| {
            bits | match c {
                'u' => three << 6,
                'g' => three << 3,
                'o' => three,
                _ => three * 0o111,
            }
        })
    };
    let all = who.contains('a');
    permissions.chars().try_fold(0, |bits, c| {
        Some(
            bits | match c {
                'r' => spread(4),
                'w' => spread(2),
                'x' => spread(1),
                'X' if is_directory || mode & 0o111 != 0 => spread(1),
                'X' => 0,
                's' => (if all || who.contains('u') { 0o4000 } else { 0 }) | (if all || who.contains('g') { 0o2000 } else { 0 }),
                't' if all || who.contains('o') => 0o1000,
                't' => 0,
                'u' => spread((mode >> 6) & 7),
                'g' => spread((mode >> 3) & 7),
                'o' => spread(mode & 7),
                _ => return None,
            },
        )
    })
}

/// Stands for the id of an account that a planned package may bring; no account has it (the highest id is reserved for "none").
const ID_AFTER_APPLY: u32 = u32::MAX - 1;

impl System {
    /// The uid that an `owner` option means: a name, or a number.
    pub fn resolve_owner(&self, owner: &str) -> Result<u32> {
        if let Some(user) = self.query_user(owner)? {
            return Ok(user.uid);
        }
        if self.packages_are_planned() && owner.parse::<u32>().is_err() {
            return Ok(ID_AFTER_APPLY);
        }
        owner.parse().map_err(|_| Failure::new(format!("chown failed: failed to look up user {owner}")).at("owner"))
    }

    /// The gid that a `group` option means: a name, or a number.
    pub fn resolve_group(&self, group: &str) -> Result<u32> {
        if let Some(found) = self.query_group(group)? {
            return Ok(found.gid);
        }
        if self.packages_are_planned() && group.parse::<u32>().is_err() {
            return Ok(ID_AFTER_APPLY);
        }
        group.parse().map_err(|_| Failure::new(format!("chgrp failed: failed to look up group {group}")).at("group"))
    }

    /// In check mode, tells of accounts that the host does not have (yet): the real run may make them before.
    pub fn warn_of_unknown_accounts(&mut self, asked: &Attributes) {
        if !self.backend.is_dry() || self.packages_are_planned() {
            return;
        }
        let missing = |what: &str, id: &str, name: &str| {
            let with = if name.parse::<u32>().is_ok() { format!(" with {id}") } else { String::new() };
            format!("failed to look up {what}{with} {name}. Create {what} up to this point in real play")
        };
        if let Some(owner) = &asked.owner {
            let known = owner.parse().map_or_else(|_| self.query_user(owner), |uid| self.query_user_by_id(uid));
            if matches!(known, Ok(None)) {
                self.warn(missing("user", "uid", owner));
            }
        }
        if let Some(group) = &asked.group {
            let known = group.parse().map_or_else(|_| self.query_group(group), |gid| self.query_group_by_id(gid));
            if matches!(known, Ok(None)) {
                self.warn(missing("group", "gid", group));
            }
        }
    }

    /// Mode, uid and gid that a path is to have: what is asked for on top of what it has.
    pub fn wanted_attributes(&self, asked: &Attributes, mode: u32, uid: u32, gid: u32, kind: FileKind) -> Result<(u32, u32, u32)> {
        let uid = asked.owner.as_deref().map_or(Ok(uid), |owner| self.resolve_owner(owner))?;
        let gid = asked.group.as_deref().map_or(Ok(gid), |group| self.resolve_group(group))?;
        let mode = match &asked.mode {
            Some(wanted) => wanted.apply(mode, kind == FileKind::Directory).map_err(|message| Failure::new(message).at("mode"))?,
            None => mode,
        };
        Ok((mode, uid, gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Overlay;

    #[test]
    fn symbolic_modes_are_applied_as_chmod_does() {
        let apply = |text: &str, mode, directory| Mode::parse(text).expect("parses").apply(mode, directory).expect("applies");
        assert_eq!(apply("u=rw,g=r,o=", 0o777, false), 0o640);
        assert_eq!(apply("u+x", 0o644, false), 0o744);
        assert_eq!(apply("a+X", 0o644, false), 0o644);
        assert_eq!(apply("a+X", 0o644, true), 0o755);
        assert_eq!(apply("g=u", 0o700, false), 0o770);
        assert_eq!(apply("+t", 0o755, true), 0o1755);
        assert_eq!(apply("u+s,g+s", 0o755, false), 0o6755);
    }

    #[test]
    fn an_account_that_is_not_there_yet_is_told_in_check_mode() {
        let mut sys = System::dry(Overlay::empty());
        let asked = |owner: &str, group: &str| Attributes { owner: Some(owner.into()), group: Some(group.into()), ..Attributes::default() };
        sys.warn_of_unknown_accounts(&asked("root", "0"));
        assert!(sys.warnings().is_empty());
        sys.warn_of_unknown_accounts(&asked("alice", "111"));
        assert_eq!(sys.warnings()[0], "failed to look up user alice. Create user up to this point in real play");
        assert_eq!(sys.warnings()[1], "failed to look up group with gid 111. Create group up to this point in real play");
    }

    #[test]
    fn an_account_that_a_planned_package_may_bring_is_believed() {
        let bare = System::dry(Overlay::empty());
        assert!(bare.resolve_owner("postgres").is_err());
        let planned = System::dry(Overlay::empty().with_package("postgresql", "17"));
        assert_eq!((planned.resolve_owner("postgres").ok(), planned.resolve_owner("7").ok()), (Some(ID_AFTER_APPLY), Some(7)));
        assert_eq!(planned.resolve_group("postgres").ok(), Some(ID_AFTER_APPLY));
    }

    #[test]
    fn a_mode_that_is_none_is_refused_with_a_hint() {
        assert!(Mode::parse("rw-r--r--").is_err());
        assert!(Mode::parse("0999").is_err());
        assert_eq!(Mode::parse("0644"), Ok(Mode::Octal(0o644)));
    }
}
