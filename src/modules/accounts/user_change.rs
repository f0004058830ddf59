//! Making and changing accounts: what differs, and the one command that settles it.

use crate::base::Value;
use crate::system::{self, Command, Effect, Failure, Group, Result, System};

use super::user::{UpdatePassword, UserArgs};

/// What the overlay says of a uid that useradd would choose: the kernel's own "no such id".
const UNKNOWN_ID: u32 = u32::MAX - 1;

fn group_of(sys: &System, name: &str) -> Result<Group> {
    let by_name = sys.query_group(name)?;
    let found = match (by_name, name.parse()) {
        (None, Ok(gid)) => sys.query_group_by_id(gid)?,
        (found, _) => found,
    };
    found.ok_or_else(|| Failure::new(format!("Group {name} does not exist")).at("group"))
}

fn wanted_groups(args: &UserArgs, sys: &System) -> Result<Option<Vec<String>>> {
    let Some(groups) = &args.groups else { return Ok(None) };
    let names = groups.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    let mut names = names.map(|name| Ok(group_of(sys, name)?.name)).collect::<Result<Vec<String>>>()?;
    names.sort();
    names.dedup();
    Ok(Some(names))
}

/// Days since 1970 at which the account is to expire; `-1`: never.
fn expiry(args: &UserArgs) -> Option<i64> {
    args.expires.map(|seconds| if seconds < 0.0 { -1 } else { (seconds / 86_400.0).floor() as i64 })
}

fn expiry_text(days: i64) -> String {
    if days < 0 { String::new() } else { days.to_string() }
}

/// Makes the account without its home folder, which is made through `System` afterwards.
pub fn create(args: &UserArgs, sys: &mut System) -> Result<()> {
    let mut user = system::User {
        name: args.name.clone(),
        uid: args.uid.unwrap_or(UNKNOWN_ID),
        gid: UNKNOWN_ID,
        comment: args.comment.clone().unwrap_or_default(),
        home: args.home.as_ref().map_or_else(|| format!("/home/{}", args.name), |home| home.to_string_lossy().into_owned()),
        shell: args.shell.as_ref().map_or_else(|| "/bin/sh".to_owned(), |shell| shell.to_string_lossy().into_owned()),
        password: Some("!".into()),
        expires: expiry(args).filter(|days| *days >= 0),
    };
    let mut command = Command::new("useradd").arg("-M");
    let mut effects = Vec::new();
    if let Some(uid) = args.uid {
        command = command.arg("-u").arg(uid.to_string()).args(args.non_unique.then_some("-o"));
    }
    match &args.group {
        Some(group) => {
            user.gid = group_of(sys, group)?.gid;
            command = command.arg("-g").arg(user.gid.to_string());
        }
        None if sys.query_group(&args.name)?.is_some() => command = command.arg("-N"),
        None => {
            let own = Group { name: args.name.clone(), gid: user.uid, members: Vec::new() };
            user.gid = own.gid;
            effects.push(Effect::Group { name: args.name.clone(), state: Some(own) });
        }
    }
    if let Some(groups) = wanted_groups(args, sys)?.filter(|groups| !groups.is_empty()) {
        command = command.arg("-G").arg(groups.join(","));
        effects.extend(membership(&args.name, &groups, true, sys)?);
    }
    let texts = [
        ("-c", args.comment.clone()),
        ("-d", args.home.as_ref().map(|_| user.home.clone())),
        ("-s", args.shell.as_ref().map(|_| user.shell.clone())),
    ];
    for (switch, text) in texts {
        command = command.args(text.map(|text| [switch.to_owned(), text]).into_iter().flatten());
    }
    if let Some(days) = user.expires {
        command = command.arg("-e").arg(day(days));
    }
    if let Some(days) = args.password_expire_account_disable {
        command = command.arg("-f").arg(days.to_string());
    }
    command = command.args(args.system.then_some("-r"));
    for (key, bound) in [("UID_MIN", args.uid_min), ("UID_MAX", args.uid_max)] {
        command = command.args(bound.map(|bound| ["-K".to_owned(), format!("{key}={bound}")]).into_iter().flatten());
    }
    effects.insert(0, Effect::User { name: args.name.clone(), state: Some(user) });
    sys.mutate_all(command.arg("--").arg(&args.name), effects).map_err(renamed("create"))?;
    if let Some(password) = &args.password {
        let lock = if args.password_lock == Some(true) { "!" } else { "" };
        set_password(args, &format!("{lock}{}", password.expose()), sys)?;
    }
    Ok(())
}

fn renamed(doing: &'static str) -> impl Fn(Failure) -> Failure {
    move |failure| failure.context(&format!("cannot {doing} the account"))
}

/// A day since 1970 as useradd and usermod take it.
fn day(days: i64) -> String {
    let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).unwrap_or_default());
    date.map_or_else(|_| String::new(), |date| date.to_string())
}

/// The groups after the account joined `groups` (and left every other unless `append`).
fn membership(name: &str, groups: &[String], append: bool, sys: &System) -> Result<Vec<Effect>> {
    let mut effects = Vec::new();
    for mut group in sys.query_groups()? {
        let (is_in, should) = (group.members.iter().any(|member| member == name), groups.contains(&group.name));
        match (is_in, should) {
            (false, true) => group.members.push(name.to_owned()),
            (true, false) if !append => group.members.retain(|member| member != name),
            _ => continue,
        }
        effects.push(Effect::Group { name: group.name.clone(), state: Some(group) });
    }
    Ok(effects)
}

/// Changes what differs, in one call of usermod; the password goes another way, since arguments can be seen.
pub fn modify(args: &UserArgs, found: &system::User, sys: &mut System) -> Result<()> {
    let mut user = found.clone();
    let mut command = Command::new("usermod");
    if let Some(uid) = args.uid.filter(|uid| *uid != found.uid) {
        command = command.arg("-u").arg(uid.to_string()).args(args.non_unique.then_some("-o"));
        user.uid = uid;
    }
    if let Some(group) = &args.group {
        let gid = group_of(sys, group)?.gid;
        if gid != found.gid {
            command = command.arg("-g").arg(gid.to_string());
            user.gid = gid;
        }
    }
    let mut effects = match wanted_groups(args, sys)? {
        None => Vec::new(),
        Some(groups) => {
            let effects = membership(&args.name, &groups, args.append, sys)?;
            if !effects.is_empty() {
                command = command.args(args.append.then_some("-a")).arg("-G").arg(groups.join(","));
            }
            effects
        }
    };
    if let Some(comment) = args.comment.clone().filter(|comment| *comment != found.comment) {
        command = command.arg("-c").arg(&comment);
        user.comment = comment;
    }
    let home = args.home.as_ref().map(|home| home.to_string_lossy().into_owned());
    if let Some(home) = home.filter(|home| *home != found.home) {
        command = command.arg("-d").arg(&home).args(args.move_home.then_some("-m"));
        user.home = home;
    }
    let shell = args.shell.as_ref().map(|shell| shell.to_string_lossy().into_owned());
    if let Some(shell) = shell.filter(|shell| *shell != found.shell) {
        command = command.arg("-s").arg(&shell);
        user.shell = shell;
    }
    // Without an entry in `/etc/shadow` nothing says when the account expires: usermod makes one.
    let has_shadow = found.password.is_some();
    if let Some(days) = expiry(args).filter(|days| !has_shadow || *days != found.expires.unwrap_or(-1)) {
        user.password = user.password.or_else(|| Some(String::new()));
        command = command.arg("-e").arg(if days < 0 { expiry_text(days) } else { day(days) });
        user.expires = Some(days).filter(|days| *days >= 0);
    }
    let hash = found.password.clone().unwrap_or_default();
    let bare = hash.trim_start_matches('!');
    let wanted = args.password.as_ref().filter(|_| args.update_password == UpdatePassword::Always);
    let new_password = wanted.filter(|password| password.expose().trim_start_matches('!') != bare);
    if new_password.is_none() {
        match args.password_lock {
            Some(true) if !hash.starts_with('!') => {
                command = command.arg("-L");
                user.password = Some(format!("!{hash}"));
            }
            // usermod does not unlock an account that has no password at all.
            Some(false) if hash.starts_with('!') && !bare.is_empty() => {
                command = command.arg("-U");
                user.password = Some(bare.to_owned());
            }
            _ => {}
        }
    }
    if user != *found {
        effects.insert(0, Effect::User { name: args.name.clone(), state: Some(user) });
    }
    if !effects.is_empty() {
        sys.mutate_all(command.arg("--").arg(&args.name), effects).map_err(renamed("change"))?;
    }
    if let Some(password) = new_password {
        let lock = if args.password_lock == Some(true) { "!" } else { "" };
        set_password(args, &format!("{lock}{}", password.expose().trim_start_matches('!')), sys)?;
    }
    Ok(())
}

fn set_password(args: &UserArgs, hash: &str, sys: &mut System) -> Result<()> {
    if hash.contains([':', '\n']) {
        return Err(Failure::new("the password hash holds a colon or a line break, which no hash has").at("password"));
    }
    let Some(user) = sys.query_user(&args.name)? else { return Ok(()) };
    let state = system::User { password: Some(hash.to_owned()), ..user };
    let command = Command::new("chpasswd").arg("-e").stdin(format!("{}:{hash}\n", args.name));
    sys.mutate(command, Effect::User { name: args.name.clone(), state: Some(state) })?;
    Ok(())
}

/// The ages of the password, which only the shadow file tells.
pub fn set_password_expiry(args: &UserArgs, sys: &mut System) -> Result<()> {
    let wishes = [
        ("-m", 3, args.password_expire_min),
        ("-M", 4, args.password_expire_max),
        ("-W", 5, args.password_expire_warn),
        ("-I", 6, args.password_expire_account_disable),
    ];
    for (switch, field, wish) in wishes {
        let Some(days) = wish else { continue };
        let key = format!("{} {switch}", args.name);
        let current = sys.query_record("password age", &key, || Ok(shadow_field(&args.name, field, sys).map(Value::Int)))?;
        if current == Some(Value::Int(days)) || (current.is_none() && days < 0) {
            continue;
        }
        let command = Command::new("chage").arg(switch).arg(days.to_string()).arg("--").arg(&args.name);
        sys.mutate(command, Effect::Record { kind: "password age", name: key, value: Some(days.into()) })?;
    }
    Ok(())
}

fn shadow_field(name: &str, field: usize, sys: &System) -> Option<i64> {
    let shadow = sys.query_text(std::path::Path::new("/etc/shadow")).ok()?;
    let line = shadow.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(field)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_day_number_is_a_date() {
        assert_eq!(super::day(0), "1970-01-01");
        assert_eq!(super::day(20_000), "2024-10-04");
    }
}
