//! Users and groups. The agent is static and never asks libc: local files are read directly, anything else comes from `getent`.

use std::path::Path;

use super::System;
use super::command::{Command, run_locally};
use super::error::{Failure, Result};

/// An account as `passwd` has it, with its password hash when that may be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub comment: String,
    pub home: String,
    pub shell: String,
    /// From `/etc/shadow`; `None` where that cannot be read.
    pub password: Option<String>,
    /// Days since 1970 at which the account expires.
    pub expires: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    pub name: String,
    pub gid: u32,
    pub members: Vec<String>,
}

impl System {
    pub fn query_user(&self, name: &str) -> Result<Option<User>> {
        self.backend.user(name)
    }

    pub fn query_user_by_id(&self, uid: u32) -> Result<Option<User>> {
        self.backend.user_by_id(uid)
    }

    pub fn query_group(&self, name: &str) -> Result<Option<Group>> {
        self.backend.group(name)
    }

    pub fn query_group_by_id(&self, gid: u32) -> Result<Option<Group>> {
        self.backend.group_by_id(gid)
    }

    /// Every group the host lists.
    pub fn query_groups(&self) -> Result<Vec<Group>> {
        self.backend.groups()
    }

    /// Every user the host lists.
    pub fn query_users(&self) -> Result<Vec<User>> {
        self.backend.users()
    }

    /// The name for a uid, or the number when nobody has it.
    pub fn user_name(&self, uid: u32) -> String {
        self.query_user_by_id(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
    }

    /// The name for a gid, or the number when no group has it.
    pub fn group_name(&self, gid: u32) -> String {
        self.query_group_by_id(gid).ok().flatten().map_or_else(|| gid.to_string(), |group| group.name)
    }

    /// `~` and `~user` at the start of a path, as the account's home folder.
    pub fn expand_home(&self, path: &str) -> Result<String> {
        let Some(rest) = path.strip_prefix('~') else { return Ok(path.to_owned()) };
        let (name, tail) = rest.split_once('/').map_or((rest, ""), |(name, tail)| (name, tail));
        let home = if name.is_empty() {
            let own = self.query_user_by_id(self.backend.effective_uid())?.map(|user| user.home);
            own.or_else(|| std::env::var("HOME").ok()).unwrap_or_else(|| "/".into())
        } else {
            match self.query_user(name)? {
                Some(user) => user.home,
                None => return Ok(path.to_owned()),
            }
        };
        Ok(Path::new(&home).join(tail).to_string_lossy().trim_end_matches('/').to_owned())
    }
}

/// `~` and `~user` at the start of a path of this machine's own: what no host is asked for. `own` is the home of who runs this.
pub fn with_home(path: &str, own: Option<&str>) -> String {
    let Some(rest) = path.strip_prefix('~') else { return path.to_owned() };
    let (name, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = match name {
        "" => own.map(str::to_owned),
        _ => local_user(name).ok().flatten().map(|user| user.home),
    };
    home.map_or_else(|| path.to_owned(), |home| format!("{}{tail}", home.trim_end_matches('/')))
}

fn parse_user(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, comment, home, shell] = fields.as_slice() else { return None };
    Some(User {
        name: (*name).into(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        comment: (*comment).into(),
        home: (*home).into(),
        shell: (*shell).into(),
        ..User::default()
    })
}

fn parse_group(line: &str) -> Option<Group> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields.as_slice() else { return None };
    let members = members.split(',').filter(|member| !member.is_empty()).map(Into::into).collect();
    Some(Group { name: (*name).into(), gid: gid.parse().ok()?, members })
}

/// One entry of a name service database: first from the file, then from `getent` for what other sources know.
fn entry(database: &str, file: &str, key: &str, matches: impl Fn(&str) -> bool) -> Result<Option<String>> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    if let Some(line) = text.lines().find(|line| matches(line)) {
        return Ok(Some(line.to_owned()));
    }
    if only_files(database) {
        return Ok(None);
    }
    let found = run_locally(&Command::new("getent").arg(database).arg("--").arg(key))?;
    match found.rc {
        0 => Ok(found.stdout_text().lines().next().map(Into::into)),
        2 => Ok(None),
        _ => Err(Failure::new(format!("`getent {database} {key}` failed: {}", found.stderr_text().trim()))),
    }
}

/// Whether `nsswitch.conf` names nothing but the local files for a database, so that asking `getent` is no use.
fn only_files(database: &str) -> bool {
    let text = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix(database)?.trim_start().strip_prefix(':'));
    line.is_none_or(|sources| sources.split_whitespace().all(|source| source == "files" || source == "compat"))
}

fn first_field(line: &str) -> &str {
    line.split(':').next().unwrap_or_default()
}

fn third_field_is(line: &str, number: u32) -> bool {
    line.split(':').nth(2).and_then(|field| field.parse::<u32>().ok()) == Some(number)
}

fn with_shadow(mut user: User) -> User {
    let shadow = std::fs::read_to_string("/etc/shadow").unwrap_or_default();
    if let Some(line) = shadow.lines().find(|line| first_field(line) == user.name) {
        let fields: Vec<&str> = line.split(':').collect();
        user.password = fields.get(1).map(|hash| (*hash).to_owned());
        user.expires = fields.get(7).and_then(|days| days.parse().ok());
    }
    user
}

pub(super) fn local_user(name: &str) -> Result<Option<User>> {
    // `getent` takes a number for a uid; a name that is a number is looked up as a name only.
    if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let line = entry("passwd", "/etc/passwd", name, |line| first_field(line) == name)?;
    Ok(line.and_then(|line| parse_user(&line)).map(with_shadow))
}

pub(super) fn local_user_by_id(uid: u32) -> Result<Option<User>> {
    let line = entry("passwd", "/etc/passwd", &uid.to_string(), |line| third_field_is(line, uid))?;
    Ok(line.and_then(|line| parse_user(&line)).map(with_shadow))
}

pub(super) fn local_group(name: &str) -> Result<Option<Group>> {
    if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let line = entry("group", "/etc/group", name, |line| first_field(line) == name)?;
    Ok(line.and_then(|line| parse_group(&line)))
}

pub(super) fn local_group_by_id(gid: u32) -> Result<Option<Group>> {
    let line = entry("group", "/etc/group", &gid.to_string(), |line| third_field_is(line, gid))?;
    Ok(line.and_then(|line| parse_group(&line)))
}

pub(super) fn local_groups() -> Result<Vec<Group>> {
    Ok(std::fs::read_to_string("/etc/group").unwrap_or_default().lines().filter_map(parse_group).collect())
}

pub(super) fn local_users() -> Result<Vec<User>> {
    Ok(std::fs::read_to_string("/etc/passwd").unwrap_or_default().lines().filter_map(parse_user).collect())
}
